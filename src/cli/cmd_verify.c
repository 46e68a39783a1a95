/* weir verify: compares what is on disk with a manifest. Main thread.
 */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/run_command.h"

/* Where a list of names alone is checked: no request goes there. */
#define NOWHERE "http://verify.invalid/"

static int set(struct command_run *run, const char *name, const char *value)
{
    weir_error err;
    weir_status st = weir_config_set(run->config, name, value, &err);
    return st ? status_error(run->a->command, st, err.message) : EXIT_ALL_WELL;
}

/* Reading is bound by processors and disks, not by what is due to a host. */
static int read_at_full_speed(struct command_run *run)
{
    static const char *const unlimited[] = {"limits.rate", "limits.host_rate", "limits.bandwidth",
                                            "limits.host_bandwidth"};
    char n[24], twice[24];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 1)
        processors = 1;
    snprintf(n, sizeof n, "%ld", processors);
    snprintf(twice, sizeof twice, "%ld", 2 * processors);
    int code = EXIT_ALL_WELL;
    for (size_t i = 0; i < sizeof unlimited / sizeof *unlimited && !code; i++)
        code = set(run, unlimited[i], "0");
    if (!code)
        code = set(run, "run.workers", n);
    if (!code)
        code = set(run, "run.concurrency", twice);
    return code ? code : set(run, "limits.per_host", twice);
}

static int check(struct command_run *run)
{
    char message[USAGE_MAX];
    const char *base = weir_config_get(run->config, "input.base_url");
    int code = EXIT_ALL_WELL;
    if (!run->a->repair)
        code = read_at_full_speed(run);
    if (!code && !run->a->repair && !(base && *base))
        code = set(run, "input.base_url", NOWHERE);
    if (code)
        return code;
    weir_status st = output_target_choose(&run->target, run->a, run->config, message);
    return st ? status_error(run->a->command, st, message) : EXIT_ALL_WELL;
}

static int equip(struct command_run *run)
{
    weir_engine_set_verify(run->engine, run->a->repair ? WEIR_VERIFY_REPAIR : WEIR_VERIFY_ONLY);
    return EXIT_ALL_WELL;
}

static const struct run_type verify = {
    .check = check,
    .equip = equip,
    .on_stdout = "nothing",
    .no_work = "weir verify -i MANIFEST -d DIR checks the files in DIR",
};

int cmd_verify(const struct arguments *a)
{
    return run_command(a, &verify, NULL);
}

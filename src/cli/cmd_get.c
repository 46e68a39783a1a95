/* weir get: saves the body of each URL. Main thread.
 */
#include "cli/commands.h"
#include "cli/run_command.h"

static int check(struct command_run *run)
{
    char message[USAGE_MAX];
    weir_status st = output_target_choose(&run->target, run->a, run->config, message);
    return st ? status_error(run->a->command, st, message) : EXIT_ALL_WELL;
}

static const struct run_type get = {
    .check = check,
    .on_stdout = "the bodies (-o)",
    .no_work = "weir URL... saves URLs; weir -i LIST saves those of a list",
};

int cmd_get(const struct arguments *a)
{
    return run_command(a, &get, NULL);
}

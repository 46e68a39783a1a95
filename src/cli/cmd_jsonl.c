/* weir jsonl: filters and reshapes JSON records while the bodies stream. Main thread.
 */
#include "cli/commands.h"
#include "cli/run_command.h"

static int check(struct command_run *run)
{
    const struct arguments *a = run->a;
    char message[USAGE_MAX];
    if (!a->jsonl.program)
        return usage_error(a->command,
                           "no program; give one with --jq PROGRAM, as in weir jsonl --jq "
                           "'select(.level == \"error\")' URL");
    weir_status st = output_target_choose_for_lines(&run->target, a, message);
    return st ? status_error(a->command, st, message) : EXIT_ALL_WELL;
}

static int equip(struct command_run *run)
{
    const struct jsonl_arguments *j = &run->a->jsonl;
    weir_error err;
    weir_status st = weir_engine_jsonl(run->engine, j->program, j->raw, &err);
    if (st)
        return status_error(run->a->command, st, err.message);
    weir_engine_set_with_url(run->engine, run->a->with_url);
    return run_write_lines(run);
}

static const struct run_type jsonl_type = {
    .check = check,
    .equip = equip,
    .on_stdout = "the records",
    .no_work = "weir jsonl --jq PROGRAM URL... shapes records; -i LIST takes the URLs of a list",
};

int cmd_jsonl(const struct arguments *a)
{
    return run_command(a, &jsonl_type, NULL);
}

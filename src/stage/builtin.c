/* The registry of the stages that weir brings, and the tools that a worker keeps for them; see
 * builtin.h. Tools are made where the first file needs them: a run without a filter has no scanner.
 */
#include "stage/builtin.h"

static const weir_stage_type *const types[] = {&stage_decode, &stage_data,  &stage_filter,
                                               &stage_jsonl,  &stage_lines, &stage_records};

const weir_stage_type *builtin_stage_at(size_t i)
{
    return i < sizeof types / sizeof *types ? types[i] : NULL;
}

status stage_tools_scanner(struct stage_tools *t, struct scanner **out, error *err)
{
    status st = t->scanner ? OK : scanner_open(&t->scanner, t->setup->patterns, err);
    if (!st)
        *out = t->scanner;
    return st;
}

status stage_tools_runner(struct stage_tools *t, struct json_runner **out, error *err)
{
    status st = t->runner ? OK : json_runner_open(&t->runner, t->setup->program, err);
    if (!st)
        *out = t->runner;
    return st;
}

status stage_tools_record(struct stage_tools *t, struct weir_record **out, error *err)
{
    status st = t->record ? OK : json_reader_open(&t->record, err);
    if (!st)
        *out = t->record;
    return st;
}

void stage_tools_close(struct stage_tools *t)
{
    scanner_close(t->scanner);
    json_runner_close(t->runner);
    json_reader_close(t->record);
    gather_free(&t->filtered);
    gather_free(&t->shaped);
    *t = (struct stage_tools){.setup = t->setup};
}

/* The stage behind `weir jsonl`: each line is a record, and a jq program says what becomes of it.
 * Worker of the file.
 *
 * A record that the program puts out as it is stays where it lies, and neighbours go out together;
 * see line_output.h. Blank lines are no records. All that a write makes has been emitted when it
 * returns.
 */
#include "stage/bad_record.h"
#include "stage/chain.h"
#include "stage/line_splitter.h"

struct jsonl_state {
    struct stage_context *context;
    struct json_runner *runner;
    struct line_splitter splitter;
    struct line_output out;
    struct span url;
    struct span block; /* at work */
    uint64_t line;     /* the last one's number */
};

/* The end of a line of the block: then it can go out from where it lies, newline and all. */
static bool ends_line(struct span block, struct span output)
{
    uintptr_t from = (uintptr_t)block.p, end = from + block.n, p = (uintptr_t)output.p;
    return p >= from && p < end && output.n < end - p && output.p[output.n] == '\n';
}

static status put(void *ctx, struct span output, error *err)
{
    struct jsonl_state *j = ctx;
    bool with_url = j->context->setup->filter.with_url;
    j->context->counts.lines_out++;
    if (!with_url && ends_line(j->block, output))
        return line_output_lines(&j->out, output.p, output.n + 1, err);
    char *at;
    status st = line_output_room(&j->out, j->url.n + 1 + output.n + 1, &at, err);
    if (st)
        return st;
    if (with_url)
        at = put_url(at, j->url);
    if (output.n)
        at = put_bytes(at, output.p, output.n);
    *at++ = '\n';
    line_output_filled(&j->out, at);
    return OK;
}

/* A line that has been run. */
static status take_line(struct jsonl_state *j, enum json_step step, struct span line,
                        const error *why, error *err)
{
    if (step == JSON_STEP_BLANK)
        return OK;
    j->context->counts.lines_in++;
    line.n++; /* every line has its newline */
    return step == JSON_STEP_BAD ? bad_record_take(j->context, line, j->line, why, err) : OK;
}

static status run_block(struct jsonl_state *j, size_t readable, error *err)
{
    struct json_out out = {put, j};
    error why; /* not cleared as a whole: it is large, and seldom used */
    json_runner_begin(j->runner, j->block, readable);
    for (;;) {
        enum json_step step;
        struct span line;
        why.status = OK;
        why.message[0] = '\0';
        status st = json_runner_next(j->runner, &out, &step, &line, &why);
        if (st && err)
            *err = why;
        if (st || step == JSON_STEP_END)
            return st;
        j->line++;
        st = take_line(j, step, line, &why, err);
        if (st)
            return st;
    }
}

static status take_block(void *ctx, struct span block, size_t readable, error *err)
{
    struct jsonl_state *j = ctx;
    size_t mark = j->line ? 0 : byte_order_mark(block);
    j->block = (struct span){block.p + mark, block.n - mark};
    return line_output_end_block(&j->out, run_block(j, readable - mark, err), err);
}

static status take_too_long(void *ctx, error *err)
{
    struct jsonl_state *j = ctx;
    j->line++;
    j->context->counts.lines_in++;
    j->context->counts.long_lines++;
    return OK;
}

static status jsonl_open(weir_stage *stage, error *err)
{
    struct jsonl_state *j = weir_stage_state(stage);
    j->context = chain_context(stage);
    j->url = span_of(j->context->url);
    line_splitter_init(&j->splitter, j->context->setup->max_line);
    return stage_tools_runner(j->context->tools, &j->runner, err);
}

static status jsonl_write(weir_stage *stage, const void *data, size_t size, error *err)
{
    struct jsonl_state *j = weir_stage_state(stage);
    struct line_out lines = {take_block, take_too_long, j};
    line_output_begin(&j->out, stage, &j->context->tools->shaped);
    status st = line_splitter_write(&j->splitter, data, size, &lines, err);
    return line_output_end_write(&j->out, st, err);
}

static status jsonl_finish(weir_stage *stage, error *err)
{
    struct jsonl_state *j = weir_stage_state(stage);
    struct line_out lines = {take_block, take_too_long, j};
    line_output_begin(&j->out, stage, &j->context->tools->shaped);
    status st = line_splitter_finish(&j->splitter, &lines, err);
    return line_output_end_write(&j->out, st, err);
}

static void jsonl_reset(weir_stage *stage)
{
    struct jsonl_state *j = weir_stage_state(stage);
    line_splitter_reset(&j->splitter);
    j->line = 0;
}

static void jsonl_abort(weir_stage *stage)
{
    struct jsonl_state *j = weir_stage_state(stage);
    line_splitter_free(&j->splitter);
}

const weir_stage_type stage_jsonl = {
    .abi_size = sizeof(weir_stage_type),
    .state_size = sizeof(struct jsonl_state),
    .name = "jsonl",
    .help = "runs a jq program on each line",
    .phase = WEIR_PHASE_TRANSFORM,
    .flags = WEIR_STAGE_NEEDS_STREAM,
    .open = jsonl_open,
    .write = jsonl_write,
    .finish = jsonl_finish,
    .reset = jsonl_reset,
    .abort = jsonl_abort,
};

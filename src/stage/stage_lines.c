/* The stage behind on_line: gives each line to the callback and passes every byte on. Worker of the
 * file.
 *
 * Where no filter stands before it, its lines are the ones that the report counts.
 */
#include "stage/chain.h"
#include "stage/line_tap.h"

static status take_line(struct line_tap *tap, struct span text, size_t readable, error *err)
{
    struct stage_context *c = tap->context;
    c->counts.lines_in += tap->counts;
    c->counts.lines_out += tap->counts;
    return line_tap_heard(
        tap, c->callbacks->on_line(c->file, text.p, text.n - 1, tap->line, c->user), err);
}

static status lines_open(weir_stage *stage, error *err)
{
    struct line_tap *tap = weir_stage_state(stage);
    struct stage_context *c = chain_context(stage);
    *tap = (struct line_tap){.context = c, .take = take_line, .counts_long = true};
    tap->counts = !c->setup->patterns && !c->setup->program;
    line_splitter_init(&tap->splitter, c->setup->max_line);
    return OK;
}

static status lines_write(weir_stage *stage, const void *data, size_t size, error *err)
{
    return line_tap_write(weir_stage_state(stage), stage, data, size, err);
}

static status lines_finish(weir_stage *stage, error *err)
{
    return line_tap_finish(weir_stage_state(stage), err);
}

static void lines_reset(weir_stage *stage)
{
    line_tap_reset(weir_stage_state(stage));
}

static void lines_abort(weir_stage *stage)
{
    struct line_tap *tap = weir_stage_state(stage);
    line_splitter_free(&tap->splitter);
}

const weir_stage_type stage_lines = {
    .abi_size = sizeof(weir_stage_type),
    .state_size = sizeof(struct line_tap),
    .name = "lines",
    .help = "gives each line to on_line",
    .phase = WEIR_PHASE_TAP,
    .flags = WEIR_STAGE_NEEDS_STREAM,
    .open = lines_open,
    .write = lines_write,
    .finish = lines_finish,
    .reset = lines_reset,
    .abort = lines_abort,
};

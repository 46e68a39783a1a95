/* The stage behind on_record: parses each line as a record, gives it to the callback, and passes
 * every byte on. Worker of the file.
 *
 * The parser is the worker's, so that a record lives until the callback returns. Where neither a
 * filter nor on_line stands before it, its records are the ones that the report counts.
 */
#include "stage/bad_record.h"
#include "stage/chain.h"
#include "stage/line_tap.h"

struct records_state {
    struct line_tap tap; /* first: a tap is what take_line is given */
    struct weir_record *record;
};

static status take_line(struct line_tap *tap, struct span text, size_t readable, error *err)
{
    struct records_state *s = (struct records_state *)tap;
    struct stage_context *c = tap->context;
    size_t mark = tap->line == 1 ? byte_order_mark(text) : 0;
    struct span record = record_of_line((struct span){text.p + mark, text.n - mark});
    if (!record.n)
        return OK;
    c->counts.lines_in += tap->counts;
    readable -= (size_t)(record.p - text.p);
    error why; /* not cleared as a whole: it is large, and there is one a record */
    why.message[0] = '\0';
    status st = json_reader_set(s->record, record, readable, tap->line, &why);
    if (st == WEIR_RECORD)
        return bad_record_take(c, text, tap->line, &why, err);
    if (st)
        return fail(err, st, "%s", why.message);
    c->counts.lines_out += tap->counts;
    return line_tap_heard(tap, c->callbacks->on_record(c->file, s->record, c->user), err);
}

static status records_open(weir_stage *stage, error *err)
{
    struct records_state *s = weir_stage_state(stage);
    struct stage_context *c = chain_context(stage);
    s->tap = (struct line_tap){.context = c, .take = take_line};
    s->tap.counts_long = !c->callbacks->on_line; /* which counts the same lines */
    s->tap.counts = s->tap.counts_long && !c->setup->patterns && !c->setup->program;
    line_splitter_init(&s->tap.splitter, c->setup->max_line);
    return stage_tools_record(c->tools, &s->record, err);
}

static status records_write(weir_stage *stage, const void *data, size_t size, error *err)
{
    struct records_state *s = weir_stage_state(stage);
    return line_tap_write(&s->tap, stage, data, size, err);
}

static status records_finish(weir_stage *stage, error *err)
{
    struct records_state *s = weir_stage_state(stage);
    return line_tap_finish(&s->tap, err);
}

static void records_reset(weir_stage *stage)
{
    struct records_state *s = weir_stage_state(stage);
    line_tap_reset(&s->tap);
}

static void records_abort(weir_stage *stage)
{
    struct records_state *s = weir_stage_state(stage);
    line_splitter_free(&s->tap.splitter);
}

const weir_stage_type stage_records = {
    .abi_size = sizeof(weir_stage_type),
    .state_size = sizeof(struct records_state),
    .name = "records",
    .help = "gives each JSON record to on_record",
    .phase = WEIR_PHASE_TAP,
    .flags = WEIR_STAGE_NEEDS_STREAM,
    .open = records_open,
    .write = records_write,
    .finish = records_finish,
    .reset = records_reset,
    .abort = records_abort,
};

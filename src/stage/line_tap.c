/* Lines looked at while they pass; see line_tap.h. Worker of the file. */
#include "stage/line_tap.h"

static status take_block(void *ctx, struct span block, size_t readable, error *err)
{
    struct line_tap *tap = ctx;
    const char *end = block.p + block.n;
    for (const char *at = block.p; at < end;) {
        const char *next = end_of_line(at, end);
        struct span text = {at, (size_t)(next - at)};
        tap->line++;
        status st = tap->take(tap, text, readable - (size_t)(at - block.p), err);
        if (st)
            return st;
        at = next;
    }
    return OK;
}

static status take_too_long(void *ctx, error *err)
{
    struct line_tap *tap = ctx;
    tap->line++;
    tap->context->counts.lines_in += tap->counts;
    tap->context->counts.long_lines += tap->counts_long;
    return OK;
}

/* END is the callback's, not the chain's: what stands behind may still want the bytes. */
static status looked(struct line_tap *tap, status st)
{
    if (st != WEIR_END)
        return st;
    tap->enough = true;
    line_splitter_reset(&tap->splitter);
    return OK;
}

status line_tap_write(struct line_tap *tap, weir_stage *stage, const void *data, size_t size,
                      error *err)
{
    if (!tap->enough) {
        struct line_out lines = {take_block, take_too_long, tap};
        status st = looked(tap, line_splitter_write(&tap->splitter, data, size, &lines, err));
        if (st)
            return st;
    }
    return weir_emit(stage, data, size, err);
}

status line_tap_finish(struct line_tap *tap, error *err)
{
    struct line_out lines = {take_block, take_too_long, tap};
    return tap->enough ? OK : looked(tap, line_splitter_finish(&tap->splitter, &lines, err));
}

void line_tap_reset(struct line_tap *tap)
{
    line_splitter_reset(&tap->splitter);
    tap->line = 0;
    tap->enough = false;
}

status line_tap_heard(struct line_tap *tap, weir_next next, error *err)
{
    if (next == WEIR_NEXT)
        return OK;
    tap->context->wish = next;
    return next == WEIR_ENOUGH ? WEIR_END : fail(err, WEIR_CANCELLED, "stopped by the program");
}

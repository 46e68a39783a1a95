/* The stage behind `weir filter`: keeps the lines that match, as `LC_ALL=C grep -aP` does. Worker
 * of the file.
 *
 * Bytes come in chunks; the splitter makes blocks of whole lines of them, and the scanner names the
 * lines of a block that match. What lies between two of them did not: so a block falls into ranges
 * of lines that are selected and ranges that are not, and inverting swaps the two. A range that is
 * only passed on goes out where it lies; everything that shapes lines is in filter_context.c.
 *
 * All that a write selects has been emitted when it returns: a match is never held back until the
 * next one.
 */
#include "stage/filter_state.h"
#include "stage/newline_count.h"

/* The end of line n, counted from 1, of lines of which there are at least n. */
static const char *end_of_nth(const char *p, const char *end, uint64_t n)
{
    while (n--)
        p = end_of_line(p, end);
    return p;
}

static status pass_selected(struct filter_state *f, const char *from, const char *to, uint64_t n,
                            error *err)
{
    uint64_t most = f->asked->max_count;
    if (most && n >= most - f->kept) {
        f->done = true;
        if (n > most - f->kept) {
            n = most - f->kept;
            to = end_of_nth(from, to, n);
        }
    }
    f->kept += n;
    f->line += n;
    status st = f->asked->count ? OK : line_output_lines(&f->out, from, (size_t)(to - from), err);
    return st ? st : f->done ? WEIR_END : OK;
}

static status take_matching(struct filter_state *f, const char *from, const char *to, error *err)
{
    bool selected = !f->asked->invert;
    if (f->shaped)
        return selected ? filter_put_selected(f, from, to, err)
                        : filter_pass_over(f, from, to, err);
    if (selected)
        return pass_selected(f, from, to, 1, err);
    f->line++;
    return OK;
}

static status take_others(struct filter_state *f, const char *from, const char *to, error *err)
{
    bool selected = f->asked->invert;
    if (f->shaped)
        return selected ? filter_put_selected(f, from, to, err)
                        : filter_pass_over(f, from, to, err);
    uint64_t n = count_newlines(from, (size_t)(to - from));
    if (selected)
        return pass_selected(f, from, to, n, err);
    f->line += n;
    return OK;
}

/* A line on which the scanner gave up has no number yet: only those before it are counted. */
static status scan_failed(const struct filter_state *f, status st, error *err)
{
    if (st == WEIR_RECORD && err)
        return fail(err, st, "after line %llu: %s", (unsigned long long)f->line, err->message);
    return st;
}

static status scan_lines(struct filter_state *f, struct span block, error *err)
{
    const char *at = block.p, *end = block.p + block.n;
    scanner_begin(f->scanner, block);
    for (;;) {
        struct span line;
        bool found = false;
        status st = scanner_next(f->scanner, &line, &found, err);
        if (st)
            return scan_failed(f, st, err);
        const char *hit = found ? line.p : end;
        if (hit > at)
            st = take_others(f, at, hit, err);
        if (st || !found)
            return st;
        at = line.p + line.n + 1; /* every line has its newline */
        st = take_matching(f, line.p, at, err);
        if (st)
            return st;
    }
}

static status take_block(void *ctx, struct span block, size_t readable, error *err)
{
    struct filter_state *f = ctx;
    return line_output_end_block(&f->out, scan_lines(f, block, err), err);
}

static status take_too_long(void *ctx, error *err)
{
    struct filter_state *f = ctx;
    f->line++;
    f->context->counts.long_lines++;
    return OK;
}

static status filter_open(weir_stage *stage, error *err)
{
    struct filter_state *f = weir_stage_state(stage);
    f->context = chain_context(stage);
    f->asked = &f->context->setup->filter;
    f->url = span_of(f->context->url);
    const weir_filter *a = f->asked;
    f->shaped =
        !a->count && (a->line_number || a->with_url || a->only_matching || a->before || a->after);
    line_splitter_init(&f->splitter, f->context->setup->max_line);
    return stage_tools_scanner(f->context->tools, &f->scanner, err);
}

/* What a write or the end has selected goes out. */
static status put_out(struct filter_state *f, status st, error *err)
{
    f->context->counts.lines_in = f->line;
    f->context->counts.lines_out = f->kept;
    return line_output_end_write(&f->out, st, err);
}

static status filter_write(weir_stage *stage, const void *data, size_t size, error *err)
{
    struct filter_state *f = weir_stage_state(stage);
    if (f->done)
        return WEIR_END;
    struct line_out lines = {take_block, take_too_long, f};
    line_output_begin(&f->out, stage, &f->context->tools->filtered);
    return put_out(f, line_splitter_write(&f->splitter, data, size, &lines, err), err);
}

static status filter_finish(weir_stage *stage, error *err)
{
    struct filter_state *f = weir_stage_state(stage);
    struct line_out lines = {take_block, take_too_long, f};
    line_output_begin(&f->out, stage, &f->context->tools->filtered);
    status st = f->done ? OK : line_splitter_finish(&f->splitter, &lines, err);
    if (f->asked->count && (!st || st == WEIR_END))
        st = filter_put_count(f, err);
    return put_out(f, st, err);
}

static void filter_reset(weir_stage *stage)
{
    struct filter_state *f = weir_stage_state(stage);
    line_splitter_reset(&f->splitter);
    held_lines_clear(&f->before);
    f->line = f->kept = f->after = 0;
    f->done = f->last_context = f->put_any = f->gap = false;
}

static void filter_abort(weir_stage *stage)
{
    struct filter_state *f = weir_stage_state(stage);
    line_splitter_free(&f->splitter);
    held_lines_free(&f->before);
}

const weir_stage_type stage_filter = {
    .abi_size = sizeof(weir_stage_type),
    .state_size = sizeof(struct filter_state),
    .name = "filter",
    .help = "keeps the lines that match",
    .phase = WEIR_PHASE_TRANSFORM,
    .flags = WEIR_STAGE_NEEDS_STREAM,
    .open = filter_open,
    .write = filter_write,
    .finish = filter_finish,
    .reset = filter_reset,
    .abort = filter_abort,
};

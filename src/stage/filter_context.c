/* Shaped lines of a filter: prefixes, lines of context, the matching parts only; see
 * filter_state.h. Worker of the file.
 *
 * As grep does it: groups of adjacent lines are parted by "--" where context is asked for; lines
 * after the last one that max_count allows are still put out, as context even where they would have
 * been selected; with only_matching, lines of context put out nothing, but part groups. A line that
 * was too long is as if it were not there: it is no context, and parts nothing.
 */
#include "stage/filter_state.h"
#include "stage/newline_count.h"

#define NUMBER_MAX 21 /* digits of a uint64_t and what stands behind them */

/* URL, TAB, number and `mark`, then `text`, then a newline: one piece, never torn. */
static status put_piece(struct filter_state *f, struct span text, uint64_t number, char mark,
                        error *err)
{
    char *at;
    size_t most = f->url.n + 1 + NUMBER_MAX + text.n + 1;
    status st = line_output_room(&f->out, most, &at, err);
    if (st)
        return st;
    if (f->asked->with_url)
        at = put_url(at, f->url);
    if (f->asked->line_number) {
        at = put_decimal(at, number);
        *at++ = mark;
    }
    at = put_bytes(at, text.p, text.n);
    *at++ = '\n';
    line_output_filled(&f->out, at);
    return OK;
}

static status put_matches(struct filter_state *f, struct span line, uint64_t number, error *err)
{
    /* The mark of a line that does not match, since inverted only such lines have parts to show. */
    char mark = f->asked->invert ? '-' : ':';
    size_t from = 0, start, end;
    for (bool found = true;;) {
        status st = scanner_match(f->scanner, line, from, &start, &end, &found, err);
        if (st || !found)
            return st;
        struct span part = {line.p + start, end - start};
        st = put_piece(f, part, number, mark, err);
        if (st)
            return st;
        from = end;
    }
}

/* One line, its newline included. */
static status put_line(struct filter_state *f, struct span line, uint64_t number, bool selected,
                       error *err)
{
    line.n--;
    if (!f->asked->only_matching)
        return put_piece(f, line, number, selected ? ':' : '-', err);
    bool matches = selected != f->asked->invert;
    return matches ? put_matches(f, line, number, err) : OK;
}

/* What stands before a selected line: the separator of groups, lines of context. */
static status put_before(struct filter_state *f, error *err)
{
    bool context = f->asked->before || f->asked->after;
    status st = OK;
    if (context && f->put_any && f->gap) {
        char *at;
        st = line_output_room(&f->out, 3, &at, err);
        if (!st)
            line_output_filled(&f->out, put_bytes(at, "--\n", 3));
    }
    f->gap = false;
    struct span line;
    uint64_t number;
    while (!st && held_lines_take(&f->before, &line, &number))
        st = put_line(f, line, number, false, err);
    return st;
}

status filter_put_selected(struct filter_state *f, const char *from, const char *to, error *err)
{
    while (from < to) {
        if (f->last_context)
            return filter_pass_over(f, from, to, err);
        const char *next = end_of_line(from, to);
        status st = put_before(f, err);
        f->line++;
        f->kept++;
        if (!st)
            st = put_line(f, (struct span){from, (size_t)(next - from)}, f->line, true, err);
        if (st)
            return st;
        f->put_any = true;
        f->after = f->asked->after;
        from = next;
        if (f->kept != f->asked->max_count)
            continue;
        f->last_context = f->after > 0;
        f->done = !f->last_context;
        if (f->done)
            return WEIR_END;
    }
    return OK;
}

/* Keeps the last lines of a range that was not put out, as far as they may become context. */
static status hold(struct filter_state *f, const char *from, const char *to, error *err)
{
    const char *tail = to;
    uint64_t n = 0, most = f->asked->before;
    for (; n < most && tail > from; n++) {
        const char *newline = memrchr(from, '\n', (size_t)(tail - 1 - from));
        tail = newline ? newline + 1 : from;
    }
    if (tail > from) {
        f->gap = true;
        f->line += count_newlines(from, (size_t)(tail - from));
    }
    struct span oldest;
    uint64_t number;
    while (f->before.n > most - n && held_lines_take(&f->before, &oldest, &number))
        f->gap = true;
    status st = OK;
    while (!st && tail < to) {
        const char *next = end_of_line(tail, to);
        struct span line = {tail, (size_t)(next - tail)};
        st = held_lines_add(&f->before, line, ++f->line, &f->gap, err);
        tail = next;
    }
    return st;
}

status filter_pass_over(struct filter_state *f, const char *from, const char *to, error *err)
{
    for (; f->after && from < to; f->after--) {
        const char *next = end_of_line(from, to);
        struct span line = {from, (size_t)(next - from)};
        status st = put_line(f, line, ++f->line, false, err);
        if (st)
            return st;
        from = next;
    }
    if (f->last_context) {
        f->done = !f->after;
        return f->done ? WEIR_END : OK;
    }
    return from < to ? hold(f, from, to, err) : OK;
}

status filter_put_count(struct filter_state *f, error *err)
{
    char *at;
    status st = line_output_room(&f->out, f->url.n + 1 + NUMBER_MAX, &at, err);
    if (st)
        return st;
    if (f->asked->with_url)
        at = put_url(at, f->url);
    at = put_decimal(at, f->kept);
    *at++ = '\n';
    line_output_filled(&f->out, at);
    return OK;
}

/* Lines from chunks; see line_splitter.h. Runs on the worker of the fetch.
 *
 * A chunk is cut into: what completes the line that the chunk before left open (copied behind it),
 * whole lines (handed on where they lie), and the piece after the last newline (kept). So each byte
 * is copied at most once, and only about one line a chunk is. A chunk no longer than max_line
 * cannot hold a line that is too long, so that lines are looked at one by one only where a limit is
 * set that low.
 */
#include "stage/line_splitter.h"

#include <stdlib.h>

enum {
    READABLE = 64,           /* bytes behind a kept line that may be read: zeros */
    FIRST_CARRY = 512,       /* bytes */
    LARGEST_IDLE = 128 << 10 /* a carry above this size is given back after its line */
};

void line_splitter_init(struct line_splitter *s, size_t max_line)
{
    const size_t most = SIZE_MAX / 4;
    *s = (struct line_splitter){.max_line = max_line < most ? max_line : most};
}

void line_splitter_free(struct line_splitter *s)
{
    free(s->carry);
    *s = (struct line_splitter){.max_line = s->max_line};
}

void line_splitter_reset(struct line_splitter *s)
{
    line_splitter_free(s);
}

/* Room for `more` bytes in the carry, a newline, and READABLE behind them. */
static status grow_carry(struct line_splitter *s, size_t more, error *err)
{
    size_t need = s->carry_n + more + 1 + READABLE, most = s->max_line + 1 + READABLE;
    if (need <= s->carry_cap)
        return OK;
    size_t cap = s->carry_cap ? s->carry_cap : FIRST_CARRY;
    while (cap < need)
        cap *= 2;
    if (cap > most)
        cap = most;
    char *carry = realloc(s->carry, cap);
    if (!carry)
        return fail(err, WEIR_NOMEM,
                    "out of memory: %zu bytes for a line; a lower filter.max_line (now %zu) bounds "
                    "them",
                    cap, s->max_line);
    s->carry = carry;
    s->carry_cap = cap;
    return OK;
}

/* Keeps the beginning of a line. */
static status keep(struct line_splitter *s, const char *data, size_t size,
                   const struct line_out *out, error *err)
{
    if (!size)
        return OK;
    if (s->carry_n + size > s->max_line) {
        s->carry_n = 0;
        s->skipping = true;
        return out->too_long(out->ctx, err);
    }
    status st = grow_carry(s, size, err);
    if (st)
        return st;
    memcpy(s->carry + s->carry_n, data, size);
    s->carry_n += size;
    return OK;
}

/* Hands on the line in the carry, which is whole. */
static status hand_on_carry(struct line_splitter *s, const struct line_out *out, error *err)
{
    struct span line = {s->carry, s->carry_n};
    memset(s->carry + s->carry_n, 0, READABLE);
    s->carry_n = 0;
    status st = out->block(out->ctx, line, line.n + READABLE, err);
    if (s->carry_cap > LARGEST_IDLE) {
        free(s->carry);
        s->carry = NULL;
        s->carry_cap = 0;
    }
    return st;
}

/* `size` bytes end the line in the carry; the last one is its newline. */
static status complete_carry(struct line_splitter *s, const char *data, size_t size,
                             const struct line_out *out, error *err)
{
    if (s->carry_n + size - 1 > s->max_line) {
        s->carry_n = 0;
        return out->too_long(out->ctx, err);
    }
    status st = grow_carry(s, size - 1, err);
    if (st)
        return st;
    memcpy(s->carry + s->carry_n, data, size);
    s->carry_n += size;
    return hand_on_carry(s, out, err);
}

static status hand_on(const char *from, const char *to, const char *end, const struct line_out *out,
                      error *err)
{
    if (from == to)
        return OK;
    return out->block(out->ctx, (struct span){from, (size_t)(to - from)}, (size_t)(end - from),
                      err);
}

/* Whole lines up to `stop`, some of which may be too long; `end`: of what may be read. */
static status hand_on_lines(const struct line_splitter *s, const char *from, const char *stop,
                            const char *end, const struct line_out *out, error *err)
{
    const char *p = from;
    while ((size_t)(stop - p) > s->max_line + 1) {
        const char *last = memrchr(p, '\n', s->max_line + 1);
        if (last) { /* no line up to there can be too long */
            p = last + 1;
            continue;
        }
        status st = hand_on(from, p, end, out, err);
        if (!st)
            st = out->too_long(out->ctx, err);
        if (st)
            return st;
        const char *newline = memchr(p + s->max_line, '\n', (size_t)(stop - p) - s->max_line);
        from = p = newline + 1;
    }
    return hand_on(from, stop, end, out, err);
}

status line_splitter_write(struct line_splitter *s, const char *data, size_t size,
                           const struct line_out *out, error *err)
{
    if (!size)
        return OK;
    const char *end = data + size;
    if (s->skipping || s->carry_n) {
        const char *newline = memchr(data, '\n', size);
        if (!newline)
            return s->skipping ? OK : keep(s, data, size, out, err);
        size_t n = (size_t)(newline + 1 - data);
        status st = s->skipping ? OK : complete_carry(s, data, n, out, err);
        if (st)
            return st;
        s->skipping = false;
        data = newline + 1;
    }
    if (data == end)
        return OK;
    const char *last = memrchr(data, '\n', (size_t)(end - data));
    const char *stop = last ? last + 1 : data;
    status st = hand_on_lines(s, data, stop, end, out, err);
    return st ? st : keep(s, stop, (size_t)(end - stop), out, err);
}

status line_splitter_finish(struct line_splitter *s, const struct line_out *out, error *err)
{
    s->skipping = false;
    if (!s->carry_n)
        return OK;
    s->carry[s->carry_n++] = '\n';
    return hand_on_carry(s, out, err);
}

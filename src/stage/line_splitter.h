/* Lines from chunks: any chunking gives the same lines.
 *
 * Whole lines of a chunk are handed on where they lie; only the piece that a chunk ends with is
 * kept, until its line is whole. A line ends in '\n' (a '\r' before it belongs to the line); the
 * last line of a body may lack it, and is then handed on with one. Empty lines are lines. NUL and
 * bytes that are not UTF-8 are ordinary bytes. A line longer than `max_line` bytes, its newline not
 * counted, is never handed on: it is skipped and told. One thread.
 */
#ifndef WEIR_STAGE_LINE_SPLITTER_H
#define WEIR_STAGE_LINE_SPLITTER_H

#include "core/status.h"
#include "core/text.h"

struct line_out {
    /* Whole lines with their newlines, one or many, in order; `readable` bytes may be read from
     * block.p. */
    status (*block)(void *ctx, struct span block, size_t readable, error *err);
    /* A line that was too long stood here. */
    status (*too_long)(void *ctx, error *err);
    void *ctx;
};

struct line_splitter {
    char *carry; /* the beginning of a line; grows to max_line + 65 at most, by doubling */
    size_t carry_n, carry_cap;
    size_t max_line;
    bool skipping; /* within a line that is too long */
};

void line_splitter_init(struct line_splitter *s, size_t max_line);
void line_splitter_free(struct line_splitter *s);
/* Forgets what it holds: the body starts again. */
void line_splitter_reset(struct line_splitter *s);
status line_splitter_write(struct line_splitter *s, const char *data, size_t size,
                           const struct line_out *out, error *err);
/* The body has ended: the last line, where it had no newline. After a write that did not answer OK
 * only reset and free may follow. */
status line_splitter_finish(struct line_splitter *s, const struct line_out *out, error *err);

/* Where the line at p ends: behind its newline. */
static inline const char *end_of_line(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    return newline ? newline + 1 : end;
}

#endif

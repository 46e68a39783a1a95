/* What a stage puts out: whole lines, few calls of weir_emit.
 *
 * Lines that lie one behind the other in the block at hand are a run. A long run is emitted where
 * it lies; short ones and lines that are put together here are gathered. Nothing is held back: a
 * stage flushes at the end of each write. Every emit holds whole lines, so that lines of many files
 * can be mixed behind it.
 */
#ifndef WEIR_STAGE_LINE_OUTPUT_H
#define WEIR_STAGE_LINE_OUTPUT_H

#include "core/status.h"
#include "core/text.h"
#include "weir/stage.h"

/* Bytes on their way to weir_emit: 64 KiB, or one line where that is longer. */
struct gather {
    char *p; /* allocated at first use */
    size_t n, cap;
};

void gather_free(struct gather *g); /* back to all zeros */

struct line_output {
    weir_stage *stage;
    struct gather *gather; /* the worker's */
    const char *run, *run_end;
};

/* A write begins. What a failed one, perhaps of another file, has left in `gather` is dropped. */
void line_output_begin(struct line_output *o, weir_stage *stage, struct gather *gather);
/* The run so far is put out, and a new one begins. */
status line_output_start_run(struct line_output *o, const char *p, size_t n, error *err);
/* The run, and what does not fit with n more bytes, is put out of the way. */
status line_output_make_room(struct line_output *o, size_t n, error *err);
/* The end of a block, whose memory is about to go, and of a write. `st` is what became of it, and
 * is answered unless it was OK or END and putting out answers worse: what stands before a record
 * that fails the file comes out wherever the chunks are cut. */
status line_output_end_block(struct line_output *o, status st, error *err);
status line_output_end_write(struct line_output *o, status st, error *err);

/* Whole lines of the block. */
static inline status line_output_lines(struct line_output *o, const char *p, size_t n, error *err)
{
    if (p != o->run_end)
        return line_output_start_run(o, p, n, err);
    o->run_end += n;
    return OK;
}

/* Room for `n` bytes at *at, for line_output_filled; valid until the next call. */
static inline status line_output_room(struct line_output *o, size_t n, char **at, error *err)
{
    struct gather *g = o->gather;
    if (o->run || n > g->cap - g->n) {
        status st = line_output_make_room(o, n, err);
        if (st)
            return st;
    }
    *at = g->p + g->n;
    return OK;
}

/* What was written into the room, up to `at`. */
static inline void line_output_filled(struct line_output *o, const char *at)
{
    o->gather->n = (size_t)(at - o->gather->p);
}

/* These write at `at` and return where they end. A decimal has 20 digits at most. */
char *put_decimal(char *at, uint64_t n);
static inline char *put_bytes(char *at, const void *p, size_t n)
{
    memcpy(at, p, n);
    return at + n;
}
/* What stands before each line where with_url is asked for. */
static inline char *put_url(char *at, struct span url)
{
    at = put_bytes(at, url.p, url.n);
    *at++ = '\t';
    return at;
}

#endif

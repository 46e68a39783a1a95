/* Lines gathered for weir_emit; see line_output.h. Worker of the file.
 *
 * A run is copied below RUN_MIN: an emit of its own costs the stages behind, and in the end a lock
 * of the stream writer, more than the copy of a few kilobytes that are in the cache.
 */
#include "stage/line_output.h"

#include <stdlib.h>

enum { GATHER_SIZE = 64 << 10, RUN_MIN = 4 << 10 };

void gather_free(struct gather *g)
{
    free(g->p);
    *g = (struct gather){0};
}

void line_output_begin(struct line_output *o, weir_stage *stage, struct gather *gather)
{
    *o = (struct line_output){.stage = stage, .gather = gather};
    gather->n = 0;
}

static status emit_gathered(struct line_output *o, error *err)
{
    struct gather *g = o->gather;
    size_t n = g->n;
    g->n = 0;
    return n ? weir_emit(o->stage, g->p, n, err) : OK;
}

/* Room for n more bytes. */
static status reserve(struct line_output *o, size_t n, error *err)
{
    struct gather *g = o->gather;
    if (n <= g->cap - g->n)
        return OK;
    status st = emit_gathered(o, err);
    if (st || n <= g->cap)
        return st;
    size_t cap = n < GATHER_SIZE ? GATHER_SIZE : n;
    gather_free(g);
    g->p = malloc(cap);
    if (!g->p)
        return fail(err, WEIR_NOMEM,
                    "out of memory: %zu bytes to put out a line; a lower filter.max_line bounds "
                    "them",
                    cap);
    g->cap = cap;
    return OK;
}

/* The run becomes gathered or emitted bytes. */
static status settle(struct line_output *o, error *err)
{
    if (!o->run)
        return OK;
    const char *run = o->run;
    size_t n = (size_t)(o->run_end - run);
    o->run = o->run_end = NULL;
    if (n >= RUN_MIN) {
        status st = emit_gathered(o, err);
        return st ? st : weir_emit(o->stage, run, n, err);
    }
    status st = reserve(o, n, err);
    if (st)
        return st;
    memcpy(o->gather->p + o->gather->n, run, n);
    o->gather->n += n;
    return OK;
}

status line_output_start_run(struct line_output *o, const char *p, size_t n, error *err)
{
    status st = settle(o, err);
    if (st)
        return st;
    o->run = p;
    o->run_end = p + n;
    return OK;
}

status line_output_make_room(struct line_output *o, size_t n, error *err)
{
    status st = settle(o, err);
    return st ? st : reserve(o, n, err);
}

static bool is_failure(status st)
{
    return st && st != WEIR_END;
}

status line_output_end_block(struct line_output *o, status st, error *err)
{
    bool failed = is_failure(st);
    status settled = settle(o, failed ? NULL : err);
    return settled && !failed ? settled : st;
}

status line_output_end_write(struct line_output *o, status st, error *err)
{
    bool failed = is_failure(st);
    status emitted = emit_gathered(o, failed ? NULL : err);
    return emitted && !failed ? emitted : st;
}

char *put_decimal(char *at, uint64_t n)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t i = sizeof digits;
    for (; n >= 100; n /= 100)
        memcpy(digits + (i -= 2), pairs + n % 100 * 2, 2);
    memcpy(digits + (i -= 2), pairs + n * 2, 2);
    i += n < 10;
    return put_bytes(at, digits + i, sizeof digits - i);
}

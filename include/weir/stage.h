/* Stages: for people who put a step of their own between the wire and the sink.
 *
 * A chain carries one body. Its stages are placed by phase, and each hands what it makes to the
 * next one by weir_emit. A stage is a table of functions and `state_size` bytes of state, which the
 * engine allocates (zeroed) for each file; all calls for one file come from one thread.
 */
#ifndef WEIR_STAGE_H
#define WEIR_STAGE_H

#include "weir/weir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a stage stands in a chain, in this order. */
typedef enum weir_phase {
    WEIR_PHASE_WIRE,      /* bytes as sent: counts, digests */
    WEIR_PHASE_DECODE,    /* compression undone */
    WEIR_PHASE_FRAME,     /* lines, records */
    WEIR_PHASE_TRANSFORM, /* match, reshape */
    WEIR_PHASE_TAP        /* the result: counts, digests, callbacks */
} weir_phase;

typedef struct weir_stage weir_stage;

/* What a stage needs, for `flags`. The engine plans by it: a file whose chain needs the whole body
 * is not gone on with where an earlier run stopped, and one whose chain needs order is not fetched
 * in parallel ranges. A stage that looks at more than one write at a time needs both. */
enum {
    WEIR_STAGE_NEEDS_ORDER = 1, /* bytes come in order */
    WEIR_STAGE_NEEDS_WHOLE = 2, /* bytes come from the first one on */
    WEIR_STAGE_NEEDS_STREAM = WEIR_STAGE_NEEDS_ORDER | WEIR_STAGE_NEEDS_WHOLE
};

typedef struct weir_stage_type {
    size_t abi_size;   /* sizeof(weir_stage_type), so that later versions can tell what they were
                          given */
    size_t state_size; /* bytes of state for each file */
    const char *name;
    const char *help;
    weir_phase phase;
    unsigned flags; /* WEIR_STAGE_NEEDS_* */
    /* All but `write` may be NULL. A status other than WEIR_OK ends the file with that class; the
     * message comes from `err`. WEIR_END from write is no error: the stage needs no more of this
     * body; what it has emitted, and what `finish` still emits, is the whole result. */
    weir_status (*open)(weir_stage *stage, weir_error *err);
    weir_status (*write)(weir_stage *stage, const void *data, size_t size, weir_error *err);
    weir_status (*finish)(weir_stage *stage,
                          weir_error *err); /* the body has ended: emit what is left */
    void (*reset)(weir_stage *stage);       /* the body starts again at byte 0 */
    void (*abort)(weir_stage *stage);       /* last call: release what open took */
} weir_stage_type;

/* The state of a stage for this file. */
WEIR_API void *weir_stage_state(weir_stage *stage);
/* The file, its URL (without user and password) and the `user` pointer of its callbacks. */
WEIR_API weir_file *weir_stage_file(weir_stage *stage);
WEIR_API const char *weir_stage_url(weir_stage *stage);
WEIR_API void *weir_stage_user(weir_stage *stage);
/* Hands bytes to the next stage, or to the sink. Borrowed until it returns. A status other than
 * WEIR_OK is to be returned at once, WEIR_END too. */
WEIR_API weir_status weir_emit(weir_stage *stage, const void *data, size_t size, weir_error *err);

/* Puts a stage into the chain of every file of the engine. The table is borrowed until the engine
 * is freed. Before the run. WEIR_USAGE: abi_size or phase are not known here. */
WEIR_API weir_status weir_engine_register(weir_engine *engine, const weir_stage_type *type,
                                          weir_error *err);

#ifdef __cplusplus
}
#endif
#endif

/* The chain of one fetch: stages by phase, each handing on to the next, the last to `out`.
 * One thread: the worker of the fetch.
 */
#ifndef WEIR_STAGE_CHAIN_H
#define WEIR_STAGE_CHAIN_H

#include "core/status.h"
#include "weir/stage.h"

struct chain;

/* Where the end of a chain goes. */
struct chain_out {
    status (*write)(void *ctx, const void *data, size_t size, error *err);
    void *ctx;
};

/* A chain of n stage types (any order; sorted by phase, equal phases keep their order). */
status chain_open(struct chain **out, const weir_stage_type *const *types, size_t n,
                  struct chain_out end, error *err);
status chain_write(struct chain *c, const void *data, size_t size, error *err);
status chain_finish(struct chain *c, error *err);
void chain_reset(struct chain *c);
void chain_close(struct chain *c); /* aborts the stages; takes NULL */

#endif

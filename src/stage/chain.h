/* The chain of one fetch: stages by phase, each handing on to the next, the last to `out`.
 * One thread at a time: the worker of the fetch, or the chain thread that it has lent the chain to.
 */
#ifndef WEIR_STAGE_CHAIN_H
#define WEIR_STAGE_CHAIN_H

#include "core/status.h"
#include "stage/builtin.h"
#include "weir/stage.h"

struct chain;

/* Where the end of a chain goes. */
struct chain_out {
    status (*write)(void *ctx, const void *data, size_t size, error *err);
    void *ctx;
};

/* A chain of n stage types (any order; sorted by phase, equal phases keep their order). `context`
 * (NULL: all zeros) and `end` are copied; what they point to is borrowed. */
status chain_open(struct chain **out, const weir_stage_type *const *types, size_t n,
                  const struct stage_context *context, struct chain_out end, error *err);
/* END: the chain needs no more bytes and drops what still comes; what it made is complete once
 * chain_finish has returned OK, which then asks only the stage that said END and those behind it.
 */
status chain_write(struct chain *c, const void *data, size_t size, error *err);
status chain_finish(struct chain *c, error *err);
/* The body starts again: END, a failure, counts and the wish are forgotten. */
void chain_reset(struct chain *c);
void chain_close(struct chain *c); /* aborts the stages; takes NULL */

/* The context of the file, for built-in stages and the owner of the chain. */
struct stage_context *chain_context(weir_stage *stage);
struct stage_context *chain_file(struct chain *c);

/* Flags that any of the types sets: what the chain needs (WEIR_STAGE_NEEDS_*). */
unsigned chain_needs(const weir_stage_type *const *types, size_t n);

#endif

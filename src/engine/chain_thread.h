/* A second thread for the chain of one fetch: the worker receives while the chain decodes, filters
 * and shapes what came before. It is the ring that cuts a slow chain behind the wire.
 *
 *   worker ── chain_thread_write ──> ring ──> chain_write ──> sinks      on the chain thread
 *
 * Each worker has one, made when it is first wanted. A chain belongs to the chain thread from its
 * first bytes on, until chain_thread_settle has returned: what it holds, its sinks and the worker's
 * stage_tools are not to be touched in between. All of this is called by the worker.
 */
#ifndef WEIR_ENGINE_CHAIN_THREAD_H
#define WEIR_ENGINE_CHAIN_THREAD_H

#include "stage/chain.h"

struct chain_thread;

/* Starts the thread. `wake` is called on it once a chain needs no more, or has failed. NULL: there
 * is no memory or no thread for it, and the chain is to run where it ran before. */
struct chain_thread *chain_thread_new(void (*wake)(void *ctx), void *ctx);
/* After a settle. Takes NULL. */
void chain_thread_free(struct chain_thread *t);

/* Copies the bytes and hands them on, to the chain that was settled last or has had those before;
 * waits while the ring is full. What chain_write has said of earlier bytes is the answer as soon as
 * it was not OK, and then these are dropped. */
status chain_thread_write(struct chain_thread *t, struct chain *chain, const char *data,
                          size_t size, error *err);
/* Waits until the chain has had everything. What it said first that was not OK. */
status chain_thread_settle(struct chain_thread *t, error *err);
/* Has the chain said something that was not OK since it was last settled? */
bool chain_thread_objects(struct chain_thread *t);

#endif

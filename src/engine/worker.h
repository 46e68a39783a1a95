/* A worker: one thread, one loop of transfers, and the fetches that live in it.
 *
 * It takes jobs while it has slots, waits in one place (net_loop_wait), and resumes the transfers
 * that a limit or a full reader has paused. Everything of a fetch happens here, so a fetch needs no
 * lock; only the list of fetches is shared, with those who look at what is in flight.
 */
#ifndef WEIR_ENGINE_WORKER_H
#define WEIR_ENGINE_WORKER_H

#include "engine/run.h"
#include "net/transfer.h"

struct chain_thread;
struct fetch;

/* A transfer that a limit has paused. In whoever owns the transfer; `until` 0: it is not. */
struct pause {
    struct pause *next;
    uint64_t until;
    struct transfer *transfer;
};

struct worker {
    struct weir_engine *engine;
    uint32_t index;
    pthread_t thread;
    bool started;
    struct net_loop *loop;
    struct rng rng;
    struct stage_tools tools;          /* of the stages; whoever runs the chain has them */
    uint32_t in_flight;                /* slots held */
    struct pause *paused;              /* earliest first */
    struct fetch *blocked;             /* until a sink has room */
    struct chain_thread *chain_thread; /* NULL: not wanted yet */
    bool no_chain_thread;              /* it could not be had */
    struct fetch *lent;                /* its chain is with the chain thread; NULL: none is */
    struct fetch *reading; /* what an earlier run has left, before the request for the rest */
    pthread_mutex_t lock;
    /* guarded by lock for other threads; only the worker writes */
    struct fetch *fetches; /* with a transfer under way */
};

status worker_open(struct worker *w, struct weir_engine *engine, uint32_t index, error *err);
status worker_start(struct worker *w, error *err);
/* After the thread has been joined. */
void worker_close(struct worker *w);
/* Any thread. */
void worker_wake(struct worker *w);
void worker_wake_from_chain(void *worker);

/* Stops reading until `instant`; a pause that has begun is moved. */
void worker_pause(struct worker *w, struct pause *p, struct transfer *t, uint64_t instant);
/* The transfer is over, or its pause. */
void worker_forget_pause(struct worker *w, struct pause *p);

/* Adds what this worker has in flight to the rows, keeping the `max` largest. Any thread. */
size_t worker_transfers(struct worker *w, weir_transfer_info *rows, size_t n, size_t max);

#endif

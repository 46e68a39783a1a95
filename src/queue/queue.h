/* The queue: from the feeder to the workers, in lanes, one a host.
 *
 * It owns the bound of the engine: jobs queued + in flight + sealed + waiting never exceed
 * `capacity`. A job enters by queue_put (or queue_enter) and leaves by queue_done; in between, the
 * queue may be asked for it (try_take), told that its transfer has ended (slot_free), and given it
 * back for later (put_later).
 *
 * Lanes: a lane may hold as many jobs as the queue has free places left, so one host gets at most
 * half of the queue, two a third each, and there is always room for the next host. What a lane
 * cannot take overflows to an unlinked temporary file and comes back when the lane drains.
 * Within a lane jobs are taken in order; among lanes that are ready, in turn.
 *
 * Shares: a worker never has more slots than its share of the concurrency, and takes another job
 * only while no hungry worker (one that asked and got nothing) has fewer slots in use than itself.
 *
 * Threads: queue_put and queue_enter block and belong to the feeder or a user's thread; everything
 * else may be called from any thread and never blocks. `now` comes from the caller.
 */
#ifndef WEIR_QUEUE_QUEUE_H
#define WEIR_QUEUE_QUEUE_H

#include "core/clock.h"
#include "core/job.h"
#include "core/status.h"
#include "limit/host.h"

struct queue;

struct queue_env {
    size_t capacity;      /* run.queue */
    uint32_t concurrency; /* run.concurrency: transfers in flight */
    uint32_t workers;
    double rate; /* limits.rate: request starts a second, 0 = unlimited */
    /* lower rooms call up through these; never under the queue's lock */
    void (*wake)(void *ctx, uint32_t worker); /* ask again: worker has something to take */
    void (*drained)(void *ctx); /* input has ended and no job is queued, waiting or in flight */
    void *ctx;
    const struct options *(*options_for)(void *ctx, const char *host);
    void *options_ctx;
    bool overflow; /* false: a full lane blocks queue_put (list order is kept) */
};

enum queue_answer {
    QUEUE_TOOK,  /* *out is the caller's, a slot of its host and of the run is taken */
    QUEUE_EMPTY, /* nothing now; *when says when to ask again (TIME_NEVER: when woken) */
    QUEUE_ENDED  /* input has ended, and nothing is queued, waiting or in flight anywhere */
};

struct queue_counts {
    uint64_t inside;  /* counted against capacity */
    uint64_t queued;  /* in lanes */
    uint64_t waiting; /* put_later, not due yet, or behind a held host */
    uint64_t in_flight;
    uint64_t overflowed;        /* in the temporary file */
    uint64_t slots_idle_ns;     /* time in which slots were free, jobs were queued ... */
    uint64_t per_host_bound_ns; /* ... and only limits.per_host kept them from starting */
};

/* A queue is a type of its own, so that one with leases or on disk fits behind the same face. */
struct queue_type {
    const char *name, *help;
    status (*open)(struct queue **out, const struct queue_env *env, error *err);
    status (*put)(struct queue *q, struct job *job);
    status (*try_put)(struct queue *q, struct job *job);
    status (*enter)(struct queue *q);
    enum queue_answer (*try_take)(struct queue *q, uint32_t worker, uint64_t now, struct job **out,
                                  uint64_t *when);
    bool (*slot_free)(struct queue *q, struct job *job, const struct host_report *r, uint64_t now);
    void (*put_later)(struct queue *q, struct job *job, const char *authority, uint64_t due);
    void (*done)(struct queue *q, struct job *job);
    void (*end_of_input)(struct queue *q);
    void (*close)(struct queue *q);
    struct job *(*rest)(struct queue *q, bool overflowed);
    void (*counts)(struct queue *q, struct queue_counts *out);
    void (*free)(struct queue *q);
    void (*settled)(struct queue *q, struct job *job);
    void (*answered)(struct queue *q, struct job *job, uint64_t now);
    struct host *(*more)(struct queue *q, uint32_t worker, const char *authority, uint64_t now);
    bool (*less)(struct queue *q, uint32_t worker, struct host *host, const struct host_report *r,
                 uint64_t now);
    bool (*pressed)(struct queue *q, const struct host *host);
    bool (*again)(struct queue *q, struct job *job, uint64_t now);
};

struct queue {
    const struct queue_type *type;
};

/* The lanes queue, in memory: the only row so far. */
extern const struct queue_type queue_lanes;
const struct queue_type *queue_type_at(size_t i);

static inline status queue_open(struct queue **out, const struct queue_env *env, error *err)
{
    return queue_lanes.open(out, env, err);
}
/* Takes the job. Blocks while there is no place. CANCELLED after queue_close (the job stays the
 * caller's). */
static inline status queue_put(struct queue *q, struct job *job)
{
    return q->type->put(q, job);
}
/* The same, but AGAIN instead of blocking. */
static inline status queue_try_put(struct queue *q, struct job *job)
{
    return q->type->try_put(q, job);
}
/* Takes a place for a job that needs no transfer (skipped, duplicate, bad line): it goes to the
 * commit thread at once, and queue_done gives the place back. Blocks. */
static inline status queue_enter(struct queue *q)
{
    return q->type->enter(q);
}
static inline enum queue_answer queue_try_take(struct queue *q, uint32_t worker, uint64_t now,
                                               struct job **out, uint64_t *when)
{
    return q->type->try_take(q, worker, now, out, when);
}
/* The transfer of `job` has ended: its slot is free. The job stays the caller's and inside the
 * bound. True when the host has become held by this. A job that was handed out with host_is_down
 * has a slot too. */
static inline bool queue_slot_free(struct queue *q, struct job *job, const struct host_report *r,
                                   uint64_t now)
{
    return q->type->slot_free(q, job, r, now);
}
/* Gives a job back (its slot was freed before): to be taken at `due` or later, by job->worker when
 * that is not -1, at the front of its lane. `authority`: another lane (a redirect hop); NULL: the
 * same. */
static inline void queue_put_later(struct queue *q, struct job *job, const char *authority,
                                   uint64_t due)
{
    q->type->put_later(q, job, authority, due);
}
/* The job (slot freed before) will not come back: it only waits for its commit. Until then it
 * counts as live, so that workers do not hear ENDED. job->host is NULL afterwards. Optional:
 * queue_done implies it. */
static inline void queue_settled(struct queue *q, struct job *job)
{
    q->type->settled(q, job);
}
/* The head of a good answer has arrived: when this was the probe of a held host, the host is open
 * again now, not only when a long body has ended. Optional, cheap, any job in flight. */
static inline void queue_answered(struct queue *q, struct job *job, uint64_t now)
{
    q->type->answered(q, job, now);
}
/* One more transfer for a job that has a slot already, to the host "name:port" of `authority`. It
 * gets what nobody else is waiting for, within every limit; NULL: nothing now. The host is the
 * caller's, read-only, until queue_less. */
static inline struct host *queue_more(struct queue *q, uint32_t worker, const char *authority,
                                      uint64_t now)
{
    return q->type->more(q, worker, authority, now);
}
/* That transfer has ended. True when the host has become held by this. */
static inline bool queue_less(struct queue *q, uint32_t worker, struct host *host,
                              const struct host_report *r, uint64_t now)
{
    return q->type->less(q, worker, host, r, now);
}
/* Another request on the slot that the job has: true when the rates and the host allow it now, and
 * it has been counted. */
static inline bool queue_again(struct queue *q, struct job *job, uint64_t now)
{
    return q->type->again(q, job, now);
}
/* Does a job wait for a slot like that of a queue_more of this host? Then it should be given back.
 */
static inline bool queue_pressed(struct queue *q, const struct host *host)
{
    return q->type->pressed(q, host);
}
/* The job has ended (slot freed before, or entered by queue_enter): its place is free. Frees the
 * job; NULL: only the place. */
static inline void queue_done(struct queue *q, struct job *job)
{
    q->type->done(q, job);
}
static inline void queue_end_of_input(struct queue *q)
{
    q->type->end_of_input(q);
}
/* No more puts and takes: blocked puts return CANCELLED, try_take says ENDED. */
static inline void queue_close(struct queue *q)
{
    q->type->close(q);
}
/* After queue_close, when all workers have been joined: one job after the other that is still
 * inside, for whoever ends them by queue_done; those in the overflow file only where asked for.
 * NULL: no more. */
static inline struct job *queue_rest(struct queue *q, bool overflowed)
{
    return q->type->rest(q, overflowed);
}
static inline void queue_counts(struct queue *q, struct queue_counts *out)
{
    q->type->counts(q, out);
}
/* Frees all jobs still inside. Threads have been joined. Takes NULL. */
static inline void queue_free(struct queue *q)
{
    if (q)
        q->type->free(q);
}

#endif

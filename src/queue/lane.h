/* The lanes queue from inside: a lane a host, a seat a worker.
 *
 *   struct lanes ── hosts ──> host <──> lane ── tried, fresh          jobs that any worker may take
 *     │                                  └──── strands ── jobs        jobs pinned to one worker
 *     ├── open, down         rings of lanes that have something for any worker
 *     ├── timers             jobs not due yet, lanes that wait for an instant
 *     ├── wanting            lanes whose overflowed jobs are to come back
 *     └── seats[worker] ── ready   strands that this worker may take from
 *
 * A lane is placed anew whenever something about it or its host changes, and at no other time: all
 * that a host allows or forbids changes only through its own lane, or by time, which is a timer.
 * So what stands in a ring can be taken, taking never searches, and jobs that wait cost nothing.
 *
 * Guarded by the queue's lock, whichever thread holds it. Lock order: the queue's lock, then (by
 * trylock only) overflow_lock; a putter takes overflow_lock alone.
 */
#ifndef WEIR_QUEUE_LANE_H
#define WEIR_QUEUE_LANE_H

#include <pthread.h>

#include "limit/bucket.h"
#include "queue/overflow.h"
#include "queue/queue.h"
#include "queue/timers.h"

struct job_list {
    struct job *first, *last;
};

enum lane_state {
    LANE_IDLE,  /* nothing to take */
    LANE_OPEN,  /* its host admits a request */
    LANE_DOWN,  /* its host is down: jobs are handed out to fail */
    LANE_TIMED, /* in the timers: held, or a bucket is empty */
    LANE_SLOT   /* until a transfer of its host ends */
};

/* The jobs of a lane that are pinned to one worker. */
struct strand {
    struct lane *lane;
    struct strand *next_of_lane;
    struct strand *prev, *next; /* in the seat's ready list */
    struct job_list jobs;
    uint32_t worker;
    bool linked;
};

struct lane {
    struct host *host;
    struct job_list tried, fresh;
    struct strand *strands;
    size_t ready;     /* jobs in tried, fresh and strands */
    size_t count;     /* the same, and those that are not due yet */
    uint64_t spilled; /* jobs in the overflow file, or on their way into it */
    enum lane_state state;
    bool in_ring;
    struct lane *prev, *next; /* in q->open or q->down */
    size_t timer_at;          /* LANE_TIMED: place in the timers */
    size_t held_ready;        /* part of q->held_ready */
    bool bound;               /* part of q->bound_lanes */
    bool wanting;
    struct lane *wanting_next;
    struct lane *all_prev, *all_next;
    struct overflow_chain chain; /* guarded by overflow_lock */
};

struct lane_ring {
    struct lane *first, *last;
};

enum seat_state {
    SEAT_BUSY,   /* has got something and will ask again */
    SEAT_ASLEEP, /* hungry: asked and got nothing */
    SEAT_WOKEN   /* hungry, told to ask again and has not done so yet */
};

struct seat {
    enum seat_state state;
    uint32_t slots;                          /* in use */
    struct strand *ready_first, *ready_last; /* strands of lanes that are open or down */
};

/* A thread that is blocked in put or enter. */
struct putter {
    struct lane *lane; /* NULL: only a place is wanted */
    bool spill_failed;
    struct putter *next;
};

struct lanes {
    struct queue head;
    struct queue_env env;
    uint32_t share; /* slots a worker may have at most */
    pthread_mutex_t lock;
    pthread_cond_t room;

    /* guarded by lock */
    struct host_table *hosts;
    struct bucket rate;
    uint64_t now;  /* the latest instant that anybody has brought */
    uint64_t told; /* when the worker that went to sleep last will ask again */
    struct lane_ring open, down;
    struct lane *all;
    struct lane *spare; /* freed lanes, by wanting_next */
    size_t spare_count;
    struct lane *wanting_first, *wanting_last;
    uint64_t refill_after; /* reading the overflow file failed: not before this instant */
    struct timers timers;
    struct putter *putters;
    bool input_ended, closed, said_drained;
    size_t inside; /* counted against the capacity */
    uint64_t live; /* jobs that may still need a worker */
    size_t lane_count, spilling_lanes, bound_lanes;
    size_t queued, delayed, held_ready;
    size_t pinned_ready; /* strands in the seats' ready lists */
    uint32_t in_flight;
    uint64_t overflowed;
    uint64_t accounted, slots_idle_ns, per_host_bound_ns;
    bool more_bound; /* only limits.per_host kept the last queue_more from having a slot */
    struct seat *seats;

    pthread_mutex_t overflow_lock;
    struct overflow *overflow; /* guarded by overflow_lock */
};

static inline void job_list_push(struct job_list *list, struct job *job)
{
    job->next = NULL;
    *(list->first ? &list->last->next : &list->first) = job;
    list->last = job;
}

static inline struct job *job_list_pop(struct job_list *list)
{
    struct job *job = list->first;
    if (job)
        list->first = job->next;
    return job;
}

static inline bool lane_may_be_taken(const struct lane *lane)
{
    return lane->state == LANE_OPEN || lane->state == LANE_DOWN;
}

/* Places that are free. */
static inline size_t queue_room(const struct lanes *q)
{
    return q->inside < q->env.capacity ? q->env.capacity - q->inside : 0;
}

/* The lane of a host, made when missing; NULL: out of memory. The caller has a reference of the
 * host. */
struct lane *lane_of(struct lanes *q, struct host *host);
/* One reference of the host less; with the last one its lane goes. */
void lane_release(struct lanes *q, struct host *host);
/* Frees every lane and every job in them. */
/* After the end of a run: any job that is in a lane or waits, NULL when there is none. */
struct job *lanes_pop_any(struct lanes *q);
void lanes_free_all(struct lanes *q);

/* Finds the lane's place after a change of its jobs or its host. `turn`: it has had its turn and
 * goes behind the others. */
void lane_place(struct lanes *q, struct lane *lane, bool turn);
/* A job that was not tried yet, behind the others. */
void lane_add_fresh(struct lanes *q, struct lane *lane, struct job *job);
/* A job that comes back: to job->host's lane, at job->due. */
void lane_add_tried(struct lanes *q, struct job *job);
/* Moves what is due by now out of the timers. */
void lanes_run_timers(struct lanes *q);
/* Takes the lane's next job that any worker may take, or the strand's. */
struct job *lane_pop(struct lanes *q, struct lane *lane, struct strand *strand);

#endif

/* Timers of the queue: jobs that wait for their due time and lanes that wait for an instant, in
 * one binary heap. Equal instants come out in the order in which they went in.
 *
 * The heap never fails once room has been reserved: the queue reserves it when a job or a lane
 * enters. Guarded by the queue's lock.
 */
#ifndef WEIR_QUEUE_TIMERS_H
#define WEIR_QUEUE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct lane;

struct timer {
    uint64_t when, order;
    struct lane *lane; /* NULL: a job's */
    struct job *job;   /* NULL: a lane's */
};

struct timers {
    struct timer *v;
    size_t n, cap;
    uint64_t order; /* of the next one */
};

bool timers_reserve(struct timers *t, size_t n);
void timers_add_job(struct timers *t, uint64_t when, struct job *job);
void timers_add_lane(struct timers *t, uint64_t when, struct lane *lane);
void timers_drop_lane(struct timers *t, struct lane *lane);
/* The instant of the first one; TIME_NEVER when there is none. */
uint64_t timers_first(const struct timers *t);
struct timer timers_pop(struct timers *t); /* not when empty */
void timers_free(struct timers *t);

#endif

/* Whose turn it is: which job a worker gets, which worker is to be woken, and when to ask again.
 *
 * The rule of wakes: a worker that gets a job asks again before it sleeps, and so does the one
 * that frees a slot. So somebody has to be woken only when something has become takable while
 * nobody is about to ask, or when the one who asked must leave it to another. Whoever goes to
 * sleep is told the first instant at which time alone may change the answer.
 *
 * Guarded by the queue's lock.
 */
#ifndef WEIR_QUEUE_TURN_H
#define WEIR_QUEUE_TURN_H

#include "queue/lane.h"

#define NO_SEAT UINT32_MAX

/* Something for any worker stands in a ring. */
static inline bool turn_any_takable(const struct lanes *q)
{
    return q->open.first || q->down.first;
}

/* The next job for `worker`, with its slots and buckets taken; NULL: nothing now. */
struct job *turn_choose(struct lanes *q, uint32_t worker);
/* When a worker that got nothing is to ask again. */
uint64_t turn_next_instant(const struct lanes *q);
/* The request bucket of the run has a unit, or some job needs none. */
bool turn_rate_allows(const struct lanes *q);
/* The worker to be woken, marked as woken; NO_SEAT: none. `self` is about to ask by itself
 * (NO_SEAT: nobody is). `any`: what stands in the rings is a reason to wake, not only pinned
 * jobs. */
uint32_t turn_wake(struct lanes *q, uint32_t self, bool any);
/* A worker to be woken because time will change the answer earlier than any sleeper was told. */
uint32_t turn_wake_for_timer(struct lanes *q);
/* Slots are free, a worker is hungry, and no lane has anything for it. */
bool turn_starving(const struct lanes *q);
/* Adds the time since the last call to the counts, by the state in which it was spent. */
void turn_account(struct lanes *q);

#endif

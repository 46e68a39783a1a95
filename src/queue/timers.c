/* A binary heap; see timers.h. A lane knows its place in it, so that it can be taken out early; a
 * job never is. Whoever holds the queue's lock runs it.
 */
#include "queue/timers.h"

#include <stdlib.h>

#include "core/clock.h"
#include "queue/lane.h"

static bool before(const struct timer *a, const struct timer *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void set(struct timers *t, size_t at, struct timer timer)
{
    t->v[at] = timer;
    if (timer.lane)
        timer.lane->timer_at = at;
}

static void sift_up(struct timers *t, size_t at, struct timer timer)
{
    for (; at > 0 && before(&timer, &t->v[(at - 1) / 2]); at = (at - 1) / 2)
        set(t, at, t->v[(at - 1) / 2]);
    set(t, at, timer);
}

static void sift_down(struct timers *t, size_t at, struct timer timer)
{
    for (size_t child; (child = 2 * at + 1) < t->n; at = child) {
        if (child + 1 < t->n && before(&t->v[child + 1], &t->v[child]))
            child++;
        if (!before(&t->v[child], &timer))
            break;
        set(t, at, t->v[child]);
    }
    set(t, at, timer);
}

bool timers_reserve(struct timers *t, size_t n)
{
    if (n <= t->cap)
        return true;
    size_t cap = t->cap ? t->cap : 64;
    while (cap < n)
        cap *= 2;
    struct timer *v = realloc(t->v, cap * sizeof *v);
    if (!v)
        return false;
    t->v = v;
    t->cap = cap;
    return true;
}

void timers_add_job(struct timers *t, uint64_t when, struct job *job)
{
    sift_up(t, t->n++, (struct timer){.when = when, .order = t->order++, .job = job});
}

void timers_add_lane(struct timers *t, uint64_t when, struct lane *lane)
{
    sift_up(t, t->n++, (struct timer){.when = when, .order = t->order++, .lane = lane});
}

static void remove_at(struct timers *t, size_t at)
{
    struct timer last = t->v[--t->n];
    if (at == t->n)
        return;
    if (at > 0 && before(&last, &t->v[(at - 1) / 2]))
        sift_up(t, at, last);
    else
        sift_down(t, at, last);
}

void timers_drop_lane(struct timers *t, struct lane *lane)
{
    remove_at(t, lane->timer_at);
}

uint64_t timers_first(const struct timers *t)
{
    return t->n ? t->v[0].when : TIME_NEVER;
}

struct timer timers_pop(struct timers *t)
{
    struct timer first = t->v[0];
    remove_at(t, 0);
    return first;
}

void timers_free(struct timers *t)
{
    free(t->v);
}

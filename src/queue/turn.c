/* Whose turn it is; see turn.h. Whoever holds the queue's lock. Costs a look at every seat, never
 * at every lane or job.
 */
#include "queue/turn.h"

static bool slot_free_for(const struct lanes *q, const struct seat *seat)
{
    return q->in_flight < q->env.concurrency && seat->slots < q->share;
}

static bool is_hungry(const struct seat *seat)
{
    return seat->state != SEAT_BUSY;
}

/* A job that any worker may take is left to a hungry worker that has fewer slots; and to one that
 * has as many and a job of its own waiting, which would otherwise wait as long as others find
 * work. */
static bool must_leave_it(const struct lanes *q, uint32_t worker)
{
    uint32_t slots = q->seats[worker].slots;
    for (uint32_t i = 0; i < q->env.workers; i++) {
        const struct seat *other = &q->seats[i];
        if (i == worker || !is_hungry(other) || other->slots >= q->share)
            continue;
        if (other->slots < slots || (other->slots == slots && other->ready_first))
            return true;
    }
    return false;
}

static struct job *take(struct lanes *q, uint32_t worker, struct lane *lane, struct strand *strand)
{
    struct job *job = lane_pop(q, lane, strand);
    bool down = lane->state == LANE_DOWN;
    job->host_is_down = down;
    job->down_class = down ? lane->host->last_failure : OK;
    job->down_failures = down ? lane->host->failures : 0;
    job->holder = (int32_t)worker;
    job->probe = host_started(lane->host, q->now);
    if (!down)
        bucket_take(&q->rate, q->now);
    q->in_flight++;
    q->seats[worker].slots++;
    lane_place(q, lane, true);
    return job;
}

/* A host that is down is due for a probe at some instant, for which no timer is kept: its lane is
 * looked at when it is about to be taken from. True: still down. */
static bool still_down(struct lanes *q, struct lane *lane)
{
    if (host_is_down(lane->host, q->now))
        return true;
    lane_place(q, lane, false);
    return false;
}

static struct job *choose_pinned(struct lanes *q, uint32_t worker, bool rate_ready)
{
    struct strand *s;
    while ((s = q->seats[worker].ready_first)) {
        if (s->lane->state == LANE_DOWN && !still_down(q, s->lane))
            continue;
        if (s->lane->state != LANE_DOWN && !rate_ready)
            return NULL;
        return take(q, worker, s->lane, s);
    }
    return NULL;
}

struct job *turn_choose(struct lanes *q, uint32_t worker)
{
    if (!slot_free_for(q, &q->seats[worker]))
        return NULL;
    bool rate_ready = bucket_ready(&q->rate, q->now) == 0;
    struct job *job = choose_pinned(q, worker, rate_ready);
    if (job || !turn_any_takable(q) || must_leave_it(q, worker))
        return job;
    while (q->down.first)
        if (still_down(q, q->down.first))
            return take(q, worker, q->down.first, NULL);
    if (!rate_ready || !q->open.first)
        return NULL;
    return take(q, worker, q->open.first, NULL);
}

uint64_t turn_next_instant(const struct lanes *q)
{
    if (q->in_flight >= q->env.concurrency)
        return TIME_NEVER; /* who frees a slot asks */
    uint64_t when = timers_first(&q->timers);
    uint64_t rate = bucket_ready(&q->rate, q->now);
    if (rate && rate < when && (turn_any_takable(q) || q->pinned_ready))
        when = rate;
    if (q->wanting_first && q->refill_after > q->now && q->refill_after < when)
        when = q->refill_after;
    return when;
}

bool turn_rate_allows(const struct lanes *q)
{
    return q->down.first || bucket_ready(&q->rate, q->now) == 0;
}

/* The sleeping worker that has pinned jobs to take. */
static uint32_t wake_pinned(const struct lanes *q, uint32_t self)
{
    if (!q->pinned_ready)
        return NO_SEAT;
    bool rate_ready = bucket_ready(&q->rate, q->now) == 0;
    for (uint32_t i = 0; i < q->env.workers; i++) {
        const struct seat *seat = &q->seats[i];
        if (i != self && seat->state == SEAT_ASLEEP && seat->ready_first &&
            slot_free_for(q, seat) && (rate_ready || seat->ready_first->lane->state == LANE_DOWN))
            return i;
    }
    return NO_SEAT;
}

/* The hungry worker whose turn it is: the one with the fewest slots. None when that one asks
 * anyway. */
static uint32_t wake_any(const struct lanes *q, uint32_t self)
{
    uint32_t best = NO_SEAT;
    bool best_asks = false;
    for (uint32_t i = 0; i < q->env.workers; i++) {
        const struct seat *seat = &q->seats[i];
        bool asks = i == self || seat->state == SEAT_WOKEN;
        if ((!asks && seat->state != SEAT_ASLEEP) || !slot_free_for(q, seat))
            continue;
        if (best == NO_SEAT || seat->slots < q->seats[best].slots ||
            (seat->slots == q->seats[best].slots && asks)) {
            best = i;
            best_asks = asks;
        }
    }
    return best_asks ? NO_SEAT : best;
}

uint32_t turn_wake(struct lanes *q, uint32_t self, bool any)
{
    if (q->in_flight >= q->env.concurrency)
        return NO_SEAT;
    uint32_t worker = wake_pinned(q, self);
    if (worker == NO_SEAT && any && turn_any_takable(q))
        worker = wake_any(q, self);
    if (worker != NO_SEAT)
        q->seats[worker].state = SEAT_WOKEN;
    return worker;
}

uint32_t turn_wake_for_timer(struct lanes *q)
{
    uint64_t when = turn_next_instant(q);
    if (when >= q->told)
        return NO_SEAT;
    for (uint32_t i = 0; i < q->env.workers; i++)
        if (q->seats[i].state == SEAT_ASLEEP) {
            q->told = when;
            q->seats[i].state = SEAT_WOKEN;
            return i;
        }
    return NO_SEAT; /* all of them will ask anyway */
}

bool turn_starving(const struct lanes *q)
{
    if (turn_any_takable(q) || q->in_flight >= q->env.concurrency)
        return false;
    for (uint32_t i = 0; i < q->env.workers; i++)
        if (is_hungry(&q->seats[i]) && q->seats[i].slots < q->share)
            return true;
    return false;
}

void turn_account(struct lanes *q)
{
    uint64_t spent = q->accounted ? q->now - q->accounted : 0;
    q->accounted = q->now;
    if (q->in_flight >= q->env.concurrency || !(q->queued || q->more_bound))
        return;
    q->slots_idle_ns += spent;
    if ((q->bound_lanes || q->more_bound) && !turn_any_takable(q))
        q->per_host_bound_ns += spent;
}

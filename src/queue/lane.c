/* One lane: its jobs, and its place among the others; see lane.h. Whoever holds the queue's lock.
 */
#include "queue/lane.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_LANES 64
#define NO_MEMORY_RETRY (100 * NS_PER_MS)

/* ------------------------------------------------------------------ rings and ready lists */

static void ring_append(struct lane_ring *ring, struct lane *lane)
{
    lane->prev = ring->last;
    lane->next = NULL;
    *(ring->last ? &ring->last->next : &ring->first) = lane;
    ring->last = lane;
    lane->in_ring = true;
}

static void ring_remove(struct lane_ring *ring, struct lane *lane)
{
    *(lane->prev ? &lane->prev->next : &ring->first) = lane->next;
    *(lane->next ? &lane->next->prev : &ring->last) = lane->prev;
    lane->in_ring = false;
}

static struct lane_ring *ring_of(struct lanes *q, enum lane_state state)
{
    return state == LANE_DOWN ? &q->down : &q->open;
}

/* Strands of a host that is down stand first: they need no bucket, so a look at the first one is
 * enough when the bucket is empty. */
static void strand_link(struct lanes *q, struct strand *s)
{
    struct seat *seat = &q->seats[s->worker];
    bool first = s->lane->state == LANE_DOWN;
    s->prev = first ? NULL : seat->ready_last;
    s->next = first ? seat->ready_first : NULL;
    *(s->prev ? &s->prev->next : &seat->ready_first) = s;
    *(s->next ? &s->next->prev : &seat->ready_last) = s;
    s->linked = true;
    q->pinned_ready++;
}

static void strand_unlink(struct lanes *q, struct strand *s)
{
    struct seat *seat = &q->seats[s->worker];
    *(s->prev ? &s->prev->next : &seat->ready_first) = s->next;
    *(s->next ? &s->next->prev : &seat->ready_last) = s->prev;
    s->linked = false;
    q->pinned_ready--;
}

/* ------------------------------------------------------------------ placement */

static enum lane_state state_of(const struct lanes *q, const struct lane *lane, uint64_t *when)
{
    if (!lane->ready)
        return LANE_IDLE;
    if (host_is_down(lane->host, q->now))
        return LANE_DOWN;
    *when = host_admit(lane->host, q->now);
    if (*when == 0)
        return LANE_OPEN;
    return *when == HOST_WAITS_FOR_SLOT ? LANE_SLOT : LANE_TIMED;
}

static void place_in_ring(struct lanes *q, struct lane *lane, enum lane_state was, bool turn)
{
    bool belongs = lane_may_be_taken(lane) && (lane->tried.first || lane->fresh.first);
    if (lane->in_ring && (!belongs || lane->state != was || turn))
        ring_remove(ring_of(q, was), lane);
    if (belongs && !lane->in_ring)
        ring_append(ring_of(q, lane->state), lane);
}

static void place_strands(struct lanes *q, struct lane *lane, enum lane_state was)
{
    for (struct strand *s = lane->strands; s; s = s->next_of_lane) {
        bool belongs = lane_may_be_taken(lane) && s->jobs.first;
        if (s->linked && (!belongs || lane->state != was))
            strand_unlink(q, s);
        if (belongs && !s->linked)
            strand_link(q, s);
    }
}

/* A lane whose overflowed jobs should come back: less than half of what it could hold is there. */
static void note_wanting(struct lanes *q, struct lane *lane)
{
    if (lane->wanting || !lane->spilled)
        return;
    if (lane->count && 4 * lane->count >= queue_room(q) + lane->count)
        return;
    lane->wanting = true;
    lane->wanting_next = NULL;
    *(q->wanting_first ? &q->wanting_last->wanting_next : &q->wanting_first) = lane;
    q->wanting_last = lane;
}

void lane_place(struct lanes *q, struct lane *lane, bool turn)
{
    enum lane_state was = lane->state;
    uint64_t when = 0;
    if (was == LANE_TIMED)
        timers_drop_lane(&q->timers, lane);
    lane->state = state_of(q, lane, &when);
    if (lane->state == LANE_TIMED)
        timers_add_lane(&q->timers, when, lane);
    place_in_ring(q, lane, was, turn);
    if (lane->strands)
        place_strands(q, lane, was);

    bool held = lane->host->probing && lane->state != LANE_DOWN;
    q->held_ready -= lane->held_ready;
    lane->held_ready = held ? lane->ready : 0;
    q->held_ready += lane->held_ready;
    q->bound_lanes -= lane->bound;
    lane->bound = lane->state == LANE_SLOT && !held;
    q->bound_lanes += lane->bound;
    note_wanting(q, lane);
}

/* ------------------------------------------------------------------ life */

struct lane *lane_of(struct lanes *q, struct host *host)
{
    if (host->lane)
        return host->lane;
    if (!timers_reserve(&q->timers, q->env.capacity + q->lane_count + 1))
        return NULL;
    struct lane *lane = q->spare;
    if (lane) {
        q->spare = lane->wanting_next;
        q->spare_count--;
    } else if (!(lane = malloc(sizeof *lane))) {
        return NULL;
    }
    *lane = (struct lane){.host = host, .all_next = q->all};
    if (q->all)
        q->all->all_prev = lane;
    q->all = lane;
    q->lane_count++;
    host->lane = lane;
    return lane;
}

static void free_strands(struct lane *lane)
{
    for (struct strand *s = lane->strands, *next; s; s = next) {
        next = s->next_of_lane;
        free(s);
    }
    lane->strands = NULL;
}

/* Nothing refers to the host any more, so the lane is empty and stands nowhere. */
static void lane_free(struct lanes *q, struct lane *lane)
{
    free_strands(lane);
    *(lane->all_prev ? &lane->all_prev->all_next : &q->all) = lane->all_next;
    if (lane->all_next)
        lane->all_next->all_prev = lane->all_prev;
    q->lane_count--;
    lane->host->lane = NULL;
    if (q->spare_count == SPARE_LANES) {
        free(lane);
        return;
    }
    lane->wanting_next = q->spare;
    q->spare = lane;
    q->spare_count++;
}

void lane_release(struct lanes *q, struct host *host)
{
    if (host->references == 1 && host->lane)
        lane_free(q, host->lane);
    host_put(q->hosts, host);
}

static void free_jobs(struct job_list *list)
{
    for (struct job *job; (job = job_list_pop(list));)
        job_free(job);
}

void lanes_free_all(struct lanes *q)
{
    while (q->timers.n)
        job_free(timers_pop(&q->timers).job);
    for (struct lane *lane = q->all, *next; lane; lane = next) {
        next = lane->all_next;
        free_jobs(&lane->tried);
        free_jobs(&lane->fresh);
        for (struct strand *s = lane->strands; s; s = s->next_of_lane)
            free_jobs(&s->jobs);
        free_strands(lane);
        free(lane);
    }
    for (struct lane *lane = q->spare, *next; lane; lane = next) {
        next = lane->wanting_next;
        free(lane);
    }
}

/* ------------------------------------------------------------------ jobs */

void lane_add_fresh(struct lanes *q, struct lane *lane, struct job *job)
{
    job->host = lane->host;
    job_list_push(&lane->fresh, job);
    lane->ready++;
    lane->count++;
    q->queued++;
    lane_place(q, lane, false);
}

static struct strand *strand_of(struct lane *lane, uint32_t worker)
{
    for (struct strand *s = lane->strands; s; s = s->next_of_lane)
        if (s->worker == worker)
            return s;
    struct strand *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->lane = lane;
    s->worker = worker;
    s->next_of_lane = lane->strands;
    lane->strands = s;
    return s;
}

/* A job that is due joins its lane. It is counted in lane->count and q->queued already. */
static void make_ready(struct lanes *q, struct job *job)
{
    struct lane *lane = job->host->lane;
    struct job_list *list = &lane->tried;
    if (job->worker >= 0) {
        struct strand *s = strand_of(lane, (uint32_t)job->worker % q->env.workers);
        if (!s) { /* it cannot be handed to anybody else: look again when there may be memory */
            timers_add_job(&q->timers, q->now + (uint64_t)NO_MEMORY_RETRY, job);
            q->delayed++;
            return;
        }
        list = &s->jobs;
    }
    job_list_push(list, job);
    lane->ready++;
    lane_place(q, lane, false);
}

void lane_add_tried(struct lanes *q, struct job *job)
{
    struct lane *lane = job->host->lane;
    lane->count++;
    q->queued++;
    if (job->due <= q->now) {
        make_ready(q, job);
        return;
    }
    timers_add_job(&q->timers, job->due, job);
    q->delayed++;
}

void lanes_run_timers(struct lanes *q)
{
    while (timers_first(&q->timers) <= q->now) {
        struct timer t = timers_pop(&q->timers);
        if (t.lane) {
            t.lane->state = LANE_IDLE; /* it stands nowhere now */
            lane_place(q, t.lane, false);
        } else {
            q->delayed--;
            make_ready(q, t.job);
        }
    }
}

struct job *lane_pop(struct lanes *q, struct lane *lane, struct strand *strand)
{
    struct job *job = strand ? job_list_pop(&strand->jobs) : NULL;
    if (!strand)
        job = job_list_pop(lane->tried.first ? &lane->tried : &lane->fresh);
    lane->ready--;
    lane->count--;
    q->queued--;
    return job;
}

/* A job of the lane, ready or not in order: the run is over. */
static struct job *pop_ready(struct lanes *q, struct lane *lane)
{
    struct strand *s = lane->strands;
    while (s && !s->jobs.first)
        s = s->next_of_lane;
    if (!s && !lane->tried.first && !lane->fresh.first)
        return NULL;
    struct job *job = lane_pop(q, lane, s);
    lane_place(q, lane, false);
    return job;
}

struct job *lanes_pop_any(struct lanes *q)
{
    while (q->timers.n) {
        struct timer t = timers_pop(&q->timers);
        if (t.lane) {
            t.lane->state = LANE_IDLE;
            continue;
        }
        q->delayed--;
        q->queued--;
        struct lane *lane = t.job->host->lane;
        lane->count--;
        return t.job;
    }
    for (struct lane *lane = q->all; lane; lane = lane->all_next) {
        struct job *job = pop_ready(q, lane);
        if (job)
            return job;
    }
    return NULL;
}

/* The lanes queue: its face (queue.h), the bound, and the way to the overflow file and back.
 *
 * Every call takes the one lock, changes lanes and seats (lane.h), asks whose turn it is (turn.h),
 * and ends in leave(), which lets the lock go before it calls up. Nothing is allocated for a job.
 *
 * I/O: jobs are written to the overflow file by the putter, without the queue's lock, because a
 * write may wait for the disk. They are read back under it, at most 256 a call: some 64 KiB, which
 * the page cache gives in ten microseconds. Who reads gives way to a writer instead of waiting.
 */
#include <stdlib.h>

#include "queue/lane.h"
#include "queue/turn.h"

#define IDLE_HOSTS 1024
#define REFILL_JOBS 256 /* at most so many come back at a time */
#define REFILL_RETRY NS_PER_S

static struct lanes *lanes_of(struct queue *q)
{
    return (struct lanes *)q;
}

/* ------------------------------------------------------------------ leaving the lock */

/* A blocked putter is woken when a batch fits, not for each place: a thread that sleeps and wakes
 * for each job would cost more than the job. While workers starve, for any place at once. */
static bool putter_may_go(const struct lanes *q, const struct putter *p, bool starving)
{
    size_t room = queue_room(q);
    if (q->closed)
        return true;
    if (starving && p->lane && q->env.overflow && !p->spill_failed)
        return true;
    if (!room || (p->lane && (p->lane->spilled || p->lane->count >= room)))
        return false;
    return starving ||
           (room >= q->env.capacity / 16 && (!p->lane || p->lane->count < room - room / 8));
}

static void wake_putters(struct lanes *q)
{
    if (!q->putters)
        return;
    bool starving = turn_starving(q);
    for (const struct putter *p = q->putters; p; p = p->next)
        if (putter_may_go(q, p, starving)) {
            pthread_cond_broadcast(&q->room);
            return;
        }
}

static bool has_ended(const struct lanes *q)
{
    return q->closed || (q->input_ended && q->live == 0);
}

/* The end of every call. `self` and `any` as in turn_wake. */
static void leave(struct lanes *q, uint32_t self, bool any)
{
    uint32_t worker = turn_wake(q, self, any);
    if (worker == NO_SEAT && self == NO_SEAT)
        worker = turn_wake_for_timer(q);
    bool drained = q->input_ended && q->live == 0 && !q->said_drained;
    q->said_drained |= drained;
    wake_putters(q);
    struct queue_env env = q->env;
    pthread_mutex_unlock(&q->lock);

    if (worker != NO_SEAT)
        env.wake(env.ctx, worker);
    if (!drained)
        return;
    env.drained(env.ctx);
    for (uint32_t i = 0; i < env.workers; i++)
        env.wake(env.ctx, i);
}

static void set_now(struct lanes *q, uint64_t now)
{
    if (q->now < now)
        q->now = now;
    turn_account(q);
}

/* ------------------------------------------------------------------ overflow */

/* A lane with nothing in the file any more: the reference that its chain held goes. */
static void end_spilling(struct lanes *q, struct lane *lane)
{
    q->spilling_lanes--;
    lane_release(q, lane->host);
}

/* Brings jobs of one lane back; overflow_lock is held. Returns how many. */
static size_t refill_lane(struct lanes *q, struct lane *lane)
{
    size_t n = 0;
    while (n < REFILL_JOBS && lane->count < queue_room(q)) {
        struct job *job;
        if (overflow_next(q->overflow, &lane->chain, &job)) {
            q->refill_after = q->now + (uint64_t)REFILL_RETRY;
            break;
        }
        if (!job)
            break;
        n++;
        lane->spilled--;
        q->overflowed--;
        q->inside++;
        lane->host->references++;
        lane_add_fresh(q, lane, job);
    }
    return n;
}

/* Brings one batch back where a lane wants it. False: nothing came. */
static bool refill(struct lanes *q)
{
    while (!q->closed && q->wanting_first && queue_room(q) && q->refill_after <= q->now) {
        if (pthread_mutex_trylock(&q->overflow_lock))
            return false; /* somebody is writing, and refills afterwards */
        struct lane *lane = q->wanting_first;
        size_t n = refill_lane(q, lane);
        pthread_mutex_unlock(&q->overflow_lock);
        q->wanting_first = lane->wanting_next;
        lane->wanting = false;
        if (!lane->spilled)
            end_spilling(q, lane);
        else if (n || q->refill_after > q->now)
            lane_place(q, lane, false); /* perhaps it wants more */
        /* else its first job is on the way into the file: who writes it places the lane */
        if (n)
            return true;
    }
    return false;
}

static void forget_wanting(struct lanes *q, struct lane *lane)
{
    struct lane *before = NULL;
    for (struct lane *l = q->wanting_first; l && l != lane; l = l->wanting_next)
        before = l;
    *(before ? &before->wanting_next : &q->wanting_first) = lane->wanting_next;
    if (q->wanting_last == lane)
        q->wanting_last = before;
    lane->wanting = false;
}

static int write_overflow(struct lanes *q, struct lane *lane, const struct job *job)
{
    pthread_mutex_lock(&q->overflow_lock);
    int rc = 0;
    if (!q->overflow && !(q->overflow = overflow_new()))
        rc = -1;
    if (rc == 0)
        rc = overflow_append(q->overflow, &lane->chain, job);
    pthread_mutex_unlock(&q->overflow_lock);
    return rc;
}

/* Appends the job to its lane's chain; lets the lock go meanwhile. The lane counts it first, so
 * that nobody puts a later job of this host into memory before it. True: the job is gone. */
static bool spill(struct lanes *q, struct lane *lane, struct job *job, bool *had)
{
    if (!lane->spilled++) {
        q->spilling_lanes++;
        lane->host->references++;
    }
    q->overflowed++;
    q->live++;
    pthread_mutex_unlock(&q->lock);
    int rc = write_overflow(q, lane, job);
    if (rc == 0)
        job_free(job);
    pthread_mutex_lock(&q->lock);
    *had = turn_any_takable(q);
    if (rc == 0) {
        lane_place(q, lane, false); /* perhaps it has drained meanwhile */
        refill(q);
        return true;
    }
    q->live--;
    q->overflowed--;
    if (!--lane->spilled) {
        if (lane->wanting)
            forget_wanting(q, lane);
        end_spilling(q, lane);
    }
    return false;
}

/* ------------------------------------------------------------------ putting */

static void take_in(struct lanes *q, struct lane *lane, struct job *job)
{
    q->inside++;
    q->live++;
    lane_add_fresh(q, lane, job);
}

/* Waits for room. The lane stays, by the putter's reference of its host. */
static void wait_for_room(struct lanes *q, struct putter *p)
{
    p->next = q->putters;
    q->putters = p;
    pthread_cond_wait(&q->room, &q->lock);
    struct putter **at = &q->putters;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
}

static bool may_spill(const struct lanes *q, const struct lane *lane, const struct job *job)
{
    return q->env.overflow && overflow_takes(job->bytes) && turn_starving(q) &&
           (lane->spilled || q->spilling_lanes < q->env.capacity);
}

/* *kept: the job took over the caller's reference of the host. *had: something was takable just
 * before. */
static status put_in_lane(struct lanes *q, struct lane *lane, struct job *job, bool wait,
                          bool *kept, bool *had)
{
    struct putter self = {.lane = lane};
    for (;; self.spill_failed = false) {
        if (q->closed || q->said_drained)
            return WEIR_CANCELLED;
        if (!lane->spilled && lane->count < queue_room(q)) {
            *had = turn_any_takable(q);
            take_in(q, lane, job);
            *kept = true;
            return OK;
        }
        if (may_spill(q, lane, job)) {
            if (spill(q, lane, job, had))
                return OK;
            self.spill_failed = true;
        } else if (!overflow_takes(job->bytes)) {
            self.spill_failed = true;
        }
        if (!wait)
            return WEIR_AGAIN;
        wait_for_room(q, &self);
    }
}

static status put(struct queue *queue, struct job *job, bool wait)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    bool had = true, kept = false;
    struct host *host = host_get(q->hosts, job_text(job, job->authority));
    struct lane *lane = host ? lane_of(q, host) : NULL;
    status st = lane ? put_in_lane(q, lane, job, wait, &kept, &had) : WEIR_NOMEM;
    if (host && !kept)
        lane_release(q, host);
    leave(q, NO_SEAT, !had);
    return st;
}

static status lanes_put(struct queue *queue, struct job *job)
{
    return put(queue, job, true);
}

static status lanes_try_put(struct queue *queue, struct job *job)
{
    return put(queue, job, false);
}

static status lanes_enter(struct queue *queue)
{
    struct lanes *q = lanes_of(queue);
    struct putter self = {0};
    pthread_mutex_lock(&q->lock);
    while (!q->closed && !queue_room(q))
        wait_for_room(q, &self);
    status st = q->closed ? WEIR_CANCELLED : OK;
    if (!st)
        q->inside++;
    pthread_mutex_unlock(&q->lock);
    return st;
}

/* ------------------------------------------------------------------ taking and giving back */

static enum queue_answer lanes_try_take(struct queue *queue, uint32_t worker, uint64_t now,
                                        struct job **out, uint64_t *when)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    set_now(q, now);
    struct seat *seat = &q->seats[worker];
    *when = TIME_NEVER;
    if (has_ended(q)) {
        seat->state = SEAT_BUSY;
        leave(q, worker, false);
        return QUEUE_ENDED;
    }
    lanes_run_timers(q);
    struct job *job = turn_choose(q, worker);
    while (refill(q) && !job)
        job = turn_choose(q, worker);
    if (job) {
        seat->state = SEAT_BUSY;
        *out = job;
        leave(q, worker, false);
        return QUEUE_TOOK;
    }
    seat->state = SEAT_ASLEEP;
    *when = q->told = turn_next_instant(q);
    leave(q, worker, turn_rate_allows(q));
    return QUEUE_EMPTY;
}

static bool lanes_slot_free(struct queue *queue, struct job *job, const struct host_report *r,
                            uint64_t now)
{
    struct lanes *q = lanes_of(queue);
    struct host_report report = *r;
    uint32_t worker = (uint32_t)job->holder;
    pthread_mutex_lock(&q->lock);
    set_now(q, now);
    if (job->host_is_down) /* nothing was asked, nothing was learnt */
        report.verdict = HOST_SILENT;
    report.probe = job->probe;
    job->probe = false;
    bool held = host_ended(job->host, &report, q->now);
    q->in_flight--;
    q->seats[worker].slots--;
    lane_place(q, job->host->lane, false);
    leave(q, worker, turn_rate_allows(q));
    return held;
}

static void lanes_put_later(struct queue *queue, struct job *job, const char *authority,
                            uint64_t due)
{
    struct lanes *q = lanes_of(queue);
    uint32_t worker = (uint32_t)job->holder;
    pthread_mutex_lock(&q->lock);
    bool had = turn_any_takable(q);
    struct host *next = authority ? host_get(q->hosts, authority) : NULL;
    if (next && !lane_of(q, next)) {
        host_put(q->hosts, next);
        next = NULL; /* without memory for another lane the job waits in the one it has */
    }
    if (next) {
        lane_release(q, job->host);
        job->host = next;
    }
    job->due = due;
    job->host_is_down = false;
    lane_add_tried(q, job);
    leave(q, worker, !had);
}

static void lanes_answered(struct queue *queue, struct job *job, uint64_t now)
{
    if (!job->probe)
        return;
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    set_now(q, now);
    host_answered(job->host, true, q->now);
    job->probe = false;
    lane_place(q, job->host->lane, false);
    leave(q, NO_SEAT, true);
}

/* Further transfers of a job: they count like those of jobs, but come after them. */
static bool may_have_more(const struct lanes *q, const struct host *host)
{
    return !host->held_until && !host->probing && !host_is_down(host, q->now) &&
           host_admit(host, q->now) == 0;
}

static struct host *lanes_more(struct queue *queue, uint32_t worker, const char *authority,
                               uint64_t now)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    set_now(q, now);
    struct host *host = NULL;
    if (!q->closed && q->in_flight < q->env.concurrency && !turn_any_takable(q) &&
        !q->pinned_ready && bucket_ready(&q->rate, q->now) == 0)
        host = host_get(q->hosts, authority);
    if (host && !lane_of(q, host)) {
        host_put(q->hosts, host);
        host = NULL;
    }
    q->more_bound = host && host_admit(host, q->now) == HOST_WAITS_FOR_SLOT;
    if (host && !may_have_more(q, host)) {
        lane_release(q, host);
        host = NULL;
    }
    if (host) {
        host_started(host, q->now);
        bucket_take(&q->rate, q->now);
        q->in_flight++;
        q->seats[worker].slots++;
        lane_place(q, host->lane, false);
    }
    leave(q, worker, false);
    return host;
}

static bool lanes_less(struct queue *queue, uint32_t worker, struct host *host,
                       const struct host_report *r, uint64_t now)
{
    struct lanes *q = lanes_of(queue);
    struct host_report report = *r;
    pthread_mutex_lock(&q->lock);
    set_now(q, now);
    report.probe = false;
    bool held = host_ended(host, &report, q->now);
    q->in_flight--;
    q->seats[worker].slots--;
    q->more_bound = false;
    lane_place(q, host->lane, false);
    lane_release(q, host);
    leave(q, worker, turn_rate_allows(q));
    return held;
}

static bool lanes_again(struct queue *queue, struct job *job, uint64_t now)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    set_now(q, now);
    struct host *host = job->host;
    bool may = !q->closed && !host->held_until && !host->probing && !host_is_down(host, q->now) &&
               !bucket_ready(&host->requests, q->now) && !bucket_ready(&q->rate, q->now);
    if (may) {
        bucket_take(&host->requests, q->now);
        bucket_take(&q->rate, q->now);
        lane_place(q, host->lane, false);
    }
    leave(q, NO_SEAT, false);
    return may;
}

static bool lanes_pressed(struct queue *queue, const struct host *host)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    const struct lane *lane = host->lane;
    bool pressed = (lane->ready && lane->state == LANE_SLOT) ||
                   (q->in_flight >= q->env.concurrency && (turn_any_takable(q) || q->pinned_ready));
    pthread_mutex_unlock(&q->lock);
    return pressed;
}

static void settle(struct lanes *q, struct job *job)
{
    if (!job->host)
        return;
    lane_release(q, job->host);
    job->host = NULL;
    q->live--;
}

static void lanes_settled(struct queue *queue, struct job *job)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    settle(q, job);
    leave(q, NO_SEAT, false);
}

static void lanes_done(struct queue *queue, struct job *job)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    bool had = turn_any_takable(q);
    if (job)
        settle(q, job);
    q->inside--;
    refill(q);
    leave(q, NO_SEAT, !had);
    job_free(job);
}

/* The first overflowed job of any lane, counted in again. */
static struct job *pop_overflowed(struct lanes *q)
{
    struct job *job = NULL;
    for (struct lane *lane = q->all; lane && !job; lane = lane->all_next) {
        if (!lane->spilled)
            continue;
        pthread_mutex_lock(&q->overflow_lock);
        int rc = overflow_next(q->overflow, &lane->chain, &job);
        pthread_mutex_unlock(&q->overflow_lock);
        if (rc || !job)
            continue;
        job->host = lane->host;
        lane->host->references++;
        q->overflowed--;
        q->inside++;
        if (!--lane->spilled) {
            if (lane->wanting)
                forget_wanting(q, lane);
            end_spilling(q, lane);
        }
        break;
    }
    return job;
}

static struct job *lanes_rest(struct queue *queue, bool overflowed)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    struct job *job = q->closed ? lanes_pop_any(q) : NULL;
    if (!job && q->closed && overflowed)
        job = pop_overflowed(q);
    pthread_mutex_unlock(&q->lock);
    return job;
}

/* ------------------------------------------------------------------ life */

static void lanes_end_of_input(struct queue *queue)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    q->input_ended = true;
    leave(q, NO_SEAT, false);
}

static void lanes_close(struct queue *queue)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    leave(q, NO_SEAT, false);
    for (uint32_t i = 0; i < q->env.workers; i++)
        q->env.wake(q->env.ctx, i);
}

static void lanes_counts(struct queue *queue, struct queue_counts *out)
{
    struct lanes *q = lanes_of(queue);
    pthread_mutex_lock(&q->lock);
    *out = (struct queue_counts){
        .inside = q->inside,
        .queued = q->queued,
        .waiting = q->delayed + q->held_ready,
        .in_flight = q->in_flight,
        .overflowed = q->overflowed,
        .slots_idle_ns = q->slots_idle_ns,
        .per_host_bound_ns = q->per_host_bound_ns,
    };
    pthread_mutex_unlock(&q->lock);
}

static void lanes_free(struct queue *queue)
{
    struct lanes *q = lanes_of(queue);
    if (q->hosts) {
        lanes_free_all(q);
        pthread_cond_destroy(&q->room);
        pthread_mutex_destroy(&q->lock);
        pthread_mutex_destroy(&q->overflow_lock);
    }
    timers_free(&q->timers);
    host_table_free(q->hosts);
    overflow_free(q->overflow);
    free(q->seats);
    free(q);
}

static status lanes_open(struct queue **out, const struct queue_env *env, error *err)
{
    if (!env->capacity || !env->concurrency || !env->workers)
        return fail(err, WEIR_USAGE,
                    "queue: capacity %zu, concurrency %u, workers %u; each must be at least 1",
                    env->capacity, env->concurrency, env->workers);
    struct lanes *q = calloc(1, sizeof *q);
    if (!q)
        return fail(err, WEIR_NOMEM, "out of memory: the queue (%zu bytes)", sizeof *q);
    q->head.type = &queue_lanes;
    q->env = *env;
    q->share = (env->concurrency - 1) / env->workers + 1;
    bucket_init(&q->rate, env->rate);
    q->seats = calloc(env->workers, sizeof *q->seats);
    if (!q->seats)
        goto fail;
    q->hosts = host_table_new(env->options_for, env->options_ctx, IDLE_HOSTS);
    if (!q->hosts)
        goto fail;
    pthread_mutex_init(&q->lock, NULL);
    pthread_mutex_init(&q->overflow_lock, NULL);
    pthread_cond_init(&q->room, NULL);
    *out = &q->head;
    return OK;
fail:
    lanes_free(&q->head);
    return fail(err, WEIR_NOMEM, "out of memory: the queue for %u workers", env->workers);
}

const struct queue_type queue_lanes = {
    .name = "lanes",
    .help = "in memory, a lane for each host; what overflows goes to a temporary file",
    .open = lanes_open,
    .put = lanes_put,
    .try_put = lanes_try_put,
    .enter = lanes_enter,
    .try_take = lanes_try_take,
    .slot_free = lanes_slot_free,
    .put_later = lanes_put_later,
    .done = lanes_done,
    .end_of_input = lanes_end_of_input,
    .close = lanes_close,
    .rest = lanes_rest,
    .counts = lanes_counts,
    .free = lanes_free,
    .settled = lanes_settled,
    .answered = lanes_answered,
    .more = lanes_more,
    .less = lanes_less,
    .pressed = lanes_pressed,
    .again = lanes_again,
};

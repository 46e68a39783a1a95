/* Whole runs of the queue under a made-up clock: random hosts, limits, outcomes, holds, redirects
 * and workers, from a seed. Checked at every step: no limit is exceeded, no job is lost or handed
 * out twice, the jobs of a host start in order, a held host is left alone, and the run ends.
 * Workers here ask only when they were woken, told an instant that has come, or freed a slot: a
 * wake that is missing leaves the run without a next event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"

#include <cmocka.h>

#define MS ((uint64_t)NS_PER_MS)
#define START (1000 * (uint64_t)NS_PER_S)
#define MAX_WORKERS 6
#define MAX_HOSTS 40

struct transfer {
    struct job *job;
    uint64_t ends;
    uint32_t worker, host;
    struct transfer *next;
};

struct sim_host {
    char authority[32];
    uint32_t in_flight;
    uint64_t held_until;
    uint32_t probes;    /* in flight, not answered yet */
    int64_t last_fresh; /* index of the last job that was started for the first time */
    uint32_t starts;
};

struct sim {
    struct rng rng;
    struct queue *queue;
    struct queue_env env;
    struct options options;
    uint64_t now;
    uint32_t hosts, jobs, next_job;
    struct sim_host host[MAX_HOSTS];
    uint32_t *tries; /* per job */
    bool *finished;
    uint32_t finished_count, sealed_count;
    struct transfer *transfers;
    struct job *sealed[64];
    uint32_t in_flight, slots[MAX_WORKERS];
    bool asks[MAX_WORKERS], ended[MAX_WORKERS];
    uint64_t when[MAX_WORKERS];
    int drained;
    bool trouble; /* refusals, lost hosts, redirects, pinned retries */
    uint64_t seed, wakes, takes;
};

static const struct options *options_for(void *ctx, const char *host)
{
    return ctx;
}

static void wake(void *ctx, uint32_t worker)
{
    struct sim *s = ctx;
    s->asks[worker] = true;
    s->wakes++;
}

static void drained(void *ctx)
{
    ((struct sim *)ctx)->drained++;
}

static uint32_t host_index(const struct sim *s, const char *authority)
{
    for (uint32_t i = 0; i < s->hosts; i++)
        if (!strcmp(s->host[i].authority, authority))
            return i;
    fail_msg("unknown host %s", authority);
    return 0;
}

#define CHECK(condition)                                                                           \
    do                                                                                             \
        if (!(condition))                                                                          \
            fail_msg("seed %llu, at %.6f s: %s", (unsigned long long)s->seed,                      \
                     (double)(s->now - START) / 1e9, #condition);                                  \
    while (0)

static void start(struct sim *s, uint32_t worker, struct job *job)
{
    struct transfer *t = calloc(1, sizeof *t);
    struct sim_host *h;
    t->job = job;
    t->worker = worker;
    t->host = host_index(s, job->host->authority);
    h = &s->host[t->host];
    CHECK(!s->finished[job->index]);
    CHECK(job->worker < 0 || job->worker == (int32_t)worker);
    CHECK(job->due <= s->now);
    s->in_flight++;
    s->slots[worker]++;
    CHECK(s->in_flight <= s->env.concurrency);
    CHECK(s->slots[worker] <= (s->env.concurrency + s->env.workers - 1) / s->env.workers);
    s->takes++;
    if (job->host_is_down) {
        t->ends = s->now;
    } else {
        h->in_flight++;
        h->starts++;
        CHECK(h->in_flight <= s->options.limits_per_host);
        CHECK(h->held_until <= s->now);
        CHECK(job->probe == job->host->probing);
        h->probes += job->probe;
        CHECK(h->probes <= 1);
        t->ends = s->now + rng_below(&s->rng, 300) * MS / 10;
    }
    if (!s->tries[job->index]++) {
        CHECK((int64_t)job->index > h->last_fresh);
        h->last_fresh = (int64_t)job->index;
    }
    t->next = s->transfers;
    s->transfers = t;
}

static void finish(struct sim *s, struct job *job)
{
    CHECK(!s->finished[job->index]);
    s->finished[job->index] = true;
    s->finished_count++;
    if (rng_below(&s->rng, 2))
        queue_settled(s->queue, job);
    if (s->sealed_count < 64 && rng_below(&s->rng, 2)) { /* its commit comes later */
        s->sealed[s->sealed_count++] = job;
        return;
    }
    queue_done(s->queue, job);
}

static void come_back(struct sim *s, struct transfer *t, uint64_t due)
{
    bool pinned = rng_below(&s->rng, 3) == 0;
    t->job->worker = pinned ? (int32_t)t->worker : -1;
    const char *authority = NULL;
    if (rng_below(&s->rng, 4) == 0)
        authority = s->host[rng_below(&s->rng, s->hosts)].authority;
    queue_put_later(s->queue, t->job, authority, due);
}

static void end(struct sim *s, struct transfer *t)
{
    struct host_report r = {.verdict = HOST_ANSWERED};
    struct sim_host *h = &s->host[t->host];
    uint64_t dice = s->trouble ? rng_below(&s->rng, 100) : 50;
    uint64_t due = s->now + rng_below(&s->rng, 2000) * MS;
    bool again = s->tries[t->job->index] < 6 && dice < 30 && !t->job->host_is_down;
    if (dice < 5) {
        r = (struct host_report){HOST_REFUSED, WEIR_RATE_LIMITED, .hold_until = due};
        if (!t->job->host_is_down && h->held_until < due)
            h->held_until = due;
    } else if (dice < 15) {
        r = (struct host_report){.verdict = HOST_UNREACHABLE, .failure = WEIR_CONNECT};
    } else if (dice < 20) {
        r.verdict = HOST_SILENT;
        due = 0;
    }
    if (t->job->probe && rng_below(&s->rng, 2) && r.verdict == HOST_ANSWERED)
        queue_answered(s->queue, t->job, s->now), h->probes--;
    h->probes -= t->job->probe;
    s->in_flight--;
    s->slots[t->worker]--;
    if (!t->job->host_is_down)
        h->in_flight--;
    queue_slot_free(s->queue, t->job, &r, s->now);
    s->asks[t->worker] = true;
    if (again)
        come_back(s, t, due);
    else
        finish(s, t->job);
    free(t);
}

static bool feed(struct sim *s)
{
    bool any = false;
    while (s->next_job < s->jobs) {
        uint32_t h = (uint32_t)rng_below(&s->rng, s->hosts);
        if (s->next_job < s->jobs / 3)
            h = 0; /* one host fills the head of the list */
        struct job *job =
            job_new(&(struct job_text){.url = "http://x/", .authority = s->host[h].authority});
        job->index = s->next_job;
        status st = queue_try_put(s->queue, job);
        if (st == WEIR_AGAIN) {
            job_free(job);
            return any;
        }
        CHECK(st == OK);
        any = true;
        if (++s->next_job == s->jobs)
            queue_end_of_input(s->queue);
    }
    return any;
}

static bool ask(struct sim *s, uint32_t worker)
{
    struct job *job;
    if (s->ended[worker] || (!s->asks[worker] && s->when[worker] > s->now))
        return false;
    s->asks[worker] = false;
    for (;;) {
        enum queue_answer a = queue_try_take(s->queue, worker, s->now, &job, &s->when[worker]);
        if (a == QUEUE_TOOK) {
            start(s, worker, job);
            continue;
        }
        CHECK(s->when[worker] > s->now);
        s->ended[worker] = a == QUEUE_ENDED;
        return true;
    }
}

static bool end_due(struct sim *s)
{
    for (struct transfer **at = &s->transfers; *at; at = &(*at)->next)
        if ((*at)->ends <= s->now) {
            struct transfer *t = *at;
            *at = t->next;
            end(s, t);
            return true;
        }
    return false;
}

static bool commit_some(struct sim *s)
{
    bool any = false;
    for (; s->sealed_count && rng_below(&s->rng, 3); any = true)
        queue_done(s->queue, s->sealed[--s->sealed_count]);
    return any;
}

static bool anybody_asks(const struct sim *s)
{
    for (uint32_t w = 0; w < s->env.workers; w++)
        if (s->asks[w] && !s->ended[w])
            return true;
    return false;
}

static bool all_ended(const struct sim *s)
{
    for (uint32_t w = 0; w < s->env.workers; w++)
        if (!s->ended[w])
            return false;
    return true;
}

static void check_counts(struct sim *s)
{
    struct queue_counts c;
    queue_counts(s->queue, &c);
    CHECK(c.inside <= s->env.capacity);
    CHECK(c.in_flight == s->in_flight);
    CHECK(c.waiting <= c.queued);
    CHECK(c.queued + c.in_flight + s->sealed_count == c.inside);
    CHECK(c.inside + c.overflowed + (s->finished_count - s->sealed_count) == s->next_job);
}

static void run(struct sim *s)
{
    for (uint64_t steps = 0; !all_ended(s); steps++) {
        CHECK(steps < 5000000);
        bool moved = feed(s);
        uint32_t from = (uint32_t)rng_below(&s->rng, s->env.workers);
        for (uint32_t i = 0; i < s->env.workers; i++)
            moved |= ask(s, (from + i) % s->env.workers);
        moved |= end_due(s);
        if (rng_below(&s->rng, 4) == 0)
            moved |= commit_some(s);
        check_counts(s);
        if (moved || anybody_asks(s))
            continue;
        if (s->sealed_count) {
            commit_some(s);
            continue;
        }
        uint64_t next = TIME_NEVER;
        for (struct transfer *t = s->transfers; t; t = t->next)
            next = t->ends < next ? t->ends : next;
        for (uint32_t w = 0; w < s->env.workers; w++)
            next = !s->ended[w] && s->when[w] < next ? s->when[w] : next;
        CHECK(next != TIME_NEVER); /* else nothing would ever happen again */
        s->now = next;
    }
}

static void open_sim(struct sim *s, uint64_t seed, bool trouble)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->trouble = trouble;
    rng_seed(&s->rng, seed);
    s->now = START;
    s->hosts = 1 + (uint32_t)rng_below(&s->rng, MAX_HOSTS);
    s->jobs = 200 + (uint32_t)rng_below(&s->rng, 1500);
    s->options.limits_per_host = 1 + (int64_t)rng_below(&s->rng, 8);
    s->options.limits_host_rate = rng_below(&s->rng, 2) ? 0 : 20 + (double)rng_below(&s->rng, 200);
    for (uint32_t i = 0; i < s->hosts; i++) {
        snprintf(s->host[i].authority, sizeof s->host[i].authority, "host%u:80", i);
        s->host[i].last_fresh = -1;
    }
    s->env = (struct queue_env){
        .capacity = 1 + rng_below(&s->rng, rng_below(&s->rng, 2) ? 20 : 400),
        .concurrency = 1 + (uint32_t)rng_below(&s->rng, 20),
        .workers = 1 + (uint32_t)rng_below(&s->rng, MAX_WORKERS),
        .rate = rng_below(&s->rng, 3) ? 0 : 100 + (double)rng_below(&s->rng, 1000),
        .wake = wake,
        .drained = drained,
        .ctx = s,
        .options_for = options_for,
        .options_ctx = &s->options,
        .overflow = rng_below(&s->rng, 4) != 0,
    };
    s->tries = calloc(s->jobs, sizeof *s->tries);
    s->finished = calloc(s->jobs, sizeof *s->finished);
    for (uint32_t w = 0; w < MAX_WORKERS; w++)
        s->asks[w] = true;
    assert_int_equal(queue_open(&s->queue, &s->env, NULL), OK);
}

static void simulate(uint64_t seed, bool trouble)
{
    static struct sim sim;
    struct sim *s = &sim;
    open_sim(s, seed, trouble);
    run(s);
    CHECK(s->finished_count == s->jobs);
    CHECK(s->drained == 1);
    CHECK(!s->transfers);
    if (!trouble)
        CHECK(s->takes == s->jobs);
    double seconds = (double)(s->now - START) / 1e9;
    CHECK(!s->env.rate || (double)s->takes <= 1 + s->env.rate * (seconds + 0.021) || trouble);
    for (uint32_t i = 0; s->options.limits_host_rate > 0 && i < s->hosts; i++)
        CHECK(s->host[i].starts <= 1 + s->options.limits_host_rate * (seconds + 0.021));
    while (s->sealed_count)
        queue_done(s->queue, s->sealed[--s->sealed_count]);
    queue_free(s->queue);
    free(s->tries);
    free(s->finished);
}

static void calm_runs_end_within_their_limits(void **state)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        simulate(seed, false);
}

static void runs_with_holds_redirects_and_lost_hosts_end_within_their_limits(void **state)
{
    for (uint64_t seed = 1001; seed <= 1300; seed++)
        simulate(seed, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calm_runs_end_within_their_limits),
        cmocka_unit_test(runs_with_holds_redirects_and_lost_hosts_end_within_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

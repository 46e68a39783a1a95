/* The clock of a run; see sim.h. */
#include "sim.h"

#include <stdarg.h>
#include <unistd.h>

#define STEPS_MOST 2000000 /* a run that spins without an end */

_Noreturn void sim_fail(const struct sim *s, const char *file, int line, const char *what)
{
    fprintf(stderr,
            "seed %llu, at %.6f s: broken: %s (%s:%d)\n  again: simulation --seed %llu --trace\n",
            (unsigned long long)s->seed, (double)(s->now - SIM_START) / 1e9, what,
            strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, (unsigned long long)s->seed);
    fflush(NULL);
    _exit(1);
}

void sim_trace(const struct sim *s, const char *format, ...)
{
    va_list ap;
    printf("%12.6f  ", (double)(s->now - SIM_START) / 1e9);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
}

static const struct options *options_for(void *ctx, const char *host)
{
    struct sim *s = ctx;
    return &s->hosts[sim_host_index(host)].options;
}

static void wake(void *ctx, uint32_t worker)
{
    struct sim *s = ctx;
    s->asks[worker] = true;
    TRACE(s, "worker %u is woken", worker);
}

static void drained(void *ctx)
{
    ((struct sim *)ctx)->drained++;
}

/* ------------------------------------------------------------------ exchanges and commits */

struct exchange *run_begin(struct sim *s, struct job *job, uint32_t worker)
{
    struct exchange *x = calloc(1, sizeof *x);
    RULE(s, x && s->exchange_count < SIM_SLOTS);
    x->job = job;
    x->worker = worker;
    s->exchanges[s->exchange_count++] = x;
    return x;
}

void run_forget(struct sim *s, struct exchange *x)
{
    uint32_t i = 0;
    while (s->exchanges[i] != x)
        i++;
    s->exchanges[i] = s->exchanges[--s->exchange_count];
    if (x->part && x->part->x == x)
        x->part->x = NULL;
    free(x);
}

static void commit_one(struct sim *s, uint32_t i)
{
    struct job *job = s->sealed[i].job;
    s->sealed[i] = s->sealed[--s->sealed_count];
    if (job) {
        struct sim_job *j = sim_job_of(s, job);
        RULE(s, j->state == JOB_SEALED);
        j->state = JOB_ENDED;
        s->ended++;
    } else {
        s->places--;
    }
    queue_done(s->queue, job);
}

/* The job waits for its commit from now on. */
void run_seal(struct sim *s, struct job *job)
{
    struct sim_job *j = sim_job_of(s, job);
    RULE(s, j->state == JOB_RUNNING);
    j->state = JOB_SEALED;
    if (sim_chance(s, 80))
        queue_settled(s->queue, job);
    if (s->sealed_count == SIM_SEALED)
        commit_one(s, (uint32_t)sim_below(s, SIM_SEALED));
    s->sealed[s->sealed_count++] =
        (struct sealed){job, s->now + (sim_chance(s, 30) ? 0 : sim_below(s, 50 * SIM_MS))};
}

static bool commit_due(struct sim *s)
{
    for (uint32_t i = 0; i < s->sealed_count; i++)
        if (s->sealed[i].when <= s->now) {
            commit_one(s, i);
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------ input */

/* A record that needs no transfer takes a place and goes to the commit at once. */
static void enter(struct sim *s)
{
    struct queue_counts c;
    queue_counts(s->queue, &c);
    if (s->cancelled || c.inside >= s->env.capacity || s->sealed_count == SIM_SEALED)
        return;
    RULE(s, queue_enter(s->queue) == OK);
    s->places++;
    s->sealed[s->sealed_count++] = (struct sealed){NULL, s->now + sim_below(s, 50 * SIM_MS)};
    sim_reached(s, SIM_entered);
}

static bool feed(struct sim *s)
{
    bool any = false;
    s->blocked = false;
    while (s->next_job < s->job_count && s->jobs[s->next_job].comes <= s->now) {
        if (sim_chance(s, 3))
            enter(s);
        struct job *job = world_job(s, s->next_job);
        status st = queue_try_put(s->queue, job);
        if (st) {
            RULE(s, st == (s->cancelled ? WEIR_CANCELLED : WEIR_AGAIN));
            job_free(job);
            s->blocked = true;
            return any;
        }
        s->jobs[s->next_job].state = JOB_QUEUED;
        any = true;
        if (++s->next_job == s->job_count)
            queue_end_of_input(s->queue);
    }
    return any;
}

/* ------------------------------------------------------------------ workers */

static bool ask(struct sim *s, uint32_t worker)
{
    if (s->gone[worker] || (!s->asks[worker] && s->told[worker] > s->now))
        return false;
    s->asks[worker] = false;
    for (;;) {
        struct job *job = NULL;
        enum queue_answer a = queue_try_take(s->queue, worker, s->now, &job, &s->told[worker]);
        if (a != QUEUE_TOOK) {
            RULE(s, s->told[worker] > s->now);
            RULE(s, a != QUEUE_ENDED || s->cancelled || s->next_job == s->job_count);
            s->gone[worker] = a == QUEUE_ENDED;
            return true;
        }
        rules_taken(s, job, worker);
        job_taken(s, job, worker);
    }
}

static bool exchange_due(struct sim *s)
{
    uint32_t from = s->exchange_count ? (uint32_t)sim_below(s, s->exchange_count) : 0;
    for (uint32_t i = 0; i < s->exchange_count; i++) {
        struct exchange *x = s->exchanges[(from + i) % s->exchange_count];
        if (x->when <= s->now) {
            exchange_goes_on(s, x);
            return true;
        }
    }
    return false;
}

static bool anybody_asks(const struct sim *s)
{
    for (uint32_t w = 0; w < s->env.workers; w++)
        if (s->asks[w] && !s->gone[w])
            return true;
    return false;
}

static bool all_gone(const struct sim *s)
{
    for (uint32_t w = 0; w < s->env.workers; w++)
        if (!s->gone[w])
            return false;
    return true;
}

/* ------------------------------------------------------------------ the cancel */

/* As a run ends that is cancelled: the queue is closed, workers cut what they have, and what was
 * not begun is handed out to be reported. */
static void cancel(struct sim *s)
{
    TRACE(s, "the run is cancelled");
    sim_reached(s, SIM_cancels);
    s->cancelled = true;
    queue_close(s->queue);
    while (s->exchange_count) {
        uint32_t i = 0; /* a job's own exchange may have ended while extra ones go on */
        struct job *job = s->exchanges[i]->job;
        job_cut(s, job, s->exchanges[i]->worker);
    }
}

static void hand_out_rest(struct sim *s)
{
    for (struct job *job; (job = queue_rest(s->queue, true));) {
        struct sim_job *j = sim_job_of(s, job);
        RULE(s, j->state == JOB_QUEUED);
        j->state = JOB_ENDED;
        s->ended++;
        queue_done(s->queue, job);
    }
}

/* ------------------------------------------------------------------ a run */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_instant(const struct sim *s)
{
    uint64_t next = s->cancelled ? TIME_NEVER : s->cancel_at;
    for (uint32_t i = 0; i < s->exchange_count; i++)
        next = earlier(next, s->exchanges[i]->when);
    for (uint32_t i = 0; i < s->sealed_count; i++)
        next = earlier(next, s->sealed[i].when);
    for (uint32_t w = 0; w < s->env.workers; w++)
        if (!s->gone[w])
            next = earlier(next, s->told[w]);
    if (s->next_job < s->job_count && !s->blocked)
        next = earlier(next, s->jobs[s->next_job].comes);
    return next;
}

/* Everything that can happen at this instant, in some order. */
static bool step(struct sim *s)
{
    bool moved = !s->cancelled && feed(s);
    uint32_t from = (uint32_t)sim_below(s, s->env.workers);
    for (uint32_t i = 0; i < s->env.workers; i++)
        moved |= ask(s, (from + i) % s->env.workers);
    moved |= exchange_due(s);
    if (sim_chance(s, 50))
        moved |= commit_due(s);
    rules_step(s);
    return moved;
}

static void go(struct sim *s)
{
    while (!all_gone(s)) {
        RULE(s, ++s->steps < STEPS_MOST);
        if (step(s) || commit_due(s) || anybody_asks(s))
            continue;
        rules_asleep(s);
        uint64_t next = next_instant(s);
        RULE(s, next != TIME_NEVER); /* else nothing would ever happen again */
        RULE(s, next > s->now);
        RULE(s, next < s->ends_by);
        s->now = next;
        if (!s->cancelled && s->now >= s->cancel_at)
            cancel(s);
    }
}

void run_seed(uint64_t seed, bool trace, uint64_t *reached)
{
    struct sim *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->trace = trace;
    s->reached = reached;
    world_open(s, seed);
    s->env.wake = wake;
    s->env.drained = drained;
    s->env.ctx = s;
    s->env.options_for = options_for;
    s->env.options_ctx = s;
    rules_open(s);
    RULE(s, queue_open(&s->queue, &s->env, NULL) == OK);
    for (uint32_t w = 0; w < s->env.workers; w++) /* as run.c does, so that all are hungry */
        s->asks[w] = true;
    go(s);
    hand_out_rest(s);
    while (s->sealed_count)
        commit_one(s, s->sealed_count - 1);
    rules_end(s);
    queue_free(s->queue);
    world_close(s);
    free(s);
}

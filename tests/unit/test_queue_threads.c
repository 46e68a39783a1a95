/* The queue under real threads, for ThreadSanitizer above all: producers that block, workers that
 * sleep until they are woken or their instant comes, and a committer.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "queue/queue.h"

#include <cmocka.h>

#define JOBS 200000u
#define PRODUCERS 2
#define WORKERS 4
#define HOSTS 20

struct sleeper {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken;
};

struct threads {
    struct queue *queue;
    struct options options;
    struct sleeper sleepers[WORKERS];
    _Atomic uint32_t in_flight, host_in_flight[HOSTS], worker_in_flight[WORKERS];
    _Atomic uint32_t done, producing, drained, wrong;
    _Atomic uint8_t *handled;
    uint32_t concurrency;
};

static const struct options *options_for(void *ctx, const char *host)
{
    return ctx;
}

static void wake(void *ctx, uint32_t worker)
{
    struct sleeper *s = &((struct threads *)ctx)->sleepers[worker];
    pthread_mutex_lock(&s->lock);
    s->woken = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static void drained(void *ctx)
{
    ((struct threads *)ctx)->drained++;
}

/* As a worker waits in its loop: until woken or `when`. */
static void sleep_until(struct sleeper *s, uint64_t when)
{
    struct timespec ts = {.tv_sec = (time_t)(when / NS_PER_S), .tv_nsec = (long)(when % NS_PER_S)};
    pthread_mutex_lock(&s->lock);
    while (!s->woken)
        if (when == TIME_NEVER)
            pthread_cond_wait(&s->cond, &s->lock);
        else if (pthread_cond_timedwait(&s->cond, &s->lock, &ts) == ETIMEDOUT)
            break;
    s->woken = false;
    pthread_mutex_unlock(&s->lock);
}

struct producer {
    struct threads *t;
    uint32_t number;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    struct threads *t = p->t;
    for (uint32_t i = p->number; i < JOBS; i += PRODUCERS) {
        char host[32];
        snprintf(host, sizeof host, "host%u:80", i < JOBS / 4 ? 0 : i / PRODUCERS % HOSTS);
        struct job *job = job_new(&(struct job_text){.url = "http://x/", .authority = host});
        job->index = i;
        if (queue_put(t->queue, job))
            t->wrong++;
        if (i % 1000 == 0 && queue_enter(t->queue) == OK)
            queue_done(t->queue, NULL);
    }
    if (--t->producing == 0)
        queue_end_of_input(t->queue);
    return NULL;
}

static void work_on(struct threads *t, uint32_t worker, struct job *job, struct rng *rng)
{
    uint32_t host = (uint32_t)atoi(job_text(job, job->authority) + 4);
    uint64_t dice = rng_below(rng, 1000), now = clock_now();
    struct host_report r = {.verdict = HOST_ANSWERED};
    if (++t->in_flight > t->concurrency || ++t->host_in_flight[host] > 3 ||
        ++t->worker_in_flight[worker] > t->concurrency / WORKERS)
        t->wrong++;
    if (dice < 20 && job->attempts++ < 5)
        r.verdict = HOST_SILENT;
    else if (dice < 21)
        r = (struct host_report){HOST_REFUSED, WEIR_RATE_LIMITED, .hold_until = now + NS_PER_MS};
    t->in_flight--;
    t->host_in_flight[host]--;
    t->worker_in_flight[worker]--;
    if (r.verdict == HOST_ANSWERED && job->probe)
        queue_answered(t->queue, job, now);
    queue_slot_free(t->queue, job, &r, now);
    if (r.verdict != HOST_ANSWERED) {
        job->worker = dice % 2 ? (int32_t)worker : -1;
        queue_put_later(t->queue, job, NULL, now + dice * 10000);
        return;
    }
    if (t->handled[job->index]++)
        t->wrong++;
    if (dice % 2)
        queue_settled(t->queue, job);
    queue_done(t->queue, job);
    t->done++;
}

struct worker_arg {
    struct threads *t;
    uint32_t number;
};

static void *work(void *arg)
{
    struct worker_arg *w = arg;
    struct threads *t = w->t;
    struct rng rng;
    rng_seed(&rng, 1 + w->number);
    for (;;) {
        struct job *job, *taken[64];
        size_t n = 0;
        uint64_t when;
        enum queue_answer a;
        while ((a = queue_try_take(t->queue, w->number, clock_now(), &job, &when)) == QUEUE_TOOK)
            taken[n++] = job;
        if (a == QUEUE_ENDED)
            return NULL;
        for (size_t i = 0; i < n; i++)
            work_on(t, w->number, taken[i], &rng);
        if (n == 0)
            sleep_until(&t->sleepers[w->number], when);
    }
}

static void *watch(void *arg)
{
    struct threads *t = arg;
    while (t->done < JOBS) {
        struct queue_counts c;
        queue_counts(t->queue, &c);
        if (c.inside > 512 || c.in_flight > t->concurrency)
            t->wrong++;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return NULL;
}

static void open_threads(struct threads *t, size_t capacity, bool overflow)
{
    memset(t, 0, sizeof *t);
    t->concurrency = 16;
    t->options.limits_per_host = 3;
    t->handled = calloc(JOBS, sizeof *t->handled);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    for (int i = 0; i < WORKERS; i++) {
        pthread_mutex_init(&t->sleepers[i].lock, NULL);
        pthread_cond_init(&t->sleepers[i].cond, &attr);
    }
    pthread_condattr_destroy(&attr);
    struct queue_env env = {.capacity = capacity,
                            .concurrency = t->concurrency,
                            .workers = WORKERS,
                            .wake = wake,
                            .drained = drained,
                            .ctx = t,
                            .options_for = options_for,
                            .options_ctx = &t->options,
                            .overflow = overflow};
    assert_int_equal(queue_open(&t->queue, &env, NULL), OK);
}

static void close_threads(struct threads *t)
{
    queue_free(t->queue);
    for (int i = 0; i < WORKERS; i++) {
        pthread_mutex_destroy(&t->sleepers[i].lock);
        pthread_cond_destroy(&t->sleepers[i].cond);
    }
    free(t->handled);
}

static void run(bool overflow)
{
    static struct threads t;
    pthread_t producers[PRODUCERS], workers[WORKERS], watcher;
    struct producer p[PRODUCERS];
    struct worker_arg w[WORKERS];
    open_threads(&t, 512, overflow);
    t.producing = PRODUCERS;
    for (uint32_t i = 0; i < WORKERS; i++) {
        w[i] = (struct worker_arg){&t, i};
        assert_int_equal(pthread_create(&workers[i], NULL, work, &w[i]), 0);
    }
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        p[i] = (struct producer){&t, i};
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &p[i]), 0);
    }
    pthread_create(&watcher, NULL, watch, &t);
    for (uint32_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    pthread_join(watcher, NULL);
    assert_int_equal(t.done, JOBS);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.drained, 1);
    close_threads(&t);
}

static void threads_handle_every_job_once_within_limits(void **state)
{
    run(false);
}

static void threads_with_overflow_handle_every_job_once(void **state)
{
    run(true);
}

struct blocked {
    struct threads *t;
    _Atomic int puts, tid;
    status last;
};

static void *put_until_refused(void *arg)
{
    struct blocked *b = arg;
    b->tid = (int)gettid();
    for (;;) {
        struct job *job = job_new(&(struct job_text){.url = "http://x/", .authority = "host1:80"});
        b->last = queue_put(b->t->queue, job);
        if (b->last) {
            job_free(job);
            return NULL;
        }
        b->puts++;
    }
}

/* Waits for a count that another thread brings about; the test's time limit is the only clock. */
static void await(_Atomic int *count, int wanted)
{
    while (*count < wanted)
        sched_yield();
}

/* Waits until a thread of this process sleeps. */
static void await_sleep(_Atomic int *tid)
{
    char path[64], text[512], state = 0;
    await(tid, 1);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)*tid);
    while (state != 'S') {
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = '\0';
        const char *name_end = strrchr(text, ')');
        state = name_end ? name_end[2] : 0;
        sched_yield();
    }
}

static void queue_put_blocks_when_full_until_a_job_is_done_or_the_queue_closes(void **state)
{
    static struct threads t;
    open_threads(&t, 10, false);
    struct blocked b = {.t = &t};
    pthread_t thread;
    pthread_create(&thread, NULL, put_until_refused, &b);
    await(&b.puts, 5); /* half of ten */
    struct job *job = NULL;
    uint64_t when;
    assert_int_equal(queue_try_take(t.queue, 0, clock_now(), &job, &when), QUEUE_TOOK);
    struct host_report r = {.verdict = HOST_ANSWERED};
    queue_slot_free(t.queue, job, &r, clock_now());
    queue_done(t.queue, job);
    await(&b.puts, 6);
    queue_close(t.queue);
    pthread_join(thread, NULL);
    assert_int_equal(b.last, WEIR_CANCELLED);
    assert_int_equal(b.puts, 6);
    close_threads(&t);
}

static void *enter_once(void *arg)
{
    struct blocked *b = arg;
    b->last = queue_enter(b->t->queue);
    b->puts++;
    return NULL;
}

static void queue_enter_blocks_when_full(void **state)
{
    static struct threads t;
    open_threads(&t, 1, false);
    struct blocked b = {.t = &t, .last = WEIR_AGAIN};
    pthread_t thread;
    assert_int_equal(queue_enter(t.queue), OK);
    pthread_create(&thread, NULL, enter_once, &b);
    assert_int_equal(b.puts, 0);
    queue_done(t.queue, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(b.last, OK);
    queue_done(t.queue, NULL);
    close_threads(&t);
}

static void blocked_put_goes_on_by_overflow_when_a_worker_turns_hungry(void **state)
{
    static struct threads t;
    open_threads(&t, 10, true);
    struct blocked b = {.t = &t};
    struct job *held = NULL, *none;
    uint64_t when, now = clock_now();
    pthread_t thread;
    pthread_create(&thread, NULL, put_until_refused, &b);
    await(&b.puts, 5);
    assert_int_equal(queue_try_take(t.queue, 0, now, &held, &when), QUEUE_TOOK);
    struct host_report r = {HOST_REFUSED, WEIR_RATE_LIMITED, .hold_until = now + 3600 * NS_PER_S};
    queue_slot_free(t.queue, held, &r, now);
    queue_put_later(t.queue, held, NULL, now);
    await_sleep(&b.tid); /* no worker has asked in vain yet */
    assert_int_equal(queue_try_take(t.queue, 0, now, &none, &when), QUEUE_EMPTY);
    await(&b.puts, 1000); /* of a host that is held for an hour */
    queue_close(t.queue);
    pthread_join(thread, NULL);
    close_threads(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_put_blocks_when_full_until_a_job_is_done_or_the_queue_closes),
        cmocka_unit_test(queue_enter_blocks_when_full),
        cmocka_unit_test(blocked_put_goes_on_by_overflow_when_a_worker_turns_hungry),
        cmocka_unit_test(threads_handle_every_job_once_within_limits),
        cmocka_unit_test(threads_with_overflow_handle_every_job_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

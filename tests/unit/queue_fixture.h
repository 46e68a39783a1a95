/* A queue on one thread under a made-up clock, for the tests of its behaviours.
 */
#ifndef WEIR_TESTS_QUEUE_FIXTURE_H
#define WEIR_TESTS_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "queue/queue.h"

#include <cmocka.h>

#define S ((uint64_t)NS_PER_S)
#define START (1000 * S)
#define MAX_WORKERS 4

struct bench {
    struct queue *queue;
    struct queue_env env;
    struct options options;
    uint64_t now, next_index;
    int wakes[MAX_WORKERS], drained;
};

static inline const struct options *options_for(void *ctx, const char *host)
{
    return ctx;
}

static inline void wake(void *ctx, uint32_t worker)
{
    ((struct bench *)ctx)->wakes[worker]++;
}

static inline void drained(void *ctx)
{
    ((struct bench *)ctx)->drained++;
}

/* Opens a queue; what `env` leaves 0 is roomy. */
static inline struct bench *open_bench(struct bench *b, struct queue_env env, int64_t per_host)
{
    memset(b, 0, sizeof *b);
    b->now = START;
    b->options.limits_per_host = per_host;
    b->env = env;
    b->env.capacity = env.capacity ? env.capacity : 4096;
    b->env.concurrency = env.concurrency ? env.concurrency : 16;
    b->env.workers = env.workers ? env.workers : 1;
    b->env.wake = wake;
    b->env.drained = drained;
    b->env.ctx = b;
    b->env.options_for = options_for;
    b->env.options_ctx = &b->options;
    assert_int_equal(queue_open(&b->queue, &b->env, NULL), OK);
    return b;
}

static inline status put(struct bench *b, const char *host)
{
    struct job *job = job_new(&(struct job_text){.url = "http://x/", .authority = host});
    job->index = b->next_index;
    status st = queue_try_put(b->queue, job);
    if (st)
        job_free(job);
    else
        b->next_index++;
    return st;
}

static inline void put_n(struct bench *b, const char *host, int n)
{
    while (n-- > 0)
        assert_int_equal(put(b, host), OK);
}

static inline struct job *take(struct bench *b, uint32_t worker)
{
    struct job *job = NULL;
    uint64_t when;
    return queue_try_take(b->queue, worker, b->now, &job, &when) == QUEUE_TOOK ? job : NULL;
}

/* Nothing for the worker now; returns when to ask again. */
static inline uint64_t take_nothing(struct bench *b, uint32_t worker)
{
    struct job *job = NULL;
    uint64_t when = 0;
    assert_int_equal(queue_try_take(b->queue, worker, b->now, &job, &when), QUEUE_EMPTY);
    return when;
}

static inline bool ends(struct bench *b, struct job *job, enum host_verdict verdict,
                        uint64_t hold_until)
{
    struct host_report r = {.verdict = verdict, .failure = WEIR_CONNECT, .hold_until = hold_until};
    return queue_slot_free(b->queue, job, &r, b->now);
}

static inline void finish(struct bench *b, struct job *job)
{
    ends(b, job, HOST_ANSWERED, 0);
    queue_done(b->queue, job);
}

static inline struct queue_counts counts(struct bench *b)
{
    struct queue_counts c;
    queue_counts(b->queue, &c);
    return c;
}

#endif

/* The simulation of the decisions: whole runs of the queue, the host table, the buckets, the
 * retries, the mirrors and the plan of segments, through their own code, under a made-up clock.
 *
 *   world   what a seed stands for: limits, hosts and their moods, jobs and when they come
 *   run     the clock: input, workers that ask, exchanges that go on, commits, the cancel
 *   job     what a worker does with a job it took, as engine/fetch.c and engine/ending.c do it
 *   parts   a body in several ranges, as engine/segments.c does it
 *   rules   a second bookkeeping beside the queue's own, and what must hold at each step
 *
 * What is real: queue, limit, engine/retry, engine/mirror, engine/segment_plan, core/clock's random
 * generator. What is made up: time, the network and the disk. One thread a run, and nothing in it
 * depends on anything but the seed, so that a failure can be had again.
 *
 * Workers here are stricter than real ones: they ask only when they were woken, when an instant
 * that they were told has come, or after they freed a slot. A wake that is missing shows at once.
 */
#ifndef WEIR_TESTS_SIM_H
#define WEIR_TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mirror.h"
#include "engine/retry.h"
#include "engine/segment_plan.h"
#include "queue/lane.h"

#define SIM_START (1000 * (uint64_t)NS_PER_S)
#define SIM_MS ((uint64_t)NS_PER_MS)
#define SIM_S ((uint64_t)NS_PER_S)
#define SIM_HOSTS 24
#define SIM_WORKERS 6
#define SIM_SLOTS 32 /* the most that run.concurrency is here */
#define SIM_MIRRORS 4
#define SIM_PARTS 16
#define SIM_BLOCK ((int64_t)64 << 10)
#define SIM_CHUNK (4 * SIM_BLOCK)
#define SIM_BLOCKS 256 /* of the largest body */
#define SIM_SEALED 64
#define SIM_MAX_HOPS 3

/* What the seeds have reached: a simulation that never holds a host proves nothing about holds. */
#define SIM_EVENTS(X)                                                                              \
    X(takes)                                                                                       \
    X(retries)                                                                                     \
    X(holds)                                                                                       \
    X(probes)                                                                                      \
    X(downs) X(too_long) X(hops) X(moves) X(refused_bodies) X(extras) X(pressed) X(heirs)          \
        X(overflowed) X(cancels) X(pinned) X(pauses) X(entered)
enum sim_event {
#define X(name) SIM_##name,
    SIM_EVENTS(X)
#undef X
        SIM_EVENT_COUNT
};

/* A leaky bucket: what flows in never stands higher than `most`. */
struct leak {
    double rate, most, level;
    uint64_t at;
};

struct sim_host {
    char authority[16];
    struct options options;
    /* how it behaves */
    uint32_t trouble;                /* percent of its answers */
    uint64_t away_from, away_to;     /* not to be reached */
    uint64_t closed_from, closed_to; /* answers 429 or 503 */
    uint32_t speed;                  /* nanoseconds a KiB */
    /* what the rules know of it */
    uint32_t in_flight;
    uint64_t held_until, down_until;
    bool probing, probe_out, away; /* away: it asked for a longer pause than is waited for */
    uint32_t failures;
    uint64_t first_failure;
    uint32_t passed; /* takes of others while it could have been taken from */
    int64_t last_fresh;
    struct leak starts, bytes;
};

enum job_state { JOB_OUTSIDE, JOB_QUEUED, JOB_RUNNING, JOB_SEALED, JOB_ENDED };

struct exchange;

/* A range of a body: got by an exchange, or still to be asked for. */
struct part {
    bool used;
    int64_t at, to, from;
    uint64_t asked, answered, not_before;
    struct exchange *x;
};

struct sim_job {
    enum job_state state;
    uint64_t comes; /* instant */
    int64_t size;   /* of its body, a multiple of SIM_BLOCK */
    uint32_t hosts[SIM_MIRRORS], mirrors, wanted;
    bool vouched;
    uint32_t sent;  /* requests but hops, by our own count */
    int32_t hop;    /* the host that a redirect has led to, -1 = none */
    uint32_t owner; /* worker, while it is kept */
    bool no_split;
    struct part parts[SIM_PARTS];
    uint32_t active, growth;
    bool own_slot_used;
    int64_t attempt_bytes;
    bool bad; /* some of its body came damaged */
    uint8_t got[SIM_BLOCKS];
};

enum answer_kind { SAYS_OK, SAYS_STATUS, SAYS_NOTHING, SAYS_HOP };

struct answer {
    enum answer_kind kind;
    status outcome;
    int http_status;
    int64_t retry_after_ns;
    uint64_t latency;
    int64_t lasts; /* bytes that come; -1 = all */
    uint32_t to;   /* SAYS_HOP: host */
    bool bad;
};

enum exchange_phase { X_HEAD, X_BODY, X_END };

struct exchange {
    struct job *job;
    uint32_t worker, host, mirror;
    struct host *extra; /* of queue_more; NULL: it has the job's own slot */
    struct part *part;
    struct answer answer;
    enum exchange_phase phase;
    uint64_t when;
    int64_t until;
    bool paused;
    bool first; /* of an attempt: only its answer may lead to another host */
};

struct sealed {
    struct job *job; /* NULL: only a place */
    uint64_t when;
};

struct sim {
    uint64_t seed;
    bool trace;
    struct rng rng, jitter;
    struct queue *queue;
    struct queue_env env;
    struct mirror_board *board;
    struct pacer pacer;
    uint64_t now, ends_by, cancel_at, steps;
    uint32_t host_count, job_count, next_job, ended;
    struct sim_host hosts[SIM_HOSTS];
    struct sim_job *jobs;
    struct exchange *exchanges[SIM_SLOTS];
    uint32_t exchange_count;
    struct sealed sealed[SIM_SEALED];
    uint32_t sealed_count, places; /* entered without a job */
    uint32_t in_flight, slots[SIM_WORKERS];
    bool asks[SIM_WORKERS], gone[SIM_WORKERS];
    uint64_t told[SIM_WORKERS];
    bool blocked; /* the input waits for room */
    bool cancelled;
    int drained;
    struct leak starts, bytes;
    uint64_t *reached; /* by enum sim_event */
};

/* Ends the process with the seed, the instant and what was wanted. */
_Noreturn void sim_fail(const struct sim *s, const char *file, int line, const char *what);
void sim_trace(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define RULE(s, condition)                                                                         \
    do                                                                                             \
        if (!(condition))                                                                          \
            sim_fail(s, __FILE__, __LINE__, #condition);                                           \
    while (0)
#define TRACE(s, ...)                                                                              \
    do                                                                                             \
        if ((s)->trace)                                                                            \
            sim_trace(s, __VA_ARGS__);                                                             \
    while (0)

static inline void sim_reached(struct sim *s, enum sim_event event)
{
    s->reached[event]++;
}
static inline struct sim_job *sim_job_of(struct sim *s, const struct job *job)
{
    return &s->jobs[job->index];
}
static inline uint32_t sim_host_index(const char *authority)
{
    return (uint32_t)strtoul(authority + 1, NULL, 10);
}
static inline uint64_t sim_below(struct sim *s, uint64_t bound)
{
    return rng_below(&s->rng, bound);
}
static inline bool sim_chance(struct sim *s, uint32_t percent)
{
    return rng_below(&s->rng, 100) < percent;
}

/* sim_world.c */
void world_open(struct sim *s, uint64_t seed);
void world_close(struct sim *s);
void world_answer(struct sim *s, struct exchange *x);
struct job *world_job(struct sim *s, uint32_t index);

/* sim_run.c */
void run_seed(uint64_t seed, bool trace, uint64_t *reached);
void run_seal(struct sim *s, struct job *job);
struct exchange *run_begin(struct sim *s, struct job *job, uint32_t worker);
void run_forget(struct sim *s, struct exchange *x);

/* sim_job.c: `worker` has taken the job; something happens to an exchange; the run is cancelled. */
void job_taken(struct sim *s, struct job *job, uint32_t worker);
void exchange_goes_on(struct sim *s, struct exchange *x);
void job_cut(struct sim *s, struct job *job, uint32_t worker);
void job_judge(struct sim *s, struct exchange *x, bool answered);
void job_whole(struct sim *s, struct exchange *x);

/* sim_parts.c */
void parts_reset(struct sim_job *j);
struct part *parts_gap(struct sim *s, struct sim_job *j);
/* Sends the request for a part (NULL: for an empty body), with a slot of queue_more or the job's
 * own. */
struct exchange *parts_ask(struct sim *s, struct job *job, uint32_t worker, struct part *p,
                           uint32_t mirror, struct host *extra);
int64_t parts_limit(const struct exchange *x); /* so far it goes */
void parts_split(struct sim *s, struct exchange *x);
void parts_chunk(struct sim *s, struct exchange *x);
/* The exchange of a part has ended. */
void parts_ended(struct sim *s, struct exchange *x, bool answered);
void parts_cut(struct sim *s, struct job *job);

/* sim_rules.c */
void rules_open(struct sim *s);
void rules_taken(struct sim *s, const struct job *job, uint32_t worker);
void rules_more(struct sim *s, uint32_t host, uint32_t worker);
void rules_answered(struct sim *s, uint32_t host, bool probe);
/* The slot of an exchange, or of a job, comes back. Call it before the queue hears. */
void rules_ended(struct sim *s, uint32_t host, uint32_t worker, const struct host_report *r,
                 bool probe, bool was_down);
void rules_bytes(struct sim *s, uint32_t host, int64_t bytes);
void rules_debt_left(struct sim *s, uint32_t host); /* an exchange was cut while it paused */
void rules_decision(struct sim *s, const struct retry_facts *facts, const struct options *options,
                    const struct retry_decision *d);
void rules_step(struct sim *s);
void rules_asleep(struct sim *s); /* nobody is about to ask: nothing may be there to take */
void rules_end(struct sim *s);

#endif

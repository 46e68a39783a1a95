/* The run: what the engine's threads share.
 *
 *   weir_engine ── config, options, inputs, callbacks        set before the run, then read-only
 *     ├── feeder  (1 thread)   inputs -> jobs -> queue
 *     ├── queue                lanes, slots, hosts           its own lock
 *     ├── worker  (N threads)  queue -> fetches -> outcomes  each its own loop
 *     ├── commit  (1 thread)   outcomes -> files, reports, callbacks
 *     └── counters             relaxed atomics
 *
 * A job belongs to one thread at a time: feeder, queue, worker, commit, in this order, and back to
 * the queue for a retry. Nothing here is locked but what says so.
 */
#ifndef WEIR_ENGINE_RUN_H
#define WEIR_ENGINE_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "config/options.h"
#include "core/clock.h"
#include "queue/queue.h"
#include "report/report.h"
#include "sink/name.h"
#include "sink/sink.h"
#include "stage/chain.h"

struct worker;
struct commit;
struct outcome;
struct input;
struct stream_writer;
struct out_file;
struct mirror_board;
struct journal;

struct counters {
    _Atomic uint64_t found, done, skipped, failed, retried, unchecked, duplicates, removed;
    _Atomic uint64_t failed_by_class[WEIR_STATUS_COUNT];
    _Atomic uint64_t lines_in, lines_out, bad_records, long_lines;
    _Atomic int64_t bytes, bytes_known, sent;
    _Atomic uint32_t kept_waiting; /* fetches kept alive while they wait */
    _Atomic bool all_found;
};

struct weir_engine {
    /* set before the run */
    weir_config *config;
    bool owns_config;
    const struct options *options;
    weir_callbacks callbacks;
    void *user;
    void (*on_event)(const weir_event *event, void *user);
    void *event_user;
    const weir_stage_type **stages;
    size_t stage_count;
    struct input *inputs, **inputs_end;
    bool dry_run;
    bool sends; /* records of lists are uploads */
    weir_verify verify;
    bool no_reports;
    _Atomic bool has_job_callbacks; /* some job brought its own */
    _Atomic bool has_body_jobs;     /* some job saves its body as sent */
    weir_save save;                 /* of jobs that leave it open */
    int out_fd;                     /* bodies go there instead of to files; -1 = to files */
    char *out_name;
    bool in_order;                /* ... in list order, also where lines could mix */
    struct out_file *out_file;    /* behind out_fd where that is a file of ours */
    struct stage_setup setup;     /* of the built-in stages */
    struct pattern_set *patterns; /* owned; the setup has it too */
    struct json_program *program; /* likewise */
    uint64_t matcher_hash;        /* of the patterns or the program */

    /* the run itself */
    int dirfd;   /* save.dir; -1 where it does not exist yet (dry run) */
    int stop_fd; /* eventfd, readable once the run is to stop */
    struct sink_env file_env, stream_env;
    struct stream_writer *writer;
    struct out_file *bad_file; /* of bad records; NULL: none */
    struct stream_writer *bad_writer;
    struct queue *queue;
    struct pacer pacer;           /* limits.bandwidth */
    struct journal *journal;      /* NULL: none is kept */
    struct mirror_board *mirrors; /* what the run has learnt of them */
    struct worker *workers;
    uint32_t worker_count, processors;
    struct commit *commit;
    pthread_t feeder_thread;
    uint64_t started;
    struct counters counters;
    _Atomic bool running;
    _Atomic bool stopping;
    _Atomic bool draining; /* take no more, let what is in flight end (save.min_free) */
    _Atomic uint64_t next_disk_check;
    _Atomic uint64_t starved_since; /* no descriptor was left, and nothing has been completed since
                                       this instant; 0 = no want */

    char *first_origin; /* "scheme://host:port" of the first URL: credentials bind to
                           it. Set by the feeder before the first job is queued */
    _Atomic bool said_credentials, said_bad_record, said_long_line;
    _Atomic uint64_t unsettled;  /* jobs admitted that may still need a transfer */
    _Atomic uint64_t unfinished; /* jobs admitted whose on_end has not returned */

    pthread_mutex_t lock;
    /* guarded by lock */
    struct job *added, **added_end; /* by weir_engine_add: raw, not named yet; for the feeder */
    size_t added_count;
    bool kept_open;      /* weir_engine_keep_open without its _finish */
    bool fed;            /* the feeder has ended: nothing more can be added */
    pthread_cond_t feed; /* for the feeder: added, finished, or stopping */
    pthread_cond_t room; /* for weir_engine_add: the feeder has taken some */
    status stop_status;  /* why the run stops; OK = it does not */
    error stop_error;
};

/* Leaves the report files of the configuration alone: for an engine that serves another. */
void engine_without_reports(struct weir_engine *engine);

/* What each of the transfers gets of `total` bytes: run.buffer at most, 16 KiB at least. */
size_t buffer_share(const struct options *o, size_t total);

/* Posts the outcome of a job, which needs no more transfers. Takes it; NULL: there was no memory
 * for it, and the job ends unheard. Any thread. */
void run_post(struct weir_engine *engine, struct outcome *outcome);
/* on_end of a job has returned, or there was no memory to call it. Any thread. */
void run_finished(struct weir_engine *engine);

/* Stops the run, once: the first reason counts. Any thread, no lock held. */
void run_stop(struct weir_engine *engine, status why, const error *err);
static inline bool run_stopping(struct weir_engine *engine)
{
    return atomic_load_explicit(&engine->stopping, memory_order_relaxed);
}

#endif

/* One run from start to end: opens what it needs, starts the threads, waits for them in the order
 * in which work flows, and sums up. The thread that calls weir_engine_run.
 */
#include "engine/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/thread.h"
#include "engine/commit.h"
#include "engine/feeder.h"
#include "engine/fetch.h"
#include "engine/filters.h"
#include "engine/journaling.h"
#include "engine/mirror.h"
#include "engine/plan.h"
#include "engine/worker.h"

#define GATHER_TOTAL (4 << 20)

static void wake_worker(void *ctx, uint32_t worker)
{
    struct weir_engine *e = ctx;
    worker_wake(&e->workers[worker]);
}

static void input_drained(void *ctx)
{
    struct weir_engine *e = ctx;
    commit_hurry(e->commit);
}

static const struct options *options_for(void *ctx, const char *host)
{
    struct weir_engine *e = ctx;
    return config_for_host(e->config, host);
}

static status open_directory(struct weir_engine *e, error *err)
{
    const char *dir = e->options->save_dir;
    e->file_env = (struct sink_env){.dirfd = -1, .dir = dir, .options = e->options};
    e->file_env.buffer = buffer_share(e->options, GATHER_TOTAL);
    if (!plan_saves_files(e))
        return OK;
    if (e->dry_run) {
        struct stat st;
        if (stat(dir, &st) < 0)
            return OK; /* nothing exists yet, nothing will be made */
        return fs_open_dir(&e->dirfd, dir, false, err);
    }
    bool reads = e->verify == WEIR_VERIFY_ONLY;
    status st = fs_open_dir(&e->dirfd, dir, !reads, err);
    if (st || reads)
        return st;
    e->file_env.dirfd = e->dirfd;
    if (faccessat(e->dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return fail_errno(err, WEIR_DISK, errno,
                          "%s: cannot be written to; choose another directory with --dir", dir);
    return OK;
}

static uint32_t concurrency(const struct weir_engine *e)
{
    return plan_one_at_a_time(e) ? 1 : (uint32_t)e->options->run_concurrency;
}

static uint32_t choose_workers(const struct weir_engine *e)
{
    if (e->options->run_workers > 0)
        return (uint32_t)e->options->run_workers;
    uint32_t wanted = (concurrency(e) + 3) / 4;
    if (wanted < 1)
        return 1;
    return wanted < e->processors ? wanted : e->processors;
}

static uint32_t count_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (uint32_t)n;
}

/* Those in flight are held too, and there is to be something to choose the next from. */
static size_t jobs_in_memory(const struct weir_engine *e)
{
    size_t least = 2 * (size_t)concurrency(e), wanted = (size_t)e->options->run_queue;
    return wanted > least ? wanted : least;
}

static status open_queue(struct weir_engine *e, error *err)
{
    const struct options *o = e->options;
    struct queue_env env = {.capacity = jobs_in_memory(e),
                            .concurrency = concurrency(e),
                            .workers = e->worker_count,
                            .rate = o->limits_rate,
                            .wake = wake_worker,
                            .drained = input_drained,
                            .ctx = e,
                            .options_for = options_for,
                            .options_ctx = e,
                            .overflow = !plan_one_at_a_time(e)};
    pacer_init(&e->pacer, o->limits_bandwidth);
    return queue_open(&e->queue, &env, err);
}

static status open_workers(struct weir_engine *e, error *err)
{
    e->processors = count_processors();
    e->worker_count = choose_workers(e);
    e->workers = calloc(e->worker_count, sizeof *e->workers);
    e->mirrors = mirror_board_new();
    if (!e->workers || !e->mirrors) {
        e->worker_count = 0;
        return fail(err, WEIR_NOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < e->worker_count; i++) {
        status st = worker_open(&e->workers[i], e, i, err);
        if (st) {
            e->worker_count = i;
            return st;
        }
    }
    return OK;
}

static void wake_workers(void *ctx)
{
    struct weir_engine *e = ctx;
    for (uint32_t i = 0; i < e->worker_count; i++)
        worker_wake(&e->workers[i]);
}

static status open_writer(struct weir_engine *e, error *err)
{
    if (e->out_fd < 0)
        return OK;
    status st =
        stream_writer_open(&e->writer, e->out_fd, e->out_name, e->stop_fd, wake_workers, e, err);
    e->stream_env = (struct sink_env){
        .dirfd = -1, .dir = e->out_name, .options = e->options, .writer = e->writer};
    return st;
}

static status open_run(struct weir_engine *e, error *err)
{
    status st = name_template_check(e->options->save_name, err);
    if (!st)
        st = open_directory(e, err);
    if (!st)
        st = journaling_open(e, err);
    if (!st)
        st = open_workers(e, err);
    if (!st)
        st = filters_open(e, err);
    if (!st)
        st = open_writer(e, err);
    if (!st)
        st = open_queue(e, err);
    if (!st)
        st = commit_start(&e->commit, e, err);
    return st;
}

static void set_running(struct weir_engine *e, bool running)
{
    pthread_mutex_lock(&e->lock);
    atomic_store(&e->running, running);
    bool late = running && atomic_load(&e->stopping);
    e->fed = e->fed || !running;
    pthread_mutex_unlock(&e->lock);
    if (late) /* it was cancelled before there was a queue to close */
        queue_close(e->queue);
}

/* Asks once for every worker before any of them runs, so that all count as hungry when the first
 * jobs come: otherwise the one that wakes first would take more than its share. */
static void seat_workers(struct weir_engine *e)
{
    struct job *none;
    uint64_t when;
    for (uint32_t i = 0; i < e->worker_count; i++)
        queue_try_take(e->queue, i, clock_now(), &none, &when);
}

/* Starts the threads; returns when all have ended. */
static status run_threads(struct weir_engine *e, error *err)
{
    status st = OK;
    seat_workers(e);
    /* Under the lock, because a callback on the first worker may ask which threads are ours. */
    pthread_mutex_lock(&e->lock);
    for (uint32_t i = 0; i < e->worker_count && !st; i++)
        st = worker_start(&e->workers[i], err);
    pthread_mutex_unlock(&e->lock);
    int rc = 0;
    if (!st) {
        rc = thread_start(&e->feeder_thread, feeder_main, e);
        if (rc)
            st = fail_errno(err, WEIR_NOMEM, rc, "cannot start the feeder thread");
    }
    if (st)
        run_stop(e, st, err);
    else
        pthread_join(e->feeder_thread, NULL);
    for (uint32_t i = 0; i < e->worker_count; i++)
        if (e->workers[i].started)
            pthread_join(e->workers[i].thread, NULL);
    /* What nobody has begun, or what waited, ends as not done. A list on disk holds what has
     * overflowed; only a program that waits for on_end must hear of it. */
    struct job *job;
    bool all = e->callbacks.on_end || e->has_job_callbacks;
    while ((job = queue_rest(e->queue, all)) != NULL)
        fetch_abandon(e, job->fetch, job);
    return st;
}

static void close_run(struct weir_engine *e, error *err, status *st)
{
    if (e->commit) {
        error commit_error;
        status commit_status = commit_finish(e->commit, &commit_error);
        if (commit_status && !e->stop_status) {
            e->stop_status = commit_status;
            e->stop_error = commit_error;
        }
        e->commit = NULL;
    }
    if (e->stop_status && !*st) {
        *st = e->stop_status == WEIR_HTTP ? OK : e->stop_status;
        if (err)
            *err = e->stop_error;
    }
}

/* Jobs that were added and that no thread has seen, because the run was stopped or never began:
 * they hear of their end too. No thread is left that could call back meanwhile. */
static void end_added(struct weir_engine *e)
{
    error err;
    fail(&err, WEIR_CANCELLED, "the run was stopped before this URL was done");
    while (e->added) {
        struct job *job = e->added;
        e->added = job->next;
        weir_result result = {.outcome = WEIR_FAILED,
                              .url = job_text(job, job->url),
                              .id = job_text(job, job->id),
                              .error = &err};
        const weir_callbacks *cb = job->callbacks ? job->callbacks : &e->callbacks;
        if (cb->on_end)
            cb->on_end(&result, job->callbacks ? job->user : e->user);
        job_free(job);
    }
    e->added_end = &e->added;
    e->added_count = 0;
}

/* What the run wrote into one file gets its name, when the run has ended by itself. */
static status publish_out_file(struct weir_engine *e, error *err)
{
    status st = stream_writer_flush(e->writer, err);
    return st ? st : out_file_publish(e->out_file, e->options->save_durability, err);
}

static status close_outputs(struct weir_engine *e, bool ended, error *err)
{
    status st = OK, bad;
    if (ended && e->writer && e->out_file)
        st = publish_out_file(e, err);
    bad = filters_close(e, ended, st ? NULL : err);
    stream_writer_close(e->writer);
    e->writer = NULL;
    return st ? st : bad;
}

static void free_run(struct weir_engine *e)
{
    for (uint32_t i = 0; i < e->worker_count; i++)
        worker_close(&e->workers[i]);
    free(e->workers);
    e->workers = NULL;
    mirror_board_free(e->mirrors);
    e->mirrors = NULL;
    e->worker_count = 0;
    queue_free(e->queue);
    e->queue = NULL;
    journaling_close(e);
    if (e->dirfd >= 0)
        close(e->dirfd);
    e->dirfd = -1;
}

static void sum_up(struct weir_engine *e, weir_summary *out)
{
    weir_engine_stats(e, &out->stats);
    out->stats.in_flight = out->stats.waiting = 0;
    for (size_t i = 0; i < WEIR_STATUS_COUNT; i++)
        out->failed_by_class[i] = atomic_load(&e->counters.failed_by_class[i]);
    out->stopped_by = e->stop_status;
    out->reader_gone = e->writer && stream_writer_reader_gone(e->writer);
    if (e->queue) {
        struct queue_counts counts;
        queue_counts(e->queue, &counts);
        uint64_t elapsed = clock_now() - e->started;
        out->per_host_bound = counts.per_host_bound_ns > elapsed / 2 && elapsed > NS_PER_S;
    }
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024;
}

weir_status weir_engine_run(weir_engine *e, weir_summary *out, weir_error *err)
{
    weir_summary ignored;
    error own;
    out = out ? out : &ignored;
    err = err ? err : &own;
    *out = (weir_summary){0};
    error_clear(err);
    if (e->started)
        return fail(err, WEIR_USAGE, "an engine runs once; make another");
    e->started = clock_now();
    status st = open_run(e, err);
    if (st) {
        e->stop_status = st;
        e->stop_error = *err;
    } else {
        set_running(e, true);
        st = run_threads(e, err);
    }
    /* From here on nobody looks at workers and queue any more, who only has the engine. */
    set_running(e, false);
    close_run(e, err, &st);
    sum_up(e, out);
    status closed = close_outputs(e, !st && !e->stop_status && !e->dry_run, err);
    if (closed)
        out->stopped_by = st = closed;
    free_run(e);
    end_added(e);
    return st;
}

int weir_exit_code(const weir_summary *s)
{
    if (s->reader_gone)
        return 141;
    if (s->stopped_by == WEIR_CANCELLED)
        return 130;
    if (s->stopped_by == WEIR_DISK || s->stopped_by == WEIR_NOMEM)
        return 3;
    if (s->stopped_by == WEIR_USAGE || s->stopped_by == WEIR_CONFIG)
        return 2;
    uint64_t refused = s->failed_by_class[WEIR_CHECKSUM];
    if (s->stopped_by != OK || s->stats.failed > refused)
        return 1;
    return refused ? 4 : 0;
}

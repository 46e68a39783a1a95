/* The commit thread; see commit.h. Only `inbox` and what stands beside it is shared. */
#include "engine/commit.h"
#include "engine/journaling.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "core/thread.h"
#include "net/url.h"

#define GROUP_FILES 256
#define GROUP_BYTES (64 * 1000 * 1000)
#define GROUP_AGE (50 * NS_PER_MS)

struct commit {
    struct weir_engine *engine;
    pthread_t thread;
    bool started;
    struct report *report;
    struct failed_list *failed;
    error write_error; /* of the reports; status OK = none */

    /* the group, the thread's own */
    struct outcome *group[GROUP_FILES];
    size_t group_count;
    int64_t group_bytes;
    uint64_t group_since; /* instant of its first */

    pthread_mutex_t lock;
    pthread_cond_t filled;
    /* guarded by lock */
    struct outcome *inbox, **inbox_end;
    size_t inbox_count;
    bool asleep;    /* the thread waits on `filled` */
    bool wants_any; /* ... and has no group: the first outcome wakes it */
    bool hurry, closing;
};

bool commit_is_self(const struct commit *c)
{
    return c->started && pthread_equal(c->thread, pthread_self());
}

void commit_post(struct commit *c, struct outcome *o)
{
    o->next = NULL;
    pthread_mutex_lock(&c->lock);
    *c->inbox_end = o;
    c->inbox_end = &o->next;
    c->inbox_count++;
    /* A thread that gathers a group sleeps until its age is up; only a full group is worth a
     * wake-up before that. */
    bool wake = c->asleep && (c->wants_any || c->inbox_count >= GROUP_FILES);
    if (wake)
        c->asleep = false;
    pthread_mutex_unlock(&c->lock);
    if (wake)
        pthread_cond_signal(&c->filled);
}

void commit_hurry(struct commit *c)
{
    pthread_mutex_lock(&c->lock);
    c->hurry = true;
    pthread_mutex_unlock(&c->lock);
    pthread_cond_signal(&c->filled);
}

void commit_event(struct commit *c, weir_event_kind kind, const char *text, const char *host,
                  int64_t wait_ms, int attempt, const error *err)
{
    if (!c->engine->on_event)
        return;
    struct outcome *o = outcome_new();
    if (!o)
        return;
    o->event = kind;
    o->text = text ? strdup(text) : NULL;
    o->host = host ? strdup(host) : NULL;
    o->wait_ms = wait_ms;
    o->attempt = attempt;
    if (err)
        outcome_set_error(o, err);
    commit_post(c, o);
}

static void deliver_event(struct commit *c, const struct outcome *o)
{
    struct weir_engine *e = c->engine;
    weir_event event = {
        .kind = o->event,
        .url = o->event == WEIR_EVENT_RETRY ? o->text : NULL,
        .text = o->event == WEIR_EVENT_WARNING || o->event == WEIR_EVENT_REMOVED ? o->text : NULL,
        .host = o->host,
        .wait_ms = o->wait_ms,
        .attempt = o->attempt,
        .error = o->error};
    e->on_event(&event, e->event_user);
}

static void count(struct weir_engine *e, const struct outcome *o)
{
    struct counters *n = &e->counters;
    if (o->result == WEIR_DONE)
        atomic_fetch_add_explicit(&n->done, 1, memory_order_relaxed);
    if (o->result == WEIR_FAILED) {
        status class = o->error ? o->error->status : WEIR_NOMEM;
        atomic_fetch_add_explicit(&n->failed_by_class[class], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&n->failed, 1, memory_order_relaxed);
    }
    if (o->result != WEIR_SKIPPED)
        return;
    atomic_fetch_add_explicit(&n->skipped, 1, memory_order_relaxed);
    if (o->job->unchecked)
        atomic_fetch_add_explicit(&n->unchecked, 1, memory_order_relaxed);
    if (o->job->duplicate)
        atomic_fetch_add_explicit(&n->duplicates, 1, memory_order_relaxed);
}

static void count_lines(struct weir_engine *e, const struct stage_counts *n)
{
    struct counters *all = &e->counters;
    atomic_fetch_add_explicit(&all->lines_in, n->lines_in, memory_order_relaxed);
    atomic_fetch_add_explicit(&all->lines_out, n->lines_out, memory_order_relaxed);
    atomic_fetch_add_explicit(&all->bad_records, n->bad_records, memory_order_relaxed);
    atomic_fetch_add_explicit(&all->long_lines, n->long_lines, memory_order_relaxed);
}

static void fill_result(weir_result *r, const struct outcome *o, const error *none)
{
    const struct job *job = o->job;
    *r = (weir_result){.outcome = o->result,
                       .url = job_text(job, job->url),
                       .path = job->upload    ? job_text(job, job->upload)
                               : job->to_file ? job_text(job, job->name)
                                              : NULL,
                       .id = job_text(job, job->id),
                       .index = job->index,
                       .line = job->line,
                       .http_status = o->http_status,
                       .bytes = o->bytes,
                       .resumed_from = o->resumed_from,
                       .attempts = (int)job->attempts,
                       .digest = o->digest,
                       .unchecked = job->unchecked,
                       .duplicate = job->duplicate,
                       .error = o->error ? o->error : none};
    if (o->counts) {
        r->lines_in = o->counts->lines_in;
        r->lines_out = o->counts->lines_out;
        r->bad_records = o->counts->bad_records;
        r->long_lines = o->counts->long_lines;
    }
    if (o->path)
        r->path = o->path;
    if (o->requested)
        r->final_url = o->final_url ? o->final_url : r->url;
    if (job->started && o->ended > job->started)
        r->duration_ms = (int64_t)(o->ended - job->started) / NS_PER_MS;
}

/* run.max_failures: so many, or such a part of at least a hundred that have ended. */
static void check_failures(struct weir_engine *e)
{
    const struct failure_limit *limit = &e->options->run_max_failures;
    uint64_t failed = atomic_load(&e->counters.failed);
    uint64_t ended = failed + atomic_load(&e->counters.done) + atomic_load(&e->counters.skipped);
    bool many = limit->count > 0 && failed >= (uint64_t)limit->count;
    bool part = limit->percent > 0 && ended >= 100 &&
                (double)failed * 100.0 > limit->percent * (double)ended;
    if (!many && !part)
        return;
    error err;
    fail(&err, WEIR_HTTP, "%llu URLs have failed, which is run.max_failures; the run was stopped",
         (unsigned long long)failed);
    run_stop(e, WEIR_HTTP, &err);
}

static void keep_write_error(struct commit *c, status st, const error *err)
{
    if (!st || c->write_error.status)
        return;
    c->write_error = *err;
    run_stop(c->engine, st, err);
}

static void write_reports(struct commit *c, const struct outcome *o, const weir_result *result)
{
    error err;
    if (c->report)
        keep_write_error(c, report_write(c->report, o->job, result, &err), &err);
    if (c->failed && o->result == WEIR_FAILED)
        keep_write_error(c, failed_write(c->failed, o->job, &err), &err);
}

/* The end of a job: nothing is told before it holds. Frees the outcome and the job. */
static void finish(struct commit *c, struct outcome *o)
{
    struct weir_engine *e = c->engine;
    struct job *job = o->job;
    error none;
    error_clear(&none);
    if (o->result == WEIR_FAILED) /* it has failed, and no memory was left for the reason */
        fail(&none, WEIR_NOMEM, "out of memory");
    weir_result result;
    fill_result(&result, o, &none);
    if (!o->silent) {
        count(e, o);
        if (o->counts)
            count_lines(e, o->counts);
        write_reports(c, o, &result);
    }
    const weir_callbacks *cb = job->callbacks ? job->callbacks : &e->callbacks;
    if (cb->on_end)
        cb->on_end(&result, job->callbacks ? job->user : e->user);
    if (e->on_event && !o->silent) {
        weir_event event = {.kind = WEIR_EVENT_END, .url = result.url, .result = &result};
        event.error = result.error;
        e->on_event(&event, e->event_user);
    }
    if (!o->silent && o->result == WEIR_FAILED) {
        check_failures(e);
        if (o->error && o->error->status == WEIR_DISK)
            run_stop(e, WEIR_DISK, o->error);
    }
    bool outside = o->outside;
    outcome_free(o);
    if (outside)
        job_free(job);
    else
        queue_done(e->queue, job);
    run_finished(e);
}

static void fail_outcome(struct outcome *o, const error *err)
{
    if (!err->status)
        return;
    o->result = WEIR_FAILED;
    outcome_set_error(o, err);
}

/* The journal comes last: what it holds is done, and what it cannot hold is not acknowledged. */
static void put_down(struct commit *c, struct outcome **run, size_t n)
{
    error err;
    status st = OK;
    for (size_t i = 0; i < n && !st; i++)
        st = journaling_put(c->engine, run[i], &err);
    if (!st)
        st = journaling_commit(c->engine, &err);
    keep_write_error(c, st, &err);
    for (size_t i = 0; i < n && st; i++)
        fail_outcome(run[i], &err);
}

static void publish_run(struct commit *c, struct outcome **run, size_t n)
{
    struct sink *sinks[GROUP_FILES];
    error *errs = calloc(n, sizeof *errs);
    if (!errs) { /* one at a time still works */
        for (size_t i = 0; i < n && n > 1; i++)
            publish_run(c, run + i, 1);
        if (n > 1)
            return;
    }
    error one;
    error_clear(&one);
    for (size_t i = 0; i < n; i++)
        sinks[i] = run[i]->sink;
    const struct sink_type *type = sinks[0]->type;
    const struct sink_env *env = type == &sink_file ? &c->engine->file_env : &c->engine->stream_env;
    error journal_error;
    status intended = journaling_intend(c->engine, run, n, &journal_error);
    if (!intended)
        type->publish(sinks, n, env, errs ? errs : &one);
    for (size_t i = 0; i < n; i++) {
        error tee_error;
        const error *err = intended ? &journal_error : errs ? &errs[i] : &one;
        if (!err->status && run[i]->tee) {
            run[i]->tee->type->publish(&run[i]->tee, 1, &c->engine->stream_env, &tee_error);
            err = &tee_error;
        }
        fail_outcome(run[i], err);
        type->close(run[i]->sink);
        run[i]->sink = NULL;
    }
    put_down(c, run, n);
    for (size_t i = 0; i < n; i++)
        finish(c, run[i]);
    free(errs);
}

static void publish_group(struct commit *c)
{
    size_t from = 0;
    while (from < c->group_count) {
        size_t to = from + 1;
        while (to < c->group_count && c->group[to]->sink->type == c->group[from]->sink->type)
            to++;
        publish_run(c, c->group + from, to - from);
        from = to;
    }
    c->group_count = 0;
    c->group_bytes = 0;
}

static void flush_reports(struct commit *c)
{
    error err;
    keep_write_error(c, journaling_commit(c->engine, &err), &err);
    if (c->report)
        keep_write_error(c, report_flush(c->report, &err), &err);
    if (c->failed)
        keep_write_error(c, failed_flush(c->failed, &err), &err);
}

static void take(struct commit *c, struct outcome *o)
{
    if (!o->job) {
        deliver_event(c, o);
        outcome_free(o);
        return;
    }
    if (!o->sink) {
        error err;
        keep_write_error(c, journaling_put(c->engine, o, &err), &err);
        finish(c, o);
        return;
    }
    if (!c->group_count)
        c->group_since = clock_now();
    c->group[c->group_count++] = o;
    c->group_bytes += o->bytes;
    if (c->group_count == GROUP_FILES || c->group_bytes >= GROUP_BYTES)
        publish_group(c);
}

static struct timespec instant_to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Waits for outcomes or for the age of the group; returns the inbox, NULL where there is none. */
static struct outcome *collect(struct commit *c, bool *hurry, bool *closing)
{
    pthread_mutex_lock(&c->lock);
    uint64_t due = c->group_since + GROUP_AGE;
    struct timespec at = instant_to_timespec(due);
    for (;;) {
        bool enough = c->group_count ? c->inbox_count >= GROUP_FILES : c->inbox_count > 0;
        if (enough || c->hurry || c->closing || (c->group_count && clock_now() >= due))
            break;
        c->asleep = true;
        c->wants_any = c->group_count == 0;
        if (c->group_count)
            pthread_cond_timedwait(&c->filled, &c->lock, &at);
        else
            pthread_cond_wait(&c->filled, &c->lock);
        c->asleep = false;
    }
    struct outcome *list = c->inbox;
    c->inbox = NULL;
    c->inbox_end = &c->inbox;
    c->inbox_count = 0;
    *hurry = c->hurry;
    c->hurry = false;
    *closing = c->closing;
    pthread_mutex_unlock(&c->lock);
    return list;
}

static void *commit_main(void *arg)
{
    struct commit *c = arg;
    for (;;) {
        bool hurry, closing;
        struct outcome *list = collect(c, &hurry, &closing);
        bool any = list != NULL;
        while (list) {
            struct outcome *o = list;
            list = o->next;
            take(c, o);
        }
        if (c->group_count && (hurry || closing || clock_now() >= c->group_since + GROUP_AGE))
            publish_group(c);
        if (!c->group_count)
            flush_reports(c);
        if (closing && !any)
            return NULL;
    }
}

status commit_start(struct commit **out, struct weir_engine *engine, error *err)
{
    struct commit *c = calloc(1, sizeof *c);
    if (!c)
        return fail(err, WEIR_NOMEM, "out of memory");
    c->engine = engine;
    c->inbox_end = &c->inbox;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->filled, &attr);
    pthread_condattr_destroy(&attr);
    status st = OK;
    const struct options *o = engine->options;
    if (o->report_path && !engine->no_reports)
        st = report_open(&c->report, o->report_path, err);
    if (!st && o->report_failed && !engine->dry_run && !engine->no_reports)
        st = failed_open(&c->failed, o->report_failed, err);
    if (!st) {
        int rc = thread_start(&c->thread, commit_main, c);
        c->started = rc == 0;
        if (rc)
            st = fail_errno(err, WEIR_NOMEM, rc, "cannot start the commit thread");
    }
    if (st) {
        commit_finish(c, NULL);
        return st;
    }
    *out = c;
    return OK;
}

status commit_finish(struct commit *c, error *err)
{
    if (!c)
        return OK;
    if (c->started) {
        pthread_mutex_lock(&c->lock);
        c->closing = true;
        pthread_mutex_unlock(&c->lock);
        pthread_cond_signal(&c->filled);
        pthread_join(c->thread, NULL);
    }
    error close_error;
    if (c->failed && run_stopping(c->engine))
        failed_keep_earlier(c->failed);
    keep_write_error(c, report_close(c->report, &close_error), &close_error);
    keep_write_error(c, failed_close(c->failed, &close_error), &close_error);
    status st = c->write_error.status;
    if (st && err)
        *err = c->write_error;
    pthread_cond_destroy(&c->filled);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return st;
}

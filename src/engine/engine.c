/* The public engine: setting up, running, and what may be called meanwhile; see weir.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/checksum.h"
#include "engine/commit.h"
#include "engine/filters.h"
#include "engine/input.h"
#include "engine/plan.h"
#include "engine/run.h"
#include "engine/segment_plan.h"
#include "engine/worker.h"
#include "net/url.h"

weir_status weir_engine_new(weir_engine **out, weir_config *config, weir_error *err)
{
    status st = net_start(err);
    if (st)
        return st;
    struct weir_engine *e = calloc(1, sizeof *e);
    if (!e) {
        net_stop();
        return fail(err, WEIR_NOMEM, "out of memory");
    }
    e->inputs_end = &e->inputs;
    e->added_end = &e->added;
    e->out_fd = e->dirfd = -1;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->feed, NULL);
    pthread_cond_init(&e->room, NULL);
    e->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->stop_fd < 0)
        st = fail_errno(err, WEIR_NOMEM, errno, "cannot make an event descriptor");
    e->config = config;
    if (!st && !config) {
        st = weir_config_new(&e->config, err);
        e->owns_config = !st;
    }
    if (st) {
        weir_engine_free(e);
        return st;
    }
    e->options = config_options(e->config);
    *out = e;
    return OK;
}

void weir_engine_free(weir_engine *e)
{
    if (!e)
        return;
    while (e->inputs) {
        struct input *input = e->inputs;
        e->inputs = input->next;
        input_free(input);
    }
    while (e->added) {
        struct job *job = e->added;
        e->added = job->next;
        job_free(job);
    }
    if (e->stop_fd >= 0)
        close(e->stop_fd);
    if (e->owns_config)
        weir_config_free(e->config);
    filters_free(e);
    out_file_free(e->out_file);
    free(e->stages);
    free(e->out_name);
    free(e->first_origin);
    pthread_cond_destroy(&e->room);
    pthread_cond_destroy(&e->feed);
    pthread_mutex_destroy(&e->lock);
    free(e);
    net_stop();
}

void weir_engine_set_callbacks(weir_engine *e, const weir_callbacks *callbacks, void *user)
{
    e->callbacks = callbacks ? *callbacks : (weir_callbacks){0};
    e->user = user;
}

void weir_engine_on_event(weir_engine *e, void (*on_event)(const weir_event *, void *), void *user)
{
    e->on_event = on_event;
    e->event_user = user;
}

void weir_engine_set_dry_run(weir_engine *e, bool dry_run)
{
    e->dry_run = dry_run;
}

void weir_engine_set_verify(weir_engine *e, weir_verify verify)
{
    e->verify = verify;
}

void engine_without_reports(struct weir_engine *e)
{
    e->no_reports = true;
}

void weir_engine_write_to_fd(weir_engine *e, int fd, const char *what)
{
    e->out_fd = fd;
    free(e->out_name);
    e->out_name = strdup(what ? what : "the output");
}

weir_status weir_engine_write_to_file(weir_engine *e, const char *path, weir_error *err)
{
    struct out_file *file = NULL;
    status st = out_file_open(&file, path, err);
    if (st)
        return st;
    out_file_free(e->out_file);
    e->out_file = file;
    weir_engine_write_to_fd(e, out_file_fd(file), out_file_name(file));
    return OK;
}

void weir_engine_set_in_order(weir_engine *e, bool in_order)
{
    e->in_order = in_order;
}

void weir_engine_set_save(weir_engine *e, weir_save save)
{
    e->save = save;
}

weir_status weir_engine_register(weir_engine *e, const weir_stage_type *type, weir_error *err)
{
    if (!type || type->abi_size != sizeof *type || type->phase > WEIR_PHASE_TAP || !type->write)
        return fail(err, WEIR_USAGE, "the stage \"%s\" was built for another version of weir",
                    type && type->name ? type->name : "");
    const weir_stage_type **stages = realloc(e->stages, (e->stage_count + 1) * sizeof *e->stages);
    if (!stages)
        return fail(err, WEIR_NOMEM, "out of memory");
    e->stages = stages;
    e->stages[e->stage_count++] = type;
    return OK;
}

weir_status weir_engine_add_source(weir_engine *e, const char *list, const char *format,
                                   weir_error *err)
{
    struct input *input = NULL;
    const char *wanted = format ? format : e->options->input_format;
    status st = input_open(&input, list, wanted, e->stop_fd, e->config, err);
    if (st)
        return st;
    *e->inputs_end = input;
    e->inputs_end = &input->next;
    return OK;
}

void weir_engine_set_upload(weir_engine *e, bool upload)
{
    e->sends = upload;
}

weir_status weir_engine_add_tree(weir_engine *e, const char *dir, const char *url, weir_error *err)
{
    struct input *input = NULL;
    status st = input_open_tree(&input, dir, url, err);
    if (st)
        return st;
    *e->inputs_end = input;
    e->inputs_end = &input->next;
    return OK;
}

/* ---- jobs that a program adds ---- */

/* The text of a job as it came, for the feeder to name; `to_file` carries the wish to save. */
/* The lists of a job as text: NUL behind each item, and one more at the end. */
static void pack_headers(struct strbuf *out, const weir_job *job)
{
    for (size_t i = 0; i < job->header_count; i++) {
        strbuf_addf(out, "%s: %s", job->headers[i].name, job->headers[i].value);
        strbuf_addc(out, '\0');
    }
    if (out->n)
        strbuf_addc(out, '\0');
}

static void pack_mirrors(struct strbuf *out, const weir_job *job)
{
    for (size_t i = 0; i < job->mirror_count; i++)
        strbuf_add(out, job->mirrors[i], strlen(job->mirrors[i]) + 1);
    if (out->n)
        strbuf_addc(out, '\0');
}

static status pack_digests(struct strbuf *out, const weir_job *job, error *err)
{
    for (size_t i = 0; i < job->digest_count; i++) {
        const weir_digest *d = &job->digests[i];
        struct checksum c;
        enum checksum_kind kind;
        if (!d->algorithm || !d->hex || !checksum_named(span_of(d->algorithm), &kind))
            return fail(err, WEIR_USAGE,
                        "%s: the digest algorithm \"%s\" is none of sha256, sha512, sha1, md5, "
                        "crc32c",
                        job->url, d->algorithm ? d->algorithm : "");
        status st = checksum_parse(&c, kind, span_of(d->hex), err);
        if (!st)
            st = checksum_list_add(out, &c, err);
        if (st)
            return st;
    }
    if (out->n)
        strbuf_addc(out, '\0');
    return OK;
}

static struct job *raw_job(const weir_job *job, const weir_callbacks *callbacks,
                           weir_save engine_save, struct strbuf *digests)
{
    struct strbuf headers = {0}, mirrors = {0};
    pack_headers(&headers, job);
    pack_mirrors(&mirrors, job);
    struct job_text text = {.url = job->url,
                            .name = job->name,
                            .id = job->id,
                            .mirrors = mirrors.n ? mirrors.p : NULL,
                            .mirrors_size = mirrors.n,
                            .digests = digests->n ? digests->p : NULL,
                            .digests_size = digests->n,
                            .headers = headers.n ? headers.p : NULL,
                            .headers_size = headers.n,
                            .method = job->method,
                            .body = job->body,
                            .body_size = job->body ? job->body_size : 0,
                            .upload = job->upload ? job->upload->path : NULL};
    bool failed = headers.failed || mirrors.failed || digests->failed;
    struct job *raw = failed ? NULL : job_new(&text);
    strbuf_free(&headers);
    strbuf_free(&mirrors);
    if (!raw)
        return NULL;
    raw->size = job->size > 0 ? job->size : -1;
    raw->source = job->upload && !job->upload->path ? job->upload : NULL;
    weir_save save = job->save ? job->save : engine_save;
    raw->to_file = save == WEIR_SAVE_YES || save == WEIR_SAVE_BODY ||
                   (save == WEIR_SAVE_AUTO && !callbacks->on_data && !callbacks->on_line &&
                    !callbacks->on_record);
    raw->save_body = save == WEIR_SAVE_BODY;
    raw->segments = (int16_t)job->segments;
    raw->callbacks = job->callbacks;
    raw->user = job->user;
    return raw;
}

static status check_job(struct weir_engine *e, const weir_job *job, error *err)
{
    if (!job->url)
        return fail(err, WEIR_USAGE, "a job needs a URL");
    if (job->segments < WEIR_SEGMENTS_AUTO || job->segments > SEGMENTS_MAX)
        return fail(err, WEIR_USAGE,
                    "a job with %d segments: 1 to %d, 0 or WEIR_SEGMENTS_AUTO are possible",
                    job->segments, SEGMENTS_MAX);
    for (size_t i = 0; i < job->header_count; i++) {
        const weir_header *h = &job->headers[i];
        if (!h->name || !*h->name || !h->value || strpbrk(h->name, "\r\n: ") ||
            strpbrk(h->value, "\r\n"))
            return fail(err, WEIR_USAGE, "a request header of %s is not one line \"Name: value\"",
                        job->url);
    }
    if (job->upload && !job->upload->path && !job->upload->read)
        return fail(err, WEIR_USAGE, "an upload to %s needs a path, or a function that reads it",
                    job->url);
    struct url url;
    url_init(&url);
    struct span text = span_of(job->url);
    const char *base = e->options->input_base_url;
    status st = base ? url_resolve(&url, base, text, err) : url_parse(&url, text, err);
    url_free(&url);
    return st;
}

static bool on_own_thread(struct weir_engine *e)
{
    pthread_t self = pthread_self();
    for (uint32_t i = 0; i < e->worker_count; i++)
        if (e->workers[i].started && pthread_equal(e->workers[i].thread, self))
            return true;
    return commit_is_self(e->commit);
}

/* Waits for room where the caller may wait. Called with the lock held. */
static status wait_for_room_locked(struct weir_engine *e, error *err)
{
    size_t most = (size_t)e->options->run_queue;
    bool may_wait = !atomic_load(&e->running) || !on_own_thread(e);
    while (atomic_load(&e->running) && e->added_count >= most && !run_stopping(e)) {
        if (!may_wait)
            return fail(err, WEIR_AGAIN, "the queue is full; add the job later");
        pthread_cond_wait(&e->room, &e->lock);
    }
    if (run_stopping(e))
        return fail(err, WEIR_CANCELLED, "the run was stopped");
    return e->fed ? fail(err, WEIR_USAGE, "the run has ended; see weir_engine_keep_open") : OK;
}

weir_status weir_engine_add(weir_engine *e, const weir_job *job, weir_error *err)
{
    status st = check_job(e, job, err);
    if (st)
        return st;
    struct strbuf digests = {0};
    st = pack_digests(&digests, job, err);
    if (st) {
        strbuf_free(&digests);
        return st;
    }
    const weir_callbacks *callbacks = job->callbacks ? job->callbacks : &e->callbacks;
    struct job *raw = raw_job(job, callbacks, e->save, &digests);
    strbuf_free(&digests);
    if (!raw)
        return fail(err, WEIR_NOMEM, "out of memory");
    if (job->callbacks)
        atomic_store(&e->has_job_callbacks, true);
    if (raw->save_body)
        atomic_store(&e->has_body_jobs, true);
    pthread_mutex_lock(&e->lock);
    st = wait_for_room_locked(e, err);
    if (!st) {
        *e->added_end = raw;
        e->added_end = &raw->next;
        e->added_count++;
        pthread_cond_signal(&e->feed);
    }
    pthread_mutex_unlock(&e->lock);
    if (st)
        job_free(raw);
    return st;
}

void weir_engine_keep_open(weir_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->kept_open = true;
    pthread_mutex_unlock(&e->lock);
}

void weir_engine_finish(weir_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->kept_open = false;
    pthread_cond_broadcast(&e->feed);
    pthread_mutex_unlock(&e->lock);
}

/* ---- stopping ---- */

static void tell_feeder(struct weir_engine *e)
{
    pthread_mutex_lock(&e->lock);
    pthread_cond_broadcast(&e->feed);
    pthread_mutex_unlock(&e->lock);
}

void run_post(struct weir_engine *e, struct outcome *o)
{
    if (o)
        commit_post(e->commit, o);
    else
        run_finished(e);
    /* After the post: who hurries the commit thread must find there what it is to hurry with. */
    if (atomic_fetch_sub(&e->unsettled, 1) != 1)
        return;
    if (atomic_load(&e->counters.all_found))
        commit_hurry(e->commit);
    if (plan_one_at_a_time(e))
        tell_feeder(e);
}

void run_finished(struct weir_engine *e)
{
    if (atomic_fetch_sub(&e->unfinished, 1) == 1)
        tell_feeder(e);
}

void run_stop(struct weir_engine *e, status why, const error *err)
{
    pthread_mutex_lock(&e->lock);
    bool first = e->stop_status == OK;
    if (first) {
        e->stop_status = why;
        if (err)
            e->stop_error = *err;
    }
    atomic_store(&e->stopping, true);
    pthread_cond_broadcast(&e->feed);
    pthread_cond_broadcast(&e->room);
    uint64_t one = 1;
    /* An eventfd refuses only when it is full, and then it is readable already. */
    ssize_t ignored = write(e->stop_fd, &one, sizeof one);
    (void)ignored;
    /* Under the lock, so that the run cannot end and free them meanwhile. */
    if (first && atomic_load(&e->running)) {
        queue_close(e->queue);
        for (uint32_t i = 0; i < e->worker_count; i++)
            worker_wake(&e->workers[i]);
    }
    pthread_mutex_unlock(&e->lock);
}

void weir_engine_cancel(weir_engine *e)
{
    error err;
    fail(&err, WEIR_CANCELLED, "the run was cancelled");
    run_stop(e, WEIR_CANCELLED, &err);
}

/* ---- looking ---- */

void weir_engine_stats(weir_engine *e, weir_stats *out)
{
    struct counters *n = &e->counters;
    *out = (weir_stats){.found = atomic_load_explicit(&n->found, memory_order_relaxed),
                        .all_found = atomic_load_explicit(&n->all_found, memory_order_relaxed),
                        .done = atomic_load_explicit(&n->done, memory_order_relaxed),
                        .skipped = atomic_load_explicit(&n->skipped, memory_order_relaxed),
                        .failed = atomic_load_explicit(&n->failed, memory_order_relaxed),
                        .retried = atomic_load_explicit(&n->retried, memory_order_relaxed),
                        .unchecked = atomic_load_explicit(&n->unchecked, memory_order_relaxed),
                        .duplicates = atomic_load_explicit(&n->duplicates, memory_order_relaxed),
                        .bytes = atomic_load_explicit(&n->bytes, memory_order_relaxed),
                        .sent = atomic_load_explicit(&n->sent, memory_order_relaxed),
                        .bytes_known = atomic_load_explicit(&n->bytes_known, memory_order_relaxed),
                        .lines_in = atomic_load_explicit(&n->lines_in, memory_order_relaxed),
                        .lines_out = atomic_load_explicit(&n->lines_out, memory_order_relaxed),
                        .removed = atomic_load_explicit(&n->removed, memory_order_relaxed),
                        .bad_records = atomic_load_explicit(&n->bad_records, memory_order_relaxed),
                        .long_lines = atomic_load_explicit(&n->long_lines, memory_order_relaxed)};
    pthread_mutex_lock(&e->lock);
    if (e->started)
        out->elapsed_ms = (int64_t)(clock_now() - e->started) / NS_PER_MS;
    if (atomic_load(&e->running)) {
        struct queue_counts counts;
        queue_counts(e->queue, &counts);
        out->in_flight = (int)counts.in_flight;
        out->waiting = (int)counts.waiting;
    }
    pthread_mutex_unlock(&e->lock);
}

size_t weir_engine_transfers(weir_engine *e, weir_transfer_info *out, size_t max)
{
    size_t n = 0;
    if (!max)
        return 0;
    pthread_mutex_lock(&e->lock);
    for (uint32_t i = 0; i < e->worker_count && atomic_load(&e->running); i++)
        n = worker_transfers(&e->workers[i], out, n, max);
    pthread_mutex_unlock(&e->lock);
    return n;
}

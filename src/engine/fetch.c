/* The life of a fetch; see fetch.h. Worker thread. */
#include "engine/fetch.h"

#include <stdlib.h>

#include "engine/commit.h"
#include "engine/mirror.h"
#include "engine/plan.h"
#include "engine/segments.h"
#include "engine/sending.h"
#include "net/url.h"

static void link_fetch(struct fetch *f)
{
    struct worker *w = f->worker;
    pthread_mutex_lock(&w->lock);
    f->prev = NULL;
    f->next = w->fetches;
    if (f->next)
        f->next->prev = f;
    w->fetches = f;
    pthread_mutex_unlock(&w->lock);
    f->linked = true;
}

static void unlink_fetch(struct fetch *f)
{
    struct worker *w = f->worker;
    pthread_mutex_lock(&w->lock);
    if (f->prev)
        f->prev->next = f->next;
    else
        w->fetches = f->next;
    if (f->next)
        f->next->prev = f->prev;
    pthread_mutex_unlock(&w->lock);
    f->prev = f->next = NULL;
    f->linked = false;
}

static void leave_list(struct fetch **list, struct fetch *f)
{
    while (*list && *list != f)
        list = &(*list)->wait_next;
    if (*list)
        *list = f->wait_next;
    f->wait_next = NULL;
}

static void forget_pauses(struct fetch *f)
{
    worker_forget_pause(f->worker, &f->pause);
    if (f->is_blocked)
        leave_list(&f->worker->blocked, f);
    if (f->is_reading)
        leave_list(&f->worker->reading, f);
    f->is_blocked = f->is_reading = false;
}

bool fetch_gives_away(const struct fetch *f)
{
    const weir_callbacks *cb = f->callbacks;
    if ((f->sink && f->sink->type == &sink_stream) || (f->chain && f->worker->engine->bad_writer))
        return true;
    return (cb->on_data || cb->on_line || cb->on_record) && !cb->on_reset;
}

bool fetch_must_replay(const struct fetch *f)
{
    return f->delivered && fetch_gives_away(f);
}

static struct fetch *fetch_new(struct worker *w, struct job *job)
{
    struct weir_engine *e = w->engine;
    struct fetch *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->outcome = outcome_new();
    if (!f->outcome) {
        free(f);
        return NULL;
    }
    f->worker = w;
    f->job = job;
    f->callbacks = job->callbacks ? job->callbacks : &e->callbacks;
    f->user = job->callbacks ? job->user : e->user;
    f->mtime = -1;
    f->recheck.fd = -1;
    provenance_init(&f->held);
    atomic_init(&f->shown_size, -1);
    atomic_init(&f->lending.given, 0);
    return f;
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    segments_free(f);
    chain_close(f->chain);
    /* before the outcome, which owns the text that they borrow */
    if (f->sink)
        f->sink->type->close(f->sink);
    if (f->body)
        f->body->type->close(f->body);
    outcome_free(f->outcome);
    provenance_free(&f->held);
    check_close(&f->check);
    recheck_close(&f->recheck);
    sending_close(f->sending);
    running_hash_free(f->hash);
    running_hash_free(f->replay);
    free(f->url);
    free(f->shown_url);
    free(f->content_encoding);
    free(f->location);
    free(f);
}

void fetch_let_go_sinks(struct fetch *f, bool keep)
{
    struct sink **sinks[] = {&f->sink, &f->body};
    for (size_t i = 0; i < 2; i++) {
        struct sink *s = *sinks[i];
        if (!s)
            continue;
        /* What a filter made cannot be gone on with: it is made anew. */
        s->type->abort(s, keep && !(s == f->sink && f->shaped));
        s->type->close(s);
        *sinks[i] = NULL;
    }
}

bool fetch_is_vouched(const struct fetch *f)
{
    return f->job->size >= 0 && f->check.wants && !f->check.by_server;
}

/* Is `shown` this URL, without its secrets? */
static bool is_shown_as(const char *url, const char *shown)
{
    struct strbuf text = {0};
    url_without_secrets(&text, url);
    bool same = strcmp(strbuf_text(&text), shown) == 0;
    strbuf_free(&text);
    return same;
}

/* Is `shown` one of the URLs where this file is to be had? */
static bool is_of_job(const struct fetch *f, const char *shown)
{
    bool found = false;
    for (uint32_t i = 0; !found && job_url_at(f->job, i); i++)
        found = is_shown_as(job_url_at(f->job, i), shown);
    return found;
}

/* Only a part of this very file, with a validator that If-Range may carry or a digest that vouches
 * for the whole, is gone on with. */
static void go_on_with(struct fetch *f, struct provenance *from)
{
    bool ours = from->written > 0 && from->url && is_of_job(f, from->url);
    if (!ours || !(provenance_strong_validator(from) || fetch_is_vouched(f))) {
        provenance_free(from);
        return;
    }
    f->held = *from;
    f->offset = from->written;
    /* A part that is whole already: its last byte is asked for again, to hear that it still is. */
    if (from->size > 0 && f->offset >= from->size)
        f->offset = from->size - 1;
}

static status open_file(struct fetch *f, const struct plan *plan, struct sink **out, error *err)
{
    struct weir_engine *e = f->worker->engine;
    struct job *job = f->job;
    struct strbuf origin = {0}, made_by = {0};
    url_without_secrets(&origin, job_text(job, job->url));
    f->outcome->origin = origin.p;
    if (plan->shapes && !job->save_body)
        plan_made_by(&made_by, e, f->callbacks, job->host->options);
    f->outcome->made_by = made_by.p;
    f->spec = (struct sink_spec){.name = job_text(job, job->name),
                                 .origin = strbuf_text(&origin),
                                 .made_by = made_by.p,
                                 .replace = job->overwrite,
                                 .fresh = job->fresh && job->attempts == 0};
    struct provenance from;
    provenance_init(&from);
    if (origin.failed || made_by.failed)
        return fail(err, WEIR_NOMEM, "out of memory");
    status st = sink_file.open(out, &e->file_env, &f->spec, &from, err);
    if (!st)
        go_on_with(f, &from);
    return st;
}

static status open_stream(struct fetch *f, error *err)
{
    struct weir_engine *e = f->worker->engine;
    struct sink_spec spec = {.name = e->out_name};
    struct provenance none;
    provenance_init(&none);
    return sink_stream.open(&f->sink, &e->stream_env, &spec, &none, err);
}

static status chain_end(void *ctx, const void *data, size_t size, error *err)
{
    struct fetch *f = ctx;
    atomic_fetch_add_explicit(&f->lending.given, size, memory_order_relaxed);
    return f->sink ? f->sink->type->write(f->sink, data, size, err) : OK;
}

/* The URL as it may be shown, and behind its NUL once more without query. */
static status describe_url(struct fetch *f, error *err)
{
    struct strbuf url = {0};
    url_without_secrets(&url, job_text(f->job, f->job->url));
    size_t n = url.n, path = url.p ? strcspn(url.p, "?#") : 0;
    strbuf_addc(&url, '\0');
    for (size_t i = 0; i < path; i++)
        strbuf_addc(&url, url.p[i]);
    f->shown_url = url.p;
    f->shown_path = url.p ? url.p + n + 1 : NULL;
    return url.failed || !url.p ? fail(err, WEIR_NOMEM, "out of memory") : OK;
}

static void describe_file(struct fetch *f, struct stage_context *c)
{
    struct weir_engine *e = f->worker->engine;
    const struct options *o = f->job->host->options;
    const char *as = plan_decode(e, f->callbacks, o);
    *c = (struct stage_context){.setup = &e->setup,
                                .tools = &f->worker->tools,
                                .url = f->shown_url,
                                .decode = {.as = as ? as : "auto", .path = f->shown_path},
                                .file = (weir_file *)(void *)f,
                                .callbacks = f->callbacks,
                                .user = f->user};
    plan_decode_limits(&c->decode, e, o);
}

static status open_chain(struct fetch *f, const struct plan *plan, error *err)
{
    if (!plan->n)
        return OK;
    status st = describe_url(f, err);
    if (st)
        return st;
    /* A stage has no memory of what an earlier run fed to another one. */
    if (f->offset > 0 && plan->needs & WEIR_STAGE_NEEDS_WHOLE) {
        f->offset = 0;
        provenance_free(&f->held);
    }
    struct chain_out end = {.write = chain_end, .ctx = f};
    struct stage_context context;
    describe_file(f, &context);
    return chain_open(&f->chain, plan->types, plan->n, &context, end, err);
}

/* The sinks, and everything that the bytes of the body pass through on their way to them. */
static status open_ways(struct fetch *f, error *err)
{
    struct weir_engine *e = f->worker->engine;
    bool stream = e->out_fd >= 0;
    struct plan plan;
    if (job_sends(f->job)) {
        f->opened = true;
        return sending_open(f, err);
    }
    plan_make(&plan, e, f->callbacks, f->job->host->options);
    bool beside = f->job->save_body && (stream || plan.n > 0);
    f->shaped = plan.shapes;
    f->opened = true;
    status st = check_open(&f->check, job_text(f->job, f->job->digests), err);
    if (!st && f->job->to_file)
        st = open_file(f, &plan, beside ? &f->body : &f->sink, err);
    if (!st && stream)
        st = open_stream(f, err);
    if (!st)
        st = open_chain(f, &plan, err);
    if (!st && !segments_allowed(f))
        provenance_forget_extents(&f->held);
    return st;
}

/* The attempt ends before a transfer could begin. */
static void end_at_once(struct fetch *f, status st)
{
    struct transfer_result result = {0};
    if (!f->verdict.status)
        f->verdict.status = st;
    fetch_ended(f, &result);
}

static bool same_origin(const char *a, const char *b)
{
    struct url x, y;
    error ignored;
    url_init(&x);
    url_init(&y);
    bool same = !url_parse(&x, span_of(a), &ignored) && !url_parse(&y, span_of(b), &ignored) &&
                url_same_origin(&x, &y);
    url_free(&x);
    url_free(&y);
    return same;
}

/* Credentials and headers of the run go to the origin of the first URL only; other origins get what
 * their own [host] section says. */
static bool credentials_allowed(struct fetch *f, const char *url, const struct options *options)
{
    struct weir_engine *e = f->worker->engine;
    const struct options *run = e->options;
    if (options != run)
        return true;
    if (!run->http_user && !run->http_header.n && !run->http_aws_sigv4)
        return true;
    return e->first_origin && same_origin(url, e->first_origin);
}

static void warn_credentials(struct fetch *f, const char *url)
{
    struct weir_engine *e = f->worker->engine;
    if (!e->options->http_user || atomic_exchange(&e->said_credentials, true))
        return;
    struct strbuf text = {0};
    strbuf_addf(&text,
                "credentials go to %s only, not to %s; give other hosts theirs in a [host \"...\"] "
                "section",
                e->first_origin ? e->first_origin : "the first URL's origin",
                job_text(f->job, f->job->authority));
    commit_event(e->commit, WEIR_EVENT_WARNING, strbuf_text(&text), NULL, 0, 0, NULL);
    strbuf_free(&text);
}

static void begin_attempt(struct fetch *f)
{
    f->attempt_started = clock_now();
    if (!f->job->started)
        f->job->started = f->attempt_started;
    f->attempt_bytes = 0;
    f->asked_from = 0;
    f->until = -1;
    f->good = f->skip = f->restart = f->replaying = f->enough = f->refused = false;
    f->http_status = 0;
    f->retry_after_ns = -1;
    free(f->location);
    f->location = NULL;
    error_clear(&f->verdict);
}

void fetch_describe_request(struct fetch *f, uint32_t mirror, const char *url,
                            const struct options *options, struct transfer_request *out)
{
    struct job *job = f->job;
    bool redirected = f->url && mirror == job->mirror;
    *out = (struct transfer_request){.url = url,
                                     .options = options,
                                     .own_origin = credentials_allowed(f, url, options),
                                     .want_headers = f->callbacks->on_begin != NULL,
                                     .is_redirect = redirected,
                                     .from_public = redirected && f->from_public};
    if (!out->own_origin)
        warn_credentials(f, url);
    bool moved = redirected || mirror;
    if (job->headers && (!moved || same_origin(url, job_text(job, job->url))))
        out->headers = job_text(job, job->headers);
}

void fetch_request(struct fetch *f)
{
    struct job *job = f->job;
    const char *own_url = job_url_at(job, job->mirror);
    struct transfer_request request;
    begin_attempt(f);
    fetch_describe_request(f, job->mirror, f->url ? f->url : own_url, job->host->options, &request);
    f->to_get = f->to_get && f->url;
    if (!f->to_get) {
        request.method = job_text(job, job->method);
        request.body = job_text(job, job->body);
        request.body_size = job->body_size;
    }
    f->held_elsewhere = job->mirrors && f->held.url && !is_shown_as(own_url, f->held.url);
    const char *validator = f->held_elsewhere ? NULL : provenance_strong_validator(&f->held);
    bool gets = !job->method && !job->body;
    bool goes_on = gets && f->held.url && (validator || fetch_is_vouched(f));
    f->conditional = f->offset == 0 && (job->if_none_match || job->if_modified_since);
    if (f->conditional) {
        request.if_none_match = job_text(job, job->if_none_match);
        request.if_modified_since = job_text(job, job->if_modified_since);
    }
    if (f->offset > 0 && goes_on && !f->no_range) {
        request.range_from = f->asked_from = f->offset;
        request.if_range = validator;
    }
    if (!f->url)
        job->attempts++;
    f->outcome->requested = true;
    status st = f->sending ? sending_request(f, &request, &f->verdict) : OK;
    if (!st)
        st = transfer_start(f->worker->loop, &request, &fetch_ops, f, &f->transfer, &f->verdict);
    if (st) {
        end_at_once(f, st);
        return;
    }
    link_fetch(f);
}

/* The queue says that the host is down: its jobs fail at once, by that name. */
static void fail_for_host(struct fetch *f)
{
    const struct job *job = f->job;
    const char *host = job->host->authority;
    begin_attempt(f);
    if (job->down_failures < HOST_DOWN_FAILURES)
        fail(&f->verdict, WEIR_RATE_LIMITED,
             "%s asked for a longer pause than retry.retry_after_max; this URL was not tried",
             host);
    else
        fail(&f->verdict, job->down_class ? job->down_class : WEIR_CONNECT,
             "%s is down: it failed %u times in a row; this URL was not tried", host,
             job->down_failures);
    end_at_once(f, f->verdict.status);
}

static struct sink *sink_of_body(const struct fetch *f)
{
    return f->body ? f->body : f->shaped ? NULL : f->sink;
}

void fetch_begin_reading(struct fetch *f)
{
    f->is_reading = true;
    f->wait_next = f->worker->reading;
    f->worker->reading = f;
}

/* What an earlier run has left is read before the rest is asked for, so that a digest is known at
 * the end of the body. What cannot be read back is not gone on with. */
static bool catch_up_later(struct fetch *f)
{
    if (f->sending && sending_sums_first(f)) {
        fetch_begin_reading(f);
        return true;
    }
    if (!check_lags(&f->check, f->offset))
        return false;
    struct sink *from = sink_of_body(f);
    if (!from || !from->type->read) {
        provenance_free(&f->held);
        f->offset = 0;
        return false;
    }
    fetch_begin_reading(f);
    return true;
}

static void read_on_body(struct fetch *f)
{
    error err;
    bool live = f->segments && f->linked; /* while the rest of it comes */
    int64_t front = live ? segments_front(f) : f->offset;
    status st =
        f->sending ? sending_sum(f, &err) : check_catch_up(&f->check, sink_of_body(f), front, &err);
    bool more = f->sending ? sending_sums_first(f) : check_lags(&f->check, front);
    st = st == WEIR_END ? OK : st;
    if (!st && more)
        return;
    forget_pauses(f);
    if (live && st) {
        segments_stop(f, &err);
    } else if (live) {
        segments_caught_up(f);
    } else if (st) {
        begin_attempt(f);
        f->verdict = err;
        end_at_once(f, st);
    } else {
        fetch_request(f);
    }
}

static void read_on_file(struct fetch *f)
{
    error err;
    int64_t bytes = 0;
    status st = recheck_slice(&f->recheck, job_text(f->job, f->job->name), &bytes, &err);
    atomic_fetch_add_explicit(&f->worker->engine->counters.bytes, bytes, memory_order_relaxed);
    if (st == OK)
        return;
    forget_pauses(f);
    fetch_rechecked(f, st == WEIR_END ? OK : st, &err);
}

void fetch_catch_up_due(struct worker *w)
{
    struct fetch *next;
    for (struct fetch *f = w->reading; f; f = next) {
        next = f->wait_next;
        if (f->recheck.under_way)
            read_on_file(f);
        else
            read_on_body(f);
    }
}

/* True: the file that is there is looked at first. */
static bool recheck_first(struct fetch *f)
{
    struct weir_engine *e = f->worker->engine;
    struct job *job = f->job;
    error err;
    if (e->verify == WEIR_VERIFY_OFF || !job->to_file || f->recheck.done || job->attempts)
        return false;
    if (!f->job->started)
        f->job->started = clock_now();
    status st = recheck_open(&f->recheck, e->dirfd, job_text(job, job->name), job->size,
                             job_text(job, job->digests), &err);
    if (st)
        fetch_rechecked(f, st, &err);
    else
        fetch_begin_reading(f);
    return true;
}

void fetch_take(struct worker *w, struct job *job)
{
    struct fetch *f = job->fetch;
    fetch_take_back(w); /* the tools of the stages are for all chains of a worker */
    w->in_flight++;
    if (f) {
        job->fetch = NULL;
        atomic_fetch_sub_explicit(&w->engine->counters.kept_waiting, 1, memory_order_relaxed);
    } else {
        f = fetch_new(w, job);
        if (!f) {
            error err;
            fail(&err, WEIR_NOMEM, "out of memory");
            run_stop(w->engine, WEIR_NOMEM, &err);
            struct host_report silent = {.verdict = HOST_SILENT};
            queue_slot_free(w->engine->queue, job, &silent, clock_now());
            w->in_flight--;
            queue_put_later(w->engine->queue, job, NULL, 0);
            return;
        }
    }
    job->worker = -1;
    if (job->host_is_down) {
        fail_for_host(f);
        return;
    }
    if (!recheck_first(f))
        fetch_go(f);
}

void fetch_go(struct fetch *f)
{
    if (fetch_prefers_other(f)) {
        fetch_change_lane(f);
        return;
    }
    if (!f->opened) {
        status st = open_ways(f, &f->verdict);
        if (st) {
            error kept = f->verdict;
            begin_attempt(f);
            f->verdict = kept;
            end_at_once(f, st);
            return;
        }
    }
    if (!catch_up_later(f))
        fetch_request(f);
}

void fetch_block(struct fetch *f)
{
    if (f->is_blocked || f->pause.until)
        return;
    f->is_blocked = true;
    f->wait_next = f->worker->blocked;
    f->worker->blocked = f;
    transfer_pause(f->transfer);
}

void fetch_resume_blocked(struct worker *w)
{
    struct fetch *list = w->blocked;
    w->blocked = NULL;
    while (list) {
        struct fetch *f = list;
        list = f->wait_next;
        f->wait_next = NULL;
        f->is_blocked = false;
        if (f->sink->type->full && f->sink->type->full(f->sink))
            fetch_block(f);
        else
            transfer_resume(f->transfer);
    }
}

void fetch_abandon(struct weir_engine *e, struct fetch *f, struct job *job)
{
    struct outcome *o = NULL;
    if (f) {
        chain_close(f->chain);
        f->chain = NULL;
        fetch_let_go_sinks(f, true);
        o = f->outcome;
        o->bytes = f->offset;
        f->outcome = NULL;
        fetch_free(f);
    } else {
        o = outcome_new();
    }
    job->fetch = NULL;
    if (o) {
        outcome_set_stopped(o);
        o->job = job;
        o->ended = clock_now();
    } else {
        queue_done(e->queue, job);
    }
    run_post(e, o);
}

/* Used when the transfer is over, by its end or by ours. */
void fetch_detach(struct fetch *f)
{
    if (f->worker->lent == f)
        fetch_take_back(f->worker);
    forget_pauses(f);
    if (f->linked)
        unlink_fetch(f);
    f->transfer = NULL;
}

void fetch_cut(struct fetch *f)
{
    struct weir_engine *e = f->worker->engine;
    struct transfer *t = f->transfer;
    fetch_detach(f);
    segments_cut(f);
    if (t)
        transfer_cancel(t);
    struct host_report silent = {.verdict = HOST_SILENT};
    queue_slot_free(e->queue, f->job, &silent, clock_now());
    f->worker->in_flight--;
    queue_settled(e->queue, f->job);
    fetch_abandon(e, f, f->job);
}

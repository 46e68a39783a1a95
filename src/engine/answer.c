/* What an answer means for a fetch, and where its bytes go. Worker thread, from within
 * net_loop_wait.
 *
 * The head decides once: error pages and redirects are drained, a body that can be used begins
 * (from byte 0, or where the last one broke off), everything else is cut with a verdict.
 */
#include <stdlib.h>

#include "engine/disposition.h"
#include "engine/fetch.h"
#include "engine/mirror.h"
#include "engine/range.h"
#include "engine/redirect.h"
#include "engine/segments.h"
#include "engine/sending.h"

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

/* The phrases of the codes that people meet (RFC 9110 section 15, RFC 6585): the server's own words
 * are not shown. */
const char *answer_phrase(int code)
{
    static const struct {
        int code;
        const char *text;
    } phrases[] = {{204, "No Content"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {407, "Proxy Authentication Required"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {411, "Length Required"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {416, "Range Not Satisfiable"},
                   {417, "Expectation Failed"},
                   {421, "Misdirected Request"},
                   {425, "Too Early"},
                   {429, "Too Many Requests"},
                   {451, "Unavailable For Legal Reasons"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].code == code)
            return phrases[i].text;
    return code >= 500 ? "server error" : code >= 400 ? "client error" : "not a body to save";
}

static enum body_verdict refuse(struct fetch *f, const struct response *r)
{
    const char *hint = "";
    if (r->http_status == 401)
        hint = "; give --user, or a [host] section with http.user";
    else if (r->http_status == 407)
        hint = "; give user and password in --proxy";
    fail(&f->verdict, WEIR_HTTP, "the server answered %d %s%s", r->http_status,
         answer_phrase(r->http_status), hint);
    f->verdict.http_status = r->http_status;
    return BODY_DRAIN;
}

static enum body_verdict cut(struct fetch *f, status st)
{
    if (!f->verdict.status)
        f->verdict.status = st;
    f->verdict.http_status = f->http_status;
    return BODY_CUT;
}

static enum body_verdict redirect(struct fetch *f, const struct response *r)
{
    if (r->bad_location)
        return cut(f, fail(&f->verdict, WEIR_REDIRECT,
                           "the server answered %d with a Location that is no http URL",
                           r->http_status));
    if (!r->location)
        return cut(f, fail(&f->verdict, WEIR_REDIRECT, "the server answered %d without a Location",
                           r->http_status));
    f->to_get = f->to_get || r->http_status <= 303;
    f->location = copy(r->location);
    if (!f->location)
        return cut(f, fail(&f->verdict, WEIR_NOMEM, "out of memory"));
    return BODY_DRAIN;
}

/* Sizes that the list or the limits know of beforehand. */
static status check_size(struct fetch *f, int64_t size)
{
    const struct options *o = f->worker->engine->options;
    if (f->job->size >= 0 && size >= 0 && size != f->job->size)
        return fail(&f->verdict, WEIR_CHECKSUM, "the body has %lld bytes, the list says %lld",
                    (long long)size, (long long)f->job->size);
    if (o->save_max_size > 0 && size > o->save_max_size)
        return fail(&f->verdict, WEIR_POLICY, "the body has %lld bytes, save.max_size is %lld",
                    (long long)size, (long long)o->save_max_size);
    return OK;
}

static status keep_validators(struct fetch *f, const struct response *r, int64_t size)
{
    provenance_free(&f->held);
    struct provenance p;
    provenance_init(&p);
    struct strbuf url = {0};
    if (f->outcome->origin && !f->job->mirror)
        strbuf_adds(&url, f->outcome->origin);
    else
        url_without_secrets(&url, job_url_at(f->job, f->job->mirror));
    p.url = url.p;
    p.etag = copy(r->etag);
    p.last_modified = copy(r->last_modified);
    p.date = copy(r->date);
    p.size = size;
    f->held = p;
    if (!p.url || (r->etag && !p.etag) || (r->last_modified && !p.last_modified))
        return fail(&f->verdict, WEIR_NOMEM, "out of memory");
    return OK;
}

static void note_size(struct fetch *f, int64_t size)
{
    int64_t before = atomic_load_explicit(&f->shown_size, memory_order_relaxed);
    atomic_store_explicit(&f->shown_size, size, memory_order_relaxed);
    int64_t known = (size >= 0 ? size - f->outcome->resumed_from : 0) -
                    (before >= 0 ? before - f->outcome->resumed_from : 0);
    atomic_fetch_add_explicit(&f->worker->engine->counters.bytes_known, known,
                              memory_order_relaxed);
}

static status start_again(struct fetch *f)
{
    if (f->chain) {
        chain_reset(f->chain);
        chain_file(f->chain)->wish = WEIR_NEXT;
    }
    if (f->begun && f->callbacks->on_reset)
        f->callbacks->on_reset((weir_file *)(void *)f, f->user);
    segments_free(f);
    f->begun = f->delivered = f->sink_begun = f->silenced = false;
    f->offset = 0;
    f->outcome->resumed_from = 0;
    if (f->hash)
        running_hash_reset(f->hash);
    return OK;
}

/* What stages make of the body begins at its own byte 0, and no validator vouches for it. */
static status begin_result(struct fetch *f)
{
    struct provenance p;
    provenance_init(&p);
    p.url = f->held.url;
    return f->sink->type->begin(f->sink, 0, &p, &f->verdict);
}

static status begin_sinks(struct fetch *f)
{
    status st = OK;
    if (f->sink_begun)
        return OK;
    if (f->sink)
        st = f->shaped ? begin_result(f)
                       : f->sink->type->begin(f->sink, f->offset, &f->held, &f->verdict);
    if (!st && f->body)
        st = f->body->type->begin(f->body, f->offset, &f->held, &f->verdict);
    f->sink_begun = !st;
    return st;
}

/* The chain hears how the server has coded the body (RFC 9110 section 8.4). */
static status tell_coding(struct fetch *f, const struct response *r)
{
    if (!f->chain)
        return OK;
    free(f->content_encoding);
    f->content_encoding = copy(r->content_encoding);
    chain_file(f->chain)->decode.content_encoding = f->content_encoding;
    if (r->content_encoding && !f->content_encoding)
        return fail(&f->verdict, WEIR_NOMEM, "out of memory");
    return OK;
}

/* A name that the server gives counts only before the first byte of a file, and never against a
 * name of the list. */
static status use_given_name(struct fetch *f, const struct response *r)
{
    const struct job *job = f->job;
    if (!f->worker->engine->options->save_content_disposition || !r->content_disposition ||
        !job->to_file || job->save_body || f->chain || job->named || f->outcome->path ||
        f->offset > 0 || f->sink_begun)
        return OK;
    return disposition_apply(f, r->content_disposition, &f->skip, &f->verdict);
}

static status tell_begin(struct fetch *f, const struct response *r, int64_t size)
{
    if (f->begun)
        return OK;
    f->begun = true;
    if (!f->callbacks->on_begin)
        return OK;
    const struct job *job = f->job;
    weir_begin begin = {.url = job_text(job, job->url),
                        .final_url = f->url ? f->url : job_text(job, job->url),
                        .path = job->to_file ? f->spec.name : NULL,
                        .id = job_text(job, job->id),
                        .http_status = r->http_status,
                        .size = size,
                        .offset = f->offset,
                        .headers = r->headers,
                        .header_count = r->header_count};
    weir_next next = f->callbacks->on_begin((weir_file *)(void *)f, &begin, f->user);
    f->silenced = next == WEIR_ENOUGH && f->sink;
    if (next == WEIR_NEXT || f->silenced)
        return OK;
    fail(&f->verdict, WEIR_CANCELLED, "stopped by the program at its beginning");
    if (next == WEIR_STOP_RUN)
        run_stop(f->worker->engine, WEIR_CANCELLED, &f->verdict);
    return WEIR_CANCELLED;
}

/* A body that can be used, from byte 0 or from where we are. */
static status begin_body(struct fetch *f, const struct response *r, enum range_verdict range,
                         int64_t size)
{
    status st = check_size(f, size);
    if (st)
        return st;
    if (range == RANGE_WHOLE && (f->offset > 0 || f->segments)) {
        st = fetch_must_replay(f) ? fetch_start_replay(f) : start_again(f);
        if (st)
            return st;
    }
    if (range == RANGE_WHOLE) {
        st = keep_validators(f, r, size);
        if (!st && !f->replaying)
            st = check_begin(&f->check, r, &f->verdict);
        if (!st && !f->replaying)
            st = tell_coding(f, r);
        if (st)
            return st;
    } else {
        f->held.size = size;
        if (!f->sink_begun && f->sink)
            f->outcome->resumed_from = f->held.extents ? segments_held(f) : f->offset;
    }
    f->mtime = r->last_modified ? http_date(r->last_modified) : -1;
    note_size(f, size);
    atomic_store_explicit(&f->shown_offset, f->offset, memory_order_relaxed);
    st = use_given_name(f, r);
    if (st || f->skip)
        return st;
    st = begin_sinks(f);
    return st ? st : tell_begin(f, r, size);
}

static enum body_verdict answer_head(void *owner, const struct response *r)
{
    struct fetch *f = owner;
    f->http_status = r->http_status;
    f->outcome->http_status = r->http_status;
    f->retry_after_ns = r->retry_after_ns;
    if (f->sending)
        return sending_head(f, r);
    if (redirect_status(r->http_status))
        return redirect(f, r);
    if (r->http_status == 304 && f->conditional) {
        f->skip = true;
        return BODY_DRAIN;
    }
    bool refused_range = r->http_status == 416 && f->asked_from > 0;
    if (r->http_status != 200 && r->http_status != 203 && r->http_status != 206 && !refused_range)
        return refuse(f, r);
    struct range_wanted wanted = {f->asked_from, f->held.size, f->held.etag, f->held.last_modified};
    if (f->held_elsewhere) /* its validators are another server's; size and digest vouch */
        wanted.etag = wanted.last_modified = NULL;
    struct range_answer answer = {r->http_status, r->content_length, r->content_range, r->etag,
                                  r->last_modified};
    int64_t size = -1, until = -1;
    enum range_verdict range = range_judge(&wanted, &answer, &size, &until);
    if (range == RANGE_STRANGE)
        return cut(f, fail(&f->verdict, WEIR_HTTP,
                           "the server answered %d, a part of the body, though the whole was asked "
                           "for",
                           r->http_status));
    if (range == RANGE_REFUSED) {
        /* Never spliced, never trusted again for this file: the whole body is asked for. */
        f->no_range = f->restart = true;
        return cut(f, fail(&f->verdict, WEIR_TRUNCATED,
                           "the answer to the request for the rest does not fit what is held"));
    }
    f->until = until;
    status st = begin_body(f, r, range, size);
    if (st)
        return cut(f, st);
    if (f->skip)
        return BODY_CUT;
    st = segments_answered(f, r, range == RANGE_PART);
    if (st)
        return cut(f, st);
    f->good = true;
    queue_answered(f->worker->engine->queue, f->job, clock_now());
    return BODY_TAKE;
}

static bool answer_data(void *owner, const char *data, size_t size)
{
    struct fetch *f = owner;
    return f->sending ? sending_answer(f, data, size) : fetch_deliver(f, data, size);
}

static void answer_end(void *owner, const struct transfer_result *result)
{
    fetch_ended(owner, result);
}

const struct transfer_ops fetch_ops = {.on_head = answer_head,
                                       .on_data = answer_data,
                                       .on_read = sending_read,
                                       .on_rewind = sending_rewind,
                                       .on_trailer = sending_trailer,
                                       .on_end = answer_end};

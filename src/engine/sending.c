/* See sending.h. Worker thread of the fetch, from within net_loop_wait where libcurl calls.
 *
 * An upload is done when the server has said 2xx and has been given everything; nothing that
 * happens to the rest of its answer takes that back. It has failed by the status where one came,
 * also in the middle of the body, and by the loss of the connection only where none did. After such
 * a loss the next try asks by Expect: 100-continue, so that a refusal is heard before the body
 * goes.
 */
#include "engine/sending.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/redirect.h"
#include "engine/upload.h"

#define EXCERPT_BYTES 1024
#define ANSWER_MAX_BYTES 65536
#define CHANGED_WAIT (200 * NS_PER_MS)
#define EXPECT_BYTES (1 << 20) /* what is smaller is sent before an answer could come */

struct sending {
    struct upload upload;
    int64_t sent;  /* bytes given to the transfer in this request */
    bool all_sent; /* ... and those were all */
    bool expects;  /* this request asks first */
    bool no_expect;
    bool looks_first; /* put.on_exist: HEAD has not been answered yet */
    bool looking;     /* this request is that HEAD */
    bool goes_on;     /* the next request belongs to the same attempt */
    bool summed;
    bool stale;       /* the file has changed: it is to be looked at anew */
    unsigned digests; /* to be sent along, a bit a kind */
    char payload[2 * CHECKSUM_MAX + 1];
    struct strbuf headers;
    int64_t answer_bytes;
    size_t excerpt_n;
    char excerpt[EXCERPT_BYTES];
};

/* ---- opening, digests ---- */

static status want_digests(struct sending *s, const struct options *o, error *err)
{
    status st = OK;
    const char *p = o->put_send_digest ? o->put_send_digest : "";
    while (*p && !st) {
        size_t n = strcspn(p, ",");
        enum checksum_kind kind;
        if (checksum_named(span_trim((struct span){p, n}), &kind)) {
            s->digests |= 1U << kind;
            st = upload_want_sum(&s->upload, kind, err);
        }
        p += n + (p[n] == ',');
    }
    if (!st && o->http_aws_sigv4 && s->upload.is_file)
        st = upload_want_sum(&s->upload, CHECKSUM_SHA256, err);
    return st;
}

status sending_open(struct fetch *f, error *err)
{
    const struct options *o = f->job->host->options;
    struct sending *s = calloc(1, sizeof *s);
    if (!s)
        return fail(err, WEIR_NOMEM, "out of memory");
    status st = upload_open(&s->upload, f->job, err);
    if (!st)
        st = want_digests(s, o, err);
    if (!st)
        st = check_open(&f->check, job_text(f->job, f->job->digests), err);
    if (st) {
        sending_close(s);
        return st;
    }
    s->looks_first = o->put_on_exist == PUT_ON_EXIST_SKIP;
    f->sending = s;
    return OK;
}

void sending_close(struct sending *s)
{
    if (!s)
        return;
    upload_close(&s->upload);
    strbuf_free(&s->headers);
    free(s);
}

static bool has_sums(const struct upload *u)
{
    bool any = false;
    for (size_t i = 0; i < CHECKSUM_KINDS; i++)
        any = any || u->sums[i];
    return any;
}

bool sending_sums_first(struct fetch *f)
{
    struct sending *s = f->sending;
    error ignored; /* what cannot be looked at cannot be read either, which is told then */
    if (s->stale)
        upload_look_again(&s->upload, &ignored);
    s->summed = s->summed && !s->stale;
    s->stale = false;
    return s->upload.is_file && !s->summed && !s->looks_first && has_sums(&s->upload);
}

status sending_sum(struct fetch *f, error *err)
{
    status st = upload_sum_slice(&f->sending->upload, err);
    f->sending->summed = st == WEIR_END;
    return st;
}

/* ---- the request ---- */

static void add_line(struct strbuf *b, const char *name, const char *value)
{
    strbuf_addf(b, "%s: %s", name, value);
    strbuf_addc(b, '\0');
}

static void add_repr_digest(struct strbuf *b, const struct sending *s)
{
    const char *before = "";
    for (unsigned kind = 0; kind < CHECKSUM_KINDS; kind++) {
        struct checksum c;
        if (!(s->digests & 1U << kind))
            continue;
        checksum_value(s->upload.sums[kind], &c);
        strbuf_adds(b, before);
        checksum_add_repr_digest(b, &c);
        before = ", ";
    }
}

/* RFC 9530; Content-MD5 (RFC 1864) is obsolete, but it is what stores of objects check. A pipe's
 * digest is known when it has gone: it follows as a trailer. */
static void add_digests(struct strbuf *b, const struct sending *s)
{
    if (!s->digests)
        return;
    if (!s->upload.is_file) {
        add_line(b, "Trailer", "Repr-Digest");
        return;
    }
    strbuf_adds(b, "Repr-Digest: ");
    add_repr_digest(b, s);
    strbuf_addc(b, '\0');
    if (s->digests & 1U << CHECKSUM_MD5) {
        struct checksum c;
        checksum_value(s->upload.sums[CHECKSUM_MD5], &c);
        strbuf_adds(b, "Content-MD5: ");
        checksum_add_base64(b, &c);
        strbuf_addc(b, '\0');
    }
}

static bool wants_expect(const struct fetch *f)
{
    const struct sending *s = f->sending;
    int how = f->job->host->options->put_expect;
    if (s->no_expect || how == PUT_EXPECT_NO || s->upload.size == 0)
        return false;
    return how == PUT_EXPECT_YES || s->upload.size < 0 || s->upload.size > EXPECT_BYTES ||
           f->job->attempts > 1;
}

static void add_payload_digest(struct sending *s, struct transfer_request *request)
{
    struct checksum c;
    if (!s->upload.is_file || !s->upload.sums[CHECKSUM_SHA256])
        return;
    checksum_value(s->upload.sums[CHECKSUM_SHA256], &c);
    checksum_hex(&c, s->payload);
    request->payload_sha256 = s->payload;
}

static void show_size(struct fetch *f, int64_t size)
{
    struct counters *n = &f->worker->engine->counters;
    int64_t before = atomic_exchange_explicit(&f->shown_size, size, memory_order_relaxed);
    atomic_fetch_add_explicit(&n->bytes_known, (size > 0 ? size : 0) - (before > 0 ? before : 0),
                              memory_order_relaxed);
}

/* What was sent in vain has been sent all the same: of that try nothing more is to come. */
static void forget_sent(struct fetch *f)
{
    struct sending *s = f->sending;
    if (s->upload.size > 0)
        show_size(f, s->sent);
    atomic_store_explicit(&f->shown_size, -1, memory_order_relaxed);
    atomic_store_explicit(&f->shown_offset, 0, memory_order_relaxed);
    s->sent = 0;
    s->all_sent = false;
}

/* What the list says of the body is known to be wrong before its last byte has left. */
static status check_end(struct fetch *f)
{
    const struct sending *s = f->sending;
    status st = check_whole_body(&f->check, &f->verdict);
    if (!st && f->job->size >= 0 && s->upload.at != f->job->size)
        st = fail(&f->verdict, WEIR_CHECKSUM, "%s: has %lld bytes, the list says %lld",
                  s->upload.name, (long long)s->upload.at, (long long)f->job->size);
    return st;
}

status sending_request(struct fetch *f, struct transfer_request *request, error *err)
{
    struct sending *s = f->sending;
    const struct options *o = f->job->host->options;
    s->answer_bytes = 0;
    s->excerpt_n = 0;
    s->goes_on = s->expects = false;
    s->looking = s->looks_first;
    if (!request->method)
        request->method = o->put_method;
    if (s->looking) {
        request->method = "HEAD";
        return OK;
    }
    status st = upload_rewind(&s->upload, err);
    if (!st)
        st = check_begin(&f->check, &(struct response){0}, err);
    if (st)
        return st;
    strbuf_clear(&s->headers);
    for (const char *p = request->headers; p && *p; p += strlen(p) + 1)
        strbuf_add(&s->headers, p, strlen(p) + 1);
    add_digests(&s->headers, s);
    if (o->put_on_exist == PUT_ON_EXIST_SKIP)
        add_line(&s->headers, "If-None-Match", "*");
    strbuf_addc(&s->headers, '\0');
    if (s->headers.failed)
        return fail(err, WEIR_NOMEM, "out of memory");
    request->headers = s->headers.p;
    request->upload = true;
    request->upload_size = s->upload.size;
    request->upload_expect = s->expects = wants_expect(f);
    request->upload_trailers = s->digests && !s->upload.is_file;
    request->own_connection = !s->upload.is_file && !(s->upload.source && s->upload.source->rewind);
    add_payload_digest(s, request);
    show_size(f, s->upload.size);
    s->all_sent = s->upload.size == 0;
    return s->all_sent ? check_end(f) : OK;
}

/* ---- the body ---- */

static void charge(struct fetch *f, size_t n)
{
    uint64_t until = fetch_charge(f->worker->engine, f->job->host, n, 0);
    if (until)
        worker_pause(f->worker, &f->pause, f->transfer, until);
}

status sending_read(void *owner, char *data, size_t cap, size_t *got)
{
    struct fetch *f = owner;
    struct sending *s = f->sending;
    struct upload *u = &s->upload;
    if (run_stopping(f->worker->engine))
        return WEIR_CANCELLED;
    status st = upload_read(u, data, cap, got, &f->verdict);
    if (st == WEIR_AGAIN && !transfer_wait_readable(f->transfer, u->fd))
        st = fail(&f->verdict, WEIR_INPUT, "%s: cannot be waited for", u->name);
    if (st == WEIR_AGAIN)
        return st;
    if (!st)
        check_add(&f->check, data, *got);
    bool ends = u->size >= 0 ? u->at >= u->size : *got == 0;
    if (!st && ends)
        st = check_end(f);
    if (st) {
        if (!f->verdict.status)
            f->verdict.status = st;
        /* A file that is being written may be whole in a moment; a wrong digest stays wrong. */
        f->refused = st == WEIR_CHECKSUM && u->is_file && !f->check.wants;
        return st;
    }
    s->sent = u->at;
    s->all_sent = ends;
    struct counters *n = &f->worker->engine->counters;
    atomic_fetch_add_explicit(&n->bytes, (int64_t)*got, memory_order_relaxed);
    atomic_fetch_add_explicit(&n->sent, (int64_t)*got, memory_order_relaxed);
    atomic_store_explicit(&f->shown_offset, s->sent, memory_order_relaxed);
    if (*got)
        charge(f, *got);
    return OK;
}

bool sending_rewind(void *owner)
{
    struct fetch *f = owner;
    error ignored;
    forget_sent(f);
    show_size(f, f->sending->upload.size);
    return upload_rewind(&f->sending->upload, &ignored) == OK &&
           check_begin(&f->check, &(struct response){0}, &ignored) == OK;
}

void sending_trailer(void *owner, struct strbuf *out)
{
    const struct fetch *f = owner;
    strbuf_adds(out, "Repr-Digest: ");
    add_repr_digest(out, f->sending);
}

/* ---- the answer ---- */

static const char *hint(const struct sending *s, int http_status)
{
    switch (http_status) {
    case 401:
        return "; give --user, or a [host] section with http.user";
    case 407:
        return "; give user and password in --proxy";
    case 405:
    case 501:
        return "; it may take another method (--method)";
    case 411:
        return s->upload.size < 0 ? "; save what is sent to a file, whose size is known" : "";
    default:
        return "";
    }
}

static enum body_verdict refuse(struct fetch *f, const struct response *r)
{
    fail(&f->verdict, WEIR_HTTP, "the server answered %d %s%s", r->http_status,
         answer_phrase(r->http_status), hint(f->sending, r->http_status));
    f->verdict.http_status = r->http_status;
    return BODY_TAKE;
}

/* 307 and 308 ask for the same request elsewhere (RFC 9110 section 15.4); the others for a GET,
 * which would leave open what became of the body. */
static enum body_verdict redirect(struct fetch *f, const struct response *r)
{
    struct sending *s = f->sending;
    if (!r->location) {
        fail(&f->verdict, WEIR_REDIRECT, "the server answered %d without a Location",
             r->http_status);
    } else if (r->http_status <= 303 && !s->looking) {
        fail(&f->verdict, WEIR_REDIRECT,
             "the server answered %d, which sends no body on to %s; give the URL that takes it",
             r->http_status, r->location);
    } else if (!upload_repeats(&s->upload)) {
        fail(&f->verdict, WEIR_REDIRECT,
             "the server redirects to %s when %lld bytes of %s have gone, which cannot be read a "
             "second time; give that URL",
             r->location, (long long)s->sent, s->upload.name);
    } else {
        f->location = strdup(r->location);
        if (!f->location)
            fail(&f->verdict, WEIR_NOMEM, "out of memory");
    }
    f->verdict.http_status = r->http_status;
    return f->verdict.status ? BODY_CUT : BODY_DRAIN;
}

/* The same attempt goes on with another request. */
static enum body_verdict ask_again(struct fetch *f, enum body_verdict verdict)
{
    f->sending->goes_on = f->restart = true;
    fail(&f->verdict, WEIR_HTTP, "another request follows");
    return verdict;
}

/* What is there already is asked for once; a server that knows no HEAD is asked by the PUT. */
static enum body_verdict looked(struct fetch *f, const struct response *r)
{
    int code = r->http_status;
    if (code >= 200 && code < 300) {
        f->skip = true;
        return BODY_DRAIN;
    }
    if (code != 404 && code != 410 && code != 405 && code != 501)
        return refuse(f, r);
    f->sending->looks_first = false;
    return ask_again(f, BODY_DRAIN);
}

enum body_verdict sending_head(struct fetch *f, const struct response *r)
{
    struct sending *s = f->sending;
    int code = r->http_status;
    if (redirect_status(code))
        return redirect(f, r);
    if (s->looking)
        return looked(f, r);
    if (code == 417 && s->expects && upload_repeats(&s->upload)) {
        s->no_expect = true;
        return ask_again(f, BODY_CUT);
    }
    if (code == 412 && f->job->host->options->put_on_exist == PUT_ON_EXIST_SKIP) {
        f->skip = true;
        return BODY_DRAIN;
    }
    if (code < 200 || code > 299)
        return refuse(f, r);
    f->good = true;
    queue_answered(f->worker->engine->queue, f->job, clock_now());
    return BODY_TAKE;
}

bool sending_answer(struct fetch *f, const char *data, size_t size)
{
    struct sending *s = f->sending;
    size_t room = sizeof s->excerpt - s->excerpt_n, n = size < room ? size : room;
    memcpy(s->excerpt + s->excerpt_n, data, n);
    s->excerpt_n += n;
    s->answer_bytes += (int64_t)size;
    /* An answer without end is cut; but not while it still takes what is sent. */
    return s->answer_bytes <= ANSWER_MAX_BYTES || (f->good && !s->all_sent);
}

/* ---- the end ---- */

/* The text of an element of XML, as S3-style stores explain themselves. */
static struct span element(struct span text, const char *open, const char *close)
{
    const char *p = memmem(text.p, text.n, open, strlen(open));
    if (!p)
        return (struct span){0};
    p += strlen(open);
    const char *end = memmem(p, text.n - (size_t)(p - text.p), close, strlen(close));
    return end ? (struct span){p, (size_t)(end - p)} : (struct span){0};
}

/* What the server said of it, in a line. Pages of HTML are for people with browsers. */
static void add_excerpt(struct fetch *f)
{
    const struct sending *s = f->sending;
    struct span text = {s->excerpt, s->excerpt_n};
    struct strbuf line = {.max = 300};
    while (text.n && strchr(" \t\r\n", text.p[0]))
        text.p++, text.n--;
    if (!text.n)
        return;
    if (text.p[0] == '<') {
        strbuf_add_printable(&line, element(text, "<Code>", "</Code>"));
        struct span message = element(text, "<Message>", "</Message>");
        strbuf_adds(&line, line.n && message.n ? ": " : "");
        strbuf_add_printable(&line, message);
    } else {
        size_t n = 0;
        while (n < text.n && n < 200 && text.p[n] != '\n' && text.p[n] != '\r')
            n++;
        strbuf_add_printable(&line, (struct span){text.p, n});
    }
    error e = f->verdict;
    if (line.n) {
        fail(&f->verdict, e.status, "%.200s (it says: %s)", e.message, strbuf_text(&line));
        f->verdict.http_status = e.http_status;
    }
    strbuf_free(&line);
}

/* The digest that was sent along, the strongest of several. */
static char *digest_text(const struct sending *s)
{
    struct checksum c;
    char hex[2 * CHECKSUM_MAX + 1], *text = NULL;
    for (unsigned kind = 0; kind < CHECKSUM_KINDS; kind++)
        if (s->digests & 1U << kind)
            checksum_value(s->upload.sums[kind], &c);
    if (!s->digests)
        return NULL;
    checksum_hex(&c, hex);
    return asprintf(&text, "%s=%s", checksum_name(c.kind), hex) < 0 ? NULL : text;
}

static void not_accepted(struct fetch *f)
{
    struct sending *s = f->sending;
    if (f->good && !f->verdict.status) {
        fail(&f->verdict, WEIR_TRUNCATED,
             "the server answered %d, but the connection ended when %lld bytes of the body had "
             "been handed to it",
             f->http_status, (long long)s->sent);
        f->verdict.http_status = f->http_status;
    }
    if (f->verdict.status == WEIR_HTTP && !f->restart)
        add_excerpt(f);
    s->stale = f->refused;
    forget_sent(f);
}

void sending_ended(struct fetch *f, const struct transfer_result *result)
{
    struct sending *s = f->sending;
    if (!f->good || f->verdict.status || !s->all_sent || result->send_failed) {
        not_accepted(f);
        return;
    }
    f->offset = s->sent;
    f->enough = true;
    f->outcome->digest = f->check.state ? NULL : digest_text(s);
}

bool sending_repeats(struct fetch *f, uint64_t *at)
{
    const struct upload *u = &f->sending->upload;
    if (f->refused) /* who writes to the file is given time to end */
        *at += CHANGED_WAIT;
    if (upload_repeats(u))
        return true;
    error e = f->verdict;
    fail(&f->verdict, e.status,
         "%.300s; not tried again, since %lld bytes of %s have gone and cannot be read a second "
         "time",
         e.message, (long long)u->at, u->name);
    f->verdict.http_status = e.http_status;
    f->verdict.sys_errno = e.sys_errno;
    f->verdict.curl_code = e.curl_code;
    return false;
}

bool sending_not_heard(const struct fetch *f)
{
    return f->sending && f->job->attempts > 1 && (f->http_status == 409 || f->http_status == 423);
}

bool sending_is_kept(const struct fetch *f)
{
    const struct sending *s = f->sending;
    return s && (s->goes_on || !s->upload.is_file);
}

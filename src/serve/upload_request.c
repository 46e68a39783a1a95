/* See upload_request.h.
 *
 * What can be known from the head is said before the body is sent: a client that asks first
 * (Expect: 100-continue) keeps its gigabytes. The .part is locked from then on, so that of two
 * uploads of one name the second hears 409. It bears the mark of what made it, which keeps it from
 * being taken for the beginning of a download; an upload that breaks off leaves nothing.
 */
#include "serve/upload_request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "serve/reply.h"
#include "serve/upload_commit.h"

#define MADE_BY "weir serve --upload"

/* ---- the head ---- */

static bool name_is_fine(struct exchange *x)
{
    const struct request_path *p = &x->path;
    if (!p->name.n || p->folder)
        return exchange_refuse(x, 400,
                               "the target is a folder; name the file that the body is to become");
    if (p->unfinished)
        return exchange_refuse(x, 403,
                               "names that end in .part or .part.resume are taken by uploads on "
                               "their way");
    if (p->hidden && !x->server->options->serve_hidden)
        return exchange_refuse(x, 403, "names that begin with a dot are not served here");
    if (p->control)
        return exchange_refuse(x, 400, "the name holds a control character");
    return true;
}

/* RFC 9110 section 14.5, RFC 9110 section 9.3.4. */
static bool body_is_plain(struct exchange *x)
{
    const char *coding = exchange_field(x, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (exchange_field(x, MHD_HTTP_HEADER_CONTENT_RANGE))
        return exchange_refuse(x, 400, "a part of a file cannot be put (Content-Range)");
    if (coding && !span_equal_nocase(span_trim(span_of(coding)), "identity"))
        return exchange_refuse(x, 415, "a body is kept as it is sent; leave out Content-Encoding");
    return true;
}

static bool size_is_fine(struct exchange *x, struct upload *u)
{
    uint64_t n;
    const char *length = exchange_field(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t most = x->server->options->serve_max_upload_size;
    u->expected = -1;
    if (length && parse_uint64(span_trim(span_of(length)), &n) && n <= INT64_MAX)
        u->expected = (int64_t)n;
    if (most && u->expected > most)
        return exchange_refuse(x, 413, "the body is larger than is taken here");
    /* Without a word on its length there is no body, and a good file shall not become an empty one
     * by mistake. */
    if (!length && !exchange_field(x, MHD_HTTP_HEADER_TRANSFER_ENCODING))
        return exchange_refuse(x, 411, "the length of the body is missing");
    return true;
}

/* The payload's SHA-256 as S3 clients announce it. */
static bool read_amz_digest(struct exchange *x, struct checksum *out, bool *any)
{
    error ignored;
    struct span sha = span_trim(span_of(exchange_field(x, "x-amz-content-sha256")));
    if (!sha.n || span_equal(sha, "UNSIGNED-PAYLOAD"))
        return true;
    if (span_starts(sha, "STREAMING-"))
        return exchange_refuse(x, 501, "bodies signed chunk by chunk are not taken");
    if (checksum_parse(out, CHECKSUM_SHA256, sha, &ignored))
        return exchange_refuse(x, 400, "x-amz-content-sha256 cannot be read");
    *any = true;
    return true;
}

/* The first that is there and of a kind that is known. */
static bool read_digests(struct exchange *x, struct upload *u)
{
    static const char *const fields[] = {"Repr-Digest", "Content-Digest", "Digest"};
    bool any = false;
    if (!read_amz_digest(x, &u->announced, &any))
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields && !any; i++) {
        const char *value = exchange_field(x, fields[i]);
        any = value && checksum_from_repr_digest(span_of(value), &u->announced);
    }
    const char *md5 = any ? NULL : exchange_field(x, "Content-MD5");
    if (md5 && !checksum_from_content_md5(span_of(md5), &u->announced))
        return exchange_refuse(x, 400, "Content-MD5 cannot be read");
    if (!any && !md5)
        return true;
    u->counted = checksum_start(u->announced.kind);
    return u->counted || exchange_refuse(x, 500, "this digest cannot be checked here");
}

/* Looks at what has the name now. */
static bool target_is_fine(struct exchange *x, struct upload *u)
{
    struct stat st;
    struct validators v;
    int fd = fs_open_beneath(x->server->dirfd, strbuf_text(&x->path.name), O_RDONLY | O_NONBLOCK, 0,
                             false);
    if (fd >= 0 && fstat(fd, &st) < 0) {
        close(fd);
        fd = -EIO;
    }
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && S_ISDIR(st.st_mode))
        return exchange_refuse(x, 409, "a folder has this name");
    if ((fd >= 0 && !S_ISREG(st.st_mode)) || fd == -ELOOP || fd == -ENXIO)
        return exchange_refuse(x, 409,
                               "something that is not a file has this name, or lies on the way");
    if (fd == -ENOTDIR)
        return exchange_refuse(x, 409, "a file stands where a folder is needed");
    if (fd == -ENAMETOOLONG)
        return exchange_refuse(x, 400, "the name is too long");
    u->replaces = fd >= 0 || fd == -EACCES;
    if (fd >= 0)
        validators_of(&v, &st, NULL, clock_wall_ns());
    if (precondition_judge(&x->conditions, fd >= 0 ? &v : NULL, false) != PRECONDITION_HOLDS)
        return exchange_refuse(x, 412, "the file is not the one that the request speaks of");
    return true;
}

/* What trouble with the sink means for the client; its own words are for whoever runs the server.
 */
static bool refuse_sink(struct exchange *x, const error *err)
{
    server_warn(x->server, "upload of %s: %s", x->target, err->message);
    if (err->sys_errno == ENOSPC || err->sys_errno == EDQUOT)
        return exchange_refuse(x, 507, "there is no room for it");
    switch (err->status) {
    case WEIR_NAME:
        return exchange_refuse(x, 409,
                               "the name is in use, by another upload or by something else");
    case WEIR_AGAIN:
    case WEIR_NOMEM:
        return exchange_refuse(x, 503, "too much at once; try again in a moment");
    default:
        return exchange_refuse(x, 500, "it cannot be kept");
    }
}

static bool open_sink(struct exchange *x, struct upload *u)
{
    struct provenance from, body;
    error err;
    strbuf_addf(&u->origin, "%s", x->server->url);
    url_path_add(&u->origin, strbuf_text(&x->path.name));
    if (u->origin.failed)
        return exchange_refuse(x, 503, "too much at once; try again in a moment");
    const char *none = x->conditions.if_none_match;
    struct sink_spec spec = {.name = strbuf_text(&x->path.name),
                             .origin = strbuf_text(&u->origin),
                             .made_by = MADE_BY,
                             .replace = !(none && span_equal(span_trim(span_of(none)), "*"))};
    provenance_init(&from);
    status st = sink_file.open(&u->sink, &x->server->sinks, &spec, &from, &err);
    provenance_free(&from);
    if (st)
        return refuse_sink(x, &err);
    provenance_init(&body);
    body.size = u->expected;
    st = u->sink->type->begin(u->sink, 0, &body, &err);
    provenance_free(&body);
    return st ? refuse_sink(x, &err) : true;
}

static void drop(struct upload *u)
{
    if (u->sink) {
        u->sink->type->abort(u->sink, false);
        u->sink->type->close(u->sink);
        u->sink = NULL;
    }
    checksum_free(u->counted);
    u->counted = NULL;
}

bool upload_begin(struct exchange *x)
{
    if (!x->server->commits)
        return exchange_refuse(x, 405, "uploads are not taken here");
    struct upload *u = calloc(1, sizeof *u);
    if (!u)
        return exchange_refuse(x, 503, "too much at once; try again in a moment");
    u->x = x;
    x->upload = u;
    if (name_is_fine(x) && body_is_plain(x) && size_is_fine(x, u) && read_digests(x, u) &&
        target_is_fine(x, u) && open_sink(x, u))
        return true;
    drop(u);
    return false;
}

/* ---- the body ---- */

/* The rest of the body is passed over, and then said why. */
static enum MHD_Result give_up(struct exchange *x)
{
    drop(x->upload);
    return MHD_YES;
}

enum MHD_Result upload_write(struct exchange *x, const char *data, size_t size)
{
    struct upload *u = x->upload;
    error err;
    int64_t most = x->server->options->serve_max_upload_size;
    x->received += (int64_t)size;
    if (most && x->received > most) {
        exchange_refuse(x, 413, "the body is larger than is taken here");
        return give_up(x);
    }
    if (u->counted)
        checksum_add(u->counted, data, size);
    if (u->sink->type->write(u->sink, data, size, &err)) {
        refuse_sink(x, &err);
        return give_up(x);
    }
    uint64_t now = clock_now(), due = pacer_charge(&x->link->client->pacer, size, now);
    if (!due && x->received != u->expected && exchange_client_has_left(x))
        due = now; /* who goes on is read from anew, and then the daemon sees the end */
    if (due && !wakeups_suspend(&x->server->wakeups, x->link, due))
        return MHD_NO;
    return MHD_YES;
}

/* ---- the end ---- */

static bool digest_is_right(struct exchange *x, struct upload *u)
{
    struct checksum counted;
    if (!u->counted)
        return true;
    checksum_value(u->counted, &counted);
    return checksum_equal(&counted, &u->announced) ||
           exchange_refuse(x, 400, "the body has not the digest that was announced");
}

static enum MHD_Result send_why_not(struct exchange *x)
{
    drop(x->upload);
    return reply_refusal(x);
}

static enum MHD_Result hand_over(struct exchange *x, struct upload *u)
{
    error err;
    if (!digest_is_right(x, u))
        return send_why_not(x);
    if (u->sink->type->seal(u->sink, -1, &err)) {
        refuse_sink(x, &err);
        return send_why_not(x);
    }
    if (!wakeups_suspend(&x->server->wakeups, x->link, TIME_NEVER))
        return MHD_NO;
    u->handed_over = true;
    upload_commit_add(x->server->commits, u);
    return MHD_YES;
}

/* The ETag of what has the name now: the next condition may speak of it. */
static void add_etag(const struct exchange *x, struct MHD_Response *r)
{
    struct stat st;
    struct validators v;
    int fd = fs_open_beneath(x->server->dirfd, strbuf_text(&x->path.name), O_RDONLY | O_NONBLOCK, 0,
                             false);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        validators_of(&v, &st, NULL, clock_wall_ns());
        reply_field(r, MHD_HTTP_HEADER_ETAG, v.weak ? NULL : v.etag);
    }
    close(fd);
}

static enum MHD_Result send_done(struct exchange *x, const struct upload *u)
{
    struct strbuf location = {0};
    struct MHD_Response *r = reply_empty();
    strbuf_addc(&location, '/');
    url_path_add(&location, strbuf_text(&x->path.name));
    reply_field(r, MHD_HTTP_HEADER_LOCATION, u->replaces ? NULL : strbuf_text(&location));
    strbuf_free(&location);
    add_etag(x, r);
    pthread_mutex_lock(&x->server->lock);
    x->server->stats.uploads++;
    pthread_mutex_unlock(&x->server->lock);
    return reply_send(x, u->replaces ? 204 : 201, r);
}

enum MHD_Result upload_finish(struct exchange *x)
{
    struct upload *u = x->upload;
    if (!u->handed_over)
        return hand_over(x, u);
    if (!u->committed)
        return MHD_YES;
    if (!u->err.status)
        return send_done(x, u);
    if (u->err.sys_errno == EEXIST) /* If-None-Match: *, and somebody was faster */
        exchange_refuse(x, 412, "a file of this name has appeared meanwhile");
    else
        refuse_sink(x, &u->err);
    return send_why_not(x);
}

void upload_free(struct exchange *x)
{
    struct upload *u = x->upload;
    if (!u)
        return;
    drop(u);
    strbuf_free(&u->origin);
    free(u);
    x->upload = NULL;
}

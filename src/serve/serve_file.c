/* See serve_file.h.
 *
 * What is chosen first is the representation: the file, or a compressed sibling that the client
 * would rather have and that is not older than the file. Conditions and ranges then speak of that
 * one (RFC 9110 sections 12.1, 13 and 14), so a range of a sibling is a range of compressed bytes,
 * with an ETag that says so. Clients that ask for ranges of the file send no Accept-Encoding.
 */
#include "serve/serve_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "serve/accept_encoding.h"
#include "serve/body_stream.h"
#include "serve/listing.h"
#include "serve/media_type.h"
#include "serve/reply.h"

#define READ_AHEAD_FROM ((int64_t)1 << 20)
/* A body of so many bytes goes out with the head in one call: at 4 KiB half the cost of sendfile.
 */
#define IN_MEMORY ((int64_t)16 << 10)
/* From here on what has gone out of a body that was cut is worth a question to the socket. */
#define ASK_FROM ((int64_t)64 << 10)

/* What is going to be sent, or just described. */
struct representation {
    int fd; /* -1 = given away */
    struct stat st;
    const char *type;
    const char *coding; /* or NULL */
    bool varies;        /* another Accept-Encoding may get another one */
    struct validators validators;
};

/* O_NONBLOCK: a FIFO shall not keep us waiting for its writer. -errno. */
static int open_beneath(const struct weir_server *s, const char *name, struct stat *st)
{
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    int fd = *name ? fs_open_beneath(s->dirfd, name, flags, 0, false)
                   : openat(s->dirfd, ".", flags | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return *name ? fd : -errno;
    if (fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
        return fd;
    close(fd); /* devices, FIFOs and sockets are no files to hand out */
    return -ENOENT;
}

/* ---- which representation ---- */

static bool is_older(const struct stat *a, const struct stat *b)
{
    if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
        return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
    return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* Opens the sibling of that ending where it can stand for the file; -1. */
static int open_sibling(const struct exchange *x, const char *name, const char *ending,
                        const struct stat *file, struct stat *st)
{
    struct strbuf sibling = {0};
    strbuf_adds(&sibling, name);
    strbuf_adds(&sibling, ending);
    int fd = sibling.failed ? -1 : open_beneath(x->server, sibling.p, st);
    strbuf_free(&sibling);
    if (fd >= 0 && S_ISREG(st->st_mode) && !is_older(st, file))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Puts the sibling that the client wants most in the place of the file. Who says nothing of codings
 * gets the file, and is spared the looking; a cache may hand that to anybody. */
static void prefer_sibling(struct exchange *x, const char *name, struct representation *r)
{
    int weights[CODINGS], best = 0;
    struct stat file = r->st;
    const char *accepted = exchange_field(x, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    if (!accepted)
        return;
    accept_encoding_weigh(accepted, weights);
    for (size_t i = 0; i < CODINGS; i++) {
        const struct content_coding *coding = content_coding_at(i);
        struct stat st;
        int fd = open_sibling(x, name, coding->ending, &file, &st);
        if (fd < 0)
            continue;
        r->varies = true;
        if (weights[i] <= best) {
            close(fd);
            continue;
        }
        best = weights[i];
        close(r->fd);
        r->fd = fd;
        r->st = st;
        r->coding = coding->name;
    }
}

static void describe(struct exchange *x, const char *name, struct representation *r)
{
    r->type = media_type_of(name);
    if (x->server->options->serve_precompressed)
        prefer_sibling(x, name, r);
    validators_of(&r->validators, &r->st, r->coding, clock_wall_ns());
}

/* ---- the answer ---- */

static void add_validators(struct MHD_Response *answer, const struct representation *r)
{
    reply_field(answer, MHD_HTTP_HEADER_ETAG, r->validators.etag);
    reply_field(answer, MHD_HTTP_HEADER_LAST_MODIFIED, r->validators.last_modified);
    reply_field(answer, MHD_HTTP_HEADER_VARY, r->varies ? "Accept-Encoding" : NULL);
}

/* Content-Length is that of the body which is not sent, or absent (RFC 9110 section 8.6); the
 * daemon makes it of the file, and sends nothing of that. */
static enum MHD_Result send_not_modified(struct exchange *x, struct representation *r)
{
    struct MHD_Response *answer =
        r->st.st_size ? MHD_create_response_from_fd64((uint64_t)r->st.st_size, r->fd)
                      : reply_empty();
    if (answer && r->st.st_size)
        r->fd = -1; /* the answer closes it */
    add_validators(answer, r);
    return reply_send(x, 304, answer);
}

static enum MHD_Result send_unsatisfiable(struct exchange *x, const struct representation *r)
{
    char range[64];
    struct MHD_Response *answer = reply_new(x, 416, "the file is shorter than that");
    snprintf(range, sizeof range, "bytes */%lld", (long long)r->st.st_size);
    reply_field(answer, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    return reply_send(x, 416, answer);
}

/* NULL: out of memory, or the file has been cut meanwhile. Takes `fd`. */
static struct MHD_Response *send_small(struct exchange *x, int fd, int64_t first, size_t length)
{
    char *data = malloc(length);
    size_t n = 0;
    while (data && n < length) {
        ssize_t got = pread(fd, data + n, length - n, first + (int64_t)n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    struct MHD_Response *answer = NULL;
    if (data && n == length)
        answer = MHD_create_response_from_buffer(length, data, MHD_RESPMEM_MUST_FREE);
    if (!answer)
        free(data);
    return answer;
}

/* One run of bytes, in the way that costs least. Takes r->fd. */
static struct MHD_Response *send_run(struct exchange *x, struct representation *r,
                                     const struct byte_range *range)
{
    const struct weir_server *s = x->server;
    int fd = r->fd;
    r->fd = -1;
    int64_t length = range->last - range->first + 1;
    x->length = length;
    if (length == 0) {
        close(fd);
        return reply_empty();
    }
    if (length >= READ_AHEAD_FROM && !exchange_is_head(x))
        posix_fadvise(fd, range->first, length, POSIX_FADV_SEQUENTIAL);
    if (length <= IN_MEMORY && !(s->clients.bandwidth > 0) && !exchange_is_head(x))
        return send_small(x, fd, range->first, (size_t)length);
    if (server_is_tls(s) || s->clients.bandwidth > 0) {
        struct body_spec spec = {.fd = fd, .ranges = range, .n = 1, .size = r->st.st_size};
        return body_stream_new(x, &spec);
    }
    struct MHD_Response *answer =
        MHD_create_response_from_fd_at_offset64((uint64_t)length, fd, (uint64_t)range->first);
    if (!answer)
        close(fd);
    else if (length >= ASK_FROM && !exchange_is_head(x))
        exchange_sends_file(x);
    return answer;
}

static void add_content_fields(struct MHD_Response *answer, const struct representation *r)
{
    add_validators(answer, r);
    reply_field(answer, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    reply_field(answer, MHD_HTTP_HEADER_CONTENT_ENCODING, r->coding);
}

static enum MHD_Result send_whole(struct exchange *x, struct representation *r)
{
    struct byte_range all = {0, r->st.st_size - 1};
    struct MHD_Response *answer = send_run(x, r, &all);
    add_content_fields(answer, r);
    reply_field(answer, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    return reply_send(x, 200, answer);
}

static enum MHD_Result send_range(struct exchange *x, struct representation *r,
                                  const struct byte_range *range)
{
    char text[96];
    struct MHD_Response *answer = send_run(x, r, range);
    add_content_fields(answer, r);
    snprintf(text, sizeof text, "bytes %" PRId64 "-%" PRId64 "/%lld", range->first, range->last,
             (long long)r->st.st_size);
    reply_field(answer, MHD_HTTP_HEADER_CONTENT_RANGE, text);
    reply_field(answer, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    return reply_send(x, 206, answer);
}

/* RFC 9110 section 14.6. */
static enum MHD_Result send_parts(struct exchange *x, struct representation *r,
                                  const struct byte_range *ranges, size_t n)
{
    struct rng random;
    char boundary[40], type[96];
    rng_seed(&random, 0);
    snprintf(boundary, sizeof boundary, "%016" PRIx64 "%016" PRIx64, rng_next(&random),
             rng_next(&random));
    snprintf(type, sizeof type, "multipart/byteranges; boundary=%s", boundary);
    struct body_spec spec = {.fd = r->fd,
                             .ranges = ranges,
                             .n = n,
                             .size = r->st.st_size,
                             .type = r->type,
                             .boundary = boundary};
    r->fd = -1;
    struct MHD_Response *answer = body_stream_new(x, &spec);
    add_content_fields(answer, r);
    reply_field(answer, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return reply_send(x, 206, answer);
}

/* Ranges are defined for GET alone (RFC 9110 section 14.2). */
static enum MHD_Result send_content(struct exchange *x, struct representation *r)
{
    struct byte_range ranges[RANGES_MAX];
    size_t n = 0;
    const char *field = exchange_is_head(x) ? NULL : exchange_field(x, MHD_HTTP_HEADER_RANGE);
    if (!field || !precondition_range(&x->conditions, &r->validators, clock_wall_s()))
        return send_whole(x, r);
    switch (byte_ranges_parse(ranges, &n, span_of(field), r->st.st_size)) {
    case RANGES_SOME:
        return n == 1 ? send_range(x, r, &ranges[0]) : send_parts(x, r, ranges, n);
    case RANGES_UNSATISFIABLE:
        return send_unsatisfiable(x, r);
    case RANGES_NONE:
        break;
    }
    return send_whole(x, r);
}

/* Takes `fd`, which is that of a regular file. */
static enum MHD_Result answer_file(struct exchange *x, const char *name, int fd,
                                   const struct stat *st)
{
    struct representation r = {.fd = fd, .st = *st};
    enum MHD_Result result = MHD_NO;
    describe(x, name, &r);
    switch (precondition_judge(&x->conditions, &r.validators, true)) {
    case PRECONDITION_HOLDS:
        result = send_content(x, &r);
        break;
    case PRECONDITION_NOT_MODIFIED:
        result = send_not_modified(x, &r);
        break;
    case PRECONDITION_FAILED:
        result = reply_text(x, 412, "the file is not the one that the request speaks of");
        break;
    }
    if (r.fd >= 0)
        close(r.fd);
    return result;
}

/* ---- folders ---- */

/* The path is written anew, from one slash on: "//other.example/" must not become a reference to
 * another host. */
static enum MHD_Result redirect_to_folder(struct exchange *x)
{
    struct strbuf to = {0};
    const char *query = strchr(x->target, '?');
    strbuf_addc(&to, '/');
    url_path_add(&to, strbuf_text(&x->path.name));
    strbuf_addc(&to, '/');
    if (query)
        strbuf_adds(&to, query);
    struct MHD_Response *r = to.failed ? NULL : reply_new(x, 301, "this is a folder");
    reply_field(r, MHD_HTTP_HEADER_LOCATION, strbuf_text(&to));
    strbuf_free(&to);
    return reply_send(x, 301, r);
}

/* The folder's own page, where there is one and nobody asks for data. */
static bool answer_index(struct exchange *x, enum MHD_Result *result)
{
    const char *index = x->server->options->serve_index;
    struct strbuf name = {0};
    struct stat st = {0};
    if (!index || !*index)
        return false;
    if (x->path.name.n) {
        strbuf_add(&name, x->path.name.p, x->path.name.n);
        strbuf_addc(&name, '/');
    }
    strbuf_adds(&name, index);
    int fd = name.failed ? -1 : open_beneath(x->server, name.p, &st);
    bool found = fd >= 0 && S_ISREG(st.st_mode);
    if (found)
        *result = answer_file(x, name.p, fd, &st);
    else if (fd >= 0)
        close(fd);
    strbuf_free(&name);
    return found;
}

/* Takes `fd`. */
static enum MHD_Result answer_folder(struct exchange *x, int fd)
{
    enum MHD_Result result;
    if (!x->path.folder) {
        close(fd);
        return redirect_to_folder(x);
    }
    if (listing_format_of(x) == LISTING_HTML && answer_index(x, &result)) {
        close(fd);
        return result;
    }
    if (x->server->options->serve_listing)
        return listing_send(x, fd);
    close(fd);
    return reply_text(x, 403, "folders are not listed here");
}

enum MHD_Result serve_file(struct exchange *x)
{
    struct stat st = {0};
    const char *name = strbuf_text(&x->path.name);
    int fd = open_beneath(x->server, name, &st);
    if (fd < 0)
        return reply_errno(x, fd);
    if (S_ISDIR(st.st_mode))
        return answer_folder(x, fd);
    if (!x->path.folder)
        return answer_file(x, name, fd, &st);
    close(fd);
    return reply_text(x, 404, "there is nothing of this name");
}

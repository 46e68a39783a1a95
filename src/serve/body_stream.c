/* See body_stream.h.
 *
 * The body is a row of pieces: text before a part, bytes of the file, text before the next. Where
 * the client has had what it may have, its connection is suspended until more is due; the debt of
 * one buffer is allowed, so that the pacer can be charged for what was really sent.
 */
#include "serve/body_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"

#define BUFFER ((size_t)32 << 10)
#define PART_HEAD_MAX 320

struct body_stream {
    struct exchange *x;
    int fd;
    int64_t size;
    const char *type;
    char boundary[40];
    size_t n, at;   /* the part that is being sent */
    int64_t offset; /* within it */
    char text[PART_HEAD_MAX];
    size_t text_size, text_sent; /* the text that comes first */
    uint64_t due;                /* the client has had its share until then */
    struct byte_range ranges[];
};

static bool is_multipart(const struct body_stream *b)
{
    return b->n > 1;
}

/* The text before part i; behind the last part, the end. */
static size_t part_head(const struct body_stream *b, size_t i, char out[PART_HEAD_MAX])
{
    if (!is_multipart(b))
        return 0;
    int n;
    if (i == b->n)
        n = snprintf(out, PART_HEAD_MAX, "\r\n--%s--\r\n", b->boundary);
    else
        n = snprintf(out, PART_HEAD_MAX,
                     "%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes %" PRId64 "-%" PRId64
                     "/%" PRId64 "\r\n\r\n",
                     i ? "\r\n" : "", b->boundary, b->type, b->ranges[i].first, b->ranges[i].last,
                     b->size);
    return n > 0 ? (size_t)n : 0;
}

static void begin_part(struct body_stream *b, size_t i)
{
    b->at = i;
    b->offset = 0;
    b->text_size = part_head(b, i, b->text);
    b->text_sent = 0;
}

/* Bytes of the file at the place that was reached; 0 at the end of the part, -errno. */
static ssize_t read_part(const struct body_stream *b, char *out, size_t cap)
{
    if (b->at == b->n)
        return 0;
    const struct byte_range *range = &b->ranges[b->at];
    int64_t left = range->last - range->first + 1 - b->offset;
    if (left <= 0)
        return 0;
    if ((int64_t)cap > left)
        cap = (size_t)left;
    ssize_t got;
    do
        got = pread(b->fd, out, cap, range->first + b->offset);
    while (got < 0 && errno == EINTR);
    if (got == 0) /* somebody has cut the file */
        return -EIO;
    return got < 0 ? -errno : got;
}

/* Fills `out` as far as the body goes. -errno when the file cannot be read. */
static ssize_t fill(struct body_stream *b, char *out, size_t cap)
{
    size_t n = 0;
    while (n < cap) {
        if (b->text_sent < b->text_size) {
            size_t piece = b->text_size - b->text_sent;
            piece = piece < cap - n ? piece : cap - n;
            memcpy(out + n, b->text + b->text_sent, piece);
            b->text_sent += piece;
            n += piece;
            continue;
        }
        ssize_t got = read_part(b, out + n, cap - n);
        if (got < 0)
            return got;
        n += (size_t)got;
        b->offset += got;
        if (got == 0 && b->at == b->n)
            break;
        if (got == 0)
            begin_part(b, b->at + 1);
    }
    return (ssize_t)n;
}

static ssize_t read_body(void *context, uint64_t offset, char *out, size_t cap)
{
    struct body_stream *b = context;
    struct exchange *x = b->x;
    if (b->due && b->due > clock_now())
        return wakeups_suspend(&x->server->wakeups, x->link, b->due)
                   ? 0
                   : MHD_CONTENT_READER_END_WITH_ERROR;
    ssize_t n = fill(b, out, cap);
    if (n <= 0) /* the length was announced, so there is always more to come */
        return MHD_CONTENT_READER_END_WITH_ERROR;
    x->sent += n;
    b->due = pacer_charge(&x->link->client->pacer, (uint64_t)n, clock_now());
    return n;
}

/* May be called after the end of the exchange. */
static void free_body(void *context)
{
    struct body_stream *b = context;
    close(b->fd);
    free(b);
}

static int64_t length_of(const struct body_stream *b)
{
    char text[PART_HEAD_MAX];
    int64_t length = (int64_t)part_head(b, b->n, text);
    for (size_t i = 0; i < b->n; i++)
        length += (int64_t)part_head(b, i, text) + b->ranges[i].last - b->ranges[i].first + 1;
    return length;
}

struct MHD_Response *body_stream_new(struct exchange *x, const struct body_spec *spec)
{
    struct body_stream *b = calloc(1, sizeof *b + spec->n * sizeof *spec->ranges);
    if (!b) {
        close(spec->fd);
        return NULL;
    }
    b->x = x;
    b->fd = spec->fd;
    b->size = spec->size;
    b->type = spec->type;
    b->n = spec->n;
    if (spec->boundary)
        snprintf(b->boundary, sizeof b->boundary, "%s", spec->boundary);
    memcpy(b->ranges, spec->ranges, spec->n * sizeof *spec->ranges);
    uint64_t length = (uint64_t)length_of(b);
    x->length = (int64_t)length;
    begin_part(b, 0);
    size_t buffer = length < BUFFER ? (size_t)length : BUFFER;
    struct MHD_Response *r =
        MHD_create_response_from_callback(length, buffer, read_body, b, free_body);
    if (!r)
        free_body(b);
    return r;
}

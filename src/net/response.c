/* Reading the head of an answer; see response.h. One thread at a time.
 *
 * libcurl parses the head as well, and its reading of Content-Length frames the body. But it takes
 * the last of several lengths, ignores one that overflows, and reads "5, 7" as 5; a body framed by
 * such a guess can be short or spliced without notice. So the lengths are compared here.
 *
 * Only the fields that somebody asks for are kept, so that a usual head costs no allocation.
 */
#include "net/response.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

#include "core/array.h"
#include "core/clock.h"
#include "core/http_date.h"

static const struct {
    const char *name;
    uint8_t length;
} fields[FIELD_COUNT] = {
    [FIELD_LOCATION] = {"location", 8},
    [FIELD_ETAG] = {"etag", 4},
    [FIELD_LAST_MODIFIED] = {"last-modified", 13},
    [FIELD_DATE] = {"date", 4},
    [FIELD_CONTENT_RANGE] = {"content-range", 13},
    [FIELD_CONTENT_ENCODING] = {"content-encoding", 16},
    [FIELD_RETRY_AFTER] = {"retry-after", 11},
    [FIELD_CONTENT_DISPOSITION] = {"content-disposition", 19},
    [FIELD_REPR_DIGEST] = {"repr-digest", 11},
    [FIELD_CONTENT_MD5] = {"content-md5", 11},
    [FIELD_ACCEPT_RANGES] = {"accept-ranges", 13},
};

void head_free(struct head *h)
{
    strbuf_free(&h->text);
    free(h->lines);
    free(h->headers);
    *h = (struct head){0};
}

static void forget_lines(struct head *h)
{
    strbuf_clear(&h->text);
    h->text.max = 2 * HEAD_MAX_BYTES + 2 * HEAD_MAX_LINES;
    memset(h->field, 0, sizeof h->field);
    h->line_count = h->bytes = h->count = 0;
    h->last_kept = h->length_given = h->length_wrong = h->transfer_encoding = false;
    h->coding_text[0] = '\0';
    h->content_length = -1;
    h->http_status = 0;
}

void head_begin(struct head *h, bool keep_all)
{
    forget_lines(h);
    h->interim = 0;
    h->keep_all = keep_all;
}

static uint32_t keep(struct head *h, struct span s)
{
    if (h->text.n == 0)
        strbuf_addc(&h->text, '\0');
    uint32_t at = (uint32_t)h->text.n;
    strbuf_add(&h->text, s.p, s.n);
    strbuf_addc(&h->text, '\0');
    h->last_kept = true;
    return at;
}

static void note_length_text(char *out, size_t cap, struct span s)
{
    size_t n = s.n < cap ? s.n : cap - 1;
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

/* Content-Length: equal values, repeated or in one list, are one (RFC 9110 section 8.6); anything
 * else makes the framing a guess. */
static void read_length(struct head *h, struct span value)
{
    size_t at = 0;
    do {
        const char *comma = value.n > at ? memchr(value.p + at, ',', value.n - at) : NULL;
        size_t end = comma ? (size_t)(comma - value.p) : value.n;
        struct span one = span_trim((struct span){value.p + at, end - at});
        uint64_t length = 0;
        bool readable = parse_uint64(one, &length) && length <= INT64_MAX;
        if (!h->length_given) {
            note_length_text(h->length_text[0], sizeof h->length_text[0], one);
            h->length_text[1][0] = '\0';
            h->content_length = readable ? (int64_t)length : -1;
            h->length_wrong = !readable;
            h->length_given = true;
        } else if (!h->length_wrong && (!readable || (int64_t)length != h->content_length)) {
            note_length_text(h->length_text[1], sizeof h->length_text[1], one);
            h->length_wrong = true;
        }
        at = end + 1;
    } while (at <= value.n);
}

/* A coding other than chunked was not asked for, and nobody here could undo it. */
static void read_transfer_encoding(struct head *h, struct span value)
{
    size_t at = 0;
    h->transfer_encoding = true;
    do {
        const char *comma = value.n > at ? memchr(value.p + at, ',', value.n - at) : NULL;
        size_t end = comma ? (size_t)(comma - value.p) : value.n;
        struct span one = span_trim((struct span){value.p + at, end - at});
        bool known = one.n == 0 || (one.n == 7 && strncasecmp(one.p, "chunked", 7) == 0) ||
                     (one.n == 8 && strncasecmp(one.p, "identity", 8) == 0);
        if (!known && !h->coding_text[0])
            note_length_text(h->coding_text, sizeof h->coding_text, one);
        at = end + 1;
    } while (at <= value.n);
}

static bool is_named(struct span name, const char *want, size_t length)
{
    return name.n == length && (name.p[0] | 0x20) == want[0] &&
           strncasecmp(name.p, want, length) == 0;
}

static enum head_step keep_line(struct head *h, struct span name, struct span value)
{
    struct head_line *roomy = array_grow(h->lines, h->line_count, &h->line_cap, sizeof *roomy);
    if (!roomy)
        return HEAD_TOO_LARGE;
    h->lines = roomy;
    struct head_line *line = &h->lines[h->line_count++];
    line->name = keep(h, name);
    line->value = keep(h, value);
    return h->text.failed ? HEAD_TOO_LARGE : HEAD_MORE;
}

static enum head_step read_field(struct head *h, struct span line)
{
    const char *colon = memchr(line.p, ':', line.n);
    h->last_kept = false;
    if (!colon)
        return HEAD_MORE;
    struct span name = span_trim((struct span){line.p, (size_t)(colon - line.p)});
    struct span value = span_trim((struct span){colon + 1, line.n - (size_t)(colon + 1 - line.p)});
    if (name.n == 0)
        return HEAD_MORE;
    if (is_named(name, "content-length", 14))
        read_length(h, value);
    else if (is_named(name, "transfer-encoding", 17))
        read_transfer_encoding(h, value);
    enum head_step step = h->keep_all ? keep_line(h, name, value) : HEAD_MORE;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (h->field[i] || !is_named(name, fields[i].name, fields[i].length))
            continue;
        h->field[i] =
            h->keep_all && step == HEAD_MORE ? h->lines[h->line_count - 1].value : keep(h, value);
        break;
    }
    return h->text.failed ? HEAD_TOO_LARGE : step;
}

/* Obsolete line folding (RFC 9112 section 5.2): the line continues the value before it. */
static enum head_step read_folded(struct head *h, struct span line)
{
    if (!h->last_kept || h->text.n < 2)
        return HEAD_MORE;
    struct span more = span_trim(line);
    h->text.p[h->text.n - 1] = ' ';
    strbuf_add(&h->text, more.p, more.n);
    strbuf_addc(&h->text, '\0');
    return h->text.failed ? HEAD_TOO_LARGE : HEAD_MORE;
}

static enum head_step read_status_line(struct head *h, struct span line)
{
    const char *p = memchr(line.p, ' ', line.n), *end = line.p + line.n;
    forget_lines(h);
    while (p && p < end && *p == ' ')
        p++;
    if (!p || end - p < 3)
        return HEAD_MALFORMED;
    for (int i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return HEAD_MALFORMED;
        h->http_status = 10 * h->http_status + (p[i] - '0');
    }
    return HEAD_MORE;
}

enum head_step head_line(struct head *h, const char *line, size_t n)
{
    h->bytes += n;
    if (h->bytes > HEAD_MAX_BYTES || h->count > HEAD_MAX_LINES)
        return HEAD_TOO_LARGE;
    while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    struct span s = {line, n};
    if (span_starts(s, "HTTP/"))
        return read_status_line(h, s);
    if (n == 0) {
        /* 101 was not asked for, so it is no promise of another answer but the final one. */
        if (h->http_status >= 200 || h->http_status == 101)
            return HEAD_COMPLETE;
        return ++h->interim > HEAD_MAX_INTERIM ? HEAD_TOO_LARGE : HEAD_MORE;
    }
    h->count++;
    if (line[0] == ' ' || line[0] == '\t')
        return read_folded(h, s);
    return read_field(h, s);
}

int64_t http_date(const char *text)
{
    int64_t seconds;
    return imf_fixdate(text, &seconds) ? seconds : curl_getdate(text, NULL);
}

/* RFC 9110 section 10.2.3: seconds, or a date. -1 = neither. */
static int64_t read_retry_after(const char *text, int64_t wall_s)
{
    uint64_t seconds;
    if (!parse_uint64(span_of(text), &seconds)) {
        if (*text && text[strspn(text, "0123456789")] == '\0')
            return INT64_MAX; /* more seconds than can be counted */
        if (*text == '-' || *text == '+' || (*text >= '0' && *text <= '9'))
            return -1;
        int64_t date = http_date(text);
        if (date == -1)
            return -1;
        seconds = date > wall_s ? (uint64_t)(date - wall_s) : 0;
    }
    return seconds > INT64_MAX / NS_PER_S ? INT64_MAX : (int64_t)seconds * NS_PER_S;
}

static const char *value_of(const struct head *h, enum head_field field)
{
    return h->field[field] ? h->text.p + h->field[field] : NULL;
}

status head_response(struct head *h, int64_t wall_s, struct response *out)
{
    *out = (struct response){
        .http_status = h->http_status,
        .content_length = h->transfer_encoding || h->length_wrong ? -1 : h->content_length,
        .location = value_of(h, FIELD_LOCATION),
        .etag = value_of(h, FIELD_ETAG),
        .last_modified = value_of(h, FIELD_LAST_MODIFIED),
        .date = value_of(h, FIELD_DATE),
        .content_range = value_of(h, FIELD_CONTENT_RANGE),
        .content_encoding = value_of(h, FIELD_CONTENT_ENCODING),
        .retry_after = value_of(h, FIELD_RETRY_AFTER),
        .content_disposition = value_of(h, FIELD_CONTENT_DISPOSITION),
        .repr_digest = value_of(h, FIELD_REPR_DIGEST),
        .content_md5 = value_of(h, FIELD_CONTENT_MD5),
        .accept_ranges = value_of(h, FIELD_ACCEPT_RANGES),
        .repeated_length = h->length_wrong && !h->transfer_encoding,
        .retry_after_ns = -1,
    };
    if (out->retry_after)
        out->retry_after_ns = read_retry_after(out->retry_after, wall_s);
    if (!h->keep_all || h->line_count == 0)
        return OK;
    if (h->header_cap < h->line_count) {
        weir_header *more = realloc(h->headers, h->line_cap * sizeof *more);
        if (!more)
            return WEIR_NOMEM;
        h->headers = more;
        h->header_cap = h->line_cap;
    }
    for (size_t i = 0; i < h->line_count; i++)
        h->headers[i] = (weir_header){h->text.p + h->lines[i].name, h->text.p + h->lines[i].value};
    out->headers = h->headers;
    out->header_count = h->line_count;
    return OK;
}

bool head_without_body(const struct head *h)
{
    return h->http_status == 204 || h->http_status == 304 || h->http_status < 200;
}

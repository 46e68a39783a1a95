/* Content-Range, strictly: a body is never spliced from an answer that says anything else than what
 * was asked. See range.h. */
#include "engine/range.h"

#include <stddef.h>
#include <string.h>

static const char *digits(const char *p, int64_t *out)
{
    int64_t value = 0;
    const char *start = p;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > (INT64_MAX - 9) / 10)
            return NULL;
        value = value * 10 + (*p - '0');
    }
    if (p == start)
        return NULL;
    *out = value;
    return p;
}

static const char *blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

bool content_range_parse(struct content_range *out, const char *text)
{
    struct content_range r = {-1, -1, -1};
    const char *p = blanks(text);
    if ((p[0] | 32) != 'b' || (p[1] | 32) != 'y' || (p[2] | 32) != 't' || (p[3] | 32) != 'e' ||
        (p[4] | 32) != 's' || (p[5] != ' ' && p[5] != '\t'))
        return false;
    p = blanks(p + 5);
    if (*p == '*') {
        p++;
    } else {
        p = digits(p, &r.first);
        if (!p || *p != '-')
            return false;
        p = digits(p + 1, &r.last);
        if (!p || r.last < r.first)
            return false;
    }
    p = blanks(p);
    if (*p != '/')
        return false;
    p = blanks(p + 1);
    if (*p == '*') {
        if (r.first < 0)
            return false;
        p++;
    } else {
        p = digits(p, &r.size);
        if (!p || r.last >= r.size)
            return false;
    }
    if (*blanks(p))
        return false;
    *out = r;
    return true;
}

static bool differ(const char *ours, const char *theirs)
{
    return ours && theirs && strcmp(ours, theirs) != 0;
}

/* A 206 to our Range: exactly from where we asked, of the body that we know. */
static bool part_fits(const struct range_wanted *wanted, const struct range_answer *answer,
                      const struct content_range *r)
{
    if (r->first != wanted->from)
        return false;
    if (wanted->size >= 0 && r->size >= 0 && r->size != wanted->size)
        return false;
    if (wanted->size >= 0 && r->last >= wanted->size) /* where it does not say its total */
        return false;
    if (answer->content_length >= 0 && answer->content_length != r->last - r->first + 1)
        return false;
    /* If-Range should have seen to this; a server that ignores it must not mix two versions. */
    return !differ(wanted->etag, answer->etag) &&
           !differ(wanted->last_modified, answer->last_modified);
}

enum range_verdict range_judge(const struct range_wanted *wanted, const struct range_answer *answer,
                               int64_t *size, int64_t *until)
{
    if (answer->http_status == 416)
        return wanted->from > 0 ? RANGE_REFUSED : RANGE_STRANGE;
    /* A part under the status of the whole, as from a cache in between that went wrong. */
    if (answer->http_status != 206 && wanted->from > 0 && answer->content_range)
        return RANGE_REFUSED;
    if (answer->http_status != 206) {
        *size = *until = answer->content_length;
        return RANGE_WHOLE;
    }
    if (wanted->from <= 0)
        return RANGE_STRANGE;
    struct content_range r;
    if (!answer->content_range || !content_range_parse(&r, answer->content_range) || r.first < 0 ||
        !part_fits(wanted, answer, &r))
        return RANGE_REFUSED;
    *size = r.size >= 0 ? r.size : wanted->size;
    *until = r.last + 1;
    return RANGE_PART;
}

enum segment_verdict range_judge_segment(const struct range_wanted *wanted, int64_t to,
                                         const struct range_answer *answer, int64_t *until)
{
    struct content_range r;
    int64_t length = answer->content_length;
    bool other =
        differ(wanted->etag, answer->etag) || differ(wanted->last_modified, answer->last_modified);
    if (answer->http_status == 416)
        return SEGMENT_CHANGED;
    if (answer->http_status != 206)
        return other || (length >= 0 && length != wanted->size) ? SEGMENT_CHANGED : SEGMENT_IGNORED;
    if (!answer->content_range || !content_range_parse(&r, answer->content_range) || r.first < 0)
        return SEGMENT_WRONG;
    if (other || (r.size >= 0 && r.size != wanted->size))
        return SEGMENT_CHANGED;
    if (r.first != wanted->from || r.last >= to || (length >= 0 && length != r.last - r.first + 1))
        return SEGMENT_WRONG;
    *until = r.last + 1;
    return SEGMENT_FITS;
}

/* Content-Range and what an answer means for a body that is wanted from an offset on. Pure.
 */
#ifndef WEIR_ENGINE_RANGE_H
#define WEIR_ENGINE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* "bytes first-last/size" (RFC 9110 section 14.4). */
struct content_range {
    int64_t first, last; /* -1: the range is a star, "unsatisfied" */
    int64_t size;        /* -1: unknown, "*" */
};

/* False when the text is not a single byte range, or not a possible one. */
bool content_range_parse(struct content_range *out, const char *text);

/* What was asked for, and what is known of the body so far. */
struct range_wanted {
    int64_t from;                     /* 0: the whole body, no Range was sent */
    int64_t size;                     /* of the whole body as known before, -1 = unknown */
    const char *etag, *last_modified; /* of what we hold; NULL = none */
};

struct range_answer {
    int http_status;
    int64_t content_length;    /* -1 = not announced */
    const char *content_range; /* NULL = absent */
    const char *etag, *last_modified;
};

enum range_verdict {
    RANGE_WHOLE,   /* the body from byte 0 */
    RANGE_PART,    /* the body from the offset that was asked for */
    RANGE_REFUSED, /* cannot be used, and what we hold cannot either: ask again without Range */
    RANGE_STRANGE  /* a part that nobody asked for */
};

/* Judges a 200, 203, 206 or 416 answer. On WHOLE and PART, *size is the size of the whole body or
 * -1, and *until the offset at which this answer ends, or -1 when only the end of the connection
 * tells. */
enum range_verdict range_judge(const struct range_wanted *wanted, const struct range_answer *answer,
                               int64_t *size, int64_t *until);

/* What the answer to the request for one range of many means, Range: bytes=from-(to-1). */
enum segment_verdict {
    SEGMENT_FITS,    /* what was asked for, from its first byte on; it may end early */
    SEGMENT_IGNORED, /* the whole body instead, the one that is known */
    SEGMENT_WRONG,   /* another range than was asked for */
    SEGMENT_CHANGED  /* another body than the one that is known */
};

/* `wanted` as above, its size known. *until: the offset at which a fitting answer ends. */
enum segment_verdict range_judge_segment(const struct range_wanted *wanted, int64_t to,
                                         const struct range_answer *answer, int64_t *until);

#endif

/* The head of an answer, line by line. Pure: no socket, no clock, no libcurl but its date parser.
 *
 * A transfer has one struct head and uses it for one answer after another; it keeps the memory.
 */
#ifndef WEIR_NET_RESPONSE_H
#define WEIR_NET_RESPONSE_H

#include "net/transfer.h"

#define HEAD_MAX_BYTES 65536 /* of all header lines of one answer */
#define HEAD_MAX_LINES 256
#define HEAD_MAX_INTERIM 32 /* 1xx answers before the final one */

enum head_field {
    FIELD_LOCATION,
    FIELD_ETAG,
    FIELD_LAST_MODIFIED,
    FIELD_DATE,
    FIELD_CONTENT_RANGE,
    FIELD_CONTENT_ENCODING,
    FIELD_RETRY_AFTER,
    FIELD_CONTENT_DISPOSITION,
    FIELD_REPR_DIGEST,
    FIELD_CONTENT_MD5,
    FIELD_ACCEPT_RANGES,
    FIELD_COUNT
};

enum head_step {
    HEAD_MORE,      /* the head goes on */
    HEAD_COMPLETE,  /* that was the blank line of the final answer */
    HEAD_TOO_LARGE, /* too many bytes, lines or interim answers, or no memory for them */
    HEAD_MALFORMED  /* a status line without a status */
};

struct head {
    struct strbuf text;          /* values, a NUL behind each; the first byte is a NUL of its own */
    uint32_t field[FIELD_COUNT]; /* where in text, 0 = absent; the first of several counts */
    struct head_line {
        uint32_t name, value;
    } * lines; /* all lines, when keep_all */
    size_t line_count, line_cap;
    weir_header *headers; /* made of `lines` by head_response */
    size_t header_cap;
    bool keep_all;
    bool last_kept; /* a folded line goes on with the last value in text */
    bool length_given, length_wrong, transfer_encoding;
    int http_status;
    int64_t content_length;
    char length_text[2][40]; /* what was given first, and what contradicts it */
    char coding_text[40];    /* the first transfer coding that is neither chunked nor identity */
    size_t bytes, count, interim;
};

void head_free(struct head *h); /* back to all zeros */
/* Forgets the answer before. */
void head_begin(struct head *h, bool keep_all);
/* One line as it came, with its line end; also the status line and the blank line at the end. A
 * status line begins a new answer: what an interim one (1xx, RFC 9110 section 15.2) said is
 * dropped. */
enum head_step head_line(struct head *h, const char *line, size_t n);
/* Fills *out, which borrows from h; location is as it was sent. `wall_s`: clock_wall_s(), for
 * dates. NOMEM: the list of headers could not be made. */
status head_response(struct head *h, int64_t wall_s, struct response *out);
/* No body follows, whatever the lengths say (RFC 9110 section 6.4.1). */
bool head_without_body(const struct head *h);

#endif

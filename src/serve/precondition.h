/* Conditional requests (RFC 9110 section 13), and the validators that they speak of. Pure but for
 * the time that is handed in; any thread.
 */
#ifndef WEIR_SERVE_PRECONDITION_H
#define WEIR_SERVE_PRECONDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* What a file's size and time of modification say of it. No inode: copies of one mirror on two
 * machines have the same ETag. */
struct validators {
    char etag[64];          /* with quotes, and W/ where it is weak */
    char last_modified[32]; /* HTTP-date */
    int64_t mtime_s;
    bool weak; /* changed so lately that it may change again without a trace in its time */
};

/* `coding` is "gzip" or "zstd" for a compressed sibling, NULL for the file itself: two
 * representations never share an ETag (section 8.8.3.3). `now_ns` is the time of day, since the
 * epoch. */
void validators_of(struct validators *out, const struct stat *st, const char *coding,
                   int64_t now_ns);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (section 5.6.7). */
void http_date_of(char out[32], int64_t seconds);

/* Fields of a request; NULL = absent. */
struct conditions {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since, *if_range;
};

enum precondition {
    PRECONDITION_HOLDS,
    PRECONDITION_NOT_MODIFIED, /* 304 to GET and HEAD */
    PRECONDITION_FAILED        /* 412 */
};

/* In the order of section 13.2.2. `v` NULL: there is no such file. `reads`: GET or HEAD. */
enum precondition precondition_judge(const struct conditions *c, const struct validators *v,
                                     bool reads);
/* Do the ranges count (section 13.1.5)? Yes without an If-Range. */
bool precondition_range(const struct conditions *c, const struct validators *v, int64_t now_s);

#endif

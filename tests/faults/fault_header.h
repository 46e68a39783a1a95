/* Writes the head of an answer, right or wrong. Pure, but for the clock in Date.
 */
#ifndef FAULT_HEADER_H
#define FAULT_HEADER_H

#include "fault_request.h"
#include "fault_text.h"

struct header {
    int status;
    int64_t size;         /* of the body */
    int64_t announced;    /* another Content-Length; -1 = the right one */
    char length_kind[16]; /* dup, negative, overflow, text, none: see README.md */
    char etag[64], last_modified[64], content_range[96], retry_after[64];
    char location[2048], cookie[256], disposition[256], encoding[32];
    bool no_ranges, chunked, close, controls, informational, authenticate, no_date, multipart;
    int64_t more_headers, big_header;
};

void header_write(struct text *out, const struct header *h);
/* The redirect of a chain of `hops`: the same target with one hop less. */
void header_next_hop(struct header *h, const struct request *r);
/* Content-Range for from..to of size, wrong in the way that `bad` says; may change from and to. */
void header_content_range(struct header *h, const char *bad, int64_t *from, int64_t *to,
                          int64_t size);
/* Is this Authorization "Basic" for user ("name:password")? */
bool header_is_basic(struct part authorization, const char *user);

#endif

/* Bodies that sendfile cannot send: several ranges of a file, a file over TLS, or one that goes out
 * no faster than a client is allowed to have it. The exchange's worker.
 */
#ifndef WEIR_SERVE_BODY_STREAM_H
#define WEIR_SERVE_BODY_STREAM_H

#include "serve/byte_ranges.h"
#include "serve/exchange.h"

struct body_spec {
    int fd; /* taken, also on failure */
    const struct byte_range *ranges;
    size_t n;             /* more than one: multipart/byteranges */
    int64_t size;         /* of the whole file */
    const char *type;     /* of each part */
    const char *boundary; /* between parts */
};

/* NULL: out of memory. Notes the length of the body in x->length. */
struct MHD_Response *body_stream_new(struct exchange *x, const struct body_spec *spec);

#endif

/* Does a body match what vouches for it? Its digest is calculated while it streams; only what an
 * earlier run has left in a .part is read again, in slices, before the request for the rest.
 *
 * One a fetch, on its worker.
 */
#ifndef WEIR_ENGINE_CHECK_H
#define WEIR_ENGINE_CHECK_H

#include "core/checksum.h"
#include "net/transfer.h"
#include "sink/sink.h"

struct body_check {
    struct checksum wanted;
    bool wants;     /* `wanted` is set ... */
    bool by_server; /* ... by a header of the answer, and only for this answer */
    int64_t at;     /* bytes from 0 that `state` has seen */
    struct checksum_state *state;
};

/* What the list says; `digests` as in checksum.h, NULL = nothing. */
status check_open(struct body_check *c, const char *digests, error *err);
void check_close(struct body_check *c);

/* A body begins at byte 0. Where the list says nothing, Repr-Digest or Content-MD5 of this answer
 * count (RFC 9530, RFC 1864). */
status check_begin(struct body_check *c, const struct response *r, error *err);
/* The next bytes, in order. */
static inline void check_add(struct body_check *c, const void *data, size_t size)
{
    if (!c->state)
        return;
    checksum_add(c->state, data, size);
    c->at += (int64_t)size;
}

/* Is there something of the first `offset` bytes that the digest has not seen? */
static inline bool check_lags(const struct body_check *c, int64_t offset)
{
    return c->state && c->at < offset;
}
/* Reads one slice of what lags back from the sink. */
status check_catch_up(struct body_check *c, struct sink *from, int64_t offset, error *err);

/* CHECKSUM: the whole body has another digest than `wanted`. */
status check_whole_body(const struct body_check *c, error *err);
/* The digest that has been checked, as "sha256=HEX"; NULL: none. malloc'd. */
char *check_text(const struct body_check *c);

#endif

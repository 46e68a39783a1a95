/* Fuzzes one decoder (fuzz_gzip.c and its kin, each a format), and the stage upon them all
 * (fuzz_decode.c).
 *
 * The first byte of an input tells how small the chunks are (high five bits) and, to the stage,
 * what the headers claim (low three); the rest is the body. What must hold, beyond no crash and no
 * leak: the verdict is the same for one chunk and for many, for large room and small, and so is the
 * output; where the body is damaged, one output is the beginning of the other, since a decoder may
 * see the damage sooner or later.
 */
#ifndef FUZZ_DECODER_H
#define FUZZ_DECODER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decoder.h"
#include "core/text.h"
#include "fuzz_must.h"

#define OUTPUT_MAX ((size_t)1 << 20) /* bombs are cut here, in every way of decoding alike */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    struct strbuf out;
    status verdict;
    error why;
    bool too_large;
};

static inline void add_output(struct result *r, const char *p, size_t n)
{
    strbuf_add(&r->out, p, n);
    r->too_large = r->out.n > OUTPUT_MAX;
}

static inline void check_verdict(const struct result *r)
{
    must(r->verdict == OK || r->verdict == WEIR_DECODE);
    must(r->verdict == OK || (r->why.status == r->verdict && r->why.message[0]));
}

static inline status feed(struct decoder *d, struct span in, char *room, size_t cap,
                          struct result *r)
{
    size_t got;
    status st;
    do {
        size_t before = in.n;
        st = d->type->decode(d, &in, room, cap, &got, &r->why);
        must(got <= cap && in.n <= before);
        add_output(r, room, got);
    } while (!st && got == cap && !r->too_large);
    must(st || r->too_large || in.n == 0);
    return st;
}

static inline struct result decode(struct decoder *d, struct span body, size_t chunk, size_t cap)
{
    struct result r = {0};
    char *room = malloc(cap);
    d->type->reset(d);
    while (body.n && !r.verdict && !r.too_large) {
        size_t n = body.n < chunk ? body.n : chunk;
        char *copy = malloc(n); /* ends where the chunk ends */
        memcpy(copy, body.p, n);
        r.verdict = feed(d, (struct span){copy, n}, room, cap, &r);
        free(copy);
        body.p += n, body.n -= n;
    }
    if (!r.verdict && !r.too_large)
        r.verdict = d->type->finish(d, &r.why);
    free(room);
    check_verdict(&r);
    return r;
}

static inline void release(struct result *r)
{
    strbuf_free(&r->out);
}

/* libzstd compares the size that a frame claims with what it holds only where all of the frame lies
 * before it, or where its last block is not empty. */
static inline bool is_odd_zstd(const struct result *r)
{
    return r->verdict && strstr(r->why.message, "zstd data");
}

/* Takes `other`, which was decoded from the same body in another way. */
static inline void expect_same(const struct result *whole, struct result other)
{
    const struct strbuf *a = &whole->out, *b = &other.out;
    size_t common = a->n < b->n ? a->n : b->n;
    must(common == 0 || memcmp(a->p, b->p, common) == 0);
    if (!whole->too_large && !other.too_large) {
        must(whole->verdict == other.verdict || is_odd_zstd(whole) || is_odd_zstd(&other));
        must(whole->verdict || other.verdict || a->n == b->n);
    }
    release(&other);
}

/* The data of LLVMFuzzerTestOneInput. */
static inline void fuzz_decoder(const char *format, const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    const struct decoder_type *type = decoder_named(span_of(format));
    struct span body = {(const char *)data + 1, size - 1};
    size_t chunk = 1 + (size_t)(data[0] >> 3) * 7;
    struct decoder *d;
    error err;
    must(type && type->open(&d, &err) == OK);
    struct result whole = decode(d, body, body.n, 64 << 10);
    expect_same(&whole, decode(d, body, chunk, 64 << 10));
    expect_same(&whole, decode(d, body, chunk, chunk * 3));
    release(&whole);
    type->close(d);
}

#endif

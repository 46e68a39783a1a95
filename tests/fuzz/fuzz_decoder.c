/* Fuzzes the decoders and the decode stage upon them.
 *
 * The first byte of an input picks what decodes it (low three bits: a decoder of the registry, or
 * the stage) and how small the chunks are (high five bits); the rest is the body. What must hold,
 * beyond no crash and no leak: the verdict is the same for one chunk and for many, for large room
 * and small, and so is the output; where the body is damaged, one output is the beginning of the
 * other, since a decoder may see the damage sooner or later.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decoder.h"
#include "core/text.h"
#include "fuzz_must.h"
#include "stage/chain.h"

#define OUTPUT_MAX ((size_t)1 << 20) /* bombs are cut here, in every way of decoding alike */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    struct strbuf out;
    status verdict;
    error why;
    bool too_large;
};

static void add_output(struct result *r, const char *p, size_t n)
{
    strbuf_add(&r->out, p, n);
    r->too_large = r->out.n > OUTPUT_MAX;
}

static void check_verdict(const struct result *r)
{
    must(r->verdict == OK || r->verdict == WEIR_DECODE);
    must(r->verdict == OK || (r->why.status == r->verdict && r->why.message[0]));
}

static status feed(struct decoder *d, struct span in, char *room, size_t cap, struct result *r)
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

static struct result decode(struct decoder *d, struct span body, size_t chunk, size_t cap)
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

static void release(struct result *r)
{
    strbuf_free(&r->out);
}

/* libzstd compares the size that a frame claims with what it holds only where all of the frame lies
 * before it, or where its last block is not empty. */
static bool is_odd_zstd(const struct result *r)
{
    return r->verdict && strstr(r->why.message, "zstd data");
}

/* Takes `other`, which was decoded from the same body in another way. */
static void expect_same(const struct result *whole, struct result other)
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

static void fuzz_decoder(const struct decoder_type *type, struct span body, size_t chunk)
{
    struct decoder *d;
    error err;
    must(type->open(&d, &err) == OK);
    struct result whole = decode(d, body, body.n, 64 << 10);
    expect_same(&whole, decode(d, body, chunk, 64 << 10));
    expect_same(&whole, decode(d, body, chunk, chunk * 3));
    release(&whole);
    type->close(d);
}

static status collect(void *ctx, const void *data, size_t size, error *err)
{
    struct result *r = ctx;
    add_output(r, data, size);
    return r->too_large ? WEIR_END : OK;
}

static struct result decode_by_stage(struct decode_plan plan, struct span body, size_t chunk)
{
    static const weir_stage_type *const types[] = {&stage_decode};
    struct result r = {0};
    struct chain *c;
    struct stage_context context = {.decode = plan};
    must(chain_open(&c, types, 1, &context, (struct chain_out){collect, &r}, &r.why) == OK);
    while (body.n && !r.verdict) {
        size_t n = body.n < chunk ? body.n : chunk;
        r.verdict = chain_write(c, body.p, n, &r.why);
        body.p += n, body.n -= n;
    }
    if (!r.verdict)
        r.verdict = chain_finish(c, &r.why);
    must(r.verdict != WEIR_END || r.too_large);
    r.verdict = r.verdict == WEIR_END ? OK : r.verdict;
    check_verdict(&r);
    chain_close(c);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct decode_plan plans[] = {
        {.as = "auto", .path = "/x.br"},
        {.as = "auto", .path = "/x.gz", .content_encoding = "gzip"},
        {.as = "auto", .path = "/x", .content_encoding = "zstd, gzip"},
    };
    if (size < 2)
        return 0;
    struct span body = {(const char *)data + 1, size - 1};
    size_t pick = data[0] & 7, chunk = 1 + (size_t)(data[0] >> 3) * 7;
    const struct decoder_type *type = pick < 5 ? decoder_type_at(pick) : NULL;
    if (type) {
        fuzz_decoder(type, body, chunk);
    } else {
        struct decode_plan plan = plans[pick % 3];
        struct result whole = decode_by_stage(plan, body, body.n);
        expect_same(&whole, decode_by_stage(plan, body, chunk));
        release(&whole);
    }
    return 0;
}

/* The decode stage: found by content, Content-Encoding undone; see fuzz_decoder.h. */
#include "fuzz_decoder.h"
#include "stage/chain.h"

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
    size_t chunk = 1 + (size_t)(data[0] >> 3) * 7;
    struct decode_plan plan = plans[(data[0] & 7) % 3];
    struct result whole = decode_by_stage(plan, body, body.n);
    expect_same(&whole, decode_by_stage(plan, body, chunk));
    release(&whole);
    return 0;
}

/* brotli (RFC 7932) in any chunking. Runs on the thread that owns the decoder.
 *
 * A body is one stream; nothing may follow it. There is no magic and no checksum: such a body is
 * known by its Content-Encoding or its name only, and not every damage is noticed. Large windows
 * stay off, so that one takes 16 MiB at most.
 */
#include "codec/decoder.h"

#include <brotli/decode.h>
#include <stdlib.h>

extern const struct decoder_type decoder_brotli; /* its row: decoder.c */

struct brotli_decoder {
    struct decoder head;
    BrotliDecoderState *state; /* NULL: there was no memory for a new one */
    uint64_t at;               /* bytes of the body consumed */
    bool ended, damaged;
};

static status damaged(struct brotli_decoder *b, error *err, const char *what)
{
    b->damaged = true;
    return fail(err, WEIR_DECODE, "brotli data is damaged near byte %llu: %s",
                (unsigned long long)b->at, what);
}

static status no_memory(struct brotli_decoder *b, error *err)
{
    b->damaged = true;
    return fail(err, WEIR_NOMEM, "out of memory for a brotli decoder");
}

static status library_error(struct brotli_decoder *b, error *err)
{
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(b->state);
    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
        code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
        return no_memory(b, err);
    return damaged(b, err, "the compressed data makes no sense");
}

static status brotli_decode(struct decoder *d, struct span *in, void *out, size_t cap, size_t *got,
                            error *err)
{
    struct brotli_decoder *b = (struct brotli_decoder *)d;
    *got = 0;
    if (!b->state)
        return no_memory(b, err);
    if (b->damaged)
        return damaged(b, err, "it was damaged before");
    while (!b->ended) {
        const uint8_t *next_in = (const uint8_t *)in->p;
        uint8_t *next_out = (uint8_t *)out + *got;
        size_t left = in->n, room = cap - *got;
        BrotliDecoderResult result =
            BrotliDecoderDecompressStream(b->state, &left, &next_in, &room, &next_out, NULL);
        b->at += in->n - left;
        in->p += in->n - left, in->n = left;
        *got = cap - room;
        b->ended = result == BROTLI_DECODER_RESULT_SUCCESS;
        if (result == BROTLI_DECODER_RESULT_ERROR)
            return library_error(b, err);
        if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT || *got == cap)
            break;
    }
    return b->ended && in->n ? damaged(b, err, "other bytes follow the end") : OK;
}

static status brotli_finish(struct decoder *d, error *err)
{
    struct brotli_decoder *b = (struct brotli_decoder *)d;
    if (!b->state)
        return no_memory(b, err);
    if (b->damaged)
        return damaged(b, err, "it was damaged before");
    if (b->ended)
        return OK;
    return fail(err, WEIR_DECODE, "brotli data ends too early, after byte %llu",
                (unsigned long long)b->at);
}

static void brotli_reset(struct decoder *d)
{
    struct brotli_decoder *b = (struct brotli_decoder *)d;
    BrotliDecoderDestroyInstance(b->state);
    b->state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    b->at = 0;
    b->ended = b->damaged = false;
}

static void brotli_close(struct decoder *d)
{
    struct brotli_decoder *b = (struct brotli_decoder *)d;
    if (!b)
        return;
    BrotliDecoderDestroyInstance(b->state);
    free(b);
}

static status brotli_open(struct decoder **out, error *err)
{
    struct brotli_decoder *b = calloc(1, sizeof *b);
    if (!b)
        return fail(err, WEIR_NOMEM, "out of memory for a brotli decoder");
    b->head.type = &decoder_brotli;
    b->state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (!b->state) {
        status st = no_memory(b, err);
        free(b);
        return st;
    }
    *out = &b->head;
    return OK;
}

const struct decoder_type decoder_brotli = {
    .name = "brotli",
    .help = "brotli (RFC 7932), by Content-Encoding or name",
    .suffix = ".br",
    .content_coding = "br",
    .open = brotli_open,
    .decode = brotli_decode,
    .finish = brotli_finish,
    .reset = brotli_reset,
    .close = brotli_close,
};

/* xz (the .xz file format 1.1.0) in any chunking, streams one after another with padding among
 * them. Runs on the thread that owns the decoder.
 *
 * liblzma knows concatenated streams and their padding, but learns only from LZMA_FINISH that the
 * last one may have been the last: that is `finish` here. Its memory is capped, so that no body can
 * take what it likes; `xz -9` needs 65 MiB.
 */
#include "codec/decoder.h"

#include <lzma.h>
#include <stdlib.h>

#define MEMORY_MAX_MIB 128
#define MEMORY_MAX ((uint64_t)MEMORY_MAX_MIB << 20)

extern const struct decoder_type decoder_xz; /* its row: decoder.c */

struct xz_decoder {
    struct decoder head;
    lzma_stream stream;
    uint64_t at;     /* bytes of the body consumed */
    lzma_ret failed; /* sticks until a reset; LZMA_OK: nothing has */
};

static const char *text_of(lzma_ret result)
{
    switch (result) {
    case LZMA_FORMAT_ERROR:
        return "no xz header";
    case LZMA_OPTIONS_ERROR:
        return "it uses a filter that is not known";
    case LZMA_UNSUPPORTED_CHECK:
        return "it uses a checksum that is not known";
    default:
        return "the compressed data makes no sense or its checksum does not match";
    }
}

static status failed(struct xz_decoder *x, lzma_ret result, error *err)
{
    unsigned long long at = (unsigned long long)x->at;
    x->failed = result;
    if (result == LZMA_MEM_ERROR)
        return fail(err, WEIR_NOMEM, "out of memory for an xz decoder");
    if (result == LZMA_MEMLIMIT_ERROR)
        return fail(err, WEIR_DECODE,
                    "xz data near byte %llu needs %llu MiB of memory to be decoded, and the limit "
                    "is %d MiB; compress it with -9 or less",
                    at, (unsigned long long)((lzma_memusage(&x->stream) + 0xfffff) >> 20),
                    MEMORY_MAX_MIB);
    return fail(err, WEIR_DECODE, "xz data is damaged near byte %llu: %s", at, text_of(result));
}

static status xz_decode(struct decoder *d, struct span *in, void *out, size_t cap, size_t *got,
                        error *err)
{
    struct xz_decoder *x = (struct xz_decoder *)d;
    *got = 0;
    if (x->failed)
        return failed(x, x->failed, err);
    x->stream.next_in = (const uint8_t *)in->p;
    x->stream.avail_in = in->n;
    x->stream.next_out = out;
    x->stream.avail_out = cap;
    lzma_ret result = LZMA_OK;
    while (!result && x->stream.avail_out) {
        size_t in_before = x->stream.avail_in, out_before = x->stream.avail_out;
        result = lzma_code(&x->stream, LZMA_RUN);
        if (x->stream.avail_in == in_before && x->stream.avail_out == out_before)
            break;
    }
    size_t used = in->n - x->stream.avail_in;
    in->p += used, in->n -= used;
    x->at += used;
    *got = cap - x->stream.avail_out;
    /* BUF_ERROR: no progress with neither input nor room; it may go on with more of both. */
    return result == LZMA_OK || result == LZMA_BUF_ERROR ? OK : failed(x, result, err);
}

static status xz_finish(struct decoder *d, error *err)
{
    struct xz_decoder *x = (struct xz_decoder *)d;
    if (x->failed)
        return failed(x, x->failed, err);
    uint8_t none;
    x->stream.next_in = NULL;
    x->stream.avail_in = 0;
    x->stream.next_out = &none;
    x->stream.avail_out = 0;
    lzma_ret result = lzma_code(&x->stream, LZMA_FINISH);
    if (result == LZMA_STREAM_END)
        return OK;
    if (result != LZMA_OK && result != LZMA_BUF_ERROR)
        return failed(x, result, err);
    x->failed = LZMA_DATA_ERROR;
    return fail(err, WEIR_DECODE, "xz data ends too early, after byte %llu, inside a stream",
                (unsigned long long)x->at);
}

/* Begins anew, with the memory that it has. */
static void xz_reset(struct decoder *d)
{
    struct xz_decoder *x = (struct xz_decoder *)d;
    x->at = 0;
    x->failed = lzma_stream_decoder(&x->stream, MEMORY_MAX,
                                    LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK);
}

static void xz_close(struct decoder *d)
{
    struct xz_decoder *x = (struct xz_decoder *)d;
    if (!x)
        return;
    lzma_end(&x->stream);
    free(x);
}

static status xz_open(struct decoder **out, error *err)
{
    struct xz_decoder *x = malloc(sizeof *x);
    if (!x)
        return fail(err, WEIR_NOMEM, "out of memory for an xz decoder");
    x->head.type = &decoder_xz;
    x->stream = (lzma_stream)LZMA_STREAM_INIT;
    xz_reset(&x->head);
    if (x->failed) {
        status st = failed(x, x->failed, err);
        xz_close(&x->head);
        return st;
    }
    *out = &x->head;
    return OK;
}

static const unsigned char xz_magic[] = {0xfd, '7', 'z', 'X', 'Z', 0};

const struct decoder_type decoder_xz = {
    .name = "xz",
    .help = "xz, of one or many streams",
    .suffix = ".xz",
    .magic = xz_magic,
    .magic_size = sizeof xz_magic,
    .open = xz_open,
    .decode = xz_decode,
    .finish = xz_finish,
    .reset = xz_reset,
    .close = xz_close,
};

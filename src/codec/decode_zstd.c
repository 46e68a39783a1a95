/* zstd (RFC 8878) in any chunking, frames one after another, skippable ones among them. Runs on
 * the thread that owns the decoder.
 *
 * libzstd keeps the window itself; a frame that asks for more than 128 MiB is refused, so that no
 * body can take what memory it likes.
 */
#include "codec/decoder.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX 27

extern const struct decoder_type decoder_zstd; /* its row: decoder.c */

struct zstd_decoder {
    struct decoder head;
    ZSTD_DStream *stream;
    uint64_t at;       /* bytes of the body consumed */
    uint64_t frames;   /* ended */
    bool inside_frame; /* libzstd answered that it wants more */
    bool damaged;
};

static status damaged(struct zstd_decoder *z, size_t code, error *err)
{
    z->damaged = true;
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
        return fail(err, WEIR_DECODE,
                    "zstd data at byte %llu needs a window of more than 128 MiB; "
                    "compress it without --long or --ultra",
                    (unsigned long long)z->at);
    return fail(err, WEIR_DECODE, "zstd data is damaged near byte %llu: %s",
                (unsigned long long)z->at, ZSTD_getErrorName(code));
}

/* 0x28 begins a frame and 0x50 to 0x5f a skippable one. libzstd also takes the formats before 1.0,
 * whose old decoders give other bytes for other chunks; they are none of RFC 8878. */
static bool begins_frame(unsigned char first)
{
    return first == 0x28 || (first & 0xf0) == 0x50;
}

static status zstd_decode(struct decoder *d, struct span *in, void *out, size_t cap, size_t *got,
                          error *err)
{
    struct zstd_decoder *z = (struct zstd_decoder *)d;
    *got = 0;
    if (z->damaged)
        return fail(err, WEIR_DECODE, "zstd data was damaged before byte %llu",
                    (unsigned long long)z->at);
    ZSTD_outBuffer o = {out, cap, 0};
    /* A frame that has ended wants nothing, and asking it again would begin another. */
    while (o.pos < cap && (in->n || z->inside_frame)) {
        if (!z->inside_frame && !begins_frame((unsigned char)*in->p)) {
            z->damaged = true;
            return fail(err, WEIR_DECODE, "zstd data is damaged at byte %llu: no frame begins here",
                        (unsigned long long)z->at);
        }
        ZSTD_inBuffer i = {in->p, in->n, 0};
        size_t before = o.pos, wanted = ZSTD_decompressStream(z->stream, &o, &i);
        in->p += i.pos, in->n -= i.pos;
        z->at += i.pos;
        *got = o.pos;
        if (ZSTD_isError(wanted))
            return damaged(z, wanted, err);
        z->inside_frame = wanted != 0;
        z->frames += wanted == 0;
        if (wanted && !in->n && o.pos == before)
            break;
    }
    return OK;
}

static status zstd_finish(struct decoder *d, error *err)
{
    struct zstd_decoder *z = (struct zstd_decoder *)d;
    if (!z->damaged && !z->inside_frame && z->frames)
        return OK;
    return fail(err, WEIR_DECODE, "zstd data ends too early, after byte %llu, inside a frame",
                (unsigned long long)z->at);
}

static void zstd_reset(struct decoder *d)
{
    struct zstd_decoder *z = (struct zstd_decoder *)d;
    ZSTD_DCtx_reset(z->stream, ZSTD_reset_session_only);
    z->at = z->frames = 0;
    z->inside_frame = z->damaged = false;
}

static status zstd_open(struct decoder **out, error *err)
{
    struct zstd_decoder *z = calloc(1, sizeof *z);
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (!z || !stream) {
        free(z);
        ZSTD_freeDStream(stream);
        return fail(err, WEIR_NOMEM, "out of memory for a zstd decoder");
    }
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    z->head.type = &decoder_zstd;
    z->stream = stream;
    *out = &z->head;
    return OK;
}

static void zstd_close(struct decoder *d)
{
    struct zstd_decoder *z = (struct zstd_decoder *)d;
    if (!z)
        return;
    ZSTD_freeDStream(z->stream);
    free(z);
}

static const unsigned char zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};

/* A body may begin with a skippable frame (RFC 8878 section 3.1.2), as parallel compressors write
 * them: 0x184D2A50 to 0x184D2A5F, little endian. */
static bool starts_zstd(struct span head)
{
    if (head.n < 4)
        return false;
    return memcmp(head.p, zstd_magic, sizeof zstd_magic) == 0 ||
           (((unsigned char)head.p[0] & 0xf0) == 0x50 &&
            memcmp(head.p + 1, "\x2a\x4d\x18", 3) == 0);
}

const struct decoder_type decoder_zstd = {
    .name = "zstd",
    .help = "zstd, of one or many frames (RFC 8878)",
    .suffix = ".zst",
    .content_coding = "zstd",
    .magic = zstd_magic,
    .magic_size = sizeof zstd_magic,
    .open = zstd_open,
    .decode = zstd_decode,
    .finish = zstd_finish,
    .reset = zstd_reset,
    .close = zstd_close,
    .sniff = starts_zstd,
};

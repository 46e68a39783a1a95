/* bzip2 in any chunking, streams one after another, as parallel compressors write them. Runs on
 * the thread that owns the decoder.
 *
 * libbz2 ends at the end of a stream; what follows is ours: another stream begins with 'B', zero
 * bytes are padding (as after gzip), anything else is damage. A stream takes 3.7 MB at most.
 */
#include "codec/decoder.h"

#include <bzlib.h>
#include <stdlib.h>

#define STEP_MAX ((size_t)1 << 30) /* libbz2 counts in 32 bits */

extern const struct decoder_type decoder_bzip2; /* its row: decoder.c */

enum place {
    BEFORE_STREAM, /* the first byte of a stream is next, or padding, or the end */
    STREAM,
    PADDING,
    DAMAGED
};

struct bzip2_decoder {
    struct decoder head;
    enum place place;
    bool open; /* `stream` holds memory of libbz2 */
    bz_stream stream;
    uint64_t at;      /* bytes of the body consumed */
    uint64_t streams; /* ended */
};

static status damaged(struct bzip2_decoder *b, error *err, const char *what)
{
    b->place = DAMAGED;
    return fail(err, WEIR_DECODE, "bzip2 data is damaged near byte %llu: %s",
                (unsigned long long)b->at, what);
}

static void end_stream(struct bzip2_decoder *b)
{
    if (b->open)
        BZ2_bzDecompressEnd(&b->stream);
    b->open = false;
}

static status begin_stream(struct bzip2_decoder *b, error *err)
{
    b->stream = (bz_stream){0};
    if (BZ2_bzDecompressInit(&b->stream, 0, 0) != BZ_OK) {
        b->place = DAMAGED;
        return fail(err, WEIR_NOMEM, "out of memory for a bzip2 decoder");
    }
    b->open = true;
    b->place = STREAM;
    return OK;
}

/* What stands between streams and after the last; consumes padding only. */
static status between_streams(struct bzip2_decoder *b, struct span *in, error *err)
{
    if (b->place == BEFORE_STREAM && (*in->p != 0 || !b->streams)) {
        if (*in->p != 'B')
            return damaged(b, err,
                           b->streams ? "other bytes follow the last stream" : "no bzip2 header");
        return begin_stream(b, err);
    }
    b->place = PADDING;
    while (in->n && *in->p == 0)
        in->p++, in->n--, b->at++;
    return in->n ? damaged(b, err, "other bytes follow the last stream") : OK;
}

static status stream_result(struct bzip2_decoder *b, int result, error *err)
{
    switch (result) {
    case BZ_OK:
        return OK;
    case BZ_STREAM_END:
        end_stream(b);
        b->streams++;
        b->place = BEFORE_STREAM;
        return OK;
    case BZ_MEM_ERROR:
        b->place = DAMAGED;
        return fail(err, WEIR_NOMEM, "out of memory for a bzip2 decoder");
    case BZ_DATA_ERROR_MAGIC:
        return damaged(b, err, "no bzip2 header");
    default:
        return damaged(b, err, "the compressed data makes no sense or its checksum does not match");
    }
}

static status bzip2_decode(struct decoder *d, struct span *in, void *out, size_t cap, size_t *got,
                           error *err)
{
    struct bzip2_decoder *b = (struct bzip2_decoder *)d;
    *got = 0;
    for (;;) {
        status st = OK;
        if (b->place == DAMAGED)
            return damaged(b, err, "it was damaged before");
        if (b->place != STREAM) {
            if (!in->n)
                return OK;
            if ((st = between_streams(b, in, err)))
                return st;
            continue;
        }
        if (*got == cap)
            return OK;
        size_t n = in->n < STEP_MAX ? in->n : STEP_MAX, room = cap - *got;
        room = room < STEP_MAX ? room : STEP_MAX;
        b->stream.next_in = (char *)in->p;
        b->stream.avail_in = (unsigned)n;
        b->stream.next_out = (char *)out + *got;
        b->stream.avail_out = (unsigned)room;
        int result = BZ2_bzDecompress(&b->stream);
        size_t used = n - b->stream.avail_in, produced = room - b->stream.avail_out;
        in->p += used, in->n -= used;
        b->at += used;
        *got += produced;
        if ((st = stream_result(b, result, err)))
            return st;
        if (!used && !produced && b->place == STREAM)
            return OK; /* it wants more input */
    }
}

static status bzip2_finish(struct decoder *d, error *err)
{
    struct bzip2_decoder *b = (struct bzip2_decoder *)d;
    if (b->place == PADDING || (b->place == BEFORE_STREAM && b->streams))
        return OK;
    if (b->place == DAMAGED)
        return damaged(b, err, "it was damaged before");
    return fail(err, WEIR_DECODE, "bzip2 data ends too early, after byte %llu, inside a stream",
                (unsigned long long)b->at);
}

static void bzip2_reset(struct decoder *d)
{
    struct bzip2_decoder *b = (struct bzip2_decoder *)d;
    end_stream(b);
    b->place = BEFORE_STREAM;
    b->at = b->streams = 0;
}

static status bzip2_open(struct decoder **out, error *err)
{
    struct bzip2_decoder *b = calloc(1, sizeof *b);
    if (!b)
        return fail(err, WEIR_NOMEM, "out of memory for a bzip2 decoder");
    b->head.type = &decoder_bzip2;
    *out = &b->head;
    return OK;
}

static void bzip2_close(struct decoder *d)
{
    struct bzip2_decoder *b = (struct bzip2_decoder *)d;
    if (!b)
        return;
    end_stream(b);
    free(b);
}

static const unsigned char bzip2_magic[] = {'B', 'Z', 'h'};

/* "BZh" and a digit could begin a text; what follows is the head of a block or of the end. */
static bool starts_bzip2(struct span head)
{
    return head.n >= 6 && memcmp(head.p, bzip2_magic, sizeof bzip2_magic) == 0 &&
           head.p[3] >= '1' && head.p[3] <= '9' &&
           (memcmp(head.p + 4, "\x31\x41", 2) == 0 || memcmp(head.p + 4, "\x17\x72", 2) == 0);
}

const struct decoder_type decoder_bzip2 = {
    .name = "bzip2",
    .help = "bzip2, of one or many streams",
    .suffix = ".bz2",
    .magic = bzip2_magic,
    .magic_size = sizeof bzip2_magic,
    .open = bzip2_open,
    .decode = bzip2_decode,
    .finish = bzip2_finish,
    .reset = bzip2_reset,
    .close = bzip2_close,
    .sniff = starts_bzip2,
};

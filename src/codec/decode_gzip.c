/* gzip (RFC 1952) in any chunking, members one after another. Runs on the thread that owns the
 * decoder.
 *
 * Framing is ours: header and trailer are read byte by byte, so that they may be split anywhere
 * without being gathered first, and the same code stands upon both inflaters. Only the deflate
 * data in between goes to ISA-L (two to three times as fast) or zlib. ISA-L reads up to eight
 * bytes beyond the end of the deflate data into its own bit buffer and leaves them there; they are
 * never more than the trailer, which is taken from there first.
 *
 * After the last member, zero bytes are padding (tapes, tar); anything else is damage.
 */
#include "codec/decoder.h"

#include <stdlib.h>

#ifdef WEIR_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

extern const struct decoder_type decoder_gzip; /* its row: decoder.c */

#define HEADER_SIZE 10
#define TRAILER_SIZE 8
#define STEP_MAX ((size_t)1 << 30) /* both inflaters count in 32 bits */

enum { FLAG_HCRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0 };

enum inflate_result { INFLATE_MORE, INFLATE_DONE, INFLATE_DAMAGED };

/* ---- the inflater: raw deflate with the CRC of its output ---- */

#ifdef WEIR_HAVE_ISAL

#define COPY_MAX 258 /* bytes of the longest copy, RFC 1951 section 3.2.5 */

struct inflater {
    struct inflate_state s;
};

static void inflater_reset(struct inflater *f)
{
    isal_inflate_init(&f->s);
    f->s.crc_flag = ISAL_GZIP_NO_HDR;
}

static bool inflater_open(struct inflater *f)
{
    inflater_reset(f);
    return true;
}

static void inflater_close(struct inflater *f)
{
}

static enum inflate_result inflater_step(struct inflater *f, struct span *in, char *out, size_t cap,
                                         size_t *got)
{
    size_t n = in->n < STEP_MAX ? in->n : STEP_MAX;
    cap = cap < STEP_MAX ? cap : STEP_MAX;
    f->s.next_in = (uint8_t *)in->p;
    f->s.avail_in = (uint32_t)n;
    f->s.next_out = (uint8_t *)out;
    f->s.avail_out = (uint32_t)cap;
    int result = isal_inflate(&f->s);
    *got = cap - f->s.avail_out;
    /* Where the data is damaged, ISA-L may step back to before next_in, and counts a copy whose
     * distance is invalid as done: what stands there is old memory. */
    bool damaged = result < 0 || result == ISAL_NEED_DICT || f->s.avail_in > n;
    size_t used = f->s.avail_in > n ? 0 : n - f->s.avail_in;
    in->p += used, in->n -= used;
    if (damaged) {
        *got -= *got < COPY_MAX ? *got : COPY_MAX;
        return INFLATE_DAMAGED;
    }
    if (f->s.block_state == ISAL_BLOCK_FINISH)
        return INFLATE_DONE;
    return used || *got || !n ? INFLATE_MORE : INFLATE_DAMAGED;
}

/* Bytes that were read beyond the end of the deflate data, at most eight. */
static size_t inflater_surplus(struct inflater *f, unsigned char *out)
{
    uint64_t bits = f->s.read_in >> (f->s.read_in_length % 8);
    size_t n = (size_t)(f->s.read_in_length / 8);
    for (size_t i = 0; i < n; i++, bits >>= 8)
        out[i] = (unsigned char)bits;
    return n;
}

static uint32_t inflater_crc(const struct inflater *f)
{
    return f->s.crc;
}

static uint32_t inflater_size(const struct inflater *f)
{
    return f->s.total_out;
}

#else

struct inflater {
    z_stream z;
    uLong crc;
};

static void inflater_reset(struct inflater *f)
{
    inflateReset(&f->z);
    f->crc = crc32(0, NULL, 0);
}

static bool inflater_open(struct inflater *f)
{
    f->z = (z_stream){0};
    if (inflateInit2(&f->z, -15) != Z_OK)
        return false;
    inflater_reset(f);
    return true;
}

static void inflater_close(struct inflater *f)
{
    inflateEnd(&f->z);
}

static enum inflate_result inflater_step(struct inflater *f, struct span *in, char *out, size_t cap,
                                         size_t *got)
{
    size_t n = in->n < STEP_MAX ? in->n : STEP_MAX;
    cap = cap < STEP_MAX ? cap : STEP_MAX;
    f->z.next_in = (Bytef *)in->p;
    f->z.avail_in = (uInt)n;
    f->z.next_out = (Bytef *)out;
    f->z.avail_out = (uInt)cap;
    int result = inflate(&f->z, Z_NO_FLUSH);
    size_t used = n - f->z.avail_in;
    in->p += used, in->n -= used;
    *got = cap - f->z.avail_out;
    f->crc = crc32(f->crc, (const Bytef *)out, (uInt)*got);
    if (result == Z_STREAM_END)
        return INFLATE_DONE;
    if (result != Z_OK && result != Z_BUF_ERROR)
        return INFLATE_DAMAGED;
    return used || *got || !n ? INFLATE_MORE : INFLATE_DAMAGED;
}

static size_t inflater_surplus(struct inflater *f, unsigned char *out)
{
    return 0;
}

static uint32_t inflater_crc(const struct inflater *f)
{
    return (uint32_t)f->crc;
}

static uint32_t inflater_size(const struct inflater *f)
{
    return (uint32_t)f->z.total_out;
}

#endif

/* ---- the framing ---- */

enum place {
    BEFORE_MEMBER, /* the first byte of a member is next, or padding, or the end */
    HEADER,
    EXTRA_SIZE,
    EXTRA,
    NAME,
    COMMENT,
    HEADER_CRC,
    DEFLATE,
    TRAILER,
    PADDING,
    DAMAGED
};

struct gzip_decoder {
    struct decoder head;
    enum place place;
    unsigned char flags;              /* of this member, those not yet dealt with */
    unsigned char fixed[HEADER_SIZE]; /* header or trailer, as far as it has come */
    unsigned fixed_n;
    unsigned extra_left;
    uint64_t at;      /* bytes of the body consumed */
    uint64_t members; /* ended */
    struct inflater inflater;
};

static status damaged(struct gzip_decoder *g, error *err, const char *what)
{
    g->place = DAMAGED;
    return fail(err, WEIR_DECODE, "gzip data is damaged near byte %llu: %s",
                (unsigned long long)g->at, what);
}

/* Where the header goes on once a part of it is done: optional parts stand in this order. */
static void next_header_part(struct gzip_decoder *g)
{
    static const struct {
        unsigned char flag;
        enum place place;
    } parts[] = {
        {FLAG_EXTRA, EXTRA_SIZE},
        {FLAG_NAME, NAME},
        {FLAG_COMMENT, COMMENT},
        {FLAG_HCRC, HEADER_CRC},
    };
    g->fixed_n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (g->flags & parts[i].flag) {
            g->flags = (unsigned char)(g->flags & ~parts[i].flag);
            g->place = parts[i].place;
            return;
        }
    g->place = DEFLATE;
    inflater_reset(&g->inflater);
}

static status header_byte(struct gzip_decoder *g, unsigned char c, error *err)
{
    static const unsigned char expected[3] = {0x1f, 0x8b, 8};
    unsigned i = g->fixed_n++;
    if (i < 3 && c != expected[i])
        return damaged(g, err, i == 2 ? "unknown compression method" : "no gzip header");
    if (i == 3) {
        if (c & FLAGS_RESERVED)
            return damaged(g, err, "unknown header flags");
        g->flags = c;
    }
    if (g->fixed_n == HEADER_SIZE)
        next_header_part(g);
    return OK;
}

static uint32_t little_endian(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static status check_trailer(struct gzip_decoder *g, error *err)
{
    if (little_endian(g->fixed) != inflater_crc(&g->inflater))
        return damaged(g, err, "the checksum does not match");
    if (little_endian(g->fixed + 4) != inflater_size(&g->inflater))
        return damaged(g, err, "the size does not match");
    g->members++;
    g->fixed_n = 0;
    g->place = BEFORE_MEMBER;
    return OK;
}

static void begin_trailer(struct gzip_decoder *g)
{
    g->place = TRAILER;
    g->fixed_n = (unsigned)inflater_surplus(&g->inflater, g->fixed);
}

/* One byte outside the deflate data. The header's own CRC is not checked: what it covers (a time,
 * a name) is not used, and the data has a better one. */
static status framing_byte(struct gzip_decoder *g, unsigned char c, error *err)
{
    switch (g->place) {
    case BEFORE_MEMBER:
        if (c == 0 && g->members) {
            g->place = PADDING;
            return OK;
        }
        g->place = HEADER;
        return header_byte(g, c, err);
    case HEADER:
        return header_byte(g, c, err);
    case EXTRA_SIZE:
        g->fixed[g->fixed_n++] = c;
        if (g->fixed_n == 2) {
            g->extra_left = (unsigned)(g->fixed[0] | g->fixed[1] << 8);
            g->place = EXTRA;
            if (!g->extra_left)
                next_header_part(g);
        }
        return OK;
    case EXTRA:
        if (--g->extra_left == 0)
            next_header_part(g);
        return OK;
    case NAME:
    case COMMENT:
        if (c == 0)
            next_header_part(g);
        return OK;
    case HEADER_CRC:
        if (++g->fixed_n == 2)
            next_header_part(g);
        return OK;
    case TRAILER:
        g->fixed[g->fixed_n++] = c;
        return g->fixed_n == TRAILER_SIZE ? check_trailer(g, err) : OK;
    case PADDING:
        return c ? damaged(g, err, "other bytes follow the last member") : OK;
    default:
        return damaged(g, err, "it was damaged before");
    }
}

static status gzip_decode(struct decoder *d, struct span *in, void *out, size_t cap, size_t *got,
                          error *err)
{
    struct gzip_decoder *g = (struct gzip_decoder *)d;
    *got = 0;
    for (;;) {
        status st = OK;
        if (g->place == DEFLATE) {
            if (*got == cap)
                return OK;
            size_t produced, before = in->n;
            enum inflate_result result =
                inflater_step(&g->inflater, in, (char *)out + *got, cap - *got, &produced);
            *got += produced;
            g->at += before - in->n;
            if (result == INFLATE_DAMAGED)
                return damaged(g, err, "the compressed data makes no sense");
            if (result == INFLATE_DONE)
                begin_trailer(g);
            else if (*got < cap && in->n == 0)
                return OK;
        } else if (g->place == TRAILER && g->fixed_n == TRAILER_SIZE) {
            st = check_trailer(g, err); /* all of it was surplus */
        } else {
            if (in->n == 0)
                return OK;
            unsigned char c = (unsigned char)*in->p;
            in->p++, in->n--;
            g->at++;
            st = framing_byte(g, c, err);
        }
        if (st)
            return st;
    }
}

static status gzip_finish(struct decoder *d, error *err)
{
    struct gzip_decoder *g = (struct gzip_decoder *)d;
    if (g->place == PADDING || (g->place == BEFORE_MEMBER && g->members))
        return OK;
    if (g->place == DAMAGED)
        return damaged(g, err, "it was damaged before");
    return fail(err, WEIR_DECODE, "gzip data ends too early, after byte %llu, inside a member",
                (unsigned long long)g->at);
}

static void gzip_reset(struct decoder *d)
{
    struct gzip_decoder *g = (struct gzip_decoder *)d;
    g->place = BEFORE_MEMBER;
    g->fixed_n = 0;
    g->at = g->members = 0;
}

static status gzip_open(struct decoder **out, error *err)
{
    struct gzip_decoder *g = malloc(sizeof *g);
    if (!g || !inflater_open(&g->inflater)) {
        free(g);
        return fail(err, WEIR_NOMEM, "out of memory for a gzip decoder");
    }
    g->head.type = &decoder_gzip;
    gzip_reset(&g->head);
    *out = &g->head;
    return OK;
}

static void gzip_close(struct decoder *d)
{
    struct gzip_decoder *g = (struct gzip_decoder *)d;
    if (!g)
        return;
    inflater_close(&g->inflater);
    free(g);
}

static const unsigned char gzip_magic[] = {0x1f, 0x8b, 8};

const struct decoder_type decoder_gzip = {
    .name = "gzip",
    .help = "gzip, of one or many members (RFC 1952)",
    .suffix = ".gz",
    .content_coding = "gzip",
    .magic = gzip_magic,
    .magic_size = sizeof gzip_magic,
    .open = gzip_open,
    .decode = gzip_decode,
    .finish = gzip_finish,
    .reset = gzip_reset,
    .close = gzip_close,
};

/* Decoders and the decoding reader: any chunking, members and frames in a row, damage and
 * truncation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */

#include "codec/decoder.h"
#include "core/clock.h"

#define ROOM ((size_t)1 << 20)

/* What zstd_lines holds, compressed by zstd -19 with a checksum. */
static size_t make_lines(char *out)
{
    size_t n = 0;
    for (int i = 0; i < 40; i++)
        n += (size_t)sprintf(out + n, "row %d has %d fish\n", i, i * i % 11);
    return n;
}

/* clang-format off */
static const unsigned char zstd_lines[] = {
    0x28, 0xb5, 0x2f, 0xfd, 0x64, 0xc6, 0x01, 0xcd, 0x03, 0x00, 0xb2, 0x85, 0x0f, 0x10, 0xc0, 0xeb,
    0xb0, 0x21, 0xaf, 0xf3, 0xff, 0x22, 0xdb, 0xb6, 0x4c, 0x89, 0x15, 0x35, 0xce, 0x0d, 0xe5, 0xe4,
    0xe3, 0xe2, 0xe1, 0xf9, 0xdf, 0xef, 0xf1, 0xc5, 0xc4, 0xc3, 0xc2, 0xc1, 0xe9, 0xdb, 0xae, 0xd1,
    0xa5, 0xa4, 0xa3, 0xd7, 0xd0, 0xec, 0xeb, 0xb6, 0xd8, 0x42, 0x86, 0x78, 0x08, 0x59, 0x9e, 0x6e,
    0x01, 0x62, 0xe9, 0x1c, 0x1e, 0x33, 0xe8, 0xf0, 0x9a, 0x5a, 0x01, 0x2d, 0xa8, 0x11, 0x60, 0xed,
    0xeb, 0x77, 0x40, 0xc3, 0x99, 0x3a, 0x10, 0x10, 0x25, 0xa6, 0x04, 0x12, 0x7e, 0x23, 0x92, 0x83,
    0x07, 0x91, 0x94, 0x52, 0x0a, 0x70, 0x87, 0xf3, 0xd0, 0xc5, 0x69, 0x18, 0x99, 0xfb, 0x97, 0x7f,
    0x34, 0xb0, 0x3a, 0x54, 0x07, 0xb0, 0x68, 0x55, 0x96, 0x5e, 0x72, 0xd2, 0x4b, 0x4e, 0x82, 0x0b,
    0x09, 0xb0, 0x2a, 0x88, 0x66, 0x86, 0x49,
};
/* clang-format on */

/* Text with the odds of words, so that it compresses, but has no period. */
static void make_text(char *out, size_t n, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++) {
        uint64_t roll = rng_below(&r, 100);
        out[i] = roll < 30 && i > 600 ? out[i - 1 - rng_below(&r, 600)] : (char)('a' + roll % 26);
    }
}

static size_t add_gzip(unsigned char *out, const char *body, size_t n, gz_header *header)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    if (header)
        assert_int_equal(deflateSetHeader(&z, header), Z_OK);
    z.next_in = (Bytef *)body;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = ROOM;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t size = z.total_out;
    deflateEnd(&z);
    return size;
}

/* A small body of two members, the first with every optional part of a header. */
static size_t make_small_gzip(unsigned char *out, char *body, size_t *body_n)
{
    gz_header header = {.extra = (Bytef *)"xx\3\0abc",
                        .extra_len = 7,
                        .name = (Bytef *)"a name",
                        .comment = (Bytef *)"a comment",
                        .hcrc = 1,
                        .time = 12345};
    strcpy(body, "one fish, two fish, red fish, blue fish, and then another fish");
    *body_n = strlen(body);
    size_t n = add_gzip(out, body, 40, &header);
    return n + add_gzip(out + n, body + 40, *body_n - 40, NULL);
}

static const struct decoder_type *type_named(const char *name)
{
    const struct decoder_type *t;
    for (size_t i = 0; (t = decoder_type_at(i)); i++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

/* zstd is a build option; without it there is nothing to test of it. */
static const struct decoder_type *zstd_type(void)
{
    const struct decoder_type *t = type_named("zstd");
    if (!t)
        skip();
    return t;
}

/* Decodes one chunk, with `cap` bytes of room at a time. */
static status decode_chunk(struct decoder *d, struct span in, char *room, size_t cap,
                           struct strbuf *out, error *err)
{
    size_t got;
    status st;
    do {
        got = 0;
        st = d->type->decode(d, &in, room, cap, &got, err);
        strbuf_add(out, room, got);
    } while (!st && got == cap);
    if (!st)
        assert_int_equal(in.n, 0);
    return st;
}

/* Decodes a body cut at `split`, and asks for its end. */
static status decode_split(struct decoder *d, const unsigned char *p, size_t n, size_t split,
                           size_t cap, struct strbuf *out, error *err)
{
    /* Blocks that end where chunk and room end, so that a sanitizer sees a byte too many. */
    char *a = malloc(split + !split), *b = malloc(n - split + (n == split)), *room = malloc(cap);
    memcpy(a, p, split);
    memcpy(b, p + split, n - split);
    strbuf_clear(out);
    d->type->reset(d);
    status st = decode_chunk(d, (struct span){a, split}, room, cap, out, err);
    if (!st)
        st = decode_chunk(d, (struct span){b, n - split}, room, cap, out, err);
    free(room);
    free(a);
    free(b);
    return st ? st : d->type->finish(d, err);
}

static void expect_all_splits(const struct decoder_type *type, const unsigned char *p, size_t n,
                              const char *body, size_t body_n)
{
    static const size_t caps[] = {1, 2, 7, 64, 4096};
    struct decoder *d;
    struct strbuf out = {0};
    error err;
    assert_int_equal(type->open(&d, &err), OK);
    for (size_t split = 0; split <= n; split++)
        for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
            assert_int_equal(decode_split(d, p, n, split, caps[c], &out, &err), OK);
            assert_int_equal(out.n, body_n);
            assert_memory_equal(strbuf_text(&out), body, body_n);
        }
    type->close(d);
    strbuf_free(&out);
}

static void expect_random_chunks(const struct decoder_type *type, const unsigned char *p, size_t n,
                                 const char *body, size_t body_n)
{
    static const size_t caps[] = {1000, 16384, 70000, ROOM * 2};
    struct rng r;
    rng_seed(&r, 99);
    struct decoder *d;
    struct strbuf out = {0};
    error err;
    assert_int_equal(type->open(&d, &err), OK);
    for (int trial = 0; trial < 40; trial++) {
        strbuf_clear(&out);
        type->reset(d);
        size_t cap = caps[trial % 4];
        char *room = malloc(cap);
        uint64_t largest = 1 + rng_below(&r, trial % 2 ? 100 : 40000);
        for (size_t at = 0; at < n;) {
            size_t size = 1 + (size_t)rng_below(&r, largest);
            size = size < n - at ? size : n - at;
            struct span chunk = {(const char *)p + at, size};
            assert_int_equal(decode_chunk(d, chunk, room, cap, &out, &err), OK);
            at += size;
        }
        free(room);
        assert_int_equal(type->finish(d, &err), OK);
        assert_int_equal(out.n, body_n);
        assert_memory_equal(out.p, body, body_n);
    }
    type->close(d);
    strbuf_free(&out);
}

/* Every prefix of a body but those of `whole` bytes must be told as truncated. */
static void expect_truncation_told(const struct decoder_type *type, const unsigned char *p,
                                   size_t n, const size_t *whole, size_t whole_n)
{
    struct decoder *d;
    struct strbuf out = {0};
    error err;
    assert_int_equal(type->open(&d, &err), OK);
    for (size_t cut = 0; cut <= n; cut++) {
        status expected = WEIR_DECODE;
        for (size_t i = 0; i < whole_n; i++)
            expected = cut == whole[i] ? OK : expected;
        err.message[0] = '\0';
        assert_int_equal(decode_split(d, p, cut, cut / 2, 4096, &out, &err), expected);
        if (expected) {
            char place[40];
            snprintf(place, sizeof place, "after byte %zu,", cut);
            assert_non_null(strstr(err.message, place));
        }
    }
    type->close(d);
    strbuf_free(&out);
}

/* A flipped bit is told, or changes nothing of the output. Returns how many were told. */
static size_t count_flips_told(const struct decoder_type *type, const unsigned char *p, size_t n,
                               const char *body, size_t body_n)
{
    unsigned char *copy = malloc(n);
    struct decoder *d;
    struct strbuf out = {0};
    error err;
    size_t told = 0;
    assert_int_equal(type->open(&d, &err), OK);
    for (size_t bit = 0; bit < n * 8; bit++) {
        memcpy(copy, p, n);
        copy[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        status st = decode_split(d, copy, n, n / 2, 4096, &out, &err);
        if (st) {
            assert_int_equal(st, WEIR_DECODE);
            assert_true(strlen(err.message) > 0);
            told++;
        } else {
            assert_int_equal(out.n, body_n);
            assert_memory_equal(strbuf_text(&out), body, body_n);
        }
    }
    type->close(d);
    strbuf_free(&out);
    free(copy);
    return told;
}

/* ---- gzip ---- */

static void gzip_decodes_at_every_split(void **state)
{
    static unsigned char z[ROOM];
    char body[200];
    size_t body_n, n = make_small_gzip(z, body, &body_n);
    expect_all_splits(type_named("gzip"), z, n, body, body_n);
}

static void gzip_decodes_large_bodies_in_random_chunks(void **state)
{
    static unsigned char z[ROOM];
    static char body[300000];
    make_text(body, sizeof body, 5);
    size_t n = add_gzip(z, body, 150000, NULL);
    n += add_gzip(z + n, body + 150000, 10, NULL);
    n += add_gzip(z + n, body + 150010, sizeof body - 150010, NULL);
    expect_random_chunks(type_named("gzip"), z, n, body, sizeof body);
}

static void gzip_decodes_stored_blocks(void **state)
{
    static unsigned char z[ROOM];
    static char body[100000];
    struct rng r;
    rng_seed(&r, 3);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)rng_next(&r);
    size_t n = add_gzip(z, body, sizeof body, NULL);
    expect_random_chunks(type_named("gzip"), z, n, body, sizeof body);
}

static void gzip_passes_a_long_row_of_empty_members(void **state)
{
    static unsigned char z[ROOM];
    size_t n = 0;
    while (n < 40000)
        n += add_gzip(z + n, "", 0, NULL);
    n += add_gzip(z + n, "end", 3, NULL);
    expect_random_chunks(type_named("gzip"), z, n, "end", 3);
}

static void gzip_tolerates_zero_padding_only(void **state)
{
    static unsigned char z[ROOM];
    char body[200];
    size_t body_n, n = make_small_gzip(z, body, &body_n);
    memset(z + n, 0, 600);
    expect_random_chunks(type_named("gzip"), z, n + 600, body, body_n);
    z[n + 100] = 'x';
    struct decoder *d; /* padding is something after a member, not instead of one */
    struct strbuf out = {0};
    error err;
    assert_int_equal(type_named("gzip")->open(&d, &err), OK);
    assert_int_equal(decode_split(d, z, n + 600, n + 3, 64, &out, &err), WEIR_DECODE);
    assert_int_equal(out.n, body_n);
    static const unsigned char zeros[20];
    assert_int_equal(decode_split(d, zeros, sizeof zeros, 0, 64, &out, &err), WEIR_DECODE);
    d->type->close(d);
    strbuf_free(&out);
}

static void gzip_tells_truncation_at_every_byte(void **state)
{
    static unsigned char z[ROOM];
    char body[200];
    size_t body_n, n = make_small_gzip(z, body, &body_n);
    size_t second = add_gzip(z + ROOM / 2, body + 40, body_n - 40, NULL);
    expect_truncation_told(type_named("gzip"), z, n, (size_t[]){n - second, n}, 2);
}

static void gzip_tells_every_flipped_bit_that_matters(void **state)
{
    static unsigned char z[ROOM];
    char body[200];
    size_t body_n, n = make_small_gzip(z, body, &body_n);
    size_t told = count_flips_told(type_named("gzip"), z, n, body, body_n);
    /* All but those of times, names, flags of the packer and unused bits. */
    assert_in_range(told, n * 8 - 8 * 60, n * 8);
}

static void gzip_names_the_place_of_the_damage(void **state)
{
    static unsigned char z[ROOM];
    static char body[200000];
    make_text(body, sizeof body, 6);
    size_t n = add_gzip(z, body, sizeof body, NULL);
    struct decoder *d;
    struct strbuf out = {0};
    error err;
    assert_int_equal(type_named("gzip")->open(&d, &err), OK);
    z[n - 5] ^= 1; /* in the checksum */
    assert_int_equal(decode_split(d, z, n, n / 3, ROOM, &out, &err), WEIR_DECODE);
    char place[60];
    snprintf(place, sizeof place, "near byte %zu: the checksum does not match", n);
    assert_non_null(strstr(err.message, place));
    assert_int_equal(out.n, sizeof body);
    /* Once damaged, it stays damaged; a reset makes it as new. */
    struct span more = {"x", 1};
    char c;
    size_t got = 7;
    assert_int_equal(d->type->decode(d, &more, &c, 1, &got, &err), WEIR_DECODE);
    assert_int_equal(d->type->finish(d, &err), WEIR_DECODE);
    z[n - 5] ^= 1;
    assert_int_equal(decode_split(d, z, n, n / 3, ROOM, &out, &err), OK);
    d->type->close(d);
    type_named("gzip")->close(NULL);
    strbuf_free(&out);
}

/* ---- zstd: frames made by hand from RFC 8878, and one made by the reference encoder ---- */

/* A frame of raw blocks of up to `block` bytes, without checksum. */
static size_t add_zstd_raw(unsigned char *out, const char *body, size_t n, size_t block)
{
    static const unsigned char head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38}; /* window 128 KiB */
    memcpy(out, head, sizeof head);
    size_t at = sizeof head, done = 0;
    do {
        size_t size = n - done < block ? n - done : block;
        size_t header = size << 3 | (done + size == n);
        out[at++] = (unsigned char)header;
        out[at++] = (unsigned char)(header >> 8);
        out[at++] = (unsigned char)(header >> 16);
        if (size)
            memcpy(out + at, body + done, size);
        at += size;
        done += size;
    } while (done < n);
    return at;
}

static size_t add_zstd_skippable(unsigned char *out, unsigned char size)
{
    static const unsigned char head[] = {0x5a, 0x2a, 0x4d, 0x18};
    memcpy(out, head, sizeof head);
    out[4] = size;
    out[5] = out[6] = out[7] = 0;
    memset(out + 8, 0xee, size);
    return 8 + (size_t)size;
}

static size_t make_small_zstd(unsigned char *out, char *body, size_t *body_n)
{
    size_t lines = make_lines(body), n = add_zstd_skippable(out, 5);
    memcpy(out + n, zstd_lines, sizeof zstd_lines);
    n += sizeof zstd_lines;
    n += add_zstd_raw(out + n, "", 0, 10);
    n += add_zstd_skippable(out + n, 0);
    memcpy(body + lines, "and a tail", 10);
    n += add_zstd_raw(out + n, body + lines, 10, 4);
    *body_n = lines + 10;
    return n;
}

static void zstd_decodes_at_every_split(void **state)
{
    const struct decoder_type *type = zstd_type();
    static unsigned char z[4000];
    char body[4000];
    size_t body_n, n = make_small_zstd(z, body, &body_n);
    expect_all_splits(type, z, n, body, body_n);
}

static void zstd_decodes_large_bodies_in_random_chunks(void **state)
{
    const struct decoder_type *type = zstd_type();
    static unsigned char z[ROOM];
    static char body[300000];
    make_text(body, sizeof body, 8);
    size_t n = add_zstd_raw(z, body, 200000, 100000);
    n += add_zstd_raw(z + n, body + 200000, 100000, 700);
    expect_random_chunks(type, z, n, body, sizeof body);
}

static void zstd_tells_truncation_at_every_byte(void **state)
{
    const struct decoder_type *type = zstd_type();
    static unsigned char z[4000];
    char body[4000];
    size_t body_n, n = make_small_zstd(z, body, &body_n);
    size_t first = 13, second = first + sizeof zstd_lines, third = second + 9, fourth = third + 8;
    expect_truncation_told(type, z, n, (size_t[]){first, second, third, fourth, n}, 5);
}

static void zstd_tells_flipped_bits(void **state)
{
    const struct decoder_type *type = zstd_type();
    char body[4000];
    size_t body_n = make_lines(body);
    size_t told = count_flips_told(type, zstd_lines, sizeof zstd_lines, body, body_n);
    assert_in_range(told, sizeof zstd_lines * 8 - 16, sizeof zstd_lines * 8);
}

static void zstd_refuses_windows_beyond_128_mib(void **state)
{
    const struct decoder_type *type = zstd_type();
    /* One raw block of one byte; the byte after the flags is the window: 128 MiB, then 256 MiB. */
    unsigned char z[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x09, 0x00, 0x00, 'x'};
    struct decoder *d;
    struct strbuf out = {0};
    error err;
    assert_int_equal(type->open(&d, &err), OK);
    assert_int_equal(decode_split(d, z, sizeof z, 0, 64, &out, &err), OK);
    assert_string_equal(out.p, "x");
    z[5] = 0x90;
    assert_int_equal(decode_split(d, z, sizeof z, 0, 64, &out, &err), WEIR_DECODE);
    assert_non_null(strstr(err.message, "128 MiB"));
    type->close(d);
    type->close(NULL);
    strbuf_free(&out);
}

/* ---- choosing ---- */

static void decoder_sniff_goes_by_magic(void **state)
{
    static const struct {
        struct span head;
        const char *name;
    } rows[] = {
        {{"\x1f\x8b\x08\x00\x00\x00", 6}, "gzip"},
        {{"\x1f\x8b\x08", 3}, "gzip"},
        {{"\x1f\x8b", 2}, NULL},
        {{"\x1f\x8b\x07\x00", 4}, NULL},
        {{"\x28\xb5\x2f\xfd", 4}, "zstd"},
        {{"\x50\x2a\x4d\x18", 4}, "zstd"},
        {{"\x5f\x2a\x4d\x18", 4}, "zstd"},
        {{"\x60\x2a\x4d\x18", 4}, NULL},
        {{"http:/", 6}, NULL},
        {{"", 0}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct decoder_type *t = decoder_sniff(rows[i].head);
        const struct decoder_type *expected = rows[i].name ? type_named(rows[i].name) : NULL;
        assert_ptr_equal(t, expected);
    }
}

/* ---- the decoding reader ---- */

struct memory_reader {
    struct reader head;
    const char *p;
    size_t n, at, piece;
    bool *closed;
};

static status memory_read(struct reader *r, void *data, size_t cap, size_t *got, error *err)
{
    struct memory_reader *m = (struct memory_reader *)r;
    size_t n = m->n - m->at;
    n = n < m->piece ? n : m->piece;
    n = n < cap ? n : cap;
    memcpy(data, m->p + m->at, n);
    m->at += n;
    *got = n;
    return OK;
}

static status memory_rewind(struct reader *r, error *err)
{
    ((struct memory_reader *)r)->at = 0;
    return OK;
}

static void memory_close(struct reader *r)
{
    *((struct memory_reader *)r)->closed = true;
}

static const struct reader_type memory_type = {"memory", memory_read, memory_rewind, memory_close};

static status read_to_end(struct reader *r, size_t cap, struct strbuf *out, error *err)
{
    char room[4096];
    size_t got = 1;
    while (got) {
        status st = r->type->read(r, room, cap, &got, err);
        if (st)
            return st;
        strbuf_add(out, room, got);
    }
    return OK;
}

/* Reads `p` through a decoding reader in small pieces, twice, and expects `body` and `end`. */
static void expect_read(const void *p, size_t n, const char *body, size_t body_n, status end)
{
    static const size_t pieces[] = {1, 3, 100000}, caps[] = {1, 10, 4096};
    for (size_t i = 0; i < 9; i++) {
        bool closed = false;
        struct memory_reader m = {{&memory_type}, p, n, 0, pieces[i / 3], &closed};
        struct reader *r;
        struct strbuf out = {0};
        error err;
        assert_int_equal(reader_open_decoded(&r, &m.head, &err), OK);
        for (int round = 0; round < 2; round++) {
            strbuf_clear(&out);
            assert_int_equal(read_to_end(r, caps[i % 3], &out, &err), end);
            assert_int_equal(out.n, body_n);
            assert_memory_equal(strbuf_text(&out), body, body_n);
            size_t got;
            assert_int_equal(r->type->read(r, (char[1]){0}, 1, &got, &err), end);
            assert_int_equal(r->type->rewind(r, &err), OK);
        }
        reader_close(r);
        assert_true(closed);
        strbuf_free(&out);
    }
}

static void decoding_reader_passes_plain_bytes(void **state)
{
    static const char *const bodies[] = {"", "a", "ab", "abcde", "abcdef", "http://example.org/"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        expect_read(bodies[i], strlen(bodies[i]), bodies[i], strlen(bodies[i]), OK);
}

static void decoding_reader_decodes_by_content(void **state)
{
    static unsigned char z[ROOM];
    char body[4000];
    size_t body_n, n = make_small_gzip(z, body, &body_n);
    expect_read(z, n, body, body_n, OK);
    if (!type_named("zstd"))
        return;
    n = make_small_zstd(z, body, &body_n);
    expect_read(z, n, body, body_n, OK);
}

static void decoding_reader_gives_what_came_before_the_damage(void **state)
{
    static unsigned char z[ROOM];
    char body[200];
    size_t body_n, n = make_small_gzip(z, body, &body_n);
    z[n] = 'x';
    expect_read(z, n + 1, body, body_n, WEIR_DECODE);
    expect_read(z, n - 3, body, body_n, WEIR_DECODE);
    expect_read("\x1f\x8b\x08", 3, "", 0, WEIR_DECODE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_decodes_at_every_split),
        cmocka_unit_test(gzip_decodes_large_bodies_in_random_chunks),
        cmocka_unit_test(gzip_decodes_stored_blocks),
        cmocka_unit_test(gzip_passes_a_long_row_of_empty_members),
        cmocka_unit_test(gzip_tolerates_zero_padding_only),
        cmocka_unit_test(gzip_tells_truncation_at_every_byte),
        cmocka_unit_test(gzip_tells_every_flipped_bit_that_matters),
        cmocka_unit_test(gzip_names_the_place_of_the_damage),
        cmocka_unit_test(zstd_decodes_at_every_split),
        cmocka_unit_test(zstd_decodes_large_bodies_in_random_chunks),
        cmocka_unit_test(zstd_tells_truncation_at_every_byte),
        cmocka_unit_test(zstd_tells_flipped_bits),
        cmocka_unit_test(zstd_refuses_windows_beyond_128_mib),
        cmocka_unit_test(decoder_sniff_goes_by_magic),
        cmocka_unit_test(decoding_reader_passes_plain_bytes),
        cmocka_unit_test(decoding_reader_decodes_by_content),
        cmocka_unit_test(decoding_reader_gives_what_came_before_the_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

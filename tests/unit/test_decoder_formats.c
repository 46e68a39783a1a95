/* What holds for every format alike: any chunking, streams in a row, truncation, damage; and what
 * is particular to xz, bzip2 and brotli. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */

#include "codec/decoder.h"
#include "decoder_fixture.h"

static const struct decoder_type *type_of(const char *name)
{
    return decoder_named(span_of(name));
}

/* All but gzip are build options. */
static const struct decoder_type *type_or_skip(const char *name)
{
    const struct decoder_type *type = type_of(name);
    if (!type)
        skip();
    return type;
}

static struct decoder *opened(const struct decoder_type *type)
{
    struct decoder *d;
    error err;
    assert_int_equal(type->open(&d, &err), OK);
    return d;
}

/* Decodes one chunk with `cap` bytes of room at a time. Blocks end where chunk and room end, so
 * that a sanitizer sees a byte too many. */
static status feed(struct decoder *d, const void *p, size_t n, size_t cap, struct strbuf *out,
                   error *err)
{
    char *copy = malloc(n + !n), *room = malloc(cap);
    if (n)
        memcpy(copy, p, n);
    struct span in = {copy, n};
    size_t got;
    status st;
    do {
        st = d->type->decode(d, &in, room, cap, &got, err);
        strbuf_add(out, room, got);
    } while (!st && got == cap);
    assert_in_range(in.n, 0, st ? n : 0);
    free(room);
    free(copy);
    return st;
}

/* A whole body from the start, in chunks of `chunk` bytes after a first one of `first`. */
static status decode_all(struct decoder *d, const unsigned char *p, size_t n, size_t first,
                         size_t chunk, size_t cap, struct strbuf *out, error *err)
{
    strbuf_clear(out);
    d->type->reset(d);
    status st = feed(d, p, first, cap, out, err);
    for (size_t at = first; at < n && !st; at += chunk)
        st = feed(d, p + at, n - at < chunk ? n - at : chunk, cap, out, err);
    return st ? st : d->type->finish(d, err);
}

static void expect_rows(const struct strbuf *out, int to)
{
    char rows[ROWS_ROOM];
    size_t n = make_rows(rows, 0, to);
    assert_int_equal(out->n, n);
    assert_memory_equal(strbuf_text(out), rows, n);
}

static void every_format_decodes_at_every_split(void **state)
{
    static const size_t caps[] = {1, 7, 64, 4096};
    struct strbuf out = {0};
    error err;
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        if (!type_of(z->name))
            continue;
        struct decoder *d = opened(type_of(z->name));
        for (size_t split = 0; split <= z->n; split++)
            for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
                assert_int_equal(decode_all(d, z->p, z->n, split, z->n, caps[c], &out, &err), OK);
                expect_rows(&out, ROWS_ALL);
            }
        d->type->close(d);
    }
    strbuf_free(&out);
}

static void every_format_decodes_in_small_chunks(void **state)
{
    struct strbuf out = {0};
    error err;
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        if (!type_of(z->name))
            continue;
        struct decoder *d = opened(type_of(z->name));
        for (size_t chunk = 1; chunk < 20; chunk++)
            for (size_t cap = 1; cap < 5000; cap = cap * 3 + 1) {
                assert_int_equal(decode_all(d, z->p, z->n, 0, chunk, cap, &out, &err), OK);
                expect_rows(&out, ROWS_ALL);
            }
        d->type->close(d);
    }
    strbuf_free(&out);
}

static void every_format_tells_truncation_at_every_byte(void **state)
{
    struct strbuf out = {0};
    error err;
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        if (!type_of(z->name))
            continue;
        struct decoder *d = opened(type_of(z->name));
        for (size_t cut = 0; cut < z->n; cut++) {
            status st = decode_all(d, z->p, cut, cut / 2, z->n, 4096, &out, &err);
            if (cut == z->first) {
                assert_int_equal(st, OK);
                expect_rows(&out, ROWS_FIRST);
                continue;
            }
            assert_int_equal(st, WEIR_DECODE);
            char place[80];
            snprintf(place, sizeof place, "%s data ends too early, after byte %zu", z->name, cut);
            assert_non_null(strstr(err.message, place));
            assert_int_equal(d->type->finish(d, &err), WEIR_DECODE);
        }
        d->type->close(d);
    }
    strbuf_free(&out);
}

/* A flipped bit is told, or changes nothing of the output; brotli, which has no checksum, need not
 * notice, but says nothing other than that it is damaged. */
static void every_format_survives_every_flipped_bit(void **state)
{
    struct strbuf out = {0};
    error err;
    unsigned char copy[1000];
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        if (!type_of(z->name))
            continue;
        struct decoder *d = opened(type_of(z->name));
        size_t told = 0;
        for (size_t bit = 0; bit < z->n * 8; bit++) {
            memcpy(copy, z->p, z->n);
            copy[bit / 8] ^= (unsigned char)(1u << bit % 8);
            status st = decode_all(d, copy, z->n, bit / 8, z->n, 4096, &out, &err);
            if (!st && z->has_checksum)
                expect_rows(&out, ROWS_ALL);
            if (st) {
                assert_int_equal(st, WEIR_DECODE);
                assert_non_null(strstr(err.message, " byte "));
                told++;
            }
        }
        /* All but times and flags of the packer; in brotli most of them. */
        assert_in_range(told, z->has_checksum ? z->n * 8 - 150 : z->n * 4, z->n * 8);
        d->type->close(d);
    }
    strbuf_free(&out);
}

static void every_format_refuses_what_follows_its_end(void **state)
{
    struct strbuf out = {0};
    error err;
    unsigned char longer[1000];
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        if (!type_of(z->name))
            continue;
        struct decoder *d = opened(type_of(z->name));
        memcpy(longer, z->p, z->n);
        memcpy(longer + z->n, "trailing garbage", 16);
        for (size_t split = 0; split <= z->n + 16; split++) {
            assert_int_equal(decode_all(d, longer, z->n + 16, split, z->n + 16, 4096, &out, &err),
                             WEIR_DECODE);
            expect_rows(&out, ROWS_ALL); /* what came before is given out */
            char c;
            size_t got = 7;
            struct span more = {"x", 1};
            assert_int_equal(d->type->decode(d, &more, &c, 1, &got, &err), WEIR_DECODE);
            assert_int_equal(got, 0);
        }
        d->type->close(d);
        type_of(z->name)->close(NULL);
    }
    strbuf_free(&out);
}

/* Zero bytes behind the end: padding in gzip and bzip2 (tapes) and, in fours, in xz. */
static void padding_follows_where_the_format_has_it(void **state)
{
    static const struct {
        const char *name;
        size_t zeros;
        status expected;
    } rows[] = {
        {"gzip", 3, OK},
        {"bzip2", 3, OK},
        {"bzip2", 700, OK},
        {"xz", 4, OK},
        {"xz", 400, OK},
        {"xz", 3, WEIR_DECODE},
        {"brotli", 4, WEIR_DECODE},
        {"zstd", 4, WEIR_DECODE},
    };
    struct strbuf out = {0};
    error err;
    unsigned char longer[2000];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct rows_fixture *z = rows_in(rows[i].name);
        if (!type_of(z->name))
            continue;
        struct decoder *d = opened(type_of(z->name));
        memcpy(longer, z->p, z->n);
        memset(longer + z->n, 0, rows[i].zeros);
        size_t n = z->n + rows[i].zeros;
        for (size_t chunk = 1; chunk <= n; chunk = chunk * 5) {
            assert_int_equal(decode_all(d, longer, n, 0, chunk, 100, &out, &err), rows[i].expected);
            expect_rows(&out, ROWS_ALL);
        }
        d->type->close(d);
    }
    strbuf_free(&out);
}

/* An "a", then a copy of 258 bytes from four bytes back, where there is nothing, then more: no byte
 * of what the memory held before may come out. (ISA-L has a fast way that is taken only where much
 * input follows, and that counts such a copy as done.) */
static void gzip_gives_out_nothing_that_was_not_in_the_body(void **state)
{
    unsigned char z[120] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 0x1c, 0xc5};
    memset(z + 13, 0x49, sizeof z - 13);
    struct strbuf out = {0};
    error err;
    struct decoder *d = opened(type_of("gzip"));
    for (size_t split = 0; split <= sizeof z; split++)
        for (size_t chunk = 1; chunk <= sizeof z; chunk++) {
            assert_int_equal(decode_all(d, z, sizeof z, split, chunk, 4096, &out, &err),
                             WEIR_DECODE);
            assert_in_range(out.n, 0, 1);
            assert_true(out.n == 0 || out.p[0] == 'a');
        }
    d->type->close(d);
    strbuf_free(&out);
}

static void bzip2_refuses_a_stream_behind_padding(void **state)
{
    const struct decoder_type *type = type_or_skip("bzip2");
    const struct rows_fixture *z = rows_in("bzip2");
    unsigned char gapped[1000] = {0};
    struct strbuf out = {0};
    error err;
    memcpy(gapped, z->p, z->first);
    memcpy(gapped + z->first + 10, z->p + z->first, z->n - z->first);
    struct decoder *d = opened(type);
    for (size_t split = 0; split <= z->n + 10; split++) {
        assert_int_equal(decode_all(d, gapped, z->n + 10, split, 500, 4096, &out, &err),
                         WEIR_DECODE);
        expect_rows(&out, ROWS_FIRST);
    }
    d->type->close(d);
    strbuf_free(&out);
}

static void streams_of_nothing_are_nothing(void **state)
{
    static const struct {
        const char *name;
        const unsigned char *p;
        size_t n;
    } rows[] = {
        {"xz", xz_empty, sizeof xz_empty},
        {"bzip2", bzip2_empty, sizeof bzip2_empty},
        {"brotli", (const unsigned char *)"\x3b", 1},
    };
    struct strbuf out = {0};
    error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!type_of(rows[i].name))
            continue;
        struct decoder *d = opened(type_of(rows[i].name));
        assert_int_equal(decode_all(d, rows[i].p, rows[i].n, 0, 1, 10, &out, &err), OK);
        assert_int_equal(out.n, 0);
        d->type->close(d);
    }
    strbuf_free(&out);
}

static void xz_refuses_more_memory_than_its_limit(void **state)
{
    struct strbuf out = {0};
    error err;
    struct decoder *d = opened(type_or_skip("xz"));
    assert_int_equal(decode_all(d, xz_wide, sizeof xz_wide, 0, 7, 10, &out, &err), WEIR_DECODE);
    assert_non_null(strstr(err.message, "needs 257 MiB"));
    assert_non_null(strstr(err.message, "the limit is 128 MiB"));
    d->type->close(d);
    strbuf_free(&out);
}

static void brotli_refuses_large_windows(void **state)
{
    struct strbuf out = {0};
    error err;
    struct decoder *d = opened(type_or_skip("brotli"));
    assert_int_equal(decode_all(d, brotli_wide, sizeof brotli_wide, 0, 7, 10, &out, &err),
                     WEIR_DECODE);
    d->type->close(d);
    strbuf_free(&out);
}

static void decoders_are_found_by_name_coding_and_suffix(void **state)
{
    enum { NAME, CODING, SUFFIX };
    static const struct {
        int by;
        const char *text, *name;
    } rows[] = {
        {NAME, "gzip", "gzip"},
        {NAME, "gz", "gzip"},
        {NAME, "GZip", "gzip"},
        {NAME, "zst", "zstd"},
        {NAME, "xz", "xz"},
        {NAME, "bz2", "bzip2"},
        {NAME, "bzip2", "bzip2"},
        {NAME, "br", "brotli"},
        {NAME, "brotli", "brotli"},
        {NAME, "", NULL},
        {NAME, "auto", NULL},
        {NAME, ".gz", NULL},
        {CODING, "gzip", "gzip"},
        {CODING, "X-Gzip", "gzip"},
        {CODING, "zstd", "zstd"},
        {CODING, "br", "brotli"},
        {CODING, "xz", NULL},
        {CODING, "brotli", NULL},
        {CODING, "deflate", NULL},
        {CODING, "x-", NULL},
        {SUFFIX, "/a/b.log.gz", "gzip"},
        {SUFFIX, "b.ZST", "zstd"},
        {SUFFIX, ".xz", "xz"},
        {SUFFIX, "a.bz2", "bzip2"},
        {SUFFIX, "/a.br", "brotli"},
        {SUFFIX, "/abr", NULL},
        {SUFFIX, "/a.gz/b", NULL},
        {SUFFIX, "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span text = span_of(rows[i].text);
        const struct decoder_type *found = rows[i].by == NAME     ? decoder_named(text)
                                           : rows[i].by == CODING ? decoder_for_coding(text)
                                                                  : decoder_for_suffix(text);
        const struct decoder_type *expected = NULL, *t;
        for (size_t k = 0; rows[i].name && (t = decoder_type_at(k)); k++)
            expected = strcmp(t->name, rows[i].name) == 0 ? t : expected;
        assert_ptr_equal(found, expected);
    }
}

static void sniffing_tells_formats_from_their_heads(void **state)
{
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        const struct decoder_type *type = type_of(z->name);
        struct span head = {(const char *)z->p, DECODER_HEAD};
        /* brotli has no magic and is never found in this way. */
        assert_ptr_equal(decoder_sniff(head), type && type->magic_size ? type : NULL);
    }
    static const char *const texts[] = {"BZh9 is a text", "BZh1AZ", "BZ",
                                        "\xfd"
                                        "7zXZ",
                                        "plain text"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_null(decoder_sniff(span_of(texts[i])));
    if (type_of("bzip2"))
        assert_non_null(
            decoder_sniff((struct span){(const char *)bzip2_empty, sizeof bzip2_empty}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_decodes_at_every_split),
        cmocka_unit_test(every_format_decodes_in_small_chunks),
        cmocka_unit_test(every_format_tells_truncation_at_every_byte),
        cmocka_unit_test(every_format_survives_every_flipped_bit),
        cmocka_unit_test(every_format_refuses_what_follows_its_end),
        cmocka_unit_test(padding_follows_where_the_format_has_it),
        cmocka_unit_test(gzip_gives_out_nothing_that_was_not_in_the_body),
        cmocka_unit_test(bzip2_refuses_a_stream_behind_padding),
        cmocka_unit_test(streams_of_nothing_are_nothing),
        cmocka_unit_test(xz_refuses_more_memory_than_its_limit),
        cmocka_unit_test(brotli_refuses_large_windows),
        cmocka_unit_test(decoders_are_found_by_name_coding_and_suffix),
        cmocka_unit_test(sniffing_tells_formats_from_their_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

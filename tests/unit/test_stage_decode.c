/* The decode stage: what it finds by content, by Content-Encoding and by name, in any chunking;
 * what it says of wrong labels, damage and bombs. */
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
#include "decoder_fixture.h"
#include "stage/chain.h"

#define ROOM ((size_t)1 << 20)

/* What comes out of a chain that is the decode stage alone. */
struct outcome {
    struct strbuf body;
    const void *last; /* address of the last piece */
    uint64_t bytes;   /* all that came; `body` keeps a part */
    int writes;       /* pieces */
    int end_after;    /* pieces until the sink needs no more; 0 = never */
    int full_after;   /* pieces until the disk is full; 0 = never */
    error err;
};

static status collect(void *ctx, const void *data, size_t size, error *err)
{
    struct outcome *o = ctx;
    o->last = data;
    o->bytes += size;
    o->writes++;
    if (o->body.n < ROOM)
        strbuf_add(&o->body, data, size);
    if (o->full_after && o->writes >= o->full_after)
        return fail(err, WEIR_DISK, "the disk is full");
    return o->end_after && o->writes >= o->end_after ? WEIR_END : OK;
}

static struct decode_plan plan_auto(void)
{
    return (struct decode_plan){.as = "auto", .path = "/logs/app.log"};
}

static struct chain *chain_of(struct decode_plan plan, struct outcome *o)
{
    const weir_stage_type *types[] = {&stage_decode};
    struct stage_context context = {.decode = plan};
    struct chain *c;
    assert_int_equal(chain_open(&c, types, 1, &context, (struct chain_out){collect, o}, &o->err),
                     OK);
    return c;
}

/* Writes a body in chunks, the first of `first` bytes, and ends it. */
static status write_all(struct chain *c, const void *body, size_t n, size_t first, size_t chunk,
                        error *err)
{
    const char *p = body;
    status st = first ? chain_write(c, p, first, err) : OK;
    for (size_t at = first; at < n && !st; at += chunk)
        st = chain_write(c, p + at, n - at < chunk ? n - at : chunk, err);
    return st ? st : chain_finish(c, err);
}

/* The same body at every split and in small chunks; what comes out must not depend on them. The
 * outcome of the last round is the caller's, to be freed with outcome_free. */
static status decode_in_all_ways(struct decode_plan plan, const void *body, size_t n,
                                 struct outcome *o)
{
    *o = (struct outcome){0};
    struct chain *c = chain_of(plan, o);
    status expected = write_all(c, body, n, n, 1, &o->err);
    struct strbuf first = o->body;
    for (size_t way = 0; way <= n + 9; way++) {
        o->body = (struct strbuf){0};
        chain_reset(c);
        size_t split = way <= n ? way : 0, chunk = way <= n ? n + 1 : way - n;
        assert_int_equal(write_all(c, body, n, split, chunk, &o->err), expected);
        assert_int_equal(o->body.n, first.n);
        assert_memory_equal(strbuf_text(&o->body), strbuf_text(&first), first.n);
        strbuf_free(&o->body);
    }
    o->body = first;
    chain_close(c);
    return expected;
}

static void outcome_free(struct outcome *o)
{
    strbuf_free(&o->body);
}

static void expect_body(struct decode_plan plan, const void *in, size_t in_n, const void *body,
                        size_t body_n)
{
    struct outcome o;
    assert_int_equal(decode_in_all_ways(plan, in, in_n, &o), OK);
    assert_int_equal(o.body.n, body_n);
    assert_memory_equal(strbuf_text(&o.body), body, body_n);
    outcome_free(&o);
}

static void expect_rows(struct decode_plan plan, const void *in, size_t n)
{
    char rows[ROWS_ROOM];
    size_t rows_n = make_rows(rows, 0, ROWS_ALL);
    expect_body(plan, in, n, rows, rows_n);
}

static void expect_failure(struct decode_plan plan, const void *in, size_t n, status expected,
                           const char *words)
{
    struct outcome o;
    assert_int_equal(decode_in_all_ways(plan, in, n, &o), expected);
    if (!strstr(o.err.message, words))
        assert_string_equal(o.err.message, words); /* shows both */
    outcome_free(&o);
}

/* Formats other than gzip are build options; those that are missing are left out. */
static bool can_decode(const char *name)
{
    return decoder_named(span_of(name)) != NULL;
}

static size_t add_gzip(unsigned char *out, const void *body, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)body;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = ROOM;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t size = z.total_out;
    deflateEnd(&z);
    return size;
}

/* ---- by content ---- */

static void compressed_bodies_are_found_by_content(void **state)
{
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        if (can_decode(z->name) && z->has_checksum)
            expect_rows(plan_auto(), z->p, z->n);
    }
}

static void plain_bodies_pass_without_a_copy(void **state)
{
    static const char *const bodies[] = {
        "",        "a", "ab\n", "abcde", "abcdef", "abcdefg\n", "BZh9 is how this text begins",
        "\x1f\x8b"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        expect_body(plan_auto(), bodies[i], strlen(bodies[i]), bodies[i], strlen(bodies[i]));
    struct outcome o = {0};
    struct chain *c = chain_of(plan_auto(), &o);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chain_write(c, bodies[5], 8, &o.err), OK);
        assert_ptr_equal(o.last, bodies[5]);
    }
    chain_close(c);
    outcome_free(&o);
}

static void nested_compression_is_undone_once_by_content(void **state)
{
    static unsigned char outer[ROOM];
    const struct rows_fixture *z = rows_in("gzip");
    size_t n = add_gzip(outer, z->p, z->n);
    expect_body(plan_auto(), outer, n, z->p, z->n);
}

/* With the name of its format a body that ends inside its magic is told as well. */
static void truncation_is_told_at_every_byte(void **state)
{
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        const struct rows_fixture *z = &rows_fixtures[f];
        if (!can_decode(z->name))
            continue;
        char path[40], place[40];
        snprintf(path, sizeof path, "/x%s", decoder_named(span_of(z->name))->suffix);
        struct outcome o = {0};
        struct chain *c = chain_of((struct decode_plan){.as = "auto", .path = path}, &o);
        for (size_t cut = 1; cut < z->n; cut++) {
            status expected = cut == z->first ? OK : WEIR_DECODE;
            chain_reset(c);
            assert_int_equal(write_all(c, z->p, cut, cut / 2, 50, &o.err), expected);
            snprintf(place, sizeof place, "after byte %zu", cut);
            assert_true(!expected || strstr(o.err.message, place));
        }
        chain_close(c);
        outcome_free(&o);
    }
}

static void what_comes_before_damage_is_given_out(void **state)
{
    const struct rows_fixture *z = rows_in("gzip");
    unsigned char damaged[1000];
    char rows[ROWS_ROOM];
    size_t rows_n = make_rows(rows, 0, ROWS_FIRST);
    memcpy(damaged, z->p, z->n);
    damaged[z->first] = 'x';
    struct outcome o;
    assert_int_equal(decode_in_all_ways(plan_auto(), damaged, z->n, &o), WEIR_DECODE);
    assert_int_equal(o.body.n, rows_n);
    assert_memory_equal(o.body.p, rows, rows_n);
    char place[40];
    snprintf(place, sizeof place, "near byte %zu", z->first + 1);
    assert_non_null(strstr(o.err.message, place));
    outcome_free(&o);
}

/* ---- by Content-Encoding ---- */

static void codings_are_undone(void **state)
{
    static const struct {
        const char *header, *format;
    } rows[] = {
        {"gzip", "gzip"},
        {"x-gzip", "gzip"},
        {" GZIP ", "gzip"},
        {"identity, gzip", "gzip"},
        {",gzip,, identity,", "gzip"},
        {"zstd", "zstd"},
        {"br", "brotli"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decode_plan plan = plan_auto();
        plan.content_encoding = rows[i].header;
        const struct rows_fixture *z = rows_in(rows[i].format);
        if (can_decode(rows[i].format))
            expect_rows(plan, z->p, z->n);
    }
}

static void codings_are_undone_in_reverse_order(void **state)
{
    static unsigned char outer[ROOM];
    struct decode_plan plan = plan_auto();
    const struct rows_fixture *br = rows_in("brotli"), *zst = rows_in("zstd");
    if (!can_decode("brotli") || !can_decode("zstd"))
        skip();
    size_t n = add_gzip(outer, br->p, br->n);
    plan.content_encoding = "br, gzip";
    expect_rows(plan, outer, n);
    plan.content_encoding = "gzip, br";
    expect_failure(plan, outer, n, WEIR_DECODE, "Content-Encoding says br");
    n = add_gzip(outer, zst->p, zst->n);
    plan.content_encoding = "zstd, gzip";
    expect_rows(plan, outer, n);
}

/* x.gz sent with "Content-Encoding: gzip", whichever of the two things the server means by it. */
static void a_coding_and_content_are_both_undone(void **state)
{
    static unsigned char outer[ROOM];
    const struct rows_fixture *z = rows_in("gzip");
    struct decode_plan plan = {.as = "auto", .path = "/x.gz", .content_encoding = "gzip"};
    expect_rows(plan, z->p, z->n);
    size_t n = add_gzip(outer, z->p, z->n);
    expect_rows(plan, outer, n);
    for (size_t f = 0; f < ROWS_FIXTURES; f++) {
        z = &rows_fixtures[f];
        n = add_gzip(outer, z->p, z->n);
        if (can_decode(z->name) && z->has_checksum)
            expect_rows(plan, outer, n);
    }
}

static void a_wrong_label_is_told(void **state)
{
    static const struct {
        const char *header, *needs, *body, *words;
    } rows[] = {
        {"gzip", "gzip", "plain text, sent with a wrong label", "Content-Encoding says gzip, but"},
        {"gzip", "gzip", "p", "Content-Encoding says gzip, but"},
        {"gzip", "gzip", "\x1f\x8b", "ends too early, after byte 2"},
        {"gzip", "gzip", "\x1f\x8b\x08 and then none", "damaged near byte 4: unknown header flags"},
        {"zstd", "zstd", "plain text, sent with a wrong label", "Content-Encoding says zstd, but"},
        {"br", "brotli", "plain text, sent with a wrong label", "Content-Encoding says br, but"},
        {"deflate", "gzip", "plain text", "Content-Encoding \"deflate\" is not known"},
        {"gzip, utf-8", "gzip", "plain text", "Content-Encoding \"utf-8\" is not known"},
        {"gzip,gzip,gzip,gzip,gzip", "gzip", "plain text", "more than 4 codings"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decode_plan plan = plan_auto();
        plan.content_encoding = rows[i].header;
        if (can_decode(rows[i].needs))
            expect_failure(plan, rows[i].body, strlen(rows[i].body), WEIR_DECODE, rows[i].words);
    }
}

static void an_empty_body_is_empty_whatever_its_label(void **state)
{
    static const char *const headers[] = {NULL, "", "gzip", "gzip, br", "identity", "unheard-of"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct decode_plan plan = {.as = "auto", .path = "/x.gz", .content_encoding = headers[i]};
        expect_body(plan, "", 0, "", 0);
    }
    struct decode_plan plan = {.as = "gzip", .path = "/x.gz"};
    expect_failure(plan, "", 0, WEIR_DECODE, "ends too early, after byte 0");
    plan.content_encoding = "gzip";
    expect_body(plan, "", 0, "", 0);
}

static void places_behind_a_coding_are_said_to_be_so(void **state)
{
    static unsigned char outer[ROOM];
    const struct rows_fixture *z = rows_in("gzip");
    struct decode_plan plan = {.as = "auto", .path = "/x.gz", .content_encoding = "gzip"};
    size_t n = add_gzip(outer, z->p, z->n - 3);
    expect_failure(plan, outer, n, WEIR_DECODE, "counted after Content-Encoding was undone");
}

/* ---- by name ---- */

/* brotli by hand: one block that is not compressed (RFC 7932 section 9.2), and the end. */
static size_t add_brotli(unsigned char *out, const void *body, size_t n)
{
    size_t header = (n - 1) << 4 | (size_t)1 << 20;
    for (int i = 0; i < 3; i++)
        out[i] = (unsigned char)(header >> 8 * i);
    memcpy(out + 3, body, n);
    out[3 + n] = 3;
    return n + 4;
}

static void brotli_is_found_by_path_where_it_makes_sense(void **state)
{
    static char text[3000];
    if (!can_decode("brotli"))
        skip();
    const struct rows_fixture *z = rows_in("brotli");
    struct decode_plan plan = {.as = "auto", .path = "/x.log.br"};
    expect_rows(plan, z->p, z->n);
    expect_body(plan_auto(), z->p, z->n, z->p, z->n);
    for (size_t n = 0; n < sizeof text;)
        n += (size_t)snprintf(text + n, sizeof text - n, "%zu: this is plain text\n", n);
    expect_body(plan, text, sizeof text, text, sizeof text);
    expect_body(plan, text, 300, text, 300);
    /* Undone already: what it leaves is not tried again, and the same within gzip. */
    plan.content_encoding = "br";
    expect_rows(plan, z->p, z->n);
    static unsigned char outer[ROOM];
    plan.content_encoding = "gzip";
    expect_rows(plan, outer, add_gzip(outer, z->p, z->n));
    plan.content_encoding = "br";
    expect_body(plan, outer, add_brotli(outer, z->p, z->n), z->p, z->n);
    /* Another format under that name is found by its content. */
    plan.content_encoding = NULL;
    expect_rows(plan, rows_in("gzip")->p, rows_in("gzip")->n);
}

/* What is damaged behind the head that was tried is told, in large chunks as in small ones. */
static void damaged_brotli_does_not_pass_as_plain(void **state)
{
    static unsigned char z[ROOM];
    static char body[600];
    if (!can_decode("brotli"))
        skip();
    memset(body, 'x', sizeof body);
    struct decode_plan plan = {.as = "auto", .path = "/x.br"};
    size_t n = add_brotli(z, body, sizeof body);
    expect_body(plan, z, n, body, sizeof body);
    z[n - 1] = 1;
    expect_failure(plan, z, n, WEIR_DECODE, "brotli data");
    z[n - 1] = 3;
    expect_failure(plan, z, n + 1, WEIR_DECODE, "other bytes follow the end");
    expect_failure(plan, z, n - 1, WEIR_DECODE, "ends too early, after byte 603");
}

static void a_named_format_is_taken_at_its_word(void **state)
{
    static unsigned char outer[ROOM];
    const struct rows_fixture *gz = rows_in("gzip"), *br = rows_in("brotli");
    struct decode_plan plan = {.as = "gzip"};
    expect_rows(plan, gz->p, gz->n);
    plan.as = "gz";
    expect_rows(plan, gz->p, gz->n);
    expect_failure(plan, "plain", 5, WEIR_DECODE, "near byte 1: no gzip header");
    plan.content_encoding = "gzip"; /* that is the one that was named */
    expect_rows(plan, gz->p, gz->n);
    expect_body(plan, outer, add_gzip(outer, gz->p, gz->n), gz->p, gz->n);
    plan.content_encoding = "UTF-8"; /* no coding, but servers send it */
    expect_rows(plan, gz->p, gz->n);
    plan.as = "lzma";
    expect_failure(plan, "x", 1, WEIR_DECODE, "\"lzma\" is not a format");
    if (!can_decode("brotli"))
        return;
    plan = (struct decode_plan){.as = "brotli", .path = "/x"};
    expect_rows(plan, br->p, br->n);
    plan.content_encoding = "gzip";
    expect_rows(plan, outer, add_gzip(outer, br->p, br->n));
}

/* ---- limits ---- */

/* n zero bytes as gzip. */
static size_t make_bomb(unsigned char *out, size_t n)
{
    static const char zeros[1 << 16];
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = ROOM;
    while (n) {
        z.next_in = (Bytef *)zeros;
        z.avail_in = (uInt)(n < sizeof zeros ? n : sizeof zeros);
        n -= z.avail_in;
        assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
    }
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t size = z.total_out;
    deflateEnd(&z);
    return size;
}

static void bombs_stop_at_the_limit(void **state)
{
    static unsigned char z[ROOM];
    size_t large = (size_t)40 << 20, small = (size_t)15 << 20;
    struct {
        size_t size;
        uint64_t max_bytes, max_ratio;
        status expected;
    } rows[] = {
        {large, 0, 0, OK},
        {large, large, 0, OK},
        {large, large - 1, 0, WEIR_POLICY},
        {large, 1000, 0, WEIR_POLICY},
        {small, 1, 0, WEIR_POLICY},
        {large, 0, 100, WEIR_POLICY},
        {large, 0, 2000, OK}, /* deflate gives 1032 at most */
        {small, 0, 100, OK},  /* small bodies may be as compressible as they like */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decode_plan plan = plan_auto();
        plan.max_bytes = rows[i].max_bytes;
        plan.max_ratio = rows[i].max_ratio;
        size_t n = make_bomb(z, rows[i].size);
        struct outcome o = {0};
        struct chain *c = chain_of(plan, &o);
        assert_int_equal(write_all(c, z, n, 0, 16384, &o.err), rows[i].expected);
        if (rows[i].expected) {
            assert_non_null(strstr(o.err.message, "http.max_decoded_size"));
            assert_true(!plan.max_bytes || o.bytes <= plan.max_bytes);
            assert_in_range(o.bytes, 0, large / 2 + plan.max_bytes);
        } else {
            assert_int_equal(o.bytes, rows[i].size);
        }
        chain_close(c);
        outcome_free(&o);
    }
}

/* ---- the chain around it ---- */

static void a_sink_that_needs_no_more_ends_it_at_once(void **state)
{
    static unsigned char z[ROOM];
    size_t n = make_bomb(z, (size_t)10 << 20);
    struct outcome o = {.end_after = 3};
    struct chain *c = chain_of(plan_auto(), &o);
    assert_int_equal(chain_write(c, z, n, &o.err), WEIR_END);
    assert_int_equal(o.writes, 3);
    assert_int_equal(chain_finish(c, &o.err), OK); /* half a member is no truncation then */
    chain_close(c);
    outcome_free(&o);
}

static void a_failure_of_the_sink_is_passed_up(void **state)
{
    const struct rows_fixture *z = rows_in("gzip");
    for (int chunk = 1; chunk < 400; chunk += 57) {
        struct outcome o = {.full_after = 1};
        struct chain *c = chain_of(plan_auto(), &o);
        assert_int_equal(write_all(c, z->p, z->n, 0, (size_t)chunk, &o.err), WEIR_DISK);
        assert_string_equal(o.err.message, "the disk is full");
        assert_int_equal(o.writes, 1);
        chain_close(c);
        outcome_free(&o);
    }
}

static void reset_begins_anew_wherever_it_was(void **state)
{
    const struct rows_fixture *z = rows_in("gzip");
    struct outcome o = {0};
    struct decode_plan plan = {.as = "auto", .path = "/x.gz", .content_encoding = "gzip"};
    struct chain *c = chain_of(plan, &o);
    char rows[ROWS_ROOM];
    size_t rows_n = make_rows(rows, 0, ROWS_ALL);
    for (size_t cut = 0; cut <= z->n; cut++) {
        if (cut)
            assert_int_equal(chain_write(c, z->p, cut, &o.err), OK);
        chain_reset(c);
        strbuf_clear(&o.body);
        /* The new answer has other headers than the old one. */
        chain_file(c)->decode.content_encoding = cut % 2 ? "gzip" : NULL;
        assert_int_equal(write_all(c, z->p, z->n, 0, 100, &o.err), OK);
        assert_int_equal(o.body.n, rows_n);
        assert_memory_equal(o.body.p, rows, rows_n);
        chain_reset(c);
    }
    chain_close(c);
    outcome_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_bodies_are_found_by_content),
        cmocka_unit_test(plain_bodies_pass_without_a_copy),
        cmocka_unit_test(nested_compression_is_undone_once_by_content),
        cmocka_unit_test(truncation_is_told_at_every_byte),
        cmocka_unit_test(what_comes_before_damage_is_given_out),
        cmocka_unit_test(codings_are_undone),
        cmocka_unit_test(codings_are_undone_in_reverse_order),
        cmocka_unit_test(a_coding_and_content_are_both_undone),
        cmocka_unit_test(a_wrong_label_is_told),
        cmocka_unit_test(an_empty_body_is_empty_whatever_its_label),
        cmocka_unit_test(places_behind_a_coding_are_said_to_be_so),
        cmocka_unit_test(brotli_is_found_by_path_where_it_makes_sense),
        cmocka_unit_test(damaged_brotli_does_not_pass_as_plain),
        cmocka_unit_test(a_named_format_is_taken_at_its_word),
        cmocka_unit_test(bombs_stop_at_the_limit),
        cmocka_unit_test(a_sink_that_needs_no_more_ends_it_at_once),
        cmocka_unit_test(a_failure_of_the_sink_is_passed_up),
        cmocka_unit_test(reset_begins_anew_wherever_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

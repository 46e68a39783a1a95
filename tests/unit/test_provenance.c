/* Provenance: what is written comes back, what is damaged is refused, and only strong validators
 * vouch for a part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/provenance.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

static void assert_same(const struct provenance *a, const struct provenance *b)
{
    const char *texts[][2] = {{a->url, b->url},
                              {a->etag, b->etag},
                              {a->last_modified, b->last_modified},
                              {a->date, b->date},
                              {a->boot_id, b->boot_id}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(!texts[i][0], !texts[i][1]);
        if (texts[i][0])
            assert_string_equal(texts[i][0], texts[i][1]);
    }
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->written, b->written);
    assert_int_equal(a->synced, b->synced);
}

static void assert_round_trip(const struct provenance *p)
{
    struct strbuf text = {0};
    provenance_format(p, &text);
    struct provenance back;
    error err;
    assert_int_equal(provenance_parse(&back, (struct span){text.p, text.n}, &err), OK);
    assert_same(p, &back);
    provenance_free(&back);
    strbuf_free(&text);
}

static void full_record_comes_back(void **state)
{
    assert_round_trip(&(struct provenance){.url = "https://h/a?b",
                                           .etag = "\"x\\y\"",
                                           .last_modified = "Sun, 06 Nov 1994 08:49:37 GMT",
                                           .date = "Sun, 06 Nov 1994 08:50:37 GMT",
                                           .size = INT64_MAX,
                                           .written = 12345678901,
                                           .synced = 77,
                                           .boot_id = "0b2f3c1e-0000-4000-8000-123456789abc"});
}

static void empty_record_comes_back(void **state)
{
    struct provenance p;
    provenance_init(&p);
    assert_int_equal(p.size, -1);
    assert_round_trip(&p);
}

static void random_bytes_in_texts_come_back(void **state)
{
    struct rng rng;
    rng_seed(&rng, 11);
    for (int round = 0; round < 2000; round++) {
        char url[40], etag[40];
        size_t n = rng_below(&rng, sizeof url - 1), m = rng_below(&rng, sizeof etag - 1);
        for (size_t i = 0; i < n; i++)
            url[i] = (char)(1 + rng_below(&rng, 255));
        for (size_t i = 0; i < m; i++)
            etag[i] = (char)(1 + rng_below(&rng, 255));
        url[n] = etag[m] = '\0';
        assert_round_trip(&(struct provenance){
            .url = url, .etag = etag, .size = -1, .written = (int64_t)(rng_next(&rng) >> 1)});
    }
}

static void no_flipped_bit_makes_other_extents(void **state)
{
    struct strbuf text = {0};
    struct provenance p = {.url = (char *)"http://h/x",
                           .etag = (char *)"\"e\"",
                           .size = 9000,
                           .written = 1000,
                           .extents = (char *)"0-1000,4000-6000"};
    provenance_format(&p, &text);
    assert_false(text.failed);
    for (size_t bit = 0; bit < 8 * text.n; bit++) {
        struct provenance read;
        error err;
        text.p[bit / 8] ^= (char)(1 << bit % 8);
        if (provenance_parse(&read, (struct span){text.p, text.n}, &err) != WEIR_RECORD)
            fail_msg("accepted with bit %zu flipped: %s", bit, text.p);
        text.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    struct provenance read;
    error err;
    assert_int_equal(provenance_parse(&read, (struct span){text.p, text.n}, &err), OK);
    assert_string_equal(read.extents, p.extents);
    provenance_free(&read);
    strbuf_free(&text);
}

static void damaged_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "weir 1",
        "weir 2\nurl\tx\n", /* of extents, and has none */
        "weir 3\nurl\tx\n",
        "url\tx\n",
        "weir 1\nurl\tx",
        "weir 1\nurl x\n",
        "weir 1\nwritten\t-1\n",
        "weir 1\nwritten\t12a\n",
        "weir 1\nwritten\t9223372036854775808\n",
        "weir 1\nwritten\t\n",
        "weir 1\nurl\ta\\\n",
        "weir 1\nurl\ta\\q\n",
        "weir 1\nurl\ta\\u00\n",
        "weir 1\nurl\ta\\u0000\n",
        "weir 1\nurl\ta\\u1234\n",
        "weir 1\n\n",
        "weir 1\nboot_id\t0123456789012345678901234567890123456789\n",
        "weir 1\nboot_id\tof \"somebody\"\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct provenance p = {.size = 4711};
        error err;
        if (provenance_parse(&p, span_of(texts[i]), &err) != WEIR_RECORD)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(err.status, WEIR_RECORD);
        assert_int_equal(p.size, 4711); /* untouched */
    }
    struct provenance p;
    error err;
    assert_int_equal(provenance_parse(&p, (struct span){"weir 1\nurl\ta\0b\n", 15}, &err),
                     WEIR_RECORD);
}

/* A record that was cut anywhere but at a line's end is refused; cut there, it claims less. */
static void cut_texts_never_claim_more(void **state)
{
    struct provenance p = {
        .url = "http://h/x", .etag = "\"e\"", .size = 10, .written = 9, .synced = 8};
    struct strbuf text = {0};
    provenance_format(&p, &text);
    for (size_t n = 0; n < text.n; n++) {
        struct provenance back;
        error err;
        status st = provenance_parse(&back, (struct span){text.p, n}, &err);
        assert_int_equal(st == OK, n >= 7 && text.p[n - 1] == '\n');
        if (st)
            continue;
        assert_true(back.written == 0 || back.written == 9);
        assert_true(!back.url || !strcmp(back.url, p.url));
        provenance_free(&back);
    }
    strbuf_free(&text);
}

static void unknown_keys_are_left_out(void **state)
{
    struct provenance p;
    error err;
    assert_int_equal(provenance_parse(&p, span_of("weir 1\ncolour\tred\nurl\tx\n"), &err), OK);
    assert_string_equal(p.url, "x");
    provenance_free(&p);
}

static void copy_owns_its_texts(void **state)
{
    struct provenance from = {.url = "u", .etag = "e", .size = 5, .written = 3}, to;
    provenance_init(&to);
    assert_int_equal(provenance_copy(&to, &from), OK);
    assert_int_equal(provenance_copy(&to, &from), OK); /* frees what was there */
    assert_same(&from, &to);
    assert_ptr_not_equal(from.url, to.url);
    provenance_free(&to);
    assert_null(to.url);
    assert_int_equal(to.size, -1);
}

#define LM "Sun, 06 Nov 1994 08:49:37 GMT"

static void only_strong_validators_vouch(void **state)
{
    static const struct {
        const char *etag, *last_modified, *date, *want;
    } rows[] = {
        {"\"abc\"", NULL, NULL, "\"abc\""},
        {"\"\"", NULL, NULL, "\"\""},
        {"\"abc\"", LM, LM, "\"abc\""},
        {"W/\"abc\"", NULL, NULL, NULL},
        {"w/\"abc\"", NULL, NULL, NULL},
        {"abc", NULL, NULL, NULL},
        {"\"abc", NULL, NULL, NULL},
        {"\"", NULL, NULL, NULL},
        {"\"a\"b\"", NULL, NULL, NULL},
        {"\"a b\"", NULL, NULL, NULL},
        {NULL, LM, NULL, NULL},
        {NULL, LM, LM, NULL},
        {NULL, LM, "Sun, 06 Nov 1994 08:49:38 GMT", LM},
        {NULL, LM, "Sun, 06 Nov 1994 08:49:36 GMT", NULL},
        {NULL, LM, "Mon, 07 Nov 1994 00:00:00 GMT", LM},
        {NULL, LM, "Sat, 01 Jan 2000 00:00:00 GMT", LM},
        {NULL, LM, "06 Nov 1994 09:49:37 GMT", NULL},
        {NULL, LM, "Sun, 06 Nov 1994 08:49:99 GMT", NULL},
        {NULL, "yesterday", "Mon, 07 Nov 1994 00:00:00 GMT", NULL},
        {NULL, "Wed, 28 Feb 2024 23:59:59 GMT", "Thu, 29 Feb 2024 00:00:00 GMT",
         "Wed, 28 Feb 2024 23:59:59 GMT"},
        {NULL, "Thu, 29 Feb 2024 23:59:59 GMT", "Thu, 29 Feb 2024 23:59:59 GMT", NULL},
        {NULL, "Wed, 29 Feb 2023 23:59:59 GMT", "Sun, 05 Nov 2023 00:00:00 GMT", NULL},
        {"W/\"abc\"", LM, "Mon, 07 Nov 1994 00:00:00 GMT", LM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct provenance p = {.etag = (char *)(uintptr_t)rows[i].etag,
                               .last_modified = (char *)(uintptr_t)rows[i].last_modified,
                               .date = (char *)(uintptr_t)rows[i].date};
        const char *got = provenance_strong_validator(&p);
        if (!got != !rows[i].want || (got && strcmp(got, rows[i].want)))
            fail_msg("row %zu: wanted %s, got %s", i, rows[i].want ? rows[i].want : "none",
                     got ? got : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_record_comes_back),
        cmocka_unit_test(empty_record_comes_back),
        cmocka_unit_test(random_bytes_in_texts_come_back),
        cmocka_unit_test(no_flipped_bit_makes_other_extents),
        cmocka_unit_test(damaged_texts_are_refused),
        cmocka_unit_test(cut_texts_never_claim_more),
        cmocka_unit_test(unknown_keys_are_left_out),
        cmocka_unit_test(copy_owns_its_texts),
        cmocka_unit_test(only_strong_validators_vouch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which bytes a Range asks for (RFC 9110 section 14), and which are not worth it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "serve/byte_ranges.h"

struct row {
    const char *field;
    int64_t size;
    enum ranges_verdict verdict;
    size_t n;
    struct byte_range ranges[3];
};

static const struct row rows[] = {
    {"bytes=0-", 10, RANGES_SOME, 1, {{0, 9}}},
    {"bytes=0-0", 10, RANGES_SOME, 1, {{0, 0}}},
    {"bytes=9-", 10, RANGES_SOME, 1, {{9, 9}}},
    {"bytes=2-5", 10, RANGES_SOME, 1, {{2, 5}}},
    {"bytes=2-99999999999999999999999", 10, RANGES_SOME, 1, {{2, 9}}},
    {"bytes=-3", 10, RANGES_SOME, 1, {{7, 9}}},
    {"bytes=-30", 10, RANGES_SOME, 1, {{0, 9}}},
    {"Bytes=1-2", 10, RANGES_SOME, 1, {{1, 2}}},
    {" bytes=1-2 ", 10, RANGES_SOME, 1, {{1, 2}}},
    {"bytes=0-1, 4-5 ,-1", 10, RANGES_SOME, 3, {{0, 1}, {4, 5}, {9, 9}}},
    {"bytes=4-5,0-1", 10, RANGES_SOME, 2, {{4, 5}, {0, 1}}},
    {"bytes=,,1-1,,", 10, RANGES_SOME, 1, {{1, 1}}},
    {"bytes=0-1,50-60", 10, RANGES_SOME, 1, {{0, 1}}},
    {"bytes=10-", 10, RANGES_UNSATISFIABLE, 0, {{0, 0}}},
    {"bytes=-0", 10, RANGES_UNSATISFIABLE, 0, {{0, 0}}},
    {"bytes=0-", 0, RANGES_UNSATISFIABLE, 0, {{0, 0}}},
    {"bytes=99999999999999999999-", 10, RANGES_UNSATISFIABLE, 0, {{0, 0}}},
    {"bytes=5-2", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=a-b", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=1", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=-", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=1-2x", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=1-2,x", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=--1", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=0x1-2", 10, RANGES_NONE, 0, {{0, 0}}},
    {"items=0-1", 10, RANGES_NONE, 0, {{0, 0}}},
    {"", 10, RANGES_NONE, 0, {{0, 0}}},
    /* more bytes than there are: they overlap */
    {"bytes=0-,0-", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=0-6,3-9", 10, RANGES_NONE, 0, {{0, 0}}},
    {"bytes=0-9223372036854775807,0-9223372036854775807", INT64_MAX, RANGES_NONE, 0, {{0, 0}}},
};

static void ranges_are_read_as_the_rfc_says(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct byte_range out[RANGES_MAX];
        size_t n = 0;
        enum ranges_verdict v = byte_ranges_parse(out, &n, span_of(r->field), r->size);
        if (v != r->verdict || n != r->n)
            fail_msg("%s of %lld: verdict %d, %zu ranges", r->field, (long long)r->size, v, n);
        for (size_t k = 0; k < n; k++)
            if (out[k].first != r->ranges[k].first || out[k].last != r->ranges[k].last)
                fail_msg("%s: range %zu is %lld-%lld", r->field, k, (long long)out[k].first,
                         (long long)out[k].last);
    }
}

static void many_small_ranges_are_ignored(void **state)
{
    struct strbuf field = {0};
    struct byte_range out[RANGES_MAX];
    size_t n = 0;
    strbuf_adds(&field, "bytes=0-0");
    for (int i = 1; i < RANGES_MAX; i++)
        strbuf_addf(&field, ",%d-%d", 2 * i, 2 * i);
    assert_int_equal(byte_ranges_parse(out, &n, span_of(field.p), 1000000), RANGES_SOME);
    assert_int_equal(n, RANGES_MAX);
    strbuf_adds(&field, ",5000-5000");
    assert_int_equal(byte_ranges_parse(out, &n, span_of(field.p), 1000000), RANGES_NONE);
    strbuf_free(&field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read_as_the_rfc_says),
        cmocka_unit_test(many_small_ranges_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

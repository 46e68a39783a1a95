/* Conditional requests (RFC 9110 section 13), validators, and what Accept-Encoding asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "serve/accept_encoding.h"
#include "serve/media_type.h"
#include "serve/precondition.h"

#define DATE 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"

static const struct validators strong = {"\"a-1\"", THEN, DATE, false};
static const struct validators weak = {"W/\"a-1\"", THEN, DATE, true};

struct row {
    struct conditions c;
    const struct validators *v;
    bool reads;
    enum precondition wanted;
};

#define HOLDS PRECONDITION_HOLDS
#define SAME PRECONDITION_NOT_MODIFIED
#define FAILS PRECONDITION_FAILED

static const struct row rows[] = {
    {{0}, &strong, true, HOLDS},
    {{.if_match = "\"a-1\""}, &strong, true, HOLDS},
    {{.if_match = "\"b\", \"a-1\""}, &strong, true, HOLDS},
    {{.if_match = "*"}, &strong, true, HOLDS},
    {{.if_match = "*"}, NULL, false, FAILS},
    {{.if_match = "\"b\""}, &strong, true, FAILS},
    {{.if_match = "\"a-1\""}, &weak, true, FAILS}, /* compared strongly */
    {{.if_match = "W/\"a-1\""}, &weak, true, FAILS},
    {{.if_none_match = "\"a-1\""}, &strong, true, SAME},
    {{.if_none_match = "W/\"a-1\""}, &strong, true, SAME}, /* compared weakly */
    {{.if_none_match = "\"x,y\", \"a-1\""}, &strong, true, SAME},
    {{.if_none_match = "\"a-\""}, &strong, true, HOLDS},
    {{.if_none_match = "a-1"}, &strong, true, HOLDS},
    {{.if_none_match = "\"a-1"}, &strong, true, HOLDS},
    {{.if_none_match = "*"}, &strong, false, FAILS},
    {{.if_none_match = "*"}, NULL, false, HOLDS},
    {{.if_none_match = "\"a-1\""}, &strong, false, FAILS},
    {{.if_modified_since = THEN}, &strong, true, SAME},
    {{.if_modified_since = LATER}, &strong, true, SAME},
    {{.if_modified_since = EARLIER}, &strong, true, HOLDS},
    {{.if_modified_since = "yesterday or so"}, &strong, true, HOLDS},
    {{.if_modified_since = THEN}, &strong, false, HOLDS},
    {{.if_modified_since = "Sunday, 06-Nov-94 08:49:37 GMT"}, &strong, true, SAME},
    {{.if_modified_since = "Sun Nov  6 08:49:37 1994"}, &strong, true, SAME},
    {{.if_unmodified_since = THEN}, &strong, true, HOLDS},
    {{.if_unmodified_since = EARLIER}, &strong, true, FAILS},
    {{.if_unmodified_since = "never"}, &strong, true, HOLDS},
    {{.if_unmodified_since = THEN}, NULL, false, FAILS},
    /* an entity tag is asked before a date, and the date then counts for nothing */
    {{.if_match = "\"a-1\"", .if_unmodified_since = EARLIER}, &strong, true, HOLDS},
    {{.if_none_match = "\"b\"", .if_modified_since = LATER}, &strong, true, HOLDS},
    {{.if_match = "\"b\"", .if_none_match = "\"a-1\""}, &strong, true, FAILS},
    {{.if_match = "\"a-1\"", .if_none_match = "\"a-1\""}, &strong, true, SAME},
    {{.if_unmodified_since = EARLIER, .if_none_match = "\"a-1\""}, &strong, true, FAILS},
};

static void conditions_are_judged_in_order(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum precondition got = precondition_judge(&rows[i].c, rows[i].v, rows[i].reads);
        if (got != rows[i].wanted)
            fail_msg("row %zu: %d, not %d", i, got, rows[i].wanted);
    }
}

static bool range_counts(const char *if_range, const struct validators *v, int64_t now_s)
{
    struct conditions c = {.if_range = if_range};
    return precondition_range(&c, v, now_s);
}

static void ranges_count_for_a_strong_validator_only(void **state)
{
    assert_true(range_counts(NULL, &strong, DATE + 10));
    assert_true(range_counts("\"a-1\"", &strong, DATE + 10));
    assert_false(range_counts("\"b\"", &strong, DATE + 10));
    assert_false(range_counts("W/\"a-1\"", &weak, DATE + 10));
    assert_false(range_counts("\"a-1\"", &weak, DATE + 10));
    assert_true(range_counts(THEN, &strong, DATE + 10));
    assert_false(range_counts(THEN, &strong, DATE));
    assert_false(range_counts(LATER, &strong, DATE + 10));
    assert_false(range_counts(EARLIER, &strong, DATE + 10));
    assert_false(range_counts("rubbish", &strong, DATE + 10));
    struct validators before_time = {"\"a-1\"", "", -1, false};
    assert_false(range_counts("rubbish", &before_time, DATE));
}

static void etag_changes_with_size_time_and_coding(void **state)
{
    struct stat st = {.st_size = 10, .st_mtim = {DATE, 5}}, other = st;
    struct validators a, b;
    int64_t now = (int64_t)(DATE + 100) * NS_PER_S;
    validators_of(&a, &st, NULL, now);
    assert_false(a.weak);
    assert_string_equal(a.last_modified, THEN);
    other.st_ino = 7;
    other.st_dev = 9;
    validators_of(&b, &other, NULL, now);
    assert_string_equal(a.etag, b.etag);
    other.st_size = 11;
    validators_of(&b, &other, NULL, now);
    assert_string_not_equal(a.etag, b.etag);
    other = st;
    other.st_mtim.tv_nsec = 6;
    validators_of(&b, &other, NULL, now);
    assert_string_not_equal(a.etag, b.etag);
    validators_of(&b, &st, "gzip", now);
    assert_string_not_equal(a.etag, b.etag);
}

static void a_file_that_may_change_unseen_has_a_weak_etag(void **state)
{
    struct stat fine = {.st_size = 10, .st_mtim = {DATE, 5}}, coarse = {.st_mtim = {DATE, 0}};
    struct validators v;
    int64_t mtime = (int64_t)DATE * NS_PER_S;
    validators_of(&v, &fine, NULL, mtime + 1000);
    assert_true(v.weak);
    assert_memory_equal(v.etag, "W/\"", 3);
    validators_of(&v, &fine, NULL, mtime + NS_PER_S);
    assert_false(v.weak);
    validators_of(&v, &coarse, NULL, mtime + NS_PER_S);
    assert_true(v.weak);
    validators_of(&v, &coarse, NULL, mtime + 3 * NS_PER_S);
    assert_false(v.weak);
}

static void weigh(const char *field, int zstd, int gzip)
{
    int weights[CODINGS];
    accept_encoding_weigh(field, weights);
    if (weights[0] != zstd || weights[1] != gzip)
        fail_msg("%s: zstd %d, gzip %d", field ? field : "(absent)", weights[0], weights[1]);
}

static void codings_are_weighed(void **state)
{
    weigh(NULL, 0, 0);
    weigh("", 0, 0);
    weigh("gzip", 0, 1000);
    weigh("x-gzip", 0, 1000);
    weigh("gzip, deflate, br, zstd", 1000, 1000);
    weigh("gzip;q=0.5, zstd;q=0.8", 800, 500);
    weigh("GZIP ; Q=0.25", 0, 250);
    weigh("gzip;q=0", 0, 0);
    weigh("*", 1000, 1000);
    weigh("*;q=0, gzip", 0, 1000);
    weigh("gzip;q=0, *", 1000, 0);
    weigh("identity", 0, 0);
    weigh("identity;q=1, gzip;q=0.9", 0, 0);
    weigh("identity;q=0.5, gzip;q=0.9", 0, 900);
    weigh("gzip;q=2", 0, 0);
    weigh("gzip;q=x", 0, 0);
    weigh("gzip;q=0.0001", 0, 0);
    weigh("gzipp", 0, 0);
}

static void endings_tell_the_media_type(void **state)
{
    static const char *const pairs[][2] = {
        {"a.7z", "application/x-7z-compressed"},
        {"a/b.HTML", "text/html"},
        {"a.tar.gz", "application/gzip"},
        {"a.zst", "application/zstd"},
        {"a.json", "application/json"},
        {"a.jsonl", "application/jsonl"},
        {"a.mp4", "video/mp4"},
        {"a.csv", "text/csv"},
        {"a.parquet", "application/vnd.apache.parquet"},
        {"gz", "application/octet-stream"},
        {"a.gz/b", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"a.unheardof", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_string_equal(media_type_of(pairs[i][0]), pairs[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_judged_in_order),
        cmocka_unit_test(ranges_count_for_a_strong_validator_only),
        cmocka_unit_test(etag_changes_with_size_time_and_coding),
        cmocka_unit_test(a_file_that_may_change_unseen_has_a_weak_etag),
        cmocka_unit_test(codings_are_weighed),
        cmocka_unit_test(endings_tell_the_media_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Content-Range and what answers mean: tables. A body must never be spliced from an answer that
 * says anything else than what was asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/range.h"

/* Last: it takes the name "fail". */
#include <cmocka.h>

static void content_range_is_read_strictly(void **state)
{
    static const struct {
        const char *text;
        int good;
        int64_t first, last, size;
    } rows[] = {
        {"bytes 0-9/10", 1, 0, 9, 10},
        {"bytes 5-9/10", 1, 5, 9, 10},
        {"bytes 5-9/*", 1, 5, 9, -1},
        {"Bytes 5-9/10", 1, 5, 9, 10},
        {"bytes  5-9/10 ", 1, 5, 9, 10},
        {"bytes */10", 1, -1, -1, 10},
        {"bytes 9223372036854775800-9223372036854775801/*", 0, 0, 0, 0},
        {"bytes */*", 0, 0, 0, 0},
        {"bytes 5-4/10", 0, 0, 0, 0},
        {"bytes 5-10/10", 0, 0, 0, 0},
        {"bytes 5-9", 0, 0, 0, 0},
        {"bytes -9/10", 0, 0, 0, 0},
        {"bytes 5-/10", 0, 0, 0, 0},
        {"bytes=5-9/10", 0, 0, 0, 0},
        {"bytes 5-9/10, bytes 1-2/10", 0, 0, 0, 0},
        {"items 5-9/10", 0, 0, 0, 0},
        {"bytes 5-9/10x", 0, 0, 0, 0},
        {"bytes 99999999999999999999-9/10", 0, 0, 0, 0},
        {"", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct content_range r = {0};
        int good = content_range_parse(&r, rows[i].text);
        if (good != rows[i].good || (good && (r.first != rows[i].first || r.last != rows[i].last ||
                                              r.size != rows[i].size)))
            fail_msg("\"%s\": got %d %lld-%lld/%lld", rows[i].text, good, (long long)r.first,
                     (long long)r.last, (long long)r.size);
    }
}

static void answers_are_judged(void **state)
{
    static const struct {
        const char *what;
        struct range_wanted wanted;
        struct range_answer answer;
        enum range_verdict verdict;
        int64_t size, until;
    } rows[] = {
        {"whole", {0, -1, 0, 0}, {200, 10, 0, 0, 0}, RANGE_WHOLE, 10, 10},
        {"whole that says a range",
         {0, -1, 0, 0},
         {200, 10, "bytes 0-9/10", 0, 0},
         RANGE_WHOLE,
         10,
         10},
        {"a part with the status of the whole",
         {5, 10, 0, 0},
         {200, 5, "bytes 5-9/10", 0, 0},
         RANGE_REFUSED,
         0,
         0},
        {"whole, no length", {0, -1, 0, 0}, {200, -1, 0, 0, 0}, RANGE_WHOLE, -1, -1},
        {"200 to a Range", {4, 10, "\"a\"", 0}, {200, 10, 0, "\"b\"", 0}, RANGE_WHOLE, 10, 10},
        {"the rest", {4, 10, "\"a\"", 0}, {206, 6, "bytes 4-9/10", "\"a\"", 0}, RANGE_PART, 10, 10},
        {"the rest, size unknown before",
         {4, -1, "\"a\"", 0},
         {206, 6, "bytes 4-9/10", 0, 0},
         RANGE_PART,
         10,
         10},
        {"the rest, size never told",
         {4, 10, "\"a\"", 0},
         {206, 6, "bytes 4-9/*", 0, 0},
         RANGE_PART,
         10,
         10},
        {"a piece of the rest",
         {4, 10, "\"a\"", 0},
         {206, 2, "bytes 4-5/10", 0, 0},
         RANGE_PART,
         10,
         6},
        {"chunked rest", {4, 10, "\"a\"", 0}, {206, -1, "bytes 4-9/10", 0, 0}, RANGE_PART, 10, 10},
        {"wrong start", {4, 10, "\"a\"", 0}, {206, 7, "bytes 3-9/10", 0, 0}, RANGE_REFUSED, 0, 0},
        {"wrong total", {4, 10, "\"a\"", 0}, {206, 7, "bytes 4-10/11", 0, 0}, RANGE_REFUSED, 0, 0},
        {"wrong total, right end",
         {4, 10, "\"a\"", 0},
         {206, 6, "bytes 4-9/11", 0, 0},
         RANGE_REFUSED,
         0,
         0},
        {"beyond the end, total not told",
         {4, 10, "\"a\"", 0},
         {206, -1, "bytes 4-80/*", 0, 0},
         RANGE_REFUSED,
         0,
         0},
        {"no Content-Range", {4, 10, "\"a\"", 0}, {206, 6, 0, 0, 0}, RANGE_REFUSED, 0, 0},
        {"other ETag",
         {4, 10, "\"a\"", 0},
         {206, 6, "bytes 4-9/10", "\"b\"", 0},
         RANGE_REFUSED,
         0,
         0},
        {"other date", {4, 10, 0, "A"}, {206, 6, "bytes 4-9/10", 0, "B"}, RANGE_REFUSED, 0, 0},
        {"wrong length", {4, 10, "\"a\"", 0}, {206, 9, "bytes 4-9/10", 0, 0}, RANGE_REFUSED, 0, 0},
        {"unsatisfied", {4, 10, "\"a\"", 0}, {206, 6, "bytes */10", 0, 0}, RANGE_REFUSED, 0, 0},
        {"416", {4, 10, "\"a\"", 0}, {416, 0, "bytes */3", 0, 0}, RANGE_REFUSED, 0, 0},
        {"206 unasked", {0, -1, 0, 0}, {206, 10, "bytes 0-9/10", 0, 0}, RANGE_STRANGE, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t size = -9, until = -9;
        enum range_verdict v = range_judge(&rows[i].wanted, &rows[i].answer, &size, &until);
        int told = v == RANGE_WHOLE || v == RANGE_PART;
        if (v != rows[i].verdict || (told && (size != rows[i].size || until != rows[i].until)))
            fail_msg("%s: got %d, size %lld, until %lld", rows[i].what, (int)v, (long long)size,
                     (long long)until);
    }
}

static void answers_to_a_segment_are_judged(void **state)
{
    /* bytes 100 to 199 of a body of 1000 were asked for */
    static const struct {
        const char *what;
        struct range_answer answer;
        enum segment_verdict verdict;
        int64_t until;
    } rows[] = {
        {"exact", {206, 100, "bytes 100-199/1000", "\"a\"", "M"}, SEGMENT_FITS, 200},
        {"no length", {206, -1, "bytes 100-199/1000", "\"a\"", "M"}, SEGMENT_FITS, 200},
        {"unknown total", {206, 100, "bytes 100-199/*", NULL, NULL}, SEGMENT_FITS, 200},
        {"shorter", {206, 50, "bytes 100-149/1000", "\"a\"", "M"}, SEGMENT_FITS, 150},
        {"longer", {206, 101, "bytes 100-200/1000", "\"a\"", "M"}, SEGMENT_WRONG, 0},
        {"too early", {206, 101, "bytes 99-199/1000", "\"a\"", "M"}, SEGMENT_WRONG, 0},
        {"too late", {206, 99, "bytes 101-199/1000", "\"a\"", "M"}, SEGMENT_WRONG, 0},
        {"other length", {206, 99, "bytes 100-199/1000", "\"a\"", "M"}, SEGMENT_WRONG, 0},
        {"no Content-Range", {206, 100, NULL, "\"a\"", "M"}, SEGMENT_WRONG, 0},
        {"other unit", {206, 100, "lines 100-199/1000", "\"a\"", "M"}, SEGMENT_WRONG, 0},
        {"no range", {206, 100, "bytes */1000", "\"a\"", "M"}, SEGMENT_WRONG, 0},
        {"other total", {206, 100, "bytes 100-199/1001", "\"a\"", "M"}, SEGMENT_CHANGED, 0},
        {"other tag", {206, 100, "bytes 100-199/1000", "\"b\"", "M"}, SEGMENT_CHANGED, 0},
        {"other date", {206, 100, "bytes 100-199/1000", "\"a\"", "N"}, SEGMENT_CHANGED, 0},
        {"whole", {200, 1000, NULL, "\"a\"", "M"}, SEGMENT_IGNORED, 0},
        {"whole, no length", {200, -1, NULL, "\"a\"", NULL}, SEGMENT_IGNORED, 0},
        {"whole, other tag", {200, 1000, NULL, "\"b\"", "M"}, SEGMENT_CHANGED, 0},
        {"whole, other length", {200, 999, NULL, "\"a\"", "M"}, SEGMENT_CHANGED, 0},
        {"416", {416, 0, "bytes */90", NULL, NULL}, SEGMENT_CHANGED, 0},
    };
    struct range_wanted wanted = {100, 1000, "\"a\"", "M"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t until = 0;
        enum segment_verdict v = range_judge_segment(&wanted, 200, &rows[i].answer, &until);
        if (v != rows[i].verdict || until != rows[i].until)
            fail_msg("%s: got %d, until %lld", rows[i].what, (int)v, (long long)until);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_to_a_segment_are_judged),
        cmocka_unit_test(content_range_is_read_strictly),
        cmocka_unit_test(answers_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

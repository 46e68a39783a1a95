/* Spans, strbufs, escaping, numbers, and the messages of errors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */

#include "core/status.h"
#include "core/text.h"

static struct span bytes(const char *p, size_t n)
{
    return (struct span){p, n};
}

#define BYTES(literal) bytes(literal, sizeof(literal) - 1)

static void span_trim_takes_blanks_off_both_ends(void **state)
{
    static const char *const rows[][2] = {
        {"", ""}, {"  \t ", ""}, {"a", "a"}, {" \ta b\t ", "a b"}, {"\ra\r", "\ra\r"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(span_equal(span_trim(span_of(rows[i][0])), rows[i][1]));
}

static void span_comparisons_are_exact_in_length(void **state)
{
    assert_true(span_equal(span_of("url"), "url"));
    assert_false(span_equal(span_of("url"), "urls"));
    assert_false(span_equal(span_of("urls"), "url"));
    assert_true(span_equal(span_of(NULL), ""));
    assert_true(span_equal_nocase(span_of("uRL"), "Url"));
    assert_false(span_equal_nocase(span_of("URL"), "UR"));
    assert_false(span_equal_nocase(span_of("UR"), "URL"));
    assert_false(span_equal_nocase(BYTES("ur\0"), "ur"));
    assert_false(span_equal_nocase(span_of("[a"), "{a"));
    assert_true(span_starts(span_of("http://x"), "http://"));
    assert_false(span_starts(span_of("http"), "http://"));
}

static void strbuf_grows_and_ends_in_nul(void **state)
{
    struct strbuf b = {0};
    assert_string_equal(strbuf_text(&b), "");
    for (int i = 0; i < 10000; i++) {
        strbuf_addf(&b, "%d,", i % 10);
        assert_int_equal(b.p[b.n], 0);
    }
    assert_int_equal(b.n, 20000);
    assert_memory_equal(b.p + 19990, "5,6,7,8,9,", 10);
    strbuf_clear(&b);
    assert_string_equal(strbuf_text(&b), "");
    strbuf_free(&b);
    assert_null(b.p);
}

static void strbuf_holds_exactly_its_maximum(void **state)
{
    struct strbuf b = {.max = 5};
    strbuf_adds(&b, "12345");
    assert_false(b.failed);
    strbuf_addc(&b, '6');
    assert_true(b.failed);
    assert_string_equal(b.p, "12345");
    strbuf_free(&b);
}

static void strbuf_failure_sticks_until_clear(void **state)
{
    struct strbuf b = {.max = 8};
    strbuf_adds(&b, "1234");
    strbuf_addf(&b, "%s", "56789");
    assert_true(b.failed);
    strbuf_addc(&b, 'x');
    assert_string_equal(b.p, "1234");
    strbuf_clear(&b);
    strbuf_adds(&b, "ok");
    assert_false(b.failed);
    assert_string_equal(b.p, "ok");
    strbuf_free(&b);
}

static void json_strings_are_valid_for_any_bytes(void **state)
{
    static const struct {
        struct span in;
        const char *out;
    } rows[] = {
        {{"", 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c/d", 7}, "\"a\\\"b\\\\c/d\""},
        {{"\n\r\t\b\0\x1f", 6}, "\"\\n\\r\\t\\u0008\\u0000\\u001f\""},
        {{"\x7f\xc2\x9b", 3}, "\"\\u007f\\u009b\""},
        {{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {{"a\xff"
          "b\xc3",
          4},
         "\"a\xef\xbf\xbd"
         "b\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf b = {0};
        strbuf_add_json(&b, rows[i].in);
        assert_string_equal(b.p, rows[i].out);
        strbuf_free(&b);
    }
}

static void printable_text_holds_no_control_characters(void **state)
{
    struct strbuf b = {0};
    strbuf_add_printable(&b, BYTES("a\x1b[2Jb\0c\xc2\x9b\xff\xc3\xa4\x7f\n"));
    assert_string_equal(strbuf_text(&b), "a\\x1b[2Jb\\x00c\\x9b\xef\xbf\xbd\xc3\xa4\\x7f\\x0a");
    strbuf_free(&b);
}

static void utf8_length_follows_rfc_3629(void **state)
{
    static const struct {
        struct span in;
        size_t length;
    } rows[] = {
        {{"", 0}, 0},
        {{"\0", 1}, 1},
        {{"z", 1}, 1},
        {{"\x80", 1}, 0},
        {{"\xc1\xbf", 2}, 0}, /* overlong */
        {{"\xc2\x80", 2}, 2},
        {{"\xdf\xbf", 2}, 2},
        {{"\xdf", 1}, 0},
        {{"\xdf\xc0", 2}, 0},
        {{"\xe0\x9f\xbf", 3}, 0}, /* overlong */
        {{"\xe0\xa0\x80", 3}, 3},
        {{"\xed\x9f\xbf", 3}, 3},
        {{"\xed\xa0\x80", 3}, 0}, /* surrogate */
        {{"\xee\x80\x80", 3}, 3},
        {{"\xef\xbf", 2}, 0},
        {{"\xf0\x8f\xbf\xbf", 4}, 0}, /* overlong */
        {{"\xf0\x90\x80\x80", 4}, 4},
        {{"\xf4\x8f\xbf\xbf", 4}, 4},
        {{"\xf4\x90\x80\x80", 4}, 0}, /* beyond U+10FFFF */
        {{"\xf5\x80\x80\x80", 4}, 0},
        {{"\xf0\x90\x80", 3}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(utf8_length(rows[i].in.p, rows[i].in.n), rows[i].length);
}

static void parse_uint64_takes_whole_decimal_numbers_only(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x10", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value = 42;
        assert_int_equal(parse_uint64(span_of(rows[i].in), &value), rows[i].ok);
        assert_int_equal(value, rows[i].ok ? rows[i].value : 42);
    }
}

static void hex_value_knows_the_digits_of_both_cases(void **state)
{
    for (int c = 0; c < 256; c++) {
        static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
        const char *at = c ? strchr(lower, c) : NULL;
        int expected = at ? (int)(at - lower) : -1;
        at = c ? strchr(upper, c) : NULL;
        expected = at ? (int)(at - upper) : expected;
        assert_int_equal(hex_value((char)c), expected);
    }
}

static void hash64_is_the_same_on_every_machine(void **state)
{
    assert_true(hash64("", 0) == 0x2d06800538d394c2u);
    assert_true(hash64("weir", 4) == hash64("weir", 4));
    assert_true(hash64("weir", 4) != hash64("weis", 4));
}

static void fail_fills_the_error_and_returns_the_status(void **state)
{
    error err = {.http_status = 404, .curl_code = 7, .sys_errno = 5};
    assert_int_equal(fail(&err, WEIR_INPUT, "%s:%d: bad", "list", 3), WEIR_INPUT);
    assert_int_equal(err.status, WEIR_INPUT);
    assert_int_equal(err.http_status + err.curl_code + err.sys_errno, 0);
    assert_string_equal(err.message, "list:3: bad");
    assert_int_equal(fail(NULL, WEIR_DISK, "nobody listens"), WEIR_DISK);
    assert_int_equal(fail_errno(NULL, WEIR_DISK, ENOSPC, "nobody listens"), WEIR_DISK);
}

static void fail_may_quote_the_message_it_replaces(void **state)
{
    error err;
    fail(&err, WEIR_DECODE, "inner");
    fail(&err, WEIR_INPUT, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

static void fail_errno_keeps_and_names_the_system_error(void **state)
{
    error err;
    assert_int_equal(fail_errno(&err, WEIR_DISK, ENOSPC, "x.part: writing failed"), WEIR_DISK);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_string_equal(err.message, "x.part: writing failed: No space left on device");
}

static void error_messages_are_one_line_without_control_characters(void **state)
{
    error err;
    fail(&err, WEIR_HTTP, "server said \x1b[31mred\nline\x7f \xc2\x9b \xc3\xa4 \xff");
    assert_string_equal(err.message, "server said ?[31mred?line? ?? \xc3\xa4 ?");
}

static void long_error_messages_are_cut_between_characters(void **state)
{
    char text[1200];
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    for (size_t shift = 0; shift < 3; shift++) {
        error err;
        fail(&err, WEIR_HTTP, "%.*s%s", (int)shift, "ab", text);
        size_t n = strlen(err.message), i = 0;
        assert_in_range(n, sizeof err.message - 4, sizeof err.message - 1);
        while (i < n) {
            size_t length = utf8_length(err.message + i, n - i);
            assert_int_not_equal(length, 0);
            i += length;
        }
        assert_null(strchr(err.message, '?'));
    }
}

static void every_status_has_name_text_and_grade(void **state)
{
    for (int i = 0; i < WEIR_STATUS_COUNT; i++) {
        assert_true(strlen(weir_status_name((weir_status)i)) > 0);
        assert_true(strlen(weir_status_text((weir_status)i)) > 0);
    }
    assert_string_equal(weir_status_name(WEIR_RATE_LIMITED), "rate_limited");
    assert_int_equal(weir_status_grade(WEIR_TRUNCATED), WEIR_GRADE_RETRY);
    assert_int_equal(weir_status_grade(WEIR_DISK), WEIR_GRADE_FATAL);
    assert_string_equal(weir_status_name((weir_status)999), "unknown");
    assert_string_equal(weir_status_name((weir_status)-1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(span_trim_takes_blanks_off_both_ends),
        cmocka_unit_test(span_comparisons_are_exact_in_length),
        cmocka_unit_test(strbuf_grows_and_ends_in_nul),
        cmocka_unit_test(strbuf_holds_exactly_its_maximum),
        cmocka_unit_test(strbuf_failure_sticks_until_clear),
        cmocka_unit_test(json_strings_are_valid_for_any_bytes),
        cmocka_unit_test(printable_text_holds_no_control_characters),
        cmocka_unit_test(utf8_length_follows_rfc_3629),
        cmocka_unit_test(parse_uint64_takes_whole_decimal_numbers_only),
        cmocka_unit_test(hex_value_knows_the_digits_of_both_cases),
        cmocka_unit_test(hash64_is_the_same_on_every_machine),
        cmocka_unit_test(fail_fills_the_error_and_returns_the_status),
        cmocka_unit_test(fail_may_quote_the_message_it_replaces),
        cmocka_unit_test(fail_errno_keeps_and_names_the_system_error),
        cmocka_unit_test(error_messages_are_one_line_without_control_characters),
        cmocka_unit_test(long_error_messages_are_cut_between_characters),
        cmocka_unit_test(every_status_has_name_text_and_grade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

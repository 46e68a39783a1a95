/* Patterns: ranges, padding, steps, lists, products of them, and what is no pattern. */
#include "source_fixture.h"

static void pattern_ranges_count_up_and_down(void **state)
{
    static const struct {
        const char *group, *values;
    } rows[] = {
        {"{0..3}", "0 1 2 3"},
        {"{3..0}", "3 2 1 0"},
        {"{5..5}", "5"},
        {"{8..11}", "8 9 10 11"},
        {"{08..11}", "08 09 10 11"},
        {"{8..011}", "008 009 010 011"},
        {"{00..1}", "00 01"},
        {"{00..100..50}", "000 050 100"},
        {"{0..10..5}", "0 5 10"},
        {"{0..11..5}", "0 5 10"},
        {"{10..0..4}", "10 6 2"},
        {"{1..2..100}", "1"},
        {"{0..10..005}", "0 5 10"},
        {"{a..c}", "a b c"},
        {"{C..A}", "C B A"},
        {"{a..i..4}", "a e i"},
        {"{a,bc,d}", "a bc d"},
        {"{,x}", " x"},
        {"{0..2,7,x,09..10}", "0 1 2 7 x 09 10"},
        {"{999999999999999998..999999999999999999}", "999999999999999998 999999999999999999"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf list = {0}, expected = {0};
        strbuf_addf(&list, "http://a/%s.bin\n", rows[i].group);
        for (const char *p = rows[i].values;; p++) {
            size_t n = strcspn(p, " ");
            strbuf_addf(&expected, "1 http://a/%.*s.bin\n", (int)n, p);
            p += n;
            if (!*p)
                break;
        }
        expect_records(list.p, list.n, "pattern", expected.p);
        strbuf_free(&list);
        strbuf_free(&expected);
    }
}

static void pattern_groups_make_a_product_the_last_one_fastest(void **state)
{
    EXPECT("http://a/{x,y}/{0..1}{a..b}\n", NULL,
           "1 http://a/x/0a\n1 http://a/x/0b\n1 http://a/x/1a\n1 http://a/x/1b\n"
           "1 http://a/y/0a\n1 http://a/y/0b\n1 http://a/y/1a\n1 http://a/y/1b\n");
}

static void pattern_lists_have_many_lines(void **state)
{
    EXPECT("# shards\nhttp://a/{0..1}\n\n  http://plain/ \r\n{0..1}/b\n", NULL,
           "2 http://a/0\n2 http://a/1\n4 http://plain/\n5 0/b\n5 1/b\n");
    EXPECT("", "pattern", "");
}

static void pattern_a_shard_list_is_streamed(void **state)
{
    static const char shards[] = "https://host/shard_{00000..06542}.parquet";
    static const char endless[] = "http://a/{0..999999999999999999}{0..999999999999999999}";
    struct source *s = open_list(shards, sizeof shards - 1, 1000, NULL);
    struct record r;
    error err = {0};
    char expected[64];
    for (int i = 0; i <= 6542; i++) {
        assert_int_equal(source_next(s, &r, &err), OK);
        snprintf(expected, sizeof expected, "https://host/shard_%05d.parquet", i);
        assert_true(span_equal(r.url, expected) && r.line == 1 && r.size == -1);
    }
    assert_int_equal(source_next(s, &r, &err), WEIR_END);
    source_close(s);
    /* the first of more than anybody can hold comes at once */
    s = open_list(endless, sizeof endless - 1, 1000, NULL);
    assert_int_equal(source_next(s, &r, &err), OK);
    assert_true(span_equal(r.url, "http://a/00"));
    source_close(s);
}

static void pattern_lines_that_are_none_are_input_errors(void **state)
{
    EXPECT(
        "http://a/{id}\n"
        "http://a/{}\n"
        "http://a/{0..}\n"
        "http://a/{..9}\n"
        "http://a/{0..x}\n"
        "http://a/{a..9}\n"
        "http://a/{-1..9}\n"
        "http://a/{0..9..0}\n"
        "http://a/{0..9..1..2}\n"
        "http://a/{0..1000000000000000000}\n"
        "http://a/{a,0x0..0x9}\n"
        "http://a/{0..9\n"
        "http://a/0..9}\n"
        "http://a/{0..9}}\n"
        "http://a/{a,{0..9}}\n"
        "http://a/\x01{0..9}\n"
        "http://a/{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}"
        "{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}\n"
        "{,x}{y,}\n"
        "http://ok/{1..1}\n",
        "pattern",
        "1 !http://a/{id}: list:1:10: \"{id}\" is neither a range nor a list, as in {0..9} or "
        "{a,b}; a brace that is one is written %7B\n"
        "2 !http://a/{}: list:2:10: \"{}\" is neither a range nor a list, as in {0..9} or {a,b}; "
        "a brace that is one is written %7B\n"
#define NO_RANGE "is no range; write {0..9}, {000..999}, {0..100..5} or {a..z}\n"
        "3 !http://a/{0..}: list:3:11: \"0..\" " NO_RANGE
        "4 !http://a/{..9}: list:4:11: \"..9\" " NO_RANGE
        "5 !http://a/{0..x}: list:5:11: \"0..x\" " NO_RANGE
        "6 !http://a/{a..9}: list:6:11: \"a..9\" " NO_RANGE
        "7 !http://a/{-1..9}: list:7:11: \"-1..9\" " NO_RANGE
        "8 !http://a/{0..9..0}: list:8:11: \"0..9..0\" " NO_RANGE
        "9 !http://a/{0..9..1..2}: list:9:11: \"0..9..1..2\" " NO_RANGE
        "10 !http://a/{0..1000000000000000000}: list:10:11: \"0..1000000000000000000\" " NO_RANGE
        "11 !http://a/{a,0x0..0x9}: list:11:13: \"0x0..0x9\" " NO_RANGE
        "12 !http://a/{0..9: list:12:10: a { without its }; one that is none is written %7B\n"
        "13 !http://a/0..9}: list:13:14: a } without its {; one that is none is written %7D\n"
        "14 !http://a/{0..9}}: list:14:16: a } without its {; one that is none is written %7D\n"
        "15 !http://a/{a,{0..9}}: list:15:10: a { without its }; one that is none is written "
        "%7B\n"
        "16 !http://a/\x01{0..9}: list:16: a control character (byte 0x01) stands at column 10; "
        "remove it from the list\n"
        "17 !http://a/{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}"
        "{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}: list:17:106: a pattern has at "
        "most 16 groups in braces\n"
        "18 y\n"
        "18 !{,x}{y,}: list:18: with all of its groups empty the pattern is no URL\n"
        "18 xy\n18 x\n"
        "19 http://ok/1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern_ranges_count_up_and_down),
        cmocka_unit_test(pattern_groups_make_a_product_the_last_one_fastest),
        cmocka_unit_test(pattern_lists_have_many_lines),
        cmocka_unit_test(pattern_a_shard_list_is_streamed),
        cmocka_unit_test(pattern_lines_that_are_none_are_input_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

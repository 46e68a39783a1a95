/* JSONL lists: keys, mirrors, headers, what is passed on, and what bad lines get. */
#include "source_fixture.h"

static void jsonl_keys_are_those_of_other_lists(void **state)
{
    EXPECT("{\"url\":\"http://a/\",\"name\":\"x/y\",\"size\":12,\"id\":\"A\"}\n"
           " { \"PATH\" : \"p\" , \"Url\" : \"http://b/\" , \"id\" : 17 , \"size\" : \"3\" } \r\n"
           "{\"out\":\"o\",\"url\":\"http://c/\",\"size\":null,\"id\":null,\"sha256\":\"\"}\n"
           "{\"url\":\"http://d/\",\"filename\":\"f\",\"sha256\":\"" SHA256_HEX
           "\",\"md5\":\"" MD5_HEX "\"}",
           NULL,
           "1 http://a/ name=x/y id=A size=12\n"
           "2 http://b/ name=p id=17 size=3\n"
           "3 http://c/ name=o\n"
           "4 http://d/ name=f digest=md5=" MD5_HEX " digest=sha256=" SHA256_HEX "\n");
}

static void jsonl_urls_may_be_mirrors(void **state)
{
    EXPECT("{\"url\":[\"http://a/\",\"http://b/\",\"http://c/\"]}\n"
           "{\"mirrors\":[\"http://y/\"],\"url\":\"http://x/\"}\n"
           "{\"url\":[\"http://x/\"],\"mirrors\":\"http://y/\"}\n",
           NULL,
           "1 http://a/ mirror=http://b/ mirror=http://c/\n"
           "2 http://x/ mirror=http://y/\n3 http://x/ mirror=http://y/\n");
}

static void jsonl_says_what_request_is_made(void **state)
{
    EXPECT("{\"url\":\"http://a/\",\"headers\":{\"Accept\":\"x/y\",\"X-N\":7,\"E\":\"\"},"
           "\"method\":\"POST\",\"body\":\"{\\\"q\\\":\\\"\\u00e9\\\"}\"}\n"
           "{\"url\":\"http://b/\",\"headers\":[\"A: b\",\"C:d\"],\"body\":\"\"}\n"
           "{\"url\":\"http://c/\",\"headers\":{},\"method\":null,\"body\":null}\n",
           NULL,
           "1 http://a/ header=Accept: x/y header=X-N: 7 header=E:  method=POST "
           "body={\"q\":\"\xc3\xa9\"}\n"
           "2 http://b/ header=A: b header=C:d body=\n"
           "3 http://c/\n");
}

static void jsonl_other_keys_go_along(void **state)
{
    EXPECT("{\"url\":\"http://a/\",\"n\":1.50,\"s\":\"a\\tb\",\"o\":{\"x\": [1, 2]},\"b\":true,"
           "\"z\":null,\"\":\"empty\",\"k\\u0000\":\"nul\",\"v\":\"a\\u0000b\",\"e\":\"\"}\n"
           "{\"name\":\"n\",\"url\":\"http://b/\",\"path\":\"p\"}\n",
           NULL,
           "1 http://a/ {n=1.50} {s=a\tb} {o={\"x\": [1, 2]}} {b=true} {z=null} {\"\"=empty} "
           "{\"k\\u0000\"=nul} {v=\"a\\u0000b\"}\n"
           "2 http://b/ name=n {path=p}\n");
}

static void jsonl_escapes_are_undone(void **state)
{
    EXPECT("{\"\\u0075rl\":\"http:\\/\\/a\\/\\u00e9\",\"name\":\"\\ud83d\\ude00\\\\\\\"\"}\n",
           "jsonl", "1 http://a/\xc3\xa9 name=\xf0\x9f\x98\x80\\\"\n");
}

static void jsonl_passes_over_blank_lines_and_comments(void **state)
{
    EXPECT("\xef\xbb\xbf\n# c\n{\"url\":\"http://a/\"}\n\n  # d\n{\"url\":\"http://b/\"}\n", NULL,
           "3 http://a/\n6 http://b/\n");
    EXPECT("", "jsonl", "");
}

static void jsonl_lines_that_are_no_json_are_told_by_column(void **state)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"x", "list:1:1: the line is not a JSON object, as in {\"url\": ...}"},
        {" [1]", "list:1:2: the line is not a JSON object, as in {\"url\": ...}"},
        {"\"http://a/\"", "list:1:1: the line is not a JSON object, as in {\"url\": ...}"},
        {"{", "list:1:2: not JSON: a key in quotes is wanted"},
        {"{}", "list:1: the object has no \"url\"; it may be a string or a list"},
        {"{\"a\"}", "list:1:5: not JSON: a colon is wanted"},
        {"{\"a\":}", "list:1:6: not JSON: a value is wanted"},
        {"{\"a\":1", "list:1:7: not JSON: a comma or } is wanted"},
        {"{\"a\":1 \"b\":2}", "list:1:8: not JSON: a comma or } is wanted"},
        {"{\"a\":1,}", "list:1:8: not JSON: a key in quotes is wanted"},
        {"{\"a\":01}", "list:1:6: not JSON: a number that is none"},
        {"{\"a\":1.}", "list:1:6: not JSON: a number that is none"},
        {"{\"a\":-}", "list:1:6: not JSON: a number that is none"},
        {"{\"a\":1e+}", "list:1:6: not JSON: a number that is none"},
        {"{\"a\":nul}", "list:1:6: not JSON: neither true, false nor null"},
        {"{\"a\":truex}", "list:1:10: not JSON: a comma or } is wanted"},
        {"{\"a\":NaN}", "list:1:6: not JSON: a value is wanted"},
        {"{\"a\":\"b", "list:1:6: not JSON: a string that does not end"},
        {"{\"a\":\"b\\", "list:1:6: not JSON: a string that does not end"},
        {"{\"a\":\"\\x\"}", "list:1:6: not JSON: a string with an escape that is none"},
        {"{\"a\":\"\\ud800\"}", "list:1:6: not JSON: a string with an escape that is none"},
        {"{\"a\":\"\xff\"}", "list:1:7: not JSON: a byte that is not UTF-8"},
        {"{\"a\":\"\t\"}", "list:1:7: not JSON: a control character in a string, where \\u00XX is "
                           "wanted"},
        {"{\"a\":[1,]}", "list:1:9: not JSON: a value is wanted"},
        {"{\"url\":\"http://a/\"} x", "list:1:21: not JSON: something stands behind the value"},
        {"{\"url\":[\"http://a/\"}", "list:1:20: not JSON: a comma or ] is wanted"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct source *s = open_list(rows[i].line, strlen(rows[i].line), 100, "jsonl");
        struct record r;
        error err = {0};
        assert_int_equal(source_next(s, &r, &err), WEIR_INPUT);
        assert_string_equal(err.message, rows[i].message);
        assert_int_equal(r.line, 1);
        assert_int_equal(source_next(s, &r, &err), WEIR_END);
        source_close(s);
    }
}

static void jsonl_values_that_cannot_be_are_input_errors(void **state)
{
    EXPECT("{\"url\":1}\n"
           "{\"url\":\"\"}\n"
           "{\"url\":\"http://a/\\n\"}\n"
           "{\"url\":\"http://a/\",\"size\":-1}\n"
           "{\"url\":\"http://a/\",\"size\":1.5}\n"
           "{\"url\":\"http://a/\",\"name\":7}\n"
           "{\"url\":\"http://a/\",\"name\":\"a\\u0000b\"}\n"
           "{\"url\":\"http://a/\",\"id\":\"a\\nb\"}\n"
           "{\"url\":\"http://a/\",\"method\":\"GE T\"}\n"
           "{\"url\":\"http://a/\",\"headers\":\"A: b\"}\n"
           "{\"url\":\"http://a/\",\"headers\":{\"A b\":\"c\"}}\n"
           "{\"url\":\"http://a/\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}\n"
           "{\"url\":\"http://a/\",\"headers\":[\"A\"]}\n"
           "{\"url\":\"http://a/\",\"url\":\"http://b/\"}\n"
           "{\"url\":\"http://a/\",\"sha256\":\"\",\"sha256\":\"\"}\n"
           "{\"url\":\"http://a/\",\"x\":1,\"x\":2}\n"
           "{\"url\":[]}\n"
           "{\"url\":\"http://ok/\"}\n",
           NULL,
           "1 !{\"url\":1}: list:1:8: the value of \"url\" is not a URL or a list of URLs\n"
           "2 !{\"url\":\"\"}: list:2:8: the URL is empty; write one, or remove the row\n"
           "3 !{\"url\":\"http://a/\\n\"}: list:3:8: the URL holds a control character (0x0a at "
           "byte 10); remove it\n"
           "4 !http://a/: list:4:27: the size \"-1\" is not a number; write whole bytes, as in "
           "1048576, or leave it empty\n"
           "5 !http://a/: list:5:27: the size \"1.5\" is not a number; write whole bytes, as in "
           "1048576, or leave it empty\n"
           "6 !http://a/: list:6:27: the value of \"name\" is not a string\n"
           "7 !http://a/: list:7:27: the name holds a NUL character; remove it\n"
           "8 !http://a/: list:8:25: the id holds a control character (0x0a at byte 2); "
           "remove it\n"
           "9 !http://a/: list:9:29: the method \"GE T\" is not one; write GET, POST or the like\n"
           "10 !http://a/: list:10:30: the value of \"headers\" is not an object or a list of "
           "\"Name: value\"\n"
           "11 !http://a/: list:11:31: the header \"A b: c\" does not begin with a name and a "
           "colon; write \"Name: value\"\n"
           "12 !http://a/: list:12:31: the header holds a control character (0x0d at byte 5); "
           "remove it\n"
           "13 !http://a/: list:13:31: the header \"A\" does not begin with a name and a colon; "
           "write \"Name: value\"\n"
           "14 !http://a/: list:14:20: the key \"url\" stands twice\n"
           "15 !http://a/: list:15:32: the key \"sha256\" stands twice\n"
           "16 !http://a/: list:16:26: the key \"x\" stands twice\n"
           "17 !{\"url\":[]}: list:17: the object has no \"url\"; it may be a string or a list\n"
           "18 http://ok/\n");
}

static void jsonl_a_bad_digest_is_told_by_column(void **state)
{
    static const char list[] = "{\"url\":\"http://a/\",\"md5\":\"12\"}\n{\"url\":\"http://b/\"}\n";
    struct source *s = open_list(list, strlen(list), 1000, NULL);
    struct strbuf out = {0};
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "1 !http://a/: list:1:26: "));
    assert_non_null(strstr(out.p, "\n2 http://b/\n"));
    strbuf_free(&out);
    source_close(s);
}

static void jsonl_what_is_deep_or_wide_is_bounded(void **state)
{
    struct strbuf list = {0}, out = {0};
    strbuf_adds(&list, "{\"url\":\"http://a/\",\"x\":");
    for (int i = 0; i < 30000; i++)
        strbuf_addc(&list, '[');
    strbuf_adds(&list, "\n{\"url\":\"http://b/\"");
    for (int i = 0; i < 1024; i++)
        strbuf_addf(&list, ",\"k%d\":1", i);
    strbuf_adds(&list, "}\n{\"url\":\"http://c/\",\"x\":\"");
    for (int i = 0; i < 65536 - 28; i++)
        strbuf_addc(&list, 'x');
    strbuf_adds(&list, "\\t\"}\n");
    struct source *s = open_list(list.p, list.n, 1000, NULL);
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "1 !http://a/: list:1:88: not JSON: a value within more than 64 "
                                  "others\n"));
    assert_non_null(strstr(out.p, "2 !http://b/: list:2:"));
    assert_non_null(strstr(out.p, ": the object has more than 1024 keys\n"));
    assert_non_null(strstr(out.p, "3 http://c/ {x=xxx"));
    strbuf_free(&list);
    strbuf_free(&out);
    source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonl_keys_are_those_of_other_lists),
        cmocka_unit_test(jsonl_urls_may_be_mirrors),
        cmocka_unit_test(jsonl_says_what_request_is_made),
        cmocka_unit_test(jsonl_other_keys_go_along),
        cmocka_unit_test(jsonl_escapes_are_undone),
        cmocka_unit_test(jsonl_passes_over_blank_lines_and_comments),
        cmocka_unit_test(jsonl_lines_that_are_no_json_are_told_by_column),
        cmocka_unit_test(jsonl_values_that_cannot_be_are_input_errors),
        cmocka_unit_test(jsonl_a_bad_digest_is_told_by_column),
        cmocka_unit_test(jsonl_what_is_deep_or_wide_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

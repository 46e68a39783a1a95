/* Builtins of libjq 1.6 by which a record could abort, trap, hold up or fill the process
 * (json/jq_prelude.c): with what they answer instead, and beside it what they always did. */
#include "json_fixture.h"

static void no_record_harms_the_process_by_libjq(void **state)
{
    static const struct row rows[] = {
        {".a|todate", "{\"a\":1700000000000000000}", "BAD\n", false},
        {".a|todate", "{\"a\":nan}", "BAD\n", false},
        {".a|todate", "{\"a\":1425599621.9}", "\"2015-03-05T23:53:41Z\"\n", false},
        {".a|todateiso8601", "{\"a\":1e300}", "BAD\n", false},
        {".a|todate", "{\"a\":\"x\"}", "BAD\n", false},
        {".a as $f | 0|strftime($f)", "{\"a\":1}", "BAD\n", false},
        {"0|strftime(\"%Y\", \"%m\")", "{}", "\"1970\"\n\"01\"\n", false},
        {"gmtime|strftime(\"%Y\")", "1425599621", "\"2015\"\n", false},
        {"[.a|strflocaltime(\"%Y\")]", "{\"a\":-1e17}", "BAD\n", false},
        {".a as $f | 0|strflocaltime($f)", "{\"a\":null}", "BAD\n", false},
        {"[.a|strflocaltime(\"%Y\")]", "{\"a\":86400000}", "[\"1972\"]\n", false},
        {"[.a % .b]", "{\"a\":-9223372036854775808,\"b\":-1}", "[0]\n", false},
        {"[.a % .b]", "{\"a\":1e300,\"b\":-1.5}", "[0]\n", false},
        {"[.a % .b]", "{\"a\":7,\"b\":-2}", "[1]\n", false},
        {"[.a % .b]", "{\"a\":-7,\"b\":3}", "[-1]\n", false},
        {"[.a % .b]", "{\"a\":7,\"b\":0}", "BAD\n", false},
        {"[.a % .b]", "{\"a\":7,\"b\":\"x\"}", "BAD\n", false},
        {".a %= .b", "{\"a\":7,\"b\":4}", "{\"a\":3,\"b\":4}\n", false},
        {"[(7,8) % (3,5)]", "{}", "[1,2,2,3]\n", false},
        {"[.[0]|indices(\"\"), index(\"\"), rindex(\"b\")]", "[\"abcb\"]", "[[],null,3]\n", false},
        {"[indices(1), indices([1,2]), indices([]), index(2), rindex(1), index(9)]",
         "[1,2,[1],1,2,1]", "[[0,3,5],[0,3],[],1,5,null]\n", false},
        {"[.a|indices([1], [2,3])]", "{\"a\":null}", "BAD\n", false},
        {"[.[]|ltrimstr(\"x\"), rtrimstr(\"x\")]", "[1,\"xax\",null,[\"x\"]]",
         "[1,1,\"ax\",\"xa\",null,null,[\"x\"],[\"x\"]]\n", false},
        {"[\"xyx\"|ltrimstr(1,\"x\"), rtrimstr([\"x\"])]", "{}", "[\"xyx\",\"yx\",\"xyx\"]\n",
         false},
        {"[.[]|[scan(\"[0-9]*\")]]",
         "[\"1a\",\"\xc3\xa9"
         "1\xc3\xa9\"]",
         "[[\"1\",\"\"],[\"1\"]]\n", false},
        {"[.[]|[scan(\"(.)(x)?\")]]", "[\"\xc3\xa9xb\"]", "[[[\"\xc3\xa9\",\"x\"],[\"b\",null]]]\n",
         false},
        {"[.[]|[match(\"b*\"; \"g\").string]]",
         "[\"\xc3\xa9"
         "bc\",\"bc\"]",
         "[[\"b\"],[\"b\",\"\"]]\n", false},
        {"[.[]|[match([\"b*\", \"g\"]).offset]]",
         "[\"\xc3\xa9"
         "bc\"]",
         "[[1]]\n", false},
        {"[match(\"b\"), match([\"B\",\"i\"]) | .offset]",
         "\"\xc3\xa9"
         "b\"",
         "[1,1]\n", false},
        {"[splits(\"\\\\s*\")], split(\", *\"; null)", "\"\xc3\xa9 b, c\"",
         "[\"\xc3\xa9\",\"b,\",\"c\"]\n[\"\xc3\xa9 b\",\"c\"]\n", false},
        {"[capture(\"(?<x>[a-z])?(?<y>1)\"; \"g\")]",
         "\"a1\xc3\xa9"
         "1\"",
         "[{\"x\":\"a\",\"y\":\"1\"},{\"x\":null,\"y\":\"1\"}]\n", false},
        {"capture(\"(?<x>é)\"), capture([\"(?<y>.)\", \"\"])", "\"\xc3\xa9\"",
         "{\"x\":\"\xc3\xa9\"}\n{\"y\":\"\xc3\xa9\"}\n", false},
        {"match(\"x\"; \"q\")", "\"x\"", "BAD\n", false},
        {"[.[0]|scan(1)]", "[\"x\"]", "BAD\n", false},
        {"[.[]|scan(\"x\")]", "[1]", "BAD\n", false},
        {"def ltrimstr(a): 1; [ltrimstr(\"x\"), $__loc__.line]", "{}", "[1,1]\n", false},
    };
    EXPECT_ROWS(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_record_harms_the_process_by_libjq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

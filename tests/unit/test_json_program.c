/* jq programs on records: what runs on which engine, what comes out, what is refused and how bad
 * records are told. Every row runs on the plan, by the block and on libjq. */
#include <sys/mman.h>
#include <unistd.h>

#include "json_fixture.h"

#include "core/thread.h"
#include "json/simdjson_adapter.h"

static void what_is_only_selected_passes_byte_for_byte(void **state)
{
    static const struct row rows[] = {
        {".", "{\"a\" : 1.0}", "{\"a\" : 1.0}\n", false},
        {".", " \t{\"a\":1}\t\r", "{\"a\":1}\n", false},
        {".", "1e2", "1e2\n", false},
        {".", "\"\\u0041\"", "\"\\u0041\"\n", false},
        {".", "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}\n", false},
        {"select(.a == 1)", "{\"a\":1.0, \"b\":[ ]}", "{\"a\":1.0, \"b\":[ ]}\n", false},
        {"select(.a == 1)", "{\"a\":2}", "", false},
        {"., .", "[ 1 ]", "[ 1 ]\n[ 1 ]\n", false},
        {". // 1", "[ 1 ]", "[ 1 ]\n", false},
        {".a // .", "{ \"a\" : null }", "{ \"a\" : null }\n", false},
        {"1", "1.0", "1.0\n", false}, /* jq cannot tell them apart */
        {"[.]", "1.0", "[1]\n", false},
        {"select(.[0] > 1)", "[2e0]", "[2e0]\n", false},
    };
    EXPECT_ROWS(rows);
}

static void paths_comparisons_and_logic_are_those_of_jq(void **state)
{
    static const struct row rows[] = {
        {".a", "{\"a\":\"x\"}", "\"x\"\n", false},
        {".a", "{}", "null\n", false},
        {".a", "null", "null\n", false},
        {".a", "[]", "BAD\n", false},
        {".a.b", "{\"a\":null}", "null\n", false},
        {".a.b", "{\"a\":1}", "BAD\n", false},
        {".a[1]", "{\"a\":[1,2,3]}", "2\n", false},
        {".a[3]", "{\"a\":[1,2,3]}", "null\n", false},
        {".a[-1]", "{\"a\":[1,2,3]}", "3\n", false},
        {".\"b c\"[\"d\"]", "{\"b c\":{\"d\":[]}}", "[]\n", false},
        {".a", "{\"a\":1,\"a\":2}", "2\n", false},
        {".a.b", "{\"a\":{\"b\":1},\"a\":{}}", "null\n", false},
        {".a.b", "{\"a\":{\"b\":1},\"a\":2}", "BAD\n", false},
        {".a[0]", "{\"a\":[1],\"a\":[]}", "null\n", false},
        {".a", "{\"\\u0061\":1}", "1\n", false},
        {"select(.a == 9007199254740992)", "{\"a\":9007199254740993}", "{\"a\":9007199254740993}\n",
         false},
        {"select(.a < \"b\" and .b >= null)", "{\"a\":{}}", "", false},
        {"select(.a > \"b\" and .b >= null)", "{\"a\":{}}", "{\"a\":{}}\n", false},
        {"null < false, false < true, true < 0, 0 < \"\", \"\" < .a, .a < .b",
         "{\"a\":[],\"b\":{}}", "true\ntrue\ntrue\ntrue\ntrue\ntrue\n", false},
        {".a < .b", "{\"a\":\"Z\",\"b\":\"\\u00e9\"}", "true\n", false},
        {".a < .b", "{\"a\":\"\\uffff\",\"b\":\"\\ud83d\\ude00\"}", "true\n", false},
        {".a == .b", "{\"a\":0,\"b\":-0}", "true\n", false},
        {".a == .b", "{\"a\":[1],\"b\":[1.0]}", "true\n", false},
        {".a > 1", "{\"a\":1e999}", "true\n", false},
        {".a and (.b | not)", "{\"a\":0,\"b\":false}", "true\n", false},
        {".a or .b.c", "{\"a\":1,\"b\":1}", "true\n", false},
        {".a and .b.c", "{\"a\":1,\"b\":1}", "BAD\n", false},
        {"select(.a | startswith(\"er\"))", "{\"a\":\"error\"}", "{\"a\":\"error\"}\n", false},
        {"select(.a | startswith(\"er\"))", "{\"a\":1}", "BAD\n", false},
        {".a | endswith(\"\"), contains(\"ro\")", "{\"a\":\"error\"}", "true\ntrue\n", false},
        {".a | contains(\"b\")", "{\"a\":\"a\\u0000b\"}", "false\n",
         false}, /* jq 1.6 stops at a NUL */
        {"has(\"a\")", "{\"a\":null}", "true\n", false},
        {"has(\"a\")", "[]", "BAD\n", false},
        {".a | IN(1, \"x\", null)", "{}", "true\n", false},
        {".a | 1", "{\"a\":{}}", "1\n", false},
        {".a.b | 1", "{\"a\":1}", "BAD\n", false},
        {".a // \"-\"", "{\"a\":false}", "\"-\"\n", false},
        {".a.b // \"-\"", "{\"a\":1}", "BAD\n", false},
        {"select(.a == 1) | .b, .c", "{\"a\":1,\"b\":2}", "2\nnull\n", false},
    };
    EXPECT_ROWS(rows);
}

static void outputs_are_printed_as_jq_prints_them(void **state)
{
    static const struct row rows[] = {
        {"{ts: .t, msg: .m.x}", "{\"t\":1,\"m\":{\"x\":\"y\"}}", "{\"ts\":1,\"msg\":\"y\"}\n",
         false},
        {"{a, \"b c\", d: (.a | . == 1)}", "{\"a\":1}", "{\"a\":1,\"b c\":null,\"d\":true}\n",
         false},
        {"[.a, [.b], {}]", "{\"a\":1}", "[1,[null],{}]\n", false},
        {"{a}", "{\"a\": {\"x\" : [1, 2.5, \"\\u0041\", 1.0]}}",
         "{\"a\":{\"x\":[1,2.5,\"A\",1]}}\n", false},
        {"{a}", "{\"a\":{\"b\":1,\"b\":2}}", "{\"a\":{\"b\":2}}\n", false},
        {".a", "{\"a\":\"\\u007f\\/\\ud83d\\ude00\\b\\u0001\\u0000\"}",
         "\"\\u007f/\xf0\x9f\x98\x80\\b\\u0001\\u0000\"\n", false},
        {".a", "{\"a\":\"\x7f\"}", "\"\\u007f\"\n", false},
        {".a", "{\"a\":1.0}", "1\n", false},
        {".a", "{\"a\":-0}", "-0\n", false},
        {".a", "{\"a\":1e2}", "100\n", false},
        {".a", "{\"a\":0.00012}", "0.00012\n", false},
        {".a", "{\"a\":0.000012}", "1.2e-05\n", false},
        {".a", "{\"a\":0.00001}", "1e-05\n", false},
        {".a", "{\"a\":12.50}", "12.5\n", false},
        {".a", "{\"a\":9007199254740993}", "9007199254740992\n", false},
        {".a", "{\"a\":123456789012345678}", "123456789012345680\n", false},
        {".a", "{\"a\":999999999999999}", "999999999999999\n", false},
        {".a", "{\"a\":1e999}", "1.7976931348623157e+308\n", false},
        {".a, .b", "{\"a\":\"x\\n\",\"b\":[\"y\"]}", "x\n\n[\"y\"]\n", true},
        {".", "\"x\\ty\"", "x\ty\n", true},
        {".a // \"t\\\"\"", "{}", "t\"\n", true},
        {"[.a]", "{\"a\":\"x\"}", "[\"x\"]\n", true},
    };
    EXPECT_ROWS(rows);
}

static void a_record_is_one_json_text(void **state)
{
    static const struct row rows[] = {
        {".", "{\"a\":1} x", "BAD\n", false},
        {".", "{} {}", "BAD\n", false},
        {".", "{\"a\":1", "BAD\n", false},
        {".", "{\"a\":1,}", "BAD\n", false},
        {".", "[1 2]", "BAD\n", false},
        {".", "{\"a\":tru}", "BAD\n", false},
        {".", "{\"a\":\"x}", "BAD\n", false},
        {".", "{\"a\":\"\\q\"}", "BAD\n", false},
        {".", "{\"a\":\"\\ud83d\"}", "BAD\n", false},
        {".a", "{\"a\":1}}", "BAD\n", false},
        {".b", "{\"b\":1,\"a\":truex}", "BAD\n", false},
        {".b", "{\"b\":1,\"a\":[01x]}", "BAD\n", false},
        /* what jq takes beyond RFC 8259 */
        {".", "[nan]", "[nan]\n", false},
        {".[0]", "[nan]", "null\n", false},
        {".[0]", "[01]", "1\n", false},
        {".[0]", "[+.5]", "0.5\n", false},
        {".a", "{\"a\":\"\xff\"}", "\"\xef\xbf\xbd\"\n", false},
        {".a", "\xef\xbb\xbf{\"a\":1}", "1\n", false},
        {".a", "{\"a\":\"\\ud83d\\u0041\"}", "BAD\n", false},
    };
    EXPECT_ROWS(rows);
}

/* Lines of a block are looked at in one go, and no value may reach from one into the next. */
static void no_record_reaches_into_the_next_line(void **state)
{
    static const char block[] = "{\"a\":\n"
                                "1}\n"
                                "[1,\r\n"
                                "2]\n"
                                "  \r\n"
                                "\n"
                                "{\"a\":\"x\n"
                                "\",\"b\":1}\n"
                                "{\"a\":7}\n"
                                "[\n[\n]\n]\n"
                                "1\n2\n"
                                "{\"a\":8}";
    static const char expected[] = "BAD\nBAD\nBAD\nBAD\nBLANK\nBLANK\nBAD\nBAD\n{\"a\":7}\n"
                                   "BAD\nBAD\nBAD\nBAD\n1\n2\n{\"a\":8}\n";
    for (int on_jq = 0; on_jq < 2; on_jq++) {
        for (size_t spoiled = 0; spoiled < 2; spoiled++) {
            char text[sizeof block + 100] = {0};
            struct strbuf kept = {0};
            struct json_program *p = program_of(".", false, on_jq);
            struct json_runner *r = runner_of(p);
            memcpy(text, block, sizeof block);
            /* without the string that no line ends, the whole block is indexed at once */
            if (!spoiled)
                memcpy(strstr(text, "\"x\n\","), "1,\n3,", 5);
            run_block(r, (struct span){text, sizeof block - 1}, sizeof text, &kept);
            assert_string_equal(strbuf_text(&kept), expected);
            strbuf_free(&kept);
            json_runner_close(r);
            json_program_free(p);
        }
    }
}

/* Records of all lengths up to the very end of what may be read. */
static void nothing_behind_what_is_readable_is_read(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    struct json_program *p = program_of("select(.a != \"error\") | .b", false, false);
    struct json_runner *r = runner_of(p);
    static const char *const tails[] = {"1}",    "\"\"}",      "-}",     "tr",
                                        "\"err", "123456789}", "{\"a\":"};
    for (size_t t = 0; t < sizeof tails / sizeof *tails; t++) {
        for (size_t pad = 0; pad < 200; pad++) {
            for (int newline = 0; newline < 2; newline++) {
                struct strbuf text = {0}, kept = {0};
                strbuf_adds(&text, "{\"c\":\"");
                for (size_t i = 0; i < pad; i++)
                    strbuf_addc(&text, 'x');
                strbuf_addf(&text, "\"}\n{\"b\":1,\"a\":%s%s", tails[t], newline ? "\n" : "");
                char *at = map + page - text.n;
                memcpy(at, text.p, text.n);
                run_block(r, (struct span){at, text.n}, text.n, &kept);
                bool good = strchr("1\"", tails[t][0]) && tails[t][strlen(tails[t]) - 1] == '}';
                assert_string_equal(strbuf_text(&kept), good ? "null\n1\n" : "null\nBAD\n");
                strbuf_clear(&kept);
                char *record = strchr(at, '\n') + 1;
                size_t n = (size_t)(map + page - newline - record);
                run_record(r, (struct span){record, n}, n + (size_t)newline, &kept);
                assert_string_equal(strbuf_text(&kept), good ? "1\n" : "BAD\n");
                strbuf_free(&kept);
                strbuf_free(&text);
            }
        }
    }
    json_runner_close(r);
    json_program_free(p);
    assert_int_equal(munmap(map, 2 * page), 0);
}

/* In memory of its own, for a sanitizer: a key that begins as the wanted one does but ends early.
 */
static void key_is_compared_no_farther_than_it_goes(void **state)
{
    struct strbuf program = {0};
    strbuf_adds(&program, "select(.long == \"");
    for (int i = 0; i < 400; i++)
        strbuf_addc(&program, 'x');
    strbuf_adds(&program, "\") | .a, .");
    for (int i = 0; i < 250; i++)
        strbuf_addc(&program, 'x');
    struct json_program *p = program_of(program.p, false, false);
    struct json_runner *r = runner_of(p);
    assert_string_equal(json_program_engine(p), "simdjson");
    static const char *const rows[][2] = {{"{\"xxxxxxxxx\":1}\n", ""},
                                          {"{\"long\":\"xxxxxxxxx\"}\n", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf kept = {0};
        size_t n = strlen(rows[i][0]), readable = n + JSON_PADDING;
        char *exact = malloc(readable);
        assert_non_null(exact);
        memcpy(exact, rows[i][0], n);
        memset(exact + n, ' ', readable - n);
        run_block(r, (struct span){exact, n}, readable, &kept);
        assert_string_equal(strbuf_text(&kept), rows[i][1]);
        strbuf_free(&kept);
        free(exact);
    }
    json_runner_close(r);
    json_program_free(p);
    strbuf_free(&program);
}

/* Windows of 64 KiB, lines across their borders, and one that is longer than a window. */
static void large_blocks_come_out_line_by_line(void **state)
{
    struct strbuf block = {0}, expected = {0}, kept = {0};
    for (unsigned i = 0; i < 4000; i++) {
        strbuf_addf(&block, "{\"n\":%u,\"pad\":\"", i);
        size_t pad = i == 2000 ? 200000 : i % 97;
        for (size_t k = 0; k < pad; k++)
            strbuf_addc(&block, 'x');
        strbuf_adds(&block, i % 500 == 7 ? "\\n\"}\n" : i % 700 == 9 ? "\xff\"}\n" : "\"}\n");
        strbuf_addf(&expected, "%u\n", i);
    }
    struct json_program *p = program_of(".n", false, false);
    struct json_runner *r = runner_of(p);
    run_block(r, (struct span){block.p, block.n}, block.n, &kept);
    assert_string_equal(strbuf_text(&kept), strbuf_text(&expected));
    json_runner_close(r);
    json_program_free(p);
    strbuf_free(&block);
    strbuf_free(&expected);
    strbuf_free(&kept);
}

/* ---- programs ---- */

static void simple_programs_are_planned_and_others_left_to_libjq(void **state)
{
    static const struct {
        const char *program, *engine;
    } rows[] = {
        {".", "simdjson"},
        {"select(.level == \"error\")", "simdjson"},
        {"select(.a.b[0] >= -1.5 and (.c | not)) | {a, x: .b.c}", "simdjson"},
        {" # a comment\n.a # another", "simdjson"},
        {".a, .b", "simdjson"},
        {"select(.a)|select(.b)|[.a,.b]", "simdjson"},
        {".a // .b // \"x\"", "simdjson"},
        {".e, .e5x, .e_5, .\"e5\", {e5}, .e5e6", "simdjson"},
        {".a[]", "jq"},
        {".a?", "jq"},
        {"..", "jq"},
        {".a[-1]", "jq"},
        {".a[1:2]", "jq"},
        {".a == 1e3", "jq"},
        {".a == 1.0", "jq"},
        {".a + 1", "jq"},
        {"-1 - .a", "jq"},
        {".a = 1", "jq"},
        {".a |= 1", "jq"},
        {".a //= 1", "jq"},
        {"{a: 1, a: 2}", "jq"},
        {"{(.a): 1}", "jq"},
        {"\"\\(.a)\"", "jq"},
        {"length", "jq"},
        {"select(.a, .b)", "jq"},
        {"select(.a == (1, 2))", "jq"},
        {"(.a, .b) | .c", "jq"},
        {"def f: .a; f", "jq"},
        {"if .a then .b else .c end", "jq"},
        {".a as $x | $x", "jq"},
        {"$ENV.HOME", "jq"},
        {"select(.a | test(\"x\"))", "jq"},
        {".a | @base64", "jq"},
        {"try .a", "jq"},
        {".5", "jq"},
        {"[.a, .b | .c]", "jq"},
        {".a // .b | .c", "jq"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_program *p = program_of(rows[i].program, false, false);
        if (strcmp(json_program_engine(p), rows[i].engine) != 0)
            FAIL("%s runs on %s", rows[i].program, json_program_engine(p));
        json_program_free(p);
    }
}

static void what_is_no_program_is_told_on_one_line(void **state)
{
    static const struct {
        const char *program, *said;
    } rows[] = {
        {".a ==", "syntax error"},
        {"", NULL},
        {".a[", "line 1"},
        {".a == 1 == 2", "syntax error"},
        {"foo", "foo/0 is not defined"},
        {".a.", "syntax error"},
        {".a.[0]", "syntax error"},
        {"{a b}", "syntax error"},
        {"select(.a", "syntax error"},
        {".a |", "syntax error"},
        {"$x", "$x is not defined"},
        {"\"\\q\"", "nvalid escape"},
        {".\n\n.a b", "line 3"},
        /* no blank to jq 1.6, nor the end of a comment */
        {".a\r", "syntax error"},
        {".[\r0]", "syntax error"},
        /* a number to jq 1.6 */
        {".e5", "numeric literal"},
        {".a.E22", "numeric literal"},
        {"select(.e5 == 1)", "numeric literal"},
        {".a # said\r\n", "syntax error"},
        {".a # said\r.b", "syntax error"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_program *p = NULL;
        error err = {0};
        status st = json_program_compile(&p, rows[i].program, false, &err);
        if (!rows[i].said) { /* an empty program is "." to jq */
            assert_int_equal(st, OK);
            json_program_free(p);
            continue;
        }
        assert_null(p);
        if (st != WEIR_USAGE || err.status != WEIR_USAGE || strchr(err.message, '\n') ||
            !strstr(err.message, rows[i].said))
            FAIL("%s: %d, %s", rows[i].program, (int)st, err.message);
    }
}

static void what_makes_no_sense_record_by_record_is_refused(void **state)
{
    static const struct {
        const char *program, *word; /* NULL: allowed */
    } rows[] = {
        {"input", "\"input\" (line 1, column 1)"},
        {".a | [inputs]", "\"inputs\" (line 1, column 7)"},
        {".\n| input_line_number", "\"input_line_number\" (line 2, column 3)"},
        {"input_filename", "input_filename"},
        {"_input", "_input"},
        {"{_input: 1} | _input", "(line 1, column 15)"},
        {"$__prog_args", "$__prog_args"},
        {"{$__prog_args}", "$__prog_args"},
        {"debug", "terminal"},
        {"stderr", "terminal"},
        {"halt", "end the run"},
        {"\"x\" | halt_error", "error"},
        {"import \"a\" as a; .", "files"},
        {"include \"a\"; .", "files"},
        {"\"x\\(input)\"", "\"input\""},
        {"\"x\\(\"y\\(1 + input)\")\"", "\"input\""},
        {"{a: input}", "\"input\""},
        {"{(input): 1}", "\"input\""},
        {"{\"a\\(input)\": 1}", "\"input\""},
        {"{a: {b: 1}, c: [input]}", "\"input\""},
        {"{a: 1} | input", "\"input\""},
        {"[{a: 1}, input]", "\"input\""},
        {".input", NULL},
        {".a.input.b", NULL},
        {".a[\"input\"]", NULL},
        {"{input}", NULL},
        {"{input: 1, inputs: 2, debug}", NULL},
        {"{a: {b: 1}, input}", NULL},
        {"{a: (1, 2), halt: 1}", NULL},
        {"\"input\"", NULL},
        {"\"\\\"input\"", NULL},
        {"\"a\\(1)input\"", NULL},
        {". # input", NULL},
        {". as $input | $input", NULL},
        {". as {input: $x} | $x", NULL},
        {"def my_input: 1; my_input", NULL},
        {"env.PATH, $ENV.PATH", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_program *p = NULL;
        error err = {0};
        status st = json_program_compile(&p, rows[i].program, false, &err);
        bool fine = rows[i].word ? st == WEIR_USAGE && strstr(err.message, rows[i].word) : st == OK;
        if (!fine)
            FAIL("%s: %d, %s", rows[i].program, (int)st, err.message);
        json_program_free(p);
    }
}

/* ---- records and threads ---- */

static void a_bad_record_is_told_with_its_beginning(void **state)
{
    static const struct {
        const char *program, *record, *said, *shown;
    } rows[] = {
        {".a", "{\"a\":1", "not JSON", "{\"a\":1"},
        {".a", "[1]", "Cannot index array with string \"a\"", "[1]"},
        {"error(\"no\\nway\")", "1", "no: way", "1"},
        {"error({a:1})", "1", "{\"a\":1}", "1"},
        {".", "\x1b[31m", "not JSON", "\\x1b[31m"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_program *p = program_of(rows[i].program, false, false);
        struct json_runner *r = runner_of(p);
        struct strbuf kept = {0};
        struct json_out out = {keep_output, &kept};
        struct span record = span_of(rows[i].record);
        error err = {0};
        bool bad = false;
        assert_int_equal(json_runner_run(r, record, record.n, &out, &bad, &err), OK);
        assert_true(bad);
        assert_int_equal(err.status, WEIR_RECORD);
        if (!strstr(err.message, rows[i].said) || !strstr(err.message, rows[i].shown) ||
            strchr(err.message, '\n') || strchr(err.message, '\x1b'))
            FAIL("%s on %s: %s", rows[i].program, rows[i].record, err.message);
        strbuf_free(&kept);
        json_runner_close(r);
        json_program_free(p);
    }
}

static void what_was_put_out_before_a_failure_stands(void **state)
{
    static const struct row rows[] = {
        {".a, .b.c, .d", "{\"a\":1,\"b\":2}", "1\nBAD\n", false},
        {".a, (.b | error(\"x\")), .a", "{\"a\":1}", "1\nBAD\n", false},
    };
    EXPECT_ROWS(rows);
}

static status put_three(void *ctx, struct span output, error *err)
{
    int *left = ctx;
    return --*left ? OK : WEIR_END;
}

static void a_program_without_end_stops_when_put_says_so(void **state)
{
    static const char *const programs[] = {"repeat(.)", "., ., ., ., .", "recurse([.])"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct json_program *p = program_of(programs[i], false, false);
        struct json_runner *r = runner_of(p);
        for (int again = 0; again < 2; again++) {
            int left = 3;
            struct json_out out = {put_three, &left};
            bool bad;
            assert_int_equal(json_runner_run(r, span_of("{}"), 2, &out, &bad, NULL), WEIR_END);
            assert_int_equal(left, 0);
        }
        json_runner_close(r);
        json_program_free(p);
    }
}

/* libjq's habit is to write to standard error. */
static void nothing_is_said_on_standard_error(void **state)
{
    static const char *const programs[] = {".a b", "foo", ".a", "error", "error(null)", "$__loc__"};
    char file[] = "/tmp/weir-stderr-XXXXXX", heard[16];
    int fd = mkstemp(file), before = dup(STDERR_FILENO);
    assert_true(fd >= 0 && before >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct json_program *p = NULL;
        struct json_runner *r = NULL;
        struct strbuf kept = {0};
        if (!json_program_compile(&p, programs[i], false, NULL) && !json_runner_open(&r, p, NULL)) {
            run_record(r, span_of("[1]"), 3, &kept);
            run_record(r, span_of("[1"), 2, &kept);
        }
        strbuf_free(&kept);
        json_runner_close(r);
        json_program_free(p);
    }
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    assert_int_equal(pread(fd, heard, sizeof heard, 0), 0);
    close(before);
    close(fd);
    unlink(file);
}

static void *run_in_thread(void *arg)
{
    struct json_runner *r = runner_of(arg);
    for (int i = 0; i < 200; i++) {
        struct strbuf kept = {0};
        run_record(r, span_of("{\"a\":1.0}"), 9, &kept);
        run_record(r, span_of("{\"a\":\"x\"}"), 9, &kept);
        assert_string_equal(strbuf_text(&kept), "1\n\"x\"\n");
        strbuf_free(&kept);
    }
    json_runner_close(r);
    return NULL;
}

static void one_program_runs_on_many_threads(void **state)
{
    for (int on_jq = 0; on_jq < 2; on_jq++) {
        struct json_program *p = program_of(".a", false, on_jq);
        pthread_t threads[3];
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(thread_start(&threads[i], run_in_thread, p), 0);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        json_program_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_only_selected_passes_byte_for_byte),
        cmocka_unit_test(paths_comparisons_and_logic_are_those_of_jq),
        cmocka_unit_test(outputs_are_printed_as_jq_prints_them),
        cmocka_unit_test(a_record_is_one_json_text),
        cmocka_unit_test(no_record_reaches_into_the_next_line),
        cmocka_unit_test(nothing_behind_what_is_readable_is_read),
        cmocka_unit_test(key_is_compared_no_farther_than_it_goes),
        cmocka_unit_test(large_blocks_come_out_line_by_line),
        cmocka_unit_test(simple_programs_are_planned_and_others_left_to_libjq),
        cmocka_unit_test(what_is_no_program_is_told_on_one_line),
        cmocka_unit_test(what_makes_no_sense_record_by_record_is_refused),
        cmocka_unit_test(a_bad_record_is_told_with_its_beginning),
        cmocka_unit_test(what_was_put_out_before_a_failure_stands),
        cmocka_unit_test(a_program_without_end_stops_when_put_says_so),
        cmocka_unit_test(nothing_is_said_on_standard_error),
        cmocka_unit_test(one_program_runs_on_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pattern sets: which patterns are refused and how that is said, and which lines the others keep.
 *
 * What grep -P does is the measure; test_match_differential.c asks it. Here are the cases that have
 * a reason of their own.
 */
#include "match_fixture.h"

/* Refusals --------------------------------------------------------------------------------- */

static void expect_refusal(const struct pattern_spec *specs, size_t n, const char *want)
{
    struct pattern_set *set = (struct pattern_set *)(uintptr_t)1;
    error err = {0};
    status st = pattern_set_compile(&set, specs, n, false, &err);
    if (st != WEIR_USAGE || strcmp(err.message, want) != 0)
        fail_msg("got %d \"%s\", wanted \"%s\"", (int)st, err.message, want);
    assert_ptr_equal(set, (void *)(uintptr_t)1); /* set only on success */
    assert_int_equal(err.status, WEIR_USAGE);
}

#define MEND "; mend the expression, or give it as a literal"

static void a_bad_expression_is_shown_with_its_place(void **state)
{
    static const struct {
        const char *pattern, *said;
    } cases[] = {
        {"a(b", "\"a(b\": missing closing parenthesis at position 3: \"a(b\" <-- here" MEND},
        {"a)b", "\"a)b\": unmatched closing parenthesis at position 1: \"a\" <-- here \")b\"" MEND},
        {"*a", "\"*a\": quantifier does not follow a repeatable item at position 0: "
               "\"\" <-- here \"*a\"" MEND},
        {"[z-a]", "\"[z-a]\": range out of order in character class at position 3: "
                  "\"[z-\" <-- here \"a]\"" MEND},
        {"[abc", "\"[abc\": missing terminating ] for character class at position 4: "
                 "\"[abc\" <-- here" MEND},
        {"a\\", "\"a\\\": \\ at end of pattern at position 2: \"a\\\" <-- here" MEND},
        {"x\\1", "\"x\\1\": reference to non-existent subpattern at position 2: "
                 "\"x\\\" <-- here \"1\"" MEND},
        {"a{65536}", "\"a{65536}\": number too big in {} quantifier at position 7: "
                     "\"a{65536\" <-- here \"}\"" MEND},
        /* What a terminal would obey is written out. */
        {"\x1b[31m(", "\"\\x1b[31m(\": missing terminating ] for character class at position 6: "
                      "\"\\x1b[31m(\" <-- here" MEND},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf want = {0};
        strbuf_addf(&want, "list.txt:7: %s", cases[i].said);
        struct pattern_spec spec = {span_of(cases[i].pattern), false, "list.txt:7"};
        expect_refusal(&spec, 1, strbuf_text(&want));
        strbuf_free(&want);
    }
}

static void the_bad_one_of_many_is_named(void **state)
{
    const struct pattern_spec specs[] = {{BYTES("good"), false, "-e"},
                                         {BYTES("a(b"), true, "-f:2"},
                                         {BYTES("(?<n"), false, NULL},
                                         {BYTES("worse("), false, "-e"}};
    expect_refusal(specs, 4,
                   "pattern: \"(?<n\": syntax error in subpattern name (missing terminator?) at "
                   "position 4: \"(?<n\" <-- here" MEND);
}

static void a_long_pattern_is_cut_around_its_place(void **state)
{
    char pattern[402], a[62], b[62], want[500];
    memset(pattern, 'a', 200);
    pattern[200] = ')';
    memset(pattern + 201, 'b', 200);
    pattern[401] = 0;
    memset(a, 'a', 60);
    memset(b, 'b', 60);
    a[60] = b[59] = 0;
    snprintf(want, sizeof want,
             "-e: \"%s...\": unmatched closing parenthesis at position 200: \"...%s\" <-- here "
             "\")%s...\"" MEND,
             a, a, b);
    struct pattern_spec spec = {span_of(pattern), false, "-e"};
    expect_refusal(&spec, 1, want);
}

static void a_newline_in_a_pattern_is_refused(void **state)
{
    static const char why[] = "it holds a newline, and lines are searched without theirs, so it "
                              "can match none; give each line as a pattern of its own";
    static const struct span texts[] = {BYTES("a\nb"), BYTES("\n"), BYTES("ab\n")};
    static const char *const shown[] = {"a\\x0ab", "\\x0a", "ab\\x0a"};
    for (size_t i = 0; i < 6; i++) {
        char want[300];
        snprintf(want, sizeof want, "-e: \"%s\": %s", shown[i / 2], why);
        struct pattern_spec spec = {texts[i / 2], i % 2, "-e"};
        expect_refusal(&spec, 1, want);
    }
}

static void utf_mode_is_refused(void **state)
{
    static const char *const patterns[] = {"(*UTF)a", "(*UTF8)a", "(*UCP)(*UTF)caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct strbuf want = {0};
        strbuf_addf(&want,
                    "-e: \"%s\": (*UTF) cannot be used: lines are searched as bytes; leave it out "
                    "and write the bytes of a character as they are",
                    patterns[i]);
        struct pattern_spec spec = {span_of(patterns[i]), false, "-e"};
        expect_refusal(&spec, 1, strbuf_text(&want));
        strbuf_free(&want);
    }
}

/* Lines ------------------------------------------------------------------------------------ */

struct line_case {
    struct span pattern, text, want;
};

#define CASE(pattern, text, want)                                                                  \
    {                                                                                              \
        BYTES(pattern), BYTES(text), BYTES(want)                                                   \
    }

static void expect_cases(const struct line_case *cases, size_t n, bool literal, bool ignore_case)
{
    for (size_t i = 0; i < n; i++) {
        struct strbuf what = {0};
        strbuf_add_printable(&what, cases[i].pattern);
        struct pattern_set *set = set_of(cases[i].pattern, literal, ignore_case);
        expect_lines(set, cases[i].text, cases[i].want, strbuf_text(&what));
        pattern_set_free(set);
        strbuf_free(&what);
    }
}

#define EXPECT(cases, literal, ignore_case)                                                        \
    expect_cases(cases, sizeof(cases) / sizeof *(cases), literal, ignore_case)

static void an_expression_sees_one_line_without_its_newline(void **state)
{
    static const struct line_case cases[] = {
        CASE("", "a\n\nb", "<a><><b>"),
        CASE("x", "", ""),
        CASE("", "", ""),
        CASE("^", "\n\n", "<><>"),
        CASE("^$", "a\n\nb\n", "<>"),
        CASE("^$", "a\n", ""),
        CASE("$", "a\nb", "<a><b>"),
        /* These match behind the last newline, where no line is. */
        CASE("\\B$", "a\n", ""),
        CASE("^\\B|^x", "a\n", ""),
        CASE("\\B$", "a\n\n", "<>"),
        CASE("a$", "a\nba", "<a><ba>"),
        CASE("a$", "a\r\na \n", ""),
        CASE("a\\s$", "a\r\na\nb", "<a\r>"),
        CASE("\\Aa|b\\z", "a\nba\nab\nc", "<a><ab>"),
        CASE("\\Aab\\Z", "ab\nab\nxab", "<ab><ab>"),
        CASE("\\Ga", "a\nba\na", "<a><a>"),
        CASE("a\\s*b", "a\nb\na b", "<a b>"),
        CASE("a[^x]b", "a\nb\na\rb", "<a\rb>"),
        CASE("a\\nb", "a\nb\n", ""),
        CASE("[\\n]|c", "a\nc\n", "<c>"),
        CASE("[^\\n]", "\na\n", "<a>"),
        CASE("a.b",
             "a\nb\na\0b\na\xff"
             "b\n",
             "<a\0b><a\xff"
             "b>"),
        CASE("(?s)a.b", "a\nb\n", ""),
        CASE("(?m)^b$", "a\nb\n", "<b>"),
        CASE("(?<=^)b", "ab\nb", "<b>"),
        CASE("\\bfoo\\b", "foo\nfood\na foo\n", "<foo><a foo>"),
        CASE("\\Boo", "oo\nfoo", "<foo>"),
        CASE("(?<!a)b", "ab\nb", "<b>"),
        CASE("a(?!\\n)", "a\nab", "<a><ab>"),
    };
    EXPECT(cases, false, false);
}

static void nul_and_high_bytes_are_ordinary(void **state)
{
    static const struct line_case cases[] = {
        CASE("a\0b", "ab\na\0b\na\0c", "<a\0b>"),
        CASE("a\\x00b", "a\0b\nab", "<a\0b>"),
        CASE("\0+$", "a\0\0\na", "<a\0\0>"),
        CASE("[\0a]b", "\0b\nxb", "<\0b>"),
        CASE("\xe9", "\xc3\xa9\ncaf\xe9", "<caf\xe9>"),
        CASE("^.$", "\xc3\xa9\n\xe9\n", "<\xe9>"),
        CASE("\\w", "\xe9\na", "<a>"),
        /* PCRE2 makes this \S+ possessive, and so it eats the \xa0. */
        CASE("\\S+\\h\\S",
             "a\xa0"
             "b\na b",
             "<a b>"),
    };
    EXPECT(cases, false, false);
}

static void what_is_not_regular_goes_as_pcre2_does(void **state)
{
    static const struct line_case cases[] = {
        CASE("(a|b)\\1", "ab\nbb\naa", "<bb><aa>"),
        CASE("^(?!.*x)", "ax\nb\n\nx", "<b><>"),
        CASE("a(?=b)", "ab\nac", "<ab>"),
        CASE("(?<=a)b", "ab\ncb", "<ab>"),
        CASE("(?>a+)ab", "aab\nab", ""),
        CASE("a++a", "aaa\n", ""),
        CASE("^(\\((?:[^()]|(?1))*\\))$", "(a(b))\n(a(b)\n()", "<(a(b))><()>"),
        CASE("^(a)?(?(1)b|c)$", "ab\nc\nac\nb", "<ab><c>"),
        CASE("(?<q>['\"])x\\k<q>", "'x'\n'x\"\n\"x\"", "<'x'><\"x\">"),
        CASE("a\\Kb", "ab\nb", "<ab>"),
        CASE("a\\Q.*\\Eb", "a.*b\naxb", "<a.*b>"),
        CASE("(?x) a b # c", "ab\na b", "<ab>"),
        CASE("(?i)a(?-i)B", "AB\nab\naB", "<AB><aB>"),
        CASE("(?i:a)B", "AB\nAb\naB", "<AB><aB>"),
        CASE("a(*SKIP)(*FAIL)|b", "a\nab\nb", "<ab><b>"),
        CASE("a(*COMMIT)b", "acab\nab\nxab", "<ab><xab>"),
        CASE("a(*ACCEPT)b", "a\nb", "<a>"),
        CASE("a(*FAIL)", "a\n", ""),
        CASE("(*NOTEMPTY)x*", "a\nax\n", "<ax>"),
        CASE("(*NO_JIT)(a)\\1", "aa\nab", "<aa>"),
        CASE("(*UCP)\\w", "\xe9\n-", "<\xe9>"),
        CASE("(*CRLF)a$", "a\na\r\nab", "<a>"),
        CASE("\\R", "a\nb\r\nc\n\x85", "<b\r><\x85>"),
        CASE("[[:alpha:]]+[[:digit:]]", "a1\n1a", "<a1>"),
        CASE("a{,2}b", "aab\na{,2}b", "<a{,2}b>"),
        CASE("(?:a*b){2}c", "babc\nbc\nbbc", "<babc><bbc>"),
        CASE("c(?:ba*){2}d?", "cbab\ncb\ncbb", "<cbab><cbb>"),
        CASE("(?:a*b){4}c", "babababc\nbababc", "<babababc>"),
        CASE("c(?:ba*){5}", "cbababab\ncbabababab", "<cbabababab>"),
        CASE("(?:x(?:a?b)+){2,3}$", "xbxab\nxab", "<xbxab>"),
        CASE("(?:a{2}){3}", "aaaaa\naaaaaa", "<aaaaaa>"),
    };
    EXPECT(cases, false, false);
}

static void case_is_ignored_in_ascii_only(void **state)
{
    static const struct line_case cases[] = {
        CASE("[a-c]x", "BX\nDX", "<BX>"),
        CASE("[^a]", "A\nb", "<b>"),
        CASE("x[^q]z", "XaZ\nxBz\nxQz", "<XaZ><xBz>"),
        CASE("(?-i)a", "A\na", "<a>"),
        CASE("(a)\\1", "aA\nab", "<aA>"),
        CASE("(?i)[k-m]", "K\n\xe2\x84\xaa", "<K>"),
    };
    static const struct line_case of_both_kinds[] = {
        CASE("error", "ERROR\neRRor\nerr0r", "<ERROR><eRRor>"),
        CASE("eRRor", "ERROR\neRRor\nerr0r", "<ERROR><eRRor>"),
        CASE("\xe9", "\xe9\n\xc9", "<\xe9>"),
        CASE("k", "K\n\xe2\x84\xaa", "<K>"),
        CASE("@`", "@`\n``\n@@", "<@`>"),
        CASE("]a", "]A\n}a\n]a", "<]A><]a>"),
    };
    EXPECT(cases, false, true);
    EXPECT(of_both_kinds, false, true);
    EXPECT(of_both_kinds, true, true);
}

static void a_literal_has_no_syntax(void **state)
{
    static const struct line_case cases[] = {
        CASE("", "a\n\n", "<a><>"),
        CASE("a.b", "a.b\naxb", "<a.b>"),
        CASE("a(b", "a(b\nab", "<a(b>"),
        CASE("\\d", "1\n\\d", "<\\d>"),
        CASE("^$", "\n^$", "<^$>"),
        CASE("a\0b", "a\0b\nab\na", "<a\0b>"),
        CASE("(*UTF)", "(*UTF)\na", "<(*UTF)>"),
        CASE("a", "A\na", "<a>"),
        CASE("a\r", "a\r\nA\r\na", "<a\r>"),
        CASE("ab", "a\nb\nab", "<ab>"),
    };
    EXPECT(cases, true, false);
}

/* Only the beginning of a long literal is searched for; all of it has to be there. */
static void a_long_literal_is_confirmed_to_its_end(void **state)
{
    struct strbuf literal = {0}, text = {0}, want = {0};
    for (int i = 0; i < 5000; i++)
        strbuf_addc(&literal, (char)('a' + i % 7 + i % 13));
    for (int i = 0; i < 3; i++) {
        strbuf_adds(&text, "x ");
        strbuf_add(&text, literal.p, literal.n - (i == 1));
        strbuf_adds(&text, "!\n");
    }
    for (int i = 0; i < 2; i++) {
        strbuf_adds(&want, "<x ");
        strbuf_add(&want, literal.p, literal.n);
        strbuf_adds(&want, "!>");
    }
    for (int i = 0; i < 4; i++) {
        struct pattern_set *set = set_of((struct span){literal.p, literal.n}, i & 1, i & 2);
        expect_lines(set, (struct span){text.p, text.n}, (struct span){want.p, want.n}, "long");
        pattern_set_free(set);
    }
    strbuf_free(&literal);
    strbuf_free(&text);
    strbuf_free(&want);
}

static void no_pattern_matches_nothing(void **state)
{
    struct pattern_set *set = set_of_specs(NULL, 0, false);
    expect_lines(set, BYTES("a\n\nb"), BYTES(""), "no pattern");
    pattern_set_free(set);
}

static void any_pattern_of_a_set_keeps_a_line(void **state)
{
    static const struct {
        struct pattern_spec specs[4];
        struct span text, want;
    } cases[] = {
        /* exact, lossy, opaque and literal together */
        {{{BYTES("^a+$"), false, NULL},
          {BYTES("(b)\\1"), false, NULL},
          {BYTES("(?(?=c)cd|e)"), false, NULL},
          {BYTES("."), true, NULL}},
         BYTES("aa\nab\nbb\ncd\nce\n.\ncc"),
         BYTES("<aa><bb><cd><ce><.>")},
        /* groups, verbs and options of one mean nothing to another */
        {{{BYTES("(x)"), false, NULL},
          {BYTES("(a)\\1"), false, NULL},
          {BYTES("(?i)q"), false, NULL},
          {BYTES("z(*COMMIT)y"), false, NULL}},
         BYTES("aa\nAA\nQ\nX\nzxzy"),
         BYTES("<aa><Q><zxzy>")},
        /* a hit at a line's very end, and what is tried on each line */
        {{{BYTES("\\b$"), false, NULL},
          {BYTES("(?(?=q)q|z)"), false, NULL},
          {BYTES("@"), true, NULL},
          {BYTES("[0-9]$"), false, NULL}},
         BYTES("a\n-\n1\n-a\n\nz-"),
         BYTES("<a><1><-a><z->")},
        /* never, and every line */
        {{{BYTES("\\n"), false, NULL},
          {BYTES("[^\\s\\S]"), false, NULL},
          {BYTES("x*"), false, NULL},
          {BYTES("a"), false, NULL}},
         BYTES("a\n\nb"),
         BYTES("<a><><b>")},
        {{{BYTES("\\n"), false, NULL},
          {BYTES("a\\nb"), false, NULL},
          {BYTES("[^\\s\\S]"), false, NULL},
          {BYTES("b(?!)"), false, NULL}},
         BYTES("a\n\nb"),
         BYTES("")},
        /* the same pattern twice */
        {{{BYTES("a|b"), false, NULL},
          {BYTES("a|b"), false, NULL},
          {BYTES("b"), true, NULL},
          {BYTES("b"), true, NULL}},
         BYTES("ab\nc\nb"),
         BYTES("<ab><b>")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char what[40];
        snprintf(what, sizeof what, "set %zu", i);
        struct pattern_set *set = set_of_specs(cases[i].specs, 4, false);
        expect_lines(set, cases[i].text, cases[i].want, what);
        pattern_set_free(set);
    }
}

static void the_engine_is_named(void **state)
{
    static const struct {
        struct pattern_spec spec;
        const char *with, *without;
    } cases[] = {
        {{BYTES("abc"), true, NULL}, "hyperscan", "literal"},
        {{BYTES("a\\.c"), false, NULL}, "hyperscan", "literal"},
        {{BYTES("[ab]c"), false, NULL}, "hyperscan", "pcre2"},
        {{BYTES("(ab)\\1"), false, NULL}, "hyperscan", "pcre2"},
        {{BYTES("(?R)?a"), false, NULL}, "pcre2", "pcre2"},
        {{BYTES("(*COMMIT)a"), false, NULL}, "pcre2", "pcre2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pattern_set *set = set_of_specs(&cases[i].spec, 1, false);
        const char *want = has_hyperscan() ? cases[i].with : cases[i].without;
        assert_string_equal(pattern_set_engine(set), want);
        pattern_set_free(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_expression_is_shown_with_its_place),
        cmocka_unit_test(the_bad_one_of_many_is_named),
        cmocka_unit_test(a_long_pattern_is_cut_around_its_place),
        cmocka_unit_test(a_newline_in_a_pattern_is_refused),
        cmocka_unit_test(utf_mode_is_refused),
        cmocka_unit_test(an_expression_sees_one_line_without_its_newline),
        cmocka_unit_test(nul_and_high_bytes_are_ordinary),
        cmocka_unit_test(what_is_not_regular_goes_as_pcre2_does),
        cmocka_unit_test(case_is_ignored_in_ascii_only),
        cmocka_unit_test(a_literal_has_no_syntax),
        cmocka_unit_test(a_long_literal_is_confirmed_to_its_end),
        cmocka_unit_test(no_pattern_matches_nothing),
        cmocka_unit_test(any_pattern_of_a_set_keeps_a_line),
        cmocka_unit_test(the_engine_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

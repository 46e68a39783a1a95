/* Scanners: blocks and windows of any size, dense and rare hits, matches within a line, and lines
 * that PCRE2 gives up on. The lines found never depend on the way they are searched.
 */
#include <pthread.h>

#include "match_fixture.h"

#define BIG ((size_t)64 << 20)

/* Windows ---------------------------------------------------------------------------------- */

/* A text, and the lines of it that are to be found. */
struct sample {
    struct strbuf text, want;
};

static void sample_init(struct sample *s)
{
    *s = (struct sample){.text.max = BIG, .want.max = BIG};
}

static void sample_line(struct sample *s, struct span line, bool hit)
{
    strbuf_add(&s->text, line.p, line.n);
    strbuf_addc(&s->text, '\n');
    if (!hit)
        return;
    strbuf_addc(&s->want, '<');
    strbuf_add(&s->want, line.p, line.n);
    strbuf_addc(&s->want, '>');
}

static void sample_expect(struct sample *s, const struct pattern_set *set, const char *what)
{
    assert_false(s->text.failed || s->want.failed);
    expect_lines(set, (struct span){s->text.p, s->text.n}, (struct span){s->want.p, s->want.n},
                 what);
}

static void sample_free(struct sample *s)
{
    strbuf_free(&s->text);
    strbuf_free(&s->want);
}

/* Patterns of which each shape of a set is made; all of them match "key=7" and not "key=". */
static const char *const shapes[] = {
    "key=7",             /* a string */
    "k[e-g]y=[0-9]",     /* exact */
    "key=(?=7)",         /* candidates */
    "(k)?key=(?(1)8|7)", /* PCRE2 alone */
};
#define SHAPES (sizeof shapes / sizeof *shapes)

/* One shape, or two of them: the other one never matches. */
static struct pattern_set *set_of_shapes(size_t i)
{
    struct pattern_spec specs[2] = {{span_of(shapes[i % SHAPES]), false, "-e"},
                                    {BYTES("[0-9]z(?!x)"), false, "-e"}};
    return set_of_specs(specs, i < SHAPES ? 1 : 2, false);
}

static void lines_of_any_length_are_found_at_any_density(void **state)
{
    static const size_t every[] = {1, 2, 50, 5000};
    static const size_t lengths[] = {0, 40, 3000};
    for (size_t i = 0; i < SHAPES * 2; i++) {
        struct pattern_set *set = set_of_shapes(i);
        for (size_t k = 0; k < 12; k++) {
            struct sample s;
            sample_init(&s);
            size_t lines = k % 3 == 2 ? 60 : 5000;
            for (size_t n = 0; n < lines; n++) {
                char line[3100];
                bool hit = n % every[k / 3] == 0;
                size_t length = lengths[k % 3] ? (n * 7919) % lengths[k % 3] : 0;
                memset(line, 'k', length);
                memcpy(line + length, "key=7", 5);
                sample_line(&s, (struct span){line, length + 4 + hit}, hit);
            }
            sample_expect(&s, set, shapes[i % SHAPES]);
            sample_free(&s);
        }
        pattern_set_free(set);
    }
}

static void a_line_longer_than_a_window_is_one_line(void **state)
{
    for (size_t i = 0; i < SHAPES * 2; i++) {
        struct pattern_set *set = set_of_shapes(i);
        struct sample s;
        struct strbuf line = {.max = BIG};
        sample_init(&s);
        sample_line(&s, BYTES("key=7"), true);
        for (int n = 0; n < 4; n++) {
            strbuf_clear(&line);
            for (int k = 0; k < 40000; k++)
                strbuf_adds(&line, n % 2 ? "key= " : "no ");
            strbuf_adds(&line, n < 2 ? "key=7 x" : "");
            sample_line(&s, (struct span){line.p, line.n}, n < 2);
            sample_line(&s, BYTES(""), false);
        }
        sample_line(&s, BYTES("key=7"), true);
        s.text.n--; /* no newline at its end */
        sample_expect(&s, set, shapes[i % SHAPES]);
        strbuf_free(&line);
        sample_free(&s);
        pattern_set_free(set);
    }
}

/* More candidates in a block, and in one line, than a list holds. */
static void thousands_of_candidates_are_all_judged(void **state)
{
    enum { N = 4200 };
    char(*texts)[24] = calloc(N, sizeof *texts);
    struct pattern_spec *specs = calloc(N, sizeof *specs);
    struct strbuf all = {.max = BIG};
    struct sample s;
    assert_true(texts && specs);
    sample_init(&s);
    /* Each is found by its beginning, and then is not there: all but the last. */
    for (int i = 0; i < N; i++) {
        snprintf(texts[i], sizeof texts[i], "k%04d=[0-9]%s", i, i == N - 1 ? "" : "(?!)");
        specs[i] = (struct pattern_spec){span_of(texts[i]), false, "-f"};
        strbuf_addf(&all, "k%04d=1 ", i);
    }
    sample_line(&s, BYTES("k0001=2"), false);
    sample_line(&s, (struct span){all.p, all.n}, true);
    sample_line(&s, (struct span){all.p, all.n - 9}, false);
    for (int i = 99; i < N; i += 100)
        sample_line(&s, (struct span){all.p + i * 8, 7}, i == N - 1);
    struct pattern_set *set = set_of_specs(specs, N, false);
    struct scanner *scanner = scanner_of(set, WAY_FREE);
    struct strbuf out = {.max = BIG};
    error err = {0};
    assert_int_equal(scan_block(scanner, (struct span){s.text.p, s.text.n}, &out, &err), OK);
    expect_bytes(&out, (struct span){s.want.p, s.want.n}, "thousands");
    scanner_close(scanner);
    pattern_set_free(set);
    strbuf_free(&out);
    strbuf_free(&all);
    sample_free(&s);
    free(specs);
    free(texts);
}

/* Where the hits lie changes, and with it the way that is faster. */
static void changing_density_changes_no_line(void **state)
{
    for (size_t i = 0; i < SHAPES; i++) {
        struct pattern_set *set = set_of_shapes(i);
        struct sample s;
        sample_init(&s);
        for (int n = 0; n < 40000; n++) {
            bool hit = n / 10000 % 2 ? n % 997 == 0 : n % 17 != 0;
            char line[80];
            int length = snprintf(line, sizeof line, "line %d of it, key=%s", n, hit ? "7" : "x");
            sample_line(&s, (struct span){line, (size_t)length}, hit);
        }
        struct scanner *scanner = scanner_of(set, WAY_FREE);
        struct strbuf out = {.max = BIG};
        error err = {0};
        assert_int_equal(scan_block(scanner, (struct span){s.text.p, s.text.n}, &out, &err), OK);
        expect_bytes(&out, (struct span){s.want.p, s.want.n}, shapes[i]);
        scanner_close(scanner);
        strbuf_free(&out);
        sample_free(&s);
        pattern_set_free(set);
    }
}

static void a_block_left_in_the_middle_leaves_nothing_behind(void **state)
{
    for (size_t i = 0; i < SHAPES; i++)
        for (int way = 0; way < WAYS; way++) {
            struct pattern_set *set = set_of_shapes(i);
            struct scanner *s = scanner_of(set, way);
            struct strbuf out = {0};
            error err = {0};
            struct span line;
            bool found;
            if (s) {
                scanner_begin(s, BYTES("key=7\nkey=7 a\nkey=7 b\n"));
                assert_int_equal(scanner_next(s, &line, &found, &err), OK);
                assert_true(found && line.n == 5);
                assert_int_equal(scan_block(s, BYTES("x\nkey=7 c\n"), &out, &err), OK);
                assert_int_equal(scan_block(s, BYTES(""), &out, &err), OK);
                assert_int_equal(scan_block(s, BYTES("\n"), &out, &err), OK);
                expect_bytes(&out, BYTES("<key=7 c>"), shapes[i]);
                /* and the end is the end, however often it is asked for */
                assert_int_equal(scanner_next(s, &line, &found, &err), OK);
                assert_false(found);
            }
            strbuf_free(&out);
            scanner_close(s);
            pattern_set_free(set);
        }
}

struct sharer {
    pthread_t thread;
    const struct pattern_set *set;
    const struct sample *sample;
    struct strbuf out;
    status st;
};

static void *scan_shared(void *arg)
{
    struct sharer *me = arg;
    struct scanner *s = NULL;
    error err;
    me->st = scanner_open(&s, me->set, &err);
    for (int i = 0; i < 20 && !me->st; i++) {
        strbuf_clear(&me->out);
        me->st =
            scan_block(s, (struct span){me->sample->text.p, me->sample->text.n}, &me->out, &err);
    }
    scanner_close(s);
    return NULL;
}

static void threads_share_a_set(void **state)
{
    struct pattern_spec specs[SHAPES];
    struct sample sample;
    struct sharer sharers[4];
    for (size_t i = 0; i < SHAPES; i++)
        specs[i] = (struct pattern_spec){span_of(shapes[i]), false, "-e"};
    struct pattern_set *set = set_of_specs(specs, SHAPES, false);
    sample_init(&sample);
    for (int i = 0; i < 2000; i++)
        sample_line(&sample, i % 3 ? BYTES("a key=") : BYTES("a key=7"), i % 3 == 0);
    for (int i = 0; i < 4; i++) {
        sharers[i] = (struct sharer){.set = set, .sample = &sample, .out.max = BIG};
        assert_int_equal(pthread_create(&sharers[i].thread, NULL, scan_shared, &sharers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(sharers[i].thread, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sharers[i].st, OK);
        expect_bytes(&sharers[i].out, (struct span){sample.want.p, sample.want.n}, "shared");
        strbuf_free(&sharers[i].out);
    }
    sample_free(&sample);
    pattern_set_free(set);
}

/* Giving up -------------------------------------------------------------------------------- */

/* Tries 2^28 ways on a line of a's that ends in another byte. */
#define SLOW "(?=(?:a|a)+$)a"
#define SLOW_LINE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"

static void expect_giving_up(const struct pattern_set *set, int way)
{
    struct scanner *s = scanner_of(set, way);
    struct strbuf out = {0};
    error err = {0};
    if (!s)
        return;
    status st = scan_block(s, BYTES("aa\nb\naaa\n" SLOW_LINE "\na\n"), &out, &err);
    assert_int_equal(st, WEIR_RECORD);
    assert_int_equal(err.status, WEIR_RECORD);
    expect_bytes(&out, BYTES("<aa><aaa>"), way_names[way]);
    assert_string_equal(err.message,
                        "a pattern takes too long on the line of 41 bytes at offset 9 of the block "
                        "(match limit exceeded); use one with less to choose from, such as "
                        "[^\"]* for .*");
    /* Asked again it says the same; a new block begins afresh. */
    struct span line;
    bool found = true;
    memset(&err, 0, sizeof err);
    assert_int_equal(scanner_next(s, &line, &found, &err), WEIR_RECORD);
    assert_false(found);
    assert_non_null(strstr(err.message, "at offset 9 of the block"));
    strbuf_clear(&out);
    assert_int_equal(scan_block(s, BYTES("b\na\n"), &out, &err), OK);
    expect_bytes(&out, BYTES("<a>"), way_names[way]);
    strbuf_free(&out);
    scanner_close(s);
}

static void a_line_that_takes_too_long_is_a_bad_record(void **state)
{
    static const struct pattern_spec specs[] = {{BYTES(SLOW), false, "-e"},
                                                {BYTES("z[0-9]"), false, "-e"},
                                                {BYTES("(?(?=z)zz|y)"), false, "-e"}};
    for (size_t n = 1; n <= 3; n++)
        for (int way = 0; way < WAYS; way++) {
            struct pattern_set *set = set_of_specs(specs, n, false);
            expect_giving_up(set, way);
            pattern_set_free(set);
        }
}

/* Lines behind the first window's are counted from the block's beginning. */
static void the_offset_of_a_bad_line_is_that_in_the_block(void **state)
{
    struct pattern_set *set = set_of(BYTES(SLOW), false, false);
    for (int way = 0; way < WAYS; way++) {
        struct scanner *s = scanner_of(set, way);
        struct strbuf text = {.max = BIG}, out = {.max = BIG};
        error err = {0};
        if (!s)
            continue;
        for (int i = 0; i < 50000; i++)
            strbuf_adds(&text, "bbbb\n");
        strbuf_adds(&text, SLOW_LINE);
        assert_int_equal(scan_block(s, (struct span){text.p, text.n}, &out, &err), WEIR_RECORD);
        assert_non_null(strstr(err.message, "the line of 41 bytes at offset 250000 of the block"));
        assert_int_equal(out.n, 0);
        strbuf_free(&text);
        strbuf_free(&out);
        scanner_close(s);
    }
    pattern_set_free(set);
}

static void another_pattern_that_matches_is_enough(void **state)
{
    static const struct pattern_spec specs[] = {
        {BYTES(SLOW), false, "-e"}, {BYTES("b"), true, "-e"}, {BYTES("(?(?=x)x|c)"), false, "-e"}};
    struct pattern_set *set = set_of_specs(specs, 3, false);
    expect_lines(set, BYTES("d\n" SLOW_LINE "\naac\n"), BYTES("<" SLOW_LINE "><aac>"), "b too");
    pattern_set_free(set);
    set = set_of_specs(specs + 1, 2, false);
    expect_lines(set, BYTES("d\n" SLOW_LINE "\nc\n"), BYTES("<" SLOW_LINE "><c>"), "without");
    pattern_set_free(set);
}

/* What backtracks without end in PCRE2, but is regular, is searched without backtracking where
 * there is Hyperscan, and is a bad record where there is not. */
static void a_regular_pattern_does_not_backtrack(void **state)
{
    struct pattern_set *set = set_of(BYTES("x(?:a|a)+b$"), false, false);
    struct scanner *s = scanner_of(set, WAY_FREE);
    struct strbuf out = {0};
    error err = {0};
    status st = scan_block(s, BYTES("xab\nx" SLOW_LINE "c\nxaab\n"), &out, &err);
    assert_int_equal(st, has_hyperscan() ? OK : WEIR_RECORD);
    expect_bytes(&out, has_hyperscan() ? BYTES("<xab><xaab>") : BYTES("<xab>"), "regular");
    scanner_close(s);
    strbuf_free(&out);
    pattern_set_free(set);
}

/* Lines of many a's and b's, one of them with a y at its end. */
static void make_deep(struct sample *s, size_t n)
{
    char *line = malloc(n + 1);
    assert_non_null(line);
    for (size_t i = 0; i < n; i++)
        line[i] = i % 2 ? 'a' : 'b';
    line[n] = 'y';
    sample_init(s);
    sample_line(s, (struct span){line, n}, false);
    sample_line(s, (struct span){line, n + 1}, true);
    free(line);
}

/* Deeper than the stack of the machine code: the interpreter has room for it. */
static void a_deep_line_is_matched_after_all(void **state)
{
    struct sample s;
    make_deep(&s, 1500000);
    struct pattern_set *set = set_of(BYTES("^(?:.)*?y$(?!z)"), false, false);
    sample_expect(&s, set, "deep");
    pattern_set_free(set);
    sample_free(&s);
}

/* Deeper than that: memory has an end. What comes then has room again. */
static void a_line_too_deep_for_memory_is_a_bad_record(void **state)
{
    struct sample s;
    make_deep(&s, 1000000);
    struct pattern_set *set = set_of(BYTES("^(a|b)*y$(?!\\1z)"), false, false);
    struct scanner *scanner = scanner_of(set, WAY_FREE);
    struct strbuf out = {.max = BIG};
    error err = {0};
    status st = scan_block(scanner, (struct span){s.text.p, s.text.n}, &out, &err);
    assert_int_equal(st, WEIR_RECORD);
    assert_non_null(strstr(err.message, "heap limit exceeded"));
    assert_int_equal(out.n, 0);
    assert_int_equal(scan_block(scanner, BYTES("ba\nbay\n"), &out, &err), OK);
    expect_bytes(&out, BYTES("<bay>"), "what comes then");
    strbuf_free(&out);
    scanner_close(scanner);
    pattern_set_free(set);
    sample_free(&s);
}

/* Matches ---------------------------------------------------------------------------------- */

#define MOST 3

static void matches_are_those_of_grep_o(void **state)
{
    static const struct {
        struct pattern_spec specs[MOST];
        size_t n;
        bool ignore_case;
        struct span line, want;
    } cases[] = {
        {{{BYTES("a+"), false, NULL}}, 1, false, BYTES("aabca"), BYTES("<aa><a>")},
        {{{BYTES("a+?"), false, NULL}}, 1, false, BYTES("aab"), BYTES("<a><a>")},
        {{{BYTES("^a"), false, NULL}}, 1, false, BYTES("aaa"), BYTES("<a>")},
        {{{BYTES("(?<=^a)a|^a"), false, NULL}}, 1, false, BYTES("aaa"), BYTES("<a>")},
        {{{BYTES("\\Aa"), false, NULL}}, 1, false, BYTES("aa"), BYTES("<a>")},
        {{{BYTES("\\Ga"), false, NULL}}, 1, false, BYTES("aaba"), BYTES("<a><a>")},
        {{{BYTES("(?<=a)b"), false, NULL}}, 1, false, BYTES("abbab"), BYTES("<b><b>")},
        {{{BYTES("\\bb"), false, NULL}}, 1, false, BYTES("bb b"), BYTES("<b><b>")},
        {{{BYTES("a\\Kb"), false, NULL}}, 1, false, BYTES("abab"), BYTES("<b><b>")},
        {{{BYTES("a\\K"), false, NULL}}, 1, false, BYTES("aab"), BYTES("")},
        {{{BYTES("x*"), false, NULL}}, 1, false, BYTES("axxbx"), BYTES("<xx><x>")},
        {{{BYTES(""), false, NULL}}, 1, false, BYTES("ab"), BYTES("")},
        {{{BYTES(""), true, NULL}}, 1, false, BYTES("ab"), BYTES("")},
        {{{BYTES("$|b"), false, NULL}}, 1, false, BYTES("ab"), BYTES("<b>")},
        {{{BYTES("."), false, NULL}}, 1, false, BYTES("\0\xff\r"), BYTES("<\0><\xff><\r>")},
        {{{BYTES("a"), true, NULL}}, 1, true, BYTES("aAb"), BYTES("<a><A>")},
        {{{BYTES("aB"), true, NULL}}, 1, true, BYTES("abAB\0ab"), BYTES("<ab><AB><ab>")},
        {{{BYTES("aa"), true, NULL}}, 1, false, BYTES("aaaaa"), BYTES("<aa><aa>")},
        {{{BYTES("@]a"), true, NULL}}, 1, true, BYTES("`]a@}a@]A"), BYTES("<@]A>")},
        {{{BYTES("abcd"), true, NULL}}, 1, false, BYTES("abc"), BYTES("")},
        {{{BYTES("(a)\\1"), false, NULL}}, 1, true, BYTES("aAbaa"), BYTES("<aA><aa>")},
        {{{BYTES("a"), true, NULL}}, 1, false, BYTES(""), BYTES("")},
        /* The leftmost of several; at one place that of the first. */
        {{{BYTES("bc"), false, NULL}, {BYTES("ab"), false, NULL}, {BYTES("c"), true, NULL}},
         3,
         false,
         BYTES("abcbc"),
         BYTES("<ab><c><bc>")},
        {{{BYTES("a"), true, NULL}, {BYTES("ab"), true, NULL}, {BYTES("abc"), false, NULL}},
         3,
         false,
         BYTES("abc abc"),
         BYTES("<a><a>")},
        {{{BYTES("abc"), false, NULL}, {BYTES("ab"), true, NULL}, {BYTES("a"), true, NULL}},
         3,
         false,
         BYTES("abc ab a"),
         BYTES("<abc><ab><a>")},
        {{{BYTES("x*"), false, NULL}, {BYTES("b"), true, NULL}},
         2,
         false,
         BYTES("abx"),
         BYTES("<b><x>")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char what[40];
        struct strbuf out = {0};
        error err = {0};
        snprintf(what, sizeof what, "case %zu", i);
        struct pattern_set *set = set_of_specs(cases[i].specs, cases[i].n, cases[i].ignore_case);
        struct scanner *s = scanner_of(set, WAY_FREE);
        assert_int_equal(all_matches(s, cases[i].line, &out, &err), OK);
        expect_bytes(&out, cases[i].want, what);
        scanner_close(s);
        pattern_set_free(set);
        strbuf_free(&out);
    }
}

/* So many that they are found by one scan. */
static void matches_of_many_literals_are_the_leftmost(void **state)
{
    char texts[40][8];
    struct pattern_spec specs[40];
    for (int i = 0; i < 40; i++) {
        snprintf(texts[i], sizeof texts[i], i % 2 ? "k%d" : "k%d_", 50 - i);
        specs[i] = (struct pattern_spec){span_of(texts[i]), true, "-F"};
    }
    specs[30].text = BYTES("k4");
    for (size_t n = 15; n <= 40; n += 25)
        for (int i = 0; i < 2; i++) {
            struct strbuf out = {0};
            error err = {0};
            struct pattern_set *set = set_of_specs(specs, n, i);
            struct scanner *s = scanner_of(set, WAY_FREE);
            assert_int_equal(all_matches(s, BYTES("zk50_k49K48_k47.k4.k11"), &out, &err), OK);
            const char *want =
                n == 40 ? i ? "<k50_><k49><K48_><k47><k4><k11>" : "<k50_><k49><k47><k4><k11>"
                : i     ? "<k50_><k49><K48_><k47>"
                        : "<k50_><k49><k47>";
            expect_bytes(&out, span_of(want), n == 40 ? "many" : "few");
            scanner_close(s);
            pattern_set_free(set);
            strbuf_free(&out);
        }
}

/* Among many literals: an expression, and a string that is searched for by its beginning. */
static void matches_of_many_patterns_are_whole(void **state)
{
    char texts[20][16], longest[1201];
    struct pattern_spec specs[20];
    memset(longest, 'x', 1200);
    longest[1200] = 0;
    for (int last = 0; last < 2; last++) {
        struct strbuf line = {0}, want = {0}, out = {0};
        error err = {0};
        for (int i = 0; i < 20; i++) {
            snprintf(texts[i], sizeof texts[i], "k%02d", i);
            specs[i] = (struct pattern_spec){span_of(texts[i]), true, "-F"};
        }
        specs[19] = last ? (struct pattern_spec){span_of(longest), true, "-F"}
                         : (struct pattern_spec){BYTES("<[^>]*>"), false, "-e"};
        strbuf_addf(&line, "k01 <ab> %.1100s k18 %.1200s k19", longest, longest);
        strbuf_addf(&want, "<k01>%s<k18>%s", last ? "" : "<<ab>>", last ? "<" : "");
        strbuf_addf(&want, "%s", last ? longest : "");
        strbuf_adds(&want, last ? ">" : "");
        struct pattern_set *set = set_of_specs(specs, 20, false);
        struct scanner *s = scanner_of(set, WAY_FREE);
        assert_int_equal(all_matches(s, (struct span){line.p, line.n}, &out, &err), OK);
        expect_bytes(&out, (struct span){want.p, want.n}, last ? "a long one" : "an expression");
        scanner_close(s);
        pattern_set_free(set);
        strbuf_free(&line);
        strbuf_free(&want);
        strbuf_free(&out);
    }
}

static void a_match_that_takes_too_long_is_a_bad_record(void **state)
{
    struct pattern_set *set = set_of(BYTES("^aa|" SLOW), false, false);
    struct scanner *s = scanner_of(set, WAY_FREE);
    struct strbuf out = {0};
    error err = {0};
    assert_int_equal(all_matches(s, BYTES(SLOW_LINE), &out, &err), WEIR_RECORD);
    expect_bytes(&out, BYTES("<aa>"), "what stands before");
    assert_string_equal(err.message,
                        "a pattern takes too long behind byte 2 of a line of 41 bytes; "
                        "use one with less to choose from, such as [^\"]* for .*");
    scanner_close(s);
    pattern_set_free(set);
    strbuf_free(&out);
}

static void beyond_the_end_of_a_line_is_no_match(void **state)
{
    struct pattern_set *set = set_of(BYTES("a"), false, false);
    struct scanner *s = scanner_of(set, WAY_FREE);
    size_t start, end;
    bool found = true;
    error err = {0};
    for (size_t from = 1; from < 4; from++) {
        assert_int_equal(scanner_match(s, BYTES("a"), from, &start, &end, &found, &err), OK);
        assert_false(found);
    }
    scanner_close(s);
    pattern_set_free(set);
}

static void only_ways_that_a_set_has_can_be_asked_for(void **state)
{
    static const struct {
        struct span pattern;
        bool block, jump;
    } cases[] = {
        {BYTES("abc"), true, true},
        {BYTES("[ab]c"), true, true},
        {BYTES("(?R)?c"), false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pattern_set *set = set_of(cases[i].pattern, false, false);
        struct scanner *s = scanner_of(set, WAY_FREE);
        assert_int_equal(scanner_pin(s, WAY_BLOCK), cases[i].block && has_hyperscan());
        assert_int_equal(scanner_pin(s, WAY_JUMP), cases[i].jump);
        scanner_close(s);
        pattern_set_free(set);
    }
    scanner_close(NULL);
    pattern_set_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_any_length_are_found_at_any_density),
        cmocka_unit_test(a_line_longer_than_a_window_is_one_line),
        cmocka_unit_test(thousands_of_candidates_are_all_judged),
        cmocka_unit_test(changing_density_changes_no_line),
        cmocka_unit_test(a_block_left_in_the_middle_leaves_nothing_behind),
        cmocka_unit_test(threads_share_a_set),
        cmocka_unit_test(a_line_that_takes_too_long_is_a_bad_record),
        cmocka_unit_test(the_offset_of_a_bad_line_is_that_in_the_block),
        cmocka_unit_test(another_pattern_that_matches_is_enough),
        cmocka_unit_test(a_regular_pattern_does_not_backtrack),
        cmocka_unit_test(a_deep_line_is_matched_after_all),
        cmocka_unit_test(a_line_too_deep_for_memory_is_a_bad_record),
        cmocka_unit_test(matches_are_those_of_grep_o),
        cmocka_unit_test(matches_of_many_literals_are_the_leftmost),
        cmocka_unit_test(matches_of_many_patterns_are_whole),
        cmocka_unit_test(a_match_that_takes_too_long_is_a_bad_record),
        cmocka_unit_test(beyond_the_end_of_a_line_is_no_match),
        cmocka_unit_test(only_ways_that_a_set_has_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

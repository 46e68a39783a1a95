/* The filter: each flag by a table, and all of them against grep. */
#include <unistd.h>

#include "stage_fixture.h"

static const char poem[] = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

/* Runs it whole and byte by byte, and wants the same both times. */
static void expect(struct stage_run *r, const char *body, size_t n, const char *want)
{
    for (size_t chunk = 0; chunk < 2; chunk++) {
        stage_run_body(r, &stage_filter, body, n, chunk);
        assert_int_equal(r->finished, OK);
        assert_int_equal(r->torn, 0);
        assert_string_equal(strbuf_text(&r->out), want);
    }
}

static void flags_do_what_they_say(void **state)
{
    static const struct {
        weir_filter flags;
        const char *pattern, *want;
        uint64_t lines_in, lines_out;
    } rows[] = {
        {{0}, "e$", "one\nthree\nfive\nnine\n", 10, 4},
        {{0}, "nothing", "", 10, 0},
        {{0}, "", poem, 10, 10},
        {{.invert = true}, "e", "two\nfour\nsix\n", 10, 3},
        {{.invert = true}, "", "", 10, 0},
        {{.count = true}, "e$", "4\n", 10, 4},
        {{.count = true}, "nothing", "0\n", 10, 0},
        {{.count = true, .invert = true}, "e$", "6\n", 10, 6},
        {{.count = true, .with_url = true}, "e$", "http://a.example/x.log\t4\n", 10, 4},
        {{.count = true, .max_count = 3}, "e$", "3\n", 5, 3},
        {{.max_count = 2}, "e$", "one\nthree\n", 3, 2},
        {{.max_count = 2, .invert = true}, "e$", "two\nfour\n", 4, 2},
        {{.max_count = 3, .invert = true}, "ten", "one\ntwo\nthree\n", 3, 3},
        {{.max_count = 99}, "e$", "one\nthree\nfive\nnine\n", 10, 4},
        {{.line_number = true}, "e$", "1:one\n3:three\n5:five\n9:nine\n", 10, 4},
        {{.with_url = true}, "tw", "http://a.example/x.log\ttwo\n", 10, 1},
        {{.with_url = true, .line_number = true}, "tw", "http://a.example/x.log\t2:two\n", 10, 1},
        {{.only_matching = true},
         "[aeiou]+",
         "o\ne\no\nee\nou\ni\ne\ni\ne\ne\nei\ni\ne\ne\n",
         10,
         10},
        {{.only_matching = true, .line_number = true}, "v|en", "5:v\n7:v\n7:en\n10:en\n", 10, 3},
        {{.only_matching = true, .invert = true}, "e", "", 10, 3},
        {{.only_matching = true}, "x*", "x\n", 10, 10},
        {{.after = 1}, "two|six", "two\nthree\n--\nsix\nseven\n", 10, 2},
        {{.before = 1}, "two|four", "one\ntwo\nthree\nfour\n", 10, 2},
        {{.before = 1}, "two|five", "one\ntwo\n--\nfour\nfive\n", 10, 2},
        {{.before = 2, .after = 1, .line_number = true},
         "five",
         "3-three\n4-four\n5:five\n6-six\n",
         10,
         1},
        {{.after = 2, .max_count = 1}, "five", "five\nsix\nseven\n", 7, 1},
        {{.after = 2, .max_count = 1}, "i", "five\nsix\nseven\n", 7, 1},
        {{.after = 9, .max_count = 1}, "ten", "ten\n", 10, 1},
        {{.before = 1, .with_url = true, .line_number = true},
         "two",
         "http://a.example/x.log\t1-one\nhttp://a.example/x.log\t2:two\n",
         10,
         1},
        {{.before = 1, .only_matching = true}, "w|v", "w\n--\nv\nv\n", 10, 3},
        {{.before = 3, .after = 3, .count = true}, "two", "1\n", 10, 1},
    };
    struct stage_run r;
    stage_run_init(&r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        r.setup.filter = rows[i].flags;
        stage_run_pattern(&r, rows[i].pattern);
        expect(&r, poem, sizeof poem - 1, rows[i].want);
        assert_int_equal(r.counts.lines_in, rows[i].lines_in);
        assert_int_equal(r.counts.lines_out, rows[i].lines_out);
    }
    stage_run_free(&r);
}

static void odd_lines_are_lines(void **state)
{
    static const struct {
        const char *pattern;
        const char *body;
        size_t n;
        const char *want;
        size_t want_n;
    } rows[] = {
#define ROW(pattern, body, want) {pattern, body, sizeof body - 1, want, sizeof want - 1}
        ROW("b", "a\nb", "b\n"), /* gets a newline */
        ROW("a\r$", "a\r\nb\r\n", "a\r\n"),
        ROW("^$", "\n\nx\n\n", "\n\n\n"),
        ROW("^$", "", ""),
        ROW("b", "a\0b\nc\0", "a\0b\n"),
        ROW("\\xff", "\xff\xfe\n\xc3\n", "\xff\xfe\n"),
#undef ROW
    };
    struct stage_run r;
    stage_run_init(&r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_run_pattern(&r, rows[i].pattern);
        for (size_t chunk = 0; chunk < 4; chunk++) {
            stage_run_body(&r, &stage_filter, rows[i].body, rows[i].n, chunk);
            assert_int_equal(r.out.n, rows[i].want_n);
            assert_memory_equal(strbuf_text(&r.out), rows[i].want, rows[i].want_n);
        }
    }
    stage_run_free(&r);
}

static void any_chunking_of_a_small_body_gives_the_same(void **state)
{
    static const char body[] = "ab\nb\n\nba\r\na\nb";
    static const weir_filter flags[] = {
        {0},
        {.invert = true},
        {.line_number = true},
        {.before = 1, .after = 1, .line_number = true},
        {.only_matching = true, .max_count = 2},
        {.max_count = 1, .after = 1},
        {.count = true},
    };
    struct stage_run r;
    stage_run_init(&r);
    stage_run_pattern(&r, "b");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        r.setup.filter = flags[i];
        struct strbuf whole = {0};
        stage_run_cut(&r, &stage_filter, body, sizeof body - 1, 0);
        strbuf_adds(&whole, strbuf_text(&r.out));
        struct stage_counts counts = r.counts;
        for (unsigned long cuts = 1; cuts < 1UL << (sizeof body - 2); cuts++) {
            stage_run_cut(&r, &stage_filter, body, sizeof body - 1, cuts);
            assert_int_equal(r.torn, 0);
            assert_string_equal(strbuf_text(&r.out), strbuf_text(&whole));
            assert_int_equal(r.counts.lines_in, counts.lines_in);
            assert_int_equal(r.counts.lines_out, counts.lines_out);
        }
        strbuf_free(&whole);
    }
    stage_run_free(&r);
}

static void long_line_is_skipped_and_counted_and_parts_nothing(void **state)
{
    static const char body[] = "a1\naaaaaaaa\na3\nx\nx\na6\nx\nxxxxxxxx\na9";
    struct stage_run r;
    stage_run_init(&r);
    r.setup.max_line = 7;
    stage_run_pattern(&r, "a");
    r.setup.filter = (weir_filter){.line_number = true, .before = 1};
    expect(&r, body, sizeof body - 1, "1:a1\n3:a3\n--\n5-x\n6:a6\n7-x\n9:a9\n");
    assert_int_equal(r.counts.long_lines, 2);
    assert_int_equal(r.counts.lines_in, 9);
    assert_int_equal(r.counts.lines_out, 4);
    r.setup.filter = (weir_filter){.invert = true};
    expect(&r, body, sizeof body - 1, "x\nx\nx\n"); /* it does not fail to match either */
    r.setup.max_line = 8;
    expect(&r, body, sizeof body - 1, "x\nx\nx\nxxxxxxxx\n");
    assert_int_equal(r.counts.long_lines, 0);
    stage_run_free(&r);
}

static void last_match_that_is_wanted_ends_the_download(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    stage_run_pattern(&r, "o");
    r.setup.filter = (weir_filter){.max_count = 2};
    struct chain *c = stage_run_open(&r, &stage_filter);
    assert_int_equal(stage_run_write(&r, c, "one\ntwo", 7), OK);
    assert_string_equal(strbuf_text(&r.out), "one\n"); /* not held back */
    assert_int_equal(stage_run_write(&r, c, "\nthree\nfour\n", 12), WEIR_END);
    assert_int_equal(stage_run_write(&r, c, "fo\n", 3), WEIR_END);
    assert_int_equal(chain_finish(c, &r.err), OK);
    assert_string_equal(strbuf_text(&r.out), "one\ntwo\n");

    chain_reset(c); /* and all over again */
    strbuf_clear(&r.out);
    assert_int_equal(stage_run_write(&r, c, "x\nno", 4), OK);
    assert_int_equal(stage_run_write(&r, c, "t\n", 2), OK);
    assert_int_equal(chain_file(c)->counts.lines_in, 2);
    assert_int_equal(stage_run_write(&r, c, "oo\nx", 4), WEIR_END);
    assert_string_equal(strbuf_text(&r.out), "not\noo\n");
    stage_run_close(&r, c);
    stage_run_free(&r);
}

static void reset_forgets_lines_that_might_be_context(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    stage_run_pattern(&r, "b");
    r.setup.filter = (weir_filter){.before = 2, .after = 2, .line_number = true};
    struct chain *c = stage_run_open(&r, &stage_filter);
    assert_int_equal(stage_run_write(&r, c, "b\nx\nx\nx\nx\nx", 11), OK);
    chain_reset(c);
    strbuf_clear(&r.out);
    assert_int_equal(stage_run_write(&r, c, "a\nb\na\n", 6), OK);
    chain_reset(c); /* within the context of a match */
    assert_int_equal(stage_run_write(&r, c, "a\nb\n", 4), OK);
    stage_run_close(&r, c);
    assert_string_equal(strbuf_text(&r.out), "1-a\n2:b\n3-a\n1-a\n2:b\n");
    stage_run_free(&r);
}

static void context_after_the_last_match_comes_before_the_end(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    stage_run_pattern(&r, "b");
    r.setup.filter = (weir_filter){.max_count = 1, .after = 2};
    struct chain *c = stage_run_open(&r, &stage_filter);
    assert_int_equal(stage_run_write(&r, c, "a\nb\n", 4), OK);
    assert_int_equal(stage_run_write(&r, c, "c\n", 2), OK);
    assert_int_equal(stage_run_write(&r, c, "d\n", 2), WEIR_END); /* no byte more is needed */
    stage_run_close(&r, c);
    assert_string_equal(strbuf_text(&r.out), "b\nc\nd\n");
    stage_run_free(&r);
}

static void neighbours_go_out_in_one_piece(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    struct strbuf body = {0};
    while (body.n < 200000)
        strbuf_addf(&body, "line %zu of many\n", body.n);
    stage_run_pattern(&r, "line");
    stage_run_body(&r, &stage_filter, body.p, body.n, 0);
    assert_int_equal(r.emits, 1);
    assert_int_equal(r.out.n, body.n);
    assert_memory_equal(r.out.p, body.p, body.n);
    /* isolated lines are gathered, in order with what is not */
    for (size_t i = 1000; i < body.n / 2; i += 40)
        if (body.p[i] != '\n')
            body.p[i] = '#';
    stage_run_pattern(&r, "^[^#]*$");
    stage_run_body(&r, &stage_filter, body.p, body.n, 0);
    assert_in_range(r.emits, 2, 8);
    assert_int_equal(r.torn, 0);
    struct strbuf want = {0};
    for (const char *p = body.p, *end = body.p + body.n, *next; p < end; p = next) {
        next = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
        if (!memchr(p, '#', (size_t)(next - p)))
            strbuf_add(&want, p, (size_t)(next - p));
    }
    assert_int_equal(r.out.n, want.n);
    assert_memory_equal(r.out.p, want.p, want.n);
    strbuf_free(&want);
    strbuf_free(&body);
    stage_run_free(&r);
}

static void line_longer_than_what_is_gathered_stays_whole(void **state)
{
    enum { SIZE = 300000 };
    struct stage_run r;
    stage_run_init(&r);
    stage_run_pattern(&r, "x");
    r.setup.filter.line_number = true;
    char *body = malloc(SIZE);
    assert_non_null(body);
    memset(body, 'x', SIZE);
    body[10] = '\n';
    stage_run_body(&r, &stage_filter, body, SIZE, 1 << 14);
    assert_int_equal(r.torn, 0);
    assert_int_equal(r.out.n, SIZE + 5); /* two numbers and a newline */
    assert_int_equal(r.out.p[r.out.n - 1], '\n');
    free(body);
    stage_run_free(&r);
}

static void context_is_bounded_in_bytes(void **state)
{
    enum { LINE = 1000, LINES = 12000 };
    struct stage_run r;
    stage_run_init(&r);
    stage_run_pattern(&r, "hit");
    r.setup.filter = (weir_filter){.before = UINT64_MAX, .line_number = true};
    char *body = malloc((size_t)LINE * LINES + 4);
    assert_non_null(body);
    memset(body, 'x', (size_t)LINE * LINES);
    memcpy(body, "hit", 3);
    for (size_t i = 1; i <= LINES; i++)
        body[i * LINE - 1] = '\n';
    memcpy(body + (size_t)LINE * LINES, "hit\n", 4);
    stage_run_body(&r, &stage_filter, body, (size_t)LINE * LINES + 4, 1 << 14);
    assert_in_range(r.out.n, 3 << 20, 5 << 20);
    /* some lines are missing between the two groups */
    assert_memory_equal(r.out.p + 2 + LINE, "--\n", 3);
    /* the last ones are there: 11999-xxx, 12000-xxx, 12001:hit */
    assert_string_equal(r.out.p + r.out.n - 10, "12001:hit\n");
    assert_memory_equal(r.out.p + r.out.n - 10 - (LINE + 6), "12000-xxx", 9);
    assert_int_equal(r.torn, 0);
    free(body);
    stage_run_free(&r);
}

static void failed_write_of_one_file_leaves_nothing_for_the_next(void **state)
{
    struct stage_run r;
    stage_run_init(&r);
    stage_run_pattern(&r, "a");
    r.setup.filter.line_number = true;
    r.setup.bad_records = BAD_FAIL;
    struct chain *c = stage_run_open(&r, &stage_filter);
    assert_int_equal(stage_run_write(&r, c, "a\n", 2), OK);
    r.tools.filtered.n = 2; /* what a write that broke off would leave */
    strbuf_clear(&r.out);
    assert_int_equal(stage_run_write(&r, c, "ab\n", 3), OK);
    assert_string_equal(strbuf_text(&r.out), "2:ab\n");
    stage_run_close(&r, c);
    stage_run_free(&r);
}

static void numbers_are_written_in_decimals(void **state)
{
    static const uint64_t numbers[] = {0, 9, 10, 99, 100, 101, 999, 1000, 12345, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char got[32] = "", want[32];
        snprintf(want, sizeof want, "%llu", (unsigned long long)numbers[i]);
        char *end = put_decimal(got, numbers[i]);
        assert_string_equal(got, want);
        assert_ptr_equal(end, got + strlen(want));
    }
}

/* Against grep ------------------------------------------------------------------------------ */

static unsigned long seed;

static unsigned below(unsigned bound)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % bound;
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
    const char *value = getenv(name);
    return value ? strtoul(value, NULL, 10) : otherwise;
}

/* "()" and not "": with -v -c and an empty pattern grep does not even put out its 0. */
static const char *const patterns[] = {"a",       "b$",    "^a",    "^$",    "a|bb",  "[^a]",
                                       "a+",      "()",    "x*",    "\\r$",  "\\x00", "(a)b\\1",
                                       "[\\xff]", "ab?",   "\\bx",  "(?i)A", "^.$",   "(?<=a)b",
                                       "a.b",     "b+x|a", "^(?!a)"};

static size_t make_body(char *body, size_t cap)
{
    size_t n = below((unsigned)cap);
    for (size_t i = 0; i < n; i++)
        body[i] = "aabbx\n\n\n\r\0 \xff"[below(12)];
    return n;
}

static void make_flags(weir_filter *f, struct strbuf *args)
{
    *f = (weir_filter){0};
    if (below(3) == 0 && (f->invert = true))
        strbuf_adds(args, " -v");
    if (below(6) == 0 && (f->count = true))
        strbuf_adds(args, " -c");
    if (below(3) == 0 && (f->line_number = true))
        strbuf_adds(args, " -n");
    if (below(5) == 0 && (f->only_matching = true))
        strbuf_adds(args, " -o");
    if (below(3) == 0)
        strbuf_addf(args, " -m %u", (unsigned)(f->max_count = 1 + below(4)));
    if (below(3) == 0)
        strbuf_addf(args, " -A %u", (unsigned)(f->after = 1 + below(3)));
    if (below(3) == 0)
        strbuf_addf(args, " -B %u", (unsigned)(f->before = 1 + below(3)));
}

static void ask_grep(struct strbuf *out, const char *args, const char *pattern, const char *path)
{
    struct strbuf command = {0};
    strbuf_addf(&command, "LC_ALL=C grep -aP%s -e '%s' %s", args, pattern, path);
    FILE *pipe = popen(strbuf_text(&command), "r");
    assert_non_null(pipe);
    char piece[512];
    strbuf_clear(out);
    for (size_t got; (got = fread(piece, 1, sizeof piece, pipe)) > 0;)
        strbuf_add(out, piece, got);
    int code = pclose(pipe);
    if (code && code != 256) /* 1: nothing matched */
        fail_msg("%s answered %d", strbuf_text(&command), code);
    strbuf_free(&command);
}

static void write_file(const char *path, const char *p, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void result_is_that_of_grep(void **state)
{
    unsigned long first = from_environment("WEIR_SEED", 7);
    unsigned long rounds = from_environment("WEIR_ROUNDS", 400);
    char path[] = "/tmp/weir-filter-XXXXXX", body[160];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct stage_run r;
    struct strbuf want = {0}, args = {0};
    stage_run_init(&r);
    for (unsigned long round = 0; round < rounds; round++) {
        seed = first + round;
        below(1);
        size_t n = make_body(body, sizeof body);
        const char *pattern = patterns[below(sizeof patterns / sizeof *patterns)];
        strbuf_clear(&args);
        make_flags(&r.setup.filter, &args);
        write_file(path, body, n);
        ask_grep(&want, strbuf_text(&args), pattern, path);
        stage_run_pattern(&r, pattern);
        for (size_t i = 0; i < 6; i++) {
            size_t chunk = i < 3 ? i : 3 + below(40);
            stage_run_body(&r, &stage_filter, body, n, chunk);
            if (r.out.n == want.n && !memcmp(strbuf_text(&r.out), strbuf_text(&want), want.n) &&
                !r.torn)
                continue;
            write_file("/tmp/weir-filter-body", body, n);
            fail_msg("WEIR_SEED=%lu WEIR_ROUNDS=1: grep%s -e '%s' /tmp/weir-filter-body, chunks of "
                     "%zu:\nwant:\n%s\ngot (torn: %d):\n%s",
                     first + round, strbuf_text(&args), pattern, chunk, strbuf_text(&want), r.torn,
                     strbuf_text(&r.out));
        }
    }
    unlink(path);
    strbuf_free(&want);
    strbuf_free(&args);
    stage_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_do_what_they_say),
        cmocka_unit_test(odd_lines_are_lines),
        cmocka_unit_test(any_chunking_of_a_small_body_gives_the_same),
        cmocka_unit_test(long_line_is_skipped_and_counted_and_parts_nothing),
        cmocka_unit_test(last_match_that_is_wanted_ends_the_download),
        cmocka_unit_test(reset_forgets_lines_that_might_be_context),
        cmocka_unit_test(context_after_the_last_match_comes_before_the_end),
        cmocka_unit_test(neighbours_go_out_in_one_piece),
        cmocka_unit_test(line_longer_than_what_is_gathered_stays_whole),
        cmocka_unit_test(context_is_bounded_in_bytes),
        cmocka_unit_test(failed_write_of_one_file_leaves_nothing_for_the_next),
        cmocka_unit_test(numbers_are_written_in_decimals),
        cmocka_unit_test(result_is_that_of_grep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

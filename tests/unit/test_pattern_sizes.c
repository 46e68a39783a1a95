/* Pattern sets of thousands of patterns, and patterns too large for a plan: the same lines as ever.
 */
#include "match_fixture.h"

/* `n` patterns; a text that holds every `step`th of them, and lines that come close; and the
 * lines of it that match. */
struct many {
    struct pattern_spec *specs;
    struct strbuf *texts;
    size_t n;
    struct strbuf text, want;
};

static void many_make(struct many *m, size_t n, size_t step, bool literal,
                      const char *(*tail)(size_t i))
{
    *m = (struct many){.n = n};
    m->text.max = m->want.max = (size_t)16 << 20;
    m->specs = calloc(n, sizeof *m->specs);
    m->texts = calloc(n, sizeof *m->texts);
    assert_true(m->specs && m->texts);
    for (size_t i = 0; i < n; i++) {
        strbuf_addf(&m->texts[i], "job%05zu%s", i, tail(i));
        m->specs[i] =
            (struct pattern_spec){{strbuf_text(&m->texts[i]), m->texts[i].n}, literal, "-f"};
        if (i % step && i != n - 1)
            continue;
        strbuf_addf(&m->text, "at job%05zu: ok\nat job%05zu end\nat job %05zu: no\njob%04zu\n", i,
                    i + n, i, i % 10000);
        if (*tail(i))
            strbuf_addf(&m->text, "job%05zux\n", i);
        strbuf_addf(&m->want, "<at job%05zu: ok>", i);
    }
}

static void many_free(struct many *m)
{
    for (size_t i = 0; i < m->n; i++)
        strbuf_free(&m->texts[i]);
    free(m->specs);
    free(m->texts);
    strbuf_free(&m->text);
    strbuf_free(&m->want);
}

static void many_expect(struct many *m, bool ignore_case, const char *what)
{
    struct pattern_set *set = set_of_specs(m->specs, m->n, ignore_case);
    expect_lines(set, (struct span){m->text.p, m->text.n}, (struct span){m->want.p, m->want.n},
                 what);
    pattern_set_free(set);
}

static const char *tail_none(size_t i)
{
    return "";
}

static const char *tail_mixed(size_t i)
{
    /* exact, lossy by look-around, lossy by reference, opaque, every kind of end */
    static const char *const tails[] = {":.*ok", "(?=:)", "(:| )", "(?(?=:):|;)", "\\W", ":+ ok$"};
    return tails[i % 6];
}

static void ten_thousand_literals_are_found(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct many m;
        many_make(&m, 10000, 13, i < 2, tail_none);
        many_expect(&m, i % 2, i < 2 ? "literals" : "expressions that are literals");
        many_free(&m);
    }
}

static void want_of_literals(struct many *m)
{
    strbuf_clear(&m->want);
    const char *p = m->text.p, *end = p + m->text.n;
    for (const char *next; p < end; p = next) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        struct span line = {p, (size_t)((newline ? newline : end) - p)};
        next = newline ? newline + 1 : end;
        bool hit = false;
        for (size_t i = 0; i < m->n && !hit; i++)
            hit = memmem(line.p, line.n, m->specs[i].text.p, m->specs[i].text.n) != NULL;
        if (!hit)
            continue;
        strbuf_addc(&m->want, '<');
        strbuf_add(&m->want, line.p, line.n);
        strbuf_addc(&m->want, '>');
    }
}

/* One of one byte: nothing but that can be hashed of all of them. The text ends in it, or in the
 * beginning of one that does not fit any more. */
static void literals_of_different_lengths_are_found(void **state)
{
    static const struct span short_ones = BYTES("a\0b\nkk\njob0000\nKK\n");
    static const struct span ends[] = {BYTES("K"), BYTES("job0001"), BYTES("a\0"), BYTES("job")};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct many m;
        many_make(&m, 200, 1, true, tail_none);
        if (i < 3) {
            m.specs[7].text = BYTES("\0");
            m.specs[8].text.n = 7;
            m.specs[9].text = BYTES("K");
        }
        strbuf_add(&m.text, short_ones.p, short_ones.n);
        strbuf_add(&m.text, ends[i].p, ends[i].n);
        want_of_literals(&m);
        many_expect(&m, false, "short ones among them");
        many_free(&m);
    }
}

/* More than have machine code, more than Hyperscan gets whole. */
static void hundreds_of_expressions_are_found(void **state)
{
    static const size_t counts[] = {63, 65, 199, 330};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct many m;
        char what[40];
        snprintf(what, sizeof what, "%zu expressions", counts[i]);
        many_make(&m, counts[i], 1, false, tail_mixed);
        many_expect(&m, i % 2, what);
        many_free(&m);
    }
}

static void add_run(struct strbuf *out, char c, size_t n)
{
    while (n-- > 0)
        strbuf_addc(out, c);
}

/* Repeats that no automaton has room for: the search is for something simpler, the result is not.
 */
static void huge_repeats_are_counted(void **state)
{
    static const struct {
        const char *pattern;
        char before, repeated, behind;
        size_t least, most; /* that match */
    } cases[] = {
        {"^a{3000}$", 0, 'a', 0, 3000, 3000},
        {"xa{1500}b", 'x', 'a', 'b', 1500, 1500},
        {"xa{1500,}b", 'x', 'a', 'b', 1500, SIZE_MAX},
        {"x[ab]{0,1200}c", 'x', 'a', 'c', 0, 1200},
        {"x(?:ab?){1,600}c", 'x', 'a', 'c', 1, 600},
        {"x(?:(?:a{2}){30}){20}c", 'x', 'a', 'c', 1200, 1200},
        {"^(?:a(?:b?)){1100,1101}$", 0, 'a', 0, 1100, 1101},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {.max = 1 << 20}, want = {.max = 1 << 20};
        size_t counts[] = {0, 1, cases[i].least - 1, cases[i].least, cases[i].least + 1, 0, 0};
        counts[5] = cases[i].most == SIZE_MAX ? 5000 : cases[i].most;
        counts[6] = counts[5] + 1;
        for (size_t k = cases[i].least ? 0 : 3; k < 7; k++) {
            struct strbuf line = {0};
            strbuf_add(&line, &cases[i].before, cases[i].before != 0);
            add_run(&line, cases[i].repeated, counts[k]);
            strbuf_add(&line, &cases[i].behind, cases[i].behind != 0);
            strbuf_add(&text, line.p, line.n);
            strbuf_addc(&text, '\n');
            if (counts[k] >= cases[i].least && counts[k] <= cases[i].most) {
                strbuf_addc(&want, '<');
                strbuf_add(&want, line.p, line.n);
                strbuf_addc(&want, '>');
            }
            strbuf_free(&line);
        }
        struct pattern_set *set = set_of(span_of(cases[i].pattern), false, false);
        expect_lines(set, (struct span){text.p, text.n}, (struct span){want.p, want.n},
                     cases[i].pattern);
        pattern_set_free(set);
        strbuf_free(&text);
        strbuf_free(&want);
    }
}

/* Deeper than a tree is followed; larger than it may grow when its edges are trimmed. */
static void shapes_too_large_for_a_plan_still_match(void **state)
{
    struct strbuf deep = {0}, large = {0};
    add_run(&deep, '(', 150);
    strbuf_adds(&deep, "needle[0-9]");
    add_run(&deep, ')', 150);
    for (int i = 0; i < 40; i++)
        strbuf_adds(&large, "(?:");
    for (int i = 0; i < 300; i++)
        strbuf_addf(&large, "k%d[xy]|", i + 10000);
    strbuf_adds(&large, "needle1");
    for (int i = 0; i < 40; i++)
        strbuf_adds(&large, ")+");
    struct strbuf *const shapes[] = {&deep, &large};
    static const char *const names[] = {"deep", "large"};
    for (size_t i = 0; i < 2; i++) {
        struct pattern_set *set = set_of((struct span){shapes[i]->p, shapes[i]->n}, false, false);
        expect_lines(set, BYTES("needle\na needle1\nneedl1"), BYTES("<a needle1>"), names[i]);
        pattern_set_free(set);
        strbuf_free(shapes[i]);
    }
}

/* Each of them has an alternation of its own then. */
static void expressions_too_large_for_one_alternation_match(void **state)
{
    enum { N = 20 };
    char texts[N][40];
    struct pattern_spec specs[N];
    struct strbuf text = {.max = 1 << 20}, want = {.max = 1 << 20};
    for (int i = 0; i < N; i++) {
        snprintf(texts[i], sizeof texts[i], "(?:ab){400}x%c", 'a' + i);
        specs[i] = (struct pattern_spec){span_of(texts[i]), false, "-e"};
        for (int least = 0; least < 2; least++) {
            for (int k = 0; k < 399 + least; k++)
                strbuf_adds(&text, "ab");
            strbuf_addf(&text, "x%c\n", 'a' + i);
        }
        strbuf_addc(&want, '<');
        for (int k = 0; k < 400; k++)
            strbuf_adds(&want, "ab");
        strbuf_addf(&want, "x%c>", 'a' + i);
    }
    struct pattern_set *set = set_of_specs(specs, N, false);
    expect_lines(set, (struct span){text.p, text.n}, (struct span){want.p, want.n}, "large ones");
    pattern_set_free(set);
    strbuf_free(&text);
    strbuf_free(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_literals_are_found),
        cmocka_unit_test(literals_of_different_lengths_are_found),
        cmocka_unit_test(hundreds_of_expressions_are_found),
        cmocka_unit_test(huge_repeats_are_counted),
        cmocka_unit_test(shapes_too_large_for_a_plan_still_match),
        cmocka_unit_test(expressions_too_large_for_one_alternation_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

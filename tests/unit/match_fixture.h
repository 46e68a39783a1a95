/* A pattern set under test: patterns and a text go in, and the lines that match come out, by every
 * way of searching that the build and the set have.
 *
 * Blocks and lines lie in memory of exactly their size, so that a sanitizer sees a read beyond it.
 */
#ifndef TESTS_MATCH_FIXTURE_H
#define TESTS_MATCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match/match_plan.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

/* A string that may hold NUL bytes, as a span. */
#define BYTES(text) ((struct span){"" text, sizeof(text) - 1})

enum { WAY_FREE = WAY_COUNT, WAYS };
static const char *const way_names[WAYS] = {"block", "jump", "free"};

static inline char *exact_copy(struct span s)
{
    char *copy = malloc(s.n ? s.n : 1);
    assert_non_null(copy);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

static inline struct pattern_set *set_of_specs(const struct pattern_spec *specs, size_t n,
                                               bool ignore_case)
{
    struct pattern_set *set = NULL;
    error err = {0};
    if (pattern_set_compile(&set, specs, n, ignore_case, &err))
        fail_msg("%s", err.message);
    return set;
}

/* Of one expression, or one literal. */
static inline struct pattern_set *set_of(struct span text, bool literal, bool ignore_case)
{
    struct pattern_spec spec = {text, literal, "-e"};
    return set_of_specs(&spec, 1, ignore_case);
}

/* Was the library built with it? A test cannot see the definition. */
static inline bool has_hyperscan(void)
{
    struct pattern_set *set = set_of(BYTES("plain"), true, false);
    bool has = set->hs != NULL;
    pattern_set_free(set);
    return has;
}

/* NULL: the set has no such way. */
static inline struct scanner *scanner_of(const struct pattern_set *set, int way)
{
    struct scanner *s = NULL;
    error err = {0};
    if (scanner_open(&s, set, &err))
        fail_msg("%s", err.message);
    if (way != WAY_FREE && !scanner_pin(s, (enum way)way)) {
        scanner_close(s);
        return NULL;
    }
    return s;
}

/* The lines of one block that match, each in angle brackets; the answer that ended it. */
static inline status scan_block(struct scanner *s, struct span block, struct strbuf *out,
                                error *err)
{
    char *copy = exact_copy(block);
    scanner_begin(s, (struct span){copy, block.n});
    bool found = true;
    status st = OK;
    while (found && !st) {
        struct span line;
        st = scanner_next(s, &line, &found, err);
        if (found) {
            assert_true(line.p >= copy && line.p + line.n <= copy + block.n);
            strbuf_addc(out, '<');
            strbuf_add(out, line.p, line.n);
            strbuf_addc(out, '>');
        }
    }
    free(copy);
    return st;
}

static inline struct span first_of(struct span s)
{
    return (struct span){s.p, s.n < 200 ? s.n : 200};
}

static inline void expect_bytes(const struct strbuf *got, struct span want, const char *what)
{
    if (!got->failed && got->n == want.n && (want.n == 0 || memcmp(got->p, want.p, want.n) == 0))
        return;
    struct strbuf text = {0};
    size_t same = 0;
    while (same < got->n && same < want.n && got->p[same] == want.p[same])
        same++;
    size_t from = same < 60 ? 0 : same - 60;
    strbuf_addf(&text, "from byte %zu on, got ", from);
    strbuf_add_printable(&text, first_of((struct span){got->p + from, got->n - from}));
    strbuf_adds(&text, ", wanted ");
    strbuf_add_printable(&text, first_of((struct span){want.p + from, want.n - from}));
    print_error("%s: %s\n", what, strbuf_text(&text));
    strbuf_free(&text);
    fail_msg("%s", what);
}

/* All ways, the text as one block and line by line: the lines in `want`, and no error. */
static inline void expect_lines(const struct pattern_set *set, struct span text, struct span want,
                                const char *what)
{
    struct strbuf out = {.max = (size_t)64 << 20};
    error err = {0};
    for (int i = 0; i < WAYS * 2; i++) {
        struct scanner *s = scanner_of(set, i / 2);
        if (!s)
            continue;
        char named[200];
        snprintf(named, sizeof named, "%s (%s, %s)", what, way_names[i / 2],
                 i % 2 ? "line by line" : "one block");
        strbuf_clear(&out);
        for (size_t at = 0, n; at < text.n; at += n) {
            const char *newline = memchr(text.p + at, '\n', text.n - at);
            n = newline && i % 2 ? (size_t)(newline - text.p) + 1 - at : text.n - at;
            if (scan_block(s, (struct span){text.p + at, n}, &out, &err))
                fail_msg("%s: %s", named, err.message);
        }
        expect_bytes(&out, want, named);
        scanner_close(s);
    }
    strbuf_free(&out);
}

/* The matches in a line, each in angle brackets. */
static inline status all_matches(struct scanner *s, struct span line, struct strbuf *out,
                                 error *err)
{
    char *copy = exact_copy(line);
    bool found = true;
    status st = OK;
    for (size_t from = 0, start, end; found && !st; from = end) {
        st = scanner_match(s, (struct span){copy, line.n}, from, &start, &end, &found, err);
        if (st || !found)
            break;
        assert_true(start >= from && end > start && end <= line.n);
        strbuf_addc(out, '<');
        strbuf_add(out, copy + start, end - start);
        strbuf_addc(out, '>');
    }
    free(copy);
    return st;
}

#endif

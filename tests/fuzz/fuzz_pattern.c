/* Pattern sets: whatever the patterns, the text, its cut into blocks and the way of searching are,
 * the scanner finds the lines that PCRE2 finds by looking at each line and pattern by itself, and
 * in them the matches that a plain search from match to match finds.
 *
 * Input: flags; bytes of a block at most (0: all at once); which patterns are literals, a bit each;
 * the patterns, as many as the flags say, each up to a newline; the text.
 *
 * Flags: the low three bits are how many patterns there are, less one; 8: case is ignored; 16: and
 * seventy literals more, so that plans for many are made.
 *
 * Inputs on which PCRE2 backtracks for long are passed over: how that ends is a matter of limits,
 * which unit tests look at.
 */
#include <stdlib.h>

#include "fuzz_must.h"
#include "match/match_plan.h"

#define PATTERNS_MAX 8
#define EXTRA 70
#define PATTERN_MOST 200u
#define TEXT_MOST 2000u
#define LINES_MOST 200
#define PATIENCE 20000u /* backtracking steps on a line */

struct plain {
    struct pattern_spec specs[PATTERNS_MAX + EXTRA];
    pcre2_code *codes[PATTERNS_MAX];
    size_t n;
    bool ignore_case;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static char extra_texts[EXTRA][8];

static void *exact(struct span s)
{
    char *copy = malloc(s.n ? s.n : 1);
    must(copy != NULL);
    memcpy(copy, s.p ? s.p : "", s.n);
    return copy;
}

static bool make_plain(struct plain *plain, size_t n, uint32_t options)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    bool good = true;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
    plain->data = pcre2_match_data_create(1, NULL);
    plain->context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(plain->context, PATIENCE);
    for (size_t i = 0; i < n && good; i++) {
        const struct pattern_spec *spec = &plain->specs[i];
        int code;
        size_t at;
        if (spec->literal)
            continue;
        plain->codes[i] =
            pcre2_compile((PCRE2_SPTR)spec->text.p, spec->text.n,
                          options | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF, &code, &at, context);
        good = plain->codes[i] != NULL;
        if (good)
            pcre2_jit_compile(plain->codes[i], PCRE2_JIT_COMPLETE);
    }
    pcre2_compile_context_free(context);
    return good;
}

static void free_plain(struct plain *plain)
{
    for (size_t i = 0; i < PATTERNS_MAX; i++)
        pcre2_code_free(plain->codes[i]);
    pcre2_match_data_free(plain->data);
    pcre2_match_context_free(plain->context);
}

static char fold(const struct plain *plain, char c)
{
    return plain->ignore_case && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool find_literal(const struct plain *plain, struct span want, struct span line, size_t from,
                         size_t *start)
{
    for (size_t at = from; at + want.n <= line.n; at++) {
        size_t i = 0;
        while (i < want.n && fold(plain, line.p[at + i]) == fold(plain, want.p[i]))
            i++;
        if (i == want.n) {
            *start = at;
            return true;
        }
    }
    return false;
}

/* One pattern from `from` on: 1 found, 0 not, -1 it takes too long. */
static int find_plainly(const struct plain *plain, size_t i, struct span line, size_t from,
                        size_t *start, size_t *end)
{
    const struct pattern_spec *spec = &plain->specs[i];
    if (i >= PATTERNS_MAX || !plain->codes[i]) {
        bool found = find_literal(plain, spec->text, line, from, start);
        *end = *start + spec->text.n;
        return found;
    }
    int rc = pcre2_match(plain->codes[i], (PCRE2_SPTR)line.p, line.n, from, from ? PCRE2_NOTBOL : 0,
                         plain->data, plain->context);
    if (rc < 0)
        return rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
    *start = pcre2_get_ovector_pointer(plain->data)[0];
    *end = pcre2_get_ovector_pointer(plain->data)[1];
    return 1;
}

/* The leftmost match that is not empty, of the first pattern that has it. */
static int match_plainly(const struct plain *plain, struct span line, size_t from, size_t *start,
                         size_t *end)
{
    int any = 0;
    for (size_t i = 0; i < plain->n; i++) {
        size_t a, b;
        int found = 0;
        for (size_t at = from; at <= line.n; at = (a > at ? a : at) + 1) {
            found = find_plainly(plain, i, line, at, &a, &b);
            if (found <= 0 || b > a)
                break;
            found = 0;
        }
        if (found < 0)
            return -1;
        if (found && (!any || a < *start)) {
            *start = a;
            *end = b;
            any = 1;
        }
    }
    return any;
}

struct line {
    struct span text;
    bool hit;
};

/* false: it takes too long, or there are too many lines. */
static bool judge_lines(const struct plain *plain, struct span text, struct line *lines, size_t *n)
{
    size_t at = 0;
    for (*n = 0; at < text.n; ++*n) {
        if (*n == LINES_MOST)
            return false;
        const char *newline = memchr(text.p + at, '\n', text.n - at);
        size_t end = newline ? (size_t)(newline - text.p) : text.n, a, b;
        struct line *line = &lines[*n];
        *line = (struct line){{text.p + at, end - at}, false};
        for (size_t i = 0; i < plain->n; i++) {
            int found = find_plainly(plain, i, line->text, 0, &a, &b);
            if (found < 0)
                return false;
            line->hit = line->hit || found;
        }
        at = end + 1;
    }
    return true;
}

/* The lines of a block, and how many of them the scanner was to find. */
static void check_block(struct scanner *s, struct span block, const struct line *lines, size_t n)
{
    char *copy = exact(block);
    scanner_begin(s, (struct span){copy, block.n});
    struct span found;
    bool any;
    for (size_t i = 0; i < n; i++) {
        if (!lines[i].hit)
            continue;
        must(scanner_next(s, &found, &any, NULL) == OK);
        must(any);
        must(found.p - copy == lines[i].text.p - block.p);
        must(found.n == lines[i].text.n);
    }
    must(scanner_next(s, &found, &any, NULL) == OK);
    must(!any);
    free(copy);
}

static void check_ways(const struct pattern_set *set, struct span text, size_t most,
                       const struct line *lines, size_t n)
{
    for (int way = 0; way <= WAY_COUNT; way++) {
        struct scanner *s;
        must(scanner_open(&s, set, NULL) == OK);
        if (way < WAY_COUNT && !scanner_pin(s, (enum way)way)) {
            scanner_close(s);
            continue;
        }
        size_t from = 0, first = 0, last = 0;
        while (first < n) {
            size_t to = from;
            for (last = first; last < n && (last == first || to - from < most); last++)
                to = (size_t)(lines[last].text.p - text.p) + lines[last].text.n + 1;
            to = to < text.n ? to : text.n;
            check_block(s, (struct span){text.p + from, to - from}, lines + first, last - first);
            from = to;
            first = last;
        }
        scanner_close(s);
    }
}

static void check_matches(const struct pattern_set *set, const struct plain *plain,
                          const struct line *line)
{
    struct scanner *s;
    char *copy = exact(line->text);
    must(scanner_open(&s, set, NULL) == OK);
    for (size_t from = 0;;) {
        size_t start, end, want_start, want_end;
        bool found;
        int want = match_plainly(plain, line->text, from, &want_start, &want_end);
        if (want < 0)
            break;
        must(scanner_match(s, (struct span){copy, line->text.n}, from, &start, &end, &found,
                           NULL) == OK);
        must(found == want);
        if (!found)
            break;
        must(start == want_start && end == want_end);
        from = end;
    }
    scanner_close(s);
    free(copy);
}

/* The patterns of the input. Answers where the text begins. */
static size_t read_patterns(struct plain *plain, struct span in, size_t n, unsigned literals)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t from = at < in.n ? at : in.n;
        while (at < in.n && in.p[at] != '\n')
            at++;
        size_t length = (at < in.n ? at : in.n) - from;
        length = length < PATTERN_MOST ? length : PATTERN_MOST;
        struct span text = {in.p + from, length};
        plain->specs[i] = (struct pattern_spec){{exact(text), length}, literals >> i & 1, "-e"};
        at++;
    }
    return at < in.n ? at : in.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct span in = {(const char *)data + 3, size - 3};
    struct plain plain = {.ignore_case = data[0] & 8};
    size_t given = (data[0] & 7u) + 1, most = data[1] ? data[1] : SIZE_MAX;
    size_t at = read_patterns(&plain, in, given, data[2]);
    plain.n = given;
    if (data[0] & 16)
        for (size_t i = 0; i < EXTRA; i++) {
            struct pattern_spec *spec = &plain.specs[plain.n++];
            snprintf(extra_texts[i], sizeof extra_texts[i], "Q%02zu", i);
            *spec = (struct pattern_spec){span_of(extra_texts[i]), true, "-F"};
        }
    bool good = make_plain(&plain, given, plain.ignore_case ? PCRE2_CASELESS : 0);
    struct pattern_set *set = NULL;
    error err;
    status st = pattern_set_compile(&set, plain.specs, plain.n, plain.ignore_case, &err);
    must(st == (good ? OK : WEIR_USAGE));
    must(!st || (err.status == WEIR_USAGE && err.message[0] && !strchr(err.message, '\n')));
    struct span text = {in.p + at, in.n - at < TEXT_MOST ? in.n - at : TEXT_MOST};
    struct line lines[LINES_MOST];
    size_t n;
    if (good && judge_lines(&plain, text, lines, &n)) {
        check_ways(set, text, most, lines, n);
        for (size_t i = 0, checked = 0; i < n && checked < 4; i++)
            if (lines[i].hit) {
                check_matches(set, &plain, &lines[i]);
                checked++;
            }
    }
    pattern_set_free(set);
    free_plain(&plain);
    for (size_t i = 0; i < given; i++)
        free((char *)plain.specs[i].text.p);
    return 0;
}

/* Pattern sets against grep itself: random patterns x texts x block cuts, every way of searching.
 *
 * `LC_ALL=C grep -aP` runs as a child process over a folder of texts and says which lines match;
 * the scanner must find the same ones, pinned to each of its ways and left alone, however a text is
 * cut into blocks. Sets of several patterns must find the union. Every few rounds the matches
 * themselves are compared, against grep -o.
 *
 *   WEIR_SEED=N     another seed (the one in use is printed)
 *   WEIR_ROUNDS=N   as many patterns (each one meets every text)
 *
 * What grep does otherwise, and is not asked for here: newlines in a pattern separate patterns;
 * (*UTF) switches to UTF-8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "match/match_plan.h"

/* Last: it takes the name "fail". */
#include <cmocka.h>

#define TEXTS 16
#define KEPT 6 /* patterns whose results are kept, to be combined */
#define DEFAULT_ROUNDS 300

struct text {
    char *p;
    size_t n, lines;
};

/* What one pattern finds in all texts: `hit[text][line]`, as grep says. */
struct answer {
    struct strbuf pattern;
    bool literal;
    bool *hit[TEXTS];
};

struct world {
    struct rng rng;
    char dir[64];
    char names[TEXTS][8];
    struct text texts[TEXTS];
    struct answer kept[KEPT];
    size_t kept_n, cases, refused, gave_up;
    bool ignore_case;
};

static size_t below(struct world *w, size_t n)
{
    return (size_t)rng_below(&w->rng, n);
}

static bool chance(struct world *w, size_t percent)
{
    return below(w, 100) < percent;
}

/* Patterns --------------------------------------------------------------------------------- */

#define PICK(w, list) ((list)[below(w, sizeof(list) / sizeof *(list))])

static void pattern_of(struct world *w, struct strbuf *out, int depth);

static void add_atom(struct world *w, struct strbuf *out, int depth)
{
    static const char *const plain[] = {"a",  "b",  "c",     "A",   "Z",   "0",    "1",    "7",
                                        "ab", "bc", "a.b",   "err", "Err", "10",   " ",    "_",
                                        "-",  "/",  "error", "=",   "\"",  "\xe9", "\x80", "{"};
    static const char *const special[] = {
        ".",     "\\d", "\\w", "\\s", "\\D",   "\\W", "\\S",   "\\h", "\\v",
        "\\H",   "\\V", "\\R", "\\N", "\\t",   "\\r", "\\x00", "\\.", "\\x{e9}",
        "\\xff", "\\e", "\\C", "\\-", "\\101", "\\n", "\\0",   "\\/", "\\Qa.\\E"};
    static const char *const classes[] = {
        "[ab]",   "[^ab]",    "[a-c]",         "[0-9]",          "[^0-9]",      "[]a]",
        "[^]a]",  "[a\\]]",   "[\\d_]",        "[^\\s]",         "[[:alpha:]]", "[^[:digit:]a]",
        "[\\w-]", "[-a]",     "[\\x80-\\xff]", "[^\\x00-\\x7f]", "[A-Z]",       "[^\\n]",
        "[\\n]",  "[\\s\\S]", "[[:^space:]]",  "[a^]",           "[\\r\\n]",    "[.]",
        "[\"'/]", "[\\b]",    "[\\Qa\\E]",     "[[.a]",          "[a[:x]"};
    static const char *const edges[] = {"^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\G", "\\K"};
    static const char *const open[] = {
        "(",   "(?:",   "(?:",   "(?i:", "(?=",  "(?!",   "(?<=",   "(?<!", "(?>",
        "(?|", "(?<n>", "(?-i:", "(?s:", "(?m:", "(?'q'", "(?P<p>", "(?x:", "(?U:"};
    size_t kind = below(w, 100);
    if (kind < 38)
        strbuf_adds(out, PICK(w, plain));
    else if (kind < 54)
        strbuf_adds(out, PICK(w, special));
    else if (kind < 68)
        strbuf_adds(out, PICK(w, classes));
    else if (kind < 75)
        strbuf_adds(out, PICK(w, edges));
    else if (kind < 80)
        strbuf_adds(out, chance(w, 80) ? "\\1" : chance(w, 50) ? "\\g{-1}" : "\\k<n>");
    else if (depth > 0) {
        strbuf_adds(out, PICK(w, open));
        pattern_of(w, out, depth - 1);
        strbuf_addc(out, ')');
    } else {
        strbuf_addc(out, (char)('a' + (int)below(w, 4)));
    }
}

static void add_quantifier(struct world *w, struct strbuf *out)
{
    static const char *const counts[] = {"*",   "+",     "?",  "{2}",    "{1,3}", "{2,}",
                                         "{0}", "{0,2}", "*?", "+?",     "??",    "{1,2}?",
                                         "*+",  "++",    "?+", "{0,40}", "{,2}",  "{3,5}"};
    if (chance(w, 30))
        strbuf_adds(out, PICK(w, counts));
}

static void add_oddity(struct world *w, struct strbuf *out)
{
    static const char *const odd[] = {"(?i)",    "(?-i)",     "(?#c)",     "(?1)",     "(?(1)a|b)",
                                      "(*SKIP)", "(*COMMIT)", "(*ACCEPT)", "(*FAIL)",  "(?R)?",
                                      "\\X",     "\\Q.*\\E",  "(*PRUNE)",  "(?s)",     "(?m)",
                                      "\\p{L}",  "(?x)",      "(?n)",      "(?i-s)",   "(?C)",
                                      "(?^)",    "(?&n)",     "\\cA",      "\\o{141}", "(*THEN)"};
    strbuf_adds(out, PICK(w, odd));
}

static void pattern_of(struct world *w, struct strbuf *out, int depth)
{
    for (size_t branches = chance(w, 20) ? 2 : 1; branches > 0; branches--) {
        for (size_t pieces = below(w, 4) + (chance(w, 95) ? 1 : 0); pieces > 0; pieces--) {
            if (chance(w, 2))
                add_oddity(w, out);
            add_atom(w, out, depth);
            add_quantifier(w, out);
        }
        if (branches > 1)
            strbuf_addc(out, '|');
    }
}

static void make_pattern(struct world *w, struct strbuf *out)
{
    static const char *const starts[] = {"(*UCP)",         "(*ANYCRLF)",     "(*CRLF)",
                                         "(*NO_JIT)",      "(*BSR_ANYCRLF)", "(*NOTEMPTY)",
                                         "(*NO_START_OPT)"};
    strbuf_clear(out);
    if (chance(w, 2))
        strbuf_adds(out, PICK(w, starts));
    pattern_of(w, out, 2);
}

static void make_literal(struct world *w, struct strbuf *out)
{
    static const char bits[] = "aabbcA01 ._-/\"\\[\xe9";
    strbuf_clear(out);
    for (size_t n = below(w, 5); n > 0; n--)
        strbuf_addc(out, bits[below(w, sizeof bits - 1)]);
}

/* Texts ------------------------------------------------------------------------------------ */

static void add_word(struct world *w, struct strbuf *out)
{
    static const char *const words[] = {
        "a",        "b",    "ab",       "abc",          "abab",      "error",       "Error",
        "ERR",      "err=", "10.0.0.1", "192.168.1.77", "17",        "0",           "007",
        "a.b",      "a-b",  "_x",       "\"q\"",        "/var/log",  "caf\xc3\xa9", "\xe9",
        "\x80\xff", "bcbc", "aa",       "zZ",           "{\"k\":1}", "aaaaaaaaaa"};
    static const char gaps[] = "    \t\r,;:";
    strbuf_adds(out, PICK(w, words));
    if (chance(w, 50))
        strbuf_addc(out, gaps[below(w, sizeof gaps - 1)]);
    if (chance(w, 3))
        strbuf_addc(out, '\0');
    if (chance(w, 3))
        strbuf_addc(out, (char)below(w, 10)); /* a control character, not a newline */
}

static void make_text(struct world *w, size_t i)
{
    struct strbuf t = {0};
    /* One has thousands of tiny lines, one is large enough for several windows. */
    size_t lines = i == 0 ? 9000 : i == 1 ? 4000 : below(w, 40);
    for (size_t k = 0; k < lines; k++) {
        for (size_t n = i == 0 ? below(w, 2) : below(w, i % 3 ? 6 : 3); n > 0; n--)
            add_word(w, &t);
        if (chance(w, i % 4 == 3 ? 60 : 5))
            strbuf_addc(&t, '\r');
        if (k + 1 < lines || chance(w, 70))
            strbuf_addc(&t, '\n');
    }
    struct text *out = &w->texts[i];
    *out = (struct text){t.p ? t.p : calloc(1, 1), t.n, 0};
    assert_non_null(out->p);
    for (size_t k = 0; k < t.n; k++)
        out->lines += out->p[k] == '\n' || k + 1 == t.n;
    char path[96];
    snprintf(w->names[i], sizeof w->names[i], "%zu", i);
    snprintf(path, sizeof path, "%s/%zu", w->dir, i);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(out->p, 1, out->n, f), out->n);
    assert_int_equal(fclose(f), 0);
}

/* grep ------------------------------------------------------------------------------------- */

/* Runs grep over all texts; its output. 0 and 1: there were or were not any; 2: it refused. */
static int run_grep(struct world *w, const char *pattern, bool literal, bool only,
                    struct strbuf *out)
{
    static char *const environment[] = {"LC_ALL=C", NULL};
    char kind[] = "-anHZ?", *argv[TEXTS + 8] = {"grep", kind};
    int n = 2, pipe_fd[2], status_code = -1;
    kind[5] = literal ? 'F' : 'P';
    if (w->ignore_case)
        argv[n++] = "-i";
    if (only)
        argv[n++] = "-o";
    argv[n++] = "-e";
    argv[n++] = (char *)pattern;
    argv[n++] = "--";
    for (size_t i = 0; i < TEXTS; i++)
        argv[n++] = w->names[i];
    assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, w->dir);
    pid_t pid;
    assert_int_equal(posix_spawnp(&pid, "grep", &actions, NULL, argv, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fd[1]);
    static char buffer[65536];
    strbuf_clear(out);
    for (ssize_t got; (got = read(pipe_fd[0], buffer, sizeof buffer)) > 0;)
        strbuf_add(out, buffer, (size_t)got);
    close(pipe_fd[0]);
    assert_false(out->failed);
    assert_int_equal(waitpid(pid, &status_code, 0), pid);
    return WIFEXITED(status_code) ? WEXITSTATUS(status_code) : 2;
}

/* Reads "name\0line:"; p behind it. */
static const char *read_place(const char *p, size_t *text, size_t *line)
{
    *text = strtoul(p, NULL, 10);
    p += strlen(p) + 1;
    char *end;
    *line = strtoul(p, &end, 10);
    assert_int_equal(*end, ':');
    return end + 1;
}

static bool ask_grep(struct world *w, struct answer *a)
{
    struct strbuf out = {.max = (size_t)256 << 20};
    int rc = run_grep(w, strbuf_text(&a->pattern), a->literal, false, &out);
    for (size_t i = 0; i < TEXTS; i++)
        memset(a->hit[i], 0, w->texts[i].lines + 1);
    for (const char *p = out.p, *end = out.p + out.n; rc < 2 && p < end;) {
        size_t text, line;
        p = read_place(p, &text, &line);
        assert_true(text < TEXTS && line >= 1 && line <= w->texts[text].lines);
        a->hit[text][line - 1] = true;
        p = memchr(p, '\n', (size_t)(end - p));
        assert_non_null(p);
        p++;
    }
    strbuf_free(&out);
    return rc < 2;
}

/* The scanner ------------------------------------------------------------------------------ */

static const char *const ways[] = {"block", "jump", "free"};

static void show(const struct pattern_spec *specs, size_t n, bool ignore_case, struct strbuf *out)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_adds(out, specs[i].literal ? " -F '" : " -e '");
        strbuf_add_printable(out, specs[i].text);
        strbuf_addc(out, '\'');
    }
    strbuf_adds(out, ignore_case ? " -i" : "");
}

/* The lines of one text, cut into blocks of up to `most` bytes, compared with `want`. */
static void check_text(struct world *w, struct scanner *s, const struct text *t, const bool *want,
                       size_t most, const char *what)
{
    size_t number = 0, at = 0;
    error err = {0};
    const char *counted = t->p;
    while (at < t->n) {
        size_t n = most < t->n - at ? most : t->n - at;
        const char *newline = memchr(t->p + at + n - 1, '\n', t->n - at - n + 1);
        n = newline ? (size_t)(newline - (t->p + at)) + 1 : t->n - at;
        scanner_begin(s, (struct span){t->p + at, n});
        for (bool found;;) {
            struct span line = {t->p + at + n, 0};
            if (scanner_next(s, &line, &found, &err))
                fail_msg("%s: %s", what, err.message);
            for (; counted < line.p && counted < t->p + at + n; number++) {
                if (want[number])
                    fail_msg("%s: line %zu of text %zu is missed", what, number + 1,
                             (size_t)(t - w->texts));
                newline = memchr(counted, '\n', (size_t)(t->p + t->n - counted));
                counted = newline ? newline + 1 : t->p + t->n;
            }
            if (!found)
                break;
            if (counted != line.p || !want[number])
                fail_msg("%s: line %zu of text %zu is no match", what, number + 1,
                         (size_t)(t - w->texts));
            newline = memchr(counted, '\n', (size_t)(t->p + t->n - counted));
            size_t length = newline ? (size_t)(newline - counted) : (size_t)(t->p + t->n - counted);
            assert_int_equal(line.n, length);
            counted = newline ? newline + 1 : t->p + t->n;
            number++;
        }
        at += n;
    }
    assert_int_equal(number, t->lines);
}

static void check_set(struct world *w, const struct pattern_set *set, bool *const *want,
                      const char *shown)
{
    for (int way = 0; way < 3; way++) {
        struct scanner *s = NULL;
        error err;
        assert_int_equal(scanner_open(&s, set, &err), OK);
        if (way == 2 || scanner_pin(s, way ? WAY_JUMP : WAY_BLOCK)) {
            char what[2000];
            for (size_t i = 0; i < TEXTS; i++) {
                size_t most = chance(w, 50) ? 1 + below(w, 60) : 1 + below(w, 1 << 18);
                most = i < 2 && most < 1000 ? most * 1000 : most;
                snprintf(what, sizeof what, "%s%s, blocks of %zu", ways[way], shown, most);
                check_text(w, s, &w->texts[i], want[i], most, what);
                w->cases++;
            }
        }
        scanner_close(s);
    }
}

/* Compares scanner_match on every line that has a match with grep -o. */
static void check_matches(struct world *w, const struct pattern_set *set, const struct answer *a,
                          const char *shown)
{
    struct strbuf out = {.max = (size_t)256 << 20};
    struct scanner *s = NULL;
    error err;
    assert_int_equal(scanner_open(&s, set, &err), OK);
    int rc = run_grep(w, strbuf_text(&a->pattern), a->literal, true, &out);
    if (rc >= 2) { /* it found each line, but gave up on what stands behind a match */
        w->gave_up++;
        scanner_close(s);
        strbuf_free(&out);
        return;
    }
    const char *p = strbuf_text(&out), *end = p + out.n;
    for (size_t i = 0; i < TEXTS; i++) {
        const char *line = w->texts[i].p, *text_end = line + w->texts[i].n;
        for (size_t number = 0; number < w->texts[i].lines; number++) {
            const char *newline = memchr(line, '\n', (size_t)(text_end - line));
            size_t n = newline ? (size_t)(newline - line) : (size_t)(text_end - line);
            size_t from = 0, start, stop, in_text, in_line;
            for (bool found = a->hit[i][number]; found; from = stop) {
                if (scanner_match(s, (struct span){line, n}, from, &start, &stop, &found, &err))
                    fail_msg("%s: %s", shown, err.message);
                if (!found)
                    break;
                const char *match = p < end ? read_place(p, &in_text, &in_line) : p;
                if (p >= end || in_text != i || in_line != number + 1 ||
                    (size_t)(end - match) <= stop - start || match[stop - start] != '\n' ||
                    memcmp(match, line + start, stop - start) != 0)
                    fail_msg("%s: text %zu line %zu: match at %zu-%zu is not grep's", shown, i,
                             number + 1, start, stop);
                p = match + (stop - start) + 1;
            }
            line = newline ? newline + 1 : text_end;
        }
    }
    if (p != end)
        fail_msg("%s: grep -o has more matches: %s", shown, p);
    scanner_close(s);
    strbuf_free(&out);
}

/* Rounds ----------------------------------------------------------------------------------- */

static status compile(struct world *w, const struct answer *const *answers, size_t n,
                      struct pattern_set **set, struct strbuf *shown, error *err)
{
    struct pattern_spec specs[KEPT];
    for (size_t i = 0; i < n; i++)
        specs[i] = (struct pattern_spec){
            {strbuf_text(&answers[i]->pattern), answers[i]->pattern.n}, answers[i]->literal, "-e"};
    strbuf_clear(shown);
    show(specs, n, w->ignore_case, shown);
    return pattern_set_compile(set, specs, n, w->ignore_case, err);
}

/* Some of the kept patterns together. */
static void check_union(struct world *w, struct strbuf *shown)
{
    const struct answer *chosen[KEPT];
    size_t n = 0;
    for (size_t i = 0; i < KEPT; i++)
        if (chance(w, 60))
            chosen[n++] = &w->kept[i];
    bool *want[TEXTS];
    for (size_t i = 0; i < TEXTS; i++) {
        want[i] = calloc(w->texts[i].lines + 1, 1);
        assert_non_null(want[i]);
        for (size_t k = 0; k < n; k++)
            for (size_t line = 0; line < w->texts[i].lines; line++)
                want[i][line] = want[i][line] || chosen[k]->hit[i][line];
    }
    struct pattern_set *set = NULL;
    error err;
    assert_int_equal(compile(w, chosen, n, &set, shown, &err), OK);
    check_set(w, set, want, strbuf_text(shown));
    pattern_set_free(set);
    for (size_t i = 0; i < TEXTS; i++)
        free(want[i]);
}

/* Where grep died on a text (endless recursion, its backtracking limit), the scanner may say
 * RECORD, or find the lines all the same: trees need no backtracking. */
static void expect_an_end(struct world *w, const struct pattern_set *set, const char *shown)
{
    struct scanner *s = NULL;
    error err;
    status st = OK;
    assert_int_equal(scanner_open(&s, set, &err), OK);
    for (size_t i = 0; i < TEXTS && !st; i++) {
        scanner_begin(s, (struct span){w->texts[i].p, w->texts[i].n});
        struct span line;
        for (bool found = true; found && !st;)
            st = scanner_next(s, &line, &found, &err);
    }
    if (st && st != WEIR_RECORD)
        fail_msg("%s: %s", shown, err.message);
    w->gave_up++;
    scanner_close(s);
}

static void one_round(struct world *w, struct strbuf *shown)
{
    struct answer *a = &w->kept[w->kept_n % KEPT];
    a->literal = chance(w, 10);
    if (a->literal)
        make_literal(w, &a->pattern);
    else
        make_pattern(w, &a->pattern);
    struct pattern_set *set = NULL;
    error err;
    const struct answer *only[1] = {a};
    status st = compile(w, only, 1, &set, shown, &err);
    bool good = ask_grep(w, a);
    if (st && (good || st != WEIR_USAGE))
        fail_msg("%s: grep takes it, the set says: %s", strbuf_text(shown), err.message);
    if (!good) {
        if (!st)
            expect_an_end(w, set, strbuf_text(shown));
        else
            w->refused++;
        pattern_set_free(set);
        /* What the slot held is gone: now it holds a pattern without a match. */
        strbuf_clear(&a->pattern);
        strbuf_adds(&a->pattern, "[^\\s\\S]");
        a->literal = false;
        for (size_t i = 0; i < TEXTS; i++)
            memset(a->hit[i], 0, w->texts[i].lines + 1);
        return;
    }
    check_set(w, set, a->hit, strbuf_text(shown));
    if (chance(w, 25))
        check_matches(w, set, a, strbuf_text(shown));
    pattern_set_free(set);
    w->kept_n++;
    if (w->kept_n >= KEPT && chance(w, 20))
        check_union(w, shown);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void start_world(struct world *w, uint64_t seed, bool ignore_case)
{
    rng_seed(&w->rng, seed);
    w->ignore_case = ignore_case;
    snprintf(w->dir, sizeof w->dir, "/tmp/weir-match-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    for (size_t i = 0; i < TEXTS; i++)
        make_text(w, i);
    for (size_t k = 0; k < KEPT; k++)
        for (size_t i = 0; i < TEXTS; i++) {
            w->kept[k].hit[i] = calloc(w->texts[i].lines + 1, 1);
            assert_non_null(w->kept[k].hit[i]);
        }
}

static void end_world(struct world *w)
{
    for (size_t i = 0; i < TEXTS; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%zu", w->dir, i);
        unlink(path);
        free(w->texts[i].p);
        for (size_t k = 0; k < KEPT; k++)
            free(w->kept[k].hit[i]);
    }
    for (size_t k = 0; k < KEPT; k++)
        strbuf_free(&w->kept[k].pattern);
    rmdir(w->dir);
}

static void lines_are_those_of_grep(void **state)
{
    uint64_t seed = number_from("WEIR_SEED", 20240511);
    uint64_t rounds = number_from("WEIR_ROUNDS", DEFAULT_ROUNDS), done = 0;
    struct strbuf shown = {0};
    size_t cases = 0, refused = 0, gave_up = 0;
    for (uint64_t part = 0; done < rounds; part++) {
        struct world *w = calloc(1, sizeof *w);
        assert_non_null(w);
        printf("seed %llu\n", (unsigned long long)(seed + part));
        fflush(stdout);
        start_world(w, seed + part, part % 2);
        for (int i = 0; i < 150 && done < rounds; i++, done++)
            one_round(w, &shown);
        cases += w->cases;
        refused += w->refused;
        gave_up += w->gave_up;
        end_world(w);
        free(w);
    }
    strbuf_free(&shown);
    printf("%zu patterns x texts x ways; refused by both: %zu patterns; grep gave up on %zu\n",
           cases, refused, gave_up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_those_of_grep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

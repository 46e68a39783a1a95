/* Lines from chunks: any chunking gives the same lines, and lines of a bounded length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/line_splitter.h"
#include "stage/newline_count.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

/* The lines that came, each in angle brackets; a long one is a "!". */
struct seen {
    struct strbuf text;
    unsigned sum; /* of all bytes that may be read */
    int blocks;
    int stop_after; /* blocks; 0 = never */
};

static status take_block(void *ctx, struct span block, size_t readable, error *err)
{
    struct seen *s = ctx;
    assert_true(block.n > 0 && readable >= block.n);
    assert_int_equal(block.p[block.n - 1], '\n');
    for (size_t i = 0; i < readable; i++)
        s->sum += (unsigned char)block.p[i];
    const char *end = block.p + block.n;
    for (const char *p = block.p; p < end; p = end_of_line(p, end)) {
        strbuf_addc(&s->text, '<');
        strbuf_add(&s->text, p, (size_t)(end_of_line(p, end) - 1 - p));
        strbuf_addc(&s->text, '>');
    }
    return ++s->blocks == s->stop_after ? WEIR_END : OK;
}

static status take_too_long(void *ctx, error *err)
{
    strbuf_addc(&((struct seen *)ctx)->text, '!');
    return OK;
}

/* What must come, byte by byte. */
static void split_plainly(struct strbuf *out, const char *p, size_t n, size_t max_line)
{
    strbuf_clear(out);
    for (size_t from = 0, i = 0; i <= n; i++) {
        if (i < n ? p[i] != '\n' : from == n)
            continue;
        if (i - from > max_line) {
            strbuf_addc(out, '!');
        } else {
            strbuf_addc(out, '<');
            strbuf_add(out, p + from, i - from);
            strbuf_addc(out, '>');
        }
        from = i + 1;
    }
}

static status write_exact(struct line_splitter *s, const char *p, size_t n,
                          const struct line_out *out)
{
    char *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, p, n);
    status st = line_splitter_write(s, exact, n, out, NULL);
    free(exact);
    return st;
}

static void check(const char *body, size_t n, size_t max_line, unsigned long cuts)
{
    struct seen seen = {0};
    struct strbuf want = {0};
    struct line_splitter s;
    struct line_out out = {take_block, take_too_long, &seen};
    line_splitter_init(&s, max_line);
    for (size_t from = 0, i = 0; i < n; i++) {
        if (i + 1 < n && !(cuts >> i % 60 & 1))
            continue;
        assert_int_equal(write_exact(&s, body + from, i + 1 - from, &out), OK);
        from = i + 1;
    }
    assert_int_equal(line_splitter_finish(&s, &out, NULL), OK);
    split_plainly(&want, body, n, max_line);
    if (seen.text.n != want.n || memcmp(strbuf_text(&seen.text), strbuf_text(&want), want.n) != 0)
        fail_msg("body \"%.*s\", max_line %zu, cuts %#lx:\nwant %s\ngot  %s", (int)n, body,
                 max_line, cuts, strbuf_text(&want), strbuf_text(&seen.text));
    line_splitter_free(&s);
    strbuf_free(&seen.text);
    strbuf_free(&want);
}

static void any_chunking_gives_the_same_lines(void **state)
{
    static const struct {
        const char *p;
        size_t n;
    } bodies[] = {
#define BODY(text) {text, sizeof text - 1}
        BODY(""),
        BODY("\n"),
        BODY("\n\n\n"),
        BODY("a"),
        BODY("a\n"),
        BODY("\na"),
        BODY("one\ntwo\nthree"),
        BODY("ab\r\ncd\r\n\r\n"),
        BODY("\r\r\n\r"),
        BODY("\0\n\0\0\nx\0"),
        BODY("\xff\xfe\n\xc3\n\xa9 "),
        BODY("abc\nabcd\nabcde"),
        BODY("abcdefghijklm"),
        BODY("abcdefgh\n\nabcd"),
        BODY("\nabcdefghij\n"),
#undef BODY
    };
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
        unsigned long all = bodies[b].n ? 1UL << (bodies[b].n - 1) : 1;
        for (size_t max_line = 0; max_line < 15; max_line++)
            for (unsigned long cuts = 0; cuts < all; cuts++)
                check(bodies[b].p, bodies[b].n, max_line, cuts);
    }
}

static void long_random_bodies_are_cut_alike(void **state)
{
    unsigned long seed = 12345;
    char body[60];
    for (int round = 0; round < 3000; round++) {
        size_t n = 1 + (size_t)(seed >> 33) % sizeof body;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            body[i] = "ab\n\n\r\0"[(seed >> 40) % 6];
        }
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        check(body, n, (seed >> 50) % 8, seed);
        check(body, n, 1 << 20, seed);
    }
}

static void line_of_max_line_is_kept_and_one_byte_more_is_not(void **state)
{
    for (size_t max_line = 0; max_line < 2000; max_line = max_line * 2 + 1) {
        for (size_t more = 0; more < 2; more++) {
            size_t n = max_line + more;
            char *body = malloc(n + 3);
            assert_non_null(body);
            memset(body, 'x', n);
            memcpy(body + n, "\ny", 3);
            check(body, n + 2, max_line ? max_line : 1, 0);
            check(body, n + 2, max_line, 1);
            check(body, n, max_line, 0);
            check(body, n + 1, max_line, 2);
            free(body);
        }
    }
}

static void whole_lines_are_handed_on_where_they_lie(void **state)
{
    struct seen seen = {0};
    struct line_splitter s;
    struct line_out out = {take_block, take_too_long, &seen};
    line_splitter_init(&s, 100);
    assert_int_equal(line_splitter_write(&s, "a\nb\nc\nd", 7, &out, NULL), OK);
    assert_int_equal(seen.blocks, 1);
    assert_int_equal(line_splitter_write(&s, "\ne\nf\n", 5, &out, NULL), OK);
    assert_int_equal(seen.blocks, 3); /* the one that was cut, and all others */
    assert_string_equal(strbuf_text(&seen.text), "<a><b><c><d><e><f>");
    line_splitter_free(&s);
    strbuf_free(&seen.text);
}

static void reset_forgets_the_piece_at_hand(void **state)
{
    struct seen seen = {0};
    struct line_splitter s;
    struct line_out out = {take_block, take_too_long, &seen};
    line_splitter_init(&s, 3);
    line_splitter_write(&s, "ab", 2, &out, NULL);
    line_splitter_reset(&s);
    line_splitter_write(&s, "c\nlonger", 8, &out, NULL);
    line_splitter_reset(&s); /* while it skips */
    line_splitter_write(&s, "d\ne", 3, &out, NULL);
    line_splitter_finish(&s, &out, NULL);
    assert_string_equal(strbuf_text(&seen.text), "<c>!<d><e>");
    line_splitter_free(&s);
    line_splitter_free(&s);
    strbuf_free(&seen.text);
}

static void answer_of_the_taker_ends_the_write(void **state)
{
    struct seen seen = {.stop_after = 1};
    struct line_splitter s;
    struct line_out out = {take_block, take_too_long, &seen};
    line_splitter_init(&s, 100);
    line_splitter_write(&s, "a", 1, &out, NULL);
    assert_int_equal(line_splitter_write(&s, "b\nc\nd", 5, &out, NULL), WEIR_END);
    assert_string_equal(strbuf_text(&seen.text), "<ab>");
    line_splitter_free(&s);
    strbuf_free(&seen.text);
}

static void memory_of_a_long_line_is_bounded_and_given_back(void **state)
{
    struct seen seen = {0};
    struct line_splitter s;
    struct line_out out = {take_block, take_too_long, &seen};
    enum { MAX = 1 << 20 };
    char *chunk = malloc(1 << 14);
    assert_non_null(chunk);
    memset(chunk, 'x', 1 << 14);
    line_splitter_init(&s, MAX);
    for (int i = 0; i < MAX >> 14; i++)
        line_splitter_write(&s, chunk, 1 << 14, &out, NULL);
    assert_in_range(s.carry_cap, MAX + 65, MAX + 65);
    line_splitter_write(&s, "\n", 1, &out, NULL);
    assert_int_equal(seen.blocks, 1);
    assert_in_range(s.carry_cap, 0, 1 << 17);
    for (int i = 0; i < 10 * (MAX >> 14); i++)
        line_splitter_write(&s, chunk, 1 << 14, &out, NULL);
    assert_in_range(s.carry_cap, 0, MAX + 65);
    line_splitter_write(&s, "\nab", 3, &out, NULL);
    line_splitter_finish(&s, &out, NULL);
    assert_int_equal(seen.blocks, 2);
    assert_string_equal(strbuf_text(&seen.text) + MAX + 2, "!<ab>");
    line_splitter_free(&s);
    strbuf_free(&seen.text);
    free(chunk);
}

static void newlines_are_counted_at_any_place_and_length(void **state)
{
    enum { SIZE = 9000 };
    char *p = malloc(SIZE);
    assert_non_null(p);
    memset(p, '\n', SIZE);
    for (size_t n = 0; n <= SIZE; n += 16) /* no lane overflows */
        assert_int_equal(count_newlines(p, n), n);
    for (size_t i = 0; i < SIZE; i++)
        p[i] = "\n\x0b\x8a\x0a\x09\xf5\x4a"[i * i % 7];
    for (size_t from = 0; from < 40; from++) {
        size_t want = 0;
        for (size_t n = 0; n < 200; n++) {
            assert_int_equal(count_newlines(p + from, n), want);
            want += p[from + n] == '\n';
        }
        want = 0;
        for (size_t i = from; i < SIZE; i++)
            want += p[i] == '\n';
        assert_int_equal(count_newlines(p + from, SIZE - from), want);
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_chunking_gives_the_same_lines),
        cmocka_unit_test(long_random_bodies_are_cut_alike),
        cmocka_unit_test(line_of_max_line_is_kept_and_one_byte_more_is_not),
        cmocka_unit_test(whole_lines_are_handed_on_where_they_lie),
        cmocka_unit_test(reset_forgets_the_piece_at_hand),
        cmocka_unit_test(answer_of_the_taker_ends_the_write),
        cmocka_unit_test(memory_of_a_long_line_is_bounded_and_given_back),
        cmocka_unit_test(newlines_are_counted_at_any_place_and_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

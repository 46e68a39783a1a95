/* Extents: what touches is one, against a map of single bytes; and their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "core/clock.h"
#include "core/extents.h"

#include <cmocka.h>

#define SPACE 200

static void assert_like_map(const struct extents *e, const char map[SPACE])
{
    int64_t total = 0, front = 0;
    size_t n = 0;
    for (int i = 0; i < SPACE; i++) {
        total += map[i];
        front += front == i && map[i];
        if (map[i] && (i == 0 || !map[i - 1])) {
            assert_true(n < e->n);
            assert_int_equal(e->of[n].from, i);
            n++;
        }
    }
    assert_int_equal(e->n, n);
    assert_int_equal(extents_total(e), total);
    assert_int_equal(extents_front(e), front);
}

static void assert_gaps(const struct extents *e, const char map[SPACE])
{
    char seen[SPACE] = {0};
    struct extent gap;
    for (int64_t at = 0; extents_next_gap(e, at, SPACE, &gap); at = gap.to) {
        assert_true(gap.from >= at && gap.to <= SPACE);
        memset(seen + gap.from, 1, (size_t)(gap.to - gap.from));
    }
    for (int i = 0; i < SPACE; i++)
        assert_int_equal(seen[i], !map[i]);
}

static void extents_are_what_was_added(void **state)
{
    struct rng rng;
    rng_seed(&rng, 11);
    for (int round = 0; round < 300; round++) {
        struct extents e = {0}, copy = {0};
        char map[SPACE] = {0};
        for (int step = 0; step < 40; step++) {
            int64_t from = (int64_t)rng_below(&rng, SPACE), n = (int64_t)rng_below(&rng, 12);
            int64_t to = from + n < SPACE ? from + n : SPACE;
            assert_true(extents_add(&e, from, to));
            memset(map + from, 1, (size_t)(to - from));
            assert_like_map(&e, map);
            assert_gaps(&e, map);
        }
        struct strbuf text = {0};
        extents_format(&e, &text);
        assert_true(extents_parse(&copy, strbuf_text(&text)));
        assert_like_map(&copy, map);
        int64_t end = (int64_t)rng_below(&rng, SPACE);
        extents_clip(&copy, end);
        memset(map + end, 0, (size_t)(SPACE - end));
        assert_like_map(&copy, map);
        assert_true(extents_copy(&copy, &e));
        assert_int_equal(extents_total(&copy), extents_total(&e));
        strbuf_free(&text);
        extents_free(&copy);
        extents_free(&e);
    }
}

static void texts_that_cannot_be_are_refused(void **state)
{
    static const char *const texts[] = {
        "1",
        "1-",
        "-1",
        "1-1",
        "2-1",
        "1-2,",
        ",1-2",
        "1-2,2-3",
        "5-6,1-2",
        "1-2 ",
        "1-2,1-9",
        "a-b",
        "1-2;3-4",
        "1--2",
        "0-9223372036854775808",
        "18446744073709551616-18446744073709551617",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct extents e = {0};
        if (extents_parse(&e, texts[i]))
            fail_msg("accepted: %s", texts[i]);
        assert_null(e.of);
        assert_int_equal(e.n, 0);
    }
    struct extents e;
    assert_true(extents_parse(&e, NULL));
    assert_int_equal(e.n, 0);
    assert_true(extents_parse(&e, ""));
    assert_int_equal(e.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extents_are_what_was_added),
        cmocka_unit_test(texts_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

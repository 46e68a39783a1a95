/* The decisions about segments, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "engine/segment_plan.h"

#include <cmocka.h>

#define MI ((int64_t)1 << 20)

static void idle_one_helps_the_one_that_would_be_last(void **state)
{
    static const struct {
        const char *what;
        struct segment_view views[3];
        double latency;
        int victim;
    } rows[] = {
        {"the slowest", {{50 * MI, 5e6}, {50 * MI, 1e6}, {90 * MI, 5e6}}, 0.1, 1},
        {"the largest rest at one speed", {{50 * MI, 5e6}, {51 * MI, 5e6}, {2 * MI, 5e6}}, 0.1, 1},
        {"not one that has not begun", {{50 * MI, 0}, {3 * MI, 1e6}, {0, 0}}, 0.1, 1},
        {"none has begun", {{50 * MI, 0}, {50 * MI, 0}, {50 * MI, 0}}, 0.1, -1},
        {"too little to share", {{2 * MI - 1, 1e3}, {MI, 1e3}, {0, 1e3}}, 0.1, -1},
        {"done before the request would be answered",
         {{9 * MI, 1e9}, {8 * MI, 1e9}, {0, 0}},
         0.1,
         -1},
        {"the same over a short way", {{90 * MI, 1e9}, {8 * MI, 1e9}, {0, 0}}, 0.0, 0},
        {"the same over a long way", {{90 * MI, 1e9}, {8 * MI, 1e9}, {0, 0}}, 0.05, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int victim = segment_victim(rows[i].views, 3, rows[i].latency);
        if (victim != rows[i].victim)
            fail_msg("%s: %d instead of %d", rows[i].what, victim, rows[i].victim);
    }
    assert_int_equal(segment_victim(rows[0].views, 0, 0.1), -1);
}

static void parts_cover_the_whole_in_order(void **state)
{
    static const int64_t sizes[] = {1, MI, 2 * MI, 3 * MI + 7, 64 * MI, 1000 * MI + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (uint32_t wanted = 1; wanted <= SEGMENTS_MAX; wanted++) {
            uint32_t n = segment_parts(sizes[i], wanted);
            int64_t from = 1234567, last = from, to = from + sizes[i];
            assert_true(n >= 1 && n <= wanted && (n == 1 || sizes[i] / n >= SEGMENT_MIN));
            assert_int_equal(segment_part_at(from, to, 0, n), from);
            for (uint32_t part = 1; part <= n; part++) {
                int64_t at = segment_part_at(from, to, part, n);
                assert_true(at > last);
                last = at;
            }
            assert_int_equal(last, to);
        }
    }
    for (int64_t at = 0; at < 5; at++)
        for (int64_t to = at + 2 * SEGMENT_MIN; to < at + 2 * SEGMENT_MIN + 3; to++)
            assert_true(segment_middle(at, to) > at && segment_middle(at, to) < to);
}

/* Speeds as they would be with so many connections; and how many it ends with. */
static uint32_t grow(double each, double line, int64_t size)
{
    struct growth g = {.wanted = 1};
    for (int look = 0; look < 100; look++) {
        double speed = g.wanted * each < line ? g.wanted * each : line;
        growth_decide(&g, g.wanted, speed, size);
    }
    return g.wanted;
}

static void auto_grows_as_long_as_it_helps(void **state)
{
    static const struct {
        double each, line;
        int64_t size;
        uint32_t wanted;
    } rows[] = {
        {5e6, 1e12, 1000 * MI, SEGMENTS_MAX}, /* the server limits each connection */
        {5e6, 20e6, 1000 * MI, 8},                 /* four fill the line, eight show that */
        {5e6, 5e6, 1000 * MI, 2},                  /* one fills it */
        {1e9, 4e9, 900 * MI, 1},                   /* done within a second */
        {5e6, 1e12, 4 * MI, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(grow(rows[i].each, rows[i].line, rows[i].size), rows[i].wanted);
    struct growth g = {.wanted = 4, .before = 1};
    growth_decide(&g, 3, 1e6, 1000 * MI); /* one of them has no slot: nothing to judge by */
    assert_int_equal(g.wanted, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_one_helps_the_one_that_would_be_last),
        cmocka_unit_test(parts_cover_the_whole_in_order),
        cmocka_unit_test(auto_grows_as_long_as_it_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which mirror is asked next, and what a run learns of the hosts that mirror. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "engine/mirror.h"
#include "engine/retry.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define DEAD                                                                                       \
    {                                                                                              \
        .dead = true                                                                               \
    }
#define BENCHED                                                                                    \
    {                                                                                              \
        .benched = true                                                                            \
    }
#define FAST(s)                                                                                    \
    {                                                                                              \
        .speed = (s)                                                                               \
    }

static void choice_follows_order_failures_and_speed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct mirror_view views[4];
        size_t n;
        int last, next;
    } rows[] = {
        {"the first, to begin with", {{0}, {0}, {0}}, 3, -1, 0},
        {"not the one that has just failed", {{0}, {0}}, 2, 0, 1},
        {"round and round", {{0}, {0}}, 2, 1, 0},
        {"in turn, before one that has been asked", {{0}, DEAD, {0}}, 3, 1, 2},
        {"the only one again", {{0}, DEAD}, 2, 0, 0},
        {"a dead one never", {DEAD, DEAD, {0}}, 3, 0, 2},
        {"all dead", {DEAD, DEAD}, 2, 0, -1},
        {"a benched one after the others", {BENCHED, {0}}, 2, -1, 1},
        {"the same again before a benched one", {BENCHED, {0}}, 2, 1, 1},
        {"a benched one where there is nothing else", {BENCHED, DEAD}, 2, 1, 0},
        {"much faster wins", {FAST(1e6), FAST(3e6)}, 2, -1, 1},
        {"a little faster does not", {FAST(1e6), FAST(1.5e6)}, 2, -1, 0},
        {"nothing is known of the second", {FAST(1e6), {0}}, 2, -1, 0},
        {"fast but dead", {FAST(1e6), {.speed = 9e6, .dead = true}}, 2, -1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int next = mirror_choose(rows[i].views, rows[i].n, rows[i].last);
        if (next != rows[i].next)
            fail_msg("%s: wanted %d, got %d", rows[i].name, rows[i].next, next);
    }
}

static void urls_of_a_job_are_counted_and_found(void **state)
{
    (void)state;
    static const char mirrors[] = "http://b/x\0http://c/x\0";
    struct job_text text = {
        .url = "http://a/x", .mirrors = mirrors, .mirrors_size = sizeof mirrors};
    struct job *job = job_new(&text);
    assert_int_equal(job_url_count(job), 3);
    assert_string_equal(job_url_at(job, 0), "http://a/x");
    assert_string_equal(job_url_at(job, 2), "http://c/x");
    assert_null(job_url_at(job, 3));
    job_free(job);
    struct job_text alone = {.url = "http://a/x"};
    job = job_new(&alone);
    assert_int_equal(job_url_count(job), 1);
    assert_null(job_url_at(job, 1));
    job_free(job);
}

static void host_is_benched_after_failures_in_a_row(void **state)
{
    (void)state;
    struct mirror_board *b = mirror_board_new();
    struct mirror_view v = {0};
    for (int i = 1; i < MIRROR_FAILURES; i++)
        mirror_board_failed(b, "a:80");
    mirror_board_look(b, "a:80", &v);
    assert_false(v.benched);
    mirror_board_served(b, "a:80", 0, 0);
    for (int i = 1; i < MIRROR_FAILURES; i++)
        mirror_board_failed(b, "a:80");
    mirror_board_look(b, "a:80", &v);
    assert_false(v.benched); /* they were not in a row */
    mirror_board_failed(b, "a:80");
    mirror_board_look(b, "a:80", &v);
    assert_true(v.benched);
    mirror_board_served(b, "a:80", 1 << 20, NS_PER_S);
    mirror_board_look(b, "a:80", &v);
    assert_true(v.benched); /* for the rest of the run */
    mirror_board_look(b, "b:80", &v);
    assert_false(v.benched);
    mirror_board_free(b);
}

static void speed_is_judged_by_bodies_that_are_large_enough(void **state)
{
    (void)state;
    struct mirror_board *b = mirror_board_new();
    struct mirror_view v = {0};
    mirror_board_served(b, "a:80", 1000, 1);
    mirror_board_look(b, "a:80", &v);
    assert_true(v.speed == 0);
    mirror_board_served(b, "a:80", 10000000, NS_PER_S);
    mirror_board_look(b, "a:80", &v);
    assert_true(v.speed > 9.9e6 && v.speed < 10.1e6);
    mirror_board_served(b, "a:80", 20000000, NS_PER_S);
    mirror_board_look(b, "a:80", &v);
    assert_true(v.speed > 10.1e6 && v.speed < 19.9e6); /* an average that follows */
    mirror_board_free(b);
}

#define ELSE RETRY_ELSEWHERE

static void failures_lead_to_the_next_mirror(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct retry_facts f;
        enum retry_action action;
        bool dead;
    } rows[] = {
        {"404, others", {WEIR_HTTP, 404, true, -1, 1, .others = 1, .urls = 2}, ELSE, true},
        {"404, no others", {WEIR_HTTP, 404, true, -1, 2, .urls = 2}, RETRY_GIVE_UP, false},
        {"503, others", {WEIR_HTTP, 503, true, -1, 1, .others = 1, .urls = 2}, ELSE, false},
        {"connect", {WEIR_CONNECT, 0, false, -1, 1, .others = 1, .urls = 2}, ELSE, false},
        {"tls", {WEIR_TLS, 0, false, -1, 1, .others = 1, .urls = 2}, ELSE, true},
        {"disk", {WEIR_DISK, 200, true, -1, 1, .others = 1, .urls = 2}, RETRY_GIVE_UP, false},
        {"decode", {WEIR_DECODE, 200, true, -1, 1, .others = 1, .urls = 2}, RETRY_GIVE_UP, false},
        {"another size", {WEIR_CHECKSUM, 200, true, -1, 1, .others = 1, .urls = 2}, ELSE, true},
        {"another size, no others",
         {WEIR_CHECKSUM, 200, true, -1, 1, .urls = 1},
         RETRY_GIVE_UP,
         false},
        {"refused once",
         {WEIR_CHECKSUM, 200, true, -1, 1, .refused = true, .refusals = 1},
         RETRY_AT,
         false},
        {"refused twice",
         {WEIR_CHECKSUM, 200, true, -1, 2, .refused = true, .refusals = 2},
         RETRY_GIVE_UP,
         false},
        {"refused twice, others",
         {WEIR_CHECKSUM, 200, true, -1, 2, .refused = true, .refusals = 2, .others = 1, .urls = 2},
         ELSE,
         true},
        {"too often",
         {WEIR_CONNECT, 0, false, -1, 7, .others = 1, .urls = 2},
         RETRY_GIVE_UP,
         false},
    };
    struct options o;
    memset(&o, 0, sizeof o);
    o.retry_retries = 5;
    o.retry_backoff = o.retry_backoff_max = (int64_t)NS_PER_S;
    o.retry_retry_after_max = 3600 * (int64_t)NS_PER_S;
    o.retry_statuses.bits[503 / 64] |= UINT64_C(1) << (503 % 64);
    struct rng rng;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct retry_decision d = retry_decide(&rows[i].f, &o, 1000, &rng);
        if (d.action != rows[i].action || d.dead != rows[i].dead)
            fail_msg("%s: wanted %d %d, got %d %d", rows[i].name, rows[i].action, rows[i].dead,
                     d.action, d.dead);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choice_follows_order_failures_and_speed),
        cmocka_unit_test(urls_of_a_job_are_counted_and_found),
        cmocka_unit_test(host_is_benched_after_failures_in_a_row),
        cmocka_unit_test(speed_is_judged_by_bodies_that_are_large_enough),
        cmocka_unit_test(failures_lead_to_the_next_mirror),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The host table: admission, holds, probes, hosts that are down, eviction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "limit/host.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define S ((uint64_t)NS_PER_S)
#define START (1000 * S)

static struct options options;
static char asked_for[64];

static const struct options *options_for(void *ctx, const char *host)
{
    snprintf(asked_for, sizeof asked_for, "%s", host);
    return &options;
}

static struct host_table *new_table(size_t idle_max)
{
    memset(&options, 0, sizeof options);
    options.limits_per_host = 2;
    struct host_table *t = host_table_new(options_for, NULL, idle_max);
    assert_non_null(t);
    return t;
}

static bool ended(struct host *h, enum host_verdict verdict, uint64_t hold_until, bool probe,
                  uint64_t now)
{
    struct host_report r = {
        .verdict = verdict, .failure = WEIR_CONNECT, .hold_until = hold_until, .probe = probe};
    return host_ended(h, &r, now);
}

static void options_are_asked_by_name_without_port(void **state)
{
    struct host_table *t = new_table(8);
    static const char *const rows[][2] = {{"data.example.org:443", "data.example.org"},
                                          {"127.0.0.1:80", "127.0.0.1"},
                                          {"[::1]:8080", "::1"}};
    for (size_t i = 0; i < 3; i++) {
        struct host *h = host_get(t, rows[i][0]);
        assert_string_equal(asked_for, rows[i][1]);
        assert_string_equal(h->authority, rows[i][0]);
    }
    host_table_free(t);
}

static void per_host_limit_waits_for_a_slot(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    assert_int_equal(host_admit(h, START), 0);
    host_started(h, START);
    assert_int_equal(host_admit(h, START), 0);
    host_started(h, START);
    assert_true(host_admit(h, START) == HOST_WAITS_FOR_SLOT);
    assert_false(ended(h, HOST_ANSWERED, 0, false, START));
    assert_int_equal(host_admit(h, START), 0);
    host_table_free(t);
}

static void host_rate_tells_when_to_ask_again(void **state)
{
    struct host_table *t = new_table(8);
    options.limits_host_rate = 2;
    struct host *h = host_get(t, "a:80");
    host_started(h, START);
    uint64_t when = host_admit(h, START);
    assert_true(when > START && when <= START + S / 2);
    assert_int_equal(host_admit(h, when), 0);
    host_table_free(t);
}

static void refusal_holds_then_one_probe_opens_the_host(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    assert_false(host_started(h, START));
    assert_false(host_started(h, START));
    assert_true(ended(h, HOST_REFUSED, START + 10 * S, false, START));
    assert_true(host_admit(h, START) == START + 10 * S);
    /* one that was in flight before the hold does not open it, nor is its refusal a new hold */
    assert_false(ended(h, HOST_ANSWERED, 0, false, START + S));
    assert_true(host_admit(h, START + S) == START + 10 * S);

    uint64_t now = START + 10 * S;
    assert_int_equal(host_admit(h, now), 0);
    assert_true(host_started(h, now));
    assert_true(host_admit(h, now) == HOST_WAITS_FOR_SLOT);
    assert_true(ended(h, HOST_REFUSED, now + 5 * S, true, now)); /* held anew */
    assert_true(host_admit(h, now) == now + 5 * S);

    now += 5 * S;
    assert_true(host_started(h, now));
    assert_false(ended(h, HOST_ANSWERED, 0, true, now));
    assert_int_equal(host_admit(h, now), 0);
    assert_false(host_started(h, now));
    assert_int_equal(host_admit(h, now), 0); /* two at once again */
    host_table_free(t);
}

static void only_the_probe_opens_a_host_and_not_against_a_newer_hold(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    options.limits_per_host = 8;
    for (int i = 0; i < 4; i++)
        host_started(h, START);
    ended(h, HOST_REFUSED, START + S, false, START);
    uint64_t now = START + S;
    assert_true(host_started(h, now));
    ended(h, HOST_ANSWERED, 0, false, now); /* from before the hold */
    assert_true(host_admit(h, now) == HOST_WAITS_FOR_SLOT);
    ended(h, HOST_REFUSED, now + 10 * S, false, now); /* another one: a longer hold */
    ended(h, HOST_ANSWERED, 0, true, now + S);
    assert_true(host_admit(h, now + S) == now + 10 * S);
    now += 10 * S;
    assert_true(host_started(h, now));
    assert_true(host_admit(h, now) == HOST_WAITS_FOR_SLOT);
    host_table_free(t);
}

static void probe_that_was_answered_opens_the_host_before_it_ends(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    host_started(h, START);
    ended(h, HOST_REFUSED, START + S, false, START);
    assert_true(host_started(h, START + S));
    host_answered(h, true, START + S);
    assert_int_equal(host_admit(h, START + S), 0);
    assert_int_equal(h->in_flight, 1);
    host_table_free(t);
}

static void silent_probe_is_followed_by_another(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    host_started(h, START);
    ended(h, HOST_REFUSED, START + S, false, START);
    assert_true(host_started(h, START + S));
    ended(h, HOST_SILENT, 0, true, START + 2 * S);
    assert_int_equal(host_admit(h, START + 2 * S), 0);
    assert_true(host_started(h, START + 2 * S));
    host_table_free(t);
}

static void fail_times(struct host *h, unsigned n, uint64_t from, uint64_t step)
{
    for (unsigned i = 0; i < n; i++) {
        host_started(h, from + i * step);
        ended(h, HOST_UNREACHABLE, 0, false, from + i * step);
    }
}

static void host_is_down_after_20_failures_over_5_minutes(void **state)
{
    static const struct {
        unsigned failures;
        uint64_t step;
        bool down;
    } rows[] = {{19, 60 * S, false}, {20, S, false}, {20, 16 * S, true}, {400, S, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host_table *t = new_table(8);
        struct host *h = host_get(t, "a:80");
        fail_times(h, rows[i].failures, START, rows[i].step);
        uint64_t now = START + (rows[i].failures - 1) * rows[i].step;
        if (host_is_down(h, now) != rows[i].down)
            fail_msg("row %zu: down %d", i, !rows[i].down);
        host_table_free(t);
    }
}

static void one_success_between_failures_keeps_a_host_up(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    fail_times(h, 19, START, 60 * S);
    ended(h, HOST_ANSWERED, 0, false, START + 1200 * S);
    fail_times(h, 19, START + 1201 * S, 60 * S);
    assert_false(host_is_down(h, START + 3000 * S));
    host_table_free(t);
}

static void down_host_is_probed_each_minute_and_comes_back(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    fail_times(h, 20, START, 20 * S);
    uint64_t now = START + 19 * 20 * S;
    assert_true(host_is_down(h, now + 59 * S));
    now += 60 * S;
    assert_false(host_is_down(h, now));
    assert_int_equal(host_admit(h, now), 0);
    host_started(h, now);
    assert_true(host_is_down(h, now)); /* only the probe goes */
    ended(h, HOST_UNREACHABLE, 0, false, now + S);
    assert_true(host_is_down(h, now + 60 * S));
    now += 61 * S;
    host_started(h, now);
    ended(h, HOST_ANSWERED, 0, false, now);
    assert_false(host_is_down(h, now));
    host_table_free(t);
}

static void refusal_beyond_patience_takes_the_host_down_until_then(void **state)
{
    struct host_table *t = new_table(8);
    struct host *h = host_get(t, "a:80");
    host_started(h, START);
    struct host_report r = {.verdict = HOST_REFUSED,
                            .failure = WEIR_RATE_LIMITED,
                            .hold_until = START + 86400 * S,
                            .too_long = true};
    assert_true(host_ended(h, &r, START));
    assert_true(host_is_down(h, START + 86399 * S));
    assert_int_equal(h->last_failure, WEIR_RATE_LIMITED);
    uint64_t now = START + 86400 * S;
    assert_false(host_is_down(h, now));
    assert_true(host_started(h, now));
    ended(h, HOST_REFUSED, now + 5 * S, true, now); /* it is patient again, and so are we */
    assert_false(host_is_down(h, now));
    assert_true(host_admit(h, now) == now + 5 * S);
    now += 5 * S;
    assert_true(host_started(h, now));
    ended(h, HOST_ANSWERED, 0, true, now);
    assert_false(host_is_down(h, now));
    assert_int_equal(host_admit(h, now), 0);
    host_table_free(t);
}

static void idle_hosts_are_evicted_and_holds_kept_longest(void **state)
{
    struct host_table *t = new_table(100);
    char name[32];
    struct host *held = host_get(t, "held:80");
    host_started(held, START);
    ended(held, HOST_REFUSED, START + 3600 * S, false, START);
    host_put(t, held);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "host%u:80", i);
        host_put(t, host_get(t, name));
    }
    assert_true(host_table_size(t) <= 101);
    held = host_get(t, "held:80");
    assert_true(host_admit(held, START + S) == START + 3600 * S);
    host_put(t, held);
    for (unsigned i = 0; i < 20000; i++) { /* those that remember are bounded too */
        snprintf(name, sizeof name, "host%u:80", i);
        struct host *h = host_get(t, name);
        host_started(h, START);
        ended(h, HOST_REFUSED, START + 3600 * S, false, START);
        host_put(t, h);
    }
    assert_true(host_table_size(t) <= 101);
    host_table_free(t);
}

static void referenced_hosts_are_never_evicted(void **state)
{
    struct host_table *t = new_table(4);
    char name[32];
    static struct host *hosts[1000];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "host%u:80", i);
        hosts[i] = host_get(t, name);
    }
    assert_int_equal(host_table_size(t), 1000);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "host%u:80", i);
        assert_ptr_equal(host_get(t, name), hosts[i]);
        host_put(t, hosts[i]);
        host_put(t, hosts[i]);
    }
    assert_int_equal(host_table_size(t), 4);
    host_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_asked_by_name_without_port),
        cmocka_unit_test(per_host_limit_waits_for_a_slot),
        cmocka_unit_test(host_rate_tells_when_to_ask_again),
        cmocka_unit_test(refusal_holds_then_one_probe_opens_the_host),
        cmocka_unit_test(only_the_probe_opens_a_host_and_not_against_a_newer_hold),
        cmocka_unit_test(probe_that_was_answered_opens_the_host_before_it_ends),
        cmocka_unit_test(silent_probe_is_followed_by_another),
        cmocka_unit_test(host_is_down_after_20_failures_over_5_minutes),
        cmocka_unit_test(one_success_between_failures_keeps_a_host_up),
        cmocka_unit_test(down_host_is_probed_each_minute_and_comes_back),
        cmocka_unit_test(refusal_beyond_patience_takes_the_host_down_until_then),
        cmocka_unit_test(idle_hosts_are_evicted_and_holds_kept_longest),
        cmocka_unit_test(referenced_hosts_are_never_evicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

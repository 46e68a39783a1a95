/* Rates: simulated seconds, no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "core/clock.h"
#include "limit/bucket.h"

#include <cmocka.h> /* last: its macro "fail" hides the function of core/status.h */

#define START (1000 * (uint64_t)NS_PER_S)

/* Starts within `seconds` when each ask comes up to `late_ns` after the instant that it was told.
 */
static unsigned starts_within(double rate, unsigned seconds, uint64_t late_ns, uint64_t seed)
{
    struct bucket b;
    struct rng rng;
    unsigned n = 0;
    bucket_init(&b, rate);
    rng_seed(&rng, seed);
    uint64_t now = START, end = START + seconds * (uint64_t)NS_PER_S;
    while (now < end) {
        uint64_t ready = bucket_ready(&b, now);
        if (ready) {
            assert_true(ready > now);
            now = ready + rng_below(&rng, late_ns + 1);
            continue;
        }
        bucket_take(&b, now);
        n++;
    }
    return n;
}

static void assert_near(unsigned got, unsigned want, unsigned by)
{
    if (got + by < want || got > want + by)
        fail_msg("%u starts, wanted %u, %u more or less", got, want, by);
}

static void bucket_keeps_rate_when_asked_late(void **state)
{
    static const uint64_t late_ms[] = {0, 1, 5, 9};
    for (size_t i = 0; i < sizeof late_ms / sizeof *late_ms; i++) {
        uint64_t late = late_ms[i] * (uint64_t)NS_PER_MS;
        assert_near(starts_within(50, 10, late, 1 + i), 500, 1);
        assert_near(starts_within(1000, 10, late, 11 + i), 10000, 20);
        assert_near(starts_within(7, 10, late, 21 + i), 70, 1);
        assert_near(starts_within(0.5, 100, late, 31 + i), 50, 1);
    }
}

static void bucket_burst_is_20_ms_worth_and_at_least_one(void **state)
{
    static const struct {
        double rate;
        unsigned burst;
    } rows[] = {{0.1, 1}, {1, 1}, {49, 1}, {50, 1}, {100, 2}, {1000, 20}, {5000, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bucket b;
        unsigned n = 0;
        bucket_init(&b, rows[i].rate);
        for (; !bucket_ready(&b, START); n++)
            bucket_take(&b, START);
        if (n != rows[i].burst)
            fail_msg("%g/s: burst %u, wanted %u", rows[i].rate, n, rows[i].burst);
    }
}

static void bucket_credits_no_idle_time(void **state)
{
    struct bucket b;
    bucket_init(&b, 100);
    bucket_take(&b, START);
    uint64_t later = START + 3600 * (uint64_t)NS_PER_S;
    unsigned n = 0;
    for (; !bucket_ready(&b, later); n++)
        bucket_take(&b, later);
    assert_int_equal(n, 2);
}

static void bucket_without_rate_is_always_ready(void **state)
{
    struct bucket b;
    bucket_init(&b, 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(bucket_ready(&b, 5), 0);
        bucket_take(&b, 5);
    }
}

/* Bytes that `n` transfers get through in ten seconds, each pausing as told and waking late. */
static double bytes_within_10_s(double rate, unsigned n, uint64_t late_ns, uint64_t seed)
{
    struct pacer p;
    struct rng rng;
    uint64_t next[16], end = START + 10 * (uint64_t)NS_PER_S;
    double bytes = 0;
    pacer_init(&p, rate);
    rng_seed(&rng, seed);
    for (unsigned i = 0; i < n; i++)
        next[i] = START;
    for (;;) {
        unsigned first = 0;
        for (unsigned i = 1; i < n; i++)
            if (next[i] < next[first])
                first = i;
        uint64_t now = next[first];
        if (now >= end)
            return bytes;
        uint64_t until = pacer_charge(&p, 16384, now);
        bytes += 16384;
        /* a chunk is there again after a microsecond, or after the pause and a late wake */
        next[first] = until ? until + rng_below(&rng, late_ns + 1) : now + 1000;
    }
}

static void pacer_keeps_rate_when_woken_late(void **state)
{
    static const unsigned transfers[] = {1, 4, 16};
    static const uint64_t late_ms[] = {0, 1, 5};
    for (size_t t = 0; t < 3; t++)
        for (size_t l = 0; l < 3; l++) {
            double got = bytes_within_10_s(10e6, transfers[t], late_ms[l] * (uint64_t)NS_PER_MS,
                                           7 * t + l + 1);
            if (got < 99e6 || got > 101e6)
                fail_msg("%u transfers, woken up to %u ms late: %.0f bytes, wanted 100e6 +- 1%%",
                         transfers[t], (unsigned)late_ms[l], got);
        }
}

static void pacer_allows_a_debt_and_tells_when_it_is_paid(void **state)
{
    struct pacer p;
    pacer_init(&p, 1000);
    uint64_t until = pacer_charge(&p, 5000, START);
    assert_true(until == START + 5 * (uint64_t)NS_PER_S - 20 * (uint64_t)NS_PER_MS);
    assert_true(pacer_charge(&p, 1000, START) == until + (uint64_t)NS_PER_S);
}

static void pacer_without_rate_never_pauses(void **state)
{
    struct pacer p;
    pacer_init(&p, 0);
    assert_true(pacer_charge(&p, UINT64_MAX, START) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_keeps_rate_when_asked_late),
        cmocka_unit_test(bucket_burst_is_20_ms_worth_and_at_least_one),
        cmocka_unit_test(bucket_credits_no_idle_time),
        cmocka_unit_test(bucket_without_rate_is_always_ready),
        cmocka_unit_test(pacer_keeps_rate_when_woken_late),
        cmocka_unit_test(pacer_allows_a_debt_and_tells_when_it_is_paid),
        cmocka_unit_test(pacer_without_rate_never_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

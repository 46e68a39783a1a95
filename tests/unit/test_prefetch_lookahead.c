/* --ahead auto as a pure function, under simulated time: a consumer, a server whose fetch times
 * vary, and the law between them; beside it the smallest fixed number that has no stall either.
 */
#include "prefetch/lookahead.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/clock.h"

#define SHARDS 3000
#define MOST 256
#define TICK (NS_PER_MS / 4)

struct world {
    const char *name;
    double (*fetch_ms)(double at_s, struct rng *g);
    double (*shard_ms)(double at_s);
    double warm_s; /* not looked at before */
    /* at most, beside the smallest fixed number that has no stall */
    int stalls;
    double mean; /* times its disk */
    double peak; /* shards more */
};

struct outcome {
    int stalls;
    double mean, peak; /* shards that take room, those on their way included */
};

struct shard {
    uint64_t started, ready; /* instants; 0 = not yet */
};

struct market {
    struct shard shards[SHARDS + MOST + 2];
    struct lookahead law;
    struct rng rng;
    uint64_t now;
    uint64_t base, next; /* in use; to be fetched next */
};

static double seconds(uint64_t at)
{
    return (double)at / NS_PER_S;
}

static uint64_t of_ms(double ms)
{
    return (uint64_t)(ms * NS_PER_MS);
}

static uint64_t oldest_age(const struct market *m)
{
    for (uint64_t k = m->base; k < m->next; k++)
        if (m->shards[k].ready > m->now)
            return m->now - m->shards[k].started;
    return 0;
}

static void start_fetches(struct market *m, const struct world *w)
{
    uint64_t ahead = lookahead_value(&m->law, oldest_age(m));
    for (; m->next <= m->base + ahead && m->next < SHARDS; m->next++) {
        struct shard *s = &m->shards[m->next];
        s->started = m->now;
        s->ready = m->now + of_ms(w->fetch_ms(seconds(m->now), &m->rng));
    }
}

static void end_fetches(struct market *m)
{
    for (uint64_t k = m->base; k < m->next; k++) {
        const struct shard *s = &m->shards[k];
        if (s->ready <= m->now && s->ready + TICK > m->now)
            lookahead_fetched(&m->law, s->started, s->ready);
    }
}

/* Fixed: ahead shards; 0 = auto. */
static struct outcome run(const struct world *w, uint64_t fixed)
{
    struct market *m = calloc(1, sizeof *m);
    struct outcome o = {0};
    uint64_t busy_until = 0, waits_since = 0;
    double sum = 0, looks = 0;
    bool waits = true;
    assert_non_null(m);
    rng_seed(&m->rng, 7);
    lookahead_init(&m->law, fixed, MOST);
    for (m->now = NS_PER_S; m->base < SHARDS; m->now += TICK) {
        end_fetches(m);
        bool warm = seconds(m->now) - 1 >= w->warm_s;
        if (!waits && m->now >= busy_until) {
            lookahead_consumed(&m->law, m->now);
            m->base++;
            waits = true;
            waits_since = m->now;
            start_fetches(m, w);
        }
        const struct shard *s = &m->shards[m->base];
        if (waits && s->ready && s->ready <= m->now) {
            uint64_t waited = m->base ? m->now - waits_since : 0;
            lookahead_spared(&m->law, s->ready - s->started, m->now - s->ready);
            if (waited)
                lookahead_stalled(&m->law, waited, 1);
            o.stalls += waited && warm;
            waits = false;
            busy_until = m->now + of_ms(w->shard_ms(seconds(m->now)));
        }
        start_fetches(m, w);
        if (warm && m->next < SHARDS) {
            double room = (double)(m->next - m->base);
            sum += room;
            looks++;
            o.peak = room > o.peak ? room : o.peak;
        }
    }
    o.mean = sum / looks;
    free(m);
    return o;
}

/* The smallest number that has no stall. */
static struct outcome smallest_fixed(const struct world *w, uint64_t *number)
{
    for (*number = 1; *number < MOST; ++*number) {
        struct outcome o = run(w, *number);
        if (!o.stalls)
            return o;
    }
    fail_msg("%s: no number is enough", w->name);
    return (struct outcome){0};
}

/* ---- worlds ---- */

static double cosine(double at_s, double period_s, double low, double high)
{
    return low + (high - low) * (1 - cos(2 * M_PI * at_s / period_s)) / 2;
}

static double swing(double at_s, struct rng *g)
{
    return cosine(at_s, 12, 35, 610);
}
static double long_swing(double at_s, struct rng *g)
{
    return cosine(at_s, 60, 50, 3000);
}
static double noisy_swing(double at_s, struct rng *g)
{
    return cosine(at_s, 12, 35, 610) + (double)rng_below(g, 20);
}
/* A server that stands still for a while now and then: all that is under way comes later. */
static double hiccups(double at_s, struct rng *g)
{
    double takes = cosine(at_s, 12, 35, 610) + (double)rng_below(g, 5);
    double still = floor((at_s + takes / 1000) / 33) * 33;
    return still > at_s || at_s - still < 0.2 ? takes + 200 : takes;
}
static double even(double at_s, struct rng *g)
{
    return 310;
}
static double quick(double at_s, struct rng *g)
{
    return 5;
}
static double steps(double at_s, struct rng *g)
{
    return (int)(at_s / 20) % 2 ? 410 : 110;
}
static double jitter(double at_s, struct rng *g)
{
    return 100 + (double)rng_below(g, 500);
}
static double rare(double at_s, struct rng *g)
{
    return rng_below(g, 50) ? 50 : 800;
}
static double forty(double at_s)
{
    return 41;
}
static double hundred(double at_s)
{
    return 100;
}
static double changing(double at_s)
{
    return (int)(at_s / 20) % 2 ? 41 : 82;
}

/* The mean is what it is about: nearly a third less where the server's speed comes and goes. A
 * number of shards that is just enough by luck has no time to spare, this law keeps a little. */
static const struct world worlds[] = {
    {"swing", swing, forty, 0, 0, 0.72, 3},
    {"known swing", swing, forty, 12, 0, 0.72, 1},
    {"noisy swing", noisy_swing, forty, 12, 0, 0.72, 1},
    {"hiccups", hiccups, forty, 12, 20, 0.7, 7},
    {"long swing", long_swing, hundred, 60, 0, 0.65, 1},
    {"even", even, forty, 5, 0, 1, 0},
    {"quick", quick, forty, 5, 0, 1, 0},
    {"steps", steps, forty, 10, 8, 0.85, 7},
    {"jitter", jitter, forty, 10, 25, 1.1, 1},
    {"rare", rare, forty, 10, 20, 0.9, 1},
    {"changing pace", even, changing, 10, 30, 0.85, 0},
};

static void auto_has_no_more_stalls_than_it_may_and_takes_no_more_room(void **state)
{
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        const struct world *w = &worlds[i];
        uint64_t number;
        struct outcome a = run(w, 0), f = smallest_fixed(w, &number);
        if (a.stalls > w->stalls || a.mean > w->mean * f.mean || a.peak > f.peak + w->peak)
            fail_msg("%s: %d stalls, room for %.2f shards in the mean and %.0f at most; a fixed %d "
                     "has none with %.2f and %.0f",
                     w->name, a.stalls, a.mean, a.peak, (int)number, f.mean, f.peak);
    }
}

/* ---- one by one ---- */

static uint64_t feed(struct lookahead *l, uint64_t *now, int shards, uint64_t shard_ms,
                     uint64_t fetch_ms)
{
    for (int i = 0; i < shards; i++) {
        *now += shard_ms * NS_PER_MS;
        lookahead_consumed(l, *now);
        lookahead_fetched(l, *now - fetch_ms * NS_PER_MS, *now);
    }
    return lookahead_value(l, 0);
}

static struct lookahead begin(uint64_t *now)
{
    struct lookahead l;
    *now = 100 * NS_PER_S;
    lookahead_init(&l, 0, 64);
    return l;
}

static void nothing_is_known_before_the_second_release(void **state)
{
    uint64_t now;
    struct lookahead l = begin(&now);
    assert_int_equal(lookahead_value(&l, 0), 4);
    assert_int_equal(lookahead_value(&l, NS_PER_S), 4);
    assert_int_equal(feed(&l, &now, 1, 100, 50), 4);
    assert_in_range(feed(&l, &now, 1, 100, 50), 1, 2);
}

static void ahead_follows_the_pace_of_both_sides(void **state)
{
    uint64_t now;
    struct lookahead l = begin(&now);
    assert_int_equal(feed(&l, &now, 100, 100, 50), 1);
    assert_in_range(feed(&l, &now, 1, 100, 1000), 10, 16);
    assert_in_range(feed(&l, &now, 200, 100, 50), 1, 2);
    assert_int_equal(feed(&l, &now, 100, 1, 5000), 64);
}

static void a_fetch_that_hangs_counts_for_two(void **state)
{
    uint64_t now;
    struct lookahead l = begin(&now);
    assert_int_equal(feed(&l, &now, 100, 100, 500), 6);
    assert_in_range(lookahead_value(&l, 800 * NS_PER_MS), 8, 9);
    assert_in_range(lookahead_value(&l, 3600 * NS_PER_S), 10, 11);
}

static void what_came_too_late_is_remembered_and_calm_forgets_it(void **state)
{
    uint64_t now;
    struct lookahead l = begin(&now);
    assert_int_equal(feed(&l, &now, 100, 100, 300), 4);
    lookahead_spared(&l, 800 * NS_PER_MS, 100 * NS_PER_MS); /* in good time */
    assert_int_equal(lookahead_value(&l, 0), 4);
    lookahead_spared(&l, 800 * NS_PER_MS, 10 * NS_PER_MS);
    assert_int_equal(lookahead_value(&l, 0), 9);
    assert_int_equal(feed(&l, &now, 100, 100, 300), 9);
    assert_in_range(feed(&l, &now, 30, 100, 300), 6, 8);
    assert_int_equal(feed(&l, &now, 200, 100, 300), 4);
}

static void time_spent_waiting_is_not_the_consumers_own(void **state)
{
    uint64_t now;
    struct lookahead one = begin(&now), all = one, shared = one;
    for (int i = 0; i < 50; i++) {
        now += 1000 * NS_PER_MS;
        lookahead_stalled(&one, 900 * NS_PER_MS, 1);
        for (int k = 0; k < 4; k++) {
            lookahead_stalled(&all, 900 * NS_PER_MS, 0);    /* four wait for the same */
            lookahead_stalled(&shared, 225 * NS_PER_MS, 4); /* each for its own */
        }
        struct lookahead *each[] = {&one, &all, &shared};
        for (int k = 0; k < 3; k++) {
            lookahead_consumed(each[k], now);
            lookahead_fetched(each[k], now - 400 * NS_PER_MS, now);
        }
    }
    assert_in_range(lookahead_value(&one, 0), 4, 5);
    assert_in_range(lookahead_value(&all, 0), 4, 5);
    assert_int_equal(lookahead_value(&shared, 0), 1);
}

static void a_number_is_a_number(void **state)
{
    uint64_t now;
    struct lookahead l = begin(&now);
    lookahead_init(&l, 7, 64);
    assert_int_equal(feed(&l, &now, 50, 1, 5000), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_has_no_more_stalls_than_it_may_and_takes_no_more_room),
        cmocka_unit_test(nothing_is_known_before_the_second_release),
        cmocka_unit_test(ahead_follows_the_pace_of_both_sides),
        cmocka_unit_test(a_fetch_that_hangs_counts_for_two),
        cmocka_unit_test(what_came_too_late_is_remembered_and_calm_forgets_it),
        cmocka_unit_test(time_spent_waiting_is_not_the_consumers_own),
        cmocka_unit_test(a_number_is_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

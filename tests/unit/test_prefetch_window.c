/* The decisions of the prefetcher: what each consumer holds, what is fetched, what may go. Tables,
 * and random runs of a simulated cache that hold the invariants after every step.
 */
#include "prefetch/lookahead.h"
#include "prefetch/readers.h"
#include "prefetch/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"

#define SHARDS_MAX 64

struct cache {
    struct readers readers;
    struct window window;
    int64_t sizes[SHARDS_MAX];
    bool listed; /* the list tells the sizes */
    bool there[SHARDS_MAX];
};

static int64_t size_of(void *ctx, uint64_t index)
{
    const struct cache *c = ctx;
    return c->listed ? c->sizes[index] : -1;
}

static void open_cache(struct cache *c, const struct reading_rules *reading, int64_t budget,
                       uint64_t ahead, uint32_t fetching)
{
    error err;
    *c = (struct cache){.listed = true};
    struct window_rules rules = {
        .budget = budget, .ahead = ahead, .fetching_max = fetching, .size_of = size_of, .ctx = c};
    assert_int_equal(readers_init(&c->readers, reading, &err), OK);
    window_init(&c->window, &rules, &c->readers);
    for (int i = 0; i < SHARDS_MAX; i++)
        c->sizes[i] = 10;
}

static void close_cache(struct cache *c)
{
    window_free(&c->window);
    readers_free(&c->readers);
}

static uint32_t join(struct cache *c, const char *name)
{
    uint32_t who;
    error err;
    assert_int_equal(readers_join(&c->readers, name, UINT32_MAX, true, &who, &err), OK);
    return who;
}

static void release(struct cache *c, uint32_t who, uint64_t seq)
{
    error err;
    assert_int_equal(readers_release(&c->readers, who, seq, &err), OK);
}

static void commit(struct cache *c, uint32_t who, uint64_t seq)
{
    error err;
    assert_int_equal(readers_commit(&c->readers, who, seq, &err), OK);
}

static void deliver(struct cache *c, uint32_t who, uint64_t seq)
{
    error err;
    assert_int_equal(readers_deliver(&c->readers, who, seq, &err), OK);
    window_opened(&c->window, seq);
}

/* Carries out all that the window wants; what it takes is there at once. */
static void settle_all(struct cache *c)
{
    struct window_action a;
    while ((a = window_next(&c->window)).deed != WINDOW_NOTHING) {
        if (a.deed == WINDOW_TAKE) {
            c->there[a.index] = true;
            window_ready(&c->window, a.index, c->sizes[a.index]);
        } else if (a.deed == WINDOW_DELETE) {
            c->there[a.index] = false;
            window_deleted(&c->window, a.index);
        } else {
            fail_msg("shard %d never fits", (int)a.index);
        }
    }
}

static void expect_there(const struct cache *c, const char *wanted)
{
    char found[SHARDS_MAX + 1];
    size_t n = strlen(wanted);
    for (size_t i = 0; i < n; i++)
        found[i] = c->there[i] ? '#' : '.';
    found[n] = '\0';
    assert_string_equal(found, wanted);
}

static void what_all_have_released_goes_and_the_next_come(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 10, .epochs = 1, .expected = 2};
    open_cache(&c, &r, 0, 2, 8);
    uint32_t a = join(&c, "a"), b = join(&c, "b");
    settle_all(&c);
    expect_there(&c, "###.......");
    deliver(&c, a, 0);
    release(&c, a, 0);
    settle_all(&c);
    expect_there(&c, "####......");
    release(&c, b, 0);
    settle_all(&c);
    expect_there(&c, ".###......");
    release(&c, b, 2); /* out of order: it waits for those before it, its file for a */
    settle_all(&c);
    expect_there(&c, ".###......");
    release(&c, b, 1);
    settle_all(&c);
    expect_there(&c, ".#####....");
    close_cache(&c);
}

static void a_commit_binds_who_has_committed_once(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 10, .epochs = 1, .expected = 1, .keep_behind = 1};
    open_cache(&c, &r, 0, 1, 8);
    uint32_t a = join(&c, "a");
    for (uint64_t seq = 0; seq < 3; seq++) {
        deliver(&c, a, seq);
        release(&c, a, seq);
    }
    settle_all(&c);
    expect_there(&c, "..." /* never taken: released before */ "##.....");
    commit(&c, a, 1);
    for (uint64_t seq = 3; seq < 6; seq++) {
        deliver(&c, a, seq);
        release(&c, a, seq);
        settle_all(&c);
    }
    expect_there(&c, "...#####..");
    commit(&c, a, 4);
    settle_all(&c);
    expect_there(&c, "....####..");
    close_cache(&c);
}

static void a_consumer_begins_again_behind_its_commit(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 10, .epochs = 1, .expected = 1};
    open_cache(&c, &r, 0, 1, 8);
    uint32_t a = join(&c, "a");
    commit(&c, a, 2);
    for (uint64_t seq = 0; seq < 6; seq++)
        release(&c, a, seq);
    assert_int_equal(readers_next(&c.readers, a), 6);
    assert_int_equal(join(&c, "a"), a);
    assert_int_equal(readers_next(&c.readers, a), 3);
    error err;
    assert_int_equal(readers_may_have(&c.readers, a, 2, &err), WEIR_USAGE);
    assert_int_equal(readers_may_have(&c.readers, a, 3, &err), OK);
    close_cache(&c);
}

static void what_is_committed_is_not_given_again_released_or_not(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 10, .epochs = 1, .expected = 1};
    open_cache(&c, &r, 0, 1, 8);
    uint32_t a = join(&c, "a");
    deliver(&c, a, 0);
    commit(&c, a, 4);
    assert_int_equal(readers_next(&c.readers, a), 5);
    assert_int_equal(c.readers.at[a].own.base, 0); /* held until it is released */
    join(&c, "a");
    assert_int_equal(readers_next(&c.readers, a), 5);
    assert_int_equal(c.readers.at[a].own.base, 5);
    close_cache(&c);
}

static void ranks_have_their_own_and_forgotten_ones_hold_nothing(void **state)
{
    struct cache c;
    struct reading_rules r = {
        .mode = READ_STRIDED, .start = 3, .count = 10, .epochs = 1, .expected = 3};
    open_cache(&c, &r, 0, 2, 8);
    uint32_t a = join(&c, "a");
    assert_int_equal(c.readers.at[a].rank, 0);
    assert_int_equal(readers_next(&c.readers, a), 3);
    settle_all(&c);
    expect_there(&c, "...######."); /* two beyond those in use are one for each rank, rounded up */
    uint32_t b = join(&c, "b");
    readers_forget(&c.readers, b);
    assert_int_equal(readers_find(&c.readers, "b"), NO_READER);
    assert_false(readers_all_let_go(&c.readers, 3));
    assert_true(readers_all_let_go(&c.readers, 4));
    assert_int_equal(join(&c, "c"), b);
    assert_int_equal(readers_next(&c.readers, b), 4);
    close_cache(&c);
}

static void a_queue_gives_each_to_one_and_takes_back_from_who_is_gone(void **state)
{
    struct cache c;
    error err;
    struct reading_rules r = {.mode = READ_QUEUE, .count = 6, .epochs = 1, .expected = 2};
    open_cache(&c, &r, 0, 9, 8);
    uint32_t a = join(&c, "a"), b = join(&c, "b");
    settle_all(&c);
    deliver(&c, a, 0);
    deliver(&c, b, 1);
    deliver(&c, a, 2);
    assert_int_equal(readers_next(&c.readers, b), 3);
    assert_int_equal(readers_release(&c.readers, b, 0, &err), WEIR_USAGE);
    release(&c, a, 2);
    release(&c, b, 1);
    settle_all(&c);
    expect_there(&c, "#..###");
    readers_forget(&c.readers, a);
    assert_int_equal(readers_next(&c.readers, b), 0);
    deliver(&c, b, 0);
    release(&c, b, 0);
    assert_int_equal(readers_next(&c.readers, b), 3);
    settle_all(&c);
    expect_there(&c, "...###");
    close_cache(&c);
}

static void the_furthest_next_use_goes_first(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 6, .epochs = 2, .expected = 1};
    open_cache(&c, &r, 40, 1, 8);
    uint32_t a = join(&c, "a");
    for (uint64_t seq = 0; seq < 4; seq++) {
        settle_all(&c);
        deliver(&c, a, seq);
        release(&c, a, seq);
    }
    settle_all(&c);
    /* 4 and 5 are wanted now; of 0 to 3 those stay that come first in the next epoch */
    expect_there(&c, "##..##");
    close_cache(&c);
}

static void pinned_ones_come_first_and_stay(void **state)
{
    struct cache c;
    error err;
    struct reading_rules r = {.count = 10, .epochs = 1, .expected = 1};
    open_cache(&c, &r, 40, 1, 1);
    uint32_t a = join(&c, "a");
    assert_int_equal(window_pin(&c.window, 8, &err), OK);
    struct window_action first = window_next(&c.window);
    assert_int_equal(first.deed, WINDOW_TAKE);
    assert_int_equal(first.index, 8);
    window_ready(&c.window, 8, 10);
    c.there[8] = true;
    for (uint64_t seq = 0; seq < 10; seq++) {
        settle_all(&c);
        assert_true(c.there[seq]);
        deliver(&c, a, seq);
        release(&c, a, seq);
    }
    settle_all(&c);
    expect_there(&c, "........#.");
    close_cache(&c);
}

static void what_somebody_waits_for_comes_first(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 30, .epochs = 1, .expected = 1};
    open_cache(&c, &r, 0, 5, 1);
    uint32_t a = join(&c, "a");
    c.window.waiting[a] = 20;
    struct window_action first = window_next(&c.window);
    assert_int_equal(first.deed, WINDOW_TAKE);
    assert_int_equal(first.index, 20);
    assert_true(first.urgent);
    close_cache(&c);
}

static void who_waits_out_of_order_gets_it_though_there_is_room_for_one_only(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 30, .epochs = 1, .expected = 1};
    open_cache(&c, &r, 10, 5, 4);
    uint32_t a = join(&c, "a");
    settle_all(&c);
    expect_there(&c, "#.....");
    c.window.waiting[a] = 20;
    settle_all(&c);
    assert_true(c.there[20]);
    assert_false(c.there[0]);
    c.window.waiting[a] = NO_SEQ;
    deliver(&c, a, 20);
    release(&c, a, 20);
    settle_all(&c);
    expect_there(&c, "#.....");
    close_cache(&c);
}

static void but_not_the_room_of_the_front_while_others_come(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 30, .epochs = 1, .expected = 1};
    open_cache(&c, &r, 20, 5, 4);
    uint32_t a = join(&c, "a");
    struct window_action first = window_next(&c.window);
    assert_int_equal(first.index, 0);
    c.window.waiting[a] = 20;
    struct window_action second = window_next(&c.window);
    assert_int_equal(second.deed, WINDOW_TAKE);
    assert_int_equal(second.index, 1);
    close_cache(&c);
}

static void what_can_never_fit_is_told_with_its_numbers(void **state)
{
    struct cache c;
    struct reading_rules r = {.count = 30, .epochs = 1, .expected = 1, .keep_behind = 2};
    open_cache(&c, &r, 35, 5, 8);
    uint32_t a = join(&c, "a");
    c.sizes[3] = 20;
    for (uint64_t seq = 0; seq < 3; seq++) {
        struct window_action x = window_next(&c.window);
        while (x.deed == WINDOW_TAKE) {
            window_ready(&c.window, x.index, c.sizes[x.index]);
            x = window_next(&c.window);
        }
        deliver(&c, a, seq);
        release(&c, a, seq);
    }
    struct window_action x = window_next(&c.window);
    if (x.deed == WINDOW_DELETE) {
        window_deleted(&c.window, x.index);
        x = window_next(&c.window);
    }
    assert_int_equal(x.deed, WINDOW_NEVER_FITS);
    assert_int_equal(x.index, 3);
    assert_int_equal(x.size, 20);
    assert_int_equal(x.kept, 20);
    close_cache(&c);
}

static void a_smaller_budget_than_before_is_come_down_to(void **state)
{
    struct cache c;
    error err;
    struct reading_rules r = {.count = 30, .epochs = 1, .expected = 1};
    open_cache(&c, &r, 30, 9, 8);
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(window_restore(&c.window, i, SLOT_READY, 10, false, &err), OK);
        c.there[i] = true;
    }
    join(&c, "a");
    settle_all(&c);
    assert_true(c.window.used <= 30);
    expect_there(&c, "###...");
    close_cache(&c);
}

/* ---- random runs ---- */

struct sim {
    struct cache c;
    struct rng rng;
    uint32_t who[4];
    uint32_t n;
    uint64_t fetching[SHARDS_MAX];
    size_t under_way;
    int64_t budget;
    uint64_t last[4]; /* one behind what was delivered last, in the modes with order */
    bool retention;   /* somebody commits */
};

static void check_bounds(struct sim *s)
{
    int64_t sum = 0;
    for (size_t i = 0; i < s->c.window.count; i++)
        sum += s->c.window.slots[i].bytes;
    assert_int_equal(sum, s->c.window.used);
    assert_true(s->c.window.used >= 0);
    if (s->budget)
        assert_true(s->c.window.used <= s->budget);
}

static void delete_checked(struct sim *s, uint64_t index)
{
    struct cache *c = &s->c;
    /* What somebody works on, or has not committed, is never deleted. */
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        struct cursor *cursor = readers_cursor(&c->readers, i);
        for (size_t k = 0; cursor && k < cursor->count; k++) {
            const struct held *h = &cursor->held[k];
            if (readers_index(&c->readers, h->seq) == index && h->delivered)
                assert_true(h->released);
        }
        for (uint64_t seq = index; cursor && seq < cursor->base; seq += c->readers.rules.count)
            if (readers_owns(&c->readers, i, seq))
                assert_true(readers_lets_go(&c->readers, i, seq));
    }
    c->there[index] = false;
    window_deleted(&c->window, index);
}

static bool step_window(struct sim *s)
{
    struct cache *c = &s->c;
    struct window_action a = window_next(&c->window);
    if (a.deed == WINDOW_TAKE) {
        assert_false(c->there[a.index]);
        s->fetching[s->under_way++] = a.index;
    } else if (a.deed == WINDOW_DELETE) {
        delete_checked(s, a.index);
    } else {
        assert_int_equal(a.deed, WINDOW_NOTHING);
    }
    check_bounds(s);
    return a.deed != WINDOW_NOTHING;
}

/* One fetch ends: its size is learnt, and there is room for it or not. */
static bool step_fetch(struct sim *s)
{
    if (!s->under_way)
        return false;
    size_t at = rng_below(&s->rng, s->under_way);
    uint64_t index = s->fetching[at];
    s->fetching[at] = s->fetching[--s->under_way];
    if (window_learn(&s->c.window, index, s->c.sizes[index])) {
        window_ready(&s->c.window, index, s->c.sizes[index]);
        s->c.there[index] = true;
    } else {
        window_give_back(&s->c.window, index, s->c.sizes[index]);
    }
    check_bounds(s);
    return true;
}

/* A consumer takes its next one, lets go of what it has, and commits now and then. */
static bool step_consumer(struct sim *s, uint32_t k)
{
    struct cache *c = &s->c;
    uint64_t seq = readers_next(&c->readers, s->who[k]);
    if (seq == NO_SEQ)
        return false;
    c->window.waiting[s->who[k]] = seq;
    const struct slot *slot = window_slot(&c->window, readers_index(&c->readers, seq));
    if (!slot || slot->state != SLOT_READY)
        return false;
    c->window.waiting[s->who[k]] = NO_SEQ;
    assert_true(c->there[slot->index]);
    if (c->readers.rules.mode != READ_QUEUE)
        assert_true(seq >= s->last[k]);
    s->last[k] = seq + 1;
    deliver(c, s->who[k], seq);
    release(c, s->who[k], seq);
    if (s->retention && k == 0)
        commit(c, s->who[k], seq);
    check_bounds(s);
    return true;
}

static void run_to_the_end(struct sim *s)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    for (uint32_t k = 0; k < s->n; k++)
        s->who[k] = join(&s->c, names[k]);
    int idle = 0;
    while (!readers_done(&s->c.readers)) {
        bool moved = false;
        switch (rng_below(&s->rng, 3)) {
        case 0:
            while (step_window(s))
                moved = true;
            break;
        case 1:
            moved = step_fetch(s);
            break;
        default:
            moved = step_consumer(s, (uint32_t)rng_below(&s->rng, s->n));
        }
        idle = moved ? 0 : idle + 1;
        if (idle > 500)
            fail_msg("deadlock: base %d, used %d of %d, %d under way",
                     (int)s->c.readers.at[0].own.base, (int)s->c.window.used, (int)s->budget,
                     (int)s->under_way);
    }
    while (step_window(s) || step_fetch(s))
        ;
    if (!s->c.readers.rules.keep_behind)
        assert_int_equal(s->c.window.used, 0);
}

static void random_runs_end_within_the_budget(void **state)
{
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct sim s = {0};
        rng_seed(&s.rng, seed);
        struct reading_rules r = {.mode = (enum reading_mode)rng_below(&s.rng, 3),
                                  .start = rng_below(&s.rng, 5),
                                  .count = 1 + rng_below(&s.rng, 40),
                                  .epochs = 1 + rng_below(&s.rng, 3),
                                  .keep_behind = rng_below(&s.rng, 3)};
        s.n = 1 + (uint32_t)rng_below(&s.rng, 4);
        r.expected = s.n;
        s.retention = rng_below(&s.rng, 2);
        int64_t largest = 0, kept = 0;
        int64_t sizes[SHARDS_MAX];
        for (int i = 0; i < SHARDS_MAX; i++) {
            sizes[i] = 5 + (int64_t)rng_below(&s.rng, 10);
            largest = sizes[i] > largest ? sizes[i] : largest;
        }
        /* Room for one beside what is kept behind: little enough to be in each other's way. */
        kept = (int64_t)(r.keep_behind * (r.mode == READ_STRIDED ? s.n : 1)) * largest;
        bool tight = rng_below(&s.rng, 4) != 0;
        s.budget = tight ? kept + largest * (int64_t)(1 + s.n + rng_below(&s.rng, 6)) : 0;
        open_cache(&s.c, &r, s.budget, 1 + rng_below(&s.rng, 12),
                   1 + (uint32_t)rng_below(&s.rng, 5));
        memcpy(s.c.sizes, sizes, sizeof sizes);
        s.c.listed = rng_below(&s.rng, 2);
        run_to_the_end(&s);
        close_cache(&s.c);
    }
}

/* ---- ahead = auto ---- */

static uint64_t feed(struct lookahead *l, uint64_t *now, int shards, uint64_t shard_ms,
                     uint64_t fetch_ms)
{
    for (int i = 0; i < shards; i++) {
        *now += shard_ms * NS_PER_MS;
        lookahead_consumed(l, *now);
        lookahead_fetched(l, fetch_ms * NS_PER_MS);
    }
    return lookahead_value(l, 0);
}

static void ahead_follows_the_pace_of_both_sides(void **state)
{
    struct lookahead l;
    uint64_t now = NS_PER_S;
    lookahead_init(&l, 0, 64);
    uint64_t quick = feed(&l, &now, 100, 100, 50);
    assert_in_range(quick, 1, 2);
    uint64_t slow = feed(&l, &now, 1, 100, 1000);
    assert_in_range(slow, 12, 18);
    assert_in_range(feed(&l, &now, 200, 100, 50), 1, 2);
    assert_in_range(lookahead_value(&l, 2 * NS_PER_S), 20, 35);
    assert_in_range(feed(&l, &now, 100, 1, 5000), 64, 64);
}

static void stalls_add_a_reserve_and_calm_takes_it_away(void **state)
{
    struct lookahead l;
    uint64_t now = NS_PER_S;
    lookahead_init(&l, 0, 64);
    uint64_t before = feed(&l, &now, 50, 100, 300);
    for (int i = 0; i < 4; i++)
        lookahead_stalled(&l, 10 * NS_PER_MS);
    uint64_t after = lookahead_value(&l, 0);
    assert_true(after >= before + 4);
    assert_true(feed(&l, &now, 300, 100, 300) < after);
}

static void time_spent_waiting_is_not_the_consumers_own(void **state)
{
    struct lookahead l;
    uint64_t now = NS_PER_S;
    lookahead_init(&l, 0, 64);
    for (int i = 0; i < 50; i++) {
        now += 1000 * NS_PER_MS;
        lookahead_stalled(&l, 900 * NS_PER_MS);
        lookahead_consumed(&l, now);
        lookahead_fetched(&l, 400 * NS_PER_MS);
    }
    l.reserve = 0;
    assert_in_range(lookahead_value(&l, 0), 5, 7);
}

static void a_number_is_a_number(void **state)
{
    struct lookahead l;
    uint64_t now = NS_PER_S;
    lookahead_init(&l, 7, 64);
    assert_int_equal(feed(&l, &now, 50, 1, 5000), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_have_released_goes_and_the_next_come),
        cmocka_unit_test(a_commit_binds_who_has_committed_once),
        cmocka_unit_test(a_consumer_begins_again_behind_its_commit),
        cmocka_unit_test(what_is_committed_is_not_given_again_released_or_not),
        cmocka_unit_test(ranks_have_their_own_and_forgotten_ones_hold_nothing),
        cmocka_unit_test(a_queue_gives_each_to_one_and_takes_back_from_who_is_gone),
        cmocka_unit_test(the_furthest_next_use_goes_first),
        cmocka_unit_test(pinned_ones_come_first_and_stay),
        cmocka_unit_test(what_somebody_waits_for_comes_first),
        cmocka_unit_test(who_waits_out_of_order_gets_it_though_there_is_room_for_one_only),
        cmocka_unit_test(but_not_the_room_of_the_front_while_others_come),
        cmocka_unit_test(what_can_never_fit_is_told_with_its_numbers),
        cmocka_unit_test(a_smaller_budget_than_before_is_come_down_to),
        cmocka_unit_test(random_runs_end_within_the_budget),
        cmocka_unit_test(ahead_follows_the_pace_of_both_sides),
        cmocka_unit_test(stalls_add_a_reserve_and_calm_takes_it_away),
        cmocka_unit_test(time_spent_waiting_is_not_the_consumers_own),
        cmocka_unit_test(a_number_is_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

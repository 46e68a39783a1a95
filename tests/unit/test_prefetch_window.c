/* The decisions of the prefetcher, one by one: what each consumer holds, what is fetched, what may
 * go. Random runs stand in test_prefetch_runs.c.
 */
#include "prefetch_fixture.h"

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

static void a_quick_rank_has_its_next_ones_there_though_a_slow_one_lacks_lower_ones(void **state)
{
    struct cache c;
    struct reading_rules r = {.mode = READ_STRIDED, .count = 12, .epochs = 1, .expected = 2};
    open_cache(&c, &r, 40, 8, 8);
    uint32_t a = join(&c, "a");
    join(&c, "b");
    settle_all(&c);
    expect_there(&c, "####....");
    for (uint64_t seq = 0; seq < 6; seq += 2) {
        deliver(&c, a, seq);
        release(&c, a, seq);
        settle_all(&c);
    }
    expect_there(&c, ".#.#..#.#");
    close_cache(&c);
}

static void what_a_rank_will_read_gives_way_only_while_it_is_away(void **state)
{
    struct cache c;
    struct reading_rules r = {.mode = READ_STRIDED, .count = 12, .epochs = 1, .expected = 2};
    open_cache(&c, &r, 40, 8, 8);
    c.sizes[6] = 30;
    uint32_t a = join(&c, "a"), b = join(&c, "b");
    settle_all(&c);
    for (uint64_t seq = 0; seq < 6; seq += 2) {
        deliver(&c, a, seq);
        release(&c, a, seq);
        settle_all(&c);
    }
    c.window.waiting[a] = 6;
    settle_all(&c);
    expect_there(&c, ".#.#...."); /* b has its next one, and will release it */
    c.window.away[b] = true;
    settle_all(&c);
    expect_there(&c, ".#....#."); /* its floor stays */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_have_released_goes_and_the_next_come),
        cmocka_unit_test(a_commit_binds_who_has_committed_once),
        cmocka_unit_test(a_consumer_begins_again_behind_its_commit),
        cmocka_unit_test(what_is_committed_is_not_given_again_released_or_not),
        cmocka_unit_test(ranks_have_their_own_and_forgotten_ones_hold_nothing),
        cmocka_unit_test(a_quick_rank_has_its_next_ones_there_though_a_slow_one_lacks_lower_ones),
        cmocka_unit_test(what_a_rank_will_read_gives_way_only_while_it_is_away),
        cmocka_unit_test(a_queue_gives_each_to_one_and_takes_back_from_who_is_gone),
        cmocka_unit_test(the_furthest_next_use_goes_first),
        cmocka_unit_test(pinned_ones_come_first_and_stay),
        cmocka_unit_test(what_somebody_waits_for_comes_first),
        cmocka_unit_test(who_waits_out_of_order_gets_it_though_there_is_room_for_one_only),
        cmocka_unit_test(but_not_the_room_of_the_front_while_others_come),
        cmocka_unit_test(what_can_never_fit_is_told_with_its_numbers),
        cmocka_unit_test(a_smaller_budget_than_before_is_come_down_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

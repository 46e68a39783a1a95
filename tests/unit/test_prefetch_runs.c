/* Random runs of a simulated cache: consumers of any mode and pace under budgets down to the least,
 * fetches that take their time. After every step the bounds hold; every run ends; and where the
 * sizes are known and nobody goes back, no shard is fetched twice in an epoch.
 *
 * WEIR_RUNS: how many (1500).
 */
#include "prefetch_fixture.h"

#define PEOPLE 4
#define STEPS 400000 /* a run takes a few thousand */

struct person {
    const char *name;
    uint32_t who;
    bool joined, away, polls;
    uint64_t comes_at, pace, free_at;
    uint64_t seq;      /* in hand, NO_SEQ = nothing */
    uint64_t last;     /* one behind what was delivered last, in the modes with order */
    uint64_t released; /* since the last commit */
    uint64_t goes_back_at;
};

struct plan {
    struct reading_rules reading;
    uint32_t people;
    int64_t budget, largest, sum;
    uint64_t commit_every; /* 0 = nobody commits */
    uint64_t ahead;
    uint32_t fetching;
    bool listed, late, goes_back;
};

struct run {
    struct cache c;
    struct plan plan;
    struct rng rng;
    struct person people[PEOPLE];
    uint64_t now;
    uint64_t due[SHARDS_MAX]; /* of each fetch under way, 0 = none */
    uint32_t times[SHARDS_MAX];
};

static void check_bounds(struct run *s)
{
    int64_t sum = 0;
    for (size_t i = 0; i < s->c.window.count; i++)
        sum += s->c.window.slots[i].bytes;
    assert_int_equal(sum, s->c.window.used);
    assert_true(s->c.window.used >= 0);
    if (s->plan.budget)
        assert_true(s->c.window.used <= s->plan.budget);
}

/* What somebody works on, or has not committed, is never deleted. */
static void delete_checked(struct run *s, uint64_t index)
{
    struct readers *r = &s->c.readers;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        struct cursor *cursor = readers_cursor(r, i);
        for (size_t k = 0; cursor && k < cursor->count; k++) {
            const struct held *h = &cursor->held[k];
            if (readers_index(r, h->seq) == index && h->delivered)
                assert_true(h->released);
        }
        for (uint64_t seq = index; cursor && seq < cursor->base; seq += r->rules.count)
            if (readers_owns(r, i, seq))
                assert_true(readers_lets_go(r, i, seq));
    }
    s->c.there[index] = false;
    window_deleted(&s->c.window, index);
}

static void do_all(struct run *s)
{
    struct window_action a;
    while ((a = window_next(&s->c.window)).deed != WINDOW_NOTHING) {
        if (a.deed == WINDOW_TAKE) {
            assert_false(s->c.there[a.index]);
            assert_int_equal(s->due[a.index], 0);
            s->due[a.index] = s->now + 1 + rng_below(&s->rng, 30);
            s->times[a.index]++;
        } else if (a.deed == WINDOW_DELETE) {
            delete_checked(s, a.index);
        } else {
            fail_msg("deed %d of shard %d", a.deed, (int)a.index);
        }
        check_bounds(s);
    }
}

/* Fetches that are due end: the size is learnt, and there is room for it or not. */
static void end_fetches(struct run *s)
{
    for (uint64_t i = 0; i < SHARDS_MAX; i++) {
        if (!s->due[i] || s->due[i] > s->now)
            continue;
        s->due[i] = 0;
        if (window_learn(&s->c.window, i, s->c.sizes[i])) {
            window_ready(&s->c.window, i, s->c.sizes[i]);
            s->c.there[i] = true;
        } else {
            window_give_back(&s->c.window, i, s->c.sizes[i]);
            s->times[i]--; /* no body came */
        }
        check_bounds(s);
        do_all(s);
    }
}

static void put_back(struct run *s, struct person *p)
{
    struct cache *c = &s->c;
    release(c, p->who, p->seq);
    p->released++;
    if (s->plan.commit_every && p->released >= s->plan.commit_every) {
        commit(c, p->who, p->seq);
        p->released = 0;
    }
    p->seq = NO_SEQ;
}

/* One moment of a consumer: lets go of what it has, takes its next one, or waits for it. */
static void act(struct run *s, struct person *p)
{
    struct cache *c = &s->c;
    if (!p->joined) {
        p->who = join(c, p->name);
        p->joined = true;
    }
    if (p->seq != NO_SEQ)
        put_back(s, p);
    if (p->goes_back_at && s->now >= p->goes_back_at) {
        p->goes_back_at = 0;
        assert_int_equal(join(c, p->name), p->who);
        p->last = 0;
    }
    uint64_t seq = readers_next(&c->readers, p->who);
    c->window.waiting[p->who] = NO_SEQ;
    if (seq == NO_SEQ)
        return;
    const struct slot *slot = window_slot(&c->window, readers_index(&c->readers, seq));
    if (!slot || slot->state != SLOT_READY) {
        c->window.waiting[p->who] = p->polls ? NO_SEQ : seq;
        p->free_at = s->now + 1;
        return;
    }
    assert_true(c->there[slot->index]);
    if (c->readers.rules.mode != READ_QUEUE)
        assert_true(seq >= p->last);
    p->last = seq + 1;
    deliver(c, p->who, seq);
    p->seq = seq;
    p->free_at = s->now + 1 + rng_below(&s->rng, p->pace);
}

static void run_to_the_end(struct run *s, uint64_t seed)
{
    int step = 0;
    do_all(s);
    while (!readers_done(&s->c.readers)) {
        s->now++;
        end_fetches(s);
        for (uint32_t k = 0; k < s->plan.people; k++) {
            struct person *p = &s->people[k];
            if (s->now < p->comes_at || s->now < p->free_at)
                continue;
            act(s, p);
            check_bounds(s);
            do_all(s);
        }
        if (++step > STEPS)
            fail_msg("seed %d: it stands still at %d, used %d of %d, mode %d", (int)seed,
                     (int)s->c.readers.at[0].own.base, (int)s->c.window.used, (int)s->plan.budget,
                     (int)s->plan.reading.mode);
    }
    for (; s->c.window.fetching; s->now++)
        end_fetches(s);
    do_all(s);
    if (!s->plan.reading.keep_behind && !s->plan.commit_every)
        assert_int_equal(s->c.window.used, 0);
}

static void check_fetches(const struct run *s, uint64_t seed)
{
    const struct plan *p = &s->plan;
    if (!p->listed || p->late || p->goes_back)
        return;
    bool room_for_all = !p->budget || p->budget >= p->sum;
    uint64_t most = room_for_all ? 1 : p->reading.epochs;
    for (uint64_t i = 0; i < SHARDS_MAX; i++)
        if (s->times[i] > most)
            fail_msg("seed %d: shard %d was fetched %d times, in %d epochs, mode %d", (int)seed,
                     (int)i, (int)s->times[i], (int)p->reading.epochs, (int)p->reading.mode);
}

static void make_plan(struct run *s)
{
    struct plan *p = &s->plan;
    struct rng *g = &s->rng;
    p->people = 1 + (uint32_t)rng_below(g, PEOPLE);
    p->reading = (struct reading_rules){.mode = (enum reading_mode)rng_below(g, 3),
                                        .start = rng_below(g, 5),
                                        .count = 1 + rng_below(g, 40),
                                        .epochs = 1 + rng_below(g, 3),
                                        .keep_behind = rng_below(g, 3),
                                        .expected = p->people};
    p->commit_every = rng_below(g, 2) ? 1 + rng_below(g, 3) : 0;
    p->listed = rng_below(g, 3) != 0;
    p->late = p->people > 1 && rng_below(g, 4) == 0;
    p->goes_back = p->commit_every && rng_below(g, 3) == 0;
    p->ahead = 1 + rng_below(g, 12);
    p->fetching = 1 + (uint32_t)rng_below(g, 5);
}

/* The least that can do: the largest shard, beside what is kept behind and what waits for its
 * commit. Who comes late or goes back has his own kept beside those of the others. */
static void choose_budget(struct run *s)
{
    struct plan *p = &s->plan;
    const struct reading_rules *u = &p->reading;
    int64_t each = (int64_t)u->keep_behind + (p->commit_every ? (int64_t)p->commit_every : 0);
    bool apart = u->mode == READ_STRIDED || p->late || p->goes_back || p->commit_every;
    int64_t least = 1 + each * (apart ? (int64_t)p->people : 1);
    if (p->late)
        least += p->people;
    if (rng_below(&s->rng, 4) != 0)
        p->budget = p->largest * (least + (int64_t)rng_below(&s->rng, 8));
}

static void begin(struct run *s, uint64_t seed)
{
    static const char *const names[PEOPLE] = {"a", "b", "c", "d"};
    int64_t sizes[SHARDS_MAX];
    *s = (struct run){0};
    rng_seed(&s->rng, seed);
    make_plan(s);
    bool even = rng_below(&s->rng, 2);
    for (int i = 0; i < SHARDS_MAX; i++) {
        sizes[i] = even ? 10 : 1 + (int64_t)rng_below(&s->rng, 20);
        s->plan.largest = sizes[i] > s->plan.largest ? sizes[i] : s->plan.largest;
        s->plan.sum += sizes[i];
    }
    choose_budget(s);
    open_cache(&s->c, &s->plan.reading, s->plan.budget, s->plan.ahead, s->plan.fetching);
    memcpy(s->c.sizes, sizes, sizeof sizes);
    s->c.listed = s->plan.listed;
    for (uint32_t k = 0; k < s->plan.people; k++) {
        bool late = s->plan.late && rng_below(&s->rng, 2);
        s->people[k] = (struct person){.name = names[k],
                                       .seq = NO_SEQ,
                                       .comes_at = late ? rng_below(&s->rng, 3000) : 0,
                                       .polls = rng_below(&s->rng, 3) == 0,
                                       .pace = 1 + rng_below(&s->rng, 1 << rng_below(&s->rng, 8))};
        if (s->plan.goes_back && rng_below(&s->rng, 2))
            s->people[k].goes_back_at = 1 + rng_below(&s->rng, 500);
        if (!late)
            act(s, &s->people[k]);
    }
}

static void runs_end_within_the_budget_and_fetch_nothing_twice(void **state)
{
    const char *wanted = getenv("WEIR_RUNS");
    uint64_t seeds = wanted ? strtoull(wanted, NULL, 10) : 1500;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct run s;
        begin(&s, seed);
        run_to_the_end(&s, seed);
        check_fetches(&s, seed);
        close_cache(&s.c);
    }
}

/* Four ranks, each four times as slow as the one before, and room for two each. */
static void ranks_of_different_pace_fetch_each_shard_once(void **state)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct run s = {0};
        rng_seed(&s.rng, seed);
        s.plan = (struct plan){
            .reading = {.mode = READ_STRIDED, .count = 40, .epochs = 1, .expected = 4},
            .people = 4,
            .budget = 80,
            .listed = true};
        open_cache(&s.c, &s.plan.reading, 80, 32, 8);
        static const char *const names[PEOPLE] = {"a", "b", "c", "d"};
        uint64_t pace = 1;
        for (uint32_t k = 0; k < 4; k++, pace *= 4)
            s.people[k] = (struct person){.name = names[k], .seq = NO_SEQ, .pace = pace};
        for (uint32_t k = 0; k < 4; k++)
            act(&s, &s.people[k]);
        run_to_the_end(&s, seed);
        check_fetches(&s, seed);
        close_cache(&s.c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_end_within_the_budget_and_fetch_nothing_twice),
        cmocka_unit_test(ranks_of_different_pace_fetch_each_shard_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

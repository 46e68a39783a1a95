/* A cache of the prefetcher without files: its readers and its window, and a test that does what
 * the window decides.
 */
#ifndef PREFETCH_FIXTURE_H
#define PREFETCH_FIXTURE_H

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

static inline int64_t size_of(void *ctx, uint64_t index)
{
    const struct cache *c = ctx;
    return c->listed ? c->sizes[index] : -1;
}

static inline void open_cache(struct cache *c, const struct reading_rules *reading, int64_t budget,
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

static inline void close_cache(struct cache *c)
{
    window_free(&c->window);
    readers_free(&c->readers);
}

static inline uint32_t join(struct cache *c, const char *name)
{
    uint32_t who;
    error err;
    assert_int_equal(readers_join(&c->readers, name, UINT32_MAX, true, &who, &err), OK);
    return who;
}

static inline void release(struct cache *c, uint32_t who, uint64_t seq)
{
    error err;
    assert_int_equal(readers_release(&c->readers, who, seq, &err), OK);
}

static inline void commit(struct cache *c, uint32_t who, uint64_t seq)
{
    error err;
    assert_int_equal(readers_commit(&c->readers, who, seq, &err), OK);
}

static inline void deliver(struct cache *c, uint32_t who, uint64_t seq)
{
    error err;
    assert_int_equal(readers_deliver(&c->readers, who, seq, &err), OK);
    window_opened(&c->window, seq);
}

/* Carries out all that the window wants; what it takes is there at once. */
static inline void settle_all(struct cache *c)
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

static inline void expect_there(const struct cache *c, const char *wanted)
{
    char found[SHARDS_MAX + 1];
    size_t n = strlen(wanted);
    for (size_t i = 0; i < n; i++)
        found[i] = c->there[i] ? '#' : '.';
    found[n] = '\0';
    assert_string_equal(found, wanted);
}

#endif

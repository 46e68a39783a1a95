/* Readers: what each consumer has been given, has released and has committed. Pure: no clock, no
 * lock, no I/O; the caller holds the lock of the prefetcher.
 *
 * A position ("seq") counts on through the epochs: with `count` shards from `start` on, position
 * start + e * count + i is shard start + i of the list, in epoch e. What a consumer has done with
 * the positions is a cursor: everything below `base` is released, and `held` says what is not plain
 * from there on. In the modes "shared" and "strided" each consumer has a cursor of its own; in the
 * mode "queue" all have one, the pool, and each position in it belongs to who was given it.
 *
 * A position is let go by a consumer when it is released, and lies behind the commit of a consumer
 * that has ever committed, and is not among the last keep_behind. Only what all let go may vanish.
 */
#ifndef WEIR_PREFETCH_READERS_H
#define WEIR_PREFETCH_READERS_H

#include "core/status.h"

#define READERS_MAX 64
#define READER_NAME 64
#define NO_READER UINT32_MAX
#define NO_SEQ UINT64_MAX

enum reading_mode { READ_SHARED, READ_STRIDED, READ_QUEUE }; /* shared|strided|queue */

struct reading_rules {
    enum reading_mode mode;
    uint64_t start, count, epochs;
    uint64_t keep_behind;
    uint32_t expected; /* consumers that hold the beginning until they have come */
};

struct held {
    uint64_t seq;
    uint32_t owner; /* in the pool: who was given it, NO_READER = nobody now */
    bool delivered, released;
};

struct cursor {
    uint64_t base; /* everything below that is this cursor's is released */
    uint64_t high; /* one behind the highest that was delivered */
    struct held *held;
    size_t count, capacity;
};

struct reader_entry {
    bool used;
    bool joined;    /* has come by a name; else it is expected */
    bool forgotten; /* strided: the rank holds nothing until somebody takes it */
    char name[READER_NAME];
    uint32_t rank;
    bool committed;
    uint64_t behind; /* commit + 1 */
    struct cursor own;
};

struct readers {
    struct reading_rules rules;
    struct reader_entry at[READERS_MAX];
    struct cursor pool;
};

status readers_init(struct readers *r, const struct reading_rules *rules, error *err);
void readers_free(struct readers *r);

/* One behind the last position. */
uint64_t readers_end(const struct readers *r);
uint64_t readers_index(const struct readers *r, uint64_t seq);

/* Finds the consumer of that name, or makes it (with `rank` in the mode "strided"; UINT32_MAX: the
 * first that is free). `fresh`: it begins at its commit, or at what it has not released; otherwise
 * it goes on as it was. USAGE: the name or the rank cannot be had. */
status readers_join(struct readers *r, const char *name, uint32_t rank, bool fresh, uint32_t *out,
                    error *err);
uint32_t readers_find(const struct readers *r, const char *name);
/* It holds nothing any more. */
void readers_forget(struct readers *r, uint32_t who);

/* The cursors: i from 0 to READERS_MAX - 1; NULL where there is none that counts. */
struct cursor *readers_cursor(struct readers *r, uint32_t i);
struct cursor *readers_cursor_of(struct readers *r, uint32_t who);
/* Positions from one of a cursor to its next. */
uint64_t readers_step(const struct readers *r);
/* Is the position one of this cursor's? */
bool readers_owns(const struct readers *r, uint32_t i, uint64_t seq);

/* Does this consumer have anything that it was given and has not released? */
bool readers_holds(struct readers *r, uint32_t who);
/* The next position for this consumer, NO_SEQ = it has had all. In the pool it may be another one
 * for each who asks. */
uint64_t readers_next(struct readers *r, uint32_t who);
/* USAGE: it is not this consumer's, lies behind its commit, or was let go. */
status readers_may_have(struct readers *r, uint32_t who, uint64_t seq, error *err);
status readers_deliver(struct readers *r, uint32_t who, uint64_t seq, error *err);
status readers_release(struct readers *r, uint32_t who, uint64_t seq, error *err);
status readers_commit(struct readers *r, uint32_t who, uint64_t seq, error *err);

/* What cursor i says of a position. */
bool cursor_released(const struct cursor *c, uint64_t seq);
bool readers_lets_go(struct readers *r, uint32_t i, uint64_t seq);
/* Has it been delivered and not released, or released and not let go? For any position of that
 * shard. */
bool readers_in_hand(struct readers *r, uint64_t index);
/* Will position `a` be asked for before `b`? In the mode "strided" each rank goes at its own pace:
 * what counts is how many of its own it has before it, and then who is behind. NO_SEQ: never. */
bool readers_sooner(const struct readers *r, uint64_t a, uint64_t b);
/* The position of that shard that somebody still wants, the soonest; NO_SEQ = none. */
uint64_t readers_next_use(struct readers *r, uint64_t index);
/* Has anybody been given this position? */
bool readers_begun(struct readers *r, uint64_t seq);
/* Have all let it go? */
bool readers_all_let_go(struct readers *r, uint64_t seq);
/* Has every consumer released every position? */
bool readers_done(struct readers *r);

#endif

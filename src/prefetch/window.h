/* The window: which shard is fetched next, which file may go. Pure: it is told what has happened
 * and answers what is to be done; no clock, no lock, no I/O. The caller holds the prefetcher's
 * lock.
 *
 * A slot is a shard that takes room, or is about to. Its bytes count against the budget from the
 * moment at which its fetch is decided (reserved) until its file has been removed.
 *
 * What is fetched: first what somebody waits for, then what is pinned, then for each cursor the
 * positions from its base up to `ahead` beyond it, the soonest first: the lowest, and with ranks
 * those that a rank comes to first at its own pace. The front, which is the soonest position that
 * is missing, is never shut out: nothing else is taken unless the front still has room beside it.
 * So whoever is furthest behind can always go on, and all others after him.
 *
 * What goes: a file that everybody has let go of and nobody will want again, at once; what gives
 * way when room is needed says room.h; never a pinned one.
 */
#ifndef WEIR_PREFETCH_WINDOW_H
#define WEIR_PREFETCH_WINDOW_H

#include "prefetch/readers.h"

enum slot_state {
    SLOT_LEARNT,   /* not there, but its size has been learnt, or a part of it is left */
    SLOT_FETCHING, /* its fetch has been decided; being validated too */
    SLOT_READY,
    SLOT_DELETING, /* window_next has said so; counts until window_deleted */
    SLOT_BAD       /* cannot be had */
};

struct slot {
    uint64_t index;
    enum slot_state state;
    int64_t bytes; /* that count against the budget */
    int64_t size;  /* of the shard, -1 = unknown */
    bool pinned;
    bool opened;  /* somebody may have need of it in its present use */
    uint64_t use; /* the position that it serves */
    void *extra;  /* the caller's */
};

enum window_deed {
    WINDOW_NOTHING,
    WINDOW_TAKE,
    WINDOW_DELETE,
    WINDOW_CLEAR, /* a file of the quarantine, the oldest: its room is needed */
    WINDOW_NEVER_FITS
};

struct window_action {
    enum window_deed deed;
    uint64_t index, seq;
    bool urgent;    /* somebody waits for it */
    bool part;      /* DELETE: what an earlier run has left of it */
    int64_t size;   /* NEVER_FITS: what it needs ... */
    int64_t pinned; /* ... and what stays beside it */
    int64_t kept;
};

struct window_rules {
    int64_t budget; /* 0 = none */
    uint64_t ahead;
    uint32_t fetching_max;
    /* The size that the list gives of a shard; -1 = none. */
    int64_t (*size_of)(void *ctx, uint64_t index);
    void *ctx;
};

struct window {
    struct window_rules rules;
    struct readers *readers;
    struct slot *slots; /* by index */
    size_t count, capacity;
    uint64_t *pins; /* indices still to be fetched because they are pinned, ascending */
    size_t pin_count, pin_capacity, pin_next;
    uint64_t waiting[READERS_MAX]; /* what each consumer waits for, NO_SEQ = nothing */
    bool away[READERS_MAX];        /* has joined, and its connection is gone */
    uint32_t fetching;
    int64_t used;    /* bytes that count */
    int64_t other;   /* beside the slots: quarantine */
    int64_t largest; /* size seen so far */
    bool drained;    /* take no more: the disk is low */
    bool closing;    /* only what is dead goes, nothing else is done */
    bool blocked;    /* the front finds no room now */
};

void window_init(struct window *w, const struct window_rules *rules, struct readers *readers);
void window_free(struct window *w);

struct slot *window_slot(struct window *w, uint64_t index);
/* What an earlier run has left: a READY file, a part (LEARNT), a decision (BAD). NOMEM. */
status window_restore(struct window *w, uint64_t index, enum slot_state state, int64_t bytes,
                      bool pinned, error *err);
status window_pin(struct window *w, uint64_t index, error *err);

/* That file goes; it counts as begun. Of the window's own. */
struct window_action window_delete(struct slot *s);

/* The next thing to do; it counts as begun. Call it until it says NOTHING. */
struct window_action window_next(struct window *w);

/* The size of a shard on its way is known now. False: there is no room; give it back. */
bool window_learn(struct window *w, uint64_t index, int64_t size);
/* A body of unknown length needs room for `bytes` in all. False likewise. */
bool window_grow(struct window *w, uint64_t index, int64_t bytes);
/* It could not be fetched now, and is not on its way any more. */
void window_give_back(struct window *w, uint64_t index, int64_t learnt_size);
/* What is to be fetched again keeps its room. */
void window_ready(struct window *w, uint64_t index, int64_t bytes);
void window_bad(struct window *w, uint64_t index);
void window_deleted(struct window *w, uint64_t index);
/* A consumer has been given this position of it. */
void window_opened(struct window *w, uint64_t seq);

#endif

/* What consumers hold; see readers.h. */
#include "prefetch/readers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"

#define MOST_BACK (1 << 20) /* positions, and as many as the list has */

/* ---- cursors ---- */

/* Where `seq` stands in c->held, or would stand. */
static size_t held_place(const struct cursor *c, uint64_t seq)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->held[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct held *held_find(const struct cursor *c, uint64_t seq)
{
    size_t at = held_place(c, seq);
    return at < c->count && c->held[at].seq == seq ? &c->held[at] : NULL;
}

static struct held *held_make(struct cursor *c, uint64_t seq)
{
    size_t at = held_place(c, seq);
    if (at < c->count && c->held[at].seq == seq)
        return &c->held[at];
    struct held *roomy = array_grow(c->held, c->count, &c->capacity, sizeof *roomy);
    if (!roomy)
        return NULL;
    c->held = roomy;
    memmove(c->held + at + 1, c->held + at, (c->count - at) * sizeof *c->held);
    c->count++;
    c->held[at] = (struct held){.seq = seq, .owner = NO_READER};
    return &c->held[at];
}

static void held_drop(struct cursor *c, size_t at)
{
    memmove(c->held + at, c->held + at + 1, (c->count - at - 1) * sizeof *c->held);
    c->count--;
}

bool cursor_released(const struct cursor *c, uint64_t seq)
{
    if (seq < c->base)
        return true;
    const struct held *h = held_find(c, seq);
    return h && h->released;
}

/* ---- rules ---- */

uint64_t readers_end(const struct readers *r)
{
    return r->rules.start + r->rules.count * r->rules.epochs;
}

uint64_t readers_index(const struct readers *r, uint64_t seq)
{
    const struct reading_rules *u = &r->rules;
    return u->start + (seq - u->start) % u->count;
}

uint64_t readers_step(const struct readers *r)
{
    return r->rules.mode == READ_STRIDED ? r->rules.expected : 1;
}

static uint64_t kept(const struct readers *r)
{
    return r->rules.keep_behind * readers_step(r);
}

bool readers_owns(const struct readers *r, uint32_t i, uint64_t seq)
{
    return r->rules.mode != READ_STRIDED || seq % r->rules.expected == r->at[i].rank;
}

static uint64_t first_own(const struct readers *r, uint32_t i, uint64_t from)
{
    while (!readers_owns(r, i, from))
        from++;
    return from;
}

struct cursor *readers_cursor(struct readers *r, uint32_t i)
{
    if (r->rules.mode == READ_QUEUE)
        return i == 0 ? &r->pool : NULL;
    return r->at[i].used && !r->at[i].forgotten ? &r->at[i].own : NULL;
}

struct cursor *readers_cursor_of(struct readers *r, uint32_t who)
{
    return r->rules.mode == READ_QUEUE ? &r->pool : &r->at[who].own;
}

/* Whose commit counts for a position of cursor i. */
static const struct reader_entry *owner_of(const struct readers *r, uint32_t i, uint64_t seq)
{
    if (r->rules.mode != READ_QUEUE)
        return &r->at[i];
    const struct held *h = held_find(&r->pool, seq);
    return h && h->owner != NO_READER ? &r->at[h->owner] : NULL;
}

bool readers_lets_go(struct readers *r, uint32_t i, uint64_t seq)
{
    const struct cursor *c = r->rules.mode == READ_QUEUE ? &r->pool : &r->at[i].own;
    const struct reader_entry *owner = owner_of(r, i, seq);
    uint64_t keep = kept(r);
    if (!cursor_released(c, seq))
        return false;
    if (owner && owner->committed)
        return seq + keep < owner->behind;
    return !keep || seq + keep < c->base;
}

/* Moves `base` over what is released, and forgets what nothing depends on any more. */
static void settle(struct readers *r, uint32_t i)
{
    bool pool = r->rules.mode == READ_QUEUE;
    struct cursor *c = pool ? &r->pool : &r->at[i].own;
    uint64_t end = readers_end(r), step = readers_step(r);
    const struct held *h;
    while (c->base < end && (h = held_find(c, c->base)) != NULL && h->released)
        c->base += step;
    for (size_t at = c->count; at-- > 0;)
        if (c->held[at].seq < c->base && (!pool || readers_lets_go(r, i, c->held[at].seq)))
            held_drop(c, at);
}

/* ---- coming and going ---- */

static void begin_at(struct readers *r, uint32_t i, uint64_t from)
{
    struct cursor *c = &r->at[i].own;
    c->base = c->high = first_own(r, i, from);
    c->count = 0;
}

status readers_init(struct readers *r, const struct reading_rules *rules, error *err)
{
    *r = (struct readers){.rules = *rules};
    r->pool.base = r->pool.high = rules->start;
    if (rules->expected > READERS_MAX)
        return fail(err, WEIR_CONFIG, "prefetch.consumers: %u is too many, at most %d may be",
                    rules->expected, READERS_MAX);
    for (uint32_t i = 0; i < rules->expected && rules->mode != READ_QUEUE; i++) {
        r->at[i].used = true;
        r->at[i].rank = i;
        begin_at(r, i, rules->start);
    }
    return OK;
}

void readers_free(struct readers *r)
{
    for (uint32_t i = 0; i < READERS_MAX; i++)
        free(r->at[i].own.held);
    free(r->pool.held);
    *r = (struct readers){0};
}

uint32_t readers_find(const struct readers *r, const char *name)
{
    for (uint32_t i = 0; i < READERS_MAX; i++)
        if (r->at[i].used && r->at[i].joined && strcmp(r->at[i].name, name) == 0)
            return i;
    return NO_READER;
}

static uint32_t first_free(const struct readers *r, bool expected, uint32_t rank)
{
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct reader_entry *e = &r->at[i];
        if (e->used == expected && !e->joined && (rank == UINT32_MAX || e->rank == rank))
            return i;
    }
    return NO_READER;
}

static status check_name(const char *name, error *err)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 127)
            n = 0;
    return n && n < READER_NAME
               ? OK
               : fail(err, WEIR_USAGE,
                      "\"%s\" is no name for a consumer; it has 1 to %d characters and no spaces",
                      name, READER_NAME - 1);
}

/* The slowest of those that are there. */
static uint64_t lowest_base(const struct readers *r)
{
    uint64_t lowest = readers_end(r);
    bool any = false;
    for (uint32_t i = 0; i < READERS_MAX; i++)
        if (r->at[i].used && !r->at[i].forgotten) {
            any = true;
            if (r->at[i].own.base < lowest)
                lowest = r->at[i].own.base;
        }
    return any ? lowest : r->rules.start;
}

static status make_reader(struct readers *r, const char *name, uint32_t rank, uint32_t *out,
                          error *err)
{
    bool strided = r->rules.mode == READ_STRIDED;
    if (strided && rank != UINT32_MAX && rank >= r->rules.expected)
        return fail(err, WEIR_USAGE, "rank %u: there are %u (prefetch.consumers), from 0 on", rank,
                    r->rules.expected);
    uint32_t i = first_free(r, true, strided ? rank : UINT32_MAX);
    if (i == NO_READER && strided)
        return fail(err, WEIR_USAGE,
                    rank == UINT32_MAX ? "all ranks are taken; forget a consumer that is gone"
                                       : "that rank is taken; forget the consumer that has it");
    if (i == NO_READER) { /* one more than was expected begins where the slowest is */
        uint64_t from = lowest_base(r);
        i = first_free(r, false, UINT32_MAX);
        if (i == NO_READER)
            return fail(err, WEIR_USAGE, "there are %d consumers already", READERS_MAX);
        struct cursor kept_memory = r->at[i].own;
        r->at[i] = (struct reader_entry){.used = true, .own = kept_memory};
        begin_at(r, i, from);
    }
    struct reader_entry *e = &r->at[i];
    e->joined = true;
    e->forgotten = false;
    snprintf(e->name, sizeof e->name, "%s", name);
    *out = i;
    return OK;
}

/* Each position on the way back is remembered. No run goes back so far; a damaged log may say so.
 */
static bool is_too_far_back(const struct readers *r, const struct cursor *c, uint64_t seq)
{
    return seq < c->base && (c->base - seq) / readers_step(r) > r->rules.count + MOST_BACK;
}

/* Takes `base` back to `seq`: what lies between stays released. */
static bool go_back(const struct readers *r, struct cursor *c, uint64_t seq)
{
    uint64_t step = readers_step(r);
    if (is_too_far_back(r, c, seq))
        return false;
    for (uint64_t s = seq + step; s < c->base; s += step) {
        bool known = held_find(c, s) != NULL;
        struct held *h = held_make(c, s);
        if (!h)
            return false;
        h->released = h->released || !known;
    }
    if (seq < c->base)
        c->base = seq;
    return true;
}

/* What it was given and has not released goes back, and so does what it has released behind its
 * commit: it begins again there. */
static void begin_again(struct readers *r, uint32_t who)
{
    struct reader_entry *e = &r->at[who];
    if (r->rules.mode != READ_QUEUE) {
        begin_at(r, who, e->committed ? e->behind : e->own.base);
        return;
    }
    struct cursor *c = &r->pool;
    for (size_t at = c->count; at-- > 0;) {
        struct held *h = &c->held[at];
        bool gone = h->released && (!e->committed || h->seq < e->behind);
        if (h->owner == who && !gone)
            *h = (struct held){.seq = h->seq, .owner = NO_READER};
    }
    for (size_t at = 0; at < c->count && c->held[at].seq < c->base; at++)
        if (!c->held[at].released) {
            go_back(r, c, c->held[at].seq); /* where it cannot, some are given a second time */
            break;
        }
    settle(r, 0);
}

status readers_join(struct readers *r, const char *name, uint32_t rank, bool fresh, uint32_t *out,
                    error *err)
{
    status st = check_name(name, err);
    if (st)
        return st;
    uint32_t who = readers_find(r, name);
    if (who == NO_READER)
        return make_reader(r, name, rank, out, err);
    if (rank != UINT32_MAX && r->rules.mode == READ_STRIDED && r->at[who].rank != rank)
        return fail(err, WEIR_USAGE, "\"%s\" has rank %u", name, r->at[who].rank);
    if (fresh)
        begin_again(r, who);
    *out = who;
    return OK;
}

void readers_forget(struct readers *r, uint32_t who)
{
    struct reader_entry *e = &r->at[who];
    if (r->rules.mode == READ_QUEUE) {
        begin_again(r, who);
        struct cursor *c = &r->pool;
        for (size_t at = 0; at < c->count; at++)
            if (c->held[at].owner == who)
                c->held[at].owner = NO_READER;
    }
    if (r->rules.mode == READ_STRIDED) {
        begin_again(r, who); /* who takes the rank next goes on there */
        e->joined = false;
        e->forgotten = true;
        return;
    }
    struct cursor kept_memory = {.held = e->own.held, .capacity = e->own.capacity};
    *e = (struct reader_entry){.own = kept_memory};
    if (r->rules.mode == READ_QUEUE)
        settle(r, 0);
}

/* ---- giving and letting go ---- */

uint64_t readers_next(struct readers *r, uint32_t who)
{
    const struct cursor *c = readers_cursor_of(r, who);
    const struct reader_entry *e = &r->at[who];
    uint64_t end = readers_end(r), step = readers_step(r), seq = c->base;
    /* What is committed is not given, though it may not be released yet. */
    if (r->rules.mode != READ_QUEUE && e->committed && e->behind > seq)
        seq = first_own(r, who, e->behind);
    for (size_t at = held_place(c, seq); seq < end; seq += step) {
        while (at < c->count && c->held[at].seq < seq)
            at++;
        const struct held *h = at < c->count && c->held[at].seq == seq ? &c->held[at] : NULL;
        if (!h || !(h->delivered || h->released))
            return seq;
    }
    return NO_SEQ;
}

bool readers_holds(struct readers *r, uint32_t who)
{
    const struct cursor *c = readers_cursor_of(r, who);
    bool queue = r->rules.mode == READ_QUEUE;
    for (size_t at = 0; at < c->count; at++) {
        const struct held *h = &c->held[at];
        if (h->delivered && !h->released && (!queue || h->owner == who))
            return true;
    }
    return false;
}

/* Is the position one that this consumer may speak of? */
static status belongs(struct readers *r, uint32_t who, uint64_t seq, error *err)
{
    const struct reader_entry *e = &r->at[who];
    if (seq < r->rules.start || seq >= readers_end(r))
        return fail(err, WEIR_USAGE, "there is no position %llu; they go from %llu to %llu",
                    (unsigned long long)seq, (unsigned long long)r->rules.start,
                    (unsigned long long)readers_end(r) - 1);
    if (r->rules.mode == READ_STRIDED && !readers_owns(r, who, seq))
        return fail(err, WEIR_USAGE, "position %llu is another rank's: \"%s\" has rank %u of %u",
                    (unsigned long long)seq, e->name, e->rank, r->rules.expected);
    const struct held *h = r->rules.mode == READ_QUEUE ? held_find(&r->pool, seq) : NULL;
    if (r->rules.mode == READ_QUEUE && (!h || h->owner != who))
        return fail(err, WEIR_USAGE, "position %llu was not given to \"%s\"",
                    (unsigned long long)seq, e->name);
    return OK;
}

status readers_may_have(struct readers *r, uint32_t who, uint64_t seq, error *err)
{
    const struct reader_entry *e = &r->at[who];
    status st = belongs(r, who, seq, err);
    if (!st && e->committed && seq < e->behind)
        st = fail(err, WEIR_USAGE, "position %llu lies behind what \"%s\" has committed, %llu",
                  (unsigned long long)seq, e->name, (unsigned long long)e->behind - 1);
    if (!st && readers_lets_go(r, who, seq))
        st = fail(err, WEIR_USAGE, "position %llu was released by \"%s\" and may be gone",
                  (unsigned long long)seq, e->name);
    return st;
}

static status no_memory(error *err)
{
    return fail(err, WEIR_NOMEM, "out of memory");
}

status readers_deliver(struct readers *r, uint32_t who, uint64_t seq, error *err)
{
    struct cursor *c = readers_cursor_of(r, who);
    if (is_too_far_back(r, c, seq))
        return fail(err, WEIR_USAGE, "position %llu lies too far behind %llu",
                    (unsigned long long)seq, (unsigned long long)c->base);
    struct held *h = go_back(r, c, seq) ? held_make(c, seq) : NULL;
    if (!h)
        return no_memory(err);
    h->delivered = true;
    h->released = false;
    h->owner = r->rules.mode == READ_QUEUE ? who : NO_READER;
    if (seq >= c->high)
        c->high = seq + 1;
    return OK;
}

status readers_release(struct readers *r, uint32_t who, uint64_t seq, error *err)
{
    struct cursor *c = readers_cursor_of(r, who);
    if (cursor_released(c, seq))
        return OK;
    status st = belongs(r, who, seq, err);
    if (st)
        return st;
    struct held *h = held_make(c, seq);
    if (!h)
        return no_memory(err);
    h->released = true;
    settle(r, who);
    return OK;
}

status readers_commit(struct readers *r, uint32_t who, uint64_t seq, error *err)
{
    struct reader_entry *e = &r->at[who];
    if (seq < r->rules.start || seq >= readers_end(r))
        return fail(err, WEIR_USAGE, "there is no position %llu; they go from %llu to %llu",
                    (unsigned long long)seq, (unsigned long long)r->rules.start,
                    (unsigned long long)readers_end(r) - 1);
    if (!e->committed || seq + 1 > e->behind)
        e->behind = seq + 1;
    e->committed = true;
    settle(r, who);
    return OK;
}

/* ---- what becomes of a shard ---- */

static uint64_t position_from(const struct readers *r, uint64_t index, uint64_t from)
{
    const struct reading_rules *u = &r->rules;
    uint64_t lap = from > u->start ? (from - u->start) / u->count : 0;
    uint64_t seq = u->start + lap * u->count + (index - u->start);
    return seq < from ? seq + u->count : seq;
}

/* No position below has anything to say. */
static uint64_t lowest_held(struct readers *r, uint32_t i, const struct cursor *c)
{
    uint64_t low = c->base, keep = kept(r);
    if (r->rules.mode == READ_QUEUE && c->count && c->held[0].seq < low)
        low = c->held[0].seq;
    if (r->rules.mode != READ_QUEUE && r->at[i].committed && r->at[i].behind < low)
        low = r->at[i].behind;
    return low > r->rules.start + keep ? low - keep : r->rules.start;
}

static bool cursor_has_in_hand(struct readers *r, uint32_t i, struct cursor *c, uint64_t index)
{
    uint64_t high = c->high > c->base ? c->high : c->base;
    for (uint64_t seq = position_from(r, index, lowest_held(r, i, c)); seq < high;
         seq += r->rules.count) {
        if (!readers_owns(r, i, seq))
            continue;
        const struct held *h = held_find(c, seq);
        bool released = seq < c->base ? !h || h->released : h && h->released;
        if (released ? !readers_lets_go(r, i, seq) : h && h->delivered)
            return true;
    }
    return false;
}

bool readers_in_hand(struct readers *r, uint64_t index)
{
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        struct cursor *c = readers_cursor(r, i);
        if (c && cursor_has_in_hand(r, i, c, index))
            return true;
    }
    return false;
}

/* How many of its own a rank has before that position. */
static uint64_t before(const struct readers *r, uint64_t seq)
{
    uint64_t ranks = r->rules.expected, base = r->at[seq % ranks].own.base;
    return seq > base ? (seq - base) / ranks : 0;
}

bool readers_sooner(const struct readers *r, uint64_t a, uint64_t b)
{
    if (a == NO_SEQ || b == NO_SEQ || r->rules.mode != READ_STRIDED)
        return a < b;
    uint64_t of_a = before(r, a), of_b = before(r, b);
    return of_a != of_b ? of_a < of_b : a < b;
}

/* The first position of that shard that cursor i still wants. Whose a shard is comes round again
 * after as many epochs as there are ranks. */
static uint64_t next_wanted(const struct readers *r, uint32_t i, const struct cursor *c,
                            uint64_t index)
{
    uint64_t end = readers_end(r);
    uint32_t not_own = 0;
    for (uint64_t seq = position_from(r, index, c->base); seq < end; seq += r->rules.count) {
        bool own = readers_owns(r, i, seq);
        if (own && !cursor_released(c, seq))
            return seq;
        if (!own && ++not_own >= r->rules.expected)
            break;
    }
    return NO_SEQ;
}

uint64_t readers_next_use(struct readers *r, uint64_t index)
{
    uint64_t best = NO_SEQ;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(r, i);
        if (!c)
            continue;
        uint64_t seq = next_wanted(r, i, c, index);
        if (readers_sooner(r, seq, best))
            best = seq;
    }
    return best;
}

bool readers_begun(struct readers *r, uint64_t seq)
{
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(r, i);
        if (!c || !readers_owns(r, i, seq))
            continue;
        const struct held *h = held_find(c, seq);
        if (seq < c->base || (h && (h->delivered || h->released)))
            return true;
    }
    return false;
}

bool readers_all_let_go(struct readers *r, uint64_t seq)
{
    for (uint32_t i = 0; i < READERS_MAX; i++)
        if (readers_cursor(r, i) && readers_owns(r, i, seq) && !readers_lets_go(r, i, seq))
            return false;
    return true;
}

bool readers_done(struct readers *r)
{
    uint64_t end = readers_end(r);
    bool any = false;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(r, i);
        any = any || c;
        if (c && c->base < end)
            return false;
    }
    return any;
}

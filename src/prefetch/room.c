/* See room.h. */
#include "prefetch/room.h"

bool room_fits(const struct window *w, int64_t bytes)
{
    return !w->rules.budget || w->used + w->other + bytes <= w->rules.budget;
}

bool room_comes_at_once(const struct window *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->slots[i].state == SLOT_DELETING)
            return true;
    return false;
}

/* ---- who can go on ---- */

static bool is_coming(struct window *w, uint64_t seq)
{
    const struct slot *s = window_slot(w, readers_index(w->readers, seq));
    return s && s->state != SLOT_LEARNT && s->state != SLOT_DELETING;
}

/* Whoever is there and has something in hand, or what he wants next is there or on its way, will
 * release. Who waits for what is missing will not, whatever he has in hand. */
static bool goes_on(struct window *w, uint32_t who)
{
    const struct reader_entry *e = &w->readers->at[who];
    if (!e->used || !e->joined || w->away[who])
        return false;
    bool waits = w->waiting[who] != NO_SEQ;
    uint64_t seq = waits ? w->waiting[who] : readers_next(w->readers, who);
    return (seq != NO_SEQ && is_coming(w, seq)) || (!waits && readers_holds(w->readers, who));
}

/* In the mode queue a position belongs to all members, or to whom it was given. */
static bool pool_goes_on(struct window *w, const bool *going, uint64_t seq)
{
    const struct cursor *c = &w->readers->pool;
    for (size_t at = 0; at < c->count; at++)
        if (c->held[at].seq == seq && c->held[at].owner != NO_READER)
            return going[c->held[at].owner];
    for (uint32_t i = 0; i < READERS_MAX; i++)
        if (going[i])
            return true;
    return false;
}

/* Is everybody who has not let go of the position going on? */
static bool will_be_let_go(struct window *w, const bool *going, uint64_t seq)
{
    struct readers *r = w->readers;
    bool queue = r->rules.mode == READ_QUEUE;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        if (!readers_cursor(r, i) || !readers_owns(r, i, seq) || readers_lets_go(r, i, seq))
            continue;
        if (queue ? !pool_goes_on(w, going, seq) : !going[i])
            return false;
    }
    return true;
}

/* Will a file go, or be wanted in a later epoch only, once those go on who can? */
static bool comes_by_itself(struct window *w)
{
    bool going[READERS_MAX], any = false;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        going[i] = goes_on(w, i);
        any = any || going[i];
    }
    for (size_t i = 0; any && i < w->count; i++) {
        const struct slot *s = &w->slots[i];
        bool counts = s->state == SLOT_READY || s->state == SLOT_FETCHING;
        if (counts && !s->pinned && s->use != NO_SEQ && will_be_let_go(w, going, s->use))
            return true;
    }
    return false;
}

/* ---- what gives way ---- */

/* Nobody has it in hand, and it is wanted later than `seq`. `any`: though somebody may have need of
 * it in its present use. */
static bool may_go_for(struct window *w, const struct slot *s, uint64_t seq, bool any,
                       uint64_t *next)
{
    bool part = s->state == SLOT_LEARNT && s->bytes > 0;
    if ((s->state != SLOT_READY && !part) || s->pinned || (s->opened && !any && !part))
        return false;
    *next = readers_next_use(w->readers, s->index);
    return (seq == NO_SEQ || readers_sooner(w->readers, seq, *next)) &&
           !readers_in_hand(w->readers, s->index);
}

static bool is_awaited(const struct window *w, uint64_t index)
{
    for (size_t i = 0; i < READERS_MAX; i++)
        if (w->waiting[i] != NO_SEQ && readers_index(w->readers, w->waiting[i]) == index)
            return true;
    return false;
}

/* The one whose next use is furthest. */
static struct slot *spare_slot(struct window *w, uint64_t seq, bool any)
{
    struct slot *best = NULL;
    uint64_t furthest = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct slot *s = &w->slots[i];
        uint64_t next = 0;
        if (may_go_for(w, s, seq, any, &next) && !is_awaited(w, s->index) &&
            (!best || readers_sooner(w->readers, furthest, next))) {
            best = s;
            furthest = next;
        }
    }
    return best;
}

bool room_make(struct window *w, uint64_t seq, struct window_action *out)
{
    if (room_comes_at_once(w))
        return false;
    if (w->other > 0) {
        *out = (struct window_action){.deed = WINDOW_CLEAR};
        return true;
    }
    struct slot *s = spare_slot(w, seq, false);
    if (!s && !comes_by_itself(w))
        s = spare_slot(w, seq, true);
    if (s)
        *out = window_delete(s);
    return s != NULL;
}

/* ---- what always stays ---- */

/* On the disk however much is released and committed before `seq`. */
static void unmovable(struct window *w, uint64_t seq, int64_t *pinned, int64_t *kept)
{
    const struct reading_rules *u = &w->readers->rules;
    uint64_t keep = u->keep_behind * (u->mode == READ_STRIDED ? u->expected : 1);
    uint64_t from = seq > u->start + keep ? seq - keep : u->start;
    *pinned = *kept = 0;
    for (size_t i = 0; i < w->count; i++)
        if (w->slots[i].pinned && w->slots[i].state != SLOT_BAD)
            *pinned += w->slots[i].bytes;
    for (uint64_t s = from; s < seq && s - from < u->count; s++) {
        const struct slot *slot = window_slot(w, readers_index(w->readers, s));
        if (slot && !slot->pinned && slot->state == SLOT_READY)
            *kept += slot->bytes;
    }
}

bool room_never(struct window *w, uint64_t seq, int64_t size, struct window_action *out)
{
    int64_t pinned, kept;
    if (!w->rules.budget)
        return false;
    unmovable(w, seq, &pinned, &kept);
    if (size + pinned + kept <= w->rules.budget)
        return false;
    *out = (struct window_action){.deed = WINDOW_NEVER_FITS,
                                  .index = readers_index(w->readers, seq),
                                  .seq = seq,
                                  .size = size,
                                  .pinned = pinned,
                                  .kept = kept};
    return true;
}

/* Deciding; see window.h. */
#include "prefetch/window.h"

#include <stdlib.h>
#include <string.h>

/* ---- slots ---- */

static size_t place_of(const struct window *w, uint64_t index)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->slots[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct slot *window_slot(struct window *w, uint64_t index)
{
    size_t at = place_of(w, index);
    return at < w->count && w->slots[at].index == index ? &w->slots[at] : NULL;
}

static struct slot *make_slot(struct window *w, uint64_t index)
{
    size_t at = place_of(w, index);
    if (at < w->count && w->slots[at].index == index)
        return &w->slots[at];
    if (w->count == w->capacity) {
        size_t wanted = w->capacity ? 2 * w->capacity : 32;
        struct slot *bigger = realloc(w->slots, wanted * sizeof *bigger);
        if (!bigger)
            return NULL;
        w->slots = bigger;
        w->capacity = wanted;
    }
    memmove(w->slots + at + 1, w->slots + at, (w->count - at) * sizeof *w->slots);
    w->count++;
    w->slots[at] = (struct slot){.index = index, .size = -1, .use = NO_SEQ};
    return &w->slots[at];
}

static void drop_slot(struct window *w, struct slot *s)
{
    size_t at = (size_t)(s - w->slots);
    memmove(s, s + 1, (w->count - at - 1) * sizeof *w->slots);
    w->count--;
}

static void set_bytes(struct window *w, struct slot *s, int64_t bytes)
{
    w->used += bytes - s->bytes;
    s->bytes = bytes;
}

void window_init(struct window *w, const struct window_rules *rules, struct readers *readers)
{
    *w = (struct window){.rules = *rules, .readers = readers};
    for (size_t i = 0; i < READERS_MAX; i++)
        w->waiting[i] = NO_SEQ;
}

void window_free(struct window *w)
{
    free(w->slots);
    free(w->pins);
    w->slots = NULL;
    w->pins = NULL;
    w->count = w->pin_count = 0;
}

status window_restore(struct window *w, uint64_t index, enum slot_state state, int64_t bytes,
                      bool pinned, error *err)
{
    struct slot *s = make_slot(w, index);
    if (!s)
        return fail(err, WEIR_NOMEM, "out of memory");
    s->state = state;
    s->pinned = pinned;
    s->size = state == SLOT_LEARNT ? -1 : bytes;
    s->use = readers_next_use(w->readers, index);
    s->opened = false;
    set_bytes(w, s, bytes);
    if (state == SLOT_READY && bytes > w->largest)
        w->largest = bytes;
    return OK;
}

status window_pin(struct window *w, uint64_t index, error *err)
{
    uint64_t *bigger = realloc(w->pins, (w->pin_count + 1) * sizeof *bigger);
    if (!bigger)
        return fail(err, WEIR_NOMEM, "out of memory");
    w->pins = bigger;
    w->pins[w->pin_count++] = index;
    return OK;
}

static bool is_pin(const struct window *w, uint64_t index)
{
    size_t low = 0, high = w->pin_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->pins[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->pin_count && w->pins[low] == index;
}

/* ---- room ---- */

/* What its fetch has to reserve; *known: that is its size. */
static int64_t need_of(struct window *w, uint64_t index, bool *known)
{
    const struct slot *s = window_slot(w, index);
    int64_t size = s && s->size >= 0 ? s->size : w->rules.size_of(w->rules.ctx, index);
    *known = size >= 0;
    return size >= 0 ? size : w->largest;
}

static bool fits(const struct window *w, int64_t bytes)
{
    return !w->rules.budget || w->used + w->other + bytes <= w->rules.budget;
}

/* What counts already of it, as a part that is left. */
static int64_t counted(struct window *w, uint64_t index)
{
    const struct slot *s = window_slot(w, index);
    return s ? s->bytes : 0;
}

/* Nobody has it in hand, and it is not needed before `seq`. `any`: though somebody may have need
 * of it in its present use. */
static bool may_go_for(struct window *w, const struct slot *s, uint64_t seq, bool any,
                       uint64_t *next)
{
    bool part = s->state == SLOT_LEARNT && s->bytes > 0;
    if ((s->state != SLOT_READY && !part) || s->pinned || (s->opened && !any && !part))
        return false;
    *next = readers_next_use(w->readers, s->index);
    return (*next > seq || !seq) && !readers_in_hand(w->readers, s->index);
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
        uint64_t next = 0;
        if (may_go_for(w, &w->slots[i], seq, any, &next) && (!best || next > furthest) &&
            !is_awaited(w, w->slots[i].index)) {
            best = &w->slots[i];
            furthest = next;
        }
    }
    return best;
}

static bool deletes_already(const struct window *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->slots[i].state == SLOT_DELETING)
            return true;
    return false;
}

/* What stays on the disk however much is released and committed before `seq`. */
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

static bool never_fits(struct window *w, uint64_t seq, int64_t size, struct window_action *out)
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

/* ---- what is missing ---- */

static bool is_missing(struct window *w, uint64_t index)
{
    const struct slot *s = window_slot(w, index);
    return !s || s->state == SLOT_LEARNT;
}

/* How far beyond its base a cursor's window goes: `ahead` in all, so that ranks have their share,
 * rounded up, and members of a queue do not count against one another. */
static uint64_t reach(const struct window *w)
{
    const struct readers *r = w->readers;
    uint64_t n = r->rules.expected, members = 0;
    if (r->rules.mode == READ_STRIDED)
        return (w->rules.ahead + n - 1) / n * n;
    for (uint32_t i = 0; r->rules.mode == READ_QUEUE && i < READERS_MAX; i++)
        members += r->at[i].joined;
    return w->rules.ahead + (members > 1 ? members - 1 : 0);
}

/* The lowest position of cursor i, within its window, whose shard is missing. */
static uint64_t first_missing(struct window *w, uint32_t i, const struct cursor *c, uint64_t limit)
{
    uint64_t end = readers_end(w->readers), ahead = reach(w);
    uint64_t to = c->base < end && ahead < end - c->base ? c->base + ahead + 1 : end;
    for (uint64_t seq = c->base; seq < to && seq < limit; seq++)
        if (readers_owns(w->readers, i, seq) && is_missing(w, readers_index(w->readers, seq)) &&
            !cursor_released(c, seq))
            return seq;
    return NO_SEQ;
}

static uint64_t find_front(struct window *w)
{
    uint64_t front = NO_SEQ;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(w->readers, i);
        uint64_t seq = c ? first_missing(w, i, c, front) : NO_SEQ;
        if (seq < front)
            front = seq;
    }
    return front;
}

static uint64_t find_awaited(struct window *w)
{
    uint64_t lowest = NO_SEQ;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        uint64_t seq = w->waiting[i];
        /* In a queue another one may have had it meanwhile. */
        if (seq < lowest && is_missing(w, readers_index(w->readers, seq)) &&
            !cursor_released(readers_cursor_of(w->readers, i), seq))
            lowest = seq;
    }
    return lowest;
}

/* ---- deeds ---- */

static struct window_action take(struct window *w, uint64_t index, uint64_t seq, bool urgent)
{
    bool known;
    int64_t need = need_of(w, index, &known);
    struct slot *s = make_slot(w, index);
    if (!s) /* out of memory: nothing now */
        return (struct window_action){.deed = WINDOW_NOTHING};
    s->state = SLOT_FETCHING;
    s->pinned = is_pin(w, index);
    s->use = seq;
    s->opened = seq != NO_SEQ;
    if (known)
        s->size = need;
    set_bytes(w, s, need);
    w->fetching++;
    return (struct window_action){
        .deed = WINDOW_TAKE, .index = index, .seq = seq, .urgent = urgent, .size = need};
}

static struct window_action delete (struct slot *s)
{
    bool part = s->state == SLOT_LEARNT;
    s->state = SLOT_DELETING;
    return (struct window_action){.deed = WINDOW_DELETE, .index = s->index, .part = part};
}

/* Moves each slot on to the use that comes after one that all have let go of. */
static struct slot *find_dead(struct window *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct slot *s = &w->slots[i];
        if (s->state == SLOT_LEARNT && readers_next_use(w->readers, s->index) == NO_SEQ)
            return s;
        if (s->state != SLOT_READY || s->pinned)
            continue;
        if (s->use != NO_SEQ && !readers_all_let_go(w->readers, s->use))
            continue;
        uint64_t next = readers_next_use(w->readers, s->index);
        if (next == NO_SEQ && !readers_in_hand(w->readers, s->index))
            return s;
        if (next != s->use && next != NO_SEQ) {
            s->use = next;
            s->opened = readers_begun(w->readers, next);
        }
    }
    return NULL;
}

/* Of sizes nobody has told yet one is fetched first, to learn from; then what there is room for. */
static bool may_take(struct window *w, bool known)
{
    bool blind = !known && !w->largest && w->rules.budget;
    return !w->drained && w->fetching < (blind ? 1 : w->rules.fetching_max);
}

/* Beside the front, where this is not it. */
static bool has_room(struct window *w, uint64_t index, uint64_t front, int64_t need)
{
    bool known;
    uint64_t first = front == NO_SEQ ? NO_SEQ : readers_index(w->readers, front);
    if (first != NO_SEQ && first != index)
        need += need_of(w, first, &known) - counted(w, first);
    return fits(w, need - counted(w, index));
}

static bool take_pin(struct window *w, uint64_t front, struct window_action *out)
{
    bool known;
    while (w->pin_next < w->pin_count && !is_missing(w, w->pins[w->pin_next]))
        w->pin_next++;
    for (size_t i = w->pin_next; i < w->pin_count; i++) {
        uint64_t index = w->pins[i];
        if (!is_missing(w, index))
            continue;
        int64_t need = need_of(w, index, &known);
        if (!may_take(w, known) || !has_room(w, index, front, need))
            return false;
        *out = take(w, index, readers_next_use(w->readers, index), false);
        return true;
    }
    return false;
}

/* What was quarantined goes first, then what is needed in a later epoch, and in need (`any`)
 * whatever nobody has in hand and that is needed later than `seq` (0: at all). */
static bool make_room(struct window *w, uint64_t seq, bool any, struct window_action *out)
{
    if (deletes_already(w))
        return false;
    if (w->other > 0) {
        *out = (struct window_action){.deed = WINDOW_CLEAR};
        return true;
    }
    struct slot *s = spare_slot(w, seq, false);
    if (!s && any)
        s = spare_slot(w, seq, true);
    if (s)
        *out = delete (s);
    return s != NULL;
}

/* The front, or what makes room for it. */
static struct window_action take_front(struct window *w, uint64_t front, bool urgent, bool in_need)
{
    struct window_action out = {.deed = WINDOW_NOTHING};
    bool known;
    uint64_t index = readers_index(w->readers, front);
    int64_t need = need_of(w, index, &known);
    if (known && never_fits(w, front, need, &out))
        return out;
    if (!may_take(w, known))
        return out;
    if (fits(w, need - counted(w, index)))
        return take(w, index, front, urgent);
    if (make_room(w, front, in_need, &out))
        return out;
    w->blocked = !deletes_already(w);
    return out;
}

static uint64_t lowest_base(struct window *w)
{
    uint64_t lowest = readers_end(w->readers);
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(w->readers, i);
        if (c && c->base < lowest)
            lowest = c->base;
    }
    return lowest;
}

/* Somebody waits for another one than the front. While anything is on its way it may not take the
 * front's room; when nothing is, whoever would need the front does not wait for it, and what nobody
 * has in hand makes room. */
static bool take_awaited(struct window *w, uint64_t awaited, uint64_t front,
                         struct window_action *out)
{
    bool known;
    uint64_t index = readers_index(w->readers, awaited);
    int64_t need = need_of(w, index, &known);
    if (known && never_fits(w, awaited, need, out))
        return true;
    if (!may_take(w, known))
        return false;
    if (has_room(w, index, front, need) || (!w->fetching && fits(w, need - counted(w, index)))) {
        *out = take(w, index, awaited, true);
        return true;
    }
    return !w->fetching && make_room(w, 0, true, out);
}

struct window_action window_next(struct window *w)
{
    struct window_action out = {.deed = WINDOW_NOTHING};
    w->blocked = false;
    struct slot *dead = find_dead(w);
    if (dead)
        return delete (dead);
    if (w->closing)
        return out;
    uint64_t front = find_front(w), awaited = find_awaited(w);
    /* The budget may be smaller than that of the run before. */
    if (!fits(w, 0) && make_room(w, lowest_base(w), true, &out))
        return out;
    if (awaited != NO_SEQ && awaited != front && take_awaited(w, awaited, front, &out))
        return out;
    if (awaited != NO_SEQ && awaited == front)
        return take_front(w, front, true, true);
    if (take_pin(w, front, &out))
        return out;
    /* Whoever waits for another one may be waiting for the room that the front is promised. */
    bool in_need = awaited != NO_SEQ && !w->fetching;
    return front == NO_SEQ ? out : take_front(w, front, false, in_need);
}

/* ---- what has happened ---- */

static void note_size(struct window *w, int64_t size)
{
    if (size > w->largest)
        w->largest = size;
}

bool window_learn(struct window *w, uint64_t index, int64_t size)
{
    struct slot *s = window_slot(w, index);
    if (!s || s->state != SLOT_FETCHING)
        return true;
    note_size(w, size);
    s->size = size;
    if (!fits(w, size - s->bytes))
        return false;
    set_bytes(w, s, size);
    return true;
}

bool window_grow(struct window *w, uint64_t index, int64_t bytes)
{
    struct slot *s = window_slot(w, index);
    if (!s || s->state != SLOT_FETCHING || bytes <= s->bytes)
        return true;
    if (!fits(w, bytes - s->bytes))
        return false;
    set_bytes(w, s, bytes);
    return true;
}

void window_give_back(struct window *w, uint64_t index, int64_t learnt_size)
{
    struct slot *s = window_slot(w, index);
    if (!s || s->state != SLOT_FETCHING)
        return;
    w->fetching--;
    set_bytes(w, s, 0);
    if (learnt_size < 0) {
        drop_slot(w, s);
        return;
    }
    s->state = SLOT_LEARNT;
    s->size = learnt_size;
}

void window_ready(struct window *w, uint64_t index, int64_t bytes)
{
    struct slot *s = window_slot(w, index);
    if (!s || s->state != SLOT_FETCHING)
        return;
    w->fetching--;
    s->state = SLOT_READY;
    s->size = bytes;
    note_size(w, bytes);
    set_bytes(w, s, bytes);
}

void window_bad(struct window *w, uint64_t index)
{
    struct slot *s = make_slot(w, index);
    if (!s)
        return;
    if (s->state == SLOT_FETCHING)
        w->fetching--;
    s->state = SLOT_BAD;
    set_bytes(w, s, 0);
}

void window_deleted(struct window *w, uint64_t index)
{
    struct slot *s = window_slot(w, index);
    if (!s || s->state != SLOT_DELETING)
        return;
    set_bytes(w, s, 0);
    drop_slot(w, s);
}

void window_opened(struct window *w, uint64_t seq)
{
    struct slot *s = window_slot(w, readers_index(w->readers, seq));
    if (s)
        s->opened = true;
}

/* Deciding; see window.h. */
#include "prefetch/window.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "prefetch/room.h"

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
    struct slot *roomy = array_grow(w->slots, w->count, &w->capacity, sizeof *roomy);
    if (!roomy)
        return NULL;
    w->slots = roomy;
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
    uint64_t *roomy = array_grow(w->pins, w->pin_count, &w->pin_capacity, sizeof *roomy);
    if (!roomy)
        return fail(err, WEIR_NOMEM, "out of memory");
    w->pins = roomy;
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

/* ---- sizes ---- */

/* What its fetch has to reserve; *known: that is its size. */
static int64_t need_of(struct window *w, uint64_t index, bool *known)
{
    const struct slot *s = window_slot(w, index);
    int64_t size = s && s->size >= 0 ? s->size : w->rules.size_of(w->rules.ctx, index);
    *known = size >= 0;
    return size >= 0 ? size : w->largest;
}

/* What counts already of it, as a part that is left. */
static int64_t counted(struct window *w, uint64_t index)
{
    const struct slot *s = window_slot(w, index);
    return s ? s->bytes : 0;
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

/* The lowest position of cursor i, within its window, whose shard is missing and that is wanted
 * sooner than `limit`. */
static uint64_t first_missing(struct window *w, const struct cursor *c, uint64_t limit)
{
    const struct readers *r = w->readers;
    uint64_t end = readers_end(r), ahead = reach(w), step = readers_step(r);
    uint64_t to = c->base < end && ahead < end - c->base ? c->base + ahead + 1 : end;
    for (uint64_t seq = c->base; seq < to && readers_sooner(r, seq, limit); seq += step)
        if (is_missing(w, readers_index(r, seq)) && !cursor_released(c, seq))
            return seq;
    return NO_SEQ;
}

static uint64_t find_front(struct window *w)
{
    uint64_t front = NO_SEQ;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        const struct cursor *c = readers_cursor(w->readers, i);
        uint64_t seq = c ? first_missing(w, c, front) : NO_SEQ;
        if (seq != NO_SEQ)
            front = seq;
    }
    return front;
}

static uint64_t find_awaited(struct window *w)
{
    uint64_t soonest = NO_SEQ;
    for (uint32_t i = 0; i < READERS_MAX; i++) {
        uint64_t seq = w->waiting[i];
        /* In a queue another one may have had it meanwhile. */
        if (readers_sooner(w->readers, seq, soonest) &&
            is_missing(w, readers_index(w->readers, seq)) &&
            !cursor_released(readers_cursor_of(w->readers, i), seq))
            soonest = seq;
    }
    return soonest;
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

struct window_action window_delete(struct slot *s)
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
    return room_fits(w, need - counted(w, index));
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

/* The front, or what makes room for it. */
static struct window_action take_front(struct window *w, uint64_t front, bool urgent)
{
    struct window_action out = {.deed = WINDOW_NOTHING};
    bool known;
    uint64_t index = readers_index(w->readers, front);
    int64_t need = need_of(w, index, &known);
    if (known && room_never(w, front, need, &out))
        return out;
    if (!may_take(w, known))
        return out;
    if (room_fits(w, need - counted(w, index)))
        return take(w, index, front, urgent);
    if (room_make(w, front, &out))
        return out;
    w->blocked = !room_comes_at_once(w);
    return out;
}

/* Somebody waits for another one than the front. While anything is on its way it may not take the
 * front's room; when nothing is, whoever would need the front does not wait for it. */
static bool take_awaited(struct window *w, uint64_t awaited, uint64_t front,
                         struct window_action *out)
{
    bool known;
    uint64_t index = readers_index(w->readers, awaited);
    int64_t need = need_of(w, index, &known);
    if (known && room_never(w, awaited, need, out))
        return true;
    if (!may_take(w, known))
        return false;
    if (has_room(w, index, front, need) ||
        (!w->fetching && room_fits(w, need - counted(w, index)))) {
        *out = take(w, index, awaited, true);
        return true;
    }
    return !w->fetching && room_make(w, NO_SEQ, out);
}

struct window_action window_next(struct window *w)
{
    struct window_action out = {.deed = WINDOW_NOTHING};
    w->blocked = false;
    struct slot *dead = find_dead(w);
    if (dead)
        return window_delete(dead);
    if (w->closing)
        return out;
    uint64_t front = find_front(w), awaited = find_awaited(w);
    /* The budget may be smaller than that of the run before. */
    if (!room_fits(w, 0) && room_make(w, NO_SEQ, &out))
        return out;
    if (awaited != NO_SEQ && awaited != front && take_awaited(w, awaited, front, &out))
        return out;
    bool urgent = awaited != NO_SEQ && awaited == front;
    if (!urgent && take_pin(w, front, &out))
        return out;
    return front == NO_SEQ ? out : take_front(w, front, urgent);
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
    if (!room_fits(w, size - s->bytes))
        return false;
    set_bytes(w, s, size);
    return true;
}

bool window_grow(struct window *w, uint64_t index, int64_t bytes)
{
    struct slot *s = window_slot(w, index);
    if (!s || s->state != SLOT_FETCHING || bytes <= s->bytes)
        return true;
    if (!room_fits(w, bytes - s->bytes))
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

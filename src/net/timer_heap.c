/* The heap of timers; see timer_heap.h. One thread.
 *
 * Hundreds of slow transfers must not be looked at for every event, so each has one timer for
 * whatever is due next, and only the top is compared.
 */
#include "net/timer_heap.h"

#include <stdlib.h>

#include "core/clock.h"

void timer_heap_free(struct timer_heap *h)
{
    free(h->items);
    *h = (struct timer_heap){0};
}

bool timer_heap_reserve(struct timer_heap *h, size_t n)
{
    if (n <= h->cap)
        return true;
    size_t cap = h->cap ? 2 * h->cap : 32;
    if (cap < n)
        cap = n;
    struct timer **more = realloc(h->items, cap * sizeof(struct timer *));
    if (!more)
        return false;
    h->items = more;
    h->cap = cap;
    return true;
}

static void put_at(struct timer_heap *h, struct timer *t, size_t place)
{
    h->items[place - 1] = t;
    t->place = place;
}

static void sift_up(struct timer_heap *h, struct timer *t)
{
    size_t place = t->place;
    while (place > 1 && h->items[place / 2 - 1]->at > t->at) {
        put_at(h, h->items[place / 2 - 1], place);
        place /= 2;
    }
    put_at(h, t, place);
}

static void sift_down(struct timer_heap *h, struct timer *t)
{
    size_t place = t->place;
    for (;;) {
        size_t child = 2 * place;
        if (child < h->n && h->items[child]->at < h->items[child - 1]->at)
            child++;
        if (child > h->n || h->items[child - 1]->at >= t->at)
            break;
        put_at(h, h->items[child - 1], place);
        place = child;
    }
    put_at(h, t, place);
}

static void take_out(struct timer_heap *h, struct timer *t)
{
    struct timer *last = h->items[--h->n];
    size_t place = t->place;
    t->place = 0;
    if (last == t)
        return;
    put_at(h, last, place);
    sift_up(h, last);
    sift_down(h, last);
}

void timer_set(struct timer_heap *h, struct timer *t, uint64_t at)
{
    if (at == TIME_NEVER) {
        if (t->place)
            take_out(h, t);
        return;
    }
    t->at = at;
    if (!t->place)
        put_at(h, t, ++h->n);
    sift_up(h, t);
    sift_down(h, t);
}

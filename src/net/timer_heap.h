/* Instants of transfers, the earliest on top: a binary heap. One thread. */
#ifndef WEIR_NET_TIMER_HEAP_H
#define WEIR_NET_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of whoever waits. `place` is where it stands in the heap, counted from 1; 0 = nowhere. */
struct timer {
    uint64_t at;
    size_t place;
};

struct timer_heap {
    struct timer **items; /* items[place - 1] */
    size_t n, cap;
};

void timer_heap_free(struct timer_heap *h);
/* Makes room for n timers, so that setting one cannot fail. */
bool timer_heap_reserve(struct timer_heap *h, size_t n);
/* Sets or moves a timer; TIME_NEVER takes it out. There must be room. */
void timer_set(struct timer_heap *h, struct timer *t, uint64_t at);

static inline struct timer *timer_first(const struct timer_heap *h)
{
    return h->n ? h->items[0] : NULL;
}

#endif

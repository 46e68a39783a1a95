/* Rates as instants (the generic cell rate algorithm, ITU-T I.371); see bucket.h.
 *
 * What was charged is kept as the instant at which it is paid off. Time that passed unused is
 * credited only as far back as the burst, so an idle hour does not end in a flood, and a worker
 * that wakes some milliseconds late loses nothing.
 *
 * bucket: guarded by whoever owns it. pacer: any thread, one compare-and-swap a charge.
 */
#include "limit/bucket.h"

#include "core/clock.h"

#define BURST_NS (20 * (double)NS_PER_MS)

static uint64_t earliest(uint64_t tat, uint64_t now, uint64_t burst_ns)
{
    uint64_t credited = now > burst_ns ? now - burst_ns : 0;
    return tat > credited ? tat : credited;
}

void bucket_init(struct bucket *b, double units_per_s)
{
    *b = (struct bucket){0};
    if (!(units_per_s > 0))
        return;
    b->ns_per_unit = (double)NS_PER_S / units_per_s;
    /* After a pause, 1 + burst_ns / ns_per_unit units may go at once: 20 ms' worth where that is
     * more than one. Below that, half a unit and at most 10 ms are credited, so that late asks do
     * not add up. */
    b->burst_ns =
        (uint64_t)(b->ns_per_unit <= BURST_NS ? BURST_NS - b->ns_per_unit / 2 : BURST_NS / 2);
}

uint64_t bucket_ready(const struct bucket *b, uint64_t now)
{
    return b->tat <= now ? 0 : b->tat;
}

void bucket_take(struct bucket *b, uint64_t now)
{
    if (b->ns_per_unit > 0)
        b->tat = earliest(b->tat, now, b->burst_ns) + (uint64_t)(b->ns_per_unit + 0.5);
}

void pacer_init(struct pacer *p, double bytes_per_s)
{
    p->ns_per_byte = bytes_per_s > 0 ? (double)NS_PER_S / bytes_per_s : 0;
    p->burst_ns = (uint64_t)BURST_NS;
    atomic_init(&p->tat, 0);
}

uint64_t pacer_charge(struct pacer *p, uint64_t bytes, uint64_t now)
{
    if (!(p->ns_per_byte > 0))
        return 0;
    uint64_t cost = (uint64_t)((double)bytes * p->ns_per_byte + 0.5);
    uint64_t old = atomic_load_explicit(&p->tat, memory_order_relaxed);
    uint64_t paid;
    do
        paid = earliest(old, now, p->burst_ns) + cost;
    while (!atomic_compare_exchange_weak_explicit(&p->tat, &old, paid, memory_order_relaxed,
                                                  memory_order_relaxed));
    return paid > now ? paid : 0;
}

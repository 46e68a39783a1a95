/* Rates. Both shapes are the generic cell rate algorithm: one instant, `tat`, the time at which all
 * that was charged so far is paid off. No clock is read here; `now` comes as an argument.
 *
 * bucket: request starts. Asked before: may one start now, and if not, when.
 * pacer:  bytes. Charged after: the bytes are here, so a debt is allowed; the answer is the instant
 *         until which the one that was charged has to pause. Lock-free, any thread.
 *
 * The burst of both is what fits into 20 ms at the rate (and at least one unit).
 */
#ifndef WEIR_LIMIT_BUCKET_H
#define WEIR_LIMIT_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bucket {
    double ns_per_unit; /* 0 = unlimited */
    uint64_t burst_ns;
    uint64_t tat;
};

void bucket_init(struct bucket *b, double units_per_s); /* 0 = unlimited */
/* 0 when one unit may be taken at `now`, else the instant at which it may. Takes nothing. */
uint64_t bucket_ready(const struct bucket *b, uint64_t now);
void bucket_take(struct bucket *b, uint64_t now);

struct pacer {
    double ns_per_byte; /* 0 = unlimited */
    uint64_t burst_ns;
    _Atomic uint64_t tat;
};

void pacer_init(struct pacer *p, double bytes_per_s);
/* Charges `bytes` and returns the instant until which to pause; 0 when there is no need to. */
uint64_t pacer_charge(struct pacer *p, uint64_t bytes, uint64_t now);

#endif

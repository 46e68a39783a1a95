/* Time. All instants are nanoseconds of CLOCK_MONOTONIC, all spans nanoseconds, unless a name ends
 * in another unit. limit, queue and retry never read the clock: they are handed `now`.
 */
#ifndef WEIR_CORE_CLOCK_H
#define WEIR_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL
#define TIME_NEVER UINT64_MAX

uint64_t clock_now(void);
struct timespec clock_timespec(uint64_t at); /* of such an instant, for pthread_cond_timedwait */
/* Seconds since the epoch (CLOCK_REALTIME). */
int64_t clock_wall_s(void);
int64_t clock_wall_ns(void);

/* A small random generator (xoshiro256**), one an owner; seeded from the system or, in tests, from
 * a number. */
struct rng {
    uint64_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed); /* 0 = from getrandom */
uint64_t rng_next(struct rng *r);
/* Uniform in [0, bound); 0 when bound is 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);

#endif

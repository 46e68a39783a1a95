/* How many shards to keep ready: prefetch.ahead = auto. Pure; handed `now`; the caller holds the
 * prefetcher's lock.
 *
 * By Little's law so many are needed beyond the one in use as the consumer gets through while one
 * is fetched: fetch time / time for a shard. The time for a shard is the consumer's own, stalls
 * left out. The fetch time is a peak that decays: it rises at once, also by the age of a fetch that
 * is still under way, before it has ended, and falls slowly. A stall says that this was too little
 * and adds a reserve; calm takes it away again.
 */
#ifndef WEIR_PREFETCH_LOOKAHEAD_H
#define WEIR_PREFETCH_LOOKAHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct lookahead {
    uint64_t fixed; /* 0 = auto */
    uint64_t most;  /* auto: no more than that */
    double fetch_ns, shard_ns;
    double reserve;      /* shards */
    uint64_t calm;       /* shards since the last stall */
    uint64_t last;       /* instant of the last release, 0 = none */
    uint64_t stalled_ns; /* since then */
};

void lookahead_init(struct lookahead *l, uint64_t fixed, uint64_t most);
void lookahead_fetched(struct lookahead *l, uint64_t ns);
void lookahead_consumed(struct lookahead *l, uint64_t now);
/* Somebody had to wait for so long, until now. */
void lookahead_stalled(struct lookahead *l, uint64_t ns);
/* `oldest_ns`: age of the oldest fetch under way, 0 = none is. */
uint64_t lookahead_value(const struct lookahead *l, uint64_t oldest_ns);

#endif

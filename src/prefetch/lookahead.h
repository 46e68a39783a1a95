/* How many shards to keep ready: prefetch.ahead = auto. Pure; handed `now`; the caller holds the
 * prefetcher's lock.
 *
 * By Little's law as many are needed beyond the one in use as the consumer gets through while one
 * is fetched: fetch time / time for a shard. Fewer are a stall, more only take room; so what is
 * needed is foreseen closely, and what was foreseen wrongly is remembered. All is measured in fetch
 * time: a number of shards would be too many for slow shards and too few for quick ones.
 *
 * - The time for a shard is the consumer's own, stalls left out.
 * - The fetch time counts until the shard is ready. It is a peak that decays: it rises at once, by
 *   the age of a fetch that is still under way too, and falls slowly.
 * - While it rises, what is asked for now will take longer than what has just come: by the rise
 *   within one fetch, half as much again, and the time for a shard. But within what has been before
 *   no more is foreseen than the longest fetch of all has taken: nothing shoots over where the rise
 *   ends.
 * - A shard that came too late, or with less than a 32nd of its fetch time to spare, was asked for
 *   too late: from then on at least its fetch time and that 32nd are reckoned with, until a hundred
 *   have come in good time; then it is forgotten slowly.
 */
#ifndef WEIR_PREFETCH_LOOKAHEAD_H
#define WEIR_PREFETCH_LOOKAHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct lookahead {
    uint64_t fixed;    /* 0 = auto */
    uint64_t most;     /* auto: no more than that */
    double fetch_ns;   /* the peak that decays */
    double longest_ns; /* of all */
    double known_ns;   /* the longest, once no longer ones come */
    uint32_t since_longest;
    double rise;     /* of fetch times, a time for a time */
    double held_ns;  /* what came too late would have needed */
    uint32_t calm;   /* shards consumed since then */
    double shard_ns; /* the consumer's own time, once it is `paced` */
    bool paced;
    uint64_t fetched;  /* instant of the last one, 0 = none */
    uint64_t consumed; /* of the last release, 0 = none */
    double stalled_ns; /* since then */
};

void lookahead_init(struct lookahead *l, uint64_t fixed, uint64_t most);
/* A shard has become ready. */
void lookahead_fetched(struct lookahead *l, uint64_t started, uint64_t now);
/* One more of all has been consumed. */
void lookahead_consumed(struct lookahead *l, uint64_t now);
/* It was asked for in its turn, when it had been ready for so long; a stall: 0. */
void lookahead_spared(struct lookahead *l, uint64_t fetch_ns, uint64_t spare_ns);
/* A consumer had to wait for so long: one of so many that share the shards, 0 = each reads all. */
void lookahead_stalled(struct lookahead *l, uint64_t ns, uint32_t sharers);
/* `oldest_ns`: age of the oldest fetch under way, 0 = none is. */
uint64_t lookahead_value(const struct lookahead *l, uint64_t oldest_ns);

#endif

/* See lookahead.h. */
#include "prefetch/lookahead.h"

#define FIRST 4    /* before anything is known */
#define CALM 16    /* shards without a stall that take from the reserve */
#define FALL 0.05  /* of the peak of fetch times, with each that is shorter */
#define PACE 0.2   /* weight of the last shard's time */
#define MARGIN 1.5 /* fetch times vary */

void lookahead_init(struct lookahead *l, uint64_t fixed, uint64_t most)
{
    *l = (struct lookahead){.fixed = fixed, .most = most};
}

void lookahead_fetched(struct lookahead *l, uint64_t ns)
{
    double took = (double)ns;
    if (took >= l->fetch_ns)
        l->fetch_ns = took;
    else
        l->fetch_ns += FALL * (took - l->fetch_ns);
}

void lookahead_consumed(struct lookahead *l, uint64_t now)
{
    if (l->last && now > l->last) {
        uint64_t passed = now - l->last;
        double own = (double)(passed > l->stalled_ns ? passed - l->stalled_ns : 0);
        l->shard_ns = l->shard_ns > 0 ? l->shard_ns + PACE * (own - l->shard_ns) : own;
    }
    l->last = now;
    l->stalled_ns = 0;
    if (++l->calm % CALM == 0)
        l->reserve = l->reserve < 0.5 ? 0 : l->reserve * 0.75;
}

void lookahead_stalled(struct lookahead *l, uint64_t ns)
{
    double now = (double)lookahead_value(l, 0);
    l->stalled_ns += ns;
    l->calm = 0;
    l->reserve += now / 4 > 1 ? now / 4 : 1;
    if (l->reserve > (double)l->most)
        l->reserve = (double)l->most;
}

uint64_t lookahead_value(const struct lookahead *l, uint64_t oldest_ns)
{
    if (l->fixed)
        return l->fixed;
    double fetch = l->fetch_ns > (double)oldest_ns ? l->fetch_ns : (double)oldest_ns;
    double need = FIRST;
    if (l->shard_ns > 0 && fetch > 0)
        need = 1 + MARGIN * fetch / l->shard_ns;
    else if (l->last && fetch > 0)
        need = (double)l->most; /* it takes no time at all */
    need += l->reserve;
    if (need < 1)
        need = 1;
    return need < (double)l->most ? (uint64_t)need : l->most;
}

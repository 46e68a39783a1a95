/* See lookahead.h. The numbers are chosen by the worlds of tests/unit/test_prefetch_lookahead.c. */
#include "prefetch/lookahead.h"

#define FIRST 4          /* before anything is known */
#define FALL 0.1         /* of the peak of fetch times, with each that is shorter */
#define PACE 0.2         /* weight of the last shard's time */
#define SPARE (1.0 / 32) /* of its fetch time, that a shard is to be early by */
#define CALM 100         /* shards in good time, after which what came too late is forgotten: */
#define FORGET 0.01      /* so much of it with each that is consumed */
#define RISE_MOST 0.25   /* of one fetch: a step says nothing of what comes after it */
#define FORESEE 1.5      /* times the rise: it is known only as a mean over the last fetch time */
#define KNOWN 16         /* fetches after which the longest of all is taken for that */
#define AGE_MOST 2       /* times the peak: one that hangs says little of those to come */

void lookahead_init(struct lookahead *l, uint64_t fixed, uint64_t most)
{
    *l = (struct lookahead){.fixed = fixed, .most = most};
}

/* What the peak has grown by in the time since the last one, as a mean over one fetch time. */
static void note_rise(struct lookahead *l, double grown, double passed)
{
    double weight = passed < l->fetch_ns ? passed / l->fetch_ns : 1;
    double rise = grown < RISE_MOST * passed ? grown / passed : RISE_MOST;
    l->rise += weight * (rise - l->rise);
}

void lookahead_fetched(struct lookahead *l, uint64_t started, uint64_t now)
{
    double took = now > started ? (double)(now - started) : 0;
    double grown = took > l->fetch_ns ? took - l->fetch_ns : 0;
    if (l->fetched && now > l->fetched)
        note_rise(l, grown, (double)(now - l->fetched));
    l->fetched = now;
    if (grown > 0)
        l->fetch_ns = took;
    else
        l->fetch_ns += FALL * (took - l->fetch_ns);
    if (took > l->longest_ns) {
        l->longest_ns = took;
        l->since_longest = 0;
    } else if (++l->since_longest >= KNOWN) {
        l->known_ns = l->longest_ns;
    }
}

void lookahead_consumed(struct lookahead *l, uint64_t now)
{
    if (l->consumed && now > l->consumed) {
        double passed = (double)(now - l->consumed);
        double own = passed > l->stalled_ns ? passed - l->stalled_ns : 0;
        l->shard_ns = l->paced ? l->shard_ns + PACE * (own - l->shard_ns) : own;
        l->paced = true;
    }
    l->consumed = now;
    l->stalled_ns = 0;
    if (++l->calm > CALM)
        l->held_ns -= FORGET * l->held_ns;
}

void lookahead_spared(struct lookahead *l, uint64_t fetch_ns, uint64_t spare_ns)
{
    double spare = SPARE * (double)fetch_ns;
    if ((double)spare_ns >= spare)
        return;
    l->calm = 0;
    if ((double)fetch_ns + spare > l->held_ns)
        l->held_ns = (double)fetch_ns + spare;
}

void lookahead_stalled(struct lookahead *l, uint64_t ns, uint32_t sharers)
{
    if (sharers)
        l->stalled_ns += (double)ns / sharers;
    else if ((double)ns > l->stalled_ns) /* they wait for the same one */
        l->stalled_ns = (double)ns;
}

/* How long the fetch will take of a shard that is asked for now. */
static double foreseen(const struct lookahead *l, double age)
{
    double peak = l->fetch_ns, most = l->known_ns * (1 + SPARE);
    if (age > peak)
        peak = age < AGE_MOST * peak ? age : AGE_MOST * peak;
    /* Seen from when a fetch starts, it rises faster than from when it ends. */
    double rise = l->rise / (1 - l->rise);
    double need = peak + FORESEE * rise * peak + l->shard_ns;
    if (peak <= most && need > most)
        need = most;
    return need > l->held_ns ? need : l->held_ns;
}

uint64_t lookahead_value(const struct lookahead *l, uint64_t oldest_ns)
{
    if (l->fixed)
        return l->fixed;
    double need = foreseen(l, (double)oldest_ns);
    if (!l->paced || need <= 0)
        return FIRST < l->most ? FIRST : l->most;
    if (need >= l->shard_ns * (double)l->most)
        return l->most;
    double shards = need / l->shard_ns;
    uint64_t whole = (uint64_t)shards;
    return whole + (shards > (double)whole);
}

/* Pace: how fast something goes, and how long the rest will take. Pure; one thread at a time.
 */
#ifndef WEIR_CLI_PACE_H
#define WEIR_CLI_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/weir.h"

/* A rate, smoothed exponentially over about five seconds. Zero-initialise. */
struct pace {
    double sum, weight;
    int64_t last, last_ms;
    bool begun;
};

/* `total` is what has been done in all at `now_ms`. A total that has fallen begins anew, at the
 * rate so far. */
void pace_update(struct pace *p, int64_t total, int64_t now_ms);
/* A second; 0 as long as nothing is known. */
double pace_rate(const struct pace *p);

/* Seconds that the run will still take, as far as the counters tell; -1 = unknown. By bytes where
 * the sizes are known, else by files. */
double left_estimate(const weir_stats *s, double bytes_per_s, double files_per_s);

/* The time left as it is shown: it counts down by itself, and follows new estimates slowly.
 * Zero-initialise. */
struct countdown {
    double left_s;
    int64_t at_ms;
    bool known;
};

/* Returns what to show, in seconds, -1 = nothing. `estimate_s` -1 = unknown now. */
int64_t countdown_update(struct countdown *c, double estimate_s, int64_t now_ms);

#endif

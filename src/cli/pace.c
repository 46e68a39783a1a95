/* Pace: how fast something goes, and how long the rest will take. Signal thread; pure.
 *
 * The smoothed rate is the weighted sum over the sum of the weights: without that division it would
 * begin at nothing and creep up for several seconds, which a person takes for a slow network.
 */
#include "cli/pace.h"

#include <math.h>

#define RATE_MEMORY_S 5.0
#define COUNTDOWN_MEMORY_S 4.0
#define ESTIMATE_AFTER_MS 2000
#define ESTIMATE_MAX_S (100.0 * 86400)

void pace_update(struct pace *p, int64_t total, int64_t now_ms)
{
    if (!p->begun || total < p->last) {
        p->last = total;
        p->last_ms = now_ms;
        p->begun = true;
        return;
    }
    double seconds = (double)(now_ms - p->last_ms) / 1000;
    if (seconds <= 0)
        return;
    double share = 1 - exp(-seconds / RATE_MEMORY_S);
    p->sum += ((double)(total - p->last) / seconds - p->sum) * share;
    p->weight += (1 - p->weight) * share;
    p->last = total;
    p->last_ms = now_ms;
}

double pace_rate(const struct pace *p)
{
    return p->weight > 0 ? p->sum / p->weight : 0;
}

double left_estimate(const weir_stats *s, double bytes_per_s, double files_per_s)
{
    uint64_t ended = s->done + s->skipped + s->failed;
    if (!s->all_found || ended > s->found)
        return -1;
    double remaining = (double)(s->found - ended);
    if (remaining < 1)
        return 0;
    if (s->elapsed_ms < ESTIMATE_AFTER_MS)
        return -1;
    double flying = s->in_flight;
    double begun = (double)s->done + flying;
    /* Files whose size was not announced make bytes_known fall behind: then only files can be
     * counted. */
    if (begun >= 1 && s->bytes_known > 0 && s->bytes_known >= s->bytes && bytes_per_s >= 1) {
        double untouched = remaining > flying ? remaining - flying : 0;
        /* What has ended must be a fair sample before it may speak for what has not begun. */
        if (untouched > 0 && (s->done < 5 || untouched > 50 * (double)s->done))
            return -1;
        double mean = (double)s->bytes_known / begun;
        return ((double)(s->bytes_known - s->bytes) + untouched * mean) / bytes_per_s;
    }
    if (s->done >= 5 && files_per_s > 0.001)
        return remaining / files_per_s;
    return -1;
}

int64_t countdown_update(struct countdown *c, double estimate_s, int64_t now_ms)
{
    if (estimate_s < 0 || estimate_s > ESTIMATE_MAX_S) {
        c->known = false;
        return -1;
    }
    if (!c->known) {
        c->left_s = estimate_s;
    } else {
        double seconds = (double)(now_ms - c->at_ms) / 1000;
        double counted = c->left_s - seconds;
        c->left_s = counted + (estimate_s - counted) * (1 - exp(-seconds / COUNTDOWN_MEMORY_S));
        if (c->left_s < 0)
            c->left_s = 0;
    }
    c->known = true;
    c->at_ms = now_ms;
    /* A long time is an estimate: seconds would only flicker. */
    double step = c->left_s < 60 ? 1 : c->left_s < 600 ? 5 : c->left_s < 3600 ? 30 : 60;
    return (int64_t)(ceil(c->left_s / step) * step);
}

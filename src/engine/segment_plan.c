/* See segment_plan.h. */
#include "engine/segment_plan.h"

#define ALIGN ((int64_t)64 << 10)
#define LATENCY_LEAST 0.02  /* seconds: below that a steal gains nothing that could be seen */
#define GROWTH_GAIN 1.15    /* of the speed, for twice the connections */
#define GROWTH_MISSES 8     /* so many looks may find no gain: new connections start slowly */
#define GROWTH_WORTH_IT 1.0 /* seconds that are left at the present speed */

int segment_victim(const struct segment_view *views, size_t n, double latency_s)
{
    int best = -1;
    double longest = 0;
    for (size_t i = 0; i < n; i++) {
        if (views[i].rest < 2 * SEGMENT_MIN || views[i].speed <= 0)
            continue;
        double left = (double)views[i].rest / views[i].speed;
        if (left > longest) {
            longest = left;
            best = (int)i;
        }
    }
    return longest / 2 > latency_s + LATENCY_LEAST ? best : -1;
}

int64_t segment_middle(int64_t at, int64_t to)
{
    int64_t middle = at + (to - at) / 2;
    return middle - middle % ALIGN > at ? middle - middle % ALIGN : middle;
}

uint32_t segment_parts(int64_t size, uint32_t wanted)
{
    int64_t most = size / SEGMENT_MIN;
    return most < 1 ? 1 : most < wanted ? (uint32_t)most : wanted;
}

int64_t segment_part_at(int64_t from, int64_t to, uint32_t i, uint32_t n)
{
    if (i == 0 || i >= n)
        return i ? to : from;
    int64_t at = from + (to - from) / n * i;
    return at - at % ALIGN > from ? at - at % ALIGN : at;
}

void growth_decide(struct growth *g, uint32_t active, double speed, int64_t rest)
{
    if (active < g->wanted || g->wanted >= SEGMENTS_MAX || g->misses >= GROWTH_MISSES ||
        speed <= 0 || (double)rest / speed < GROWTH_WORTH_IT)
        return;
    if (speed < g->before * GROWTH_GAIN) {
        g->misses++;
        return;
    }
    g->before = speed;
    g->misses = 0;
    g->wanted = 2 * g->wanted < SEGMENTS_MAX ? 2 * g->wanted : SEGMENTS_MAX;
}

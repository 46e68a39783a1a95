/* The decisions about the segments of a file. Pure: what is known comes in, the answer goes out.
 */
#ifndef WEIR_ENGINE_SEGMENT_PLAN_H
#define WEIR_ENGINE_SEGMENT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MIN ((int64_t)1 << 20) /* less is not worth a request of its own */
#define SEGMENTS_MAX 64

/* A segment that is under way. */
struct segment_view {
    int64_t rest; /* bytes still to come */
    double speed; /* bytes a second; 0 = has not begun */
};

/* Half of whose rest goes to one that is idle: the one that would be done last. `latency_s`: what a
 * new request costs before its first byte. -1: none is worth it. */
int segment_victim(const struct segment_view *views, size_t n, double latency_s);
/* Where [at, to) is cut in two. */
int64_t segment_middle(int64_t at, int64_t to);
/* Into how many parts `size` bytes may be cut at once, of `wanted`. */
uint32_t segment_parts(int64_t size, uint32_t wanted);
/* Where part i of n of [from, to) begins. */
int64_t segment_part_at(int64_t from, int64_t to, uint32_t i, uint32_t n);

/* save.segments = auto: twice as many each time, as long as that has made it faster. */
struct growth {
    uint32_t wanted; /* at most so many at once */
    double before;   /* bytes a second with half as many */
    uint32_t misses; /* looks in a row that found no gain */
};
/* `active` are under way and have all begun, `speed` bytes a second in all, `rest` bytes are to
 * come. Changes g->wanted. */
void growth_decide(struct growth *g, uint32_t active, double speed, int64_t rest);

#endif

/* Newlines counted; see newline_count.h. Any thread.
 *
 * Every filtered byte passes here, so that lines have numbers and reports have counts. The compiler
 * does not vectorise such a loop at -O2, so the lanes are written out with GCC's vector types,
 * which become SSE2 or NEON. A comparison gives -1 in each lane that is equal; a lane overflows
 * after 255.
 */
#include "stage/newline_count.h"

#include <stdint.h>
#include <string.h>

typedef unsigned char lanes __attribute__((vector_size(16)));

/* The sum of eight bytes of at most 255 each. */
static size_t sum_bytes(uint64_t v)
{
    const uint64_t even = 0x00ff00ff00ff00ffu;
    uint64_t pairs = (v & even) + (v >> 8 & even);
    return (size_t)(pairs * 0x0001000100010001u >> 48);
}

static size_t sum_lanes(const lanes *v)
{
    uint64_t parts[sizeof *v / 8];
    memcpy(parts, v, sizeof parts);
    size_t sum = 0;
    for (size_t i = 0; i < sizeof *v / 8; i++)
        sum += sum_bytes(parts[i]);
    return sum;
}

/* One in each byte of v that is a newline. */
static uint64_t newline_bytes(uint64_t v)
{
    const uint64_t ones = 0x0101010101010101u, low = 0x7f * ones;
    uint64_t x = v ^ '\n' * ones;
    return ~(((x & low) + low) | x) >> 7 & ones;
}

size_t count_newlines(const char *p, size_t n)
{
    size_t count = 0;
    while (n >= sizeof(lanes)) {
        size_t rounds = n / sizeof(lanes);
        if (rounds > 255)
            rounds = 255;
        lanes sum = {0};
        for (size_t i = 0; i < rounds; i++, p += sizeof(lanes)) {
            lanes v;
            memcpy(&v, p, sizeof v);
            sum -= (lanes)(v == '\n');
        }
        count += sum_lanes(&sum);
        n -= rounds * sizeof(lanes);
    }
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        count += sum_bytes(newline_bytes(v));
    }
    for (; n; n--, p++)
        count += *p == '\n';
    return count;
}

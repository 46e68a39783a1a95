/* Bodies by seed: byte i comes from the (i / 8)-th output of SplitMix64, so that an offset costs
 * nothing. Pure; any thread.
 */
#include "fault_body.h"

#include <string.h>

uint64_t fault_seed(const char *text, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash;
}

uint64_t fault_word(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void fault_fill(uint64_t seed, uint64_t from, char *out, size_t size)
{
    while (size > 0) {
        uint64_t word = fault_word(seed, from / 8);
        size_t skip = (size_t)(from % 8);
        size_t n = 8 - skip < size ? 8 - skip : size;
        memcpy(out, (const char *)&word + skip, n);
        out += n;
        from += n;
        size -= n;
    }
}

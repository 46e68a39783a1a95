/* See array.h. */
#include "core/array.h"

#include <stdint.h>
#include <stdlib.h>

#define FIRST 16

void *array_grow(void *items, size_t n, size_t *capacity, size_t item_bytes)
{
    if (n < *capacity)
        return items;
    size_t wanted = *capacity ? *capacity : FIRST / 2;
    if (wanted > SIZE_MAX / 2 / item_bytes)
        return NULL;
    wanted *= 2;
    void *bigger = realloc(items, wanted * item_bytes);
    if (bigger)
        *capacity = wanted;
    return bigger;
}

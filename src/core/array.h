/* Arrays that grow: by doubling, so that n additions cost n moves in all. Any thread; the array is
 * its owner's.
 */
#ifndef WEIR_CORE_ARRAY_H
#define WEIR_CORE_ARRAY_H

#include <stddef.h>

/* The array with room for one more than the `n` that it has, maybe at another place: the owner
 * stores it. NULL: no memory, and `items` and *capacity are as they were. */
void *array_grow(void *items, size_t n, size_t *capacity, size_t item_bytes);

#endif

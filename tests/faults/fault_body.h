/* Bodies: random bytes that any seed gives again, at any offset. Pure.
 *
 * Random, never periodic: a body with a period would hide a range that was shifted by it. The same
 * object is loaded by the tests (through ctypes), so that they know what should have arrived.
 */
#ifndef FAULT_BODY_H
#define FAULT_BODY_H

#include <stddef.h>
#include <stdint.h>

/* The seed that a text stands for (FNV-1a). */
uint64_t fault_seed(const char *text, size_t size);
/* The index-th random number of `seed`. */
uint64_t fault_word(uint64_t seed, uint64_t index);
/* Bytes [from, from + size) of the endless stream of `seed`. */
void fault_fill(uint64_t seed, uint64_t from, char *out, size_t size);

#endif

/* Bodies of lines: log text and JSON records that any seed gives again, at any offset. Pure, but
 * for the stock that they are made from; any thread may read a stock.
 *
 * Nothing in them repeats: every line carries its number, counted from 0 without a gap, and an id
 * that only this seed and this line have. So a line that is lost, repeated, torn or of another body
 * shows, by the line alone.
 *
 * A block has LINES_BLOCK bytes (a prime: no buffer's size divides it) and always the same number
 * of lines, so that a line's number follows from its block. It is one of LINES_BLOCKS blocks of the
 * stock, picked by seed and block, with the numbers and ids of its own put in: fast enough to feed
 * a client that takes gigabytes a second. The tests load the same object (through ctypes).
 */
#ifndef FAULT_LINES_H
#define FAULT_LINES_H

#include <stddef.h>
#include <stdint.h>

enum {
    LINES_BLOCK = 65521,
    LINES_BLOCKS = 48,
    LINES_LOG = 512, /* lines of a block */
    LINES_JSON = 256
};

enum lines_kind { LINES_OF_LOG, LINES_OF_JSON };

struct lines_stock;

struct lines_stock *lines_stock_new(enum lines_kind kind);
void lines_stock_free(struct lines_stock *s); /* takes NULL */
/* Bytes [from, from + size) of the endless text of `seed`. */
void lines_fill(const struct lines_stock *s, uint64_t seed, uint64_t from, char *out, size_t size);

#endif

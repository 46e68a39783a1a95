/* The lines before a match: the last few that were not put out, with their numbers.
 *
 * At most 4 MiB of them, however many lines of context are asked for: the oldest go. How many lines
 * are worth keeping is for the owner to say, who takes the oldest out. One thread.
 */
#ifndef WEIR_STAGE_HELD_LINES_H
#define WEIR_STAGE_HELD_LINES_H

#include <stdint.h>

#include "core/status.h"
#include "core/text.h"

struct held_lines {
    char *p;
    size_t from, to, cap; /* in use are the bytes from..to */
    uint64_t n;           /* lines */
};

void held_lines_free(struct held_lines *h);  /* back to all zeros */
void held_lines_clear(struct held_lines *h); /* keeps the memory */
/* Adds a line, newline and all. *dropped is set when lines had to go for it, or it did not fit. */
status held_lines_add(struct held_lines *h, struct span line, uint64_t number, bool *dropped,
                      error *err);
/* Takes out the oldest line; false: there is none. Borrowed until the next add or free. */
bool held_lines_take(struct held_lines *h, struct span *line, uint64_t *number);

#endif

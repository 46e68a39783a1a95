/* How many lines end in some bytes, at the speed of the memory. Any thread.
 */
#ifndef WEIR_STAGE_NEWLINE_COUNT_H
#define WEIR_STAGE_NEWLINE_COUNT_H

#include <stddef.h>

size_t count_newlines(const char *p, size_t n);

#endif

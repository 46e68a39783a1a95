/* Answers that are bent byte by byte: what no list of named faults would hold (README.md, "Raw").
 */
#ifndef FAULT_BEND_H
#define FAULT_BEND_H

#include "fault_answer.h"

/* Changes the head that was written, and fills what comes behind the body. The last thing to be
 * done with an answer; `faulty`: the faults of the request apply. */
void answer_bend(struct answer *a, const struct request *r, bool faulty);
/* The line before a chunk of n bytes, `first` or a later one, into `out` (of at least
 * CHUNK_LINE_MAX); returns its length. */
size_t chunk_line(enum chunk_form form, bool first, int64_t n, char *out);

enum { CHUNK_LINE_MAX = 8192 };

#endif

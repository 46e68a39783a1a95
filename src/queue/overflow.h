/* The overflow file: jobs that do not fit into the queue, as raw bytes of this process, in an
 * unlinked temporary file. A chain is one lane's jobs, first in, first out.
 *
 * Memory: two blocks for the file and a few words a chain, however many jobs there are. The file
 * is made when the first job comes, and is emptied when the last one has gone.
 *
 * No lock of its own: its owner guards it and the chains with one.
 */
#ifndef WEIR_QUEUE_OVERFLOW_H
#define WEIR_QUEUE_OVERFLOW_H

#include <stdbool.h>
#include <stdint.h>

struct job;
struct overflow;

struct overflow_chain {
    uint64_t jobs;       /* 0: the rest means nothing */
    uint64_t head, tail; /* blocks of the file */
    uint32_t head_at, tail_at;
};

struct overflow *overflow_new(void);    /* NULL: out of memory */
void overflow_free(struct overflow *o); /* takes NULL */

/* Whether a job of that many bytes can be kept at all. */
bool overflow_takes(uint32_t bytes);
/* Copies the job to the end of the chain. 0, or -errno: nothing has changed. */
int overflow_append(struct overflow *o, struct overflow_chain *chain, const struct job *job);
/* The first job of the chain as a new allocation, without next, host and fetch. 0 and NULL: the
 * chain is empty. -errno: it is still there, and may be asked for again. */
int overflow_next(struct overflow *o, struct overflow_chain *chain, struct job **out);

#endif

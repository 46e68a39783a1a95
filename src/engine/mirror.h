/* Mirrors: which of the URLs of a file is asked next. The choice is pure; the board is what a run
 * has learnt of the hosts that mirror.
 */
#ifndef WEIR_ENGINE_MIRROR_H
#define WEIR_ENGINE_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/job.h"

#define MIRRORS_MAX 64    /* of one file, its first URL included; what is more is not asked */
#define MIRROR_FAILURES 3 /* in a row, and a host is benched for the rest of the run */
#define MIRROR_FASTER 2.0 /* so many times as fast, and a later one is preferred */

/* What is known of the host of one mirror. */
struct mirror_view {
    bool dead;    /* this file cannot be had there */
    bool benched; /* its host has failed too often in this run */
    double speed; /* bytes a second, 0 = not known */
};

/* Which one to ask next, in turn; `last` has just been asked (-1: none), and is taken again only
 * where there is no other that is not benched. Benched ones come after all others. -1: all are
 * dead. */
int mirror_choose(const struct mirror_view *views, size_t n, int last);

/* URL number `i` of a job, 0 = its own; NULL: there are not so many. */
const char *job_url_at(const struct job *job, uint32_t i);
size_t job_url_count(const struct job *job);

struct mirror_board;

struct mirror_board *mirror_board_new(void);    /* NULL: out of memory */
void mirror_board_free(struct mirror_board *b); /* takes NULL */
/* What is known of "host:port". Any thread, as the next two. */
void mirror_board_look(struct mirror_board *b, const char *authority, struct mirror_view *out);
void mirror_board_failed(struct mirror_board *b, const char *authority);
/* It has answered; `bytes` of a body in `ns` nanoseconds, 0 bytes = nothing to judge by. */
void mirror_board_served(struct mirror_board *b, const char *authority, int64_t bytes, uint64_t ns);

#endif

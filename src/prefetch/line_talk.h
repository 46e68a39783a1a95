/* One side of the line protocol: what has come in, what goes out, and what it waits for. The thread
 * of its line_face.
 */
#ifndef WEIR_PREFETCH_LINE_TALK_H
#define WEIR_PREFETCH_LINE_TALK_H

#include "core/text.h"
#include "prefetch/prefetch_run.h"

struct talk {
    struct weir_prefetch *p;
    int in, out;
    bool own; /* the descriptors are to be closed */
    struct strbuf incoming, outgoing;
    bool in_ended, out_gone, bye;
    char name[READER_NAME]; /* "" = no HELLO yet */
    /* a NEXT or WAIT that has no answer yet */
    bool pending, next, stalls, began;
    uint64_t seq, since, until;
    /* pipes */
    bool push, all_given;
    error failure; /* on_bad = fail: the first */
};

struct talk *talk_new(struct weir_prefetch *p, int in, int out, bool own); /* NULL: no memory */
void talk_close(struct talk *t);
/* It is a consumer from now on, to whom everything is given as it comes. */
status talk_push(struct talk *t, const char *name, uint32_t rank, error *err);
bool talk_wants_input(const struct talk *t);
/* Answers what can be answered now. */
void talk_go_on(struct talk *t);
bool talk_has_released_all(struct talk *t);

#endif

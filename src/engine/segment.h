/* Segments from inside, for their three files:
 *
 *   segments.c          how a body is split, how many there are, and how that ends
 *   segment_slot.c      whose slot a segment has, and which mirror it asks
 *   segment_transfer.c  one exchange of one segment
 */
#ifndef WEIR_ENGINE_SEGMENT_H
#define WEIR_ENGINE_SEGMENT_H

#include "engine/mirror.h"
#include "engine/range.h"
#include "engine/segment_plan.h"
#include "engine/segments.h"

struct segment {
    struct segment *next; /* in order of position */
    struct fetch *fetch;
    struct transfer *transfer; /* NULL: a gap */
    struct host *host;         /* whose further slot it has; NULL: the job's own slot, or a gap */
    struct pause pause;
    uint32_t mirror;
    int64_t at, to; /* what is missing: [at, to); `gathered` before `at` are in the buffer */
    int64_t until;  /* the answer ends here */
    int64_t from;   /* `at` when its request was sent */
    uint64_t asked, answered; /* instants; answered 0: no head yet */
    char *buffer;
    size_t gathered;
    /* of the last transfer */
    int http_status;
    int64_t retry_after_ns;
    enum segment_verdict judged;
    error verdict;
    uint64_t not_before; /* of a gap: after a failure */
    uint32_t failures;   /* tries of these bytes that brought some and failed, those of the job too */
};

struct segments {
    struct segment *first;
    uint32_t active;    /* with a transfer */
    bool own_slot_used; /* the job's slot belongs to one of them */
    bool must_wait;     /* a rate, or a hold, keeps that slot from another request */
    bool is_auto;
    struct growth growth; /* how many are wanted */
    uint64_t latency;     /* from a request to its answer, the last one */
    uint64_t look_at;
    uint64_t measured_at; /* the instant, and the bytes at it */
    int64_t measured;
    uint64_t shunned;           /* bit n: mirror n is of no use for ranges */
    uint8_t users[MIRRORS_MAX]; /* segments that ask mirror n */
    error last;                 /* what the last failure was */
};

/* ---- segments.c ---- */

/* What is missing from `at` on, as a gap; NULL: out of memory. */
struct segment *segment_new(struct fetch *f, int64_t at, int64_t to);
void segment_remove(struct fetch *f, struct segment *g);
/* After a failure without a byte: more than there are is more than the server, or this machine,
 * likes. */
void segments_want_no_more(struct segments *s);
/* Looks for slots, gaps, and those who want slots back. */
void segments_look(struct fetch *f, uint64_t now);
/* What has become contiguous is read back for the digest, in turn with the transfers. */
void segments_catch_up(struct fetch *f);
/* A transfer has ended, and its slot is free: the next one, or the end. May free the fetch. */
void segments_go_on(struct fetch *f);
/* No transfer is left, or none may go on: ends as the transfer of one body would. May free the
 * fetch. */
void segments_end_failed(struct fetch *f, const struct segment *g, const error *verdict,
                         bool answered);

/* ---- segment_slot.c ---- */

/* Where a mirror is asked. */
const char *segment_url(const struct fetch *f, uint32_t mirror);
/* A slot for one more, and what it is to ask; *host NULL: it is the job's own. False: none now. */
bool segment_take_slot(struct fetch *f, uint32_t *mirror, struct host **host);
void segment_give_back_slot(struct segment *g, const struct host_report *report);
/* One that was taken and is not needed. */
void segment_return_slot(struct fetch *f, uint32_t mirror, struct host *host);

/* ---- segment_transfer.c ---- */

/* Sends the request for what is missing of `g`, which has a slot. */
bool segment_ask(struct segment *g, uint32_t mirror, struct host *host);
/* The transfer of the whole fetch becomes that of `g`, which begins where it stands. */
void segment_adopt(struct fetch *f, struct segment *g, uint64_t now);
/* Cuts the transfer; what has come is kept. */
void segment_cut(struct segment *g);

#endif

/* A fetch: a job being worked on. It owns the sink, the chain, the offset reached and what vouches
 * for it, from take to end, over all the transfers that it takes to get there.
 *
 *   fetch_take ── request ──> answer_head ──> answer_data ... ──> answer_end
 *                    ^                                              │
 *                    │      hop, retry: slot freed, job put back    ├─> sealed  ─> commit
 *                    └──────────────────────────────────────────────┴─> failed  ─> commit
 *
 * fetch.c       life: take, request, pause, let go
 * answer.c      what an answer means
 * delivery.c    where its bytes go: replay, body, chain, callback
 * ending.c      what the end of a transfer means: done, hop, retry, failed
 * fetch_mirror.c  which of the URLs of a file is asked
 * segments.c    one body in several ranges at once
 * lending.c     on which thread its chain runs
 * sending.c     all of this where the body flows up instead
 */
#ifndef WEIR_ENGINE_FETCH_H
#define WEIR_ENGINE_FETCH_H

#include "core/digest.h"
#include "engine/check.h"
#include "engine/outcome.h"
#include "engine/recheck.h"
#include "engine/worker.h"

struct fetch {
    struct fetch *prev, *next; /* worker->fetches */
    bool linked;
    struct fetch *wait_next; /* worker->reading or ->blocked */
    struct worker *worker;
    struct job *job;
    const weir_callbacks *callbacks; /* never NULL */
    void *user;
    struct outcome *outcome;   /* made first, so that the end cannot fail */
    struct sink *sink;         /* of the result; NULL: callbacks only */
    struct sink *body;         /* of the body as sent, beside it; NULL: none */
    struct sink_spec spec;     /* of the file */
    bool shaped;               /* what goes to `sink` is not the body as sent */
    struct chain *chain;       /* NULL: the body goes to the sink as it comes */
    bool opened;               /* sinks and chain have been opened */
    const char *shown_path;    /* within shown_url */
    char *shown_url;           /* without secrets; the chain borrows it */
    char *content_encoding;    /* of the answer; the chain borrows it */
    struct transfer *transfer; /* NULL: none under way, or several */
    struct segments *segments; /* of a body that comes in several ranges; NULL: in one piece */
    uint64_t split_at;         /* instant at which that is considered; 0 = it is not */
    int64_t measured;          /* `offset` when its speed was last looked at */

    /* the request */
    char *url;        /* redirect target; NULL = the job's URL */
    bool to_get;      /* a redirect turned the request into GET (RFC 9110 section 15.4) */
    bool from_public; /* the hop before came from a public address */
    bool no_range;    /* the server's answers to Range cannot be used */
    bool no_split;    /* one range at a time, then */

    /* the body */
    struct provenance held; /* what vouches for the bytes 0..offset */
    int64_t offset;         /* bytes consumed: in the sink, given to the callbacks */
    _Atomic int64_t shown_offset, shown_size; /* for those who look */
    bool sink_begun;                          /* the sink stands at `offset` */
    bool begun;                               /* on_begin was called for what is held */
    bool delivered;              /* callbacks or a stream have had bytes of it in this run */
    bool enough;                 /* nothing needs more of the body: it is done */
    bool silenced;               /* the callback needs no more; the file does */
    struct running_hash *hash;   /* of the bytes 0..offset, where they cannot be taken back */
    struct running_hash *replay; /* of the bytes that come again */
    int64_t replay_at;           /* how far they have come; only while `replaying` */
    bool replaying;

    struct body_check check; /* of the body as sent */
    struct recheck recheck;  /* of the file that is there already */
    struct sending *sending; /* the body goes up (sending.h); NULL: it comes down */
    bool held_elsewhere;     /* what is held came from another mirror than the one asked */

    /* this attempt */
    uint64_t attempt_started;
    int64_t attempt_bytes; /* taken in it */
    int64_t asked_from;    /* Range that was asked for, 0 = none */
    int64_t until;         /* the answer ends at this offset, -1 = unknown */
    bool good;             /* the body is being taken */
    bool skip;             /* the file that the server named is there already */
    bool conditional;      /* 304 is an answer: what is there is still right */
    bool restart;          /* ask again at once without Range; no attempt is spent */
    bool refused;          /* the body is whole, and not what was to come */
    int http_status;
    int64_t retry_after_ns;
    int64_t mtime;  /* Last-Modified, -1 = none */
    char *location; /* of a redirect */
    error verdict;  /* ours; status OK = nothing to object */

    /* where its chain runs (lending.c) */
    struct {
        int64_t look_at;             /* offset at which that is looked at next */
        uint64_t ns, bytes;          /* that the chain took on the worker, and for what */
        atomic_uint_least64_t given; /* bytes that the chain has written, on either thread */
    } lending;

    /* pauses */
    struct pause pause;
    bool is_blocked, is_reading;
};

/* Begins or goes on with a job that the queue has handed out. Takes the job. */
void fetch_take(struct worker *w, struct job *job);
/* Opens its ways where that has not been done, and asks. */
void fetch_go(struct fetch *f);
/* Sends the next request. On failure the attempt ends as if the transfer had. */
void fetch_request(struct fetch *f);
/* The run stops: cuts the transfer, keeps what can be resumed, posts the job as not ended. */
void fetch_cut(struct fetch *f);
/* The same for a job that no worker holds any more; f may be NULL. */
void fetch_abandon(struct weir_engine *e, struct fetch *f, struct job *job);
/* Frees everything but the job; the sink and the outcome too where they have not been handed on. */
void fetch_free(struct fetch *f);

/* Gives up sinks that will not be sealed. `keep`: what can be resumed stays. */
void fetch_let_go_sinks(struct fetch *f, bool keep);

void fetch_block(struct fetch *f);
/* What has been written is read back for the digest, by fetch_catch_up_due. */
void fetch_begin_reading(struct fetch *f);
/* Reads back what the digest has not seen yet, a slice a fetch, and asks for the rest where that
 * is done. */
void fetch_catch_up_due(struct worker *w);
/* Resumes the blocked ones whose sink has room. */
void fetch_resume_blocked(struct worker *w);

/* What every request for this file says, to one of its mirrors or where that has led. */
void fetch_describe_request(struct fetch *f, uint32_t mirror, const char *url,
                            const struct options *options, struct transfer_request *out);
/* Size and digest of the list vouch for a body whoever sent its parts. */
bool fetch_is_vouched(const struct fetch *f);

/* Does what becomes of the body leave for good: to a stream, or to callbacks without on_reset? */
bool fetch_gives_away(const struct fetch *f);
/* Has some of it left already? Then the body is replayed, not reset. */
bool fetch_must_replay(const struct fetch *f);

extern const struct transfer_ops fetch_ops; /* answer.c */
const char *answer_phrase(int http_status); /* likewise: "Not Found" */

/* delivery.c: the next bytes of the body that is being taken. */
bool fetch_deliver(struct fetch *f, const char *data, size_t size);
/* Charges the limits of the run and of the host; the instant until which to pause, 0 = none. */
uint64_t fetch_charge(struct weir_engine *e, struct host *host, size_t size, uint64_t now);
/* The body comes again from byte 0, to be checked against what was given away. */
status fetch_start_replay(struct fetch *f);

/* lending.c: chain_write of the fetch, here or on the chain thread: then the answer is that to
 * earlier bytes. */
status fetch_write_chain(struct fetch *f, const char *data, size_t size);
/* Takes back the chain that is lent, if any; what it has said is noted in its fetch. */
void fetch_take_back(struct worker *w);
/* The chain that is lent has said that it needs no more, or has failed: ends its transfer. */
void fetch_heed_chain(struct worker *w);

/* Takes the fetch out of all lists of the worker: its transfer is over. */
void fetch_detach(struct fetch *f);

/* fetch_mirror.c. The lane ("host:port") of the URL that is asked next. */
void fetch_lane(struct fetch *f, struct strbuf *out);
/* How many further mirrors may still be asked. */
uint32_t fetch_other_mirrors(struct fetch *f);
/* Goes to the next mirror; `dead`: the last one is not asked again. False: all are dead. */
bool fetch_move_on(struct fetch *f, bool dead);
/* Before the first request: has the run learnt of a better mirror than the first? Then it is the
 * one. */
bool fetch_prefers_other(struct fetch *f);

/* ending.c: the file that is there has been checked; err tells what is wrong with it. */
void fetch_rechecked(struct fetch *f, status st, const error *err);
/* ending.c: gives a job back that has made no request yet, for the lane of its mirror. */
void fetch_change_lane(struct fetch *f);
/* ending.c: the transfer is gone; err tells how it ended where our own verdict does not. */
void fetch_ended(struct fetch *f, const struct transfer_result *result);

#endif

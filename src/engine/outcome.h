/* An outcome: what became of a job, on its way to the commit thread; or a message for the event
 * callback that is to stay in order with it.
 */
#ifndef WEIR_ENGINE_OUTCOME_H
#define WEIR_ENGINE_OUTCOME_H

#include "core/job.h"
#include "core/status.h"
#include "sink/sink.h"
#include "stage/builtin.h"

struct outcome {
    struct outcome *next;
    struct job *job;   /* owned; NULL: this is an event */
    struct sink *sink; /* owned, sealed; NULL: nothing to publish */
    struct sink *tee;  /* owned, sealed: the stream beside the file of the body; NULL: none */
    struct stage_counts *counts; /* owned; NULL: no stage counted */
    char *origin;                /* owned; the sink borrows it */
    char *made_by;               /* owned; likewise; NULL: the body as sent */
    char *path;                  /* owned; the name that the server gave; NULL = the job's */
    char *final_url;             /* owned; NULL = the job's URL */
    struct provenance held;      /* owned; of the body that was saved, where there is a journal */
    char *digest;                /* owned; "sha256=HEX" that the body was checked by; or NULL */
    error *error;                /* owned; NULL = none */
    weir_outcome result;
    int http_status;
    int64_t bytes, resumed_from;
    uint64_t ended; /* instant */
    bool requested; /* at least one request was made */
    bool outside;   /* the job has no place in the queue to give back */
    bool silent;    /* cancelled: on_end is called, but it counts as not ended */
    /* for events */
    weir_event_kind event;
    char *text; /* owned: warning text, or the URL */
    char *host; /* owned */
    int64_t wait_ms;
    int attempt;
};

struct outcome *outcome_new(void);    /* zeroed; NULL: out of memory */
void outcome_free(struct outcome *o); /* not the job; takes NULL */
/* Keeps a copy of *err. */
void outcome_set_error(struct outcome *o, const error *err);
/* The run was stopped before the job was done: a failure that does not count as one. */
void outcome_set_stopped(struct outcome *o);

#endif

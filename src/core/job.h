/* A job: a record of a list on its way through the engine.
 *
 * One allocation, header and text in one piece, so that a lane can keep it, a worker can take it,
 * and the overflow file can hold it as plain bytes of this process. Text is found by offset from
 * the start; offset 0 means "none". Whoever holds the pointer owns the job; `queue_done` or
 * `job_free` ends it.
 */
#ifndef WEIR_CORE_JOB_H
#define WEIR_CORE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/text.h"
#include "weir/weir.h"

struct host;  /* limit/host.h */
struct fetch; /* engine/fetch.h */

struct job {
    struct job *next;   /* for the list it is in */
    uint32_t bytes;     /* of the whole allocation */
    uint32_t url;       /* normalised, what is asked for first */
    uint32_t authority; /* "host:port" of the next request: its lane */
    uint32_t name;      /* final name below the directory, sanitised; 0 = none needed */
    uint32_t id;
    uint32_t mirrors;   /* further URLs, normalised, the best first: URL NUL ... and one more NUL */
    uint32_t digests;   /* a list of checksum.h */
    uint32_t headers;   /* "Name: value" strings, NUL after each, and one more NUL at the end */
    uint32_t list_name; /* as the list gives it; kept where there is a journal */
    uint32_t if_none_match, if_modified_since; /* of what is to be replaced; 0 = no condition */
    uint32_t method;                           /* 0 = GET, or POST with a body */
    uint32_t body;                             /* of the request; 0 = none */
    uint32_t body_size;                        /* bytes of it */
    uint32_t extra;      /* other columns of the list: name NUL value NUL ... and one more NUL */
    uint64_t index;      /* position among all records of the run */
    uint64_t line;       /* in its list, from 1; 0 = added by program */
    int64_t size;        /* expected, -1 = unknown */
    uint64_t due;        /* not before this instant (clock.h) */
    uint64_t started;    /* instant of the first request, 0 = none yet */
    struct host *host;   /* set by the queue while the job is in it or in flight */
    struct fetch *fetch; /* kept alive while the job waits; then `worker` says whose it is */
    int32_t worker;      /* -1 = any */
    int32_t holder;    /* the queue's own: the worker that took it last, whose slot it has or had */
    bool probe;        /* the queue's own: its transfer probes a held host */
    int16_t segments;  /* ranges at once, WEIR_SEGMENTS_AUTO, or 0: as save.segments says */
    uint32_t attempts; /* requests started, hops not counted */
    uint32_t hops;     /* redirects followed in this attempt */
    uint32_t refused;  /* whole bodies whose digest or size did not match */
    uint32_t mirror;   /* what is asked: 0 = url, n = the n-th of mirrors */
    uint64_t dead;     /* bit n: mirror n will not be asked again for this job */
    bool host_is_down; /* set by try_take: do not request, fail at once */
    weir_status down_class; /* host_is_down: of the host's last failure */
    uint32_t down_failures; /* host_is_down: in a row; few when the host asked to be left alone for
                               longer than retry.retry_after_max */
    bool to_file;           /* has a file sink */
    bool save_body;         /* ... which takes the body as sent */
    bool named;             /* its name was given with the URL */
    bool fresh;             /* nothing of its name was there when the run began */
    bool overwrite;         /* may replace a final name that exists */
    bool duplicate;         /* the same URL stands earlier: to be reported as skipped */
    bool exists, unchecked; /* skipped by the feeder: final name exists (without evidence) */
    bool journaled;         /* what is skipped stands in the journal already */
    const weir_callbacks *callbacks;
    void *user;
    /* a body that goes up */
    uint32_t upload;      /* text: the file that is sent; 0 = none, or `source` */
    uint32_t upload_root; /* so many bytes of it are the folder that it must not leave; 0 = none */
    const weir_upload *source; /* what a program sends; NULL = `upload`, or a download */
};

/* How a list of failed records begins, and each row in it that titles the columns anew. */
#define FAILED_LIST_HEADER "url\tname\tid"

/* Text that job_new packs; NULL pointers are left out. */
struct job_text {
    const char *url, *authority, *name, *id;
    const char *mirrors;
    size_t mirrors_size; /* the double NUL at the end included; likewise of those below */
    const char *digests;
    size_t digests_size;
    const char *headers;
    size_t headers_size;
    const char *list_name;
    const char *if_none_match, *if_modified_since;
    const char *method;
    const char *body;
    size_t body_size; /* just its bytes */
    const char *upload;
    const char *extra;
    size_t extra_size;
};

/* A zeroed job (worker -1, size -1) with its text, or NULL when memory ran out. */
struct job *job_new(const struct job_text *text);
void job_free(struct job *job);

static inline const char *job_text(const struct job *job, uint32_t offset)
{
    return offset ? (const char *)job + offset : NULL;
}

static inline bool job_sends(const struct job *job)
{
    return job->upload || job->source;
}

/* A list of a job, item NUL ... NUL, with its last NUL; n == 0: none. job_pairs: of `extra`, whose
 * values may be empty. */
struct span job_list(const struct job *job, uint32_t offset);
struct span job_pairs(const struct job *job, uint32_t offset);

#endif

/* PUT: a body becomes a file, by the same sink as a download: NAME.part, locked, and NAME by rename
 * when all of it is there and synced. The exchange's worker, but for the commit (upload_commit.h).
 */
#ifndef WEIR_SERVE_UPLOAD_REQUEST_H
#define WEIR_SERVE_UPLOAD_REQUEST_H

#include "core/checksum.h"
#include "serve/exchange.h"

struct upload {
    struct exchange *x;
    struct sink *sink;
    struct strbuf origin;
    struct checksum announced;      /* by the head */
    struct checksum_state *counted; /* NULL = none was announced */
    int64_t expected;               /* -1 = unknown */
    bool replaces;                  /* there was a file of that name */
    bool handed_over;               /* to the commit thread ... */
    bool committed;                 /* ... which is done with it */
    error err;                      /* what came of it */
    struct upload *next;            /* guarded by the commit's lock */
};

/* Judges the head. True: x->upload takes the body; false: x->refusal says why not. */
bool upload_begin(struct exchange *x);
/* A piece of the body. */
enum MHD_Result upload_write(struct exchange *x, const char *data, size_t size);
/* The body has ended: hands it to the commit thread, and answers when called again after it. */
enum MHD_Result upload_finish(struct exchange *x);
/* Lets go of what is left; without a commit nothing stays. */
void upload_free(struct exchange *x);

#endif

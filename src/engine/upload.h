/* An upload: where the bytes of a request's body come from, how far they have been read, and what
 * is known of them. A file, standard input, a FIFO, or a program's callback.
 *
 * It knows nothing of transfers: sending.c puts it to one. One fetch's, on its worker.
 */
#ifndef WEIR_ENGINE_UPLOAD_H
#define WEIR_ENGINE_UPLOAD_H

#include <sys/stat.h>

#include "core/checksum.h"
#include "core/job.h"

struct upload {
    const weir_upload *source; /* a program's; NULL: fd */
    char *name;                /* for messages */
    int fd;
    bool own;        /* fd is ours to close */
    bool is_file;    /* a regular file: of a known size, and read from `start` as often as needed */
    int64_t start;   /* where byte 0 lies */
    int64_t size;    /* -1 = unknown */
    int64_t at;      /* bytes read since the last rewind */
    bool consumed;   /* bytes have been read that cannot be read again */
    struct stat was; /* of the file when it was opened */

    /* digests: of a file before it is sent, else while it is */
    struct checksum_state *sums[CHECKSUM_KINDS]; /* NULL = not wanted */
    int64_t summed;                              /* bytes of them */
};

/* Opens what the job sends. INPUT: it cannot be read, with the reason; AGAIN: no descriptor was
 * left. */
status upload_open(struct upload *u, const struct job *job, error *err);
void upload_close(struct upload *u); /* takes one that was never opened, all zeros */

/* Can it be read again from byte 0? */
bool upload_repeats(const struct upload *u);
/* Back to byte 0. INPUT: it cannot, and bytes have gone. */
status upload_rewind(struct upload *u, error *err);

/* Takes the file as it is now for what is to be sent; its digests begin anew. */
status upload_look_again(struct upload *u, error *err);

/* Up to `cap` bytes; *got 0 is the end. AGAIN: nothing is there yet, wait until `fd` is readable.
 * CHECKSUM: the file is not what it was when it was opened; told before its last byte is handed
 * out, so that no receiver can take what came for the whole. */
status upload_read(struct upload *u, void *data, size_t cap, size_t *got, error *err);

/* Also calculate this digest. NOMEM. */
status upload_want_sum(struct upload *u, enum checksum_kind kind, error *err);
/* Reads the next slice of the file for its digests. OK: more is to come; END: all is read. */
status upload_sum_slice(struct upload *u, error *err);

#endif

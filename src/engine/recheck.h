/* Checking what is on disk against what the list says of it, instead of fetching it or before that.
 *
 * A fetch that is to be rechecked reads its file in slices on its worker, in turn with the others
 * of that worker; see weir_engine_set_verify.
 */
#ifndef WEIR_ENGINE_RECHECK_H
#define WEIR_ENGINE_RECHECK_H

#include "engine/check.h"

struct recheck {
    bool under_way;
    bool done;    /* this job has been judged */
    int fd;       /* of the file, -1 = not open */
    int64_t size; /* of the file */
    struct body_check check;
};

/* Opens the file `name` beneath dirfd and compares its size (-1 = not known). CHECKSUM: it is not
 * there, no regular file, or of another size. */
status recheck_open(struct recheck *r, int dirfd, const char *name, int64_t size,
                    const char *digests, error *err);
/* Reads one slice; adds what it has read to *bytes. END: that was the last one, and all is right.
 * CHECKSUM: it is not. DISK: it cannot be read. */
status recheck_slice(struct recheck *r, const char *name, int64_t *bytes, error *err);
void recheck_close(struct recheck *r);

#endif

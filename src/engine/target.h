/* What stands where a file is to go, and what that means for it (DESIGN 4.2: a skip needs
 * evidence).
 */
#ifndef WEIR_ENGINE_TARGET_H
#define WEIR_ENGINE_TARGET_H

#include "core/provenance.h"
#include "core/status.h"

enum target {
    TARGET_FREE,    /* nothing */
    TARGET_SAME,    /* a file, and its kept origin and size say that it is this one */
    TARGET_STALE,   /* a file of this origin, but not of the size that the list gives */
    TARGET_OTHER,   /* a file of another origin */
    TARGET_MADE,    /* a file of this origin, but another filter, program or decoding made it of
                       what the origin has */
    TARGET_UNKNOWN, /* a file that says nothing of its origin */
    TARGET_BLOCKED  /* a folder, a link or a file in the way: err tells */
};

/* Looks at `name` beneath dirfd (-1: TARGET_FREE). `origin` is the URL without secrets; `made_by`
 * as in sink_spec, NULL or empty for the body itself; size -1 = unknown. Feeder thread. */
enum target target_look(int dirfd, const char *name, const char *origin, const char *made_by,
                        int64_t size, error *err);

/* What vouched for the file of that name when it was made: the validators that were kept with it,
 * else its date as Last-Modified (which it was given). Nothing where neither can be read. */
void target_validators(int dirfd, const char *name, struct provenance *out);

#endif

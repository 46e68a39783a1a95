/* The file sink's insides, shared by its four files and private to this room:
 *
 *   sink_file.c          life of a NAME.part: open, begin, write, seal, abort
 *   sink_file_scatter.c  writing in no order
 *   sink_file_record.c   the resume record beside it, and what of the .part may be trusted
 *   sink_file_publish.c  groups: sync, rename, sync of the folders
 *
 * A NAME.part belongs to whoever holds flock on it. Three rules keep two processes apart:
 *   - it is made with O_EXCL and locked at once;
 *   - whoever locks one that exists looks again whether it still has its name;
 *   - an empty one is never taken over but removed and made anew, so a maker that was overtaken
 *     between making and locking finds its file without a name (link count 0) and gives way.
 */
#ifndef WEIR_SINK_FILE_H
#define WEIR_SINK_FILE_H

#include <sys/types.h>

#include "core/extents.h"
#include "sink/sink.h"

#define PART_ENDING ".part"
/* A record is written before a .part grows past this, and never for a smaller one unless the run is
 * cut; so whatever is larger has a record of its own. */
#define RECORD_FROM ((int64_t)1 << 20)
#define RECORD_EVERY ((int64_t)64 << 20)

#define RECORD_XATTR_NAME "user.weir.resume" /* the resume record of a .part */

enum record_place { RECORD_NONE, RECORD_XATTR, RECORD_SIDECAR };

struct file_sink {
    struct sink head;
    const struct sink_env *env;
    struct sink_spec spec;
    int fd; /* of the .part, locked; -1 = not open */
    dev_t device;
    bool sealed;
    bool published;   /* it has its name ... */
    bool durable;     /* ... and the folder with it is on disk */
    int64_t flushed;  /* bytes from 0 that are in the file; its end where it is scattered */
    int64_t expected; /* size of the whole body, -1 = unknown */
    int64_t reserved; /* preallocated up to here */

    char *buffer; /* gathered, not in the file yet; NULL until needed */
    size_t gathered, capacity;

    struct provenance held; /* what vouches for the bytes */
    enum record_place record;
    int64_t next_record; /* write it before this many bytes are in the file */
    int64_t pushed;      /* bytes whose way to the disk has been begun */

    /* write_at was used: the size tells nothing any more */
    bool scattered;
    struct extents extents, synced;
    int64_t unrecorded, unsynced; /* bytes since the last record, and the last sync */

    size_t folder_length; /* of the name, up to its last '/'; 0 = no folder */
    char part[];          /* name, ".part", NUL */
};

/* What errno means for a file: AGAIN (descriptors ran out), NOMEM, NAME or DISK, with a message
 * that names the file, the trouble and the way out. `what`: "cannot be opened". */
status file_fail(const struct file_sink *s, int sys_errno, const char *what, error *err);
/* Writes what was gathered. */
status file_flush(struct file_sink *s, error *err);

/* Reads the record of the locked .part into *from, with `written` the offset that may be trusted
 * and s->record the place where it was found. Damaged, missing or foreign: written = 0. */
status record_load(struct file_sink *s, int64_t part_size, struct provenance *from, error *err);
/* Writes the record of what is flushed, before the .part grows to `grows_to`. Where none can be
 * kept nothing is said: a resume then starts anew. */
void record_save(struct file_sink *s, int64_t grows_to);
void record_drop(struct file_sink *s);

/* sink_file_scatter.c */
status file_write_at(struct sink *head, const void *data, size_t size, int64_t offset, error *err);
/* Takes over what `p` says of a part of an earlier run. */
status file_scatter(struct file_sink *s, const struct provenance *p, error *err);
/* From front to back again. */
void file_unscatter(struct file_sink *s);

void sink_file_publish(struct sink **group, size_t n, const struct sink_env *env, error *errs);

#endif

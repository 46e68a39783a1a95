/* A reader: bytes that are pulled, from a file, a pipe or a decoder upon another reader.
 * Lists are read through it. A reader may wait, which an upload must not: it has a source of its
 * own (engine/upload.h). One thread at a time.
 */
#ifndef WEIR_CORE_READER_H
#define WEIR_CORE_READER_H

#include "core/status.h"

struct reader;

struct reader_type {
    const char *name;
    /* Up to `cap` bytes into `data`; *got 0 means the end. */
    status (*read)(struct reader *r, void *data, size_t cap, size_t *got, error *err);
    /* Back to byte 0; USAGE when it cannot (a pipe). */
    status (*rewind)(struct reader *r, error *err);
    void (*close)(struct reader *r);
};

/* The head of every reader; implementations put it first in their own struct. */
struct reader {
    const struct reader_type *type;
};

/* Reads a descriptor. With `own`, closing the reader closes it. `name` is for messages, copied. */
status reader_open_fd(struct reader **out, int fd, bool own, const char *name, error *err);
/* Opens a file by path; "-" and "/dev/stdin" are standard input. */
status reader_open_path(struct reader **out, const char *path, error *err);
void reader_close(struct reader *r); /* takes NULL */

#endif

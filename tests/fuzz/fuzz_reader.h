/* A reader over bytes in memory, in pieces of a size that the input chooses. */
#ifndef FUZZ_READER_H
#define FUZZ_READER_H

#include <stdlib.h>

#include "core/reader.h"

struct memory_reader {
    struct reader head;
    const char *data;
    size_t n, at, piece;
};

static status memory_read(struct reader *r, void *data, size_t cap, size_t *got, error *err)
{
    struct memory_reader *m = (struct memory_reader *)r;
    size_t left = m->n - m->at, n = cap < m->piece ? cap : m->piece;
    *got = n < left ? n : left;
    if (*got)
        memcpy(data, m->data + m->at, *got);
    m->at += *got;
    return OK;
}

static status memory_rewind(struct reader *r, error *err)
{
    ((struct memory_reader *)r)->at = 0;
    return OK;
}

static void memory_close(struct reader *r)
{
    free(r);
}

static const struct reader_type memory_type = {"memory", memory_read, memory_rewind, memory_close};

#endif

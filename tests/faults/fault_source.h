/* Where the bytes of a body come from: random ones, lines, or a file of the test's folder.
 */
#ifndef FAULT_SOURCE_H
#define FAULT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault_lines.h"
#include "fault_request.h"

/* Of the server: what bodies are made of. */
struct library {
    int folder;                   /* of --files; -1 = none */
    struct lines_stock *stock[2]; /* by enum lines_kind, made when first asked for */
};

enum source_kind { SOURCE_NONE, SOURCE_RANDOM, SOURCE_LINES, SOURCE_FILE };

struct source {
    enum source_kind kind;
    uint64_t seed;
    int64_t size;                    /* of the whole body */
    const struct lines_stock *stock; /* SOURCE_LINES; borrowed */
    int file;                        /* SOURCE_FILE */
    int64_t file_size;               /* of one of its repeats */
};

/* The body that a request names by its path and query (README.md): `version` 1 is what comes once
 * it has changed. false: there is no such body. */
bool source_open(struct source *out, struct library *library, const struct request *r,
                 unsigned version);
void source_close(struct source *s);
/* Bytes [from, from + size) of the body. */
void source_read(const struct source *s, uint64_t from, char *out, size_t size);

#endif

/* Sources: lists of records, read as streams.
 *
 * A source is opened upon a reader that already yields plain bytes (decompressed, see
 * codec/decoder.h) and hands out one record at a time. A format is one file and one row in the
 * registry. Memory does not grow with the list. One thread at a time (the feeder).
 */
#ifndef WEIR_SOURCE_SOURCE_H
#define WEIR_SOURCE_SOURCE_H

#include "core/reader.h"
#include "core/status.h"
#include "core/text.h"

/* A row of a list. All spans are borrowed until the next call of source_next. */
struct record {
    struct span url;  /* as written (relative ones are resolved by the feeder) */
    struct span name; /* n == 0: none */
    size_t root; /* so many bytes of name are a folder that the file is beneath; 0: none is meant */
    struct span id;      /* n == 0: none */
    int64_t size;        /* -1: none */
    struct span mirrors; /* further URLs of the same file, the best first: URL NUL ..., ended by one
                            more NUL; n == 0: none */
    struct span digests; /* a list of core/checksum.h with its last NUL; n == 0: none */
    struct span headers; /* "Name: value" NUL ..., ended by one more NUL; n == 0: none */
    struct span method;  /* n == 0: GET */
    struct span body;    /* of the request; p NULL: none */
    const char *warning; /* to be said once with this record: something of the list is passed over;
                            NULL: none */
    struct span
        extra;     /* other columns: name NUL value NUL ..., ended by one more NUL; n == 0: none */
    uint64_t line; /* from 1 */
};

struct source;

struct source_type {
    const char *name; /* "urls" */
    const char *help;
    /* How sure it is that `head` (the first bytes of the list, up to 4 KiB) is of its format,
     * 0..100. */
    int (*sniff)(struct span head);
    /* Takes `in` (also when it fails). `list` names the list in messages, copied. */
    status (*open)(struct source **out, struct reader *in, const char *list, error *err);
    /* OK: *out is filled. END: no more. INPUT: this line cannot be read (out->line says which,
     * out->url its text, at most 512 bytes); go on with the next call. Anything else ends the
     * source, also INPUT with out->line 0: the list itself cannot be read on. */
    status (*next)(struct source *s, struct record *out, error *err);
    void (*close)(struct source *s);
};

struct source {
    const struct source_type *type;
};

/* Row i of the registry, NULL after the last. */
const struct source_type *source_type_at(size_t i);
/* By name; NULL when there is none. */
const struct source_type *source_type_named(const char *name);

/* Opens a list upon `in` (takes it), decoding .gz and .zst by content; format NULL or "" = sniffed
 * (a list that fits nothing else is "urls"; an empty one too). */
status source_open(struct source **out, struct reader *in, const char *list, const char *format,
                   error *err);
status source_next(struct source *s, struct record *out, error *err);
void source_close(struct source *s); /* takes NULL */

#endif

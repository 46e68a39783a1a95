/* Decoders: compressed bytes in, plain bytes out, any chunking.
 *
 * One file and one registry row each. A decoder handles everything that may follow one another in
 * one body: gzip members (RFC 1952 section 2.2), zstd frames (RFC 8878 section 3.1). One thread at
 * a time.
 */
#ifndef WEIR_CODEC_DECODER_H
#define WEIR_CODEC_DECODER_H

#include "core/reader.h"
#include "core/status.h"
#include "core/text.h"

struct decoder;

struct decoder_type {
    const char *name; /* "gzip" */
    const char *help;
    const unsigned char *magic; /* first bytes of such a body */
    size_t magic_size;
    status (*open)(struct decoder **out, error *err);
    /* Consumes from *in (advancing it) and produces into out; *got bytes were produced. Call again
     * with the same input while *got == cap. DECODE with the byte offset in the compressed body
     * when the input is damaged: *got then counts what came out before the damage. */
    status (*decode)(struct decoder *d, struct span *in, void *out, size_t cap, size_t *got,
                     error *err);
    /* The input has ended: DECODE when that is in the middle of a member or frame. */
    status (*finish)(struct decoder *d, error *err);
    void (*reset)(struct decoder *d);
    void (*close)(struct decoder *d); /* takes NULL */
    /* Bodies that begin otherwise than with `magic`; NULL: there are none. */
    bool (*sniff)(struct span head);
};

struct decoder {
    const struct decoder_type *type;
};

/* Row i of the registry, NULL after the last. */
const struct decoder_type *decoder_type_at(size_t i);
/* The type whose magic `head` begins with; NULL when none does. `head` of 6 bytes decides for all.
 */
const struct decoder_type *decoder_sniff(struct span head);

/* A reader that decodes what `from` gives, by content: plain bytes pass. Takes `from`, also when it
 * fails. Bytes decoded before a damage are given out before the damage is told. */
status reader_open_decoded(struct reader **out, struct reader *from, error *err);

#endif

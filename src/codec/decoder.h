/* Decoders: compressed bytes in, plain bytes out, any chunking.
 *
 * One file and one registry row each. A decoder handles everything that may follow one another in
 * one body: gzip members (RFC 1952 section 2.2), zstd frames (RFC 8878 section 3.1), xz and bzip2
 * streams; a brotli body is one stream (RFC 7932). One thread at a time.
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
    const char *suffix;         /* of file names, ".gz"; without the dot it is a name as well */
    const char *content_coding; /* as in Content-Encoding, or NULL */
    const unsigned char *magic; /* first bytes of such a body */
    size_t magic_size;          /* 0: nothing in the body tells the format */
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
    /* Decides instead of `magic`, where that is too little or there are other beginnings; or NULL.
     */
    bool (*sniff)(struct span head);
};

struct decoder {
    const struct decoder_type *type;
};

/* Row i of the registry, NULL after the last. */
const struct decoder_type *decoder_type_at(size_t i);
/* The type of a body that begins with `head`; NULL: of none. DECODER_HEAD bytes decide for all. */
#define DECODER_HEAD 6
const struct decoder_type *decoder_sniff(struct span head);
/* By name or suffix without its dot, "gzip" or "gz", in any case; NULL: there is none. */
const struct decoder_type *decoder_named(struct span name);
/* By a coding of a Content-Encoding header (RFC 9110 section 8.4.1), "x-" before it or not. */
const struct decoder_type *decoder_for_coding(struct span coding);
/* By the end of a file name or of the path of a URL (without query). */
const struct decoder_type *decoder_for_suffix(struct span name);

/* A reader that decodes what `from` gives, by content: plain bytes pass. Takes `from`, also when it
 * fails. Bytes decoded before a damage are given out before the damage is told. */
status reader_open_decoded(struct reader **out, struct reader *from, error *err);

#endif

/* The registry of decoders: a new one is one file and one row here. Const, so any thread. */
#include "codec/decoder.h"

extern const struct decoder_type decoder_gzip;
#ifdef WEIR_HAVE_ZSTD
extern const struct decoder_type decoder_zstd;
#endif

static const struct decoder_type *const types[] = {
    &decoder_gzip,
#ifdef WEIR_HAVE_ZSTD
    &decoder_zstd,
#endif
};

const struct decoder_type *decoder_type_at(size_t i)
{
    return i < sizeof types / sizeof *types ? types[i] : NULL;
}

const struct decoder_type *decoder_sniff(struct span head)
{
    const struct decoder_type *t;
    for (size_t i = 0; (t = decoder_type_at(i)); i++) {
        if (head.n >= t->magic_size && memcmp(head.p, t->magic, t->magic_size) == 0)
            return t;
        if (t->sniff && t->sniff(head))
            return t;
    }
    return NULL;
}

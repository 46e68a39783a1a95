/* The registry of decoders: a new one is one file and one row here. Const, so any thread. */
#include "codec/decoder.h"

extern const struct decoder_type decoder_gzip, decoder_zstd, decoder_xz, decoder_bzip2,
    decoder_brotli;

static const struct decoder_type *const types[] = {
    &decoder_gzip,
#ifdef WEIR_HAVE_ZSTD
    &decoder_zstd,
#endif
#ifdef WEIR_HAVE_XZ
    &decoder_xz,
#endif
#ifdef WEIR_HAVE_BZIP2
    &decoder_bzip2,
#endif
#ifdef WEIR_HAVE_BROTLI
    &decoder_brotli,
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
        bool begins = t->magic_size && head.n >= t->magic_size &&
                      memcmp(head.p, t->magic, t->magic_size) == 0;
        if (t->sniff ? t->sniff(head) : begins)
            return t;
    }
    return NULL;
}

const struct decoder_type *decoder_named(struct span name)
{
    const struct decoder_type *t;
    for (size_t i = 0; (t = decoder_type_at(i)); i++)
        if (span_equal_nocase(name, t->name) || span_equal_nocase(name, t->suffix + 1))
            return t;
    return NULL;
}

const struct decoder_type *decoder_for_coding(struct span coding)
{
    if (coding.n > 2 && span_equal_nocase((struct span){coding.p, 2}, "x-"))
        coding.p += 2, coding.n -= 2;
    const struct decoder_type *t;
    for (size_t i = 0; (t = decoder_type_at(i)); i++)
        if (t->content_coding && span_equal_nocase(coding, t->content_coding))
            return t;
    return NULL;
}

const struct decoder_type *decoder_for_suffix(struct span name)
{
    const struct decoder_type *t;
    for (size_t i = 0; (t = decoder_type_at(i)); i++) {
        size_t n = strlen(t->suffix);
        if (name.n >= n && span_equal_nocase((struct span){name.p + name.n - n, n}, t->suffix))
            return t;
    }
    return NULL;
}

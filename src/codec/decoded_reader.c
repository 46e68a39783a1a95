/* A reader that decodes what another reader gives, by content; see decoder.h. One thread at a time.
 *
 * Six bytes decide whether anything is to be decoded; plain bytes then pass without a copy. It
 * answers as soon as there is a byte, so that a compressed list on a slow pipe flows.
 */
#include "codec/decoder.h"

#include <stdlib.h>

#define INPUT_SIZE ((size_t)64 << 10)

struct decoded_reader {
    struct reader head;
    struct reader *from;
    struct decoder *decoder; /* NULL: plain bytes */
    struct span in;          /* of `buffer`, not yet used */
    bool more_output;        /* the decoder filled the last call's room: ask it before reading on */
    bool ended;              /* `from` has ended */
    status held;             /* damage behind bytes that had to be given out first */
    error held_error;
    char buffer[INPUT_SIZE];
};

static status refill(struct decoded_reader *r, error *err)
{
    size_t got = 0;
    status st = r->from->type->read(r->from, r->buffer, sizeof r->buffer, &got, err);
    if (st)
        return st;
    r->in = (struct span){r->buffer, got};
    r->ended = got == 0;
    return OK;
}

static status read_plain(struct decoded_reader *r, void *data, size_t cap, size_t *got, error *err)
{
    *got = 0;
    if (!r->in.n && r->ended)
        return OK;
    if (!r->in.n)
        return r->from->type->read(r->from, data, cap, got, err);
    size_t n = r->in.n < cap ? r->in.n : cap;
    memcpy(data, r->in.p, n);
    r->in.p += n, r->in.n -= n;
    *got = n;
    return OK;
}

static status give_held(struct decoded_reader *r, error *err)
{
    if (err)
        *err = r->held_error;
    return r->held;
}

static status decoded_read(struct reader *head, void *data, size_t cap, size_t *got, error *err)
{
    struct decoded_reader *r = (struct decoded_reader *)head;
    if (!r->decoder)
        return read_plain(r, data, cap, got, err);
    if (r->held)
        return give_held(r, err);
    const struct decoder_type *type = r->decoder->type;
    for (;;) {
        status st;
        if (!r->in.n && !r->more_output && !r->ended) {
            if ((st = refill(r, err)))
                return st;
        }
        if (r->ended && !r->in.n && !r->more_output) {
            *got = 0;
            return type->finish(r->decoder, err);
        }
        size_t n = 0;
        st = type->decode(r->decoder, &r->in, data, cap, &n, &r->held_error);
        r->more_output = n == cap;
        if (st) {
            r->held = st;
            r->more_output = false;
            if (!n)
                return give_held(r, err);
        }
        if (n) {
            *got = n;
            return OK;
        }
    }
}

static status decoded_rewind(struct reader *head, error *err)
{
    struct decoded_reader *r = (struct decoded_reader *)head;
    status st = r->from->type->rewind(r->from, err);
    if (st)
        return st;
    if (r->decoder)
        r->decoder->type->reset(r->decoder);
    r->in = (struct span){0};
    r->more_output = r->ended = false;
    r->held = OK;
    return OK;
}

static void decoded_close(struct reader *head)
{
    struct decoded_reader *r = (struct decoded_reader *)head;
    if (r->decoder)
        r->decoder->type->close(r->decoder);
    reader_close(r->from);
    free(r);
}

static const struct reader_type decoded_type = {"decoded", decoded_read, decoded_rewind,
                                                decoded_close};

status reader_open_decoded(struct reader **out, struct reader *from, error *err)
{
    struct decoded_reader *r = malloc(sizeof *r);
    if (!r) {
        reader_close(from);
        return fail(err, WEIR_NOMEM, "out of memory for a decoder");
    }
    memset(r, 0, offsetof(struct decoded_reader, buffer));
    r->head.type = &decoded_type;
    r->from = from;
    size_t n = 0, got = 1;
    status st = OK;
    while (n < DECODER_HEAD && got) {
        st = from->type->read(from, r->buffer + n, sizeof r->buffer - n, &got, err);
        if (st)
            goto fail;
        n += got;
    }
    r->in = (struct span){r->buffer, n};
    r->ended = got == 0;
    const struct decoder_type *type = decoder_sniff(r->in);
    if (type && (st = type->open(&r->decoder, err)))
        goto fail;
    *out = &r->head;
    return OK;
fail:
    decoded_close(&r->head);
    return st;
}

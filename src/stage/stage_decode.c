/* The stage that undoes compression; see weir/stage.h and stage/builtin.h. Worker of the file.
 *
 * A body passes layers, each a decoder with a piece of memory for its output. The codings of
 * Content-Encoding come first, the last one of the header outermost (RFC 9110 section 8.4). What
 * they leave is looked at: its first bytes tell whether one more layer is needed, which is then the
 * last. brotli has no magic: a path that ends in .br and a head that can be decoded tell it.
 * A server that labels x.gz with "Content-Encoding: gzip" so gives x, and one that compresses x.gz
 * once more as well.
 *
 * Layers are made at the first byte that needs one, so that plain bodies cost nothing and pass
 * without a copy. Nothing is kept back between writes but the head that is being gathered.
 *
 * A name in http.decode means that format whatever the first bytes are: as the Content-Encoding
 * where that has it, behind it otherwise; codings that are not known are then no hindrance.
 */
#include <stdlib.h>

#include "codec/decoder.h"
#include "stage/chain.h"

/* Fits a core's second-level cache next to the tables of the decoder. */
#define PIECE_SIZE ((size_t)128 << 10)
#define CODINGS_MAX 4
#define BROTLI_HEAD 512                 /* bytes that are tried before a name is believed */
#define RATIO_FROM ((uint64_t)16 << 20) /* small bodies may be as compressible as they like */

struct layer {
    struct decoder *decoder;
    char *piece;  /* PIECE_SIZE bytes */
    uint64_t out; /* bytes decoded */
    bool coding;  /* of Content-Encoding; otherwise found by content, or forced */
    unsigned char head_n;
    char head[DECODER_HEAD]; /* its first bytes, to tell a wrong label from damage */
};

struct decode_stage {
    bool begun;     /* codings are known */
    bool undecided; /* the content's first bytes are awaited */
    bool forced;    /* the last layer is there whatever the content is */
    uint64_t wire;  /* bytes that came */
    size_t n;
    struct layer layers[CODINGS_MAX + 1];
    size_t head_n;
    char head[BROTLI_HEAD];
};

static void drop_layer(struct decode_stage *s)
{
    struct layer *l = &s->layers[--s->n];
    l->decoder->type->close(l->decoder);
    free(l->piece);
    *l = (struct layer){0};
}

static status add_layer(struct decode_stage *s, const struct decoder_type *type, bool coding,
                        error *err)
{
    struct layer l = {.piece = malloc(PIECE_SIZE), .coding = coding};
    if (!l.piece)
        return fail(err, WEIR_NOMEM, "out of memory: %zu bytes to decode into", PIECE_SIZE);
    status st = type->open(&l.decoder, err);
    if (st) {
        free(l.piece);
        return st;
    }
    s->layers[s->n++] = l;
    return OK;
}

/* ---- what the header and the options say ---- */

/* The last item of a comma-separated list, which it is taken off; empty items are left out. */
static struct span take_last_coding(struct span *list)
{
    struct span item = {0};
    while (list->n && !item.n) {
        const char *comma = memrchr(list->p, ',', list->n);
        const char *begin = comma ? comma + 1 : list->p;
        item = span_trim((struct span){begin, (size_t)(list->p + list->n - begin)});
        list->n = comma ? (size_t)(comma - list->p) : 0;
    }
    return item;
}

/* Layers for the codings, outermost first. *seen: `forced` is one of them. */
static status add_codings(struct decode_stage *s, const char *header,
                          const struct decoder_type *forced, bool *seen, error *err)
{
    struct span list = span_of(header), item;
    while ((item = take_last_coding(&list)).n) {
        if (span_equal_nocase(item, "identity"))
            continue;
        const struct decoder_type *type = decoder_for_coding(item);
        if (!type && forced)
            continue;
        if (!type)
            return fail(
                err, WEIR_DECODE,
                "Content-Encoding \"%.*s\" is not known here; set http.decode to none, or to "
                "the name of a format, to take the body as it is",
                (int)(item.n < 64 ? item.n : 64), item.p);
        if (s->n == CODINGS_MAX)
            return fail(
                err, WEIR_DECODE,
                "Content-Encoding \"%.64s\" has more than %d codings; set http.decode to none "
                "to take the body as it is",
                header, CODINGS_MAX);
        status st = add_layer(s, type, true, err);
        if (st)
            return st;
        *seen = *seen || type == forced;
    }
    return OK;
}

static status begin(struct decode_stage *s, const struct decode_plan *plan, error *err)
{
    const struct decoder_type *forced = NULL;
    if (strcmp(plan->as, "auto") != 0) {
        forced = decoder_named(span_of(plan->as));
        if (!forced)
            return fail(err, WEIR_DECODE,
                        "http.decode: \"%s\" is not a format that this build can decode", plan->as);
    }
    bool seen = false;
    status st = add_codings(s, plan->content_encoding, forced, &seen, err);
    if (!st && forced && !seen) {
        st = add_layer(s, forced, false, err);
        s->forced = !st;
    }
    s->undecided = !forced;
    s->begun = true;
    return st;
}

/* ---- errors and limits ---- */

/* Does a body that begins with `head` look like `type`, as far as it goes? */
static bool may_begin(const struct decoder_type *type, struct span head)
{
    if (head.n >= DECODER_HEAD)
        return decoder_sniff(head) == type;
    return memcmp(head.p, type->magic, head.n < type->magic_size ? head.n : type->magic_size) == 0;
}

/* Passes on what a decoder said, with what it cannot know. */
static status tell(struct decode_stage *s, const struct layer *l, status st, const error *why,
                   error *err)
{
    const struct decoder_type *type = l->decoder->type;
    if (st != WEIR_DECODE)
        return fail(err, st, "%s", why->message);
    if (l->coding && !l->out &&
        (!type->magic_size || !may_begin(type, (struct span){l->head, l->head_n})))
        return fail(err, st,
                    "Content-Encoding says %s, but the body does not begin like that (%s); set "
                    "http.decode to none to take it as it is",
                    type->content_coding, why->message);
    if (l != s->layers)
        return fail(err, st, "%s, counted after Content-Encoding was undone", why->message);
    return fail(err, st, "%s", why->message);
}

static status check_size(const struct decode_stage *s, const struct layer *l,
                         const struct decode_plan *plan, error *err)
{
    if (plan->max_bytes && l->out > plan->max_bytes)
        return fail(
            err, WEIR_POLICY,
            "the decoded body is larger than http.max_decoded_size allows (%llu bytes); raise "
            "it where such a body is wanted",
            (unsigned long long)plan->max_bytes);
    if (plan->max_ratio && l->out > RATIO_FROM && (l->out - 1) / plan->max_ratio >= s->wire)
        return fail(err, WEIR_POLICY,
                    "%llu bytes have become %llu when decoded, over the %llux that "
                    "http.max_decoded_size allows; raise it where such a body is wanted",
                    (unsigned long long)s->wire, (unsigned long long)l->out,
                    (unsigned long long)plan->max_ratio);
    return OK;
}

/* ---- bytes ---- */

static status decide(weir_stage *stage, struct decode_stage *s, struct span in, bool at_end,
                     error *err);

/* Gives bytes to layer i, or beyond the last one. */
static status pass(weir_stage *stage, struct decode_stage *s, size_t i, struct span in, error *err)
{
    if (i == s->n)
        return s->undecided ? decide(stage, s, in, false, err) : weir_emit(stage, in.p, in.n, err);
    struct layer *l = &s->layers[i];
    for (size_t at = 0; l->head_n < DECODER_HEAD && at < in.n; at++)
        l->head[l->head_n++] = in.p[at];
    size_t got;
    do {
        error why;
        status damage = l->decoder->type->decode(l->decoder, &in, l->piece, PIECE_SIZE, &got, &why);
        l->out += got;
        status st = check_size(s, l, &chain_context(stage)->decode, err);
        if (!st && got)
            st = pass(stage, s, i + 1, (struct span){l->piece, got}, err);
        if (st)
            return st;
        if (damage)
            return tell(s, l, damage, &why, err);
    } while (got == PIECE_SIZE);
    return OK;
}

/* Can the head be decoded? Output is thrown away; one piece of it is proof enough. As much is tried
 * of a large chunk as of small ones, so that chunks make no difference. */
static bool makes_sense(struct layer *l, struct span head)
{
    size_t got;
    head.n = head.n < BROTLI_HEAD ? head.n : BROTLI_HEAD;
    status st = l->decoder->type->decode(l->decoder, &head, l->piece, PIECE_SIZE, &got, NULL);
    l->decoder->type->reset(l->decoder);
    return st != WEIR_DECODE;
}

static const struct decoder_type *type_by_path(weir_stage *stage)
{
    return decoder_for_suffix(span_of(chain_context(stage)->decode.path));
}

/* Is a body that must be tried, because nothing in it tells its format, expected here? Not where
 * the header has told it already. */
static bool may_need_trial(weir_stage *stage, const struct decode_stage *s)
{
    const struct decoder_type *type = type_by_path(stage);
    if (!type || type->magic_size)
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (s->layers[i].decoder->type == type)
            return false;
    return true;
}

/* Adds the layer that the content needs, if it needs one. */
static status add_content_layer(weir_stage *stage, struct decode_stage *s, struct span head,
                                bool at_end, error *err)
{
    const struct decoder_type *type = decoder_sniff(head), *named = type_by_path(stage);
    if (type)
        return add_layer(s, type, false, err);
    if (!head.n)
        return OK;
    if (may_need_trial(stage, s)) {
        status st = add_layer(s, named, false, err);
        if (!st && !makes_sense(&s->layers[s->n - 1], head))
            drop_layer(s);
        return st;
    }
    /* A body that ended inside its magic is a cut one, not a plain one. */
    if (at_end && head.n < DECODER_HEAD && named && named->magic_size && may_begin(named, head))
        return add_layer(s, named, false, err);
    return OK;
}

/* Gathers the head of the content, and lets it go on once it is known. */
static status decide(weir_stage *stage, struct decode_stage *s, struct span in, bool at_end,
                     error *err)
{
    size_t content = s->n, want = may_need_trial(stage, s) ? BROTLI_HEAD : DECODER_HEAD;
    struct span head = in, rest = {0};
    if (s->head_n || (in.n < want && !at_end)) {
        size_t n = want - s->head_n < in.n ? want - s->head_n : in.n;
        rest = in;
        if (n) {
            memcpy(s->head + s->head_n, in.p, n);
            rest.p += n, rest.n -= n;
        }
        s->head_n += n;
        if (s->head_n < want && !at_end)
            return OK;
        head = (struct span){s->head, s->head_n};
    }
    status st = add_content_layer(stage, s, head, at_end, err);
    if (st)
        return st;
    s->undecided = false;
    if (head.n)
        st = pass(stage, s, content, head, err);
    return st || !rest.n ? st : pass(stage, s, content, rest, err);
}

/* ---- the stage ---- */

static weir_status decode_write(weir_stage *stage, const void *data, size_t size, weir_error *err)
{
    struct decode_stage *s = weir_stage_state(stage);
    if (!s->begun) {
        status st = begin(s, &chain_context(stage)->decode, err);
        if (st)
            return st;
    }
    s->wire += size;
    return pass(stage, s, 0, (struct span){data, size}, err);
}

static weir_status decode_finish(weir_stage *stage, weir_error *err)
{
    struct decode_stage *s = weir_stage_state(stage);
    const struct decode_plan *plan = &chain_context(stage)->decode;
    /* An empty body is one, whatever its Content-Encoding; but it is not that of a named format. */
    if (!s->wire && strcmp(plan->as, "auto") == 0)
        return OK;
    status st = s->begun ? OK : begin(s, plan, err);
    if (st || (!s->wire && !s->forced))
        return st;
    for (size_t i = 0;; i++) {
        if (i == s->n && s->undecided && (st = decide(stage, s, (struct span){0}, true, err)))
            return st;
        if (i == s->n)
            return OK;
        error why;
        struct layer *l = &s->layers[i];
        if ((st = l->decoder->type->finish(l->decoder, &why)))
            return tell(s, l, st, &why, err);
    }
}

/* The next answer may have other headers: everything is made anew. */
static void decode_reset(weir_stage *stage)
{
    struct decode_stage *s = weir_stage_state(stage);
    while (s->n)
        drop_layer(s);
    s->begun = s->undecided = s->forced = false;
    s->wire = s->head_n = 0;
}

const weir_stage_type stage_decode = {
    .abi_size = sizeof(weir_stage_type),
    .state_size = sizeof(struct decode_stage),
    .name = "decode",
    .help = "undoes compression, found by content or Content-Encoding",
    .phase = WEIR_PHASE_DECODE,
    .flags = WEIR_STAGE_NEEDS_STREAM,
    .write = decode_write,
    .finish = decode_finish,
    .reset = decode_reset,
    .abort = decode_reset,
};

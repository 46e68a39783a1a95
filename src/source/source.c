/* The registry of list formats, and opening a list: decode, look at its head, choose the format.
 * Runs on the feeder. A new format is one file and one row here.
 *
 * Looking must not wait for more than it needs: a list on a pipe may come line by line, and its
 * first URL is to start when it is there. So the head is read only until its first line that says
 * something is whole.
 */
#include "source/source.h"

#include <stdlib.h>

#include "codec/decoder.h"
#include "source/line_reader.h"

extern const struct source_type source_urls;
extern const struct source_type source_tsv;
extern const struct source_type source_csv;
extern const struct source_type source_jsonl;
extern const struct source_type source_sums;
extern const struct source_type source_aria2;
extern const struct source_type source_metalink;
extern const struct source_type source_pattern;
extern const struct source_type source_pairs;

#define HEAD_SIZE 4096

static const struct source_type *const types[] = {
    &source_urls,     &source_tsv,   &source_csv, &source_jsonl, &source_sums, &source_aria2,
#ifdef WEIR_HAVE_METALINK
    &source_metalink,
#endif
    &source_pattern,  &source_pairs,
};

const struct source_type *source_type_at(size_t i)
{
    return i < sizeof types / sizeof *types ? types[i] : NULL;
}

const struct source_type *source_type_named(const char *name)
{
    const struct source_type *t;
    for (size_t i = 0; (t = source_type_at(i)); i++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

/* ---- a reader whose head has been looked at ---- */

struct peeked_reader {
    struct reader head;
    struct reader *from;
    size_t at, n; /* of `bytes`: given out, read */
    bool ended;   /* `from` has ended: a terminal would have to be told twice */
    char bytes[HEAD_SIZE];
};

static status peeked_read(struct reader *r, void *data, size_t cap, size_t *got, error *err)
{
    struct peeked_reader *p = (struct peeked_reader *)r;
    size_t left = p->n - p->at;
    *got = 0;
    if (!left && p->ended)
        return OK;
    if (!left)
        return p->from->type->read(p->from, data, cap, got, err);
    size_t n = left < cap ? left : cap;
    memcpy(data, p->bytes + p->at, n);
    p->at += n;
    *got = n;
    return OK;
}

static status peeked_rewind(struct reader *r, error *err)
{
    struct peeked_reader *p = (struct peeked_reader *)r;
    status st = p->from->type->rewind(p->from, err);
    if (st)
        return st;
    p->at = p->n = 0;
    p->ended = false;
    return OK;
}

static void peeked_close(struct reader *r)
{
    struct peeked_reader *p = (struct peeked_reader *)r;
    reader_close(p->from);
    free(p);
}

static const struct reader_type peeked_type = {"peeked", peeked_read, peeked_rewind, peeked_close};

/* Takes `from`, also when it fails. */
static status peek(struct peeked_reader **out, struct reader *from, const char *list, error *err)
{
    struct peeked_reader *p = malloc(sizeof *p);
    if (!p) {
        reader_close(from);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    p->head.type = &peeked_type;
    p->from = from;
    p->at = p->n = 0;
    p->ended = false;
    struct span line;
    bool whole = false;
    while (!p->ended && p->n < HEAD_SIZE && !whole) {
        error cause = {0};
        size_t got = 0;
        status st = from->type->read(from, p->bytes + p->n, HEAD_SIZE - p->n, &got, &cause);
        /* With bytes in hand, the trouble is told where it lies: behind the lines before it. */
        if (st && p->n)
            break;
        if (st) {
            peeked_close(&p->head);
            fail_list(err, st, list, &cause);
            return st;
        }
        p->n += got;
        p->ended = got == 0;
        whole = line_first((struct span){p->bytes, p->n}, &line, &whole) && whole;
    }
    *out = p;
    return OK;
}

/* ---- opening ---- */

static status no_format(const char *list, const char *format, error *err)
{
    struct strbuf names = {0};
    const struct source_type *t;
    for (size_t i = 0; (t = source_type_at(i)); i++)
        strbuf_addf(&names, "%s%s", i ? ", " : "", t->name);
    fail(err, WEIR_USAGE, "%s: there is no list format \"%s\"; the formats are %s; or leave it out",
         list, format, strbuf_text(&names));
    strbuf_free(&names);
    return WEIR_USAGE;
}

/* What is no list for us, whatever its lines look like. */
static status check_readable(struct span head, const char *list, error *err)
{
    if (span_starts(head, "\xff\xfe") || span_starts(head, "\xfe\xff"))
        return fail(
            err, WEIR_INPUT,
            "%s: the list is in UTF-16; turn it into UTF-8 first, as in: iconv -f UTF-16 -t "
            "UTF-8",
            list);
    bool xml = span_starts(head, "<?xml ") || span_starts(head, "<metalink");
    if (xml && !source_type_named("metalink"))
        return fail(err, WEIR_INPUT,
                    "%s: the list is XML, a metalink it seems, which this build cannot read: it "
                    "was made without expat",
                    list);
    return OK;
}

static status choose(const struct source_type **type, struct span head, const char *list,
                     const char *format, error *err)
{
    if (format && *format) {
        *type = source_type_named(format);
        return *type ? OK : no_format(list, format, err);
    }
    status st = check_readable(head, list, err);
    if (st)
        return st;
    int best = -1;
    const struct source_type *t;
    for (size_t i = 0; (t = source_type_at(i)); i++) {
        int sure = t->sniff(head);
        if (sure > best) {
            best = sure;
            *type = t;
        }
    }
    return OK;
}

status source_open(struct source **out, struct reader *in, const char *list, const char *format,
                   error *err)
{
    struct reader *decoded;
    error cause = {0};
    status st = reader_open_decoded(&decoded, in, &cause);
    if (st)
        return fail_list(err, st, list, &cause);
    struct peeked_reader *p = NULL;
    st = peek(&p, decoded, list, err);
    if (st)
        return st;
    const struct source_type *type = NULL;
    st = choose(&type, (struct span){p->bytes, p->n}, list, format, err);
    if (st) {
        peeked_close(&p->head);
        return st;
    }
    /* Some type, the plain list at least, takes any text. */
    return type->open(out, &p->head, list, err); // NOLINT(clang-analyzer-core.NullDereference)
}

status source_next(struct source *s, struct record *out, error *err)
{
    return s->type->next(s, out, err);
}

void source_close(struct source *s)
{
    if (s)
        s->type->close(s);
}

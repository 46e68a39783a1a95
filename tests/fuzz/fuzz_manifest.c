/* Manifests: each list format, read whole and in pieces, past decompression and sniffing, which
 * fuzz_lists.c sees to.
 *
 * The first byte picks the format and asks for what no mutation would come to write (a line about
 * as long as a line may be), the second says in what pieces, the rest is the list. The same list
 * read in one piece has to give the same records; what a record says must be of the shape that
 * source.h promises; and what is not read must say where it stands.
 */
#include <stdlib.h>

#include "core/checksum.h"
#include "source/line_reader.h"
#include "source/record_fields.h"
#include "source/source.h"
#include "fuzz_must.h"
#include "fuzz_reader.h"

#define RECORDS_MAX 3000 /* a pattern of a few bytes has more than anybody can read */

enum { FORMAT = 7, LONG_LINE = 8 }; /* bits of the first byte */

static void note(struct strbuf *seen, struct span s)
{
    strbuf_addf(seen, "%zu:", s.n);
    strbuf_add(seen, s.p, s.n);
}

static bool holds(struct span s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s.n && memchr(s.p, bytes[i], s.n))
            return true;
    return false;
}

/* Texts that end in NUL each, and one NUL more; how many. */
static size_t check_texts(struct span texts, bool lines)
{
    size_t count = 0;
    if (!texts.n)
        return 0;
    const char *p = texts.p, *end = texts.p + texts.n;
    for (; *p; count++) {
        size_t n = strlen(p);
        must(!lines || !holds((struct span){p, n}, "\r\n", 2));
        p += n + 1;
        must(p < end);
    }
    must(p + 1 == end && count);
    return count;
}

static void check_digests(struct span digests)
{
    struct checksum c;
    int last = -1;
    size_t count = check_texts(digests, true);
    const char *at = digests.p;
    for (; count; count--) {
        must(checksum_list_next(&at, &c));
        must((int)c.kind > last);
        last = (int)c.kind;
    }
    must(!digests.n || !checksum_list_next(&at, &c));
}

static void check_record(const struct record *r)
{
    must(r->url.n && r->line && r->size >= -1);
    must(!holds(r->url, "\0\r\n\t\x7f", 5) && !holds(r->id, "\0\r\n", 3) && !holds(r->name, "", 1));
    must(!holds(r->method, " \0\r\n", 4));
    must(r->name.n <= 2 * LINE_MAX_BYTES && r->url.n <= 3 * LINE_MAX_BYTES);
    check_texts(r->mirrors, true);
    size_t headers = check_texts(r->headers, true);
    const char *p = r->headers.p;
    for (; headers; headers--, p += strlen(p) + 1)
        must(strchr(p, ':') > p);
    check_digests(r->digests);
    must(check_texts(r->extra, false) % 2 == 0);
    must(!r->warning || (r->warning[0] && !strchr(r->warning, '\n')));
}

/* Of a row that cannot be read: where it stands, and why. */
static void check_refused(const struct record *r, const error *err)
{
    must(strncmp(err->message, "list:", 5) == 0 && r->url.n <= LINE_HEAD_BYTES);
    must(strtoull(err->message + 5, NULL, 10) >= r->line);
    must(!r->name.n && !r->id.n && !r->mirrors.n && !r->digests.n && !r->headers.n);
    must(!r->method.n && !r->body.p && !r->warning && !r->extra.n && r->size == -1);
}

/* Reads the list; what it gave is written down in `seen`. How it ended is returned. */
static status read_list(const char *data, size_t n, size_t piece, const struct source_type *type,
                        struct strbuf *seen)
{
    struct memory_reader *m = malloc(sizeof *m);
    struct source *source = NULL;
    struct record record = {0};
    uint64_t line = 0;
    error err;
    *m = (struct memory_reader){.head.type = &memory_type, .data = data, .n = n, .piece = piece};
    error_clear(&err);
    status st = type->open(&source, &m->head, "list", &err);
    must(!source == (st != OK));
    if (st)
        strbuf_addf(seen, "[%d %s]", (int)st, err.message);
    for (int i = 0; source && i < RECORDS_MAX; i++) {
        error_clear(&err);
        memset(&record, 0xa5, sizeof record);
        st = source_next(source, &record, &err);
        bool ended = st && (st != WEIR_INPUT || !record.line);
        /* why XML is none, and where, expat says by what of it has come */
        strbuf_addf(seen, "[%d %s]", (int)st, ended ? "" : err.message);
        if (ended)
            break;
        must(record.line >= line);
        line = record.line;
        if (st)
            check_refused(&record, &err);
        else
            check_record(&record);
        note(seen, record.url);
        note(seen, record.name);
        note(seen, record.id);
        note(seen, record.mirrors);
        note(seen, record.digests);
        note(seen, record.headers);
        note(seen, record.method);
        note(seen, record.body);
        note(seen, record.extra);
        strbuf_adds(seen, record.warning ? record.warning : "");
        strbuf_addf(seen, "%lld %llu", (long long)record.size, (unsigned long long)record.line);
    }
    must(st == OK || st == WEIR_END || st == WEIR_INPUT);
    must(st == OK || st == WEIR_END || err.message[0]);
    source_close(source);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf text = {.max = 1 << 22}, whole = {.max = 1 << 26}, pieces = {.max = 1 << 26};
    const struct source_type *type = size < 2 ? NULL : source_type_at(data[0] & FORMAT);
    if (!type)
        return 0;
    bool is_long = data[0] & LONG_LINE;
    strbuf_add(&text, data + 2, size - 2);
    if (is_long) {
        static char tail[LINE_MAX_BYTES - 8];
        memset(tail, 'a', sizeof tail);
        strbuf_add(&text, tail, sizeof tail);
        strbuf_add(&text, data + 2, size - 2);
    }
    char *list = malloc(text.n ? text.n : 1); /* of its exact size */
    memcpy(list, strbuf_text(&text), text.n);
    status st = read_list(list, text.n, text.n ? text.n : 1, type, &whole);
    status pieces_st =
        read_list(list, text.n, (is_long ? 1000 : 1) + (size_t)data[1] * data[1], type, &pieces);
    must(st == pieces_st);
    must(whole.failed || pieces.failed ||
         (whole.n == pieces.n && memcmp(strbuf_text(&whole), strbuf_text(&pieces), whole.n) == 0));
    free(list);
    strbuf_free(&text);
    strbuf_free(&whole);
    strbuf_free(&pieces);
    return 0;
}

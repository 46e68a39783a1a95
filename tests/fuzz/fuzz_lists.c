/* Lists: URLs and TSV, compressed or not, by name or by sniffing among all formats, read in pieces
 * of any size.
 *
 * The first byte says how, the second in what pieces, the rest is the list. The same list read in
 * one piece has to give the same records, and no cell may hold what would break a line of the
 * report. Of a list that is taken for another format only that is looked at: fuzz_manifest.c reads
 * those.
 */
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/source.h"
#include "fuzz_must.h"
#include "fuzz_reader.h"

#define RECORDS_MAX 100000 /* a pattern has more than anybody can read */

enum { FORMAT = 3, LONG_LINE = 4 }; /* bits of the first byte */

static void note(struct strbuf *seen, struct span s)
{
    strbuf_addf(seen, "%zu:", s.n);
    strbuf_add(seen, s.p, s.n);
}

static bool has_line_end(struct span s)
{
    return s.n && (memchr(s.p, '\n', s.n) || memchr(s.p, '\0', s.n));
}

/* Columns that nobody knows: name NUL value NUL ... NUL. */
static void check_extra(struct span extra)
{
    if (!extra.n)
        return;
    const char *p = extra.p, *end = extra.p + extra.n;
    while (*p) {
        p += strlen(p) + 1;
        must(p < end);
        p += strlen(p) + 1;
        must(p < end);
    }
    must(p + 1 == end);
}

/* Whether its records are read here. */
static bool is_read_here(const struct source *source)
{
    return strcmp(source->type->name, "urls") == 0 || strcmp(source->type->name, "tsv") == 0;
}

/* The one choice that depends on how much of the list is there when it is opened: an option below
 * the first URL, which a list that comes line by line is not waited for. */
static bool may_be_aria2(const struct strbuf *seen)
{
    return span_starts((struct span){strbuf_text(seen), seen->n}, "(aria2)");
}

/* Reads the whole list; what it gave is written down in `seen`. How it ended is returned. */
static status read_list(const char *data, size_t n, size_t piece, const char *format,
                        struct strbuf *seen)
{
    struct memory_reader *m = malloc(sizeof *m);
    struct source *source = NULL;
    struct record record = {0};
    uint64_t line = 0;
    error err;
    *m = (struct memory_reader){.head.type = &memory_type, .data = data, .n = n, .piece = piece};
    error_clear(&err);
    status st = source_open(&source, &m->head, "list", format, &err);
    if (st)
        strbuf_addf(seen, "[%d %s]", (int)st, err.message);
    else
        strbuf_addf(seen, "(%s)", source->type->name);
    if (source && !is_read_here(source)) {
        for (int i = 0; i < RECORDS_MAX && (st == OK || (st == WEIR_INPUT && record.line)); i++)
            st = source_next(source, &record, &err);
        source_close(source);
        return st == OK ? WEIR_END : st;
    }
    while (source && (st == OK || st == WEIR_INPUT)) {
        error_clear(&err);
        st = source_next(source, &record, &err);
        strbuf_addf(seen, "[%d %s]", (int)st, err.message);
        if (st && (st != WEIR_INPUT || !record.line))
            break;
        must(record.line > line);
        line = record.line;
        must(record.url.n <= LINE_MAX_BYTES && record.size >= -1);
        must(st ||
             !(has_line_end(record.url) || has_line_end(record.name) || has_line_end(record.id)));
        note(seen, record.url);
        note(seen, record.name);
        note(seen, record.id);
        note(seen, record.extra);
        check_extra(record.extra);
        strbuf_addf(seen, "%lld %llu", (long long)record.size, (unsigned long long)record.line);
    }
    must(st == WEIR_END || err.message[0]);
    source_close(source);
    return st;
}

static bool is_compressed(struct span list)
{
    return span_starts(list, "\x1f\x8b") || span_starts(list, "\x28\xb5\x2f\xfd") ||
           (list.n > 4 && (list.p[0] & 0xf0) == 0x50 && memcmp(list.p + 1, "\x2a\x4d\x18", 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[4] = {NULL, "", "urls", "tsv"};
    struct strbuf text = {.max = 1 << 22}, whole = {.max = 1 << 26}, pieces = {.max = 1 << 26};
    if (size < 2)
        return 0;
    bool is_long = data[0] & LONG_LINE;
    if (is_long) { /* a line about as long as a line may be: no mutation would come to write it */
        static char head[LINE_MAX_BYTES - 8];
        memset(head, 'a', sizeof head);
        strbuf_add(&text, head, sizeof head);
    }
    strbuf_add(&text, data + 2, size - 2);
    char *list = malloc(text.n ? text.n : 1); /* of its exact size */
    memcpy(list, strbuf_text(&text), text.n);
    const char *format = formats[data[0] & FORMAT];
    status st = read_list(list, text.n, text.n ? text.n : 1, format, &whole);
    status pieces_st =
        read_list(list, text.n, (is_long ? 1000 : 1) + (size_t)data[1] * data[1], format, &pieces);
    if (may_be_aria2(&whole) && !may_be_aria2(&pieces))
        goto done;
    must((st == WEIR_END) == (pieces_st == WEIR_END));
    if (!whole.failed && (st == WEIR_END || !is_compressed((struct span){list, text.n})))
        must(whole.n == pieces.n &&
             memcmp(strbuf_text(&whole), strbuf_text(&pieces), whole.n) == 0);
done:
    free(list);
    strbuf_free(&text);
    strbuf_free(&whole);
    strbuf_free(&pieces);
    return 0;
}

/* Lists of a name and a URL in each line, without titles; see source.h. Runs on the feeder.
 *
 *     name TAB URL            the last TAB parts them, the URL may be relative to a base
 *     name,URL                the URL is absolute; a name in quotes as in RFC 4180
 *
 * What uploads are listed in by hand, and what a program prints that knows both.
 */
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/record_fields.h"

extern const struct source_type source_pairs; /* its row: source.c */

struct pairs_source {
    struct source head;
    struct line_reader *lines;
    struct strbuf name; /* out of its quotes */
};

static bool is_url(struct span s)
{
    return span_starts(s, "http://") || span_starts(s, "https://");
}

/* Parts the line; false: there is nothing to part it by. */
static bool split(struct span line, struct span *name, struct span *url)
{
    const char *tab = line.n ? memrchr(line.p, '\t', line.n) : NULL;
    size_t at = tab ? (size_t)(tab - line.p) : line.n;
    for (size_t i = 0; !tab && i < line.n && at == line.n; i++)
        if (line.p[i] == ',' && is_url((struct span){line.p + i + 1, line.n - i - 1}))
            at = i;
    if (at >= line.n)
        return false;
    *name = (struct span){line.p, at};
    *url = span_trim((struct span){line.p + at + 1, line.n - at - 1});
    return true;
}

static struct span unquoted(struct pairs_source *p, struct span name)
{
    if (name.n < 2 || name.p[0] != '"' || name.p[name.n - 1] != '"')
        return name;
    strbuf_clear(&p->name);
    for (size_t i = 1; i + 1 < name.n; i++) {
        strbuf_addc(&p->name, name.p[i]);
        i += name.p[i] == '"' && i + 2 < name.n && name.p[i + 1] == '"';
    }
    return (struct span){strbuf_text(&p->name), p->name.n};
}

static status take_line(struct pairs_source *p, struct span line, struct record *out, error *err)
{
    struct place at = {line_reader_list(p->lines), out->line, 1};
    struct span name;
    status st = line_check_controls(p->lines, line, line, "\t", err);
    if (st)
        return st;
    if (!split(line, &name, &out->url))
        return fail_at(err, at, "the line is not a name and a URL, parted by a TAB");
    if (!name.n)
        return fail_at(err, at, "the name is missing");
    out->name = memchr(line.p, '\t', line.n) ? name : unquoted(p, name);
    at.column = (size_t)(out->url.p - line.p) + 1;
    return field_url(out->url, at, err);
}

static void pairs_close(struct source *s)
{
    struct pairs_source *p = (struct pairs_source *)s;
    line_reader_close(p->lines);
    strbuf_free(&p->name);
    free(p);
}

static status pairs_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct pairs_source *p = calloc(1, sizeof *p);
    if (!p) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    p->head.type = &source_pairs;
    status st = line_reader_open(&p->lines, in, list, err);
    if (st) {
        pairs_close(&p->head);
        return st;
    }
    *out = &p->head;
    return OK;
}

static status pairs_next(struct source *s, struct record *out, error *err)
{
    struct pairs_source *p = (struct pairs_source *)s;
    struct span line = {0};
    bool too_long;
    *out = (struct record){.size = -1};
    status st = line_reader_next_said(p->lines, &line, &too_long, err);
    if (st && !too_long)
        return st;
    out->line = line_reader_number(p->lines);
    if (!st)
        st = take_line(p, line, out, err);
    if (st == WEIR_INPUT)
        record_refused(out, line);
    return st;
}

/* Sure when the first line is a name and an absolute URL; a title is no URL. */
static int pairs_sniff(struct span head)
{
    struct span line, name, url;
    bool whole;
    if (!line_first(head, &line, &whole) || !split(line, &name, &url))
        return 0;
    return name.n && is_url(url) && !memmem(name.p, name.n, "://", 3) ? 96 : 0;
}

const struct source_type source_pairs = {
    .name = "pairs",
    .help = "a name and a URL in each line, parted by a TAB, or by a comma before http(s)://",
    .sniff = pairs_sniff,
    .open = pairs_open,
    .next = pairs_next,
    .close = pairs_close,
};

/* Input files of aria2; see source.h. Runs on the feeder.
 *
 *     https://one.example.org/a.iso<TAB>https://two.example.org/a.iso
 *       out=a.iso
 *       checksum=sha-256=0f1e...
 *
 * A line of URLs, the first one and its mirrors, and indented lines with options below it. So a
 * record is whole when the next one begins, and a line is read ahead. The options that say what a
 * file is are taken: out, dir, checksum, header; of all others each is warned of once, since they
 * say how aria2 is to work.
 */
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/record_fields.h"

extern const struct source_type source_aria2; /* its row: source.c */

#define WARNED_MAX                                                                                 \
    2048 /* bytes of options that have been warned of; beyond, there is no more of it */

struct aria2_source {
    struct source head;
    struct line_reader *lines;
    struct record_parts parts;
    struct strbuf url, name, dir;
    struct strbuf warned; /* options that have been warned of, each ended by NUL */
    struct strbuf warning;
    bool warning_lent; /* with the last record, and not to be said again */
    bool ahead;        /* a line has been read that belongs to the next record: */
    status ahead_status;
    error ahead_error;
    struct span line;
};

static struct place here(const struct aria2_source *s, size_t column)
{
    return (struct place){line_reader_list(s->lines), line_reader_number(s->lines), column};
}

static bool is_indented(struct span line)
{
    return line.n && (line.p[0] == ' ' || line.p[0] == '\t');
}

/* Bytes of a line that are shown where it cannot be read. */
static size_t shown(struct span line)
{
    return line.n < LINE_HEAD_BYTES ? line.n : LINE_HEAD_BYTES;
}

/* ---- options ---- */

static void add_warning(struct aria2_source *s, struct span option)
{
    char name[65];
    size_t n = option.n < sizeof name - 1 ? option.n : sizeof name - 1;
    memcpy(name, option.p, n);
    name[n] = '\0';
    for (size_t at = 0; at < s->warned.n; at += strlen(s->warned.p + at) + 1)
        if (strcmp(s->warned.p + at, name) == 0)
            return;
    strbuf_add(&s->warned, name, strlen(name) + 1);
    if (s->warned.failed)
        return;
    if (!s->warning.n)
        strbuf_addf(&s->warning, "%s:%llu: options of aria2 that are passed over here: ",
                    line_reader_list(s->lines), (unsigned long long)line_reader_number(s->lines));
    else
        strbuf_adds(&s->warning, ", ");
    strbuf_add_printable(&s->warning, span_of(name));
}

/* "sha-256=HEX" */
static status take_checksum(struct aria2_source *s, struct span value, struct place at, error *err)
{
    const char *equals = value.n ? memchr(value.p, '=', value.n) : NULL;
    struct span name = {value.p, equals ? (size_t)(equals - value.p) : value.n};
    enum checksum_kind kind;
    if (!equals)
        return fail_at(err, at, "the checksum \"%.*s\" has no \"=\"; write checksum=sha-256=HEX",
                       SHOWN(value));
    if (!checksum_named(name, &kind))
        return fail_at(err, at,
                       "the algorithm \"%.*s\" is not known; known are md5, sha-1, sha-256, "
                       "sha-512 and crc32c",
                       SHOWN(name));
    struct span hex = {equals + 1, value.n - name.n - 1};
    if (!span_trim(hex).n)
        return fail_at(err, at, "the digest is missing");
    return parts_add_digest(&s->parts, kind, hex, at, err);
}

static status take_option(struct aria2_source *s, error *err)
{
    struct span text = span_trim(s->line);
    struct place at = here(s, (size_t)(text.p - s->line.p) + 1);
    const char *equals = memchr(text.p, '=', text.n);
    status st = line_check_controls(s->lines, text, s->line, "\t", err);
    if (st)
        return st;
    if (!equals || !line_is_option(s->line))
        return fail_at(err, at,
                       "\"%.*s\" is no option; write name=value, or a URL without "
                       "blanks before it",
                       SHOWN(text));
    struct span name = span_trim((struct span){text.p, (size_t)(equals - text.p)});
    struct span value =
        span_trim((struct span){equals + 1, text.n - (size_t)(equals + 1 - text.p)});
    at.column = (size_t)(value.p - s->line.p) + 1;
    if (span_equal(name, "checksum"))
        return take_checksum(s, value, at, err);
    if (span_equal(name, "header"))
        return parts_add_header(&s->parts, value, at, err);
    if (span_equal(name, "out") || span_equal(name, "dir")) {
        struct strbuf *to = name.p[0] == 'o' ? &s->name : &s->dir;
        strbuf_clear(to);
        strbuf_add(to, value.p, value.n);
    } else {
        add_warning(s, name);
    }
    return OK;
}

/* ---- records ---- */

/* The last component of a URL's path, unescaped where that is a character of a name. */
static void add_basename(struct strbuf *out, const char *url)
{
    const char *path = strstr(url, "://");
    path = path ? path + 3 : url;
    const char *end = path + strcspn(path, "?#");
    const char *from = end;
    while (from > path && from[-1] != '/')
        from--;
    if (from == end || from == path)
        strbuf_adds(out, "index.html");
    for (; from > path && from < end; from++) {
        int high = *from == '%' && end - from > 2 ? hex_value(from[1]) : -1;
        int low = high >= 0 ? hex_value(from[2]) : -1;
        int c = low < 0 ? -1 : high * 16 + low;
        bool plain = c <= 0x20 || c == '/' || c == 0x7f;
        strbuf_addc(out, plain ? *from : (char)c);
        from += plain ? 0 : 2;
    }
}

/* "out" below "dir", where that is no more than the folder that weir is in anyway. */
static status make_name(struct aria2_source *s, struct record *out, error *err)
{
    struct span dir = field_plain_name((struct span){strbuf_text(&s->dir), s->dir.n});
    struct span name = field_plain_name((struct span){strbuf_text(&s->name), s->name.n});
    while (dir.n > 1 && dir.p[dir.n - 1] == '/')
        dir.n--;
    if (dir.n && !span_equal(dir, ".") && !span_equal(dir, "./")) {
        struct strbuf whole = {0};
        strbuf_add(&whole, dir.p, dir.n);
        strbuf_addc(&whole, '/');
        if (name.n)
            strbuf_add(&whole, name.p, name.n);
        else
            add_basename(&whole, s->url.p);
        strbuf_free(&s->name);
        s->name = whole;
        name = (struct span){s->name.p, s->name.n};
    }
    if (s->name.failed || s->dir.failed || s->url.failed)
        return fail(err, WEIR_NOMEM, "%s: out of memory for a record", line_reader_list(s->lines));
    out->name = name;
    return OK;
}

/* The first of the line is the URL, the others are its mirrors. */
static status take_urls(struct aria2_source *s, error *err)
{
    struct span line = s->line;
    status st = line_check_controls(s->lines, line, line, "\t", err);
    strbuf_clear(&s->url);
    while (line.n) {
        const char *tab = memchr(line.p, '\t', line.n);
        size_t n = tab ? (size_t)(tab - line.p) : line.n;
        struct span url = span_trim((struct span){line.p, n});
        if (url.n && !s->url.n)
            strbuf_add(&s->url, url.p, url.n);
        else
            parts_add_mirror(&s->parts, url);
        n += tab != NULL;
        line.p += n, line.n -= n;
    }
    return st;
}

/* The options below, to the line that begins the next record. The first of them that cannot be read
 * is told; the others are read all the same. */
static status take_options(struct aria2_source *s, error *err)
{
    status first = OK;
    for (;;) {
        error why;
        bool too_long;
        status st = line_reader_next_said(s->lines, &s->line, &too_long, &why);
        if (st && !too_long)
            return first; /* END or trouble: it comes again when the reader is asked again */
        if (!is_indented(s->line)) {
            s->ahead = true;
            s->ahead_status = st;
            s->ahead_error = why;
            return first;
        }
        if (!st)
            st = take_option(s, &why);
        if (st && !first) {
            first = st;
            *err = why;
        }
    }
}

/* One record of the line at hand, about which the reader has said `st`, and of the options below. A
 * line that cannot be read has options below it too. */
static status take_record(struct aria2_source *s, status st, struct record *out, error *err)
{
    struct place at = here(s, 0);
    error why;
    parts_clear(&s->parts);
    strbuf_clear(&s->name);
    strbuf_clear(&s->dir);
    if (s->warning_lent)
        strbuf_clear(&s->warning);
    s->warning_lent = false;
    if (!st && is_indented(s->line))
        st = fail_at(err, at,
                     "an option stands before the first URL; a URL begins its line, "
                     "without a blank");
    if (!st)
        st = take_urls(s, err);
    else
        strbuf_clear(&s->url), strbuf_add(&s->url, s->line.p, shown(s->line));
    status options = take_options(s, &why);
    out->url = (struct span){strbuf_text(&s->url), s->url.n};
    if (!st && (st = options) && err)
        *err = why;
    if (!st)
        st = make_name(s, out, err);
    if (!st)
        st = parts_lend(&s->parts, out, at, err);
    if (!st && s->warning.n && !s->warning.failed) {
        out->warning = s->warning.p;
        s->warning_lent = true;
    }
    return st;
}

static void aria2_close(struct source *source)
{
    struct aria2_source *s = (struct aria2_source *)source;
    line_reader_close(s->lines);
    parts_free(&s->parts);
    strbuf_free(&s->url);
    strbuf_free(&s->name);
    strbuf_free(&s->dir);
    strbuf_free(&s->warned);
    strbuf_free(&s->warning);
    free(s);
}

static status aria2_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct aria2_source *s = calloc(1, sizeof *s);
    if (!s) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    s->head.type = &source_aria2;
    s->warned.max = WARNED_MAX;
    parts_init(&s->parts);
    status st = line_reader_open(&s->lines, in, list, err);
    if (st) {
        aria2_close(&s->head);
        return st;
    }
    *out = &s->head;
    return OK;
}

static status aria2_next(struct source *source, struct record *out, error *err)
{
    struct aria2_source *s = (struct aria2_source *)source;
    bool too_long = true;
    status st = s->ahead_status;
    *out = (struct record){.size = -1};
    if (!s->ahead) {
        st = line_reader_next_said(s->lines, &s->line, &too_long, err);
        if (st && !too_long)
            return st;
    } else if (st && err) {
        *err = s->ahead_error;
    }
    s->ahead = false;
    out->line = line_reader_number(s->lines);
    st = take_record(s, st, out, err);
    if (st == WEIR_INPUT)
        record_refused(out, (struct span){0});
    return st;
}

/* A URL, a TAB and another URL; or a URL and below it an indented option. The line below is looked
 * at only where it is there: a list that comes through a pipe, line by line, is not waited for. */
static int aria2_sniff(struct span head)
{
    struct span line;
    bool whole;
    if (!line_first(head, &line, &whole) || is_indented(line) || !memmem(line.p, line.n, "://", 3))
        return 0;
    const char *tab = memchr(line.p, '\t', line.n);
    if (tab)
        return memmem(tab, line.n - (size_t)(tab - line.p), "://", 3) ? 90 : 0;
    const char *below = memchr(line.p, '\n', (size_t)(head.p + head.n - line.p));
    if (!below)
        return 0;
    below++;
    return line_is_option((struct span){below, (size_t)(head.p + head.n - below)}) ? 90 : 0;
}

const struct source_type source_aria2 = {
    .name = "aria2",
    .help =
        "input files of aria2: URLs parted by TABs, indented options below (out, dir, checksum, "
        "header)",
    .sniff = aria2_sniff,
    .open = aria2_open,
    .next = aria2_next,
    .close = aria2_close,
};

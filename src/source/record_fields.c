/* Fields of a record; see record_fields.h. Runs on the feeder. */
#include "source/record_fields.h"

#include <stdarg.h>
#include <stdio.h>

#include "source/line_reader.h"

static const struct {
    const char *title;
    enum field field;
} titles[] = {
    {"url", FIELD_URL},       {"name", FIELD_NAME},       {"filename", FIELD_NAME},
    {"path", FIELD_NAME},     {"out", FIELD_NAME},        {"size", FIELD_SIZE},
    {"id", FIELD_ID},         {"mirrors", FIELD_MIRRORS}, {"headers", FIELD_HEADERS},
    {"method", FIELD_METHOD}, {"body", FIELD_BODY},
};

struct field_title field_titled(struct span title)
{
    struct field_title t = {FIELD_EXTRA, CHECKSUM_KINDS};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (span_equal_nocase(title, titles[i].title))
            t.field = titles[i].field;
    if (t.field == FIELD_EXTRA && title.n && checksum_named(title, &t.kind))
        t.field = FIELD_DIGEST;
    return t;
}

status fail_at(error *err, struct place at, const char *format, ...)
{
    char text[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (at.column)
        return fail(err, WEIR_INPUT, "%s:%llu:%zu: %s", at.list, (unsigned long long)at.line,
                    at.column, text);
    return fail(err, WEIR_INPUT, "%s:%llu: %s", at.list, (unsigned long long)at.line, text);
}

/* ---- values ---- */

status field_size(struct span value, int64_t *size, struct place at, error *err)
{
    value = span_trim(value);
    uint64_t number;
    if (!value.n)
        return OK;
    if (!parse_uint64(value, &number) || number > INT64_MAX)
        return fail_at(err, at,
                       "the size \"%.*s\" is not a number; write whole bytes, as in 1048576, or "
                       "leave it empty",
                       SHOWN(value));
    *size = (int64_t)number;
    return OK;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

status field_line(struct span value, const char *what, struct place at, error *err)
{
    for (size_t i = 0; i < value.n; i++)
        if (is_control(value.p[i]))
            return fail_at(err, at,
                           "the %s holds a control character (0x%02x at byte %zu); remove it", what,
                           (unsigned char)value.p[i], i + 1);
    return OK;
}

status field_url(struct span value, struct place at, error *err)
{
    if (!value.n)
        return fail_at(err, at, "the URL is empty; write one, or remove the row");
    return field_line(value, "URL", at, err);
}

/* RFC 9110 section 5.6.2. */
static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n != 0;
}

status field_method(struct span value, struct place at, error *err)
{
    if (is_token(value))
        return OK;
    return fail_at(err, at, "the method \"%.*s\" is not one; write GET, POST or the like",
                   SHOWN(value));
}

struct span field_plain_name(struct span name)
{
    while (name.n > 2 && name.p[0] == '.' && name.p[1] == '/')
        name.p += 2, name.n -= 2;
    return name;
}

bool field_name_leaves(struct span name)
{
    if (name.n && name.p[0] == '/')
        return true;
    for (size_t from = 0; from < name.n;) {
        const char *slash = memchr(name.p + from, '/', name.n - from);
        size_t end = slash ? (size_t)(slash - name.p) : name.n;
        if (span_equal((struct span){name.p + from, end - from}, ".."))
            return true;
        from = end + 1;
    }
    return false;
}

/* ---- what gathers ---- */

void parts_init(struct record_parts *p)
{
    const struct strbuf bounded = {.max = PART_MAX_BYTES};
    *p = (struct record_parts){bounded, bounded, bounded, bounded};
}

void parts_free(struct record_parts *p)
{
    strbuf_free(&p->mirrors);
    strbuf_free(&p->digests);
    strbuf_free(&p->headers);
    strbuf_free(&p->extra);
}

void parts_clear(struct record_parts *p)
{
    strbuf_clear(&p->mirrors);
    strbuf_clear(&p->digests);
    strbuf_clear(&p->headers);
    strbuf_clear(&p->extra);
}

static void add_text(struct strbuf *to, struct span text)
{
    strbuf_add(to, text.p, text.n);
    strbuf_addc(to, '\0');
}

void parts_add_mirror(struct record_parts *p, struct span url)
{
    if (url.n)
        add_text(&p->mirrors, url);
}

status parts_add_digest(struct record_parts *p, enum checksum_kind kind, struct span hex,
                        struct place at, error *err)
{
    struct checksum sum;
    error cause = {0};
    hex = span_trim(hex);
    if (!hex.n)
        return OK;
    status st = checksum_parse(&sum, kind, hex, &cause);
    if (!st)
        st = checksum_list_add(&p->digests, &sum, &cause);
    if (st != WEIR_INPUT)
        return st ? fail(err, st, "%s", cause.message) : OK;
    return fail_at(err, at, "%s", cause.message);
}

status parts_add_header(struct record_parts *p, struct span header, struct place at, error *err)
{
    const char *colon = header.n ? memchr(header.p, ':', header.n) : NULL;
    if (!colon || !is_token((struct span){header.p, (size_t)(colon - header.p)}))
        return fail_at(err, at,
                       "the header \"%.*s\" does not begin with a name and a colon; write "
                       "\"Name: value\"",
                       SHOWN(header));
    status st = field_line(header, "header", at, err);
    if (!st)
        add_text(&p->headers, header);
    return st;
}

void parts_add_extra(struct record_parts *p, struct span name, struct span value)
{
    if (!name.n || !value.n)
        return;
    add_text(&p->extra, name);
    add_text(&p->extra, value);
}

static status lend(struct strbuf *from, struct span *to, const char *what, struct place at,
                   error *err)
{
    if (from->n)
        strbuf_addc(from, '\0');
    if (from->failed && from->n >= PART_MAX_BYTES / 2)
        return fail_at(err, at, "the record has more than %zu KiB of %s; shorten it",
                       PART_MAX_BYTES >> 10, what);
    if (from->failed)
        return fail(err, WEIR_NOMEM, "%s:%llu: out of memory for the record", at.list,
                    (unsigned long long)at.line);
    *to = from->n ? (struct span){from->p, from->n} : (struct span){0};
    return OK;
}

status parts_lend(struct record_parts *p, struct record *out, struct place at, error *err)
{
    status st = lend(&p->mirrors, &out->mirrors, "mirrors", at, err);
    if (!st)
        st = lend(&p->digests, &out->digests, "digests", at, err);
    if (!st)
        st = lend(&p->headers, &out->headers, "headers", at, err);
    if (!st)
        st = lend(&p->extra, &out->extra, "other columns", at, err);
    return st;
}

void record_refused(struct record *out, struct span shown)
{
    struct span url = out->url.n ? out->url : shown;
    if (url.n > LINE_HEAD_BYTES)
        url.n = LINE_HEAD_BYTES;
    *out = (struct record){.url = url, .size = -1, .line = out->line};
}

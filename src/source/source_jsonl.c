/* Lists of JSON objects, one a line; see source.h. Runs on the feeder.
 *
 * The keys are the titles of columns in other lists; "url" may be a list, the best first, and
 * "headers", "method" and "body" say what request is made. Other keys go along as `extra`: strings
 * by what they say, everything else as it stands. A record is read in one pass; strings with
 * escapes are unescaped into a buffer of a line's length, which can hold them all.
 */
#include <stdlib.h>

#include "json/json_cursor.h"
#include "json/json_text.h"
#include "source/line_reader.h"
#include "source/record_fields.h"

extern const struct source_type source_jsonl; /* its row: source.c */

struct jsonl_source {
    struct source head;
    struct line_reader *lines;
    struct record_parts parts;
    struct strbuf header; /* scratch */
    size_t used;          /* of `text` */
    char text[LINE_MAX_BYTES];
};

/* Fields that one key of an object has, and each kind of digest. */
#define ROLES (FIELD_BODY + 1 + CHECKSUM_KINDS)

/* A line that is being read. */
struct reading {
    struct jsonl_source *source;
    struct json_cursor at;
    struct place place;
    struct record *out;
    struct span key;     /* as it is meant */
    struct span raw_key; /* as it stands, with its quotes */
    size_t keys;
    struct span taken[ROLES]; /* the key that has the role; p NULL: none yet */
};

static struct place here(struct reading *r)
{
    r->place.column = r->at.at + 1;
    return r->place;
}

static status not_json(struct reading *r, error *err)
{
    return fail_at(err, here(r), "not JSON: %s", r->at.wrong);
}

static status wanted(struct reading *r, const char *what, error *err)
{
    return fail_at(err, here(r), "the value of \"%.*s\" is not %s", SHOWN(r->key), what);
}

static struct span meaning(struct jsonl_source *s, struct span raw)
{
    if (!raw.n || !memchr(raw.p, '\\', raw.n))
        return raw;
    char *to = s->text + s->used;
    struct span meant = {to, json_unescape(raw, to)};
    s->used += meant.n;
    return meant;
}

/* ---- values ---- */

static status take_string(struct reading *r, const char *what, struct span *out, error *err)
{
    struct span raw;
    if (json_cursor_kind(&r->at) != WEIR_JSON_STRING)
        return wanted(r, what, err);
    if (!json_cursor_string(&r->at, &raw))
        return not_json(r, err);
    *out = meaning(r->source, raw);
    return OK;
}

/* A string, or a number as it is written. */
static status take_word(struct reading *r, struct span *out, error *err)
{
    if (json_cursor_kind(&r->at) != WEIR_JSON_NUMBER)
        return take_string(r, "a string or a number", out, err);
    return json_cursor_value(&r->at, out) ? OK : not_json(r, err);
}

/* The first of them is the URL where there is none yet; the others are mirrors. */
static status take_url(struct reading *r, bool mirror, error *err)
{
    struct span url = {0};
    struct place at = here(r);
    status st = take_string(r, "a URL or a list of URLs", &url, err);
    if (!st)
        st = field_url(url, at, err);
    if (st)
        return st;
    if (mirror)
        parts_add_mirror(&r->source->parts, url);
    else
        r->out->url = url;
    return OK;
}

static status take_urls(struct reading *r, bool mirror, error *err)
{
    if (json_cursor_kind(&r->at) != WEIR_JSON_ARRAY)
        return take_url(r, mirror, err);
    for (bool more = json_cursor_enter(&r->at, '['); more; more = json_cursor_next(&r->at, ']')) {
        status st = take_url(r, mirror, err);
        if (st)
            return st;
        mirror = true;
    }
    return r->at.wrong ? not_json(r, err) : OK;
}

static status take_header_lines(struct reading *r, error *err)
{
    struct span line = {0};
    for (bool more = json_cursor_enter(&r->at, '['); more; more = json_cursor_next(&r->at, ']')) {
        struct place at = here(r);
        status st = take_string(r, "a list of \"Name: value\"", &line, err);
        if (!st)
            st = parts_add_header(&r->source->parts, line, at, err);
        if (st)
            return st;
    }
    return r->at.wrong ? not_json(r, err) : OK;
}

static status take_headers(struct reading *r, error *err)
{
    struct strbuf *header = &r->source->header;
    struct span raw, value;
    if (json_cursor_kind(&r->at) == WEIR_JSON_ARRAY)
        return take_header_lines(r, err);
    if (json_cursor_kind(&r->at) != WEIR_JSON_OBJECT)
        return wanted(r, "an object or a list of \"Name: value\"", err);
    for (bool more = json_cursor_enter(&r->at, '{'); more; more = json_cursor_next(&r->at, '}')) {
        struct place at = here(r);
        if (!json_cursor_key(&r->at, &raw))
            return not_json(r, err);
        status st = take_word(r, &value, err);
        if (st)
            return st;
        struct span name = meaning(r->source, raw);
        strbuf_clear(header);
        strbuf_add(header, name.p, name.n);
        strbuf_adds(header, ": ");
        strbuf_add(header, value.p, value.n);
        if (header->failed)
            return fail(err, WEIR_NOMEM, "%s: out of memory for a header", r->place.list);
        st = parts_add_header(&r->source->parts, (struct span){header->p, header->n}, at, err);
        if (st)
            return st;
    }
    return r->at.wrong ? not_json(r, err) : OK;
}

static bool holds_nul(struct span s)
{
    return s.n && memchr(s.p, '\0', s.n);
}

static status take_extra(struct reading *r, error *err)
{
    struct span value, name = r->key;
    bool string = json_cursor_kind(&r->at) == WEIR_JSON_STRING;
    if (!json_cursor_value(&r->at, &value))
        return not_json(r, err);
    if (string) {
        struct span said = meaning(r->source, (struct span){value.p + 1, value.n - 2});
        value = holds_nul(said) ? value : said;
    }
    if (!name.n || holds_nul(name))
        name = r->raw_key;
    if (name.n > FIELD_NAME_MAX)
        name.n = FIELD_NAME_MAX;
    parts_add_extra(&r->source->parts, name, value);
    return OK;
}

static status take_field(struct reading *r, struct field_title title, error *err)
{
    struct record *out = r->out;
    struct place at = here(r);
    struct span text = {0};
    status st;
    switch (title.field) {
    case FIELD_URL:
    case FIELD_MIRRORS:
        return take_urls(r, title.field == FIELD_MIRRORS, err);
    case FIELD_NAME:
        st = take_string(r, "a string", &out->name, err);
        if (!st && holds_nul(out->name))
            st = fail_at(err, at, "the name holds a NUL character; remove it");
        return st;
    case FIELD_ID:
        st = take_word(r, &out->id, err);
        return st ? st : field_line(out->id, "id", at, err);
    case FIELD_SIZE:
        st = take_word(r, &text, err);
        return st ? st : field_size(text, &out->size, at, err);
    case FIELD_DIGEST:
        st = take_string(r, "a digest in hexadecimal", &text, err);
        return st ? st : parts_add_digest(&r->source->parts, title.kind, text, at, err);
    case FIELD_HEADERS:
        return take_headers(r, err);
    case FIELD_METHOD:
        st = take_string(r, "a string", &out->method, err);
        return st ? st : field_method(out->method, at, err);
    case FIELD_BODY:
        st = take_string(r, "a string", &out->body, err);
        if (!st && !out->body.p)
            out->body.p = "";
        return st;
    default:
        return take_extra(r, err);
    }
}

/* ---- objects ---- */

/* null says that there is none. */
static bool passed_null(struct reading *r)
{
    struct span text;
    return json_cursor_kind(&r->at) == WEIR_JSON_NULL && json_cursor_value(&r->at, &text);
}

static bool span_same(struct span a, struct span b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

/* Whether an extra of this name has gathered already. */
static bool extra_taken(const struct record_parts *parts, struct span name)
{
    const char *p = strbuf_text(&parts->extra), *end = p + parts->extra.n;
    while (p < end) {
        size_t n = strlen(p);
        if (span_same(name, (struct span){p, n}))
            return true;
        p += n + 1;
        p += strlen(p) + 1;
    }
    return false;
}

/* One key and its value. The first key of a role has it; "name" beside "path" leaves the second an
 * extra. The same key twice is a mistake that no reading mends. */
static status take_member(struct reading *r, error *err)
{
    struct span raw;
    struct place at = here(r);
    if (!json_cursor_key(&r->at, &raw))
        return not_json(r, err);
    r->raw_key = (struct span){raw.p - 1, raw.n + 2};
    r->key = meaning(r->source, raw);
    if (++r->keys > FIELDS_MAX)
        return fail_at(err, at, "the object has more than %d keys", FIELDS_MAX);
    struct field_title title = field_titled(r->key);
    bool again = title.field == FIELD_EXTRA && extra_taken(&r->source->parts, r->key);
    if (title.field != FIELD_EXTRA) {
        struct span *first =
            &r->taken[title.field == FIELD_DIGEST ? FIELD_BODY + 1 + title.kind : title.field];
        again = first->p && (title.field == FIELD_URL || span_same(*first, r->key));
        if (first->p)
            title.field = FIELD_EXTRA;
        else
            *first = r->key;
    }
    if (again)
        return fail_at(err, at, "the key \"%.*s\" stands twice", SHOWN(r->key));
    if (title.field != FIELD_EXTRA && passed_null(r))
        return OK;
    return take_field(r, title, err);
}

static status take_object(struct jsonl_source *s, struct span line, struct record *out, error *err)
{
    struct reading r = {.source = s, .out = out};
    r.place = (struct place){line_reader_list(s->lines), out->line, 0};
    s->used = 0;
    parts_clear(&s->parts);
    json_cursor_init(&r.at, line);
    if (json_cursor_kind(&r.at) != WEIR_JSON_OBJECT)
        return fail_at(err, here(&r), "the line is not a JSON object, as in {\"url\": ...}");
    status st = OK;
    for (bool more = json_cursor_enter(&r.at, '{'); more && !st;
         more = !st && json_cursor_next(&r.at, '}'))
        st = take_member(&r, err);
    if (!st && (r.at.wrong || !json_cursor_ended(&r.at)))
        st = not_json(&r, err);
    r.place.column = 0;
    if (!st && !out->url.n)
        st = fail_at(err, r.place, "the object has no \"url\"; it may be a string or a list");
    return st ? st : parts_lend(&s->parts, out, r.place, err);
}

static void jsonl_close(struct source *source)
{
    struct jsonl_source *s = (struct jsonl_source *)source;
    line_reader_close(s->lines);
    parts_free(&s->parts);
    strbuf_free(&s->header);
    free(s);
}

static status jsonl_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct jsonl_source *s = malloc(sizeof *s);
    if (!s) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    s->head.type = &source_jsonl;
    s->lines = NULL;
    s->header = (struct strbuf){0};
    parts_init(&s->parts);
    status st = line_reader_open(&s->lines, in, list, err);
    if (st) {
        jsonl_close(&s->head);
        return st;
    }
    *out = &s->head;
    return OK;
}

static status jsonl_next(struct source *source, struct record *out, error *err)
{
    struct jsonl_source *s = (struct jsonl_source *)source;
    struct span line = {0};
    bool too_long;
    *out = (struct record){.size = -1};
    status st = line_reader_next_said(s->lines, &line, &too_long, err);
    if (st && !too_long)
        return st;
    out->line = line_reader_number(s->lines);
    if (!st)
        st = take_object(s, line, out, err);
    if (st == WEIR_INPUT)
        record_refused(out, line);
    return st;
}

/* Sure when the first line that says something begins an object with a key. */
static int jsonl_sniff(struct span head)
{
    struct span line;
    bool whole;
    if (!line_first(head, &line, &whole))
        return 0;
    line = span_trim(line);
    if (!line.n || line.p[0] != '{')
        return 0;
    line = span_trim((struct span){line.p + 1, line.n - 1});
    return line.n && (line.p[0] == '"' || line.p[0] == '}') ? 95 : 0;
}

const struct source_type source_jsonl = {
    .name = "jsonl",
    .help = "a JSON object a line: url (a string or a list of mirrors), name, size, id, sha256 and "
            "the like, headers, method, body",
    .sniff = jsonl_sniff,
    .open = jsonl_open,
    .next = jsonl_next,
    .close = jsonl_close,
};

/* Rows of cells under titles; see table.h. Runs on the feeder. */
#include "source/table.h"

#include <stdlib.h>

struct column {
    struct field_title title;
    char *name; /* as it is titled; of an extra column never empty, no two the same */
};

void table_init(struct table *t, const char *parting)
{
    t->columns = NULL;
    t->column_count = t->cells = 0;
    t->parting = parting;
    parts_init(&t->parts);
}

static void free_columns(struct table *t)
{
    for (size_t i = 0; t->columns && i < t->column_count; i++)
        free(t->columns[i].name);
    free(t->columns);
    t->columns = NULL;
    t->column_count = 0;
}

void table_free(struct table *t)
{
    free_columns(t);
    parts_free(&t->parts);
}

/* ---- the header ---- */

/* Headers, methods and bodies are not for columns: such a column is older than they are. */
static struct field_title column_titled(struct span title)
{
    struct field_title t = field_titled(title);
    if (t.field >= FIELD_HEADERS)
        t.field = FIELD_EXTRA;
    return t;
}

bool table_has_url_title(const struct table *t)
{
    for (size_t i = 0; i < t->cells && i < FIELDS_MAX; i++)
        if (column_titled(span_trim(t->cell[i].text)).field == FIELD_URL)
            return true;
    return false;
}

static bool name_taken(const struct table *t, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return true;
    return false;
}

/* A name for column `i`: its title, with a number behind it while another extra has the same. */
static status name_column(struct table *t, size_t i, struct span title, struct place at, error *err)
{
    if (title.n > FIELD_NAME_MAX)
        title.n = FIELD_NAME_MAX;
    struct strbuf name = {0};
    for (unsigned again = 1;; again++) {
        strbuf_clear(&name);
        if (title.n)
            strbuf_add(&name, title.p, title.n);
        else
            strbuf_addf(&name, "column%zu", i + 1);
        if (again > 1)
            strbuf_addf(&name, "_%u", again);
        if (name.failed) {
            strbuf_free(&name);
            return fail(err, WEIR_NOMEM, "%s: out of memory for its header", at.list);
        }
        if (t->columns[i].title.field != FIELD_EXTRA || !name_taken(t, i, name.p))
            break;
    }
    t->columns[i].name = name.p;
    return OK;
}

/* The first column of a role has it; "name" beside "path" leaves the second an extra column. */
static bool role_taken(const struct table *t, size_t before, struct field_title title)
{
    for (size_t i = 0; i < before; i++)
        if (t->columns[i].title.field == title.field &&
            (title.field != FIELD_DIGEST || t->columns[i].title.kind == title.kind))
            return true;
    return false;
}

static status no_url_column(const struct table *t, struct place at, error *err)
{
    struct strbuf found = {.max = 300};
    for (size_t i = 0; i < t->column_count; i++) {
        struct span title = span_trim(t->cell[i].text);
        strbuf_adds(&found, i ? ", " : "");
        strbuf_add(&found, title.p, title.n);
    }
    fail_at(err, at,
            "the header row has no column \"url\"; it has: %s%s; name the column of the URLs "
            "\"url\"",
            strbuf_text(&found), found.failed ? " ..." : "");
    strbuf_free(&found);
    return WEIR_INPUT;
}

static status make_columns(struct table *t, size_t n, struct place at, error *err)
{
    free_columns(t); /* of titles that stood before these */
    t->columns = calloc(n, sizeof *t->columns);
    if (!t->columns)
        return fail(err, WEIR_NOMEM, "%s: out of memory for its header", at.list);
    t->column_count = n;
    return OK;
}

status table_take_header(struct table *t, struct place at, error *err)
{
    if (t->cells > FIELDS_MAX)
        return fail_at(err, at, "the header row has %zu columns; at most %d can be read", t->cells,
                       FIELDS_MAX);
    status st = make_columns(t, t->cells, at, err);
    bool has_url = false;
    for (size_t i = 0; !st && i < t->column_count; i++) {
        struct span text = span_trim(t->cell[i].text);
        struct field_title title = column_titled(text);
        bool taken = title.field != FIELD_EXTRA && role_taken(t, i, title);
        if (taken && title.field == FIELD_URL)
            return fail_at(err, at, "the header row has two columns \"url\"; rename one");
        if (taken)
            title.field = FIELD_EXTRA;
        has_url = has_url || title.field == FIELD_URL;
        t->columns[i].title = title;
        st = name_column(t, i, text, at, err);
    }
    if (!st && !has_url)
        st = no_url_column(t, at, err);
    return st;
}

status table_take_no_header(struct table *t, struct place at, error *err)
{
    static const struct field_title roles[] = {{.field = FIELD_URL}, {.field = FIELD_NAME}};
    if (t->cells > 2)
        return fail_at(err, at,
                       "the first row has %zu cells and none is \"url\"; without a header row "
                       "there are a URL and a name; quote what holds a comma",
                       t->cells);
    status st = make_columns(t, t->cells, at, err);
    for (size_t i = 0; !st && i < t->column_count; i++) {
        t->columns[i].title = roles[i];
        st = name_column(t, i, span_of(i ? "name" : "url"), at, err);
    }
    return st;
}

/* ---- rows ---- */

/* URLs with blanks between them. */
static void take_mirrors(struct table *t, struct span text)
{
    for (size_t from = 0; from < text.n;) {
        size_t end = from;
        while (end < text.n && (unsigned char)text.p[end] > ' ')
            end++;
        parts_add_mirror(&t->parts, (struct span){text.p + from, end - from});
        from = end + 1;
    }
}

static status take_cell(struct table *t, size_t i, struct record *out, struct place at, error *err)
{
    const struct column *column = &t->columns[i];
    struct span text = t->cell[i].text;
    at.column = t->cell[i].column;
    switch (column->title.field) {
    case FIELD_URL:
        out->url = span_trim(text);
        return OK;
    case FIELD_NAME:
        out->name = text;
        return OK;
    case FIELD_ID:
        out->id = text;
        return OK;
    case FIELD_SIZE:
        return field_size(text, &out->size, at, err);
    case FIELD_MIRRORS:
        take_mirrors(t, text);
        return OK;
    case FIELD_DIGEST:
        return parts_add_digest(&t->parts, column->title.kind, text, at, err);
    default:
        parts_add_extra(&t->parts, span_of(column->name), text);
        return OK;
    }
}

status table_take_row(struct table *t, struct record *out, struct place at, error *err)
{
    error why, first = {0};
    parts_clear(&t->parts);
    for (size_t i = 0; i < t->column_count && i < t->cells; i++)
        if (take_cell(t, i, out, at, &why) && !first.status)
            first = why;
    if (t->cells != t->column_count)
        return fail_at(err, at, "the row has %zu cells, the header has %zu; part them by %s each",
                       t->cells, t->column_count, t->parting);
    if (!out->url.n)
        return fail_at(err, at, "the row has no URL in its column \"url\"");
    if (first.status) {
        if (err)
            *err = first;
        return first.status;
    }
    return parts_lend(&t->parts, out, at, err);
}

/* Lists with columns, parted by TABs, under a header row; see source.h. Runs on the feeder.
 *
 * The header gives each column a role once; a row is then cut in one pass, its cells borrowed from
 * the line. Columns without a role go along as `extra`, so that a report can show them again.
 * There is no quoting: a cell holds no TAB and no newline, and everything else means itself.
 */
#include <stdlib.h>

#include "source/line_reader.h"
#include "source/source.h"

extern const struct source_type source_tsv; /* its row: source.c */

#define COLUMNS_MAX 1024
#define COLUMN_NAME_MAX 256

enum role { ROLE_EXTRA, ROLE_URL, ROLE_NAME, ROLE_SIZE, ROLE_ID };

static const struct {
    const char *title;
    enum role role;
} titles[] = {
    {"url", ROLE_URL},  {"name", ROLE_NAME}, {"filename", ROLE_NAME}, {"path", ROLE_NAME},
    {"out", ROLE_NAME}, {"size", ROLE_SIZE}, {"id", ROLE_ID},
};

struct column {
    enum role role;
    char *name; /* of an extra column, never empty, no two the same */
};

struct tsv_source {
    struct source head;
    struct line_reader *lines;
    struct column *columns;
    size_t column_count; /* 0: the list has ended before a header came */
    struct strbuf extra; /* of the row last handed out */
};

static struct span cut_cell(struct span *rest)
{
    const char *tab = memchr(rest->p, '\t', rest->n);
    struct span cell = {rest->p, tab ? (size_t)(tab - rest->p) : rest->n};
    size_t used = cell.n + (tab != NULL);
    rest->p += used, rest->n -= used;
    return cell;
}

static size_t count_cells(struct span line)
{
    size_t n = 1;
    for (const char *p = line.p, *end = line.p + line.n; (p = memchr(p, '\t', (size_t)(end - p)));
         p++)
        n++;
    return n;
}

static enum role role_of(struct span title)
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (span_equal_nocase(title, titles[i].title))
            return titles[i].role;
    return ROLE_EXTRA;
}

/* ---- the header ---- */

static bool extra_name_taken(const struct tsv_source *t, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (t->columns[i].name && strcmp(t->columns[i].name, name) == 0)
            return true;
    return false;
}

/* A name for extra column `i`: its title, with a number behind it while another has the same. */
static status name_extra(struct tsv_source *t, size_t i, struct span title, error *err)
{
    if (title.n > COLUMN_NAME_MAX)
        title.n = COLUMN_NAME_MAX;
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
            return fail(err, WEIR_NOMEM, "%s: out of memory for its header",
                        line_reader_list(t->lines));
        }
        if (!extra_name_taken(t, i, name.p))
            break;
    }
    t->columns[i].name = name.p;
    return OK;
}

/* The first column of a role has it; "name" beside "path" leaves the second an extra column. */
static bool role_taken(const struct tsv_source *t, size_t before, enum role role)
{
    for (size_t i = 0; i < before; i++)
        if (t->columns[i].role == role)
            return true;
    return false;
}

static status no_url_column(const struct tsv_source *t, struct span line, error *err)
{
    struct strbuf found = {.max = 300};
    struct span rest = line;
    for (size_t i = 0; i < t->column_count; i++) {
        struct span title = span_trim(cut_cell(&rest));
        strbuf_adds(&found, i ? ", " : "");
        strbuf_add(&found, title.p, title.n);
    }
    fail(err, WEIR_INPUT,
         "%s:%llu: the header row has no column \"url\"; it has: %s%s; name the column of the URLs "
         "\"url\"",
         line_reader_list(t->lines), (unsigned long long)line_reader_number(t->lines),
         strbuf_text(&found), found.failed ? " ..." : "");
    strbuf_free(&found);
    return WEIR_INPUT;
}

static status take_header(struct tsv_source *t, struct span line, error *err)
{
    unsigned long long number = line_reader_number(t->lines);
    const char *list = line_reader_list(t->lines);
    status st = line_check_controls(t->lines, line, line, "\t", err);
    if (st)
        return st;
    size_t n = count_cells(line);
    if (n > COLUMNS_MAX)
        return fail(err, WEIR_INPUT,
                    "%s:%llu: the header row has %zu columns; at most %d can be read", list, number,
                    n, COLUMNS_MAX);
    t->columns = calloc(n, sizeof *t->columns);
    if (!t->columns)
        return fail(err, WEIR_NOMEM, "%s: out of memory for its header", list);
    t->column_count = n;
    struct span rest = line;
    for (size_t i = 0; i < n; i++) {
        struct span title = span_trim(cut_cell(&rest));
        enum role role = role_of(title);
        bool taken = role != ROLE_EXTRA && role_taken(t, i, role);
        if (taken && role == ROLE_URL)
            return fail(err, WEIR_INPUT,
                        "%s:%llu: the header row has two columns \"url\"; rename one", list,
                        number);
        t->columns[i].role = taken ? ROLE_EXTRA : role;
        if (t->columns[i].role == ROLE_EXTRA && (st = name_extra(t, i, title, err)))
            return st;
    }
    return role_taken(t, n, ROLE_URL) ? OK : no_url_column(t, line, err);
}

static void tsv_close(struct source *s)
{
    struct tsv_source *t = (struct tsv_source *)s;
    for (size_t i = 0; t->columns && i < t->column_count; i++)
        free(t->columns[i].name);
    free(t->columns);
    strbuf_free(&t->extra);
    line_reader_close(t->lines);
    free(t);
}

static status tsv_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct tsv_source *t = calloc(1, sizeof *t);
    if (!t) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    t->head.type = &source_tsv;
    status st = line_reader_open(&t->lines, in, list, err);
    if (st)
        goto fail;
    struct span line = {0};
    bool too_long;
    do
        st = line_reader_next(t->lines, &line, &too_long, err);
    while (st == OK && line_is_skipped(line));
    if (st == OK)
        st = take_header(t, line, err);
    if (st && st != WEIR_END)
        goto fail;
    *out = &t->head;
    return OK;
fail:
    tsv_close(&t->head);
    return st;
}

/* ---- rows ---- */

static void add_extra(struct tsv_source *t, const char *name, struct span value)
{
    if (!value.n)
        return;
    strbuf_add(&t->extra, name, strlen(name) + 1);
    strbuf_add(&t->extra, value.p, value.n);
    strbuf_addc(&t->extra, '\0');
}

static status take_size(const struct tsv_source *t, struct span cell, int64_t *size, error *err)
{
    cell = span_trim(cell);
    uint64_t value;
    if (!cell.n)
        return OK;
    if (!parse_uint64(cell, &value) || value > INT64_MAX)
        return fail(err, WEIR_INPUT,
                    "%s:%llu: the size \"%.*s\" is not a number; write whole bytes, as in 1048576, "
                    "or leave the cell empty",
                    line_reader_list(t->lines), (unsigned long long)line_reader_number(t->lines),
                    (int)(cell.n < 64 ? cell.n : 64), cell.p);
    *size = (int64_t)value;
    return OK;
}

/* Cuts a row. What is wrong with it is told after the URL is known, so that the report shows it. */
static status take_row(struct tsv_source *t, struct span line, struct record *out, error *err)
{
    unsigned long long number = line_reader_number(t->lines);
    const char *list = line_reader_list(t->lines);
    size_t cells = count_cells(line);
    strbuf_clear(&t->extra);
    status size_status = OK;
    struct span rest = line;
    for (size_t i = 0; i < t->column_count && i < cells; i++) {
        struct span cell = cut_cell(&rest);
        switch (t->columns[i].role) {
        case ROLE_URL:
            out->url = span_trim(cell);
            break;
        case ROLE_NAME:
            out->name = cell;
            break;
        case ROLE_ID:
            out->id = cell;
            break;
        case ROLE_SIZE:
            size_status = take_size(t, cell, &out->size, err);
            break;
        default:
            add_extra(t, t->columns[i].name, cell);
        }
    }
    if (cells != t->column_count)
        return fail(err, WEIR_INPUT,
                    "%s:%llu: the row has %zu cells, the header has %zu; part them by "
                    "one TAB each",
                    list, number, cells, t->column_count);
    if (!out->url.n)
        return fail(err, WEIR_INPUT, "%s:%llu: the row has no URL in its column \"url\"", list,
                    number);
    if (size_status)
        return size_status;
    if (t->extra.n)
        strbuf_addc(&t->extra, '\0');
    if (t->extra.failed)
        return fail(err, WEIR_NOMEM, "%s:%llu: out of memory for the row", list, number);
    out->extra = (struct span){t->extra.p, t->extra.n};
    return line_check_controls(t->lines, line, line, "\t", err);
}

/* A line that begins with '#' is a comment, unless it has as many cells as a row must have. */
static bool row_is_skipped(const struct tsv_source *t, struct span line)
{
    if (!line_is_skipped(line))
        return false;
    return t->column_count < 2 || count_cells(line) != t->column_count;
}

static status tsv_next(struct source *s, struct record *out, error *err)
{
    struct tsv_source *t = (struct tsv_source *)s;
    struct span line = {0};
    bool too_long;
    status st;
    *out = (struct record){.size = -1};
    if (!t->column_count)
        return WEIR_END;
    do
        st = line_reader_next(t->lines, &line, &too_long, err);
    while (st == OK && row_is_skipped(t, line));
    if (st && !too_long)
        return st;
    out->line = line_reader_number(t->lines);
    if (st)
        out->url = line;
    else
        st = take_row(t, line, out, err);
    if (st != WEIR_INPUT)
        return st;
    if (!out->url.n)
        out->url = line;
    if (out->url.n > LINE_HEAD_BYTES)
        out->url.n = LINE_HEAD_BYTES;
    out->name = out->id = out->extra = (struct span){0};
    out->size = -1;
    return st;
}

/* Sure when the first line that says something has a TAB and a cell "url". */
static int tsv_sniff(struct span head)
{
    struct span line;
    bool whole;
    if (!line_first(head, &line, &whole) || !memchr(line.p, '\t', line.n))
        return 0;
    for (size_t cells = count_cells(line); cells; cells--)
        if (role_of(span_trim(cut_cell(&line))) == ROLE_URL)
            return 95;
    return 0;
}

const struct source_type source_tsv = {
    .name = "tsv",
    .help = "columns parted by TABs under a header row: url, and name, size, id where wanted",
    .sniff = tsv_sniff,
    .open = tsv_open,
    .next = tsv_next,
    .close = tsv_close,
};

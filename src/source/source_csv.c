/* Lists with columns, parted by commas (RFC 4180); see source.h. Runs on the feeder.
 *
 * The first row is a header when one of its cells is "url"; else the list is a URL and a name in
 * each row. A cell in quotes may hold commas, quotes (doubled) and newlines; what it means is put
 * together in a buffer that holds the longest row there may be. A quote that is not closed within
 * that length costs the rows that it has swallowed, and the message says which.
 */
#include <stdlib.h>

#include "source/table.h"

extern const struct source_type source_csv; /* its row: source.c */

/* Where in a row the next byte stands. */
enum csv_state { CELL_BEGINS, CELL_PLAIN, CELL_QUOTED, QUOTE_SEEN };

struct csv_source {
    struct source head;
    struct line_reader *lines;
    bool pending; /* the first row is at hand, and a record */
    enum csv_state state;
    uint64_t row_line;           /* where the row at hand begins */
    uint64_t quote_line;         /* where its last quoted cell begins */
    size_t quote_column, column; /* likewise; of the cell at hand */
    size_t begin, n;             /* of the cell at hand; of all cells, in `text` */
    size_t shown;                /* of the row's first line, for the report */
    char first[LINE_HEAD_BYTES];
    struct table table;
    char text[LINE_MAX_BYTES + 1];
};

static struct place here(const struct csv_source *c, size_t column)
{
    return (struct place){line_reader_list(c->lines), line_reader_number(c->lines), column};
}

static void end_cell(struct csv_source *c)
{
    struct span cell = {c->text + c->begin, c->n - c->begin};
    table_add_cell(&c->table, cell, c->column);
    c->begin = c->n;
    c->state = CELL_BEGINS;
}

static void begin_row(struct csv_source *c, struct span line)
{
    c->state = CELL_BEGINS;
    c->row_line = line_reader_number(c->lines);
    c->begin = c->n = c->table.cells = 0;
    c->shown = line.n < sizeof c->first ? line.n : sizeof c->first;
    if (c->shown)
        memcpy(c->first, line.p, c->shown);
}

static status bad_quote(const struct csv_source *c, size_t column, error *err)
{
    return fail_at(err, here(c, column),
                   c->state == CELL_PLAIN
                       ? "a quote stands within a cell that does not begin with one; quote the "
                         "whole cell and double the quotes in it (row of line %llu)"
                       : "something stands between the closing quote and the comma; double the "
                         "quotes within a cell (row of line %llu)",
                   (unsigned long long)c->row_line);
}

/* One byte of a row. */
static status take_byte(struct csv_source *c, char b, size_t column, error *err)
{
    bool quote = b == '"';
    if (c->state == QUOTE_SEEN && !quote && b != ',')
        return bad_quote(c, column, err);
    if (c->state == CELL_PLAIN && quote)
        return bad_quote(c, column, err);
    if (c->state == CELL_BEGINS)
        c->column = column;
    if (c->state == CELL_BEGINS && quote) {
        c->state = CELL_QUOTED;
        c->quote_line = line_reader_number(c->lines);
        c->quote_column = column;
    } else if (c->state == CELL_QUOTED && quote) {
        c->state = QUOTE_SEEN;
    } else if (c->state != CELL_QUOTED && b == ',') {
        end_cell(c);
    } else {
        c->text[c->n++] = b;
        c->state = c->state == CELL_QUOTED || c->state == QUOTE_SEEN ? CELL_QUOTED : CELL_PLAIN;
    }
    return OK;
}

static status not_closed(const struct csv_source *c, const char *why, error *err)
{
    struct place quote = here(c, c->quote_column);
    quote.line = c->quote_line;
    return fail_at(err, quote,
                   "the quote that opens here is not closed %s; the lines %llu to %llu are "
                   "skipped",
                   why, (unsigned long long)c->row_line,
                   (unsigned long long)line_reader_number(c->lines));
}

/* The next line of a row, with its newline where a quote is open behind it. */
static status take_line(struct csv_source *c, struct span line, error *err)
{
    status st = line_check_controls(c->lines, line, line, "\t", err);
    if (!st && c->n + line.n > LINE_MAX_BYTES)
        return not_closed(c, "within 65536 bytes", err);
    for (size_t i = 0; !st && i < line.n; i++)
        st = take_byte(c, line.p[i], i + 1, err);
    if (st)
        return st;
    if (c->state == CELL_BEGINS)
        c->column = line.n + 1;
    if (c->state == CELL_QUOTED)
        c->text[c->n++] = '\n';
    else
        end_cell(c);
    return OK;
}

/* A comment may hold any quotes, so its commas are counted as they stand. */
static bool is_skipped(const struct csv_source *c, struct span line)
{
    if (!line_is_skipped(line))
        return false;
    size_t cells = 1;
    for (size_t i = 0; i < line.n; i++)
        cells += line.p[i] == ',';
    return table_is_comment(&c->table, cells);
}

/* Puts the next row together. INPUT with *is_row: the row cannot be read, the rest can. */
static status next_row(struct csv_source *c, bool *is_row, error *err)
{
    struct span line = {0};
    bool too_long;
    status st;
    do
        st = line_reader_next(c->lines, &line, &too_long, err);
    while (st == OK && is_skipped(c, line));
    *is_row = st == OK || too_long;
    if (*is_row)
        begin_row(c, line);
    if (!st)
        st = take_line(c, line, err);
    while (st == OK && c->state == CELL_QUOTED) {
        error cause = {0};
        st = line_reader_next(c->lines, &line, &too_long, &cause);
        if (st == OK)
            st = take_line(c, line, err);
        else if (st == WEIR_END)
            st = not_closed(c, "before the list ends", err);
        else if (too_long)
            st = not_closed(c, "within 65536 bytes", err);
        else
            *is_row = false;
        if (!*is_row && err)
            *err = cause;
    }
    return st;
}

static void csv_close(struct source *s)
{
    struct csv_source *c = (struct csv_source *)s;
    table_free(&c->table);
    line_reader_close(c->lines);
    free(c);
}

static bool looks_absolute(struct span cell)
{
    return cell.n && memmem(cell.p, cell.n, "://", 3) != NULL;
}

/* The first row says what the columns are. */
static status take_first(struct csv_source *c, error *err)
{
    bool is_row;
    status st = next_row(c, &is_row, err);
    if (st)
        return st == WEIR_END ? OK : st;
    struct place at = {line_reader_list(c->lines), c->row_line, 0};
    if (table_has_url_title(&c->table) || !looks_absolute(c->table.cell[0].text))
        return table_take_header(&c->table, at, err);
    c->pending = true;
    return table_take_no_header(&c->table, at, err);
}

static status csv_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct csv_source *c = malloc(sizeof *c);
    if (!c) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    c->head.type = &source_csv;
    c->lines = NULL;
    c->pending = false;
    table_init(&c->table, "one comma");
    status st = line_reader_open(&c->lines, in, list, err);
    if (!st)
        st = take_first(c, err);
    if (st) {
        csv_close(&c->head);
        return st;
    }
    *out = &c->head;
    return OK;
}

static status csv_next(struct source *s, struct record *out, error *err)
{
    struct csv_source *c = (struct csv_source *)s;
    bool is_row = true;
    status st = OK;
    *out = (struct record){.size = -1};
    if (!c->table.column_count)
        return WEIR_END;
    if (!c->pending)
        st = next_row(c, &is_row, err);
    c->pending = false;
    if (!is_row)
        return st;
    struct place at = {line_reader_list(c->lines), c->row_line, 0};
    out->line = c->row_line;
    if (!st)
        st = table_take_row(&c->table, out, at, err);
    if (!st)
        st = field_line(out->url, "URL", at, err);
    if (!st)
        st = field_line(out->id, "id", at, err);
    if (st == WEIR_INPUT)
        record_refused(out, (struct span){c->first, c->shown});
    return st;
}

/* The cells of a first line, roughly: a title has no comma and no quote in it. */
static bool has_url_title(struct span line)
{
    while (line.n) {
        const char *comma = memchr(line.p, ',', line.n);
        size_t n = comma ? (size_t)(comma - line.p) : line.n;
        struct span cell = span_trim((struct span){line.p, n});
        if (cell.n >= 2 && cell.p[0] == '"' && cell.p[cell.n - 1] == '"')
            cell = span_trim((struct span){cell.p + 1, cell.n - 2});
        if (field_titled(cell).field == FIELD_URL)
            return true;
        n += comma != NULL;
        line.p += n, line.n -= n;
    }
    return false;
}

/* Sure when the first line that says something has a comma and a cell "url", or begins with a URL
 * in quotes. "http://host/a,b" alone is a URL with a comma in it: such a list is told by name. */
static int csv_sniff(struct span head)
{
    struct span line;
    bool whole;
    if (!line_first(head, &line, &whole))
        return 0;
    if (span_starts(line, "\"http://") || span_starts(line, "\"https://"))
        return 90;
    if (!line.p || !line.n || memmem(line.p, line.n, "://", 3))
        return 0;
    return memchr(line.p, ',', line.n) && has_url_title(line) ? 95 : 0;
}

const struct source_type source_csv = {
    .name = "csv",
    .help = "columns parted by commas, cells in quotes where needed, under a header row as in tsv; "
            "or URL and name without one",
    .sniff = csv_sniff,
    .open = csv_open,
    .next = csv_next,
    .close = csv_close,
};

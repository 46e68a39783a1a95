/* Lists with columns, parted by TABs, under a header row; see source.h. Runs on the feeder.
 *
 * A row is cut in one pass, its cells borrowed from the line. There is no quoting: a cell holds no
 * TAB and no newline, and everything else means itself.
 */
#include <stdlib.h>

#include "core/job.h"
#include "source/table.h"

extern const struct source_type source_tsv; /* its row: source.c */

struct tsv_source {
    struct source head;
    struct line_reader *lines;
    struct table table;
};

static void cut_cells(struct table *t, struct span line)
{
    const char *p = line.p, *end = line.p + line.n, *tab;
    t->cells = 0;
    do {
        tab = p < end ? memchr(p, '\t', (size_t)(end - p)) : NULL;
        const char *stop = tab ? tab : end;
        table_add_cell(t, (struct span){p, (size_t)(stop - p)}, (size_t)(p - line.p) + 1);
        p = stop + 1;
    } while (tab);
}

static struct place here(const struct tsv_source *t)
{
    return (struct place){line_reader_list(t->lines), line_reader_number(t->lines), 0};
}

static void tsv_close(struct source *s)
{
    struct tsv_source *t = (struct tsv_source *)s;
    table_free(&t->table);
    line_reader_close(t->lines);
    free(t);
}

static status tsv_open(struct source **out, struct reader *in, const char *list, error *err)
{
    struct tsv_source *t = malloc(sizeof *t);
    if (!t) {
        reader_close(in);
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", list);
    }
    t->head.type = &source_tsv;
    t->lines = NULL;
    table_init(&t->table, "one TAB");
    struct span line = {0};
    bool too_long;
    status st = line_reader_open(&t->lines, in, list, err);
    if (st)
        goto fail;
    st = line_reader_next_said(t->lines, &line, &too_long, err);
    if (st == OK)
        st = line_check_controls(t->lines, line, line, "\t", err);
    if (st == OK) {
        cut_cells(&t->table, line);
        st = table_take_header(&t->table, here(t), err);
    }
    if (st && st != WEIR_END)
        goto fail;
    *out = &t->head;
    return OK;
fail:
    tsv_close(&t->head);
    return st;
}

/* Our own lists of failed records title their columns anew where they need more. */
static bool is_our_header(struct span line)
{
    size_t n = sizeof FAILED_LIST_HEADER - 1;
    return span_starts(line, FAILED_LIST_HEADER) && (line.n == n || line.p[n] == '\t');
}

static status tsv_next(struct source *s, struct record *out, error *err)
{
    struct tsv_source *t = (struct tsv_source *)s;
    struct span line = {0};
    bool too_long;
    status st;
    *out = (struct record){.size = -1};
    if (!t->table.column_count)
        return WEIR_END;
    bool titles;
    do {
        st = line_reader_next(t->lines, &line, &too_long, err);
        if (st == OK)
            cut_cells(&t->table, line);
        titles = st == OK && is_our_header(line);
        if (titles)
            st = table_take_header(&t->table, here(t), err);
    } while (st == OK &&
             (titles || (line_is_skipped(line) && table_is_comment(&t->table, t->table.cells))));
    if (st && !too_long)
        return st;
    out->line = line_reader_number(t->lines);
    if (!st)
        st = table_take_row(&t->table, out, here(t), err);
    if (!st)
        st = line_check_controls(t->lines, line, line, "\t", err);
    if (st == WEIR_INPUT)
        record_refused(out, line);
    return st;
}

/* Sure when the first line that says something has a TAB and a cell "url". */
static int tsv_sniff(struct span head)
{
    struct span line;
    bool whole;
    if (!line_first(head, &line, &whole) || !memchr(line.p, '\t', line.n))
        return 0;
    while (line.n) {
        const char *tab = memchr(line.p, '\t', line.n);
        size_t n = tab ? (size_t)(tab - line.p) : line.n;
        if (field_titled(span_trim((struct span){line.p, n})).field == FIELD_URL)
            return 95;
        n += tab != NULL;
        line.p += n, line.n -= n;
    }
    return 0;
}

const struct source_type source_tsv = {
    .name = "tsv",
    .help = "columns parted by TABs under a header row: url, and name, size, id, sha256 and the "
            "like where wanted",
    .sniff = tsv_sniff,
    .open = tsv_open,
    .next = tsv_next,
    .close = tsv_close,
};

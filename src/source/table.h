/* Rows of cells under titles: what lists with columns share, however their cells are parted.
 *
 * The header gives each column a role once; a row's cells then become fields of a record, each
 * borrowed from where the format has put it. Columns without a role go along as `extra`, so that a
 * report can show them again. One thread at a time.
 */
#ifndef WEIR_SOURCE_TABLE_H
#define WEIR_SOURCE_TABLE_H

#include "source/line_reader.h"
#include "source/record_fields.h"

struct cell {
    struct span text;
    size_t column; /* of the line, in bytes, from 1 */
};

struct table {
    struct column *columns;
    size_t column_count; /* 0: no header has come */
    const char *parting; /* for messages: "one TAB" */
    struct record_parts parts;
    size_t cells; /* of the row at hand; at most FIELDS_MAX of them are kept */
    struct cell cell[FIELDS_MAX];
};

void table_init(struct table *t, const char *parting);
void table_free(struct table *t);

static inline void table_add_cell(struct table *t, struct span text, size_t column)
{
    if (t->cells < FIELDS_MAX)
        t->cell[t->cells] = (struct cell){text, column};
    t->cells++;
}

/* Whether one of the cells at hand is titled "url". */
bool table_has_url_title(const struct table *t);
/* Takes the cells at hand as titles, in place of earlier ones. INPUT: they cannot be. */
status table_take_header(struct table *t, struct place at, error *err);
/* The columns of a list without titles: URL and name. INPUT: the cells at hand are more. */
status table_take_no_header(struct table *t, struct place at, error *err);
/* Makes a record of the cells at hand. What is wrong with them is told when the URL is known, so
 * that the report shows it. */
status table_take_row(struct table *t, struct record *out, struct place at, error *err);

/* A line that begins with '#' is a comment, unless it has as many cells as a row must have. */
static inline bool table_is_comment(const struct table *t, size_t cells)
{
    return t->column_count < 2 || cells != t->column_count;
}

#endif

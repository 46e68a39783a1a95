/* A row of the table `record`, to and from SQLite. For the thread that owns the statement. */
#ifndef WEIR_JOURNAL_JOURNAL_ROW_H
#define WEIR_JOURNAL_JOURNAL_ROW_H

#include <sqlite3.h>

#include "journal/journal.h"

/* The number that stands for URL and name; 0 is never one. `scratch` is the caller's, to be used
 * again. False: out of memory. */
bool journal_key(struct strbuf *scratch, const char *url, const char *name, int64_t *out);

const char *journal_state_name(enum journal_state state);
/* False: there is none of that name; NULL is none. */
bool journal_state_named(const char *word, enum journal_state *out);
bool journal_class_named(const char *word, status *out);

/* Binds JOURNAL_COLUMNS, the first one as parameter `first`; the texts stay the caller's. */
int journal_row_bind(sqlite3_stmt *stmt, int first, const struct journal_entry *e);
/* The row that stmt stands on, its columns from `first` on, as one allocation for free(). NULL: out
 * of memory, or (*sound false) the row is none of ours. */
struct journal_entry *journal_row_read(sqlite3_stmt *stmt, int first, bool *sound);

#endif

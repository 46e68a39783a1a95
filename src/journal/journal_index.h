/* Keys on their way to the table `lookup`; why they wait is said in journal_schema.h. For the
 * thread that owns the connection.
 */
#ifndef WEIR_JOURNAL_JOURNAL_INDEX_H
#define WEIR_JOURNAL_JOURNAL_INDEX_H

#include <sqlite3.h>

#include "core/status.h"

struct journal_index;

/* Borrows both. What an earlier run has left to do is done here. */
status index_open(struct journal_index **out, sqlite3 *db, const char *path, error *err);
/* A row has been put; in a transaction. */
status index_add(struct journal_index *ix, int64_t key, int64_t seq, error *err);
/* Brings all keys that wait to `lookup`; in a transaction. */
status index_merge(struct journal_index *ix, error *err);
void index_close(struct journal_index *ix); /* takes NULL */

#endif

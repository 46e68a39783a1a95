/* Connections to a journal's file: opened, set up, and their errors in our words. A connection is
 * for one thread at a time.
 */
#ifndef WEIR_JOURNAL_JOURNAL_DB_H
#define WEIR_JOURNAL_JOURNAL_DB_H

#include <sqlite3.h>

#include "core/status.h"

enum db_access {
    DB_FROZEN, /* read only, and nobody writes meanwhile: no file is made beside it */
    DB_READ,
    DB_WRITE
};

/* `shown` is the path for messages; so is `path` of all that follows. */
status db_open(sqlite3 **out, const char *path, const char *shown, enum db_access access,
               error *err);
void db_close(sqlite3 *db); /* takes NULL */

/* What SQLite's answer `rc` means for the journal `path`. */
status db_fail(sqlite3 *db, int rc, const char *path, error *err);
status db_damaged(const char *path, const char *how, error *err);

/* Runs statements that answer nothing. */
status db_run(sqlite3 *db, const char *sql, const char *path, error *err);
status db_prepare(sqlite3_stmt **out, sqlite3 *db, const char *sql, const char *path, error *err);
/* The number that a statement answers in its first row; `absent` without a row. */
status db_number(sqlite3 *db, const char *sql, int64_t absent, int64_t *out, const char *path,
                 error *err);

/* Is the file at `path` a journal in our format? Reads no more than its first bytes, and changes
 * nothing. *made false: it is empty, or was being made when the machine stopped. */
status db_check_head(const char *path, const char *shown, bool *made, error *err);
/* Is there a log beside it: is it written now, or was a run killed? */
bool db_has_log(const char *path);
/* Structure of the whole file; only where it has `most` bytes at most. */
status db_check_sound(sqlite3 *db, int64_t most, const char *path, error *err);
/* `what` of the table about; *out for free(). */
status db_about(sqlite3 *db, const char *what, char **out, const char *path, error *err);

#endif

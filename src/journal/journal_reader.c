/* Reading a journal as a whole; see journal.h. One thread at a time.
 *
 * All of it is read in one transaction, so that the figures belong together although a run goes on
 * writing. Keys that still wait for `lookup` (see journal_schema.h) may have an earlier row, which
 * no longer counts; they are gathered first, a bounded number.
 */
#include "journal/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "journal/journal_db.h"
#include "journal/journal_row.h"
#include "journal/journal_schema.h"

#define CURRENT                                                                                    \
    " seq = coalesce((SELECT last FROM temp.waiting WHERE waiting.key = record.key), seq) "

struct journal_reader {
    sqlite3 *db;
    char *shown, *directory;
    sqlite3_stmt *groups, *rows;
    enum journal_state state; /* of rows */
    struct journal_entry *row;
};

/* host_of(URL): what stands between "//" and the path, without user and password. */
static void host_of(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    const char *url = (const char *)sqlite3_value_text(argv[0]);
    const char *start = url ? strstr(url, "://") : NULL;
    start = start ? start + 3 : url ? url : "";
    size_t n = strcspn(start, "/?#");
    for (size_t i = n; i > 0; i--) {
        if (start[i - 1] != '@')
            continue;
        start += i;
        n -= i;
        break;
    }
    sqlite3_result_text(context, start, (int)n, SQLITE_TRANSIENT);
}

static status begin(struct journal_reader *r, error *err)
{
    /* The table is not of the journal: query_only concerns the journal's own. */
    status st = db_run(r->db,
                       "PRAGMA query_only = 0; BEGIN;"
                       "CREATE TEMP TABLE waiting(key INTEGER PRIMARY KEY, last INTEGER NOT NULL);"
                       "INSERT INTO temp.waiting SELECT key, max(seq) FROM record WHERE seq >"
                       " coalesce((SELECT value FROM about WHERE key = 'indexed'), 0) GROUP BY key",
                       r->shown, err);
    int rc = SQLITE_OK;
    if (!st)
        rc = sqlite3_create_function(r->db, "host_of", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                     host_of, NULL, NULL);
    return rc ? db_fail(r->db, rc, r->shown, err) : st;
}

/* Where nothing may be made beside the file, it can be read if no log is left. */
static status open_connection(struct journal_reader *r, const char *path, error *err)
{
    int64_t version;
    status st = db_open(&r->db, path, r->shown, DB_READ, err);
    if (!st)
        st = db_number(r->db, "PRAGMA schema_version", 0, &version, r->shown, err);
    if (st != WEIR_DISK || db_has_log(path))
        return st;
    db_close(r->db);
    r->db = NULL;
    return db_open(&r->db, path, r->shown, DB_FROZEN, err);
}

static status open_journal(struct journal_reader *r, const char *path, error *err)
{
    bool made;
    status st = db_check_head(path, r->shown, &made, err);
    if (st == WEIR_DISK && err && err->sys_errno == ENOENT)
        return fail(err, WEIR_INPUT, "%s: there is no such journal", path);
    if (!st && !made)
        return fail(err, WEIR_CONFIG, "%s: the file is empty, and so no journal", path);
    if (!st)
        st = open_connection(r, path, err);
    if (!st)
        st = db_check_sound(r->db, INT64_MAX, r->shown, err);
    if (!st)
        st = begin(r, err);
    return st ? st : db_about(r->db, "directory", &r->directory, r->shown, err);
}

status journal_reader_open(struct journal_reader **out, const char *path, error *err)
{
    struct journal_reader *r = calloc(1, sizeof *r);
    error why;
    if (!r || !(r->shown = strdup(path))) {
        free(r);
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", path);
    }
    status st = open_journal(r, path, &why);
    if (st) {
        journal_reader_close(r);
        if (err)
            *err = why;
        return st;
    }
    *out = r;
    return OK;
}

const char *journal_reader_directory(const struct journal_reader *r)
{
    return r->directory;
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    free(r->row);
    sqlite3_finalize(r->groups);
    sqlite3_finalize(r->rows);
    db_close(r->db);
    free(r->directory);
    free(r->shown);
    free(r);
}

/* ---- totals ---- */

static const char *text_at(sqlite3_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt, column);
}

/* False: the row is none of ours. */
static bool count_row(sqlite3_stmt *stmt, struct journal_totals *t)
{
    enum journal_state state;
    status class;
    if (!journal_state_named(text_at(stmt, 0), &state))
        return false;
    if (state == JOURNAL_REMOVED)
        return true;
    int64_t ended = sqlite3_column_int64(stmt, 3);
    t->last_ms = ended > t->last_ms ? ended : t->last_ms;
    t->done += state == JOURNAL_DONE;
    t->replacing += state == JOURNAL_REPLACING;
    t->failed += state == JOURNAL_FAILED;
    if (state == JOURNAL_DONE)
        t->bytes += sqlite3_column_int64(stmt, 2);
    if (state != JOURNAL_FAILED)
        return true;
    if (!journal_class_named(text_at(stmt, 1), &class))
        return false;
    t->failed_by_class[class]++;
    return true;
}

/* Counted here: SQL would sort all rows first. */
status journal_reader_totals(struct journal_reader *r, struct journal_totals *out, error *err)
{
    struct journal_totals totals = {0};
    sqlite3_stmt *stmt = NULL;
    status st = db_prepare(&stmt, r->db,
                           "SELECT state, failed_as, bytes, ended_ms FROM record WHERE" CURRENT,
                           r->shown, err);
    int rc = SQLITE_DONE;
    while (!st && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        if (!count_row(stmt, &totals))
            st = db_damaged(r->shown, "a row cannot be read", err);
    if (!st && rc != SQLITE_DONE)
        st = db_fail(r->db, rc, r->shown, err);
    sqlite3_finalize(stmt);
    if (!st)
        *out = totals;
    return st;
}

status journal_reader_next_group(struct journal_reader *r, struct journal_group *out, error *err)
{
    status st = OK;
    if (!r->groups)
        st = db_prepare(&r->groups, r->db,
                        "SELECT failed_as, http_status, host_of(url) AS host, count(*) AS n"
                        " FROM record WHERE state = 'failed' AND" CURRENT
                        "GROUP BY failed_as, http_status, host"
                        " ORDER BY n DESC, failed_as, http_status, host",
                        r->shown, err);
    if (st)
        return st;
    int rc = sqlite3_step(r->groups);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(r->groups);
        return WEIR_END;
    }
    if (rc != SQLITE_ROW)
        return db_fail(r->db, rc, r->shown, err);
    struct journal_group group = {.http_status = sqlite3_column_int(r->groups, 1),
                                  .host = text_at(r->groups, 2),
                                  .count = (uint64_t)sqlite3_column_int64(r->groups, 3)};
    if (!journal_class_named(text_at(r->groups, 0), &group.failed_as) || !group.host)
        return db_damaged(r->shown, "a row cannot be read", err);
    *out = group;
    return OK;
}

/* ---- rows ---- */

static status prepare_rows(struct journal_reader *r, enum journal_state state, error *err)
{
    if (r->rows && r->state == state)
        return OK;
    sqlite3_finalize(r->rows);
    r->rows = NULL;
    r->state = state;
    status st = db_prepare(&r->rows, r->db,
                           "SELECT " JOURNAL_COLUMNS " FROM record WHERE state = ? AND" CURRENT
                           "ORDER BY seq",
                           r->shown, err);
    if (!st)
        sqlite3_bind_text(r->rows, 1, journal_state_name(state), -1, SQLITE_STATIC);
    return st;
}

status journal_reader_next(struct journal_reader *r, enum journal_state state,
                           struct journal_entry *out, error *err)
{
    bool sound;
    status st = prepare_rows(r, state, err);
    if (st)
        return st;
    free(r->row);
    r->row = NULL;
    int rc = sqlite3_step(r->rows);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(r->rows);
        return WEIR_END;
    }
    if (rc != SQLITE_ROW)
        return db_fail(r->db, rc, r->shown, err);
    r->row = journal_row_read(r->rows, 0, &sound);
    if (!r->row)
        return sound ? fail(err, WEIR_NOMEM, "%s: out of memory for the journal", r->shown)
                     : db_damaged(r->shown, "a row cannot be read", err);
    *out = *r->row;
    return OK;
}

/* Keys on their way to `lookup`; see journal_index.h. */
#include "journal/journal_index.h"

#include <stdlib.h>

#include "journal/journal_db.h"

/* 16,384 sorted keys touch each page of the lookup of a million about four times at once; fewer
 * would write those pages more often, more would make the commit that does it noticeable. */
#define WAITING_MAX 16384

struct waiting {
    int64_t key, seq;
};

struct journal_index {
    sqlite3 *db;
    const char *path;
    sqlite3_stmt *get, *set, *drop, *mark;
    size_t count, dead_count;
    struct waiting waiting[WAITING_MAX];
    int64_t dead[WAITING_MAX]; /* rows that later ones replace */
};

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_key(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    int order = compare_numbers(x->key, y->key);
    return order ? order : compare_numbers(x->seq, y->seq);
}

static int by_seq(const void *a, const void *b)
{
    return compare_numbers(*(const int64_t *)a, *(const int64_t *)b);
}

static int run(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    return sqlite3_reset(stmt);
}

/* Leads the key to its new row; of one key's the earlier come first. */
static int place(struct journal_index *ix, const struct waiting *w)
{
    sqlite3_bind_int64(ix->get, 1, w->key);
    if (sqlite3_step(ix->get) == SQLITE_ROW) {
        int64_t seq = sqlite3_column_int64(ix->get, 0);
        if (seq != w->seq)
            ix->dead[ix->dead_count++] = seq;
    }
    int rc = sqlite3_reset(ix->get);
    if (rc)
        return rc;
    sqlite3_bind_int64(ix->set, 1, w->key);
    sqlite3_bind_int64(ix->set, 2, w->seq);
    return run(ix->set);
}

/* In the order of the rows, so that neighbours go together. */
static int drop_dead(struct journal_index *ix)
{
    int rc = SQLITE_OK;
    qsort(ix->dead, ix->dead_count, sizeof *ix->dead, by_seq);
    for (size_t i = 0; i < ix->dead_count && !rc; i++) {
        sqlite3_bind_int64(ix->drop, 1, ix->dead[i]);
        rc = run(ix->drop);
    }
    return rc;
}

status index_merge(struct journal_index *ix, error *err)
{
    int rc = SQLITE_OK;
    int64_t last = 0;
    if (!ix->count)
        return OK;
    qsort(ix->waiting, ix->count, sizeof *ix->waiting, by_key);
    ix->dead_count = 0;
    for (size_t i = 0; i < ix->count && !rc; i++) {
        const struct waiting *w = &ix->waiting[i];
        last = w->seq > last ? w->seq : last;
        rc = place(ix, w);
    }
    if (!rc)
        rc = drop_dead(ix);
    if (!rc) {
        sqlite3_bind_int64(ix->mark, 1, last);
        rc = run(ix->mark);
    }
    if (rc)
        return db_fail(ix->db, rc, ix->path, err);
    ix->count = 0;
    return OK;
}

status index_add(struct journal_index *ix, int64_t key, int64_t seq, error *err)
{
    ix->waiting[ix->count++] = (struct waiting){key, seq};
    return ix->count == WAITING_MAX ? index_merge(ix, err) : OK;
}

/* ---- what a run that was killed has left ---- */

/* The next of the rows behind `from`, as many as can wait. */
static status read_rows(struct journal_index *ix, sqlite3_stmt *stmt, int64_t from, error *err)
{
    sqlite3_bind_int64(stmt, 1, from);
    while (ix->count < WAITING_MAX && sqlite3_step(stmt) == SQLITE_ROW)
        ix->waiting[ix->count++] =
            (struct waiting){sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1)};
    int rc = sqlite3_reset(stmt);
    return rc ? db_fail(ix->db, rc, ix->path, err) : OK;
}

static status catch_up(struct journal_index *ix, error *err)
{
    sqlite3_stmt *rows = NULL;
    int64_t from, last;
    status st =
        db_number(ix->db, "SELECT value FROM about WHERE key = 'indexed'", 0, &from, ix->path, err);
    if (!st)
        st = db_number(ix->db, "SELECT max(seq) FROM record", 0, &last, ix->path, err);
    if (st || from >= last)
        return st;
    st = db_prepare(&rows, ix->db, "SELECT key, seq FROM record WHERE seq > ? ORDER BY seq",
                    ix->path, err);
    while (!st && from < last) {
        st = db_run(ix->db, "BEGIN IMMEDIATE", ix->path, err);
        if (!st)
            st = read_rows(ix, rows, from, err);
        from = ix->count ? ix->waiting[ix->count - 1].seq : last;
        if (!st)
            st = index_merge(ix, err);
        if (!st)
            st = db_run(ix->db, "COMMIT", ix->path, err);
    }
    sqlite3_finalize(rows);
    return st;
}

status index_open(struct journal_index **out, sqlite3 *db, const char *path, error *err)
{
    struct journal_index *ix = calloc(1, sizeof *ix);
    if (!ix)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", path);
    ix->db = db;
    ix->path = path;
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } all[] = {
        {&ix->get, "SELECT seq FROM lookup WHERE key = ?"},
        {&ix->set, "INSERT OR REPLACE INTO lookup(key, seq) VALUES(?, ?)"},
        {&ix->drop, "DELETE FROM record WHERE seq = ?"},
        {&ix->mark, "INSERT OR REPLACE INTO about(key, value) VALUES('indexed', ?)"},
    };
    status st = OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && !st; i++)
        st = db_prepare(all[i].stmt, db, all[i].sql, path, err);
    if (!st)
        st = catch_up(ix, err);
    if (st) {
        index_close(ix);
        return st;
    }
    *out = ix;
    return OK;
}

void index_close(struct journal_index *ix)
{
    if (!ix)
        return;
    sqlite3_finalize(ix->get);
    sqlite3_finalize(ix->set);
    sqlite3_finalize(ix->drop);
    sqlite3_finalize(ix->mark);
    free(ix);
}

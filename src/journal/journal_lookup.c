/* Finding records; see journal_lookup.h.
 *
 * The usual question is the same list again. Its records then lie one behind the other in the file,
 * though their keys lead anywhere. So when two answers have been neighbours, the rows that follow
 * are read at once, more of them the more of the last ones were asked for, and most questions are
 * answered from that window, without SQLite. A transaction is never left open between two
 * questions: the writer could not begin its log anew.
 */
#include "journal/journal_lookup.h"

#include <stdlib.h>

#include "journal/journal_db.h"
#include "journal/journal_row.h"
#include "journal/journal_schema.h"

#define WINDOW_MAX 256
#define WINDOW_FIRST 16
/* Records end out of order by as much as is in flight at a time. */
#define NEAR 128
#define OVERLAP 64

struct journal_lookup {
    sqlite3 *db;
    const char *shown;
    sqlite3_stmt *one, *rows;
    bool empty; /* nothing was known when the journal was opened */
    struct strbuf scratch;
    int64_t last; /* row of the window */
    size_t count, hits;
    int64_t keys[WINDOW_MAX];
    struct journal_entry *window[WINDOW_MAX];
    int64_t single_seq; /* the row found last beside the window */
    struct journal_entry *single;
};

status lookup_open(struct journal_lookup **out, const char *path, const char *shown, error *err)
{
    struct journal_lookup *l = calloc(1, sizeof *l);
    int64_t any = 0;
    if (!l)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", shown);
    l->shown = shown;
    status st = db_open(&l->db, path, shown, DB_READ, err);
    if (!st)
        st = db_prepare(&l->one, l->db,
                        "SELECT record.seq, " JOURNAL_COLUMNS " FROM lookup JOIN record"
                        " ON record.seq = lookup.seq WHERE lookup.key = ?",
                        shown, err);
    if (!st)
        st = db_prepare(&l->rows, l->db,
                        "SELECT seq, key, " JOURNAL_COLUMNS
                        " FROM record WHERE seq >= ? ORDER BY seq LIMIT ?",
                        shown, err);
    if (!st)
        st = db_number(l->db, "SELECT EXISTS (SELECT * FROM lookup)", 0, &any, shown, err);
    if (st) {
        lookup_close(l);
        return st;
    }
    l->empty = !any;
    *out = l;
    return OK;
}

static void clear_window(struct journal_lookup *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->window[i]);
    l->count = l->hits = 0;
}

void lookup_close(struct journal_lookup *l)
{
    if (!l)
        return;
    clear_window(l);
    free(l->single);
    strbuf_free(&l->scratch);
    sqlite3_finalize(l->one);
    sqlite3_finalize(l->rows);
    db_close(l->db);
    free(l);
}

/* The row that stmt stands on; NULL: *st says why. */
static struct journal_entry *read_row(const struct journal_lookup *l, sqlite3_stmt *stmt, int first,
                                      status *st, error *err)
{
    bool sound;
    struct journal_entry *e = journal_row_read(stmt, first, &sound);
    if (!e)
        *st = sound ? fail(err, WEIR_NOMEM, "%s: out of memory for the journal", l->shown)
                    : db_damaged(l->shown, "a row cannot be read", err);
    return e;
}

static status read_window(struct journal_lookup *l, int64_t from, size_t most, error *err)
{
    status st = OK;
    clear_window(l);
    sqlite3_bind_int64(l->rows, 1, from);
    sqlite3_bind_int64(l->rows, 2, (int64_t)most);
    while (!st && sqlite3_step(l->rows) == SQLITE_ROW) {
        struct journal_entry *e = read_row(l, l->rows, 2, &st, err);
        if (!e)
            break;
        l->last = sqlite3_column_int64(l->rows, 0);
        l->keys[l->count] = sqlite3_column_int64(l->rows, 1);
        l->window[l->count++] = e;
    }
    int rc = sqlite3_reset(l->rows);
    return rc && !st ? db_fail(l->db, rc, l->shown, err) : st;
}

static const struct journal_entry *in_window(struct journal_lookup *l, int64_t key)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->keys[i] != key)
            continue;
        l->hits++;
        return l->window[i];
    }
    return NULL;
}

/* Reads the row of a key beside the window; *seq 0: there is none. */
static status read_single(struct journal_lookup *l, int64_t key, int64_t *seq, error *err)
{
    status st = OK;
    free(l->single);
    l->single = NULL;
    *seq = 0;
    sqlite3_bind_int64(l->one, 1, key);
    if (sqlite3_step(l->one) == SQLITE_ROW) {
        *seq = sqlite3_column_int64(l->one, 0);
        l->single = read_row(l, l->one, 1, &st, err);
    }
    int rc = sqlite3_reset(l->one);
    return rc && !st ? db_fail(l->db, rc, l->shown, err) : st;
}

/* Moves the window to where the answers are now; a row far from it is left alone at first: its
 * record was tried again, and ended later than its neighbours. */
static status follow(struct journal_lookup *l, int64_t seq, int64_t before, error *err)
{
    bool useful = l->hits * 4 >= l->count;
    size_t most = useful ? l->count * 2 : l->count / 2;
    most = most < WINDOW_FIRST ? WINDOW_FIRST : most > WINDOW_MAX ? WINDOW_MAX : most;
    if (seq > l->last && seq <= l->last + NEAR)
        return read_window(l, seq - OVERLAP > l->last ? seq - OVERLAP : l->last + 1, most, err);
    if (seq > before - NEAR && seq <= before + NEAR && seq != before)
        return read_window(l, seq, WINDOW_FIRST, err);
    return OK;
}

status lookup_find(struct journal_lookup *l, const char *url, const char *name,
                   struct journal_entry *out, error *err)
{
    int64_t key, seq;
    if (l->empty)
        return WEIR_END;
    if (!journal_key(&l->scratch, url, name, &key))
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", l->shown);
    const struct journal_entry *e = in_window(l, key);
    status st = OK;
    if (!e) {
        st = read_single(l, key, &seq, err);
        e = l->single;
        if (!st && seq) {
            st = follow(l, seq, l->single_seq, err);
            l->single_seq = seq;
        }
    }
    if (st)
        return st;
    if (!e || strcmp(e->url, url) != 0 || strcmp(e->name, name) != 0 || e->state == JOURNAL_REMOVED)
        return WEIR_END;
    *out = *e;
    return OK;
}

/* Opening and writing a journal; see journal.h, and journal_schema.h for what is in the file.
 *
 * A file that is refused must stay as it is. So an existing one is looked at first: its head
 * without SQLite, the rest by a connection that cannot write, and only then is it opened for work.
 */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_db.h"
#include "journal/journal_index.h"
#include "journal/journal_lock.h"
#include "journal/journal_lookup.h"
#include "journal/journal_row.h"
#include "journal/journal_schema.h"

/* The structure of larger files is not gone through at every start (a second for a million rows);
 * what is damaged there is found when it is met. */
#define CHECKED_MAX ((int64_t)16 << 20)

struct journal {
    char *shown; /* path as it was given, for messages */
    char *path;  /* without links */
    struct journal_lock lock;
    struct journal_lookup *lookup; /* the feeder's */
    /* the commit thread's */
    sqlite3 *db;
    sqlite3_stmt *begin, *insert, *commit;
    struct journal_index *index;
    struct strbuf scratch;
    bool in_transaction;
    error broken; /* status OK = it is not */
};

/* ---- opening ---- */

/* The journal's path without links; it need not exist, but its folder must. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    if (real || errno != ENOENT)
        return real;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *real_folder = folder ? realpath(folder, NULL) : NULL;
    free(folder);
    if (!real_folder)
        return NULL;
    size_t size = strlen(real_folder) + 1 + strlen(name) + 1;
    real = malloc(size);
    if (real) {
        bool root = strcmp(real_folder, "/") == 0;
        size_t n = root ? 0 : strlen(real_folder);
        memcpy(real, real_folder, n);
        real[n] = '/';
        memcpy(real + n + 1, name, strlen(name) + 1);
    }
    free(real_folder);
    return real;
}

static status check_directory(sqlite3 *db, const char *dir, const char *shown, error *err)
{
    char *was = NULL;
    status st = db_about(db, "directory", &was, shown, err);
    if (!st && strcmp(was, dir) != 0)
        st = fail(err, WEIR_CONFIG,
                  "%s: this is the journal of %s, and this run saves to %s; name another journal, "
                  "or that directory",
                  shown, *was ? was : "a run that saved no files", *dir ? dir : "no files");
    free(was);
    return st;
}

/* Nobody writes meanwhile: we have the lock. Where a killed run has left a log, the file cannot be
 * read without it; closing leaves both as they are. */
static status check_made(const struct journal *j, const char *dir, error *err)
{
    sqlite3 *db = NULL;
    bool log = db_has_log(j->path);
    status st = db_open(&db, j->path, j->shown, log ? DB_READ : DB_FROZEN, err);
    if (st)
        return st;
    if (log)
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    st = db_check_sound(db, CHECKED_MAX, j->shown, err);
    if (!st)
        st = check_directory(db, dir, j->shown, err);
    db_close(db);
    return st;
}

/* In one transaction, and not yet in WAL mode: the head says what the file is from the first byte
 * that it has. */
static status make(const struct journal *j, const char *dir, error *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *about = NULL;
    int fd = open(j->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return fail_errno(err, WEIR_DISK, errno, "%s: the journal cannot be made", j->shown);
    if (fd >= 0)
        close(fd);
    else if (chmod(j->path, 0600) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: the journal cannot be made", j->shown);
    status st = db_open(&db, j->path, j->shown, DB_WRITE, err);
    if (st)
        return st;
    st = db_run(db, "BEGIN IMMEDIATE;" JOURNAL_SCHEMA, j->shown, err);
    if (!st)
        st = db_prepare(&about, db,
                        "INSERT INTO about(key, value) VALUES('directory', ?), ('made_by', ?)",
                        j->shown, err);
    if (!st) {
        sqlite3_bind_text(about, 1, dir, -1, SQLITE_STATIC);
        sqlite3_bind_text(about, 2, "weir " WEIR_VERSION, -1, SQLITE_STATIC);
        sqlite3_step(about);
        int rc = sqlite3_reset(about);
        st = rc ? db_fail(db, rc, j->shown, err) : db_run(db, "COMMIT", j->shown, err);
    }
    sqlite3_finalize(about);
    db_close(db);
    return st;
}

static status use_log(struct journal *j, error *err)
{
    sqlite3_stmt *stmt = NULL;
    status st = db_prepare(&stmt, j->db, "PRAGMA journal_mode = WAL", j->shown, err);
    if (st)
        return st;
    int rc = sqlite3_step(stmt);
    const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (rc != SQLITE_ROW)
        st = db_fail(j->db, rc, j->shown, err);
    else if (!mode || strcmp(mode, "wal") != 0)
        st = fail(err, WEIR_CONFIG,
                  "%s: the file system cannot hold a journal (no shared memory); put it on a local "
                  "disk",
                  j->shown);
    sqlite3_finalize(stmt);
    return st;
}

static status open_for_work(struct journal *j, error *err)
{
    status st = db_open(&j->db, j->path, j->shown, DB_WRITE, err);
    if (!st && chmod(j->path, 0600) < 0)
        st = fail_errno(err, WEIR_DISK, errno, "%s: the journal is not ours to write", j->shown);
    if (!st)
        st = use_log(j, err);
    if (!st)
        st = db_run(j->db, "PRAGMA wal_autocheckpoint = 2000", j->shown, err);
    if (!st)
        st = index_open(&j->index, j->db, j->shown, err);
    if (!st)
        st = db_prepare(&j->begin, j->db, "BEGIN IMMEDIATE", j->shown, err);
    if (!st)
        st = db_prepare(&j->commit, j->db, "COMMIT", j->shown, err);
    if (!st)
        st = db_prepare(&j->insert, j->db,
                        "INSERT INTO record(key, " JOURNAL_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, "
                        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        j->shown, err);
    return st ? st : lookup_open(&j->lookup, j->path, j->shown, err);
}

static status check_head(const struct journal *j, bool *made, error *err)
{
    struct stat there;
    *made = false;
    return lstat(j->path, &there) == 0 ? db_check_head(j->path, j->shown, made, err) : OK;
}

/* Was the power cut while the file was being made? Then SQLite's rollback journal stands beside it,
 * and says that the file had no page before (SQLite, "Database File Format", section 3). */
static bool was_being_made(const struct journal *j)
{
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    unsigned char head[20] = {0};
    struct strbuf name = {0};
    strbuf_addf(&name, "%s-journal", j->path);
    int fd = name.failed ? -1 : open(name.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    strbuf_free(&name);
    if (fd < 0)
        return false;
    bool whole = read(fd, head, sizeof head) == (ssize_t)sizeof head;
    close(fd);
    return whole && memcmp(head, magic, sizeof magic) == 0 && !memcmp(head + 16, "\0\0\0\0", 4);
}

/* Takes back what was written of it: the first read does. */
static status take_back(const struct journal *j, error *err)
{
    sqlite3 *db = NULL;
    int64_t tables;
    status st = db_open(&db, j->path, j->shown, DB_WRITE, err);
    if (!st)
        st = db_number(db, "SELECT count(*) FROM sqlite_schema", 0, &tables, j->shown, err);
    db_close(db);
    return st;
}

/* With the lock held. */
static status open_file(struct journal *j, const char *dir, error *err)
{
    bool made;
    status st = was_being_made(j) ? take_back(j, err) : OK;
    if (!st)
        st = check_head(j, &made, err);
    if (!st)
        st = made ? check_made(j, dir, err) : make(j, dir, err);
    return st ? st : open_for_work(j, err);
}

status journal_open(struct journal **out, const char *path, const char *dir, error *err)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", path);
    j->lock.fd = -1;
    j->shown = strdup(path);
    j->path = resolve(path);
    int sys_errno = errno;
    status st = OK;
    if (!j->shown || (!j->path && sys_errno == ENOMEM))
        st = fail(err, WEIR_NOMEM, "%s: out of memory for the journal", path);
    else if (!j->path)
        st = fail_errno(err, WEIR_DISK, sys_errno, "%s: the journal cannot be opened", path);
    /* What is no journal gets no lock file beside it. */
    bool made;
    if (!st)
        st = check_head(j, &made, err);
    if (!st)
        st = journal_lock_take(&j->lock, j->path, j->shown, err);
    if (!st)
        st = open_file(j, dir, err);
    if (st) {
        journal_close(j);
        return st;
    }
    *out = j;
    return OK;
}

/* ---- work ---- */

status journal_find(struct journal *j, const char *url, const char *name, struct journal_entry *out,
                    error *err)
{
    return lookup_find(j->lookup, url, name, out, err);
}

static status say_broken(const struct journal *j, error *err)
{
    if (err)
        *err = j->broken;
    return j->broken.status;
}

/* What the transaction held is gone, and the keys that waited with it: nothing more is written. */
static status stop(struct journal *j, status st, const error *why, error *err)
{
    j->broken = *why;
    j->broken.status = st;
    if (!sqlite3_get_autocommit(j->db))
        db_run(j->db, "ROLLBACK", j->shown, NULL);
    j->in_transaction = false;
    return say_broken(j, err);
}

static int run(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    return sqlite3_reset(stmt);
}

static status put(struct journal *j, const struct journal_entry *e, error *err)
{
    int64_t key;
    int rc = SQLITE_OK;
    if (!journal_key(&j->scratch, e->url, e->name, &key))
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", j->shown);
    if (!j->in_transaction)
        rc = run(j->begin);
    if (rc)
        return db_fail(j->db, rc, j->shown, err);
    j->in_transaction = true;
    rc = sqlite3_bind_int64(j->insert, 1, key) | journal_row_bind(j->insert, 2, e);
    if (!rc)
        rc = run(j->insert);
    if (rc)
        return db_fail(j->db, rc, j->shown, err);
    return index_add(j->index, key, sqlite3_last_insert_rowid(j->db), err);
}

status journal_put(struct journal *j, const struct journal_entry *e, error *err)
{
    error why;
    if (j->broken.status)
        return say_broken(j, err);
    status st = put(j, e, &why);
    return st ? stop(j, st, &why, err) : OK;
}

status journal_commit(struct journal *j, error *err)
{
    error why;
    if (j->broken.status)
        return say_broken(j, err);
    if (!j->in_transaction)
        return OK;
    int rc = run(j->commit);
    if (rc)
        return stop(j, db_fail(j->db, rc, j->shown, &why), &why, err);
    j->in_transaction = false;
    return OK;
}

/* The keys that wait still: the next run would do it, but readers have less to look through. */
static void merge_rest(struct journal *j)
{
    if (db_run(j->db, "BEGIN IMMEDIATE", j->shown, NULL))
        return;
    bool merged = index_merge(j->index, NULL) == OK;
    db_run(j->db, merged ? "COMMIT" : "ROLLBACK", j->shown, NULL);
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    lookup_close(j->lookup);
    if (j->in_transaction)
        db_run(j->db, "ROLLBACK", j->shown, NULL);
    else if (j->index && j->insert && !j->broken.status)
        merge_rest(j);
    index_close(j->index);
    sqlite3_finalize(j->begin);
    sqlite3_finalize(j->insert);
    sqlite3_finalize(j->commit);
    db_close(j->db);
    journal_lock_release(&j->lock);
    strbuf_free(&j->scratch);
    free(j->shown);
    free(j->path);
    free(j);
}

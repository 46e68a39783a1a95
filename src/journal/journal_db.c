/* Connections to a journal's file; see journal_db.h.
 *
 * Descriptors of the file itself are SQLite's alone: its locks are POSIX ones, and a process loses
 * those when it closes any descriptor of the file. So even the first bytes are read by its VFS.
 */
#include "journal/journal_db.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "journal/journal_schema.h"

#define BUSY_MS 10000
#define HEAD_SIZE 100 /* of a database file: https://sqlite.org/fileformat2.html section 1.3 */

/* ---- errors ---- */

status db_damaged(const char *path, const char *how, error *err)
{
    return fail(err, WEIR_CONFIG,
                "%s: the journal is damaged (%s); name another file, or put back a copy: without a "
                "journal, what is on disk is judged by itself",
                path, how);
}

/* 0, or why the file cannot be read any more. Pages that a dying disk gave no bytes for look like
 * damage to SQLite. */
static int trouble_of_disk(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == EIO || errno == EROFS || errno == ENODEV || errno == ENXIO ? errno : 0;
    int sys_errno = pread(fd, &byte, 1, 0) < 0 || fsync(fd) < 0 ? errno : 0;
    close(fd);
    return sys_errno;
}

status db_fail(sqlite3 *db, int rc, const char *path, error *err)
{
    int sys_errno = db ? sqlite3_system_errno(db) : 0;
    const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        if ((sys_errno = trouble_of_disk(path)))
            return fail_errno(err, WEIR_DISK, sys_errno, "%s: the journal cannot be read", path);
        return db_damaged(path, text, err);
    case SQLITE_NOMEM:
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(err, WEIR_CONFIG,
                    "%s: another program keeps the journal locked; wait for it, or name another "
                    "file",
                    path);
    case SQLITE_FULL:
        return fail_errno(err, WEIR_DISK, ENOSPC, "%s: the journal cannot be written", path);
    default:
        if (sys_errno)
            return fail_errno(err, WEIR_DISK, sys_errno, "%s: the journal: %s", path, text);
        return fail(err, WEIR_DISK, "%s: the journal: %s", path, text);
    }
}

/* ---- connections ---- */

/* A file: URI; whatever a name may hold that means something there is escaped. */
static bool add_uri(struct strbuf *uri, const char *path)
{
    strbuf_adds(uri, "file:");
    for (const char *p = path; *p; p++) {
        if (isalnum((unsigned char)*p) || strchr("/._-", *p))
            strbuf_addc(uri, *p);
        else
            strbuf_addf(uri, "%%%02X", (unsigned char)*p);
    }
    strbuf_adds(uri, "?immutable=1");
    return !uri->failed;
}

static int open_connection(sqlite3 **db, const char *path, enum db_access access)
{
    const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (access != DB_FROZEN)
        return sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | common, NULL);
    struct strbuf uri = {0};
    int rc = SQLITE_NOMEM;
    if (add_uri(&uri, path))
        rc = sqlite3_open_v2(uri.p, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | common, NULL);
    strbuf_free(&uri);
    return rc;
}

/* The caches are small: rows are written at the end of the file, and read along it. */
static status set_up(sqlite3 *db, const char *path, enum db_access access, error *err)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    status st = db_run(db, "PRAGMA cache_size = -1024", path, err);
    if (!st)
        st = db_run(db, access == DB_WRITE ? "PRAGMA synchronous = FULL" : "PRAGMA query_only = 1",
                    path, err);
    return st;
}

status db_open(sqlite3 **out, const char *path, const char *shown, enum db_access access,
               error *err)
{
    sqlite3 *db = NULL;
    int rc = open_connection(&db, path, access);
    status st = rc ? db_fail(db, rc, shown, err) : set_up(db, shown, access, err);
    if (st) {
        db_close(db);
        return st;
    }
    *out = db;
    return OK;
}

void db_close(sqlite3 *db)
{
    sqlite3_close(db);
}

status db_run(sqlite3 *db, const char *sql, const char *path, error *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc ? db_fail(db, rc, path, err) : OK;
}

status db_prepare(sqlite3_stmt **out, sqlite3 *db, const char *sql, const char *path, error *err)
{
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return rc ? db_fail(db, rc, path, err) : OK;
}

status db_number(sqlite3 *db, const char *sql, int64_t absent, int64_t *out, const char *path,
                 error *err)
{
    sqlite3_stmt *stmt = NULL;
    status st = db_prepare(&stmt, db, sql, path, err);
    if (st)
        return st;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else if (rc == SQLITE_DONE)
        *out = absent;
    else
        st = db_fail(db, rc, path, err);
    sqlite3_finalize(stmt);
    return st;
}

/* ---- checks ---- */

bool db_has_log(const char *path)
{
    struct strbuf name = {0};
    strbuf_addf(&name, "%s-wal", path);
    bool has = !name.failed && access(name.p, F_OK) == 0;
    strbuf_free(&name);
    return has;
}

/* The first bytes, what is missing as zeros. */
static int read_head(const char *path, unsigned char head[HEAD_SIZE])
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_file *file = vfs ? calloc(1, (size_t)vfs->szOsFile) : NULL;
    const char *name = file ? sqlite3_create_filename(path, "", "", 0, NULL) : NULL;
    int rc = SQLITE_NOMEM;
    if (name) {
        rc = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, NULL);
        if (!rc)
            rc = file->pMethods->xRead(file, head, HEAD_SIZE, 0);
        if (file->pMethods)
            file->pMethods->xClose(file);
        sqlite3_free_filename((char *)(uintptr_t)name);
    }
    free(file);
    return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc;
}

static uint32_t head_number(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A database that SQLite was making when the machine stopped: its first page has not arrived, and
 * the way back to an empty file lies beside it. */
static bool was_being_made(const char *path, const unsigned char head[HEAD_SIZE])
{
    static const unsigned char nothing[HEAD_SIZE] = {0};
    struct strbuf name = {0};
    struct stat st;
    strbuf_addf(&name, "%s-journal", path);
    bool was = memcmp(head, nothing, HEAD_SIZE) == 0 && !name.failed && stat(name.p, &st) == 0 &&
               st.st_size > 0;
    strbuf_free(&name);
    return was;
}

status db_check_head(const char *path, const char *shown, bool *made, error *err)
{
    static const char magic[16] = "SQLite format 3";
    unsigned char head[HEAD_SIZE] = {0};
    struct stat st;
    if (stat(path, &st) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: the journal cannot be opened", shown);
    if (!S_ISREG(st.st_mode))
        return fail(err, WEIR_CONFIG,
                    "%s: is no regular file, and so no journal; name another file", shown);
    *made = st.st_size > 0;
    if (!*made)
        return OK;
    if (access(path, R_OK) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: the journal cannot be read", shown);
    int rc = read_head(path, head);
    if (rc)
        return db_fail(NULL, rc, shown, err);
    bool is_database = memcmp(head, magic, sizeof magic) == 0;
    if (was_being_made(path, head)) {
        *made = false;
        return OK;
    }
    uint32_t version = head_number(head + 60);
    off_t page_size = (off_t)(head_number(head + 16) >> 16); /* 1 stands for 65536 */
    if (!is_database || head_number(head + 68) != JOURNAL_APPLICATION_ID)
        return fail(err, WEIR_CONFIG,
                    "%s: is no journal of weir (%s), so it is left alone; name another file", shown,
                    is_database ? "but a database of another program" : "and no SQLite file");
    if (version != JOURNAL_FORMAT)
        return fail(err, WEIR_CONFIG,
                    "%s: the journal is of format %" PRIu32 ", and this weir knows format %d; use "
                    "the version that made it, or name another file",
                    shown, version, JOURNAL_FORMAT);
    /* SQLite would take what is missing of the last page for zeros. */
    if (!db_has_log(path) && (page_size < 512 || st.st_size % page_size))
        return db_damaged(shown, "it has been cut short", err);
    return OK;
}

status db_check_sound(sqlite3 *db, int64_t most, const char *path, error *err)
{
    int64_t pages, page_size;
    status st = db_number(db, "PRAGMA page_count", 0, &pages, path, err);
    if (!st)
        st = db_number(db, "PRAGMA page_size", 0, &page_size, path, err);
    if (st || pages * page_size > most)
        return st;
    sqlite3_stmt *stmt = NULL;
    st = db_prepare(&stmt, db, "PRAGMA quick_check(1)", path, err);
    if (st)
        return st;
    int rc = sqlite3_step(stmt);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (rc != SQLITE_ROW)
        st = db_fail(db, rc, path, err);
    else if (!text || strcmp(text, "ok") != 0)
        st = db_damaged(path, text ? text : "it cannot be checked", err);
    sqlite3_finalize(stmt);
    return st;
}

status db_about(sqlite3 *db, const char *what, char **out, const char *path, error *err)
{
    sqlite3_stmt *stmt = NULL;
    status st = db_prepare(&stmt, db, "SELECT value FROM about WHERE key = ?", path, err);
    if (st)
        return st;
    sqlite3_bind_text(stmt, 1, what, -1, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        st = db_fail(db, rc, path, err);
    else if (!text)
        st = db_damaged(path, "it does not say what it is about", err);
    else if (!(*out = strdup(text)))
        st = fail(err, WEIR_NOMEM, "%s: out of memory for the journal", path);
    sqlite3_finalize(stmt);
    return st;
}

/* Rows of a journal that somebody else has written: any type and any bytes in any column.
 *
 * The input is cut at byte 0xff into columns; the first byte of each says its type. A row that is
 * taken has the shape that its readers rely on: texts, and lists that end where they say.
 */
#include <sqlite3.h>
#include <stdlib.h>

#include "core/checksum.h"
#include "journal/journal_row.h"
#include "journal/journal_schema.h"
#include "fuzz_must.h"

/* NAME NUL NAME NUL ... and one more NUL, in groups of `group`. */
static void check_list(struct span list, size_t group)
{
    if (!list.n)
        return;
    const char *p = list.p, *end = list.p + list.n;
    size_t n = 0;
    while (p < end && *p) {
        for (size_t i = 0; i < group; i++) {
            size_t length = strnlen(p, (size_t)(end - p));
            must(length < (size_t)(end - p));
            p += length + 1;
        }
        n++;
    }
    must(n > 0 && p + 1 == end);
}

static void check(const struct journal_entry *e)
{
    must(e->url && e->name && journal_state_name(e->state));
    must(e->failed_as >= OK && e->failed_as < WEIR_STATUS_COUNT);
    check_list(e->mirrors, 1);
    check_list(e->extra, 2);
    must(!e->digests.n || e->digests.p[e->digests.n - 1] == '\0');
    struct checksum c;
    const char *at = e->digests.n ? e->digests.p : NULL;
    while (checksum_list_next(&at, &c))
        must(at <= e->digests.p + e->digests.n);
}

static void bind(sqlite3_stmt *stmt, int i, const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1); /* of its exact size */
    if (n > 1)
        memcpy(copy, p + 1, n - 1);
    switch (n ? p[0] & 3 : 3) {
    case 0:
        sqlite3_bind_text(stmt, i, copy, (int)n - 1, SQLITE_TRANSIENT);
        break;
    case 1:
        sqlite3_bind_blob(stmt, i, copy, (int)n - 1, SQLITE_TRANSIENT);
        break;
    case 2:
        sqlite3_bind_int64(stmt, i, n > 8 ? INT64_MIN : (sqlite3_int64)n * p[n - 1]);
        break;
    default:
        sqlite3_bind_null(stmt, i);
        break;
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3 *db;
    static sqlite3_stmt *stmt;
    if (!db) {
        const char *select = "SELECT ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?";
        must(sqlite3_open(":memory:", &db) == SQLITE_OK);
        must(sqlite3_prepare_v2(db, select, -1, &stmt, NULL) == SQLITE_OK);
        must(sqlite3_column_count(stmt) == JOURNAL_COLUMN_COUNT);
    }
    const char *p = (const char *)data, *end = p + size;
    for (int i = 1; i <= JOURNAL_COLUMN_COUNT; i++) {
        const char *cut = p < end ? memchr(p, 0xff, (size_t)(end - p)) : NULL;
        bind(stmt, i, p, (size_t)((cut ? cut : end) - p));
        p = cut ? cut + 1 : end;
    }
    must(sqlite3_step(stmt) == SQLITE_ROW);
    bool sound;
    struct journal_entry *e = journal_row_read(stmt, 0, &sound);
    must(!e == !sound);
    if (e)
        check(e);
    free(e);
    sqlite3_reset(stmt);
    return 0;
}

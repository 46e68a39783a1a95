/* Rows to and from SQLite; see journal_row.h. States and classes stand in the file as words, for
 * people who look at it with other programs.
 */
#include "journal/journal_row.h"

#include <stdlib.h>

static const char *const state_names[] = {
    [JOURNAL_REPLACING] = "replacing",
    [JOURNAL_DONE] = "done",
    [JOURNAL_FAILED] = "failed",
    [JOURNAL_REMOVED] = "removed",
};

enum {
    URL,
    NAME,
    STATE,
    PATH,
    DIGEST,
    ORIGIN_URL,
    ETAG,
    LAST_MODIFIED,
    DATE,
    SIZE,
    BYTES,
    ATTEMPTS,
    FAILED_AS,
    HTTP_STATUS,
    ENDED_MS,
    DURATION_MS,
    LINE,
    ID,
    WANTED_SIZE,
    MIRRORS,
    DIGESTS,
    EXTRA
};

void journal_entry_init(struct journal_entry *e)
{
    *e = (struct journal_entry){.url = "", .name = "", .state = JOURNAL_DONE, .wanted_size = -1};
    provenance_init(&e->origin);
}

bool journal_key(struct strbuf *scratch, const char *url, const char *name, int64_t *out)
{
    strbuf_clear(scratch);
    strbuf_add(scratch, url, strlen(url) + 1);
    strbuf_adds(scratch, name);
    if (scratch->failed)
        return false;
    *out = (int64_t)hash64(scratch->p, scratch->n);
    return true;
}

/* ---- writing ---- */

static int bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
    return text ? sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC) : sqlite3_bind_null(stmt, i);
}

static int bind_bytes(sqlite3_stmt *stmt, int i, struct span bytes)
{
    return bytes.n ? sqlite3_bind_blob64(stmt, i, bytes.p, bytes.n, SQLITE_STATIC)
                   : sqlite3_bind_null(stmt, i);
}

static int bind_size(sqlite3_stmt *stmt, int i, int64_t size)
{
    return size >= 0 ? sqlite3_bind_int64(stmt, i, size) : sqlite3_bind_null(stmt, i);
}

int journal_row_bind(sqlite3_stmt *stmt, int first, const struct journal_entry *e)
{
    const struct provenance *o = &e->origin;
    bool elsewhere = o->url && strcmp(o->url, e->url) != 0;
    const char *failed_as = e->state == JOURNAL_FAILED ? weir_status_name(e->failed_as) : NULL;
    int rc = bind_text(stmt, first + URL, e->url);
    rc |= bind_text(stmt, first + NAME, e->name);
    rc |= bind_text(stmt, first + STATE, state_names[e->state]);
    rc |= bind_text(stmt, first + PATH, e->path);
    rc |= bind_text(stmt, first + DIGEST, e->digest);
    rc |= bind_text(stmt, first + ORIGIN_URL, elsewhere ? o->url : NULL);
    rc |= bind_text(stmt, first + ETAG, o->etag);
    rc |= bind_text(stmt, first + LAST_MODIFIED, o->last_modified);
    rc |= bind_text(stmt, first + DATE, o->date);
    rc |= bind_size(stmt, first + SIZE, o->size);
    rc |= sqlite3_bind_int64(stmt, first + BYTES, e->bytes);
    rc |= sqlite3_bind_int64(stmt, first + ATTEMPTS, e->attempts);
    rc |= bind_text(stmt, first + FAILED_AS, failed_as);
    rc |= sqlite3_bind_int(stmt, first + HTTP_STATUS, e->http_status);
    rc |= sqlite3_bind_int64(stmt, first + ENDED_MS, e->ended_ms);
    rc |= sqlite3_bind_int64(stmt, first + DURATION_MS, e->duration_ms);
    rc |= sqlite3_bind_int64(stmt, first + LINE, (int64_t)e->line);
    rc |= bind_text(stmt, first + ID, e->id);
    rc |= bind_size(stmt, first + WANTED_SIZE, e->wanted_size);
    rc |= bind_bytes(stmt, first + MIRRORS, e->mirrors);
    rc |= bind_bytes(stmt, first + DIGESTS, e->digests);
    rc |= bind_bytes(stmt, first + EXTRA, e->extra);
    return rc;
}

/* ---- reading ---- */

/* A statement that stands on a row, and the room behind the entry that is being filled. */
struct row {
    sqlite3_stmt *stmt;
    int first;
    char *room;
};

/* A copy that ends in NUL; NULL for a column that is NULL. */
static char *take_text(struct row *row, int column)
{
    const void *text = sqlite3_column_blob(row->stmt, row->first + column);
    size_t n = (size_t)sqlite3_column_bytes(row->stmt, row->first + column);
    if (sqlite3_column_type(row->stmt, row->first + column) == SQLITE_NULL)
        return NULL;
    char *copy = row->room;
    if (n)
        memcpy(copy, text, n);
    copy[n] = '\0';
    row->room += n + 1;
    return copy;
}

static struct span take_bytes(struct row *row, int column)
{
    size_t n = (size_t)sqlite3_column_bytes(row->stmt, row->first + column);
    const char *p = take_text(row, column);
    return (struct span){p, p ? n : 0};
}

static int64_t take_number(const struct row *row, int column, int64_t absent)
{
    if (sqlite3_column_type(row->stmt, row->first + column) == SQLITE_NULL)
        return absent;
    return sqlite3_column_int64(row->stmt, row->first + column);
}

const char *journal_state_name(enum journal_state state)
{
    return state_names[state];
}

bool journal_state_named(const char *word, enum journal_state *out)
{
    for (size_t i = 0; word && i < sizeof state_names / sizeof *state_names; i++) {
        if (strcmp(word, state_names[i]) == 0) {
            *out = (enum journal_state)i;
            return true;
        }
    }
    return false;
}

bool journal_class_named(const char *word, status *out)
{
    for (int i = 0; word && i < WEIR_STATUS_COUNT; i++) {
        if (strcmp(word, weir_status_name((status)i)) == 0) {
            *out = (status)i;
            return true;
        }
    }
    return false;
}

/* Is it what its readers walk through, TEXT NUL TEXT NUL ... in groups, ended by one more NUL?
 * Somebody else may have written to the file. */
static bool is_list(struct span s, size_t group)
{
    size_t texts = 0;
    if (s.n == 0)
        return true;
    if (s.n < 2 || s.p[s.n - 1] != '\0' || s.p[s.n - 2] != '\0')
        return false;
    for (const char *p = s.p, *end = s.p + s.n - 1; p < end; p += strlen(p) + 1, texts++)
        if (!*p && texts % group == 0)
            return false; /* ended before its end */
    return texts > 0 && texts % group == 0;
}

static bool fill(struct journal_entry *e, struct row *row)
{
    e->url = take_text(row, URL);
    e->name = take_text(row, NAME);
    bool sound = journal_state_named(take_text(row, STATE), &e->state) && e->url && e->name;
    e->path = take_text(row, PATH);
    e->digest = take_text(row, DIGEST);
    e->origin.url = take_text(row, ORIGIN_URL);
    e->origin.etag = take_text(row, ETAG);
    e->origin.last_modified = take_text(row, LAST_MODIFIED);
    e->origin.date = take_text(row, DATE);
    e->origin.size = take_number(row, SIZE, -1);
    e->bytes = take_number(row, BYTES, 0);
    e->attempts = (uint32_t)take_number(row, ATTEMPTS, 0);
    const char *failed_as = take_text(row, FAILED_AS);
    sound = (!failed_as || journal_class_named(failed_as, &e->failed_as)) && sound;
    e->http_status = (int)take_number(row, HTTP_STATUS, 0);
    e->ended_ms = take_number(row, ENDED_MS, 0);
    e->duration_ms = take_number(row, DURATION_MS, 0);
    e->line = (uint64_t)take_number(row, LINE, 0);
    e->id = take_text(row, ID);
    e->wanted_size = take_number(row, WANTED_SIZE, -1);
    e->mirrors = take_bytes(row, MIRRORS);
    e->digests = take_bytes(row, DIGESTS);
    e->extra = take_bytes(row, EXTRA);
    return sound && is_list(e->mirrors, 1) && is_list(e->extra, 2) &&
           (!e->digests.n || e->digests.p[e->digests.n - 1] == '\0');
}

/* The column's bytes are asked for as take_text will do it: a number that stands where a text
 * belongs would grow when it is turned into one. */
struct journal_entry *journal_row_read(sqlite3_stmt *stmt, int first, bool *sound)
{
    size_t texts = 0;
    for (int i = 0; i <= EXTRA; i++) {
        if (i >= SIZE && i <= LINE && i != FAILED_AS)
            continue;
        sqlite3_column_blob(stmt, first + i);
        texts += (size_t)sqlite3_column_bytes(stmt, first + i) + 1;
    }
    *sound = true;
    struct journal_entry *e = malloc(sizeof *e + texts);
    if (!e)
        return NULL;
    struct row row = {.stmt = stmt, .first = first, .room = (char *)(e + 1)};
    journal_entry_init(e);
    if (!fill(e, &row)) {
        free(e);
        *sound = false;
        return NULL;
    }
    return e;
}

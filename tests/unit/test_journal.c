/* The journal: what was committed is found, by whatever the run was ended; and what it refuses
 * stays as it is. */
#include "journal_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "journal/journal_schema.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- what is put is found ---- */

static void assert_same_text(const char *a, const char *b)
{
    assert_int_equal(!a, !b);
    if (a)
        assert_string_equal(a, b);
}

static void assert_same_bytes(struct span a, struct span b)
{
    assert_int_equal(a.n, b.n);
    if (a.n)
        assert_memory_equal(a.p, b.p, a.n);
}

static void assert_comes_back(const struct folder *f, const struct journal_entry *e)
{
    struct journal_entry got;
    error err;
    struct journal *j = open_journal(f);
    put_entry(j, *e);
    commit(j);
    journal_close(j);
    j = open_journal(f);
    assert_int_equal(journal_find(j, e->url, e->name, &got, &err), OK);
    assert_string_equal(got.url, e->url);
    assert_string_equal(got.name, e->name);
    assert_int_equal(got.state, e->state);
    assert_same_text(got.path, e->path);
    assert_same_text(got.digest, e->digest);
    assert_same_text(got.origin.url, e->origin.url);
    assert_same_text(got.origin.etag, e->origin.etag);
    assert_same_text(got.origin.last_modified, e->origin.last_modified);
    assert_same_text(got.origin.date, e->origin.date);
    assert_int_equal(got.origin.size, e->origin.size);
    assert_int_equal(got.bytes, e->bytes);
    assert_int_equal(got.attempts, e->attempts);
    assert_int_equal(got.failed_as, e->failed_as);
    assert_int_equal(got.http_status, e->http_status);
    assert_int_equal(got.ended_ms, e->ended_ms);
    assert_int_equal(got.duration_ms, e->duration_ms);
    assert_int_equal(got.line, e->line);
    assert_same_text(got.id, e->id);
    assert_int_equal(got.wanted_size, e->wanted_size);
    assert_same_bytes(got.mirrors, e->mirrors);
    assert_same_bytes(got.digests, e->digests);
    assert_same_bytes(got.extra, e->extra);
    journal_close(j);
}

static void all_of_a_record_comes_back(void **state)
{
    struct journal_entry e;
    journal_entry_init(&e);
    e.url = "https://user:secret@h/a?b=c";
    e.name = "dir/n\xc3\xa4me\xff";
    e.state = JOURNAL_FAILED;
    e.path = "dir/n";
    e.digest = "sha256=00ff";
    e.origin = (struct provenance){.url = "https://other/a",
                                   .etag = "\"x\\\xe9\"",
                                   .last_modified = "Sun, 06 Nov 1994 08:49:37 GMT",
                                   .date = "Sun, 06 Nov 1994 08:50:37 GMT",
                                   .size = INT64_MAX};
    e.bytes = 1LL << 40;
    e.attempts = 6;
    e.failed_as = WEIR_RATE_LIMITED;
    e.http_status = 429;
    e.ended_ms = 1700000000123;
    e.duration_ms = 4711;
    e.line = 1000001;
    e.id = "";
    e.wanted_size = 0;
    e.mirrors = (struct span){"http://m/1\0http://m/2\0", 23};
    e.digests = (struct span){"md5=00\0", 8};
    e.extra = (struct span){"column\0\0", 9};
    assert_comes_back(*state, &e);
}

static void bare_record_comes_back(void **state)
{
    struct journal_entry e;
    journal_entry_init(&e);
    e.url = "http://h/";
    assert_comes_back(*state, &e);
    assert_int_equal(e.origin.size, -1);
    assert_int_equal(e.wanted_size, -1);
}

static void unknown_records_are_not_found(void **state)
{
    struct journal *j = open_journal(*state);
    struct journal_entry got;
    error err;
    assert_known(j, 0, 10, false);
    put_done(j, 0, 10);
    journal_close(j);
    j = open_journal(*state);
    assert_known(j, 0, 10, true);
    assert_known(j, 10, 20, false);
    assert_int_equal(journal_find(j, entry_of(3).url, "other", &got, &err), WEIR_END);
    journal_close(j);
}

static void name_is_part_of_the_key(void **state)
{
    const char *const names[] = {"", "a", "b"};
    struct journal *j = open_journal(*state);
    for (int i = 0; i < 3; i++) {
        struct journal_entry e = entry_of(1);
        e.name = names[i];
        e.bytes = 100 + i;
        put_entry(j, e);
    }
    commit(j);
    journal_close(j);
    j = open_journal(*state);
    for (int i = 0; i < 3; i++) {
        struct journal_entry got;
        error err;
        assert_int_equal(journal_find(j, entry_of(1).url, names[i], &got, &err), OK);
        assert_int_equal(got.bytes, 100 + i);
    }
    journal_close(j);
}

static void removed_records_are_unknown(void **state)
{
    struct journal *j = open_journal(*state);
    put_done(j, 0, 3);
    struct journal_entry e = entry_of(1);
    e.state = JOURNAL_REMOVED;
    put_entry(j, e);
    commit(j);
    journal_close(j);
    j = open_journal(*state);
    assert_int_equal(known_bytes(j, 0), 0);
    assert_int_equal(known_bytes(j, 1), -1);
    assert_int_equal(known_bytes(j, 2), 2);
    journal_close(j);
}

static int64_t rows_in(const struct folder *f, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(f->journal, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static void run_sql(const struct folder *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->journal, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* More than wait for the lookup at a time, each put three times, in other orders. */
static void later_state_counts_and_earlier_ones_go(void **state)
{
    enum { N = 30000 };
    struct journal *j = open_journal(*state);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            int k = round == 1 ? N - 1 - i : (int)((int64_t)i * 7919 % N);
            struct journal_entry e = round ? entry_of(k) : failed_entry(k, WEIR_TIMEOUT, 0);
            e.bytes = k + round - 2;
            put_entry(j, e);
            if (i % 256 == 255)
                commit(j);
        }
        commit(j);
    }
    journal_close(j);
    j = open_journal(*state);
    assert_known(j, 0, N, true);
    journal_close(j);
    assert_int_equal(rows_in(*state, "SELECT count(*) FROM record"), N);
    assert_int_equal(rows_in(*state, "SELECT count(*) FROM lookup"), N);
    assert_int_equal(rows_in(*state, "SELECT count(*) FROM lookup JOIN record USING (seq)"
                                     " WHERE lookup.key = record.key"),
                     N);
}

/* Whatever order the feeder asks in, windows or none. */
static void records_are_found_in_any_order(void **state)
{
    enum { N = 5000 };
    const int strides[] = {1, 2, 7, 63, 503, 4999};
    struct journal *j = open_journal(*state);
    put_done(j, 0, N);
    journal_close(j);
    j = open_journal(*state);
    for (size_t s = 0; s < COUNT(strides); s++) {
        for (int i = 0; i < N; i++) {
            int k = (int)((int64_t)i * strides[s] % N);
            assert_int_equal(known_bytes(j, k), k);
            if (i % 97 == 0)
                assert_int_equal(known_bytes(j, N + i), -1);
        }
    }
    journal_close(j);
}

/* ---- how a run ends ---- */

static void what_was_not_committed_is_forgotten(void **state)
{
    struct journal *j = open_journal(*state);
    put_done(j, 0, 100);
    for (int i = 100; i < 200; i++)
        put_entry(j, entry_of(i));
    journal_close(j);
    j = open_journal(*state);
    assert_known(j, 0, 100, true);
    assert_known(j, 100, 200, false);
    put_done(j, 100, 200);
    journal_close(j);
    j = open_journal(*state);
    assert_known(j, 0, 200, true);
    journal_close(j);
}

static void work_and_be_killed(const struct folder *f)
{
    struct journal *j = open_journal(f);
    put_done(j, 0, 20000); /* some in the lookup, some waiting */
    for (int i = 0; i < 500; i++) {
        struct journal_entry e = entry_of(i * 2);
        e.bytes = -7;
        put_entry(j, e);
    }
    put_entry(j, entry_of(20000));
    raise(SIGKILL);
}

static void killed_run_loses_nothing_committed(void **state)
{
    int ended = in_child(work_and_be_killed, *state);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    assert_true(each_file(*state, NULL) > 1); /* its log and its lock are still there */
    struct journal *j = open_journal(*state);
    assert_known(j, 0, 20000, true);
    assert_known(j, 20000, 20010, false);
    put_done(j, 20000, 20100);
    journal_close(j);
    assert_int_equal(each_file(*state, NULL), 1);
    j = open_journal(*state);
    assert_known(j, 0, 20100, true);
    journal_close(j);
}

static void fill_until_no_more_fits(const struct folder *f)
{
    const struct rlimit limit = {1 << 20, 1 << 20};
    struct journal *j = open_journal(f);
    error err, again;
    status st = OK;
    put_done(j, 0, 100);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 100; i < 100000 && !st; i++) {
        struct journal_entry e = entry_of(i);
        st = journal_put(j, &e, &err);
        if (!st && i % 256 == 255)
            st = journal_commit(j, &err);
    }
    struct journal_entry e = entry_of(1);
    bool same = journal_put(j, &e, &again) == st && journal_commit(j, NULL) == st &&
                strcmp(err.message, again.message) == 0;
    journal_close(j);
    _exit(st == WEIR_DISK && strstr(err.message, "j.db") && same ? 0 : 1);
}

static void full_disk_ends_the_work_and_keeps_what_was_committed(void **state)
{
    int ended = in_child(fill_until_no_more_fits, *state);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
    struct journal *j = open_journal(*state);
    assert_known(j, 0, 100, true);
    put_done(j, 100, 300);
    journal_close(j);
    j = open_journal(*state);
    assert_known(j, 0, 300, true);
    journal_close(j);
}

static void one_file_remains_and_only_its_owner_reads_it(void **state)
{
    const struct folder *f = *state;
    struct stat st;
    struct journal *j = open_journal(f);
    put_done(j, 0, 10);
    journal_close(j);
    assert_int_equal(each_file(f, NULL), 1);
    assert_int_equal(stat(f->journal, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    chmod(f->journal, 0644);
    journal_close(open_journal(f));
    assert_int_equal(stat(f->journal, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void empty_file_becomes_a_journal(void **state)
{
    const struct folder *f = *state;
    struct stat st;
    write_bytes(f->journal, "", 0);
    struct journal *j = open_journal(f);
    put_done(j, 0, 10);
    journal_close(j);
    j = open_journal(f);
    assert_known(j, 0, 10, true);
    journal_close(j);
    assert_int_equal(stat(f->journal, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* 100,000 rows, and as many again; SQLite's memory and ours stay where they were. */
/* As a power cut leaves it: the pages of the new file are there, and so is the rollback journal,
 * which says that there were none before. */
static void leave_half_made(const struct folder *f, const char *rollback)
{
    static const unsigned char before[512] = {0xd9, 0xd5, 0x05, 0xf9,     0x20,
                                              0xa1, 0x63, 0xd7, [22] = 2, [26] = 0x10};
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->journal, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  JOURNAL_SCHEMA
                                  "INSERT INTO about(key, value) VALUES('directory', '" DIR_A "')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    write_bytes(rollback, before, sizeof before);
}

static void file_that_was_being_made_is_made_anew(void **state)
{
    const struct folder *f = *state;
    struct stat st;
    char name[100];
    snprintf(name, sizeof name, "%s-journal", f->journal);
    leave_half_made(f, name);
    struct journal_entry e;
    journal_entry_init(&e);
    e.url = "http://example.org/a";
    e.name = "";
    assert_comes_back(f, &e);
    assert_int_equal(stat(name, &st), -1);
}

static void memory_does_not_grow_with_the_rows(void **state)
{
    struct journal *j = open_journal(*state);
    put_done(j, 0, 20000);
    sqlite3_memory_highwater(1);
    put_done(j, 20000, 100000);
    journal_close(j);
    j = open_journal(*state);
    assert_known(j, 0, 100000, true);
    journal_close(j);
    assert_true(sqlite3_memory_highwater(0) < 4000000);
    assert_int_equal(sqlite3_memory_used(), 0);
}

/* ---- two at a time ---- */

static void try_to_write_too(const struct folder *f)
{
    struct journal *j = NULL;
    error err;
    char who[32];
    snprintf(who, sizeof who, "(process %d)", (int)getppid());
    status st = journal_open(&j, f->journal, DIR_A, &err);
    _exit(st == WEIR_CONFIG && !j && strstr(err.message, who) ? 0 : 1);
}

static void second_writer_is_refused_and_told_by_whom(void **state)
{
    const struct folder *f = *state;
    struct journal *j = open_journal(f), *second = NULL;
    char other_way[100];
    error err;
    snprintf(other_way, sizeof other_way, "%s/link", f->path);
    assert_int_equal(symlink(f->journal, other_way), 0);
    assert_int_equal(journal_open(&second, f->journal, DIR_A, &err), WEIR_CONFIG);
    assert_int_equal(journal_open(&second, other_way, DIR_A, &err), WEIR_CONFIG);
    assert_int_equal(WEXITSTATUS(in_child(try_to_write_too, f)), 0);
    put_done(j, 0, 10);
    journal_close(j);
    j = open_journal(f);
    assert_known(j, 0, 10, true);
    journal_close(j);
}

struct feeding {
    struct journal *j;
    atomic_bool end;
    int found;
};

static void *feed(void *arg)
{
    struct feeding *f = arg;
    char url[64];
    for (int i = 0; !atomic_load(&f->end); i = (i + 1) % 2000) {
        struct journal_entry got;
        error err;
        snprintf(url, sizeof url, "http://h%d.example/f/%07d", i % 3, i);
        status st = journal_find(f->j, url, "", &got, &err);
        f->found += st == OK && strcmp(got.url, url) == 0;
        if (st != OK && st != WEIR_END)
            f->found = -1000000;
    }
    return NULL;
}

static void finding_and_putting_go_on_at_once(void **state)
{
    struct journal *j = open_journal(*state);
    put_done(j, 0, 1000);
    journal_close(j);
    struct feeding f = {.j = open_journal(*state)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
    put_done(f.j, 500, 40000);
    atomic_store(&f.end, true);
    pthread_join(thread, NULL);
    assert_true(f.found >= 0);
    journal_close(f.j);
    j = open_journal(*state);
    assert_known(j, 0, 40000, true);
    journal_close(j);
}

/* ---- what is refused ---- */

/* Says `says`, and leaves the folder as it was. */
static void assert_refused(const struct folder *f, const char *dir, status wanted, const char *says)
{
    struct journal *j = NULL;
    error err;
    size_t before_size = 0, after_size = 0;
    int files = each_file(f, NULL);
    char *before = file_bytes(f->journal, &before_size);
    assert_int_equal(journal_open(&j, f->journal, dir, &err), wanted);
    assert_null(j);
    if (!strstr(err.message, says) || !strstr(err.message, f->journal))
        fail_msg("\"%s\" does not say \"%s\"", err.message, says);
    char *after = file_bytes(f->journal, &after_size);
    assert_int_equal(before_size, after_size);
    if (before)
        assert_memory_equal(before, after, before_size);
    assert_int_equal(each_file(f, NULL), files);
    free(before);
    free(after);
}

static void other_directory_is_refused(void **state)
{
    struct journal *j = open_journal(*state);
    put_done(j, 0, 10);
    journal_close(j);
    assert_refused(*state, "/data/other", WEIR_CONFIG,
                   "the journal of " DIR_A ", and this run saves to /data/other");
    assert_refused(*state, "", WEIR_CONFIG, "this run saves to no files");
    j = open_journal(*state);
    assert_known(j, 0, 10, true);
    journal_close(j);
}

/* What is in the log of a killed run is neither lost nor brought over. */
static void other_directory_is_refused_after_a_kill(void **state)
{
    const struct folder *f = *state;
    char log[100];
    size_t before_size, after_size;
    snprintf(log, sizeof log, "%s-wal", f->journal);
    in_child(work_and_be_killed, f);
    char *before = file_bytes(log, &before_size), lock[100];
    snprintf(lock, sizeof lock, "%s-lock", f->journal);
    unlink(lock); /* says nothing */
    assert_non_null(before);
    assert_refused(f, "/data/other", WEIR_CONFIG, "saves to /data/other");
    char *after = file_bytes(log, &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    free(before);
    free(after);
    struct journal *j = open_journal(f);
    assert_known(j, 0, 20000, true);
    journal_close(j);
}

static void files_of_others_are_refused(void **state)
{
    const struct folder *f = *state;
    write_bytes(f->journal, "url\tname\n", 9);
    assert_refused(f, DIR_A, WEIR_CONFIG, "no journal of weir (and no SQLite file)");
    char noise[5000];
    memset(noise, 'x', sizeof noise);
    write_bytes(f->journal, noise, sizeof noise);
    assert_refused(f, DIR_A, WEIR_CONFIG, "no journal of weir");
    memset(noise, 0, sizeof noise);
    write_bytes(f->journal, noise, sizeof noise);
    assert_refused(f, DIR_A, WEIR_CONFIG, "no journal of weir");
    unlink(f->journal);
    run_sql(f, "PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    assert_refused(f, DIR_A, WEIR_CONFIG, "a database of another program");
    assert_int_equal(rows_in(f, "SELECT count(*) FROM t"), 1);
}

static void other_format_version_is_refused(void **state)
{
    journal_close(open_journal(*state));
    run_sql(*state, "PRAGMA user_version = 2");
    assert_refused(*state, DIR_A, WEIR_CONFIG, "is of format 2, and this weir knows format 1");
}

static void what_is_no_file_is_refused(void **state)
{
    struct folder f = *(struct folder *)*state;
    assert_int_equal(mkfifo(f.journal, 0600), 0);
    struct journal *j = NULL;
    error err;
    assert_int_equal(journal_open(&j, f.journal, DIR_A, &err), WEIR_CONFIG);
    assert_non_null(strstr(err.message, "no regular file"));
    assert_int_equal(journal_open(&j, f.path, DIR_A, &err), WEIR_CONFIG);
    assert_non_null(strstr(err.message, "no regular file"));
    snprintf(f.journal, sizeof f.journal, "%s/none/j.db", f.path);
    assert_int_equal(journal_open(&j, f.journal, DIR_A, &err), WEIR_DISK);
    assert_non_null(strstr(err.message, "No such file or directory"));
    assert_null(j);
    assert_int_equal(each_file(&f, NULL), 1);
}

static void truncated_file_is_refused(void **state)
{
    const struct folder *f = *state;
    struct journal *j = open_journal(f);
    size_t size = 0;
    put_done(j, 0, 2000);
    journal_close(j);
    char *whole = file_bytes(f->journal, &size);
    const size_t left[] = {50, 100, 1000, 4095, 4096, 8192, 20000, size / 2, size - 4096, size - 1};
    for (size_t i = 0; i < COUNT(left); i++) {
        write_bytes(f->journal, whole, left[i]);
        assert_refused(f, DIR_A, WEIR_CONFIG, left[i] < 100 ? "no journal" : "is damaged");
    }
    write_bytes(f->journal, whole, size);
    j = open_journal(f);
    assert_known(j, 0, 2000, true);
    journal_close(j);
    free(whole);
}

/* A page of noise, wherever it falls. */
static void damaged_file_is_refused(void **state)
{
    const struct folder *f = *state;
    struct journal *j = open_journal(f);
    size_t size = 0;
    put_done(j, 0, 2000);
    journal_close(j);
    char *whole = file_bytes(f->journal, &size);
    for (size_t page = 1; page < size / 4096; page += 3) {
        char *bytes = malloc(size);
        memcpy(bytes, whole, size);
        for (size_t i = 0; i < 4096; i++)
            bytes[page * 4096 + i] = (char)(i * 2654435761U >> 13);
        write_bytes(f->journal, bytes, size);
        assert_refused(f, DIR_A, WEIR_CONFIG, "is damaged");
        free(bytes);
    }
    free(whole);
}

/* A file too large to be gone through at every start. */
static void damage_that_is_met_later_is_said(void **state)
{
    const struct folder *f = *state;
    struct journal *j = open_journal(f);
    struct stat st;
    for (int i = 0; i < 60000; i++) {
        struct journal_entry e = entry_of(i);
        char id[301];
        memset(id, 'x', 300);
        id[300] = '\0';
        e.id = id;
        put_entry(j, e);
        if (i % 256 == 255)
            commit(j);
    }
    commit(j);
    journal_close(j);
    assert_int_equal(stat(f->journal, &st), 0);
    assert_true(st.st_size > 16 << 20);
    int fd = open(f->journal, O_WRONLY);
    for (off_t at = st.st_size / 8192 * 4096, i = 0; i < 40; i++, at += 4096)
        assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, at), 4);
    close(fd);
    error err;
    j = open_journal(f);
    status found = OK;
    for (int i = 0; i < 60000 && (found == OK || found == WEIR_END); i++) {
        struct journal_entry got;
        found = journal_find(j, entry_of(i).url, "", &got, &err);
    }
    assert_int_equal(found, WEIR_CONFIG);
    assert_non_null(strstr(err.message, "is damaged"));
    journal_close(j);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_of_a_record_comes_back),
        TEST(bare_record_comes_back),
        TEST(unknown_records_are_not_found),
        TEST(name_is_part_of_the_key),
        TEST(removed_records_are_unknown),
        TEST(later_state_counts_and_earlier_ones_go),
        TEST(records_are_found_in_any_order),
        TEST(what_was_not_committed_is_forgotten),
        TEST(killed_run_loses_nothing_committed),
        TEST(full_disk_ends_the_work_and_keeps_what_was_committed),
        TEST(one_file_remains_and_only_its_owner_reads_it),
        TEST(empty_file_becomes_a_journal),
        TEST(file_that_was_being_made_is_made_anew),
        TEST(memory_does_not_grow_with_the_rows),
        TEST(second_writer_is_refused_and_told_by_whom),
        TEST(finding_and_putting_go_on_at_once),
        TEST(other_directory_is_refused),
        TEST(other_directory_is_refused_after_a_kill),
        TEST(files_of_others_are_refused),
        TEST(other_format_version_is_refused),
        TEST(what_is_no_file_is_refused),
        TEST(truncated_file_is_refused),
        TEST(damaged_file_is_refused),
        TEST(damage_that_is_met_later_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

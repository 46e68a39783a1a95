/* Reading a journal as a whole: what counts is the latest state of each record, at one moment. */
#include <sqlite3.h>

#include "journal_fixture.h"

static struct journal_reader *open_reader(const struct folder *f)
{
    struct journal_reader *r = NULL;
    error err;
    error_clear(&err);
    if (journal_reader_open(&r, f->journal, &err))
        print_error("%s\n", err.message);
    assert_non_null(r);
    return r;
}

static void put_some(struct journal *j)
{
    put_done(j, 0, 10);
    put_entry(j, failed_entry(3, WEIR_HTTP, 404));
    put_entry(j, failed_entry(6, WEIR_HTTP, 404));
    put_entry(j, failed_entry(9, WEIR_HTTP, 500));
    put_entry(j, failed_entry(4, WEIR_TIMEOUT, 0));
    struct journal_entry e = entry_of(5);
    e.state = JOURNAL_REPLACING;
    put_entry(j, e);
    e = entry_of(1);
    e.state = JOURNAL_REMOVED;
    put_entry(j, e);
    commit(j);
}

/* Of 0..9: 1 is removed, 3 4 6 9 failed, 5 is being replaced. */
static void assert_totals(struct journal_reader *r)
{
    struct journal_totals t;
    error err;
    assert_int_equal(journal_reader_totals(r, &t, &err), OK);
    assert_int_equal(t.done, 4);
    assert_int_equal(t.bytes, 0 + 2 + 7 + 8);
    assert_int_equal(t.failed, 4);
    assert_int_equal(t.replacing, 1);
    assert_int_equal(t.failed_by_class[WEIR_HTTP], 3);
    assert_int_equal(t.failed_by_class[WEIR_TIMEOUT], 1);
    assert_int_equal(t.last_ms, 1009);
    assert_string_equal(journal_reader_directory(r), DIR_A);
}

static void totals_count_the_latest_states(void **state)
{
    struct journal *j = open_journal(*state);
    put_some(j);
    journal_close(j);
    struct journal_reader *r = open_reader(*state);
    assert_totals(r);
    journal_reader_close(r);
}

/* The keys wait still, and the log has not been brought over. */
static void journal_is_read_while_it_is_written(void **state)
{
    struct journal *j = open_journal(*state);
    put_some(j);
    struct journal_reader *r = open_reader(*state);
    put_done(j, 0, 500); /* the reader does not see what comes after its moment */
    assert_totals(r);
    journal_reader_close(r);
    put_done(j, 500, 20000);
    r = open_reader(*state);
    struct journal_totals t;
    error err;
    assert_int_equal(journal_reader_totals(r, &t, &err), OK);
    assert_int_equal(t.done, 20000);
    assert_int_equal(t.failed, 0);
    journal_reader_close(r);
    journal_close(j);
}

static void be_killed(const struct folder *f)
{
    struct journal *j = open_journal(f);
    put_some(j);
    put_entry(j, entry_of(77));
    raise(SIGKILL);
}

static void journal_of_a_killed_run_is_read(void **state)
{
    in_child(be_killed, *state);
    struct journal_reader *r = open_reader(*state);
    assert_totals(r);
    journal_reader_close(r);
    struct journal *j = open_journal(*state);
    assert_int_equal(known_bytes(j, 8), 8);
    assert_int_equal(known_bytes(j, 77), -1);
    journal_close(j);
}

static void failures_are_grouped_the_largest_first(void **state)
{
    static const struct {
        status class;
        int http_status;
        const char *host;
        uint64_t count;
    } wanted[] = {
        {WEIR_HTTP, 404, "h0.example", 2},
        {WEIR_CONNECT, 0, "h:8080", 1},
        {WEIR_HTTP, 500, "h0.example", 1},
        {WEIR_TIMEOUT, 0, "h1.example", 1},
    };
    struct journal *j = open_journal(*state);
    put_some(j);
    struct journal_entry e = failed_entry(0, WEIR_CONNECT, 0);
    e.url = "http://user:p%40ss@h:8080?q=@x";
    put_entry(j, e);
    commit(j);
    journal_close(j);
    struct journal_reader *r = open_reader(*state);
    for (int round = 0; round < 2; round++) {
        struct journal_group g;
        error err;
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            assert_int_equal(journal_reader_next_group(r, &g, &err), OK);
            assert_int_equal(g.failed_as, wanted[i].class);
            assert_int_equal(g.http_status, wanted[i].http_status);
            assert_string_equal(g.host, wanted[i].host);
            assert_int_equal(g.count, wanted[i].count);
        }
        assert_int_equal(journal_reader_next_group(r, &g, &err), WEIR_END);
    }
    journal_reader_close(r);
}

static void records_of_a_state_come_in_the_order_of_their_ends(void **state)
{
    const int failed[] = {3, 6, 9, 4}, done[] = {0, 2, 7, 8};
    struct journal *j = open_journal(*state);
    put_some(j);
    journal_close(j);
    struct journal_reader *r = open_reader(*state);
    struct journal_entry e;
    error err;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(journal_reader_next(r, JOURNAL_FAILED, &e, &err), OK);
        assert_string_equal(e.url, entry_of(failed[i]).url);
    }
    assert_int_equal(journal_reader_next(r, JOURNAL_FAILED, &e, &err), WEIR_END);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(journal_reader_next(r, JOURNAL_DONE, &e, &err), OK);
        assert_string_equal(e.url, entry_of(done[i]).url);
        assert_int_equal(e.bytes, done[i]);
    }
    assert_int_equal(journal_reader_next(r, JOURNAL_DONE, &e, &err), WEIR_END);
    journal_reader_close(r);
}

static void reading_leaves_one_file(void **state)
{
    struct journal *j = open_journal(*state);
    put_some(j);
    journal_close(j);
    journal_reader_close(open_reader(*state));
    assert_int_equal(each_file(*state, NULL), 1);
}

static void assert_refused(const struct folder *f, status wanted, const char *says)
{
    struct journal_reader *r = NULL;
    error err;
    int files = each_file(f, NULL);
    assert_int_equal(journal_reader_open(&r, f->journal, &err), wanted);
    assert_null(r);
    if (!strstr(err.message, says) || !strstr(err.message, f->journal))
        fail_msg("\"%s\" does not say \"%s\"", err.message, says);
    assert_int_equal(each_file(f, NULL), files);
}

static void what_is_no_journal_is_refused(void **state)
{
    const struct folder *f = *state;
    size_t size = 0;
    assert_refused(f, WEIR_INPUT, "there is no such journal");
    write_bytes(f->journal, "", 0);
    assert_refused(f, WEIR_CONFIG, "is empty");
    write_bytes(f->journal, "url\n", 4);
    assert_refused(f, WEIR_CONFIG, "no journal of weir");
    unlink(f->journal);
    struct journal *j = open_journal(f);
    put_done(j, 0, 3000);
    journal_close(j);
    char *bytes = file_bytes(f->journal, &size);
    write_bytes(f->journal, bytes, size - 4096);
    assert_refused(f, WEIR_CONFIG, "is damaged");
    memset(bytes + 4096 * 20, 0xa5, 4096);
    write_bytes(f->journal, bytes, size);
    assert_refused(f, WEIR_CONFIG, "is damaged");
    free(bytes);
}

/* Lists that do not end where they say would be read beyond their end. */
static void row_that_another_program_wrote_is_refused(void **state)
{
    static const char *const damages[] = {
        "mirrors = x'687474703a2f2f682f78'",
        "mirrors = 'http://h/x'",
        "extra = x'630076'",
        "extra = x'63007600'",
        "extra = x'630000'",
        "digests = x'6d6435'",
        "state = 'done?'",
    };
    const struct folder *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct journal *j = open_journal(f);
        put_entry(j, failed_entry((int)i, WEIR_TIMEOUT, 0));
        commit(j);
        journal_close(j);
        char sql[160];
        snprintf(sql, sizeof sql, "UPDATE record SET %s WHERE state = 'failed'", damages[i]);
        sqlite3 *db;
        assert_int_equal(sqlite3_open(f->journal, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        struct journal_entry e;
        error err;
        j = open_journal(f);
        struct journal_entry wanted = failed_entry((int)i, WEIR_TIMEOUT, 0);
        assert_int_equal(journal_find(j, wanted.url, wanted.name, &e, &err), WEIR_CONFIG);
        journal_close(j);
        unlink(f->journal);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(totals_count_the_latest_states),
        TEST(journal_is_read_while_it_is_written),
        TEST(journal_of_a_killed_run_is_read),
        TEST(failures_are_grouped_the_largest_first),
        TEST(records_of_a_state_come_in_the_order_of_their_ends),
        TEST(reading_leaves_one_file),
        TEST(what_is_no_journal_is_refused),
        TEST(row_that_another_program_wrote_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

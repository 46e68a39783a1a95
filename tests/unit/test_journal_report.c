/* What a program sees of a journal: totals, groups, JSON, and the failed as a list. */
#include "journal_fixture.h"

#include "weir/weir.h"

/* 0 is done, 1 and 2 failed, and 2 with all that a list can say. */
static void make_journal(const struct folder *f)
{
    struct journal *j = open_journal(f);
    put_entry(j, entry_of(0));
    put_entry(j, failed_entry(1, WEIR_HTTP, 404));
    struct journal_entry e = failed_entry(2, WEIR_TIMEOUT, 0);
    e.url = "http://user:secret@h/x";
    e.name = "given";
    e.path = "given";
    e.line = 7;
    e.id = "i2";
    e.wanted_size = 12;
    e.digests = (struct span){"crc32c=e3069283\0", 17};
    e.mirrors = (struct span){"http://m/1\0", 12};
    e.extra = (struct span){"colour\0red\0", 12};
    put_entry(j, e);
    commit(j);
    journal_close(j);
}

static weir_journal *open_public(const struct folder *f)
{
    weir_journal *j = NULL;
    weir_error err;
    make_journal(f);
    assert_int_equal(weir_journal_open(&j, f->journal, &err), WEIR_OK);
    return j;
}

static void totals_and_groups_are_told(void **state)
{
    weir_journal *j = open_public(*state);
    weir_journal_totals t;
    weir_journal_failures g;
    weir_error err;
    assert_int_equal(weir_journal_count(j, &t, &err), WEIR_OK);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.failed, 2);
    assert_int_equal(t.failed_by_class[WEIR_TIMEOUT], 1);
    assert_string_equal(t.directory, DIR_A);
    assert_int_equal(weir_journal_next_failures(j, &g, &err), WEIR_OK);
    assert_int_equal(g.error_class, WEIR_HTTP);
    assert_string_equal(g.host, "h1.example");
    assert_int_equal(weir_journal_next_failures(j, &g, &err), WEIR_OK);
    assert_string_equal(g.host, "h");
    assert_int_equal(weir_journal_next_failures(j, &g, &err), WEIR_END);
    weir_journal_close(j);
    weir_journal_close(NULL);
}

static void json_is_one_object_without_secrets(void **state)
{
    weir_journal *j = open_public(*state);
    weir_error err;
    char *text = NULL;
    assert_int_equal(weir_journal_json(j, &text, &err), WEIR_OK);
    assert_string_equal(text,
                        "{\"directory\":\"" DIR_A "\",\"done\":1,\"failed\":2,\"replacing\":0,"
                        "\"bytes\":0,\"last_ms\":1002,\"failed_by_class\":{\"timeout\":1,"
                        "\"http\":1},\"failures\":[{\"class\":\"http\",\"http\":404,\"host\":"
                        "\"h1.example\",\"count\":1},{\"class\":\"timeout\",\"host\":\"h\","
                        "\"count\":1}]}");
    free(text);
    weir_journal_close(j);
}

/* Titles stand again where a record has more columns, as --failed has it. */
static void failed_records_become_a_list(void **state)
{
    const struct folder *f = *state;
    weir_journal *j = open_public(f);
    weir_error err;
    uint64_t count = 0;
    char path[100];
    snprintf(path, sizeof path, "%s/again.tsv", f->path);
    assert_int_equal(weir_journal_export_failed(j, path, &count, &err), WEIR_OK);
    assert_int_equal(count, 2);
    size_t size = 0;
    char *text = file_bytes(path, &size);
    text[size] = '\0';
    assert_string_equal(text, "url\tname\tid\nhttp://h1.example/f/0000001\t0000001\t\n"
                              "url\tname\tid\tsize\tcrc32c\tmirrors\tcolour\n"
                              "http://h/x\tgiven\ti2\t12\te3069283\thttp://m/1\tred\n");
    free(text);
    weir_journal_close(j);
}

static void a_failure_brings_its_columns(void **state)
{
    const struct folder *f = *state;
    weir_journal *reader = open_public(f);
    weir_journal_close(reader);
    struct journal *j = open_journal(f);
    put_entry(j, entry_of(1)); /* has been fetched meanwhile */
    commit(j);
    journal_close(j);
    weir_error err;
    char path[100];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/again.tsv", f->path);
    assert_int_equal(weir_journal_open(&reader, f->journal, &err), WEIR_OK);
    assert_int_equal(weir_journal_export_failed(reader, path, NULL, &err), WEIR_OK);
    char *text = file_bytes(path, &size);
    text[size] = '\0';
    assert_string_equal(text, "url\tname\tid\tsize\tcrc32c\tmirrors\tcolour\n"
                              "http://h/x\tgiven\ti2\t12\te3069283\thttp://m/1\tred\n");
    free(text);
    weir_journal_close(reader);
}

static void list_of_somebody_else_is_left_alone(void **state)
{
    const struct folder *f = *state;
    weir_journal *j = open_public(f);
    weir_error err;
    char path[100];
    snprintf(path, sizeof path, "%s/notes", f->path);
    write_bytes(path, "mine\n", 5);
    assert_int_equal(weir_journal_export_failed(j, path, NULL, &err), WEIR_USAGE);
    char *text = file_bytes(path, NULL);
    assert_memory_equal(text, "mine\n", 5);
    free(text);
    weir_journal_close(j);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(totals_and_groups_are_told),          TEST(json_is_one_object_without_secrets),
        TEST(failed_records_become_a_list),        TEST(a_failure_brings_its_columns),
        TEST(list_of_somebody_else_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* CSV lists: quoting, newlines within quotes, lists without a header row, and what bad rows get. */
#include "source_fixture.h"

#include "core/clock.h"

static void csv_columns_go_by_their_titles(void **state)
{
    EXPECT("url,filename,size,id,note\nhttp://a/,x/y.bin,12,A,n\nhttp://b/,,,,\n", NULL,
           "2 http://a/ name=x/y.bin id=A size=12 {note=n}\n3 http://b/\n");
    EXPECT("ID, Path , URL\r\nA, x ,  http://a/ \r\n", NULL, "2 http://a/ name= x  id=A\n");
    EXPECT("url,sha256,md5\nhttp://a/," SHA256_HEX "," MD5_HEX "\n", NULL,
           "2 http://a/ digest=md5=" MD5_HEX " digest=sha256=" SHA256_HEX "\n");
    EXPECT("\xef\xbb\xbf\"url\",\"out\"\n\"http://a/\",\"b\"", NULL, "2 http://a/ name=b\n");
    EXPECT("url\nhttp://a/\n", "csv", "2 http://a/\n");
    EXPECT("url,mirrors\nhttp://a/,\"http://b/\nhttp://c/\"\n", NULL,
           "2 http://a/ mirror=http://b/ mirror=http://c/\n");
}

static void csv_quotes_hold_commas_quotes_and_newlines(void **state)
{
    EXPECT("url,name,note\n"
           "\"http://a/x,y\",\"a \"\"b\"\".bin\",\"\"\n"
           "http://b/,\"one\r\ntwo\n\nthree\",\"\"\"\"\n"
           "http://c/,c,\",\"\"\n\"\n"
           "http://d/,d,",
           NULL,
           "2 http://a/x,y name=a \"b\".bin\n"
           "3 http://b/ name=one\ntwo\n\nthree {note=\"}\n"
           "7 http://c/ name=c {note=,\"\n}\n"
           "9 http://d/ name=d\n");
}

static void csv_lists_without_a_header_are_url_and_name(void **state)
{
    EXPECT("http://a/,a.bin\n\n# a comment, and more\nhttp://b/,\"b,b\"\nhttp://c/,\n", "csv",
           "1 http://a/ name=a.bin\n3 # a comment name= and more\n4 http://b/ name=b,b\n"
           "5 http://c/\n");
    EXPECT("\"http://a/x,y\"\n\"http://b/\"\n", NULL, "1 http://a/x,y\n2 http://b/\n");
    expect_refused("http://a/,b,c\n", "csv", WEIR_INPUT,
                   "list:1: the first row has 3 cells and none is \"url\"");
    expect_refused("a.bin,b.bin\n", "csv", WEIR_INPUT,
                   "list:1: the header row has no column \"url\"; it has: a.bin, b.bin;");
}

static void csv_takes_comments_and_blank_lines(void **state)
{
    EXPECT("# \"made\" by hand, today, with \"quotes\n\nurl,name,id\n# it's \"here\n "
           "\nhttp://a/,x,1\n",
           NULL, "6 http://a/ name=x id=1\n");
    EXPECT("", "csv", "");
    EXPECT("# nothing\n", "csv", "");
    EXPECT("url,name\n", NULL, "");
}

static void csv_rows_that_cannot_be_read_are_input_errors(void **state)
{
    EXPECT(
        "url,size,id\n"
        "http://a/,1\n"
        "http://b/,1,2,3\n"
        "http://c/,1 MB,x\n"
        ",1,x\n"
        "http://d/,1,a\"b\"\n"
        "http://e/,\"1\"2,x\n"
        "http://f/,1,x\x01\n"
        "\"http://g/\nx\",1,x\n"
        "http://h/,1,\"a\nb\"\n"
        "http://i/,1,x\n",
        NULL,
        "2 !http://a/: list:2: the row has 2 cells, the header has 3; part them by one comma "
        "each\n"
        "3 !http://b/: list:3: the row has 4 cells, the header has 3; part them by one comma "
        "each\n"
        "4 !http://c/: list:4:11: the size \"1 MB\" is not a number; write whole bytes, as in "
        "1048576, or leave it empty\n"
        "5 !,1,x: list:5: the row has no URL in its column \"url\"\n"
        "6 !http://d/,1,a\"b\": list:6:14: a quote stands within a cell that does not begin with "
        "one; quote the whole cell and double the quotes in it (row of line 6)\n"
        "7 !http://e/,\"1\"2,x: list:7:14: something stands between the closing quote and the "
        "comma; double the quotes within a cell (row of line 7)\n"
        "8 !http://f/,1,x\x01: list:8: a control character (byte 0x01) stands at column 14; "
        "remove it from the list\n"
        "9 !http://g/\nx: list:9: the URL holds a control character (0x0a at byte 10); remove it\n"
        "11 !http://h/: list:11: the id holds a control character (0x0a at byte 2); "
        "remove it\n"
        "13 http://i/ id=x size=1\n");
}

static void csv_digests_that_are_none_are_told_by_column(void **state)
{
    static const char list[] = "url,note,sha256\n\"http://a/\",\"x\"\"y\",12\nhttp://b/,,\n";
    struct source *s = open_list(list, strlen(list), 1000, NULL);
    struct strbuf out = {0};
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "2 !http://a/: list:2:20: "));
    assert_non_null(strstr(out.p, "\n3 http://b/\n"));
    strbuf_free(&out);
    source_close(s);
}

static void csv_a_quote_that_is_not_closed_says_what_it_cost(void **state)
{
    EXPECT("url,name\nhttp://a/,a\nhttp://b/,\"b\nhttp://c/,c\nhttp://d/,d", NULL,
           "2 http://a/ name=a\n"
           "3 !http://b/,\"b: list:3:11: the quote that opens here is not closed before the list "
           "ends; the lines 3 to 5 are skipped\n");
    struct strbuf list = {0}, out = {0};
    strbuf_adds(&list, "url,name\nhttp://a/,\"x\n");
    for (int i = 0; i < 9000; i++)
        strbuf_adds(&list, "http://b/,b\n");
    struct source *s = open_list(list.p, list.n, 4096, NULL);
    read_records(s, &out, WEIR_END);
    static const char said[] =
        "2 !http://a/,\"x: list:2:11: the quote that opens here is not closed "
        "within 65536 bytes; the lines 2 to ";
    assert_memory_equal(out.p, said, sizeof said - 1);
    unsigned last = (unsigned)strtoul(out.p + sizeof said - 1, NULL, 10);
    char next[64];
    snprintf(next, sizeof next, " are skipped\n%u http://b/ name=b\n", last + 1);
    assert_non_null(strstr(out.p, next)); /* no row is lost without a word */
    assert_non_null(strstr(out.p, "\n9002 http://b/ name=b\n"));
    strbuf_free(&list);
    strbuf_free(&out);
    source_close(s);
}

static void csv_rows_of_64_kib_pass_and_longer_ones_are_skipped(void **state)
{
    for (size_t over = 0; over < 2; over++) {
        struct strbuf list = {0}, out = {0};
        strbuf_adds(&list, "url,name\nhttp://a/,");
        for (size_t i = 0; i < 65536 - 10 + over; i++)
            strbuf_addc(&list, 'n');
        strbuf_adds(&list, "\nhttp://b/,b\n");
        struct source *s = open_list(list.p, list.n, 1000, NULL);
        read_records(s, &out, WEIR_END);
        assert_int_equal(strstr(out.p, "list:2: the line is longer than 65536 bytes") != NULL,
                         over);
        assert_int_equal(strstr(out.p, "2 http://a/ name=nnn") != NULL, !over);
        assert_non_null(strstr(out.p, "3 http://b/ name=b\n"));
        strbuf_free(&list);
        strbuf_free(&out);
        source_close(s);
    }
}

static void csv_a_reader_that_breaks_within_a_row_is_told_as_such(void **state)
{
    struct memory_reader *m = memory("url,name\nhttp://a/,\"x\n", 22, 4);
    struct source *s;
    struct record r;
    error err = {0};
    m->trouble = WEIR_DISK;
    assert_int_equal(source_open(&s, &m->head, "list", NULL, &err), OK);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(source_next(s, &r, &err), WEIR_DISK);
        assert_int_equal(r.line, 0);
        assert_string_equal(err.message, "list: the wire broke");
    }
    source_close(s);
}

/* What a writer of CSV makes of any cells is read as those cells. */
static void csv_any_cells_come_back_as_they_were_written(void **state)
{
    struct rng rng;
    rng_seed(&rng, 5);
    struct strbuf list = {0}, expected = {0}, out = {0};
    strbuf_adds(&list, "url,name,x\n");
    uint64_t line = 2;
    for (int row = 0; row < 500; row++) {
        strbuf_addf(&expected, "%llu http://a/%d", (unsigned long long)line, row);
        strbuf_addf(&list, "http://a/%d", row);
        for (int cell = 0; cell < 2; cell++) {
            struct strbuf text = {0};
            strbuf_addc(&list, ',');
            strbuf_addc(&list, '"');
            for (size_t n = rng_below(&rng, 9); n; n--) {
                char c = "ab,\"\n\"# "[rng_below(&rng, 8)];
                strbuf_addc(&text, c);
                strbuf_addc(&list, c);
                if (c == '"')
                    strbuf_addc(&list, c);
                line += c == '\n';
            }
            strbuf_addc(&list, '"');
            if (text.n)
                strbuf_addf(&expected, cell ? " {x=%s}" : " name=%s", text.p);
            strbuf_free(&text);
        }
        strbuf_addc(&list, '\n');
        strbuf_addc(&expected, '\n');
        line++;
    }
    struct source *s = open_list(list.p, list.n, 100, NULL);
    read_records(s, &out, WEIR_END);
    assert_string_equal(out.p, expected.p);
    source_close(s);
    strbuf_free(&list);
    strbuf_free(&expected);
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_columns_go_by_their_titles),
        cmocka_unit_test(csv_quotes_hold_commas_quotes_and_newlines),
        cmocka_unit_test(csv_lists_without_a_header_are_url_and_name),
        cmocka_unit_test(csv_takes_comments_and_blank_lines),
        cmocka_unit_test(csv_rows_that_cannot_be_read_are_input_errors),
        cmocka_unit_test(csv_digests_that_are_none_are_told_by_column),
        cmocka_unit_test(csv_a_quote_that_is_not_closed_says_what_it_cost),
        cmocka_unit_test(csv_rows_of_64_kib_pass_and_longer_ones_are_skipped),
        cmocka_unit_test(csv_a_reader_that_breaks_within_a_row_is_told_as_such),
        cmocka_unit_test(csv_any_cells_come_back_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

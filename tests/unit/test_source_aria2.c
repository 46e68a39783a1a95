/* Input files of aria2: mirrors, options below them, options that are passed over, bad lines. */
#include "source_fixture.h"

static void aria2_lines_are_urls_with_their_mirrors(void **state)
{
    EXPECT("http://a/x\thttp://b/x\t http://c/x \t\n# c\n\nhttp://d/\nhttp://e/", NULL,
           "1 http://a/x mirror=http://b/x mirror=http://c/x\n4 http://d/\n5 http://e/\n");
    EXPECT("", "aria2", "");
}

static void aria2_options_belong_to_the_urls_above(void **state)
{
    EXPECT("http://a/x\n"
           "  out=a b.bin\n  dir=dir\n"
           "\tchecksum=sha-256=" SHA256_HEX "\r\n"
           "\n"
           " # a comment\n"
           "  header=X-A: 1\n"
           "  header = X-B:2 \n"
           "http://b/x\n"
           "  checksum=md5=" MD5_HEX "\n"
           "  checksum=sha-1=" SHA1_HEX "\n"
           "  out=one\n"
           "  out=two\n"
           "http://c/",
           "aria2",
           "1 http://a/x name=dir/a b.bin digest=sha256=" SHA256_HEX " header=X-A: 1 header=X-B:2\n"
           "9 http://b/x name=two digest=md5=" MD5_HEX " digest=sha1=" SHA1_HEX "\n"
           "14 http://c/\n");
}

static void aria2_names_are_dir_and_out(void **state)
{
    static const struct {
        const char *url, *dir, *out, *name;
    } rows[] = {
        {"http://a/x", "d", "o", " name=d/o"},
        {"http://a/x", "./d/", "./o", " name=d/o"},
        {"http://a/x", ".", "o", " name=o"},
        {"http://a/x", "./", "o", " name=o"},
        {"http://a/x", ".", NULL, ""},
        {"http://a/x", "d", NULL, " name=d/x"},
        {"http://a/y/x.bin?q=/z#f", "d", NULL, " name=d/x.bin"},
        {"http://a/a%20b%2Fc%25%zz%4", "d", NULL, " name=d/a%20b%2Fc%%zz%4"},
        {"http://a/", "d", NULL, " name=d/index.html"},
        {"http://a", "d", NULL, " name=d/index.html"},
        {"http://a?x", "d", NULL, " name=d/index.html"},
        {"http://a/x", "/data", "o", " name=/data/o"}, /* the sanitiser refuses it by that name */
        {"http://a/x", "..", "o", " name=../o"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf list = {0}, expected = {0};
        strbuf_addf(&list, "%s\n  dir=%s\n", rows[i].url, rows[i].dir);
        if (rows[i].out)
            strbuf_addf(&list, "  out=%s\n", rows[i].out);
        strbuf_addf(&expected, "1 %s%s\n", rows[i].url, rows[i].name);
        expect_records(list.p, list.n, "aria2", expected.p);
        strbuf_free(&list);
        strbuf_free(&expected);
    }
}

static void aria2_options_that_are_passed_over_are_told_once(void **state)
{
    EXPECT("http://a/\n  split=5\n  out=a\n  max-tries=2\n"
           "http://b/\n  split=3\n"
           "http://c/\n  user-agent=x\n  split=1\n",
           "aria2",
           "1 http://a/ name=a warning=list:2: options of aria2 that are passed over here: split, "
           "max-tries\n"
           "5 http://b/\n"
           "7 http://c/ warning=list:8: options of aria2 that are passed over here: user-agent\n");
}

static void aria2_a_warning_outlives_a_record_that_cannot_be_read(void **state)
{
    EXPECT("http://a/\n  split=5\n  checksum=md5\nhttp://b/\nhttp://c/\n", "aria2",
           "1 !http://a/: list:3:12: the checksum \"md5\" has no \"=\"; write "
           "checksum=sha-256=HEX\n"
           "4 http://b/ warning=list:2: options of aria2 that are passed over here: split\n"
           "5 http://c/\n");
}

static void aria2_warnings_are_bounded(void **state)
{
    struct strbuf list = {0}, out = {0};
    strbuf_adds(&list, "http://a/\n");
    for (int i = 0; i < 5000; i++)
        strbuf_addf(&list, "  option-%d=x\n", i);
    struct source *s = open_list(list.p, list.n, 1000, "aria2");
    read_records(s, &out, WEIR_END);
    assert_true(out.n > 1000 && out.n < 5000);
    strbuf_free(&list);
    strbuf_free(&out);
    source_close(s);
}

static void aria2_lines_that_cannot_be_read_are_input_errors(void **state)
{
    EXPECT("  out=x\n"
           "http://a/\n  checksum=sha-384=00\n  out=a\n"
           "http://b/\n  checksum=md5\n"
           "http://c/\n  checksum=md5=\n"
           "http://d/\n  header=X\n"
           "http://e/\n  http://f/?x=y\n"
           "http://g/\n  out=a\x01\n"
           "http://h\x02/\thttp://i/\n  out=h\n"
           "http://j/\n  checksum=md5=" MD5_HEX "\n  checksum=md5=" MD5_HEX "\n"
           "http://ok/\n",
           "aria2",
           "1 !  out=x: list:1: an option stands before the first URL; a URL begins its line, "
           "without a blank\n"
           "2 !http://a/: list:3:12: the algorithm \"sha-384\" is not known; known are md5, sha-1, "
           "sha-256, sha-512 and crc32c\n"
           "5 !http://b/: list:6:12: the checksum \"md5\" has no \"=\"; write "
           "checksum=sha-256=HEX\n"
           "7 !http://c/: list:8:12: the digest is missing\n"
           "9 !http://d/: list:10:10: the header \"X\" does not begin with a name and a colon; "
           "write \"Name: value\"\n"
           "11 !http://e/: list:12:3: \"http://f/?x=y\" is no option; write name=value, or a URL "
           "without blanks before it\n"
           "13 !http://g/: list:14: a control character (byte 0x01) stands at column 8; remove it "
           "from the list\n"
           "15 !http://h\x02/: list:15: a control character (byte 0x02) stands at column 9; remove "
           "it from the list\n"
           "17 http://j/ digest=md5=" MD5_HEX "\n"
           "20 http://ok/\n");
}

static void aria2_lines_that_are_too_long_take_their_options_with_them(void **state)
{
    struct strbuf list = {0}, out = {0};
    strbuf_adds(&list, "http://a/\nhttp://b/");
    for (int i = 0; i < 70000; i++)
        strbuf_addc(&list, 'b');
    strbuf_adds(&list, "\n  out=b\nhttp://c/\n  out=");
    for (int i = 0; i < 70000; i++)
        strbuf_addc(&list, 'c');
    strbuf_adds(&list, "\nhttp://d/\n  out=d\n");
    struct source *s = open_list(list.p, list.n, 1000, "aria2");
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "1 http://a/\n2 !http://b/bbb"));
    assert_non_null(strstr(out.p,
                           ": list:2: the line is longer than 65536 bytes; it is skipped\n"
                           "4 !http://c/: list:5: the line is longer than 65536 bytes; it is "
                           "skipped\n6 http://d/ name=d\n"));
    strbuf_free(&list);
    strbuf_free(&out);
    source_close(s);
}

static void aria2_a_broken_reader_is_told_behind_the_last_record(void **state)
{
    struct memory_reader *m = memory("http://a/\n  out=a\n", 18, 4);
    struct source *s;
    struct record r;
    error err = {0};
    m->trouble = WEIR_DISK;
    assert_int_equal(source_open(&s, &m->head, "list", "aria2", &err), OK);
    assert_int_equal(source_next(s, &r, &err), OK);
    assert_true(span_equal(r.name, "a"));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(source_next(s, &r, &err), WEIR_DISK);
        assert_int_equal(r.line, 0);
        assert_string_equal(err.message, "list: the wire broke");
    }
    source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aria2_lines_are_urls_with_their_mirrors),
        cmocka_unit_test(aria2_options_belong_to_the_urls_above),
        cmocka_unit_test(aria2_names_are_dir_and_out),
        cmocka_unit_test(aria2_options_that_are_passed_over_are_told_once),
        cmocka_unit_test(aria2_a_warning_outlives_a_record_that_cannot_be_read),
        cmocka_unit_test(aria2_warnings_are_bounded),
        cmocka_unit_test(aria2_lines_that_cannot_be_read_are_input_errors),
        cmocka_unit_test(aria2_lines_that_are_too_long_take_their_options_with_them),
        cmocka_unit_test(aria2_a_broken_reader_is_told_behind_the_last_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lists: lines of URLs, tables with a header, what bad input gets, and the choice of the format. */
#include <zlib.h>

#include "core/clock.h"
#include "source_fixture.h"

/* ---- urls ---- */

static void urls_are_lines_without_blanks_around(void **state)
{
    EXPECT("http://a/\n  http://b/\t\nhttp://c/ x\n", NULL,
           "1 http://a/\n2 http://b/\n3 http://c/ x\n");
}

static void urls_pass_over_blank_lines_and_comments(void **state)
{
    EXPECT("# one\n\n \t\nhttp://a/#part\n  # two\n#\nhttp://b/", NULL,
           "4 http://a/#part\n7 http://b/\n");
    EXPECT("", NULL, "");
    EXPECT("\n\n\n", NULL, "");
    EXPECT("# only a comment", NULL, "");
}

static void urls_take_crlf_and_a_last_line_without_newline(void **state)
{
    EXPECT("http://a/\r\nhttp://b/\r\n\r\nhttp://c/", NULL,
           "1 http://a/\n2 http://b/\n4 http://c/\n");
    EXPECT("http://a/\r", NULL, "1 http://a/\n");
}

static void urls_drop_a_byte_order_mark_at_the_start_only(void **state)
{
    EXPECT("\xef\xbb\xbfhttp://a/\n\xef\xbb\xbfhttp://b/\n", NULL,
           "1 http://a/\n2 \xef\xbb\xbfhttp://b/\n");
    EXPECT("\xef\xbb\xbf", NULL, "");
}

static void urls_with_control_characters_are_input_errors(void **state)
{
    EXPECT("http://a/\nhttp://b\0c/\nhttp://c/\x1b[2J\nhttp://d/\rx\nhttp://e/\x7f\nhttp://f/\n",
           NULL,
           "1 http://a/\n"
           "2 !http://b: list:2: a control character (byte 0x00) stands at column 9; remove it "
           "from the list\n"
           "3 !http://c/\x1b[2J: list:3: a control character (byte 0x1b) stands at column 10; "
           "remove it from the list\n"
           "4 !http://d/\rx: list:4: a control character (byte 0x0d) stands at column 10; remove "
           "it from the list\n"
           "5 !http://e/\x7f: list:5: a control character (byte 0x7f) stands at column 10; remove "
           "it from the list\n"
           "6 http://f/\n");
}

static void urls_refuse_the_options_of_another_format(void **state)
{
    EXPECT("http://a/\n  out=x.bin\n\tcheck-integrity = true\n  http://b/?x=y\nx=y\n", "urls",
           "1 http://a/\n"
           "2 !out=x.bin: list:2: \"out=x.bin\" is an option of aria2's input files; read the list "
           "with format aria2\n"
           "3 !check-integrity = true: list:3: \"check-integrity = true\" is an option of aria2's "
           "input files; read the list with format aria2\n"
           "4 http://b/?x=y\n5 x=y\n");
}

static void urls_with_a_tab_point_to_the_other_format(void **state)
{
    EXPECT("http://a/\tname\n", NULL,
           "1 !http://a/\tname: list:1: a TAB (byte 0x09) stands at column 10; remove it from the "
           "list, or read the list with format tsv and a header row\n");
}

static void lines_of_exactly_64_kib_pass_and_longer_ones_are_skipped(void **state)
{
    static const char *const endings[] = {"\n", "\r\n", ""};
    for (size_t i = 0; i < 3; i++)
        for (size_t over = 0; over < 2; over++) {
            struct strbuf list = {0}, out = {0};
            strbuf_adds(&list, "http://a/\n");
            for (size_t k = 0; k < 65536 + over; k++)
                strbuf_addc(&list, k < 9 ? "http://b/"[k] : 'x');
            strbuf_adds(&list, endings[i]);
            strbuf_adds(&list, *endings[i] ? "http://c/\n" : "");
            struct source *s = open_list(list.p, list.n, 1, NULL);
            read_records(s, &out, WEIR_END);
            assert_int_equal(strstr(out.p, "2 !http://b/xxx") != NULL, over);
            assert_int_equal(strstr(out.p, "list:2: the line is longer than 65536 bytes") != NULL,
                             over);
            assert_int_equal(strstr(out.p, "2 http://b/xxx") != NULL, !over);
            assert_int_equal(strstr(out.p, "3 http://c/") != NULL, *endings[i] != 0);
            assert_true(!over || out.n < 1000);
            strbuf_free(&list);
            strbuf_free(&out);
            source_close(s);
        }
}

static void a_line_of_a_gigabyte_is_one_input_error(void **state)
{
    struct memory_reader *m = memory("http://a/\n", 10, 10);
    m->tail = 'x';
    m->tail_left = (uint64_t)1 << 30;
    struct source *s;
    struct strbuf out = {0};
    error err;
    assert_int_equal(source_open(&s, &m->head, "list", NULL, &err), OK);
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "1 http://a/\n2 !xxx"));
    assert_null(strstr(out.p, "\n3 "));
    strbuf_free(&out);
    source_close(s);
}

static void millions_of_lines_flow_through_one_buffer(void **state)
{
    enum { LINES = 2000000 };
    struct memory_reader *m = memory("http://a/\n", 10, 10);
    m->tail = '\n';
    m->tail_left = LINES;
    struct source *s;
    struct record r;
    error err;
    assert_int_equal(source_open(&s, &m->head, "list", NULL, &err), OK);
    assert_int_equal(source_next(s, &r, &err), OK);
    assert_int_equal(source_next(s, &r, &err), WEIR_END);
    source_close(s);
}

static void binary_junk_gives_records_and_input_errors_only(void **state)
{
    struct rng rng;
    rng_seed(&rng, 11);
    static char junk[200000];
    for (int trial = 0; trial < 20; trial++) {
        for (size_t i = 0; i < sizeof junk; i++)
            junk[i] = (char)rng_next(&rng);
        junk[0] = 'j';
        if (trial & 1)
            memcpy(junk, "url\tname\n", 9);
        struct source *s = open_list(junk, sizeof junk, 1 + rng_below(&rng, 9000), NULL);
        struct strbuf out = {0};
        read_records(s, &out, WEIR_END);
        strbuf_free(&out);
        source_close(s);
    }
}

static void a_broken_reader_ends_the_source_without_its_last_half_line(void **state)
{
    static const status troubles[] = {WEIR_DISK, WEIR_DECODE, WEIR_INPUT};
    for (size_t i = 0; i < 3; i++) {
        struct memory_reader *m = memory("url\tid\nhttp://a/\t1\nhttp://half", 30, 4);
        m->trouble = troubles[i];
        struct source *s;
        struct record r = {0};
        error err;
        assert_int_equal(source_open(&s, &m->head, "list", NULL, &err), OK);
        assert_int_equal(source_next(s, &r, &err), OK);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(source_next(s, &r, &err), troubles[i]);
            assert_int_equal(r.line, 0);
            assert_string_equal(err.message, "list: the wire broke");
        }
        source_close(s);
    }
}

/* ---- tsv ---- */

static void tsv_columns_go_by_their_titles(void **state)
{
    EXPECT("url\tname\tsize\tid\nhttp://a/\tx/y.bin\t12\tA\nhttp://b/\t\t\t\n", NULL,
           "2 http://a/ name=x/y.bin id=A size=12\n3 http://b/\n");
    EXPECT("ID\tFileName\t URL \nA\t a name \t http://a/ \n", NULL,
           "2 http://a/ name= a name  id=A\n");
    EXPECT("Out\turl\nx\thttp://a/", NULL, "2 http://a/ name=x\n");
    EXPECT("path\turl\r\nx\thttp://a/\r\n", NULL, "2 http://a/ name=x\n");
    EXPECT("url\nhttp://a/\nhttp://b/\n", "tsv", "2 http://a/\n3 http://b/\n");
    EXPECT("url\tmirrors\nhttp://a/\thttp://b/  http://c/\nhttp://d/\t\n", NULL,
           "2 http://a/ mirror=http://b/ mirror=http://c/\n3 http://d/\n");
    EXPECT("url\tmethod\tbody\theaders\nhttp://a/\tPOST\tx\tA: b\n", NULL,
           "2 http://a/ {method=POST} {body=x} {headers=A: b}\n");
}

static void tsv_digests_go_by_their_titles(void **state)
{
    EXPECT("url\tSHA-256\tmd5\tsha512\tcrc32c\tsha1\n"
           "http://a/\t" SHA256_HEX "\t " MD5_HEX " \t\t\t\n"
           "http://b/\t\t\t" SHA512_HEX "\t0a0B0c0D\t" SHA1_HEX "\n",
           NULL,
           "2 http://a/ digest=md5=" MD5_HEX " digest=sha256=" SHA256_HEX "\n"
           "3 http://b/ digest=crc32c=0a0b0c0d digest=sha1=" SHA1_HEX " digest=sha512=" SHA512_HEX
           "\n");
    /* the second column of one kind is a column like others */
    EXPECT("url\tmd5\tMD5\nhttp://a/\t" MD5_HEX "\tx\n", NULL,
           "2 http://a/ digest=md5=" MD5_HEX " {MD5=x}\n");
}

static void tsv_digests_that_are_none_are_input_errors(void **state)
{
    static const char list[] = "url\tsha256\nhttp://a/\t1234\nhttp://b/\t" MD5_HEX MD5_HEX
                               "0\nhttp://c/\tx" HEX16 HEX16 HEX16 "0123456789abcde\nhttp://d/\t\n";
    struct source *s = open_list(list, strlen(list), 100, NULL);
    struct strbuf out = {0};
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "2 !http://a/: list:2:11: "));
    assert_non_null(strstr(out.p, "3 !http://b/: list:3:11: "));
    assert_non_null(strstr(out.p, "4 !http://c/: list:4:11: "));
    assert_non_null(strstr(out.p, "\n5 http://d/\n"));
    strbuf_free(&out);
    source_close(s);
}

static void tsv_other_columns_go_along(void **state)
{
    EXPECT("mime\turl\t\tname\tnote\tpath\tnote\n1f\thttp://a/\tz\tn\tone\tp\ttwo\n\thttp://b/"
           "\t\t\t\t\t\n",
           NULL,
           "2 http://a/ name=n {mime=1f} {column3=z} {note=one} {path=p} {note_2=two}\n"
           "3 http://b/\n");
}

static void tsv_takes_comments_blank_lines_and_a_byte_order_mark(void **state)
{
    EXPECT(
        "\xef\xbb\xbf# made by hand\n\nurl\tname\n# a comment\n\nhttp://a/\tx\n#note\twith a tab\n",
        NULL, "6 http://a/ name=x\n7 #note name=with a tab\n");
}

static void tsv_rows_that_cannot_be_read_are_input_errors(void **state)
{
    EXPECT(
        "url\tsize\nhttp://a/\nhttp://b/\t1\t2\nhttp://c/\t12 MB\nhttp://d/\t-1\n"
        "http://e/\t9223372036854775808\n\t5\nhttp://f/\0\t1\nhttp://g/\t9223372036854775807\n",
        NULL,
        "2 !http://a/: list:2: the row has 1 cells, the header has 2; part them by one TAB each\n"
        "3 !http://b/: list:3: the row has 3 cells, the header has 2; part them by one TAB each\n"
        "4 !http://c/: list:4:11: the size \"12 MB\" is not a number; write whole bytes, as in "
        "1048576, or leave it empty\n"
        "5 !http://d/: list:5:11: the size \"-1\" is not a number; write whole bytes, as in "
        "1048576, or leave it empty\n"
        "6 !http://e/: list:6:11: the size \"9223372036854775808\" is not a number; write whole "
        "bytes, as in 1048576, or leave it empty\n"
        "7 !\t5: list:7: the row has no URL in its column \"url\"\n"
        "8 !http://f/: list:8: a control character (byte 0x00) stands at column 10; remove it "
        "from the list\n"
        "9 http://g/ size=9223372036854775807\n");
}

static void tsv_headers_that_cannot_be_used_end_the_list(void **state)
{
    expect_refused("link\tname\nhttp://a/\tx\n", "tsv", WEIR_INPUT,
                   "list:1: the header row has no column \"url\"; it has: link, name;");
    expect_refused("# c\nurl\tURL\n", "tsv", WEIR_INPUT,
                   "list:2: the header row has two columns \"url\"");
    expect_refused("url\tna\x01me\n", "tsv", WEIR_INPUT, "control character");
    struct strbuf wide = {0};
    strbuf_adds(&wide, "url");
    for (int i = 0; i < 1024; i++)
        strbuf_adds(&wide, "\tc");
    expect_refused(wide.p, "tsv", WEIR_INPUT, "1025 columns");
    strbuf_clear(&wide);
    for (int i = 0; i < 70000; i++)
        strbuf_addc(&wide, 'c');
    expect_refused(wide.p, "tsv", WEIR_INPUT, "longer than 65536 bytes");
    strbuf_free(&wide);
}

static void an_empty_tsv_list_has_no_records(void **state)
{
    EXPECT("", "tsv", "");
    EXPECT("# nothing\n", "tsv", "");
    EXPECT("url\tname\n", NULL, "");
}

/* ---- choosing, decoding, waiting ---- */

static void formats_are_told_by_their_first_line(void **state)
{
    static const struct {
        const char *format, *list;
    } rows[] = {
        {"tsv", "url\tname\n"},
        {"tsv", "# c\n\nname\tUrl\nx\ty\n"},
        {"tsv", "name\turl"},
        {"tsv", "url\tname,size\nhttp://a/\tb,c\n"},
        {"csv", "url,name\n"},
        {"csv", "# c\n\"name\",\"URL\", x\n"},
        {"csv", "\"http://a/\",\"b\"\n"},
        {"csv", "\"https://a/x,y\"\n"},
        {"jsonl", "{\"url\":\"http://a/\"}\n"},
        {"jsonl", "\n # c\n { \"url\""},
        {"jsonl", "{}\n"},
        {"sums", SHA256_HEX "  a.bin\n"},
        {"sums", SHA1_HEX " *a.bin\n"},
        {"sums", "\\" MD5_HEX "  a\\nb\n"},
        {"sums", SHA512_HEX " a\n"},
        {"sums", "SHA256 (a b) = " SHA256_HEX "\n"},
        {"sums", "MD5 (https://x/) = " MD5_HEX},
        {"aria2", "http://a/\thttp://b/\n"},
        {"aria2", "# c\nftp://a/x\tftp://b/x\n"},
        {"aria2", "http://a/\n  out=x\nhttp://b/\n"},
        {"aria2", "http://a/\r\n\tsplit=5\r\n"},
        {"metalink", "<?xml version=\"1.0\"?>\n<metalink"},
        {"metalink", "\xef\xbb\xbf \n<metalink xmlns='x'>"},
        {"pattern", "https://a/{000..123}.bin\n"},
        {"pattern", "# c\nhttp://a/{x,y}/{0..10..2}\n"},
        {"pattern", "http://a/{id}/{1..2}"},
        /* whatever looks a little like one of them, and is a list of URLs */
        {"urls", "url\nhttp://a/\n"},
        {"urls", "http://a/\turl2\n"},
        {"urls", "http://a/\nurl\tname\n"},
        {"urls", ""},
        {"urls", "<!DOCTYPE html>\n<html>\n"},
        {"urls", "<html>\n"},
        {"urls", "http://a/x,url\n"},
        {"urls", "http://a/b,name.bin\n"},
        {"urls", "http://a/?q={\"url\":1}\n"},
        {"urls", "{path}/x\n"},
        {"urls", "http://a/{x}\n"},
        {"urls", "http://a/{x,y}\n"},
        {"urls", "http://a/{a..c}\n"},
        {"urls", "http://a/{1..}\n"},
        {"urls", "http://a/1..2\n"},
        {"urls", "shard_{0..9}\n"},
        {"urls", "{0..9}://a/\n"},
        {"urls", "http://a/\nhttp://a/{0..9}\n"},
        {"urls", "http://a/\n  http://b/?a=b\n"},
        {"urls", "http://a/\nout=x\n"},
        {"urls", "  http://a/\n  out=x\n"},
        {"urls", HEX16 "  a.bin\n"},
        {"urls", SHA256_HEX "\n"},
        {"urls", SHA256_HEX ".bin\n"},
        {"urls", SHA256_HEX "0  a\n"},
        {"urls", "0a0b0c0d  a.bin\n"},
        {"urls", "SHA3 (a) = " SHA256_HEX "\n"},
        {"urls", "SHA256 (a) = xyz\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (source_type_named(rows[i].format) &&
            strcmp(chosen(rows[i].list), rows[i].format) != 0) {
            print_error("%s\n", rows[i].list);
            assert_string_equal(chosen(rows[i].list), rows[i].format);
        }
}

static void formats_are_told_by_name(void **state)
{
    assert_null(source_type_named("xml"));
    assert_ptr_equal(source_type_named("tsv"), source_type_at(1));
    expect_refused("http://a/", "xml", WEIR_USAGE,
                   "no list format \"xml\"; the formats are urls, tsv, csv, jsonl, sums, aria2, ");
    for (size_t i = 0; source_type_at(i); i++) {
        assert_ptr_equal(source_type_named(source_type_at(i)->name), source_type_at(i));
        assert_true(strlen(source_type_at(i)->help) > 10);
    }
}

static void utf16_lists_are_refused_by_that_name(void **state)
{
    expect_refused("\xff\xfeh", NULL, WEIR_INPUT, "UTF-16");
    expect_refused("\xfe\xff", NULL, WEIR_INPUT, "UTF-16");
}

static size_t gzip(const char *text, unsigned char *out, size_t cap)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void compressed_lists_are_decoded_and_truncation_is_told(void **state)
{
    unsigned char z[500];
    size_t n = gzip("url\tid\nhttp://a/\t1\nhttp://b/\t2\n", z, sizeof z);
    expect_records((char *)z, n, NULL, "2 http://a/ id=1\n3 http://b/ id=2\n");
    struct source *s = open_list((char *)z, n - 1, 6, NULL);
    struct strbuf out = {0};
    read_records(s, &out, WEIR_DECODE);
    assert_string_equal(out.p, "2 http://a/ id=1\n3 http://b/ id=2\n");
    struct record r;
    error err;
    assert_int_equal(source_next(s, &r, &err), WEIR_DECODE);
    assert_non_null(strstr(err.message, "list: gzip data ends too early"));
    strbuf_free(&out);
    source_close(s);
    expect_refused("\x1f\x8b\x08", NULL, WEIR_DECODE, "list: gzip data ends too early");
}

/* A list that somebody types: the first URL is there before the second is written. */
static void a_slow_pipe_gives_each_line_as_it_comes(void **state)
{
    int fds[2];
    struct reader *in;
    struct source *s;
    struct record r;
    error err;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "http://a/\n", 10), 10);
    assert_int_equal(reader_open_fd(&in, fds[0], true, "pipe", &err), OK);
    assert_int_equal(source_open(&s, in, "pipe", NULL, &err), OK);
    assert_int_equal(source_next(s, &r, &err), OK);
    assert_true(span_equal(r.url, "http://a/"));
    assert_int_equal(write(fds[1], "http://b/\n", 10), 10);
    assert_int_equal(source_next(s, &r, &err), OK);
    assert_true(span_equal(r.url, "http://b/"));
    close(fds[1]);
    assert_int_equal(source_next(s, &r, &err), WEIR_END);
    source_close(s);
    source_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_lines_without_blanks_around),
        cmocka_unit_test(urls_pass_over_blank_lines_and_comments),
        cmocka_unit_test(urls_take_crlf_and_a_last_line_without_newline),
        cmocka_unit_test(urls_drop_a_byte_order_mark_at_the_start_only),
        cmocka_unit_test(urls_with_control_characters_are_input_errors),
        cmocka_unit_test(urls_refuse_the_options_of_another_format),
        cmocka_unit_test(urls_with_a_tab_point_to_the_other_format),
        cmocka_unit_test(lines_of_exactly_64_kib_pass_and_longer_ones_are_skipped),
        cmocka_unit_test(a_line_of_a_gigabyte_is_one_input_error),
        cmocka_unit_test(millions_of_lines_flow_through_one_buffer),
        cmocka_unit_test(binary_junk_gives_records_and_input_errors_only),
        cmocka_unit_test(a_broken_reader_ends_the_source_without_its_last_half_line),
        cmocka_unit_test(tsv_columns_go_by_their_titles),
        cmocka_unit_test(tsv_digests_go_by_their_titles),
        cmocka_unit_test(tsv_digests_that_are_none_are_input_errors),
        cmocka_unit_test(tsv_other_columns_go_along),
        cmocka_unit_test(tsv_takes_comments_blank_lines_and_a_byte_order_mark),
        cmocka_unit_test(tsv_rows_that_cannot_be_read_are_input_errors),
        cmocka_unit_test(tsv_headers_that_cannot_be_used_end_the_list),
        cmocka_unit_test(an_empty_tsv_list_has_no_records),
        cmocka_unit_test(formats_are_told_by_their_first_line),
        cmocka_unit_test(formats_are_told_by_name),
        cmocka_unit_test(utf16_lists_are_refused_by_that_name),
        cmocka_unit_test(compressed_lists_are_decoded_and_truncation_is_told),
        cmocka_unit_test(a_slow_pipe_gives_each_line_as_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

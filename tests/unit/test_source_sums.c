/* Lists of digests: the forms that sha256sum and its kin write, names as URLs, and bad lines. */
#include "source_fixture.h"

static void sums_text_and_binary_lines_are_digest_and_name(void **state)
{
    EXPECT(SHA256_HEX "  a.bin\n" SHA256_HEX " *dir/b.bin\r\n" SHA256_HEX " c\n", NULL,
           "1 a.bin name=a.bin digest=sha256=" SHA256_HEX "\n"
           "2 dir/b.bin name=dir/b.bin digest=sha256=" SHA256_HEX "\n"
           "3 c name=c digest=sha256=" SHA256_HEX "\n");
}

static void sums_the_number_of_digits_tells_the_algorithm(void **state)
{
    EXPECT(MD5_HEX "  a\n" SHA1_HEX "  b\n" SHA256_HEX "  c\n" SHA512_HEX "  d\n", NULL,
           "1 a name=a digest=md5=" MD5_HEX "\n"
           "2 b name=b digest=sha1=" SHA1_HEX "\n"
           "3 c name=c digest=sha256=" SHA256_HEX "\n"
           "4 d name=d digest=sha512=" SHA512_HEX "\n");
    EXPECT("0123456789ABCDEF0123456789abcdef  a\n", NULL, "1 a name=a digest=md5=" MD5_HEX "\n");
}

static void sums_tagged_lines_name_the_algorithm(void **state)
{
    EXPECT("SHA256 (a.bin) = " SHA256_HEX "\n"
           "MD5 (a (1) = b.bin) = " MD5_HEX "\n"
           "SHA1(c)= " SHA1_HEX "\n"
           "SHA512 (d) = " SHA512_HEX " \n"
           "\\SHA256 (e\\\\f) = " SHA256_HEX "\n",
           NULL,
           "1 a.bin name=a.bin digest=sha256=" SHA256_HEX "\n"
           "2 a%20(1)%20=%20b.bin name=a (1) = b.bin digest=md5=" MD5_HEX "\n"
           "3 c name=c digest=sha1=" SHA1_HEX "\n"
           "4 d name=d digest=sha512=" SHA512_HEX "\n"
           "5 e%5Cf name=e\\f digest=sha256=" SHA256_HEX "\n");
}

static void sums_escaped_names_are_unescaped(void **state)
{
    EXPECT("\\" MD5_HEX "  a\\nb\\\\c\\rd\n" MD5_HEX "  a\\nb\n", "sums",
           "1 a%0Ab%5Cc%0Dd name=a\nb\\c\rd digest=md5=" MD5_HEX "\n"
           "2 a%5Cnb name=a\\nb digest=md5=" MD5_HEX "\n");
}

static void sums_names_become_relative_urls(void **state)
{
    static const struct {
        const char *name, *url, *kept;
    } rows[] = {
        {"./a/b", "a/b", "a/b"},
        {"././a", "a", "a"},
        {"a b", "a%20b", "a b"},
        {" a", "%20a", " a"},
        {"a%20b", "a%2520b", "a%20b"},
        {"a?b#c", "a%3Fb%23c", "a?b#c"},
        {"a:b", "a%3Ab", "a:b"},
        {"\xc3\xa9\xff", "%C3%A9%FF", "\xc3\xa9\xff"},
        {"a\tb", "a%09b", "a\tb"},
        {"a+b,c;d=e&f@g!$'()*~-_.", "a+b,c;d=e&f@g!$'()*~-_.", "a+b,c;d=e&f@g!$'()*~-_."},
        {"..a/b..", "..a/b..", "..a/b.."},
        {"[x]", "%5Bx%5D", "[x]"},
        {"https://h/x%20y?z", "https://h/x%20y?z", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf list = {0}, expected = {0};
        strbuf_addf(&list, "%s  %s\n", MD5_HEX, rows[i].name);
        strbuf_addf(&expected, "1 %s%s%s digest=md5=%s\n", rows[i].url,
                    rows[i].kept ? " name=" : "", rows[i].kept ? rows[i].kept : "", MD5_HEX);
        expect_records(list.p, list.n, NULL, expected.p);
        strbuf_free(&list);
        strbuf_free(&expected);
    }
}

static void sums_pass_over_blank_lines_and_comments(void **state)
{
    EXPECT("# made today\n\n" MD5_HEX "  a\n \n# b\n" MD5_HEX "  b", NULL,
           "3 a name=a digest=md5=" MD5_HEX "\n6 b name=b digest=md5=" MD5_HEX "\n");
    EXPECT("", "sums", "");
}

static void sums_lines_that_cannot_be_read_are_input_errors(void **state)
{
    EXPECT(
        "http://a/\n" MD5_HEX "\n" MD5_HEX "  \n" MD5_HEX "0  a\n"
        "0a0b0c0d  a\n"
        "SHA3 (a) = " SHA256_HEX "\n"
        "SHA256 (a) = \n"
        "SHA256 () = " SHA256_HEX "\n" MD5_HEX "  -\n" MD5_HEX "  /etc/passwd\n" MD5_HEX
        "  a/../../b\n" MD5_HEX "  //host/x\n"
        "\\" MD5_HEX "  a\\tb\n" MD5_HEX "  a\x01\n" MD5_HEX "  ok\n",
        "sums",
        "1 !http://a/: list:1:1: the line is neither \"HEX  name\" nor \"SHA256 (name) = HEX\"\n"
        "2 !" MD5_HEX ": list:2:1: the line is neither \"HEX  name\" nor \"SHA256 (name) = HEX\"\n"
        "3 !" MD5_HEX "  : list:3:35: the name is missing\n"
        "4 !" MD5_HEX "0  a: list:4:1: a digest of 33 digits is not known; md5 has 32, sha1 40, "
        "sha256 64 and sha512 128\n"
        "5 !0a0b0c0d  a: list:5:1: a digest of 8 digits is not known; md5 has 32, sha1 40, sha256 "
        "64 and sha512 128\n"
        "6 !SHA3 (a) = " SHA256_HEX ": list:6:12: the algorithm \"SHA3\" is not known; known are "
        "md5, sha1, sha256, sha512 and crc32c\n"
        "7 !SHA256 (a) = : list:7:14: the digest is missing\n"
        "8 !SHA256 () = " SHA256_HEX ": list:8:9: the name is missing\n"
        "9 !" MD5_HEX "  -: list:9:35: the name is \"-\": the digest of a standard input, not of a "
        "file\n"
        "10 !" MD5_HEX "  /etc/passwd: list:10:35: the name \"/etc/passwd\" leads out of the "
        "directory; make the digests within it, of names that are relative to it\n"
        "11 !" MD5_HEX "  a/../../b: list:11:35: the name \"a/../../b\" leads out of the "
        "directory; make the digests within it, of names that are relative to it\n"
        "12 !" MD5_HEX "  //host/x: list:12:35: the name \"//host/x\" leads out of the directory; "
        "make the digests within it, of names that are relative to it\n"
        "13 !\\" MD5_HEX "  a\\tb: list:13:36: the name has a \\ that is not followed by n, r or "
        "\\; the line begins with \\, so each of its own is written \\\\\n"
        "14 !" MD5_HEX "  a\x01: list:14: a control character (byte 0x01) stands at column 36; "
        "remove it from the list\n"
        "15 ok name=ok digest=md5=" MD5_HEX "\n");
}

static void sums_a_tagged_digest_of_another_length_is_refused(void **state)
{
    static const char list[] = "SHA256 (a) = " MD5_HEX "\nMD5 (b) = " MD5_HEX "\n";
    struct source *s = open_list(list, strlen(list), 1000, NULL);
    struct strbuf out = {0};
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "1 !SHA256 (a) = " MD5_HEX ": list:1:14: "));
    assert_non_null(strstr(out.p, "\n2 b name=b digest=md5="));
    strbuf_free(&out);
    source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_text_and_binary_lines_are_digest_and_name),
        cmocka_unit_test(sums_the_number_of_digits_tells_the_algorithm),
        cmocka_unit_test(sums_tagged_lines_name_the_algorithm),
        cmocka_unit_test(sums_escaped_names_are_unescaped),
        cmocka_unit_test(sums_names_become_relative_urls),
        cmocka_unit_test(sums_pass_over_blank_lines_and_comments),
        cmocka_unit_test(sums_lines_that_cannot_be_read_are_input_errors),
        cmocka_unit_test(sums_a_tagged_digest_of_another_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

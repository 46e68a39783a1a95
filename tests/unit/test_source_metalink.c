/* Metalink 4: files, mirrors by priority, digests, what leads out of the directory, documents that
 * are damaged or hostile. */
#include "source_fixture.h"

#include <malloc.h>

#define BEGIN                                                                                      \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metalink "                                       \
    "xmlns=\"urn:ietf:params:xml:ns:metalink\">\n"
#define END "</metalink>\n"

/* The example of RFC 5854 section 1.1, and a second file. */
static void metalink_files_are_records(void **state)
{
    EXPECT(BEGIN "  <published>2009-05-15T12:23:23Z</published>\n"
                 "  <file name=\"example.ext\">\n"
                 "    <size>14471447</size>\n"
                 "    <identity>Example</identity>\n"
                 "    <version>1.0</version>\n"
                 "    <description>A description &amp; more</description>\n"
                 "    <hash type=\"sha-256\">" SHA256_HEX "</hash>\n"
                 "    <hash type=\"md5\">\n      " MD5_HEX "\n    </hash>\n"
                 "    <pieces length=\"1048576\" type=\"sha-1\">\n"
                 "      <hash>" SHA1_HEX "</hash><hash>x</hash>\n"
                 "    </pieces>\n"
                 "    <url location=\"de\" priority=\"2\">ftp://ftp.example.com/example.ext</url>\n"
                 "    <url location=\"fr\" priority=\"1\">\n"
                 "      http://example.com/example.ext?a=1&amp;b=2</url>\n"
                 "    <metaurl mediatype=\"torrent\">http://example.com/example.torrent</metaurl>\n"
                 "  </file>\n"
                 "  <file name=\"dir/b\"><url>http://b/</url></file>" END,
           NULL,
           "4 http://example.com/example.ext?a=1&b=2 name=example.ext size=14471447 "
           "mirror=ftp://ftp.example.com/example.ext digest=md5=" MD5_HEX
           " digest=sha256=" SHA256_HEX "\n21 http://b/ name=dir/b\n");
}

static void metalink_mirrors_go_by_priority(void **state)
{
    EXPECT(BEGIN "<file name='a'>"
                 "<url>http://last/</url><url priority='30'>http://c/</url>"
                 "<url priority='1'>rsync://z/</url><url priority='5'>http://b/</url>"
                 "<url priority='0'>http://zero/</url><url priority='x'>http://x/</url>"
                 "<url priority='1'>https://a/</url><url priority='5'>http://b2/</url>"
                 "<url priority='999999'>http://low/</url>"
                 "</file>" END,
           NULL,
           "3 https://a/ name=a mirror=http://b/ mirror=http://b2/ mirror=http://c/ "
           "mirror=http://last/ mirror=http://zero/ mirror=http://x/ mirror=http://low/ "
           "mirror=rsync://z/\n");
}

static void metalink_of_another_prefix_is_one_and_foreign_elements_are_none(void **state)
{
    EXPECT(
        "<m:metalink xmlns:m='urn:ietf:params:xml:ns:metalink' xmlns:x='urn:x' xmlns='urn:y'>"
        "<file name='no'><url>http://no/</url></file>"
        "<m:file "
        "name='a'><x:url>http://x/</x:url><url>http://y/</url><m:url>http://<m:b>no</m:b>a/</m:url>"
        "<x:size>x</x:size><x:deep><m:url>http://no/</m:url></x:deep></m:file>"
        "</m:metalink>",
        "metalink", "1 http://a/ name=a\n");
}

static void metalink_an_unknown_digest_is_passed_over_beside_a_known_one(void **state)
{
    EXPECT(BEGIN "<file name='a'><hash type='sha-384'>00</hash><hash type='sha-1'>" SHA1_HEX
                 "</hash><url>http://a/</url></file>"
                 "<file name='b'><hash type='sha-384'>00</hash><hash>11</hash>"
                 "<url>http://b/</url></file>" END,
           NULL,
           "3 http://a/ name=a digest=sha1=" SHA1_HEX "\n"
           "3 !http://b/: list:3: the digests of \"b\" are of algorithms that are not known "
           "(\"sha-384\", \"\"); known are md5, sha-1, sha-256, sha-512 and crc32c\n");
}

static void metalink_names_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"/etc/passwd", "..", "../a", "a/../b", "a/.."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct strbuf list = {0}, expected = {0};
        strbuf_addf(&list,
                    BEGIN "<file name='%s'><url>http://a/</url></file>\n<file name='..a/b..'>"
                          "<url>http://b/</url></file>" END,
                    names[i]);
        strbuf_addf(&expected,
                    "3 !http://a/: list:3:1: the name \"%s\" leads out of the directory; such a "
                    "metalink is not to be trusted\n4 http://b/ name=..a/b..\n",
                    names[i]);
        expect_records(list.p, list.n, NULL, expected.p);
        strbuf_free(&list);
        strbuf_free(&expected);
    }
}

static void metalink_files_that_cannot_be_read_are_input_errors(void **state)
{
    EXPECT(BEGIN "<file><url>http://a/</url></file>\n"
                 "<file name=''><url>http://b/</url></file>\n"
                 "<file name='c'/>\n"
                 "<file name='d'><metaurl>http://d/</metaurl></file>\n"
                 "<file name='e'><size>1 MB</size><url>http://e/</url></file>\n"
                 "<file name='f'><url> </url></file>\n"
                 "<file name='g'><url>http://g/&#10;x</url></file>\n"
                 "<file name='h'><hash type='md5'></hash><url>http://h/</url></file>\n"
                 "<file name='i'>\n <size>-1</size><hash type='md5'>x</hash></file>\n"
                 "<file name='ok'><size> 5\n</size><url>http://ok/</url></file>" END,
           NULL,
           "3 !http://a/: list:3:1: the file has no name\n"
           "4 !http://b/: list:4:1: the file has no name\n"
           "5 !c: list:5: the file \"c\" has no URL\n"
           "6 !d: list:6: the file \"d\" has no URL\n"
           "7 !http://e/: list:7:16: the size \"1 MB\" is not a number; write whole bytes, as in "
           "1048576, or leave it empty\n"
           "8 !f: list:8:16: the URL is empty; write one, or remove the row\n"
           "9 !g: list:9:16: the URL holds a control character (0x0a at byte 10); remove it\n"
           "10 !http://h/: list:10:16: the digest is missing\n"
           "11 !i: list:12:2: the size \"-1\" is not a number; write whole bytes, as in 1048576, "
           "or leave it empty\n"
           "13 http://ok/ name=ok size=5\n");
}

/* The document ends there, behind `records` records, and says so whenever it is asked. */
static void expect_ended(const char *list, size_t n, unsigned records, const char *part)
{
    static const size_t pieces[] = {1, 7, 1000000};
    for (size_t i = 0; i < 3; i++) {
        struct source *s = open_list(list, n, pieces[i], "metalink");
        struct record r;
        error err = {0};
        for (unsigned k = 0; k < records; k++)
            assert_int_equal(source_next(s, &r, &err), OK);
        for (int again = 0; again < 2; again++) {
            err = (error){0};
            assert_int_equal(source_next(s, &r, &err), WEIR_INPUT);
            assert_int_equal(r.line, 0);
            if (!strstr(err.message, part))
                assert_string_equal(err.message, part); /* shows both */
        }
        source_close(s);
    }
}

static void metalink_documents_that_are_none_end_the_list(void **state)
{
    static const char file[] = "<file name='a'><url>http://a/</url></file>";
    static const struct {
        const char *list;
        unsigned records;
        const char *part;
    } rows[] = {
        {"", 0, "list:1:1: the metalink ends too early"},
        {"http://a/\n", 0, "list:1:6: not XML: "},
        {"<html></html>", 0, "list:1:1: this is XML, but no metalink: it begins with <html>"},
        {"<metalink version='3.0' xmlns='http://www.metalinker.org/'><files/></metalink>", 0,
         "list:1:1: this is a metalink, but not of version 4"},
        {"<metalink/>", 0, "but not of version 4"},
        {BEGIN "%<file name='b'><url>", 1, "list:3:63: the metalink ends too early"},
        {BEGIN "%<file name='b'><url></file>", 1, "list:3:65: not XML: mismatched tag"},
        {BEGIN "%%" END "x", 2, "list:4:1: not XML: "},
        {BEGIN "%<file name='&x;'/>" END, 1, "not XML: undefined entity"},
        {BEGIN "%\xff" END, 1, "list:3:43: not XML: "},
        {"<!DOCTYPE metalink [<!ENTITY a 'b'>]>" BEGIN END, 0,
         "list:1:20: a DOCTYPE stands here; a metalink has none"},
        {"<!DOCTYPE metalink SYSTEM 'file:///etc/passwd'><metalink/>", 0, "a DOCTYPE stands here"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf list = {0};
        for (const char *p = rows[i].list; *p; p++)
            strbuf_add(&list, *p == '%' ? file : p, *p == '%' ? sizeof file - 1 : 1);
        expect_ended(strbuf_text(&list), list.n, rows[i].records, rows[i].part);
        strbuf_free(&list);
    }
}

/* What would make the parser keep more and more. */
static void metalink_what_a_hostile_document_makes_grow_is_bounded(void **state)
{
    struct strbuf list = {0};
    strbuf_adds(&list, BEGIN "<!--");
    for (int i = 0; i < 1100000; i++)
        strbuf_addc(&list, 'x');
    struct source *s = open_list(list.p, list.n, 100000, NULL);
    struct record r;
    error err = {0};
    assert_int_equal(source_next(s, &r, &err), WEIR_INPUT);
    assert_non_null(
        strstr(err.message, "list:3:1: a tag or a comment is longer than 1048576 bytes"));
    source_close(s);

    strbuf_clear(&list);
    strbuf_adds(&list, BEGIN);
    for (int i = 0; i < 100; i++)
        strbuf_adds(&list, "<x>");
    expect_ended(list.p, list.n, 0, "elements lie within more than 64 others");

    for (size_t k = 0; k < 3; k++) {
        strbuf_clear(&list);
        strbuf_adds(&list, BEGIN);
        for (int i = 0; i < 1500; i++)
            k == 0   ? strbuf_addf(&list, "<e%d/>", i)
            : k == 1 ? strbuf_addf(&list, "<e a%d='x'/>", i)
                     : strbuf_addf(&list, "<p%d:e xmlns:p%d='u'/>", i, i);
        expect_ended(list.p, list.n, 0, "more than 1024 different names");
    }
    strbuf_free(&list);
}

static void metalink_what_is_kept_of_a_file_is_bounded(void **state)
{
    struct strbuf list = {0}, out = {0};
    strbuf_adds(&list, BEGIN "<file name='many'>");
    for (int i = 0; i < 1025; i++)
        strbuf_addf(&list, "<url>http://a/%d</url>", i);
    strbuf_adds(&list, "</file>\n<file name='long'><url>http://b/");
    for (int i = 0; i < 70000; i++)
        strbuf_addc(&list, 'b');
    strbuf_adds(&list, "</url></file>\n<file name='large'>");
    for (int i = 0; i < 20; i++) {
        strbuf_adds(&list, "<url>http://c/");
        for (int k = 0; k < 60000; k++)
            strbuf_addc(&list, 'c');
        strbuf_adds(&list, "</url>");
    }
    strbuf_adds(&list, "</file>\n<file name='");
    for (int i = 0; i < 70000; i++)
        strbuf_addc(&list, 'n');
    strbuf_adds(&list, "'><url>http://d/</url></file>\n<file name='ok'><description>");
    for (int i = 0; i < 3000000; i++)
        strbuf_addc(&list, 'd');
    strbuf_adds(&list, "</description><url>http://ok/</url></file>" END);
    struct source *s = open_list(list.p, list.n, 10000, NULL);
    read_records(s, &out, WEIR_END);
    assert_non_null(strstr(out.p, "3 !http://a/0: list:3:"));
    assert_non_null(strstr(out.p,
                           ": the file has more than 1024 URLs\n4 !long: list:4:19: the text "
                           "of the element is longer than 65536 bytes\n5 !http://c/ccc"));
    assert_non_null(strstr(out.p,
                           ": the file has more than 512 KiB of URLs\n6 !http://d/: list:6:1: "
                           "the name is longer than 65536 bytes\n7 http://ok/ name=ok\n"));
    assert_true(out.n < 3000);
    strbuf_free(&list);
    strbuf_free(&out);
    source_close(s);
}

/* A document without end, made as it is read. */
struct endless_reader {
    struct reader head;
    unsigned files;
    unsigned next;
};

static status endless_read(struct reader *r, void *data, size_t cap, size_t *got, error *err)
{
    struct endless_reader *e = (struct endless_reader *)r;
    int n = e->next == 0 ? snprintf(data, cap, BEGIN)
            : e->next <= e->files
                ? snprintf(data, cap,
                           "<file name='f%u'><size>%u</size><url priority='2'>http://a/%u</url>"
                           "<url priority='1'>http://b/%u</url></file>\n",
                           e->next, e->next, e->next, e->next)
            : e->next == e->files + 1 ? snprintf(data, cap, END)
                                      : 0;
    e->next++;
    *got = (size_t)n;
    return OK;
}

static status endless_rewind(struct reader *r, error *err)
{
    return fail(err, WEIR_USAGE, "it has no start");
}

static void endless_close(struct reader *r)
{
}

static void metalink_memory_does_not_grow_with_the_list(void **state)
{
    static const struct reader_type type = {"endless", endless_read, endless_rewind, endless_close};
    enum { FILES = 200000, EARLY = 1000 };
    struct endless_reader e = {.head = {&type}, .files = FILES};
    struct source *s;
    struct record r;
    error err = {0};
    size_t early = 0;
    assert_int_equal(source_open(&s, &e.head, "list", NULL, &err), OK);
    for (unsigned i = 1; i <= FILES; i++) {
        assert_int_equal(source_next(s, &r, &err), OK);
        assert_int_equal(r.size, i);
        if (i == EARLY)
            early = mallinfo2().uordblks;
    }
    size_t late = mallinfo2().uordblks;
    if (late > early + 65536)
        print_error("%zu bytes after %d files, %zu after %d\n", early, EARLY, late, FILES);
    assert_true(late <= early + 65536);
    assert_int_equal(source_next(s, &r, &err), WEIR_END);
    assert_int_equal(source_next(s, &r, &err), WEIR_END);
    source_close(s);
}

static void metalink_a_broken_reader_is_told_behind_the_last_file(void **state)
{
    static const char list[] = BEGIN "<file name='a'><url>http://a/</url></file><file";
    struct memory_reader *m = memory(list, sizeof list - 1, 5);
    struct source *s;
    struct record r;
    error err = {0};
    m->trouble = WEIR_DISK;
    assert_int_equal(source_open(&s, &m->head, "list", NULL, &err), OK);
    assert_int_equal(source_next(s, &r, &err), OK);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(source_next(s, &r, &err), WEIR_DISK);
        assert_string_equal(err.message, "list: the wire broke");
    }
    source_close(s);
}

static void metalink_is_refused_by_name_where_it_was_left_out(void **state)
{
    expect_refused("<?xml version='1.0'?>\n", NULL, WEIR_INPUT, "made without expat");
    expect_refused("<metalink/>\n", "metalink", WEIR_USAGE, "no list format \"metalink\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metalink_files_are_records),
        cmocka_unit_test(metalink_mirrors_go_by_priority),
        cmocka_unit_test(metalink_of_another_prefix_is_one_and_foreign_elements_are_none),
        cmocka_unit_test(metalink_an_unknown_digest_is_passed_over_beside_a_known_one),
        cmocka_unit_test(metalink_names_that_lead_out_are_refused),
        cmocka_unit_test(metalink_files_that_cannot_be_read_are_input_errors),
        cmocka_unit_test(metalink_documents_that_are_none_end_the_list),
        cmocka_unit_test(metalink_what_a_hostile_document_makes_grow_is_bounded),
        cmocka_unit_test(metalink_what_is_kept_of_a_file_is_bounded),
        cmocka_unit_test(metalink_memory_does_not_grow_with_the_list),
        cmocka_unit_test(metalink_a_broken_reader_is_told_behind_the_last_file),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(metalink_is_refused_by_name_where_it_was_left_out),
    };
    if (!source_type_named("metalink"))
        return cmocka_run_group_tests(without, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

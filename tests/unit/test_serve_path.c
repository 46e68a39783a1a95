/* What a request's target may name beneath the served directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve/request_path.h"

struct row {
    const char *target;
    enum path_verdict verdict;
    const char *name;
    bool folder, hidden, unfinished;
};

static const struct row rows[] = {
    {"/", PATH_FINE, "", true, false, false},
    {"/a", PATH_FINE, "a", false, false, false},
    {"/a/", PATH_FINE, "a", true, false, false},
    {"/a/b.txt", PATH_FINE, "a/b.txt", false, false, false},
    {"//a///b//", PATH_FINE, "a/b", true, false, false},
    {"/%41%20b", PATH_FINE, "A b", false, false, false},
    {"/a%5cb", PATH_FINE, "a\\b", false, false, false},
    {"/..\\..\\x", PATH_FINE, "..\\..\\x", false, true, false},
    {"/%2541", PATH_FINE, "%41", false, false, false},
    {"http://host/a", PATH_FINE, "a", false, false, false},
    {"HTTPS://host:8/a/", PATH_FINE, "a", true, false, false},
    {"http://host", PATH_FINE, "", true, false, false},
    {"/.git/config", PATH_FINE, ".git/config", false, true, false},
    {"/a/.b", PATH_FINE, "a/.b", false, true, false},
    {"/%2ehidden", PATH_FINE, ".hidden", false, true, false},
    {"/a.part", PATH_FINE, "a.part", false, false, true},
    {"/a.par%74", PATH_FINE, "a.part", false, false, true},
    {"/a.part.resume", PATH_FINE, "a.part.resume", false, false, true},
    {"/x.part/y", PATH_FINE, "x.part/y", false, false, true},
    {"/a.partial", PATH_FINE, "a.partial", false, false, false},
    {"/..", PATH_ABSENT, NULL, false, false, false},
    {"/.", PATH_ABSENT, NULL, false, false, false},
    {"/a/../b", PATH_ABSENT, NULL, false, false, false},
    {"/%2e%2e/etc", PATH_ABSENT, NULL, false, false, false},
    {"/.%2E/etc", PATH_ABSENT, NULL, false, false, false},
    {"/a%2fb", PATH_ABSENT, NULL, false, false, false},
    {"/a%2F..%2Fb", PATH_ABSENT, NULL, false, false, false},
    {"/a%00", PATH_ABSENT, NULL, false, false, false},
    {"http://host/../a", PATH_ABSENT, NULL, false, false, false},
    {"", PATH_MALFORMED, NULL, false, false, false},
    {"a", PATH_MALFORMED, NULL, false, false, false},
    {"*", PATH_MALFORMED, NULL, false, false, false},
    {"ftp://host/a", PATH_MALFORMED, NULL, false, false, false},
    {"/%", PATH_MALFORMED, NULL, false, false, false},
    {"/%4", PATH_MALFORMED, NULL, false, false, false},
    {"/a%4/b", PATH_MALFORMED, NULL, false, false, false},
    {"/%zz", PATH_MALFORMED, NULL, false, false, false},
};

static void target_becomes_a_name_or_is_refused(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct request_path p;
        enum path_verdict v = request_path_parse(&p, span_of(r->target));
        if (v != r->verdict)
            fail_msg("%s: verdict %d, not %d", r->target, v, r->verdict);
        if (v == PATH_FINE &&
            (strcmp(strbuf_text(&p.name), r->name) != 0 || p.folder != r->folder ||
             p.hidden != r->hidden || p.unfinished != r->unfinished))
            fail_msg("%s: \"%s\" %d %d %d", r->target, strbuf_text(&p.name), p.folder, p.hidden,
                     p.unfinished);
        request_path_free(&p);
    }
}

static void long_names_are_refused(void **state)
{
    char target[6000];
    struct request_path p;
    memset(target, 'a', sizeof target);
    target[0] = '/';
    assert_int_equal(request_path_parse(&p, (struct span){target, 256}), PATH_FINE);
    request_path_free(&p);
    assert_int_equal(request_path_parse(&p, (struct span){target, 257}), PATH_TOO_LONG);
    request_path_free(&p);
    for (size_t i = 0; i < sizeof target; i += 100)
        target[i] = '/';
    assert_int_equal(request_path_parse(&p, (struct span){target, sizeof target}), PATH_TOO_LONG);
    request_path_free(&p);
}

static void control_characters_are_noted(void **state)
{
    struct request_path p;
    assert_int_equal(request_path_parse(&p, span_of("/a%0ab")), PATH_FINE);
    assert_true(p.control);
    request_path_free(&p);
    assert_int_equal(request_path_parse(&p, span_of("/caf%c3%a9")), PATH_FINE);
    assert_false(p.control);
    request_path_free(&p);
}

static void a_name_comes_back_from_its_url(void **state)
{
    char name[256];
    struct strbuf url = {0};
    struct request_path p;
    for (int i = 1; i < 256; i++)
        name[i - 1] = (char)(i == '/' || i == '.' ? 'x' : i);
    name[255] = '\0';
    strbuf_addc(&url, '/');
    url_path_add(&url, name);
    assert_null(strpbrk(url.p, " \"<>#?\\:")); /* nothing that ends a path, or an attribute */
    assert_int_equal(request_path_parse(&p, span_of(url.p)), PATH_FINE);
    assert_string_equal(strbuf_text(&p.name), name);
    request_path_free(&p);
    strbuf_free(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_becomes_a_name_or_is_refused),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(control_characters_are_noted),
        cmocka_unit_test(a_name_comes_back_from_its_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* URLs: what is taken, how it is written down, how references resolve, and what is kept from
 * messages and reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#include "core/clock.h"
#include "net/url.h"

#include <cmocka.h> /* last: it has a macro called fail */

static char *copy(struct span s)
{
    char *text = malloc(s.n + 1);
    assert_non_null(text);
    if (s.n)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return text;
}

static void assert_span(struct span s, const char *want, const char *what)
{
    char *have = s.p ? copy(s) : NULL;
    if ((have && want) ? strcmp(have, want) != 0 : have != want)
        fail_msg("%s: wanted %s, got %s", what, want ? want : "(none)", have ? have : "(none)");
    free(have);
}

static const struct {
    const char *in, *text, *authority;
} accepted[] = {
    {"http://example.org", "http://example.org/", "example.org:80"},
    {"http://example.org/", "http://example.org/", "example.org:80"},
    {"https://example.org/a/b.txt", "https://example.org/a/b.txt", "example.org:443"},
    {"  http://example.org/a\t", "http://example.org/a", "example.org:80"},
    {"HTTP://Example.ORG/A", "http://example.org/A", "example.org:80"},
    {"http://Example.ORG/A", "http://example.org/A", "example.org:80"},
    {"http://example.org:80/a", "http://example.org/a", "example.org:80"},
    {"https://example.org:443/a", "https://example.org/a", "example.org:443"},
    {"https://example.org:80/a", "https://example.org:80/a", "example.org:80"},
    {"http://example.org:8080/a", "http://example.org:8080/a", "example.org:8080"},
    {"http://example.org:65535/", "http://example.org:65535/", "example.org:65535"},
    {"http://example.org:/a", "http://example.org/a", "example.org:80"},
    {"http://example.org:0080/a", "http://example.org/a", "example.org:80"},
    {"http://example.org?q=1", "http://example.org/?q=1", "example.org:80"},
    {"http://example.org/?", "http://example.org/?", "example.org:80"},
    {"http://example.org/a?b=/../c?d", "http://example.org/a?b=/../c?d", "example.org:80"},
    {"http://example.org/a#part", "http://example.org/a", "example.org:80"},
    {"http://example.org#part", "http://example.org/", "example.org:80"},
    {"http://example.org/a?b#c?d", "http://example.org/a?b", "example.org:80"},
    {"http://example.org/a b", "http://example.org/a%20b", "example.org:80"},
    {"http://example.org/a?b c d", "http://example.org/a?b%20c%20d", "example.org:80"},
    {"http://example.org/a\tb\nc\rd", "http://example.org/a%09b%0Ac%0Dd", "example.org:80"},
    {"http://example.org/a\x01\x7f", "http://example.org/a%01%7F", "example.org:80"},
    {"http://example.org/\xc3\xa9", "http://example.org/%C3%A9", "example.org:80"},
    {"http://example.org/\xff", "http://example.org/%FF", "example.org:80"},
    {"http://example.org/?q=\xc3\xa9", "http://example.org/?q=%C3%A9", "example.org:80"},
    {"http://example.org/%41%2f%zz%4", "http://example.org/%41%2f%zz%4", "example.org:80"},
    {"http://example.org/a%20b?c%20d", "http://example.org/a%20b?c%20d", "example.org:80"},
    {"http://example.org/\"<>\\^`{|}", "http://example.org/%22%3C%3E%5C%5E%60%7B%7C%7D",
     "example.org:80"},
    {"http://example.org/[1]", "http://example.org/[1]", "example.org:80"},
    {"http://example.org/a!$&'()*+,-.;=:@_~", "http://example.org/a!$&'()*+,-.;=:@_~",
     "example.org:80"},
    {"http://example.org//a//b", "http://example.org//a//b", "example.org:80"},
    {"http://example.org/a/../b", "http://example.org/b", "example.org:80"},
    {"http://example.org/a/./b/.", "http://example.org/a/b/", "example.org:80"},
    {"http://example.org/a/b/..", "http://example.org/a/", "example.org:80"},
    {"http://example.org/../../a", "http://example.org/a", "example.org:80"},
    {"http://example.org/.hidden/..x", "http://example.org/.hidden/..x", "example.org:80"},
    {"http://user@example.org/a", "http://user@example.org/a", "example.org:80"},
    {"http://user:pw@example.org/a", "http://user:pw@example.org/a", "example.org:80"},
    {"http://us%40er:p%3aw@example.org/a", "http://us%40er:p%3aw@example.org/a", "example.org:80"},
    {"http://@example.org/a", "http://example.org/a", "example.org:80"},
    {"http://127.0.0.1:19000/a", "http://127.0.0.1:19000/a", "127.0.0.1:19000"},
    {"http://127.1/a", "http://127.0.0.1/a", "127.0.0.1:80"},
    {"http://0x7f.1/a", "http://127.0.0.1/a", "127.0.0.1:80"},
    {"http://2130706433/", "http://127.0.0.1/", "127.0.0.1:80"},
    {"http://1.example.org/", "http://1.example.org/", "1.example.org:80"},
    {"http://[::1]/a", "http://[::1]/a", "[::1]:80"},
    {"http://[::1]:8080/a", "http://[::1]:8080/a", "[::1]:8080"},
    {"http://[2001:DB8:0:0::1]/", "http://[2001:db8::1]/", "[2001:db8::1]:80"},
    {"http://[fe80::1%25eth0]:81/", "http://[fe80::1%25eth0]:81/", "[fe80::1]:81"},
    {"http://a_b-c.example.org./x", "http://a_b-c.example.org./x", "a_b-c.example.org.:80"},
    {"http://ex%61mple.org/a", "http://example.org/a", "example.org:80"},
    {"http://b\xc3\xbc"
     "cher.example/a",
     "http://xn--bcher-kva.example/a", "xn--bcher-kva.example:80"},
    {"ftp://example.org/a", "ftp://example.org/a", "example.org:21"},
    {"s3://bucket/key", "s3://bucket/key", "bucket:0"},
};

static const struct {
    const char *in, *message; /* a part of what the message must say */
} refused[] = {
    {"", "empty"},
    {"   ", "empty"},
    {"example.org/a", "did you mean http://example.org/a?"},
    {"example.org:8080/a", "did you mean http://example.org:8080/a?"},
    {"localhost:8080", "did you mean http://localhost:8080?"},
    {"//example.org/a", "did you mean http://example.org/a?"},
    {"mailto:a@b", "\"://\" is missing"},
    {"http:/example.org", "\"://\" is missing"},
    {"://example.org", "is not a URL"},
    {"1http://example.org/", "is not a URL"},
    {"http://", "is not a URL"},
    {"http:///a", "names no host"},
    {"http://[fe80::1%2\xe4"
     "5eth0]/",
     "the zone of its address"},
    {"http://:80/a", "ost"},
    {"http://?q", "host"},
    {"http://example.org:99999/a", "ort"},
    {"http://example.org:65536/a", "ort"},
    {"http://example.org:0/a", "ort"},
    {"http://example.org:80x/a", "ort"},
    {"http://exam ple.org/a", "is not a URL"},
    {"http://exam\x01ple.org/a", "is not a URL"},
    {"http://exam%0aple.org/a", "is not a URL"},
    {"http://exam%2fple.org/a", "is not a URL"},
    {"http://[::1/a", "is not a URL"},
    {"http://[zz]/a", "is not a URL"},
    {"http://exa<mple/a", "is not a URL"},
    {"hello world", "did you mean"},
};

static void urls_are_normalised(void **unused)
{
    struct url u;
    error err = {0};
    url_init(&u);
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        if (url_parse(&u, span_of(accepted[i].in), &err) != OK)
            fail_msg("%s: refused: %s", accepted[i].in, err.message);
        assert_span(u.text, accepted[i].text, accepted[i].in);
        assert_span(u.authority, accepted[i].authority, accepted[i].in);
        assert_int_equal(u.text.p[u.text.n], 0);
        assert_int_equal(u.authority.p[u.authority.n], 0);
    }
    url_free(&u);
}

static void a_normalised_url_stays_as_it_is(void **unused)
{
    struct url u;
    error err = {0};
    url_init(&u);
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        assert_int_equal(url_parse(&u, span_of(accepted[i].text), &err), OK);
        assert_span(u.text, accepted[i].text, accepted[i].in);
        assert_span(u.authority, accepted[i].authority, accepted[i].in);
    }
    url_free(&u);
}

static void what_is_no_url_is_refused_with_the_reason(void **unused)
{
    struct url u;
    url_init(&u);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        error err = {0};
        status st = url_parse(&u, span_of(refused[i].in), &err);
        if (st != WEIR_INPUT || !strstr(err.message, refused[i].message))
            fail_msg("%s: wanted input and \"%s\", got %s and \"%s\"", refused[i].in,
                     refused[i].message, weir_status_name(st), err.message);
    }
    error err = {0};
    assert_int_equal(url_parse(&u, (struct span){"http://a/b\0c", 12}, &err), WEIR_INPUT);
    assert_non_null(strstr(err.message, "NUL"));
    url_free(&u);
}

static void parts_are_found(void **unused)
{
    struct url u;
    error err = {0};
    url_init(&u);
    assert_int_equal(url_parse(&u, span_of("https://us:p%40w@Host.example:8443/d/f?x=1#y"), &err),
                     OK);
    assert_span(u.scheme, "https", "scheme");
    assert_span(u.user, "us", "user");
    assert_span(u.password, "p%40w", "password");
    assert_span(u.host, "host.example", "host");
    assert_span(u.path, "/d/f", "path");
    assert_span(u.query, "x=1", "query");
    assert_int_equal(u.port, 8443);
    assert_false(u.default_port);

    assert_int_equal(url_parse(&u, span_of("http://host/"), &err), OK);
    assert_span(u.user, NULL, "user");
    assert_span(u.password, NULL, "password");
    assert_span(u.query, NULL, "query");
    assert_int_equal(u.port, 80);
    assert_true(u.default_port);

    assert_int_equal(url_parse(&u, span_of("http://[fe80::1%25lo]/"), &err), OK);
    assert_span(u.host, "[fe80::1]", "host");
    url_free(&u);
}

/* A scheme in capitals is not plain, so that the same URL takes the way through libcurl. */
static void both_ways_through_the_parser_agree(void **unused)
{
    static const char alphabet[] = "aZ09-._~!$&'()*+,;=:@/?%#//..";
    struct url plain, other;
    struct rng r;
    rng_seed(&r, 20240229);
    url_init(&plain);
    url_init(&other);
    int taken = 0;
    for (int i = 0; i < 20000; i++) {
        char tail[64], one[96], two[96];
        size_t n = (size_t)rng_below(&r, 40);
        for (size_t k = 0; k < n; k++)
            tail[k] = alphabet[rng_below(&r, sizeof alphabet - 1)];
        tail[n] = '\0';
        const char *host = i % 3 == 0 ? "" : i % 3 == 1 ? "ex.org" : "ex.org/";
        snprintf(one, sizeof one, "http://%s%s", host, tail);
        snprintf(two, sizeof two, "HTTP://%s%s", host, tail);
        error e1 = {0}, e2 = {0};
        status s1 = url_parse(&plain, span_of(one), &e1), s2 = url_parse(&other, span_of(two), &e2);
        if (s1 != s2)
            fail_msg("%s: %s (%s) and %s (%s)", one, weir_status_name(s1), e1.message,
                     weir_status_name(s2), e2.message);
        if (s1)
            continue;
        taken++;
        if (strcmp(plain.text.p, other.text.p) || strcmp(plain.authority.p, other.authority.p))
            fail_msg("%s: %s (%s) and %s (%s)", one, plain.text.p, plain.authority.p, other.text.p,
                     other.authority.p);
    }
    assert_true(taken > 5000);
    url_free(&plain);
    url_free(&other);
}

static void a_url_of_8000_characters_is_taken_and_a_huge_one_is_not(void **unused)
{
    struct url u;
    error err = {0};
    char *text = malloc(100001);
    assert_non_null(text);
    memset(text, 'a', 100000);
    text[100000] = '\0';
    memcpy(text, "http://h/", 9);
    url_init(&u);
    assert_int_equal(url_parse(&u, (struct span){text, 8000}, &err), OK);
    assert_int_equal(u.text.n, 8000);
    assert_int_equal(url_parse(&u, (struct span){text, 100000}, &err), WEIR_INPUT);
    assert_non_null(strstr(err.message, "100000"));
    url_free(&u);
    free(text);
}

/* RFC 3986 section 5.4, and what servers send. */
static const struct {
    const char *base, *reference, *want;
} resolved[] = {
    {"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", "./g", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"},
    {"http://a/b/c/d;p?q", "/g", "http://a/g"},
    {"http://a/b/c/d;p?q", "//g", "http://g/"},
    {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
    {"http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y"},
    {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q"},
    {"http://a/b/c/d;p?q", "g#s", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", ";x", "http://a/b/c/;x"},
    {"http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
    {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
    {"http://a/b/c/d;p?q", "..", "http://a/b/"},
    {"http://a/b/c/d;p?q", "../g", "http://a/b/g"},
    {"http://a/b/c/d;p?q", "../..", "http://a/"},
    {"http://a/b/c/d;p?q", "../../../g", "http://a/g"},
    {"http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y"},
    {"http://a/b/c/d;p?q", "https://h/x", "https://h/x"},
    {"http://a/b/c/d;p?q", "ftp://h/x", "ftp://h/x"},
    {"http://a", "g", "http://a/g"},
    {"http://a", "?y", "http://a/?y"},
    {"http://a?q", "g", "http://a/g"},
    {"http://a:81/x", "/y z", "http://a:81/y%20z"},
    {"http://a/b/c/d;p?q=x/y", "g", "http://a/b/c/g"},
    {"https://a/b#frag/x", "g", "https://a/g"},
    {"http://a/x", "//b:82/y", "http://b:82/y"},
};

static void references_resolve_as_the_standard_says(void **unused)
{
    struct url u;
    error err = {0};
    url_init(&u);
    for (size_t i = 0; i < sizeof resolved / sizeof resolved[0]; i++) {
        if (url_resolve(&u, resolved[i].base, span_of(resolved[i].reference), &err) != OK)
            fail_msg("%s: refused: %s", resolved[i].reference, err.message);
        assert_span(u.text, resolved[i].want, resolved[i].reference);
    }
    assert_int_equal(url_resolve(&u, "no-url", span_of("x"), &err), WEIR_INPUT);
    assert_int_equal(url_resolve(&u, "http://a/", span_of("http://"), &err), WEIR_INPUT);
    url_free(&u);
}

static void origins_are_scheme_host_and_port(void **unused)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"http://a/x", "http://a:80/y?z", true}, {"http://a/x", "http://A/x", true},
        {"http://a/x", "https://a/x", false},    {"http://a/x", "http://a:81/x", false},
        {"http://a/x", "http://b/x", false},     {"http://u:p@a/x", "http://a/x", true},
        {"http://a:443/", "https://a/", false},
    };
    struct url a, b;
    error err = {0};
    url_init(&a);
    url_init(&b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(url_parse(&a, span_of(rows[i].a), &err), OK);
        assert_int_equal(url_parse(&b, span_of(rows[i].b), &err), OK);
        if (url_same_origin(&a, &b) != rows[i].same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
    url_free(&a);
    url_free(&b);
}

static void secrets_are_taken_out(void **unused)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"http://u:p@h/a?b#c", "http://h/a?b"},
        {"http://h/a@b", "http://h/a@b"},
        {"http://u:p@ss@h/", "http://h/"},
        {"http://h", "http://h"},
        {"not a url", "not a url"},
        {"http://u:p@bad host/", "http://bad host/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf b = {0};
        url_without_secrets(&b, rows[i].in);
        assert_string_equal(strbuf_text(&b), rows[i].want);
        strbuf_free(&b);
    }
}

static void messages_hold_no_password_and_no_control_character(void **unused)
{
    static const char *const rows[] = {
        "http://u:secret@ho st/", "http://u:sec#secret@host:99999/",
        "u:secret@host/x",        "http://u:secret?x@ho st/",
        "http://\x1b[31mhost/",
    };
    struct url u;
    url_init(&u);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        error err = {0};
        assert_int_equal(url_parse(&u, span_of(rows[i]), &err), WEIR_INPUT);
        if (strstr(err.message, "secret") || strchr(err.message, '\x1b'))
            fail_msg("%s: %s", rows[i], err.message);
    }
    url_free(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_normalised),
        cmocka_unit_test(a_normalised_url_stays_as_it_is),
        cmocka_unit_test(what_is_no_url_is_refused_with_the_reason),
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(both_ways_through_the_parser_agree),
        cmocka_unit_test(a_url_of_8000_characters_is_taken_and_a_huge_one_is_not),
        cmocka_unit_test(references_resolve_as_the_standard_says),
        cmocka_unit_test(origins_are_scheme_host_and_port),
        cmocka_unit_test(secrets_are_taken_out),
        cmocka_unit_test(messages_hold_no_password_and_no_control_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

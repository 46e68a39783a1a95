/* Heads of answers, addresses, proxies and timers: the pure parts of net, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "net/address.h"
#include "net/proxy.h"
#include "net/response.h"
#include "net/timer_heap.h"

#include <cmocka.h> /* last: it has a macro called fail */

#define NOW_S 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

/* Feeds a head, lines ended by CRLF; returns the last step. */
static enum head_step feed(struct head *h, const char *text, bool keep_all)
{
    enum head_step step = HEAD_MORE;
    head_begin(h, keep_all);
    while (*text && step == HEAD_MORE) {
        size_t n = strcspn(text, "\n") + 1;
        step = head_line(h, text, n);
        text += n;
    }
    return step;
}

static void assert_text(const char *have, const char *want, const char *what)
{
    if ((have && want) ? strcmp(have, want) != 0 : have != want)
        fail_msg("%s: wanted %s, got %s", what, want ? want : "(none)", have ? have : "(none)");
}

static void fields_are_found_whatever_their_case(void **unused)
{
    struct head h = {0};
    struct response r;
    assert_int_equal(feed(&h,
                          "HTTP/1.1 206 Partial Content\r\n"
                          "content-LENGTH: 12\r\n"
                          "ETag:\"a b\"  \r\n"
                          "LAST-MODIFIED: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                          "date:\tMon\r\n"
                          "Content-Range: bytes 5-16/17\r\n"
                          "Content-Encoding: gzip\r\n"
                          "Retry-After: 120\r\n"
                          "Content-Disposition: attachment; filename=x\r\n"
                          "Location: /there\r\n"
                          "Etagged: no\r\nX-Etag: no\r\n"
                          "\r\n",
                          false),
                     HEAD_COMPLETE);
    assert_int_equal(head_response(&h, NOW_S, &r), OK);
    assert_int_equal(r.http_status, 206);
    assert_int_equal(r.content_length, 12);
    assert_false(r.repeated_length);
    assert_text(r.etag, "\"a b\"", "etag");
    assert_text(r.last_modified, "Sun, 06 Nov 1994 08:49:37 GMT", "last-modified");
    assert_text(r.date, "Mon", "date");
    assert_text(r.content_range, "bytes 5-16/17", "content-range");
    assert_text(r.content_encoding, "gzip", "content-encoding");
    assert_text(r.content_disposition, "attachment; filename=x", "content-disposition");
    assert_text(r.location, "/there", "location");
    assert_int_equal(r.retry_after_ns, 120 * NS_PER_S);
    assert_int_equal(r.header_count, 0);
    head_free(&h);
}

static void absent_fields_are_null(void **unused)
{
    struct head h = {0};
    struct response r;
    assert_int_equal(feed(&h, "HTTP/1.0 200\r\n\r\n", false), HEAD_COMPLETE);
    assert_int_equal(head_response(&h, NOW_S, &r), OK);
    assert_int_equal(r.http_status, 200);
    assert_int_equal(r.content_length, -1);
    assert_int_equal(r.retry_after_ns, -1);
    assert_null(r.etag);
    assert_null(r.location);
    assert_null(r.date);
    head_free(&h);
}

static void all_headers_come_in_order_when_asked_for(void **unused)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nB: 2\r\nETag: x\r\nA:\r\nB: 3\r\nLong: one\r\n"
                               "  two\r\n\tthree\r\n\r\n";
    static const char *const want[][2] = {
        {"B", "2"}, {"ETag", "x"}, {"A", ""}, {"B", "3"}, {"Long", "one two three"}};
    struct head h = {0};
    struct response r;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(feed(&h, head, true), HEAD_COMPLETE);
        assert_int_equal(head_response(&h, NOW_S, &r), OK);
        assert_int_equal(r.header_count, 5);
        for (size_t i = 0; i < 5; i++) {
            assert_text(r.headers[i].name, want[i][0], "name");
            assert_text(r.headers[i].value, want[i][1], "value");
        }
        assert_text(r.etag, "x", "etag");
    }
    head_free(&h);
}

static void what_an_interim_answer_said_is_dropped(void **unused)
{
    struct head h = {0};
    struct response r;
    assert_int_equal(feed(&h,
                          "HTTP/1.1 103 Early Hints\r\nETag: \"early\"\r\nContent-Length: 7\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                          true),
                     HEAD_COMPLETE);
    assert_int_equal(head_response(&h, NOW_S, &r), OK);
    assert_int_equal(r.http_status, 200);
    assert_int_equal(r.content_length, 9);
    assert_false(r.repeated_length);
    assert_null(r.etag);
    assert_int_equal(r.header_count, 1);
    assert_int_equal(feed(&h, "HTTP/1.1 101 Switching Protocols\r\n\r\n", false), HEAD_COMPLETE);
    head_free(&h);
}

static const struct {
    const char *lines;
    int64_t length;
    bool wrong;
    const char *first, *second;
} lengths[] = {
    {"Content-Length: 5\r\n", 5, false, "5", ""},
    {"Content-Length: 0\r\n", 0, false, "0", ""},
    {"Content-Length: 9223372036854775807\r\n", INT64_MAX, false, "9223372036854775807", ""},
    {"Content-Length: 5\r\nContent-Length: 5\r\n", 5, false, "5", ""},
    {"Content-Length: 5, 5\r\n", 5, false, "5", ""},
    {"Content-Length: 5, 05\r\n", 5, false, "5", ""},
    {"Content-Length: 5\r\nContent-Length: 7\r\n", -1, true, "5", "7"},
    {"Content-Length: 5, 7\r\n", -1, true, "5", "7"},
    {"Content-Length: 5\r\nContent-Length: five\r\n", -1, true, "5", "five"},
    {"Content-Length: -5\r\n", -1, true, "-5", ""},
    {"Content-Length: +5\r\n", -1, true, "+5", ""},
    {"Content-Length: 5x\r\n", -1, true, "5x", ""},
    {"Content-Length:\r\n", -1, true, "", ""},
    {"Content-Length: 5,\r\n", -1, true, "5", ""},
    {"Content-Length: 9223372036854775808\r\n", -1, true, "9223372036854775808", ""},
    {"Content-Length: 99999999999999999999999999999999999999999999999999\r\n", -1, true,
     "999999999999999999999999999999999999999", ""},
    {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", -1, false, "5", ""},
    {"Transfer-Encoding: chunked\r\nContent-Length: 5, 7\r\n", -1, false, "5", "7"},
};

static void lengths_that_contradict_are_noticed(void **unused)
{
    struct head h = {0};
    struct response r;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct strbuf b = {0};
        strbuf_addf(&b, "HTTP/1.1 200 OK\r\n%s\r\n", lengths[i].lines);
        assert_int_equal(feed(&h, strbuf_text(&b), false), HEAD_COMPLETE);
        assert_int_equal(head_response(&h, NOW_S, &r), OK);
        if (r.content_length != lengths[i].length || r.repeated_length != lengths[i].wrong)
            fail_msg("%s: wanted %lld %d, got %lld %d", lengths[i].lines,
                     (long long)lengths[i].length, lengths[i].wrong, (long long)r.content_length,
                     r.repeated_length);
        assert_text(h.length_text[0], lengths[i].first, lengths[i].lines);
        assert_text(h.length_text[1], lengths[i].second, lengths[i].lines);
        strbuf_free(&b);
    }
    head_free(&h);
}

static void retry_after_is_seconds_or_a_date(void **unused)
{
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"0", 0},
        {"120", 120 * NS_PER_S},
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60 * NS_PER_S},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60 * NS_PER_S},
        {"Sun Nov  6 08:50:37 1994", 60 * NS_PER_S},
        {"Sun, 06 Nov 1994 08:48:37 GMT", 0},
        {"99999999999999999999", INT64_MAX},
        {"18446744073709551615", INT64_MAX},
        {"-5", -1},
        {"5.5", -1},
        {"soon", -1},
        {"", -1},
    };
    struct head h = {0};
    struct response r;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf b = {0};
        strbuf_addf(&b, "HTTP/1.1 503 No\r\nRetry-After: %s\r\n\r\n", rows[i].text);
        assert_int_equal(feed(&h, strbuf_text(&b), false), HEAD_COMPLETE);
        assert_int_equal(head_response(&h, NOW_S, &r), OK);
        if (r.retry_after_ns != rows[i].ns)
            fail_msg("%s: wanted %lld, got %lld", rows[i].text, (long long)rows[i].ns,
                     (long long)r.retry_after_ns);
        strbuf_free(&b);
    }
    head_free(&h);
}

static void a_head_has_bounds(void **unused)
{
    struct head h = {0};
    char line[1025];
    memset(line, 'a', sizeof line - 1);
    line[1] = ':';
    line[1023] = '\n';

    head_begin(&h, true);
    assert_int_equal(head_line(&h, "HTTP/1.1 200 OK\r\n", 17), HEAD_MORE);
    for (int i = 0; i < HEAD_MAX_LINES; i++)
        assert_int_equal(head_line(&h, "A: b\r\n", 6), HEAD_MORE);
    assert_int_equal(head_line(&h, "A: b\r\n", 6), HEAD_MORE);
    assert_int_equal(head_line(&h, "A: b\r\n", 6), HEAD_TOO_LARGE);

    head_begin(&h, true);
    assert_int_equal(head_line(&h, "HTTP/1.1 200 OK\r\n", 17), HEAD_MORE);
    for (int i = 0; i < 64; i++)
        assert_int_equal(head_line(&h, line, 1024), HEAD_MORE);
    assert_int_equal(head_line(&h, line, 1024), HEAD_TOO_LARGE);

    head_begin(&h, false);
    for (int i = 0; i < HEAD_MAX_INTERIM; i++) {
        assert_int_equal(head_line(&h, "HTTP/1.1 100 Continue\r\n", 23), HEAD_MORE);
        assert_int_equal(head_line(&h, "\r\n", 2), HEAD_MORE);
    }
    assert_int_equal(head_line(&h, "HTTP/1.1 100 Continue\r\n", 23), HEAD_MORE);
    assert_int_equal(head_line(&h, "\r\n", 2), HEAD_TOO_LARGE);
    head_free(&h);
}

static void odd_lines_do_no_harm(void **unused)
{
    struct head h = {0};
    struct response r;
    assert_int_equal(
        feed(&h, "HTTP/1.1 200 OK\r\n folded\r\nno colon\r\n: no name\r\n:\r\n\r\n", true),
        HEAD_COMPLETE);
    assert_int_equal(head_response(&h, NOW_S, &r), OK);
    assert_int_equal(r.header_count, 0);
    assert_int_equal(feed(&h, "HTTP/1.1 2x0 OK\r\n", false), HEAD_MALFORMED);
    assert_int_equal(feed(&h, "HTTP/1.1 20\r\n", false), HEAD_MALFORMED);
    assert_int_equal(feed(&h, "HTTP/1.1\r\n", false), HEAD_MALFORMED);
    head_free(&h);
}

static void addresses_are_public_or_not(void **unused)
{
    static const struct {
        const char *address;
        bool is_public, link_local;
    } rows[] = {
        {"8.8.8.8", true, false},
        {"93.184.216.34", true, false},
        {"2606:2800:220:1::1", true, false},
        {"127.0.0.1", false, false},
        {"127.255.0.9", false, false},
        {"0.0.0.0", false, false},
        {"10.1.2.3", false, false},
        {"11.0.0.1", true, false},
        {"172.15.255.255", true, false},
        {"172.16.0.1", false, false},
        {"172.31.255.255", false, false},
        {"172.32.0.1", true, false},
        {"192.168.7.7", false, false},
        {"192.169.0.1", true, false},
        {"100.63.255.255", true, false},
        {"100.64.0.1", false, false},
        {"100.127.255.255", false, false},
        {"100.128.0.1", true, false},
        {"169.254.169.254", false, true},
        {"224.0.0.1", false, false},
        {"255.255.255.255", false, false},
        {"198.18.0.1", false, false},
        {"::", false, false},
        {"::1", false, false},
        {"fe80::1", false, true},
        {"fe80::1%eth0", false, true},
        {"febf::1", false, true},
        {"fec0::1", false, false},
        {"fc00::1", false, false},
        {"fd12:3456::1", false, false},
        {"ff02::1", false, false},
        {"::ffff:127.0.0.1", false, false},
        {"::ffff:8.8.8.8", true, false},
        {"::ffff:169.254.1.1", false, true},
        {"::ffff:a9fe:a9fe", false, true},
        {"64:ff9b::10.0.0.1", false, false},
        {"64:ff9b::8.8.8.8", true, false},
        {"2002:0a00:0001::1", false, false},
        {"2002:a9fe:a9fe::1", false, true},
        {"::127.0.0.1", false, false},
        {"2001:db8::1", false, false},
        {"", false, false},
        {"example.org", false, false},
        {"1.2.3", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (address_is_public(rows[i].address) != rows[i].is_public ||
            address_is_link_local(rows[i].address) != rows[i].link_local)
            fail_msg("%s: public %d, link-local %d", rows[i].address,
                     address_is_public(rows[i].address), address_is_link_local(rows[i].address));
}

static void no_proxy_names_hosts_domains_and_networks(void **unused)
{
    static const struct {
        const char *list, *host;
        bool bypassed;
    } rows[] = {
        {"", "a.org", false},
        {"*", "a.org", true},
        {"a.org", "a.org", true},
        {"a.org", "A.ORG.", true},
        {"a.org", "x.a.org", true},
        {".a.org", "x.a.org", true},
        {".a.org", "a.org", true},
        {"a.org", "xa.org", false},
        {"b.org, a.org", "a.org", true},
        {"b.org a.org", "a.org", true},
        {"10.0.0.0/8", "10.1.2.3", true},
        {"10.0.0.0/8", "11.1.2.3", false},
        {"10.0.0.0/33", "10.0.0.0", false},
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"192.168.1.128/25", "192.168.1.127", false},
        {"192.168.1.128/25", "192.168.1.129", true},
        {"::1", "[::1]", true},
        {"fd00::/8", "[fd12::1]", true},
        {"fd00::/8", "[fe80::1]", false},
        {",,", "a.org", false},
        {".", "a.org", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (proxy_bypassed(rows[i].list, span_of(rows[i].host)) != rows[i].bypassed)
            fail_msg("%s: %s", rows[i].list, rows[i].host);
    assert_false(proxy_bypassed(NULL, span_of("a.org")));
}

static void the_proxy_is_the_option_or_the_environments(void **unused)
{
    struct proxy_env env = {
        .http = (char *)"http://h:1", .all = (char *)"http://all:3", .no = (char *)"direct.org"};
    static const struct {
        const char *configured, *url, *want;
    } rows[] = {
        {NULL, "http://a.org/", "http://h:1"}, {NULL, "https://a.org/", "http://all:3"},
        {"p:4", "http://a.org/", "p:4"},       {"p:4", "https://a.org/", "p:4"},
        {"p:4", "http://direct.org/", NULL},   {NULL, "http://x.direct.org/", NULL},
        {"", "http://a.org/", "http://h:1"},
    };
    struct url u;
    error err = {0};
    url_init(&u);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(url_parse(&u, span_of(rows[i].url), &err), OK);
        assert_text(proxy_for(&env, rows[i].configured, &u), rows[i].want, rows[i].url);
    }
    url_free(&u);
    assert_int_equal(proxy_check("proxy:3128", &err), OK);
    assert_int_equal(proxy_check("socks5h://proxy:1080", &err), OK);
    assert_int_equal(proxy_check("ftp://u:secret@proxy:1080", &err), WEIR_CONFIG);
    assert_null(strstr(err.message, "secret"));
}

static void timers_come_in_order_however_they_are_moved(void **unused)
{
    enum { N = 300 };
    struct timer timers[N] = {{0}};
    struct timer_heap heap = {0};
    struct rng r;
    rng_seed(&r, 7);
    assert_true(timer_heap_reserve(&heap, N));
    for (int i = 0; i < 20000; i++)
        timer_set(&heap, &timers[rng_below(&r, N)],
                  rng_below(&r, 4) ? rng_below(&r, 1000) : TIME_NEVER);
    size_t set = heap.n, taken = 0;
    uint64_t last = 0;
    struct timer *first;
    while ((first = timer_first(&heap))) {
        assert_true(first->at >= last);
        last = first->at;
        timer_set(&heap, first, TIME_NEVER);
        assert_int_equal(first->place, 0);
        taken++;
    }
    assert_true(set > N / 2 && taken == set);
    timer_heap_free(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_whatever_their_case),
        cmocka_unit_test(absent_fields_are_null),
        cmocka_unit_test(all_headers_come_in_order_when_asked_for),
        cmocka_unit_test(what_an_interim_answer_said_is_dropped),
        cmocka_unit_test(lengths_that_contradict_are_noticed),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(a_head_has_bounds),
        cmocka_unit_test(odd_lines_do_no_harm),
        cmocka_unit_test(addresses_are_public_or_not),
        cmocka_unit_test(no_proxy_names_hosts_domains_and_networks),
        cmocka_unit_test(the_proxy_is_the_option_or_the_environments),
        cmocka_unit_test(timers_come_in_order_however_they_are_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

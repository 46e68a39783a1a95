/* Exchanges against real sockets: bodies, framing, failures and their classes, what a request
 * carries. Pauses, limits of time and cancelling are in test_net_control.c. */
#include "net_fixture.h"

#include <sys/resource.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define LINES_10 "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\nA: 7\r\nA: 8\r\nA: 9\r\nA: 0\r\n"
#define LINES_90 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10 LINES_10

static const struct answer answers[] = {
    {"/hello", OK_HEAD "Content-Length: 5\r\nETag: \"v1\"\r\n\r\nhello", STAY, 0},
    {"/empty", OK_HEAD "Content-Length: 0\r\n\r\n", STAY, 0},
    {"/204", "HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\n", STAY, 0},
    {"/304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", STAY, 0},
    {"/chunked",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n"
             "ETag: trailer\r\n\r\n",
     STAY, 0},
    {"/close", "HTTP/1.0 200 OK\r\n\r\nuntil the end", CLOSE, 0},
    {"/interim",
     "HTTP/1.1 103 Early\r\nETag: \"no\"\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_HEAD
     "Content-Length: 2\r\n\r\nok",
     STAY, 0},
    {"/headers", OK_HEAD "A: 1\r\nB: two\r\nA: 3\r\nContent-Length: 0\r\n\r\n", STAY, 0},
    {"/short", OK_HEAD "Content-Length: 10\r\n\r\nfour", CLOSE, 0},
    {"/short-chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n8\r\nfour", CLOSE, 0},
    {"/no-last-chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n", CLOSE, 0},
    {"/bad-chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nfour\r\n", CLOSE, 0},
    {"/reset", OK_HEAD "Content-Length: 1000000\r\n\r\nfour", RESET, 0},
    {"/two-lengths", OK_HEAD "Content-Length: 4\r\nContent-Length: 6\r\n\r\nfoursix", CLOSE, 0},
    {"/list-length", OK_HEAD "Content-Length: 4, 6\r\n\r\nfoursix", CLOSE, 0},
    {"/huge-length", OK_HEAD "Content-Length: 99999999999999999999\r\n\r\nfour", CLOSE, 0},
    {"/negative-length", OK_HEAD "Content-Length: -4\r\n\r\nfour", CLOSE, 0},
    {"/same-lengths", OK_HEAD "Content-Length: 4\r\nContent-Length: 4\r\n\r\nfour", STAY, 0},
    {"/nothing", "", CLOSE, 0},
    {"/half-head", "HTTP/1.1 200 OK\r\nConte", CLOSE, 0},
    {"/garbage", "what is this\r\n\r\n", CLOSE, 0},
    {"/large-head", OK_HEAD LINES_90 LINES_90 LINES_90 "\r\n", CLOSE, 0},
    {"/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 10000\r\n\r\n", STAY, 10000},
    {"/404-large", "HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\n", STAY, 1000000},
    {"/404-endless", "HTTP/1.1 404 Not Found\r\n\r\n", HOLD, 200000},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: ../a b?c#d\r\nContent-Length: 0\r\n\r\n", STAY,
     0},
    {"/bad-redirect", "HTTP/1.1 302 Found\r\nLocation: http://\r\nContent-Length: 0\r\n\r\n", STAY,
     0},
    {"/101", "HTTP/1.1 101 Switching Protocols\r\n\r\n", CLOSE, 0},
    {"/set-cookie", OK_HEAD "Set-Cookie: taste=sweet\r\nContent-Length: 0\r\n\r\n", STAY, 0},
    {"/once", OK_HEAD "Content-Length: 4\r\n\r\nonce", CLOSE, 0},
    /* What follows the first slash of "CONNECT host:443 HTTP/1.1". */
    {"/1.1\r\nHost:", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
     CLOSE, 0},
    {"/large", OK_HEAD "Content-Length: 3000000\r\n\r\n", STAY, 3000000},
    {NULL, NULL, CLOSE, 0},
};

static int set_up(void **state)
{
    struct net_test *n = malloc(sizeof *n);
    assert_non_null(n);
    net_test_open(n, answers);
    *state = n;
    return 0;
}

static int tear_down(void **state)
{
    net_test_close(*state);
    free(*state);
    return 0;
}

static void a_body_arrives_and_the_connection_is_used_again(void **state)
{
    struct net_test *n = *state;
    net_test_loop(n);
    for (int i = 0; i < 3; i++) {
        struct got g = {0};
        get(n, &g, "/hello");
        assert_outcome(&g, OK, "");
        assert_int_equal(g.heads, 1);
        assert_int_equal(g.result.http_status, 200);
        assert_true(g.result.answered);
        assert_false(g.result.drained);
        assert_int_equal(g.result.body_bytes, 5);
        assert_memory_equal(g.body, "hello", 5);
        assert_string_equal(g.etag, "\"v1\"");
        assert_string_equal(g.result.address, "127.0.0.1");
        assert_int_equal(g.head.content_length, 5);
    }
    assert_int_equal(server_count(&n->server, &n->server.accepted), 1);
}

static void every_kind_of_framing_is_read(void **state)
{
    static const struct {
        const char *path, *body;
        int http_status;
        int64_t content_length;
    } rows[] = {
        {"/empty", "", 200, 0},
        {"/204", "", 204, 7},
        {"/304", "", 304, 7},
        {"/chunked", "abcdefg", 200, -1},
        {"/close", "until the end", 200, -1},
        {"/interim", "ok", 200, 2},
        {"/same-lengths", "four", 200, 4},
    };
    struct net_test *n = *state;
    net_test_loop(n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct got g = {0};
        get(n, &g, rows[i].path);
        assert_outcome(&g, OK, "");
        assert_int_equal(g.heads, 1);
        assert_int_equal(g.result.http_status, rows[i].http_status);
        assert_int_equal(g.head.content_length, rows[i].content_length);
        assert_string_equal(g.body, rows[i].body);
        assert_string_equal(g.etag, "");
    }
}

static void headers_come_when_asked_for(void **state)
{
    struct net_test *n = *state;
    struct got g = {0}, without = {0};
    struct transfer_request r = {.url = server_url(n, "/headers"), .want_headers = true};
    net_test_loop(n);
    start_request(n, &g, &r);
    wait_for_end(n, &g);
    assert_string_equal(g.headers, "A=1;B=two;A=3;Content-Length=0;");
    get(n, &without, "/headers");
    assert_string_equal(without.headers, "");
}

static void a_damaged_answer_has_its_class(void **state)
{
    static const struct {
        const char *path;
        status status;
        const char *message;
        int heads;
    } rows[] = {
        {"/short", WEIR_TRUNCATED, "4 of 10 bytes", 1},
        {"/short-chunk", WEIR_TRUNCATED, "after 4 bytes", 1},
        {"/no-last-chunk", WEIR_TRUNCATED, "after 4 bytes", 1},
        {"/bad-chunk", WEIR_TRUNCATED, "127.0.0.1:", 1},
        {"/reset", WEIR_TRUNCATED, "127.0.0.1:", 1},
        {"/two-lengths", WEIR_TRUNCATED, "\"4\" and as \"6\"", 1},
        {"/list-length", WEIR_TRUNCATED, "\"4\" and as \"6\"", 1},
        {"/huge-length", WEIR_TRUNCATED, "99999999999999999999", 1},
        {"/negative-length", WEIR_TRUNCATED, "Content-Length", 0},
        {"/nothing", WEIR_CONNECT, "without an answer", 0},
        {"/half-head", WEIR_CONNECT, "127.0.0.1:", 0},
        {"/garbage", WEIR_HTTP, "HTTP", 0},
        {"/large-head", WEIR_HTTP, "header block too large", 0},
    };
    struct net_test *n = *state;
    net_test_loop(n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct got g = {0};
        get(n, &g, rows[i].path);
        if (g.result.error.status != rows[i].status ||
            !strstr(g.result.error.message, rows[i].message) || g.heads != rows[i].heads)
            fail_msg("%s: %s \"%s\", %d heads", rows[i].path,
                     weir_status_name(g.result.error.status), g.result.error.message, g.heads);
        assert_int_equal(g.result.answered, rows[i].heads);
        assert_null(strchr(g.result.error.message, '\n'));
    }
}

static void contradicting_lengths_are_told_to_the_owner_before_they_fail(void **state)
{
    struct net_test *n = *state;
    struct got g = {0};
    net_test_loop(n);
    get(n, &g, "/two-lengths");
    assert_true(g.head.repeated_length);
    assert_int_equal(g.data_calls, 0);
}

static void an_unwanted_page_is_drained_or_cut(void **state)
{
    static const struct {
        const char *path;
        enum body_verdict verdict;
        size_t connections; /* made so far, when the next request has been answered */
    } rows[] = {
        {"/404", BODY_DRAIN, 1}, {"/404-large", BODY_DRAIN, 2}, {"/404-endless", BODY_DRAIN, 3},
        {"/404", BODY_CUT, 4},   {"/empty", BODY_CUT, 4},       {"/two-lengths", BODY_DRAIN, 5},
    };
    struct net_test *n = *state;
    net_test_loop(n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct got g = {.verdict = rows[i].verdict}, next = {0};
        get(n, &g, rows[i].path);
        assert_outcome(&g, OK, "");
        assert_true(g.result.drained);
        assert_int_equal(g.data_calls, 0);
        assert_int_equal(g.result.body_bytes, 0);
        get(n, &next, "/hello");
        assert_outcome(&next, OK, "");
        assert_int_equal(server_count(&n->server, &n->server.accepted), rows[i].connections);
    }
}

static void an_owner_who_refuses_data_cancels(void **state)
{
    struct net_test *n = *state;
    struct got g = {.refuse_data = true};
    net_test_loop(n);
    get(n, &g, "/large");
    assert_outcome(&g, WEIR_CANCELLED, "stopped");
    assert_int_equal(g.data_calls, 1);
    assert_true(g.result.body_bytes > 0);
}

static void redirects_are_told_and_not_followed(void **state)
{
    struct net_test *n = *state;
    struct got g = {.verdict = BODY_DRAIN}, bad = {.verdict = BODY_DRAIN};
    char want[64];
    net_test_loop(n);
    get(n, &g, "/redirect");
    snprintf(want, sizeof want, "http://127.0.0.1:%d/a%%20b?c", n->server.port);
    assert_string_equal(g.location, want);
    assert_int_equal(g.result.http_status, 302);
    get(n, &bad, "/bad-redirect");
    assert_string_equal(bad.location, "");
    assert_int_equal(server_count(&n->server, &n->server.requests), 2);
}

static void switching_protocols_is_a_final_answer(void **state)
{
    struct net_test *n = *state;
    struct got g = {0};
    net_test_loop(n);
    get(n, &g, "/101");
    assert_int_equal(g.heads, 1);
    assert_int_equal(g.head.http_status, 101);
}

static void a_connection_that_cannot_be_made_says_why(void **state)
{
    struct net_test *n = *state;
    struct got refused = {0}, unknown = {0};
    struct server closed;
    char url[160];
    net_test_loop(n);
    server_start(&closed, answers);
    server_stop(&closed);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", closed.port);
    struct transfer_request r = {.url = url};
    start_request(n, &refused, &r);
    wait_for_end(n, &refused);
    assert_outcome(&refused, WEIR_CONNECT, "refused");
    assert_false(refused.result.answered);

    /* A label of 64 characters is refused by the resolver itself. */
    r = (struct transfer_request){
        .url = "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test/"};
    start_request(n, &unknown, &r);
    wait_for_end(n, &unknown);
    assert_outcome(&unknown, WEIR_DNS, "could not be resolved");
    struct got after = {0};
    get(n, &after, "/hello");
    assert_outcome(&after, OK, "");
}

static void a_server_that_closes_without_a_word_is_asked_anew(void **state)
{
    struct net_test *n = *state;
    net_test_loop(n);
    for (int i = 0; i < 20; i++) {
        struct got g = {0};
        get(n, &g, "/once");
        assert_outcome(&g, OK, "");
        assert_memory_equal(g.body, "once", 4);
    }
    assert_true(server_count(&n->server, &n->server.accepted) >= 20);
}

static void tls_trouble_and_a_cut_handshake_differ(void **state)
{
    struct net_test *n = *state;
    static const struct answer silent[] = {{NULL, NULL, CLOSE, 0}};
    struct got plain = {0}, cut = {0};
    struct server other;
    char url[64];
    net_test_loop(n);
    /* The handshake holds no blank line, so the server waits on; it is stopped meanwhile. */
    server_start(&other, silent);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", other.port);
    struct transfer_request r = {.url = url};
    start_request(n, &cut, &r);
    while (server_count(&other, &other.accepted) == 0)
        net_loop_wait(n->loop, 0);
    server_stop(&other);
    wait_for_end(n, &cut);
    assert_outcome(&cut, WEIR_CONNECT, "127.0.0.1:");

    int fd = socket(AF_INET, SOCK_STREAM, 0), peer;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", ntohs(a.sin_port));
    r = (struct transfer_request){.url = url};
    start_request(n, &plain, &r);
    net_loop_wait(n->loop, 0);
    peer = accept(fd, NULL, NULL);
    assert_true(send_all(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28));
    wait_for_end(n, &plain);
    assert_outcome(&plain, WEIR_TLS, "TLS");
    close(peer);
    close(fd);
}

static void a_lack_of_descriptors_is_no_fault_of_the_server(void **state)
{
    struct net_test *n = *state;
    struct got warm = {0}, g = {0}, after = {0};
    struct rlimit before, low;
    net_test_loop(n);
    get(n, &warm, "/close");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest = dup(0);
    close(lowest);
    low = before;
    low.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    get(n, &g, "/hello");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_outcome(&g, WEIR_AGAIN, "file descriptors");
    get(n, &after, "/hello");
    assert_outcome(&after, OK, "");
}

static void a_request_that_cannot_be_made_is_refused_at_once(void **state)
{
    static const struct {
        const char *url, *headers;
        status status;
        const char *message;
    } rows[] = {
        {"ftp://127.0.0.1/x", NULL, WEIR_POLICY, "\"ftp\""},
        {"example.org", NULL, WEIR_INPUT, "did you mean"},
        {"http://127.0.0.1/", "A: b\r\nC: d\0", WEIR_INPUT, "control character"},
        {"http://u%00:p@127.0.0.1/", NULL, WEIR_INPUT, "127.0.0.1:80"},
    };
    struct net_test *n = *state;
    net_test_loop(n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct transfer_request r = {
            .url = rows[i].url, .options = &n->options, .headers = rows[i].headers};
        struct transfer *t = NULL;
        error err = {0};
        status st = transfer_start(n->loop, &r, &got_ops, NULL, &t, &err);
        if (st != rows[i].status || !strstr(err.message, rows[i].message) || t)
            fail_msg("%s: %s \"%s\"", rows[i].url, weir_status_name(st), err.message);
    }
    n->options.http_protocols = (char *)"https";
    struct transfer_request r = {.url = "http://127.0.0.1/", .options = &n->options};
    struct transfer *t = NULL;
    error err = {0};
    assert_int_equal(transfer_start(n->loop, &r, &got_ops, NULL, &t, &err), WEIR_POLICY);
}

static void a_request_carries_what_it_should(void **state)
{
    struct net_test *n = *state;
    char *headers[] = {(char *)"X-Run: 1", (char *)"X-Both: run"};
    struct got a = {0}, b = {0}, c = {0}, d = {0};
    char url[128];
    n->options.http_header = (struct text_list){headers, 2};
    n->options.http_user = (char *)"ann:secret";
    net_test_loop(n);

    get(n, &a, "/hello");
    assert_true(server_saw(&n->server, "User-Agent: weir/" WEIR_VERSION "\r\n"));
    assert_true(server_saw(&n->server, "X-Run: 1\r\n"));
    assert_true(server_saw(&n->server, "X-Both: run\r\n"));
    assert_true(server_saw(&n->server, "Authorization: Basic YW5uOnNlY3JldA==\r\n"));
    assert_false(server_saw(&n->server, "Range"));
    assert_false(server_saw(&n->server, "Accept-Encoding"));

    struct transfer_request r = {.url = server_url(n, "/hello"),
                                 .headers = "X-Job: 2\0x-both: job\0",
                                 .range_from = 5,
                                 .if_range = "\"v1\"",
                                 .own_origin = true};
    start_request(n, &b, &r);
    wait_for_end(n, &b);
    assert_true(server_saw(&n->server, "X-Run: 1\r\n"));
    assert_true(server_saw(&n->server, "X-Job: 2\r\n"));
    assert_true(server_saw(&n->server, "x-both: job\r\n"));
    assert_false(server_saw(&n->server, "X-Both"));
    assert_true(server_saw(&n->server, "Range: bytes=5-\r\n"));
    assert_true(server_saw(&n->server, "If-Range: \"v1\"\r\n"));

    r = (struct transfer_request){.url = server_url(n, "/hello"), .own_origin = false};
    start_request(n, &c, &r);
    wait_for_end(n, &c);
    assert_false(server_saw(&n->server, "X-"));
    assert_false(server_saw(&n->server, "Authorization"));
    assert_false(server_saw(&n->server, "Range"));

    snprintf(url, sizeof url, "http://b%%6fb:p%%3aw@127.0.0.1:%d/hello", n->server.port);
    r = (struct transfer_request){.url = url, .own_origin = true};
    start_request(n, &d, &r);
    wait_for_end(n, &d);
    assert_outcome(&d, OK, "");
    assert_true(server_saw(&n->server, "Authorization: Basic Ym9iOnA6dw==\r\n"));
    assert_true(server_saw(&n->server, "GET /hello HTTP/1.1\r\n"));

    struct got again = {0};
    get(n, &again, "/hello");
    assert_true(server_saw(&n->server, "Authorization: Basic YW5uOnNlY3JldA==\r\n"));
}

static void cookies_hold_for_all_handles_of_a_loop(void **state)
{
    struct net_test *n = *state;
    struct got a = {0}, b[3] = {{0}}, plain = {0};
    char file[] = "/tmp/weir-cookies-XXXXXX";
    int fd = mkstemp(file);
    static const char text[] = "127.0.0.1\tFALSE\t/\tFALSE\t0\tfrom\tfile\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    struct options without = n->options;
    n->options.http_cookie_file = file;
    net_test_loop(n);
    get(n, &a, "/set-cookie");
    assert_true(server_saw(&n->server, "Cookie: from=file\r\n"));
    for (int i = 0; i < 3; i++)
        start_path(n, &b[i], "/hello");
    for (int i = 0; i < 3; i++) {
        wait_for_end(n, &b[i]);
        assert_true(server_saw(&n->server, "from=file"));
        assert_true(server_saw(&n->server, "taste=sweet"));
    }
    struct transfer_request r = {.url = server_url(n, "/hello"), .options = &without};
    start_request(n, &plain, &r);
    wait_for_end(n, &plain);
    assert_false(server_saw(&n->server, "Cookie"));
    unlink(file);
}

static void settings_that_cannot_work_are_refused_when_the_loop_opens(void **state)
{
    struct net_test *n = *state;
    struct net_loop_env env = {&n->options, 16384, 4};
    struct net_loop *loop = NULL;
    error err = {0};
    n->options.http_ca_file = (char *)"/nonexistent/ca.pem";
    assert_int_equal(net_loop_open(&loop, &env, &err), WEIR_CONFIG);
    assert_non_null(strstr(err.message, "/nonexistent/ca.pem"));
    n->options.http_ca_file = NULL;
    n->options.http_cookie_file = (char *)"/nonexistent/cookies";
    assert_int_equal(net_loop_open(&loop, &env, &err), WEIR_CONFIG);
    n->options.http_cookie_file = NULL;
    n->options.http_proxy = (char *)"gopher://proxy";
    assert_int_equal(net_loop_open(&loop, &env, &err), WEIR_CONFIG);
    n->options.http_proxy = NULL;
    assert_null(loop);
    net_loop_close(NULL);
}

static void a_private_address_is_not_asked_on_behalf_of_a_public_one(void **state)
{
    struct net_test *n = *state;
    struct got refused = {0}, allowed = {0}, first = {0};
    struct options lax = n->options;
    lax.http_allow_private = true;
    net_test_loop(n);
    struct transfer_request r = {
        .url = server_url(n, "/hello"), .from_public = true, .is_redirect = true};
    start_request(n, &refused, &r);
    wait_for_end(n, &refused);
    assert_outcome(&refused, WEIR_POLICY, "127.0.0.1");
    assert_int_equal(server_count(&n->server, &n->server.requests), 0);
    assert_string_equal(refused.result.address, "127.0.0.1");

    r = (struct transfer_request){.url = server_url(n, "/hello"), .is_redirect = true};
    start_request(n, &first, &r);
    wait_for_end(n, &first);
    assert_outcome(&first, OK, "");

    /* Also on a connection that is there already. */
    struct got reused = {0};
    r = (struct transfer_request){.url = server_url(n, "/hello"), .from_public = true};
    start_request(n, &reused, &r);
    wait_for_end(n, &reused);
    assert_outcome(&reused, WEIR_POLICY, "127.0.0.1");
    assert_int_equal(server_count(&n->server, &n->server.requests), 1);

    r = (struct transfer_request){
        .url = server_url(n, "/hello"), .options = &lax, .from_public = true};
    start_request(n, &allowed, &r);
    wait_for_end(n, &allowed);
    assert_outcome(&allowed, OK, "");
}

static void a_proxy_is_asked_instead(void **state)
{
    struct net_test *n = *state;
    struct got g = {0}, down = {0};
    struct server closed;
    char proxy[64], dead[80];
    snprintf(proxy, sizeof proxy, "http://pat:hidden@127.0.0.1:%d", n->server.port);
    n->options.http_proxy = proxy;
    net_test_loop(n);
    struct transfer_request r = {.url = "http://host.test/hello", .from_public = true};
    start_request(n, &g, &r);
    wait_for_end(n, &g);
    assert_true(server_saw(&n->server, "GET http://host.test/hello HTTP/1.1\r\n"));
    assert_true(server_saw(&n->server, "Proxy-Authorization: Basic cGF0OmhpZGRlbg==\r\n"));
    assert_string_equal(g.result.address, "");

    server_start(&closed, answers);
    server_stop(&closed);
    struct options other = n->options;
    snprintf(dead, sizeof dead, "http://pat:hidden@127.0.0.1:%d", closed.port);
    other.http_proxy = dead;
    r = (struct transfer_request){.url = "http://host.test/hello", .options = &other};
    start_request(n, &down, &r);
    wait_for_end(n, &down);
    assert_outcome(&down, WEIR_CONNECT, "host.test:80 via proxy http://127.0.0.1:");
    assert_null(strstr(down.result.error.message, "hidden"));
}

static void a_proxy_that_refuses_a_tunnel_has_the_last_word(void **state)
{
    struct net_test *n = *state;
    struct got g = {0};
    char proxy[64];
    snprintf(proxy, sizeof proxy, "127.0.0.1:%d", n->server.port);
    n->options.http_proxy = proxy;
    net_test_loop(n);
    struct transfer_request r = {.url = "https://host.test/x"};
    start_request(n, &g, &r);
    wait_for_end(n, &g);
    assert_outcome(&g, WEIR_HTTP, "the proxy refused the connection with status 407");
    assert_int_equal(g.heads, 0);
    assert_false(g.result.answered);
}

static void netrc_serves_foreign_origins_only_by_name(void **state)
{
    static const struct {
        const char *text;
        bool own_origin;
        const char *authorization;
    } rows[] = {
        {"machine 127.0.0.1 login m password y\n", true, "Basic bTp5"},
        {"machine 127.0.0.1 login m password y\n", false, "Basic bTp5"},
        {"default login m password y\n", true, "Basic bTp5"},
        {"default login m password y\n", false, NULL},
        {"machine other.test login machine password 127.0.0.1\n", false, NULL},
        {"# machine 127.0.0.1\ndefault login m password y\n", false, NULL},
    };
    struct net_test *n = *state;
    char file[] = "/tmp/weir-netrc-XXXXXX";
    int fd = mkstemp(file);
    n->options.http_netrc = file;
    net_test_loop(n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct got g = {0};
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_true(pwrite(fd, rows[i].text, strlen(rows[i].text), 0) > 0);
        struct transfer_request r = {.url = server_url(n, "/hello"),
                                     .own_origin = rows[i].own_origin};
        start_request(n, &g, &r);
        wait_for_end(n, &g);
        const char *want = rows[i].authorization ? rows[i].authorization : "Authorization";
        if (server_saw(&n->server, want) != (rows[i].authorization != NULL))
            fail_msg("%s, own origin %d", rows[i].text, rows[i].own_origin);
    }
    close(fd);
    unlink(file);
}

static void many_transfers_at_once_arrive_whole(void **state)
{
    enum { N = 60 };
    struct net_test *n = *state;
    struct got *g = calloc(N, sizeof *g);
    assert_non_null(g);
    net_test_loop(n);
    for (int i = 0; i < N; i++)
        start_path(n, &g[i], i % 2 ? "/hello" : "/large");
    for (int i = 0; i < N; i++) {
        wait_for_end(n, &g[i]);
        assert_outcome(&g[i], OK, "");
        assert_int_equal(g[i].bytes, i % 2 ? 5 : 3000000);
    }
    free(g);
}

static void the_library_names_what_it_is_built_on(void **state)
{
    struct net_test *n = *state;
    size_t count = 0;
    net_test_loop(n);
    assert_memory_equal(net_library(0), "libcurl/", 8);
    while (net_library(count)) {
        assert_non_null(strchr(net_library(count), '/'));
        count++;
    }
    assert_true(count > 2);
    assert_memory_equal(net_library(0), "libcurl/", 8);
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(a_body_arrives_and_the_connection_is_used_again),
        NET_TEST(every_kind_of_framing_is_read),
        NET_TEST(headers_come_when_asked_for),
        NET_TEST(a_damaged_answer_has_its_class),
        NET_TEST(contradicting_lengths_are_told_to_the_owner_before_they_fail),
        NET_TEST(an_unwanted_page_is_drained_or_cut),
        NET_TEST(an_owner_who_refuses_data_cancels),
        NET_TEST(redirects_are_told_and_not_followed),
        NET_TEST(switching_protocols_is_a_final_answer),
        NET_TEST(a_connection_that_cannot_be_made_says_why),
        NET_TEST(tls_trouble_and_a_cut_handshake_differ),
        NET_TEST(a_lack_of_descriptors_is_no_fault_of_the_server),
        NET_TEST(a_request_that_cannot_be_made_is_refused_at_once),
        NET_TEST(a_request_carries_what_it_should),
        NET_TEST(cookies_hold_for_all_handles_of_a_loop),
        NET_TEST(settings_that_cannot_work_are_refused_when_the_loop_opens),
        NET_TEST(a_private_address_is_not_asked_on_behalf_of_a_public_one),
        NET_TEST(a_proxy_is_asked_instead),
        NET_TEST(a_proxy_that_refuses_a_tunnel_has_the_last_word),
        NET_TEST(netrc_serves_foreign_origins_only_by_name),
        NET_TEST(a_server_that_closes_without_a_word_is_asked_anew),
        NET_TEST(many_transfers_at_once_arrive_whole),
        NET_TEST(the_library_names_what_it_is_built_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

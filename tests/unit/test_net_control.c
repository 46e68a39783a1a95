/* What owners and other threads do to transfers: pause, resume, cancel, start from callbacks, wake;
 * and the limits of time. */
#include "net_fixture.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct answer answers[] = {
    {"/hello", OK_HEAD "Content-Length: 5\r\n\r\nhello", STAY, 0},
    {"/large", OK_HEAD "Content-Length: 4000000\r\n\r\n", STAY, 4000000},
    {"/stall", OK_HEAD "Content-Length: 100\r\n\r\nfour", STAY, 0},
    {"/silent", "", STAY, 0},
    {"/404-stall", "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nfour", STAY, 0},
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

/* ---- time */

static void silence_is_a_stall(void **state)
{
    struct net_test *n = *state;
    struct got body = {0}, head = {0};
    n->options.http_stall_timeout = 400 * NS_PER_MS;
    net_test_loop(n);
    get(n, &body, "/stall");
    assert_outcome(&body, WEIR_STALLED, "stalled after 4 bytes");
    assert_int_equal(body.result.body_bytes, 4);
    assert_true(body.result.answered);
    get(n, &head, "/silent");
    assert_outcome(&head, WEIR_STALLED, "no answer within 0.4s");
    assert_false(head.result.answered);
}

static void slower_than_the_limit_is_a_stall_too(void **state)
{
    struct net_test *n = *state;
    struct got g = {0};
    n->options.http_stall_timeout = 400 * NS_PER_MS;
    n->options.http_stall_speed = 1000000000;
    net_test_loop(n);
    get(n, &g, "/stall");
    assert_outcome(&g, WEIR_STALLED, "http.stall_speed");
}

static void the_whole_may_have_a_limit(void **state)
{
    struct net_test *n = *state;
    struct got g = {0};
    n->options.http_timeout = 50 * NS_PER_MS;
    net_test_loop(n);
    get(n, &g, "/stall");
    assert_outcome(&g, WEIR_TIMEOUT, "not done after 0.05s");
}

static void connecting_has_a_limit(void **state)
{
    struct net_test *n = *state;
    struct got g = {0};
    char url[64];
    n->options.http_connect_timeout = 60 * NS_PER_MS;
    net_test_loop(n);
    /* The server waits for a blank line, which no TLS handshake brings. */
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", n->server.port);
    struct transfer_request r = {.url = url};
    start_request(n, &g, &r);
    wait_for_end(n, &g);
    assert_outcome(&g, WEIR_TIMEOUT, "connect timed out after 0.06s");
}

static void an_error_page_that_stalls_is_given_up(void **state)
{
    struct net_test *n = *state;
    struct got g = {.verdict = BODY_DRAIN};
    n->options.http_timeout = 500 * NS_PER_MS;
    net_test_loop(n);
    get(n, &g, "/404-stall");
    assert_true(g.result.drained);
    assert_outcome(&g, OK, "");
}

static void pause_self(struct got *g)
{
    if (g->transfer)
        transfer_pause(g->transfer);
}

static void a_pause_is_no_stall(void **state)
{
    struct net_test *n = *state;
    struct options fast = n->options;
    struct got paused = {.at_data = pause_self};
    net_test_loop(n);
    fast.http_stall_timeout = 400 * NS_PER_MS;
    struct transfer_request r = {.url = server_url(n, "/large"), .options = &fast};
    start_request(n, &paused, &r);
    while (!paused.data_calls)
        net_loop_wait(n->loop, TIME_NEVER);
    /* Meanwhile others stall, one after another, with the same limit. */
    for (int i = 0; i < 2; i++) {
        struct got other = {0};
        r = (struct transfer_request){.url = server_url(n, "/stall"), .options = &fast};
        start_request(n, &other, &r);
        wait_for_end(n, &other);
        assert_outcome(&other, WEIR_STALLED, "stalled");
    }
    assert_int_equal(paused.ends, 0);
    assert_true(paused.bytes < 1000000);
    paused.at_data = NULL;
    transfer_resume(paused.transfer);
    wait_for_end(n, &paused);
    assert_outcome(&paused, OK, "");
    assert_int_equal(paused.bytes, 4000000);
}

/* ---- pauses */

static void resume_self_later(struct got *g)
{
    transfer_pause(g->transfer);
    transfer_pause(g->transfer);
    transfer_resume(g->transfer);
    if (g->data_calls % 2)
        transfer_pause(g->transfer);
}

static void a_body_survives_any_number_of_pauses(void **state)
{
    struct net_test *n = *state;
    struct got g = {.at_data = resume_self_later};
    net_test_loop(n);
    start_path(n, &g, "/large");
    while (!g.ends) {
        net_loop_wait(n->loop, g.transfer ? 0 : TIME_NEVER);
        if (g.transfer)
            transfer_resume(g.transfer);
    }
    assert_outcome(&g, OK, "");
    assert_int_equal(g.bytes, 4000000);
    assert_int_equal(g.ends, 1);
}

static void a_pause_before_the_answer_holds_the_body(void **state)
{
    struct net_test *n = *state;
    struct got g = {0}, other = {0};
    net_test_loop(n);
    start_path(n, &g, "/large");
    transfer_pause(g.transfer);
    while (!g.heads)
        net_loop_wait(n->loop, TIME_NEVER);
    get(n, &other, "/hello");
    assert_true(g.bytes < 1000000);
    transfer_resume(g.transfer);
    wait_for_end(n, &g);
    assert_int_equal(g.bytes, 4000000);
}

static void pause_other(struct got *g)
{
    if (g->other->transfer)
        transfer_pause(g->other->transfer);
}

static void resume_other(struct got *g)
{
    if (g->other->transfer)
        transfer_resume(g->other->transfer);
}

static void one_transfer_may_pause_and_resume_another(void **state)
{
    struct net_test *n = *state;
    struct got a = {0}, b = {.at_data = pause_other, .other = &a},
               c = {.at_data = resume_other, .other = &a};
    net_test_loop(n);
    start_path(n, &a, "/large");
    while (!a.data_calls)
        net_loop_wait(n->loop, TIME_NEVER);
    get(n, &b, "/hello");
    if (!a.ends) {
        get(n, &c, "/hello");
        wait_for_end(n, &a);
    }
    assert_int_equal(a.bytes, 4000000);
}

/* ---- cancelling and starting */

static void cancel_other(struct got *g)
{
    if (g->other->transfer) {
        transfer_cancel(g->other->transfer);
        g->other->transfer = NULL;
    }
}

static void a_cancelled_transfer_says_nothing_more(void **state)
{
    struct net_test *n = *state;
    struct got victim[4] = {{0}}, killer = {0};
    net_test_loop(n);
    for (int where = 0; where < 3; where++) {
        memset(victim, 0, sizeof victim);
        killer = (struct got){.other = &victim[0]};
        killer.at_head = where == 0 ? cancel_other : NULL;
        killer.at_data = where == 1 ? cancel_other : NULL;
        killer.at_end = where == 2 ? cancel_other : NULL;
        start_path(n, &victim[0], "/stall");
        while (!victim[0].data_calls)
            net_loop_wait(n->loop, TIME_NEVER);
        get(n, &killer, "/hello");
        assert_int_equal(victim[0].ends, 0);
        assert_null(victim[0].transfer);
    }
    /* Before it began, while it runs, and while it is paused. */
    start_path(n, &victim[1], "/hello");
    transfer_cancel(victim[1].transfer);
    start_path(n, &victim[2], "/stall");
    victim[3].at_data = pause_self;
    start_path(n, &victim[3], "/large");
    while (!victim[2].data_calls || !victim[3].data_calls)
        net_loop_wait(n->loop, TIME_NEVER);
    transfer_cancel(victim[2].transfer);
    transfer_resume(victim[3].transfer);
    transfer_cancel(victim[3].transfer);
    struct got last = {0};
    get(n, &last, "/hello");
    assert_int_equal(victim[1].heads, 0);
    assert_int_equal(victim[2].ends, 0);
    assert_int_equal(victim[3].ends, 0);
}

static void cancel_self(struct got *g)
{
    transfer_cancel(g->transfer);
    g->transfer = NULL;
}

static void a_transfer_may_even_cancel_itself(void **state)
{
    struct net_test *n = *state;
    struct got head = {.at_head = cancel_self}, data = {.at_data = cancel_self}, last = {0};
    net_test_loop(n);
    start_path(n, &head, "/large");
    start_path(n, &data, "/large");
    while (!head.heads || !data.data_calls)
        net_loop_wait(n->loop, TIME_NEVER);
    get(n, &last, "/hello");
    assert_int_equal(head.ends + data.ends, 0);
    assert_int_equal(head.data_calls, 0);
    assert_int_equal(data.data_calls, 1);
}

struct starter {
    struct got got;
    struct net_test *test;
    struct got *next;
};

static void start_next(struct got *g)
{
    struct starter *s = (struct starter *)((char *)g - offsetof(struct starter, got));
    start_path(s->test, s->next, "/hello");
}

static void a_transfer_may_be_started_from_any_callback(void **state)
{
    struct net_test *n = *state;
    net_test_loop(n);
    for (int where = 0; where < 3; where++) {
        struct got next = {0};
        struct starter s = {.test = n, .next = &next};
        s.got.at_head = where == 0 ? start_next : NULL;
        s.got.at_data = where == 1 ? start_next : NULL;
        s.got.at_end = where == 2 ? start_next : NULL;
        start_path(n, &s.got, "/hello");
        wait_for_end(n, &s.got);
        wait_for_end(n, &next);
        assert_outcome(&next, OK, "");
    }
    assert_true(server_count(&n->server, &n->server.accepted) <= 2);
}

static void closing_a_loop_cancels_what_is_under_way(void **state)
{
    struct net_test *n = *state;
    static struct got g[6];
    memset(g, 0, sizeof g);
    net_test_loop(n);
    start_path(n, &g[0], "/stall");
    start_path(n, &g[1], "/silent");
    g[2].at_data = pause_self;
    start_path(n, &g[2], "/large");
    while (!g[0].data_calls || !g[2].data_calls)
        net_loop_wait(n->loop, TIME_NEVER);
    start_path(n, &g[3], "/hello");
    start_path(n, &g[4], "/hello");
    transfer_cancel(g[4].transfer);
    net_loop_close(n->loop);
    n->loop = NULL;
    for (int i = 0; i < 5; i++)
        assert_int_equal(g[i].ends, 0);
}

/* ---- waking */

struct waker {
    struct net_loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int asked, woken, rounds; /* guarded by lock */
};

static void *wake_often(void *arg)
{
    struct waker *w = arg;
    for (int i = 1; i <= w->rounds; i++) {
        pthread_mutex_lock(&w->lock);
        w->asked = i;
        pthread_mutex_unlock(&w->lock);
        net_loop_wake(w->loop);
        pthread_mutex_lock(&w->lock);
        while (w->woken < i)
            pthread_cond_wait(&w->changed, &w->lock);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

static void no_wake_is_lost(void **state)
{
    struct net_test *n = *state;
    struct waker w = {.rounds = 3000};
    pthread_t thread;
    bool done = false;
    net_test_loop(n);
    w.loop = n->loop;
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.changed, NULL);
    assert_int_equal(pthread_create(&thread, NULL, wake_often, &w), 0);
    while (!done) {
        net_loop_wait(n->loop, TIME_NEVER);
        pthread_mutex_lock(&w.lock);
        w.woken = w.asked;
        done = w.woken == w.rounds;
        pthread_cond_signal(&w.changed);
        pthread_mutex_unlock(&w.lock);
    }
    pthread_join(thread, NULL);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.changed);
}

static void a_wait_ends_at_its_time(void **state)
{
    struct net_test *n = *state;
    net_test_loop(n);
    uint64_t until = clock_now() + 20 * NS_PER_MS;
    while (clock_now() < until)
        net_loop_wait(n->loop, until);
    net_loop_wait(n->loop, 0);
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(silence_is_a_stall),
        NET_TEST(slower_than_the_limit_is_a_stall_too),
        NET_TEST(the_whole_may_have_a_limit),
        NET_TEST(connecting_has_a_limit),
        NET_TEST(an_error_page_that_stalls_is_given_up),
        NET_TEST(a_pause_is_no_stall),
        NET_TEST(a_body_survives_any_number_of_pauses),
        NET_TEST(a_pause_before_the_answer_holds_the_body),
        NET_TEST(one_transfer_may_pause_and_resume_another),
        NET_TEST(a_cancelled_transfer_says_nothing_more),
        NET_TEST(a_transfer_may_even_cancel_itself),
        NET_TEST(a_transfer_may_be_started_from_any_callback),
        NET_TEST(closing_a_loop_cancels_what_is_under_way),
        NET_TEST(no_wake_is_lost),
        NET_TEST(a_wait_ends_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* For the tests of net: a server of raw sockets that answers from a table of texts, a thread a
 * connection, and a receiver that notes what it is told. Included by the tests that need it.
 */
#ifndef WEIR_TEST_NET_FIXTURE_H
#define WEIR_TEST_NET_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/transfer.h"

#include <cmocka.h> /* last: it has a macro called fail */

/* ---- server */

enum after { STAY, CLOSE, HOLD /* nothing more, until the client goes */, RESET };

struct answer {
    const char *path;
    const char *text;
    enum after after;
    size_t fill; /* so many bytes 'x' follow the text */
};

#define SERVER_CONNECTIONS 256

struct server {
    const struct answer *answers;
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    /* guarded by lock */
    int clients[SERVER_CONNECTIONS];
    pthread_t threads[SERVER_CONNECTIONS];
    size_t accepted, requests, gone;
    char last[4096]; /* request */
    bool stopping;
};

struct client {
    struct server *server;
    int fd;
};

static inline bool send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline bool send_answer(int fd, const struct answer *a)
{
    char block[16384];
    memset(block, 'x', sizeof block);
    if (!send_all(fd, a->text, strlen(a->text)))
        return false;
    for (size_t left = a->fill; left;) {
        size_t n = left < sizeof block ? left : sizeof block;
        if (!send_all(fd, block, n))
            return false;
        left -= n;
    }
    return true;
}

/* Reads one request; false when the client has gone. */
static inline bool read_request(int fd, char *out, size_t cap)
{
    size_t n = 0;
    while (n + 1 < cap) {
        ssize_t got = recv(fd, out + n, 1, 0);
        if (got <= 0)
            return false;
        n++;
        out[n] = '\0';
        if (n >= 4 && memcmp(out + n - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static inline void *serve_client(void *arg)
{
    struct client c = *(struct client *)arg;
    char request[4096];
    free(arg);
    while (read_request(c.fd, request, sizeof request)) {
        const struct answer *a = c.server->answers;
        const char *slash = strchr(request, '/');
        size_t n = slash ? strcspn(slash, " ") : 0;
        pthread_mutex_lock(&c.server->lock);
        c.server->requests++;
        snprintf(c.server->last, sizeof c.server->last, "%s", request);
        pthread_mutex_unlock(&c.server->lock);
        while (a->path && !(strlen(a->path) == n && strncmp(a->path, slash, n) == 0))
            a++;
        if (!a->text || !send_answer(c.fd, a) || a->after == CLOSE)
            break;
        if (a->after == RESET) {
            struct linger at_once = {1, 0};
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            break;
        }
    }
    pthread_mutex_lock(&c.server->lock);
    for (size_t i = 0; i < c.server->accepted; i++)
        if (c.server->clients[i] == c.fd)
            c.server->clients[i] = -1;
    c.server->gone++;
    close(c.fd);
    pthread_mutex_unlock(&c.server->lock);
    return NULL;
}

static inline void *serve(void *arg)
{
    struct server *s = arg;
    for (;;) {
        int fd = accept(s->fd, NULL, NULL), one = 1;
        struct client *c = malloc(sizeof *c);
        pthread_mutex_lock(&s->lock);
        if (fd < 0 || s->stopping || !c || s->accepted == SERVER_CONNECTIONS) {
            pthread_mutex_unlock(&s->lock);
            if (fd >= 0)
                close(fd);
            free(c);
            return NULL;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        *c = (struct client){s, fd};
        s->clients[s->accepted] = fd;
        pthread_create(&s->threads[s->accepted], NULL, serve_client, c);
        s->accepted++;
        pthread_mutex_unlock(&s->lock);
    }
}

static inline void server_start(struct server *s, const struct answer *answers)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *s = (struct server){.answers = answers};
    pthread_mutex_init(&s->lock, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 512), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static inline void server_stop(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    for (size_t i = 0; i < s->accepted; i++)
        if (s->clients[i] >= 0)
            shutdown(s->clients[i], SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    for (size_t i = 0; i < s->accepted; i++)
        pthread_join(s->threads[i], NULL);
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
}

static inline size_t server_count(struct server *s, const size_t *counter)
{
    pthread_mutex_lock(&s->lock);
    size_t n = *counter;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static inline bool server_saw(struct server *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    bool saw = strstr(s->last, text) != NULL;
    pthread_mutex_unlock(&s->lock);
    return saw;
}

/* ---- receiver */

struct got {
    struct transfer *transfer; /* NULL once it has ended */
    enum body_verdict verdict; /* to give */
    bool refuse_data;
    void (*at_head)(struct got *g);
    void (*at_data)(struct got *g);
    void (*at_end)(struct got *g);
    struct got *other; /* for the hooks */

    int heads, data_calls, ends, late_calls;
    char body[65536];
    int64_t bytes;
    struct response head; /* without its pointers */
    char location[512], etag[128];
    char headers[1024];
    struct transfer_result result;
};

static inline enum body_verdict got_head(void *owner, const struct response *r)
{
    struct got *g = owner;
    g->heads++;
    g->late_calls += g->ends || g->data_calls;
    g->head = *r;
    snprintf(g->location, sizeof g->location, "%s", r->location ? r->location : "");
    snprintf(g->etag, sizeof g->etag, "%s", r->etag ? r->etag : "");
    for (size_t i = 0; i < r->header_count; i++)
        snprintf(g->headers + strlen(g->headers), sizeof g->headers - strlen(g->headers), "%s=%s;",
                 r->headers[i].name, r->headers[i].value);
    if (g->at_head)
        g->at_head(g);
    return g->verdict;
}

static inline bool got_data(void *owner, const char *data, size_t size)
{
    struct got *g = owner;
    g->late_calls += g->ends || !g->heads || size == 0;
    g->data_calls++;
    if (g->bytes + (int64_t)size < (int64_t)sizeof g->body)
        memcpy(g->body + g->bytes, data, size);
    g->bytes += (int64_t)size;
    if (g->at_data)
        g->at_data(g);
    return !g->refuse_data;
}

static inline void got_end(void *owner, const struct transfer_result *result)
{
    struct got *g = owner;
    g->ends++;
    g->transfer = NULL;
    g->result = *result;
    if (g->at_end)
        g->at_end(g);
}

static const struct transfer_ops got_ops = {
    .on_head = got_head, .on_data = got_data, .on_end = got_end};

/* ---- both, and a loop */

struct net_test {
    struct server server;
    struct options options;
    struct net_loop *loop;
};

static inline void net_test_open(struct net_test *n, const struct answer *answers)
{
    error err = {0};
    memset(n, 0, sizeof *n);
    server_start(&n->server, answers);
    n->options = (struct options){.http_version = HTTP_VERSION_1_1,
                                  .http_connect_timeout = 30 * NS_PER_S,
                                  .http_stall_timeout = 60 * NS_PER_S,
                                  .http_stall_speed = 1,
                                  .http_verify_tls = true};
    assert_int_equal(net_start(&err), OK);
}

static inline void net_test_loop(struct net_test *n)
{
    struct net_loop_env env = {&n->options, 32768, 64};
    error err = {0};
    if (net_loop_open(&n->loop, &env, &err) != OK)
        fail_msg("net_loop_open: %s", err.message);
}

static inline void net_test_close(struct net_test *n)
{
    net_loop_close(n->loop);
    net_stop();
    server_stop(&n->server);
}

static inline void start_request(struct net_test *n, struct got *g,
                                 struct transfer_request *request)
{
    error err = {0};
    if (!request->options)
        request->options = &n->options;
    if (transfer_start(n->loop, request, &got_ops, g, &g->transfer, &err) != OK)
        fail_msg("%s: %s", request->url, err.message);
}

static inline const char *server_url(const struct net_test *n, const char *path)
{
    static _Thread_local char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", n->server.port, path);
    return url;
}

static inline void start_path(struct net_test *n, struct got *g, const char *path)
{
    struct transfer_request request = {.url = server_url(n, path), .own_origin = true};
    start_request(n, g, &request);
}

static inline void wait_for_end(struct net_test *n, struct got *g)
{
    while (!g->ends)
        net_loop_wait(n->loop, TIME_NEVER);
    assert_int_equal(g->ends, 1);
    assert_int_equal(g->late_calls, 0);
}

static inline void get(struct net_test *n, struct got *g, const char *path)
{
    start_path(n, g, path);
    wait_for_end(n, g);
}

static inline void assert_outcome(const struct got *g, status want, const char *part)
{
    const error *e = &g->result.error;
    if (e->status != want || !strstr(e->message, part))
        fail_msg("wanted %s and \"%s\", got %s and \"%s\"", weir_status_name(want), part,
                 weir_status_name(e->status), e->message);
}

#endif

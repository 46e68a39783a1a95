/* faultd: an HTTP server that answers well or badly, as the URL asks (README.md).
 *
 * One thread, one epoll. Each connection has one request at a time; its answer is made at once
 * (fault_answer.c) and then sent as fast as the peer, and the faults, allow. Loopback only. Ends on
 * SIGTERM, or when standard input closes, so that it never outlives the test that started it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fault_answer.h"
#include "fault_bend.h"
#include "fault_log.h"

enum { IN_ROOM = 65536, OUT_ROOM = 65536 };
/* The last bytes of a body that something follows wait until those before have gone, so that both
 * arrive together. */
enum { JOINED = 1000, JOINED_WAIT_US = 10000 };

enum phase { READING, DELAYED, SENDING, SILENT, DYING };

struct connection {
    struct connection *next, *previous;
    int fd;
    enum phase phase;
    bool counted; /* in log.in_flight */
    unsigned port;
    uint64_t id;
    size_t in_used;
    struct answer answer;
    bool head_given;
    int64_t given;   /* body bytes put into `out` */
    int64_t wake_us; /* not before then; 0 = no timer */
    size_t out_used, out_sent;
    bool want_write;
    char in[IN_ROOM], out[OUT_ROOM + 64];
};

struct server {
    int epoll, listener;
    struct connection *connections; /* all */
    unsigned timed;                 /* those with a timer */
    int64_t next_us;                /* none of them is due before */
    struct counts counts;
    struct library library;
    struct fault_log log;
    struct text standing; /* the faults of all requests that name none */
    int64_t start_us;
    uint64_t last_id;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void set_timer(struct server *s, struct connection *c, int64_t wake_us)
{
    s->timed += wake_us != 0;
    s->timed -= c->wake_us != 0;
    if (wake_us && wake_us < s->next_us)
        s->next_us = wake_us;
    c->wake_us = wake_us;
}

static void request_over(struct server *s, struct connection *c)
{
    s->log.in_flight -= c->counted;
    c->counted = false;
}

static void connection_close(struct server *s, struct connection *c, bool reset)
{
    if (reset) {
        struct linger hard = {1, 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    set_timer(s, c, 0);
    request_over(s, c);
    s->log.connections--;
    close(c->fd);
    if (c->previous)
        c->previous->next = c->next;
    else
        s->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    answer_free(&c->answer);
    free(c);
}

static void want_write(struct server *s, struct connection *c, bool want)
{
    if (c->want_write == want)
        return;
    c->want_write = want;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (want ? EPOLLOUT : 0u),
                                .data.ptr = c};
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

/* The server's own pages. */
static bool answer_control(struct server *s, struct connection *c, const struct request *r)
{
    struct text body = {0};
    if (part_is(r->path, "/_log"))
        log_print(&s->log, &body);
    else if (part_is(r->path, "/_stats"))
        log_print_stats(&s->log, &body);
    else if (part_is(r->path, "/_reset")) {
        log_reset(&s->log);
        counts_reset(&s->counts);
    } else if (part_is(r->path, "/_set")) {
        text_clear(&s->standing);
        text_add(&s->standing, r->query.data, r->query.size);
        counts_reset(&s->counts);
    } else {
        return false;
    }
    answer_text(&c->answer, 200, "application/json", &body);
    text_free(&body);
    return true;
}

static void begin_answer(struct server *s, struct connection *c, struct request *r)
{
    int64_t now = now_us() - s->start_us;
    c->head_given = false;
    c->given = 0;
    c->phase = SENDING;
    if (answer_control(s, c, r))
        return;
    if (r->query.size == 0)
        r->query = (struct part){s->standing.data, s->standing.size};
    answer_make(&c->answer, r, &s->counts, &s->library, now / 1000);
    log_request(&s->log, r, now, c->id, c->port, c->answer.status);
    c->counted = true;
    if (++s->log.in_flight > s->log.in_flight_max)
        s->log.in_flight_max = s->log.in_flight;
    if (c->answer.delay_ms > 0) {
        c->phase = DELAYED;
        set_timer(s, c, now_us() + c->answer.delay_ms * 1000);
    }
}

/* Body bytes that may still be given before the fault, or the end. */
static int64_t body_left(const struct connection *c)
{
    int64_t end = c->answer.size;
    if (c->answer.stop_at >= 0 && c->answer.stop_at < end)
        end = c->answer.stop_at;
    return end - c->given;
}

static void give_body(struct connection *c, int64_t n)
{
    struct answer *a = &c->answer;
    if (a->chunked && a->bad_chunk && c->given > 0)
        c->out_used += (size_t)sprintf(c->out + c->out_used, "zz");
    if (a->chunked)
        c->out_used += chunk_line(a->form, c->given == 0, n, c->out + c->out_used);
    answer_read(a, c->given, c->out + c->out_used, (size_t)n);
    c->out_used += (size_t)n;
    c->given += n;
    if (a->chunked && !(a->form == CHUNK_HUGE && c->given > n)) {
        memcpy(c->out + c->out_used, "\r\n", 2);
        c->out_used += 2;
    }
}

/* The next piece of a head or tail that is too large to go at once; 0: that was all. */
static size_t give_text(struct text *t, char *out, size_t most)
{
    size_t n = t->size < most ? t->size : most;
    if (n > 0)
        memcpy(out, t->data, n);
    t->size -= n;
    if (t->size > 0)
        memmove(t->data, t->data + n, t->size);
    return n;
}

/* Puts what comes next into the empty `out`. false: there is nothing more. */
static bool refill(struct server *s, struct connection *c)
{
    struct answer *a = &c->answer;
    c->out_used = c->out_sent = 0;
    if (!c->head_given) {
        size_t most = a->head_drip_bytes ? (size_t)a->head_drip_bytes : OUT_ROOM / 2;
        c->out_used = give_text(&a->head, c->out, most);
        c->head_given = a->head.size == 0;
        if (!c->head_given) {
            if (a->head_drip_ms > 0)
                set_timer(s, c, now_us() + a->head_drip_ms * 1000);
            return true;
        }
    }
    int64_t left = body_left(c), room = (int64_t)(OUT_ROOM - c->out_used) - 32;
    int64_t n = left < room ? left : room;
    if (a->chunked && n > 16384)
        n = 16384;
    if (a->drip_bytes > 0 && n > a->drip_bytes)
        n = a->drip_bytes;
    if (a->tail_joined && left > JOINED && n > left - JOINED)
        n = left - JOINED;
    if (n > 0) {
        give_body(c, n);
        s->log.body_bytes += c->counted ? (uint64_t)n : 0;
        if (a->drip_ms > 0 && body_left(c) > 0)
            set_timer(s, c, now_us() + a->drip_ms * 1000);
        else if (a->tail_joined && body_left(c) == JOINED)
            set_timer(s, c, now_us() + JOINED_WAIT_US);
    }
    /* with the last bytes of the body where there is room, so that one look shows both */
    if (a->tail.size > 0 && body_left(c) <= 0 && (a->stop_at < 0 || a->stop_at > a->size) &&
        c->out_used < OUT_ROOM / 2)
        c->out_used += give_text(&a->tail, c->out + c->out_used, OUT_ROOM / 4);
    return c->out_used > 0;
}

/* The answer has been sent as far as it should. false: the connection is gone. */
static bool end_answer(struct server *s, struct connection *c)
{
    bool whole = c->answer.stop_at < 0 || c->given < c->answer.stop_at;
    enum fault_end end = whole && c->answer.stop_at >= 0 ? END_WELL : c->answer.end;
    if (end == END_CLOSE) {
        connection_close(s, c, false);
        return false;
    }
    if (end == END_SILENT) {
        c->phase = SILENT;
        want_write(s, c, false);
        return true;
    }
    if (end == END_RESET) { /* a little later, so that what was sent is read first */
        c->phase = DYING;
        want_write(s, c, false);
        set_timer(s, c, now_us() + 30000);
        return true;
    }
    request_over(s, c);
    c->phase = READING;
    return true;
}

/* Sends until the socket is full, a timer is due, or the answer has ended. false: gone. */
static bool pump(struct server *s, struct connection *c)
{
    while (c->phase == SENDING) {
        if (c->out_sent == c->out_used) {
            if (c->wake_us) {
                want_write(s, c, false);
                return true;
            }
            if (!refill(s, c)) {
                if (!end_answer(s, c))
                    return false;
                continue;
            }
        }
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_used - c->out_sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            want_write(s, c, true);
            return true;
        }
        if (n < 0) {
            connection_close(s, c, false);
            return false;
        }
        c->out_sent += (size_t)n;
    }
    return true;
}

/* Answers what has been read. false: gone. */
static bool serve(struct server *s, struct connection *c)
{
    while (c->phase == READING) {
        struct request r;
        long n = request_parse(&r, c->in, c->in_used);
        if (n == 0)
            break;
        if (n < 0) {
            connection_close(s, c, false);
            return false;
        }
        begin_answer(s, c, &r);
        c->in_used -= (size_t)n;
        memmove(c->in, c->in + n, c->in_used);
        if (!pump(s, c))
            return false;
    }
    if (c->phase == READING)
        want_write(s, c, false);
    return true;
}

static void on_readable(struct server *s, struct connection *c)
{
    for (;;) {
        if (c->in_used == IN_ROOM)
            return;
        ssize_t n = recv(c->fd, c->in + c->in_used, IN_ROOM - c->in_used, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            connection_close(s, c, false);
            return;
        }
        c->in_used += (size_t)n;
        if (!serve(s, c))
            return;
        if (n < 2048)
            return;
    }
}

static void on_timer(struct server *s, struct connection *c)
{
    set_timer(s, c, 0);
    if (c->phase == DYING) {
        connection_close(s, c, true);
        return;
    }
    if (c->phase == DELAYED)
        c->phase = SENDING;
    if (pump(s, c))
        serve(s, c);
}

static void on_accept(struct server *s)
{
    for (;;) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        int fd =
            accept4(s->listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct connection *c = malloc(sizeof *c);
        if (!c) {
            close(fd);
            return;
        }
        memset(c, 0, offsetof(struct connection, in));
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        c->fd = fd;
        c->id = ++s->last_id;
        c->port = ntohs(peer.sin_port);
        c->next = s->connections;
        if (c->next)
            c->next->previous = c;
        s->connections = c;
        s->log.accepted++;
        if (++s->log.connections > s->log.connections_max)
            s->log.connections_max = s->log.connections;
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

/* Runs timers that are due; returns milliseconds to the next. Ten thousand connections are not gone
 * through for each event. */
static int run_timers(struct server *s)
{
    int64_t now = now_us();
    if (s->timed == 0)
        return -1;
    if (now < s->next_us)
        return (int)((s->next_us - now + 999) / 1000);
    s->next_us = INT64_MAX;
    for (struct connection *c = s->connections, *after; c; c = after) {
        after = c->next;
        if (c->wake_us && c->wake_us <= now)
            on_timer(s, c);
    }
    for (struct connection *c = s->connections; c; c = c->next)
        if (c->wake_us && c->wake_us < s->next_us)
            s->next_us = c->wake_us;
    if (s->next_us == INT64_MAX)
        return -1;
    return s->next_us <= now ? 0 : (int)((s->next_us - now + 999) / 1000);
}

static int run(struct server *s)
{
    for (;;) {
        struct epoll_event events[64];
        int timeout = run_timers(s);
        int n = epoll_wait(s->epoll, events, 64, timeout);
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            if (!who) { /* standard input */
                char dropped[256];
                if (read(STDIN_FILENO, dropped, sizeof dropped) <= 0)
                    return 0;
            } else if (who == s) {
                on_accept(s);
            } else if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
                /* it may be gone after this; what it wanted to write comes with the next event */
                on_readable(s, who);
            } else if (pump(s, who)) {
                serve(s, who);
            }
        }
    }
}

static int listen_on(const char *address, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, address, &a.sin_addr) != 1 || (ntohl(a.sin_addr.s_addr) >> 24) != 127) {
        fprintf(stderr, "faultd: --bind %s: only addresses of 127.0.0.0/8\n", address);
        exit(2);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) {
        fprintf(stderr, "faultd: %s:%u: %s\n", address, port, strerror(errno));
        exit(1);
    }
    socklen_t size = sizeof a;
    getsockname(fd, (struct sockaddr *)&a, &size);
    printf("PORT %u\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

static int open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "faultd: --files %s: %s\n", path, strerror(errno));
        exit(2);
    }
    return fd;
}

int main(int argc, char **argv)
{
    unsigned port = 0;
    const char *address = "127.0.0.1";
    struct server s = {
        .log.keep = true, .next_us = INT64_MAX, .start_us = now_us(), .library.folder = -1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
            port = (unsigned)atoi(argv[++i]);
        } else if (strcmp(argv[i], "--bind") == 0 && i + 1 < argc) {
            address = argv[++i];
        } else if (strcmp(argv[i], "--files") == 0 && i + 1 < argc) {
            s.library.folder = open_folder(argv[++i]);
        } else if (strcmp(argv[i], "--no-log") == 0) {
            s.log.keep = false;
        } else {
            fprintf(stderr,
                    "usage: faultd [--port N] [--bind 127.x.y.z] [--files DIR] [--no-log]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    counts_reset(&s.counts);
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.listener = listen_on(address, port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &s};
    epoll_ctl(s.epoll, EPOLL_CTL_ADD, s.listener, &event);
    event.data.ptr = NULL;
    epoll_ctl(s.epoll, EPOLL_CTL_ADD, STDIN_FILENO,
              &event); /* refused for plain files: no matter */
    return run(&s);
}

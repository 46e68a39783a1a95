/* A client that costs next to nothing, for the row in which servers are compared: so many
 * connections at once, kept open, each asking for the next body as soon as it has had the last. The
 * kernel throws the bodies away (MSG_TRUNC, tcp(7)); nothing of them is copied or looked at.
 *
 *   drain PORT CONNECTIONS REQUESTS PATH...     requests go to the paths in turn
 *
 * Exit code 1 when an answer is not 200 with a Content-Length, or is cut.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 4096
#define PIECE ((size_t)1 << 20)

struct connection {
    int fd;
    long long left; /* of the body; -1 = the head is not whole yet */
    size_t head_size;
    char head[HEAD_MAX];
};

static char **paths;
static long path_count, requests_left, answers_due;
static char room[PIECE];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "drain: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_connection(struct connection *c, unsigned short port, int events)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(events, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl");
}

static void ask(struct connection *c)
{
    char text[1024];
    c->left = -1;
    c->head_size = 0;
    if (requests_left == 0)
        return;
    int n = snprintf(text, sizeof text, "GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                     paths[--requests_left % path_count]);
    if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        die("send");
}

/* What was read behind the head belongs to the body. */
static void read_head(struct connection *c)
{
    ssize_t n = recv(c->fd, c->head + c->head_size, HEAD_MAX - 1 - c->head_size, 0);
    if (n <= 0)
        die("the server has closed the connection");
    c->head_size += (size_t)n;
    c->head[c->head_size] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end)
        return;
    const char *length = strstr(c->head, "Content-Length: ");
    if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 || !length || length > end)
        die(c->head);
    long long here = (long long)(c->head + c->head_size - (end + 4));
    c->left = strtoll(length + 16, NULL, 10) - here;
}

static void read_some(struct connection *c)
{
    if (c->left < 0) {
        read_head(c);
    } else {
        size_t most = c->left < (long long)PIECE ? (size_t)c->left : PIECE;
        ssize_t n = recv(c->fd, room, most, MSG_TRUNC);
        if (n <= 0)
            die("the body was cut");
        c->left -= n;
    }
    if (c->left != 0)
        return;
    answers_due--;
    ask(c);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: drain PORT CONNECTIONS REQUESTS PATH...\n");
        return 2;
    }
    long count = atol(argv[2]);
    requests_left = answers_due = atol(argv[3]);
    paths = argv + 4;
    path_count = argc - 4;
    struct connection *all = calloc((size_t)count, sizeof *all);
    int events = epoll_create1(EPOLL_CLOEXEC);
    if (!all || events < 0)
        die("start");
    for (long i = 0; i < count; i++) {
        open_connection(&all[i], (unsigned short)atoi(argv[1]), events);
        ask(&all[i]);
    }
    while (answers_due > 0) {
        struct epoll_event ready[64];
        int n = epoll_wait(events, ready, 64, -1);
        for (int i = 0; i < n; i++)
            read_some(ready[i].data.ptr);
    }
    return 0;
}

/* A long way to a server, on one machine: a TCP relay that hands every byte on after half a round
 * trip, and lets each connection have so many bytes a second on the way down.
 *
 *     slow_link PORT-OF-SERVER RTT-MS BYTES-A-SECOND
 *
 * It prints "PORT n" and ends when standard input closes. A connection is not open before one round
 * trip is over, as with a real one. Two threads a direction: one reads and notes when each piece is
 * due, one writes it then.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE 16384
#define PIECES 64 /* on the way at a time: more than fits between the two ends */
#define NS_PER_S 1000000000ull

struct piece {
    uint64_t due;
    size_t size;
    char data[PIECE];
};

struct direction {
    int from, to;
    uint64_t opens, delay; /* nothing before the connection is open */
    double ns_per_byte;    /* 0 = as fast as it comes */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t first, count; /* of the ring */
    bool ended, broken;
    struct piece ring[PIECES];
};

struct link {
    struct direction up, down;
    pthread_t threads[3];
};

struct settings {
    int server_port;
    uint64_t delay;
    double rate;
};

struct accepted {
    struct settings settings;
    int fd;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t due)
{
    struct timespec t = {(time_t)(due / NS_PER_S), (long)(due % NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void *read_pieces(void *arg)
{
    struct direction *d = arg;
    uint64_t free_at = 0; /* when the line has room for the next piece */
    for (;;) {
        pthread_mutex_lock(&d->lock);
        while (d->count == PIECES && !d->broken)
            pthread_cond_wait(&d->changed, &d->lock);
        struct piece *p = &d->ring[(d->first + d->count) % PIECES];
        bool broken = d->broken;
        pthread_mutex_unlock(&d->lock);
        ssize_t n = broken ? 0 : read(d->from, p->data, PIECE);
        uint64_t now = now_ns(), sent = now > free_at ? now : free_at;
        if (n > 0) {
            free_at = sent + (uint64_t)((double)n * d->ns_per_byte);
            p->size = (size_t)n;
            p->due = (free_at > d->opens ? free_at : d->opens) + d->delay;
        }
        pthread_mutex_lock(&d->lock);
        d->ended = n <= 0;
        d->count += n > 0;
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->lock);
        if (n <= 0)
            return NULL;
    }
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static void *write_pieces(void *arg)
{
    struct direction *d = arg;
    for (;;) {
        pthread_mutex_lock(&d->lock);
        while (!d->count && !d->ended)
            pthread_cond_wait(&d->changed, &d->lock);
        struct piece *p = d->count ? &d->ring[d->first] : NULL;
        pthread_mutex_unlock(&d->lock);
        if (!p) {
            shutdown(d->to, SHUT_WR);
            return NULL;
        }
        sleep_until(p->due);
        bool ok = write_all(d->to, p->data, p->size);
        pthread_mutex_lock(&d->lock);
        d->first = (d->first + 1) % PIECES;
        d->count--;
        d->broken = !ok;
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->lock);
        if (!ok) { /* nobody listens: the other side is to hear of it */
            shutdown(d->from, SHUT_RDWR);
            return NULL;
        }
    }
}

static void begin(struct direction *d, int from, int to, const struct settings *s, double rate)
{
    d->from = from;
    d->to = to;
    d->delay = s->delay;
    d->opens = now_ns() + 2 * s->delay;
    d->ns_per_byte = rate > 0 ? (double)NS_PER_S / rate : 0;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
}

static int reach_server(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void *relay(void *arg)
{
    struct accepted a = *(struct accepted *)arg;
    free(arg);
    struct link *l = calloc(1, sizeof *l);
    int server = reach_server(a.settings.server_port), one = 1;
    if (l && server >= 0) {
        setsockopt(a.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        begin(&l->up, a.fd, server, &a.settings, 0);
        begin(&l->down, server, a.fd, &a.settings, a.settings.rate);
        pthread_create(&l->threads[0], NULL, read_pieces, &l->up);
        pthread_create(&l->threads[1], NULL, write_pieces, &l->up);
        pthread_create(&l->threads[2], NULL, read_pieces, &l->down);
        write_pieces(&l->down);
        shutdown(a.fd, SHUT_RDWR);
        shutdown(server, SHUT_RDWR);
        for (int i = 0; i < 3; i++)
            pthread_join(l->threads[i], NULL);
    }
    if (server >= 0)
        close(server);
    close(a.fd);
    free(l);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct accepted *listener = arg;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t thread;
        struct accepted *a = malloc(sizeof *a);
        if (!a)
            abort();
        *a = *listener;
        a->fd = accept(listener->fd, NULL, NULL);
        if (a->fd < 0 || pthread_create(&thread, &detached, relay, a))
            free(a);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: slow_link PORT-OF-SERVER RTT-MS BYTES-A-SECOND\n");
        return 2;
    }
    struct accepted listener = {.settings = {.server_port = atoi(argv[1]),
                                             .delay = (uint64_t)(atof(argv[2]) * 1e6 / 2),
                                             .rate = atof(argv[3])},
                                .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    pthread_t thread;
    char byte;
    signal(SIGPIPE, SIG_IGN);
    if (bind(listener.fd, (struct sockaddr *)&at, sizeof at) || listen(listener.fd, 256) ||
        getsockname(listener.fd, (struct sockaddr *)&at, &size) ||
        pthread_create(&thread, NULL, accept_all, &listener)) {
        perror("slow_link");
        return 1;
    }
    printf("PORT %d\n", ntohs(at.sin_port));
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}

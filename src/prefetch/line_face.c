/* The line protocol: a listening socket and its connections, or one pair of pipes. One thread, one
 * loop, which sleeps in poll until a line comes, a shard arrives, or a wait is over. The protocol
 * stands in weir/prefetch.h.
 *
 * A connection that waits for a shard is asked again whenever one has arrived; no thread is kept
 * for it. Pipes are pushed to: what is ready goes out by itself.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "prefetch/line_socket.h"
#include "prefetch/line_talk.h"

#define CONNECTIONS_MAX 256
#define PIPE_PIECE 4096 /* POLLOUT on a pipe promises room for that */

struct line_face {
    struct weir_prefetch *p;
    int wake_fd;
    struct line_socket listener; /* where there is one */
    struct talk *talks[CONNECTIONS_MAX];
    size_t count;
    bool pipes;
};

status line_face_open(struct line_face **out, struct weir_prefetch *p, error *err)
{
    struct line_face *face = calloc(1, sizeof *face);
    if (!face)
        return fail(err, WEIR_NOMEM, "out of memory");
    face->p = p;
    face->listener.fd = -1;
    face->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_lock(&p->lock);
    bool room = face->wake_fd >= 0 && p->face_count < FACES;
    if (room)
        p->faces[p->face_count++] = face->wake_fd;
    pthread_mutex_unlock(&p->lock);
    if (!room) {
        line_face_close(face);
        return fail(err, WEIR_USAGE, "the prefetcher speaks with %d sides already", FACES);
    }
    *out = face;
    return OK;
}

static void forget_wake_fd(struct line_face *face)
{
    struct weir_prefetch *p = face->p;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->face_count; i++)
        if (p->faces[i] == face->wake_fd) {
            p->faces[i] = p->faces[--p->face_count];
            break;
        }
    pthread_mutex_unlock(&p->lock);
}

void line_face_close(struct line_face *face)
{
    if (!face)
        return;
    for (size_t i = 0; i < face->count; i++)
        talk_close(face->talks[i]);
    if (face->wake_fd >= 0) {
        forget_wake_fd(face);
        close(face->wake_fd);
    }
    line_socket_close(&face->listener);
    free(face);
}

/* ---- listening ---- */

status line_face_listen(struct line_face *face, const char *path, error *err)
{
    return line_socket_open(&face->listener, path, err);
}

static void accept_all(struct line_face *face)
{
    for (;;) {
        int fd = accept4(face->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct talk *t = face->count < CONNECTIONS_MAX ? talk_new(face->p, fd, fd, true) : NULL;
        if (t)
            face->talks[face->count++] = t;
        else
            close(fd);
    }
}

status line_face_pipes(struct line_face *face, int in, int out, const char *name, uint32_t rank,
                       error *err)
{
    struct talk *t = talk_new(face->p, in, out, false);
    if (!t)
        return fail(err, WEIR_NOMEM, "out of memory");
    face->pipes = true;
    face->talks[face->count++] = t;
    return talk_push(t, name, rank, err);
}

/* ---- the loop ---- */

static bool is_stopping(struct weir_prefetch *p, error *err)
{
    pthread_mutex_lock(&p->lock);
    bool stopping = p->stopping;
    if (stopping && err)
        *err = p->broken;
    pthread_mutex_unlock(&p->lock);
    return stopping;
}

static size_t fill_polls(struct line_face *face, struct pollfd *fds)
{
    size_t n = 0;
    fds[n++] = (struct pollfd){.fd = face->wake_fd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = face->count < CONNECTIONS_MAX ? face->listener.fd : -1,
                               .events = POLLIN};
    for (size_t i = 0; i < face->count; i++) {
        const struct talk *t = face->talks[i];
        fds[n++] = (struct pollfd){.fd = talk_wants_input(t) ? t->in : -1, .events = POLLIN};
        /* The other side of a pipe may go without a word from us: POLLERR says so. */
        fds[n++] =
            (struct pollfd){.fd = t->out_gone ? -1 : t->out, .events = t->outgoing.n ? POLLOUT : 0};
    }
    return n;
}

static int timeout_of(const struct line_face *face)
{
    uint64_t due = TIME_NEVER, now = clock_now();
    for (size_t i = 0; i < face->count; i++)
        if (face->talks[i]->pending && face->talks[i]->until < due)
            due = face->talks[i]->until;
    if (due == TIME_NEVER)
        return -1;
    uint64_t ms = due > now ? (due - now) / NS_PER_MS + 1 : 0;
    return ms < 3600000 ? (int)ms : 3600000;
}

static void read_some(struct talk *t)
{
    char block[PIPE_PIECE];
    ssize_t n = read(t->in, block, sizeof block);
    if (n > 0)
        strbuf_add(&t->incoming, block, (size_t)n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        t->in_ended = true;
}

static void write_some(struct talk *t)
{
    size_t most = t->outgoing.n < PIPE_PIECE ? t->outgoing.n : PIPE_PIECE;
    ssize_t n = write(t->out, t->outgoing.p, most);
    if (n > 0) {
        memmove(t->outgoing.p, t->outgoing.p + n, t->outgoing.n - (size_t)n);
        t->outgoing.n -= (size_t)n;
    } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
        t->out_gone = true;
    }
}

static void serve(struct talk *t, const struct pollfd *in, const struct pollfd *out)
{
    if (in->fd >= 0 && in->revents)
        read_some(t);
    if (out->fd >= 0 && out->revents & (POLLERR | POLLNVAL))
        t->out_gone = true;
    if (out->fd >= 0 && out->revents & POLLHUP && t->in == t->out)
        t->out_gone = t->in_ended = true;
    if (!t->out_gone && t->outgoing.n && out->revents & POLLOUT)
        write_some(t);
}

static void drop_ended(struct line_face *face)
{
    for (size_t i = face->count; i-- > 0;) {
        struct talk *t = face->talks[i];
        bool over = t->out_gone || t->incoming.failed || t->outgoing.failed ||
                    ((t->in_ended || t->bye) && !t->outgoing.n && !t->pending);
        if (!over || face->pipes)
            continue;
        talk_close(t);
        face->talks[i] = face->talks[--face->count];
    }
}

/* With pipes: what ends it. AGAIN: nothing yet. */
static status pipes_ended(struct line_face *face, error *err)
{
    struct talk *t = face->talks[0];
    if (t->out_gone)
        return fail(err, WEIR_END, "the reader of the READY lines has gone");
    if (t->outgoing.n)
        return WEIR_AGAIN;
    if (t->failure.status) {
        if (err)
            *err = t->failure;
        return t->failure.status;
    }
    if (t->all_given && talk_has_released_all(t))
        return OK;
    if (t->in_ended && !t->incoming.n)
        return t->all_given
                   ? OK
                   : fail(err, WEIR_END, "the input has ended before all shards were released");
    return WEIR_AGAIN;
}

static void drain_wake_fd(const struct line_face *face)
{
    uint64_t count;
    ssize_t ignored = read(face->wake_fd, &count, sizeof count);
    (void)ignored;
}

status line_face_run(struct line_face *face, error *err)
{
    struct pollfd *fds = calloc(2 + 2 * CONNECTIONS_MAX, sizeof *fds);
    status st = fds ? WEIR_AGAIN : fail(err, WEIR_NOMEM, "out of memory");
    while (st == WEIR_AGAIN) {
        for (size_t i = 0; i < face->count; i++)
            talk_go_on(face->talks[i]);
        drop_ended(face);
        if (is_stopping(face->p, err)) {
            st = err && err->status ? err->status : WEIR_CANCELLED;
            break;
        }
        st = face->pipes ? pipes_ended(face, err) : WEIR_AGAIN;
        if (st != WEIR_AGAIN)
            break;
        size_t known = face->count, n = fill_polls(face, fds);
        if (poll(fds, n, timeout_of(face)) < 0 && errno != EINTR)
            st = fail_errno(err, WEIR_DISK, errno, "cannot wait for consumers");
        if (fds[0].revents)
            drain_wake_fd(face);
        for (size_t i = 0; i < known; i++)
            serve(face->talks[i], &fds[2 + 2 * i], &fds[3 + 2 * i]);
        if (fds[1].revents)
            accept_all(face);
    }
    for (size_t i = 0; i < face->count; i++) /* CLOSED, where it can still be said */
        if (!face->talks[i]->out_gone && face->talks[i]->outgoing.n)
            write_some(face->talks[i]);
    free(fds);
    return st;
}

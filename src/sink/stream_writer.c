/* The writer thread of a stream; see stream_writer.h. */
#include "sink/stream_writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/thread.h"

#define RING_BYTES (1u << 20)
/* Above this, whoever puts pauses. What libcurl has received already still comes: the rest of the
 * ring takes it. */
#define RING_HIGH (RING_BYTES / 2)
#define RING_LOW (RING_BYTES / 8)
/* A few lines of each chunk would wake the thread, and switch to it, for each chunk: it lets them
 * gather up to so many bytes, for so long. */
#define GATHER_BYTES (RING_BYTES / 16)
#define GATHER_TIME (5 * NS_PER_MS)

struct stream_writer {
    int fd, stop_fd;
    bool waits; /* a pipe, a socket or a terminal: a write may wait for its reader */
    char *name;
    void (*room)(void *ctx);
    void *ctx;
    pthread_t thread;
    bool started;
    char *ring;

    pthread_mutex_t lock;
    pthread_cond_t filled;  /* for the thread */
    pthread_cond_t drained; /* for flush, and for a put that found no room at all */
    /* guarded by lock */
    uint64_t put, written; /* bytes since the start; their difference is in the ring */
    uint64_t hurry;        /* bytes up to here are waited for by a flush */
    bool idle;             /* the thread waits for a first byte */
    bool putting;          /* a put waits in its middle for room: what it puts stays in one piece */
    bool told_full;        /* somebody pauses: call `room` when it has drained */
    bool closing;
    int failure; /* errno of the write that failed */
};

static status failure_locked(struct stream_writer *w, error *err)
{
    if (w->failure == EPIPE)
        return fail(err, WEIR_CANCELLED, "the reader of %s has gone", w->name);
    if (w->failure == ECANCELED)
        return fail(err, WEIR_CANCELLED, "%s: the run was stopped", w->name);
    return fail_errno(err, WEIR_DISK, w->failure, "%s: writing failed", w->name);
}

/* Waits until the reader has made room. 0, or ECANCELED when the run is to stop. */
static int wait_for_reader(struct stream_writer *w)
{
    struct pollfd fds[2] = {{.fd = w->fd, .events = POLLOUT}, {.fd = w->stop_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return errno;
    return fds[1].revents && !fds[0].revents ? ECANCELED : 0;
}

/* One write that never waits for a reader: what it would wait for, wait_for_reader does. Where the
 * kernel cannot be told so, PIPE_BUF bytes are what poll has promised room for. */
static ssize_t write_some(struct stream_writer *w, const char *p, size_t n)
{
    struct iovec piece = {.iov_base = (char *)(uintptr_t)p, .iov_len = n};
    if (!w->waits)
        return write(w->fd, p, n);
    ssize_t done = pwritev2(w->fd, &piece, 1, -1, RWF_NOWAIT);
    if (done >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ESPIPE && errno != ENOSYS))
        return done;
    int failure = wait_for_reader(w);
    if (failure) {
        errno = failure;
        return -1;
    }
    return write(w->fd, p, n < PIPE_BUF ? n : PIPE_BUF);
}

/* Writes one piece; called without the lock. 0 or errno. */
static int write_piece(struct stream_writer *w, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write_some(w, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN) {
            int failure = wait_for_reader(w);
            if (failure)
                return failure;
            continue;
        }
        if (done < 0)
            return errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static uint64_t pending_locked(const struct stream_writer *w)
{
    return w->put - w->written;
}

static void wait_for_bytes_locked(struct stream_writer *w)
{
    while (!pending_locked(w) && !w->closing && !w->failure) {
        w->idle = true;
        pthread_cond_wait(&w->filled, &w->lock);
    }
    w->idle = false;
    uint64_t until = clock_now() + GATHER_TIME;
    struct timespec at = {.tv_sec = (time_t)(until / NS_PER_S),
                          .tv_nsec = (long)(until % NS_PER_S)};
    while (pending_locked(w) < GATHER_BYTES && w->hurry <= w->written && !w->closing && !w->failure)
        if (pthread_cond_timedwait(&w->filled, &w->lock, &at))
            return;
}

static void *writer_main(void *arg)
{
    struct stream_writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        wait_for_bytes_locked(w);
        if (w->failure || !pending_locked(w))
            break;
        size_t at = (size_t)(w->written % RING_BYTES);
        size_t n = (size_t)pending_locked(w);
        if (n > RING_BYTES - at)
            n = RING_BYTES - at;
        if (n > GATHER_BYTES) /* small pieces, so that room appears early */
            n = GATHER_BYTES;
        pthread_mutex_unlock(&w->lock);
        int failure = write_piece(w, w->ring + at, n);
        pthread_mutex_lock(&w->lock);
        w->written += n;
        w->failure = failure;
        bool tell = w->told_full && (failure || w->put - w->written <= RING_LOW);
        if (tell)
            w->told_full = false;
        pthread_cond_broadcast(&w->drained);
        if (!tell)
            continue;
        pthread_mutex_unlock(&w->lock);
        if (w->room)
            w->room(w->ctx);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

status stream_writer_open(struct stream_writer **out, int fd, const char *name, int stop_fd,
                          void (*room)(void *ctx), void *ctx, error *err)
{
    struct stream_writer *w = calloc(1, sizeof *w);
    if (!w)
        return fail(err, WEIR_NOMEM, "out of memory");
    struct stat st_fd;
    w->fd = fd;
    w->stop_fd = stop_fd;
    w->waits = fstat(fd, &st_fd) == 0 && !S_ISREG(st_fd.st_mode);
    w->room = room;
    w->ctx = ctx;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->filled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&w->drained, NULL);
    w->name = strdup(name);
    w->ring = malloc(RING_BYTES);
    status st = w->name && w->ring ? OK : fail(err, WEIR_NOMEM, "out of memory");
    if (!st) {
        int rc = thread_start(&w->thread, writer_main, w);
        w->started = rc == 0;
        if (rc)
            st = fail_errno(err, WEIR_NOMEM, rc, "cannot start the writer of %s", name);
    }
    if (st) {
        stream_writer_close(w);
        return st;
    }
    *out = w;
    return OK;
}

void stream_writer_close(struct stream_writer *w)
{
    if (!w)
        return;
    if (w->started) {
        pthread_mutex_lock(&w->lock);
        w->closing = true;
        pthread_cond_signal(&w->filled);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->drained);
    pthread_cond_destroy(&w->filled);
    pthread_mutex_destroy(&w->lock);
    free(w->ring);
    free(w->name);
    free(w);
}

status stream_writer_put(struct stream_writer *w, const void *data, size_t size, error *err)
{
    const char *p = data;
    status st = OK;
    pthread_mutex_lock(&w->lock);
    while (w->putting && !w->failure)
        pthread_cond_wait(&w->drained, &w->lock);
    bool whole = size <= RING_BYTES - (size_t)(w->put - w->written);
    w->putting = !whole;
    while (size > 0 && !st) {
        while (w->put - w->written == RING_BYTES && !w->failure)
            pthread_cond_wait(&w->drained, &w->lock);
        if (w->failure) {
            st = failure_locked(w, err);
            break;
        }
        size_t at = (size_t)(w->put % RING_BYTES);
        size_t n = RING_BYTES - (size_t)(w->put - w->written);
        if (n > RING_BYTES - at)
            n = RING_BYTES - at;
        if (n > size)
            n = size;
        memcpy(w->ring + at, p, n);
        bool gathers = pending_locked(w) < GATHER_BYTES;
        w->put += n;
        p += n;
        size -= n;
        if (w->idle || (gathers && pending_locked(w) >= GATHER_BYTES)) {
            w->idle = false;
            pthread_cond_signal(&w->filled);
        }
    }
    if (!whole) {
        w->putting = false;
        pthread_cond_broadcast(&w->drained);
    }
    pthread_mutex_unlock(&w->lock);
    return st;
}

bool stream_writer_full(struct stream_writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool full = !w->failure && w->put - w->written >= RING_HIGH;
    if (full)
        w->told_full = true;
    pthread_mutex_unlock(&w->lock);
    return full;
}

status stream_writer_flush(struct stream_writer *w, error *err)
{
    pthread_mutex_lock(&w->lock);
    uint64_t until = w->put;
    w->hurry = until;
    pthread_cond_signal(&w->filled);
    while (w->written < until && !w->failure)
        pthread_cond_wait(&w->drained, &w->lock);
    status st = w->failure ? failure_locked(w, err) : OK;
    pthread_mutex_unlock(&w->lock);
    return st;
}

bool stream_writer_reader_gone(struct stream_writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool gone = w->failure == EPIPE;
    pthread_mutex_unlock(&w->lock);
    return gone;
}

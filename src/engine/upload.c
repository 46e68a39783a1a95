/* Sources of uploads; see upload.h. Worker thread of the fetch.
 *
 * A file is read by pread from where its descriptor stood, so that standard input which is a file
 * keeps its place and can be read twice. A pipe is only read when poll says that something is
 * there: the worker has other transfers to serve.
 */
#include "engine/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fs.h"

#define SLICE ((size_t)1 << 20)

/* ---- opening ---- */

/* Beneath the folder that it was found in: a link which has been put there meanwhile leads nowhere.
 */
static int open_beneath(const char *path, size_t root)
{
    char *folder = strndup(path, root);
    int dir = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    int fd = dir < 0 ? -errno
                     : fs_open_within(dir, path + root + strspn(path + root, "/"),
                                      O_RDONLY | O_NONBLOCK);
    if (dir >= 0)
        close(dir);
    free(folder);
    errno = fd < 0 ? -fd : 0;
    return fd < 0 ? -1 : fd;
}

/* O_NONBLOCK: a FIFO without a writer is not to keep the worker; poll waits for it. */
static status open_path(struct upload *u, const char *path, size_t root, error *err)
{
    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0) {
        u->fd = STDIN_FILENO;
        u->name = strdup("standard input");
    } else {
        u->fd = root ? open_beneath(path, root)
                     : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        u->own = u->fd >= 0;
        if (u->fd < 0)
            return fail_errno(err, errno == EMFILE || errno == ENFILE ? WEIR_AGAIN : WEIR_INPUT,
                              errno, "%s: cannot be opened for reading", path);
        u->name = strdup(path);
    }
    return u->name ? OK : fail(err, WEIR_NOMEM, "out of memory");
}

static status look_at(struct upload *u, error *err)
{
    if (fstat(u->fd, &u->was) < 0)
        return fail_errno(err, WEIR_INPUT, errno, "%s: cannot be read", u->name);
    if (S_ISDIR(u->was.st_mode))
        return fail(err, WEIR_INPUT, "%s: is a folder; weir put DIR URL sends what is in it",
                    u->name);
    if (!S_ISREG(u->was.st_mode))
        return OK;
    off_t at = u->own ? 0 : lseek(u->fd, 0, SEEK_CUR);
    char byte;
    /* The files of /proc say that they are empty; they are read as pipes are. */
    if (u->was.st_size == 0 && pread(u->fd, &byte, 1, 0) == 1)
        return OK;
    u->is_file = true;
    u->start = at > 0 ? at : 0;
    u->size = u->was.st_size > u->start ? u->was.st_size - u->start : 0;
    posix_fadvise(u->fd, u->start, 0, POSIX_FADV_SEQUENTIAL);
    return OK;
}

status upload_open(struct upload *u, const struct job *job, error *err)
{
    *u = (struct upload){.fd = -1, .size = -1, .source = job->source};
    status st;
    if (u->source) {
        u->size = u->source->size > 0 ? u->source->size : -1;
        u->name = strdup("what the program sends");
        st = u->name ? OK : fail(err, WEIR_NOMEM, "out of memory");
    } else {
        st = open_path(u, job_text(job, job->upload), job->upload_root, err);
        if (!st)
            st = look_at(u, err);
    }
    if (!st && job->size >= 0 && u->size >= 0 && u->size != job->size)
        st = fail(err, WEIR_CHECKSUM, "%s: has %lld bytes, the list says %lld", u->name,
                  (long long)u->size, (long long)job->size);
    if (st)
        upload_close(u);
    return st;
}

static status restart_sums(struct upload *u, error *err)
{
    u->summed = 0;
    for (size_t i = 0; i < CHECKSUM_KINDS; i++)
        if (u->sums[i] && !checksum_restart(u->sums[i]))
            return fail(err, WEIR_NOMEM, "out of memory for checksums");
    return OK;
}

status upload_look_again(struct upload *u, error *err)
{
    status st = restart_sums(u, err);
    return st || !u->is_file ? st : look_at(u, err);
}

void upload_close(struct upload *u)
{
    if (u->own)
        close(u->fd);
    for (size_t i = 0; i < CHECKSUM_KINDS; i++)
        checksum_free(u->sums[i]);
    free(u->name);
    *u = (struct upload){.fd = -1};
}

/* ---- reading ---- */

bool upload_repeats(const struct upload *u)
{
    return u->is_file || !u->consumed || (u->source && u->source->rewind);
}

status upload_rewind(struct upload *u, error *err)
{
    error own;
    error_clear(&own);
    u->at = 0;
    if (u->is_file || !u->consumed)
        return OK;
    status st =
        u->source && u->source->rewind ? u->source->rewind(u->source->user, &own) : WEIR_INPUT;
    if (!st)
        st = restart_sums(u, &own);
    u->consumed = st != OK;
    if (st && own.message[0])
        return fail(err, st, "%s: %s", u->name, own.message);
    return st ? fail(err, st, "%s: cannot be read a second time", u->name) : OK;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What has been written to while it was sent is neither the old file nor the new one. */
static status check_unchanged(const struct upload *u, error *err)
{
    struct stat now;
    if (fstat(u->fd, &now) < 0)
        return fail_errno(err, WEIR_INPUT, errno, "%s: cannot be read", u->name);
    if (now.st_size != u->was.st_size)
        return fail(err, WEIR_CHECKSUM,
                    "%s: changed while it was sent, from %lld to %lld bytes; send it when nothing "
                    "writes to it",
                    u->name, (long long)u->was.st_size, (long long)now.st_size);
    if (!is_same_time(&now.st_mtim, &u->was.st_mtim))
        return fail(err, WEIR_CHECKSUM,
                    "%s: changed while it was sent; send it when nothing writes to it", u->name);
    return OK;
}

static status read_file(struct upload *u, void *data, size_t cap, int64_t at, size_t *got,
                        error *err)
{
    int64_t left = u->size - at;
    ssize_t n;
    *got = 0;
    if (left <= 0)
        return OK;
    if ((uint64_t)left < cap)
        cap = (size_t)left;
    do
        n = pread(u->fd, data, cap, u->start + at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail_errno(err, WEIR_INPUT, errno, "%s: reading failed at byte %lld", u->name,
                          (long long)at);
    *got = (size_t)n;
    status st = n == 0 || n == left ? check_unchanged(u, err) : OK;
    if (!st && n == 0)
        st = fail(err, WEIR_INPUT, "%s: ended at byte %lld of %lld", u->name, (long long)at,
                  (long long)u->size);
    return st;
}

/* There is something to read, or the end. */
static bool is_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

static status read_pipe(struct upload *u, void *data, size_t cap, size_t *got, error *err)
{
    if (!is_ready(u->fd))
        return WEIR_AGAIN;
    ssize_t n = read(u->fd, data, cap);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return WEIR_AGAIN;
    if (n < 0)
        return fail_errno(err, WEIR_INPUT, errno, "%s: reading failed at byte %lld", u->name,
                          (long long)u->at);
    *got = (size_t)n;
    return OK;
}

static status read_source(struct upload *u, void *data, size_t cap, size_t *got, error *err)
{
    error own;
    error_clear(&own);
    *got = 0;
    status st = u->source->read(u->source->user, data, cap, got, &own);
    if (st)
        return fail(err, st, "%s: %s", u->name,
                    own.message[0] ? own.message : weir_status_text(st));
    bool more = u->size >= 0 && u->at + (int64_t)*got > u->size;
    bool less = u->size >= 0 && *got == 0 && u->at < u->size;
    if (more || less)
        return fail(err, WEIR_CHECKSUM, "%s: has %s than the %lld bytes that were told", u->name,
                    more ? "more" : "less", (long long)u->size);
    return OK;
}

static void sum(struct upload *u, const void *data, size_t n)
{
    for (size_t i = 0; i < CHECKSUM_KINDS; i++)
        if (u->sums[i])
            checksum_add(u->sums[i], data, n);
    u->summed += (int64_t)n;
}

status upload_read(struct upload *u, void *data, size_t cap, size_t *got, error *err)
{
    status st = u->source    ? read_source(u, data, cap, got, err)
                : u->is_file ? read_file(u, data, cap, u->at, got, err)
                             : read_pipe(u, data, cap, got, err);
    if (st)
        return st;
    u->consumed = u->consumed || *got;
    u->at += (int64_t)*got;
    if (!u->is_file)
        sum(u, data, *got);
    return OK;
}

/* ---- digests ---- */

status upload_want_sum(struct upload *u, enum checksum_kind kind, error *err)
{
    if (!u->sums[kind])
        u->sums[kind] = checksum_start(kind);
    return u->sums[kind] ? OK
                         : fail(err, WEIR_NOMEM,
                                "%s cannot be calculated: out of memory, or "
                                "OpenSSL was set up without it",
                                checksum_name(kind));
}

status upload_sum_slice(struct upload *u, error *err)
{
    size_t got = 0;
    char *slice = malloc(SLICE);
    if (!slice)
        return fail(err, WEIR_NOMEM, "out of memory");
    status st = read_file(u, slice, SLICE, u->summed, &got, err);
    if (!st)
        sum(u, slice, got);
    free(slice);
    if (st)
        return st;
    return u->summed >= u->size ? WEIR_END : OK;
}

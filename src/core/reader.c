/* The reader of descriptors; see reader.h. One thread at a time, on the thread that reads lists or
 * uploads. Other readers (decoders, a list that is fetched) live in their own rooms.
 *
 * A descriptor that we inherit may be non-blocking; a reader has its own thread and may wait, so
 * EAGAIN is a poll, not an error.
 */
#include "core/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fd_reader {
    struct reader head;
    int fd;
    bool own;
    off_t start; /* where byte 0 lies, -1 when the descriptor cannot seek */
    uint64_t at; /* bytes read so far */
    char name[];
};

static status fd_read(struct reader *r, void *data, size_t cap, size_t *got, error *err)
{
    struct fd_reader *f = (struct fd_reader *)r;
    for (;;) {
        ssize_t n = read(f->fd, data, cap);
        if (n >= 0) {
            f->at += (uint64_t)n;
            *got = (size_t)n;
            return OK;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd p = {f->fd, POLLIN, 0};
            if (poll(&p, 1, -1) >= 0)
                continue;
        }
        if (errno != EINTR)
            return fail_errno(err, WEIR_DISK, errno, "%s: reading failed at byte %llu", f->name,
                              (unsigned long long)f->at);
    }
}

static status fd_rewind(struct reader *r, error *err)
{
    struct fd_reader *f = (struct fd_reader *)r;
    if (f->start < 0)
        return fail(err, WEIR_USAGE, "%s: cannot be read again from its start; save it to a file",
                    f->name);
    if (lseek(f->fd, f->start, SEEK_SET) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: going back to the start failed", f->name);
    f->at = 0;
    return OK;
}

static void fd_close(struct reader *r)
{
    struct fd_reader *f = (struct fd_reader *)r;
    if (f->own)
        close(f->fd);
    free(f);
}

static const struct reader_type fd_type = {"descriptor", fd_read, fd_rewind, fd_close};

status reader_open_fd(struct reader **out, int fd, bool own, const char *name, error *err)
{
    size_t n = strlen(name) + 1;
    struct fd_reader *f = malloc(sizeof *f + n);
    if (!f)
        return fail(err, WEIR_NOMEM, "%s: out of memory", name);
    *f = (struct fd_reader){.head = {&fd_type}, .fd = fd, .own = own};
    f->start = lseek(fd, 0, SEEK_CUR);
    memcpy(f->name, name, n);
    *out = &f->head;
    return OK;
}

status reader_open_path(struct reader **out, const char *path, error *err)
{
    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0)
        return reader_open_fd(out, STDIN_FILENO, false, "standard input", err);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_errno(err, WEIR_USAGE, errno, "%s: cannot be opened for reading", path);
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return fail(err, WEIR_USAGE, "%s: is a folder; name a file to be read", path);
    }
    status result = reader_open_fd(out, fd, true, path, err);
    if (result)
        close(fd);
    return result;
}

void reader_close(struct reader *r)
{
    if (r)
        r->type->close(r);
}

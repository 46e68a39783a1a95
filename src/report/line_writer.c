/* See line_writer.h. Runs on the commit thread. */
#include "report/line_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"

#define WRITE_AT ((size_t)64 << 10)

status line_writer_open(struct line_writer *w, const char *path, int flags, error *err)
{
    bool standard = fs_is_stdout(path);
    *w = (struct line_writer){.fd = STDOUT_FILENO, .own = !standard};
    w->path = strdup(standard ? "standard output" : path);
    if (!w->path)
        return fail(err, WEIR_NOMEM, "%s: out of memory for writing it", path);
    if (standard)
        return OK;
    w->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, 0666);
    if (w->fd >= 0)
        return OK;
    int sys_errno = errno;
    free(w->path);
    w->path = NULL;
    return fail_errno(err, WEIR_DISK, sys_errno, "%s: cannot be opened for writing", path);
}

/* Takes a line that was written in part back from the end of a regular file, so that the file
 * holds whole lines and the line comes whole with the next flush. Returns the bytes that stay. */
static size_t take_back_part(struct line_writer *w, size_t written)
{
    const char *newline = written ? memrchr(w->pending.p, '\n', written) : NULL;
    size_t whole = newline ? (size_t)(newline - w->pending.p) + 1 : 0;
    struct stat st;
    if (whole == written || !w->own || fstat(w->fd, &st) || !S_ISREG(st.st_mode))
        return written;
    off_t end = st.st_size - (off_t)(written - whole);
    if (end < 0 || ftruncate(w->fd, end) || lseek(w->fd, end, SEEK_SET) < 0)
        return written;
    return whole;
}

static void drop_written(struct line_writer *w, size_t n)
{
    struct strbuf *b = &w->pending;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = '\0';
}

status line_writer_flush(struct line_writer *w, error *err)
{
    size_t written = 0;
    int trouble = 0;
    while (written < w->pending.n && !trouble) {
        ssize_t n = write(w->fd, w->pending.p + written, w->pending.n - written);
        if (n > 0)
            written += (size_t)n;
        else if (n == 0)
            trouble = ENOSPC;
        else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd p = {w->fd, POLLOUT, 0};
            poll(&p, 1, -1);
        } else if (errno != EINTR)
            trouble = errno;
    }
    if (!trouble) {
        strbuf_clear(&w->pending);
        return OK;
    }
    drop_written(w, take_back_part(w, written));
    return fail_errno(err, WEIR_DISK, trouble, "%s: writing failed", w->path);
}

status line_writer_ready(struct line_writer *w, error *err)
{
    return w->pending.n < WRITE_AT ? OK : line_writer_flush(w, err);
}

status line_writer_close(struct line_writer *w, error *err)
{
    status st = w->pending.n ? line_writer_flush(w, err) : OK;
    if (w->own && w->fd >= 0 && close(w->fd) && !st)
        st = fail_errno(err, WEIR_DISK, errno, "%s: closing failed", w->path);
    strbuf_free(&w->pending);
    free(w->path);
    *w = (struct line_writer){.fd = -1};
    return st;
}

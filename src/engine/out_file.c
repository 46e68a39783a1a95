/* See out_file.h. The user named this path, so links in it are followed; a device or a FIFO is
 * written as it is, since there is nothing to rename.
 */
#include "engine/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/text.h"
#include "sink/sink.h"

#define MARK_VALUE "weir output"

struct out_file {
    char *path; /* its name in the end */
    char *part; /* its name until then; NULL: `path` is no regular file */
    int fd;     /* of the part, locked */
};

/* A part that somebody else made is not ours to empty. Where the file system keeps no attributes,
 * only an empty one can be told to be harmless. */
static status check_ours(const struct out_file *f, error *err)
{
    char mark[32];
    struct stat st;
    if (flock(f->fd, LOCK_EX | LOCK_NB) < 0)
        return fail(err, WEIR_NAME, "%s: another process is writing it", f->part);
    if (fstat(f->fd, &st) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be looked at", f->part);
    if (!S_ISREG(st.st_mode) ||
        (st.st_size > 0 && fs_xattr_get(f->fd, MADE_BY_XATTR, mark, sizeof mark) < 0))
        return fail(err, WEIR_NAME,
                    "%s: exists and was not made by weir; move it away or choose another file",
                    f->part);
    return OK;
}

static status open_part(struct out_file *f, error *err)
{
    f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (f->fd < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be made", f->part);
    status st = check_ours(f, err);
    if (st)
        return st;
    if (ftruncate(f->fd, 0) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be emptied", f->part);
    fs_xattr_set(f->fd, MADE_BY_XATTR, MARK_VALUE, sizeof MARK_VALUE - 1);
    return OK;
}

/* Behind a link, the file that it leads to is the one to be replaced. */
static char *resolved(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

static status open_stdout(struct out_file **out, struct out_file *f, error *err)
{
    f->path = strdup("standard output");
    f->fd = f->path ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    if (f->fd >= 0) {
        *out = f;
        return OK;
    }
    int sys_errno = errno;
    status st = f->path ? fail_errno(err, WEIR_DISK, sys_errno, "standard output cannot be written")
                        : fail(err, WEIR_NOMEM, "standard output: out of memory");
    out_file_free(f);
    return st;
}

status out_file_open(struct out_file **out, const char *path, error *err)
{
    struct out_file *f = calloc(1, sizeof *f);
    struct stat st_path;
    status st = OK;
    if (!f)
        return fail(err, WEIR_NOMEM, "%s: out of memory", path);
    f->fd = -1;
    if (fs_is_stdout(path))
        return open_stdout(out, f, err);
    f->path = resolved(path);
    bool exists = f->path && stat(f->path, &st_path) == 0;
    if (!f->path) {
        st = fail(err, WEIR_NOMEM, "%s: out of memory", path);
    } else if (exists && S_ISDIR(st_path.st_mode)) {
        st = fail(err, WEIR_NAME, "%s: is a folder; -d DIR writes one file for each URL", path);
    } else if (exists && !S_ISREG(st_path.st_mode)) {
        f->fd = open(f->path, O_WRONLY | O_CLOEXEC);
        if (f->fd < 0)
            st = fail_errno(err, WEIR_DISK, errno, "%s: cannot be written", path);
    } else if (asprintf(&f->part, "%s.part", f->path) < 0) {
        f->part = NULL;
        st = fail(err, WEIR_NOMEM, "%s: out of memory", path);
    } else {
        st = open_part(f, err);
    }
    if (st) {
        out_file_free(f);
        return st;
    }
    *out = f;
    return OK;
}

int out_file_fd(const struct out_file *f)
{
    return f->fd;
}

const char *out_file_name(const struct out_file *f)
{
    return f->path;
}

static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 0;
    if (n >= PATH_MAX)
        return;
    snprintf(folder, sizeof folder, "%.*s", n ? n : 1, n ? path : slash ? "/" : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

status out_file_publish(struct out_file *f, int durability, error *err)
{
    if (!f->part)
        return OK;
    if (durability != DURABILITY_NONE && fsync(f->fd) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be synced", f->part);
    if (rename(f->part, f->path) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be renamed to %s", f->part, f->path);
    free(f->part);
    f->part = NULL;
    if (durability != DURABILITY_NONE)
        sync_folder(f->path);
    return OK;
}

void out_file_free(struct out_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->part);
    free(f->path);
    free(f);
}

/* See recheck.h. */
#include "engine/recheck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"

#define SLICE ((size_t)1 << 20)

static status look(struct recheck *r, const char *name, int64_t size, error *err)
{
    struct stat st;
    if (fstat(r->fd, &st) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be looked at", name);
    if (!S_ISREG(st.st_mode))
        return fail(err, WEIR_CHECKSUM, "%s: is no regular file", name);
    r->size = st.st_size;
    if (size >= 0 && st.st_size != size)
        return fail(err, WEIR_CHECKSUM, "%s: has %lld bytes, the list says %lld", name,
                    (long long)st.st_size, (long long)size);
    return OK;
}

status recheck_open(struct recheck *r, int dirfd, const char *name, int64_t size,
                    const char *digests, error *err)
{
    *r = (struct recheck){.fd = -1};
    int fd = fs_open_beneath(dirfd, name, O_RDONLY | O_NONBLOCK, 0, false);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return fail(err, WEIR_CHECKSUM, "%s: is missing", name);
    if (fd == -ELOOP)
        return fail(err, WEIR_CHECKSUM,
                    "%s: is or lies behind a symbolic link, which is not followed", name);
    if (fd < 0)
        return fail_errno(err, WEIR_NAME, -fd, "%s: cannot be opened", name);
    r->fd = fd;
    status st = look(r, name, size, err);
    if (!st)
        st = check_open(&r->check, digests, err);
    if (st)
        recheck_close(r);
    r->under_way = !st;
    return st;
}

status recheck_slice(struct recheck *r, const char *name, int64_t *bytes, error *err)
{
    if (!r->check.state)
        return WEIR_END;
    char *slice = malloc(SLICE);
    if (!slice)
        return fail(err, WEIR_NOMEM, "out of memory");
    ssize_t n;
    do
        n = pread(r->fd, slice, SLICE, r->check.at);
    while (n < 0 && errno == EINTR);
    int sys_errno = errno;
    if (n > 0) {
        check_add(&r->check, slice, (size_t)n);
        *bytes += n;
    }
    free(slice);
    if (n < 0)
        return fail_errno(err, WEIR_DISK, sys_errno, "%s: cannot be read", name);
    if (n > 0)
        return OK;
    status st = check_whole_body(&r->check, err);
    return st ? st : WEIR_END;
}

void recheck_close(struct recheck *r)
{
    if (r->fd >= 0)
        close(r->fd);
    check_close(&r->check);
    r->fd = -1;
    r->under_way = false;
}

/* Looking at a target; see target.h. One failed open is all that a new file costs. */
#include "engine/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"

#define ORIGIN_MAX 8192

static enum target judge_file(int fd, const char *origin, const char *made_by, int64_t size,
                              const struct stat *st)
{
    char kept[ORIGIN_MAX];
    bool body = !made_by || !*made_by;
    ssize_t n = fs_xattr_get(fd, "user.xdg.origin.url", kept, sizeof kept);
    if (n < 0)
        return TARGET_UNKNOWN;
    if (strcmp(kept, origin) != 0)
        return TARGET_OTHER;
    n = fs_xattr_get(fd, "user.weir.made_by", kept, sizeof kept);
    if (body ? n > 0 : n <= 0 || strcmp(kept, made_by) != 0)
        return TARGET_MADE;
    return body && size >= 0 && st->st_size != size ? TARGET_STALE : TARGET_SAME;
}

enum target target_look(int dirfd, const char *name, const char *origin, const char *made_by,
                        int64_t size, error *err)
{
    if (dirfd < 0)
        return TARGET_FREE;
    int fd = fs_open_beneath(dirfd, name, O_RDONLY | O_NONBLOCK, 0, false);
    switch (fd) {
    case -ENOENT:
    case -EMFILE: /* cannot tell now; publishing never replaces a file by surprise */
    case -ENFILE:
        return TARGET_FREE;
    case -ELOOP:
        fail(err, WEIR_NAME, "%s: is or lies behind a symbolic link, which is not followed", name);
        return TARGET_BLOCKED;
    case -ENOTDIR:
        fail(err, WEIR_NAME, "%s: one of its folders exists as a file", name);
        return TARGET_BLOCKED;
    default:
        break;
    }
    if (fd < 0) {
        /* Unreadable is not absent: without a look inside, it is a file that says nothing. */
        if (fd == -EACCES)
            return TARGET_UNKNOWN;
        fail_errno(err, fd == -ENAMETOOLONG ? WEIR_NAME : WEIR_DISK, -fd, "%s: cannot be looked at",
                   name);
        return TARGET_BLOCKED;
    }
    struct stat st;
    enum target t = TARGET_BLOCKED;
    if (fstat(fd, &st) < 0)
        fail_errno(err, WEIR_DISK, errno, "%s: cannot be looked at", name);
    else if (S_ISREG(st.st_mode))
        t = judge_file(fd, origin, made_by, size, &st);
    else if (S_ISDIR(st.st_mode))
        fail(err, WEIR_NAME, "%s: a folder has this name; give the file another with --name", name);
    else
        fail(err, WEIR_NAME, "%s: exists and is not a regular file", name);
    close(fd);
    return t;
}

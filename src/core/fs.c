/* Files beneath one directory; see fs.h. Any thread: nothing is kept between calls.
 *
 * A name with folders is opened by openat2, in one call, with the kernel's own guard against links
 * and "..". Where that call is missing or forbidden (an old kernel, a strict sandbox) a walk opens
 * folder by folder with O_NOFOLLOW and gives the same answers. A name without folders needs
 * neither: one openat with O_NOFOLLOW cannot leave its directory.
 */
#include "core/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_MAX (64 * 1024) /* of the Linux VFS: XATTR_SIZE_MAX */

static int open_retrying(int dirfd, const char *name, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* ---- directories ---- */

/* Best effort: some file systems cannot sync a folder, and what is in it will be synced anyway. */
static void sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof folder)
        return;
    memcpy(folder, path, n);
    folder[n] = '\0';
    int fd = open(n ? folder : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* mkdir -p. 0 or -errno. */
static int make_path(const char *path)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof part)
        return -ENAMETOOLONG;
    memcpy(part, path, n + 1);
    while (n > 1 && part[n - 1] == '/')
        part[--n] = '\0';
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char was = part[i];
        part[i] = '\0';
        if (mkdir(part, 0777) == 0)
            sync_folder_of(part);
        else if (errno != EEXIST && !(was && (errno == EROFS || errno == EACCES || errno == EPERM)))
            return -errno; /* on the way, a folder that exists may be named so instead of EEXIST */
        part[i] = was;
    }
    return 0;
}

status fs_open_dir(int *out, const char *path, bool make, error *err)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open(path, flags);
    if (fd < 0 && errno == ENOENT && make) {
        int rc = make_path(path);
        if (rc)
            return fail_errno(err, WEIR_DISK, -rc, "%s: the directory cannot be made", path);
        fd = open(path, flags);
    }
    if (fd < 0 && errno == ENOTDIR)
        return fail(err, WEIR_DISK, "%s: is not a directory, or lies behind a file", path);
    if (fd < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: the directory cannot be opened", path);
    *out = fd;
    return OK;
}

/* ---- names beneath a directory ---- */

/* Neither empty nor absolute, and no component "." or "..". */
static bool stays_beneath(const char *name)
{
    if (!*name || *name == '/')
        return false;
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
        while (*p == '/')
            p++;
    }
    return true;
}

/* Copies the next component of *p and goes on behind it; true when it is the last. -ENAMETOOLONG
 * through *rc. */
static bool next_component(const char **p, char out[NAME_MAX + 1], int *rc)
{
    size_t n = strcspn(*p, "/");
    *rc = n > NAME_MAX ? -ENAMETOOLONG : 0;
    if (*rc)
        return true;
    memcpy(out, *p, n);
    out[n] = '\0';
    *p += n;
    while (**p == '/')
        (*p)++;
    return **p == '\0';
}

/* Opens the folder `name` in `at`, making it first where it is missing. */
static int enter(int at, const char *name, int flags, bool make)
{
    int fd = open_retrying(at, name, flags, 0);
    if (fd == -ENOENT && make) {
        if (mkdirat(at, name, 0777) < 0 && errno != EEXIST)
            return -errno;
        fd = open_retrying(at, name, flags, 0);
    }
    if (fd != -ENOTDIR)
        return fd;
    /* With O_DIRECTORY and O_NOFOLLOW the kernel says ENOTDIR of a link too; openat2 says ELOOP. */
    struct stat st;
    bool is_link = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    return is_link ? -ELOOP : fd;
}

/* The same as openat2 beneath, folder by folder. */
static int walk_and_open(int dirfd, const char *name, int flags, mode_t mode, bool make)
{
    char part[NAME_MAX + 1];
    int at = dirfd, rc;
    for (;;) {
        bool last = next_component(&name, part, &rc);
        int fd = rc;
        if (!rc && !last) /* O_PATH: to pass through a folder, the right to list it is not needed */
            fd = enter(at, part, O_PATH | O_DIRECTORY, make);
        else if (!rc && (flags & O_DIRECTORY))
            fd = enter(at, part, flags, make);
        else if (!rc)
            fd = open_retrying(at, part, flags, mode);
        if (at != dirfd)
            close(at);
        if (fd < 0 || last)
            return fd;
        at = fd;
    }
}

static int openat2_beneath(int dirfd, const char *name, int flags, mode_t mode, bool links)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC), /* O_NOFOLLOW would hide a link behind ENOTDIR */
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links ? 0 : RESOLVE_NO_SYMLINKS),
    };
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
        how.mode = mode & 07777;
    long fd;
    do
        fd = syscall(SYS_openat2, dirfd, name, &how, sizeof how);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : (int)fd;
}

int fs_open_beneath(int dirfd, const char *name, int flags, mode_t mode, bool make_parents)
{
    if (!stays_beneath(name))
        return -EXDEV;
    if (!strchr(name, '/'))
        return (flags & O_DIRECTORY) ? enter(dirfd, name, flags, make_parents)
                                     : open_retrying(dirfd, name, flags, mode);
    int fd = openat2_beneath(dirfd, name, flags, mode, false);
    switch (fd) {
    case -ENOSYS: /* a kernel before 5.6 */
    case -EPERM:  /* a sandbox that does not know the call */
    case -EAGAIN: /* a rename raced with it */
        return walk_and_open(dirfd, name, flags, mode, make_parents);
    case -ENOENT:
        return make_parents ? walk_and_open(dirfd, name, flags, mode, true) : fd;
    default:
        return fd;
    }
}

int fs_open_within(int dirfd, const char *name, int flags)
{
    int fd = openat2_beneath(dirfd, name, flags, 0, true);
    if (fd == -ENOSYS || fd == -EPERM || fd == -EAGAIN)
        return fs_open_beneath(dirfd, name, flags, 0, false);
    return fd;
}

int fs_open_parent(int dirfd, const char *name, bool make_parents, const char **last)
{
    const char *slash = strrchr(name, '/');
    if (!stays_beneath(name))
        return -EXDEV;
    if (!slash) {
        *last = name;
        return dirfd;
    }
    char folder[PATH_MAX];
    size_t n = (size_t)(slash - name);
    if (n >= sizeof folder)
        return -ENAMETOOLONG;
    memcpy(folder, name, n);
    folder[n] = '\0';
    int fd = fs_open_beneath(dirfd, folder, O_RDONLY | O_DIRECTORY, 0, make_parents);
    if (fd >= 0)
        *last = slash + 1;
    return fd;
}

/* For file systems without RENAME_NOREPLACE. Where they have no hard links either, a look before
 * the rename is all that is left. */
static int rename_by_link(int dirfd, const char *from, const char *to)
{
    if (linkat(dirfd, from, dirfd, to, 0) == 0)
        return unlinkat(dirfd, from, 0) < 0 ? -errno : 0;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return -errno;
    struct stat st;
    if (fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    if (errno != ENOENT)
        return -errno;
    return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
}

int fs_rename(int dirfd, const char *from, const char *to, bool keep_existing)
{
    if (!keep_existing)
        return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
    if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EINVAL || errno == ENOSYS)
        return rename_by_link(dirfd, from, to);
    return -errno;
}

/* ---- open files ---- */

bool fs_is_stdout(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0;
}

int fs_write_all(int fd, const void *data, size_t size, int64_t offset)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = pwrite(fd, p, size, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p += n;
        size -= (size_t)n;
        offset += n;
    }
    return 0;
}

int fs_xattr_set(int fd, const char *name, const void *value, size_t size)
{
    return fsetxattr(fd, name, value, size, 0) < 0 ? -errno : 0;
}

ssize_t fs_xattr_get(int fd, const char *name, char *value, size_t cap)
{
    if (cap == 0)
        return -ERANGE;
    ssize_t n = fgetxattr(fd, name, value, cap - 1);
    if (n >= 0) {
        value[cap == 1 ? 0 : n] = '\0'; /* asked with size 0, the kernel answers the length */
        return cap == 1 ? 0 : n;
    }
    if (errno != ERANGE)
        return -errno;
    char *whole = malloc(XATTR_MAX);
    if (!whole)
        return -ENOMEM;
    n = fgetxattr(fd, name, whole, XATTR_MAX);
    int failure = n < 0 ? -errno : 0;
    if (n > (ssize_t)cap - 1)
        n = (ssize_t)cap - 1;
    if (n >= 0) {
        memcpy(value, whole, (size_t)n);
        value[n] = '\0';
    }
    free(whole);
    return failure ? failure : n;
}

static int temporary_in(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -errno;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/weir.XXXXXX", folder) >= (int)sizeof path)
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

int fs_temporary_file(void)
{
    const char *folder = getenv("TMPDIR");
    if (folder && *folder)
        return temporary_in(folder);
    int fd = temporary_in("/var/tmp");
    return fd == -ENOENT ? temporary_in("/tmp") : fd; /* small images have no /var/tmp */
}

int64_t fs_free_bytes(int fd)
{
    struct statvfs st;
    if (fstatvfs(fd, &st) < 0)
        return -1;
    uint64_t unit = st.f_frsize ? st.f_frsize : st.f_bsize;
    if (unit && st.f_bavail > (uint64_t)INT64_MAX / unit)
        return INT64_MAX;
    return (int64_t)(st.f_bavail * unit);
}

void fs_boot_id(char out[40])
{
    memset(out, 0, 40);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, out, 36);
    close(fd);
    if (n != 36)
        memset(out, 0, 40);
}

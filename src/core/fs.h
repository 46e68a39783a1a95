/* Files beneath one directory.
 *
 * Every path that comes from outside is opened beneath a directory descriptor, component by
 * component, and no symbolic link is followed (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
 * or a walk with O_NOFOLLOW where the kernel has no openat2). Any thread.
 */
#ifndef WEIR_CORE_FS_H
#define WEIR_CORE_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/status.h"

/* Opens (and makes, with its parents, when `make`) the directory `path`. The caller closes *out. */
status fs_open_dir(int *out, const char *path, bool make, error *err);

/* Opens `name` ("a/b/c", never absolute, no "." or "..") beneath dirfd. With `make_parents`,
 * missing folders on the way are made (mode 0777 less umask). Returns the descriptor or -errno.
 * O_CLOEXEC and O_NOFOLLOW are always added. */
int fs_open_beneath(int dirfd, const char *name, int flags, mode_t mode, bool make_parents);

/* The same for reading, but links are followed as far as they stay beneath dirfd. Where the kernel
 * has no openat2, none is. */
int fs_open_within(int dirfd, const char *name, int flags);

/* Opens the folder that holds the last component of `name` beneath dirfd, and points *last at that
 * component. Returns a descriptor that the caller closes, or dirfd itself (not to be closed) when
 * `name` has no folder part, or -errno. */
int fs_open_parent(int dirfd, const char *name, bool make_parents, const char **last);

/* Renames within one folder. With `keep_existing`, fails with -EEXIST instead of replacing
 * (renameat2 RENAME_NOREPLACE, or link and unlink where the file system has no such rename). */
int fs_rename(int dirfd, const char *from, const char *to, bool keep_existing);

/* "-" and "/dev/stdout" name standard output wherever a file is written. */
bool fs_is_stdout(const char *path);

/* Writes all of it (pwrite, EINTR and short writes handled). 0 or -errno. */
int fs_write_all(int fd, const void *data, size_t size, int64_t offset);

/* Extended attribute of an open file. Get: length (the text is ended by NUL, truncated to cap - 1)
 * or -errno. */
int fs_xattr_set(int fd, const char *name, const void *value, size_t size);
ssize_t fs_xattr_get(int fd, const char *name, char *value, size_t cap);

/* An unlinked temporary file in $TMPDIR or /var/tmp; the caller closes it. -errno on failure. */
int fs_temporary_file(void);

/* Bytes that an unprivileged writer may still use on the file system of fd; -1 on error. */
int64_t fs_free_bytes(int fd);

/* The kernel's boot id ("/proc/sys/kernel/random/boot_id"), 36 characters, "" when unknown. The
 * text is static to the process after the first call. Any thread. */
void fs_boot_id(char out[40]);

#endif

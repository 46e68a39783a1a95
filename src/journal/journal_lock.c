/* The lock file "JOURNAL-lock"; see journal_lock.h.
 *
 * SQLite would let two runs write in turn, and both would fetch everything. The lock is on a file
 * of its own because SQLite's locks on the journal are lost when anybody in this process closes a
 * descriptor of it. The kernel drops the lock with the process; a file that stays behind is taken
 * over.
 */
#include "journal/journal_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Has the file that fd is of still its name? Its owner may have removed it meanwhile. */
static bool is_at(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

/* A locked descriptor, or -errno; EWOULDBLOCK: somebody else has it, and *owner says who. */
static int open_locked(const char *path, int *owner)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            char text[24] = "";
            int sys_errno = errno;
            if (pread(fd, text, sizeof text - 1, 0) > 0)
                *owner = (int)strtol(text, NULL, 10);
            close(fd);
            return -sys_errno;
        }
        if (is_at(fd, path))
            return fd;
        close(fd);
    }
}

status journal_lock_take(struct journal_lock *lock, const char *real, const char *shown, error *err)
{
    int owner = 0;
    size_t size = strlen(real) + sizeof "-lock";
    char *path = malloc(size), text[24] = "", who[48] = "";
    if (!path)
        return fail(err, WEIR_NOMEM, "%s: out of memory for the journal", shown);
    snprintf(path, size, "%s-lock", real);
    int fd = open_locked(path, &owner);
    if (fd < 0) {
        free(path);
        if (owner > 0)
            snprintf(who, sizeof who, " (process %d)", owner);
        if (fd == -EWOULDBLOCK)
            return fail(err, WEIR_CONFIG,
                        "%s: another run%s is writing this journal; wait until it has ended, or "
                        "name another file",
                        shown, who);
        return fail_errno(err, WEIR_DISK, -fd, "%s: the journal cannot be locked (%s-lock)", shown,
                          real);
    }
    /* For the message of others only: nothing depends on it. */
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) != n)
        errno = 0;
    *lock = (struct journal_lock){fd, path};
    return OK;
}

/* Removed while it is still locked: nobody who opens the name later gets this file. */
void journal_lock_release(struct journal_lock *lock)
{
    if (lock->path && is_at(lock->fd, lock->path))
        unlink(lock->path);
    if (lock->path)
        close(lock->fd);
    free(lock->path);
    *lock = (struct journal_lock){.fd = -1};
}

/* See line_socket.h.
 *
 * bind makes the name and listen comes after it; so it is bound to another name and renamed. What
 * stands in the way is taken away under another name first and looked at there once more: two that
 * start at the same time never remove each other's.
 */
#include "prefetch/line_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"

#define ATTEMPTS 8
#define BACKLOG 64

/* The path with an ending of its own; false: too long for a socket. */
static bool beside(struct sockaddr_un *out, const char *path)
{
    struct rng rng;
    rng_seed(&rng, 0);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(out->sun_path, sizeof out->sun_path, "%s.%06" PRIx64, path,
                     rng_next(&rng) & 0xffffff);
    return n > 0 && (size_t)n < sizeof out->sun_path;
}

static bool is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A socket that nobody answers at is left from a process that was killed. */
static bool is_stale(const struct sockaddr_un *address)
{
    if (!is_socket(address->sun_path))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* may be busy */
    bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
                 errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return stale;
}

static int rename_free(const char *from, const char *to)
{
    struct stat st;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (lstat(to, &st) == 0) /* a file system that cannot promise it */
        return EEXIST;
    return rename(from, to) < 0 ? errno : 0;
}

/* 0 or errno. */
static int take_away(const struct sockaddr_un *address)
{
    struct sockaddr_un aside;
    if (!is_socket(address->sun_path))
        return EEXIST;
    if (!is_stale(address))
        return EADDRINUSE;
    if (!beside(&aside, address->sun_path)) /* not to be looked at again */
        return unlink(address->sun_path) < 0 ? errno : 0;
    if (rename(address->sun_path, aside.sun_path) < 0)
        return errno;
    if (is_stale(&aside))
        return unlink(aside.sun_path) < 0 ? errno : 0;
    rename_free(aside.sun_path, address->sun_path); /* another one has just come */
    return EADDRINUSE;
}

static int bind_privately(int fd, const struct sockaddr_un *address)
{
    if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        return errno;
    if (chmod(address->sun_path, 0600) < 0 || listen(fd, BACKLOG) < 0) {
        int rc = errno;
        unlink(address->sun_path);
        return rc;
    }
    return 0;
}

/* A name so long that no other fits beside it is bound as it is. */
static int listen_there(int fd, const struct sockaddr_un *address)
{
    struct sockaddr_un first;
    if (!beside(&first, address->sun_path)) {
        int rc = is_stale(address) ? take_away(address) : 0;
        return rc ? rc : bind_privately(fd, address);
    }
    int rc = bind_privately(fd, &first);
    if (rc)
        return rc;
    for (int i = 0; i < ATTEMPTS; i++) {
        rc = rename_free(first.sun_path, address->sun_path);
        if (rc != EEXIST || ((rc = take_away(address)) != 0 && rc != ENOENT))
            break;
    }
    if (rc)
        unlink(first.sun_path);
    return rc;
}

status line_socket_open(struct line_socket *s, const char *path, error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    *s = (struct line_socket){.fd = -1};
    if (strlen(path) >= sizeof address.sun_path)
        return fail(err, WEIR_USAGE, "%s: a socket's name has at most %zu bytes", path,
                    sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    char *copy = strdup(path);
    if (!copy)
        return fail(err, WEIR_NOMEM, "out of memory");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? errno : listen_there(fd, &address);
    if (rc) {
        if (fd >= 0)
            close(fd);
        free(copy);
        return fail_errno(err, WEIR_DISK, rc, "%s: cannot listen there", path);
    }
    if (lstat(path, &st) == 0) {
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
    s->path = copy;
    s->fd = fd;
    return OK;
}

/* The name goes first: a socket that is there and refuses is for the stale ones. */
void line_socket_close(struct line_socket *s)
{
    struct stat st;
    if (s->path && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
        unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    s->path = NULL;
    s->fd = -1;
}

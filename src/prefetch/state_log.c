/* The log of a cache; see state_log.h. */
#include "prefetch/state_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"

#define LOG_NAME "state"
#define NEW_NAME "state.new"
#define LOCK_NAME "lock"
#define FIRST_LINE "weir-prefetch 1"
#define HASH_DIGITS 16
#define LINE_MAX_BYTES 16384

struct state_log {
    int dirfd; /* borrowed */
    int fd, lock_fd;
    int64_t size;
    char *shown;
};

static void add_line(struct strbuf *out, const char *line, size_t n)
{
    strbuf_add(out, line, n);
    strbuf_addf(out, " %016llx\n", (unsigned long long)hash64(line, n));
}

/* ---- the lock ---- */

static status fail_owned(const struct state_log *log, int fd, error *err)
{
    char text[24] = "", who[48] = "";
    if (pread(fd, text, sizeof text - 1, 0) > 0 && atoi(text) > 0)
        snprintf(who, sizeof who, " (process %d)", atoi(text));
    return fail(err, WEIR_CONFIG,
                "%s: another weir prefetch%s has this cache; join it by its socket, wait until it "
                "has ended, or choose another --dir",
                log->shown, who);
}

static status take_lock(struct state_log *log, error *err)
{
    char text[24];
    log->lock_fd = openat(log->dirfd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->lock_fd < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s/" LOCK_NAME ": cannot be made", log->shown);
    if (flock(log->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return fail_owned(log, log->lock_fd, err);
    /* For the message of others only: nothing depends on it. */
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(log->lock_fd, 0) == 0 && pwrite(log->lock_fd, text, (size_t)n, 0) != n)
        errno = 0;
    return OK;
}

/* ---- reading ---- */

static bool is_whole(struct span line)
{
    if (line.n <= HASH_DIGITS + 1 || line.p[line.n - HASH_DIGITS - 1] != ' ')
        return false;
    char wanted[HASH_DIGITS + 1];
    size_t n = line.n - HASH_DIGITS - 1;
    snprintf(wanted, sizeof wanted, "%016llx", (unsigned long long)hash64(line.p, n));
    return memcmp(wanted, line.p + n + 1, HASH_DIGITS) == 0;
}

static status not_ours(const struct state_log *log, error *err)
{
    return fail(err, WEIR_CONFIG,
                "%s/" LOG_NAME ": is no state of weir prefetch, or of another version; choose "
                "another --dir, or remove %s to begin anew",
                log->shown, log->shown);
}

static status read_lines(struct state_log *log, FILE *in,
                         status (*on_line)(void *, const char *, error *), void *ctx, error *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    status st = OK;
    log->size = 0;
    while (!st && (n = getline(&line, &cap, in)) > 0) {
        struct span text = {line, (size_t)n - 1};
        if (line[n - 1] != '\n' || n > LINE_MAX_BYTES || !is_whole(text))
            break;
        line[text.n - HASH_DIGITS - 1] = '\0';
        if (log->size)
            st = on_line(ctx, line, err);
        else if (strcmp(line, FIRST_LINE) != 0)
            break;
        log->size += n;
    }
    free(line);
    return st;
}

static status replay(struct state_log *log, status (*on_line)(void *, const char *, error *),
                     void *ctx, error *err)
{
    struct stat st_file;
    int copy = dup(log->fd);
    FILE *in = copy >= 0 ? fdopen(copy, "r") : NULL;
    if (!in) {
        int sys_errno = errno;
        if (copy >= 0)
            close(copy);
        return fail_errno(err, WEIR_DISK, sys_errno, "%s/" LOG_NAME ": cannot be read", log->shown);
    }
    status st = read_lines(log, in, on_line, ctx, err);
    fclose(in);
    if (st)
        return st;
    if (fstat(log->fd, &st_file) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s/" LOG_NAME ": cannot be read", log->shown);
    /* A first line that was cut off is a beginning of ours; anything else is somebody's. */
    if (!log->size && st_file.st_size > (off_t)sizeof FIRST_LINE + HASH_DIGITS + 1)
        return not_ours(log, err);
    if (st_file.st_size > log->size && ftruncate(log->fd, log->size) < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s/" LOG_NAME ": cannot be cut", log->shown);
    return log->size ? OK : state_log_append(log, FIRST_LINE, true, err);
}

status state_log_open(struct state_log **out, int dirfd, const char *shown,
                      status (*on_line)(void *ctx, const char *line, error *err), void *ctx,
                      error *err)
{
    struct state_log *log = calloc(1, sizeof *log);
    if (!log)
        return fail(err, WEIR_NOMEM, "out of memory");
    log->dirfd = dirfd;
    log->fd = log->lock_fd = -1;
    log->shown = strdup(shown);
    status st = log->shown ? take_lock(log, err) : fail(err, WEIR_NOMEM, "out of memory");
    if (!st) {
        log->fd = openat(dirfd, LOG_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        st = log->fd >= 0
                 ? replay(log, on_line, ctx, err)
                 : fail_errno(err, WEIR_DISK, errno, "%s/" LOG_NAME ": cannot be opened", shown);
    }
    if (st) {
        state_log_close(log);
        return st;
    }
    *out = log;
    return OK;
}

/* ---- writing ---- */

static status sync_log(const struct state_log *log, int fd, error *err)
{
    int rc;
    do
        rc = fdatasync(fd);
    while (rc < 0 && errno == EINTR);
    return rc < 0
               ? fail_errno(err, WEIR_DISK, errno, "%s/" LOG_NAME ": cannot be synced", log->shown)
               : OK;
}

status state_log_append(struct state_log *log, const char *line, bool sync, error *err)
{
    struct strbuf text = {.max = LINE_MAX_BYTES};
    add_line(&text, line, strlen(line));
    if (text.failed) {
        strbuf_free(&text);
        return fail(err, WEIR_NOMEM, "%s/" LOG_NAME ": out of memory for a line", log->shown);
    }
    int rc = fs_write_all(log->fd, text.p, text.n, log->size);
    if (!rc)
        log->size += (int64_t)text.n;
    strbuf_free(&text);
    if (rc)
        return fail_errno(err, WEIR_DISK, -rc, "%s/" LOG_NAME ": cannot be written", log->shown);
    return sync ? sync_log(log, log->fd, err) : OK;
}

int64_t state_log_size(const struct state_log *log)
{
    return log->size;
}

static status write_new(const struct state_log *log, int fd, const struct strbuf *text, error *err)
{
    int rc = fs_write_all(fd, text->p, text->n, 0);
    status st =
        rc ? fail_errno(err, WEIR_DISK, -rc, "%s/" NEW_NAME ": cannot be written", log->shown)
           : sync_log(log, fd, err);
    if (!st && renameat(log->dirfd, NEW_NAME, log->dirfd, LOG_NAME) < 0)
        st = fail_errno(err, WEIR_DISK, errno, "%s/" NEW_NAME ": cannot be renamed", log->shown);
    if (st)
        unlinkat(log->dirfd, NEW_NAME, 0);
    else
        fsync(log->dirfd); /* until then the old one may come back, which is as true */
    return st;
}

status state_log_rewrite(struct state_log *log, const struct strbuf *lines, error *err)
{
    struct strbuf text = {.max = (size_t)1 << 30};
    add_line(&text, FIRST_LINE, strlen(FIRST_LINE));
    for (const char *p = strbuf_text(lines), *end; (end = strchr(p, '\n')) != NULL; p = end + 1)
        add_line(&text, p, (size_t)(end - p));
    if (text.failed || lines->failed) {
        strbuf_free(&text);
        return fail(err, WEIR_NOMEM, "%s/" LOG_NAME ": out of memory", log->shown);
    }
    int fd =
        openat(log->dirfd, NEW_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    status st =
        fd < 0 ? fail_errno(err, WEIR_DISK, errno, "%s/" NEW_NAME ": cannot be made", log->shown)
               : write_new(log, fd, &text, err);
    if (st && fd >= 0)
        close(fd);
    if (!st) {
        close(log->fd);
        log->fd = fd;
        log->size = (int64_t)text.n;
    }
    strbuf_free(&text);
    return st;
}

void state_log_close(struct state_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    if (log->lock_fd >= 0)
        close(log->lock_fd);
    free(log->shown);
    free(log);
}

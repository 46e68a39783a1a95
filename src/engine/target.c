/* Looking at a target; see target.h. One failed open is all that a new file costs. */
#include "engine/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/fs.h"
#include "sink/sink.h"

#define ORIGIN_MAX 8192
#define KEPT_MAX 16384

static enum target judge_file(int fd, const char *origin, const char *made_by, int64_t size,
                              const struct stat *st)
{
    char kept[ORIGIN_MAX];
    bool body = !made_by || !*made_by;
    ssize_t n = fs_xattr_get(fd, ORIGIN_XATTR, kept, sizeof kept);
    if (n < 0)
        return TARGET_UNKNOWN;
    if (strcmp(kept, origin) != 0)
        return TARGET_OTHER;
    n = fs_xattr_get(fd, MADE_BY_XATTR, kept, sizeof kept);
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

/* RFC 9110 section 5.6.7. */
static char *date_of(time_t t)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;
    char *text = NULL;
    if (!gmtime_r(&t, &tm) ||
        asprintf(&text, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
                 months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec) < 0)
        return NULL;
    return text;
}

void target_validators(int dirfd, const char *name, struct provenance *out)
{
    char text[KEPT_MAX];
    struct stat st;
    error ignored;
    provenance_init(out);
    int fd = fs_open_beneath(dirfd, name, O_RDONLY | O_NONBLOCK, 0, false);
    if (fd < 0)
        return;
    ssize_t n = fs_xattr_get(fd, KEPT_XATTR, text, sizeof text);
    bool kept = n > 0 && (size_t)n < sizeof text - 1 &&
                provenance_parse(out, (struct span){text, (size_t)n}, &ignored) == OK;
    if (!kept && fstat(fd, &st) == 0)
        out->last_modified = date_of(st.st_mtime);
    close(fd);
}

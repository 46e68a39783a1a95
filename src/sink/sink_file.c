/* The file sink: NAME.part, and in the end NAME; see sink_file.h for its parts. All calls come from
 * the worker that holds the fetch, publish and the close after it from the commit thread.
 *
 * A small file costs one each of openat, flock, fstat, pwrite, fsetxattr, futimens, renameat2 and
 * close. Bytes come in pieces of 16 KiB at most, so they are gathered before they are written, in
 * a buffer no larger than the file; the last piece goes out without one where it is all there is.
 */
#include "sink/sink_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/fs.h"

#define PREALLOCATE_FROM ((int64_t)1 << 20)
#define PUSH_EVERY ((int64_t)8 << 20)
#define BUFFER_FIRST ((size_t)16 << 10)
#define OPEN_ROUNDS 16

static struct file_sink *self(const struct sink *s)
{
    return (struct file_sink *)(uintptr_t)s;
}

/* ---- what errno means ---- */

static status status_of_errno(int e)
{
    switch (e) {
    case EMFILE:
    case ENFILE:
        return WEIR_AGAIN;
    case ENOMEM:
        return WEIR_NOMEM;
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ENAMETOOLONG:
    case EXDEV:
    case EINVAL: /* of a name: characters that this file system has not */
    case EILSEQ:
    case ENXIO: /* a socket, or a pipe that nobody reads */
        return WEIR_NAME;
    default:
        return WEIR_DISK;
    }
}

static const char *way_out(int e)
{
    switch (e) {
    case ENOSPC:
        return "free space and run the same command again";
    case EDQUOT:
        return "the quota is used up; free space and run the same command again";
    case EFBIG:
        return "neither the file system nor \"ulimit -f\" may allow so large a file";
    case EROFS:
    case EACCES:
    case EPERM:
        return "make the directory writable or choose another with --dir";
    case EIO:
        return "the disk reports errors; what was written is kept in the .part file";
    case EMFILE:
    case ENFILE:
        return "raise \"ulimit -n\" or lower --concurrency";
    case ENAMETOOLONG:
    case EINVAL:
    case EILSEQ:
        return "the file system does not take this name; choose another with --name";
    default:
        return "see that nothing else uses this name and run the same command again";
    }
}

/* The first part of the path that is no folder: a link or a file in the way. 0 = none found. */
static size_t blocking_length(const struct file_sink *s, bool *is_link)
{
    char prefix[PATH_MAX];
    struct stat st;
    for (const char *slash = strchr(s->part, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t n = (size_t)(slash - s->part);
        if (n >= sizeof prefix)
            return 0;
        memcpy(prefix, s->part, n);
        prefix[n] = '\0';
        if (fstatat(s->env->dirfd, prefix, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
        *is_link = S_ISLNK(st.st_mode);
        if (!S_ISDIR(st.st_mode))
            return n;
    }
    return 0;
}

static status fail_blocked(const struct file_sink *s, error *err)
{
    bool is_link = false;
    size_t n = blocking_length(s, &is_link);
    if (!n)
        return fail(err, WEIR_NAME, "%s/%s: is a symbolic link; not followed, remove it",
                    s->env->dir, s->part);
    return fail(err, WEIR_NAME, "%s: %s/%.*s is %s; remove it or choose another name", s->spec.name,
                s->env->dir, (int)n, s->part,
                is_link ? "a symbolic link, which is not followed"
                        : "a file where a folder is needed");
}

status file_fail(const struct file_sink *s, int sys_errno, const char *what, error *err)
{
    status st = status_of_errno(sys_errno);
    if (sys_errno == ELOOP || sys_errno == ENOTDIR) {
        fail_blocked(s, err);
    } else {
        char text[128];
        fail(err, st, "%s/%s: %s: %s; %s", s->env->dir, s->part, what,
             strerror_r(sys_errno, text, sizeof text), way_out(sys_errno));
    }
    if (err)
        err->sys_errno = sys_errno;
    return st;
}

static status fail_held(const struct file_sink *s, error *err)
{
    return fail(err, WEIR_NAME, "%s: another process is downloading %s/%s; wait until it has ended",
                s->spec.name, s->env->dir, s->spec.name);
}

/* ---- taking hold of the .part ---- */

/* A file system without locks is used without; EWOULDBLOCK alone says that somebody has it. */
static bool lock(int fd)
{
    int rc;
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    return rc == 0 || errno != EWOULDBLOCK;
}

static void let_go(struct file_sink *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static void unlink_part(const struct file_sink *s)
{
    const char *last;
    int folder = fs_open_parent(s->env->dirfd, s->part, false, &last);
    if (folder < 0)
        return;
    unlinkat(folder, last, 0);
    if (folder != s->env->dirfd)
        close(folder);
}

/* Is what we have opened still what the name leads to? 1 or 0; -errno when descriptors ran out. */
static int still_named(const struct file_sink *s, const struct stat *mine)
{
    const char *last;
    struct stat there;
    int folder = fs_open_parent(s->env->dirfd, s->part, false, &last);
    if (folder < 0)
        return folder == -EMFILE || folder == -ENFILE ? folder : 0;
    bool same = fstatat(folder, last, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                there.st_dev == mine->st_dev && there.st_ino == mine->st_ino;
    if (folder != s->env->dirfd)
        close(folder);
    return same;
}

/* Made by this program? Every .part carries its origin from its first moment on. Where the file
 * system keeps no attributes the name has to do. */
static bool is_ours(int fd)
{
    char text[8];
    return fs_xattr_get(fd, ORIGIN_XATTR, text, sizeof text) != -ENODATA ||
           fs_xattr_get(fd, RECORD_XATTR_NAME, text, sizeof text) != -ENODATA;
}

/* Is the .part the beginning of what we are about to write? What a filter made is never gone on
 * with, since nobody knows which byte of the body it has come to. */
static bool is_body_part(const struct file_sink *s)
{
    char text[8];
    return !s->spec.made_by && fs_xattr_get(s->fd, MADE_BY_XATTR, text, sizeof text) < 0;
}

/* Says of an empty .part what is going to be in it. A file that cannot say what made it must not
 * name its URL either: it would pass for the body of that. */
static void mark(const struct file_sink *s)
{
    if (s->spec.made_by &&
        fs_xattr_set(s->fd, MADE_BY_XATTR, s->spec.made_by, strlen(s->spec.made_by)) < 0)
        fremovexattr(s->fd, ORIGIN_XATTR);
    else if (!s->spec.made_by)
        fremovexattr(s->fd, MADE_BY_XATTR);
}

/* Opens and locks a .part of an earlier run; s->fd stays -1 where there is none worth keeping. */
static status take_existing(struct file_sink *s, struct stat *st, error *err)
{
    for (int round = 0; round < OPEN_ROUNDS; round++) {
        int fd = fs_open_beneath(s->env->dirfd, s->part, O_RDWR | O_NONBLOCK | O_NOCTTY, 0, false);
        if (fd == -ENOENT)
            return OK;
        if (fd == -EACCES || fd == -EPERM) /* one file, not the directory */
            return fail_errno(err, WEIR_NAME, -fd,
                              "%s/%s: is left from elsewhere, remove it; it "
                              "cannot be opened",
                              s->env->dir, s->part);
        if (fd < 0)
            return file_fail(s, -fd, "cannot be opened", err);
        s->fd = fd;
        if (fstat(fd, st) < 0) {
            int e = errno;
            let_go(s);
            return file_fail(s, e, "cannot be looked at", err);
        }
        if (!S_ISREG(st->st_mode) || st->st_nlink > 1) {
            let_go(s);
            return fail(err, WEIR_NAME, "%s/%s: is no regular file with one link; remove it",
                        s->env->dir, s->part);
        }
        if (!lock(fd)) {
            let_go(s);
            return fail_held(s, err);
        }
        /* It may have grown, or been published, before the lock was ours. */
        int named = fstat(fd, st) == 0 ? still_named(s, st) : 0;
        if (named > 0 && st->st_size > 0 && !is_ours(fd)) {
            let_go(s);
            return fail(err, WEIR_NAME,
                        "%s/%s: was not made by weir and is left alone; move it away "
                        "or choose another name",
                        s->env->dir, s->part);
        }
        if (named > 0 && st->st_size > 0)
            return OK;
        if (named > 0)
            unlink_part(s);
        let_go(s);
        if (named < 0)
            return file_fail(s, -named, "cannot be looked at", err);
    }
    return fail_held(s, err);
}

static status file_open(struct sink **out, const struct sink_env *env, const struct sink_spec *spec,
                        struct provenance *from, error *err)
{
    size_t n = strlen(spec->name);
    struct file_sink *s = calloc(1, sizeof *s + n + sizeof PART_ENDING);
    if (!s)
        return fail(err, WEIR_NOMEM, "out of memory for the file %s", spec->name);
    s->head.type = &sink_file;
    s->env = env;
    s->spec = *spec;
    s->fd = -1;
    const char *slash = strrchr(spec->name, '/');
    s->folder_length = slash ? (size_t)(slash - spec->name) : 0;
    memcpy(s->part, spec->name, n);
    memcpy(s->part + n, PART_ENDING, sizeof PART_ENDING);
    provenance_init(&s->held);
    s->expected = -1;
    s->next_record = RECORD_FROM;
    struct stat stat_of_part = {0};
    status st = spec->fresh ? OK : take_existing(s, &stat_of_part, err);
    if (!st && s->fd >= 0) {
        s->device = stat_of_part.st_dev;
        s->flushed = s->pushed = stat_of_part.st_size;
        if (is_body_part(s))
            st = record_load(s, s->flushed, from, err);
        s->held.synced = from->synced;
    }
    if (st) {
        let_go(s);
        free(s);
        return st;
    }
    *out = &s->head;
    return OK;
}

/* ---- begin ---- */

static status create_part(struct file_sink *s, error *err)
{
    int fd = fs_open_beneath(s->env->dirfd, s->part, O_RDWR | O_CREAT | O_EXCL, 0666, true);
    if (fd == -EEXIST)
        return fail_held(s, err);
    if (fd < 0)
        return file_fail(s, -fd, "cannot be made", err);
    s->fd = fd;
    struct stat st;
    bool mine = lock(fd) && fstat(fd, &st) == 0 && st.st_nlink == 1;
    if (!mine) { /* its name, if it has one, belongs to who was faster */
        let_go(s);
        return fail_held(s, err);
    }
    if (s->spec.origin)
        fs_xattr_set(fd, ORIGIN_XATTR, s->spec.origin, strlen(s->spec.origin));
    if (s->spec.made_by)
        mark(s);
    s->device = st.st_dev;
    s->flushed = 0;
    return OK;
}

/* Everything before `offset` stays, everything behind it goes. */
static status cut_to(struct file_sink *s, int64_t offset, error *err)
{
    if (offset == 0)
        record_drop(s);
    int64_t synced_to = s->held.synced;
    if (s->scattered) {
        synced_to = s->synced.n ? s->synced.of[s->synced.n - 1].to : 0;
        s->held.synced = extents_front(&s->synced);
        file_unscatter(s);
    }
    if (s->flushed > offset || s->reserved > offset) {
        if (ftruncate(s->fd, offset) < 0)
            return file_fail(s, errno, "cannot be cut", err);
        if (offset == 0)
            mark(s);
        /* Bytes of the old version must not come back after a power cut, vouched for by the new. */
        if (synced_to > offset && s->env->options->save_durability != DURABILITY_NONE &&
            fsync(s->fd) < 0)
            return file_fail(s, errno, "cannot be synced", err);
    }
    s->gathered = 0;
    s->flushed = offset;
    s->reserved = 0;
    if (s->held.synced > offset)
        s->held.synced = offset;
    if (s->pushed > offset)
        s->pushed = offset;
    return OK;
}

/* In memory there is nothing to lay out, and reserving takes as long as writing: a look will do. */
static bool is_in_memory(int fd, int64_t *room)
{
    struct statfs st;
    if (fstatfs(fd, &st) < 0 || st.f_type != TMPFS_MAGIC)
        return false;
    *room = st.f_blocks ? (int64_t)st.f_bavail * (int64_t)st.f_bsize : INT64_MAX;
    return true;
}

/* Where it cannot be done nothing is lost; only a lack of space is worth hearing of in advance. */
static status preallocate(struct file_sink *s, error *err)
{
    int64_t rest = s->expected - s->flushed, room;
    if (s->env->options->save_preallocate != PREALLOCATE_AUTO || rest < PREALLOCATE_FROM ||
        s->reserved >= s->expected)
        return OK;
    if (is_in_memory(s->fd, &room))
        return rest <= room ? OK : file_fail(s, ENOSPC, "no room for the whole file", err);
    int rc;
    do
        rc = fallocate(s->fd, FALLOC_FL_KEEP_SIZE, s->flushed, rest);
    while (rc < 0 && errno == EINTR);
    int e = rc < 0 ? errno : 0;
    if (e == 0 || e == ENOSPC || e == EDQUOT) /* what there was room for may be reserved already */
        s->reserved = s->expected;
    return e == ENOSPC || e == EDQUOT ? file_fail(s, e, "no room for the whole file", err) : OK;
}

static int64_t file_offset(const struct sink *head)
{
    const struct file_sink *s = self(head);
    return s->flushed + (int64_t)s->gathered;
}

static status file_begin(struct sink *head, int64_t offset, const struct provenance *p, error *err)
{
    struct file_sink *s = self(head);
    if (s->sealed || offset < 0 || offset > file_offset(head) || (offset > 0 && s->fd < 0))
        return fail(err, WEIR_USAGE, "%s: cannot go on at byte %lld of %lld", s->spec.name,
                    (long long)offset, (long long)file_offset(head));
    int64_t synced = s->held.synced;
    status st = provenance_copy(&s->held, p);
    if (st)
        return fail(err, st, "out of memory for %s", s->spec.name);
    s->held.synced = synced;
    s->held.boot_id[0] = '\0'; /* that of this boot, found when it is needed */
    s->expected = p->size;
    if (s->fd < 0)
        st = create_part(s, err);
    else if (p->extents && offset > 0)
        st = file_scatter(s, p, err);
    else if (offset == 0 || offset < s->flushed)
        st = cut_to(s, offset, err);
    else
        s->gathered = (size_t)(offset - s->flushed);
    if (st)
        return st;
    s->next_record = s->spec.made_by ? INT64_MAX : offset ? s->flushed + RECORD_EVERY : RECORD_FROM;
    if (offset > 0)
        record_save(s, offset);
    return preallocate(s, err);
}

/* ---- write ---- */

/* Every 64 MiB the record moves on, after a sync where the run is to be durable. The way to the
 * disk is begun every 8 MiB, so that the sync finds little left to do. */
static status keep_record(struct file_sink *s, int64_t grows_to, error *err)
{
    bool durable = s->env->options->save_durability != DURABILITY_NONE;
    if (durable && s->flushed - s->pushed >= PUSH_EVERY) {
        sync_file_range(s->fd, s->pushed, s->flushed - s->pushed, SYNC_FILE_RANGE_WRITE);
        s->pushed = s->flushed;
    }
    if (grows_to <= s->next_record)
        return OK;
    if (durable && s->flushed >= RECORD_EVERY) {
        if (fdatasync(s->fd) < 0)
            return file_fail(s, errno, "cannot be synced", err);
        s->held.synced = s->flushed;
    }
    record_save(s, grows_to);
    s->next_record = s->flushed + RECORD_EVERY;
    return OK;
}

static status write_through(struct file_sink *s, const void *data, size_t size, error *err)
{
    status st = keep_record(s, s->flushed + (int64_t)size, err);
    if (st)
        return st;
    int rc = fs_write_all(s->fd, data, size, s->flushed);
    if (rc)
        return file_fail(s, -rc, "cannot be written", err);
    s->flushed += (int64_t)size;
    return OK;
}

status file_flush(struct file_sink *s, error *err)
{
    if (!s->gathered)
        return OK;
    status st = write_through(s, s->buffer, s->gathered, err);
    if (!st)
        s->gathered = 0;
    return st;
}

/* As large as the file where its size is known, else growing: a small file never costs a large
 * buffer. False: out of memory. */
static bool grow_buffer(struct file_sink *s)
{
    size_t most = s->env->buffer, want = s->capacity ? s->capacity * 4 : BUFFER_FIRST;
    if (!s->capacity && s->expected > s->flushed) {
        uint64_t rest = ((uint64_t)(s->expected - s->flushed) + 4095) & ~(uint64_t)4095;
        want = rest < most ? (size_t)rest : most;
    }
    want = want < most ? want : most;
    char *bigger = realloc(s->buffer, want);
    if (!bigger)
        return false;
    s->buffer = bigger;
    s->capacity = want;
    return true;
}

static status gather(struct file_sink *s, const char *p, size_t size, error *err)
{
    while (size > 0) {
        if (s->gathered == s->capacity && s->capacity < s->env->buffer && !grow_buffer(s) &&
            !s->capacity)
            return fail(err, WEIR_NOMEM, "out of memory for %s", s->spec.name);
        if (s->gathered == s->capacity) {
            status st = file_flush(s, err);
            if (st)
                return st;
        }
        size_t n = s->capacity - s->gathered < size ? s->capacity - s->gathered : size;
        memcpy(s->buffer + s->gathered, p, n);
        s->gathered += n;
        p += n;
        size -= n;
    }
    return OK;
}

static status file_write(struct sink *head, const void *data, size_t size, error *err)
{
    struct file_sink *s = self(head);
    if (s->fd < 0 || s->sealed)
        return fail(err, WEIR_USAGE, "%s: written before begin or after seal", s->spec.name);
    bool is_rest = s->expected >= 0 && file_offset(head) + (int64_t)size == s->expected;
    if (!s->gathered && (size >= s->env->buffer || is_rest))
        return write_through(s, data, size, err);
    return gather(s, data, size, err);
}

static status file_read(struct sink *head, void *out, size_t size, int64_t offset, error *err)
{
    struct file_sink *s = self(head);
    char *p = out;
    status st = s->fd < 0 ? fail(err, WEIR_USAGE, "%s: read before begin", s->spec.name)
                          : file_flush(s, err);
    while (!st && size > 0) {
        ssize_t n = pread(s->fd, p, size, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = file_fail(s, errno, "cannot be read", err);
        else if (n == 0)
            st = fail(err, WEIR_DISK, "%s/%s: ends at byte %lld, somebody else has cut it",
                      s->env->dir, s->part, (long long)offset);
        else
            p += n, size -= (size_t)n, offset += n;
    }
    return st;
}

/* ---- the end ---- */

static void free_buffer(struct file_sink *s)
{
    free(s->buffer);
    s->buffer = NULL;
    s->gathered = s->capacity = 0;
}

/* Gives back what was preallocated behind the end. */
static int release_rest(struct file_sink *s)
{
    if (s->reserved <= s->flushed)
        return 0;
    s->reserved = 0;
    return ftruncate(s->fd, s->flushed) < 0 ? errno : 0;
}

/* A file without it is asked for by its date. */
static void keep_validators(const struct file_sink *s)
{
    struct strbuf text = {0};
    const struct options *o = s->env->options;
    bool wanted = o->save_on_exist == ON_EXIST_UPDATE || o->save_delete;
    if (!wanted || s->spec.made_by || !s->held.url)
        return;
    provenance_format(&s->held, &text);
    if (!text.failed)
        fs_xattr_set(s->fd, KEPT_XATTR, text.p, text.n);
    strbuf_free(&text);
}

static status file_seal(struct sink *head, int64_t mtime, error *err)
{
    struct file_sink *s = self(head);
    if (s->fd < 0)
        return fail(err, WEIR_USAGE, "%s: sealed before begin", s->spec.name);
    status st = file_flush(s, err);
    if (st)
        return st;
    free_buffer(s);
    if (s->scattered && extents_front(&s->extents) != s->flushed)
        return fail(err, WEIR_USAGE, "%s: sealed with holes: %lld of %lld bytes from its beginning",
                    s->spec.name, (long long)extents_front(&s->extents), (long long)s->flushed);
    int e = release_rest(s);
    if (e)
        return file_fail(s, e, "cannot be cut", err);
    if (mtime >= 0) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)mtime}};
        futimens(s->fd, times); /* a file without its date is still the file */
    }
    keep_validators(s);
    s->sealed = true;
    return OK;
}

static status file_reset(struct sink *head, error *err)
{
    struct file_sink *s = self(head);
    s->sealed = false;
    return s->fd < 0 ? OK : cut_to(s, 0, err);
}

static void file_abort(struct sink *head, bool keep)
{
    struct file_sink *s = self(head);
    if (s->fd < 0 || s->published)
        return;
    error ignored;
    if (keep && !s->sealed)
        file_flush(s, &ignored);
    if (keep && s->flushed > 0) {
        release_rest(s); /* first, so that on a full disk the record finds room */
        if (s->held.url)
            record_save(s, s->flushed);
    } else {
        record_drop(s);
        unlink_part(s);
    }
    free_buffer(s);
    let_go(s);
}

static void file_close(struct sink *head)
{
    struct file_sink *s = self(head);
    let_go(s);
    free(s->buffer);
    file_unscatter(s);
    provenance_free(&s->held);
    free(s);
}

const struct sink_type sink_file = {
    .name = "file",
    .help = "a file below save.dir, under its name once it is whole",
    .open = file_open,
    .begin = file_begin,
    .write = file_write,
    .write_at = file_write_at,
    .read = file_read,
    .seal = file_seal,
    .publish = sink_file_publish,
    .reset = file_reset,
    .abort = file_abort,
    .close = file_close,
    .offset = file_offset,
};

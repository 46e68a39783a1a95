/* Publishing a group of sealed files: data to disk, then names, then the folders to disk. Commit
 * thread.
 *
 * Order is all that matters here: no name appears before its data is safe, and nobody hears "done"
 * before the folder that holds the name is safe. One syncfs for many small files costs a tenth of
 * an fdatasync each, and it carries the folders that were made for them with it. It cannot say
 * whose data failed, so when it fails each file is asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/fs.h"
#include "sink/sink_file.h"

#define BATCH_FROM 8                  /* files: below that, fdatasync each is quicker */
#define LARGE_FILE ((int64_t)8 << 20) /* always asked for itself */
#define DESCRIPTOR_ROUNDS 100
#define DESCRIPTOR_WAIT_NS 20000000L

static struct file_sink *self(struct sink *s)
{
    return (struct file_sink *)s;
}

/* ---- data ---- */

/* What one syncfs has made safe: everything on the device of the directory, or nothing. */
struct synced {
    bool all;
    dev_t device;
};

static bool covers(struct synced synced, const struct file_sink *s)
{
    return synced.all && s->device == synced.device;
}

static struct synced sync_together(struct sink **group, size_t n, const struct sink_env *env,
                                   const error *errs)
{
    struct synced synced = {0};
    struct stat st;
    size_t small = 0;
    if (n < BATCH_FROM || fstat(env->dirfd, &st) < 0)
        return synced;
    synced.device = st.st_dev;
    for (size_t i = 0; i < n; i++) {
        const struct file_sink *s = self(group[i]);
        small += !errs[i].status && s->flushed < LARGE_FILE && s->device == st.st_dev;
    }
    synced.all = small >= BATCH_FROM && syncfs(env->dirfd) == 0;
    return synced;
}

static int sync_data(int fd)
{
    int rc;
    do
        rc = fdatasync(fd);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? errno : 0;
}

static struct synced sync_group(struct sink **group, size_t n, const struct sink_env *env,
                                error *errs)
{
    struct synced synced = sync_together(group, n, env, errs);
    for (size_t i = 0; i < n; i++) {
        struct file_sink *s = self(group[i]);
        if (errs[i].status || (covers(synced, s) && s->flushed < LARGE_FILE))
            continue;
        int e = sync_data(s->fd);
        if (e)
            file_fail(s, e, "cannot be synced", &errs[i]);
    }
    return synced;
}

/* ---- folders ---- */

/* When descriptors have run out, transfers that end give theirs back: it is worth waiting for. */
static int open_folder_of(const struct sink_env *env, const char *name, const char **last)
{
    int fd = -EMFILE;
    for (int i = 0; i < DESCRIPTOR_ROUNDS && (fd == -EMFILE || fd == -ENFILE); i++) {
        if (i)
            nanosleep(&(struct timespec){.tv_nsec = DESCRIPTOR_WAIT_NS}, NULL);
        fd = fs_open_parent(env->dirfd, name, false, last);
    }
    return fd;
}

/* 0 or errno. Some file systems cannot sync a folder; they have no safer state to offer. */
static int sync_folder(int fd)
{
    int rc;
    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc < 0 && errno != EINVAL && errno != EOPNOTSUPP ? errno : 0;
}

/* The folders above the one that holds `name`, up to the directory: they may be new. 0 or errno. */
static int sync_ancestors(const struct file_sink *s)
{
    struct strbuf path = {0};
    strbuf_add(&path, s->spec.name, s->folder_length);
    int e = path.failed ? ENOMEM : 0;
    while (!e && path.n) {
        const char *last;
        int fd = open_folder_of(s->env, path.p, &last);
        e = fd < 0 ? -fd : sync_folder(fd);
        if (fd >= 0 && fd != s->env->dirfd)
            close(fd);
        char *slash = strrchr(path.p, '/');
        path.n = slash ? (size_t)(slash - path.p) : 0;
        path.p[path.n] = '\0';
    }
    strbuf_free(&path);
    return e;
}

/* ---- names ---- */

static void fail_rename(const struct file_sink *s, int e, error *err)
{
    const char *dir = s->env->dir, *name = s->spec.name;
    switch (e) {
    case EEXIST:
        fail(err, WEIR_NAME,
             "%s/%s: appeared during the download and was left alone; what was "
             "downloaded is kept as %s",
             dir, name, s->part);
        break;
    case EISDIR:
    case ENOTEMPTY:
        fail(err, WEIR_NAME, "%s/%s: a folder has this name; what was downloaded is kept as %s",
             dir, name, s->part);
        break;
    case ENOENT:
        fail(err, WEIR_NAME, "%s/%s: was removed by another program before it could get its name",
             dir, s->part);
        break;
    default:
        file_fail(s, e, "cannot be renamed", err);
        if (err->status == WEIR_AGAIN) /* there is no later for a group */
            err->status = WEIR_DISK;
    }
    err->sys_errno = e;
}

static void give_name(struct file_sink *s, int folder, const char *last, error *err)
{
    const char *part = s->part + (last - s->spec.name);
    record_drop(s);
    int rc = fs_rename(folder, part, last, !s->spec.replace);
    if (rc) {
        if (s->flushed >= RECORD_FROM)
            record_save(s, s->flushed);
        fail_rename(s, -rc, err);
        return;
    }
    s->published = true;
    close(s->fd); /* now, not at the end: a group may hold most of the descriptors */
    s->fd = -1;
}

static bool same_folder(const struct file_sink *a, const struct file_sink *b)
{
    return a->folder_length == b->folder_length &&
           memcmp(a->spec.name, b->spec.name, a->folder_length) == 0;
}

/* Names for all of group[0..n) that lie in the folder of the first. */
static void name_in_folder(struct sink **group, size_t n, error *errs)
{
    const struct file_sink *first = self(group[0]);
    const char *last = NULL;
    int folder = open_folder_of(first->env, first->spec.name, &last);
    for (size_t i = 0; i < n; i++) {
        struct file_sink *s = self(group[i]);
        if (errs[i].status || s->published || !same_folder(first, s))
            continue;
        if (folder < 0)
            fail_rename(s, -folder, &errs[i]);
        else
            give_name(s, folder, s->spec.name + (last - first->spec.name), &errs[i]);
    }
    if (folder >= 0 && folder != first->env->dirfd)
        close(folder);
}

/* Syncs the folder of the first, and those above it unless `synced` says that they are safe. */
static void sync_names_in_folder(struct sink **group, size_t n, struct synced synced, error *errs)
{
    const struct file_sink *first = self(group[0]);
    const char *last;
    int folder = open_folder_of(first->env, first->spec.name, &last);
    int e = folder < 0 ? -folder : sync_folder(folder);
    if (folder >= 0 && folder != first->env->dirfd)
        close(folder);
    if (!e && first->folder_length && !covers(synced, first))
        e = sync_ancestors(first);
    for (size_t i = 0; i < n; i++) {
        struct file_sink *s = self(group[i]);
        if (errs[i].status || s->durable || !same_folder(first, s))
            continue;
        s->durable = true;
        if (e)
            file_fail(s, e, "its folder cannot be synced", &errs[i]);
    }
}

/* Where the files lie in many folders, one more syncfs is quicker than an fsync of each. */
static void sync_names(struct sink **group, size_t n, size_t folders, struct synced synced,
                       error *errs)
{
    bool together = synced.all && folders >= BATCH_FROM && syncfs(self(group[0])->env->dirfd) == 0;
    for (size_t i = 0; i < n; i++) {
        struct file_sink *s = self(group[i]);
        if (errs[i].status || s->durable)
            continue;
        if (together && covers(synced, s))
            s->durable = true;
        else
            sync_names_in_folder(group + i, n - i, synced, errs + i);
    }
}

static void publish_group(struct sink **group, size_t n, const struct sink_env *env, bool sync,
                          error *errs)
{
    struct synced synced = {0};
    size_t folders = 0;
    if (sync)
        synced = sync_group(group, n, env, errs);
    for (size_t i = 0; i < n; i++) {
        if (errs[i].status || self(group[i])->published)
            continue;
        name_in_folder(group + i, n - i, errs + i);
        folders++;
    }
    if (sync)
        sync_names(group, n, folders, synced, errs);
}

void sink_file_publish(struct sink **group, size_t n, const struct sink_env *env, error *errs)
{
    int durability = env->options->save_durability;
    for (size_t i = 0; i < n; i++) {
        error_clear(&errs[i]);
        if (!self(group[i])->sealed)
            fail(&errs[i], WEIR_USAGE, "%s: published before seal", self(group[i])->spec.name);
    }
    if (durability == DURABILITY_BATCH || durability == DURABILITY_NONE) {
        publish_group(group, n, env, durability == DURABILITY_BATCH, errs);
        return;
    }
    for (size_t i = 0; i < n; i++)
        publish_group(group + i, 1, env, true, errs + i);
}

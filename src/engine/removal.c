/* See removal.h. This is the one place that deletes finished files, so it asks twice: the file must
 * carry an attribute that only this program gives, and its name must be free in the set of names.
 * The set may take a free name for a taken one, never the other way round.
 */
#include "engine/removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "engine/commit.h"
#include "sink/name.h"
#include "sink/sink.h"

#define FOLDERS_DEEP 64

struct removal {
    struct admission *a;
    struct strbuf name; /* of the folder, then of the file, beneath the directory */
    unsigned depth;
};

static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* What is on its way belongs to whoever is on it. */
static bool is_partial(const char *name)
{
    return ends_with(name, ".part") || ends_with(name, ".part.resume");
}

static bool is_marked(int fd)
{
    char text[8];
    return fs_xattr_get(fd, KEPT_XATTR, text, sizeof text) >= 0 ||
           fs_xattr_get(fd, MADE_BY_XATTR, text, sizeof text) >= 0;
}

static void consider_file(struct removal *r, int folder, const char *last)
{
    struct weir_engine *e = r->a->engine;
    struct stat st, again;
    int fd = openat(folder, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    bool ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_marked(fd);
    /* A name that is free becomes taken here: nobody claims names any more. */
    ours = ours && name_set_claim(r->a->names, strbuf_text(&r->name), "") == NAME_FREE;
    bool same = ours && fstatat(folder, last, &again, AT_SYMLINK_NOFOLLOW) == 0 &&
                again.st_dev == st.st_dev && again.st_ino == st.st_ino;
    close(fd);
    if (!same || (!e->dry_run && unlinkat(folder, last, 0) < 0))
        return;
    atomic_fetch_add_explicit(&e->counters.removed, 1, memory_order_relaxed);
    commit_event(e->commit, WEIR_EVENT_REMOVED, strbuf_text(&r->name), NULL, 0, 0, NULL);
}

static status walk(struct removal *r, int folder, error *err);

static status consider(struct removal *r, int folder, const struct dirent *entry, error *err)
{
    struct stat st;
    size_t before = r->name.n;
    status st_walk = OK;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
        is_partial(entry->d_name) || fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return OK;
    if (before)
        strbuf_addc(&r->name, '/');
    strbuf_adds(&r->name, entry->d_name);
    if (r->name.failed)
        return fail(err, WEIR_NOMEM, "out of memory");
    if (S_ISREG(st.st_mode)) {
        consider_file(r, folder, entry->d_name);
    } else if (S_ISDIR(st.st_mode) && r->depth < FOLDERS_DEEP) {
        int fd = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r->depth++;
        if (fd >= 0)
            st_walk = walk(r, fd, err);
        r->depth--;
    }
    r->name.n = before;
    r->name.p[before] = '\0';
    return st_walk;
}

/* Takes the descriptor. */
static status walk(struct removal *r, int folder, error *err)
{
    DIR *dir = fdopendir(folder);
    if (!dir) {
        int sys_errno = errno;
        close(folder);
        return fail_errno(err, WEIR_DISK, sys_errno, "%s/%s: cannot be read",
                          r->a->engine->file_env.dir, strbuf_text(&r->name));
    }
    status st = OK;
    struct dirent *entry;
    while (!st && !run_stopping(r->a->engine) && (entry = readdir(dir)) != NULL)
        st = consider(r, folder, entry, err);
    closedir(dir);
    return st;
}

status removal_run(struct admission *a, error *err)
{
    struct weir_engine *e = a->engine;
    struct removal r = {.a = a};
    if (e->dirfd < 0 || !a->names)
        return OK;
    int fd = openat(e->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, WEIR_DISK, errno, "%s: cannot be read", e->file_env.dir);
    status st = walk(&r, fd, err);
    strbuf_free(&r.name);
    return st;
}

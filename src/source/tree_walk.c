/* Walking a folder; see tree_walk.h. Runs on the feeder.
 *
 * Folders are read as they come, one entry at a time, and never sorted: a folder of ten million
 * files costs no more than one of ten. Every folder is opened from its parent without following a
 * link, so that a tree which changes meanwhile cannot lead the walk out of itself.
 */
#include "source/tree_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "net/url_name.h"

#define DEPTH_MAX 256
#define PATH_MAX_BYTES 65536

struct level {
    DIR *dir;
    size_t path_size; /* of the path up to this folder */
};

struct tree_source {
    struct source head;
    struct strbuf path; /* of the entry at hand */
    size_t root;        /* bytes of it that are the folder walked */
    char *base;
    struct strbuf url;
    size_t depth; /* levels in use */
    uint64_t seen;
    uint64_t partial, links, others; /* left out */
    struct level levels[DEPTH_MAX];
};

static void tree_close(struct source *s)
{
    struct tree_source *t = (struct tree_source *)s;
    while (t->depth)
        closedir(t->levels[--t->depth].dir);
    strbuf_free(&t->path);
    strbuf_free(&t->url);
    free(t->base);
    free(t);
}

static status tree_next(struct source *s, struct record *out, error *err);

static const struct source_type tree_type = {
    .name = "tree", .help = "the files beneath a folder", .next = tree_next, .close = tree_close};

/* Goes into the folder `fd`, which it takes. */
static int enter(struct tree_source *t, int fd)
{
    int sys_errno = fd < 0 ? errno : t->depth == DEPTH_MAX ? ELOOP : 0;
    DIR *dir = sys_errno ? NULL : fdopendir(fd);
    if (!dir) {
        sys_errno = sys_errno ? sys_errno : errno;
        if (fd >= 0)
            close(fd);
        return sys_errno;
    }
    t->levels[t->depth++] = (struct level){dir, t->path.n};
    return 0;
}

status tree_open(struct source **out, const char *dir, const char *url, error *err)
{
    struct tree_source *t = calloc(1, sizeof *t);
    if (!t)
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", dir);
    t->head.type = &tree_type;
    t->path.max = t->url.max = PATH_MAX_BYTES;
    t->base = strdup(url);
    strbuf_adds(&t->path, dir);
    t->root = t->path.n;
    int sys_errno = enter(t, open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!sys_errno && t->base && !t->path.failed) {
        *out = &t->head;
        return OK;
    }
    tree_close(&t->head);
    if (!sys_errno)
        return fail(err, WEIR_NOMEM, "%s: out of memory for reading it", dir);
    return fail_errno(err, WEIR_INPUT, sys_errno, "%s: the folder cannot be read", dir);
}

static struct level *top(struct tree_source *t)
{
    return &t->levels[t->depth - 1];
}

/* The type of an entry: DT_REG, DT_DIR, DT_LNK, or anything else. */
static unsigned char type_of(struct tree_source *t, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return e->d_type;
    if (fstatat(dirfd(top(t)->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return DT_UNKNOWN;
    return (unsigned char)IFTODT(st.st_mode);
}

static const char *below_root(const struct tree_source *t)
{
    const char *p = strbuf_text(&t->path) + t->root;
    while (*p == '/')
        p++;
    return p;
}

/* Does the link at hand lead to a file that is itself beneath the root? */
static bool link_stays(struct tree_source *t)
{
    struct stat st;
    int fd = fs_open_within(dirfd(t->levels[0].dir), below_root(t), O_PATH);
    bool stays = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (fd >= 0)
        close(fd);
    return stays;
}

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), e = strlen(ending);
    return n > e && strcmp(name + n - e, ending) == 0;
}

static status unreadable(struct tree_source *t, struct record *out, int sys_errno, error *err)
{
    out->url = (struct span){strbuf_text(&t->path), t->path.n};
    if (sys_errno == ELOOP)
        return fail(err, WEIR_INPUT,
                    "a folder is nested deeper than %d and left out; send it on its own: %.300s",
                    DEPTH_MAX, strbuf_text(&t->path));
    return fail_errno(err, WEIR_INPUT, sys_errno, "%.300s: the folder cannot be read",
                      strbuf_text(&t->path));
}

static status take_file(struct tree_source *t, const char *name, struct record *out, bool *taken,
                        error *err)
{
    if (ends_in(name, ".part") || ends_in(name, ".part.resume")) {
        t->partial++;
        return OK;
    }
    strbuf_clear(&t->url);
    url_add_name(&t->url, span_of(t->base), span_of(below_root(t)));
    if (t->url.failed)
        return fail(err, WEIR_INPUT, "%s: its URL would be longer than %d bytes",
                    strbuf_text(&t->path), PATH_MAX_BYTES);
    out->name = (struct span){strbuf_text(&t->path), t->path.n};
    out->root = t->root;
    out->url = (struct span){strbuf_text(&t->url), t->url.n};
    *taken = true;
    return OK;
}

static status take_entry(struct tree_source *t, const struct dirent *e, struct record *out,
                         bool *taken, error *err)
{
    struct level *here = top(t);
    t->path.n = here->path_size;
    if (t->path.n && t->path.p[t->path.n - 1] != '/')
        strbuf_addc(&t->path, '/');
    strbuf_adds(&t->path, e->d_name);
    if (t->path.failed) {
        t->path.failed = false;
        return fail(err, WEIR_INPUT, "%s: its path is longer than %d bytes", e->d_name,
                    PATH_MAX_BYTES);
    }
    switch (type_of(t, e)) {
    case DT_DIR: {
        int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        int sys_errno = enter(t, openat(dirfd(here->dir), e->d_name, flags));
        return sys_errno ? unreadable(t, out, sys_errno, err) : OK;
    }
    case DT_LNK:
        if (link_stays(t))
            return take_file(t, e->d_name, out, taken, err);
        t->links++;
        return OK;
    case DT_REG:
        return take_file(t, e->d_name, out, taken, err);
    default:
        t->others++;
        return OK;
    }
}

static status tree_next(struct source *s, struct record *out, error *err)
{
    struct tree_source *t = (struct tree_source *)s;
    bool taken = false;
    status st = OK;
    *out = (struct record){.size = -1};
    while (t->depth && !taken && !st) {
        errno = 0;
        const struct dirent *e = readdir(top(t)->dir);
        int sys_errno = errno;
        if (!e) {
            t->path.n = top(t)->path_size;
            t->path.p[t->path.n] = '\0';
            if (sys_errno)
                st = unreadable(t, out, sys_errno, err);
            closedir(t->levels[--t->depth].dir);
        } else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            st = take_entry(t, e, out, &taken, err);
        }
    }
    out->line = ++t->seen;
    return taken || st ? st : WEIR_END;
}

static void add_count(struct strbuf *out, uint64_t n, const char *one, const char *many)
{
    if (n)
        strbuf_addf(out, "%s%llu %s", out->n ? ", " : "", (unsigned long long)n,
                    n == 1 ? one : many);
}

bool tree_left_out(const struct source *s, struct strbuf *out)
{
    const struct tree_source *t = (const struct tree_source *)s;
    struct strbuf counts = {0};
    add_count(&counts, t->partial, "partial file (.part)", "partial files (.part)");
    add_count(&counts, t->links, "link that leads to no file within",
              "links that lead to no file within");
    add_count(&counts, t->others, "entry that is no file", "entries that are no files");
    bool any = counts.n > 0;
    if (any)
        strbuf_addf(out, "%.*s: left out: %s", (int)t->root, strbuf_text(&t->path),
                    strbuf_text(&counts));
    strbuf_free(&counts);
    return any;
}

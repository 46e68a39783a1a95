/* The resume record of a .part: what it is a part of, and how much of it may be trusted. Worker
 * thread; publish drops it on the commit thread.
 *
 * It lives in an extended attribute, so that it dies with the file and needs no name. Where the
 * file system has none (or no room in them) it is a file NAME.part.resume, and the rule of
 * RECORD_FROM keeps a stale one from vouching for the bytes of another .part.
 *
 * The file is written from front to back and not sparse, so within one boot its size says what was
 * written, whatever the record's number; after another boot only what was synced counts. Of one
 * that was written in no order the record alone tells, by its extents.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/fs.h"
#include "sink/sink_file.h"

#define SIDECAR_ENDING ".resume"
#define RECORD_BYTES_MAX (256 * 1024) /* a long URL with every byte escaped still fits */

/* NAME.part.resume, and the temporary name before it is renamed: its ending ".part" is one that no
 * final name has. False: too long for a path. */
static bool sidecar_path(const struct file_sink *s, bool temporary, struct strbuf *out)
{
    strbuf_adds(out, s->part);
    strbuf_adds(out, SIDECAR_ENDING);
    if (temporary)
        strbuf_adds(out, PART_ENDING);
    return !out->failed;
}

/* ---- reading ---- */

static ssize_t read_sidecar(const struct file_sink *s, char *text, size_t cap)
{
    struct strbuf path = {0};
    int fd = -ENOMEM;
    if (sidecar_path(s, false, &path))
        fd = fs_open_beneath(s->env->dirfd, path.p, O_RDONLY | O_NONBLOCK, 0, false);
    strbuf_free(&path);
    if (fd < 0)
        return fd;
    struct stat st;
    ssize_t n = -EINVAL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = read(fd, text, cap);
    close(fd);
    return n;
}

/* A record of this boot vouches for all that is in the file, one of another for what was synced. */
static int64_t trusted(const struct provenance *p, bool this_boot, int64_t part_size)
{
    if (p->size >= 0 && part_size > p->size)
        return 0;
    if (this_boot)
        return part_size;
    return p->synced < part_size ? p->synced : part_size;
}

/* The same of a part with holes, where the size tells nothing. What lies in one piece from byte 0
 * is gone on with like any other. */
static void trust_extents(struct provenance *p, bool this_boot, int64_t part_size)
{
    struct extents held;
    struct strbuf text = {0};
    bool ok =
        p->size >= part_size && extents_parse(&held, this_boot ? p->extents : p->synced_extents);
    if (!ok)
        held = (struct extents){0};
    extents_clip(&held, part_size);
    p->written = extents_front(&held);
    p->synced = this_boot && p->synced < p->written ? p->synced : p->written;
    extents_format(&held, &text);
    bool holes = held.n > 1 && !text.failed;
    extents_free(&held);
    if (!this_boot || !holes) {
        free(p->synced_extents);
        p->synced_extents = holes ? strdup(strbuf_text(&text)) : NULL;
    }
    free(p->extents);
    p->extents = holes ? text.p : NULL;
    if (!holes)
        strbuf_free(&text);
}

status record_load(struct file_sink *s, int64_t part_size, struct provenance *from, error *err)
{
    char *text = malloc(RECORD_BYTES_MAX + 1);
    if (!text)
        return fail(err, WEIR_NOMEM, "out of memory for the resume record of %s", s->spec.name);
    ssize_t n = fs_xattr_get(s->fd, RECORD_XATTR_NAME, text, RECORD_BYTES_MAX + 1);
    if (n >= 0) {
        s->record = RECORD_XATTR;
    } else if (part_size >= RECORD_FROM) {
        n = read_sidecar(s, text, RECORD_BYTES_MAX);
        if (n >= 0)
            s->record = RECORD_SIDECAR;
    }
    struct provenance p;
    error damaged;
    if (n >= 0 && provenance_parse(&p, (struct span){text, (size_t)n}, &damaged) == OK) {
        char boot[40];
        fs_boot_id(boot);
        bool this_boot = boot[0] && strcmp(boot, p.boot_id) == 0;
        if (p.extents)
            trust_extents(&p, this_boot, part_size);
        else
            p.written = trusted(&p, this_boot, part_size);
        p.synced = p.synced < p.written ? p.synced : p.written;
        provenance_free(from);
        *from = p;
    }
    free(text);
    return OK;
}

/* ---- writing ---- */

/* Temporary file and rename: a crash leaves the old record or the new one. */
static int save_sidecar(const struct file_sink *s, const struct strbuf *text)
{
    struct strbuf to = {0}, temporary = {0};
    const char *last = NULL, *temporary_last = NULL;
    int rc = -ENOMEM, folder = -1, fd = -1;
    if (!sidecar_path(s, false, &to) || !sidecar_path(s, true, &temporary))
        goto done;
    folder = fs_open_parent(s->env->dirfd, to.p, false, &last);
    rc = folder < 0 ? folder : 0;
    if (rc)
        goto done;
    temporary_last = temporary.p + (last - to.p);
    /* We hold the lock of the .part, so one that is there was left by a crash. */
    unlinkat(folder, temporary_last, 0);
    fd = openat(folder, temporary_last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    rc = fd < 0 ? -errno : fs_write_all(fd, text->p, text->n, 0);
    if (fd >= 0)
        close(fd);
    if (!rc)
        rc = fs_rename(folder, temporary_last, last, false);
    if (rc && fd >= 0)
        unlinkat(folder, temporary_last, 0);
done:
    if (folder >= 0 && folder != s->env->dirfd)
        close(folder);
    strbuf_free(&to);
    strbuf_free(&temporary);
    return rc;
}

static bool wants_sidecar(int rc)
{
    return rc == -ENOTSUP || rc == -ENOSPC || rc == -EDQUOT || rc == -E2BIG || rc == -EPERM ||
           rc == -ERANGE || rc == -ENOSYS || rc == -EACCES;
}

static void remove_sidecar(const struct file_sink *s)
{
    struct strbuf path = {0};
    const char *last;
    int folder = -1;
    if (sidecar_path(s, false, &path))
        folder = fs_open_parent(s->env->dirfd, path.p, false, &last);
    if (folder >= 0)
        unlinkat(folder, last, 0);
    if (folder >= 0 && folder != s->env->dirfd)
        close(folder);
    strbuf_free(&path);
}

/* The text of the record, as of now. */
static void describe(struct file_sink *s, struct strbuf *out)
{
    struct strbuf extents = {0}, synced = {0};
    struct provenance p = s->held; /* what it points to is borrowed */
    p.written = s->flushed;
    if (s->scattered) {
        extents_format(&s->extents, &extents);
        extents_format(&s->synced, &synced);
        p.written = extents_front(&s->extents);
        p.synced = extents_front(&s->synced);
        p.extents = (char *)(uintptr_t)strbuf_text(&extents);
        p.synced_extents = (char *)(uintptr_t)strbuf_text(&synced);
    }
    out->failed |= extents.failed || synced.failed;
    provenance_format(&p, out);
    strbuf_free(&extents);
    strbuf_free(&synced);
}

void record_save(struct file_sink *s, int64_t grows_to)
{
    if (!s->held.boot_id[0])
        fs_boot_id(s->held.boot_id);
    struct strbuf text = {0};
    describe(s, &text);
    int rc = text.failed                   ? -ENOMEM
             : s->record == RECORD_SIDECAR ? -ENOTSUP
                                           : fs_xattr_set(s->fd, RECORD_XATTR_NAME, text.p, text.n);
    if (rc == 0) {
        s->record = RECORD_XATTR;
    } else if (grows_to >= RECORD_FROM) {
        if (wants_sidecar(rc) && save_sidecar(s, &text) == 0) {
            /* Of two records the attribute is read first, and this one is newer. */
            if (s->record == RECORD_XATTR)
                fremovexattr(s->fd, RECORD_XATTR_NAME);
            s->record = RECORD_SIDECAR;
        } else if (s->record == RECORD_NONE) {
            remove_sidecar(s); /* of another .part, it must not vouch for what this one becomes */
        }
    }
    strbuf_free(&text);
}

void record_drop(struct file_sink *s)
{
    if (s->record == RECORD_XATTR)
        fremovexattr(s->fd, RECORD_XATTR_NAME);
    if (s->record == RECORD_SIDECAR)
        remove_sidecar(s);
    s->record = RECORD_NONE;
}

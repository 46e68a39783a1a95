/* A .part that is written in no order, by several transfers of one file; see sink_file.h. Worker
 * thread.
 *
 * Its size tells nothing, so what is there stands in the resume record as extents, written anew
 * every 8 MiB; every 64 MiB they are synced first where the run is to be durable. A record is never
 * ahead of the file: bytes are written before they are noted, and synced before they are noted as
 * such.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/fs.h"
#include "sink/sink_file.h"

#define SCATTER_RECORD ((int64_t)8 << 20)

void file_unscatter(struct file_sink *s)
{
    extents_free(&s->extents);
    extents_free(&s->synced);
    s->scattered = false;
    s->unrecorded = s->unsynced = 0;
}

status file_scatter(struct file_sink *s, const struct provenance *p, error *err)
{
    file_unscatter(s);
    bool ok = extents_parse(&s->extents, p->extents);
    extents_parse(&s->synced, p->synced_extents);
    s->scattered = ok;
    provenance_forget_extents(&s->held);
    return ok ? OK : fail(err, WEIR_NOMEM, "out of memory for %s", s->spec.name);
}

/* From here on the size of the file vouches for nothing: a record that said so goes first. */
static status begin_scattered(struct file_sink *s, error *err)
{
    record_drop(s);
    s->scattered = true;
    if (!extents_add(&s->extents, 0, s->flushed) || !extents_add(&s->synced, 0, s->held.synced))
        return fail(err, WEIR_NOMEM, "out of memory for %s", s->spec.name);
    record_save(s, RECORD_FROM);
    return OK;
}

static status sync_extents(struct file_sink *s, error *err)
{
    if (s->env->options->save_durability == DURABILITY_NONE)
        return OK;
    if (fdatasync(s->fd) < 0)
        return file_fail(s, errno, "cannot be synced", err);
    return extents_copy(&s->synced, &s->extents)
               ? OK
               : fail(err, WEIR_NOMEM, "out of memory for %s", s->spec.name);
}

static status keep_extents(struct file_sink *s, int64_t from, int64_t to, error *err)
{
    if (!extents_add(&s->extents, from, to))
        return fail(err, WEIR_NOMEM, "out of memory for %s", s->spec.name);
    s->unrecorded += to - from;
    s->unsynced += to - from;
    if (s->unrecorded < SCATTER_RECORD)
        return OK;
    status st = OK;
    if (s->unsynced >= RECORD_EVERY) {
        st = sync_extents(s, err);
        s->unsynced = 0;
    } else if (s->env->options->save_durability != DURABILITY_NONE) {
        sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    s->unrecorded = 0;
    record_save(s, RECORD_FROM);
    return st;
}

status file_write_at(struct sink *head, const void *data, size_t size, int64_t offset, error *err)
{
    struct file_sink *s = (struct file_sink *)head;
    if (s->fd < 0 || s->sealed || offset < 0)
        return fail(err, WEIR_USAGE, "%s: written before begin or after seal", s->spec.name);
    status st = file_flush(s, err);
    if (!st && !s->scattered)
        st = begin_scattered(s, err);
    if (st)
        return st;
    int rc = fs_write_all(s->fd, data, size, offset);
    if (rc)
        return file_fail(s, -rc, "cannot be written", err);
    int64_t end = offset + (int64_t)size;
    if (end > s->flushed)
        s->flushed = end;
    return keep_extents(s, offset, end, err);
}

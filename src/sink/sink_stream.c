/* The stream sink: bodies into one descriptor, through the run's stream writer. Worker thread.
 *
 * What has been put cannot be taken back, so there is nothing to resume, to abort or to publish: a
 * body that starts again after its first byte fails by name. The writer gathers; this only counts.
 */
#include <stdlib.h>

#include "sink/sink.h"
#include "sink/stream_writer.h"

struct stream_sink {
    struct sink head;
    struct stream_writer *writer;
    const char *name; /* borrowed from the spec */
    int64_t offset;
};

static struct stream_sink *self(const struct sink *s)
{
    return (struct stream_sink *)(uintptr_t)s;
}

static status stream_open(struct sink **out, const struct sink_env *env,
                          const struct sink_spec *spec, struct provenance *from, error *err)
{
    struct stream_sink *s = calloc(1, sizeof *s);
    if (!s)
        return fail(err, WEIR_NOMEM, "out of memory for %s", spec->name);
    s->head.type = &sink_stream;
    s->writer = env->writer;
    s->name = spec->name;
    *out = &s->head;
    return OK;
}

static status stream_reset(struct sink *head, error *err)
{
    struct stream_sink *s = self(head);
    if (s->offset == 0)
        return OK;
    return fail(err, WEIR_TRUNCATED,
                "the body changed while it was written to %s; %lld bytes of "
                "it are out already",
                s->name, (long long)s->offset);
}

static status stream_begin(struct sink *head, int64_t offset, const struct provenance *p,
                           error *err)
{
    struct stream_sink *s = self(head);
    if (offset == 0)
        return stream_reset(head, err);
    if (offset != s->offset)
        return fail(err, WEIR_USAGE, "%s is at byte %lld and cannot go on at %lld", s->name,
                    (long long)s->offset, (long long)offset);
    return OK;
}

static status stream_write(struct sink *head, const void *data, size_t size, error *err)
{
    struct stream_sink *s = self(head);
    status st = stream_writer_put(s->writer, data, size, err);
    if (!st)
        s->offset += (int64_t)size;
    return st;
}

static status stream_write_at(struct sink *head, const void *data, size_t size, int64_t offset,
                              error *err)
{
    struct stream_sink *s = self(head);
    if (offset == s->offset)
        return stream_write(head, data, size, err);
    return fail(err, WEIR_USAGE, "%s takes bytes in order only", s->name);
}

static status stream_seal(struct sink *head, int64_t mtime, error *err)
{
    return OK;
}

/* Done means that the reader's side has it, not that it waits in the ring. */
static void stream_publish(struct sink **group, size_t n, const struct sink_env *env, error *errs)
{
    for (size_t i = 0; i < n; i++) {
        error_clear(&errs[i]);
        stream_writer_flush(self(group[i])->writer, &errs[i]);
    }
}

static void stream_abort(struct sink *head, bool keep)
{
}

static void stream_close(struct sink *head)
{
    free(self(head));
}

static bool stream_full(struct sink *head)
{
    return stream_writer_full(self(head)->writer);
}

static int64_t stream_offset(const struct sink *head)
{
    return self(head)->offset;
}

const struct sink_type sink_stream = {
    .name = "stream",
    .help = "a descriptor, such as standard output",
    .open = stream_open,
    .begin = stream_begin,
    .write = stream_write,
    .write_at = stream_write_at,
    .seal = stream_seal,
    .publish = stream_publish,
    .reset = stream_reset,
    .abort = stream_abort,
    .close = stream_close,
    .full = stream_full,
    .offset = stream_offset,
};

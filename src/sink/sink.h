/* Sinks: where bytes end.
 *
 * open -> write ... -> seal -> publish (a group at a time, on the commit thread) -> close. `reset`
 * forgets everything written and starts at byte 0; `abort` keeps what can be resumed and lets go of
 * it. Worker calls come from one worker, publish and the close after it from the commit thread;
 * the hand-over is the engine's.
 */
#ifndef WEIR_SINK_SINK_H
#define WEIR_SINK_SINK_H

#include "config/options.h"
#include "core/provenance.h"
#include "core/status.h"

/* Attributes of a finished file: where it came from (freedesktop.org, "CommonExtendedAttributes"),
 * what made it of the body (absent: it is the body), and what vouched for it when it got its name,
 * for the next --on-exist update. The last two are given by this program alone. */
#define ORIGIN_XATTR "user.xdg.origin.url"
#define MADE_BY_XATTR "user.weir.made_by"
#define KEPT_XATTR "user.weir.provenance"

struct sink;
struct stream_writer;

/* What a run gives every sink of a type; outlives them. */
struct sink_env {
    int dirfd;       /* save.dir; -1 when the type needs none */
    const char *dir; /* its name, for messages */
    const struct options *options;
    size_t buffer;                /* bytes that a sink may gather before it writes */
    struct stream_writer *writer; /* of sink_stream */
};

struct sink_spec {
    const char *name;    /* final name, beneath dirfd; borrowed until close */
    const char *origin;  /* URL without secrets, for the xattr user.xdg.origin.url; borrowed */
    const char *made_by; /* what made this of the body, for the xattr user.weir.made_by, so that it
                            is never taken for the body itself; NULL: it is the body. Borrowed */
    bool replace;        /* publish may replace a file of that name */
    bool fresh;          /* nothing of an earlier run can be there: do not look for it */
};

/* What is known when the body begins; handed to the sink so that it can preallocate and keep a
 * resume record. Borrowed until the call returns; the sink copies what it keeps. */
struct sink_type {
    const char *name, *help;
    /* Finds out whether an earlier run left something to resume. On OK, *from is filled (free it):
     * from->written is the offset at which writing may go on, 0 when there is nothing to trust; the
     * validators say what it is a part of. Nothing is made on disk before the first write.
     * NAME: the name cannot be used (a folder, locked by another process, leaves the directory). */
    status (*open)(struct sink **out, const struct sink_env *env, const struct sink_spec *spec,
                   struct provenance *from, error *err);
    /* The body is about to flow from `offset` (0, or what open or seal said was there); `p` is what
     * vouches for it (size -1 = unknown). */
    status (*begin)(struct sink *s, int64_t offset, const struct provenance *p, error *err);
    status (*write)(struct sink *s, const void *data, size_t size, error *err);
    /* For segments: at an offset, in any order. */
    status (*write_at)(struct sink *s, const void *data, size_t size, int64_t offset, error *err);
    /* What was written at `offset`, all `size` bytes of it; NULL: cannot be read back. */
    status (*read)(struct sink *s, void *out, size_t size, int64_t offset, error *err);
    /* Everything has been written: flush, set times and origin, make it ready to publish. mtime -1
     * = leave. */
    status (*seal)(struct sink *s, int64_t mtime, error *err);
    /* Makes n sealed sinks of this type durable and gives them their names. errs[i].status tells
     * what became of each. Commit thread. */
    void (*publish)(struct sink **group, size_t n, const struct sink_env *env, error *errs);
    /* Forget everything: the body starts again at byte 0. */
    status (*reset)(struct sink *s, error *err);
    /* Stop here. With `keep`, what was written stays for a resume (record written); else it is
     * removed. The sink remains to be closed. */
    void (*abort)(struct sink *s, bool keep);
    void (*close)(struct sink *s);
    /* Should the transfer pause until the reader has caught up? NULL: never. */
    bool (*full)(struct sink *s);
    /* Bytes from 0 that are in the sink, gathered ones included. */
    int64_t (*offset)(const struct sink *s);
};

struct sink {
    const struct sink_type *type;
};

extern const struct sink_type sink_file;   /* NAME.part, then NAME */
extern const struct sink_type sink_stream; /* a descriptor: stdout */
const struct sink_type *sink_type_at(size_t i);

#endif

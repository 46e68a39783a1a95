/* Lines gathered and written to a file or to standard output.
 *
 * What cannot be written stays in the buffer, so that a later flush may still bring it, and a file
 * ends in a whole line even when the disk is full. One thread at a time (the commit thread).
 */
#ifndef WEIR_REPORT_LINE_WRITER_H
#define WEIR_REPORT_LINE_WRITER_H

#include "core/status.h"
#include "core/text.h"

struct line_writer {
    struct strbuf pending; /* whole lines; line_writer_ready, then append here */
    char *path;            /* for messages */
    int fd;
    bool own; /* closing the writer closes fd */
};

/* "-" and "/dev/stdout" are standard output. `flags` go with O_WRONLY | O_CREAT. DISK. */
status line_writer_open(struct line_writer *w, const char *path, int flags, error *err);
/* Call before a line is appended, and not append when it fails: writes when enough has come
 * together, so that lines which cannot be written do not pile up. */
status line_writer_ready(struct line_writer *w, error *err);
status line_writer_flush(struct line_writer *w, error *err);
/* Flushes, and closes in any case. */
status line_writer_close(struct line_writer *w, error *err);

#endif

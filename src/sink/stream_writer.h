/* The one writer of a stream (standard output): a thread behind a bounded ring.
 *
 * Workers put bytes and never wait for the reader; when the ring is full they pause their
 * transfers, and are called when there is room again. A slow reader is no stall.
 */
#ifndef WEIR_SINK_STREAM_WRITER_H
#define WEIR_SINK_STREAM_WRITER_H

#include "core/status.h"

struct stream_writer;

/* Starts the thread. `room` (NULL: nobody pauses) is called on it, without a lock, when a full ring
 * has drained. Once stop_fd is readable (-1: never), a write that would wait for the reader is
 * given up: CANCELLED.
 */
status stream_writer_open(struct stream_writer **out, int fd, const char *name, int stop_fd,
                          void (*room)(void *ctx), void *ctx, error *err);
/* Ends the thread when all is written, or at once when writing has failed. Takes NULL. */
void stream_writer_close(struct stream_writer *w);

/* Copies into the ring; what one call puts stays in one piece, also where it has to wait for room.
 * Any thread. CANCELLED: the reader has gone. DISK: writing failed. */
status stream_writer_put(struct stream_writer *w, const void *data, size_t size, error *err);
/* Should whoever puts pause? */
bool stream_writer_full(struct stream_writer *w);
/* Waits until everything put so far has been written. */
status stream_writer_flush(struct stream_writer *w, error *err);
bool stream_writer_reader_gone(struct stream_writer *w);

#endif

/* The state of a cache on disk: an append-only file of lines, each with a hash of its own.
 *
 * A line that was being written when the power went has no right hash: reading ends there, and what
 * follows is cut off. So the state is always that after some line, and after every synced one. The
 * folder is held by an exclusive lock as long as the log is open. Appending may be done by one
 * thread at a time.
 */
#ifndef WEIR_PREFETCH_STATE_LOG_H
#define WEIR_PREFETCH_STATE_LOG_H

#include "core/status.h"
#include "core/text.h"

struct state_log;

/* Opens, and makes where it is missing, the log in the folder `dirfd` (borrowed), whose name for
 * messages is `shown`; reads it line by line into `on_line`, without their hashes. CONFIG: another
 * process has it, or it is none of ours. */
status state_log_open(struct state_log **out, int dirfd, const char *shown,
                      status (*on_line)(void *ctx, const char *line, error *err), void *ctx,
                      error *err);
/* One line, without newline. With `sync` it is on disk when this returns OK, and so is all before
 * it. DISK. */
status state_log_append(struct state_log *log, const char *line, bool sync, error *err);
int64_t state_log_size(const struct state_log *log);
/* Replaces all lines by these (each ended by a newline). DISK: the old ones stay. */
status state_log_rewrite(struct state_log *log, const struct strbuf *lines, error *err);
void state_log_close(struct state_log *log); /* takes NULL */

#endif

/* One writer a journal: a lock file beside it, there while a run has it. Any thread. */
#ifndef WEIR_JOURNAL_JOURNAL_LOCK_H
#define WEIR_JOURNAL_JOURNAL_LOCK_H

#include "core/status.h"

struct journal_lock {
    int fd; /* -1: none */
    char *path;
};

/* CONFIG: another run has it; it says which process. `real` is the journal's own path, not that of
 * a link to it; `shown` for messages. */
status journal_lock_take(struct journal_lock *lock, const char *real, const char *shown,
                         error *err);
void journal_lock_release(struct journal_lock *lock);

#endif

/* The run and its journal: what is done is not done again, and what is done is put down before it
 * is told.
 *
 * The feeder asks (journaling_knows); the commit thread puts down. Without a journal all of these
 * do nothing.
 */
#ifndef WEIR_ENGINE_JOURNALING_H
#define WEIR_ENGINE_JOURNALING_H

#include "engine/outcome.h"
#include "engine/run.h"
#include "journal/journal.h"

/* Opens journal.path where it is set; it belongs to save.dir. */
status journaling_open(struct weir_engine *e, error *err);
void journaling_close(struct weir_engine *e);

enum known {
    KNOWN_NOT,      /* fetch it */
    KNOWN_DONE,     /* and the file is there, of the right size: *entry tells */
    KNOWN_REPLACING /* its file was about to be replaced: nobody knows by which version */
};

/* What an earlier run has made of a record, by its URL and the name in its list. *known tells;
 * *entry is borrowed until the next call. Other than OK: the run cannot go on. Feeder. */
status journaling_knows(struct weir_engine *e, const char *url, const char *list_name,
                        enum known *known, struct journal_entry *entry, error *err);

/* Before names that exist are replaced: the intent. */
status journaling_intend(struct weir_engine *e, struct outcome **group, size_t n, error *err);
/* What has become of them; to be committed. */
status journaling_put(struct weir_engine *e, const struct outcome *o, error *err);
status journaling_commit(struct weir_engine *e, error *err);

#endif

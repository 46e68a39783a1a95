/* Finding records, over a connection of its own; for one thread (the feeder). */
#ifndef WEIR_JOURNAL_JOURNAL_LOOKUP_H
#define WEIR_JOURNAL_JOURNAL_LOOKUP_H

#include "journal/journal.h"

struct journal_lookup;

/* `path` for SQLite, `shown` for messages; both borrowed. */
status lookup_open(struct journal_lookup **out, const char *path, const char *shown, error *err);
status lookup_find(struct journal_lookup *l, const char *url, const char *name,
                   struct journal_entry *out, error *err);
void lookup_close(struct journal_lookup *l); /* takes NULL */

#endif

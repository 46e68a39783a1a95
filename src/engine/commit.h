/* The commit thread: everything that is said to be done passes here, after it has been made so.
 *
 * Outcomes arrive in an inbox. Those with a sealed sink are gathered into a group and published
 * together (256 files, 64 MB, 50 ms, or nothing else under way); then, and for all others at once,
 * come the counters, the report, the list of failed records, on_end and the event, in that order,
 * and the job's place in the queue is free again.
 */
#ifndef WEIR_ENGINE_COMMIT_H
#define WEIR_ENGINE_COMMIT_H

#include "engine/outcome.h"
#include "engine/run.h"

struct commit;

/* Opens the report files and starts the thread. */
status commit_start(struct commit **out, struct weir_engine *engine, error *err);
/* Takes the outcome and its job. Any thread. Never blocks. */
void commit_post(struct commit *c, struct outcome *o);
/* Nothing else is under way: publish now, do not wait for more. Any thread. */
void commit_hurry(struct commit *c);
/* Publishes what is left, ends the thread, closes the reports. DISK when a report could not be
 * written. */
status commit_finish(struct commit *c, error *err);
/* Is this the commit thread? */
bool commit_is_self(const struct commit *c);

/* Posts an event; copies text and host. Any thread. Does nothing where nobody listens. */
void commit_event(struct commit *c, weir_event_kind kind, const char *text, const char *host,
                  int64_t wait_ms, int attempt, const error *err);

#endif

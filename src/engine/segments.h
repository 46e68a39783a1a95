/* One file in several ranges at once, over several connections and mirrors, written in place.
 *
 * A fetch begins with one request, like any other. Where its answer can be had in ranges, that
 * transfer becomes the first segment, and the fetch is split: from then on every transfer of it is
 * a segment's, and fetch->transfer is NULL. What is missing is a list of ranges in order; a range
 * without a transfer is a gap. Whoever has nothing to do takes a gap, else half of the rest of the
 * segment that would be done last. Where no transfer is left but a gap is, the fetch fails as one
 * transfer would: the retry asks from the first gap on, and that answer is its segment again.
 *
 * The job's slot is one segment's; all others have slots that nobody else waited for (queue_more),
 * and give them back when somebody does. All of it lives in the fetch's worker.
 */
#ifndef WEIR_ENGINE_SEGMENTS_H
#define WEIR_ENGINE_SEGMENTS_H

#include "engine/fetch.h"

/* The body of a good answer is about to flow, `range` says from where; may take the transfer over.
 * From within on_head. */
status segments_answered(struct fetch *f, const struct response *r, bool is_part);
/* More of the body has come in one piece: has save.segments = auto seen enough? */
void segments_consider(struct fetch *f, uint64_t now);
/* Can what the fetch makes be written in any order? */
bool segments_allowed(const struct fetch *f);

/* Bytes that an earlier run has left, in one piece or several. */
int64_t segments_held(const struct fetch *f);
/* Bytes from 0 that are in the sink. */
int64_t segments_front(const struct fetch *f);
/* The digest has seen all up to the front; goes to the end where that is the end of the file. */
void segments_caught_up(struct fetch *f);
/* They cannot go on, for a reason of this machine. */
void segments_stop(struct fetch *f, const error *why);
/* Cuts all transfers and gives their slots back, but for the job's own; what has come is kept. */
void segments_cut(struct fetch *f);
/* The body begins anew: nothing of it is split any more. Takes NULL in f->segments. */
void segments_free(struct fetch *f);

#endif

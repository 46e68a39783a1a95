/* Sending: a fetch whose body flows up. What goes into its requests, what answers mean for it, and
 * whether it may be tried again; fetch.c, answer.c and ending.c ask here where f->sending is set.
 *
 *   fetch_go -- sending_open -- (sending_sum: digests first) -- sending_request --> transfer,
 *                which asks sending_read, sending_rewind, sending_trailer
 *   answer_head -- sending_head
 *   fetch_ended -- sending_ended --> complete, retry, failed
 *
 * All on the fetch's worker.
 */
#ifndef WEIR_ENGINE_SENDING_H
#define WEIR_ENGINE_SENDING_H

#include "engine/fetch.h"

struct sending;

/* Makes f->sending of the job. */
status sending_open(struct fetch *f, error *err);
void sending_close(struct sending *s); /* takes NULL */

/* Are there digests to be calculated before the first request? */
bool sending_sums_first(struct fetch *f);
/* One slice of it. OK: more is to come; END: done. */
status sending_sum(struct fetch *f, error *err);

/* Fills what the upload adds to a request, at its beginning: an attempt, or a hop of one. */
status sending_request(struct fetch *f, struct transfer_request *request, error *err);

/* For fetch_ops. */
enum body_verdict sending_head(struct fetch *f, const struct response *r);
bool sending_answer(struct fetch *f, const char *data, size_t size);
status sending_read(void *owner, char *data, size_t cap, size_t *got);
bool sending_rewind(void *owner);
void sending_trailer(void *owner, struct strbuf *out);

/* The transfer is over: is what was sent accepted, whole? Else the verdict says more. */
void sending_ended(struct fetch *f, const struct transfer_result *result);
/* May it be sent once more, at *at or later? Where not, the verdict says why. */
bool sending_repeats(struct fetch *f, uint64_t *at);
/* Does the server say that the name is in use, perhaps by the try before, whose end it has not
 * noticed? */
bool sending_not_heard(const struct fetch *f);
/* Must the fetch be kept while the job waits? */
bool sending_is_kept(const struct fetch *f);

#endif

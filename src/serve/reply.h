/* Answers: the fields that all of them have, and short texts for people. The exchange's worker. */
#ifndef WEIR_SERVE_REPLY_H
#define WEIR_SERVE_REPLY_H

#include "serve/exchange.h"

/* An answer whose body is "STATUS text", plain; NULL: out of memory. */
struct MHD_Response *reply_new(struct exchange *x, int http_status, const char *text);
/* One without a body. */
struct MHD_Response *reply_empty(void);
/* Adds a field; ignores a NULL response and a NULL value. */
void reply_field(struct MHD_Response *r, const char *name, const char *value);
/* Queues the answer and gives it up; closes the connection where `r` is NULL. x->length is that of
 * the body, as far as it is known. */
enum MHD_Result reply_send(struct exchange *x, int http_status, struct MHD_Response *r);

/* reply_new and reply_send in one. */
enum MHD_Result reply_text(struct exchange *x, int http_status, const char *text);
/* Sends x->refusal. */
enum MHD_Result reply_refusal(struct exchange *x);
/* The methods there are, for Allow. */
const char *reply_allowed(const struct exchange *x);
/* What -errno of opening a file means for the client. */
enum MHD_Result reply_errno(struct exchange *x, int failure);

#endif

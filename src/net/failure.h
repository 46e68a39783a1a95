/* What a failed exchange is called, and what is said of it. */
#ifndef WEIR_NET_FAILURE_H
#define WEIR_NET_FAILURE_H

#include "net/loop.h"

/* Fills *err for an exchange that libcurl ended with `code` (not CURLE_OK). One line, begins with
 * "host:port: ". */
void failure_explain(struct transfer *t, CURLcode code, error *err);
/* Did the chunks of the body make no sense? Then the bytes before that may have been chunk lines.
 */
bool failure_of_framing(const struct transfer *t, CURLcode code);

#endif

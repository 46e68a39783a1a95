/* The header lines of one request, for libcurl: the request's own, a range, and the profile's. */
#ifndef WEIR_NET_REQUEST_HEADERS_H
#define WEIR_NET_REQUEST_HEADERS_H

#include "net/loop.h"

/* Points *out at the list for this request: the profile's own when there is nothing to add (NULL =
 * no header), otherwise t->nodes, which live until the next call. INPUT when a header cannot be
 * sent. */
status request_headers(const struct curl_slist **out, struct transfer *t,
                       const struct transfer_request *request, error *err);

#endif

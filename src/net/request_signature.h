/* Signing a request (http.aws_sigv4): what has to be added to its headers. Runs on the loop's
 * thread.
 */
#ifndef WEIR_NET_REQUEST_SIGNATURE_H
#define WEIR_NET_REQUEST_SIGNATURE_H

#include "net/loop.h"

/* Can these options sign at all? CONFIG: the option cannot be read, or there are no keys. */
status signature_check(const struct options *o, error *err);

/* Does what this profile asks carry a signature? */
static inline bool profile_signs(const struct profile *p)
{
    return p->own_origin && p->options->http_aws_sigv4 && *p->options->http_aws_sigv4;
}

#define SIGNATURE_LINES 4

/* Puts the lines that sign the request into t->signature_text, a NUL behind each; *count of them.
 * `headers` are all others that it has, NULL behind the last. */
status request_sign(struct transfer *t, const struct transfer_request *request,
                    const char *const *headers, size_t *count, error *err);

#endif

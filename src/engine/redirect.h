/* Redirects are ours: each hop is a new request, and this is what may be followed and what may go
 * along. Pure.
 */
#ifndef WEIR_ENGINE_REDIRECT_H
#define WEIR_ENGINE_REDIRECT_H

#include "config/options.h"
#include "core/status.h"
#include "net/url.h"

/* True for the codes that lead elsewhere: 301 302 303 307 308 (RFC 9110 section 15.4). */
bool redirect_status(int http_status);

/* May a request for `from` go on at `to` as hop number `hop` (from 1)? REDIRECT: too many. POLICY:
 * scheme not allowed, https to http. */
status redirect_check(const struct url *from, const struct url *to, uint32_t hop,
                      const struct options *options, error *err);

/* Is `scheme` in a comma-separated list of http.protocols? */
bool protocol_allowed(const char *protocols, struct span scheme);

#endif

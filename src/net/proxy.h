/* Which proxy a request takes. Pure but for proxy_env_read; one thread.
 *
 * http.proxy, else the environment as curl reads it: http_proxy (lower case only: a CGI server sets
 * HTTP_PROXY from a request), https_proxy, all_proxy; no_proxy lists hosts that are asked directly.
 */
#ifndef WEIR_NET_PROXY_H
#define WEIR_NET_PROXY_H

#include "core/status.h"
#include "net/url.h"

struct proxy_env {
    char *http, *https, *all, *no;
};

status proxy_env_read(struct proxy_env *env, error *err);
void proxy_env_free(struct proxy_env *env);

/* The proxy for `target`, borrowed from `configured` or `env`; NULL = ask directly. */
const char *proxy_for(const struct proxy_env *env, const char *configured,
                      const struct url *target);

/* `host` (brackets allowed) is in the list `no_proxy`: names match themselves and what lies below
 * them, addresses may be given as networks (10.0.0.0/8), "*" matches all. */
bool proxy_bypassed(const char *no_proxy, struct span host);

/* CONFIG when libcurl could not use it as a proxy. */
status proxy_check(const char *proxy, error *err);

#endif

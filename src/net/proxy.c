/* Choosing a proxy; see proxy.h. Runs on the loop's thread.
 *
 * libcurl would do this by itself, but does not tell whether it went through a proxy. That has to
 * be known: the address connected to is then the proxy's and must not be judged as the server's.
 */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool copy_env(char **out, const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    if (!value && upper)
        value = getenv(upper);
    if (!value || !*value)
        return true;
    *out = strdup(value);
    return *out != NULL;
}

status proxy_env_read(struct proxy_env *env, error *err)
{
    *env = (struct proxy_env){0};
    if (copy_env(&env->http, "http_proxy", NULL) &&
        copy_env(&env->https, "https_proxy", "HTTPS_PROXY") &&
        copy_env(&env->all, "all_proxy", "ALL_PROXY") && copy_env(&env->no, "no_proxy", "NO_PROXY"))
        return OK;
    proxy_env_free(env);
    return fail(err, WEIR_NOMEM, "no memory for the proxy settings of the environment");
}

void proxy_env_free(struct proxy_env *env)
{
    free(env->http);
    free(env->https);
    free(env->all);
    free(env->no);
    *env = (struct proxy_env){0};
}

/* The bytes of a numeric address; returns how many, 0 = it is a name. */
static size_t address_bytes(struct span s, unsigned char out[16])
{
    char text[INET6_ADDRSTRLEN];
    if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = (struct span){s.p + 1, s.n - 2};
    if (s.n >= sizeof text)
        return 0;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool in_network(struct span network, struct span host)
{
    unsigned char have[16], want[16];
    const char *slash = memchr(network.p, '/', network.n);
    struct span base = {network.p, slash ? (size_t)(slash - network.p) : network.n};
    size_t n = address_bytes(host, have);
    uint64_t bits = 8 * n;
    if (n == 0 || address_bytes(base, want) != n)
        return false;
    if (slash &&
        (!parse_uint64((struct span){slash + 1, network.n - base.n - 1}, &bits) || bits > 8 * n))
        return false;
    for (size_t i = 0; i < bits; i++)
        if ((have[i / 8] ^ want[i / 8]) >> (7 - i % 8) & 1)
            return false;
    return true;
}

static bool is_below(struct span name, struct span host)
{
    while (host.n && host.p[host.n - 1] == '.')
        host.n--;
    while (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (name.n && name.p[0] == '.')
        name = (struct span){name.p + 1, name.n - 1};
    if (name.n == 0 || host.n < name.n ||
        strncasecmp(host.p + host.n - name.n, name.p, name.n) != 0)
        return false;
    return host.n == name.n || host.p[host.n - name.n - 1] == '.';
}

bool proxy_bypassed(const char *no_proxy, struct span host)
{
    const char *p = no_proxy;
    while (p && *p) {
        size_t n = strcspn(p, ", \t");
        struct span one = {p, n};
        if (span_equal(one, "*") || (n && (in_network(one, host) || is_below(one, host))))
            return true;
        p += n + (p[n] != '\0');
    }
    return false;
}

const char *proxy_for(const struct proxy_env *env, const char *configured, const struct url *target)
{
    const char *proxy = configured && *configured             ? configured
                        : span_equal(target->scheme, "https") ? env->https
                                                              : env->http;
    if (!proxy)
        proxy = env->all;
    return proxy && !proxy_bypassed(env->no, target->host) ? proxy : NULL;
}

status proxy_check(const char *proxy, error *err)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    const char *colon = strstr(proxy, "://");
    struct span scheme = {proxy, colon ? (size_t)(colon - proxy) : 0};
    bool known = !colon;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0] && !known; i++)
        known = span_equal_nocase(scheme, schemes[i]);
    if (known && (colon ? colon[3] : proxy[0]))
        return OK;
    struct strbuf shown = {0};
    url_without_secrets(&shown, proxy);
    status st =
        fail(err, WEIR_CONFIG,
             "http.proxy: \"%s\" is not a proxy; write http://HOST:PORT (also https, socks4, "
             "socks4a, socks5, socks5h)",
             strbuf_text(&shown));
    strbuf_free(&shown);
    return st;
}

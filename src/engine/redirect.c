/* The policy of redirects; see redirect.h. The address of the target is judged by net, where it is
 * known. */
#include "engine/redirect.h"

bool redirect_status(int http_status)
{
    return http_status == 301 || http_status == 302 || http_status == 303 || http_status == 307 ||
           http_status == 308;
}

bool protocol_allowed(const char *protocols, struct span scheme)
{
    const char *p = protocols ? protocols : "http,https";
    while (*p) {
        size_t n = strcspn(p, ",");
        struct span one = span_trim((struct span){p, n});
        if (one.n == scheme.n && memcmp(one.p, scheme.p, one.n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

status redirect_check(const struct url *from, const struct url *to, uint32_t hop,
                      const struct options *options, error *err)
{
    if (hop > options->http_max_redirects)
        return fail(err, WEIR_REDIRECT,
                    "more than %lld redirects, the next one to %.*s; raise http.max_redirects if "
                    "this is no loop",
                    (long long)options->http_max_redirects, (int)to->text.n, to->text.p);
    if (!protocol_allowed(options->http_protocols, to->scheme))
        return fail(err, WEIR_POLICY,
                    "redirect to %.*s: the scheme \"%.*s\" is not allowed (http.protocols)",
                    (int)to->text.n, to->text.p, (int)to->scheme.n, to->scheme.p);
    if (span_equal(from->scheme, "https") && span_equal(to->scheme, "http") &&
        !options->http_allow_downgrade)
        return fail(err, WEIR_POLICY,
                    "redirect from https to http (%.*s) is not followed; allow it with "
                    "--allow-downgrade",
                    (int)to->text.n, to->text.p);
    return OK;
}

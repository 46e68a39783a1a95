/* See url_name.h. All bytes of a name but the unreserved ones are encoded: stores differ in what
 * they make of a '+' or a ';' in a path, but not of "%2B" and "%3B". */
#include "net/url_name.h"

static size_t path_end(struct span url)
{
    size_t n = 0;
    while (n < url.n && url.p[n] != '?' && url.p[n] != '#')
        n++;
    return n;
}

void url_add_name(struct strbuf *out, struct span base, struct span name)
{
    size_t path = path_end(base), end = path;
    while (end < base.n && base.p[end] != '#')
        end++;
    while (name.n && name.p[0] == '/')
        name.p++, name.n--;
    strbuf_add(out, base.p, path);
    if (!path || base.p[path - 1] != '/')
        strbuf_addc(out, '/');
    strbuf_add_percent(out, name, "/");
    strbuf_add(out, base.p + path, end - path);
}

bool url_wants_name(struct span url)
{
    size_t path = path_end(url);
    const char *scheme = path ? memmem(url.p, path, "://", 3) : NULL;
    size_t authority = scheme ? (size_t)(scheme - url.p) + 3 : 0;
    return path == 0 || url.p[path - 1] == '/' ||
           (scheme && !memchr(url.p + authority, '/', path - authority));
}

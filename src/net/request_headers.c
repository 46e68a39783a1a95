/* Building the header list of a request; see request_headers.h. Runs on the loop's thread.
 *
 * Most requests have no header of their own and share the profile's list, untouched. The others get
 * a list whose nodes stand in one array and point into one text and into the profile's list: no
 * allocation once the array has grown.
 */
#include "net/request_headers.h"

#include <stdlib.h>

#define HEADERS_MAX_BYTES 65536

static size_t name_length(const char *line)
{
    return strcspn(line, ":;");
}

static bool same_name(const char *a, const char *b)
{
    size_t n = name_length(a);
    return n == name_length(b) && strncasecmp(a, b, n) == 0;
}

static bool can_be_sent(const char *line)
{
    for (const char *p = line; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return false;
    return line[0] != '\0' && line[0] != ':';
}

static bool reserve_nodes(struct transfer *t, size_t n)
{
    if (n <= t->node_cap)
        return true;
    struct curl_slist *more = realloc(t->nodes, n * sizeof *more);
    if (!more)
        return false;
    t->nodes = more;
    t->node_cap = n;
    return true;
}

static size_t put_line(struct strbuf *b, const char *name, const char *value)
{
    strbuf_addf(b, "%s: %s", name, value);
    strbuf_addc(b, '\0');
    return 1;
}

static bool has_range(const struct transfer_request *request)
{
    return request->range_from > 0 || request->range_to > 0;
}

/* The lines of the request, NUL behind each; returns how many. */
static size_t put_lines(struct strbuf *b, const struct transfer_request *request)
{
    size_t n = 0;
    strbuf_clear(b);
    b->max = HEADERS_MAX_BYTES;
    for (const char *p = request->headers; p && *p; p += strlen(p) + 1, n++)
        strbuf_add(b, p, strlen(p) + 1);
    if (has_range(request)) {
        strbuf_addf(b, "Range: bytes=%lld-", (long long)request->range_from);
        if (request->range_to > 0)
            strbuf_addf(b, "%lld", (long long)request->range_to - 1);
        strbuf_addc(b, '\0');
        n++;
    }
    if (has_range(request) && request->if_range)
        n += put_line(b, "If-Range", request->if_range);
    if (request->if_none_match)
        n += put_line(b, "If-None-Match", request->if_none_match);
    if (request->if_modified_since)
        n += put_line(b, "If-Modified-Since", request->if_modified_since);
    return n;
}

static size_t count_list(const struct curl_slist *list)
{
    size_t n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

status request_headers(const struct curl_slist **out, struct transfer *t,
                       const struct transfer_request *request, error *err)
{
    const struct curl_slist *shared = t->profile->headers;
    bool conditional = request->if_none_match || request->if_modified_since;
    if (!(request->headers && *request->headers) && !has_range(request) && !conditional) {
        *out = shared;
        return OK;
    }
    size_t own = put_lines(&t->header_text, request), n = own;
    if (t->header_text.failed)
        return fail(err, WEIR_INPUT, "the request headers are longer than %d bytes together",
                    HEADERS_MAX_BYTES);
    if (!reserve_nodes(t, own + count_list(shared)))
        return fail(err, WEIR_NOMEM, "no memory for %zu request headers", own);
    char *p = t->header_text.p;
    for (size_t i = 0; i < own; i++, p += strlen(p) + 1) {
        if (!can_be_sent(p))
            return fail(err, WEIR_INPUT,
                        "the request header \"%.*s\" holds a control character or no name",
                        (int)name_length(p), p);
        t->nodes[i].data = p;
    }
    /* A header of the request replaces one of the options with the same name. */
    for (const struct curl_slist *s = shared; s; s = s->next) {
        bool replaced = false;
        for (size_t i = 0; i < own && !replaced; i++)
            replaced = same_name(t->nodes[i].data, s->data);
        if (!replaced)
            t->nodes[n++].data = s->data;
    }
    for (size_t i = 0; i < n; i++)
        t->nodes[i].next = i + 1 < n ? &t->nodes[i + 1] : NULL;
    *out = t->nodes;
    return OK;
}

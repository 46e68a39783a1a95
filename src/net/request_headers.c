/* Building the header list of a request; see request_headers.h. Runs on the loop's thread.
 *
 * Most requests have no header of their own and share the profile's list, untouched. The others get
 * a list whose nodes stand in one array and point into one text and into the profile's list: no
 * allocation once the array has grown.
 */
#include "net/request_headers.h"

#include <stdlib.h>

#include "net/request_signature.h"

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
    /* libcurl would ask for every upload; an empty value is how it is told not to. */
    if (request->upload && request->upload_expect)
        n += put_line(b, "Expect", "100-continue");
    else if (request->upload) {
        strbuf_add(b, "Expect:", sizeof "Expect:");
        n++;
    }
    return n;
}

static size_t count_list(const struct curl_slist *list)
{
    size_t n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

/* The lines of the request, as nodes from `at` on; *lines are NUL-ended texts. */
static status take_lines(struct transfer *t, const char *p, size_t at, size_t n, error *err)
{
    for (size_t i = 0; i < n; i++, p += strlen(p) + 1) {
        if (!can_be_sent(p))
            return fail(err, WEIR_INPUT,
                        "the request header \"%.*s\" holds a control character or no name",
                        (int)name_length(p), p);
        t->nodes[at + i].data = (char *)p; /* libcurl only reads it */
    }
    return OK;
}

/* Behind all others come those that sign them; adds to *n. */
static status add_signature(struct transfer *t, const struct transfer_request *request, size_t *n,
                            error *err)
{
    size_t count = 0;
    const char **all = calloc(*n + 1, sizeof *all);
    if (!all)
        return fail(err, WEIR_NOMEM, "no memory for %zu request headers", *n);
    for (size_t i = 0; i < *n; i++)
        all[i] = t->nodes[i].data;
    status st = request_sign(t, request, all, &count, err);
    free(all);
    if (!st)
        st = take_lines(t, strbuf_text(&t->signature_text), *n, count, err);
    *n += st ? 0 : count;
    return st;
}

status request_headers(const struct curl_slist **out, struct transfer *t,
                       const struct transfer_request *request, error *err)
{
    const struct curl_slist *shared = t->profile->headers;
    bool conditional = request->if_none_match || request->if_modified_since;
    bool signs = profile_signs(t->profile);
    if (!(request->headers && *request->headers) && !has_range(request) && !conditional &&
        !request->upload && !signs) {
        *out = shared;
        return OK;
    }
    size_t own = put_lines(&t->header_text, request), n = own;
    if (t->header_text.failed)
        return fail(err, WEIR_INPUT, "the request headers are longer than %d bytes together",
                    HEADERS_MAX_BYTES);
    if (!reserve_nodes(t, own + count_list(shared) + SIGNATURE_LINES))
        return fail(err, WEIR_NOMEM, "no memory for %zu request headers", own);
    status st = take_lines(t, strbuf_text(&t->header_text), 0, own, err);
    if (st)
        return st;
    /* A header of the request replaces one of the options with the same name. */
    for (const struct curl_slist *s = shared; s; s = s->next) {
        bool replaced = false;
        for (size_t i = 0; i < own && !replaced; i++)
            replaced = same_name(t->nodes[i].data, s->data);
        if (!replaced)
            t->nodes[n++].data = s->data;
    }
    if (signs)
        st = add_signature(t, request, &n, err);
    for (size_t i = 0; i < n; i++)
        t->nodes[i].next = i + 1 < n ? &t->nodes[i + 1] : NULL;
    *out = n ? t->nodes : NULL;
    return st;
}

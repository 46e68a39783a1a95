/* See reply.h.
 *
 * Texts say nothing of the machine: no folder, no version of a library, no errno. What went wrong
 * here is told to whoever runs the server (server_warn).
 */
#include "serve/reply.h"

#include <errno.h>
#include <stdio.h>

struct MHD_Response *reply_empty(void)
{
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

struct MHD_Response *reply_new(struct exchange *x, int http_status, const char *text)
{
    char line[320];
    int n = snprintf(line, sizeof line, "%d %s\n", http_status, text);
    struct MHD_Response *r =
        n < 0 ? NULL : MHD_create_response_from_buffer((size_t)n, line, MHD_RESPMEM_MUST_COPY);
    reply_field(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
    x->length = n;
    return r;
}

void reply_field(struct MHD_Response *r, const char *name, const char *value)
{
    if (r && value)
        MHD_add_response_header(r, name, value);
}

enum MHD_Result reply_send(struct exchange *x, int http_status, struct MHD_Response *r)
{
    if (!r)
        return MHD_NO;
    reply_field(r, MHD_HTTP_HEADER_SERVER, "weir/" WEIR_VERSION);
    /* What is served was named by its ending; a browser shall not guess it to be a page. */
    reply_field(r, "X-Content-Type-Options", "nosniff");
    if (x->link->refused || atomic_load_explicit(&x->server->draining, memory_order_relaxed))
        reply_field(r, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued = MHD_queue_response(x->connection, (unsigned)http_status, r);
    MHD_destroy_response(r);
    if (queued == MHD_YES) {
        x->status = http_status;
        if (exchange_is_head(x))
            x->length = 0;
    }
    return queued;
}

enum MHD_Result reply_text(struct exchange *x, int http_status, const char *text)
{
    return reply_send(x, http_status, reply_new(x, http_status, text));
}

const char *reply_allowed(const struct exchange *x)
{
    return x->server->commits ? "GET, HEAD, OPTIONS, PUT" : "GET, HEAD, OPTIONS";
}

enum MHD_Result reply_refusal(struct exchange *x)
{
    const struct refusal *why = &x->refusal;
    struct MHD_Response *r = reply_new(x, why->status, why->text);
    if (why->status == 401)
        reply_field(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"weir\"");
    if (why->status == 405)
        reply_field(r, MHD_HTTP_HEADER_ALLOW, reply_allowed(x));
    if (why->status == 503)
        reply_field(r, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    return reply_send(x, why->status, r);
}

enum MHD_Result reply_errno(struct exchange *x, int failure)
{
    switch (-failure) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        exchange_refuse(x, 503, "too much at once; try again in a moment");
        return reply_refusal(x);
    case EACCES:
    case EPERM:
        return reply_text(x, 403, "this may not be read");
    case EIO:
        return reply_text(x, 500, "this cannot be read");
    default: /* absent, a link, behind a file, too long: there is nothing that is served */
        return reply_text(x, 404, "there is nothing of this name");
    }
}

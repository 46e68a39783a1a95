/* One request from its head to its end; see exchange.h.
 *
 * libmicrohttpd calls exchange_step with the head, with each piece of a body, and once more at the
 * end. An answer that is queued with the head closes the connection, even where there is no body,
 * so whatever can wait is answered at the end. A body that is refused is read and thrown away as
 * long as it is short: a connection that is closed with bytes unread is reset, and the client would
 * never see why. Clients that ask first (Expect: 100-continue) are answered at once.
 *
 * The daemon's epoll is edge-triggered, and it reads but once an edge: an end of the stream that
 * came together with data is not seen. An upload would hold its name until the idle timeout, so it
 * looks for the end itself (exchange_client_has_left).
 */
#include "serve/exchange.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "serve/access_log.h"
#include "serve/reply.h"
#include "serve/serve_file.h"
#include "serve/upload_request.h"

#define DISCARD_MAX ((int64_t)16 << 20)

const char *exchange_field(const struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

bool exchange_is_head(const struct exchange *x)
{
    return x->method && strcmp(x->method, "HEAD") == 0;
}

static bool is_method(const struct exchange *x, const char *method)
{
    return strcmp(x->method, method) == 0;
}

void *exchange_begin(void *server, const char *target, struct MHD_Connection *connection)
{
    struct weir_server *s = server;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct link *link = info ? info->socket_context : NULL;
    struct exchange *x = link ? calloc(1, sizeof *x) : NULL;
    char *copy = x ? strdup(target ? target : "") : NULL;
    if (!copy) {
        free(x);
        return NULL;
    }
    *x = (struct exchange){
        .server = s, .link = link, .connection = connection, .target = copy, .begun = clock_now()};
    pthread_mutex_lock(&s->lock);
    s->stats.requests++;
    s->under_way++;
    pthread_mutex_unlock(&s->lock);
    return x;
}

/* ---- the head ---- */

bool exchange_refuse(struct exchange *x, int http_status, const char *text)
{
    x->refusal = (struct refusal){http_status, text};
    return false;
}

struct framing {
    unsigned lengths, encodings;
    bool chunked, digits;
};

static enum MHD_Result see_field(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct framing *f = context;
    struct span key = span_of(name);
    if (span_equal_nocase(key, "Content-Length")) {
        f->lengths++;
    } else if (span_equal_nocase(key, "Transfer-Encoding")) {
        f->encodings++;
        f->chunked = span_equal_nocase(span_trim(span_of(value)), "chunked");
    }
    return MHD_YES;
}

/* Two ways to read where a request ends are one too many (RFC 9112 section 6.3). */
static bool framing_is_plain(struct exchange *x)
{
    struct framing f = {0};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, see_field, &f);
    if (f.lengths > 1 || f.encodings > 1 || (f.lengths && f.encodings))
        return exchange_refuse(x, 400,
                               "Content-Length and Transfer-Encoding contradict each other");
    if (f.encodings && !f.chunked)
        return exchange_refuse(x, 501, "no Transfer-Encoding but chunked is known here");
    return true;
}

/* Takes as long for a guess that is nearly right as for one that is not. */
static bool same_secret(struct span guess, const struct strbuf *secret)
{
    volatile unsigned char differs = guess.n != secret->n;
    for (size_t i = 0; i < guess.n; i++)
        differs = (unsigned char)(differs | (guess.p[i] ^ secret->p[i % secret->n]));
    return !differs;
}

static bool is_authorised(const struct exchange *x)
{
    const struct strbuf *token = &x->server->token;
    if (!token->n)
        return true;
    struct span field = span_trim(span_of(exchange_field(x, "Authorization")));
    static const char scheme[] = "bearer ";
    size_t n = sizeof scheme - 1;
    if (field.n <= n || !span_equal_nocase((struct span){field.p, n}, scheme))
        return false;
    return same_secret(span_trim((struct span){field.p + n, field.n - n}), token);
}

/* What may be asked for at all; hidden and unfinished names are as good as absent. */
static bool path_is_served(struct exchange *x)
{
    struct span target = span_of(x->target);
    const char *query = target.n ? memchr(target.p, '?', target.n) : NULL;
    if (query)
        target.n = (size_t)(query - target.p);
    switch (request_path_parse(&x->path, target)) {
    case PATH_MALFORMED:
        return exchange_refuse(x, 400, "the target of the request cannot be read");
    case PATH_ABSENT:
        return exchange_refuse(x, 404, "there is nothing of this name");
    case PATH_TOO_LONG:
        return exchange_refuse(x, 414, "the name is too long");
    case PATH_FINE:
        break;
    }
    if (is_method(x, "PUT"))
        return true; /* says why not */
    if (x->path.unfinished || (x->path.hidden && !x->server->options->serve_hidden))
        return exchange_refuse(x, 404, "there is nothing of this name");
    return true;
}

static void read_conditions(struct exchange *x)
{
    x->conditions = (struct conditions){
        .if_match = exchange_field(x, "If-Match"),
        .if_none_match = exchange_field(x, "If-None-Match"),
        .if_modified_since = exchange_field(x, "If-Modified-Since"),
        .if_unmodified_since = exchange_field(x, "If-Unmodified-Since"),
        .if_range = exchange_field(x, "If-Range"),
    };
}

static bool accept_head(struct exchange *x)
{
    if (x->link->refused)
        return exchange_refuse(x, 503, "too many connections from this address");
    if (!framing_is_plain(x))
        return false;
    if (!is_authorised(x))
        return exchange_refuse(x, 401, "a token is needed");
    if (is_method(x, "OPTIONS") && strcmp(x->target, "*") == 0)
        return true;
    if (!path_is_served(x))
        return false;
    read_conditions(x);
    return !is_method(x, "PUT") || upload_begin(x);
}

/* Shall the refusal go out before the body has come? */
static bool answers_at_once(const struct exchange *x)
{
    uint64_t length = 0;
    const char *announced = exchange_field(x, "Content-Length");
    return exchange_field(x, "Expect") != NULL ||
           (announced && parse_uint64(span_of(announced), &length) && length > DISCARD_MAX);
}

bool exchange_client_has_left(const struct exchange *x)
{
    char byte;
    return recv(x->link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static enum MHD_Result take_head(struct exchange *x)
{
    wakeups_head_here(&x->server->wakeups, x->link);
    if (!accept_head(x) && answers_at_once(x))
        return reply_refusal(x);
    /* What the daemon has read already may be the whole body; more will not come. */
    if (x->upload && exchange_client_has_left(x))
        wakeups_await_head(&x->server->wakeups, x->link, clock_now() + NS_PER_S);
    return MHD_YES;
}

/* ---- the body and the end ---- */

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *size)
{
    size_t n = *size;
    *size = 0;
    if (x->upload && !x->refusal.status)
        return upload_write(x, data, n);
    x->discarded += (int64_t)n;
    return x->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer_options(struct exchange *x)
{
    struct MHD_Response *r = reply_empty();
    reply_field(r, MHD_HTTP_HEADER_ALLOW, reply_allowed(x));
    return reply_send(x, 204, r);
}

static enum MHD_Result answer(struct exchange *x)
{
    if (x->refusal.status)
        return reply_refusal(x);
    if (x->upload)
        return upload_finish(x);
    if (is_method(x, "GET") || exchange_is_head(x))
        return serve_file(x);
    if (is_method(x, "OPTIONS"))
        return answer_options(x);
    exchange_refuse(x, 405, "this method is not allowed here");
    return reply_refusal(x);
}

enum MHD_Result exchange_step(void *server, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **context)
{
    struct exchange *x = *context;
    if (!x)
        return MHD_NO;
    if (!x->method) {
        x->method = method;
        x->protocol = version;
        return take_head(x);
    }
    return *size ? take_body(x, data, size) : answer(x);
}

/* ---- afterwards ---- */

static uint64_t bytes_acked(const struct exchange *x)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(x->link->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return 0;
    return info.tcpi_bytes_acked;
}

void exchange_sends_file(struct exchange *x)
{
    x->by_sendfile = true;
    x->acked_before = bytes_acked(x);
}

/* Of a body that was cut, what the client has; its head is counted in. */
static int64_t bytes_sent(const struct exchange *x, bool whole)
{
    if (whole)
        return x->length;
    if (!x->by_sendfile)
        return x->sent;
    int64_t acked = (int64_t)(bytes_acked(x) - x->acked_before);
    return acked < 0 ? 0 : acked < x->length ? acked : x->length;
}

static void report(struct exchange *x, bool whole)
{
    struct weir_server *s = x->server;
    int http_status = x->status;
    const union MHD_ConnectionInfo *info =
        http_status ? NULL
                    : MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_HTTP_STATUS);
    if (info) /* the daemon's own answer to what it could not read */
        http_status = (int)info->http_status;
    weir_request r = {.client = x->link->address,
                      .method = x->method ? x->method : "-",
                      .target = x->target,
                      .protocol = x->protocol ? x->protocol : "-",
                      .status = http_status,
                      .bytes = bytes_sent(x, whole),
                      .received = x->received,
                      .duration_ms = (int64_t)(clock_now() - x->begun) / NS_PER_MS,
                      .aborted = !whole,
                      .range = exchange_field(x, "Range"),
                      .referer = exchange_field(x, "Referer"),
                      .user_agent = exchange_field(x, "User-Agent")};
    if (s->log)
        access_log_add(s->log, &r);
    if (s->on_request)
        s->on_request(&r, s->request_user);
    pthread_mutex_lock(&s->lock);
    s->stats.bytes_sent += r.bytes;
    s->stats.bytes_received += r.received;
    s->stats.failed += http_status >= 400;
    s->stats.aborted += r.aborted;
    if (--s->under_way == 0)
        pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

void exchange_end(void *server, struct MHD_Connection *connection, void **context,
                  enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *context;
    if (!x)
        return;
    *context = NULL;
    upload_free(x);
    report(x, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    int64_t idle = x->server->options->serve_idle_timeout;
    if (idle)
        wakeups_await_head(&x->server->wakeups, x->link, clock_now() + (uint64_t)idle);
    request_path_free(&x->path);
    free(x->target);
    free(x);
}

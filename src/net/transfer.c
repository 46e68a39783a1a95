/* One HTTP exchange, from the request to the end; see transfer.h. Runs on the loop's thread.
 *
 * libcurl may not be called from its own callbacks, and its owner may ask for anything in ours. So
 * a start, a resume, and whatever is asked of another transfer from within libcurl is put off until
 * libcurl has returned (`deferred`). A cancelled transfer is `dead` from that moment: no callback
 * of its owner is reached any more.
 *
 * Stalls are judged here and not by CURLOPT_LOW_SPEED_LIMIT, which counts pauses and has a grain of
 * seconds. The window http.stall_timeout is cut into pieces; each notes its bytes when it ends; a
 * stall is when the last pieces together fall short. The clock of a piece stands still in a pause.
 */
#include <sys/socket.h>

#include "net/address.h"
#include "net/failure.h"
#include "net/loop.h"

#define DRAIN_MAX_BYTES 65536
#define DRAIN_MAX_NS (5 * NS_PER_S) /* an error page is not worth a longer wait */

/* ------------------------------------------------------------------------------------------
 * Time
 */

static void arm(struct transfer *t)
{
    uint64_t next = t->tick_at;
    if (t->ends < next)
        next = t->ends;
    if (t->drain_until < next)
        next = t->drain_until;
    timer_set(&t->loop->timers, &t->timer, next);
}

static uint64_t later(uint64_t now, int64_t span_ns)
{
    return span_ns > 0 ? now + (uint64_t)span_ns : TIME_NEVER;
}

static int64_t tick_span(const struct transfer *t)
{
    int64_t window = t->profile->options->http_stall_timeout;
    return window > 0 && window < STALL_TICKS ? 1 : window / STALL_TICKS;
}

static void begin_stall_watch(struct transfer *t)
{
    t->ticks = 0;
    t->seen_bytes = 0;
    t->tick_at = later(t->loop->now, tick_span(t));
    arm(t);
}

/* Ends the exchange with a verdict of ours. Not from within libcurl. */
#define END_WITH(t, st, ...)                                                                       \
    do {                                                                                           \
        fail(&(t)->verdict, st, __VA_ARGS__);                                                      \
        transfer_finish(t, CURLE_OK);                                                              \
    } while (0)

static void tick(struct transfer *t)
{
    const struct options *o = t->profile->options;
    double seconds = (double)o->http_stall_timeout / NS_PER_S;
    double wanted = (double)o->http_stall_speed * seconds;
    int64_t bytes = 0;
    if (t->uploads && t->phase == PHASE_SENT)
        t->seen_bytes += transfer_upload_progress(t);
    t->tick_bytes[t->ticks++ % STALL_TICKS] = t->seen_bytes;
    t->seen_bytes = 0;
    for (int i = 0; i < STALL_TICKS; i++)
        bytes += t->tick_bytes[i];
    if (t->ticks < STALL_TICKS || (bytes > 0 && (double)bytes >= wanted)) {
        t->tick_at = later(t->loop->now, tick_span(t));
        arm(t);
    } else if (t->phase == PHASE_SENT && t->acknowledged > 0) {
        END_WITH(t, WEIR_STALLED,
                 "%.*s: stalled after %lld bytes were sent, and no answer: %lld in the last %gs "
                 "(http.stall_timeout, http.stall_speed)",
                 (int)t->url.authority.n, t->url.authority.p, (long long)t->acknowledged,
                 (long long)bytes, seconds);
    } else if (t->phase == PHASE_SENT) {
        END_WITH(t, WEIR_STALLED, "%.*s: no answer within %gs (http.stall_timeout)",
                 (int)t->url.authority.n, t->url.authority.p, seconds);
    } else {
        END_WITH(t, WEIR_STALLED,
                 "%.*s: stalled after %lld bytes: %lld in the last %gs "
                 "(http.stall_timeout, http.stall_speed)",
                 (int)t->url.authority.n, t->url.authority.p, (long long)t->body_bytes,
                 (long long)bytes, seconds);
    }
}

void transfer_timer_due(struct transfer *t)
{
    uint64_t now = t->loop->now;
    if (t->drain_until <= now) {
        t->cut = true;
        transfer_finish(t, CURLE_OK);
    } else if (t->ends <= now) {
        END_WITH(t, WEIR_TIMEOUT, "%.*s: not done after %gs (http.timeout)",
                 (int)t->url.authority.n, t->url.authority.p,
                 (double)t->profile->options->http_timeout / NS_PER_S);
    } else if (t->tick_at > now) {
        arm(t);
    } else if (t->phase == PHASE_CONNECTING) {
        transfer_finish(t, CURLE_OPERATION_TIMEDOUT);
    } else {
        tick(t);
    }
}

/* ------------------------------------------------------------------------------------------
 * Callbacks of libcurl
 */

void transfer_stop_clock(struct transfer *t)
{
    if (t->tick_at == TIME_NEVER)
        return;
    uint64_t now = clock_now();
    t->tick_left = t->tick_at > now ? t->tick_at - now : 0;
    t->tick_at = TIME_NEVER;
    arm(t);
}

/* It tells its sockets anew, and says so when it has no memory for that: the multi is broken. */
static CURLcode pause_at_libcurl(struct transfer *t, int what)
{
    CURLcode code = curl_easy_pause(t->easy, what);
    if (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_OUT_OF_MEMORY)
        loop_check(t->loop, CURLM_OUT_OF_MEMORY);
    return code;
}

/* Does what the owner wished, once there is something to stop. */
static void stop_reading(struct transfer *t)
{
    if (!t->want_paused || t->paused || t->phase != PHASE_BODY || t->dead || t->loop->broken)
        return;
    t->paused = true;
    pause_at_libcurl(t, CURLPAUSE_RECV);
    transfer_stop_clock(t);
}

/* Not from within libcurl. It hands over what it had kept back before it reads on. */
static void read_on(struct transfer *t)
{
    t->paused = false;
    if (tick_span(t) > 0 && !t->draining) {
        t->tick_at = clock_now() + t->tick_left;
        arm(t);
    }
    t->loop->in_curl = true;
    CURLcode code = pause_at_libcurl(t, CURLPAUSE_CONT);
    t->loop->in_curl = false;
    t->loop->acted = true;
    if (code)
        transfer_finish(t, code);
}

static bool address_allowed(struct transfer *t)
{
    const char *what = t->url.authority.p;
    int n = (int)t->url.authority.n;
    if (t->is_redirect && address_is_link_local(t->address)) {
        fail(&t->verdict, WEIR_POLICY,
             "%.*s: a redirect leads to the link-local address %s, which is never followed", n,
             what, t->address);
        return false;
    }
    if (t->from_public && !t->profile->options->http_allow_private &&
        !address_is_public(t->address)) {
        fail(&t->verdict, WEIR_POLICY,
             "%.*s: a redirect leads from a public host to the private address %s; allow it with "
             "--allow-private",
             n, what, t->address);
        return false;
    }
    return true;
}

/* CURLOPT_PREREQFUNCTION: connected, the request goes out next. */
int transfer_connected(void *user, char *address, char *local, int port, int local_port)
{
    struct transfer *t = user;
    if (t->dead)
        return CURL_PREREQFUNC_ABORT;
    t->phase = PHASE_SENT;
    t->sent_times++;
    begin_stall_watch(t);
    t->address[0] = '\0';
    if (t->proxy)
        return CURL_PREREQFUNC_OK; /* the address is the proxy's */
    size_t n = address ? strlen(address) : 0;
    if (n && n < sizeof t->address)
        memcpy(t->address, address, n + 1);
    return address_allowed(t) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static bool has_no_body(const struct transfer *t, const struct response *r)
{
    return r->content_length == 0 || head_without_body(&t->head);
}

/* false = cut the transfer */
static bool begin_body(struct transfer *t, enum body_verdict verdict, const struct response *r)
{
    if (verdict == BODY_TAKE && t->head.coding_text[0] && !head_without_body(&t->head)) {
        fail(&t->verdict, WEIR_HTTP,
             "%.*s: the body has the transfer coding \"%s\", which was not "
             "asked for",
             (int)t->url.authority.n, t->url.authority.p, t->head.coding_text);
        return false;
    }
    if (verdict == BODY_TAKE) {
        if (!r->repeated_length || head_without_body(&t->head))
            return true;
        fail(&t->verdict, WEIR_TRUNCATED,
             t->head.length_text[1][0]
                 ? "%.*s: Content-Length is given as \"%s\" and as \"%s\", so the end of the body "
                   "cannot be known"
                 : "%.*s: Content-Length is \"%s\"%s, so the end of the body cannot be known",
             (int)t->url.authority.n, t->url.authority.p, t->head.length_text[0],
             t->head.length_text[1]);
        return false;
    }
    t->draining = true;
    t->drain_until = t->loop->now + DRAIN_MAX_NS;
    t->tick_at = TIME_NEVER;
    arm(t);
    if (has_no_body(t, r))
        return true;
    t->cut = verdict == BODY_CUT || r->repeated_length || r->content_length > DRAIN_MAX_BYTES;
    return !t->cut;
}

/* The target of a redirect, absolute; kept in *b. */
static const char *resolve_location(const struct transfer *t, const char *location,
                                    struct strbuf *b)
{
    struct url target;
    url_init(&target);
    if (url_resolve(&target, t->url.text.p, span_of(location), NULL) == OK)
        strbuf_add(b, target.text.p, target.text.n);
    url_free(&target);
    return b->n && !b->failed ? b->p : NULL;
}

static bool head_arrived(struct transfer *t)
{
    struct response r;
    struct strbuf location = {0};
    int64_t wall_s = t->head.field[FIELD_RETRY_AFTER] ? clock_wall_s() : 0;
    if (head_response(&t->head, wall_s, &r) != OK) {
        fail(&t->verdict, WEIR_NOMEM, "no memory for the headers of an answer");
        return false;
    }
    if (r.location)
        r.location = resolve_location(t, r.location, &location);
    r.bad_location = t->head.field[FIELD_LOCATION] && !r.location;
    t->phase = PHASE_BODY;
    /* libcurl sends no more to who has refused, but would wait for the pause to end. */
    if (t->uploads && t->paused && r.http_status >= 300)
        transfer_resume(t);
    enum body_verdict verdict = t->ops->on_head(t->owner, &r);
    strbuf_free(&location);
    /* After a 417 libcurl would ask again by itself; what follows is the owner's to decide. */
    t->cut = t->uploads && r.http_status == 417;
    if (t->dead || t->cut || !begin_body(t, verdict, &r))
        return false;
    stop_reading(t);
    return true;
}

size_t transfer_take_header(char *data, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    size_t n = size * count;
    t->seen_bytes += (int64_t)n;
    if (t->dead)
        return 0;
    if (t->phase == PHASE_BODY)
        return n; /* a trailer */
    switch (head_line(&t->head, data, n)) {
    case HEAD_MORE:
        return n;
    case HEAD_COMPLETE:
        return head_arrived(t) ? n : 0;
    case HEAD_MALFORMED:
        fail(&t->verdict, WEIR_HTTP, "%.*s: the answer begins with no HTTP status line",
             (int)t->url.authority.n, t->url.authority.p);
        return 0;
    case HEAD_TOO_LARGE:
        break;
    }
    fail(&t->verdict, WEIR_HTTP, "%.*s: header block too large (more than %d lines or %d bytes)",
         (int)t->url.authority.n, t->url.authority.p, HEAD_MAX_LINES, HEAD_MAX_BYTES);
    return 0;
}

/* All of the body is here, and something is behind it: it would pass for the answer to the next
 * request on this connection. libcurl looks no further than the announced length. (Of TLS and
 * HTTP/2 the bytes of a socket tell nothing.) */
static void look_behind_body(struct transfer *t)
{
    char next;
    curl_socket_t fd = t->loop->acting;
    if (t->body_bytes != t->head.content_length || t->head.transfer_encoding ||
        t->url.scheme.n != 4 || t->profile->options->http_version == HTTP_VERSION_2)
        return;
    if (fd < 0) /* not for each: libcurl goes through all of its connections */
        curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd >= 0 && recv(fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        t->soiled = curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
}

size_t transfer_take_body(char *data, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    size_t n = size * count;
    t->seen_bytes += (int64_t)n;
    if (n == 0)
        return 0;
    if (!t->dead && t->phase != PHASE_BODY) /* libcurl is more lenient about status lines */
        fail(&t->verdict, WEIR_HTTP, "%.*s: the answer begins with no HTTP status line",
             (int)t->url.authority.n, t->url.authority.p);
    if (t->dead || t->phase != PHASE_BODY)
        return 0;
    if (t->draining) {
        t->dropped_bytes += (int64_t)n;
        t->cut = t->dropped_bytes > DRAIN_MAX_BYTES;
        return t->cut ? 0 : n;
    }
    t->body_bytes += (int64_t)n;
    if (!t->ops->on_data(t->owner, data, n)) {
        fail(&t->verdict, WEIR_CANCELLED, "%.*s: stopped by its receiver after %lld bytes",
             (int)t->url.authority.n, t->url.authority.p, (long long)t->body_bytes);
        return 0;
    }
    look_behind_body(t);
    stop_reading(t);
    return t->dead ? 0 : n;
}

/* ------------------------------------------------------------------------------------------
 * The end
 */

/* What libcurl calls success may still be short: it did so for HTTP/2 streams that were reset. */
static void check_whole(const struct transfer *t, error *err)
{
    int64_t length =
        t->head.transfer_encoding || t->head.length_wrong ? -1 : t->head.content_length;
    if (t->phase != PHASE_BODY)
        fail(err, WEIR_CONNECT, "%.*s: the exchange ended without an answer",
             (int)t->url.authority.n, t->url.authority.p);
    else if (length >= 0 && t->body_bytes != length && !head_without_body(&t->head))
        fail(err, WEIR_TRUNCATED, "%.*s: the body ended after %lld of %lld bytes",
             (int)t->url.authority.n, t->url.authority.p, (long long)t->body_bytes,
             (long long)length);
}

static void note_body(const struct transfer *t)
{
    struct net_loop *loop = t->loop;
    int64_t most = (int64_t)loop->env.receive_buffer * 8; /* one giant is no habit */
    int64_t bytes = t->body_bytes < most ? t->body_bytes : most;
    loop->usual_bytes += (bytes - loop->usual_bytes) / 8;
}

static void judge(struct transfer *t, CURLcode code, struct transfer_result *r)
{
    r->answered = t->phase == PHASE_BODY;
    r->http_status = r->answered ? t->head.http_status : 0;
    r->drained = t->draining || t->cut;
    r->body_bytes = t->body_bytes;
    r->send_failed = t->uploads && (t->send_failed || code == CURLE_SEND_ERROR);
    r->unframed = r->answered && failure_of_framing(t, code);
    note_body(t);
    memcpy(r->address, t->address, sizeof r->address);
    error_clear(&r->error);
    if (!r->drained) {
        if (t->verdict.status)
            r->error = t->verdict;
        else if (code)
            failure_explain(t, code, &r->error);
        else
            check_whole(t, &r->error);
    }
    r->error.http_status = r->http_status;
    r->error.curl_code = (int)code;
}

void transfer_release(struct transfer *t)
{
    struct net_loop *loop = t->loop;
    if (t->added && !loop->broken) {
        t->added = false;
        loop_check(loop, curl_multi_remove_handle(loop->multi, t->easy));
    }
    transfer_stop_waiting(t);
    timer_set(&loop->timers, &t->timer, TIME_NEVER);
    link_remove(&t->deferred);
    t->ops = NULL;
    t->owner = NULL;
    if (!t->added)
        handle_give_back(t);
}

/* The transfer goes back first, so that what the owner starts next finds a warm handle. */
void transfer_finish(struct transfer *t, CURLcode code)
{
    struct transfer_result result;
    const struct transfer_ops *ops = t->ops;
    void *owner = t->owner;
    bool dead = t->dead;
    if (!dead)
        judge(t, code, &result);
    transfer_release(t);
    if (!dead)
        ops->on_end(owner, &result);
}

/* ------------------------------------------------------------------------------------------
 * What owners call
 */

static status check_scheme(const struct transfer *t, error *err)
{
    const char *allowed = t->profile->options->http_protocols;
    const char *p = allowed && *allowed ? allowed : "http,https";
    const struct url *u = &t->url;
    bool known = span_equal(u->scheme, "http") || span_equal(u->scheme, "https");
    for (const char *one = p; *one && known;) {
        size_t n = strcspn(one, ",");
        struct span name = span_trim((struct span){one, n});
        if (name.n == u->scheme.n && strncasecmp(name.p, u->scheme.p, name.n) == 0)
            return OK;
        one += n + (one[n] == ',');
    }
    return fail(err, WEIR_POLICY,
                "%.*s: the scheme \"%.*s\" is not allowed; allowed are %s "
                "(http.protocols)",
                (int)u->authority.n, u->authority.p, (int)u->scheme.n, u->scheme.p, p);
}

static void begin(struct transfer *t, const struct transfer_request *request,
                  const struct transfer_ops *ops, void *owner)
{
    const struct options *o = request->options;
    uint64_t now = clock_now();
    t->ops = ops;
    t->owner = owner;
    head_begin(&t->head, request->want_headers);
    t->address[0] = t->curl_text[0] = '\0';
    error_clear(&t->verdict);
    t->phase = PHASE_CONNECTING;
    t->is_redirect = request->is_redirect;
    t->from_public = request->from_public;
    t->dead = t->want_paused = t->paused = t->draining = t->cut = t->no_descriptors = false;
    t->body_bytes = t->dropped_bytes = t->seen_bytes = 0;
    t->sent_times = 0;
    t->uploads = request->upload;
    t->send_failed = false;
    t->waits_for = t->socket = -1;
    t->acknowledged = 0;
    t->ends = later(now, o->http_timeout);
    t->drain_until = TIME_NEVER;
    /* libcurl's own limit comes first and has the better message. */
    t->tick_at = later(now, o->http_connect_timeout > 0 ? o->http_connect_timeout + NS_PER_S : 0);
    arm(t);
}

status transfer_start(struct net_loop *loop, const struct transfer_request *request,
                      const struct transfer_ops *ops, void *owner, struct transfer **out,
                      error *err)
{
    const struct profile *profile;
    struct transfer *t;
    status st = profile_find(&profile, loop, request->options, request->own_origin, err);
    if (!st)
        st = handle_take(&t, loop, profile, err);
    if (st)
        return st;
    st = url_parse(&t->url, span_of(request->url), err);
    if (!st)
        st = check_scheme(t, err);
    if (!st)
        st = handle_prepare(t, request, err);
    if (st) {
        handle_give_back(t);
        return st;
    }
    begin(t, request, ops, owner);
    loop_defer(loop, t);
    *out = t;
    return OK;
}

void transfer_pause(struct transfer *t)
{
    if (t->want_paused || t->dead)
        return;
    t->want_paused = true;
    /* From within a callback of this transfer, stop_reading follows it; of another one, it waits.
     */
    if (t->loop->in_curl)
        loop_defer(t->loop, t);
    else
        stop_reading(t);
}

void transfer_resume(struct transfer *t)
{
    if (!t->want_paused || t->dead)
        return;
    t->want_paused = false;
    if (t->paused)
        loop_defer(t->loop, t);
}

void transfer_hand_over(struct transfer *t, const struct transfer_ops *ops, void *owner)
{
    t->ops = ops;
    t->owner = owner;
}

void transfer_cancel(struct transfer *t)
{
    t->dead = true;
    transfer_stop_waiting(t); /* the owner may close the descriptor now */
    if (t->loop->in_curl)
        loop_defer(t->loop, t);
    else
        transfer_release(t);
}

static void add_to_multi(struct transfer *t)
{
    CURLMcode code = curl_multi_add_handle(t->loop->multi, t->easy);
    t->added = true; /* or half so, when it fails */
    loop_check(t->loop, code);
    if (!code)
        return;
    t->loop->acted = true;
    transfer_finish(t, CURLE_OUT_OF_MEMORY);
}

void transfer_run_deferred(struct transfer *t)
{
    if (t->dead)
        transfer_release(t);
    else if (t->loop->broken)
        return; /* to be cancelled */
    else if (!t->added)
        add_to_multi(t);
    else if (t->want_paused)
        stop_reading(t);
    else if (t->paused)
        read_on(t);
}

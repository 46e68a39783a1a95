/* Easy handles: made once, set up for a profile, used for one request after another. Runs on the
 * loop's thread.
 *
 * A handle is hardly ever reset: setting all options anew costs much for a small file. What comes
 * from `struct options` is set when a handle changes its profile, which happens seldom; what a
 * request brings (URL, headers, proxy, credentials) is set when it differs from what the handle
 * has.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/netrc.h"
#include "net/request_headers.h"
#include "net/request_signature.h"

#define IDLE_LOOKS 8    /* idle handles looked at for the right profile */
#define KEEP_BYTES 8192 /* of a transfer's texts, beyond that they are freed after use */
/* Seconds that an address is known. libcurl looks at all that it knows whenever a transfer ends, so
 * that its 60 would make a list of many hosts cost the square of their number. */
#define KEEP_ADDRESSES 5L

/* ------------------------------------------------------------------------------------------
 * Profiles
 */

static status make_cookie_share(struct net_loop *loop, error *err)
{
    if (loop->cookie_share)
        return OK;
    loop->cookie_share = curl_share_init();
    if (loop->cookie_share &&
        !curl_share_setopt(loop->cookie_share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) &&
        !curl_share_setopt(loop->cookie_share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE))
        return OK;
    return fail(err, WEIR_NOMEM, "no memory for cookies");
}

/* The cookies of a loop are in its share object, so that they hold for all its handles. The file is
 * read once, by a handle that serves nothing else. */
static status load_cookies(struct net_loop *loop, const char *file, error *err)
{
    for (const struct profile *p = loop->profiles; p; p = p->next)
        if (p->cookies && strcmp(p->options->http_cookie_file, file) == 0)
            return OK;
    if (access(file, R_OK) < 0)
        return fail_errno(err, WEIR_CONFIG, errno, "http.cookie_file: \"%s\" cannot be read", file);
    status st = make_cookie_share(loop, err);
    if (st)
        return st;
    CURL *easy = curl_easy_init();
    CURLcode code =
        easy ? curl_easy_setopt(easy, CURLOPT_SHARE, loop->cookie_share) : CURLE_OUT_OF_MEMORY;
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_COOKIEFILE, file);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_COOKIELIST, "RELOAD");
    curl_easy_cleanup(easy);
    return code ? fail(err, WEIR_CONFIG, "http.cookie_file: \"%s\": %s", file,
                       curl_easy_strerror(code))
                : OK;
}

static status profile_check(const struct options *o, error *err)
{
    if (o->http_proxy && *o->http_proxy) {
        status st = proxy_check(o->http_proxy, err);
        if (st)
            return st;
    }
    if (o->http_ca_file && *o->http_ca_file && access(o->http_ca_file, R_OK) < 0 &&
        errno != EMFILE && errno != ENFILE)
        return fail_errno(err, WEIR_CONFIG, errno, "http.ca_file: \"%s\" cannot be read",
                          o->http_ca_file);
    return signature_check(o, err);
}

static void profile_free(struct profile *p)
{
    curl_slist_free_all(p->headers);
    free(p);
}

static status profile_new(struct profile **out, struct net_loop *loop,
                          const struct options *options, bool own_origin, error *err)
{
    struct profile *p = calloc(1, sizeof *p);
    if (!p)
        return fail(err, WEIR_NOMEM, "no memory for the settings of a host");
    p->options = options;
    p->own_origin = own_origin;
    status st = profile_check(options, err);
    if (!st && options->http_cookie_file && *options->http_cookie_file) {
        st = load_cookies(loop, options->http_cookie_file, err);
        p->cookies = true;
    }
    for (size_t i = 0; !st && own_origin && i < options->http_header.n; i++) {
        struct curl_slist *more = curl_slist_append(p->headers, options->http_header.items[i]);
        if (more)
            p->headers = more;
        else
            st = fail(err, WEIR_NOMEM, "no memory for the headers of http.header");
    }
    if (st)
        profile_free(p);
    else
        *out = p;
    return st;
}

status profile_find(const struct profile **out, struct net_loop *loop,
                    const struct options *options, bool own_origin, error *err)
{
    struct profile **at = &loop->profiles, *p;
    while ((p = *at) && (p->options != options || p->own_origin != own_origin))
        at = &p->next;
    if (p) {
        *at = p->next;
    } else {
        status st = profile_new(&p, loop, options, own_origin, err);
        if (st)
            return st;
    }
    p->next = loop->profiles;
    loop->profiles = p;
    *out = p;
    return OK;
}

/* ------------------------------------------------------------------------------------------
 * Handles
 */

/* Sets an option unless one before has failed. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (!code)                                                                                 \
            code = curl_easy_setopt(easy, option, value);                                          \
    } while (0)

/* What never changes. */
static CURLcode set_callbacks(struct transfer *t)
{
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_ERRORBUFFER, t->curl_text);
    SET(CURLOPT_WRITEFUNCTION, transfer_take_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, transfer_take_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_PREREQFUNCTION, transfer_connected);
    SET(CURLOPT_PREREQDATA, t);
    SET(CURLOPT_OPENSOCKETFUNCTION, loop_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, t);
    SET(CURLOPT_CLOSESOCKETFUNCTION, loop_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, t->loop); /* a connection outlives the transfer that opened it */
    SET(CURLOPT_READFUNCTION, transfer_give_body);
    SET(CURLOPT_READDATA, t);
    SET(CURLOPT_SEEKFUNCTION, transfer_seek_body);
    SET(CURLOPT_SEEKDATA, t);
    SET(CURLOPT_TRAILERDATA, t);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)t->loop->env.receive_buffer);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_BUFFERSIZE, (long)t->loop->env.receive_buffer);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_FAILONERROR, 0L);
    SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L); /* url.c has removed the dot segments */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, KEEP_ADDRESSES);
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_PROTOCOLS_STR, "http,https"); /* http.protocols is judged in transfer_start */
    SET(CURLOPT_PROXY, "");                   /* NULL would ask the environment, each time */
    SET(CURLOPT_NOPROXY, "");
    return code;
}

static CURLcode set_tls(struct transfer *t, const struct options *o)
{
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    const char *ca = o->http_ca_file && *o->http_ca_file ? o->http_ca_file : t->loop->default_ca;
    SET(CURLOPT_SSL_VERIFYPEER, o->http_verify_tls ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, o->http_verify_tls ? 2L : 0L);
    if (ca) {
        SET(CURLOPT_CAINFO, ca);
        SET(CURLOPT_PROXY_CAINFO, ca);
    }
    return code;
}

static CURLcode set_netrc(struct transfer *t, bool on)
{
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    const char *file = t->profile->options->http_netrc;
    SET(CURLOPT_NETRC, on ? (long)CURL_NETRC_OPTIONAL : (long)CURL_NETRC_IGNORED);
    if (on)
        SET(CURLOPT_NETRC_FILE, strcmp(file, "yes") == 0 ? NULL : file);
    t->netrc = on;
    return code;
}

/* What the profile says. Credentials, headers and proxy are left to handle_prepare. */
static CURLcode set_profile(struct transfer *t, const struct profile *profile)
{
    const struct options *o = profile->options;
    struct net_loop *loop = t->loop;
    CURLSH *share = profile->cookies ? loop->cookie_share : loop->share;
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    static const long versions[] = {[HTTP_VERSION_1_0] = CURL_HTTP_VERSION_1_0,
                                    [HTTP_VERSION_1_1] = CURL_HTTP_VERSION_1_1,
                                    [HTTP_VERSION_2] = CURL_HTTP_VERSION_2TLS};
    if (t->share != share) {
        SET(CURLOPT_SHARE, share);
        t->share = share;
    }
    SET(CURLOPT_COOKIEFILE, profile->cookies ? "" : NULL); /* "" = use what the share holds */
    t->profile = profile;
    t->credentials = CREDENTIALS_UNKNOWN;
    SET(CURLOPT_HTTP_VERSION, versions[o->http_version]);
    SET(CURLOPT_PIPEWAIT, o->http_version == HTTP_VERSION_2 ? 1L : 0L);
    SET(CURLOPT_USERAGENT,
        o->http_user_agent && *o->http_user_agent ? o->http_user_agent : "weir/" WEIR_VERSION);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((o->http_connect_timeout + NS_PER_MS - 1) / NS_PER_MS));
    if (!code)
        code = set_tls(t, o);
    if (!code)
        code = set_netrc(t, false);
    return code;
}

static void handle_free(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    url_free(&t->url);
    head_free(&t->head);
    strbuf_free(&t->header_text);
    strbuf_free(&t->signature_text);
    free(t->nodes);
    free(t);
}

static status handle_new(struct transfer **out, struct net_loop *loop, error *err)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return fail(err, WEIR_NOMEM, "no memory for a transfer");
    t->loop = loop;
    t->usual = true;
    t->deferred.prev = t->deferred.next = &t->deferred;
    t->waits_for = -1;
    url_init(&t->url);
    t->easy = curl_easy_init();
    if (!t->easy || set_callbacks(t) ||
        !timer_heap_reserve(&loop->timers, loop->transfer_count + 1)) {
        handle_free(t);
        return fail(err, WEIR_NOMEM, "no memory for an easy handle of libcurl");
    }
    char *ca = NULL;
    if (!loop->default_ca && curl_easy_getinfo(t->easy, CURLINFO_CAINFO, &ca) == CURLE_OK)
        loop->default_ca = ca; /* a constant of libcurl's */
    t->all_next = loop->all;
    loop->all = t;
    loop->transfer_count++;
    *out = t;
    return OK;
}

/* libcurl asks again by itself when a kept connection turns out dead, at most five times; but it
 * counts over the life of a handle, and only curl_easy_reset makes it forget (7.88). */
static CURLcode renew(struct transfer *t)
{
    curl_easy_reset(t->easy);
    t->headers = NULL;
    t->proxy = NULL;
    CURLcode code = set_callbacks(t);
    t->small_buffer = false;
    t->usual = true;
    t->worn = code != CURLE_OK;
    return code;
}

status handle_take(struct transfer **out, struct net_loop *loop, const struct profile *profile,
                   error *err)
{
    struct transfer **at = &loop->idle, *t = NULL;
    for (int i = 0; i < IDLE_LOOKS && *at && (*at)->profile != profile; i++)
        at = &(*at)->idle_next;
    if (!*at || (*at)->profile != profile)
        at = &loop->idle;
    if (*at) {
        t = *at;
        *at = t->idle_next;
    } else {
        status st = handle_new(&t, loop, err);
        if (st)
            return st;
    }
    if (t->profile != profile) {
        CURLcode code = t->worn ? renew(t) : CURLE_OK;
        if (!code)
            code = set_profile(t, profile);
        if (code) {
            t->profile = NULL;
            handle_give_back(t);
            return fail(err, code == CURLE_OUT_OF_MEMORY ? WEIR_NOMEM : WEIR_CONFIG,
                        "libcurl does not take the http settings: %s", curl_easy_strerror(code));
        }
    }
    *out = t;
    return OK;
}

void handle_give_back(struct transfer *t)
{
    if (t->sent_times > 1 || t->soiled) {
        t->worn = true;
        t->profile = NULL;
    }
    t->sent_times = 0;
    t->soiled = false;
    if (t->url.buffer.cap > KEEP_BYTES)
        url_free(&t->url);
    if (t->head.text.cap > KEEP_BYTES)
        head_free(&t->head);
    if (t->header_text.cap > KEEP_BYTES)
        strbuf_free(&t->header_text);
    t->idle_next = t->loop->idle;
    t->loop->idle = t;
}

void handle_pool_close(struct net_loop *loop)
{
    struct transfer *t;
    struct profile *p;
    while ((t = loop->all)) {
        loop->all = t->all_next;
        if (t->added && loop->broken)
            continue; /* it cannot be taken out of the multi */
        if (t->added)
            loop_check(loop, curl_multi_remove_handle(loop->multi, t->easy));
        handle_free(t);
    }
    while ((p = loop->profiles)) {
        loop->profiles = p->next;
        profile_free(p);
    }
}

/* ------------------------------------------------------------------------------------------
 * Requests
 */

static bool add_decoded(struct strbuf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        char c = s.p[i];
        if (low >= 0) {
            c = (char)(16 * high + low);
            i += 2;
        }
        if (c == '\0')
            return false;
        strbuf_addc(b, c);
    }
    return true;
}

/* User and password of the URL are given apart from it, so that they never stand in a text of
 * libcurl's. */
static CURLcode set_url_credentials(struct transfer *t)
{
    struct strbuf user = {0}, password = {0};
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    if (!add_decoded(&user, t->url.user) || !add_decoded(&password, t->url.password))
        code = CURLE_URL_MALFORMAT;
    if (user.failed || password.failed)
        code = CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_USERNAME, strbuf_text(&user));
    SET(CURLOPT_PASSWORD, strbuf_text(&password));
    strbuf_free(&user);
    strbuf_free(&password);
    return code;
}

static CURLcode set_credentials(struct transfer *t)
{
    const struct options *o = t->profile->options;
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    bool signs = profile_signs(t->profile); /* then the keys do not travel */
    enum credentials want = signs           ? CREDENTIALS_NONE
                            : t->url.user.p ? CREDENTIALS_URL
                            : t->profile->own_origin && o->http_user && *o->http_user
                                ? CREDENTIALS_PROFILE
                                : CREDENTIALS_NONE;
    if (want == CREDENTIALS_URL) {
        code = set_url_credentials(t);
    } else if (want != t->credentials) {
        SET(CURLOPT_USERNAME, NULL);
        SET(CURLOPT_PASSWORD, NULL);
        if (want == CREDENTIALS_PROFILE)
            SET(CURLOPT_USERPWD, o->http_user);
    }
    t->credentials = code ? CREDENTIALS_UNKNOWN : want;
    bool netrc = o->http_netrc && *o->http_netrc && strcmp(o->http_netrc, "no") != 0 &&
                 want == CREDENTIALS_NONE && !signs &&
                 (t->profile->own_origin || netrc_names_host(o->http_netrc, t->url.host));
    if (!code && netrc != t->netrc)
        code = set_netrc(t, netrc);
    return code;
}

static CURLcode set_url(struct transfer *t)
{
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    if (!t->url.user.p) {
        SET(CURLOPT_URL, t->url.text.p);
        return code;
    }
    struct strbuf plain = {0};
    url_without_secrets(&plain, t->url.text.p);
    code = plain.failed ? CURLE_OUT_OF_MEMORY : CURLE_OK;
    SET(CURLOPT_URL, strbuf_text(&plain));
    strbuf_free(&plain);
    return code;
}

/* Refused while libcurl still holds the buffer of the exchange before (HTTP/2, in 7.88): then the
 * size stays as it was. */
static void set_buffer(struct transfer *t)
{
    const struct net_loop *loop = t->loop;
    bool small = loop->usual_bytes < RECEIVE_SMALL && loop->env.receive_buffer > RECEIVE_SMALL;
    long size = (long)(small ? RECEIVE_SMALL : loop->env.receive_buffer);
    if (small != t->small_buffer && !curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, size))
        t->small_buffer = small;
}

/* GET, unless the request says otherwise. A handle that was told so is told when it is over. */
static CURLcode set_method(struct transfer *t, const struct transfer_request *request)
{
    CURL *easy = t->easy;
    CURLcode code = CURLE_OK;
    bool usual = !request->method && !request->body && !request->upload;
    if (usual && t->usual)
        return code;
    t->usual = usual;
    SET(CURLOPT_HTTPGET, 1L);
    SET(CURLOPT_POSTFIELDS, NULL);
    SET(CURLOPT_CUSTOMREQUEST, request->method);
    SET(CURLOPT_FRESH_CONNECT, request->own_connection ? 1L : 0L);
    SET(CURLOPT_TRAILERFUNCTION, request->upload_trailers ? transfer_give_trailer : NULL);
    /* Whatever lengths the answer to HEAD tells, nothing follows them. */
    if (request->method && strcmp(request->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    if (request->upload) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->upload_size);
        return code;
    }
    if (request->body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        SET(CURLOPT_POSTFIELDS, request->body);
    }
    return code;
}

status handle_prepare(struct transfer *t, const struct transfer_request *request, error *err)
{
    CURL *easy = t->easy;
    const struct curl_slist *headers;
    const char *proxy = proxy_for(&t->loop->proxy_env, t->profile->options->http_proxy, &t->url);
    status st = request_headers(&headers, t, request, err);
    if (st)
        return st;
    set_buffer(t);
    CURLcode code = set_url(t);
    if (!code)
        code = set_credentials(t);
    if (!code)
        code = set_method(t, request);
    if (headers != t->headers) {
        SET(CURLOPT_HTTPHEADER, headers);
        t->headers = headers;
    }
    if (proxy != t->proxy) {
        SET(CURLOPT_PROXY, proxy ? proxy : "");
        t->proxy = proxy;
    }
    if (!code)
        return OK;
    return fail(err, code == CURLE_OUT_OF_MEMORY ? WEIR_NOMEM : WEIR_INPUT,
                "%.*s: the request cannot be made: %s", (int)t->url.authority.n, t->url.authority.p,
                curl_easy_strerror(code));
}

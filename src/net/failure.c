/* From libcurl's codes to our classes; see failure.h. Runs on the loop's thread.
 *
 * A class decides whether the request is tried again, so what matters is how far the exchange had
 * come: the same broken connection is `connect` before an answer and `truncated` within one. TLS
 * trouble is final, but a connection that is cut during the handshake is no TLS trouble.
 */
#include "net/failure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_PROBE ((size_t)1 << 20)

struct row {
    CURLcode code;
    status early, late; /* before the head of an answer, and behind it */
    const char *text;
};

static const struct row rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST, WEIR_DNS, WEIR_DNS, "the host name could not be resolved"},
    {CURLE_COULDNT_RESOLVE_PROXY, WEIR_CONNECT, WEIR_CONNECT,
     "the name of the proxy could not be resolved"},
    {CURLE_COULDNT_CONNECT, WEIR_CONNECT, WEIR_CONNECT, "the connection could not be made"},
    {CURLE_PROXY, WEIR_CONNECT, WEIR_CONNECT, "the proxy failed"},
    {CURLE_GOT_NOTHING, WEIR_CONNECT, WEIR_TRUNCATED,
     "the server closed the connection without an answer"},
    {CURLE_SEND_ERROR, WEIR_CONNECT, WEIR_TRUNCATED, "the connection was lost while sending"},
    {CURLE_RECV_ERROR, WEIR_CONNECT, WEIR_TRUNCATED, "the connection was lost"},
    {CURLE_HTTP2, WEIR_CONNECT, WEIR_TRUNCATED, "the HTTP/2 connection failed"},
    {CURLE_HTTP2_STREAM, WEIR_CONNECT, WEIR_TRUNCATED, "the server reset the HTTP/2 stream"},
    {CURLE_PARTIAL_FILE, WEIR_TRUNCATED, WEIR_TRUNCATED, "the body ended early"},
    {CURLE_WRITE_ERROR, WEIR_TRUNCATED, WEIR_TRUNCATED, "the body could not be read"},
    {CURLE_WEIRD_SERVER_REPLY, WEIR_HTTP, WEIR_HTTP, "the answer is no valid HTTP"},
    {CURLE_UNSUPPORTED_PROTOCOL, WEIR_HTTP, WEIR_HTTP, "the answer is no HTTP/1.0 or later"},
    {CURLE_TOO_MANY_REDIRECTS, WEIR_REDIRECT, WEIR_REDIRECT, "too many redirects"},
    {CURLE_PEER_FAILED_VERIFICATION, WEIR_TLS, WEIR_TLS,
     "the certificate of the server could not be verified"},
    {CURLE_SSL_CONNECT_ERROR, WEIR_TLS, WEIR_TLS, "the TLS handshake failed"},
    {CURLE_SSL_CACERT_BADFILE, WEIR_TLS, WEIR_TLS, "the file of CA certificates cannot be read"},
    {CURLE_SSL_CERTPROBLEM, WEIR_TLS, WEIR_TLS, "the local certificate cannot be used"},
    {CURLE_SSL_CIPHER, WEIR_TLS, WEIR_TLS, "no cipher in common with the server"},
    {CURLE_SSL_ISSUER_ERROR, WEIR_TLS, WEIR_TLS, "the issuer of the certificate does not fit"},
    {CURLE_SSL_INVALIDCERTSTATUS, WEIR_TLS, WEIR_TLS, "the certificate status is not valid"},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, WEIR_TLS, WEIR_TLS, "the public key is another one"},
    {CURLE_SSL_ENGINE_NOTFOUND, WEIR_TLS, WEIR_TLS, "libcurl has no TLS engine"},
    {CURLE_USE_SSL_FAILED, WEIR_TLS, WEIR_TLS, "TLS could not be used"},
    {CURLE_UPLOAD_FAILED, WEIR_HTTP, WEIR_HTTP,
     "HTTP/1.0 has no chunks, and the size of what is sent is not known; send a file, or set "
     "http.version"},
    {CURLE_SEND_FAIL_REWIND, WEIR_CONNECT, WEIR_TRUNCATED,
     "the connection was lost, and what had been sent cannot be sent again"},
    {CURLE_OUT_OF_MEMORY, WEIR_NOMEM, WEIR_NOMEM, "out of memory"},
    {CURLE_URL_MALFORMAT, WEIR_INPUT, WEIR_INPUT, "libcurl does not take the URL"},
};

static const struct row *row_of(CURLcode code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

/* " via proxy http://proxy:3128", or "". */
static void add_proxy(struct strbuf *b, const struct transfer *t)
{
    if (!t->proxy)
        return;
    struct strbuf whole = {0};
    if (!strstr(t->proxy, "://"))
        strbuf_adds(&whole, "http://");
    strbuf_adds(&whole, t->proxy);
    strbuf_adds(b, " via proxy ");
    url_without_secrets(b, strbuf_text(&whole));
    strbuf_free(&whole);
}

/* The connection was cut while the handshake was under way. */
static bool cut_in_handshake(const char *text, long os_errno)
{
    static const char *const signs[] = {"SSL_ERROR_SYSCALL", "Connection reset",
                                        "unexpected eof",    "SSL_ERROR_ZERO_RETURN",
                                        "Broken pipe",       "Connection was reset"};
    if (os_errno == ECONNRESET || os_errno == EPIPE || os_errno == ETIMEDOUT)
        return true;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(text, signs[i]))
            return true;
    return false;
}

/* libcurl reports a lack of descriptors as whatever failed for it. Asked for one now, the system
 * tells, if the lack lasts. */
static bool out_of_descriptors(const struct transfer *t)
{
    if (t->no_descriptors)
        return true;
    int fd = fcntl(t->loop->epoll_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

static void explain_timeout(const struct transfer *t, const char *where, error *err)
{
    double seconds = (double)t->profile->options->http_connect_timeout / NS_PER_S;
    if (t->phase == PHASE_CONNECTING)
        fail(err, WEIR_TIMEOUT, "%s: connect timed out after %gs (http.connect_timeout)", where,
             seconds);
    else
        fail(err, WEIR_TIMEOUT, "%s: timed out", where);
}

static void explain_partial(const struct transfer *t, const char *where, error *err)
{
    int64_t length = t->head.transfer_encoding ? -1 : t->head.content_length;
    if (length >= 0)
        fail(err, WEIR_TRUNCATED, "%s: the body ended after %lld of %lld bytes", where,
             (long long)t->body_bytes, (long long)length);
    else
        fail(err, WEIR_TRUNCATED, "%s: the body ended early, after %lld bytes", where,
             (long long)t->body_bytes);
}

bool failure_of_framing(const struct transfer *t, CURLcode code)
{
    return code && code != CURLE_PARTIAL_FILE && t->head.transfer_encoding &&
           strstr(t->curl_text, "chunked-encod");
}

/* libcurl calls a line that is longer than it takes a lack of memory, too. */
static bool memory_is_there(void)
{
    void *volatile probe = malloc(MEMORY_PROBE);
    bool there = probe != NULL;
    free(probe);
    return there;
}

/* A proxy that refuses a tunnel: 4xx is its last word, 5xx may pass. */
static bool explain_tunnel(const struct transfer *t, const char *where, error *err)
{
    long proxy_status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (!t->proxy || t->phase != PHASE_CONNECTING || proxy_status < 300)
        return false;
    fail(err, proxy_status < 500 ? WEIR_HTTP : WEIR_CONNECT,
         "%s: the proxy refused the connection with status %ld", where, proxy_status);
    return true;
}

/* The rest: the row's text, with the system's or libcurl's words behind it. */
static void explain_by_row(struct transfer *t, CURLcode code, const char *where, error *err)
{
    const struct row *row = row_of(code);
    const char *detail = t->curl_text[0] ? t->curl_text : curl_easy_strerror(code);
    long os_errno = 0;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    status st = t->phase == PHASE_BODY ? WEIR_TRUNCATED : WEIR_CONNECT;
    if (row)
        st = t->phase == PHASE_BODY ? row->late : row->early;
    if (code == CURLE_SSL_CONNECT_ERROR && cut_in_handshake(detail, os_errno))
        fail(err, WEIR_CONNECT, "%s: the connection was lost during the TLS handshake (%s)", where,
             detail);
    else if (code == CURLE_UNSUPPORTED_PROTOCOL && t->phase == PHASE_CONNECTING)
        fail(err, WEIR_POLICY, "%s: the scheme is not supported (%s)", where, detail);
    else if (code == CURLE_WEIRD_SERVER_REPLY && strstr(detail, "Content-Length"))
        fail(err, WEIR_TRUNCATED,
             "%s: Content-Length is not a number, so the end of the body "
             "cannot be known",
             where);
    else if (code == CURLE_OUT_OF_MEMORY && t->phase == PHASE_SENT && memory_is_there())
        fail(err, WEIR_HTTP,
             "%s: a header line of the answer is too large, or no memory was left "
             "for it",
             where);
    else if (row && code == CURLE_PEER_FAILED_VERIFICATION)
        fail(err, st,
             "%s: %s (%s); give its CA with --ca-file FILE, or do without the check by "
             "--insecure",
             where, row->text, detail);
    else if (code == CURLE_COULDNT_CONNECT && os_errno)
        fail_errno(err, st, (int)os_errno, "%s: the connection could not be made", where);
    else
        fail(err, st, "%s: %s (%s)", where, row ? row->text : "the request failed", detail);
    err->sys_errno = (int)os_errno;
}

void failure_explain(struct transfer *t, CURLcode code, error *err)
{
    struct strbuf b = {0};
    strbuf_add(&b, t->url.authority.p, t->url.authority.n);
    add_proxy(&b, t);
    const char *where = strbuf_text(&b);
    if (t->phase == PHASE_CONNECTING && code != CURLE_OUT_OF_MEMORY && out_of_descriptors(t))
        fail_errno(err, WEIR_AGAIN, EMFILE,
                   "%s: no file descriptors left for a connection; lower --concurrency or raise "
                   "ulimit -n",
                   where);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        explain_timeout(t, where, err);
    else if (code == CURLE_PARTIAL_FILE)
        explain_partial(t, where, err);
    else if (!explain_tunnel(t, where, err))
        explain_by_row(t, code, where, err);
    strbuf_free(&b);
}

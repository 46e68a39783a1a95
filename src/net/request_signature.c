/* See request_signature.h. The keys are those of http.user, or of the environment, under the names
 * that every program for such stores reads; they are looked up anew each time and kept nowhere.
 */
#include "net/request_signature.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>

#include "net/sigv4.h"

#define ALL_HEADERS_MAX 256

static struct span environment(const char *name)
{
    return span_of(getenv(name));
}

static bool find_keys(struct sigv4_keys *out, const struct options *o)
{
    const char *colon = o->http_user ? strchr(o->http_user, ':') : NULL;
    *out = (struct sigv4_keys){.id = environment("AWS_ACCESS_KEY_ID"),
                               .secret = environment("AWS_SECRET_ACCESS_KEY"),
                               .token = environment("AWS_SESSION_TOKEN")};
    if (colon)
        *out = (struct sigv4_keys){.id = {o->http_user, (size_t)(colon - o->http_user)},
                                   .secret = span_of(colon + 1)};
    return out->id.n && out->secret.n;
}

status signature_check(const struct options *o, error *err)
{
    struct sigv4_scope scope;
    struct sigv4_keys keys;
    if (!o->http_aws_sigv4 || !*o->http_aws_sigv4)
        return OK;
    status st = sigv4_read_scope(&scope, o->http_aws_sigv4, err);
    if (!st && !find_keys(&keys, o))
        st = fail(err, WEIR_CONFIG,
                  "http.aws_sigv4 is set, but there are no keys to sign with: set "
                  "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --user ID:SECRET");
    return st;
}

/* The value of a header that the request has already; NULL: none. */
static const char *value_of(const char *const *headers, const char *name)
{
    size_t n = strlen(name);
    for (; *headers; headers++)
        if (strncasecmp(*headers, name, n) == 0 && (*headers)[n] == ':')
            return *headers + n + 1 + strspn(*headers + n + 1, " \t");
    return NULL;
}

static bool digest_of(const void *data, size_t size, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[32];
    if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (int i = 0; i < 32; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
    return true;
}

/* What stands for the body. `own`: room for its digest. */
static status payload_of(const char **out, const struct transfer_request *request, bool s3,
                         char own[65], error *err)
{
    *out = SIGV4_EMPTY;
    if (request->upload && request->payload_sha256) {
        *out = request->payload_sha256;
    } else if (request->upload && request->upload_size != 0) {
        *out = SIGV4_UNSIGNED;
        if (!s3)
            return fail(err, WEIR_INPUT,
                        "a body whose digest is not known beforehand can be signed for the service "
                        "s3 only; save what is sent to a file");
    } else if (!request->upload && request->body) {
        *out = own;
        if (!digest_of(request->body, request->body_size, own))
            return fail(err, WEIR_NOMEM, "the request cannot be signed: OpenSSL has no SHA-256");
    }
    return OK;
}

static void add_line(struct transfer *t, size_t *count, struct span prefix, const char *name,
                     struct span value)
{
    struct strbuf *b = &t->signature_text;
    strbuf_addf(b, "x-%.*s-%s: %.*s", (int)prefix.n, prefix.p, name, (int)value.n, value.p);
    strbuf_addc(b, '\0');
    ++*count;
}

/* The lines that are themselves signed. */
static void add_lines(struct transfer *t, const struct sigv4_scope *scope,
                      const struct sigv4_keys *keys, const struct sigv4_request *r,
                      const char *const *headers, size_t *count)
{
    struct strbuf name = {0};
    add_line(t, count, scope->prefix, "date", span_of(r->time));
    strbuf_addf(&name, "x-%.*s-content-sha256", (int)scope->prefix.n, scope->prefix.p);
    if (span_equal_nocase(scope->service, "s3") && !value_of(headers, strbuf_text(&name)))
        add_line(t, count, scope->prefix, "content-sha256", span_of(r->payload));
    if (keys->token.n)
        add_line(t, count, scope->prefix, "security-token", keys->token);
    strbuf_free(&name);
}

static void write_host(struct strbuf *out, const struct transfer *t, const char *const *headers)
{
    const char *given = value_of(headers, "Host");
    if (given)
        strbuf_adds(out, given);
    else
        strbuf_add(out, t->url.host.p, t->url.host.n);
    if (!given && !t->url.default_port)
        strbuf_addf(out, ":%u", t->url.port);
}

status request_sign(struct transfer *t, const struct transfer_request *request,
                    const char *const *headers, size_t *count, error *err)
{
    const struct options *o = t->profile->options;
    struct sigv4_scope scope;
    struct sigv4_keys keys;
    struct strbuf host = {0};
    const char *all[ALL_HEADERS_MAX + SIGNATURE_LINES + 1];
    char own[65];
    size_t n = 0;
    struct sigv4_request r = {.method = request->method   ? request->method
                                        : request->upload ? "PUT"
                                        : request->body   ? "POST"
                                                          : "GET",
                              .path = t->url.path,
                              .query = t->url.query,
                              .headers = all};
    *count = 0;
    strbuf_clear(&t->signature_text);
    status st = sigv4_read_scope(&scope, o->http_aws_sigv4, err);
    if (!st && !find_keys(&keys, o))
        st = signature_check(o, err);
    if (st)
        return st;
    sigv4_complete(&scope, t->url.host, getenv("AWS_REGION"));
    st = payload_of(&r.payload, request, span_equal_nocase(scope.service, "s3"), own, err);
    if (st)
        return st;
    time_t now = (time_t)clock_wall_s();
    struct tm tm;
    strftime(r.time, sizeof r.time, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    add_lines(t, &scope, &keys, &r, headers, count);
    for (; n < ALL_HEADERS_MAX && headers[n]; n++)
        all[n] = headers[n];
    const char *p = strbuf_text(&t->signature_text);
    for (size_t i = 0; i < *count; i++, p += strlen(p) + 1)
        all[n++] = p;
    all[n] = NULL;
    write_host(&host, t, headers);
    r.host = (struct span){strbuf_text(&host), host.n};
    struct strbuf authorization = {0};
    st = sigv4_sign(&authorization, &scope, &keys, &r, err);
    strbuf_add(&t->signature_text, strbuf_text(&authorization), authorization.n + 1);
    ++*count;
    if (!st && (t->signature_text.failed || host.failed || authorization.failed))
        st = fail(err, WEIR_NOMEM, "out of memory for a signature");
    strbuf_free(&authorization);
    strbuf_free(&host);
    return st;
}

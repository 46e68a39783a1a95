/* AWS Signature Version 4; see sigv4.h. Any thread.
 *
 *     canonical request = method, path, query, headers, their names, digest of the body
 *     string to sign    = algorithm, time, scope, digest of the canonical request
 *     key               = HMAC over date, region, service and "aws4_request", from the secret on
 *
 * Signed are the host, what says which bytes are meant, and every header of the provider's prefix;
 * what a proxy on the way may change or drop is left alone.
 */
#include "net/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define DIGEST 32
#define HEADERS_MAX 64
#define PAIRS_MAX 512

/* ---- scope ---- */

status sigv4_read_scope(struct sigv4_scope *out, const char *text, error *err)
{
    struct span parts[4] = {{0}};
    size_t n = 0;
    for (const char *p = text;; p++) {
        size_t length = strcspn(p, ":");
        if (n == 4)
            return fail(err, WEIR_CONFIG, "http.aws_sigv4: \"%s\" has more than four parts", text);
        parts[n++] = (struct span){p, length};
        p += length;
        if (!*p)
            break;
    }
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == '/' || *p == 0x7f)
            return fail(err, WEIR_CONFIG,
                        "http.aws_sigv4: \"%s\" holds a blank or a slash; write it as in "
                        "aws:amz:eu-west-1:s3",
                        text);
    if (!parts[0].n || parts[0].n > 32 || parts[1].n > 32)
        return fail(err, WEIR_CONFIG,
                    "http.aws_sigv4: \"%s\" names no provider; write it as in aws:amz:eu-west-1:s3",
                    text);
    if (!parts[1].n)
        parts[1] = span_equal_nocase(parts[0], "aws") ? span_of("amz") : parts[0];
    *out = (struct sigv4_scope){parts[0], parts[1], parts[2], parts[3]};
    return OK;
}

/* "s3.eu-west-1" or "s3-eu-west-1" at the end of what stands before ".amazonaws.com". */
static struct span region_of(struct span host)
{
    const char *end = host.n ? memmem(host.p, host.n, ".amazonaws.com", 14) : NULL;
    if (!end)
        return (struct span){0};
    const char *begin = end;
    while (begin > host.p && begin[-1] != '.')
        begin--;
    struct span label = {begin, (size_t)(end - begin)};
    if (span_starts(label, "s3-"))
        return (struct span){label.p + 3, label.n - 3};
    return span_equal(label, "s3") ? (struct span){0} : label;
}

void sigv4_complete(struct sigv4_scope *scope, struct span host, const char *region)
{
    if (!scope->region.n)
        scope->region = region_of(host);
    if (!scope->region.n)
        scope->region = span_of(region && *region ? region : "us-east-1");
    if (!scope->service.n)
        scope->service = span_of("s3");
}

/* ---- canonical spelling ---- */

static void add_folded(struct strbuf *b, struct span s, char first, int shift)
{
    for (size_t i = 0; i < s.n; i++)
        strbuf_addc(b, s.p[i] >= first && s.p[i] <= first + 25 ? (char)(s.p[i] + shift) : s.p[i]);
}

static void add_lower(struct strbuf *b, struct span s)
{
    add_folded(b, s, 'A', 'a' - 'A');
}

static void add_upper(struct strbuf *b, struct span s)
{
    add_folded(b, s, 'a', 'A' - 'a');
}

static void add_decoded(struct strbuf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        strbuf_addc(b, low >= 0 ? (char)(16 * high + low) : s.p[i]);
        i += low >= 0 ? 2 : 0;
    }
}

/* Decoded, and encoded again in the one way. */
static void add_respelled(struct strbuf *b, struct span s, const char *also)
{
    struct strbuf plain = {0};
    add_decoded(&plain, s);
    strbuf_add_percent(b, (struct span){strbuf_text(&plain), plain.n}, also);
    b->failed = b->failed || plain.failed;
    strbuf_free(&plain);
}

/* S3 compares what the path means; other services what is written, encoded once more. */
static void add_path(struct strbuf *b, const struct sigv4_scope *scope, struct span path)
{
    if (!path.n)
        strbuf_addc(b, '/');
    else if (span_equal_nocase(scope->service, "s3"))
        add_respelled(b, path, "/");
    else
        strbuf_add_percent(b, path, "/");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name=value", each respelled. Sorting the pairs as text would put "a=" before "a-b="; so a byte
 * lower than any stands for the '=' until they are sorted. */
static char *respelled_pair(struct span pair)
{
    struct strbuf b = {0};
    const char *equals = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
    size_t name = equals ? (size_t)(equals - pair.p) : pair.n;
    add_respelled(&b, (struct span){pair.p, name}, "");
    strbuf_addc(&b, '\1');
    if (equals)
        add_respelled(&b, (struct span){equals + 1, pair.n - name - 1}, "");
    if (!b.failed)
        return b.p;
    strbuf_free(&b);
    return NULL;
}

static status add_query(struct strbuf *b, struct span query, error *err)
{
    char *pairs[PAIRS_MAX];
    size_t n = 0, i = 0;
    status st = OK;
    while (query.n && !st) {
        const char *amp = memchr(query.p, '&', query.n);
        size_t size = amp ? (size_t)(amp - query.p) : query.n;
        if (n == PAIRS_MAX)
            st = fail(err, WEIR_INPUT, "the query has more than %d parts and cannot be signed",
                      PAIRS_MAX);
        else if (size && !(pairs[n++] = respelled_pair((struct span){query.p, size})))
            st = fail(err, WEIR_NOMEM, "out of memory for a signature");
        size += amp != NULL;
        query.p += size, query.n -= size;
    }
    if (!st)
        qsort(pairs, n, sizeof *pairs, by_text);
    for (i = 0; i < n; i++) {
        char *mark = pairs[i] ? strchr(pairs[i], '\1') : NULL;
        if (mark)
            *mark = '=';
        strbuf_adds(b, i ? "&" : "");
        strbuf_adds(b, pairs[i] ? pairs[i] : "");
        free(pairs[i]);
    }
    return st;
}

/* ---- headers ---- */

static bool is_signed(const struct sigv4_scope *scope, struct span name)
{
    static const char *const names[] = {"content-type", "content-md5", "date", "range"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_equal_nocase(name, names[i]))
            return true;
    size_t n = scope->prefix.n;
    return name.n > n + 3 && strncasecmp(name.p, "x-", 2) == 0 &&
           strncasecmp(name.p + 2, scope->prefix.p, n) == 0 && name.p[n + 2] == '-';
}

/* Runs of blanks within a value are one. */
static void add_value(struct strbuf *b, struct span value)
{
    value = span_trim(value);
    for (size_t i = 0; i < value.n; i++) {
        bool blank = value.p[i] == ' ' || value.p[i] == '\t';
        if (!blank)
            strbuf_addc(b, value.p[i]);
        else if (value.p[i - 1] != ' ' && value.p[i - 1] != '\t')
            strbuf_addc(b, ' ');
    }
}

/* "name:value", or NULL when memory ran out. */
static char *header_line(struct span name, struct span value)
{
    struct strbuf b = {0};
    add_lower(&b, name);
    strbuf_addc(&b, ':');
    add_value(&b, value);
    if (!b.failed)
        return b.p;
    strbuf_free(&b);
    return NULL;
}

/* The headers that are signed, sorted, a newline behind each; and their names. */
static status add_headers(struct strbuf *lines, struct strbuf *names,
                          const struct sigv4_scope *scope, const struct sigv4_request *r,
                          error *err)
{
    char *sorted[HEADERS_MAX];
    size_t n = 0;
    status st = OK;
    if (!(sorted[n++] = header_line(span_of("host"), r->host)))
        st = fail(err, WEIR_NOMEM, "out of memory for a signature");
    for (const char *const *h = r->headers; *h && !st; h++) {
        size_t name = strcspn(*h, ":");
        if (!(*h)[name] || !is_signed(scope, (struct span){*h, name}))
            continue;
        if (n == HEADERS_MAX)
            st = fail(err, WEIR_INPUT, "more than %d headers are to be signed", HEADERS_MAX);
        else if (!(sorted[n++] = header_line((struct span){*h, name}, span_of(*h + name + 1))))
            st = fail(err, WEIR_NOMEM, "out of memory for a signature");
    }
    if (!st)
        qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 0; i < n; i++) {
        const char *line = sorted[i] ? sorted[i] : "";
        strbuf_adds(lines, line);
        strbuf_addc(lines, '\n');
        strbuf_adds(names, i ? ";" : "");
        strbuf_add(names, line, strcspn(line, ":"));
        free(sorted[i]);
    }
    return st;
}

/* ---- digests ---- */

static void add_hex(struct strbuf *b, const unsigned char *digest)
{
    for (int i = 0; i < DIGEST; i++)
        strbuf_addf(b, "%02x", digest[i]);
}

static bool hash(const struct strbuf *b, unsigned char out[DIGEST])
{
    return EVP_Digest(strbuf_text(b), b->n, out, NULL, EVP_sha256(), NULL) == 1;
}

static bool mac(unsigned char key[DIGEST], const void *data, size_t n)
{
    unsigned char out[DIGEST];
    unsigned size = 0;
    if (!HMAC(EVP_sha256(), key, DIGEST, data, n, out, &size) || size != DIGEST)
        return false;
    memcpy(key, out, DIGEST);
    return true;
}

/* From the secret to the key of this day, region and service. */
static bool derive_key(unsigned char key[DIGEST], const struct sigv4_scope *scope,
                       const struct sigv4_keys *keys, const char *date,
                       const struct strbuf *request)
{
    struct strbuf secret = {0};
    unsigned size = 0;
    add_upper(&secret, scope->provider);
    strbuf_addc(&secret, '4');
    strbuf_add(&secret, keys->secret.p, keys->secret.n);
    bool good = !secret.failed &&
                HMAC(EVP_sha256(), strbuf_text(&secret), (int)secret.n, (const unsigned char *)date,
                     8, key, &size) &&
                mac(key, scope->region.p, scope->region.n) &&
                mac(key, scope->service.p, scope->service.n) &&
                mac(key, strbuf_text(request), request->n);
    strbuf_free(&secret);
    return good;
}

/* ---- the signature ---- */

struct draft {
    struct strbuf canonical, names, scope, terminator, to_sign;
};

static status write_canonical(struct draft *d, const struct sigv4_scope *scope,
                              const struct sigv4_request *r, error *err)
{
    struct strbuf lines = {0};
    strbuf_addf(&d->canonical, "%s\n", r->method);
    add_path(&d->canonical, scope, r->path);
    strbuf_addc(&d->canonical, '\n');
    status st = add_query(&d->canonical, r->query, err);
    if (!st)
        st = add_headers(&lines, &d->names, scope, r, err);
    strbuf_addf(&d->canonical, "\n%s\n%s\n%s", strbuf_text(&lines), strbuf_text(&d->names),
                r->payload);
    d->canonical.failed = d->canonical.failed || lines.failed;
    strbuf_free(&lines);
    return st;
}

static bool write_to_sign(struct draft *d, const struct sigv4_scope *scope,
                          const struct sigv4_request *r)
{
    unsigned char digest[DIGEST];
    if (!hash(&d->canonical, digest))
        return false;
    add_lower(&d->terminator, scope->provider);
    strbuf_adds(&d->terminator, "4_request");
    strbuf_addf(&d->scope, "%.8s/%.*s/%.*s/%s", r->time, (int)scope->region.n, scope->region.p,
                (int)scope->service.n, scope->service.p, strbuf_text(&d->terminator));
    add_upper(&d->to_sign, scope->provider);
    strbuf_addf(&d->to_sign, "4-HMAC-SHA256\n%.16s\n%s\n", r->time, strbuf_text(&d->scope));
    add_hex(&d->to_sign, digest);
    return !d->canonical.failed && !d->terminator.failed && !d->scope.failed && !d->to_sign.failed;
}

static bool write_authorization(struct strbuf *out, const struct draft *d,
                                const struct sigv4_scope *scope, const struct sigv4_keys *keys,
                                const struct sigv4_request *r)
{
    unsigned char key[DIGEST];
    if (!derive_key(key, scope, keys, r->time, &d->terminator) ||
        !mac(key, strbuf_text(&d->to_sign), d->to_sign.n))
        return false;
    strbuf_adds(out, "Authorization: ");
    add_upper(out, scope->provider);
    strbuf_addf(out,
                "4-HMAC-SHA256 Credential=%.*s/%s, SignedHeaders=%s, Signature=", (int)keys->id.n,
                keys->id.p, strbuf_text(&d->scope), strbuf_text(&d->names));
    add_hex(out, key);
    return !out->failed && !d->names.failed;
}

status sigv4_sign(struct strbuf *out, const struct sigv4_scope *scope,
                  const struct sigv4_keys *keys, const struct sigv4_request *request, error *err)
{
    struct draft d = {0};
    status st = write_canonical(&d, scope, request, err);
    if (!st &&
        !(write_to_sign(&d, scope, request) && write_authorization(out, &d, scope, keys, request)))
        st = fail(err, WEIR_NOMEM,
                  "the request cannot be signed: out of memory, or OpenSSL was "
                  "set up without SHA-256");
    strbuf_free(&d.canonical);
    strbuf_free(&d.names);
    strbuf_free(&d.scope);
    strbuf_free(&d.terminator);
    strbuf_free(&d.to_sign);
    return st;
}

/* Parsing URLs; see url.h. Any thread: nothing is shared but const tables.
 *
 * A list may hold ten million URLs and nearly all of them are plain: ASCII, http or https, nothing
 * to encode. Those are checked against a table of characters and copied (`read_plain`). Everything
 * else (IPv6, user names, international names, odd numbers for hosts, dot segments, characters that
 * want encoding) goes through libcurl's parser, so that what we believe a URL to mean is what will
 * be requested. A test holds both ways together.
 *
 * The encoding is done here and not by libcurl, which writes a space in a query as "+" and leaves
 * controls as they are.
 */
#include "net/url.h"

#include <curl/curl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 65536
#define SHOWN_MAX 160

/* Parts on their way into a buffer. */
struct parts {
    struct span scheme, user, password, host, zone, path, query;
    bool has_password, has_query;
    uint32_t port, default_port;
};

/* What a character may do in a plain URL: h = stand in a host and in a path, p = in a path only. */
static const char plain_kinds[129] = "................................"
                                     ".p..p.ppppppphhphhhhhhhhhhpp.p.."
                                     "phhhhhhhhhhhhhhhhhhhhhhhhhh....h"
                                     ".hhhhhhhhhhhhhhhhhhhhhhhhhh...p.";

static char kind_of(char c)
{
    return (unsigned char)c < 128 ? plain_kinds[(unsigned char)c] : '.';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void url_init(struct url *u)
{
    *u = (struct url){.buffer = {.max = 4 * URL_MAX}};
}

void url_free(struct url *u)
{
    strbuf_free(&u->buffer);
    url_init(u);
}

static void lower_case(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + ('a' - 'A'));
}

/* ------------------------------------------------------------------------------------------
 * Writing the normal form
 */

struct place {
    size_t at, n;
};

static struct place put(struct strbuf *b, struct span s)
{
    struct place place = {b->n, s.n};
    strbuf_add(b, s.p, s.n);
    return place;
}

static struct span span_at(const struct strbuf *b, struct place place)
{
    return (struct span){b->p + place.at, place.n};
}

static status put_parts(struct url *u, const struct parts *x, error *err)
{
    struct strbuf *b = &u->buffer;
    char port[12] = "";
    int port_n = snprintf(port, sizeof port, ":%u", x->port);
    bool shows_port = x->port != x->default_port;
    struct place scheme, user = {0}, password = {0}, host, path, query = {0}, text, authority;

    strbuf_clear(b);
    scheme = put(b, x->scheme);
    strbuf_add(b, "://", 3);
    if (x->user.n || x->has_password) {
        user = put(b, x->user);
        if (x->has_password) {
            strbuf_addc(b, ':');
            password = put(b, x->password);
        }
        strbuf_addc(b, '@');
    }
    size_t host_at = b->n;
    if (x->zone.n) {
        strbuf_add(b, x->host.p, x->host.n - 1);
        strbuf_add(b, "%25", 3);
        strbuf_add(b, x->zone.p, x->zone.n);
        strbuf_addc(b, ']');
    } else {
        strbuf_add(b, x->host.p, x->host.n);
    }
    if (!b->failed)
        lower_case(b->p + host_at, x->host.n - (x->zone.n ? 1 : 0));
    if (shows_port)
        strbuf_add(b, port, (size_t)port_n);
    path = put(b, x->path);
    if (x->has_query) {
        strbuf_addc(b, '?');
        query = put(b, x->query);
    }
    text = (struct place){0, b->n};
    strbuf_addc(b, '\0');
    authority.at = b->n;
    host = put(b, x->host);
    strbuf_add(b, port, (size_t)port_n);
    authority.n = b->n - authority.at;
    if (b->failed)
        return fail(err, WEIR_NOMEM, "no memory for a URL of %zu bytes", b->n);
    lower_case(b->p + scheme.at, scheme.n);
    lower_case(b->p + host.at, host.n);

    u->text = span_at(b, text);
    u->scheme = span_at(b, scheme);
    u->user = user.at ? span_at(b, user) : (struct span){0};
    u->password = password.at ? span_at(b, password) : (struct span){0};
    u->host = span_at(b, host);
    u->path = span_at(b, path);
    u->query = x->has_query ? span_at(b, query) : (struct span){0};
    u->authority = span_at(b, authority);
    u->port = x->port;
    u->default_port = !shows_port;
    return OK;
}

/* ------------------------------------------------------------------------------------------
 * Plain URLs
 */

/* Four numbers as they are always written. Other hosts that begin with a digit may be numbers in
 * disguise ("127.1", "0x7f.1"), and those are libcurl's to read. */
static bool is_dotted_quad(const char *p, size_t n)
{
    int numbers = 0;
    for (size_t i = 0; i < n; i++) {
        size_t start = i;
        uint32_t value = 0;
        while (i < n && is_digit(p[i]) && i - start < 4)
            value = value * 10 + (uint32_t)(p[i++] - '0');
        bool padded = i - start > 1 && p[start] == '0';
        bool ended = i == n || (p[i] == '.' && i + 1 < n);
        if (i == start || padded || value > 255 || !ended)
            return false;
        numbers++;
    }
    return numbers == 4;
}

/* Reads ":PORT" as it is always written; leaves *at behind it. */
static bool read_plain_port(const char **at, const char *end, uint32_t *port)
{
    const char *p = *at + 1, *start = p;
    uint32_t value = 0;
    while (p < end && is_digit(*p) && p - start < 6)
        value = value * 10 + (uint32_t)(*p++ - '0');
    if (p == start || *start == '0' || value > 65535)
        return false;
    *port = value;
    *at = p;
    return true;
}

/* Skips what is plain in a path or a query; NULL when something has to be encoded. */
static const char *skip_plain(const char *p, const char *end, bool query)
{
    for (; p < end; p++) {
        if (kind_of(*p) != '.' || (query && *p == '?'))
            continue;
        if (*p == '#' || (*p == '?' && !query))
            return p;
        if (*p != '%' || end - p < 3 || hex_value(p[1]) < 0 || hex_value(p[2]) < 0)
            return NULL;
        p += 2;
    }
    return p;
}

static bool has_dot_segment(const char *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (p[i] == '/' && p[i + 1] == '.')
            return true;
    return false;
}

static bool read_plain(struct parts *x, struct span s)
{
    bool tls = span_starts(s, "https://");
    if (!tls && !span_starts(s, "http://"))
        return false;
    const char *p = s.p + (tls ? 8 : 7), *end = s.p + s.n, *start = p;
    x->scheme = (struct span){s.p, tls ? 5 : 4};
    x->port = x->default_port = tls ? 443 : 80;
    while (p < end && kind_of(*p) == 'h')
        p++;
    x->host = (struct span){start, (size_t)(p - start)};
    if (x->host.n == 0 || x->host.n > 253 ||
        (is_digit(*start) && !is_dotted_quad(start, x->host.n)))
        return false;
    if (p < end && *p == ':' && !read_plain_port(&p, end, &x->port))
        return false;
    if (p < end && *p != '/' && *p != '?' && *p != '#')
        return false;
    start = p;
    p = skip_plain(p, end, false);
    if (!p || has_dot_segment(start, (size_t)(p - start)))
        return false;
    x->path = p > start ? (struct span){start, (size_t)(p - start)} : span_of("/");
    if (p < end && *p == '?') {
        start = ++p;
        p = skip_plain(p, end, true);
        if (!p)
            return false;
        x->query = (struct span){start, (size_t)(p - start)};
        x->has_query = true;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------
 * All others
 */

/* Length of the scheme that `s` begins with (RFC 3986 section 3.1), 0 = none. */
static size_t scheme_length(struct span s)
{
    size_t n = 0;
    while (n < s.n &&
           (is_alpha(s.p[n]) || (n > 0 && (is_digit(s.p[n]) || (s.p[n] && strchr("+-.", s.p[n]))))))
        n++;
    return n > 0 && n < s.n && s.p[n] == ':' ? n : 0;
}

static size_t length_before(struct span s, const char *ends)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] && strchr(ends, s.p[i]))
            return i;
    return s.n;
}

static struct span span_from(struct span s, size_t from)
{
    return (struct span){s.p + from, s.n - from};
}

/* Spaces, controls, bytes beyond ASCII and what no URL may hold become %XX. A '%' stays: what is
 * encoded already must not be encoded twice. */
static void add_encoded(struct strbuf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
            strbuf_addf(b, "%%%02X", c);
        else
            strbuf_addc(b, (char)c);
    }
}

/* The text for a message: not too long, and without what may be a user's password. The text is no
 * URL, so everything before an '@' that comes before the first '/' is taken for one. */
static void add_shown(struct strbuf *b, struct span s)
{
    size_t start = 0, keep;
    for (size_t i = 0; i + 3 <= s.n && !start; i++)
        if (memcmp(s.p + i, "://", 3) == 0)
            start = i + 3;
    keep = start;
    for (size_t i = start; i < s.n && s.p[i] != '/'; i++)
        if (s.p[i] == '@')
            keep = i + 1;
    struct span rest = span_from(s, keep);
    strbuf_add_printable(b, (struct span){s.p, start});
    strbuf_add_printable(b, (struct span){rest.p, rest.n > SHOWN_MAX ? SHOWN_MAX : rest.n});
    if (rest.n > SHOWN_MAX)
        strbuf_adds(b, "...");
}

static status refuse(error *err, struct span s, const char *reason)
{
    struct strbuf shown = {0};
    add_shown(&shown, s);
    status st = fail(err, WEIR_INPUT, "\"%s\" is not a URL: %s", strbuf_text(&shown), reason);
    strbuf_free(&shown);
    return st;
}

static status refuse_without_scheme(error *err, struct span s)
{
    size_t n = scheme_length(s);
    if (s.n == 0)
        return fail(err, WEIR_INPUT, "an empty text is not a URL");
    bool is_port = n && s.n > n + 1 && is_digit(s.p[n + 1]);
    if (n && !is_port && !memchr(s.p, '.', n))
        return refuse(err, s, "\"://\" is missing behind the scheme");
    struct strbuf shown = {0};
    add_shown(&shown, span_starts(s, "//") ? span_from(s, 2) : s);
    status st =
        fail(err, WEIR_INPUT, "\"%s\" is not a URL: it has no scheme; did you mean http://%s?",
             strbuf_text(&shown), strbuf_text(&shown));
    strbuf_free(&shown);
    return st;
}

/* libidn2, in libcurl, reads a host name in the encoding of the locale. A list is UTF-8 whatever
 * the locale is, so the call runs under one that says so. */
static CURLUcode get_host(CURLU *handle, char **out)
{
    char *host = NULL;
    CURLUcode code = curl_url_get(handle, CURLUPART_HOST, &host, 0);
    *out = host;
    if (code)
        return code;
    const char *p = host;
    while ((unsigned char)*p - 1u < 0x7f)
        p++;
    if (!*p)
        return CURLUE_OK;
    curl_free(host);
    *out = NULL;
#ifdef CURLU_PUNYCODE
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    code = curl_url_get(handle, CURLUPART_HOST, out, CURLU_PUNYCODE);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return code;
#else
    return CURLUE_BAD_HOSTNAME;
#endif
}

/* Strings that libcurl made; the spans of `parts` point into them. */
struct pieces {
    char *scheme, *user, *password, *host, *zone, *port, *path;
};

static void pieces_free(struct pieces *m)
{
    char *all[] = {m->scheme, m->user, m->password, m->host, m->zone, m->port, m->path};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        curl_free(all[i]);
}

static bool host_is_clean(struct span host)
{
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"#%/<>?@\\^`{|}", c))
            return false;
    }
    return true;
}

/* Takes the URL apart with libcurl. `text` ends in NUL, is encoded, and has no query and no
 * fragment. NULL = done, otherwise what is wrong with it. */
static const char *take_apart(const char *text, bool names_host, struct pieces *m, struct parts *x)
{
    const char *reason = NULL;
    CURLU *handle = curl_url();
    if (!handle)
        return "no memory";
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (!code)
        code = curl_url_get(handle, CURLUPART_SCHEME, &m->scheme, 0);
    if (!code && names_host)
        code = get_host(handle, &m->host);
    if (code) {
        reason = curl_url_strerror(code);
        goto done;
    }
    char *port = NULL;
    curl_url_get(handle, CURLUPART_USER, &m->user, 0);
    curl_url_get(handle, CURLUPART_PASSWORD, &m->password, 0);
    curl_url_get(handle, CURLUPART_ZONEID, &m->zone, 0);
    curl_url_get(handle, CURLUPART_PORT, &m->port, 0);
    curl_url_get(handle, CURLUPART_PATH, &m->path, 0);
    bool http = strcmp(m->scheme, "http") == 0, https = strcmp(m->scheme, "https") == 0;
    if (http || https) {
        x->default_port = http ? 80 : 443;
    } else if (!m->port && curl_url_get(handle, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == 0) {
        x->default_port = (uint32_t)strtoul(port, NULL, 10);
        curl_free(port);
    }
    x->port = m->port ? (uint32_t)strtoul(m->port, NULL, 10) : x->default_port;
    x->scheme = span_of(m->scheme);
    x->user = span_of(m->user);
    x->password = span_of(m->password);
    x->has_password = m->password && *m->password;
    x->host = span_of(m->host);
    x->zone = span_of(m->zone);
    x->path = m->path && *m->path ? span_of(m->path) : span_of("/");
    if ((http || https) && x->port == 0)
        reason = "port 0 cannot be connected to";
    else if ((http || https) && x->host.n == 0)
        reason = "it names no host";
    else if (!host_is_clean(x->host))
        reason = "its host name holds characters that no host name may hold";
    else if (!host_is_clean(x->zone))
        reason = "the zone of its address holds characters that no zone may hold";
done:
    curl_url_cleanup(handle);
    return reason;
}

static status read_any(struct url *out, struct span s, error *err)
{
    size_t scheme = scheme_length(s);
    if (!scheme || !span_starts(span_from(s, scheme), "://"))
        return refuse_without_scheme(err, s);
    struct span rest = span_from(s, scheme + 3);
    struct span authority = {rest.p, length_before(rest, "/?#")};
    rest = span_from(rest, authority.n);
    struct span path = {rest.p, length_before(rest, "?#")};
    rest = span_from(rest, path.n);
    struct span host = authority;
    for (size_t i = 0; i < authority.n; i++)
        if (authority.p[i] == '@')
            host = span_from(authority, i + 1);

    struct strbuf text = {.max = 4 * URL_MAX}, query = {.max = 4 * URL_MAX};
    struct parts x = {0};
    struct pieces m = {0};
    strbuf_add(&text, s.p, scheme + 3);
    add_encoded(&text, (struct span){authority.p, authority.n - host.n});
    strbuf_add(&text, host.p, host.n);
    add_encoded(&text, path.n ? path : span_of("/"));
    x.has_query = rest.n > 0 && rest.p[0] == '?';
    if (x.has_query)
        add_encoded(&query, (struct span){rest.p + 1, length_before(rest, "#") - 1});
    x.query = span_of(strbuf_text(&query));

    status st;
    if (text.failed || query.failed) {
        st = fail(err, WEIR_NOMEM, "no memory for a URL of %zu bytes", s.n);
    } else {
        const char *reason = take_apart(strbuf_text(&text), host.n > 0, &m, &x);
        st = reason ? refuse(err, s, reason) : put_parts(out, &x, err);
    }
    pieces_free(&m);
    strbuf_free(&text);
    strbuf_free(&query);
    return st;
}

/* ------------------------------------------------------------------------------------------ */

status url_parse(struct url *out, struct span text, error *err)
{
    struct span s = span_trim(text);
    struct parts plain = {0};
    if (s.n > URL_MAX)
        return fail(err, WEIR_INPUT, "a URL of %zu bytes is too long; at most %d are taken", s.n,
                    URL_MAX);
    if (read_plain(&plain, s))
        return put_parts(out, &plain, err);
    if (s.n && memchr(s.p, '\0', s.n))
        return refuse(err, s, "it holds a NUL byte");
    return read_any(out, s, err);
}

/* RFC 3986 section 5.2.2, by text; dot segments are removed when the result is parsed. */
status url_resolve(struct url *out, const char *base, struct span text, error *err)
{
    struct span s = span_trim(text), b = span_of(base);
    size_t scheme = scheme_length(b);
    if (scheme_length(s))
        return url_parse(out, s, err);
    if (!scheme || !span_starts(span_from(b, scheme), "://"))
        return refuse_without_scheme(err, b);
    struct span rest = span_from(b, scheme + 3);
    size_t authority = scheme + 3 + length_before(rest, "/?#");
    size_t path = authority + length_before(span_from(b, authority), "?#");
    size_t query = path + length_before(span_from(b, path), "#");

    size_t keep;
    if (s.n == 0 || s.p[0] == '#')
        keep = query;
    else if (span_starts(s, "//"))
        keep = scheme + 1;
    else if (s.p[0] == '/')
        keep = authority;
    else if (s.p[0] == '?')
        keep = path;
    else
        for (keep = path; keep > authority && b.p[keep - 1] != '/'; keep--)
            ;
    struct strbuf whole = {.max = 4 * URL_MAX};
    strbuf_add(&whole, b.p, keep);
    if (keep == authority && !(s.n && s.p[0] == '/'))
        strbuf_addc(&whole, '/');
    strbuf_add(&whole, s.p, s.n);
    status st = whole.failed ? fail(err, WEIR_INPUT, "a URL of %zu bytes is too long", keep + s.n)
                             : url_parse(out, (struct span){whole.p, whole.n}, err);
    strbuf_free(&whole);
    return st;
}

static bool same(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return same(a->scheme, b->scheme) && same(a->authority, b->authority);
}

/* By text and not by parsing, so that a URL that cannot be parsed does not give its password away.
 */
void url_without_secrets(struct strbuf *out, const char *url)
{
    struct span s = span_of(url);
    const char *scheme_end = strstr(url, "://");
    if (!scheme_end) {
        strbuf_add(out, s.p, s.n);
        return;
    }
    size_t start = (size_t)(scheme_end - url) + 3;
    size_t end = length_before(s, "#"), host = start;
    size_t authority = start + length_before(span_from(s, start), "/?#");
    for (size_t i = start; i < authority; i++)
        if (s.p[i] == '@')
            host = i + 1;
    strbuf_add(out, s.p, start);
    strbuf_add(out, s.p + host, end > host ? end - host : 0);
}

/* URLs: the first line is one, the second is taken relative to it.
 *
 * What was taken is printable ASCII, with parts that lie in its text. It is its own normal form,
 * and without its secrets it still names the same origin, and no longer holds them. The second half
 * is claimed of http and https only: nothing is requested by another scheme unless it is allowed by
 * name.
 */
#include <stdlib.h>

#include "net/url.h"
#include "fuzz_must.h"

static void check_inside(const struct url *u, struct span part)
{
    must(!part.n || (part.p >= u->buffer.p && part.p + part.n <= u->buffer.p + u->buffer.n));
}

static bool is_http(const struct url *u)
{
    return span_equal(u->scheme, "http") || span_equal(u->scheme, "https");
}

static bool same_text(const struct url *a, const struct url *b)
{
    return a->text.n == b->text.n && memcmp(a->text.p, b->text.p, a->text.n) == 0;
}

/* Digits of other scripts become ASCII ones, and only then is the host seen to be a number. */
static bool turns_into_number(const struct url *u)
{
    return u->host.p[0] >= '0' && u->host.p[0] <= '9';
}

static void check_settled(const struct url *u)
{
    struct url again;
    error err;
    url_init(&again);
    must(url_parse(&again, u->text, &err) == OK);
    must(same_text(u, &again) && url_same_origin(u, &again) && again.port == u->port);
    url_free(&again);
}

static void check_secrets_gone(const struct url *u)
{
    struct strbuf bare = {0};
    struct url again;
    error err;
    url_init(&again);
    url_without_secrets(&bare, u->text.p);
    size_t authority = strcspn(strbuf_text(&bare) + u->scheme.n + 3, "/?#");
    must(!memchr(bare.p + u->scheme.n + 3, '@', authority));
    must(url_parse(&again, (struct span){bare.p, bare.n}, &err) == OK);
    must(url_same_origin(u, &again) && again.user.n == 0 && again.password.n == 0);
    url_free(&again);
    strbuf_free(&bare);
}

static void check(const struct url *u)
{
    const struct span parts[] = {u->text, u->scheme, u->user,  u->password,
                                 u->host, u->path,   u->query, u->authority};
    struct url again;
    error err;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        check_inside(u, parts[i]);
    for (size_t i = 0; i < u->text.n; i++)
        must(u->text.p[i] > ' ' && u->text.p[i] < 0x7f && u->text.p[i] != '#');
    must(u->text.p[u->text.n] == '\0' && u->scheme.n && u->path.n && u->path.p[0] == '/');
    must(u->port <= 65535 && url_same_origin(u, u));
    if (!is_http(u))
        return;
    url_init(&again);
    must(url_parse(&again, u->text, &err) == OK);
    must(same_text(u, &again) || turns_into_number(u));
    check_settled(&again);
    check_secrets_gone(&again);
    url_free(&again);
}

static void check_relative(const struct url *base, struct span text)
{
    struct url u;
    error err;
    char *copy = strndup(base->text.p, base->text.n);
    url_init(&u);
    error_clear(&err);
    if (url_resolve(&u, copy, text, &err) == OK)
        check(&u);
    else
        must(err.message[0] && (err.status == WEIR_INPUT || err.status == WEIR_NOMEM));
    if (is_http(base)) /* the same document */
        must(url_resolve(&u, copy, (struct span){0}, &err) == OK &&
             (same_text(&u, base) || turns_into_number(base)));
    url_free(&u);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1); /* of its exact size */
    if (size)
        memcpy(text, data, size);
    const char *end = size ? memchr(text, '\n', size) : NULL;
    size_t first = end ? (size_t)(end - text) : size;
    struct url u;
    error err;
    url_init(&u);
    error_clear(&err);
    if (url_parse(&u, (struct span){text, first}, &err) == OK) {
        check(&u);
        check_relative(&u, end ? (struct span){end + 1, size - first - 1} : (struct span){0});
    } else {
        must(err.message[0] && (err.status == WEIR_INPUT || err.status == WEIR_NOMEM));
    }
    url_free(&u);
    free(text);
    return 0;
}

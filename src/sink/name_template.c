/* Templates of names: "{host}/{path}" and the parts of a URL become a raw name; see name.h. Pure,
 * any thread.
 *
 * {basename} and {path} are percent-decoded, since people look for "a b.txt" and not for
 * "a%20b.txt". The query, which only `tree` appends, stays as the URL has it: decoding it could
 * make one name of two URLs, and with `tree` nobody watches for that.
 */
#include <inttypes.h>

#include "sink/name.h"
#include "sink/name_raw.h"

#define INDEX_PAGE "index.html"

enum part { PART_BASENAME, PART_HOST, PART_PATH, PART_INDEX, PART_ID, PART_HASH, PART_COUNT };

static const char *const part_names[PART_COUNT] = {"basename", "host", "path",
                                                   "index",    "id",   "hash"};

/* The part that {NAME} at s names, PART_COUNT when none; *used is what it takes with its braces. */
static enum part part_at(struct span s, size_t *used)
{
    const char *end = memchr(s.p, '}', s.n);
    if (!end)
        return PART_COUNT;
    struct span name = {s.p + 1, (size_t)(end - s.p) - 1};
    *used = name.n + 2;
    int i = 0;
    while (i < PART_COUNT && !span_equal(name, part_names[i]))
        i++;
    return (enum part)i;
}

static status check_literal(const char *tmpl, error *err)
{
    if (tmpl[0] == '/')
        return fail(err, WEIR_CONFIG,
                    "save.name: \"%s\" is absolute; names are relative to the "
                    "directory of --dir",
                    tmpl);
    for (const char *p = tmpl; *p;) {
        size_t n = strcspn(p, "/");
        if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return fail(err, WEIR_CONFIG,
                        "save.name: \"%s\" has a component \"%.*s\", which is "
                        "not allowed",
                        tmpl, (int)n, p);
        p += n;
        if (*p == '/' && (p[1] == '\0' || p[1] == '/'))
            return fail(err, WEIR_CONFIG,
                        "save.name: \"%s\" has an empty component at character "
                        "%d; write text or a {part} there",
                        tmpl, (int)(p + 1 - tmpl) + 1);
        p += *p == '/';
    }
    return OK;
}

status name_template_check(const char *tmpl, error *err)
{
    if (!tmpl || !*tmpl)
        return fail(err, WEIR_CONFIG,
                    "save.name: the template is empty; the default is "
                    "{basename}");
    struct span rest = span_of(tmpl);
    while (rest.n) {
        size_t used = 1;
        int at = (int)(rest.p - tmpl) + 1;
        if (rest.p[0] == '}')
            return fail(err, WEIR_CONFIG, "save.name: \"%s\" has a '}' without '{' at character %d",
                        tmpl, at);
        if (rest.p[0] == '{' && part_at(rest, &used) == PART_COUNT)
            return fail(err, WEIR_CONFIG,
                        "save.name: \"%s\": what stands at character %d is none "
                        "of {basename} {host} {path} {index} {id} {hash}",
                        tmpl, at);
        rest.p += used;
        rest.n -= used;
    }
    return check_literal(tmpl, err);
}

/* ---- expansion ---- */

static void add_quoted(struct strbuf *raw, char c)
{
    strbuf_addc(raw, NAME_QUOTE);
    strbuf_addc(raw, c);
}

/* A value that is one component: its '/' and NUL are part of the name. */
static void add_value(struct strbuf *raw, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '/' || s.p[i] == NAME_QUOTE)
            add_quoted(raw, s.p[i]);
        else
            strbuf_addc(raw, s.p[i]);
    }
}

/* Percent-decodes; '/' as it stands separates, "%2F" does not. `quote_query`: a '?' of the path
 * must not look like the one before the query. */
static void add_decoded(struct strbuf *raw, struct span s, bool quote_query)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool encoded =
            c == '%' && i + 2 < s.n && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0;
        if (encoded) {
            c = (char)(hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]));
            i += 2;
        }
        if ((encoded && c == '/') || c == NAME_QUOTE || (quote_query && c == '?'))
            add_quoted(raw, c);
        else
            strbuf_addc(raw, c);
    }
}

static struct span basename_of(struct span path)
{
    size_t from = path.n;
    while (from && path.p[from - 1] != '/')
        from--;
    return (struct span){path.p + from, path.n - from};
}

static void add_path(struct strbuf *raw, bool tree, int cut_dirs, const struct name_parts *parts)
{
    struct span path = parts->path;
    if (path.n && path.p[0] == '/')
        path.p++, path.n--;
    const char *slash;
    while (cut_dirs-- > 0 && path.n && (slash = memchr(path.p, '/', path.n))) {
        path.n -= (size_t)(slash + 1 - path.p);
        path.p = slash + 1;
    }
    add_decoded(raw, path, tree);
    if (!path.n || path.p[path.n - 1] == '/')
        strbuf_adds(raw, INDEX_PAGE);
    if (tree && parts->query.n) {
        strbuf_addc(raw, '?');
        add_value(raw, parts->query);
    }
}

static void add_host(struct strbuf *raw, bool tree, const struct name_parts *parts)
{
    struct span host = parts->host;
    bool bare_v6 = host.n && host.p[0] != '[' && memchr(host.p, ':', host.n);
    if (tree && bare_v6) /* else its last group and a port could be taken for one another */
        strbuf_addf(raw, "[%.*s]", (int)host.n, host.p);
    else
        add_value(raw, host);
    if (tree && parts->port)
        strbuf_addf(raw, ":%" PRIu32, parts->port);
}

static status add_part(struct strbuf *raw, enum part part, bool tree, int cut_dirs,
                       const struct name_parts *parts, error *err)
{
    struct span base;
    switch (part) {
    case PART_BASENAME:
        base = basename_of(parts->path);
        if (base.n)
            add_decoded(raw, base, false);
        else
            strbuf_adds(raw, INDEX_PAGE);
        return OK;
    case PART_HOST:
        add_host(raw, tree, parts);
        return OK;
    case PART_PATH:
        add_path(raw, tree, cut_dirs, parts);
        return OK;
    case PART_INDEX:
        strbuf_addf(raw, "%" PRIu64, parts->index);
        return OK;
    case PART_ID:
        if (!parts->id.n)
            return fail(err, WEIR_NAME,
                        "the name has {id}, but this record has no id; add an id "
                        "column to the list or use another part in save.name");
        add_value(raw, parts->id);
        return OK;
    case PART_HASH:
        strbuf_addf(raw, "%016" PRIx64, hash64(parts->url, strlen(parts->url)));
        return OK;
    case PART_COUNT:
        break;
    }
    return fail(err, WEIR_CONFIG, "save.name: the template has an unknown {part}");
}

status name_expand(struct strbuf *out, const char *tmpl, bool tree, int cut_dirs,
                   const struct name_parts *parts, error *err)
{
    struct strbuf raw = {0};
    struct span rest = span_of(tmpl);
    status st = OK;
    while (rest.n && !st) {
        size_t used = 1;
        if (rest.p[0] == '{')
            st = add_part(&raw, part_at(rest, &used), tree, cut_dirs, parts, err);
        else
            strbuf_addc(&raw, rest.p[0]);
        rest.p += used;
        rest.n -= used;
    }
    if (!st && raw.failed)
        st = fail(err, WEIR_NOMEM, "out of memory for a file name");
    if (!st)
        st = name_from_raw(out, (struct span){raw.p, raw.n}, err);
    strbuf_free(&raw);
    return st;
}

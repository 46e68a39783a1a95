/* Names of files: the first line is one that a list gave, the second another one, the third a
 * Content-Disposition.
 *
 * What comes out of the sanitiser stays beneath a folder, shows nothing to a terminal, bears none
 * of our endings, and is another name for another name. It is its own sanitised form but for the
 * '%' that it has put in. What a header gives is one component.
 */
#include <limits.h>
#include <stdlib.h>

#include "engine/disposition.h"
#include "sink/name.h"
#include "fuzz_must.h"

static bool ends_with(struct span s, const char *ending)
{
    size_t n = strlen(ending);
    return s.n >= n && memcmp(s.p + s.n - n, ending, n) == 0;
}

static void check_component(struct span c)
{
    must(c.n > 0 && c.n <= NAME_MAX);
    must(!span_equal(c, ".") && !span_equal(c, ".."));
    must(!ends_with(c, ".part") && !ends_with(c, ".part.resume"));
    for (size_t i = 0; i < c.n; i++)
        must((unsigned char)c.p[i] >= ' ' && c.p[i] != 0x7f);
}

static void check_name(const struct strbuf *name)
{
    const char *at = name->p;
    must(strlen(at) == name->n && name->n < PATH_MAX && *at != '/');
    for (;;) {
        size_t n = strcspn(at, "/");
        check_component((struct span){at, n});
        if (!at[n])
            return;
        at += n + 1;
    }
}

/* True: a name came out. */
static bool sanitise(struct strbuf *out, struct span raw)
{
    error err;
    error_clear(&err);
    status st = name_sanitise(out, raw, &err);
    if (st == OK)
        check_name(out);
    else
        must(st == WEIR_NAME && err.message[0]);
    return st == OK;
}

static void check_disposition(const char *value)
{
    struct strbuf raw = {0}, name = {0};
    if (disposition_filename(&raw, value)) {
        must(raw.n > 0 && !memchr(raw.p, '/', raw.n) && !memchr(raw.p, '\\', raw.n));
        if (sanitise(&name, (struct span){raw.p, raw.n}))
            must(!strchr(name.p, '/'));
    }
    strbuf_free(&raw);
    strbuf_free(&name);
}

/* Up to the newline, which is left out. */
static struct span line(const char **at, const char *end)
{
    const char *newline = end > *at ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    struct span s = {*at, (size_t)((newline ? newline : end) - *at)};
    *at = newline ? newline + 1 : end;
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1); /* of its exact size */
    if (size)
        memcpy(text, data, size);
    const char *at = text, *end = text + size;
    struct span first = line(&at, end), second = line(&at, end), third = line(&at, end);
    struct strbuf a = {0}, b = {0};
    if (sanitise(&a, first) & sanitise(&b, second)) {
        bool same = first.n == second.n && memcmp(first.p, second.p, first.n) == 0;
        must(same == (strcmp(a.p, b.p) == 0));
    }
    char *field = strndup(third.p, third.n);
    check_disposition(field);
    free(field);
    strbuf_free(&a);
    strbuf_free(&b);
    free(text);
    return 0;
}

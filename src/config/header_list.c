/* Request headers as values of http.header: "Name: value", or @FILE with one a line.
 *
 * They are checked here, once, and not where they are sent: a line break inside would let a value
 * smuggle in another header, and a name that is not a token (RFC 9110 section 5.6.2) would make the
 * whole request unreadable. Messages show only the beginning of a header, for it may be a token
 * that gives access.
 */
#include <stdlib.h>

#include "config/config_lines.h"
#include "config/option_value.h"
#include "config/units.h"

#define SHOWN_MAX 12

static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *wrong_with(struct span s)
{
    size_t name = 0;
    while (name < s.n && is_token_char((unsigned char)s.p[name]))
        name++;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return "holds a line break or another control character";
    if (name == s.n)
        return "has no colon";
    if (s.p[name] != ':' || name == 0)
        return "does not begin with a header name and a colon";
    return NULL;
}

static status add_header(struct text_list *list, struct span s, error *err)
{
    const char *wrong = wrong_with(s);
    if (!wrong)
        return text_list_add(list, s.p, s.n, err);
    struct strbuf shown = {0};
    strbuf_add_printable(&shown, (struct span){s.p, s.n > SHOWN_MAX ? SHOWN_MAX : s.n});
    status st = fail(err, WEIR_CONFIG, "\"%s%s\" %s; write \"Name: value\", or @FILE",
                     strbuf_text(&shown), s.n > SHOWN_MAX ? "..." : "", wrong);
    strbuf_free(&shown);
    return st;
}

/* Adds the lines of a file; an error message begins with the file's name and the line. */
static status add_file(struct text_list *list, const char *path, error *err)
{
    struct config_lines lines;
    struct span s;
    status st = config_lines_open(&lines, path, err);
    if (st)
        return st;
    while (!(st = config_lines_next(&lines, &s, err))) {
        error inner = {0};
        if (s.n && (st = add_header(list, s, &inner)) != OK) {
            st = fail(err, st, "%s:%u: %s", path, lines.number, inner.message);
            break;
        }
    }
    config_lines_close(&lines);
    return st == WEIR_END ? OK : st;
}

/* All of `more` moves to the end of `list`, or nothing does. */
static status append_all(struct text_list *list, struct text_list *more, error *err)
{
    if (!more->n)
        return OK;
    char **items = realloc(list->items, (list->n + more->n) * sizeof *items);
    if (!items)
        return fail(err, WEIR_NOMEM, "out of memory");
    memcpy(items + list->n, more->items, more->n * sizeof *items);
    list->items = items;
    list->n += more->n;
    free(more->items);
    *more = (struct text_list){NULL, 0};
    return OK;
}

status header_list_add(struct text_list *list, const char *text, error *err)
{
    struct text_list more = {NULL, 0};
    struct span s = span_trim(span_of(text));
    if (!s.n)
        return OK;
    status st = s.p[0] == '@' ? add_file(&more, s.p + 1, err) : add_header(&more, s, err);
    if (!st)
        st = append_all(list, &more, err);
    text_list_clear(&more);
    return st;
}

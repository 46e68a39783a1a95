/* The one sanitiser; see name.h. Pure: any thread.
 *
 * Why it is injective: what it writes can be read back. Every escape is "%XX", and a '%' of the raw
 * name that two hexadecimal digits follow is escaped itself, so a reader that undoes each "%XX"
 * finds the raw bytes again. An empty component ("a//b") becomes "%2E": "." alone is refused, so
 * nothing else is written so, and read back it means the same folder.
 *
 * Inside, NUL is the quote: it says that the next byte belongs to the name, so that "%2F" of a URL
 * stays within its component instead of becoming a separator. It is escaped whatever it is.
 */
#include "sink/name.h"

#include <stdio.h>

#include "sink/name_raw.h"

#define COMPONENT_MAX 255
#define PATH_BYTES_MAX 4095
#define OWN_ENDINGS_MAX (sizeof ".part.resume" - 1)

static void add_escape(struct strbuf *out, unsigned char c)
{
    strbuf_addf(out, "%%%02X", c);
}

static bool ends_in(struct span s, const char *ending)
{
    size_t n = strlen(ending);
    return s.n >= n && memcmp(s.p + s.n - n, ending, n) == 0;
}

/* Where the '.' of our own ending stands in a component; SIZE_MAX = it has no such ending. */
static size_t own_ending(struct span c)
{
    if (ends_in(c, ".part"))
        return c.n - (sizeof ".part" - 1);
    if (ends_in(c, ".part.resume"))
        return c.n - (sizeof ".resume" - 1);
    return SIZE_MAX;
}

static bool is_c1(struct span s, size_t i)
{
    return (unsigned char)s.p[i] == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] >= 0x80 &&
           (unsigned char)s.p[i + 1] < 0xa0;
}

static bool is_escape(struct span s, size_t i)
{
    return s.p[i] == '%' && i + 2 < s.n && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0;
}

/* One component, with its quotes. */
static void add_component(struct strbuf *out, struct span c)
{
    size_t ending = own_ending(c);
    if (c.n == 0)
        add_escape(out, '.');
    for (size_t i = 0; i < c.n; i++) {
        unsigned char b = (unsigned char)c.p[i];
        if (b == NAME_QUOTE && i + 1 < c.n) {
            add_escape(out, (unsigned char)c.p[++i]);
        } else if (is_c1(c, i)) {
            add_escape(out, b);
            add_escape(out, (unsigned char)c.p[++i]);
        } else if (b < 0x20 || b == 0x7f || i == ending || is_escape(c, i)) {
            add_escape(out, b);
        } else {
            strbuf_addc(out, (char)b);
        }
    }
}

/* For messages: what the user wrote, without the quotes. */
static void add_plain(struct strbuf *out, struct span raw)
{
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] != NAME_QUOTE)
            strbuf_addc(out, raw.p[i]);
}

static status refuse(error *err, struct span raw, const char *why)
{
    struct strbuf plain = {0};
    add_plain(&plain, raw);
    if (plain.n > 200) {
        plain.p[200] = '\0';
        fail(err, WEIR_NAME, "\"%s...\": %s", plain.p, why);
    } else {
        fail(err, WEIR_NAME, "\"%s\": %s", strbuf_text(&plain), why);
    }
    strbuf_free(&plain);
    return WEIR_NAME;
}

static bool is_dots(struct span c)
{
    return (c.n == 1 && c.p[0] == '.') || (c.n == 2 && c.p[0] == '.' && c.p[1] == '.');
}

/* The end of the component that begins at raw.p + from. */
static size_t component_end(struct span raw, size_t from)
{
    while (from < raw.n && raw.p[from] != '/')
        from += raw.p[from] == NAME_QUOTE && from + 1 < raw.n ? 2 : 1;
    return from;
}

status name_from_raw(struct strbuf *out, struct span raw, error *err)
{
    size_t begin = out->n;
    if (raw.n == 0)
        return fail(err, WEIR_NAME, "the file name is empty");
    if (raw.p[raw.n - 1] == '/' && (raw.n < 2 || raw.p[raw.n - 2] != NAME_QUOTE))
        return refuse(err, raw, "the name of a folder, where a file's is needed");
    for (size_t from = 0; from <= raw.n;) {
        size_t end = component_end(raw, from), at = out->n;
        struct span c = {raw.p + from, end - from};
        if (is_dots(c))
            return refuse(err, raw, "\".\" and \"..\" are not allowed in a file name");
        add_component(out, c);
        size_t room = end < raw.n ? COMPONENT_MAX : COMPONENT_MAX - OWN_ENDINGS_MAX;
        if (out->n - at > room)
            return refuse(err, raw,
                          end < raw.n ? "a folder's name is longer than 255 bytes"
                                      : "the file name is longer than 243 bytes; give "
                                        "it another with --name or a list with names");
        if (end < raw.n)
            strbuf_addc(out, '/');
        from = end + 1;
    }
    if (out->n - begin > PATH_BYTES_MAX - OWN_ENDINGS_MAX)
        return refuse(err, raw, "the path is longer than 4083 bytes");
    return out->failed ? fail(err, WEIR_NOMEM, "out of memory for a file name") : OK;
}

status name_sanitise(struct strbuf *out, struct span raw, error *err)
{
    if (raw.n && raw.p[0] == '/')
        return refuse(err, raw,
                      "an absolute path is not allowed; names are relative to the "
                      "directory of --dir");
    if (!raw.n || !memchr(raw.p, NAME_QUOTE, raw.n))
        return name_from_raw(out, raw, err);
    struct strbuf quoted = {0};
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == NAME_QUOTE)
            strbuf_addc(&quoted, NAME_QUOTE);
        strbuf_addc(&quoted, raw.p[i]);
    }
    status st = quoted.failed ? fail(err, WEIR_NOMEM, "out of memory for a file name")
                              : name_from_raw(out, (struct span){quoted.p, quoted.n}, err);
    strbuf_free(&quoted);
    return st;
}

/* ---- the second of two that want one name ---- */

/* Puts `mark` before the extension. A stem that would grow too long is cut, between characters. */
static void add_marked(struct strbuf *out, const char *name, const char *mark)
{
    const char *slash = strrchr(name, '/');
    const char *last = slash ? slash + 1 : name;
    const char *dot = strrchr(last, '.');
    if (!dot || dot == last)
        dot = last + strlen(last);
    size_t stem = (size_t)(dot - last), rest = strlen(dot) + strlen(mark);
    size_t room = COMPONENT_MAX - OWN_ENDINGS_MAX;
    if (rest >= room) { /* an "extension" as long as a name is none */
        stem = strlen(last);
        dot = last + stem;
        rest = strlen(mark);
    }
    if (stem + rest > room) {
        stem = room - rest;
        while (stem > 1 && ((unsigned char)last[stem] & 0xc0) == 0x80)
            stem--;
    }
    strbuf_add(out, name, (size_t)(last - name) + stem);
    strbuf_adds(out, mark);
    strbuf_adds(out, dot);
}

void name_with_hash(struct strbuf *out, const char *name, const char *url)
{
    char mark[16];
    snprintf(mark, sizeof mark, "~%08x", (unsigned)(hash64(url, strlen(url)) >> 32));
    add_marked(out, name, mark);
}

void name_with_number(struct strbuf *out, const char *name, unsigned number)
{
    char mark[16];
    snprintf(mark, sizeof mark, ".%u", number);
    add_marked(out, name, mark);
}

/* One JSON text from left to right; see json_cursor.h. Any thread. */
#include "json/json_cursor.h"

#include "json/json_text.h"

#define DEPTH_MAX 64

void json_cursor_init(struct json_cursor *c, struct span text)
{
    *c = (struct json_cursor){.p = text.p, .n = text.n};
}

static bool wrong(struct json_cursor *c, const char *what)
{
    if (!c->wrong)
        c->wrong = what;
    return false;
}

/* The next byte that is no blank, NUL at the end. */
static char look(struct json_cursor *c)
{
    if (c->wrong)
        return '\0';
    while (c->at < c->n && json_blank(c->p[c->at]))
        c->at++;
    return c->at < c->n ? c->p[c->at] : '\0';
}

weir_json_kind json_cursor_kind(struct json_cursor *c)
{
    return json_kind_of(look(c));
}

bool json_cursor_string(struct json_cursor *c, struct span *raw)
{
    if (look(c) != '"')
        return wrong(c, "a string is wanted");
    size_t begin = ++c->at;
    bool escapes = false;
    while (c->at < c->n && c->p[c->at] != '"') {
        size_t length = utf8_length(c->p + c->at, c->n - c->at);
        if (!length)
            return wrong(c, "a byte that is not UTF-8");
        if ((unsigned char)c->p[c->at] < 0x20)
            return wrong(c, "a control character in a string, where \\u00XX is wanted");
        if (c->p[c->at] == '\\') {
            escapes = true;
            length = c->at + 1 < c->n ? 2 : 1;
        }
        c->at += length;
    }
    if (c->at >= c->n) {
        c->at = begin - 1;
        return wrong(c, "a string that does not end");
    }
    *raw = (struct span){c->p + begin, c->at - begin};
    if (escapes && !json_escapes_valid(*raw)) {
        c->at = begin - 1;
        return wrong(c, "a string with an escape that is none");
    }
    c->at++;
    return true;
}

static size_t digits(struct json_cursor *c)
{
    size_t from = c->at;
    while (c->at < c->n && c->p[c->at] >= '0' && c->p[c->at] <= '9')
        c->at++;
    return c->at - from;
}

static bool skip_if(struct json_cursor *c, char a, char b)
{
    if (c->at >= c->n || (c->p[c->at] != a && c->p[c->at] != b))
        return false;
    c->at++;
    return true;
}

/* RFC 8259 section 6. */
static bool number(struct json_cursor *c)
{
    size_t begin = c->at;
    skip_if(c, '-', '-');
    bool zero = c->at < c->n && c->p[c->at] == '0';
    size_t whole = digits(c);
    bool good = whole == 1 || (whole && !zero);
    if (good && skip_if(c, '.', '.'))
        good = digits(c) != 0;
    if (good && skip_if(c, 'e', 'E')) {
        skip_if(c, '+', '-');
        good = digits(c) != 0;
    }
    if (good)
        return true;
    c->at = begin;
    return wrong(c, "a number that is none");
}

static bool literal(struct json_cursor *c)
{
    static const char *const words[] = {"true", "false", "null"};
    struct span rest = {c->p + c->at, c->n - c->at};
    for (size_t i = 0; i < 3; i++)
        if (span_starts(rest, words[i])) {
            c->at += strlen(words[i]);
            return true;
        }
    return wrong(c, "neither true, false nor null");
}

bool json_cursor_enter(struct json_cursor *c, char bracket)
{
    if (look(c) != bracket)
        return wrong(c, bracket == '{' ? "an object is wanted" : "an array is wanted");
    c->at++;
    if (look(c) == (bracket == '{' ? '}' : ']')) {
        c->at++;
        return false;
    }
    return true;
}

bool json_cursor_next(struct json_cursor *c, char bracket)
{
    char b = look(c);
    if (c->wrong)
        return false;
    if (b != ',' && b != bracket)
        return wrong(c, bracket == '}' ? "a comma or } is wanted" : "a comma or ] is wanted");
    c->at++;
    return b == ',';
}

bool json_cursor_key(struct json_cursor *c, struct span *raw)
{
    if (look(c) != '"')
        return wrong(c, "a key in quotes is wanted");
    if (!json_cursor_string(c, raw))
        return false;
    if (look(c) != ':')
        return wrong(c, "a colon is wanted");
    c->at++;
    return true;
}

static bool skip_value(struct json_cursor *c, int depth)
{
    struct span raw;
    if (depth > DEPTH_MAX)
        return wrong(c, "a value within more than 64 others");
    switch (json_cursor_kind(c)) {
    case WEIR_JSON_OBJECT:
        for (bool more = json_cursor_enter(c, '{'); more; more = json_cursor_next(c, '}'))
            if (!json_cursor_key(c, &raw) || !skip_value(c, depth + 1))
                return false;
        return !c->wrong;
    case WEIR_JSON_ARRAY:
        for (bool more = json_cursor_enter(c, '['); more; more = json_cursor_next(c, ']'))
            if (!skip_value(c, depth + 1))
                return false;
        return !c->wrong;
    case WEIR_JSON_STRING:
        return json_cursor_string(c, &raw);
    case WEIR_JSON_NUMBER:
        return number(c);
    case WEIR_JSON_BOOLEAN:
    case WEIR_JSON_NULL:
        return literal(c);
    default:
        return wrong(c, "a value is wanted");
    }
}

bool json_cursor_value(struct json_cursor *c, struct span *text)
{
    look(c);
    size_t begin = c->at;
    if (!skip_value(c, 1))
        return false;
    *text = (struct span){c->p + begin, c->at - begin};
    return true;
}

bool json_cursor_ended(struct json_cursor *c)
{
    look(c);
    if (!c->wrong && c->at < c->n)
        wrong(c, "something stands behind the value");
    return !c->wrong;
}

/* Spans, growing strings and the text operations of text.h. Any thread: a strbuf has one owner.
 *
 * A strbuf that fails keeps what it had and swallows what follows, so that a caller may append ten
 * times and ask once.
 */
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define STRBUF_MAX ((size_t)16 << 20)
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

bool span_equal(struct span a, const char *text)
{
    return a.n == strlen(text) && (a.n == 0 || memcmp(a.p, text, a.n) == 0);
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool span_equal_nocase(struct span a, const char *text)
{
    for (size_t i = 0; i < a.n; i++)
        if (!text[i] || ascii_lower(a.p[i]) != ascii_lower(text[i]))
            return false;
    return text[a.n] == '\0';
}

struct span span_trim(struct span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool span_starts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

/* ---- strbuf ---- */

void strbuf_free(struct strbuf *b)
{
    free(b->p);
    *b = (struct strbuf){0};
}

void strbuf_clear(struct strbuf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = '\0';
}

/* Room for `more` bytes and the NUL; false (and failed) when the maximum or memory forbids. */
static bool reserve(struct strbuf *b, size_t more)
{
    size_t max = !b->max ? STRBUF_MAX : b->max < SIZE_MAX / 4 ? b->max : SIZE_MAX / 4;
    if (b->failed || more > max || b->n > max - more) {
        b->failed = true;
        return false;
    }
    if (b->n + more < b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap <= b->n + more)
        cap *= 2;
    if (cap > max + 1)
        cap = max + 1;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void strbuf_add(struct strbuf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_addc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_addf(struct strbuf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, format, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->p ? b->p : "";
}

/* ---- characters ---- */

static bool continues(const char *p, size_t at)
{
    return ((unsigned char)p[at] & 0xc0) == 0x80;
}

size_t utf8_length(const char *p, size_t n)
{
    if (n == 0)
        return 0;
    unsigned char a = (unsigned char)p[0];
    if (a < 0x80)
        return 1;
    if (a < 0xc2 || n < 2 || !continues(p, 1))
        return 0;
    unsigned char b = (unsigned char)p[1];
    if (a < 0xe0)
        return 2;
    if (n < 3 || !continues(p, 2))
        return 0;
    if (a < 0xf0) {
        bool overlong = a == 0xe0 && b < 0xa0, surrogate = a == 0xed && b >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    if (n < 4 || !continues(p, 3) || a > 0xf4)
        return 0;
    bool overlong = a == 0xf0 && b < 0x90, beyond = a == 0xf4 && b >= 0x90;
    return overlong || beyond ? 0 : 4;
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A character at s.p: its bytes, and its code where it is a control character (C0, DEL, C1), else
 * -1. Zero bytes: not UTF-8. */
static size_t next_character(struct span s, int *control)
{
    size_t length = utf8_length(s.p, s.n);
    unsigned char c = (unsigned char)s.p[0];
    *control = -1;
    if (length == 1 && (c < 0x20 || c == 0x7f))
        *control = c;
    if (length == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0)
        *control = (unsigned char)s.p[1];
    return length;
}

static void add_json_control(struct strbuf *b, int c)
{
    switch (c) {
    case '\n':
        strbuf_adds(b, "\\n");
        break;
    case '\r':
        strbuf_adds(b, "\\r");
        break;
    case '\t':
        strbuf_adds(b, "\\t");
        break;
    default:
        strbuf_addf(b, "\\u%04x", (unsigned)c);
    }
}

/* The bytes at the start of s that need no escape in either form. */
static size_t plain_run(struct span s)
{
    size_t i = 0;
    while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\')
        i++;
    return i;
}

void strbuf_add_percent(struct strbuf *b, struct span s, const char *also)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (alnum || (c && (strchr("-._~", c) || strchr(also, c))))
            strbuf_addc(b, c);
        else
            strbuf_addf(b, "%%%02X", (unsigned char)c);
    }
}

/* DEL and C1 need no escape in JSON; they get one so that a report may be shown on a terminal. */
void strbuf_add_json(struct strbuf *b, struct span s)
{
    strbuf_addc(b, '"');
    while (s.n) {
        size_t n = plain_run(s);
        strbuf_add(b, s.p, n);
        s.p += n, s.n -= n;
        if (!s.n)
            break;
        int control;
        n = next_character(s, &control);
        if (!n)
            strbuf_adds(b, REPLACEMENT);
        else if (control >= 0)
            add_json_control(b, control);
        else {
            if (s.p[0] == '"' || s.p[0] == '\\')
                strbuf_addc(b, '\\');
            strbuf_add(b, s.p, n);
        }
        n = n ? n : 1;
        s.p += n, s.n -= n;
    }
    strbuf_addc(b, '"');
}

void strbuf_add_printable(struct strbuf *b, struct span s)
{
    while (s.n) {
        int control;
        size_t n = next_character(s, &control);
        if (!n)
            strbuf_adds(b, REPLACEMENT);
        else if (control >= 0)
            strbuf_addf(b, "\\x%02x", (unsigned)control);
        else
            strbuf_add(b, s.p, n);
        n = n ? n : 1;
        s.p += n, s.n -= n;
    }
}

bool parse_uint64(struct span s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

uint64_t hash64(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

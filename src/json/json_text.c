/* Single values of a JSON text (json_text.h). Any thread.
 *
 * Printing copies what stands in the record wherever jq would print the very same bytes, and says
 * no to what would need its number formatting: there is one printer of doubles, and it is jq's.
 */
#include "json/json_text.h"

#include <math.h>
#include <stdlib.h>

#define DEL 0x7f
/* More keys of one object are not compared with each other: libjq has a hash table. */
#define KEYS_MAX 32

struct span json_trim(struct span s)
{
    while (s.n && json_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && json_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct span token_span(const struct json_tokens *t, uint32_t k)
{
    const char *begin = t->p + t->at[k], *end = t->p + t->at[k + 1];
    while (end > begin && json_blank(end[-1]))
        end--;
    return (struct span){begin, (size_t)(end - begin)};
}

struct span token_raw(const struct json_tokens *t, uint32_t k)
{
    struct span s = token_span(t, k);
    return (struct span){s.p + 1, s.n - 2};
}

/* ---- strings ---- */

static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Length of the escape at p, 0 when it is none or half a surrogate pair. */
static size_t escape_length(const char *p, size_t n)
{
    if (n < 2)
        return 0;
    if (p[1] != 'u')
        return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
    if (n < 6)
        return 0;
    int unit = hex4(p + 2);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return 0;
    if (unit < 0xd800 || unit > 0xdbff)
        return 6;
    if (n < 12 || p[6] != '\\' || p[7] != 'u')
        return 0;
    int low = hex4(p + 8);
    return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

bool json_escapes_valid(struct span s)
{
    const char *p = s.p, *end = s.p + s.n;
    while (p < end && (p = memchr(p, '\\', (size_t)(end - p)))) {
        size_t n = escape_length(p, (size_t)(end - p));
        if (!n)
            return false;
        p += n;
    }
    return true;
}

static size_t utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static size_t unescape_one(const char *p, size_t length, char *out)
{
    if (length == 2) {
        static const char names[] = "bfnrt", means[] = "\b\f\n\r\t";
        const char *name = strchr(names, p[1]);
        out[0] = name ? means[name - names] : p[1];
        return 1;
    }
    uint32_t c = (uint32_t)hex4(p + 2);
    if (length == 12)
        c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)hex4(p + 8) - 0xdc00);
    return utf8_put(c, out);
}

size_t json_unescape(struct span raw, char *out)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    char *to = out;
    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape ? escape : end) - p);
        memmove(to, p, plain);
        to += plain;
        p += plain;
        if (!escape)
            break;
        size_t n = escape_length(p, (size_t)(end - p));
        if (!n)
            break;
        to += unescape_one(p, n, to);
        p += n;
    }
    return (size_t)(to - out);
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == DEL;
}

static void add_escape(struct strbuf *out, unsigned char c)
{
    static const char means[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *at = c ? strchr(means, c) : NULL;
    if (!at) {
        strbuf_addf(out, "\\u%04x", c);
        return;
    }
    strbuf_addc(out, '\\');
    strbuf_addc(out, names[at - means]);
}

void json_add_string(struct strbuf *out, struct span text)
{
    strbuf_addc(out, '"');
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        while (i < text.n && !needs_escape((unsigned char)text.p[i]))
            i++;
        strbuf_add(out, text.p + from, i - from);
        if (i < text.n)
            add_escape(out, (unsigned char)text.p[i++]);
    }
    strbuf_addc(out, '"');
}

void json_add_raw(struct strbuf *out, struct span raw, bool escapes, struct strbuf *scratch)
{
    if (!escapes || !raw.n || !memchr(raw.p, '\\', raw.n)) {
        strbuf_add(out, raw.p, raw.n);
        return;
    }
    strbuf_clear(scratch);
    strbuf_add(scratch, raw.p, raw.n);
    if (scratch->failed)
        out->failed = true;
    else
        strbuf_add(out, scratch->p, json_unescape(raw, scratch->p));
}

static void add_string_token(struct strbuf *out, const struct json_tokens *t, struct span token,
                             struct strbuf *scratch)
{
    struct span raw = {token.p + 1, token.n - 2};
    if (!memchr(token.p, DEL, token.n) && !(t->escapes && memchr(token.p, '\\', token.n))) {
        strbuf_add(out, token.p, token.n);
        return;
    }
    strbuf_clear(scratch);
    strbuf_add(scratch, raw.p, raw.n);
    if (scratch->failed) {
        out->failed = true;
        return;
    }
    size_t n = json_unescape(raw, scratch->p);
    json_add_string(out, (struct span){scratch->p, n});
}

/* ---- numbers ---- */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number with few digits is its digits, as an integer, times or by a power of ten; both are
 * exact, so that one operation rounds rightly (W. Clinger, How to Read Floating Point Numbers
 * Accurately, 1990). */
static bool number_by_one_operation(struct span token, double *out)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *p = token.p, *end = token.p + token.n;
    bool negative = p < end && *p == '-';
    uint64_t digits = 0;
    unsigned fraction = 0;
    bool point = false;
    if (token.n > 17)
        return false;
    for (p += negative; p < end && (digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        digits = digits * 10 + (uint64_t)(*p - '0');
        fraction += point;
    }
    if (p < end || digits > (uint64_t)1 << 53)
        return false;
    double value = (double)digits / tens[fraction];
    *out = negative ? -value : value;
    return true;
}

bool json_number(struct span token, locale_t c_locale, double *out)
{
    if (number_by_one_operation(token, out))
        return true;
    /* What ends the token (a comma, a bracket, a blank) ends it for strtod too. */
    double value = strtod_l(token.p, NULL, c_locale);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

/* jq 1.6 prints the shortest decimal that reads as the same double, plainly from 1e-4 to 1e17.
 * Among decimals of up to 15 digits no two are the same double, so one without zeros at its end is
 * the shortest. */
bool json_number_is_canonical(struct span token)
{
    const char *p = token.p, *end = token.p + token.n;
    bool negative = p < end && *p == '-';
    p += negative;
    const char *whole = p;
    while (p < end && digit(*p))
        p++;
    size_t n = (size_t)(p - whole);
    if (n == 0 || n > 15 || (n > 1 && whole[0] == '0'))
        return false;
    if (p == end)
        return !(negative && whole[0] == '0');
    if (*p++ != '.' || p == end || end[-1] == '0')
        return false;
    const char *fraction = p;
    while (p < end && digit(*p))
        p++;
    size_t places = (size_t)(p - fraction), zeros = 0;
    if (p != end || n + places > 15)
        return false;
    if (whole[0] != '0')
        return true;
    while (zeros < places && fraction[zeros] == '0')
        zeros++;
    return zeros < 4;
}

/* ---- whole values ---- */

static bool add_token(struct strbuf *out, const struct json_tokens *t, uint32_t k,
                      struct strbuf *scratch)
{
    struct span token = token_span(t, k);
    if (token.p[0] == '"') {
        add_string_token(out, t, token, scratch);
        return true;
    }
    if ((digit(token.p[0]) || token.p[0] == '-') && !json_number_is_canonical(token))
        return false;
    strbuf_add(out, token.p, token.n);
    return true;
}

/* Whether the key at token k is new among `keys`, and plain. Of equal keys jq keeps the last value
 * at the place of the first: such objects are left to it. */
static bool key_is_new(const struct json_tokens *t, uint32_t k, uint32_t *keys, unsigned *n)
{
    struct span key = token_span(t, k);
    if (*n == KEYS_MAX || (t->escapes && memchr(key.p, '\\', key.n)))
        return false;
    for (unsigned i = 0; i < *n; i++) {
        struct span other = token_span(t, keys[i]);
        if (other.n == key.n && memcmp(other.p, key.p, key.n) == 0)
            return false;
    }
    keys[(*n)++] = k;
    return true;
}

/* The number of the token behind the value at k, 0 when jq is to print it. */
static uint32_t add_nested(struct strbuf *out, const struct json_tokens *t, uint32_t k,
                           struct strbuf *scratch)
{
    char open = t->p[t->at[k]];
    if (open != '{' && open != '[')
        return add_token(out, t, k, scratch) ? k + 1 : 0;
    uint32_t keys[KEYS_MAX];
    unsigned n = 0;
    strbuf_addc(out, open);
    k++;
    for (char c = t->p[t->at[k]]; c != '}' && c != ']'; c = t->p[t->at[k]]) {
        if (c == ',') {
            strbuf_addc(out, ',');
            k++;
        }
        if (open == '{') {
            if (!key_is_new(t, k, keys, &n) || !add_token(out, t, k, scratch))
                return 0;
            strbuf_addc(out, ':');
            k += 2;
        }
        k = add_nested(out, t, k, scratch);
        if (!k)
            return 0;
    }
    strbuf_addc(out, t->p[t->at[k]]);
    return k + 1;
}

bool json_add_value(struct strbuf *out, const struct json_tokens *t, uint32_t k,
                    struct strbuf *scratch)
{
    return add_nested(out, t, k, scratch) != 0;
}

/* Text for eyes: numbers with units, and strings that a terminal may show, measured in columns.
 *
 * Any thread. The strings of the library are safe to print already; they are made so once more
 * here, because a terminal is the one place where a slip becomes somebody else's commands.
 */
#include "cli/display_text.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

struct text text_in(char *array, size_t cap)
{
    array[0] = '\0';
    return (struct text){.p = array, .cap = cap};
}

/* One character, whole or not at all. */
static bool add_bytes(struct text *t, const char *s, size_t n)
{
    if (n >= t->cap - t->n)
        return false;
    memcpy(t->p + t->n, s, n);
    t->n += n;
    t->p[t->n] = '\0';
    return true;
}

/* Bytes of the character at s in the locale, and its columns; a byte that is no text has -1. */
static size_t char_at(const char *s, int *columns)
{
    mbstate_t state = {0};
    wchar_t wide = 0;
    size_t n = mbrtowc(&wide, s, strlen(s), &state);
    if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
        *columns = -1;
        return 1;
    }
    *columns = wcwidth(wide);
    bool turns_text = wide == 0x061c || wide == 0x200e || wide == 0x200f ||
                      (wide >= 0x202a && wide <= 0x202e) || (wide >= 0x2066 && wide <= 0x2069);
    if (turns_text || wide == 0x2028 || wide == 0x2029)
        *columns = -1;
    return n;
}

void text_add(struct text *t, const char *s)
{
    while (*s) {
        int columns;
        size_t n = char_at(s, &columns);
        if (!add_bytes(t, s, n))
            return;
        s += n;
    }
}

void text_addf(struct text *t, const char *format, ...)
{
    char formatted[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(formatted, sizeof formatted, format, args);
    va_end(args);
    text_add(t, formatted);
}

void text_repeat(struct text *t, const char *s, int times)
{
    while (times-- > 0)
        text_add(t, s);
}

void text_add_printable(struct text *t, const char *s)
{
    while (*s) {
        int columns;
        size_t n = char_at(s, &columns);
        if (columns >= 0) {
            if (!add_bytes(t, s, n))
                return;
        } else {
            for (size_t i = 0; i < n; i++) {
                char escaped[8];
                int length = snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)s[i]);
                if (!add_bytes(t, escaped, (size_t)length))
                    return;
            }
        }
        s += n;
    }
}

int text_columns(const char *s)
{
    int sum = 0;
    while (*s) {
        int columns;
        s += char_at(s, &columns);
        sum += columns > 0 ? columns : 0;
    }
    return sum;
}

/* Appends from s as many whole characters as fit into `columns`; returns the columns used. */
static int add_head(struct text *t, const char *s, int columns)
{
    int used = 0;
    while (*s) {
        int wide;
        size_t n = char_at(s, &wide);
        wide = wide > 0 ? wide : 0;
        if (used + wide > columns || !add_bytes(t, s, n))
            break;
        used += wide;
        s += n;
    }
    return used;
}

/* Skips from the front of s until the rest takes at most `columns`. */
static const char *tail_of(const char *s, int columns)
{
    int left = text_columns(s);
    while (*s && left > columns) {
        int wide;
        s += char_at(s, &wide);
        left -= wide > 0 ? wide : 0;
    }
    /* A combining character must not lose its base. */
    while (*s) {
        int wide;
        size_t n = char_at(s, &wide);
        if (wide != 0)
            break;
        s += n;
    }
    return s;
}

int text_add_cut(struct text *t, const char *s, int columns)
{
    if (columns <= 0)
        return 0;
    if (text_columns(s) <= columns)
        return add_head(t, s, columns);
    const char *mark = locale_is_utf8() ? "…" : "~";
    int used = add_head(t, s, (columns - 1) / 3);
    text_add(t, mark);
    used += 1;
    return used + add_head(t, tail_of(s, columns - used), columns - used);
}

void text_add_url(struct text *t, const char *url)
{
    const char *authority = strstr(url, "://");
    if (authority) {
        authority += 3;
        size_t n = strcspn(authority, "/?#");
        const char *at = NULL;
        for (size_t i = 0; i < n; i++) {
            if (authority[i] == '@')
                at = authority + i;
        }
        if (at) {
            for (const char *p = url; p < authority; p++)
                add_bytes(t, p, 1);
            url = at + 1;
        }
    }
    text_add(t, url);
}

void text_add_shell_word(struct text *t, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,@%+";
    if (*s && s[strspn(s, plain)] == '\0') {
        text_add(t, s);
        return;
    }
    text_add(t, "'");
    for (; *s; s++) {
        if (*s == '\'')
            text_add(t, "'\\''");
        else
            add_bytes(t, s, 1);
    }
    text_add(t, "'");
}

const char *show_count(char out[SHOW_MAX], uint64_t n)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    struct text t = text_in(out, SHOW_MAX);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            add_bytes(&t, ",", 1);
        add_bytes(&t, digits + i, 1);
    }
    return out;
}

static const char *show_scaled(char out[SHOW_MAX], double value, const char *after)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t i = 0;
    if (value < 0)
        value = 0;
    /* Never four digits before the point: columns that are read while they change keep their width.
     */
    while (value >= (i == 0 ? 999.5 : 999.95) && i + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        i++;
    }
    snprintf(out, SHOW_MAX, "%.*f %s%s", i == 0 ? 0 : 1, value, units[i], after);
    return out;
}

const char *show_bytes(char out[SHOW_MAX], int64_t bytes)
{
    return show_scaled(out, (double)bytes, "");
}

const char *show_speed(char out[SHOW_MAX], double bps)
{
    return show_scaled(out, bps, "/s");
}

const char *show_clock(char out[SHOW_MAX], int64_t seconds)
{
    if (seconds >= 360000)
        snprintf(out, SHOW_MAX, "%" PRId64 " days", seconds / 86400);
    else if (seconds >= 3600)
        snprintf(out, SHOW_MAX, "%" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60),
                 (int)(seconds % 60));
    else
        snprintf(out, SHOW_MAX, "%" PRId64 ":%02d", seconds / 60, (int)(seconds % 60));
    return out;
}

const char *show_duration(char out[SHOW_MAX], int64_t ms)
{
    int64_t seconds = ms / 1000;
    if (ms < 1000)
        snprintf(out, SHOW_MAX, "%.2f s", (double)ms / 1000);
    else if (seconds < 60)
        snprintf(out, SHOW_MAX, "%.1f s", (double)ms / 1000);
    else if (seconds < 3600)
        snprintf(out, SHOW_MAX, "%" PRId64 " min %d s", seconds / 60, (int)(seconds % 60));
    else
        snprintf(out, SHOW_MAX, "%" PRId64 " h %d min", seconds / 3600, (int)(seconds / 60 % 60));
    return out;
}

bool locale_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

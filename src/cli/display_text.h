/* Text for eyes: numbers with units, and strings that a terminal may show, measured in columns.
 *
 * Everything here is pure (it reads the LC_CTYPE locale and nothing else), so that tests can call
 * it. Any thread.
 */
#ifndef WEIR_CLI_DISPLAY_TEXT_H
#define WEIR_CLI_DISPLAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string in an array of the caller's; always ends in NUL. What does not fit is left out, whole
 * characters at a time. */
struct text {
    char *p;
    size_t n, cap;
};

struct text text_in(char *array, size_t cap);
void text_add(struct text *t, const char *s);
void text_addf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_repeat(struct text *t, const char *s, int times);
/* Appends `s` as a terminal may show it: control characters, bidirectional controls and bytes
 * that are no text in the locale become \xNN. */
void text_add_printable(struct text *t, const char *s);

/* Columns that printable text takes. */
int text_columns(const char *s);
/* Appends printable text in at most `columns` columns. What is too long loses its middle, and more
 * of its beginning than of its end: names differ there. Returns the columns used. */
int text_add_cut(struct text *t, const char *s, int columns);

/* A URL without the user and password in it. */
void text_add_url(struct text *t, const char *url);
/* `s` as one word for a POSIX shell. */
void text_add_shell_word(struct text *t, const char *s);

#define SHOW_MAX 40
/* Each returns `out`. */
const char *show_count(char out[SHOW_MAX], uint64_t n);      /* 1,204 */
const char *show_bytes(char out[SHOW_MAX], int64_t bytes);   /* 39.1 MiB */
const char *show_speed(char out[SHOW_MAX], double bps);      /* 32.1 MiB/s */
const char *show_clock(char out[SHOW_MAX], int64_t seconds); /* 0:42, 1:02:03 */
const char *show_duration(char out[SHOW_MAX], int64_t ms);   /* 1.2 s, 3 min 4 s */

/* True when the locale's encoding is UTF-8. */
bool locale_is_utf8(void);

#endif

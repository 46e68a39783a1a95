/* Spans, growing strings, and the few text operations that several rooms need.
 *
 * A span is a pointer and a length; it never owns its bytes and need not end in NUL. A strbuf owns
 * its bytes, always ends in a NUL that `n` does not count, and never grows beyond `max`.
 */
#ifndef WEIR_CORE_TEXT_H
#define WEIR_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

struct span span_of(const char *text); /* NULL gives an empty span */
bool span_equal(struct span a, const char *text);
bool span_equal_nocase(struct span a, const char *text); /* ASCII only */
struct span span_trim(struct span s);                    /* spaces and TABs at both ends */
bool span_starts(struct span s, const char *prefix);

struct strbuf {
    char *p;
    size_t n, cap;
    size_t max;  /* 0 = 16 MiB */
    bool failed; /* an append did not fit or memory ran out; sticky until strbuf_clear */
};

void strbuf_free(struct strbuf *b);  /* back to all zeros */
void strbuf_clear(struct strbuf *b); /* keeps the memory */
void strbuf_add(struct strbuf *b, const void *p, size_t n);
void strbuf_adds(struct strbuf *b, const char *text);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Always a valid C string, "" when empty. */
const char *strbuf_text(const struct strbuf *b);

/* Appends `s` as a JSON string with its quotes (RFC 8259 section 7). Bytes that are not UTF-8
 * become U+FFFD. */
void strbuf_add_json(struct strbuf *b, struct span s);
/* Appends `s` so that a terminal may show it: control characters (C0, DEL, C1) become \xNN, bytes
 * that are not UTF-8 become U+FFFD. */
void strbuf_add_printable(struct strbuf *b, struct span s);

/* Appends `s` with every byte as %XX that is neither unreserved (RFC 3986 section 2.3) nor one of
 * `also`. */
void strbuf_add_percent(struct strbuf *b, struct span s, const char *also);

/* Length in bytes of the UTF-8 sequence at p (RFC 3629: no surrogates, no overlong forms), 0 when
 * it is not one. */
size_t utf8_length(const char *p, size_t n);

/* Value of a hexadecimal digit, -1 when it is none. */
int hex_value(char c);

/* Whole text as a decimal number; false on anything else or on overflow. */
bool parse_uint64(struct span s, uint64_t *out);

/* A 64-bit hash (XXH3). The same for the same bytes in every run and on every machine. */
uint64_t hash64(const void *p, size_t n);

#endif

/* Single values of an indexed JSON text: their bytes, what they mean, how jq prints them.
 *
 * A token is known by its number in the index (simdjson_adapter.h). Nothing here checks the
 * grammar: json_walk.h has done so for every token that comes here. Functions that answer bool say
 * false where a value is not certainly the same for us and for jq; such a record goes to libjq.
 *
 * Any thread; the locale is the caller's "C" one.
 */
#ifndef WEIR_JSON_JSON_TEXT_H
#define WEIR_JSON_JSON_TEXT_H

#include <locale.h>

#include "core/text.h"
#include "weir/weir.h"

struct json_tokens {
    const char *p;
    const uint32_t *at;
    bool escapes; /* a backslash stands somewhere in the record */
};

/* As jq orders them; WALK_MISSING is less than all. */
enum walk_kind {
    WALK_MISSING,
    WALK_NULL,
    WALK_FALSE,
    WALK_TRUE,
    WALK_NUMBER,
    WALK_STRING,
    WALK_ARRAY,
    WALK_OBJECT
};

static inline bool json_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What the first byte of a value says that it is; MISSING: none begins so. */
static inline weir_json_kind json_kind_of(char first)
{
    switch (first) {
    case '{':
        return WEIR_JSON_OBJECT;
    case '[':
        return WEIR_JSON_ARRAY;
    case '"':
        return WEIR_JSON_STRING;
    case 't':
    case 'f':
        return WEIR_JSON_BOOLEAN;
    case 'n':
        return WEIR_JSON_NULL;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? WEIR_JSON_NUMBER
                                                              : WEIR_JSON_MISSING;
    }
}

/* The first and the last byte that are no blank, and what is between. */
struct span json_trim(struct span s);

/* The bytes of a scalar or a key, and what stands between the quotes of a string. */
struct span token_span(const struct json_tokens *t, uint32_t k);
struct span token_raw(const struct json_tokens *t, uint32_t k);

/* Whether every backslash in `s` begins an escape of RFC 8259 section 7, surrogates in pairs. */
bool json_escapes_valid(struct span s);
/* Unescapes what json_escapes_valid has passed; `out` has room for raw.n bytes (and may be raw.p).
 * Returns the length. */
size_t json_unescape(struct span raw, char *out);

/* The nearest double. false: beyond what a double can hold. */
bool json_number(struct span token, locale_t c_locale, double *out);
/* Whether jq 1.6 prints the number just as it stands here. */
bool json_number_is_canonical(struct span token);

/* Appends a string, given as it is meant (unescaped), as jq prints it. */
void json_add_string(struct strbuf *out, struct span text);
/* Appends the value at token k, which may be a container, as jq -c prints it. */
bool json_add_value(struct strbuf *out, const struct json_tokens *t, uint32_t k,
                    struct strbuf *scratch);
/* Appends a string without quotes, unescaped. */
void json_add_raw(struct strbuf *out, struct span raw, bool escapes, struct strbuf *scratch);

#endif

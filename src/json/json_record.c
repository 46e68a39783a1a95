/* One record, looked at by path (json_record.h), and the public weir_record_*. The worker's thread.
 *
 * A record is indexed and walked once, to know that it is JSON; each call then goes along the
 * tokens of its path. A record that the walk does not take is libjq's, and so are its values.
 * Strings with escapes are unescaped into a copy of the record, at the place where they stand in
 * it: so one can be asked for again and again, and none moves another.
 */
#include "json/json_record.h"

#include <math.h>
#include <stdlib.h>

#include "json/jq_adapter.h"
#include "json/json_walk.h"
#include "json/simdjson_adapter.h"

#define KEYS_ON_STACK 64

struct weir_record {
    struct json_index *index; /* NULL: libjq does all */
    struct jq_value *value;   /* of a record that is libjq's, else NULL */
    struct json_tokens tokens;
    struct span text; /* as it stands in the body */
    uint64_t line;
    char *copy; /* the record with its padding, where it lacks that */
    size_t copy_cap;
    char *unescaped;
    size_t unescaped_cap;
    locale_t c_locale;
};

status json_reader_open(struct weir_record **out, error *err)
{
    struct weir_record *r = calloc(1, sizeof *r);
    if (!r)
        return fail(err, WEIR_NOMEM, "out of memory for a record");
    r->index = json_index_new();
    r->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!r->c_locale) {
        json_reader_close(r);
        return fail(err, WEIR_NOMEM, "out of memory for a record");
    }
    *out = r;
    return OK;
}

void json_reader_close(struct weir_record *r)
{
    if (!r)
        return;
    json_index_free(r->index);
    jq_value_free(r->value);
    if (r->c_locale)
        freelocale(r->c_locale);
    free(r->copy);
    free(r->unescaped);
    free(r);
}

static bool grow(char **p, size_t *cap, size_t need)
{
    if (need <= *cap)
        return true;
    size_t wanted = *cap ? *cap : 1024;
    while (wanted < need)
        wanted *= 2;
    char *grown = realloc(*p, wanted);
    if (!grown)
        return false;
    *p = grown;
    *cap = wanted;
    return true;
}

/* Indexed and walked. false: libjq's. */
static bool walked(struct weir_record *r, struct span text, size_t readable)
{
    static const struct json_shape nothing = {.n = 1};
    struct json_found found[1];
    struct json_tokens *t = &r->tokens;
    if (!r->index || text.n >= JSON_INDEX_MAX)
        return false;
    t->p = text.p;
    if (readable <= text.n + JSON_PADDING || text.p[text.n] != '\n') {
        if (!grow(&r->copy, &r->copy_cap, text.n + 1 + JSON_PADDING))
            return false;
        if (text.n)
            memcpy(r->copy, text.p, text.n);
        memset(r->copy + text.n, '\n', 1 + JSON_PADDING);
        t->p = r->copy;
    }
    uint32_t next;
    if (!json_index_build(r->index, t->p, text.n + 1, &t->at))
        return false;
    t->escapes = memchr(t->p, '\\', text.n) != NULL;
    if (t->escapes && (!json_escapes_valid((struct span){t->p, text.n}) ||
                       !grow(&r->unescaped, &r->unescaped_cap, text.n)))
        return false;
    return json_walk(&nothing, found, t, 0, &next) && t->at[next - 1] < text.n &&
           t->at[next] == text.n;
}

status json_reader_set(struct weir_record *r, struct span text, size_t readable, uint64_t line,
                       error *err)
{
    jq_value_free(r->value);
    r->value = NULL;
    r->text = text;
    r->line = line;
    if (walked(r, text, readable))
        return OK;
    return jq_value_parse(&r->value, json_trim(text), err);
}

/* ---- along the tokens ---- */

/* What a string or a key means. */
static struct span meaning(const struct weir_record *r, uint32_t k)
{
    struct span raw = token_raw(&r->tokens, k);
    if (!r->tokens.escapes || !raw.n || !memchr(raw.p, '\\', raw.n))
        return raw;
    char *to = r->unescaped + (raw.p - r->tokens.p);
    return (struct span){to, json_unescape(raw, to)};
}

static char first_byte(const struct weir_record *r, uint32_t k)
{
    return r->tokens.p[r->tokens.at[k]];
}

/* The token behind the value at k. */
static uint32_t skip(const struct weir_record *r, uint32_t k)
{
    size_t depth = 0;
    do {
        char c = first_byte(r, k++);
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
    } while (depth);
    return k;
}

/* Goes on to the next member or element: `k` is behind a value. false: that was the last one. */
static bool next_value(const struct weir_record *r, uint32_t *k)
{
    return first_byte(r, (*k)++) == ',';
}

static bool member(const struct weir_record *r, uint32_t k, struct span key, uint32_t *value)
{
    bool found = false;
    if (first_byte(r, k++) != '{' || first_byte(r, k) == '}')
        return false;
    do {
        struct span name = meaning(r, k);
        if (name.n == key.n && (!key.n || memcmp(name.p, key.p, key.n) == 0)) {
            *value = k + 2;
            found = true;
        }
        k = skip(r, k + 2);
    } while (next_value(r, &k));
    return found;
}

static size_t elements(const struct weir_record *r, uint32_t k)
{
    size_t n = 0;
    k++;
    if (first_byte(r, k) == ']')
        return 0;
    do {
        n++;
        k = skip(r, k);
    } while (next_value(r, &k));
    return n;
}

static bool element(const struct weir_record *r, uint32_t k, int64_t index, uint32_t *value)
{
    if (first_byte(r, k) != '[')
        return false;
    if (index < 0)
        index += (int64_t)elements(r, k);
    k++;
    if (index < 0 || first_byte(r, k) == ']')
        return false;
    for (; index; index--) {
        k = skip(r, k);
        if (!next_value(r, &k))
            return false;
    }
    *value = k;
    return true;
}

static bool value_at(const struct weir_record *r, const char *path, uint32_t *k)
{
    char key[PATH_KEY_MAX];
    struct path_step step;
    struct span rest = span_of(path);
    *k = 0;
    for (bool first = true; first || rest.n; first = false) {
        size_t used;
        if (!json_path_step(rest, first, key, &step, &used))
            return false;
        rest.p += used;
        rest.n -= used;
        if (step.kind == STEP_KEY && !member(r, *k, step.key, k))
            return false;
        if (step.kind == STEP_INDEX && !element(r, *k, step.index, k))
            return false;
    }
    return true;
}

static weir_json_kind kind_at(const struct weir_record *r, uint32_t k)
{
    return json_kind_of(first_byte(r, k));
}

static int by_bytes(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    size_t n = a->n < b->n ? a->n : b->n;
    int order = n ? memcmp(a->p, b->p, n) : 0;
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

/* Fields with different names: equal keys are one field. */
static size_t fields(const struct weir_record *r, uint32_t k)
{
    struct span some[KEYS_ON_STACK], *keys = some;
    size_t n = 0, cap = KEYS_ON_STACK, distinct = 0;
    k++;
    if (first_byte(r, k) == '}')
        return 0;
    do {
        if (n == cap) {
            struct span *grown = malloc(2 * cap * sizeof *grown);
            if (!grown)
                break;
            memcpy(grown, keys, n * sizeof *keys);
            if (keys != some)
                free(keys);
            keys = grown;
            cap *= 2;
        }
        keys[n++] = meaning(r, k);
        k = skip(r, k + 2);
    } while (next_value(r, &k));
    qsort(keys, n, sizeof *keys, by_bytes);
    for (size_t i = 0; i < n; i++)
        distinct += i == 0 || by_bytes(&keys[i - 1], &keys[i]) != 0;
    if (keys != some)
        free(keys);
    return distinct;
}

/* The exponent of a number, and where it begins. One beyond a billion is no integer's, or zero's.
 */
static int64_t exponent_of(struct span token, size_t *begin)
{
    size_t i = 0;
    while (i < token.n && (token.p[i] | 0x20) != 'e')
        i++;
    *begin = i++;
    if (i >= token.n)
        return 0;
    bool negative = token.p[i] == '-';
    i += negative || token.p[i] == '+';
    int64_t value = 0;
    for (; i < token.n && value < 1000000000; i++)
        value = value * 10 + (token.p[i] - '0');
    return negative ? -value : value;
}

/* Whether a number is an integer that fits, exactly as it stands: 12, 1.2e1, 120e-1, not 1.5. */
static bool exact_integer(struct span token, int64_t *out)
{
    bool negative = token.p[0] == '-', point = false;
    uint64_t digits = 0;
    size_t end;
    int64_t tens = exponent_of(token, &end), zeros = 0;
    for (size_t i = negative; i < end; i++) {
        if (token.p[i] == '.') {
            point = true;
            continue;
        }
        uint64_t digit = (uint64_t)(token.p[i] - '0');
        tens -= point;
        zeros++;
        if (!digit)
            continue;
        for (; zeros && digits; zeros--)
            if (__builtin_mul_overflow(digits, (uint64_t)10, &digits))
                return false;
        zeros = 0;
        if (__builtin_add_overflow(digits, digit, &digits))
            return false;
    }
    for (tens += zeros; tens > 0 && digits; tens--)
        if (__builtin_mul_overflow(digits, (uint64_t)10, &digits))
            return false;
    if ((tens < 0 && digits) || digits > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - digits) : (int64_t)digits;
    return true;
}

/* ---- the public functions ---- */

const char *weir_record_text(const weir_record *record, size_t *size)
{
    *size = record->text.n;
    return record->text.p;
}

uint64_t weir_record_line(const weir_record *record)
{
    return record->line;
}

weir_json_kind weir_record_kind(const weir_record *record, const char *path)
{
    uint32_t k;
    if (record->value)
        return jq_value_kind(record->value, path);
    return value_at(record, path, &k) ? kind_at(record, k) : WEIR_JSON_MISSING;
}

bool weir_record_string(const weir_record *record, const char *path, const char **text,
                        size_t *size)
{
    uint32_t k;
    if (record->value)
        return jq_value_string(record->value, path, text, size);
    if (!value_at(record, path, &k) || kind_at(record, k) != WEIR_JSON_STRING)
        return false;
    struct span string = meaning(record, k);
    *text = string.p;
    *size = string.n;
    return true;
}

bool weir_record_number(const weir_record *record, const char *path, double *out)
{
    uint32_t k;
    if (record->value)
        return jq_value_number(record->value, path, out);
    if (!value_at(record, path, &k) || kind_at(record, k) != WEIR_JSON_NUMBER)
        return false;
    return json_number(token_span(&record->tokens, k), record->c_locale, out);
}

bool weir_record_integer(const weir_record *record, const char *path, int64_t *out)
{
    uint32_t k;
    double number;
    if (!record->value)
        return value_at(record, path, &k) && kind_at(record, k) == WEIR_JSON_NUMBER &&
               exact_integer(token_span(&record->tokens, k), out);
    /* From 2^53 on a double may be an integer that never stood there. */
    if (!jq_value_number(record->value, path, &number) || number != trunc(number) ||
        fabs(number) >= 9007199254740992.0)
        return false;
    *out = (int64_t)number;
    return true;
}

bool weir_record_boolean(const weir_record *record, const char *path, bool *out)
{
    uint32_t k;
    if (record->value)
        return jq_value_boolean(record->value, path, out);
    if (!value_at(record, path, &k) || kind_at(record, k) != WEIR_JSON_BOOLEAN)
        return false;
    *out = first_byte(record, k) == 't';
    return true;
}

size_t weir_record_count(const weir_record *record, const char *path)
{
    uint32_t k;
    if (record->value)
        return jq_value_count(record->value, path);
    if (!value_at(record, path, &k))
        return 0;
    switch (kind_at(record, k)) {
    case WEIR_JSON_ARRAY:
        return elements(record, k);
    case WEIR_JSON_OBJECT:
        return fields(record, k);
    default:
        return 0;
    }
}

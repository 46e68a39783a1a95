/* See byte_ranges.h. Any thread. */
#include "serve/byte_ranges.h"

/* Takes a number off the front; one too large for an offset counts as the largest. False: none. */
static bool take_number(struct span *s, int64_t *out)
{
    size_t digits = 0;
    int64_t n = 0;
    while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9') {
        int digit = s->p[digits++] - '0';
        n = n > (INT64_MAX - digit) / 10 ? INT64_MAX : n * 10 + digit;
    }
    s->p += digits;
    s->n -= digits;
    *out = n;
    return digits > 0;
}

static bool take_dash(struct span *s)
{
    if (!s->n || s->p[0] != '-')
        return false;
    s->p++, s->n--;
    return true;
}

enum one { ONE_MALFORMED, ONE_OUTSIDE, ONE_FINE };

static enum one read_one(struct byte_range *out, struct span s, int64_t size)
{
    int64_t first, last;
    if (take_dash(&s)) { /* the last so many bytes */
        if (!take_number(&s, &last) || s.n)
            return ONE_MALFORMED;
        *out = (struct byte_range){last < size ? size - last : 0, size - 1};
        return last && size ? ONE_FINE : ONE_OUTSIDE;
    }
    if (!take_number(&s, &first) || !take_dash(&s))
        return ONE_MALFORMED;
    bool open = s.n == 0;
    if (!open && (!take_number(&s, &last) || s.n || last < first))
        return ONE_MALFORMED;
    *out = (struct byte_range){first, open || last >= size ? size - 1 : last};
    return first < size ? ONE_FINE : ONE_OUTSIDE;
}

static struct span take_element(struct span *rest)
{
    const char *comma = memchr(rest->p, ',', rest->n);
    size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
    struct span element = span_trim((struct span){rest->p, n});
    size_t used = comma ? n + 1 : n;
    rest->p += used;
    rest->n -= used;
    return element;
}

enum ranges_verdict byte_ranges_parse(struct byte_range out[RANGES_MAX], size_t *n,
                                      struct span field, int64_t size)
{
    static const char unit[] = "bytes=";
    size_t asked = 0, kept = 0;
    int64_t bytes = 0;
    field = span_trim(field);
    if (field.n < sizeof unit - 1 ||
        !span_equal_nocase((struct span){field.p, sizeof unit - 1}, unit))
        return RANGES_NONE;
    field.p += sizeof unit - 1;
    field.n -= sizeof unit - 1;
    while (field.n) {
        struct byte_range range;
        struct span element = take_element(&field);
        if (!element.n)
            continue;
        enum one one = read_one(&range, element, size);
        if (one == ONE_MALFORMED || ++asked > RANGES_MAX)
            return RANGES_NONE;
        if (one == ONE_OUTSIDE)
            continue;
        int64_t length = range.last - range.first + 1;
        if (length > size - bytes)
            return RANGES_NONE;
        bytes += length;
        out[kept++] = range;
    }
    if (!asked)
        return RANGES_NONE;
    *n = kept;
    return kept ? RANGES_SOME : RANGES_UNSATISFIABLE;
}

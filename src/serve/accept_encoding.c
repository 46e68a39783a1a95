/* See accept_encoding.h. Any thread. */
#include "serve/accept_encoding.h"

#define UNSAID (-1)

static const struct content_coding codings[CODINGS] = {{"zstd", ".zst"}, {"gzip", ".gz"}};

const struct content_coding *content_coding_at(size_t i)
{
    return i < CODINGS ? &codings[i] : NULL;
}

static struct span take_until(struct span *rest, char end)
{
    const char *p = rest->n ? memchr(rest->p, end, rest->n) : NULL;
    size_t n = p ? (size_t)(p - rest->p) : rest->n;
    struct span taken = span_trim((struct span){rest->p, n});
    size_t used = p ? n + 1 : n;
    rest->p += used;
    rest->n -= used;
    return taken;
}

/* "0.5" in thousandths (section 12.4.2); what cannot be read counts as not wanted. */
static int read_weight(struct span s)
{
    if (!s.n || (s.p[0] != '0' && s.p[0] != '1') || s.n > 5 || (s.n > 1 && s.p[1] != '.'))
        return 0;
    int weight = (s.p[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return 0;
        weight += (s.p[i] - '0') * unit;
    }
    return weight > 1000 ? 0 : weight;
}

static int weight_of(struct span parameters)
{
    while (parameters.n) {
        struct span p = take_until(&parameters, ';');
        if (p.n >= 2 && (p.p[0] == 'q' || p.p[0] == 'Q') && p.p[1] == '=')
            return read_weight((struct span){p.p + 2, p.n - 2});
    }
    return 1000;
}

static bool names_coding(struct span name, size_t i)
{
    return span_equal_nocase(name, codings[i].name) ||
           (i == 1 && span_equal_nocase(name, "x-gzip")); /* section 8.4.1.3 */
}

void accept_encoding_weigh(const char *field, int weights[CODINGS])
{
    struct span rest = span_of(field);
    int said[CODINGS], identity = UNSAID, any = UNSAID;
    for (size_t i = 0; i < CODINGS; i++)
        said[i] = UNSAID;
    while (rest.n) {
        struct span item = take_until(&rest, ',');
        struct span name = take_until(&item, ';');
        int weight = weight_of(item);
        if (span_equal(name, "*"))
            any = weight;
        else if (span_equal_nocase(name, "identity"))
            identity = weight;
        for (size_t i = 0; i < CODINGS; i++)
            if (names_coding(name, i))
                said[i] = weight;
    }
    for (size_t i = 0; i < CODINGS; i++) {
        int weight = said[i] != UNSAID ? said[i] : any != UNSAID ? any : 0;
        /* At the same weight the smaller one is meant. */
        weights[i] = weight >= identity ? weight : 0;
    }
}

/* Numbers with units. Pure functions, any thread.
 *
 * A number is read as a whole mantissa and a count of decimal places, never through strtod: strtod
 * and printf follow the locale of the program that uses the library, and "1.5G" must mean the same
 * everywhere. It also makes the way back exact: a value that was written with up to nine places is
 * found again by trying the places one by one.
 */
#include "config/units.h"

#include <math.h>
#include <stdio.h>

#include "config/options.h"
#include "core/clock.h"

#define PLACES_MAX 9
#define SHOWN_MAX 60
/* One in a thousand hours; a slower rate would leave the range of the instants. */
#define RATE_MIN (0.001 / 3600)

struct unit {
    const char *name;
    uint64_t factor;
};

/* Decimal and binary by turns, ascending: of two texts of one length the first is taken. */
static const struct unit size_units[] = {
    {"", 1},
    {"k", 1000},
    {"Ki", 1ULL << 10},
    {"M", 1000000},
    {"Mi", 1ULL << 20},
    {"G", 1000000000},
    {"Gi", 1ULL << 30},
    {"T", 1000000000000},
    {"Ti", 1ULL << 40},
    {NULL, 0},
};

/* A bare number is seconds, as in other programs. */
static const struct unit time_units[] = {
    {"", 1000000000},  {"ns", 1},          {"us", 1000},         {"ms", 1000000},
    {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000},
    {NULL, 0},
};

static const struct unit rate_units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {NULL, 0}};

struct decimal {
    uint64_t mantissa; /* below 10^18 */
    unsigned places;   /* at most PLACES_MAX */
};

static uint64_t power_of_10(unsigned n)
{
    uint64_t p = 1;
    while (n--)
        p *= 10;
    return p;
}

/* Takes a number from the front of *s. */
static bool take_decimal(struct span *s, struct decimal *out)
{
    const uint64_t limit = power_of_10(17);
    struct decimal d = {0, 0};
    bool point = false;
    size_t digits = 0;
    size_t i = 0;
    for (; i < s->n; i++) {
        char c = s->p[i];
        if (c == '.' && !point && digits) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        if (d.mantissa >= limit || (point && d.places == PLACES_MAX))
            return false;
        d.mantissa = d.mantissa * 10 + (uint64_t)(c - '0');
        d.places += point;
        digits++;
    }
    if (!digits || (point && !d.places))
        return false;
    *s = span_trim((struct span){s->p + i, s->n - i});
    *out = d;
    return true;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* d x factor, rounded down; *exact tells whether anything was lost. False when it does not fit. */
static bool scale(struct decimal d, uint64_t factor, int64_t *out, bool *exact)
{
    uint64_t unit = power_of_10(d.places);
    uint64_t whole = d.mantissa / unit, rest = d.mantissa % unit;
    uint64_t g = common_divisor(factor, unit);
    /* The greatest factor over 10^9 in lowest terms leaves room for any rest below 10^9. */
    uint64_t part = rest * (factor / g);
    uint64_t value;
    if (__builtin_mul_overflow(whole, factor, &value) ||
        __builtin_add_overflow(value, part / (unit / g), &value) || value > INT64_MAX)
        return false;
    *out = (int64_t)value;
    *exact = part % (unit / g) == 0;
    return value || *exact; /* a trifle must not become 0, which often means "no limit" */
}

/* The row of the table that `s` names, in any case when `nocase`; NULL when there is none. */
static const struct unit *unit_named(const struct unit *table, struct span s, bool nocase)
{
    for (const struct unit *u = table; u->name; u++)
        if (nocase ? span_equal_nocase(s, u->name) : span_equal(s, u->name))
            return u;
    return NULL;
}

void quote_value(struct strbuf *out, const char *text)
{
    struct span s = span_of(text);
    bool cut = s.n > SHOWN_MAX;
    if (cut) {
        s.n = SHOWN_MAX; /* then back to the edge of a character */
        while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
            s.n--;
    }
    strbuf_addc(out, '"');
    strbuf_add_printable(out, s);
    strbuf_adds(out, cut ? "...\"" : "\"");
}

static status refuse(error *err, const char *text, const char *what, const char *way_out)
{
    struct strbuf shown = {0};
    quote_value(&shown, text);
    status st = fail(err, WEIR_CONFIG, "%s is not %s; %s", strbuf_text(&shown), what, way_out);
    strbuf_free(&shown);
    return st;
}

/* Size units also take a B at the end: 10MB, 64KiB. */
static bool read_size(struct span s, int64_t *out, bool *exact)
{
    struct decimal d;
    if (!take_decimal(&s, &d))
        return false;
    if (s.n && (s.p[s.n - 1] == 'B' || s.p[s.n - 1] == 'b'))
        s.n--;
    const struct unit *u = unit_named(size_units, s, true);
    return u && scale(d, u->factor, out, exact);
}

status parse_size(const char *text, int64_t *bytes, error *err)
{
    bool exact;
    if (read_size(span_trim(span_of(text)), bytes, &exact))
        return OK;
    return refuse(err, text, "a size",
                  "write a number of bytes, or with k, M, G or Ki, Mi, Gi, as in 64Ki");
}

status parse_count(const char *text, int64_t *count, error *err)
{
    int64_t value;
    bool exact;
    struct span s = span_trim(span_of(text));
    bool bytes = s.n && (s.p[s.n - 1] == 'B' || s.p[s.n - 1] == 'b');
    if (bytes || !read_size(s, &value, &exact) || !exact)
        return refuse(err, text, "a count", "write a whole number, as in 16");
    *count = value;
    return OK;
}

status parse_time(const char *text, int64_t *ns, error *err)
{
    struct span s = span_trim(span_of(text));
    struct decimal d;
    if (take_decimal(&s, &d)) {
        const struct unit *u = unit_named(time_units, s, false);
        bool exact;
        if (u && scale(d, u->factor, ns, &exact))
            return OK;
    }
    return refuse(err, text, "a time", "write a number with ms, s, m or h, as in 30s");
}

static double rate_of(struct decimal d, const struct unit *u)
{
    return (double)d.mantissa / (double)power_of_10(d.places) / (double)u->factor;
}

status parse_rate(const char *text, double *per_second, error *err)
{
    struct span s = span_trim(span_of(text));
    struct decimal d;
    const struct unit *u = NULL;
    if (s.n == 0) {
        *per_second = 0;
        return OK;
    }
    if (take_decimal(&s, &d)) {
        if (s.n > 1 && s.p[0] == '/')
            u = unit_named(rate_units, (struct span){s.p + 1, s.n - 1}, false);
        else if (s.n == 0 && d.mantissa == 0)
            u = rate_units;
    }
    if (!u)
        return refuse(err, text, "a rate", "write a number with /s, /m or /h, as in 50/s");
    double value = rate_of(d, u);
    if (value > 0 && value < RATE_MIN)
        return refuse(err, text, "a usable rate", "write at least 0.001/h, or 0 for unlimited");
    *per_second = value;
    return OK;
}

status parse_bandwidth(const char *text, double *bytes_per_second, error *err)
{
    struct span s = span_trim(span_of(text));
    int64_t bytes = 0;
    bool exact;
    if (s.n > 2 && s.p[s.n - 2] == '/' && s.p[s.n - 1] == 's')
        s.n -= 2;
    if (s.n && !read_size(s, &bytes, &exact))
        return refuse(err, text, "a bandwidth", "write bytes a second, as in 500k, 10M or 10M/s");
    *bytes_per_second = (double)bytes;
    return OK;
}

bool parse_percent(struct span text, double *percent)
{
    struct span s = span_trim(text);
    struct decimal d;
    if (!take_decimal(&s, &d) || s.n)
        return false;
    double value = rate_of(d, rate_units);
    if (value > 100)
        return false;
    *percent = value;
    return true;
}

/* ---- and back ---- */

void format_count(struct strbuf *out, int64_t count)
{
    strbuf_addf(out, "%lld", (long long)count);
}

void format_size(struct strbuf *out, int64_t bytes)
{
    char best[32] = "";
    for (const struct unit *u = size_units; u->name; u++) {
        char text[32];
        if ((uint64_t)bytes % u->factor || (bytes == 0 && u->factor > 1))
            continue;
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)bytes / u->factor, u->name);
        if (!*best || strlen(text) < strlen(best))
            memcpy(best, text, sizeof best);
    }
    strbuf_adds(out, best);
}

void format_time(struct strbuf *out, int64_t ns)
{
    if (ns == 0) {
        strbuf_addc(out, '0');
        return;
    }
    const struct unit *best = &time_units[1];
    for (const struct unit *u = best; u->name; u++)
        if ((uint64_t)ns % u->factor == 0)
            best = u;
    strbuf_addf(out, "%llu%s", (unsigned long long)ns / best->factor, best->name);
}

static void add_decimal(struct strbuf *out, struct decimal d)
{
    uint64_t unit = power_of_10(d.places);
    strbuf_addf(out, "%llu", (unsigned long long)(d.mantissa / unit));
    if (d.places)
        strbuf_addf(out, ".%0*llu", (int)d.places, (unsigned long long)(d.mantissa % unit));
}

/* The decimal with the fewest places that is read back as `value` in unit `u`. */
static bool find_decimal(double value, const struct unit *u, unsigned places, struct decimal *out)
{
    double scaled = round(value * (double)u->factor * (double)power_of_10(places));
    if (scaled >= 1e18)
        return false;
    *out = (struct decimal){(uint64_t)scaled, places};
    return rate_of(*out, u) == value;
}

static void add_exact(struct strbuf *out, double value, const struct unit *units, const char *sign)
{
    struct decimal d = {0, 0};
    for (unsigned places = 0; places <= PLACES_MAX; places++)
        for (const struct unit *u = units; u->name; u++)
            if (find_decimal(value, u, places, &d)) {
                add_decimal(out, d);
                strbuf_addf(out, "%s%s", sign, u->name);
                return;
            }
    /* Not a value that can be written; the nearest that can. */
    find_decimal(value, units, 6, &d);
    add_decimal(out, d);
    strbuf_addf(out, "%s%s", sign, units->name);
}

void format_rate(struct strbuf *out, double per_second)
{
    if (per_second > 0)
        add_exact(out, per_second, rate_units, "/");
}

void format_percent(struct strbuf *out, double percent)
{
    static const struct unit plain[] = {{"", 1}, {NULL, 0}};
    add_exact(out, percent, plain, "");
}

void format_bandwidth(struct strbuf *out, double bytes_per_second)
{
    if (bytes_per_second > 0) {
        format_size(out, (int64_t)bytes_per_second);
        strbuf_adds(out, "/s");
    }
}

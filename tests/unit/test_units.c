/* Values with units: what is read, and that what is written is read back as the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "config/option_value.h"
#include "config/units.h"
#include "core/clock.h"

/* Last: it has a macro named `fail`, as the function of core/status.h. */
#include <cmocka.h>

static weir_config *new_config(void)
{
    weir_config *config = NULL;
    weir_error err = {0};
    assert_int_equal(weir_config_new(&config, &err), WEIR_OK);
    return config;
}

static void set(weir_config *config, const char *name, const char *value)
{
    weir_error err = {0};
    if (weir_config_set(config, name, value, &err))
        fail_msg("%s = \"%s\" was refused: %s", name, value, err.message);
}

static void sizes_are_read_with_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes; /* -1 = refused */
    } table[] = {
        {"0", 0},
        {"1", 1},
        {"64k", 64000},
        {"64K", 64000},
        {"64Ki", 65536},
        {"20M", 20000000},
        {"20Mi", 20971520},
        {"1G", 1000000000},
        {"1Gi", 1 << 30},
        {"1.5k", 1500},
        {"1.5Ki", 1536},
        {"10MB", 10000000},
        {"10MiB", 10 << 20},
        {"12B", 12},
        {" 7k ", 7000},
        {"0.000000001T", 1000},
        {"9223372036854775807", -1},
        {"922337203685477580", 922337203685477580},
        {"9300000T", -1},
        {"99999999999999999999", -1},
        {"", -1},
        {"k", -1},
        {"-1", -1},
        {"+1", -1},
        {"1e6", -1},
        {"0x10", -1},
        {"1,5k", -1},
        {"1.k", -1},
        {".5k", -1},
        {"1..5k", -1},
        {"10X", -1},
        {"10 k x", -1},
        {"0.5", -1},
        {"1.0000000001k", -1},
        {"inf", -1},
        {"nan", -1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t bytes = -2;
        status st = parse_size(table[i].text, &bytes, NULL);
        if (st != (table[i].bytes < 0 ? WEIR_CONFIG : OK) || (!st && bytes != table[i].bytes))
            fail_msg("\"%s\": wanted %lld, got %lld, status %d", table[i].text,
                     (long long)table[i].bytes, (long long)bytes, (int)st);
    }
}

static void times_are_read_with_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } table[] = {
        {"0", 0},
        {"200ms", 200000000},
        {"30s", 30 * NS_PER_S},
        {"5m", 300 * NS_PER_S},
        {"1h", 3600 * NS_PER_S},
        {"1d", 86400 * NS_PER_S},
        {"30", 30 * NS_PER_S},
        {"1.5s", 1500000000},
        {"0.000000001s", 1},
        {"10us", 10000},
        {"7ns", 7},
        {"30 s", 30 * NS_PER_S},
        {"", -1},
        {"s", -1},
        {"30S", -1},
        {"30sec", -1},
        {"-5s", -1},
        {"1m30s", -1},
        {"0.1ns", -1},
        {"106752d", -1},
        {"106751d", 106751LL * 86400 * NS_PER_S},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t ns = -2;
        status st = parse_time(table[i].text, &ns, NULL);
        if (st != (table[i].ns < 0 ? WEIR_CONFIG : OK) || (!st && ns != table[i].ns))
            fail_msg("\"%s\": wanted %lld, got %lld, status %d", table[i].text,
                     (long long)table[i].ns, (long long)ns, (int)st);
    }
}

static void rates_and_bandwidths_are_read_with_units(void **state)
{
    (void)state;
    static const struct {
        status (*parse)(const char *text, double *out, error *err);
        const char *text;
        double value; /* -1 = refused */
    } table[] = {
        {parse_rate, "50/s", 50},
        {parse_rate, "600/m", 10},
        {parse_rate, "3600/h", 1},
        {parse_rate, "0.5/s", 0.5},
        {parse_rate, "1/m", 1.0 / 60},
        {parse_rate, "", 0},
        {parse_rate, "0", 0},
        {parse_rate, "50", -1},
        {parse_rate, "fast", -1},
        {parse_rate, "50/", -1},
        {parse_rate, "50/d", -1},
        {parse_rate, "-1/s", -1},
        {parse_rate, "0.0001/h", -1},
        {parse_rate, "50/s/s", -1},
        {parse_rate, "/s", -1},
        {parse_bandwidth, "10M", 1e7},
        {parse_bandwidth, "10M/s", 1e7},
        {parse_bandwidth, "64Ki/s", 65536},
        {parse_bandwidth, "", 0},
        {parse_bandwidth, "0", 0},
        {parse_bandwidth, "1.5k/s", 1500},
        {parse_bandwidth, "10M/m", -1},
        {parse_bandwidth, "/s", -1},
        {parse_bandwidth, "0.2", -1},
        {parse_bandwidth, "fast", -1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double value = -2;
        status st = table[i].parse(table[i].text, &value, NULL);
        bool refused = table[i].value < 0;
        if (st != (refused ? WEIR_CONFIG : OK) ||
            (!st && memcmp(&value, &table[i].value, sizeof value)))
            fail_msg("\"%s\": wanted %g, got %g, status %d", table[i].text, table[i].value, value,
                     (int)st);
    }
}

/* Writes a random text that is good for the type; false where there is none to make. */
static bool random_value(struct rng *rng, enum option_type type, char *out, size_t cap)
{
    static const char *const sizes[] = {"", "k", "Ki", "M", "Mi", "G", "Gi"};
    static const char *const times[] = {"ms", "s", "m", "us", "ns"};
    static const char periods[] = "smh";
    unsigned n = (unsigned)rng_below(rng, 1 << rng_below(rng, 20));
    unsigned places = (unsigned)rng_below(rng, 1000);
    switch (type) {
    case TYPE_COUNT:
        snprintf(out, cap, "%u", n);
        return true;
    case TYPE_SIZE:
        snprintf(out, cap, "%u%s", n, sizes[rng_below(rng, 7)]);
        return true;
    case TYPE_TIME:
        snprintf(out, cap, "%u.%03u%s", n, places, times[rng_below(rng, 3)]);
        return true;
    case TYPE_RATE:
        snprintf(out, cap, "%u.%0*u/%c", n, 3 + (int)rng_below(rng, 5), places + 1,
                 periods[rng_below(rng, 3)]);
        return true;
    case TYPE_BANDWIDTH:
        snprintf(out, cap, "%u%s/s", n, sizes[rng_below(rng, 7)]);
        return true;
    case TYPE_STATUSES:
        snprintf(out, cap, "%u, %u,%u", 100 + n % 500, 100 + places % 500, 100 + places / 2 % 500);
        return true;
    case TYPE_FAILURES:
        if (n % 2)
            snprintf(out, cap, "%u.%02u%%", n % 99, places % 100);
        else
            snprintf(out, cap, "%u", n);
        return true;
    default:
        return false;
    }
}

static void random_values_round_trip(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 20);
    struct strbuf text = {0};
    size_t taken = 0;
    for (int i = 0; i < 40000; i++) {
        char value[64];
        size_t row = rng_below(&rng, OPTION_ROWS);
        struct options a = {0}, b = {0};
        if (!random_value(&rng, option_type_of(row), value, sizeof value) ||
            option_parse(&a, row, value, NULL) != OK)
            continue;
        strbuf_clear(&text);
        option_format(&text, &a, row);
        if (option_parse(&b, row, strbuf_text(&text), NULL) != OK || memcmp(&a, &b, sizeof a) != 0)
            fail_msg("row %zu: \"%s\" became \"%s\"", row, value, strbuf_text(&text));
        taken++;
    }
    strbuf_free(&text);
    assert_true(taken > 5000);
}

static void values_are_shown_in_the_shortest_unit(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *shown;
    } table[] = {
        {"run.buffer", "131072", "128Ki"},
        {"save.max_size", "1000000", "1M"},
        {"save.max_size", "1048576", "1Mi"},
        {"save.max_size", "1234567", "1234567"},
        {"save.max_size", "0", "0"},
        {"run.queue", "10k", "10000"},
        {"http.timeout", "3600", "1h"},
        {"http.timeout", "90s", "90s"},
        {"http.timeout", "0.25s", "250ms"},
        {"http.timeout", "0s", "0"},
        {"limits.rate", "600/m", "10/s"},
        {"limits.rate", "7/m", "7/m"},
        {"limits.rate", "0.5/s", "30/m"},
        {"limits.rate", "0/s", ""},
        {"limits.bandwidth", "10M", "10M/s"},
        {"limits.bandwidth", "10MiB/s", "10Mi/s"},
        {"http.verify_tls", "Off", "no"},
        {"http.version", "2", "2"},
        {"retry.statuses", "504, 429", "429,504"},
        {"retry.statuses", "", ""},
        {"run.max_failures", "2.50%", "2.5%"},
        {"run.max_failures", "0", ""},
        {"input.format", "tsv", "tsv"},
        {"http.protocols", "https", "https"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        weir_config *config = new_config();
        set(config, table[i].name, table[i].value);
        assert_string_equal(weir_config_get(config, table[i].name), table[i].shown);
        weir_config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read_with_units),
        cmocka_unit_test(times_are_read_with_units),
        cmocka_unit_test(rates_and_bandwidths_are_read_with_units),
        cmocka_unit_test(random_values_round_trip),
        cmocka_unit_test(values_are_shown_in_the_shortest_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

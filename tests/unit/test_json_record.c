/* Records by path: what weir_record_* answers, whether the record is walked along its tokens or is
 * libjq's (a byte order mark makes any record that). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */
#define FAIL(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#include "core/clock.h"
#include "json/json_record.h"

#define BOM "\xef\xbb\xbf"
/* More than a record needs behind it to be looked at where it lies. */
#define PADDING 100

/* How a record reaches the reader: with what may be read behind it, or without; as libjq's. */
enum way { IN_PLACE, COPIED, ON_LIBJQ, WAYS };
static const char *const way_names[] = {"in place", "copied", "on libjq"};

static struct weir_record *reader_of(void)
{
    struct weir_record *r = NULL;
    assert_int_equal(json_reader_open(&r, NULL), OK);
    return r;
}

static status set(struct weir_record *r, struct strbuf *text, const char *record, enum way way,
                  error *err)
{
    strbuf_clear(text);
    strbuf_addf(text, "%s%s", way == ON_LIBJQ ? BOM : "", record);
    size_t n = text->n;
    strbuf_addf(text, "\n%*s", PADDING, "");
    return json_reader_set(r, (struct span){text->p, n}, way == IN_PLACE ? text->n : n, 1, err);
}

static void set_good(struct weir_record *r, struct strbuf *text, const char *record, enum way way)
{
    error err = {0};
    if (set(r, text, record, way, &err))
        FAIL("%s (%s): %s", record, way_names[way], err.message);
}

/* ---- paths and kinds ---- */

static const char shop[] =
    "{\"user\":{\"name\":\"Ann\",\"odd key\":1,\"\":\"empty\",\"q\\\"\\u00e9\":2,\"tags\":[]},"
    "\"items\":[{\"id\":10},{\"id\":11,\"of\":[[0,1],[2]]},null],"
    "\"yes\":true,\"no\":false,\"none\":null,\"n\":-1.5e1,\"and\":\"word\","
    "\"twice\":{\"a\":1},\"twice\":[7],\"_1\":{}}";

struct path_row {
    const char *path;
    weir_json_kind kind;
    size_t count;
};

static void expect_paths(const char *record, const struct path_row *rows, size_t n)
{
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    for (int way = 0; way < WAYS; way++) {
        set_good(r, &text, record, (enum way)way);
        for (size_t i = 0; i < n; i++) {
            weir_json_kind kind = weir_record_kind(r, rows[i].path);
            size_t count = weir_record_count(r, rows[i].path);
            if (kind != rows[i].kind || count != rows[i].count)
                FAIL("%s (%s): kind %d, count %zu", rows[i].path, way_names[way], (int)kind, count);
        }
    }
    strbuf_free(&text);
    json_reader_close(r);
}

static void paths_lead_where_jq_says(void **state)
{
    static const struct path_row rows[] = {
        {".", WEIR_JSON_OBJECT, 9},
        {".user", WEIR_JSON_OBJECT, 5},
        {".user.name", WEIR_JSON_STRING, 0},
        {".user[\"name\"]", WEIR_JSON_STRING, 0},
        {".[\"user\"].name", WEIR_JSON_STRING, 0},
        {".\"user\".\"name\"", WEIR_JSON_STRING, 0},
        {".user.\"odd key\"", WEIR_JSON_NUMBER, 0},
        {".user[ \"odd key\" ]", WEIR_JSON_NUMBER, 0},
        {".user.\"\"", WEIR_JSON_STRING, 0},
        {".user.\"q\\\"\\u00e9\"", WEIR_JSON_NUMBER, 0},
        {".user.\"q\\\"\xc3\xa9\"", WEIR_JSON_NUMBER, 0},
        {".user.tags", WEIR_JSON_ARRAY, 0},
        {".\"\\u0075ser\".name", WEIR_JSON_STRING, 0},
        {".items", WEIR_JSON_ARRAY, 3},
        {".items[0]", WEIR_JSON_OBJECT, 1},
        {".items[0].id", WEIR_JSON_NUMBER, 0},
        {".items[1].of", WEIR_JSON_ARRAY, 2},
        {".items[1].of[0][1]", WEIR_JSON_NUMBER, 0},
        {".items[2]", WEIR_JSON_NULL, 0},
        {".items[-1]", WEIR_JSON_NULL, 0},
        {".items[-2].of[-1]", WEIR_JSON_ARRAY, 1},
        {".items[-3].id", WEIR_JSON_NUMBER, 0},
        {".yes", WEIR_JSON_BOOLEAN, 0},
        {".no", WEIR_JSON_BOOLEAN, 0},
        {".none", WEIR_JSON_NULL, 0},
        {".n", WEIR_JSON_NUMBER, 0},
        {".and", WEIR_JSON_STRING, 0},
        {"._1", WEIR_JSON_OBJECT, 0},
        /* of equal keys the last one counts */
        {".twice", WEIR_JSON_ARRAY, 1},
        {".twice[0]", WEIR_JSON_NUMBER, 0},
        {".twice.a", WEIR_JSON_MISSING, 0},
    };
    expect_paths(shop, rows, sizeof rows / sizeof *rows);
}

static void what_is_not_there_is_missing(void **state)
{
    static const struct path_row rows[] = {
        {".x", WEIR_JSON_MISSING, 0},
        {".use", WEIR_JSON_MISSING, 0},
        {".user.name.first", WEIR_JSON_MISSING, 0},
        {".user[0]", WEIR_JSON_MISSING, 0},
        {".user.tags[0]", WEIR_JSON_MISSING, 0},
        {".user.tags[-1]", WEIR_JSON_MISSING, 0},
        {".items.id", WEIR_JSON_MISSING, 0},
        {".items[3]", WEIR_JSON_MISSING, 0},
        {".items[-4]", WEIR_JSON_MISSING, 0},
        {".items[2].id", WEIR_JSON_MISSING, 0},
        {".items[9999999999]", WEIR_JSON_MISSING, 0},
        {".items[-9999999999]", WEIR_JSON_MISSING, 0},
        {".yes.a", WEIR_JSON_MISSING, 0},
        {".n[0]", WEIR_JSON_MISSING, 0},
        {".none.a", WEIR_JSON_MISSING, 0},
        {"._1.a", WEIR_JSON_MISSING, 0},
    };
    expect_paths(shop, rows, sizeof rows / sizeof *rows);
}

static void path_that_cannot_be_read_is_missing(void **state)
{
    static const char *const paths[] = {
        "",
        "user",
        "..",
        "..user",
        ".user.",
        ".user..name",
        " .",
        ".user ",
        ".user .name",
        ".user?",
        ".user[",
        ".user[]",
        ".items[",
        ".items[0",
        ".items[]",
        ".items[0]]",
        ".items[-]",
        ".items[+1]",
        ".items[0x0]",
        ".items[0:1]",
        ".items[0.5]",
        ".items[a]",
        ".items.[0]",
        ".items[99999999999]",
        "[0]",
        ".user[name]",
        ".user['name']",
        ".\"user",
        ".user[\"name\"",
        ".user[\"name]",
        ".\"us\\er\"",
        ".\"\\u12\"",
        ".\"\\ud83d\"",
        ".\"\\(1)\"",
        ".1",
        ".us-er",
        ".user | .name",
        ".user,.n",
        ".\"user\"name",
    };
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    for (int way = 0; way < WAYS; way++) {
        set_good(r, &text, shop, (enum way)way);
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            if (weir_record_kind(r, paths[i]) != WEIR_JSON_MISSING)
                FAIL("%s (%s): kind %d", paths[i], way_names[way],
                     (int)weir_record_kind(r, paths[i]));
    }
    strbuf_free(&text);
    json_reader_close(r);
}

/* A key may be of any length; in quotes and with escapes it may have 255 bytes. */
static void long_keys_are_found(void **state)
{
    struct weir_record *r = reader_of();
    for (size_t n = 250; n < 262; n++) {
        struct strbuf key = {0}, record = {0}, path = {0}, escaped = {0}, text = {0};
        for (size_t i = 0; i < n; i++)
            strbuf_addc(&key, 'k');
        strbuf_addf(&record, "{\"%s\":1,\"%sx\":2}", key.p, key.p);
        strbuf_addf(&path, ".%s", key.p);
        strbuf_addf(&escaped, ".\"\\u006b%s\"", key.p + 1);
        for (int way = 0; way < WAYS; way++) {
            double plain = 0, quoted = 0;
            set_good(r, &text, record.p, (enum way)way);
            assert_true(weir_record_number(r, path.p, &plain));
            assert_true(plain == 1);
            /* five bytes more than it means */
            assert_int_equal(weir_record_number(r, escaped.p, &quoted), n + 5 <= 255);
        }
        struct strbuf *const used[] = {&key, &record, &path, &escaped, &text};
        for (size_t i = 0; i < sizeof used / sizeof *used; i++)
            strbuf_free(used[i]);
    }
    json_reader_close(r);
}

/* ---- values ---- */

static void strings_are_what_they_mean(void **state)
{
    static const struct {
        const char *json, *means;
        size_t n;
    } rows[] = {
        {"\"\"", "", 0},
        {"\"plain\"", "plain", 5},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac", 6},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4},
        {"\"\\uD83D\\uDE00x\"", "\xf0\x9f\x98\x80x", 5},
        {"\"\\uffff\\ue000\"", "\xef\xbf\xbf\xee\x80\x80", 6},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\xc3\xa9\xf0\x9f\x98\x80\"", "\xc3\xa9\xf0\x9f\x98\x80", 6},
        {"\"\x7f\"", "\x7f", 1},
        {"\"{[,:]}\"", "{[,:]}", 6},
    };
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf record = {0};
        strbuf_addf(&record, "[0, %s ,{\"\\u0061\":%s}]", rows[i].json, rows[i].json);
        for (int way = 0; way < WAYS; way++) {
            const char *p = NULL, *q = NULL, *again = NULL;
            size_t n = 99, m = 99;
            set_good(r, &text, record.p, (enum way)way);
            if (!weir_record_string(r, ".[1]", &p, &n) || !weir_record_string(r, ".[2].a", &q, &m))
                FAIL("%s (%s): no string", rows[i].json, way_names[way]);
            if (n != rows[i].n || m != n || memcmp(p, rows[i].means, n) || memcmp(q, p, n))
                FAIL("%s (%s): \"%.*s\", \"%.*s\"", rows[i].json, way_names[way], (int)n, p, (int)m,
                     q);
            /* a string stays where it is */
            assert_true(weir_record_string(r, ".[1]", &again, &n));
            assert_ptr_equal(again, p);
        }
        strbuf_free(&record);
    }
    strbuf_free(&text);
    json_reader_close(r);
}

struct number_row {
    const char *json;
    double number; /* 0 with `none` */
    bool none;     /* no double can hold it */
    bool integer;  /* it is one that fits, and libjq, too, knows it exactly */
    bool exact;    /* it is one that fits, as it stands in the record */
    int64_t means;
};

static const struct number_row numbers[] = {
    {"0", 0, false, true, true, 0},
    {"-0", 0, false, true, true, 0},
    {"-1", -1, false, true, true, -1},
    {"1.0", 1, false, true, true, 1},
    {"1e3", 1000, false, true, true, 1000},
    {"1E+3", 1000, false, true, true, 1000},
    {"1200e-2", 12, false, true, true, 12},
    {"-1.20e1", -12, false, true, true, -12},
    {"0.0", 0, false, true, true, 0},
    {"0e9", 0, false, true, true, 0},
    {"0.5", 0.5, false, false, false, 0},
    {"1.5", 1.5, false, false, false, 0},
    {"15e-1", 1.5, false, false, false, 0},
    {"1e-7", 1e-7, false, false, false, 0},
    {"0.1", 0.1, false, false, false, 0},
    {"3.141592653589793", 3.141592653589793, false, false, false, 0},
    {"9007199254740991", 9007199254740991.0, false, true, true, 9007199254740991},
    {"-9007199254740991", -9007199254740991.0, false, true, true, -9007199254740991},
    {"9007199254740992", 9007199254740992.0, false, false, true, 9007199254740992},
    {"9007199254740993", 9007199254740992.0, false, false, true, 9007199254740993},
    {"9007199254740993.0", 9007199254740992.0, false, false, true, 9007199254740993},
    {"-9007199254740993", -9007199254740992.0, false, false, true, -9007199254740993},
    {"9223372036854775807", 9223372036854775808.0, false, false, true, INT64_MAX},
    {"922337203685477580.7e1", 9223372036854775808.0, false, false, true, INT64_MAX},
    {"9223372036854775808", 9223372036854775808.0, false, false, false, 0},
    {"-9223372036854775808", -9223372036854775808.0, false, false, true, INT64_MIN},
    {"-9223372036854775809", -9223372036854775808.0, false, false, false, 0},
    {"18446744073709551616", 18446744073709551616.0, false, false, false, 0},
    {"18446744073709551617", 18446744073709551616.0, false, false, false, 0},
    {"1e18", 1e18, false, false, true, 1000000000000000000},
    {"1e19", 1e19, false, false, false, 0},
    {"9007199254740991.5", 9007199254740992.0, false, false, false, 0},
    {"1.0000000000000000000000001", 1, false, false, false, 0},
    {"1.7976931348623157e308", 1.7976931348623157e308, false, false, false, 0},
    {"5e-324", 5e-324, false, false, false, 0},
    {"1e-999", 0, false, false, false, 0},
    {"1e999", 0, true, false, false, 0},
    {"-1e999", 0, true, false, false, 0},
    {"1e99999999999999999999", 0, true, false, false, 0},
};

/* A number that libjq has rounded to an integer is not known to be one, below 2^53 apart. */
static bool is_rounded(const struct number_row *row)
{
    return !row->exact && row->number == (double)(int64_t)row->number &&
           row->number < 9007199254740992.0 && row->number > -9007199254740992.0;
}

static void numbers_are_the_nearest_doubles_and_integers_exact(void **state)
{
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct number_row *row = &numbers[i];
        struct strbuf record = {0};
        strbuf_addf(&record, "{\"a\": %s\t}", row->json);
        for (int way = 0; way < WAYS; way++) {
            double number = 42;
            int64_t integer = 42;
            set_good(r, &text, record.p, (enum way)way);
            bool is_number = weir_record_number(r, ".a", &number);
            bool is_integer = weir_record_integer(r, ".a", &integer);
            if (weir_record_kind(r, ".a") != WEIR_JSON_NUMBER || is_number == row->none ||
                number != (row->none ? 42 : row->number))
                FAIL("%s (%s): %d, %.17g", row->json, way_names[way], is_number, number);
            bool wanted = way == ON_LIBJQ ? row->integer : row->exact;
            if (way == ON_LIBJQ && is_rounded(row))
                continue;
            if (is_integer != wanted || integer != (wanted ? row->means : 42))
                FAIL("%s (%s): integer %d, %lld", row->json, way_names[way], is_integer,
                     (long long)integer);
        }
        strbuf_free(&record);
    }
    strbuf_free(&text);
    json_reader_close(r);
}

/* Of another kind, or missing: false, and what the caller had stays. */
static void wrong_kinds_answer_false_and_touch_nothing(void **state)
{
    static const struct {
        const char *path;
        bool string, number, boolean;
    } rows[] = {
        {".s", true, false, false},  {".n", false, true, false},  {".t", false, false, true},
        {".f", false, false, true},  {".z", false, false, false}, {".o", false, false, false},
        {".l", false, false, false}, {".x", false, false, false}, {".", false, false, false},
        {"?", false, false, false},
    };
    static const char record[] = "{\"s\":\"1\",\"n\":1,\"t\":true,\"f\":false,\"z\":null,"
                                 "\"o\":{\"n\":1},\"l\":[1]}";
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    for (int way = 0; way < WAYS; way++) {
        set_good(r, &text, record, (enum way)way);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const char *p = "same";
            size_t n = 42;
            double number = 42;
            int64_t integer = 42;
            bool boolean = rows[i].path[1] != 't';
            bool is[] = {weir_record_string(r, rows[i].path, &p, &n),
                         weir_record_number(r, rows[i].path, &number),
                         weir_record_integer(r, rows[i].path, &integer),
                         weir_record_boolean(r, rows[i].path, &boolean)};
            bool wanted[] = {rows[i].string, rows[i].number, rows[i].number, rows[i].boolean};
            if (memcmp(is, wanted, sizeof is) != 0)
                FAIL("%s (%s): %d %d %d %d", rows[i].path, way_names[way], is[0], is[1], is[2],
                     is[3]);
            assert_true(rows[i].string ? n == 1 && *p == '1' : n == 42 && *p == 's');
            assert_true(number == (rows[i].number ? 1 : 42));
            assert_int_equal(integer, rows[i].number ? 1 : 42);
            assert_int_equal(boolean,
                             rows[i].boolean ? rows[i].path[1] == 't' : rows[i].path[1] != 't');
        }
    }
    strbuf_free(&text);
    json_reader_close(r);
}

static void fields_of_equal_keys_count_once(void **state)
{
    static const struct {
        const char *record;
        size_t count;
    } rows[] = {
        {"{}", 0},
        {"[]", 0},
        {"[ ]", 0},
        {"{ }", 0},
        {"[[],{},[1,2]]", 3},
        {"{\"a\":{\"b\":1,\"c\":2}}", 1},
        {"{\"a\":1,\"a\":2}", 1},
        {"{\"a\":1,\"\\u0061\":2,\"b\":3}", 2},
        {"{\"a\":1,\"\":2,\"aa\":3}", 3},
        {"{\"a\":1,\"a\\u0000\":2}", 2},
        {"\"abc\"", 0},
        {"7", 0},
        {"null", 0},
    };
    struct weir_record *r = reader_of();
    struct strbuf text = {0}, many = {0};
    for (int way = 0; way < WAYS; way++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            set_good(r, &text, rows[i].record, (enum way)way);
            if (weir_record_count(r, ".") != rows[i].count)
                FAIL("%s (%s): %zu", rows[i].record, way_names[way], weir_record_count(r, "."));
        }
        strbuf_clear(&many);
        strbuf_adds(&many, "{\"k\":0");
        for (unsigned i = 0; i < 500; i++)
            strbuf_addf(&many, ",\"k%u\":0", i % 300);
        strbuf_addc(&many, '}');
        set_good(r, &text, many.p, (enum way)way);
        assert_int_equal(weir_record_count(r, "."), 301);
    }
    strbuf_free(&text);
    strbuf_free(&many);
    json_reader_close(r);
}

/* ---- records ---- */

static void record_is_one_json_text(void **state)
{
    static const struct {
        const char *record;
        weir_json_kind kind; /* MISSING: it is none */
    } rows[] = {
        {" {} ", WEIR_JSON_OBJECT},
        {"\t[1]\r", WEIR_JSON_ARRAY},
        {"true", WEIR_JSON_BOOLEAN},
        {"null", WEIR_JSON_NULL},
        {"\"\"", WEIR_JSON_STRING},
        {"-1e2", WEIR_JSON_NUMBER},
        /* what jq takes beyond RFC 8259 */
        {"[nan]", WEIR_JSON_ARRAY},
        {"nan", WEIR_JSON_NUMBER},
        {"01", WEIR_JSON_NUMBER},
        {"\"\xff\"", WEIR_JSON_STRING},
        {"", WEIR_JSON_MISSING},
        {"  ", WEIR_JSON_MISSING},
        {"{", WEIR_JSON_MISSING},
        {"{\"a\":1", WEIR_JSON_MISSING},
        {"{\"a\":1,}", WEIR_JSON_MISSING},
        {"{\"a\" 1}", WEIR_JSON_MISSING},
        {"{a:1}", WEIR_JSON_MISSING},
        {"[1,]", WEIR_JSON_MISSING},
        {"[1 2]", WEIR_JSON_MISSING},
        {"[1]]", WEIR_JSON_MISSING},
        {"1 2", WEIR_JSON_MISSING},
        {"{} {}", WEIR_JSON_MISSING},
        {"[tru]", WEIR_JSON_MISSING},
        {"[\"\\q\"]", WEIR_JSON_MISSING},
        {"[\"x]", WEIR_JSON_MISSING},
        {"\"a\" \"b\"", WEIR_JSON_MISSING},
        {"[\"a\" \"b\"]", WEIR_JSON_MISSING},
        {"{\"a\":1 \"b\":2}", WEIR_JSON_MISSING},
        {"[1\"b\"]", WEIR_JSON_MISSING},
        {"x", WEIR_JSON_MISSING},
    };
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    for (int way = 0; way < WAYS; way++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            error err = {0};
            status st = set(r, &text, rows[i].record, (enum way)way, &err);
            weir_json_kind kind = st ? WEIR_JSON_MISSING : weir_record_kind(r, ".");
            if (kind != rows[i].kind)
                FAIL("%s (%s): kind %d, %s", rows[i].record, way_names[way], (int)kind,
                     err.message);
            if (st)
                assert_true(st == WEIR_RECORD && err.status == WEIR_RECORD &&
                            strncmp(err.message, "not JSON", 8) == 0);
        }
    }
    strbuf_free(&text);
    json_reader_close(r);
}

/* A nan is a number to jq, but not one that can be told. */
static void what_only_libjq_takes_is_told_too(void **state)
{
    static const char record[] = "{\"nan\":nan,\"bad\":\"a\xff\x62\",\"n\":+.5,"
                                 "\"big\":9007199254740993,\"t\":true,\"l\":[01,2]}";
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    const char *p;
    size_t n;
    double number = 42;
    int64_t integer = 42;
    bool boolean = false;
    set_good(r, &text, record, IN_PLACE);
    assert_int_equal(weir_record_kind(r, ".nan"), WEIR_JSON_NUMBER);
    assert_false(weir_record_number(r, ".nan", &number));
    assert_false(weir_record_integer(r, ".nan", &integer));
    assert_true(number == 42);
    assert_true(weir_record_string(r, ".bad", &p, &n));
    assert_int_equal(n, 5);
    assert_memory_equal(p, "a\xef\xbf\xbd\x62", 5);
    assert_true(weir_record_number(r, ".n", &number));
    assert_true(number == 0.5);
    /* rather none than a wrong one */
    assert_false(weir_record_integer(r, ".big", &integer));
    assert_true(weir_record_boolean(r, ".t", &boolean));
    assert_true(boolean);
    assert_int_equal(weir_record_count(r, ".l"), 2);
    assert_true(weir_record_integer(r, ".l[0]", &integer));
    assert_int_equal(integer, 1);
    strbuf_free(&text);
    json_reader_close(r);
}

static void text_and_line_are_those_of_the_body(void **state)
{
    static const char *const records[] = {"{\"a\" : 1.0}", "[\"\\u0041\"]", "\"\xff\"", "nan"};
    struct weir_record *r = reader_of();
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct span text = span_of(records[i]);
        size_t n = 0;
        uint64_t line = UINT64_MAX - i;
        assert_int_equal(json_reader_set(r, text, text.n, line, NULL), OK);
        assert_ptr_equal(weir_record_text(r, &n), text.p);
        assert_int_equal(n, text.n);
        assert_true(weir_record_line(r) == line);
    }
    json_reader_close(r);
}

/* Nothing of a record is left when the next one comes, whichever way either went. */
static void next_record_replaces_all_of_it(void **state)
{
    struct weir_record *r = reader_of();
    struct strbuf text = {0};
    for (int first = 0; first < WAYS; first++) {
        for (int second = 0; second < WAYS; second++) {
            const char *p;
            size_t n;
            set_good(r, &text, "{\"a\":\"\\u0041\",\"b\":[1,2,3]}", (enum way)first);
            assert_int_equal(set(r, &text, "{\"a\":", (enum way)second, NULL), WEIR_RECORD);
            set_good(r, &text, "{\"a\":\"\\u0042\"}", (enum way)second);
            assert_true(weir_record_string(r, ".a", &p, &n));
            assert_true(n == 1 && *p == 'B');
            assert_int_equal(weir_record_kind(r, ".b"), WEIR_JSON_MISSING);
        }
    }
    strbuf_free(&text);
    json_reader_close(r);
}

/* Records of all lengths up to the very end of what may be read. */
static void nothing_behind_what_is_readable_is_read(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    struct weir_record *r = reader_of();
    for (size_t pad = 0; pad < 200; pad++) {
        for (size_t behind = 0; behind < 130; behind += 13) {
            struct strbuf text = {0};
            strbuf_addf(&text, "{\"c\":\"%*s\",\"n\":%zu}", (int)pad, "", pad);
            char *at = map + page - behind - text.n;
            memset(at, '\n', text.n + behind);
            memcpy(at, text.p, text.n);
            double number = 0;
            assert_int_equal(
                json_reader_set(r, (struct span){at, text.n}, text.n + behind, 1, NULL), OK);
            assert_true(weir_record_number(r, ".n", &number));
            assert_true(number == (double)pad);
            strbuf_free(&text);
        }
    }
    json_reader_close(r);
    assert_int_equal(munmap(map, 2 * page), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_where_jq_says),
        cmocka_unit_test(what_is_not_there_is_missing),
        cmocka_unit_test(path_that_cannot_be_read_is_missing),
        cmocka_unit_test(long_keys_are_found),
        cmocka_unit_test(strings_are_what_they_mean),
        cmocka_unit_test(numbers_are_the_nearest_doubles_and_integers_exact),
        cmocka_unit_test(wrong_kinds_answer_false_and_touch_nothing),
        cmocka_unit_test(fields_of_equal_keys_count_once),
        cmocka_unit_test(record_is_one_json_text),
        cmocka_unit_test(what_only_libjq_takes_is_told_too),
        cmocka_unit_test(text_and_line_are_those_of_the_body),
        cmocka_unit_test(next_record_replaces_all_of_it),
        cmocka_unit_test(nothing_behind_what_is_readable_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

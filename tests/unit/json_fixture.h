/* What the tests of json/ share: programs run on records, with everything that comes out kept as
 * one text, and random records of which many are not quite JSON. */
#ifndef TESTS_JSON_FIXTURE_H
#define TESTS_JSON_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#undef fail /* ours: core/status.h */
#define FAIL(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#include "core/clock.h"
#include "json/json_program.h"
#include "json/json_text.h"

/* More than a record needs behind it to be looked at where it lies. */
#define PADDING 100

/* ---- running ---- */

static inline struct json_program *program_of(const char *text, bool raw, bool on_jq)
{
    struct json_program *p = NULL;
    error err = {0};
    if ((on_jq ? json_program_compile_jq : json_program_compile)(&p, text, raw, &err))
        FAIL("%s: %s", text, err.message);
    return p;
}

static inline struct json_runner *runner_of(const struct json_program *program)
{
    struct json_runner *r = NULL;
    assert_int_equal(json_runner_open(&r, program, NULL), OK);
    return r;
}

static status keep_output(void *ctx, struct span output, error *err)
{
    struct strbuf *kept = ctx;
    strbuf_add(kept, output.p, output.n);
    strbuf_addc(kept, '\n');
    return OK;
}

/* One record: its outputs, each with a newline, then "BAD\n" where it is bad. */
static inline void run_record(struct json_runner *r, struct span record, size_t readable,
                              struct strbuf *kept)
{
    struct json_out out = {keep_output, kept};
    bool bad = false;
    error err = {0};
    if (json_runner_run(r, record, readable, &out, &bad, &err))
        strbuf_addf(kept, "STATUS %s\n", err.message);
    else if (bad)
        strbuf_adds(kept, err.status == WEIR_RECORD && err.message[0] ? "BAD\n" : "BAD, NO WORD\n");
}

/* A block of lines: the same, "BLANK\n" for a blank one. */
static inline void run_block(struct json_runner *r, struct span block, size_t readable,
                             struct strbuf *kept)
{
    struct json_out out = {keep_output, kept};
    enum json_step step = JSON_STEP_DONE;
    struct span line;
    json_runner_begin(r, block, readable);
    for (;;) {
        error err = {0};
        status st = json_runner_next(r, &out, &step, &line, &err);
        if (st)
            strbuf_addf(kept, "STATUS %s\n", err.message);
        if (st || step == JSON_STEP_END)
            return;
        if (step == JSON_STEP_BLANK)
            strbuf_adds(kept, "BLANK\n");
        else if (step == JSON_STEP_BAD)
            strbuf_adds(kept,
                        err.status == WEIR_RECORD && err.message[0] ? "BAD\n" : "BAD, NO WORD\n");
    }
}

/* ---- tables: a program on a record, on the plan and on libjq, alone and by the block ---- */

struct row {
    const char *program, *record, *outputs;
    bool raw;
};

static inline void expect_row(const struct row *row, bool on_jq)
{
    struct json_program *p = program_of(row->program, row->raw, on_jq);
    struct json_runner *r = runner_of(p);
    struct strbuf kept = {0}, text = {0};
    size_t n = strlen(row->record);
    strbuf_addf(&text, "%s\n%*s", row->record, PADDING, "");
    for (int block = 0; block < 2; block++) {
        strbuf_clear(&kept);
        if (block)
            run_block(r, (struct span){text.p, n + 1}, text.n, &kept);
        else
            run_record(r, (struct span){text.p, n}, text.n, &kept);
        if (strcmp(strbuf_text(&kept), row->outputs) != 0)
            FAIL("%s on %s (%s%s): %s, not %s", row->program, row->record,
                 on_jq ? "jq" : json_program_engine(p), block ? ", block" : "", strbuf_text(&kept),
                 row->outputs);
    }
    strbuf_free(&kept);
    strbuf_free(&text);
    json_runner_close(r);
    json_program_free(p);
}

static inline void expect_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        expect_row(&rows[i], false);
        expect_row(&rows[i], true);
    }
}
#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

/* ---- random records ---- */

static inline const char *one_of(struct rng *rng, const char *const *all, size_t n)
{
    return all[rng_below(rng, n)];
}
#define ONE_OF(rng, all) one_of(rng, all, sizeof(all) / sizeof *(all))

static const char *const record_keys[] = {
    "a",
    "b",
    "c",
    "level",
    "",
    "id",
    "user",
    "longer_than_eight_bytes",
    "longer_than_eight_bites",
    "eightkey",
    "sevenky",
    "k\\u0061",
    "\\u0061",
    "a\\u0000",
    "lev\\u0065l",
    "sp ace",
    "\xc3\xa9",
    "\\u00e9",
    "q\\\"q",
    "b\\\\s",
    "nineninen",
    "tags",
    "\x7f",
};
static const char *const record_strings[] = {
    "",
    "error",
    "info",
    "err\\u006fr",
    "errors",
    "erro",
    "a",
    "b",
    "\\u0061",
    "\\n",
    "a\\tb",
    "\\/",
    "/",
    "\\\"",
    "x\\\\",
    "\\u0000",
    "a\\u0000b",
    "\\u001f",
    "\\u007f",
    "\x7f",
    "\xc3\xa9",
    "\\u00e9",
    "\xf0\x9f\x98\x80",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "\\ud83dx",
    "\\ud83d\\u0041",
    "\\ude00\\ud83d",
    "\\uD83D\\uDE00",
    "\\uffff",
    "\xef\xbf\xbf",
    "\xff",
    "\xc3",
    "\xed\xa0\x80",
    "\xc0\xaf",
    "\xf4\x90\x80\x80",
    "\\q",
    "\\u12",
    "\\u12g4",
    "\\",
    "\t",
    "\x01",
    "exactly8",
    "exactly8x",
    "a long string that has more than sixteen bytes",
    "{\\\"a\\\":1}",
    "<>&'",
    "\\b\\f\\r",
    "\\u2028",
    "e\\u0301",
};
static const char *const record_numbers[] = {
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "10",
    "1.0",
    "1.50",
    "0.5",
    "-0.5",
    "0.1",
    "0.0001",
    "0.00012",
    "0.00009",
    "1e2",
    "1E2",
    "1e+2",
    "1e-7",
    "1e999",
    "-1e999",
    "1e-999",
    "5e-324",
    "2.2250738585072011e-308",
    "1.7976931348623157e308",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999",
    "999999999999999",
    "9999999999999999",
    "1000000000000000",
    "100000000000000000",
    "123456789012345678901234567890",
    "0.30000000000000004",
    "3.14159265358979",
    "123456.7890",
    "1234567890.12345",
    "12345678901.12345",
    "0.1234567890123456789",
    "01",
    "-01",
    "+1",
    ".5",
    "5.",
    "-",
    "1e",
    "1e+",
    "0x10",
    "1.2.3",
    "--1",
    "nan",
    "NaN",
    "-nan",
    "Infinity",
    "infinity",
    "1_000",
    "12a",
    "00",
    "0.0",
    "-0.0",
    "1.",
    "1.e1",
    "0e0",
    "nan1",
};

static void add_record(struct strbuf *out, struct rng *rng, unsigned depth);

static inline void add_blank(struct strbuf *out, struct rng *rng)
{
    static const char *const blanks[] = {" ", "\t", "\r", "  ", " \t\r "};
    if (rng_below(rng, 12) == 0)
        strbuf_adds(out, ONE_OF(rng, blanks));
}

static inline void add_random_number(struct strbuf *out, struct rng *rng)
{
    if (rng_below(rng, 8)) {
        /* Most of them are what records hold. */
        if (rng_below(rng, 2))
            strbuf_addf(out, "%d", (int)rng_below(rng, 2000) - 500);
        else
            strbuf_addf(out, "%d.%u", (int)rng_below(rng, 300) - 50, (unsigned)rng_below(rng, 999));
    } else if (rng_below(rng, 3)) {
        strbuf_adds(out, ONE_OF(rng, record_numbers));
    } else {
        for (uint64_t n = 1 + rng_below(rng, 22); n; n--)
            strbuf_addc(out, (char)('0' + rng_below(rng, 10)));
        if (rng_below(rng, 2))
            strbuf_addf(out, ".%u", (unsigned)rng_next(rng));
        if (rng_below(rng, 4) == 0)
            strbuf_addf(out, "e%d", (int)rng_below(rng, 660) - 330);
    }
}

static inline void add_random_string(struct strbuf *out, struct rng *rng)
{
    strbuf_addc(out, '"');
    /* The odd ones make a record bad: few of them. */
    size_t usual = rng_below(rng, 12) ? 7 : sizeof record_strings / sizeof *record_strings;
    strbuf_adds(out, one_of(rng, record_strings, usual));
    if (rng_below(rng, 20) == 0)
        strbuf_adds(out, ONE_OF(rng, record_strings));
    strbuf_addc(out, '"');
}

static inline void add_members(struct strbuf *out, struct rng *rng, unsigned depth)
{
    static const char *const often[] = {"a", "b", "c", "level", "id"};
    uint64_t n = rng_below(rng, 7);
    strbuf_addc(out, '{');
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            strbuf_addc(out, ',');
        add_blank(out, rng);
        strbuf_addf(out, "\"%s\"",
                    rng_below(rng, 4) ? ONE_OF(rng, often) : ONE_OF(rng, record_keys));
        add_blank(out, rng);
        strbuf_addc(out, ':');
        add_record(out, rng, depth + 1);
    }
    add_blank(out, rng);
    strbuf_addc(out, '}');
}

/* A value. */
static void add_record(struct strbuf *out, struct rng *rng, unsigned depth)
{
    static const char *const literals[] = {"true", "false", "null"};
    static const char *const odd[] = {"True", "tru", "nul", "falsey", "undefined", "''", "nullx"};
    add_blank(out, rng);
    uint64_t pick = rng_below(rng, depth ? 24 : 60);
    if (pick < 6)
        add_random_string(out, rng);
    else if (pick < 11)
        add_random_number(out, rng);
    else if (pick < 14)
        strbuf_adds(out, ONE_OF(rng, literals));
    else if (pick == 14 && rng_below(rng, 10) == 0)
        strbuf_adds(out, ONE_OF(rng, odd));
    else if (pick < 18 && depth < 5) {
        strbuf_addc(out, '[');
        for (uint64_t n = rng_below(rng, 4); n; n--) {
            add_record(out, rng, depth + 1);
            strbuf_adds(out, n > 1 ? "," : "");
        }
        strbuf_addc(out, ']');
    } else if (depth < 5)
        add_members(out, rng, depth);
    else
        strbuf_adds(out, "1");
    add_blank(out, rng);
}

/* What a broken line does to a record. No newline comes in. */
static inline void damage(struct strbuf *record, struct rng *rng)
{
    static const char bytes[] = "{}[]:,\"\\ \t\r019-.eEtfn\x7f\xff\x80\xc3/ua";
    static const char *const behind[] = {"x", ",", "}", " 1", "\"\"", "{}", "\x1e", "//", "#"};
    size_t at = rng_below(rng, record->n + 1);
    switch (rng_below(rng, 5)) {
    case 0: /* cut off */
        record->n = at;
        break;
    case 1: /* another byte */
        if (at < record->n)
            record->p[at] = rng_below(rng, 8) ? bytes[rng_below(rng, sizeof bytes - 1)]
                                              : (char)(11 + rng_below(rng, 245));
        break;
    case 2: /* a byte less */
        if (at < record->n) {
            memmove(record->p + at, record->p + at + 1, record->n - at - 1);
            record->n--;
        }
        break;
    case 3:
        strbuf_adds(record, ONE_OF(rng, behind));
        break;
    default: /* a NUL, a byte order mark */
        if (at < record->n && rng_below(rng, 2))
            record->p[at] = '\0';
        else if (record->n > 3)
            memcpy(record->p, "\xef\xbb\xbf", 3);
    }
}

static inline void random_record(struct strbuf *out, struct rng *rng)
{
    strbuf_clear(out);
    if (rng_below(rng, 200) == 0) { /* nesting around the limits of the walk and of jq */
        static const unsigned depths[] = {63, 64, 65, 127, 128, 129, 255, 256, 257, 300, 1100};
        unsigned n = depths[rng_below(rng, sizeof depths / sizeof *depths)];
        const char *open = rng_below(rng, 2) ? "[" : "{\"a\":";
        for (unsigned i = 0; i < n; i++)
            strbuf_adds(out, open);
        strbuf_addc(out, '1');
        for (unsigned i = 0; i < n; i++)
            strbuf_addc(out, *open == '[' ? ']' : '}');
    } else {
        add_record(out, rng, 0);
    }
    if (rng_below(rng, 6) == 0)
        damage(out, rng);
}

#endif

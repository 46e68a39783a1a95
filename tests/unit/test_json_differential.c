/* One language for users: a program gives the same outputs and the same bad records, whether
 * simdjson and a plan run it or libjq does, and the same as `jq -c` itself.
 *
 * WEIR_SEED and WEIR_ROUNDS make longer runs; a round is one program on 240 records. A failure
 * names its seed.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "json_fixture.h"

#define RECORDS 240

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- random programs, all of which are planned ---- */

static const char *const paths[] = {
    ".a",
    ".b",
    ".level",
    ".a.b",
    ".id",
    ".a[0]",
    ".b[1].a",
    ".[0]",
    ".\"sp ace\"",
    ".[\"a\"]",
    ".",
    ".\"\"",
    ".longer_than_eight_bytes",
    ".eightkey",
    ".sevenky",
    ".\"q\\\"q\"",
    ".\"\\u00e9\"",
    ".nineninen",
    ".a | .b",
    ".\"a\\u0000\"",
    ".a.b.c",
    ". .a",
    ".a [ 0 ]",
    ".\"\x7f\"",
};
static const char *const literals[] = {
    "\"error\"",
    "\"info\"",
    "\"\"",
    "\"a\"",
    "\"exactly8\"",
    "\"exactly8x\"",
    "1",
    "0",
    "-1",
    "0.5",
    "100",
    "null",
    "true",
    "false",
    "\"\\n\"",
    "\"\\u0000\"",
    "\"a long string that has more than sixteen bytes\"",
    "\"\\u007f\"",
    "\"\xc3\xa9\"",
    "\"q\\\"\"",
    "999999999999999",
    "\"\\ud83d\\ude00\"",
    "-0.5",
    "\"/\"",
};
static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">=", "==", "=="};
static const char *const parts[] = {"\"err\"", "\"r\"",      "\"b\"",   "\"\"",
                                    "\"\\n\"", "\"a long\"", "\"\xc3\""};

static void add_condition(struct strbuf *out, struct rng *rng, unsigned depth)
{
    static const char *const functions[] = {"startswith", "endswith", "contains"};
    switch (rng_below(rng, depth > 3 ? 4 : 11)) {
    case 0:
    case 1:
    case 2:
        strbuf_addf(out, "(%s) %s ", ONE_OF(rng, paths), ONE_OF(rng, operators));
        strbuf_adds(out, rng_below(rng, 5) ? ONE_OF(rng, literals) : ".b");
        return;
    case 3:
        strbuf_addf(out, "(%s)", ONE_OF(rng, paths));
        return;
    case 4:
    case 5:
        strbuf_addc(out, '(');
        add_condition(out, rng, depth + 1);
        strbuf_adds(out, rng_below(rng, 2) ? " and " : " or ");
        add_condition(out, rng, depth + 1);
        strbuf_addc(out, ')');
        return;
    case 6:
        strbuf_addc(out, '(');
        add_condition(out, rng, depth + 1);
        strbuf_adds(out, rng_below(rng, 2) ? " | not)" : "|not|not)");
        return;
    case 7:
        strbuf_addf(out, "(%s | %s(%s))", ONE_OF(rng, paths), ONE_OF(rng, functions),
                    one_of(rng, parts, 6));
        return;
    case 8:
        strbuf_addf(out, "(%s | IN(%s, %s))", ONE_OF(rng, paths), ONE_OF(rng, literals),
                    ONE_OF(rng, literals));
        return;
    case 9:
        strbuf_addf(out, "has(\"%s\")", rng_below(rng, 2) ? "a" : "longer_than_eight_bytes");
        return;
    default:
        strbuf_addf(out, "(%s|", ONE_OF(rng, paths));
        add_condition(out, rng, depth + 1);
        strbuf_addc(out, ')');
    }
}

static void add_value(struct strbuf *out, struct rng *rng, unsigned depth)
{
    static const char *const keys[] = {"a",        "b",   "\"k e y\"",         "id: .a.b",
                                       "level",    "x:1", "\"\\u007f\\n\":.c", "y:{a,b}",
                                       "z:[.a,.b]"};
    switch (rng_below(rng, depth > 2 ? 4 : 9)) {
    case 0:
    case 1:
    case 2:
        strbuf_adds(out, ONE_OF(rng, paths));
        return;
    case 3:
        strbuf_adds(out, ONE_OF(rng, literals));
        return;
    case 4:
    case 5: {
        size_t first = rng_below(rng, sizeof keys / sizeof *keys);
        strbuf_addf(out, "{%s", keys[first]);
        for (size_t n = rng_below(rng, 3), i = 1; i <= n; i++)
            strbuf_addf(out, ", %s", keys[(first + i) % (sizeof keys / sizeof *keys)]);
        strbuf_adds(out, ", v: (");
        add_value(out, rng, depth + 1);
        strbuf_adds(out, ")}");
        return;
    }
    case 6:
        strbuf_adds(out, "[(");
        add_value(out, rng, depth + 1);
        strbuf_addf(out, "), (%s)]", ONE_OF(rng, paths));
        return;
    case 7:
        strbuf_addf(out, "((%s) // (", ONE_OF(rng, paths));
        add_value(out, rng, depth + 1);
        strbuf_adds(out, "))");
        return;
    default:
        add_condition(out, rng, 2);
    }
}

static void random_program(struct strbuf *out, struct rng *rng)
{
    strbuf_clear(out);
    for (uint64_t n = rng_below(rng, 3); n; n--) {
        strbuf_adds(out, "select(");
        add_condition(out, rng, 0);
        strbuf_adds(out, ") | ");
    }
    if (rng_below(rng, 4) == 0)
        strbuf_addf(out, "%s | ", ONE_OF(rng, paths));
    add_value(out, rng, 0);
    for (uint64_t n = rng_below(rng, 8); n > 5; n--) {
        strbuf_adds(out, ", (");
        add_value(out, rng, 1);
        strbuf_addc(out, ')');
    }
}

/* ---- both ways ---- */

struct pair {
    struct json_program *plan, *jq;
    struct json_runner *fast, *slow;
};

static void pair_open(struct pair *p, const char *program, bool raw)
{
    error err = {0};
    if (json_program_compile(&p->plan, program, raw, &err) ||
        json_program_compile_jq(&p->jq, program, raw, &err))
        FAIL("%s: %s", program, err.message);
    p->fast = runner_of(p->plan);
    p->slow = runner_of(p->jq);
}

static void pair_close(struct pair *p)
{
    json_runner_close(p->fast);
    json_runner_close(p->slow);
    json_program_free(p->plan);
    json_program_free(p->jq);
}

static void expect_same(const char *program, uint64_t seed, struct span record,
                        const struct strbuf *fast, const struct strbuf *slow, const char *how)
{
    if (fast->n == slow->n && (!fast->n || memcmp(fast->p, slow->p, fast->n) == 0))
        return;
    struct strbuf shown = {0};
    strbuf_add_printable(&shown, record);
    print_error("seed %llu, program %.800s\n", (unsigned long long)seed, program);
    print_error("record %.900s\n", strbuf_text(&shown));
    print_error("%s: %.900s\n", how, strbuf_text(fast));
    FAIL("libjq: %.900s", strbuf_text(slow));
}

/* Lines, and what libjq says of them in their order. */
struct lines {
    struct strbuf text, said;
};

static void lines_add(struct lines *l, struct span record, const struct strbuf *said)
{
    strbuf_add(&l->text, record.p, record.n);
    strbuf_addc(&l->text, '\n');
    if (json_trim(record).n)
        strbuf_add(&l->said, said->p, said->n);
    else
        strbuf_adds(&l->said, "BLANK\n");
}

/* The last line may lack its newline; without bytes behind it, it is looked at alone. */
static void compare_block(struct pair *p, const char *program, uint64_t seed, struct rng *rng,
                          struct lines *l)
{
    struct strbuf fast = {0};
    size_t n = l->text.n, behind = rng_below(rng, 2) ? PADDING : 0;
    if (n > 1 && l->text.p[n - 2] != '\n' && rng_below(rng, 2))
        n--;
    strbuf_addf(&l->text, "%*s", (int)behind, "");
    run_block(p->fast, (struct span){l->text.p, n}, n + behind, &fast);
    expect_same(program, seed, (struct span){l->text.p, n}, &fast, &l->said, "by the block");
    strbuf_free(&fast);
    strbuf_free(&l->text);
    strbuf_free(&l->said);
}

/* Whether a line spoils the index of its window: bytes that are not UTF-8, a string that does not
 * end, a control character within one. */
static bool spoils(struct span line)
{
    bool within = false;
    for (size_t i = 0, n; i < line.n; i += n) {
        n = utf8_length(line.p + i, line.n - i);
        if (!n || (within && (unsigned char)line.p[i] < ' '))
            return true;
        if (line.p[i] == '\\' && i + 1 < line.n)
            n++;
        else if (line.p[i] == '"')
            within = !within;
    }
    return within;
}

/* Many records, alone and as blocks. A line that cannot be indexed has all of its window looked at
 * line by line: so there is one block with them, and one without. */
static void compare_records(struct pair *p, const char *program, uint64_t seed, struct rng *rng,
                            unsigned n)
{
    struct strbuf record = {0}, fast = {0}, slow = {0};
    struct lines all = {0}, indexed = {0};
    for (unsigned i = 0; i < n; i++) {
        random_record(&record, rng);
        struct span text = {record.p, record.n};
        strbuf_clear(&fast);
        strbuf_clear(&slow);
        run_record(p->fast, text, text.n, &fast);
        run_record(p->slow, text, text.n, &slow);
        expect_same(program, seed, text, &fast, &slow, "plan");
        lines_add(&all, text, &slow);
        if (!spoils(text))
            lines_add(&indexed, text, &slow);
    }
    compare_block(p, program, seed, rng, &all);
    compare_block(p, program, seed, rng, &indexed);
    strbuf_free(&record);
    strbuf_free(&fast);
    strbuf_free(&slow);
}

static void plans_and_libjq_say_the_same(void **state)
{
    uint64_t first = number_from("WEIR_SEED", 1), rounds = number_from("WEIR_ROUNDS", 60);
    struct strbuf program = {0};
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        struct rng rng;
        struct pair p;
        rng_seed(&rng, seed);
        random_program(&program, &rng);
        pair_open(&p, program.p, rng_below(&rng, 4) == 0);
        if (strcmp(json_program_engine(p.plan), "simdjson") != 0)
            FAIL("seed %llu: not planned: %s", (unsigned long long)seed, program.p);
        compare_records(&p, program.p, seed, &rng, RECORDS);
        pair_close(&p);
    }
    strbuf_free(&program);
}

/* Programs that no plan covers see records by libjq alone; what is put out unchanged is the record.
 */
static void selected_records_pass_byte_for_byte_on_libjq(void **state)
{
    static const char *const programs[] = {
        "select(length >= 0)",
        "select(true or empty)",
        "if .a? then . else . end",
        "[.][0]",
        "if type == \"object\" then . else .a end",
        ". as $x | $x",
    };
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct pair p;
        struct strbuf kept = {0};
        pair_open(&p, programs[i], false);
        assert_string_equal(json_program_engine(p.plan), "jq");
        struct span record = span_of(" {\"b\" : 1.0, \"a\":\"\\u0041\", \"a\":null} \r");
        run_record(p.fast, record, record.n, &kept);
        assert_string_equal(strbuf_text(&kept), "{\"b\" : 1.0, \"a\":\"\\u0041\", \"a\":null}\n");
        strbuf_free(&kept);
        pair_close(&p);
    }
}

/* ---- jq itself ---- */

static void write_file(const char *path, struct span text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.p, 1, text.n, file), text.n);
    assert_int_equal(fclose(file), 0);
}

/* What `jq -c` makes of a file. A record on which it fails is left out, as we leave it out. */
static void run_jq_itself(const char *folder, const char *program, struct strbuf *out)
{
    char command[256], buffer[65536], path[128];
    snprintf(path, sizeof path, "%s/program.jq", folder);
    write_file(path, span_of(program));
    snprintf(command, sizeof command, "jq -c -f %s/program.jq %s/records 2>/dev/null", folder,
             folder);
    FILE *jq = popen(command, "r");
    assert_non_null(jq);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, jq)) > 0;)
        strbuf_add(out, buffer, n);
    int st = pclose(jq);
    assert_true(WIFEXITED(st) && (WEXITSTATUS(st) == 0 || WEXITSTATUS(st) == 5));
}

/* Records as jq prints them, so that those which pass unchanged are what jq would print. */
static void make_records(struct rng *rng, const char *folder, struct strbuf *printed)
{
    struct strbuf record = {0}, all = {0};
    struct pair p;
    char path[128];
    snprintf(path, sizeof path, "%s/records", folder);
    pair_open(&p, "[.]", false);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct strbuf kept = {0};
        random_record(&record, rng);
        run_record(p.slow, (struct span){record.p, record.n}, record.n, &kept);
        /* "[X]\n"; what is nested too deep for jq's printer is no JSON when it is printed */
        if (kept.n > 3 && kept.p[0] == '[' && !strstr(kept.p, "<stripped"))
            strbuf_addf(&all, "%.*s\n", (int)(kept.n - 3), kept.p + 1);
        strbuf_free(&kept);
    }
    pair_close(&p);
    write_file(path, (struct span){all.p, all.n});
    run_jq_itself(folder, ".", printed);
    write_file(path, (struct span){printed->p, printed->n});
    strbuf_free(&record);
    strbuf_free(&all);
}

static void both_ways_say_what_jq_says(void **state)
{
    char folder[] = "/tmp/weir-jq-XXXXXX", path[64];
    uint64_t first = number_from("WEIR_SEED", 1), rounds = number_from("WEIR_ROUNDS", 60) / 4;
    assert_non_null(mkdtemp(folder));
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        struct strbuf program = {0}, records = {0}, jq = {0}, fast = {0};
        struct rng rng;
        struct pair p;
        rng_seed(&rng, ~seed);
        random_program(&program, &rng);
        pair_open(&p, program.p, false);
        make_records(&rng, folder, &records);
        run_jq_itself(folder, program.p, &jq);
        /* Our own word for a bad record is not jq's: line by line, without it. */
        for (struct span rest = {records.p, records.n}; rest.n;) {
            size_t n = (size_t)((char *)memchr(rest.p, '\n', rest.n) - rest.p);
            size_t before = fast.n;
            run_record(p.fast, (struct span){rest.p, n}, rest.n, &fast);
            if (fast.n >= before + 4 && memcmp(fast.p + fast.n - 4, "BAD\n", 4) == 0)
                fast.n -= 4;
            rest.p += n + 1;
            rest.n -= n + 1;
        }
        expect_same(program.p, seed, span_of("all"), &fast, &jq, "plan, and jq -c");
        pair_close(&p);
        strbuf_free(&program);
        strbuf_free(&records);
        strbuf_free(&jq);
        strbuf_free(&fast);
    }
    static const char *const files[] = {"records", "program.jq"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_and_libjq_say_the_same),
        cmocka_unit_test(selected_records_pass_byte_for_byte_on_libjq),
        cmocka_unit_test(both_ways_say_what_jq_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Programs on records: the plan and libjq say the same, alone and by the block, and a program that
 * is planned is one to libjq. Input: a byte of flags, then a line with the program (with TABLED, a
 * byte that picks one from the table instead), then the records.
 *
 * libjq takes milliseconds to compile a program: what has been compiled is kept for the inputs that
 * follow. A program that is not planned is libjq's alone and would be compared with itself.
 */
#include <stdlib.h>

#include "core/text.h"
#include "fuzz_must.h"
#include "json/json_plan.h"
#include "json/json_program.h"
#include "json/json_text.h"

void *jv_mem_realloc(void *p, size_t n);

enum { RAW = 1, PADDED = 2, TABLED = 4 };

#define PADDING 100
#define PROGRAM_MAX 200
#define SLOTS 24

static const char *const table[] = {
    ".",
    ".a",
    ".a.b",
    ".[0]",
    ".a[1].b",
    ".\"\"",
    ".a,.b",
    "[.a,.b]",
    "{a,b}",
    "{a:{b:.a.b},c:[.c]}",
    ".a // .b // \"none\"",
    "select(.a)",
    "select(.a == .b)",
    "select(.a < .b), select(.a >= .b)",
    "select(.level == \"error\")",
    "select(.level != \"a string of some length\")",
    "select(.a == 1 or .a > 2.5)",
    "select(.a == \"\" or .a < \"b\")",
    "select(.a and (.b | not)) | .c",
    "select(.a | startswith(\"er\"))",
    ".a | endswith(\"r\"), contains(\"rr\")",
    "has(\"a\"), has(\"longer_than_eight\")",
    "select(.a | IN(\"x\", 1, null, true))",
    "select(.longer_than_eight == null) | {eightkey, b: .[\"longer_than_eight\"]}",
    ".\"\\u00e9\", .\"q\\\"\", .\"\\u0000\"",
    "null < .a, false < .a, true < .a, 0 < .a, \"\" < .a",
};

/* libjq holds its stack by the end of it, which LeakSanitizer does not take for a pointer to it: in
 * the machines that are kept it would be a leak. A byte more, and the end lies within. */
void *jv_mem_realloc(void *p, size_t n)
{
    void *grown = realloc(p, n + 1);
    must(grown != NULL);
    return grown;
}

struct pair {
    char *text;
    bool raw;
    struct json_program *plan, *jq;
    struct json_runner *fast, *slow;
};

static void pair_close(struct pair *p)
{
    json_runner_close(p->fast);
    json_runner_close(p->slow);
    json_program_free(p->plan);
    json_program_free(p->jq);
    free(p->text);
    *p = (struct pair){0};
}

static void pair_open(struct pair *p, const char *text, bool raw)
{
    error err;
    p->text = strdup(text);
    p->raw = raw;
    must(p->text != NULL);
    must(json_program_compile(&p->plan, text, raw, &err) == OK);
    must(json_program_compile_jq(&p->jq, text, raw, &err) == OK);
    must(json_runner_open(&p->fast, p->plan, &err) == OK);
    must(json_runner_open(&p->slow, p->jq, &err) == OK);
}

/* NULL: not planned. */
static struct pair *pair_of(const char *text, bool raw)
{
    static struct pair kept[SLOTS];
    struct pair *p = &kept[hash64(text, strlen(text)) % SLOTS];
    if (p->text && p->raw == raw && strcmp(p->text, text) == 0)
        return p;
    struct json_plan *plan = json_plan_make(text);
    if (!plan)
        return NULL;
    json_plan_free(plan);
    pair_close(p);
    pair_open(p, text, raw);
    return p;
}

/* ---- what comes out ---- */

static status keep(void *ctx, struct span output, error *err)
{
    strbuf_addf(ctx, "%zu:", output.n);
    strbuf_add(ctx, output.p, output.n);
    return OK;
}

static void end_record(struct strbuf *out, bool bad, const error *err)
{
    must(!bad || (err->status == WEIR_RECORD && err->message[0] && !strchr(err->message, '\n')));
    strbuf_adds(out, bad ? " bad\n" : "\n");
}

static void run_block(struct json_runner *r, struct span body, size_t readable, struct strbuf *kept)
{
    struct json_out out = {keep, kept};
    enum json_step step;
    struct span line;
    size_t seen = 0;
    json_runner_begin(r, body, readable);
    for (;;) {
        error err = {0};
        must(json_runner_next(r, &out, &step, &line, &err) == OK);
        if (step == JSON_STEP_END)
            break;
        must(line.p == body.p + seen);
        seen += line.n + 1;
        if (step == JSON_STEP_BLANK)
            strbuf_adds(kept, "blank\n");
        else
            end_record(kept, step == JSON_STEP_BAD, &err);
    }
    must(seen == body.n || seen == body.n + 1);
}

static bool is_blank(struct span line)
{
    return json_trim(line).n == 0;
}

static void run_lines(struct json_runner *r, struct span body, size_t readable, struct strbuf *kept)
{
    struct json_out out = {keep, kept};
    for (size_t at = 0; at < body.n;) {
        const char *newline = memchr(body.p + at, '\n', body.n - at);
        size_t n = newline ? (size_t)(newline - body.p) - at : body.n - at;
        struct span line = {body.p + at, n};
        error err = {0};
        bool bad = false;
        if (is_blank(line)) {
            strbuf_adds(kept, "blank\n");
        } else {
            must(json_runner_run(r, line, readable - at, &out, &bad, &err) == OK);
            end_record(kept, bad, &err);
        }
        at += n + 1;
    }
}

static void must_be_same(const struct strbuf *a, const struct strbuf *b)
{
    bool same = a->n == b->n && (!a->n || memcmp(a->p, b->p, a->n) == 0);
    if (!same)
        fprintf(stderr, "---- plan:\n%s\n---- libjq:\n%s\n", strbuf_text(a), strbuf_text(b));
    must(same);
}

static void compare(struct pair *p, struct span body, size_t readable)
{
    struct strbuf slow = {0}, fast = {0};
    run_lines(p->slow, body, readable, &slow);
    run_lines(p->fast, body, readable, &fast);
    must_be_same(&fast, &slow);
    strbuf_clear(&fast);
    run_block(p->fast, body, readable, &fast);
    must_be_same(&fast, &slow);
    strbuf_free(&slow);
    strbuf_free(&fast);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[PROGRAM_MAX + 1] = "";
    if (size < 2)
        return 0;
    uint8_t flags = data[0];
    size_t at = 2;
    const char *program = text;
    if (flags & TABLED) {
        program = table[data[1] % (sizeof table / sizeof *table)];
    } else {
        const uint8_t *newline = memchr(data + 1, '\n', size - 1);
        size_t n = newline ? (size_t)(newline - data) - 1 : size - 1;
        if (n > PROGRAM_MAX)
            return 0;
        memcpy(text, data + 1, n);
        at = 1 + n + (newline != NULL);
    }
    struct pair *p = pair_of(program, flags & RAW);
    must(p || !(flags & TABLED));
    if (!p)
        return 0;
    size_t n = size - at, readable = n + (flags & PADDED ? PADDING : 0);
    char *body = malloc(readable ? readable : 1);
    must(body != NULL);
    memcpy(body, data + at, n);
    memset(body + n, '"', readable - n);
    compare(p, (struct span){body, n}, readable);
    free(body);
    return 0;
}

/* Programs and runners (json_program.h): which way a record goes. A program is set up by one
 * thread; a runner is its worker's.
 *
 * Lines come in blocks of many. A window of 64 KiB of them is indexed in one go, which is what
 * makes the fast path fast (8 GB/s against 3 line by line), and each line is then walked by the
 * plan. A window that simdjson refuses (a string that does not end spoils all that follow it) is
 * indexed again, line by line. What the plan is not sure of, and all that is not indexed, is
 * libjq's.
 *
 * libjq takes 15 ms to compile a program and is not asked where there is a plan, until a record
 * needs it.
 */
#include "json/json_program.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "json/jq_adapter.h"
#include "json/json_plan.h"
#include "json/program_words.h"
#include "json/simdjson_adapter.h"

#define WINDOW ((size_t)64 << 10)

#ifdef WEIR_HAVE_JQ
static const bool have_jq = true;
#else
static const bool have_jq = false;
#endif
#ifdef WEIR_HAVE_SIMDJSON
static const bool have_simdjson = true;
#else
static const bool have_simdjson = false;
#endif

struct json_program {
    char *text;
    bool raw;
    struct json_plan *plan; /* NULL: libjq alone */
    /* What the check of the program left, for the first runner that wants one. */
    struct jq_machine *_Atomic spare;
};

struct json_runner {
    const struct json_program *program;
    struct jq_machine *machine; /* opened when a record needs it */
    struct json_index *index;   /* NULL: libjq does all */
    struct plan_run plan;
    char *copy; /* a line with the padding it lacks where it stands */
    size_t copy_cap;
    /* the block */
    struct span block;
    size_t readable, offset;
    /* the window of the block that `tokens` is about */
    size_t window_end;
    bool indexed;
    struct json_tokens tokens;
    uint32_t token;     /* the first that has not been walked over */
    const char *escape; /* the first backslash that has not been walked over, NULL: none */
};

/* ---- programs ---- */

/* Definitions of the user's own may give a word another meaning than the planner knows. */
static bool has_own_definitions(void)
{
    char path[4096];
    const char *home = getenv("HOME");
    if (!home)
        return false;
    int n = snprintf(path, sizeof path, "%s/.jq", home);
    return n < 0 || (size_t)n >= sizeof path || access(path, F_OK) == 0;
}

static status check(struct json_program *p, error *err)
{
    struct jq_machine *machine = NULL;
    if (!have_jq && !have_simdjson)
        return fail(err, WEIR_USAGE,
                    "this build runs no jq programs: it was built without simdjson "
                    "and without libjq");
    status st = program_words_check(p->text, err);
    if (st || p->plan)
        return st;
    if (!have_jq)
        return fail(
            err, WEIR_USAGE,
            "this build was made without libjq and runs only select, paths, comparisons and "
            "the construction of objects and arrays: \"%s\" needs more, or is no program",
            p->text);
    st = jq_machine_open(&machine, p->text, err);
    if (!st)
        atomic_store(&p->spare, machine);
    return st;
}

static status compile(struct json_program **out, const char *text, bool raw, bool may_plan,
                      error *err)
{
    struct json_program *p = calloc(1, sizeof *p);
    if (!p)
        return fail(err, WEIR_NOMEM, "out of memory for a program");
    p->raw = raw;
    p->text = strdup(text);
    if (!p->text) {
        json_program_free(p);
        return fail(err, WEIR_NOMEM, "out of memory for a program");
    }
    if (may_plan && have_simdjson && !(have_jq && has_own_definitions()))
        p->plan = json_plan_make(text);
    status st = check(p, err);
    if (st) {
        json_program_free(p);
        return st;
    }
    *out = p;
    return OK;
}

status json_program_compile(struct json_program **out, const char *text, bool raw, error *err)
{
    return compile(out, text, raw, true, err);
}

status json_program_compile_jq(struct json_program **out, const char *text, bool raw, error *err)
{
    return compile(out, text, raw, false, err);
}

void json_program_free(struct json_program *p)
{
    if (!p)
        return;
    jq_machine_close(atomic_load(&p->spare));
    json_plan_free(p->plan);
    free(p->text);
    free(p);
}

const char *json_program_engine(const struct json_program *p)
{
    return p->plan ? "simdjson" : "jq";
}

/* ---- runners ---- */

status json_runner_open(struct json_runner **out, const struct json_program *p, error *err)
{
    struct json_runner *r = calloc(1, sizeof *r);
    if (!r)
        return fail(err, WEIR_NOMEM, "out of memory for a program");
    r->program = p;
    if (p->plan) {
        r->index = json_index_new();
        if (!r->index || !plan_run_open(&r->plan, p->plan, p->raw, !have_jq)) {
            json_runner_close(r);
            return fail(err, WEIR_NOMEM, "out of memory for a program");
        }
    }
    *out = r;
    return OK;
}

void json_runner_close(struct json_runner *r)
{
    if (!r)
        return;
    jq_machine_close(r->machine);
    json_index_free(r->index);
    plan_run_close(&r->plan);
    free(r->copy);
    free(r);
}

/* ---- one record ---- */

static status run_jq(struct json_runner *r, struct span record, const struct json_out *out,
                     bool *bad, error *err)
{
    if (!have_jq) {
        *bad = true;
        fail(err, WEIR_RECORD, "not JSON, or a record that needs libjq, which this build lacks");
        return OK;
    }
    if (!r->machine)
        r->machine = atomic_exchange(&((struct json_program *)(uintptr_t)r->program)->spare, NULL);
    if (!r->machine) {
        status st = jq_machine_open(&r->machine, r->program->text, err);
        if (st)
            return st;
    }
    return jq_machine_run(r->machine, json_trim(record), r->program->raw, out, bad, err);
}

static status put_all(struct json_runner *r, const struct json_out *out, error *err)
{
    uint32_t at = 0;
    for (unsigned i = 0; i < r->plan.n; i++) {
        status st = out->put(out->ctx, plan_run_output(&r->plan, i, &at), err);
        if (st)
            return st;
    }
    return OK;
}

/* The record with a '\n' and padding behind it: where it stands, or copied. NULL: no memory. */
static const char *padded(struct json_runner *r, struct span record, size_t readable)
{
    if (readable > record.n + JSON_PADDING && record.p[record.n] == '\n')
        return record.p;
    size_t need = record.n + 1 + JSON_PADDING;
    if (need > r->copy_cap) {
        size_t cap = r->copy_cap ? r->copy_cap : 1024;
        while (cap < need)
            cap *= 2;
        char *grown = realloc(r->copy, cap);
        if (!grown)
            return NULL;
        r->copy = grown;
        r->copy_cap = cap;
    }
    if (record.n)
        memcpy(r->copy, record.p, record.n);
    memset(r->copy + record.n, '\n', 1 + JSON_PADDING);
    return r->copy;
}

/* Indexed alone. false: for libjq. */
static bool plan_alone(struct json_runner *r, struct span record, size_t readable)
{
    if (!r->index || record.n >= JSON_INDEX_MAX)
        return false;
    struct json_tokens t = {.p = padded(r, record, readable)};
    r->indexed = false; /* the index of the window is overwritten */
    if (!t.p || !json_index_build(r->index, t.p, record.n + 1, &t.at))
        return false;
    t.escapes = memchr(t.p, '\\', record.n) != NULL;
    if (t.escapes && !json_escapes_valid((struct span){t.p, record.n}))
        return false;
    uint32_t next;
    return plan_run_record(&r->plan, &t, 0, &next) && t.at[next - 1] < record.n &&
           t.at[next] == record.n;
}

status json_runner_run(struct json_runner *r, struct span record, size_t readable,
                       const struct json_out *out, bool *bad, error *err)
{
    *bad = false;
    if (plan_alone(r, record, readable))
        return put_all(r, out, err);
    return run_jq(r, record, out, bad, err);
}

/* ---- blocks ---- */

void json_runner_begin(struct json_runner *r, struct span block, size_t readable)
{
    r->block = block;
    r->readable = readable;
    r->offset = r->window_end = 0;
}

/* Indexes as many whole lines from the offset on as have their padding behind them. */
static void open_window(struct json_runner *r)
{
    const char *p = r->block.p + r->offset;
    size_t n = r->block.n - r->offset, readable = r->readable - r->offset;
    n = n < WINDOW ? n : WINDOW;
    if (n + JSON_PADDING > readable)
        n = readable > JSON_PADDING ? readable - JSON_PADDING : 0;
    const char *end = n && p ? memrchr(p, '\n', n) : NULL;
    r->indexed = false;
    if (!end) {
        end = p ? memchr(p, '\n', r->block.n - r->offset) : NULL;
        r->window_end = end ? (size_t)(end - r->block.p) + 1 : r->block.n;
        return;
    }
    n = (size_t)(end - p) + 1;
    r->window_end = r->offset + n;
    r->tokens.p = p;
    r->indexed = json_index_build(r->index, p, n, &r->tokens.at);
    r->token = 0;
    r->escape = r->indexed ? memchr(p, '\\', n) : NULL;
}

/* The plan on the next line of the window. false: for libjq. */
static bool plan_line(struct json_runner *r, struct span line)
{
    struct json_tokens *t = &r->tokens;
    const char *end = line.p + line.n;
    uint32_t stop = (uint32_t)(end - t->p), next = 0;
    t->escapes = r->escape && r->escape < end;
    bool sure =
        (!t->escapes || json_escapes_valid(line)) && plan_run_record(&r->plan, t, r->token, &next);
    /* A walk that ran on into the next line has seen no record. */
    bool whole = next && t->at[next - 1] < stop && t->at[next] >= stop;
    if (whole)
        r->token = next;
    else
        while (t->at[r->token] < stop)
            r->token++;
    if (t->escapes)
        r->escape = memchr(end, '\\', (size_t)(r->block.p + r->window_end - end));
    return sure && whole;
}

status json_runner_next(struct json_runner *r, const struct json_out *out, enum json_step *step,
                        struct span *line, error *err)
{
    *line = (struct span){r->block.p + r->offset, r->block.n - r->offset};
    *step = JSON_STEP_END;
    if (!line->n)
        return OK;
    if (r->index && r->offset >= r->window_end)
        open_window(r);
    const char *newline = memchr(line->p, '\n', line->n);
    if (newline)
        line->n = (size_t)(newline - line->p);
    size_t readable = r->readable - r->offset;
    r->offset += line->n + (newline != NULL);

    bool windowed = r->index && r->indexed;
    bool blank = windowed ? r->tokens.at[r->token] >= (uint32_t)(line->p + line->n - r->tokens.p)
                          : json_trim(*line).n == 0;
    *step = blank ? JSON_STEP_BLANK : JSON_STEP_DONE;
    if (blank)
        return OK;
    if (windowed && plan_line(r, *line))
        return put_all(r, out, err);
    bool bad = false;
    status st = windowed ? run_jq(r, *line, out, &bad, err)
                         : json_runner_run(r, *line, readable, out, &bad, err);
    if (!st && bad)
        *step = JSON_STEP_BAD;
    return st;
}

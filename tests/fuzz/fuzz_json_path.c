/* Records by path: the same answers whether the record is walked along its tokens or is libjq's
 * (which a byte order mark makes of any), and, where WITH_JQ asks for it, the same as the path
 * gives as a program. Input: a byte of flags, the path on a line, the record.
 */
#include <math.h>
#include <stdlib.h>

#include "core/text.h"
#include "fuzz_must.h"
#include "json/json_path.h"
#include "json/json_program.h"
#include "json/json_record.h"
#include "json/json_text.h"

void *jv_mem_realloc(void *p, size_t n);

enum { WITH_JQ = 1, PADDED = 2 };

#define PADDING 100
#define PATH_MAX_BYTES 600
#define SLOTS 24

/* A record of its own memory, with the bytes that may be read behind it. */
struct held {
    struct weir_record *reader;
    char *text;
};

static bool hold(struct held *h, const char *before, struct span text, size_t behind)
{
    size_t n = strlen(before) + text.n;
    error err = {0};
    h->text = malloc(n + behind ? n + behind : 1);
    must(h->text != NULL && json_reader_open(&h->reader, &err) == OK);
    memcpy(h->text, before, strlen(before));
    if (text.n)
        memcpy(h->text + strlen(before), text.p, text.n);
    memset(h->text + n, behind % 2 ? '\n' : '"', behind);
    status st = json_reader_set(h->reader, (struct span){h->text, n}, n + behind, 7, &err);
    must(st == OK || (st == WEIR_RECORD && err.status == WEIR_RECORD && err.message[0]));
    return st == OK;
}

static void let_go(struct held *h)
{
    json_reader_close(h->reader);
    free(h->text);
}

struct answers {
    weir_json_kind kind;
    size_t count, size;
    const char *text;
    double number;
    int64_t integer;
    bool has_text, has_number, has_integer, has_boolean, boolean;
};

static struct answers ask(const struct weir_record *r, const char *path)
{
    struct answers a = {.kind = weir_record_kind(r, path), .count = weir_record_count(r, path)};
    a.has_text = weir_record_string(r, path, &a.text, &a.size);
    a.has_number = weir_record_number(r, path, &a.number);
    a.has_integer = weir_record_integer(r, path, &a.integer);
    a.has_boolean = weir_record_boolean(r, path, &a.boolean);
    must(a.has_text == (a.kind == WEIR_JSON_STRING));
    must(a.has_boolean == (a.kind == WEIR_JSON_BOOLEAN));
    must(!a.has_number || a.kind == WEIR_JSON_NUMBER);
    must(!a.has_integer || (a.has_number && a.number == (double)a.integer));
    must(!a.count || a.kind == WEIR_JSON_ARRAY || a.kind == WEIR_JSON_OBJECT);
    return a;
}

/* The walk is exact, libjq has doubles: below 2^53 an integer there may have had a fraction. */
static void compare(const struct answers *walked, const struct answers *jq)
{
    must(walked->kind == jq->kind && walked->count == jq->count);
    must(walked->has_number == jq->has_number && walked->boolean == jq->boolean);
    must(walked->number == jq->number && signbit(walked->number) == signbit(jq->number));
    if (walked->has_integer && fabs(walked->number) < 9007199254740992.0)
        must(jq->has_integer && jq->integer == walked->integer);
    must(walked->size == jq->size);
    must(!walked->size || memcmp(walked->text, jq->text, walked->size) == 0);
}

/* libjq holds its stack by the end of it, which LeakSanitizer does not take for a pointer to it: in
 * the machines that are kept it would be a leak. A byte more, and the end lies within. */
void *jv_mem_realloc(void *p, size_t n)
{
    void *grown = realloc(p, n + 1);
    must(grown != NULL);
    return grown;
}

/* ---- the path as a program ---- */

struct asked {
    char *path;
    struct json_program *program;
    struct json_runner *runner;
};

/* Compiling takes libjq milliseconds: kept for the inputs that follow. */
static struct asked *asked_of(const char *path)
{
    static struct asked kept[SLOTS];
    struct asked *a = &kept[hash64(path, strlen(path)) % SLOTS];
    if (a->path && strcmp(a->path, path) == 0)
        return a;
    json_runner_close(a->runner);
    json_program_free(a->program);
    free(a->path);
    *a = (struct asked){.path = strdup(path)};
    struct strbuf text = {0};
    strbuf_addf(&text, "[%s]", path);
    must(json_program_compile_jq(&a->program, strbuf_text(&text), false, NULL) == OK);
    must(json_runner_open(&a->runner, a->program, NULL) == OK);
    strbuf_free(&text);
    must(a->path != NULL);
    return a;
}

static status keep(void *ctx, struct span output, error *err)
{
    strbuf_add(ctx, output.p, output.n);
    return OK;
}

static void must_print(const struct strbuf *printed, const struct answers *a)
{
    static const char *const constant[] = {
        [WEIR_JSON_MISSING] = "[null]", [WEIR_JSON_NULL] = "[null]"};
    struct strbuf want = {0};
    switch (a->kind) {
    case WEIR_JSON_MISSING:
    case WEIR_JSON_NULL:
        strbuf_adds(&want, constant[a->kind]);
        break;
    case WEIR_JSON_BOOLEAN:
        strbuf_adds(&want, a->boolean ? "[true]" : "[false]");
        break;
    case WEIR_JSON_STRING:
        strbuf_addc(&want, '[');
        json_add_string(&want, (struct span){a->text, a->size});
        strbuf_addc(&want, ']');
        break;
    case WEIR_JSON_NUMBER:
        must(!a->has_number || strtod(printed->p + 1, NULL) == a->number);
        return;
    default:
        must(printed->p[1] == (a->kind == WEIR_JSON_ARRAY ? '[' : '{'));
        must((printed->p[2] == ']' || printed->p[2] == '}') == (a->count == 0));
        return;
    }
    must(want.n == printed->n && memcmp(want.p, printed->p, want.n) == 0);
    strbuf_free(&want);
}

/* `.e5`, which jq 1.6 takes for a number, and not a good one. */
static bool is_exponent(struct span step)
{
    return step.n > 2 && (step.p[1] | 0x20) == 'e' &&
           strspn(step.p + 2, "0123456789") >= step.n - 2;
}

/* Whether it is one, step by step; *also_to_jq: jq 1.6 agrees. */
static bool is_path(const char *path, bool *also_to_jq)
{
    char key[PATH_KEY_MAX];
    struct path_step step;
    struct span rest = span_of(path);
    for (bool first = true; first || rest.n; first = false) {
        size_t used;
        if (!json_path_step(rest, first, key, &step, &used))
            return false;
        if (is_exponent((struct span){rest.p, used}))
            *also_to_jq = false;
        rest.p += used;
        rest.n -= used;
    }
    return true;
}

static void ask_jq(const char *path, struct span record, const struct answers *a)
{
    bool also_to_jq = true;
    if (!is_path(path, &also_to_jq)) {
        must(a->kind == WEIR_JSON_MISSING);
        return;
    }
    if (!also_to_jq)
        return;
    struct asked *asked = asked_of(path);
    struct strbuf printed = {0};
    struct json_out out = {keep, &printed};
    bool bad = false;
    error err;
    must(json_runner_run(asked->runner, record, record.n, &out, &bad, &err) == OK);
    if (bad)
        must(a->kind == WEIR_JSON_MISSING);
    else if (a->kind != WEIR_JSON_MISSING)
        must_print(&printed, a);
    strbuf_free(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[PATH_MAX_BYTES + 1] = "";
    const uint8_t *newline = size ? memchr(data + 1, '\n', size - 1) : NULL;
    if (!newline || newline - data > PATH_MAX_BYTES)
        return 0;
    memcpy(path, data + 1, (size_t)(newline - data) - 1);
    struct span record = {(const char *)newline + 1, size - (size_t)(newline + 1 - data)};
    /* A line has no newline in it, and only one byte order mark is skipped. */
    if (memchr(record.p, '\n', record.n) || span_starts(json_trim(record), "\xef"))
        return 0;
    struct held walked, jq;
    bool good = hold(&walked, "", record, data[0] & PADDED ? PADDING + data[0] / 128 : 0);
    must(hold(&jq, "\xef\xbb\xbf", record, 0) == good);
    if (good) {
        struct answers a = ask(walked.reader, path), b = ask(jq.reader, path);
        compare(&a, &b);
        if (data[0] & WITH_JQ)
            ask_jq(path, record, &b);
    }
    let_go(&walked);
    let_go(&jq);
    return 0;
}

/* libjq behind jq_adapter.h. The thread of the runner or reader.
 *
 * Records are parsed by jv_parser and not by jv_parse_sized, which wants a NUL behind the text and
 * copies all of a bad one into its message. The input is held while the program runs: so no update
 * in place can happen to it, and an output that is the input can be told by its identity.
 */
#include "json/jq_adapter.h"

#include <jq.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "json/jq_prelude.h"
#include "json/json_text.h"

#define EXCERPT 80

struct jq_machine {
    jq_state *jq;
    struct strbuf said; /* the first message of the compiler */
};

struct jq_value {
    jv root;
};

/* ---- messages ---- */

/* The text of an error value; not a string: as JSON. */
static void add_message(struct strbuf *out, jv message)
{
    if (jv_get_kind(message) != JV_KIND_STRING)
        message = jv_dump_string(message, 0);
    struct span text = {jv_string_value(message), (size_t)jv_string_length_bytes(jv_copy(message))};
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        while (i < text.n && text.p[i] != '\n')
            i++;
        strbuf_add_printable(out, (struct span){text.p + from, i - from});
        for (; i < text.n && text.p[i] == '\n'; i++)
            if (i + 1 == text.n || text.p[i + 1] != '\n')
                strbuf_adds(out, i + 1 == text.n ? "" : ": ");
    }
    jv_free(message);
}

static void hear(void *ctx, jv message)
{
    struct jq_machine *m = ctx;
    if (m->said.n)
        jv_free(message);
    else
        add_message(&m->said, jq_format_error(message));
}

static void hear_nothing(void *ctx, jv message)
{
    jv_free(message);
}

/* RECORD: `what`, jq's message and the beginning of the record. */
static status bad_record(const char *what, jv message, struct span record, error *err)
{
    struct strbuf said = {0}, excerpt = {0};
    add_message(&said, message);
    bool cut = record.n > EXCERPT;
    strbuf_add_printable(&excerpt, (struct span){record.p, cut ? EXCERPT : record.n});
    status st = fail(err, WEIR_RECORD, "%s: %s: %s%s", what, strbuf_text(&said),
                     strbuf_text(&excerpt), cut ? "..." : "");
    strbuf_free(&said);
    strbuf_free(&excerpt);
    return st;
}

/* ---- parsing ---- */

/* Whether each string stands where a value or a key may begin. One that does not makes a record bad
 * in any case, but libjq 1.6 leaks it: a stream of such records would fill the memory. */
static bool strings_stand_apart(struct span text)
{
    const char *p = text.p, *end = text.p + text.n;
    char before = ',';
    if (span_starts(text, "\xef\xbb\xbf"))
        p += 3;
    for (; p < end; p++) {
        if (*p == '"') {
            if (!strchr("{[,:", before))
                return false;
            for (p++; p < end && *p != '"'; p++)
                p += *p == '\\';
        }
        if (p < end && !json_blank(*p))
            before = *p ? *p : '0';
    }
    return true;
}

/* The one value of a text, or an invalid one with a message, as jv_parse_sized has it. */
static jv parse(struct span text)
{
    if (text.n > INT_MAX)
        return jv_invalid_with_msg(jv_string("it has more than 2 GiB"));
    if (!strings_stand_apart(text))
        return jv_invalid_with_msg(jv_string("a string follows a value without a separator"));
    jv_parser *parser = jv_parser_new(0);
    jv_parser_set_buf(parser, text.p, (int)text.n, 0);
    jv value = jv_parser_next(parser);
    if (jv_is_valid(value)) {
        jv next = jv_parser_next(parser);
        if (jv_is_valid(next)) {
            jv_free(value);
            jv_free(next);
            value = jv_invalid_with_msg(jv_string("more than one JSON text"));
        } else if (jv_invalid_has_msg(jv_copy(next))) {
            jv_free(value);
            value = next;
        } else {
            jv_free(next);
        }
    } else if (!jv_invalid_has_msg(jv_copy(value))) {
        jv_free(value);
        value = jv_invalid_with_msg(jv_string("there is nothing"));
    }
    jv_parser_free(parser);
    return value;
}

/* ---- programs ---- */

/* The prelude stands before a program that has compiled by itself, so messages show only what the
 * user wrote; a program that it cannot precede stays as it is. */
static status add_prelude(struct jq_machine *m, const char *program, error *err)
{
    struct strbuf whole = {0};
    if (!jq_prelude_add(&whole, program))
        return OK;
    strbuf_adds(&whole, program);
    bool taken = !whole.failed && jq_compile(m->jq, strbuf_text(&whole));
    strbuf_free(&whole);
    strbuf_clear(&m->said);
    if (taken || jq_compile(m->jq, program))
        return OK;
    return fail(err, WEIR_NOMEM, "out of memory for a program");
}

status jq_machine_open(struct jq_machine **out, const char *program, error *err)
{
    struct jq_machine *m = calloc(1, sizeof *m);
    if (!m)
        return fail(err, WEIR_NOMEM, "out of memory for a program");
    m->jq = jq_init();
    if (!m->jq) {
        free(m);
        return fail(err, WEIR_NOMEM, "out of memory for a program");
    }
    jq_set_error_cb(m->jq, hear, m);
    jq_set_debug_cb(m->jq, hear_nothing, NULL);
    jq_set_input_cb(m->jq, NULL, NULL); /* jq_init does not */
    if (!jq_compile(m->jq, program)) {
        const char *said = strbuf_text(&m->said);
        if (strncmp(said, "jq: error: ", 11) == 0)
            said += 11;
        fail(err, WEIR_USAGE, "not a jq program: %s", said);
        jq_machine_close(m);
        return WEIR_USAGE;
    }
    status st = add_prelude(m, program, err);
    if (st) {
        jq_machine_close(m);
        return st;
    }
    *out = m;
    return OK;
}

void jq_machine_close(struct jq_machine *m)
{
    if (!m)
        return;
    jq_teardown(&m->jq);
    strbuf_free(&m->said);
    free(m);
}

static status put_output(jv output, bool raw, const struct json_out *out, error *err)
{
    if (!raw || jv_get_kind(output) != JV_KIND_STRING)
        output = jv_dump_string(output, 0);
    struct span text = {jv_string_value(output), (size_t)jv_string_length_bytes(jv_copy(output))};
    status st = out->put(out->ctx, text, err);
    jv_free(output);
    return st;
}

status jq_machine_run(struct jq_machine *m, struct span record, bool raw,
                      const struct json_out *out, bool *bad, error *err)
{
    status st = OK;
    jv input = parse(record);
    *bad = !jv_is_valid(input);
    if (*bad) {
        bad_record("not JSON", jv_invalid_get_msg(input), record, err);
        return OK;
    }
    jq_start(m->jq, jv_copy(input), 0);
    jv output;
    while (!st && jv_is_valid(output = jq_next(m->jq))) {
        bool text = raw && jv_get_kind(output) == JV_KIND_STRING;
        if (!text && jv_identical(jv_copy(output), jv_copy(input))) {
            jv_free(output);
            st = out->put(out->ctx, record, err);
        } else {
            st = put_output(output, raw, out, err);
        }
    }
    if (!st) {
        *bad = jv_invalid_has_msg(jv_copy(output));
        if (*bad)
            bad_record("the program fails", jv_invalid_get_msg(output), record, err);
        else
            jv_free(output);
    }
    jv_free(input);
    return st;
}

/* ---- records ---- */

status jq_value_parse(struct jq_value **out, struct span text, error *err)
{
    jv root = parse(text);
    if (!jv_is_valid(root))
        return bad_record("not JSON", jv_invalid_get_msg(root), text, err);
    struct jq_value *v = malloc(sizeof *v);
    if (!v) {
        jv_free(root);
        return fail(err, WEIR_NOMEM, "out of memory for a record");
    }
    v->root = root;
    *out = v;
    return OK;
}

void jq_value_free(struct jq_value *v)
{
    if (v)
        jv_free(v->root);
    free(v);
}

/* One step down; takes `at`. */
static jv step_down(jv at, const struct path_step *step)
{
    jv_kind kind = jv_get_kind(at);
    if (step->kind == STEP_SELF)
        return at;
    if (step->kind == STEP_KEY && kind == JV_KIND_OBJECT)
        return jv_object_get(at, jv_string_sized(step->key.p, (int)step->key.n));
    if (step->kind == STEP_INDEX && kind == JV_KIND_ARRAY) {
        int64_t n = jv_array_length(jv_copy(at)), i = step->index;
        i += i < 0 ? n : 0;
        if (i >= 0 && i < n)
            return jv_array_get(at, (int)i);
    }
    jv_free(at);
    return jv_invalid();
}

/* The value at a path, invalid when there is none. The caller frees it; the root holds it, too, so
 * that its text stays where it is. */
static jv value_at(const struct jq_value *v, const char *path)
{
    char key[PATH_KEY_MAX];
    struct path_step step;
    struct span rest = span_of(path);
    jv at = jv_copy(v->root);
    for (bool first = true; first || rest.n; first = false) {
        size_t used;
        if (!json_path_step(rest, first, key, &step, &used)) {
            jv_free(at);
            return jv_invalid();
        }
        rest.p += used;
        rest.n -= used;
        at = step_down(at, &step);
    }
    return at;
}

weir_json_kind jq_value_kind(const struct jq_value *v, const char *path)
{
    static const weir_json_kind kinds[] = {
        [JV_KIND_INVALID] = WEIR_JSON_MISSING, [JV_KIND_NULL] = WEIR_JSON_NULL,
        [JV_KIND_FALSE] = WEIR_JSON_BOOLEAN,   [JV_KIND_TRUE] = WEIR_JSON_BOOLEAN,
        [JV_KIND_NUMBER] = WEIR_JSON_NUMBER,   [JV_KIND_STRING] = WEIR_JSON_STRING,
        [JV_KIND_ARRAY] = WEIR_JSON_ARRAY,     [JV_KIND_OBJECT] = WEIR_JSON_OBJECT,
    };
    jv at = value_at(v, path);
    weir_json_kind kind = kinds[jv_get_kind(at)];
    jv_free(at);
    return kind;
}

bool jq_value_string(const struct jq_value *v, const char *path, const char **text, size_t *size)
{
    jv at = value_at(v, path);
    bool is = jv_get_kind(at) == JV_KIND_STRING;
    if (is) {
        *text = jv_string_value(at);
        *size = (size_t)jv_string_length_bytes(jv_copy(at));
    }
    jv_free(at);
    return is;
}

bool jq_value_number(const struct jq_value *v, const char *path, double *out)
{
    jv at = value_at(v, path);
    bool is = jv_get_kind(at) == JV_KIND_NUMBER && isfinite(jv_number_value(at));
    if (is)
        *out = jv_number_value(at);
    jv_free(at);
    return is;
}

bool jq_value_boolean(const struct jq_value *v, const char *path, bool *out)
{
    jv at = value_at(v, path);
    jv_kind kind = jv_get_kind(at);
    bool is = kind == JV_KIND_TRUE || kind == JV_KIND_FALSE;
    if (is)
        *out = kind == JV_KIND_TRUE;
    jv_free(at);
    return is;
}

size_t jq_value_count(const struct jq_value *v, const char *path)
{
    jv at = value_at(v, path);
    switch (jv_get_kind(at)) {
    case JV_KIND_ARRAY:
        return (size_t)jv_array_length(at);
    case JV_KIND_OBJECT:
        return (size_t)jv_object_length(at);
    default:
        jv_free(at);
        return 0;
    }
}

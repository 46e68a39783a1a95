/* libjq: programs that are more than a plan, and records that are more than RFC 8259.
 *
 * Version 1.6 is the language; nothing that it has to say goes to the terminal. A machine belongs
 * to one thread at a time and may change hands between records.
 */
#ifndef WEIR_JSON_JQ_ADAPTER_H
#define WEIR_JSON_JQ_ADAPTER_H

#include "json/json_path.h"
#include "json/json_program.h"

struct jq_machine; /* a program, compiled */
struct jq_value;   /* a record, parsed */

#ifdef WEIR_HAVE_JQ
/* USAGE: not a program; libjq's message is in the error, on one line. As jq does, this reads the
 * definitions in $HOME/.jq where there are any. */
status jq_machine_open(struct jq_machine **out, const char *program, error *err);
void jq_machine_close(struct jq_machine *m); /* takes NULL */

/* As json_runner_run. `record` has no blanks at its ends. */
status jq_machine_run(struct jq_machine *m, struct span record, bool raw,
                      const struct json_out *out, bool *bad, error *err);

/* RECORD: no JSON text. */
status jq_value_parse(struct jq_value **out, struct span text, error *err);
void jq_value_free(struct jq_value *v); /* takes NULL */
/* As their namesakes in weir/weir.h. */
weir_json_kind jq_value_kind(const struct jq_value *v, const char *path);
bool jq_value_string(const struct jq_value *v, const char *path, const char **text, size_t *size);
bool jq_value_number(const struct jq_value *v, const char *path, double *out);
bool jq_value_boolean(const struct jq_value *v, const char *path, bool *out);
size_t jq_value_count(const struct jq_value *v, const char *path);
#else
static inline status jq_machine_open(struct jq_machine **out, const char *program, error *err)
{
    (void)out, (void)program;
    return fail(err, WEIR_USAGE, "this build has no libjq");
}
static inline void jq_machine_close(struct jq_machine *m)
{
    (void)m;
}
static inline status jq_machine_run(struct jq_machine *m, struct span record, bool raw,
                                    const struct json_out *out, bool *bad, error *err)
{
    (void)m, (void)record, (void)raw, (void)out, (void)bad;
    return fail(err, WEIR_USAGE, "this build has no libjq");
}
static inline status jq_value_parse(struct jq_value **out, struct span text, error *err)
{
    (void)out, (void)text;
    return fail(err, WEIR_RECORD,
                "not JSON, or JSON that only libjq takes, which this build lacks");
}
static inline void jq_value_free(struct jq_value *v)
{
    (void)v;
}
static inline weir_json_kind jq_value_kind(const struct jq_value *v, const char *path)
{
    (void)v, (void)path;
    return WEIR_JSON_MISSING;
}
static inline bool jq_value_string(const struct jq_value *v, const char *path, const char **text,
                                   size_t *size)
{
    (void)v, (void)path, (void)text, (void)size;
    return false;
}
static inline bool jq_value_number(const struct jq_value *v, const char *path, double *out)
{
    (void)v, (void)path, (void)out;
    return false;
}
static inline bool jq_value_boolean(const struct jq_value *v, const char *path, bool *out)
{
    (void)v, (void)path, (void)out;
    return false;
}
static inline size_t jq_value_count(const struct jq_value *v, const char *path)
{
    (void)v, (void)path;
    return 0;
}
#endif

#endif

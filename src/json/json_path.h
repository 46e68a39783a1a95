/* Paths into a JSON value, as jq writes them: ".", ".user.name", ".items[0].id", ".\"odd key\"",
 * ".[\"a\"][-1]". Read step by step, so that a path costs nothing but its own length: no memory is
 * taken, nothing is kept. Any thread.
 */
#ifndef WEIR_JSON_JSON_PATH_H
#define WEIR_JSON_JSON_PATH_H

#include "core/text.h"

/* A longer key with escapes cannot be written in a path. */
#define PATH_KEY_MAX 255

enum step_kind { STEP_SELF, STEP_KEY, STEP_INDEX };

struct path_step {
    enum step_kind kind;
    struct span key; /* in the path itself, or in the caller's buffer */
    int64_t index;   /* negative: from the end */
};

/* What jq 1.6 takes for a blank in a program; not '\r', as in a record. */
static inline bool json_path_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* Reads the step that `text` begins with. `first`: it is the first one, which may be "." alone.
 * A key with escapes is unescaped into `buffer`. *used: its length. false: there is none. */
bool json_path_step(struct span text, bool first, char buffer[PATH_KEY_MAX], struct path_step *step,
                    size_t *used);

/* Reads the string in quotes that `text` begins with; `raw` is what stands between them, its
 * escapes are those of JSON. false: there is none, or it has an interpolation or a bad escape. */
bool json_path_quoted(struct span text, struct span *raw, size_t *used);

#endif

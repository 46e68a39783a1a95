/* Paths, step by step (json_path.h). Any thread. */
#include "json/json_path.h"

#include "json/json_text.h"

#define INDEX_DIGITS_MAX 10

bool json_path_quoted(struct span text, struct span *raw, size_t *used)
{
    size_t i = 1;
    if (!text.n || text.p[0] != '"')
        return false;
    while (i < text.n && text.p[i] != '"')
        i += text.p[i] == '\\' ? 2 : 1;
    if (i >= text.n)
        return false;
    *raw = (struct span){text.p + 1, i - 1};
    *used = i + 1;
    return json_escapes_valid(*raw);
}

static bool quoted_key(struct span text, char *buffer, struct path_step *step, size_t *used)
{
    struct span raw;
    if (!json_path_quoted(text, &raw, used))
        return false;
    step->kind = STEP_KEY;
    step->key = raw;
    if (!raw.n || !memchr(raw.p, '\\', raw.n))
        return true;
    if (raw.n > PATH_KEY_MAX)
        return false;
    step->key = (struct span){buffer, json_unescape(raw, buffer)};
    return true;
}

static bool index_at(struct span text, struct path_step *step, size_t *used)
{
    size_t i = text.n && text.p[0] == '-';
    size_t first = i;
    int64_t value = 0;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        if (i - first == INDEX_DIGITS_MAX)
            return false;
        value = value * 10 + (text.p[i] - '0');
    }
    *step = (struct path_step){.kind = STEP_INDEX, .index = first ? -value : value};
    *used = i;
    return i > first;
}

static size_t blanks(struct span text, size_t from)
{
    while (from < text.n && json_path_blank(text.p[from]))
        from++;
    return from;
}

/* [0], ["key"] */
static bool bracket(struct span text, char *buffer, struct path_step *step, size_t *used)
{
    size_t i = blanks(text, 1), n = 0;
    struct span rest = {text.p + i, text.n - i};
    if (!quoted_key(rest, buffer, step, &n) && !index_at(rest, step, &n))
        return false;
    i = blanks(text, i + n);
    *used = i + 1;
    return i < text.n && text.p[i] == ']';
}

static bool word_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

bool json_path_step(struct span text, bool first, char buffer[PATH_KEY_MAX], struct path_step *step,
                    size_t *used)
{
    if (!text.n)
        return false;
    if (text.p[0] == '[')
        return !first && bracket(text, buffer, step, used);
    if (text.p[0] != '.')
        return false;
    size_t n = 1;
    while (n < text.n && word_char(text.p[n], n == 1))
        n++;
    if (n > 1) {
        *step = (struct path_step){.kind = STEP_KEY, .key = {text.p + 1, n - 1}};
        *used = n;
        return true;
    }
    if (text.n > 1 && text.p[1] == '"') {
        bool ok = quoted_key((struct span){text.p + 1, text.n - 1}, buffer, step, used);
        *used += ok;
        return ok;
    }
    *step = (struct path_step){.kind = STEP_SELF};
    *used = 1;
    return first && !(text.n > 1 && text.p[1] == '.');
}

/* The words of a program (program_words.h). Called once a run.
 *
 * A scanner of jq 1.6's tokens that knows just enough to tell code from strings, and keys from
 * code: a stack of brackets, one byte each. It need not notice bad syntax: libjq does that.
 */
#include "json/program_words.h"

#include "core/text.h"

static const char *const words[][2] = {
    {"input", "a program sees one record at a time"},
    {"inputs", "a program sees one record at a time"},
    {"_input", "a program sees one record at a time"},
    {"input_line_number", "a program sees one record at a time"},
    {"input_filename", "a program sees one record, of whatever file"},
    {"$__prog_args", "a program has no arguments here"},
    {"debug", "it would write to the terminal"},
    {"stderr", "it would write to the terminal"},
    {"halt", "a program cannot end the run; to end a download early, stop it from outside"},
    {"halt_error", "a program cannot end the run; use error to mark a record as bad"},
    {"import", "a program reads no files"},
    {"include", "a program reads no files"},
    {"get_search_list", "a program reads no files"},
    {"modulemeta", "a program reads no files"},
};

/* A deeper program is not looked into any further: libjq refuses it, or it is no human's. */
#define STACK_MAX 512

struct scan {
    const char *begin, *p;
    /* '(' '[' as they are; '{' an object where a key may come, ':' one where a value is; '"' a
     * string that an interpolation stands in */
    char stack[STACK_MAX];
    unsigned depth;
};

static char top(const struct scan *s)
{
    return s->depth ? s->stack[s->depth - 1] : '\0';
}

static bool push(struct scan *s, char c)
{
    if (s->depth == STACK_MAX)
        return false;
    s->stack[s->depth++] = c;
    return true;
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* From behind a quote, or behind an interpolation, to the end of the string or into the next
 * interpolation. */
static bool scan_string(struct scan *s)
{
    while (*s->p) {
        if (*s->p == '"') {
            s->p++;
            return true;
        }
        if (s->p[0] == '\\' && s->p[1] == '(') {
            s->p += 2;
            return push(s, '"') && push(s, '(');
        }
        s->p += s->p[0] == '\\' && s->p[1] ? 2 : 1;
    }
    return true;
}

static bool scan_close(struct scan *s)
{
    s->p++;
    if (s->depth)
        s->depth--;
    if (top(s) != '"')
        return true;
    s->depth--;
    return scan_string(s);
}

static void scan_comment(struct scan *s)
{
    while (*s->p && *s->p != '\n')
        s->p++;
}

static status refuse(const struct scan *s, struct span word, const char *why, error *err)
{
    size_t line = 1, column = 1;
    for (const char *p = s->begin; p < word.p; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return fail(err, WEIR_USAGE, "the program uses \"%.*s\" (line %zu, column %zu): %s",
                (int)word.n, word.p, line, column, why);
}

/* A word, with the '$', '@' or '.' before it. */
static status scan_word(struct scan *s, error *err)
{
    struct span word = {s->p++, 0};
    while (word_char(*s->p))
        s->p++;
    word.n = (size_t)(s->p - word.p);
    /* A key, `{input}` or `{input: 1}`; `{$__prog_args}` is none. */
    if (top(s) == '{' && word_char(word.p[0]))
        return OK;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_equal(word, words[i][0]))
            return refuse(s, word, words[i][1], err);
    return OK;
}

/* Other bytes than words, quotes and comments. false: too deep. */
static bool scan_mark(struct scan *s)
{
    switch (*s->p) {
    case '(':
    case '[':
    case '{':
        return push(s, *s->p++);
    case ')':
    case ']':
    case '}':
        return scan_close(s);
    case ':':
        if (top(s) == '{')
            s->stack[s->depth - 1] = ':';
        break;
    case ',':
        if (top(s) == ':')
            s->stack[s->depth - 1] = '{';
        break;
    default:
        break;
    }
    s->p++;
    return true;
}

status program_words_check(const char *program, error *err)
{
    struct scan s = {.begin = program, .p = program};
    while (*s.p) {
        bool fits = true;
        status st = OK;
        if (*s.p == '"') {
            s.p++;
            fits = scan_string(&s);
        } else if (*s.p == '#') {
            scan_comment(&s);
        } else if (word_char(*s.p) || *s.p == '$' || *s.p == '@' || *s.p == '.') {
            st = scan_word(&s, err);
        } else {
            fits = scan_mark(&s);
        }
        if (st)
            return st;
        if (!fits)
            return fail(err, WEIR_USAGE, "the program nests brackets more than %d deep", STACK_MAX);
    }
    return OK;
}

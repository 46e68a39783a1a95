/* Running PCRE2: on single lines, and over blocks from hit to hit; and plain strings on a line.
 *
 * Each scanner has its own match data, JIT stack and limits. Where the JIT stack is too small for a
 * line, the interpreter tries again with more memory; where that or the count of backtracking steps
 * runs out too, PCRE2 gives up, and the caller decides what that means. A jump has a smaller limit:
 * there is always another way.
 */
#include <stdlib.h>

#include "match/match_plan.h"

#define MATCH_LIMIT 10000000u
#define JUMP_MATCH_LIMIT 1000000u
#define HEAP_LIMIT_KIB (64u * 1024)
#define JIT_STACK_LEAST ((size_t)32 * 1024)
#define JIT_STACK_MOST ((size_t)8 * 1024 * 1024)

static pcre2_match_context *make_context(struct scanner *s, uint32_t limit)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (!context)
        return NULL;
    pcre2_set_match_limit(context, limit);
    pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
    if (s->jit_stack)
        pcre2_jit_stack_assign(context, NULL, s->jit_stack);
    return context;
}

status pcre2_open(struct scanner *s, error *err)
{
    /* NULL where PCRE2 has no JIT. */
    s->jit_stack = pcre2_jit_stack_create(JIT_STACK_LEAST, JIT_STACK_MOST, NULL);
    s->data = pcre2_match_data_create(1, NULL);
    s->context = make_context(s, MATCH_LIMIT);
    s->jump_context = make_context(s, JUMP_MATCH_LIMIT);
    if (!s->data || !s->context || !s->jump_context)
        return fail(err, WEIR_NOMEM, "out of memory for a search");
    return OK;
}

void pcre2_close(struct scanner *s)
{
    pcre2_match_context_free(s->context);
    pcre2_match_context_free(s->jump_context);
    pcre2_match_data_free(s->data);
    pcre2_jit_stack_free(s->jit_stack);
}

/* Gives back what a deep search has made the match data grow to. */
static bool renew_data(struct scanner *s)
{
    if (!s->data_is_large && s->data)
        return true;
    pcre2_match_data_free(s->data);
    s->data = pcre2_match_data_create(1, NULL);
    s->data_is_large = false;
    return s->data != NULL;
}

int run_code(struct scanner *s, const struct compiled *c, struct span subject, size_t from,
             uint32_t options, pcre2_match_context *context)
{
    PCRE2_SPTR p = (PCRE2_SPTR)(subject.p ? subject.p : "");
    if (!renew_data(s))
        return PCRE2_ERROR_NOMEMORY;
    int rc = c->direct ? pcre2_jit_match(c->code, p, subject.n, from, options, s->data, context)
                       : pcre2_match(c->code, p, subject.n, from, options, s->data, context);
    if (rc != PCRE2_ERROR_JIT_STACKLIMIT)
        return rc;
    s->data_is_large = true;
    options |= PCRE2_NO_JIT;
    return pcre2_match(c->code, p, subject.n, from, options, s->data, context);
}

bool match_one(struct scanner *s, const struct pattern *p, struct span line, int *gave_up)
{
    switch (p->kind) {
    case PATTERN_NEVER:
        return false;
    case PATTERN_EVERY:
        return true;
    default:
        break;
    }
    if (p->literal)
        return literal_find(p->text, s->set->ignore_case, line, 0) != NOWHERE;
    int rc = run_code(s, &p->expression, line, 0, 0, s->context);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        *gave_up = rc;
    return rc >= 0;
}

size_t jump_next(struct scanner *s, size_t i, struct span window, size_t from, int *gave_up)
{
    int rc = run_code(s, &s->set->jumps[i], window, from, 0, s->jump_context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return NOWHERE;
    if (rc < 0) {
        *gave_up = rc;
        return NOWHERE;
    }
    size_t at = pcre2_get_ovector_pointer(s->data)[0];
    /* An empty match behind the last newline is in no line. */
    return at == window.n && window.n && window.p[window.n - 1] == '\n' ? NOWHERE : at;
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
}

static bool same_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

size_t literal_find(struct span literal, bool ignore_case, struct span text, size_t from)
{
    if (literal.n > text.n || from > text.n - literal.n)
        return NOWHERE;
    if (literal.n == 0)
        return from;
    if (!ignore_case) {
        const char *hit = memmem(text.p + from, text.n - from, literal.p, literal.n);
        return hit ? (size_t)(hit - text.p) : NOWHERE;
    }
    for (size_t at = from; at + literal.n <= text.n; at++)
        if (same_nocase(text.p + at, literal.p, literal.n))
            return at;
    return NOWHERE;
}

/* The planner: reads a program and makes a plan of it, or leaves it to libjq (json_plan.h). Called
 * once a run, by the thread that sets it up.
 *
 * One pass of recursive descent over the grammar of jq 1.6, as far as it is known here. Precedence,
 * from loose to tight: | , // or and comparison. A pipe moves the place that paths start from
 * (`at`), so that in the end every path starts from the record.
 */
#include "json/json_plan.h"

#include <stdlib.h>

#include "json/json_path.h"

/* Nesting of a program; a deeper one is left to libjq. */
#define DEPTH_MAX 60

struct planner {
    struct json_plan *plan;
    const char *p;
    unsigned depth;
};

/* All parsers answer the number of an expression, 0 = not planned. */
static unsigned parse_pipe(struct planner *pl, unsigned at);

static const struct plan_expr *expr_at(const struct planner *pl, unsigned e)
{
    return &pl->plan->exprs[e];
}

static unsigned expr_new(struct planner *pl, struct plan_expr expr)
{
    if (pl->plan->n == PLAN_EXPR_MAX)
        return 0;
    pl->plan->exprs[pl->plan->n] = expr;
    return pl->plan->n++;
}

static unsigned pair_new(struct planner *pl, enum expr_kind kind, unsigned a, unsigned b)
{
    if (!a || !b)
        return 0;
    return expr_new(pl,
                    (struct plan_expr){.kind = (uint8_t)kind, .a = (uint16_t)a, .b = (uint16_t)b});
}

static unsigned path_new(struct planner *pl, unsigned node)
{
    return expr_new(pl, (struct plan_expr){.kind = EXPR_PATH, .node = (uint8_t)node});
}

/* ---- words ---- */

static void skip_blanks(struct planner *pl)
{
    for (;; pl->p++) {
        if (*pl->p == '#')
            while (pl->p[1] && pl->p[1] != '\n' && pl->p[1] != '\r')
                pl->p++;
        else if (!json_path_blank(*pl->p))
            return;
    }
}

static bool take(struct planner *pl, const char *text)
{
    skip_blanks(pl);
    size_t n = strlen(text);
    if (strncmp(pl->p, text, n) != 0)
        return false;
    pl->p += n;
    return true;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t word_length(const char *p)
{
    size_t n = 0;
    while (letter(p[n]) || (n && p[n] >= '0' && p[n] <= '9'))
        n++;
    return n;
}

static bool take_word(struct planner *pl, const char *word)
{
    skip_blanks(pl);
    size_t n = word_length(pl->p);
    if (n != strlen(word) || memcmp(pl->p, word, n) != 0 || pl->p[n] == ':')
        return false;
    pl->p += n;
    return true;
}

/* ---- literals ---- */

static void literal_free(struct plan_literal *literal)
{
    if (!literal)
        return;
    free(literal->text);
    free(literal->printed);
    free(literal);
}

static unsigned literal_new(struct planner *pl, enum walk_kind kind, const char *printed)
{
    struct plan_literal *literal = calloc(1, sizeof *literal);
    if (!literal)
        return 0;
    literal->kind = kind;
    literal->printed = strdup(printed);
    unsigned e = 0;
    if (literal->printed)
        e = expr_new(pl, (struct plan_expr){.kind = EXPR_LITERAL, .literal = literal});
    if (!e)
        literal_free(literal);
    return e;
}

static unsigned string_new(struct planner *pl, struct span text)
{
    struct strbuf printed = {0};
    json_add_string(&printed, text);
    unsigned e = printed.failed ? 0 : literal_new(pl, WALK_STRING, printed.p);
    strbuf_free(&printed);
    if (!e)
        return 0;
    struct plan_literal *literal = pl->plan->exprs[e].literal;
    literal->text = malloc(text.n + 1);
    if (!literal->text)
        return 0; /* freed with the plan */
    if (text.n)
        memcpy(literal->text, text.p, text.n);
    literal->text[text.n] = '"';
    literal->n = text.n;
    needle_make((struct span){literal->text, text.n + 1}, &literal->head, &literal->mask);
    return e;
}

/* A string of the program, unescaped into `out`. */
static bool take_string(struct planner *pl, struct strbuf *out)
{
    struct span raw;
    size_t used;
    skip_blanks(pl);
    if (!json_path_quoted(span_of(pl->p), &raw, &used))
        return false;
    pl->p += used;
    strbuf_add(out, raw.p, raw.n);
    if (out->failed)
        return false;
    out->n = json_unescape(raw, out->p);
    return true;
}

static unsigned parse_string(struct planner *pl)
{
    struct strbuf text = {0};
    unsigned e =
        take_string(pl, &text) ? string_new(pl, (struct span){strbuf_text(&text), text.n}) : 0;
    strbuf_free(&text);
    return e;
}

/* Numbers that jq prints as they stand here; `-` belongs to one only where a number may begin. */
static unsigned parse_number(struct planner *pl)
{
    size_t n = pl->p[0] == '-';
    while ((pl->p[n] >= '0' && pl->p[n] <= '9') || pl->p[n] == '.')
        n++;
    struct span token = {pl->p, n};
    char printed[32];
    if (n >= sizeof printed || !json_number_is_canonical(token) || letter(pl->p[n]))
        return 0;
    memcpy(printed, token.p, n);
    printed[n] = '\0';
    unsigned e = literal_new(pl, WALK_NUMBER, printed);
    /* A canonical number needs no strtod, hence no locale. */
    if (!e || !json_number(token, (locale_t)0, &pl->plan->exprs[e].literal->number))
        return 0;
    pl->p += n;
    return e;
}

static unsigned parse_literal(struct planner *pl)
{
    skip_blanks(pl);
    if (*pl->p == '"')
        return parse_string(pl);
    if (*pl->p == '-' || (*pl->p >= '0' && *pl->p <= '9'))
        return parse_number(pl);
    if (take_word(pl, "true"))
        return literal_new(pl, WALK_TRUE, "true");
    if (take_word(pl, "false"))
        return literal_new(pl, WALK_FALSE, "false");
    return take_word(pl, "null") ? literal_new(pl, WALK_NULL, "null") : 0;
}

/* ---- paths ---- */

static bool path_moves(struct planner *pl, const struct path_step *step, unsigned *node)
{
    struct json_shape *shape = &pl->plan->shape;
    switch (step->kind) {
    case STEP_SELF:
        return true;
    case STEP_KEY:
        return shape_key(shape, *node, step->key, node);
    case STEP_INDEX:
        return step->index >= 0 && step->index <= INT32_MAX &&
               shape_index(shape, *node, (uint32_t)step->index, node);
    }
    return false;
}

/* `.e5`, which jq 1.6 takes for a number, and not a good one. */
static bool is_exponent(const char *p)
{
    size_t n = word_length(p + 1);
    return n > 1 && (p[1] | 0x20) == 'e' && strspn(p + 2, "0123456789") == n - 1;
}

static unsigned parse_path(struct planner *pl, unsigned at)
{
    char key[PATH_KEY_MAX];
    struct path_step step;
    unsigned node = at;
    bool first = true;
    for (;; first = false) {
        size_t used;
        skip_blanks(pl);
        if (*pl->p != '.' && (first || *pl->p != '['))
            break;
        if (is_exponent(pl->p) || !json_path_step(span_of(pl->p), first, key, &step, &used) ||
            !path_moves(pl, &step, &node))
            return 0;
        pl->p += used;
    }
    return *pl->p == '?' ? 0 : path_new(pl, node);
}

/* ---- functions of what is at `at` ---- */

static unsigned parse_part(struct planner *pl, unsigned at, enum expr_kind kind)
{
    if (!take(pl, "("))
        return 0;
    skip_blanks(pl);
    unsigned part = *pl->p == '"' ? parse_string(pl) : 0;
    if (!part || !take(pl, ")"))
        return 0;
    const struct plan_literal *literal = expr_at(pl, part)->literal;
    if (literal->n && memchr(literal->text, '\0', literal->n))
        return 0;
    return expr_new(
        pl, (struct plan_expr){.kind = (uint8_t)kind, .node = (uint8_t)at, .b = (uint16_t)part});
}

static unsigned parse_has(struct planner *pl, unsigned at)
{
    struct strbuf key = {0};
    unsigned node = 0, e = 0;
    if (take(pl, "(") && take_string(pl, &key) && take(pl, ")") &&
        shape_key(&pl->plan->shape, at, (struct span){strbuf_text(&key), key.n}, &node))
        e = expr_new(pl, (struct plan_expr){.kind = EXPR_HAS, .node = (uint8_t)node});
    strbuf_free(&key);
    return e;
}

/* IN(a, b): one of the literals. */
static unsigned parse_in(struct planner *pl, unsigned at)
{
    unsigned e = 0;
    if (!take(pl, "("))
        return 0;
    do {
        unsigned same = pair_new(pl, EXPR_COMPARE, path_new(pl, at), parse_literal(pl));
        if (!same)
            return 0;
        pl->plan->exprs[same].op = OP_EQ;
        e = e ? pair_new(pl, EXPR_OR, e, same) : same;
        if (!e)
            return 0;
    } while (take(pl, ","));
    return take(pl, ")") ? e : 0;
}

/* Whether an expression has exactly one value. */
static bool is_single(const struct planner *pl, unsigned e)
{
    const struct plan_expr *x = expr_at(pl, e);
    if (x->kind == EXPR_TOUCH)
        return is_single(pl, x->a);
    return e && x->kind != EXPR_SELECT && x->kind != EXPR_GUARD && x->kind != EXPR_COMMA;
}

/* Whether it is one that holds() judges. */
static bool is_condition(const struct planner *pl, unsigned e)
{
    const struct plan_expr *x = expr_at(pl, e);
    if (x->kind == EXPR_TOUCH)
        return is_condition(pl, x->a);
    return e && x->kind <= EXPR_HAS;
}

static unsigned parse_select(struct planner *pl, unsigned at)
{
    if (!take(pl, "("))
        return 0;
    unsigned condition = parse_pipe(pl, at);
    if (!is_condition(pl, condition) || !take(pl, ")"))
        return 0;
    return pair_new(pl, EXPR_SELECT, condition, path_new(pl, at));
}

static unsigned parse_function(struct planner *pl, unsigned at)
{
    if (take_word(pl, "select"))
        return parse_select(pl, at);
    if (take_word(pl, "not")) {
        unsigned path = path_new(pl, at);
        return pair_new(pl, EXPR_NOT, path, path);
    }
    if (take_word(pl, "startswith"))
        return parse_part(pl, at, EXPR_STARTS);
    if (take_word(pl, "endswith"))
        return parse_part(pl, at, EXPR_ENDS);
    if (take_word(pl, "contains"))
        return parse_part(pl, at, EXPR_CONTAINS);
    if (take_word(pl, "has"))
        return parse_has(pl, at);
    if (take_word(pl, "IN"))
        return parse_in(pl, at);
    return parse_literal(pl);
}

/* ---- construction ---- */

static bool is_keyword(struct span word)
{
    static const char *const words[] = {"def",    "if",      "then",   "elif",   "else",
                                        "end",    "as",      "and",    "or",     "not",
                                        "reduce", "foreach", "try",    "catch",  "label",
                                        "import", "include", "module", "__loc__"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_equal(word, words[i]))
            return true;
    return false;
}

static unsigned parse_term(struct planner *pl, unsigned at);

/* `a`, `"a"`, `a: TERM`: the key into `key`, the value as the answer. */
static unsigned parse_member(struct planner *pl, unsigned at, struct strbuf *key)
{
    strbuf_clear(key);
    skip_blanks(pl);
    if (*pl->p == '"') {
        if (!take_string(pl, key))
            return 0;
    } else {
        struct span word = {pl->p, word_length(pl->p)};
        if (!word.n || is_keyword(word))
            return 0;
        strbuf_add(key, word.p, word.n);
        pl->p += word.n;
    }
    if (take(pl, ":")) {
        unsigned value = *pl->p == ':' ? 0 : parse_term(pl, at);
        return value && is_single(pl, value) ? value : 0;
    }
    unsigned node;
    if (!shape_key(&pl->plan->shape, at, (struct span){strbuf_text(key), key->n}, &node))
        return 0;
    return path_new(pl, node);
}

/* Of equal keys the last one would count: such a program is left to libjq. */
static bool has_member(const struct planner *pl, unsigned first, const struct strbuf *key)
{
    for (unsigned m = first; m; m = expr_at(pl, m)->b) {
        const struct plan_literal *other = expr_at(pl, m)->literal;
        if (other->n == key->n && (!key->n || memcmp(other->text, key->p, key->n) == 0))
            return true;
    }
    return false;
}

static unsigned parse_object(struct planner *pl, unsigned at)
{
    struct strbuf key = {0};
    unsigned first = 0, last = 0, e = 0;
    if (take(pl, "}"))
        return literal_new(pl, WALK_OBJECT, "{}");
    do {
        unsigned value = parse_member(pl, at, &key);
        if (!value || has_member(pl, first, &key))
            goto out;
        unsigned member = string_new(pl, (struct span){strbuf_text(&key), key.n});
        if (!member)
            goto out;
        pl->plan->exprs[member].kind = EXPR_MEMBER;
        pl->plan->exprs[member].a = (uint16_t)value;
        if (last)
            pl->plan->exprs[last].b = (uint16_t)member;
        else
            first = member;
        last = member;
    } while (take(pl, ","));
    if (take(pl, "}"))
        e = expr_new(pl, (struct plan_expr){.kind = EXPR_OBJECT, .a = (uint16_t)first});
out:
    strbuf_free(&key);
    return e;
}

static bool are_singles(const struct planner *pl, unsigned e)
{
    const struct plan_expr *x = expr_at(pl, e);
    if (x->kind == EXPR_COMMA)
        return are_singles(pl, x->a) && are_singles(pl, x->b);
    return is_single(pl, e);
}

static unsigned parse_array(struct planner *pl, unsigned at)
{
    if (take(pl, "]"))
        return literal_new(pl, WALK_ARRAY, "[]");
    unsigned elements = parse_pipe(pl, at);
    if (!elements || !are_singles(pl, elements) || !take(pl, "]"))
        return 0;
    return expr_new(pl, (struct plan_expr){.kind = EXPR_ARRAY, .a = (uint16_t)elements});
}

/* ---- operators ---- */

static unsigned parse_term(struct planner *pl, unsigned at)
{
    skip_blanks(pl);
    if (*pl->p == '.')
        return parse_path(pl, at);
    unsigned e;
    if (take(pl, "(")) {
        e = parse_pipe(pl, at);
        if (!e || !take(pl, ")"))
            return 0;
    } else if (take(pl, "{")) {
        e = parse_object(pl, at);
    } else if (take(pl, "[")) {
        e = parse_array(pl, at);
    } else {
        e = parse_function(pl, at);
    }
    /* `(...).a`, `"x"[0]`, `f?`: known to jq, not here. */
    skip_blanks(pl);
    return *pl->p == '.' || *pl->p == '[' || *pl->p == '?' ? 0 : e;
}

static bool take_comparison(struct planner *pl, enum compare_op *op)
{
    static const struct {
        const char *text;
        enum compare_op op;
    } all[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE},
               {">=", OP_GE}, {"<", OP_LT},  {">", OP_GT}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (take(pl, all[i].text)) {
            *op = all[i].op;
            return true;
        }
    }
    return false;
}

static bool is_operand(const struct planner *pl, unsigned e)
{
    const struct plan_expr *x = expr_at(pl, e);
    return e &&
           (x->kind == EXPR_PATH || (x->kind == EXPR_LITERAL && x->literal->kind < WALK_ARRAY));
}

static unsigned parse_comparison(struct planner *pl, unsigned at)
{
    unsigned left = parse_term(pl, at);
    enum compare_op op;
    if (!left || !take_comparison(pl, &op))
        return left;
    unsigned right = parse_term(pl, at);
    if (!is_operand(pl, left) || !is_operand(pl, right))
        return 0;
    unsigned e = pair_new(pl, EXPR_COMPARE, left, right);
    if (e)
        pl->plan->exprs[e].op = (uint8_t)op;
    /* `a == b == c` is no program */
    return take_comparison(pl, &op) ? 0 : e;
}

static unsigned parse_and(struct planner *pl, unsigned at)
{
    unsigned e = parse_comparison(pl, at);
    while (e && take_word(pl, "and")) {
        unsigned right = parse_comparison(pl, at);
        if (!is_condition(pl, e) || !is_condition(pl, right))
            return 0;
        e = pair_new(pl, EXPR_AND, e, right);
    }
    return e;
}

static unsigned parse_or(struct planner *pl, unsigned at)
{
    unsigned e = parse_and(pl, at);
    while (e && take_word(pl, "or")) {
        unsigned right = parse_and(pl, at);
        if (!is_condition(pl, e) || !is_condition(pl, right))
            return 0;
        e = pair_new(pl, EXPR_OR, e, right);
    }
    return e;
}

static unsigned parse_else(struct planner *pl, unsigned at)
{
    unsigned left = parse_or(pl, at);
    if (!left || !take(pl, "//"))
        return left;
    if (*pl->p == '=' || expr_at(pl, left)->kind != EXPR_PATH)
        return 0;
    unsigned right = parse_else(pl, at);
    return right && is_single(pl, right) ? pair_new(pl, EXPR_ELSE, left, right) : 0;
}

static unsigned parse_comma(struct planner *pl, unsigned at)
{
    unsigned e = parse_else(pl, at);
    while (e && take(pl, ","))
        e = pair_new(pl, EXPR_COMMA, e, parse_else(pl, at));
    return e;
}

/* What follows a pipe runs at each output of what stands before it. */
static unsigned parse_after(struct planner *pl, unsigned left, unsigned at)
{
    const struct plan_expr before = *expr_at(pl, left);
    if (before.kind == EXPR_PATH) {
        unsigned right = parse_pipe(pl, before.node);
        if (!right || expr_at(pl, right)->kind == EXPR_PATH)
            return right; /* a path looks at all that is above it */
        return expr_new(
            pl, (struct plan_expr){.kind = EXPR_TOUCH, .node = before.node, .a = (uint16_t)right});
    }
    if (before.kind == EXPR_SELECT)
        return pair_new(pl, EXPR_GUARD, before.a, parse_pipe(pl, expr_at(pl, before.b)->node));
    if (!is_condition(pl, left) || before.kind == EXPR_LITERAL || !take_word(pl, "not"))
        return 0;
    unsigned e = pair_new(pl, EXPR_NOT, left, left);
    return e && take(pl, "|") ? parse_after(pl, e, at) : e;
}

static unsigned parse_pipe(struct planner *pl, unsigned at)
{
    if (++pl->depth > DEPTH_MAX)
        return 0;
    unsigned e = parse_comma(pl, at);
    if (e && take(pl, "|"))
        e = *pl->p == '=' ? 0 : parse_after(pl, e, at);
    pl->depth--;
    return e;
}

/* ---- plans ---- */

static bool is_utf8(const char *p)
{
    size_t n = strlen(p), step;
    for (; n; p += step, n -= step)
        if (!(step = utf8_length(p, n)))
            return false;
    return true;
}

struct json_plan *json_plan_make(const char *program)
{
    struct json_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    shape_init(&plan->shape);
    plan->n = 1;
    struct planner pl = {.plan = plan, .p = program};
    if (is_utf8(program))
        plan->first = parse_pipe(&pl, 0);
    skip_blanks(&pl);
    if (plan->first && !*pl.p)
        return plan;
    json_plan_free(plan);
    return NULL;
}

void json_plan_free(struct json_plan *plan)
{
    if (!plan)
        return;
    shape_free(&plan->shape);
    for (unsigned i = 1; i < plan->n; i++)
        literal_free(plan->exprs[i].literal);
    free(plan);
}

/* A plan at work on a record (json_plan.h). The thread of the runner.
 *
 * Conditions know three answers: the third, UNSURE, ends everything and sends the record to libjq.
 * Whatever jq would evaluate is evaluated here too, in the same places, so that what fails there is
 * unsure here.
 */
#include "json/json_plan.h"

enum answer { NO, YES, UNSURE };

bool plan_run_open(struct plan_run *run, const struct json_plan *plan, bool raw, bool numbers_alone)
{
    *run = (struct plan_run){.plan = plan, .raw = raw, .numbers_alone = numbers_alone};
    run->text.max = run->left.max = run->right.max = SIZE_MAX / 4;
    run->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return run->c_locale != (locale_t)0;
}

void plan_run_close(struct plan_run *run)
{
    if (run->c_locale)
        freelocale(run->c_locale);
    strbuf_free(&run->text);
    strbuf_free(&run->left);
    strbuf_free(&run->right);
    *run = (struct plan_run){0};
}

static enum walk_kind kind_at(const struct plan_run *run, unsigned node)
{
    return shape_kind(&run->plan->shape, run->found, node);
}

/* ---- operands ---- */

struct operand {
    enum walk_kind kind; /* WALK_MISSING: jq fails on it */
    const struct plan_literal *literal;
    uint32_t at;
};

static struct operand operand_of(const struct plan_run *run, unsigned e)
{
    const struct plan_expr *x = &run->plan->exprs[e];
    if (x->kind == EXPR_LITERAL)
        return (struct operand){x->literal->kind, x->literal, 0};
    return (struct operand){kind_at(run, x->node), NULL, run->found[x->node].at};
}

static bool number_of(struct plan_run *run, const struct operand *o, double *out)
{
    if (o->literal) {
        *out = o->literal->number;
        return true;
    }
    return json_number(token_span(run->tokens, o->at), run->c_locale, out);
}

/* What a string means; unescaped into `buffer` where it has escapes. */
static bool string_of(struct plan_run *run, const struct operand *o, struct strbuf *buffer,
                      struct span *out)
{
    if (o->literal) {
        *out = (struct span){o->literal->text, o->literal->n};
        return true;
    }
    *out = token_raw(run->tokens, o->at);
    if (!run->tokens->escapes || !out->n || !memchr(out->p, '\\', out->n))
        return true;
    strbuf_clear(buffer);
    strbuf_add(buffer, out->p, out->n);
    if (buffer->failed)
        return false;
    *out = (struct span){buffer->p, json_unescape(*out, buffer->p)};
    return true;
}

static int bytes_order(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* ---- conditions ---- */

static enum answer answer_of(bool yes)
{
    return yes ? YES : NO;
}

/* A string against a literal, without looking for its end: the literal brings its quote. */
static enum answer string_is(struct plan_run *run, uint32_t at, const struct plan_literal *literal)
{
    const struct json_tokens *t = run->tokens;
    const char *text = t->p + t->at[at] + 1;
    if (needle_heads(text, literal->head, literal->mask) &&
        (literal->n < 8 || (t->at[at + 1] - t->at[at] >= literal->n + 2 &&
                            memcmp(text + 8, literal->text + 8, literal->n + 1 - 8) == 0)))
        return YES;
    if (!t->escapes)
        return NO;
    struct span meant;
    if (!string_of(run, &(struct operand){WALK_STRING, NULL, at}, &run->left, &meant))
        return UNSURE;
    return answer_of(bytes_order(meant, (struct span){literal->text, literal->n}) == 0);
}

static bool order_of(struct plan_run *run, const struct operand *a, const struct operand *b,
                     int *order)
{
    double x, y;
    struct span s, t;
    switch (a->kind) {
    case WALK_NUMBER:
        if (!number_of(run, a, &x) || !number_of(run, b, &y))
            return false;
        *order = (x > y) - (x < y);
        return true;
    case WALK_STRING:
        if (!string_of(run, a, &run->left, &s) || !string_of(run, b, &run->right, &t))
            return false;
        *order = bytes_order(s, t);
        return true;
    case WALK_ARRAY:
    case WALK_OBJECT:
        return false;
    default:
        *order = 0;
        return true;
    }
}

static enum answer compare(struct plan_run *run, const struct plan_expr *x)
{
    struct operand a = operand_of(run, x->a), b = operand_of(run, x->b);
    int order = (int)a.kind - (int)b.kind;
    if (a.kind == WALK_MISSING || b.kind == WALK_MISSING)
        return UNSURE;
    if (order == 0 && x->op <= OP_NE && a.kind == WALK_STRING && !a.literal && b.literal) {
        enum answer same = string_is(run, a.at, b.literal);
        return same == UNSURE ? UNSURE : answer_of((same == YES) == (x->op == OP_EQ));
    }
    if (order == 0 && !order_of(run, &a, &b, &order))
        return UNSURE;
    switch ((enum compare_op)x->op) {
    case OP_EQ:
        return answer_of(order == 0);
    case OP_NE:
        return answer_of(order != 0);
    case OP_LT:
        return answer_of(order < 0);
    case OP_LE:
        return answer_of(order <= 0);
    case OP_GT:
        return answer_of(order > 0);
    case OP_GE:
        return answer_of(order >= 0);
    }
    return UNSURE;
}

static enum answer part_of(struct plan_run *run, const struct plan_expr *x)
{
    struct operand whole = {kind_at(run, x->node), NULL, run->found[x->node].at};
    struct span text;
    if (whole.kind != WALK_STRING || !string_of(run, &whole, &run->left, &text))
        return UNSURE;
    const struct plan_literal *part = run->plan->exprs[x->b].literal;
    if (x->kind == EXPR_CONTAINS) {
        /* jq 1.6 stops at a NUL. */
        if (text.n && memchr(text.p, '\0', text.n))
            return UNSURE;
        return answer_of(part->n == 0 || memmem(text.p, text.n, part->text, part->n) != NULL);
    }
    if (text.n < part->n)
        return NO;
    size_t from = x->kind == EXPR_STARTS ? 0 : text.n - part->n;
    return answer_of(part->n == 0 || memcmp(text.p + from, part->text, part->n) == 0);
}

static enum answer truth(enum walk_kind kind)
{
    if (kind == WALK_MISSING)
        return UNSURE;
    return answer_of(kind != WALK_NULL && kind != WALK_FALSE);
}

static enum answer holds(struct plan_run *run, unsigned e)
{
    const struct plan_expr *x = &run->plan->exprs[e];
    enum answer a;
    switch ((enum expr_kind)x->kind) {
    case EXPR_PATH:
        return truth(kind_at(run, x->node));
    case EXPR_LITERAL:
        return truth(x->literal->kind);
    case EXPR_AND:
        a = holds(run, x->a);
        return a == YES ? holds(run, x->b) : a;
    case EXPR_OR:
        a = holds(run, x->a);
        return a == NO ? holds(run, x->b) : a;
    case EXPR_NOT:
        a = holds(run, x->a);
        return a == UNSURE ? UNSURE : answer_of(a == NO);
    case EXPR_COMPARE:
        return compare(run, x);
    case EXPR_STARTS:
    case EXPR_ENDS:
    case EXPR_CONTAINS:
        return part_of(run, x);
    case EXPR_HAS:
        if (kind_at(run, run->plan->shape.nodes[x->node].parent) != WALK_OBJECT)
            return UNSURE;
        return answer_of(run->found[x->node].kind != WALK_MISSING);
    case EXPR_TOUCH:
        return kind_at(run, x->node) == WALK_MISSING ? UNSURE : holds(run, x->a);
    default:
        return UNSURE;
    }
}

/* ---- values ---- */

/* The expression that a // or a touched one comes down to. false: not sure. */
static bool settle(struct plan_run *run, unsigned *e)
{
    for (;;) {
        const struct plan_expr *x = &run->plan->exprs[*e];
        if (x->kind == EXPR_TOUCH) {
            if (kind_at(run, x->node) == WALK_MISSING)
                return false;
            *e = x->a;
        } else if (x->kind == EXPR_ELSE) {
            enum answer a = holds(run, x->a);
            if (a == UNSURE)
                return false;
            *e = a == YES ? x->a : x->b;
        } else {
            return true;
        }
    }
}

static bool add_path(struct plan_run *run, unsigned node)
{
    enum walk_kind kind = kind_at(run, node);
    if (kind == WALK_MISSING)
        return false;
    if (run->found[node].kind == WALK_MISSING) {
        strbuf_adds(&run->text, "null");
        return true;
    }
    return json_add_value(&run->text, run->tokens, run->found[node].at, &run->left);
}

static bool add(struct plan_run *run, unsigned e);

static bool add_members(struct plan_run *run, unsigned e)
{
    strbuf_addc(&run->text, '{');
    for (unsigned first = e; e; e = run->plan->exprs[e].b) {
        const struct plan_expr *member = &run->plan->exprs[e];
        if (e != first)
            strbuf_addc(&run->text, ',');
        strbuf_adds(&run->text, member->literal->printed);
        strbuf_addc(&run->text, ':');
        if (!add(run, member->a))
            return false;
    }
    strbuf_addc(&run->text, '}');
    return true;
}

static bool add_elements(struct plan_run *run, unsigned e)
{
    const struct plan_expr *x = &run->plan->exprs[e];
    if (x->kind != EXPR_COMMA)
        return add(run, e);
    if (!add_elements(run, x->a))
        return false;
    strbuf_addc(&run->text, ',');
    return add_elements(run, x->b);
}

/* Appends the one value of an expression. */
static bool add(struct plan_run *run, unsigned e)
{
    const struct plan_expr *x = &run->plan->exprs[e];
    enum answer a;
    switch ((enum expr_kind)x->kind) {
    case EXPR_PATH:
        return add_path(run, x->node);
    case EXPR_LITERAL:
        strbuf_adds(&run->text, x->literal->printed);
        return true;
    case EXPR_OBJECT:
        return add_members(run, x->a);
    case EXPR_ARRAY:
        strbuf_addc(&run->text, '[');
        if (x->a && !add_elements(run, x->a))
            return false;
        strbuf_addc(&run->text, ']');
        return true;
    case EXPR_ELSE:
    case EXPR_TOUCH:
        return settle(run, &e) && add(run, e);
    default:
        a = holds(run, e);
        if (a == UNSURE)
            return false;
        strbuf_adds(&run->text, a == YES ? "true" : "false");
        return true;
    }
}

/* ---- outputs ---- */

/* --raw: a string goes out as its text. */
static bool add_raw(struct plan_run *run, unsigned e)
{
    const struct plan_expr *x = &run->plan->exprs[e];
    if (x->kind == EXPR_LITERAL && x->literal->kind == WALK_STRING)
        strbuf_add(&run->text, x->literal->text, x->literal->n);
    else if (x->kind == EXPR_PATH && kind_at(run, x->node) == WALK_STRING)
        json_add_raw(&run->text, token_raw(run->tokens, run->found[x->node].at),
                     run->tokens->escapes, &run->left);
    else
        return add(run, e);
    return true;
}

static bool put_out(struct plan_run *run, unsigned e)
{
    if (run->n == PLAN_EXPR_MAX || !settle(run, &e))
        return false;
    const struct plan_expr *x = &run->plan->exprs[e];
    if (x->kind == EXPR_PATH && x->node == 0 && !(run->raw && run->found[0].kind == WALK_STRING)) {
        run->ends[run->n++] = PLAN_WHOLE;
        return true;
    }
    if (!(run->raw ? add_raw(run, e) : add(run, e)))
        return false;
    if (run->text.failed || run->text.n >= PLAN_WHOLE)
        return false;
    run->ends[run->n++] = (uint32_t)run->text.n;
    return true;
}

static bool stream(struct plan_run *run, unsigned e)
{
    const struct plan_expr *x = &run->plan->exprs[e];
    enum answer a;
    switch ((enum expr_kind)x->kind) {
    case EXPR_COMMA:
        return stream(run, x->a) && stream(run, x->b);
    case EXPR_TOUCH:
        return kind_at(run, x->node) != WALK_MISSING && stream(run, x->a);
    case EXPR_SELECT:
    case EXPR_GUARD:
        a = holds(run, x->a);
        return a == YES ? stream(run, x->b) : a == NO;
    default:
        return put_out(run, e);
    }
}

bool plan_run_record(struct plan_run *run, const struct json_tokens *tokens, uint32_t from,
                     uint32_t *next)
{
    run->n = 0;
    if (run->text.n)
        strbuf_clear(&run->text);
    run->tokens = tokens;
    if (!json_walk(&run->plan->shape, run->found, tokens, from, next))
        return false;
    struct span first = token_span(tokens, from), last = token_span(tokens, *next - 1);
    run->record = (struct span){first.p, (size_t)(last.p + last.n - first.p)};
    /* jq cannot tell a number that came from one that was made: it would pass both as they came. */
    if (run->found[0].kind == WALK_NUMBER && !run->numbers_alone)
        return false;
    return stream(run, run->plan->first);
}

struct span plan_run_output(const struct plan_run *run, unsigned i, uint32_t *at)
{
    uint32_t end = run->ends[i], begin = *at;
    if (end == PLAN_WHOLE)
        return run->record;
    *at = end;
    return (struct span){run->text.p + begin, end - begin};
}

/* Plans: programs that run without libjq.
 *
 * A plan is made of a program that is certain to mean the same here and in jq 1.6: paths, select,
 * comparisons of paths with literals and with one another, and, or, not, //, startswith, endswith,
 * contains, has, IN, construction of objects and arrays, pipes and commas. Whatever else stands in
 * a program, and any program that is not plainly well formed, is not planned: libjq runs it, or
 * says what is wrong with it.
 *
 * A plan that is not sure of a record (a key of a string, a number that jq would print in another
 * way) says so before it has put out anything, and libjq does that record from its beginning.
 *
 * A plan is immutable: any thread. A plan_run belongs to one.
 */
#ifndef WEIR_JSON_JSON_PLAN_H
#define WEIR_JSON_JSON_PLAN_H

#include "json/json_walk.h"

#define PLAN_EXPR_MAX 256

enum expr_kind {
    EXPR_PATH,     /* the value at `node` */
    EXPR_LITERAL,  /* `literal` */
    EXPR_AND,      /* a, b */
    EXPR_OR,       /* a, b */
    EXPR_NOT,      /* a */
    EXPR_COMPARE,  /* a, b: paths or literals; op */
    EXPR_STARTS,   /* the string at `node`, the literal b */
    EXPR_ENDS,     /* likewise */
    EXPR_CONTAINS, /* likewise */
    EXPR_HAS,      /* `node` is the key, its parent the object */
    EXPR_ELSE,     /* a // b; a is a path */
    EXPR_OBJECT,   /* members: a list of EXPR_MEMBER from a on */
    EXPR_MEMBER,   /* `literal` is the key, a the value, b the next member or 0 */
    EXPR_ARRAY,    /* a: its elements, EXPR_COMMA between them */
    EXPR_TOUCH,    /* `node` is looked at, then a */
    EXPR_SELECT,   /* a holds: the value at `node` */
    EXPR_GUARD,    /* a holds: b */
    EXPR_COMMA     /* a, then b */
};

enum compare_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

struct plan_literal {
    enum walk_kind kind;
    double number;
    char *text; /* of a string, with a quote behind it that `n` does not count */
    size_t n;
    uint64_t head, mask; /* of text and quote */
    char *printed;       /* as JSON */
};

struct plan_expr {
    uint8_t kind; /* enum expr_kind */
    uint8_t op;   /* enum compare_op */
    uint8_t node;
    uint16_t a, b;
    struct plan_literal *literal;
};

struct json_plan {
    struct json_shape shape;
    struct plan_expr exprs[PLAN_EXPR_MAX]; /* 0 is none */
    unsigned n;
    unsigned first;
};

/* NULL: not planned. */
struct json_plan *json_plan_make(const char *program);
void json_plan_free(struct json_plan *plan); /* takes NULL */

/* What a runner holds for a plan. */
struct plan_run {
    const struct json_plan *plan;
    bool raw;
    bool numbers_alone; /* take records that are a number, too: there is no libjq to ask */
    locale_t c_locale;
    struct json_found found[SHAPE_MAX];
    const struct json_tokens *tokens;
    struct span record; /* without blanks around it */
    struct strbuf text, left, right;
    uint32_t ends[PLAN_EXPR_MAX]; /* in text; PLAN_WHOLE: the record itself */
    unsigned n;
};

#define PLAN_WHOLE UINT32_MAX

/* false: no memory. */
bool plan_run_open(struct plan_run *run, const struct json_plan *plan, bool raw,
                   bool numbers_alone);
void plan_run_close(struct plan_run *run); /* also of zeros */

/* Walks the record that begins at token `from` and gathers what the program puts out. false: not
 * sure, ask libjq; *next is set all the same, to 0 when the walk did not take the record. */
bool plan_run_record(struct plan_run *run, const struct json_tokens *tokens, uint32_t from,
                     uint32_t *next);
/* Output i of run->n of them; `at` begins with 0 and goes from one to the next. */
struct span plan_run_output(const struct plan_run *run, unsigned i, uint32_t *at);

#endif

/* Compiles patterns into a set and decides how it will be searched; match_plan.h has the plan.
 *
 * Runs once, on the thread that sets the filter, before the first request.
 *
 * Every expression is compiled by PCRE2 as it was given: that is what judges it, and what confirms
 * lines. Its tree, where it has one, only decides how lines are found. UTF mode is refused even
 * where a pattern asks for it by (*UTF): the patterns of a set and its lines are bytes, and a line
 * that is not UTF-8 would be an error there instead of a line.
 */
#include <stdlib.h>

#include "match/match_plan.h"
#include "match/pattern_parse.h"

#define MAX_JIT 64      /* expressions; beyond, their machine code would take megabytes */
#define MAX_WHOLE 200   /* expressions for Hyperscan: its compile time grows faster than they */
#define MAX_STATES 1000 /* of one of a pattern's repeats */
#define MAX_WHOLE_STATES 20000  /* of all expressions for Hyperscan */
#define MAX_SEARCH_LITERAL 1000 /* bytes; a longer literal is found by its beginning */
#define LEAST_REDUCED 3         /* bytes of a literal that may stand for an expression */
#define JUMP_PATTERNS 64
#define JUMP_TEXT 16000
#define MAX_JUMP_REST 8

#define CLASS_CACHE 16
#define CLASS_TEXT 48

/* Of a compilation. */
struct builder {
    struct pattern_set *set;
    const struct pattern_spec *specs;
    pcre2_compile_context *context;
    pcre2_match_data *data;
    struct pattern_tree tree;
    size_t expressions; /* that are no plain strings */
    size_t whole, whole_states;
    struct class_oracle oracle;
    struct asked { /* classes asked lately */
        char text[CLASS_TEXT];
        size_t n;
        bool caseless;
        struct byte_set bytes;
    } cache[CLASS_CACHE];
    size_t cached;
};

static pcre2_code *compile_text(const struct builder *b, struct span text, uint32_t options,
                                int *code, size_t *at)
{
    return pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.n, options, code, at, b->context);
}

static struct compiled make_fast(pcre2_code *code, struct span text)
{
    /* Success is no proof: (*NO_JIT) in a pattern makes none. And what (*NOTEMPTY) and its kin ask
     * for is not known to machine code that is called directly. */
    size_t size = 0;
    bool verb = text.p && text.n > 1 && memcmp(text.p, "(*", 2) == 0;
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &size);
    return (struct compiled){code, size > 0 && !verb};
}

/* Classes: what they hold is asked of PCRE2, byte by byte. --------------------------------- */

static bool ask_class(void *ctx, struct span text, bool caseless, struct byte_set *out)
{
    struct builder *b = ctx;
    for (size_t i = 0; i < CLASS_CACHE; i++) {
        const struct asked *a = &b->cache[i];
        if (a->n == text.n && a->caseless == caseless && text.n <= CLASS_TEXT &&
            memcmp(a->text, text.p, text.n) == 0) {
            *out = a->bytes;
            return true;
        }
    }
    int code;
    size_t at;
    uint32_t options = EXPRESSION_OPTIONS | (caseless ? PCRE2_CASELESS : 0);
    pcre2_code *class = compile_text(b, text, options, &code, &at);
    if (!class)
        return false;
    *out = (struct byte_set){0};
    for (unsigned c = 0; c < 256; c++) {
        unsigned char byte = (unsigned char)c;
        if (pcre2_match(class, &byte, 1, 0, PCRE2_ANCHORED, b->data, NULL) >= 0)
            byte_set_add(out, byte);
    }
    pcre2_code_free(class);
    if (text.n <= CLASS_TEXT) {
        struct asked *a = &b->cache[b->cached++ % CLASS_CACHE];
        memcpy(a->text, text.p, text.n);
        a->n = text.n;
        a->caseless = caseless;
        a->bytes = *out;
    }
    return true;
}

/* One pattern ------------------------------------------------------------------------------ */

/* An expression that is a plain string becomes a literal. -1: out of memory. */
static int literal_of_tree(struct pattern *p, const struct pattern_tree *t, bool ignore_case)
{
    if (t->lossy || t->moves_start || !tree_is_literal(t))
        return 0;
    const struct node *root = &t->nodes[t->root];
    uint32_t first = root->kind == NODE_CAT ? root->child : t->root;
    char *text = malloc(p->text.n + 1);
    if (!text)
        return -1;
    size_t n = 0;
    for (uint32_t i = first; i != NODE_NONE; i = t->nodes[i].next) {
        const struct byte_set *s = &t->sets[t->nodes[i].set];
        unsigned c = 255; /* the highest: of two cases the small one */
        while (!byte_set_has(s, (unsigned char)c))
            c--;
        struct byte_set wanted = byte_set_of((unsigned char)c, ignore_case);
        if (memcmp(&wanted, s, sizeof wanted) != 0 || n == p->text.n) {
            free(text);
            return 0;
        }
        text[n++] = (char)c;
    }
    free((char *)p->text.p);
    p->text = (struct span){text, n};
    p->literal = true;
    return 1;
}

static bool write_search(struct pattern *p, const struct pattern_tree *t)
{
    struct strbuf text = {0};
    tree_write(t, &text, &p->caseless);
    if (text.failed || text.n == 0) {
        strbuf_free(&text);
        return false;
    }
    p->search = text.p; /* taken */
    return true;
}

/* What is left of the tree for Hyperscan, when there is so much to compile that it would take long:
 * a string that every match contains. */
static void spare(struct builder *b, struct pattern *p)
{
#ifdef WEIR_HAVE_HYPERSCAN
    struct pattern_tree *t = &b->tree;
    if (p->literal)
        return;
    if (b->expressions > MAX_WHOLE && tree_reduce_to_literal(t, LEAST_REDUCED))
        return;
    size_t n = tree_states(t);
    if (b->whole == MAX_WHOLE || n > MAX_WHOLE_STATES - b->whole_states) {
        p->kind = PATTERN_OPAQUE;
        return;
    }
    b->whole++;
    b->whole_states += n;
#else
    (void)b;
    (void)p;
#endif
}

/* Class and search text of a pattern, from its whole tree. */
static status classify(struct builder *b, struct pattern *p, error *err)
{
    struct pattern_tree *t = &b->tree;
    tree_trim(t);
    if (t->nomem)
        return fail(err, WEIR_NOMEM, "out of memory for a pattern");
    if (t->too_big)
        return OK;
    enum node_kind root = t->nodes[t->root].kind;
    if (root == NODE_NEVER) {
        p->kind = PATTERN_NEVER;
        return OK;
    }
    tree_bound(t, MAX_STATES);
    if (tree_matches_empty(t) || root == NODE_BOL || root == NODE_EOL) {
        p->kind = t->lossy ? PATTERN_OPAQUE : PATTERN_EVERY;
        return OK;
    }
    p->kind = PATTERN_EXACT;
    spare(b, p);
    if (p->kind == PATTERN_OPAQUE)
        return OK;
    if (t->lossy)
        p->kind = PATTERN_LOSSY;
    if (!write_search(p, t))
        p->kind = PATTERN_OPAQUE;
    return OK;
}

static status add_literal(struct builder *b, struct pattern *p, error *err)
{
    struct span head = p->text;
    p->kind = PATTERN_OPAQUE;
    head.n = head.n < MAX_SEARCH_LITERAL ? head.n : MAX_SEARCH_LITERAL;
    if (!pattern_parse_literal(&b->tree, head, b->set->ignore_case))
        return fail(err, WEIR_NOMEM, "out of memory for a pattern");
    b->tree.lossy = head.n < p->text.n;
    return classify(b, p, err);
}

static status add_expression(struct builder *b, struct pattern *p, const struct pattern_spec *spec,
                             error *err)
{
    int code;
    size_t at;
    bool ignore_case = b->set->ignore_case;
    uint32_t options = EXPRESSION_OPTIONS | (ignore_case ? PCRE2_CASELESS : 0);
    p->kind = PATTERN_OPAQUE;
    p->expression.code = compile_text(b, p->text, options, &code, &at);
    if (!p->expression.code)
        return refuse_expression(spec, code, at, err);
    if (pattern_parse(&b->tree, p->text, ignore_case, &b->oracle)) {
        int literal = literal_of_tree(p, &b->tree, ignore_case);
        if (literal < 0)
            return fail(err, WEIR_NOMEM, "out of memory for a pattern");
        if (literal) {
            pcre2_code_free(p->expression.code);
            p->expression.code = NULL;
            return add_literal(b, p, err);
        }
        status st = classify(b, p, err);
        if (st)
            return st;
    }
    if (b->expressions <= MAX_JIT)
        p->expression = make_fast(p->expression.code, p->text);
    return b->tree.nomem ? fail(err, WEIR_NOMEM, "out of memory for a pattern") : OK;
}

static status add_pattern(struct builder *b, size_t i, error *err)
{
    const struct pattern_spec *spec = &b->specs[i];
    struct pattern *p = &b->set->patterns[i];
    if (spec->text.n && memchr(spec->text.p, '\n', spec->text.n))
        return refuse_pattern(spec,
                              "it holds a newline, and lines are searched without theirs, so it "
                              "can match none; give each line as a pattern of its own",
                              err);
    char *text = malloc(spec->text.n + 1);
    if (!text)
        return fail(err, WEIR_NOMEM, "out of memory for a pattern");
    if (spec->text.n)
        memcpy(text, spec->text.p, spec->text.n);
    text[spec->text.n] = 0;
    p->text = (struct span){text, spec->text.n};
    p->literal = spec->literal;
    status st = spec->literal ? add_literal(b, p, err) : add_expression(b, p, spec, err);
    if (!st && p->kind == PATTERN_EVERY)
        b->set->every = true;
    return st;
}

/* The plan --------------------------------------------------------------------------------- */

static bool jumps_for(const struct pattern *p)
{
    return p->kind == PATTERN_EXACT && !p->in_words;
}

/* One jump of the patterns [from, to). false: they are too much for one code. */
static bool add_jump(struct builder *b, size_t from, size_t to)
{
    struct pattern_set *set = b->set;
    struct compiled *grown = realloc(set->jumps, (set->jumps_n + 1) * sizeof *grown);
    if (!grown)
        return false;
    set->jumps = grown;
    struct strbuf text = {0};
    for (size_t i = from; i < to; i++) {
        struct pattern *p = &set->patterns[i];
        if (!jumps_for(p))
            continue;
        strbuf_addf(&text, "%s(?%s:", text.n ? "|" : "", p->caseless ? "i" : "");
        strbuf_adds(&text, p->search);
        strbuf_addc(&text, ')');
        p->in_jumps = true;
    }
    int code;
    size_t at;
    pcre2_code *made = text.failed ? NULL
                                   : compile_text(b, (struct span){text.p, text.n},
                                                  EXPRESSION_OPTIONS | PCRE2_MULTILINE, &code, &at);
    if (made)
        set->jumps[set->jumps_n++] = make_fast(made, (struct span){text.p, text.n});
    strbuf_free(&text);
    if (!made)
        for (size_t i = from; i < to; i++)
            set->patterns[i].in_jumps = false;
    return made != NULL;
}

/* All exact patterns into jumps; what is too large even alone is left to the rest. */
static void add_jumps(struct builder *b)
{
    struct pattern_set *set = b->set;
    for (size_t from = 0, to; from < set->n; from = to) {
        size_t members = 0, text = 0;
        for (to = from; to < set->n && members < JUMP_PATTERNS && text < JUMP_TEXT; to++)
            if (jumps_for(&set->patterns[to])) {
                members++;
                text += strlen(set->patterns[to].search);
            }
        if (members && !add_jump(b, from, to))
            for (size_t i = from; i < to; i++)
                if (jumps_for(&set->patterns[i]))
                    add_jump(b, i, i + 1);
    }
}

static bool block_needs(const struct pattern *p)
{
    return p->kind >= PATTERN_EXACT && !p->in_database;
}

static bool jump_needs(const struct pattern *p)
{
    return p->kind >= PATTERN_EXACT && !p->in_jumps && !p->in_words;
}

static void plan_jumps(struct builder *b)
{
    struct pattern_set *set = b->set;
    size_t exact = 0, rest = 0;
    for (size_t i = 0; i < set->n; i++) {
        exact += jumps_for(&set->patterns[i]);
        rest += jump_needs(&set->patterns[i]) && !jumps_for(&set->patterns[i]);
    }
    /* With a database, jumping is only worth it where one search finds nearly all. */
    set->can_jump = !set->hs || (exact <= JUMP_PATTERNS && rest <= MAX_JUMP_REST);
    if (set->can_jump)
        add_jumps(b);
}

static status list_rest(struct index_list *list, const struct pattern_set *set,
                        bool (*needs)(const struct pattern *p), error *err)
{
    for (size_t i = 0; i < set->n; i++)
        list->n += needs(&set->patterns[i]);
    if (list->n == 0)
        return OK;
    list->at = malloc(list->n * sizeof *list->at);
    if (!list->at)
        return fail(err, WEIR_NOMEM, "out of memory for the patterns");
    for (size_t i = 0, n = 0; i < set->n; i++)
        if (needs(&set->patterns[i]))
            list->at[n++] = (uint32_t)i;
    return OK;
}

static status plan(struct builder *b, error *err)
{
    struct pattern_set *set = b->set;
    status st = OK;
    if (set->every)
        return OK;
#ifdef WEIR_HAVE_HYPERSCAN
    st = hs_plan_make(&set->hs, set->patterns, set->n, err);
#endif
    if (!st && !set->hs)
        st = words_make(&set->words, set->patterns, set->n, set->ignore_case, err);
    if (!st)
        plan_jumps(b);
    if (!st && set->hs)
        st = list_rest(&set->block_rest, set, block_needs, err);
    if (!st)
        st = list_rest(&set->jump_rest, set, jump_needs, err);
    for (size_t i = 0; i < set->n; i++) {
        free(set->patterns[i].search);
        set->patterns[i].search = NULL;
    }
    return st;
}

/* How many are expressions, at a glance: only for how much to spend on each. */
static size_t count_expressions(const struct pattern_spec *specs, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        bool special = false;
        for (size_t k = 0; !specs[i].literal && k < specs[i].text.n && !special; k++)
            special = memchr("\\.[]{}()*+?^$|", specs[i].text.p[k], 14) != NULL;
        count += special;
    }
    return count;
}

static status build(struct builder *b, size_t n, error *err)
{
    b->context = pcre2_compile_context_create(NULL);
    b->data = pcre2_match_data_create(1, NULL);
    if (!b->context || !b->data)
        return fail(err, WEIR_NOMEM, "out of memory for the patterns");
    /* Whatever PCRE2 was built with, the pattern means the same. */
    pcre2_set_newline(b->context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(b->context, PCRE2_BSR_UNICODE);
    b->oracle = (struct class_oracle){ask_class, b};
    b->expressions = count_expressions(b->specs, n);
    for (size_t i = 0; i < n; i++) {
        status st = add_pattern(b, i, err);
        if (st)
            return st;
    }
    return plan(b, err);
}

status pattern_set_compile(struct pattern_set **out, const struct pattern_spec *specs, size_t n,
                           bool ignore_case, error *err)
{
    status st = WEIR_NOMEM;
    struct builder *b = calloc(1, sizeof *b);
    struct pattern_set *set = calloc(1, sizeof *set);
    if (set)
        set->patterns = calloc(n ? n : 1, sizeof *set->patterns);
    if (!b || !set || !set->patterns || n >= UINT32_MAX - 1) {
        fail(err, WEIR_NOMEM, "out of memory for %zu patterns", n);
    } else {
        set->n = n;
        set->ignore_case = ignore_case;
        b->set = set;
        b->specs = specs;
        st = build(b, n, err);
    }
    if (b) {
        pcre2_compile_context_free(b->context);
        pcre2_match_data_free(b->data);
        tree_free(&b->tree);
        free(b);
    }
    if (st) {
        pattern_set_free(set);
        return st;
    }
    *out = set;
    return OK;
}

void pattern_set_free(struct pattern_set *set)
{
    if (!set)
        return;
#ifdef WEIR_HAVE_HYPERSCAN
    hs_plan_free(set->hs);
#endif
    words_free(set->words);
    for (size_t i = 0; i < set->jumps_n; i++)
        pcre2_code_free(set->jumps[i].code);
    for (size_t i = 0; set->patterns && i < set->n; i++) {
        free((char *)set->patterns[i].text.p);
        free(set->patterns[i].search);
        pcre2_code_free(set->patterns[i].expression.code);
    }
    free(set->jumps);
    free(set->block_rest.at);
    free(set->jump_rest.at);
    free(set->patterns);
    free(set);
}

const char *pattern_set_engine(const struct pattern_set *set)
{
    bool expressions = false;
    for (size_t i = 0; i < set->n; i++)
        expressions = expressions || set->patterns[i].expression.code;
    if (set->hs)
        return set->block_rest.n ? "hyperscan and pcre2" : "hyperscan";
    return expressions ? "pcre2" : "literal";
}

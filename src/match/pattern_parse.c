/* Reads the regular part of the PCRE2 syntax into a tree; see pattern_parse.h.
 *
 * Two rules keep it from ever disagreeing with PCRE2. What a class or a class escape holds is asked
 * of PCRE2 itself. And every construct that is not named here (verbs, conditions, recursion,
 * callouts, extended mode, \Q, properties, octal and control escapes) gives the pattern up: it is
 * then searched by PCRE2 alone.
 *
 * Sets of options do not matter, except i: a line holds no newline, so that s and m change nothing,
 * and greed (U), capturing (n) and names (J) do not change which lines match.
 */
#include "match/pattern_parse.h"

#define MAX_DEPTH 100

struct parser {
    const char *p, *end;
    struct pattern_tree *t;
    const struct class_oracle *oracle;
    bool caseless;
    bool gave_up;
    int depth;
};

/* An atom: its node, and whether a quantifier behind it repeats it. */
struct atom {
    uint32_t node;
    bool repeatable;
};

static uint32_t parse_alternation(struct parser *ps);

static bool more(const struct parser *ps)
{
    return ps->p < ps->end;
}

static struct atom give_up(struct parser *ps)
{
    ps->gave_up = true;
    ps->p = ps->end;
    return (struct atom){tree_leaf(ps->t, NODE_EMPTY), false};
}

static bool starts(const struct parser *ps, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(ps->end - ps->p) >= n && memcmp(ps->p, text, n) == 0;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static struct atom atom_leaf(struct parser *ps, enum node_kind kind)
{
    return (struct atom){tree_leaf(ps->t, kind), false};
}

static struct atom atom_byte(struct parser *ps, unsigned char c)
{
    return (struct atom){tree_set(ps->t, byte_set_of(c, ps->caseless)), true};
}

static struct byte_set every_byte(void)
{
    return (struct byte_set){{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
}

/* What may be anything: a back-reference. */
static struct atom atom_anything(struct parser *ps)
{
    ps->t->lossy = true;
    uint32_t any = tree_set(ps->t, every_byte());
    return (struct atom){tree_repeat(ps->t, any, 0, REPEAT_FOREVER), true};
}

static struct atom atom_asked(struct parser *ps, struct span text)
{
    struct byte_set s = {0};
    if (!ps->oracle->ask(ps->oracle->ctx, text, ps->caseless, &s))
        return give_up(ps);
    return (struct atom){tree_set(ps->t, s), true};
}

/* Numbers: all digits at p, below a million; -1 when there are none or too many. */
static int64_t parse_number(const char **p, const char *end)
{
    int64_t v = 0;
    const char *from = *p;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
        if ((v = v * 10 + (**p - '0')) > 1000000)
            return -1;
    return *p > from ? v : -1;
}

static struct atom parse_hex(struct parser *ps)
{
    bool braced = more(ps) && *ps->p == '{';
    if (braced)
        ps->p++;
    unsigned v = 0, digits = 0;
    while (more(ps) && hex_value(*ps->p) >= 0 && digits < 2) {
        v = v * 16 + (unsigned)hex_value(*ps->p++);
        digits++;
    }
    if (!braced)
        return atom_byte(ps, (unsigned char)v);
    if (digits == 0 || !more(ps) || *ps->p++ != '}')
        return give_up(ps);
    return atom_byte(ps, (unsigned char)v);
}

/* \k<name> \k'name' \k{name} \g{name or number} (?P=name) up to `close`: names are letters, digits
 * and _; a number may have a sign. */
static struct atom parse_reference(struct parser *ps, char close)
{
    const char *from = ps->p;
    while (more(ps) && *ps->p != close) {
        bool sign = ps->p == from && (*ps->p == '-' || *ps->p == '+');
        if (!is_word(*ps->p) && !sign)
            return give_up(ps);
        ps->p++;
    }
    if (!more(ps) || ps->p == from)
        return give_up(ps);
    ps->p++;
    return atom_anything(ps);
}

static struct atom parse_named_escape(struct parser *ps, char c)
{
    char open = more(ps) ? *ps->p : 0;
    if (open == '{' || (c == 'k' && (open == '<' || open == '\''))) {
        ps->p++;
        return parse_reference(ps, open == '{' ? '}' : open == '<' ? '>' : '\'');
    }
    return give_up(ps); /* \g1, and \g<1>, which is a call */
}

static struct atom parse_assertion_escape(struct parser *ps, char c)
{
    switch (c) {
    case 'b':
        return atom_leaf(ps, NODE_WORD_EDGE);
    case 'B':
        return atom_leaf(ps, NODE_NO_WORD_EDGE);
    case 'A':
    case 'G': /* a line is searched from its beginning */
        return atom_leaf(ps, NODE_BOL);
    case 'z':
    case 'Z':
        return atom_leaf(ps, NODE_EOL);
    default: /* K: only moves the reported start */
        ps->t->moves_start = true;
        return atom_leaf(ps, NODE_EMPTY);
    }
}

static struct atom parse_escape(struct parser *ps)
{
    static const char controls[] = "a\x07"
                                   "e\x1b"
                                   "f\x0c"
                                   "n\x0a"
                                   "r\x0d"
                                   "t\x09";
    const char *from = ps->p++;
    if (!more(ps))
        return give_up(ps);
    char c = *ps->p++;
    if (!is_word(c) || c == '_')
        return atom_byte(ps, (unsigned char)c);
    for (const char *k = controls; *k; k += 2)
        if (*k == c)
            return atom_byte(ps, (unsigned char)k[1]);
    if (memchr("hHvVR", c, 5)) /* PCRE2 makes \S+\h possessive, though both hold \xa0 */
        ps->t->lossy = true;
    if (memchr("dDsSwWhHvVR", c, 11))
        return atom_asked(ps, (struct span){from, 2});
    if (memchr("bBAGzZK", c, 7))
        return parse_assertion_escape(ps, c);
    if (c == 'x')
        return parse_hex(ps);
    if (c == 'k' || c == 'g')
        return parse_named_escape(ps, c);
    bool digit_follows = more(ps) && *ps->p >= '0' && *ps->p <= '9';
    if (c >= '1' && c <= '9' && !digit_follows) /* more digits may be octal */
        return atom_anything(ps);
    if (c == 'C' || (c == 'N' && !(more(ps) && *ps->p == '{')))
        return (struct atom){tree_set(ps->t, every_byte()), true};
    return give_up(ps);
}

/* [:alpha:] and the like, p behind the '['. */
static bool skip_posix_class(struct parser *ps)
{
    ps->p++;
    if (more(ps) && *ps->p == '^')
        ps->p++;
    const char *from = ps->p;
    while (more(ps) && *ps->p >= 'a' && *ps->p <= 'z')
        ps->p++;
    if (ps->p == from || !starts(ps, ":]"))
        return false;
    ps->p += 2;
    return true;
}

/* A bracket class: only its end has to be found. */
static struct atom parse_class(struct parser *ps)
{
    const char *from = ps->p++;
    if (more(ps) && *ps->p == '^')
        ps->p++;
    if (more(ps) && *ps->p == ']')
        ps->p++;
    while (more(ps) && *ps->p != ']') {
        char c = *ps->p++;
        if (c == '\\') {
            if (!more(ps) || *ps->p == 'Q' || *ps->p == 'E' || *ps->p == 'c')
                return give_up(ps);
            ps->p++;
        } else if (c == '[' && more(ps) &&
                   (*ps->p == '.' || *ps->p == '=' || (*ps->p == ':' && !skip_posix_class(ps)))) {
            return give_up(ps);
        }
    }
    if (!more(ps))
        return give_up(ps);
    ps->p++;
    return atom_asked(ps, (struct span){from, (size_t)(ps->p - from)});
}

/* (?i) (?-i) (?i:...) and their kin, p behind "(?". Answers ')' or ':', 0 for anything else. */
static char parse_options(struct parser *ps, bool *caseless)
{
    bool off = false;
    for (; more(ps); ps->p++) {
        char c = *ps->p;
        if (c == ')' || c == ':') {
            ps->p++;
            return c;
        }
        if (c == '-' && !off)
            off = true;
        else if (c == 'i')
            *caseless = !off;
        else if (!memchr("msnUJ", c, 5))
            return 0;
    }
    return 0;
}

/* The body of a group, p behind its opening, up to and with its ')'. */
static struct atom parse_group_body(struct parser *ps, bool caseless)
{
    bool outer = ps->caseless;
    ps->caseless = caseless;
    if (++ps->depth > MAX_DEPTH)
        return give_up(ps);
    uint32_t body = parse_alternation(ps);
    ps->depth--;
    ps->caseless = outer;
    if (!more(ps))
        return give_up(ps);
    ps->p++;
    return (struct atom){body, true};
}

/* Look-around: the tree does without. */
static struct atom parse_lookaround(struct parser *ps)
{
    struct atom a = parse_group_body(ps, ps->caseless);
    if (ps->gave_up)
        return a;
    ps->t->lossy = true;
    return atom_leaf(ps, NODE_EMPTY);
}

static struct atom parse_named_group(struct parser *ps, char close)
{
    for (; more(ps) && *ps->p != close; ps->p++)
        if (!is_word(*ps->p)) /* such as (?<*, which is look-around */
            return give_up(ps);
    if (!more(ps))
        return give_up(ps);
    ps->p++;
    return parse_group_body(ps, ps->caseless);
}

static struct atom parse_comment(struct parser *ps)
{
    while (more(ps) && *ps->p != ')')
        ps->p++;
    if (!more(ps))
        return give_up(ps);
    ps->p++;
    return atom_leaf(ps, NODE_EMPTY);
}

static struct atom parse_group(struct parser *ps)
{
    static const struct {
        const char *opening;
        struct atom (*parse)(struct parser *ps);
    } lookarounds[] = {{"?=", parse_lookaround},
                       {"?!", parse_lookaround},
                       {"?<=", parse_lookaround},
                       {"?<!", parse_lookaround},
                       {"?#", parse_comment}};
    ps->p++;
    if (!more(ps) || *ps->p == '*')
        return give_up(ps);
    if (*ps->p != '?')
        return parse_group_body(ps, ps->caseless);
    for (size_t i = 0; i < sizeof lookarounds / sizeof *lookarounds; i++)
        if (starts(ps, lookarounds[i].opening)) {
            ps->p += strlen(lookarounds[i].opening);
            return lookarounds[i].parse(ps);
        }
    if (starts(ps, "?>")) {
        ps->t->lossy = true;
        ps->p += 2;
        return parse_group_body(ps, ps->caseless);
    }
    if (starts(ps, "?|")) {
        ps->p += 2;
        return parse_group_body(ps, ps->caseless);
    }
    if (starts(ps, "?P=")) {
        ps->p += 3;
        return parse_reference(ps, ')');
    }
    if (starts(ps, "?P<") || starts(ps, "?<") || starts(ps, "?'")) {
        ps->p += starts(ps, "?P<") ? 3 : 2;
        return parse_named_group(ps, ps->p[-1] == '<' ? '>' : '\'');
    }
    ps->p++;
    bool caseless = ps->caseless;
    char end = parse_options(ps, &caseless);
    if (end == ':')
        return parse_group_body(ps, caseless);
    if (end != ')')
        return give_up(ps);
    ps->caseless = caseless; /* up to the end of the group around it */
    return atom_leaf(ps, NODE_EMPTY);
}

static struct atom parse_atom(struct parser *ps)
{
    char c = *ps->p;
    switch (c) {
    case '\\':
        return parse_escape(ps);
    case '[':
        return parse_class(ps);
    case '(':
        return parse_group(ps);
    case '.':
        ps->p++;
        return (struct atom){tree_set(ps->t, every_byte()), true};
    case '^':
        ps->p++;
        return atom_leaf(ps, NODE_BOL);
    case '$':
        ps->p++;
        return atom_leaf(ps, NODE_EOL);
    default:
        ps->p++;
        return atom_byte(ps, (unsigned char)c);
    }
}

/* "{2}", "{2,}", "{2,5}". Any other '{' that might be a count to some version of PCRE2 is given up
 * on. false: no quantifier at p. */
static bool parse_braces(struct parser *ps, int64_t *min, int64_t *max)
{
    const char *p = ps->p + 1;
    if (p < ps->end && (*p == ',' || *p == ' ' || *p == '\t')) {
        give_up(ps);
        return false;
    }
    if (!(p < ps->end && *p >= '0' && *p <= '9'))
        return false;
    *min = *max = parse_number(&p, ps->end);
    if (p < ps->end && *p == ',') {
        p++;
        *max = p < ps->end && *p == '}' ? REPEAT_FOREVER : parse_number(&p, ps->end);
    }
    if (*min < 0 || *max < 0 || p == ps->end || *p != '}') {
        give_up(ps);
        return false;
    }
    ps->p = p + 1;
    return true;
}

static bool parse_quantifier(struct parser *ps, int64_t *min, int64_t *max)
{
    if (!more(ps))
        return false;
    switch (*ps->p) {
    case '*':
        *min = 0, *max = REPEAT_FOREVER;
        break;
    case '+':
        *min = 1, *max = REPEAT_FOREVER;
        break;
    case '?':
        *min = 0, *max = 1;
        break;
    case '{':
        return parse_braces(ps, min, max);
    default:
        return false;
    }
    ps->p++;
    return true;
}

/* An atom and its quantifier. */
static uint32_t parse_piece(struct parser *ps)
{
    struct atom a = parse_atom(ps);
    int64_t min, max;
    if (ps->gave_up || !parse_quantifier(ps, &min, &max))
        return a.node;
    if (!a.repeatable) {
        give_up(ps);
        return a.node;
    }
    if (more(ps) && *ps->p == '?') {
        ps->p++;
    } else if (more(ps) && *ps->p == '+') {
        ps->t->lossy = true;
        ps->p++;
    }
    int64_t again_min, again_max;
    uint32_t node = tree_repeat(ps->t, a.node, (uint32_t)min, (uint32_t)max);
    if (parse_quantifier(ps, &again_min, &again_max))
        give_up(ps);
    return node;
}

static uint32_t parse_sequence(struct parser *ps)
{
    uint32_t head = NODE_NONE, tail = NODE_NONE;
    while (more(ps) && *ps->p != '|' && *ps->p != ')') {
        uint32_t node = parse_piece(ps);
        if (ps->t->nomem || ps->t->too_big)
            give_up(ps);
        if (ps->gave_up)
            return tree_leaf(ps->t, NODE_EMPTY);
        if (tail == NODE_NONE)
            head = node;
        else
            ps->t->nodes[tail].next = node;
        tail = node;
    }
    return tree_cat(ps->t, head);
}

static uint32_t parse_alternation(struct parser *ps)
{
    uint32_t head = NODE_NONE, tail = NODE_NONE;
    for (;;) {
        uint32_t branch = parse_sequence(ps);
        if (ps->gave_up || ps->t->nomem || ps->t->too_big)
            return branch;
        if (tail == NODE_NONE)
            head = branch;
        else
            ps->t->nodes[tail].next = branch;
        tail = branch;
        if (!more(ps) || *ps->p != '|')
            return tree_alt(ps->t, head);
        ps->p++;
    }
}

bool pattern_parse(struct pattern_tree *t, struct span text, bool ignore_case,
                   const struct class_oracle *oracle)
{
    struct parser ps = {text.p, text.p + text.n, t, oracle, ignore_case, false, 0};
    tree_clear(t);
    t->root = parse_alternation(&ps);
    return !ps.gave_up && !more(&ps) && !t->nomem && !t->too_big;
}

bool pattern_parse_literal(struct pattern_tree *t, struct span text, bool ignore_case)
{
    tree_clear(t);
    uint32_t head = NODE_NONE, tail = NODE_NONE;
    for (size_t i = 0; i < text.n && !t->nomem && !t->too_big; i++) {
        uint32_t node = tree_set(t, byte_set_of((unsigned char)text.p[i], ignore_case));
        if (tail == NODE_NONE)
            head = node;
        else
            t->nodes[tail].next = node;
        tail = node;
    }
    t->root = tree_cat(t, head);
    return !t->nomem && !t->too_big;
}

/* The walk over an indexed record (json_walk.h). The thread of the runner.
 *
 * This is the inner loop of `jsonl`: about thirty tokens for a log record of 200 bytes, one
 * nanosecond each. Hence: no bound is checked, because the index ends in a byte that no grammar
 * takes; a key is compared by eight bytes at once; numbers are measured sixteen bytes at a time.
 */
#include "json/json_walk.h"

#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* ---- the shape ---- */

void shape_init(struct json_shape *s)
{
    *s = (struct json_shape){.n = 1};
}

void shape_free(struct json_shape *s)
{
    for (unsigned i = 1; i < s->n; i++)
        free((char *)(uintptr_t)s->nodes[i].key.p);
    shape_init(s);
}

void needle_never(uint64_t *head, uint64_t *mask)
{
    memset(head, '\n', sizeof *head);
    memset(mask, 0xff, sizeof *mask);
}

void needle_make(struct span quoted, uint64_t *head, uint64_t *mask)
{
    char bytes[8] = {0}, counts[8] = {0};
    size_t n = quoted.n < sizeof bytes ? quoted.n : sizeof bytes;
    for (size_t i = 0; i + 1 < quoted.n; i++) {
        if ((unsigned char)quoted.p[i] < 0x20 || quoted.p[i] == '"' || quoted.p[i] == '\\') {
            needle_never(head, mask);
            return;
        }
    }
    memcpy(bytes, quoted.p, n);
    memset(counts, 0xff, n);
    memcpy(head, bytes, sizeof bytes);
    memcpy(mask, counts, sizeof counts);
}

static struct shape_node *shape_new(struct json_shape *s, unsigned parent, unsigned *node)
{
    if (s->n == SHAPE_MAX)
        return NULL;
    *node = s->n++;
    struct shape_node *made = &s->nodes[*node];
    *made = (struct shape_node){.parent = (uint8_t)parent, .sibling = s->nodes[parent].child};
    s->nodes[parent].child = (uint8_t)*node;
    return made;
}

bool shape_key(struct json_shape *s, unsigned parent, struct span key, unsigned *node)
{
    for (unsigned c = s->nodes[parent].child; c; c = s->nodes[c].sibling) {
        const struct shape_node *child = &s->nodes[c];
        if (child->key.p && child->key.n == key.n && memcmp(child->key.p, key.p, key.n) == 0) {
            *node = c;
            return true;
        }
    }
    char *copy = key.n <= SHAPE_KEY_MAX ? malloc(key.n + 1) : NULL;
    if (!copy)
        return false;
    if (key.n)
        memcpy(copy, key.p, key.n);
    copy[key.n] = '"';
    struct shape_node *made = shape_new(s, parent, node);
    if (!made) {
        free(copy);
        return false;
    }
    made->key = (struct span){copy, key.n};
    needle_make((struct span){copy, key.n + 1}, &made->head, &made->mask);
    return true;
}

bool shape_index(struct json_shape *s, unsigned parent, uint32_t index, unsigned *node)
{
    for (unsigned c = s->nodes[parent].child; c; c = s->nodes[c].sibling) {
        if (!s->nodes[c].key.p && s->nodes[c].index == index) {
            *node = c;
            return true;
        }
    }
    struct shape_node *made = shape_new(s, parent, node);
    if (!made)
        return false;
    made->index = index;
    needle_never(&made->head, &made->mask);
    return true;
}

enum walk_kind shape_kind(const struct json_shape *s, const struct json_found *found, unsigned node)
{
    enum walk_kind kind = found[node].kind;
    if (kind != WALK_MISSING || node == 0)
        return kind;
    const struct shape_node *n = &s->nodes[node];
    switch (shape_kind(s, found, n->parent)) {
    case WALK_NULL:
        return WALK_NULL;
    case WALK_OBJECT:
        return n->key.p ? WALK_NULL : WALK_MISSING;
    case WALK_ARRAY:
        return n->key.p ? WALK_MISSING : WALK_NULL;
    default:
        return WALK_MISSING;
    }
}

/* ---- scalars ---- */

enum { C_OTHER, C_STRING, C_NUMBER, C_ARRAY, C_OBJECT, C_TRUE, C_FALSE, C_NULL, C_END };

/* What begins with a byte; C_END: what may stand behind a number or a literal. */
static const uint8_t classes[256] = {
    ['"'] = C_STRING, ['-'] = C_NUMBER, ['0'] = C_NUMBER, ['1'] = C_NUMBER, ['2'] = C_NUMBER,
    ['3'] = C_NUMBER, ['4'] = C_NUMBER, ['5'] = C_NUMBER, ['6'] = C_NUMBER, ['7'] = C_NUMBER,
    ['8'] = C_NUMBER, ['9'] = C_NUMBER, ['['] = C_ARRAY,  ['{'] = C_OBJECT, ['t'] = C_TRUE,
    ['f'] = C_FALSE,  ['n'] = C_NULL,   [','] = C_END,    ['}'] = C_END,    [']'] = C_END,
    [' '] = C_END,    ['\t'] = C_END,   ['\r'] = C_END,   ['\n'] = C_END,
};

static inline unsigned class_of(char c)
{
    return classes[(unsigned char)c];
}

static inline bool digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* RFC 8259 section 6, byte by byte. The end of a record is no part of a number, so this ends. */
static bool number_ends_well(const char *p)
{
    p += *p == '-';
    if (*p == '0')
        p++;
    else if (digit(*p))
        while (digit(*p))
            p++;
    else
        return false;
    if (*p == '.') {
        if (!digit(*++p))
            return false;
        while (digit(*p))
            p++;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!digit(*p))
            return false;
        while (digit(*p))
            p++;
    }
    return class_of(*p) == C_END;
}

#if defined(__SSE2__)
/* The same for numbers of up to fifteen bytes without exponent, digits counted sixteen at once. */
static inline bool number_is_valid(const char *p)
{
    const char *q = p + (*p == '-');
    __m128i bytes = _mm_loadu_si128((const __m128i *)q);
    __m128i low = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    __m128i digits = _mm_cmpeq_epi8(_mm_min_epu8(low, _mm_set1_epi8(9)), low);
    unsigned others = (unsigned)~_mm_movemask_epi8(digits) & 0xffff;
    if (!others)
        return number_ends_well(p);
    unsigned n = (unsigned)__builtin_ctz(others);
    if (n == 0 || (n > 1 && q[0] == '0'))
        return false;
    if (class_of(q[n]) == C_END)
        return true;
    others &= others - 1;
    if (q[n] != '.' || !others)
        return number_ends_well(p);
    unsigned end = (unsigned)__builtin_ctz(others);
    if (class_of(q[end]) == C_END)
        return end > n + 1;
    return number_ends_well(p);
}
#else
static inline bool number_is_valid(const char *p)
{
    return number_ends_well(p);
}
#endif

static inline bool literal_is(const char *p, const char *text, size_t n)
{
    return memcmp(p, text, n) == 0 && class_of(p[n]) == C_END;
}

/* ---- the walk ---- */

struct walk {
    const char *p;
    const uint32_t *at;
    const struct shape_node *nodes;
    struct json_found *found;
    bool escapes;
};

#define WALK_FAILED 0 /* no token is behind a value but before the first */

/* Forgets what was found beneath a node: its value is replaced by that of an equal key. */
static void forget_children(const struct walk *w, unsigned node)
{
    for (unsigned c = w->nodes[node].child; c; c = w->nodes[c].sibling) {
        w->found[c].kind = WALK_MISSING;
        forget_children(w, c);
    }
}

static inline void find(const struct walk *w, unsigned node, enum walk_kind kind, uint32_t k)
{
    struct json_found *f = &w->found[node];
    if (f->kind >= WALK_ARRAY)
        forget_children(w, node);
    f->kind = (uint8_t)kind;
    f->at = k;
}

/* A key of a record with escapes, which has not matched as it stands. */
static bool escaped_key_is(const struct walk *w, uint32_t k, struct span key)
{
    char text[6 * SHAPE_KEY_MAX];
    struct span raw = token_raw(&(struct json_tokens){w->p, w->at, true}, k);
    if (raw.n < key.n || raw.n > 6 * key.n || !raw.n || !memchr(raw.p, '\\', raw.n))
        return false;
    return json_unescape(raw, text) == key.n && memcmp(text, key.p, key.n) == 0;
}

static inline unsigned child_by_key(const struct walk *w, unsigned node, uint32_t k)
{
    const char *key = w->p + w->at[k] + 1;
    for (unsigned c = w->nodes[node].child; c; c = w->nodes[c].sibling) {
        const struct shape_node *child = &w->nodes[c];
        if (needle_heads(key, child->head, child->mask) &&
            (child->key.n < 8 || (w->at[k + 1] - w->at[k] >= child->key.n + 2 &&
                                  memcmp(key + 8, child->key.p + 8, child->key.n + 1 - 8) == 0)))
            return c;
        if (w->escapes && child->key.p && escaped_key_is(w, k, child->key))
            return c;
    }
    return SHAPE_NONE;
}

static unsigned child_by_index(const struct walk *w, unsigned node, uint32_t index)
{
    for (unsigned c = w->nodes[node].child; c; c = w->nodes[c].sibling)
        if (!w->nodes[c].key.p && w->nodes[c].index == index)
            return c;
    return SHAPE_NONE;
}

static uint32_t walk_array(const struct walk *w, uint32_t k, unsigned node, unsigned depth);
static uint32_t walk_object(const struct walk *w, uint32_t k, unsigned node, unsigned depth);

/* The value at token k: the number of the token behind it, or WALK_FAILED. `node` is where it is
 * wanted, or SHAPE_NONE. */
static inline __attribute__((always_inline)) uint32_t walk_value(const struct walk *w, uint32_t k,
                                                                 unsigned node, unsigned depth)
{
    const char *v = w->p + w->at[k];
    enum walk_kind kind;
    switch (class_of(*v)) {
    case C_STRING:
        kind = WALK_STRING;
        break;
    case C_NUMBER:
        if (!number_is_valid(v))
            return WALK_FAILED;
        kind = WALK_NUMBER;
        break;
    case C_TRUE:
        if (!literal_is(v, "true", 4))
            return WALK_FAILED;
        kind = WALK_TRUE;
        break;
    case C_FALSE:
        if (!literal_is(v, "false", 5))
            return WALK_FAILED;
        kind = WALK_FALSE;
        break;
    case C_NULL:
        if (!literal_is(v, "null", 4))
            return WALK_FAILED;
        kind = WALK_NULL;
        break;
    case C_ARRAY:
        if (node)
            find(w, node, WALK_ARRAY, k);
        return walk_array(w, k, node, depth + 1);
    case C_OBJECT:
        if (node)
            find(w, node, WALK_OBJECT, k);
        return walk_object(w, k, node, depth + 1);
    default:
        return WALK_FAILED;
    }
    if (node)
        find(w, node, kind, k);
    return k + 1;
}

/* The keys of an object with a wanted child, and those of any other, in two loops: `watched` is
 * known where this is inlined. */
static inline __attribute__((always_inline)) uint32_t
walk_members(const struct walk *w, uint32_t k, unsigned node, unsigned depth, bool watched)
{
    const char *p = w->p;
    const uint32_t *at = w->at;
    if (p[at[k]] == '}')
        return k + 1;
    for (;;) {
        if (p[at[k]] != '"' || p[at[k + 1]] != ':')
            return WALK_FAILED;
        k = walk_value(w, k + 2, watched ? child_by_key(w, node, k) : SHAPE_NONE, depth);
        if (!k)
            return WALK_FAILED;
        char c = p[at[k++]];
        if (c != ',')
            return c == '}' ? k : WALK_FAILED;
    }
}

/* The token at k has been seen to be '{'. The record itself is watched where anything is. */
static uint32_t walk_object(const struct walk *w, uint32_t k, unsigned node, unsigned depth)
{
    if (depth > WALK_DEPTH_MAX)
        return WALK_FAILED;
    bool watched = (node || depth == 1) && w->nodes[node].child;
    return watched ? walk_members(w, k + 1, node, depth, true)
                   : walk_members(w, k + 1, SHAPE_NONE, depth, false);
}

static uint32_t walk_array(const struct walk *w, uint32_t k, unsigned node, unsigned depth)
{
    if (depth > WALK_DEPTH_MAX)
        return WALK_FAILED;
    bool watched = (node || depth == 1) && w->nodes[node].child;
    k++;
    if (w->p[w->at[k]] == ']')
        return k + 1;
    for (uint32_t i = 0;; i++) {
        k = walk_value(w, k, watched ? child_by_index(w, node, i) : SHAPE_NONE, depth);
        if (!k)
            return WALK_FAILED;
        char c = w->p[w->at[k++]];
        if (c != ',')
            return c == ']' ? k : WALK_FAILED;
    }
}

static enum walk_kind kind_of(char c)
{
    static const uint8_t kinds[] = {
        [C_STRING] = WALK_STRING, [C_NUMBER] = WALK_NUMBER, [C_ARRAY] = WALK_ARRAY,
        [C_OBJECT] = WALK_OBJECT, [C_TRUE] = WALK_TRUE,     [C_FALSE] = WALK_FALSE,
        [C_NULL] = WALK_NULL,     [C_END] = WALK_MISSING,
    };
    return kinds[class_of(c)];
}

bool json_walk(const struct json_shape *s, struct json_found *found, const struct json_tokens *t,
               uint32_t from, uint32_t *next)
{
    struct walk w = {t->p, t->at, s->nodes, found, t->escapes};
    for (unsigned i = 0; i < s->n; i++)
        found[i].kind = WALK_MISSING;
    *next = walk_value(&w, from, SHAPE_NONE, 0);
    found[0] = (struct json_found){.at = from, .kind = (uint8_t)kind_of(t->p[t->at[from]])};
    return *next != WALK_FAILED;
}

/* The part of the PCRE2 language that is regular, as a tree, for planning a search.
 *
 * A tree speaks of one line without its newline: what can match, never how it is found or what it
 * captures. So '\n' is in no set, `.` is every byte, greed does not matter, and repeats at the
 * edges can be cut to their least count (tree_trim): a line with a match of [0-9]+\.[0-9]+ is a
 * line with a match of [0-9]\.[0-9]. Because no set holds a newline, a search for such a tree may
 * run over a block of many lines and never joins two of them.
 *
 * A tree is *exact* when it matches the same lines as its pattern, and *lossy* when it may match
 * more: look-around is left out, a back-reference is anything. What is not regular and has no such
 * bound (recursion, conditions, verbs) has no tree at all.
 *
 * A tree is built and used by one thread.
 */
#ifndef WEIR_MATCH_PATTERN_TREE_H
#define WEIR_MATCH_PATTERN_TREE_H

#include "core/text.h"

struct byte_set {
    uint64_t w[4];
};

enum node_kind {
    NODE_NEVER, /* matches nothing */
    NODE_EMPTY,
    NODE_SET,
    NODE_CAT,
    NODE_ALT,
    NODE_REPEAT,
    NODE_BOL,
    NODE_EOL,
    NODE_WORD_EDGE,
    NODE_NO_WORD_EDGE
};

#define REPEAT_FOREVER UINT32_MAX
#define NODE_NONE UINT32_MAX

struct node {
    enum node_kind kind;
    uint32_t child, next; /* first child of CAT, ALT, REPEAT; next sibling */
    uint32_t min, max;    /* REPEAT */
    uint32_t set;         /* SET: index into sets */
};

struct pattern_tree {
    struct node *nodes;
    uint32_t n, cap;
    struct byte_set *sets;
    uint32_t sets_n, sets_cap;
    uint32_t root;
    bool lossy;
    bool moves_start; /* \K: a match is reported from behind it */
    bool nomem;       /* sticky */
    bool too_big;     /* sticky: more nodes than a plan is worth */
};

/* Both keep the memory for the next pattern; _free gives it back. */
void tree_clear(struct pattern_tree *t);
void tree_free(struct pattern_tree *t);

static inline bool byte_set_has(const struct byte_set *s, unsigned char c)
{
    return s->w[c >> 6] >> (c & 63) & 1;
}
static inline void byte_set_add(struct byte_set *s, unsigned char c)
{
    s->w[c >> 6] |= (uint64_t)1 << (c & 63);
}
unsigned byte_set_count(const struct byte_set *s);
/* One byte, and its other case where `caseless`. */
struct byte_set byte_set_of(unsigned char c, bool caseless);

/* Builders: answer a node, simplified. '\n' is taken out of sets; nodes that can match nothing
 * vanish from what holds them. A list is linked by `next` and ends in NODE_NONE. */
uint32_t tree_leaf(struct pattern_tree *t, enum node_kind kind);
uint32_t tree_set(struct pattern_tree *t, struct byte_set set);
uint32_t tree_cat(struct pattern_tree *t, uint32_t first);
uint32_t tree_alt(struct pattern_tree *t, uint32_t first);
uint32_t tree_repeat(struct pattern_tree *t, uint32_t child, uint32_t min, uint32_t max);

/* The root for "is there a match in the line", its edges trimmed. */
void tree_trim(struct pattern_tree *t);
/* Bounded repeats that would need more than `limit` states become open ones; then it is lossy. */
void tree_bound(struct pattern_tree *t, size_t limit);

/* Does it match the empty string anywhere, whatever stands there? */
bool tree_matches_empty(const struct pattern_tree *t);
/* Is it a plain string, of bytes or pairs of cases? */
bool tree_is_literal(const struct pattern_tree *t);
/* The longest run of single bytes (or pairs of cases) that every match contains, as the new root;
 * false: none of at least `least` bytes. The tree becomes lossy where it was more than that. */
bool tree_reduce_to_literal(struct pattern_tree *t, size_t least);
/* States that an automaton of it needs, about. */
size_t tree_states(const struct pattern_tree *t);

/* The tree as text, in what PCRE2 and Hyperscan both read, for multi-line matching. *caseless: it
 * is to be compiled so; all sets hold both cases of each letter. */
void tree_write(const struct pattern_tree *t, struct strbuf *out, bool *caseless);

#endif

/* Trees of regular patterns: building, simplifying and trimming them; see pattern_tree.h.
 *
 * Simplifying is not for beauty: Hyperscan refuses patterns that can never match, and both engines
 * are several times faster when the edges are trimmed, as a match is then known at its first
 * possible byte.
 */
#include "match/pattern_tree.h"

#include <stdlib.h>

#define MAX_NODES 50000u
#define MAX_UNROLL 4u /* copies of an edge repeat that are worth a trimmed edge */

void tree_clear(struct pattern_tree *t)
{
    t->n = t->sets_n = 0;
    t->root = NODE_NONE;
    t->lossy = t->moves_start = t->nomem = t->too_big = false;
}

void tree_free(struct pattern_tree *t)
{
    free(t->nodes);
    free(t->sets);
    *t = (struct pattern_tree){0};
}

unsigned byte_set_count(const struct byte_set *s)
{
    unsigned n = 0;
    for (int i = 0; i < 4; i++)
        n += (unsigned)__builtin_popcountll(s->w[i]);
    return n;
}

static bool is_letter(unsigned char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

struct byte_set byte_set_of(unsigned char c, bool caseless)
{
    struct byte_set s = {0};
    byte_set_add(&s, c);
    if (caseless && is_letter(c))
        byte_set_add(&s, c ^ 32);
    return s;
}

/* Room for one more of `size` bytes behind `n`; NULL: none. */
static void *room(void *p, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    uint32_t grown = *cap ? *cap * 2 : 64;
    void *q = realloc(p, grown * size);
    if (q)
        *cap = grown;
    return q;
}

uint32_t tree_leaf(struct pattern_tree *t, enum node_kind kind)
{
    if (t->n >= MAX_NODES)
        t->too_big = true;
    struct node *nodes =
        t->nomem || t->too_big ? NULL : room(t->nodes, t->n, &t->cap, sizeof *nodes);
    if (!nodes) {
        t->nomem = t->nomem || !t->too_big;
        return t->n ? 0 : NODE_NONE; /* any will do: the tree is given up */
    }
    t->nodes = nodes;
    nodes[t->n] = (struct node){.kind = kind, .child = NODE_NONE, .next = NODE_NONE};
    return t->n++;
}

static bool given_up(const struct pattern_tree *t)
{
    return t->nomem || t->too_big;
}

uint32_t tree_set(struct pattern_tree *t, struct byte_set set)
{
    set.w['\n' >> 6] &= ~((uint64_t)1 << ('\n' & 63));
    if (byte_set_count(&set) == 0)
        return tree_leaf(t, NODE_NEVER);
    struct byte_set *sets = room(t->sets, t->sets_n, &t->sets_cap, sizeof *sets);
    if (!sets) {
        t->nomem = true;
        return tree_leaf(t, NODE_NEVER);
    }
    t->sets = sets;
    uint32_t id = tree_leaf(t, NODE_SET);
    if (given_up(t))
        return id;
    sets[t->sets_n] = set;
    t->nodes[id].set = t->sets_n++;
    return id;
}

/* Takes nodes of `drop` out of the list, and puts the children of nodes of `open` in their place.
 */
static uint32_t flatten(struct pattern_tree *t, uint32_t first, enum node_kind drop,
                        enum node_kind open)
{
    uint32_t head = NODE_NONE, tail = NODE_NONE;
    for (uint32_t i = first; i != NODE_NONE;) {
        uint32_t after = t->nodes[i].next, last = i;
        if (t->nodes[i].kind == drop) {
            i = after;
            continue;
        }
        if (t->nodes[i].kind == open) {
            i = last = t->nodes[i].child;
            while (t->nodes[last].next != NODE_NONE)
                last = t->nodes[last].next;
        }
        if (tail == NODE_NONE)
            head = i;
        else
            t->nodes[tail].next = i;
        tail = last;
        t->nodes[tail].next = NODE_NONE;
        i = after;
    }
    return head;
}

static uint32_t list_node(struct pattern_tree *t, enum node_kind kind, enum node_kind none,
                          uint32_t first)
{
    if (first == NODE_NONE)
        return tree_leaf(t, none);
    if (t->nodes[first].next == NODE_NONE)
        return first;
    uint32_t id = tree_leaf(t, kind);
    if (!given_up(t))
        t->nodes[id].child = first;
    return id;
}

uint32_t tree_cat(struct pattern_tree *t, uint32_t first)
{
    if (given_up(t))
        return 0;
    for (uint32_t i = first; i != NODE_NONE; i = t->nodes[i].next)
        if (t->nodes[i].kind == NODE_NEVER)
            return tree_leaf(t, NODE_NEVER);
    return list_node(t, NODE_CAT, NODE_EMPTY, flatten(t, first, NODE_EMPTY, NODE_CAT));
}

uint32_t tree_alt(struct pattern_tree *t, uint32_t first)
{
    if (given_up(t))
        return 0;
    return list_node(t, NODE_ALT, NODE_NEVER, flatten(t, first, NODE_NEVER, NODE_ALT));
}

uint32_t tree_repeat(struct pattern_tree *t, uint32_t child, uint32_t min, uint32_t max)
{
    if (given_up(t))
        return 0;
    enum node_kind kind = t->nodes[child].kind;
    if (max == 0 || (kind == NODE_NEVER && min == 0))
        return tree_leaf(t, NODE_EMPTY);
    if (kind == NODE_EMPTY || kind == NODE_NEVER || (min == 1 && max == 1))
        return child;
    uint32_t id = tree_leaf(t, NODE_REPEAT);
    if (given_up(t))
        return id;
    struct node *r = &t->nodes[id];
    r->child = child;
    r->min = min;
    r->max = max;
    return id;
}

static uint32_t copy(struct pattern_tree *t, uint32_t from)
{
    uint32_t id = tree_leaf(t, t->nodes[from].kind);
    if (given_up(t))
        return id;
    struct node n = t->nodes[from];
    n.next = n.child = NODE_NONE;
    t->nodes[id] = n;
    uint32_t tail = NODE_NONE;
    for (uint32_t c = t->nodes[from].child; c != NODE_NONE && !given_up(t); c = t->nodes[c].next) {
        uint32_t made = copy(t, c);
        if (tail == NODE_NONE)
            t->nodes[id].child = made;
        else
            t->nodes[tail].next = made;
        tail = made;
    }
    return id;
}

/* Trimming -------------------------------------------------------------------------------------
 *
 * At the left edge of the whole, X{m,n} is X{m}: of a match that repeats X more often, the end of
 * it that begins m repeats before what follows is a match too, at the same place in the same line.
 * The same holds at the right edge, and for each branch of an alternation there. An assertion is
 * never taken away, so nothing behind it is at the edge.
 */
static uint32_t trim_edge(struct pattern_tree *t, uint32_t id, bool left);

static uint32_t trim_repeat(struct pattern_tree *t, uint32_t id, bool left)
{
    uint32_t child = t->nodes[id].child, min = t->nodes[id].min;
    if (min == 0)
        return tree_leaf(t, NODE_EMPTY);
    if (min > MAX_UNROLL || t->nodes[child].kind == NODE_SET)
        return tree_repeat(t, child, min, min);
    uint32_t edge = trim_edge(t, copy(t, child), left);
    if (min == 1 || given_up(t))
        return edge;
    uint32_t rest = tree_repeat(t, child, min - 1, min - 1);
    if (given_up(t))
        return edge;
    uint32_t first = left ? edge : rest, second = left ? rest : edge;
    t->nodes[first].next = second;
    t->nodes[second].next = NODE_NONE;
    return tree_cat(t, first);
}

static uint32_t trim_cat(struct pattern_tree *t, uint32_t id, bool left)
{
    uint32_t list = t->nodes[id].child;
    while (list != NODE_NONE && !given_up(t)) {
        uint32_t before = NODE_NONE, edge = list;
        if (!left)
            for (; t->nodes[edge].next != NODE_NONE; edge = t->nodes[edge].next)
                before = edge;
        uint32_t after = t->nodes[edge].next;
        t->nodes[edge].next = NODE_NONE;
        uint32_t trimmed = trim_edge(t, edge, left);
        if (given_up(t))
            return trimmed;
        bool gone = t->nodes[trimmed].kind == NODE_EMPTY;
        t->nodes[trimmed].next = after;
        uint32_t in_place = gone ? after : trimmed;
        if (before == NODE_NONE)
            list = in_place;
        else
            t->nodes[before].next = in_place;
        if (!gone)
            break;
    }
    return tree_cat(t, list);
}

static uint32_t trim_alt(struct pattern_tree *t, uint32_t id, bool left)
{
    uint32_t head = NODE_NONE, tail = NODE_NONE;
    for (uint32_t i = t->nodes[id].child; i != NODE_NONE && !given_up(t);) {
        uint32_t after = t->nodes[i].next;
        t->nodes[i].next = NODE_NONE;
        uint32_t trimmed = trim_edge(t, i, left);
        if (given_up(t))
            break;
        if (tail == NODE_NONE)
            head = trimmed;
        else
            t->nodes[tail].next = trimmed;
        tail = trimmed;
        i = after;
    }
    return tree_alt(t, head);
}

static uint32_t trim_edge(struct pattern_tree *t, uint32_t id, bool left)
{
    if (given_up(t))
        return 0;
    switch (t->nodes[id].kind) {
    case NODE_REPEAT:
        return trim_repeat(t, id, left);
    case NODE_CAT:
        return trim_cat(t, id, left);
    case NODE_ALT:
        return trim_alt(t, id, left);
    default:
        return id;
    }
}

void tree_trim(struct pattern_tree *t)
{
    if (!given_up(t))
        t->root = trim_edge(t, t->root, true);
    if (!given_up(t))
        t->root = trim_edge(t, t->root, false);
}

/* Questions -------------------------------------------------------------------------------- */

static size_t states(const struct pattern_tree *t, uint32_t id)
{
    const struct node *n = &t->nodes[id];
    if (n->kind == NODE_SET)
        return 1;
    size_t sum = 0;
    for (uint32_t c = n->child; c != NODE_NONE; c = t->nodes[c].next)
        sum += states(t, c);
    if (n->kind == NODE_REPEAT) {
        size_t times = n->max == REPEAT_FOREVER ? (size_t)n->min + 1 : n->max;
        if (sum > SIZE_MAX / 2 / times)
            return SIZE_MAX / 4;
        sum *= times;
    }
    return sum > SIZE_MAX / 4 ? SIZE_MAX / 4 : sum;
}

size_t tree_states(const struct pattern_tree *t)
{
    return states(t, t->root);
}

static void bound(struct pattern_tree *t, uint32_t id, size_t limit)
{
    struct node *n = &t->nodes[id];
    if (n->kind == NODE_REPEAT) {
        size_t child = states(t, n->child), times = n->max == REPEAT_FOREVER ? n->min : n->max;
        if (times > limit || child * times > limit) {
            size_t least = child > limit ? 1 : limit / (child ? child : 1) / 2;
            n->min = n->min < least ? n->min : (uint32_t)least;
            n->max = REPEAT_FOREVER;
            t->lossy = true;
        }
    }
    for (uint32_t c = n->child; c != NODE_NONE; c = t->nodes[c].next)
        bound(t, c, limit);
}

void tree_bound(struct pattern_tree *t, size_t limit)
{
    bound(t, t->root, limit);
}

static bool matches_empty(const struct pattern_tree *t, uint32_t id)
{
    const struct node *n = &t->nodes[id];
    bool all = true, any = false;
    for (uint32_t c = n->child; c != NODE_NONE; c = t->nodes[c].next) {
        bool can = matches_empty(t, c);
        all = all && can;
        any = any || can;
    }
    switch (n->kind) {
    case NODE_EMPTY:
        return true;
    case NODE_CAT:
        return all;
    case NODE_ALT:
        return any;
    case NODE_REPEAT:
        return n->min == 0 || all;
    default:
        return false;
    }
}

bool tree_matches_empty(const struct pattern_tree *t)
{
    return matches_empty(t, t->root);
}

static bool is_single(const struct pattern_tree *t, uint32_t id)
{
    if (t->nodes[id].kind != NODE_SET)
        return false;
    const struct byte_set *s = &t->sets[t->nodes[id].set];
    unsigned n = byte_set_count(s);
    for (unsigned c = 'a'; n == 2 && c <= 'z'; c++)
        if (byte_set_has(s, (unsigned char)c) && byte_set_has(s, (unsigned char)(c ^ 32)))
            return true;
    return n == 1;
}

bool tree_is_literal(const struct pattern_tree *t)
{
    uint32_t id = t->root;
    if (t->nodes[id].kind == NODE_CAT)
        id = t->nodes[id].child;
    else
        return is_single(t, id);
    for (; id != NODE_NONE; id = t->nodes[id].next)
        if (!is_single(t, id))
            return false;
    return true;
}

bool tree_reduce_to_literal(struct pattern_tree *t, size_t least)
{
    if (tree_is_literal(t))
        return true;
    if (t->nodes[t->root].kind != NODE_CAT)
        return false;
    uint32_t best = NODE_NONE, run = NODE_NONE;
    size_t best_n = 0, n = 0;
    for (uint32_t i = t->nodes[t->root].child; i != NODE_NONE; i = t->nodes[i].next) {
        if (!is_single(t, i)) {
            n = 0;
            continue;
        }
        if (n++ == 0)
            run = i;
        if (n > best_n) {
            best_n = n;
            best = run;
        }
    }
    if (best_n < least)
        return false;
    uint32_t last = best;
    for (size_t i = 1; i < best_n; i++)
        last = t->nodes[last].next;
    t->nodes[last].next = NODE_NONE;
    t->root = tree_cat(t, best);
    t->lossy = true;
    return !given_up(t);
}

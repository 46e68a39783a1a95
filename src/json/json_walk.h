/* One pass over an indexed record: is it JSON, and what stands at the wanted paths.
 *
 * The walk takes exactly what RFC 8259 allows, to a depth of WALK_DEPTH_MAX, and no number or
 * literal beyond it. jq takes a little more; a record that the walk refuses is libjq's to judge.
 *
 * The wanted paths make a tree, the shape; node 0 is the record itself. A shape is part of an
 * immutable plan; what was found belongs to a runner, one entry a node.
 */
#ifndef WEIR_JSON_JSON_WALK_H
#define WEIR_JSON_JSON_WALK_H

#include "json/json_text.h"

/* jq 1.6 stops at 256, and an object counts twice there. */
#define WALK_DEPTH_MAX 64
#define SHAPE_MAX 64
#define SHAPE_KEY_MAX 255
#define SHAPE_NONE 0 /* the record itself is nobody's child */

struct shape_node {
    struct span key;     /* with the closing quote behind it, not counted; key.p NULL: by index */
    uint64_t head, mask; /* the first eight bytes of key and quote, and which of them count */
    uint32_t index;
    uint8_t parent, child, sibling; /* SHAPE_NONE: none */
};

struct json_shape {
    struct shape_node nodes[SHAPE_MAX];
    unsigned n;
};

struct json_found {
    uint32_t at; /* number of its first token */
    uint8_t kind;
};

void shape_init(struct json_shape *s);
void shape_free(struct json_shape *s);
/* The node of `parent`'s child, made where there is none. false: too many, too long, or no memory.
 */
bool shape_key(struct json_shape *s, unsigned parent, struct span key, unsigned *node);
bool shape_index(struct json_shape *s, unsigned parent, uint32_t index, unsigned *node);

/* A string with its closing quote (which `quoted` ends in), to be looked for in a record as it
 * stands: its first eight bytes, and which of them count. One that cannot stand there without an
 * escape is never found. */
void needle_make(struct span quoted, uint64_t *head, uint64_t *mask);
void needle_never(uint64_t *head, uint64_t *mask);
/* Whether p, with at least eight readable bytes, begins with the needle's first eight bytes. */
static inline bool needle_heads(const char *p, uint64_t head, uint64_t mask)
{
    uint64_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return ((bytes ^ head) & mask) == 0;
}

/* Walks one value, from token `from` on, and says what stands behind it. Eight bytes must be
 * readable behind the text. `found` has an entry for each node. false: the walk does not take it.
 */
bool json_walk(const struct json_shape *s, struct json_found *found, const struct json_tokens *t,
               uint32_t from, uint32_t *next);

/* The kind at a node as jq sees it: what is missing is null. WALK_MISSING: jq would fail here (an
 * index into a string, a key of an array). */
enum walk_kind shape_kind(const struct json_shape *s, const struct json_found *found,
                          unsigned node);

#endif

/* Trees as text: one form that PCRE2 and Hyperscan read alike.
 *
 * Only `[...]` with \x escapes, (?:...), |, {m,n}, ^, $, \b and \B are written, so that no
 * construct on which the two differ ever reaches either of them.
 */
#include "match/pattern_tree.h"

/* Does every set hold both cases of each of its letters? And is one of them nothing but those? */
static bool closed_under_case(const struct pattern_tree *t, uint32_t id, bool *pair)
{
    const struct node *n = &t->nodes[id];
    if (n->kind == NODE_SET) {
        const struct byte_set *s = &t->sets[n->set];
        bool two = byte_set_count(s) == 2;
        for (unsigned c = 'a'; c <= 'z'; c++) {
            bool lower = byte_set_has(s, (unsigned char)c);
            if (lower != byte_set_has(s, (unsigned char)(c ^ 32)))
                return false;
            *pair = *pair || (lower && two);
        }
    }
    for (uint32_t c = n->child; c != NODE_NONE; c = t->nodes[c].next)
        if (!closed_under_case(t, c, pair))
            return false;
    return true;
}

static void write_byte(struct strbuf *out, unsigned char c)
{
    bool plain =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ' ';
    if (plain)
        strbuf_addc(out, (char)c);
    else
        strbuf_addf(out, "\\x%02x", (unsigned)c);
}

static void write_set(struct strbuf *out, struct byte_set s, bool caseless)
{
    for (unsigned c = 'A'; caseless && c <= 'Z'; c++)
        s.w[c >> 6] &= ~((uint64_t)1 << (c & 63));
    unsigned count = byte_set_count(&s);
    for (unsigned c = 0; count == 1 && c < 256; c++)
        if (byte_set_has(&s, (unsigned char)c)) {
            write_byte(out, (unsigned char)c);
            return;
        }
    /* The complement is shorter, and what "every byte but" should look like to an engine. Without
     * the capitals it would not be the complement. */
    bool negate = count > 128 && !caseless;
    strbuf_adds(out, negate ? "[^" : "[");
    for (unsigned c = 0; c < 256; c++) {
        if (byte_set_has(&s, (unsigned char)c) == negate)
            continue;
        unsigned last = c;
        while (last < 255 && byte_set_has(&s, (unsigned char)(last + 1)) != negate)
            last++;
        write_byte(out, (unsigned char)c);
        if (last > c + 1)
            strbuf_addc(out, '-');
        if (last > c)
            write_byte(out, (unsigned char)last);
        c = last;
    }
    strbuf_addc(out, ']');
}

static void write_node(const struct pattern_tree *t, uint32_t id, struct strbuf *out,
                       bool caseless);

static void write_count(struct strbuf *out, uint32_t min, uint32_t max)
{
    if (min == 0 && max == 1)
        strbuf_addc(out, '?');
    else if (min <= 1 && max == REPEAT_FOREVER)
        strbuf_addc(out, min ? '+' : '*');
    else if (max == REPEAT_FOREVER)
        strbuf_addf(out, "{%u,}", min);
    else if (min == max)
        strbuf_addf(out, "{%u}", min);
    else
        strbuf_addf(out, "{%u,%u}", min, max);
}

static void write_children(const struct pattern_tree *t, uint32_t id, const char *between,
                           struct strbuf *out, bool caseless)
{
    for (uint32_t c = t->nodes[id].child; c != NODE_NONE; c = t->nodes[c].next) {
        bool group = t->nodes[c].kind == NODE_ALT;
        strbuf_adds(out, group ? "(?:" : "");
        write_node(t, c, out, caseless);
        strbuf_adds(out, group ? ")" : "");
        if (t->nodes[c].next != NODE_NONE)
            strbuf_adds(out, between);
    }
}

static void write_node(const struct pattern_tree *t, uint32_t id, struct strbuf *out, bool caseless)
{
    const struct node *n = &t->nodes[id];
    switch (n->kind) {
    case NODE_NEVER: /* has been left out everywhere, and is not compiled at the root */
    case NODE_EMPTY:
        strbuf_adds(out, "(?:)");
        break;
    case NODE_SET:
        write_set(out, t->sets[n->set], caseless);
        break;
    case NODE_CAT:
        write_children(t, id, "", out, caseless);
        break;
    case NODE_ALT:
        write_children(t, id, "|", out, caseless);
        break;
    case NODE_REPEAT: {
        bool group = t->nodes[n->child].kind != NODE_SET;
        strbuf_adds(out, group ? "(?:" : "");
        write_node(t, n->child, out, caseless);
        strbuf_adds(out, group ? ")" : "");
        write_count(out, n->min, n->max);
        break;
    }
    case NODE_BOL:
        strbuf_addc(out, '^');
        break;
    case NODE_EOL:
        strbuf_addc(out, '$');
        break;
    case NODE_WORD_EDGE:
        strbuf_adds(out, "\\b");
        break;
    case NODE_NO_WORD_EDGE:
        strbuf_adds(out, "\\B");
        break;
    }
}

void tree_write(const struct pattern_tree *t, struct strbuf *out, bool *caseless)
{
    bool pair = false;
    *caseless = closed_under_case(t, t->root, &pair) && pair;
    write_node(t, t->root, out, *caseless);
}

/* From a pattern to its tree.
 *
 * The pattern has been compiled by PCRE2 before, so it is known to be correct; what is not known
 * here is given up on, never guessed at. Used by one thread.
 */
#ifndef WEIR_MATCH_PATTERN_PARSE_H
#define WEIR_MATCH_PATTERN_PARSE_H

#include "match/pattern_tree.h"

/* Answers which bytes a class or an escape such as "[^a-f]" or "\\w" matches. */
struct class_oracle {
    bool (*ask)(void *ctx, struct span text, bool caseless, struct byte_set *out);
    void *ctx;
};

/* false: no tree (the pattern is not regular, or too large for a plan). */
bool pattern_parse(struct pattern_tree *t, struct span text, bool ignore_case,
                   const struct class_oracle *oracle);
/* The tree of a string, byte for byte. false: out of memory, or too large. */
bool pattern_parse_literal(struct pattern_tree *t, struct span text, bool ignore_case);

#endif

/* Pattern sets: the regular expressions and literals of a filter, compiled once before the first
 * request, and the scanners that find their lines.
 *
 * The language is PCRE2 on bytes (no UTF mode); the reference is `LC_ALL=C grep -P`: a line is
 * matched without its newline, '.' and classes see bytes, CR is an ordinary byte. Which engine does
 * the work (Hyperscan over whole blocks, PCRE2 line by line, a plain search) is chosen here, by the
 * patterns and by how often they hit, and never changes the result: every candidate of a block scan
 * is confirmed on its own line.
 *
 * A set is immutable: any thread. A scanner (scratch, match data, JIT stack) belongs to one thread.
 */
#ifndef WEIR_MATCH_PATTERN_SET_H
#define WEIR_MATCH_PATTERN_SET_H

#include "core/status.h"
#include "core/text.h"

struct pattern_spec {
    struct span text;
    bool literal;       /* bytes as they are, no expression */
    const char *origin; /* for messages: "-e", "patterns.txt:12"; NULL: none */
};

struct pattern_set;

/* USAGE: a pattern is no expression; the message shows it, where it is bad and why. Any pattern
 * that matches keeps a line; n == 0 matches nothing. Copies the texts. */
status pattern_set_compile(struct pattern_set **out, const struct pattern_spec *specs, size_t n,
                           bool ignore_case, error *err);
void pattern_set_free(struct pattern_set *set); /* takes NULL */
/* How the set is searched, in a word or two ("hyperscan", "pcre2", "literal"), for -v. */
const char *pattern_set_engine(const struct pattern_set *set);

struct scanner;

status scanner_open(struct scanner **out, const struct pattern_set *set, error *err);
void scanner_close(struct scanner *s); /* takes NULL */

/* Begins a block of whole lines: each ends in '\n', only the very last may lack it. Borrowed until
 * the next scanner_begin. */
void scanner_begin(struct scanner *s, struct span block);

/* The next line of the block that has a match, in order. `line` is without its newline. false:
 * there is none left. RECORD: PCRE2 gave up on a line (its match limit); the line is named by its
 * offset in the block. */
status scanner_next(struct scanner *s, struct span *line, bool *found, error *err);

/* The leftmost match in `line` that begins at or after `from` and is not empty; among those that
 * begin there, that of the pattern given first. Offsets into the line. */
status scanner_match(struct scanner *s, struct span line, size_t from, size_t *start, size_t *end,
                     bool *found, error *err);

#endif

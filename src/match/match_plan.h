/* Inside the room `match`: what a set knows of its patterns, and how a scanner goes about a window.
 *
 *                        patterns ── pattern_set.c: PCRE2 code, tree, class of each
 *                           │
 *     ┌─────────────────────┼──────────────────────────┐
 *  scan_hyperscan.c     scan_pcre2.c               scan_words.c
 *  one database, whole  jumps: a search from hit   strings by hash, for builds
 *  windows at a time    to hit over many lines;    without Hyperscan
 *                       lines: one by one
 *     └─────────────────────┼──────────────────────────┘
 *                        scanner.c: windows, which way is faster, hits in order
 *
 * Two ways lead through a window, and both find the same lines. WAY_BLOCK: Hyperscan names certain
 * lines and candidates; candidates are confirmed by PCRE2. WAY_JUMP: PCRE2 looks for the trees of
 * all exact patterns at once and leaps to the next line at each hit. Hyperscan wins where hits are
 * rare, leaping where nearly every line hits.
 *
 * Sets are read-only and shared; everything in a scanner belongs to its one thread.
 */
#ifndef WEIR_MATCH_PLAN_H
#define WEIR_MATCH_PLAN_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "match/pattern_set.h"
#include "match/pattern_tree.h"

#define NOWHERE SIZE_MAX

enum pattern_class {
    PATTERN_NEVER,  /* matches no line */
    PATTERN_EVERY,  /* matches every line */
    PATTERN_EXACT,  /* has a tree that is exact: what Hyperscan or a jump finds is a hit */
    PATTERN_LOSSY,  /* has a tree that matches more: what Hyperscan finds is a candidate */
    PATTERN_OPAQUE, /* PCRE2, line by line */
};

struct pattern {
    struct span text; /* owned */
    bool literal;
    enum pattern_class kind;
    bool in_database; /* Hyperscan looks for it */
    bool in_words;    /* scan_words does */
    bool in_jumps;    /* it is part of a jump */
    bool caseless;    /* how `search` is to be compiled */
    char *search;     /* the tree as an expression; NULL: none, or after the set is made */
    struct compiled {
        pcre2_code *code;
        bool direct; /* its machine code may be called as it is */
    } expression;    /* as it was given; no code for a literal */
};

struct words;
struct hs_plan;

/* Patterns that are tried one after the other, by index. */
struct index_list {
    uint32_t *at;
    size_t n;
};

struct pattern_set {
    struct pattern *patterns;
    size_t n;
    bool ignore_case;
    bool every; /* one of them matches every line: nothing has to be searched */
    /* WAY_BLOCK */
    struct hs_plan *hs;           /* NULL: none */
    struct index_list block_rest; /* what Hyperscan did not take, line by line */
    /* WAY_JUMP */
    bool can_jump;
    struct compiled *jumps; /* all exact patterns, in as few alternations as will compile */
    size_t jumps_n;
    struct words *words; /* NULL: none */
    struct index_list jump_rest;
};

struct range32 {
    uint32_t start, end; /* offsets into the window; the newline not counted */
};

struct candidate {
    uint32_t start, end;
    uint32_t id; /* CERTAIN, ANY_LOSSY, or the pattern that is to be confirmed */
};
#define CERTAIN 0u
#define ANY_LOSSY UINT32_MAX
/* A pattern's index as candidate.id, so that sorting puts CERTAIN first. */
#define ID_OF(index) ((uint32_t)(index) + 1)

#define MAX_CANDIDATES 4096
#define MAX_HITS 4096

enum way { WAY_BLOCK, WAY_JUMP, WAY_COUNT };

struct scanner {
    const struct pattern_set *set;
    struct span block;
    size_t window;  /* offset of the window whose hits are in `hits` */
    size_t scanned; /* behind it */
    struct range32 *hits;
    size_t hits_n, hits_at;
    bool gave_up;       /* PCRE2 did, on the line behind the last hit */
    struct range32 bad; /* that line */
    int bad_code;       /* what PCRE2 said */
    struct candidate *candidates;
    size_t candidates_n;
    /* Which way is faster: ns for a KiB, lately. */
    enum way way;
    double cost[WAY_COUNT];
    uint64_t bytes, next_trial;
    unsigned measured;
    bool pinned;
    size_t window_max;
    size_t *next_hit; /* of each jump and the words */
    /* PCRE2 */
    pcre2_match_data *data;
    bool data_is_large; /* it holds what a deep search has taken */
    pcre2_match_context *context, *jump_context;
    pcre2_jit_stack *jit_stack;
    /* Hyperscan */
    struct hs_scratch *scratch;
    uint64_t *seen; /* per pattern: the line (counted over the scanner's life) that it last hit */
    uint64_t lines_seen;
};

/* For tests: from now on this way only, where the set has it. false: it has not. */
bool scanner_pin(struct scanner *s, enum way way);

/* pattern_error.c -------------------------------------------------------------------------- */

/* USAGE: why, with the pattern and where it came from. */
status refuse_pattern(const struct pattern_spec *spec, const char *why, error *err);
/* The same by PCRE2's error code and offset. */
status refuse_expression(const struct pattern_spec *spec, int code, size_t at, error *err);

/* scan_pcre2.c ----------------------------------------------------------------------------- */

/* The options of every expression: the C locale of grep -P. */
#define EXPRESSION_OPTIONS (PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF)

/* One match of a code; its ovector is in s->data. >= 0: there is one; PCRE2_ERROR_NOMATCH; others:
 * it gave up. */
int run_code(struct scanner *s, const struct compiled *c, struct span subject, size_t from,
             uint32_t options, pcre2_match_context *context);
/* Does a line match this pattern? *gave_up gets the error where PCRE2 did. */
bool match_one(struct scanner *s, const struct pattern *p, struct span line, int *gave_up);
/* Where the next hit of jump `i` begins, at or behind `from`, or NOWHERE. */
size_t jump_next(struct scanner *s, size_t i, struct span window, size_t from, int *gave_up);
status pcre2_open(struct scanner *s, error *err);
void pcre2_close(struct scanner *s);
/* First place of a literal at or behind `from`, or NOWHERE. */
size_t literal_find(struct span literal, bool ignore_case, struct span text, size_t from);

/* scan_hyperscan.c ------------------------------------------------------------------------- */

#ifdef WEIR_HAVE_HYPERSCAN
/* Builds the database of what has a tree, and says in in_database what it took. OK with *out NULL:
 * nothing. */
status hs_plan_make(struct hs_plan **out, struct pattern *patterns, size_t n, error *err);
void hs_plan_free(struct hs_plan *plan);
status hs_scratch_open(struct scanner *s, error *err);
void hs_scratch_close(struct scanner *s);
/* Fills s->candidates from a window. false: there were more than MAX_CANDIDATES, or it failed. */
bool hs_find(struct scanner *s, struct span window);
/* Leftmost literal of the database in `text`; false: no such set, or it failed. */
bool hs_leftmost(struct scanner *s, struct span text, size_t from, size_t *start, size_t *id);
#endif

/* scan_words.c ----------------------------------------------------------------------------- */

/* OK with *out NULL: too few strings to be worth it. Says in in_words what it took. */
status words_make(struct words **out, struct pattern *patterns, size_t n, bool ignore_case,
                  error *err);
void words_free(struct words *w);
/* Where the next word begins, at or behind `from`, or NOWHERE. */
size_t words_next(const struct words *w, struct span text, size_t from);

#endif

/* What the filter knows of one file; shared by stage_filter.c (which lines are kept) and
 * filter_context.c (how lines are put out that are not just passed on). Worker of the file.
 */
#ifndef WEIR_STAGE_FILTER_STATE_H
#define WEIR_STAGE_FILTER_STATE_H

#include "stage/chain.h"
#include "stage/held_lines.h"
#include "stage/line_splitter.h"

struct filter_state {
    struct stage_context *context;
    struct scanner *scanner;
    struct line_splitter splitter;
    struct line_output out;
    const weir_filter *asked;
    struct span url;
    bool shaped;       /* lines get a prefix, context or parts: filter_context.c puts them out */
    uint64_t line;     /* lines that have passed, too long ones included: the last one's number */
    uint64_t kept;     /* lines that were selected */
    bool done;         /* max_count is reached, and so is the end of its context */
    bool last_context; /* max_count is reached, lines of context follow */
    uint64_t after;    /* lines of context still to come */
    struct held_lines before;
    bool put_any; /* a group has been put out */
    bool gap;     /* since then a line was not */
};

/* Lines that are selected, or not, in shaped output. END: no more are needed. */
status filter_put_selected(struct filter_state *f, const char *from, const char *to, error *err);
status filter_pass_over(struct filter_state *f, const char *from, const char *to, error *err);
/* The number of kept lines. */
status filter_put_count(struct filter_state *f, error *err);

#endif

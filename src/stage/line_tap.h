/* What the stages behind on_line and on_record share: they look at each line, in order, until their
 * callback wants no more, and pass every byte on. Worker of the file.
 */
#ifndef WEIR_STAGE_LINE_TAP_H
#define WEIR_STAGE_LINE_TAP_H

#include "stage/builtin.h"
#include "stage/line_splitter.h"

struct line_tap {
    struct stage_context *context;
    struct line_splitter splitter;
    /* One line with its newline, whose number is `line`; `readable` bytes may be read from its
     * beginning. END: no more are wanted. */
    status (*take)(struct line_tap *tap, struct span text, size_t readable, error *err);
    uint64_t line;
    bool counts;      /* its lines are the ones that the report counts */
    bool counts_long; /* and so are those too long */
    bool enough;      /* the callback wants no more of this file */
};

status line_tap_write(struct line_tap *tap, weir_stage *stage, const void *data, size_t size,
                      error *err);
status line_tap_finish(struct line_tap *tap, error *err);
void line_tap_reset(struct line_tap *tap);

/* What to answer for what a callback answered. CANCELLED: the file, or the run, ends here. */
status line_tap_heard(struct line_tap *tap, weir_next next, error *err);

#endif

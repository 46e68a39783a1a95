/* What a progress display says, laid out for a number of columns. Pure; any thread.
 */
#ifndef WEIR_CLI_BAR_LAYOUT_H
#define WEIR_CLI_BAR_LAYOUT_H

#include "cli/display_text.h"
#include "weir/weir.h"

struct bar_look {
    int columns; /* of the terminal; the last one stays free, so that no line ever wraps */
    bool utf8;
    bool colour;
};

/* The run as a whole at one instant. */
struct bar_whole {
    weir_stats stats;
    double bps;
    int64_t left_s; /* -1 = unknown */
};

/* One transfer. */
struct bar_row {
    const char *name;
    int64_t bytes, size; /* size -1 = unknown */
    double bps;          /* < 0 = not yet known */
    bool paused;
};

/* One line each, without a newline, appended to out. */
void bar_layout_whole(struct text *out, const struct bar_whole *w, const struct bar_look *look);
void bar_layout_row(struct text *out, const struct bar_row *r, const struct bar_look *look);

#endif

/* Progress: how the run is getting on, in the style that suits where standard error leads.
 *
 * Belongs to the signal thread while the run lasts, then to the main thread.
 */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include "cli/pace.h"
#include "cli/screen.h"
#include "weir/weir.h"

enum progress_style { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_JSON };

struct progress;

struct progress_setup {
    weir_engine *engine;
    struct screen *screen;
    enum progress_style style;
    int64_t interval_ms; /* 0 = what suits the style */
    /* Makes the line, in any style, of a run that is not told by an engine's counters; NULL: the
     * engine's tell. */
    void (*line)(struct text *out, enum progress_style style, bool final, void *user);
    void *user;
};

/* NULL when memory ran out. Borrows what `setup` points to. */
struct progress *progress_new(const struct progress_setup *setup);
void progress_free(struct progress *p); /* takes NULL */

/* Milliseconds between ticks; 0 = it needs none. */
int64_t progress_interval_ms(const struct progress *p);
void progress_tick(struct progress *p);
/* The window has another size, or is ours again. */
void progress_resized(struct progress *p);
/* After the run: takes the rows away, or prints the last line. */
void progress_finish(struct progress *p, const weir_stats *last);

/* For progress.c: the styles, each in a file of its own. */

/* The run as it is now. */
struct progress_sample {
    weir_stats stats;
    double bps;
    int64_t left_s; /* -1 = unknown */
    int64_t now_ms;
};

struct progress_bars;
struct progress_bars *progress_bars_new(void);
void progress_bars_free(struct progress_bars *b);
void progress_bars_draw(struct progress_bars *b, weir_engine *engine, struct screen *screen,
                        const struct progress_sample *sample);

/* The plain line; empty when there is nothing to tell. */
void progress_plain_line(struct text *out, const struct progress_sample *sample);
void progress_json_line(struct text *out, const struct progress_sample *sample, bool final);

#endif

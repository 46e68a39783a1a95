/* The status line of weir prefetch, and what is said of it in the end.
 */
#ifndef WEIR_CLI_PREFETCH_LINE_H
#define WEIR_CLI_PREFETCH_LINE_H

#include "cli/progress.h"

enum { PREFETCH_LINE_BYTES = 1024 };

/* For progress_setup.line; `user` is the weir_prefetch. Signal thread. */
void prefetch_line(struct text *out, enum progress_style style, bool final, void *user);
/* Main thread, after the run. `user` likewise. */
void prefetch_summary(struct text *out, void *user);

#endif

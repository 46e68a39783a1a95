/* What is said when a run has ended.
 */
#ifndef WEIR_CLI_SUMMARY_H
#define WEIR_CLI_SUMMARY_H

#include "cli/arguments.h"
#include "cli/event_messages.h"
#include "cli/screen.h"
#include "weir/weir.h"

struct summary_setup {
    const struct arguments *arguments;
    weir_config *config;
    const struct messages *messages;
    const char *save_dir; /* where files went, when -o said so; else NULL */
    bool starts_over;     /* all went into one stream: a second run begins anew */
    bool brief;           /* only what went wrong */
};

/* Main thread, after the run. */
void summary_print(struct screen *screen, const weir_summary *summary,
                   const struct summary_setup *setup);

#endif

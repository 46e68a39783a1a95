/* The command that tries the failed URLs again.
 */
#ifndef WEIR_CLI_RETRY_COMMAND_H
#define WEIR_CLI_RETRY_COMMAND_H

#include "cli/display_text.h"
#include "cli/summary.h"

/* "" when no list of them was kept. Flags that hold secrets are left out; *secrets says so. */
void retry_command(struct text *out, const struct summary_setup *setup, bool *secrets);

#endif

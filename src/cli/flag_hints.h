/* What to say about a flag that is not one of weir's. Pure; main thread.
 */
#ifndef WEIR_CLI_FLAG_HINTS_H
#define WEIR_CLI_FLAG_HINTS_H

#include "cli/arguments.h"

/* `word` is the argument as typed, "-nc", "-P", "--tries=3". What is meant here, or NULL. */
const char *flag_hint(const char *word);
/* The long flag (without dashes) nearest to `name` of `n` bytes, or NULL when none is near. */
const char *flag_nearest(const char *name, size_t n);

#endif

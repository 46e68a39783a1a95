/* What to say about a flag that is not one of weir's, or means something else here. Main thread.
 */
#ifndef WEIR_CLI_FLAG_HINTS_H
#define WEIR_CLI_FLAG_HINTS_H

#include "cli/arguments.h"

/* `word` is the argument as typed, "-nc", "-P", "--tries=3". What is meant here, or NULL. */
const char *flag_hint(enum command command, const char *word);
/* The long flag (without dashes) nearest to `name` of `n` bytes, or NULL when none is near. */
const char *flag_nearest(enum command command, const char *name, size_t n);

/* What people may have meant who typed that letter with that value, as they would in grep or jq;
 * NULL when nothing speaks against the value. Looks whether a file of that name exists. */
const char *flag_value_hint(enum command command, char letter, const char *value);
/* The same where the value is missing altogether. */
const char *flag_other_meaning(enum command command, char letter);

/* How the pattern or the program is given, where `word` stands for one; else NULL. */
const char *word_hint(const struct arguments *a, const char *word);

#endif

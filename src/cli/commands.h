/* The subcommands: each is one function that returns the exit code of the process.
 */
#ifndef WEIR_CLI_COMMANDS_H
#define WEIR_CLI_COMMANDS_H

#include "cli/arguments.h"

enum {
    EXIT_ALL_WELL = 0,
    EXIT_SOME_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_LOCAL_TROUBLE = 3,
    EXIT_READER_GONE = 141
};

int cmd_get(const struct arguments *a);
int cmd_config(const struct arguments *a);

/* Prints the help of a command: "get", "config", or NULL for all of it. */
void help_print(const char *topic);
void help_print_version(void);

/* Says what is wrong with the command line and where help is. Returns EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says `message`, and after USAGE where help is. Returns the exit code that suits the status. */
int status_error(weir_status status, const char *message);

#endif

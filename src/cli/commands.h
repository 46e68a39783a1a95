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
int cmd_filter(const struct arguments *a);
int cmd_jsonl(const struct arguments *a);
int cmd_verify(const struct arguments *a);
int cmd_prefetch(const struct arguments *a);
int cmd_put(const struct arguments *a);
int cmd_serve(const struct arguments *a);
int cmd_journal(const struct arguments *a);
int cmd_config(const struct arguments *a);

/* Prints the help of a command; of COMMAND_HELP: the list of commands, and the help of get. */
void help_print(enum command topic);
void help_print_version(void);

/* Says what is wrong with the command line and where help is. Returns EXIT_USAGE. */
int usage_error(enum command command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Says `message`, and after USAGE where help is. Returns the exit code that suits the status. */
int status_error(enum command command, weir_status status, const char *message);

#endif

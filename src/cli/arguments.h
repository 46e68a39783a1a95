/* The command line, as it was meant.
 *
 * One table holds the flags of the command itself; all others are rows of the library's option
 * table. Parsing does nothing but fill this struct. Runs on the main thread.
 */
#ifndef WEIR_CLI_ARGUMENTS_H
#define WEIR_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/weir.h"

enum command { COMMAND_GET, COMMAND_CONFIG, COMMAND_HELP };

/* One option to set, in the order of the command line. */
struct setting {
    char *name;                /* "limits.rate", or what stood before the = of -s */
    const char *value;         /* borrowed from argv or from the option table */
    const weir_option *option; /* NULL: given by -s */
};

struct arguments {
    enum command command;
    bool command_named; /* "weir get", not "weir URL" */
    const char *topic;  /* help: of which command, or NULL */
    bool help, version, dry_run, quiet, ini, no_config;
    int verbose;
    const char *config_file; /* -c, or NULL */
    const char *output;      /* -o, or NULL */
    const char **urls;
    size_t url_count;
    const char **lists;
    size_t list_count;
    struct setting *settings;
    size_t setting_count;
};

/* A flag of the command itself. */
enum own_id {
    OWN_INPUT,
    OWN_OUTPUT,
    OWN_CONFIG,
    OWN_NO_CONFIG,
    OWN_SET,
    OWN_DRY_RUN,
    OWN_INI,
    OWN_QUIET,
    OWN_VERBOSE,
    OWN_HELP,
    OWN_VERSION
};

struct own_flag {
    enum own_id id;
    const char *flag;
    char letter;       /* 0: none */
    const char *arg;   /* NULL: takes none */
    const char *group; /* heading in --help */
    const char *help;
};

/* Row i of the table, or NULL after the last. */
const struct own_flag *own_flag_at(size_t i);

#define USAGE_MAX 1024

/* False when the command line cannot be read; `message` says why. Strings are borrowed from argv.
 * To be released with arguments_free in either case. */
bool arguments_parse(struct arguments *out, int argc, char **argv, char message[USAGE_MAX]);
void arguments_free(struct arguments *a);

/* True for the names of standard output: "-", "/dev/stdout", "/dev/fd/1". */
bool names_stdout(const char *path);

#endif

/* The commands and their own flags: one table; all other flags are rows of the library's option
 * table. Pure; main thread.
 */
#ifndef WEIR_CLI_FLAG_TABLE_H
#define WEIR_CLI_FLAG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/weir.h"

enum command {
    COMMAND_GET,
    COMMAND_FILTER,
    COMMAND_JSONL,
    COMMAND_VERIFY,
    COMMAND_PREFETCH,
    COMMAND_PUT,
    COMMAND_SERVE,
    COMMAND_JOURNAL,
    COMMAND_CONFIG,
    COMMAND_HELP
};

/* Sets of commands. */
enum {
    FOR_GET = 1 << COMMAND_GET,
    FOR_FILTER = 1 << COMMAND_FILTER,
    FOR_JSONL = 1 << COMMAND_JSONL,
    FOR_VERIFY = 1 << COMMAND_VERIFY,
    FOR_PREFETCH = 1 << COMMAND_PREFETCH,
    FOR_PUT = 1 << COMMAND_PUT,
    FOR_SERVE = 1 << COMMAND_SERVE,
    FOR_JOURNAL = 1 << COMMAND_JOURNAL,
    FOR_CONFIG = 1 << COMMAND_CONFIG,
    FOR_HELP = 1 << COMMAND_HELP,
    FOR_LINES = FOR_FILTER | FOR_JSONL,
    FOR_RUNS = FOR_GET | FOR_LINES | FOR_VERIFY | FOR_CONFIG | FOR_HELP,
    FOR_ALL = FOR_RUNS | FOR_PREFETCH | FOR_PUT, /* that take options */
    FOR_CONFIGURED = FOR_ALL | FOR_SERVE,        /* that read the INI file */
    FOR_ANY = FOR_CONFIGURED | FOR_JOURNAL,
    FOR_ALL_BUT_LINES = FOR_RUNS & ~FOR_LINES
};

#define COMMAND_NAMES "get, filter, jsonl, verify, prefetch, put, serve, journal, config, help"

const char *command_name(enum command command);
/* False: `word` is no command. */
bool command_by_name(const char *word, enum command *out);

enum own_id {
    OWN_INPUT,
    OWN_CHECKSUM,
    OWN_OUTPUT,
    OWN_IN_ORDER,
    OWN_MATCH,
    OWN_LITERAL,
    OWN_PATTERN_FILE,
    OWN_IGNORE_CASE,
    OWN_INVERT,
    OWN_MAX_COUNT,
    OWN_COUNT,
    OWN_LINE_NUMBER,
    OWN_ONLY_MATCHING,
    OWN_AFTER,
    OWN_BEFORE,
    OWN_CONTEXT,
    OWN_WITH_URL,
    OWN_JQ,
    OWN_RAW,
    OWN_REPAIR,
    OWN_ON_EXIST, /* of put: the option put.on_exist; everywhere else it is that of save */
    OWN_JSON,
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

/* A flag of the command itself. One id may have several rows, each for other commands. */
struct own_flag {
    enum own_id id;
    unsigned commands; /* that have it */
    const char *flag;
    const char *alias; /* another long flag that means the same, or NULL */
    char letter;       /* 0: none */
    const char *arg;   /* NULL: takes none */
    const char *group; /* heading in --help */
    const char *help;
};

/* Row i of the table, or NULL after the last. */
const struct own_flag *own_flag_at(size_t i);

/* The commands whose flags include that of this option. */
unsigned option_commands(const weir_option *option);

/* A flag of either table. */
struct flag {
    const struct own_flag *own;
    const weir_option *option;
};

/* The flag of that long name (of `n` bytes), or, where `name` is NULL, of that letter, among those
 * of `commands`. */
bool flag_find(struct flag *out, unsigned commands, const char *name, size_t n, char letter);
/* The name of its argument, NULL when it takes none. */
const char *flag_argument(const struct flag *flag);
unsigned flag_commands(const struct flag *flag);

#endif

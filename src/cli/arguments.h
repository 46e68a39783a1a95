/* The command line, as it was meant.
 *
 * The flags stand in two tables: the command's own (flag_table.h) and the library's options.
 * Parsing does nothing but fill this struct. Runs on the main thread.
 */
#ifndef WEIR_CLI_ARGUMENTS_H
#define WEIR_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/flag_table.h"
#include "weir/weir.h"

/* One option to set, in the order of the command line. */
struct setting {
    char *name;                /* "limits.rate", or what stood before the = of -s */
    const char *value;         /* borrowed from argv or from the option table */
    const weir_option *option; /* NULL: given by -s */
};

enum pattern_kind { PATTERN_REGEX, PATTERN_LITERAL, PATTERN_FILE };

/* -e, -F or -f, in the order of the command line. */
struct pattern_argument {
    enum pattern_kind kind;
    const char *text; /* the pattern, or the name of the file */
};

#define NOT_GIVEN UINT64_MAX

/* weir filter */
struct filter_arguments {
    struct pattern_argument *patterns;
    size_t pattern_count;
    bool ignore_case, invert, count, line_number, only_matching;
    uint64_t max_count, after, before, context; /* or NOT_GIVEN */
};

/* weir jsonl */
struct jsonl_arguments {
    const char *program; /* --jq, or NULL */
    bool raw;
};

/* weir serve */
struct serve_arguments {
    const char *dir; /* or NULL */
};

/* weir journal */
struct journal_arguments {
    const char *file; /* or NULL */
    bool json;
};

/* weir put */
struct put_arguments {
    const char **files; /* files and folders, "-": standard input */
    size_t file_count;
};

struct arguments {
    enum command command;
    bool command_named; /* "weir get", not "weir URL" */
    const char *topic;  /* help: of which command, or NULL */
    bool help, version, dry_run, quiet, ini, no_config, in_order, with_url;
    int verbose;
    const char *config_file; /* -c, or NULL */
    const char *output;      /* -o, or NULL */
    char *checksum;          /* --checksum, cut at its '=': the algorithm; or NULL */
    const char *checksum_hex;
    struct filter_arguments filter;
    struct jsonl_arguments jsonl;
    struct serve_arguments serve;
    struct journal_arguments journal;
    struct put_arguments put;
    bool repair; /* verify */
    const char **urls;
    size_t url_count;
    const char **lists;
    size_t list_count;
    struct setting *settings;
    size_t setting_count;
};

#define USAGE_MAX 1024

/* Writes the message; returns `st`. */
weir_status usage_refuse(char message[USAGE_MAX], weir_status st, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* False when the command line cannot be read; `message` says why. Strings are borrowed from argv.
 * To be released with arguments_free in either case. */
bool arguments_parse(struct arguments *out, int argc, char **argv, char message[USAGE_MAX]);
void arguments_free(struct arguments *a);

/* True for the names of standard output: "-", "/dev/stdout", "/dev/fd/1". */
bool names_stdout(const char *path);
/* And for those of standard input. */
bool names_stdin(const char *path);

/* The last setting of that name on the command line, by its flag or by -s; NULL: there is none. */
const struct setting *arguments_setting(const struct arguments *a, const char *name);

#endif

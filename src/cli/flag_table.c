/* The commands and their own flags. Pure; main thread.
 *
 * A flag that means something else in another command, or is refused there, has a row for each:
 * -v is --verbose everywhere but in filter, where fingers expect grep's.
 */
#include "cli/flag_table.h"

#include <string.h>

static const struct own_flag own_flags[] = {
    {OWN_MATCH, FOR_FILTER, "match", "regexp", 'e', "REGEX", "Which lines",
     "keep lines in which this matches; repeatable, any match keeps"},
    {OWN_LITERAL, FOR_FILTER, "literal", "fixed-strings", 'F', "STRING", "Which lines",
     "keep lines that contain this string, as it is; repeatable (unlike grep's -F it takes the "
     "string)"},
    {OWN_PATTERN_FILE, FOR_FILTER, "file", NULL, 'f', "FILE", "Which lines",
     "read regular expressions from a file, one a line; - for standard input; an empty line "
     "matches every line"},
    {OWN_IGNORE_CASE, FOR_FILTER, "ignore-case", NULL, 0, NULL, "Which lines",
     "make no difference between A-Z and a-z (-i is --input)"},
    {OWN_INVERT, FOR_FILTER, "invert", "invert-match", 0, NULL, "Which lines",
     "keep the lines in which nothing matches"},
    {OWN_MAX_COUNT, FOR_FILTER, "max-count", NULL, 'm', "N", "Which lines",
     "stop each download after N kept lines"},
    {OWN_COUNT, FOR_FILTER, "count", NULL, 0, NULL, "What is written",
     "write the number of kept lines of each URL instead; of more than one URL with --with-url"},
    {OWN_LINE_NUMBER, FOR_FILTER, "line-number", NULL, 'n', NULL, "What is written",
     "write N: before each line, N- before lines of context"},
    {OWN_ONLY_MATCHING, FOR_FILTER, "only-matching", NULL, 0, NULL, "What is written",
     "write each match on a line of its own instead (-o is --output)"},
    {OWN_AFTER, FOR_FILTER, "after-context", NULL, 'A', "N", "What is written",
     "write N lines after each kept one, too"},
    {OWN_BEFORE, FOR_FILTER, "before-context", NULL, 'B', "N", "What is written",
     "write N lines before each kept one, too"},
    {OWN_CONTEXT, FOR_FILTER, "context", NULL, 'C', "N", "What is written",
     "write N lines before and after each kept one, too"},
    {OWN_WITH_URL, FOR_LINES, "with-url", NULL, 0, NULL, "What is written",
     "write the URL and a TAB before each line"},
    {OWN_JQ, FOR_JSONL, "jq", NULL, 0, "PROGRAM", "Which records",
     "run this jq program on each record; needed"},
    {OWN_RAW, FOR_JSONL, "raw", "raw-output", 0, NULL, "What is written",
     "write strings as their text, without quotes"},
    {OWN_JSON, FOR_JOURNAL, "json", NULL, 0, NULL, "weir journal",
     "print one JSON object instead, with all groups of failures"},
    {OWN_REPAIR, FOR_VERIFY, "repair", NULL, 0, NULL, "What is checked",
     "fetch what is missing or wrong; the list needs URLs for it"},
    {OWN_INPUT, FOR_ALL & ~FOR_PUT, "input", NULL, 'i', "FILE", "Input",
     "read URLs from a list (a file, a URL, or - for standard input); repeatable"},
    {OWN_INPUT, FOR_PUT, "input", NULL, 'i', "FILE", "Input",
     "read files and their URLs from a list (a file, a URL, or - for standard input); repeatable"},
    {OWN_ON_EXIST, FOR_PUT, "on-exist", NULL, 0, "overwrite|skip", "What is sent",
     "skip: leave alone what the server has (HEAD first, then If-None-Match: *) [overwrite]"},
    {OWN_CHECKSUM, FOR_GET | FOR_LINES | FOR_HELP, "checksum", NULL, 0, "ALGO=HEX", "Input",
     "what the body of the one URL must have: sha256, sha512, sha1, md5 or crc32c; lists carry "
     "their own"},
    {OWN_OUTPUT, FOR_ALL_BUT_LINES & ~(FOR_VERIFY | FOR_PUT), "output", NULL, 'o', "NAME",
     "Where files go",
     "file name for one URL; - writes all bodies to standard output in list order"},
    {OWN_OUTPUT, FOR_LINES, "output", NULL, 'o', "FILE", "Where results go",
     "write the results of all URLs to this file, which has its name when the run has ended; - for "
     "standard output, where they go anyway"},
    {OWN_IN_ORDER, FOR_LINES, "in-order", NULL, 0, NULL, "Where results go",
     "one URL after the other, in list order; otherwise lines come as they arrive, whole ones"},
    {OWN_DRY_RUN, FOR_PUT, "dry-run", NULL, 0, NULL, "General",
     "read the lists and folders and print which URL each file would go to; send nothing"},
    {OWN_DRY_RUN, FOR_ALL_BUT_LINES & ~FOR_PUT, "dry-run", NULL, 0, NULL, "General",
     "read the lists and print which name each URL would get; fetch nothing"},
    {OWN_DRY_RUN, FOR_LINES, "dry-run", NULL, 0, NULL, "General",
     "check everything, print the URLs (with -d their names, too); fetch nothing"},
    {OWN_CONFIG, FOR_CONFIGURED, "config", NULL, 'c', "FILE", "General",
     "read this INI file instead of $XDG_CONFIG_HOME/weir/weir.ini"},
    {OWN_NO_CONFIG, FOR_CONFIGURED, "no-config", NULL, 0, NULL, "General", "read no INI file"},
    {OWN_SET, FOR_CONFIGURED, "set", NULL, 's', "SECTION.KEY=VALUE", "General",
     "set any option; weir config lists them"},
    {OWN_QUIET, FOR_ANY, "quiet", NULL, 'q', NULL, "General", "print errors only"},
    {OWN_VERBOSE, FOR_ALL & ~FOR_FILTER, "verbose", NULL, 'v', NULL, "General",
     "print retries, held hosts and every error"},
    {OWN_VERBOSE, FOR_SERVE, "verbose", NULL, 'v', NULL, "General",
     "print a line for each request that failed or was cut"},
    {OWN_VERBOSE, FOR_FILTER, "verbose", NULL, 0, NULL, "General",
     "print retries, held hosts and every error, and what does the matching"},
    {OWN_INI, FOR_CONFIG, "ini", NULL, 0, NULL, "weir config",
     "print the values in force as an INI file"},
    {OWN_HELP, FOR_ANY, "help", NULL, 'h', NULL, "General", "print this text"},
    {OWN_VERSION, FOR_ANY, "version", NULL, 0, NULL, "General",
     "print the versions of weir and its libraries"},
};

const struct own_flag *own_flag_at(size_t i)
{
    return i < sizeof own_flags / sizeof *own_flags ? &own_flags[i] : NULL;
}

static const char *const command_names[] = {
    [COMMAND_GET] = "get",       [COMMAND_FILTER] = "filter",     [COMMAND_JSONL] = "jsonl",
    [COMMAND_VERIFY] = "verify", [COMMAND_PREFETCH] = "prefetch", [COMMAND_PUT] = "put",
    [COMMAND_SERVE] = "serve",   [COMMAND_JOURNAL] = "journal",   [COMMAND_CONFIG] = "config",
    [COMMAND_HELP] = "help"};

const char *command_name(enum command command)
{
    return command_names[command];
}

bool command_by_name(const char *word, enum command *out)
{
    for (size_t i = 0; i < sizeof command_names / sizeof *command_names; i++) {
        if (strcmp(word, command_names[i]) == 0) {
            *out = (enum command)i;
            return true;
        }
    }
    return false;
}

/* What a prefetcher does in its own way. */
static bool is_of_runs_only(const weir_option *option)
{
    static const char *const keys[] = {"on_exist", "delete", "content_disposition", "decode",
                                       "max_decoded_size"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(option->key, keys[i]) == 0)
            return true;
    return false;
}

unsigned option_commands(const weir_option *option)
{
    if (strcmp(option->section, "filter") == 0)
        return FOR_LINES | FOR_CONFIG | FOR_HELP;
    if (strcmp(option->section, "jsonl") == 0)
        return FOR_JSONL | FOR_CONFIG | FOR_HELP;
    if (strcmp(option->section, "serve") == 0)
        return FOR_SERVE | FOR_CONFIG | FOR_HELP;
    if (strcmp(option->section, "prefetch") == 0)
        return FOR_PREFETCH | FOR_CONFIG | FOR_HELP;
    if (strcmp(option->section, "put") == 0)
        return FOR_PUT | FOR_CONFIG | FOR_HELP;
    if (strcmp(option->section, "journal") == 0 || is_of_runs_only(option))
        return FOR_RUNS;
    if (strcmp(option->section, "save") == 0)
        return FOR_ALL & ~FOR_PUT; /* nothing is saved */
    if (strcmp(option->section, "report") == 0 && strcmp(option->key, "path") == 0)
        return FOR_RUNS | FOR_PUT;
    if (strcmp(option->section, "report") == 0 && strcmp(option->key, "failed") == 0)
        return FOR_RUNS | FOR_PUT | FOR_JOURNAL; /* in journal it is what FILE is asked for */
    return FOR_ALL;
}

static bool long_is(const char *flag, const char *name, size_t n)
{
    return flag && strlen(flag) == n && memcmp(flag, name, n) == 0;
}

bool flag_find(struct flag *out, unsigned commands, const char *name, size_t n, char letter)
{
    *out = (struct flag){0};
    for (size_t i = 0; own_flag_at(i); i++) {
        const struct own_flag *own = own_flag_at(i);
        if (!(own->commands & commands))
            continue;
        if (name ? long_is(own->flag, name, n) || long_is(own->alias, name, n)
                 : own->letter && own->letter == letter) {
            out->own = own;
            return true;
        }
    }
    for (size_t i = 0; weir_option_at(i); i++) {
        const weir_option *o = weir_option_at(i);
        if (!(option_commands(o) & commands))
            continue;
        if (name ? long_is(o->flag, name, n) || long_is(o->alias, name, n)
                 : o->letter && o->letter == letter) {
            out->option = o;
            return true;
        }
    }
    return false;
}

const char *flag_argument(const struct flag *flag)
{
    return flag->own ? flag->own->arg : flag->option->arg;
}

unsigned flag_commands(const struct flag *flag)
{
    return flag->own ? flag->own->commands : option_commands(flag->option);
}

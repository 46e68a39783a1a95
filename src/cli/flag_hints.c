/* What to say about a flag that is not one of weir's, or means something else here. Main thread.
 *
 * Fingers trained by curl, wget, aria2, grep, rg and jq get a hint, not a surprise: the same letter
 * means something else in each of them, so a guess would now and then do the wrong thing silently.
 */
#include "cli/flag_hints.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct hint {
    unsigned commands;
    const char *flag;
    const char *means;
};

#define SYNTAX "expressions are PCRE2 (as of grep -P) anyway; leave it out"
#define WORD_BOUNDS "write the bounds into the expression: -e '\\bWORD\\b'"
#define LINE_BOUNDS "write the bounds into the expression: -e '^(?:REGEX)$'"
#define BYTES_ANYWAY "bodies are taken as bytes anyway; leave it out"
#define WHICH_URLS "use -m 1 --with-url: the first kept line of each URL"
#define NO_ORDER_OF_KEYS "keys stay in the order of the program or the record"
#define ONE_RECORD "a program sees one record at a time"
#define LISTEN "use --listen ADDR:PORT, or --listen :PORT for all addresses"
#define SERVED_FOLDER "the folder is the last word: weir serve DIR"

/* The first row that fits counts. */
static const struct hint hints[] = {
    {FOR_FILTER, "-v", "use --invert to keep the lines that do not match, or --verbose"},
    {FOR_FILTER, "-r", "-i LIST names the URLs; to rewrite lines, pipe them through sed"},
    {FOR_FILTER, "-w", WORD_BOUNDS},
    {FOR_FILTER, "-x", LINE_BOUNDS},
    {FOR_FILTER, "-l", WHICH_URLS},
    {FOR_FILTER, "-L", "use --count: the URLs with 0; redirects are followed anyway"},
    {FOR_FILTER, "-E", SYNTAX},
    {FOR_FILTER, "-P", SYNTAX},
    {FOR_FILTER, "-G", SYNTAX},
    {FOR_FILTER, "-g", "-i LIST names the URLs"},
    {FOR_FILTER, "-S", "use --ignore-case"},
    {FOR_FILTER, "-y", "use --ignore-case"},
    {FOR_FILTER, "-a", BYTES_ANYWAY},
    {FOR_FILTER, "-U", BYTES_ANYWAY},
    {FOR_FILTER, "-z", "compressed bodies are decoded anyway (--decode); lines end in a newline"},
    {FOR_FILTER, "-b", "use -n for line numbers"},
    {FOR_FILTER, "-N", "line numbers are written with -n only; leave it out"},
    {FOR_FILTER, "-p", "use --with-url and -n"},
    {FOR_FILTER, "-I", "--with-url is off unless it is given; leave it out"},
    {FOR_FILTER, "-M", "use --max-line BYTES; a longer line is skipped"},
    {FOR_FILTER, "-R", "-i LIST names the URLs"},
    {FOR_FILTER, "--word-regexp", WORD_BOUNDS},
    {FOR_FILTER, "--line-regexp", LINE_BOUNDS},
    {FOR_FILTER, "--files-with-matches", WHICH_URLS},
    {FOR_FILTER, "--files-without-match", "use --count: the URLs with 0"},
    {FOR_FILTER, "--with-filename", "use --with-url"},
    {FOR_FILTER, "--no-filename", "URLs are written with --with-url only; leave it out"},
    {FOR_FILTER, "--extended-regexp", SYNTAX},
    {FOR_FILTER, "--perl-regexp", SYNTAX},
    {FOR_FILTER, "--basic-regexp", SYNTAX},
    {FOR_FILTER, "--pcre2", SYNTAX},
    {FOR_FILTER, "--smart-case", "use --ignore-case"},
    {FOR_FILTER, "--search-zip", "compressed bodies are decoded anyway (--decode); leave it out"},
    {FOR_FILTER, "--text", BYTES_ANYWAY},
    {FOR_FILTER, "--max-columns", "use --max-line BYTES; a longer line is skipped"},
    {FOR_FILTER, "--color", "lines are written as they are; leave it out"},
    {FOR_FILTER, "--colour", "lines are written as they are; leave it out"},
    {FOR_FILTER, "--glob", "-i LIST names the URLs"},
    {FOR_FILTER, "--replace", "to rewrite lines, pipe them through sed"},
    {FOR_FILTER, "--line-buffered", "lines are written as they come; leave it out"},
    {FOR_FILTER, "--sort", "use --in-order for the order of the list"},
    {FOR_JSONL, "-r", "use --raw"},
    {FOR_JSONL, "-e", "write the program after --jq; that nothing is put out is no error"},
    {FOR_JSONL, "-n", "every record is an input; " ONE_RECORD},
    {FOR_JSONL, "-R", "use weir filter for lines that are no JSON"},
    {FOR_JSONL, "-S", NO_ORDER_OF_KEYS},
    {FOR_JSONL, "-C", "records are written without colours; leave it out"},
    {FOR_JSONL, "-M", "records are written without colours; leave it out"},
    {FOR_JSONL, "-a", "strings stay as they are; leave it out"},
    {FOR_JSONL, "-f", "use --jq \"$(cat FILE)\""},
    {FOR_JSONL, "-F", "use --jq 'select(.KEY == \"VALUE\")', or weir filter -F STRING"},
    {FOR_JSONL, "--raw-input", "use weir filter for lines that are no JSON"},
    {FOR_JSONL, "--compact-output", "each result is one line anyway; leave it out"},
    {FOR_JSONL, "--null-input", "every record is an input; " ONE_RECORD},
    {FOR_JSONL, "--slurp", ONE_RECORD},
    {FOR_JSONL, "--stream", ONE_RECORD},
    {FOR_JSONL, "--seq", "each result is one line"},
    {FOR_JSONL, "--tab", "each result is one line; pipe it through jq to indent it"},
    {FOR_JSONL, "--indent", "each result is one line; pipe it through jq to indent it"},
    {FOR_JSONL, "--join-output", "each result is one line; --raw leaves out the quotes"},
    {FOR_JSONL, "--sort-keys", NO_ORDER_OF_KEYS},
    {FOR_JSONL, "--exit-status", "that nothing is put out is no error"},
    {FOR_JSONL, "--from-file", "use --jq \"$(cat FILE)\""},
    {FOR_JSONL, "--arg", "write the value into the program"},
    {FOR_JSONL, "--argjson", "write the value into the program"},
    {FOR_JSONL, "--args", "write the values into the program"},
    {FOR_JSONL, "--slurpfile", "write the values into the program"},
    {FOR_JSONL, "--rawfile", "write the value into the program"},
    {FOR_PUT, "-T", "the file stands before the URL: weir put FILE URL; leave out the -T of curl"},
    {FOR_PUT, "-X", "use --method PUT|POST"},
    {FOR_PUT, "-r", "a folder is sent with all that is in it; leave it out"},
    {FOR_PUT, "-R", "a folder is sent with all that is in it; leave it out"},
    {FOR_PUT, "-o", "what the server answers is not kept; --report FILE tells what became of each"},
    {FOR_PUT, "--recursive", "a folder is sent with all that is in it; leave it out"},
    {FOR_ALL, "--upload-file", "use weir put FILE URL"},
    {FOR_ALL, "--post-file", "use weir put --method POST FILE URL"},
    {FOR_ALL, "--data-binary", "use weir put --method POST FILE URL"},
    {FOR_ALL, "--request", "use weir put --method PUT|POST FILE URL"},
    {FOR_ALL, "-O",
     "weir names files by itself; use -o NAME for one file, -o - for standard output"},
    {FOR_ALL, "-J", "use -s save.content_disposition=yes to take names from the server"},
    {FOR_ALL_BUT_LINES, "-P", "use -d DIR"},
    {FOR_ALL_BUT_LINES, "-nc", "files that exist are skipped anyway (--on-exist skip)"},
    {FOR_ALL_BUT_LINES, "-nd", "files go into one folder unless --tree is given"},
    {FOR_ALL_BUT_LINES, "-nH",
     "--tree keeps the host as the first folder; use --name '{path}' without it"},
    {FOR_ALL_BUT_LINES, "-np", "weir fetches what a list names; it does not crawl"},
    {FOR_ALL_BUT_LINES, "-nv", "use -q for errors only, or --progress plain"},
    {FOR_ALL_BUT_LINES, "-N", "use --on-exist update"},
    {FOR_ALL_BUT_LINES, "-C", "weir always resumes; leave it out"},
    {FOR_ALL_BUT_LINES, "-x",
     "use -j N for transfers at once, --per-host N for one host; --proxy URL for a proxy"},
    {FOR_ALL, "-k", "use --insecure"},
    {FOR_ALL, "-L", "weir follows redirects by itself; leave it out"},
    {FOR_ALL_BUT_LINES, "-A", "use --user-agent TEXT"},
    {FOR_ALL_BUT_LINES, "-U", "use --user-agent TEXT (wget), --user NAME:PASSWORD (curl)"},
    {FOR_ALL_BUT_LINES, "-u", "use --user NAME:PASSWORD"},
    {FOR_ALL_BUT_LINES, "-t", "use --retries N"},
    {FOR_ALL_BUT_LINES, "-T", "use --stall-timeout TIME or --connect-timeout TIME"},
    {FOR_ALL_BUT_LINES, "-w", "use --host-rate N/s"},
    {FOR_ALL, "-Z", "weir always works in parallel; use -j N"},
    {FOR_ALL_BUT_LINES, "-f", "weir never saves an error page; leave it out"},
    {FOR_ALL_BUT_LINES, "-S", "errors are always shown; leave it out"},
    {FOR_ALL, "-sS", "use -q; errors are always shown"},
    {FOR_ALL, "-sL", "use -q; redirects are followed"},
    {FOR_ALL, "-sSL", "use -q; errors are always shown and redirects followed"},
    {FOR_ALL_BUT_LINES, "-r",
     "weir fetches what a list names; it does not crawl, nor ask for ranges"},
    {FOR_ALL_BUT_LINES, "-m",
     "weir fetches what a list names; it does not crawl (--tree keeps the folders)"},
    {FOR_ALL_BUT_LINES, "-b", "use --cookie-file FILE"},
    {FOR_ALL, "--output-dir", "use -d DIR"},
    {FOR_ALL, "--directory-prefix", "use -d DIR"},
    {FOR_ALL, "--output-document", "use -o NAME"},
    {FOR_ALL, "--out", "use -o NAME"},
    {FOR_ALL, "--remote-name", "weir names files by itself; leave it out"},
    {FOR_ALL, "--remote-name-all", "weir names files by itself; leave it out"},
    {FOR_ALL, "--remote-header-name", "use -s save.content_disposition=yes"},
    {FOR_ALL, "--create-dirs", "folders are made as needed; leave it out"},
    {FOR_ALL, "--input-file", "use -i FILE"},
    {FOR_ALL, "--continue", "weir always resumes; leave it out"},
    {FOR_ALL, "--continue-at", "weir always resumes; leave it out"},
    {FOR_RUNS | FOR_PUT, "--no-clobber", "files that exist are skipped anyway (--on-exist skip)"},
    {FOR_RUNS | FOR_PUT, "--timestamping", "use --on-exist update"},
    {FOR_ALL, "--location", "weir follows redirects by itself; leave it out"},
    {FOR_ALL, "--fail", "weir never saves an error page; leave it out"},
    {FOR_ALL, "--silent", "use -q"},
    {FOR_ALL, "--parallel", "weir always works in parallel; use -j N"},
    {FOR_ALL, "--parallel-max", "use -j N"},
    {FOR_ALL, "--max-threads", "use -j N"},
    {FOR_ALL, "--max-concurrent-downloads", "use -j N"},
    {FOR_ALL, "--max-connection-per-server", "use --per-host N"},
    {FOR_RUNS | FOR_PREFETCH, "--split",
     "use --segments N for ranges of one file, -j N for files at once"},
    {FOR_ALL, "--retry", "use --retries N"},
    {FOR_ALL, "--tries", "use --retries N"},
    {FOR_ALL, "--max-tries", "use --retries N"},
    {FOR_ALL, "--wait", "use --host-rate N/s"},
    {FOR_ALL, "--max-download-limit", "use --bandwidth BYTES/s"},
    {FOR_ALL, "--max-overall-download-limit", "use --bandwidth BYTES/s"},
    {FOR_ALL, "--no-check-certificate", "use --insecure"},
    {FOR_ALL, "--read-timeout", "use --stall-timeout TIME"},
    {FOR_ALL, "--max-redirect", "use --max-redirects N"},
    {FOR_ALL, "--max-redirection", "use --max-redirects N"},
    {FOR_ALL, "--http-user", "use --user NAME:PASSWORD"},
    {FOR_ALL, "--conf-path", "use -c FILE"},
    {FOR_ALL, "--ca-certificate", "use --ca-file FILE"},
    {FOR_ALL, "--load-cookies", "use --cookie-file FILE"},
    {FOR_ALL, "--cookie", "use -H 'Cookie: NAME=VALUE'"},
    {FOR_RUNS | FOR_PREFETCH, "--force-directories", "use --tree"},
    {FOR_ALL, "--recursive", "weir fetches what a list names; it does not crawl"},
    {FOR_RUNS | FOR_PREFETCH, "--mirror",
     "weir fetches what a list names; it does not crawl (--tree keeps the folders)"},
    {FOR_ALL, "--http2", "use -s http.version=2"},
    {FOR_SERVE, "-p", LISTEN},
    {FOR_SERVE, "-b", LISTEN},
    {FOR_SERVE, "-l", LISTEN},
    {FOR_SERVE, "-d", SERVED_FOLDER},
    {FOR_SERVE, "-u", "use --token TOKEN|@FILE"},
    {FOR_SERVE, "--port", LISTEN},
    {FOR_SERVE, "--bind", LISTEN},
    {FOR_SERVE, "--address", LISTEN},
    {FOR_SERVE, "--host", LISTEN},
    {FOR_SERVE, "--directory", SERVED_FOLDER},
    {FOR_SERVE, "--dir", SERVED_FOLDER},
    {FOR_SERVE, "--root", SERVED_FOLDER},
    {FOR_SERVE, "--auth", "use --token TOKEN|@FILE"},
    {FOR_SERVE, "--user", "use --token TOKEN|@FILE"},
    {FOR_SERVE, "--cert", "use --tls-cert FILE"},
    {FOR_SERVE, "--key", "use --tls-key FILE"},
};

const char *flag_hint(enum command command, const char *word)
{
    size_t n = word[0] == '-' && word[1] == '-' ? strcspn(word, "=") : strlen(word);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (hints[i].commands & 1U << command && strlen(hints[i].flag) == n &&
            memcmp(hints[i].flag, word, n) == 0)
            return hints[i].means;
    }
    return NULL;
}

/* ---- values that tell what somebody meant by a letter ---- */

static bool is_flag(const char *value)
{
    return value[0] == '-' && value[1];
}

static bool is_flag_or_url(const char *value)
{
    return is_flag(value) || strstr(value, "://");
}

static bool is_url(const char *value)
{
    return strstr(value, "://") != NULL;
}

static bool is_no_list(const char *value)
{
    return is_flag(value) || (strcmp(value, "-") != 0 && !is_url(value) && access(value, F_OK));
}

static bool is_no_file(const char *value)
{
    struct stat info;
    return is_flag_or_url(value) || stat(value, &info) || S_ISDIR(info.st_mode);
}

static bool is_no_header(const char *value)
{
    return is_flag_or_url(value) || (value[0] != '@' && !strpbrk(value, ":;"));
}

static bool is_no_setting(const char *value)
{
    return !strchr(value, '=');
}

static bool is_no_number(const char *value)
{
    return !*value || value[strspn(value, "0123456789")];
}

static bool is_letter_flag(const char *value)
{
    return is_flag(value) && !value[2];
}

static const struct {
    unsigned commands;
    char letter;
    bool (*suspect)(const char *value);
    const char *means;
} other_meanings[] = {
    {FOR_FILTER, 'i', is_no_list,
     "there is no file of that name, and -i takes a list of URLs (a file, a URL or -); to ignore "
     "case, type --ignore-case"},
    {FOR_FILTER, 'c', is_no_file,
     "-c takes a configuration file, and there is none of that name; did you mean --count?"},
    {FOR_FILTER, 'o', is_flag_or_url,
     "-o takes the name of a file for the results; did you mean --only-matching?"},
    {FOR_FILTER, 'H', is_no_header,
     "-H takes a request header, 'Name: value'; did you mean --with-url?"},
    {FOR_FILTER, 's', is_no_setting,
     "write -s SECTION.KEY=VALUE; errors are always shown, so leave out the -s of grep"},
    {FOR_FILTER, 'F', is_letter_flag,
     "-F takes the string to look for; -F is no mode (for this very string type --literal=STRING)"},
    {FOR_JSONL, 'c', is_no_file,
     "-c takes a configuration file, and there is none of that name; each result is one line "
     "anyway, so leave out the -c of jq"},
    {FOR_JSONL, 's', is_no_setting,
     "write -s SECTION.KEY=VALUE; " ONE_RECORD ", so leave out the -s of jq"},
    {FOR_JSONL, 'j', is_no_number, "-j takes the number of transfers; did you mean --raw?"},
    {FOR_ALL_BUT_LINES, 'c', is_url,
     "-c takes a configuration file here; weir always resumes, so leave out the -c of wget"},
};

const char *flag_other_meaning(enum command command, char letter)
{
    for (size_t i = 0; i < sizeof other_meanings / sizeof *other_meanings; i++) {
        if (other_meanings[i].letter == letter && other_meanings[i].commands & 1U << command)
            return other_meanings[i].means;
    }
    return NULL;
}

const char *flag_value_hint(enum command command, char letter, const char *value)
{
    for (size_t i = 0; i < sizeof other_meanings / sizeof *other_meanings; i++) {
        if (other_meanings[i].letter == letter && other_meanings[i].commands & 1U << command &&
            other_meanings[i].suspect(value))
            return other_meanings[i].means;
    }
    return NULL;
}

const char *word_hint(const struct arguments *a, const char *word)
{
    struct stat info;
    /* "." is a folder and a program. */
    if (stat(word, &info) == 0 && !S_ISDIR(info.st_mode))
        return NULL;
    if (a->command == COMMAND_FILTER && !a->filter.pattern_count)
        return "patterns are given with -e: weir filter -e REGEX URL...";
    if (a->command == COMMAND_JSONL && !a->jsonl.program)
        return "the program is given with --jq: weir jsonl --jq PROGRAM URL...";
    return NULL;
}

/* Edits (insert, delete, replace, swap of neighbours) that turn a into b. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][64];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    if (na > 63 || nb > 63)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[nb];
}

static void consider(const char *candidate, const char *name, size_t n, const char **best,
                     size_t *best_distance)
{
    if (!candidate)
        return;
    size_t length = strlen(candidate);
    size_t distance = edit_distance(name, n, candidate, length);
    /* --rep: the beginning of a flag is as good as a slip of the finger. */
    if (n >= 3 && n < length && memcmp(name, candidate, n) == 0)
        distance = 1;
    if (distance < *best_distance) {
        *best_distance = distance;
        *best = candidate;
    }
}

const char *flag_nearest(enum command command, const char *name, size_t n)
{
    const char *best = NULL;
    size_t distance = n / 3 + 1;
    if (distance > 4)
        distance = 4;
    for (size_t i = 0; own_flag_at(i); i++) {
        if (!(own_flag_at(i)->commands & 1U << command))
            continue;
        consider(own_flag_at(i)->flag, name, n, &best, &distance);
        consider(own_flag_at(i)->alias, name, n, &best, &distance);
    }
    for (size_t i = 0; weir_option_at(i); i++) {
        if (!(option_commands(weir_option_at(i)) & 1U << command))
            continue;
        consider(weir_option_at(i)->flag, name, n, &best, &distance);
        consider(weir_option_at(i)->alias, name, n, &best, &distance);
    }
    return best;
}

/* What to say about a flag that is not one of weir's. Main thread.
 *
 * Fingers trained by curl, wget and aria2 get a hint, not a surprise: the same letter means
 * something else in each of them, so a guess would now and then do the wrong thing silently.
 */
#include "cli/flag_hints.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct hint {
    const char *flag;
    const char *means;
};

static const struct hint hints[] = {
    {"-O", "weir names files by itself; use -o NAME for one file, -o - for standard output"},
    {"-J", "use -s save.content_disposition=yes to take names from the server"},
    {"-P", "use -d DIR"},
    {"-nc", "files that exist are skipped anyway (--on-exist skip)"},
    {"-nd", "files go into one folder unless --tree is given"},
    {"-nH", "--tree keeps the host as the first folder; use --name '{path}' without it"},
    {"-np", "weir fetches what a list names; it does not crawl"},
    {"-nv", "use -q for errors only, or --progress plain"},
    {"-N", "--on-exist update is not in this version; --on-exist overwrite fetches again"},
    {"-C", "weir always resumes; leave it out"},
    {"-x", "use -j N for transfers at once, --per-host N for one host; --proxy URL for a proxy"},
    {"-k", "use --insecure"},
    {"-L", "weir follows redirects by itself; leave it out"},
    {"-A", "use --user-agent TEXT"},
    {"-U", "use --user-agent TEXT (wget), --user NAME:PASSWORD (curl)"},
    {"-u", "use --user NAME:PASSWORD"},
    {"-t", "use --retries N"},
    {"-T", "use --stall-timeout TIME or --connect-timeout TIME"},
    {"-w", "use --host-rate N/s"},
    {"-Z", "weir always works in parallel; use -j N"},
    {"-f", "weir never saves an error page; leave it out"},
    {"-S", "errors are always shown; leave it out"},
    {"-sS", "use -q; errors are always shown"},
    {"-sL", "use -q; redirects are followed"},
    {"-sSL", "use -q; errors are always shown and redirects followed"},
    {"-r", "weir fetches what a list names; it does not crawl, nor ask for ranges"},
    {"-m", "weir fetches what a list names; it does not crawl (--tree keeps the folders)"},
    {"-b", "use --cookie-file FILE"},
    {"--output-dir", "use -d DIR"},
    {"--directory-prefix", "use -d DIR"},
    {"--output-document", "use -o NAME"},
    {"--out", "use -o NAME"},
    {"--remote-name", "weir names files by itself; leave it out"},
    {"--remote-name-all", "weir names files by itself; leave it out"},
    {"--remote-header-name", "use -s save.content_disposition=yes"},
    {"--create-dirs", "folders are made as needed; leave it out"},
    {"--input-file", "use -i FILE"},
    {"--continue", "weir always resumes; leave it out"},
    {"--continue-at", "weir always resumes; leave it out"},
    {"--no-clobber", "files that exist are skipped anyway (--on-exist skip)"},
    {"--timestamping", "--on-exist update is not in this version"},
    {"--location", "weir follows redirects by itself; leave it out"},
    {"--fail", "weir never saves an error page; leave it out"},
    {"--silent", "use -q"},
    {"--parallel", "weir always works in parallel; use -j N"},
    {"--parallel-max", "use -j N"},
    {"--max-threads", "use -j N"},
    {"--max-concurrent-downloads", "use -j N"},
    {"--max-connection-per-server", "use --per-host N"},
    {"--split", "weir fetches a file over one connection; use -j N for more files at once"},
    {"--retry", "use --retries N"},
    {"--tries", "use --retries N"},
    {"--max-tries", "use --retries N"},
    {"--wait", "use --host-rate N/s"},
    {"--max-download-limit", "use --bandwidth BYTES/s"},
    {"--max-overall-download-limit", "use --bandwidth BYTES/s"},
    {"--no-check-certificate", "use --insecure"},
    {"--read-timeout", "use --stall-timeout TIME"},
    {"--max-redirect", "use --max-redirects N"},
    {"--max-redirection", "use --max-redirects N"},
    {"--http-user", "use --user NAME:PASSWORD"},
    {"--conf-path", "use -c FILE"},
    {"--ca-certificate", "use --ca-file FILE"},
    {"--load-cookies", "use --cookie-file FILE"},
    {"--cookie", "use -H 'Cookie: NAME=VALUE'"},
    {"--force-directories", "use --tree"},
    {"--recursive", "weir fetches what a list names; it does not crawl"},
    {"--mirror", "weir fetches what a list names; it does not crawl (--tree keeps the folders)"},
    {"--http2", "use -s http.version=2"},
    {"--segments", "fetching one file in ranges is not in this version"},
    {"--checksum", "checksums are not in this version"},
    {"--journal", "the journal is not in this version; --report and --failed keep what happened"},
    {"--decode", "decoding is not in this version; get saves bodies as sent"},
};

const char *flag_hint(const char *word)
{
    size_t n = word[0] == '-' && word[1] == '-' ? strcspn(word, "=") : strlen(word);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (strlen(hints[i].flag) == n && memcmp(hints[i].flag, word, n) == 0)
            return hints[i].means;
    }
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

const char *flag_nearest(const char *name, size_t n)
{
    const char *best = NULL;
    size_t distance = n / 3 + 1;
    if (distance > 4)
        distance = 4;
    for (size_t i = 0; own_flag_at(i); i++)
        consider(own_flag_at(i)->flag, name, n, &best, &distance);
    for (size_t i = 0; weir_option_at(i); i++) {
        consider(weir_option_at(i)->flag, name, n, &best, &distance);
        consider(weir_option_at(i)->alias, name, n, &best, &distance);
    }
    return best;
}

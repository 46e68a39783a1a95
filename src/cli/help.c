/* Help, made from the tables of flags, so that it cannot fall behind them. Main thread.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "cli/display_text.h"

enum { WIDTH = 79, HELP_COLUMN = 30 };

/* Headings in the order in which a person asks, and the sections of options beneath them. */
static const struct {
    const char *heading;
    unsigned commands;
    const char *sections[3];
} groups[] = {
    {"Serving", FOR_SERVE, {"serve"}},
    {"Which lines", FOR_FILTER, {"filter"}},
    {"Which records", FOR_JSONL, {"jsonl", "filter"}},
    {"What is written", FOR_LINES, {NULL}},
    {"What is sent", FOR_PUT, {"put"}},
    {"Input", FOR_ALL, {"input"}},
    {"What is checked", FOR_VERIFY, {NULL}},
    {"What is kept ready", FOR_PREFETCH, {"prefetch"}},
    {"Where files go", FOR_GET | FOR_VERIFY | FOR_PREFETCH, {"save"}},
    {"Where results go", FOR_LINES, {"save"}},
    {"Limits", FOR_ALL, {"run", "limits"}},
    {"Retries", FOR_ALL, {"retry"}},
    {"Network", FOR_ALL, {"http"}},
    {"Reports and progress", FOR_ALL, {"report", "progress", "journal"}},
    {"General", FOR_CONFIGURED, {NULL}},
};

/* `text` between HELP_COLUMN and the right edge; `column` is where the cursor stands. */
static void print_wrapped(const char *text, int column)
{
    if (column + 2 > HELP_COLUMN) {
        printf("\n");
        column = 0;
    }
    printf("%*s", HELP_COLUMN - column, "");
    int at = HELP_COLUMN;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (at > HELP_COLUMN && at + 1 + word > WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        }
        at += printf("%s%.*s", at > HELP_COLUMN ? " " : "", word, text);
        text += word;
        text += strspn(text, " ");
    }
    printf("\n");
}

static void print_flag(char letter, const char *flag, const char *arg, const char *help)
{
    int column = letter ? printf("  -%c, --%s", letter, flag) : printf("      --%s", flag);
    if (arg)
        column += printf(" %s", arg);
    print_wrapped(help, column);
}

static void print_own(const struct own_flag *own)
{
    char help[512];
    struct text t = text_in(help, sizeof help);
    text_add(&t, own->help);
    if (own->alias)
        text_addf(&t, " (also --%s)", own->alias);
    print_flag(own->letter, own->flag, own->arg, help);
}

static void print_option(const weir_option *o, unsigned command)
{
    char help[512];
    struct text t = text_in(help, sizeof help);
    /* Its default does not turn lines into files. */
    bool results = command & FOR_LINES && !strcmp(o->section, "save") && !strcmp(o->key, "dir");
    text_add(&t, results
                     ? "write the results of each URL to a file of its own in this folder, made "
                       "if missing"
                     : o->help);
    if (o->alias)
        text_addf(&t, " (also --%s)", o->alias);
    if (o->arg && *o->value && !results)
        text_addf(&t, " [%s]", o->value);
    print_flag(o->letter, o->flag, o->arg, help);
}

static void print_group(size_t g, unsigned command)
{
    printf("\n%s\n", groups[g].heading);
    for (size_t i = 0; own_flag_at(i); i++) {
        const struct own_flag *own = own_flag_at(i);
        if (own->commands & command && strcmp(own->group, groups[g].heading) == 0)
            print_own(own);
    }
    for (size_t i = 0; weir_option_at(i); i++) {
        const weir_option *o = weir_option_at(i);
        for (size_t s = 0; s < 3 && o->flag && groups[g].sections[s]; s++) {
            if (option_commands(o) & command && strcmp(o->section, groups[g].sections[s]) == 0)
                print_option(o, command);
        }
    }
}

static void print_flags(enum command command)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        if (groups[g].commands & 1U << command)
            print_group(g, 1U << command);
    }
    printf("\nOptions without a flag are set by -s or in the INI file; weir config lists them.\n");
}

static void print_exit_codes(bool lines)
{
    printf("\nExit codes\n"
           "  0    all well%s\n"
           "  1    some URLs failed; the rest are done\n"
           "  2    the command line, the configuration or a list cannot be used\n"
           "  3    local trouble stopped the run: disk full, folder not writable\n"
           "  4    only checksums or validators refused some files\n"
           "  130  interrupted (143: by SIGTERM); the same command goes on%s\n"
           "  141  the reader of standard output went away\n",
           lines ? ", also when nothing matched" : "", lines ? " where -d is given" : "");
}

static void print_get(void)
{
    printf("weir get [FLAGS] [URL...] [-i LIST]...\n"
           "  Saves the body of each URL to a file. \"weir URL\" means \"weir get URL\".\n"
           "  A list has one URL a line, or is a manifest: TSV, CSV or JSONL with names,\n"
           "  sizes and digests, sha256sum's output, an input file of aria2, a Metalink, or\n"
           "  patterns as in shard_{000..999}.tar; .gz and .zst are read as they are.\n"
           "  What an earlier run has begun is continued; what exists is skipped.\n"
           "\n"
           "  weir https://example.org/a.iso        one file, into the current folder\n"
           "  weir -i urls.txt -d out -j 32         a list, 32 at a time, into out/\n"
           "  zcat urls.gz | weir -i - --failed again.tsv   and keep a list of failures\n");
    print_flags(COMMAND_GET);
    print_exit_codes(false);
}

static void print_filter(void)
{
    printf("weir filter [FLAGS] -e REGEX... [URL...] [-i LIST]...\n"
           "  Keeps the lines that match while the bodies stream, and writes them to standard\n"
           "  output. Compressed bodies (.gz .zst .xz .bz2 .br) are recognised and decoded.\n"
           "  Expressions are PCRE2 on bytes, as in LC_ALL=C grep -P. Lines of different URLs\n"
           "  may mix, but none is torn, and when a connection drops none is lost or written\n"
           "  twice. That nothing matches is no error (grep differs).\n"
           "\n"
           "  weir filter -e ERROR https://example.org/a.log.gz     the lines with ERROR\n"
           "  weir filter -i urls.txt -F 10.0.0.7 --with-url        after URL and TAB\n"
           "  weir filter -i urls.txt -e 'timeout \\d+' --count      a number for each URL\n"
           "  weir filter -i urls.txt -f patterns.txt -d kept       a file for each URL\n"
           "\n"
           "  A line ends with a newline, or where the body ends; a CR before the newline is\n"
           "  part of it. NUL and bytes that are no UTF-8 are bytes like any other. A line\n"
           "  longer than --max-line is skipped, counted and said.\n");
    print_flags(COMMAND_FILTER);
    print_exit_codes(true);
}

static void print_jsonl(void)
{
    printf("weir jsonl [FLAGS] --jq PROGRAM [URL...] [-i LIST]...\n"
           "  Runs a jq program on each record, one JSON text a line, while the bodies stream,\n"
           "  and writes what it puts out, one a line, to standard output. A record that is\n"
           "  only selected passes byte for byte. Compressed bodies (.gz .zst .xz .bz2 .br)\n"
           "  are recognised and decoded. A program sees one record at a time; input and\n"
           "  inputs are refused. That nothing is put out is no error.\n"
           "\n"
           "  weir jsonl --jq 'select(.level == \"error\")' https://example.org/a.jsonl.gz\n"
           "  weir jsonl -i urls.txt --jq '{id, user: .user.name}' -o users.jsonl\n"
           "  weir jsonl -i urls.txt --jq '.user.name' --raw -d names\n"
           "\n"
           "  Empty lines are left out. A line that is no JSON, or on which the program fails,\n"
           "  is a bad record: skipped, counted and said, unless --bad-records says otherwise.\n");
    print_flags(COMMAND_JSONL);
    print_exit_codes(true);
}

static void print_verify(void)
{
    printf("weir verify [FLAGS] -i MANIFEST -d DIR\n"
           "  Compares the files in DIR with the sizes and digests of a manifest, on all\n"
           "  processors, without the network. What the manifest says nothing of is counted as\n"
           "  not checked.\n"
           "\n"
           "  weir verify -i SHA256SUMS -d mirror\n"
           "  weir verify -i manifest.tsv -d mirror --repair   fetches what is missing or wrong\n");
    print_flags(COMMAND_VERIFY);
    printf("\nExit codes\n"
           "  0    all that can be checked is right (after --repair: has been made right)\n"
           "  1    some lines of the list cannot be read, or some files, or not be fetched\n"
           "  2    the command line, the configuration or a list cannot be used\n"
           "  3    local trouble stopped the run\n"
           "  4    some files are missing or wrong\n"
           "  130  interrupted\n");
}

static void print_prefetch(void)
{
    printf("weir prefetch [FLAGS] -i SHARDS -d CACHE\n"
           "  Keeps the next shards of a list ready in CACHE for whoever reads them in order,\n"
           "  and deletes each when it is done with. What is ready is told on standard output,\n"
           "  what is done with is read from standard input; or both go over --socket.\n"
           "\n"
           "  weir prefetch -i shards.txt -d cache --budget 20G --socket cache.sock\n"
           "  coproc weir prefetch -i shards.txt -d cache --ahead 4     with pipes, in bash\n"
           "\n"
           "  out   READY SEQ PATH, SKIPPED SEQ CLASS MESSAGE, FAILED SEQ CLASS MESSAGE, END\n"
           "  in    RELEASE SEQ  the file may go      COMMIT SEQ  all up to SEQ is done for good\n"
           "\n"
           "  The same command goes on behind the last commit. The protocol of the socket\n"
           "  stands in weir/prefetch.h; examples/python/weir.py speaks it.\n");
    print_flags(COMMAND_PREFETCH);
    printf("\nExit codes\n"
           "  0    all shards were given out and released\n"
           "  1    a shard could not be fetched (--on-bad fail)\n"
           "  2    the command line, the configuration or the list cannot be used\n"
           "  3    local trouble: the disk, or a shard that can never fit the budget\n"
           "  4    a shard was found bad (--on-bad fail)\n"
           "  130  interrupted; the same command goes on\n"
           "  141  the consumer has gone before the end; likewise\n");
}

static void print_put(void)
{
    printf(
        "weir put [FLAGS] FILE|-|DIR... URL\n"
        "weir put [FLAGS] -i LIST...\n"
        "  Sends files up, as streams, many at a time. A URL that ends in / is a folder: each\n"
        "  file goes below it under its name, a DIR with all that is in it, hidden files too;\n"
        "  partial files (.part), links that lead out of it and what is no file are left out.\n"
        "  - is standard input; what comes from a pipe goes in chunks, and is not tried again\n"
        "  once some of it has gone. A LIST names files and URLs: columns name and url, or a\n"
        "  name, a TAB and a URL in each line; with --base-url names of files alone will do.\n"
        "\n"
        "  weir put a.iso https://example.org/up/a.iso       one file\n"
        "  weir put results/ https://example.org/up/         what is in a folder\n"
        "  pg_dump db | weir put - https://example.org/up/db.sql\n"
        "  weir put -i files.tsv --failed again.tsv          a list, and one of the failures\n"
        "  weir put --aws-sigv4 aws:amz:eu-west-1:s3 a.iso https://BUCKET.s3.example.org/a.iso\n"
        "\n"
        "  A server that redirects by 307 or 308 is followed, by 301, 302 or 303 it is not: what\n"
        "  became of the body would be open. A file that changes while it is sent is broken off\n"
        "  before its last byte, so that no server takes it for whole, and sent once more.\n");
    print_flags(COMMAND_PUT);
    printf("\nExit codes\n"
           "  0    everything was sent, or was there already\n"
           "  1    some files could not be sent; the rest have been\n"
           "  2    the command line, the configuration or a list cannot be used\n"
           "  3    local trouble stopped the run\n"
           "  4    only files that changed, or are not what the list says, were refused\n"
           "  130  interrupted (143: by SIGTERM)\n");
}

static void print_serve(void)
{
    printf("weir serve [FLAGS] DIR\n"
           "  Serves the files in DIR over HTTP, to as many clients as come, in flat memory:\n"
           "  ranges, conditional requests, compressed siblings, listings (add ?json, or ?jsonl\n"
           "  for a list that -i takes). Links, files outside DIR, and .part files are never\n"
           "  served. Prints the URL it serves at. Loopback only, unless --listen says more.\n"
           "\n"
           "  weir serve mirror                                     on 127.0.0.1:8750\n"
           "  weir serve mirror --listen :8750 --token @token.txt   for others, with a token\n"
           "  weir serve inbox --upload && curl -T FILE http://127.0.0.1:8750/FILE\n"
           "  weir -i 'http://127.0.0.1:8750/data/?jsonl' -d data   all files of a folder\n");
    print_flags(COMMAND_SERVE);
    printf("\nExit codes\n"
           "  2    the command line, the configuration, the address or the token cannot be used\n"
           "  3    DIR or the access log cannot be opened, or the address cannot be had\n"
           "  130  stopped by Ctrl-C (143: by SIGTERM), after the answers under way; twice: at\n"
           "       once\n");
}

static void print_journal(void)
{
    printf("weir journal [FLAGS] FILE\n"
           "  Tells what the runs with --journal FILE did: how many records are done, and the\n"
           "  failures by class and host. Also while a run goes on.\n"
           "\n"
           "  weir journal mirror.db\n"
           "  weir journal mirror.db --failed again.tsv && weir -i again.tsv\n"
           "\n");
    for (size_t i = 0; own_flag_at(i); i++) {
        const struct own_flag *own = own_flag_at(i);
        if (own->id == OWN_JSON)
            print_flag(own->letter, own->flag, own->arg, own->help);
    }
    print_flag(0, "failed", "FILE",
               "write the records that have failed as a list that -i takes; "
               "- for standard output");
    printf("\nExit codes\n"
           "  0    the journal could be read, whatever it tells\n"
           "  2    there is no such file, it is no journal, or it is damaged\n"
           "  3    the file or the list cannot be read or written\n");
}

static void print_config(void)
{
    printf("weir config [FLAGS]\n"
           "  Prints every option: its value, where the value came from, and what it is\n"
           "  for. Secrets are hidden. Takes the flags of weir get, and shows their effect.\n"
           "\n");
    for (size_t i = 0; own_flag_at(i); i++) {
        const struct own_flag *own = own_flag_at(i);
        if (own->id == OWN_INI || own->id == OWN_CONFIG || own->id == OWN_NO_CONFIG ||
            own->id == OWN_SET)
            print_flag(own->letter, own->flag, own->arg, own->help);
    }
}

void help_print(enum command topic)
{
    switch (topic) {
    case COMMAND_VERIFY:
        print_verify();
        return;
    case COMMAND_PREFETCH:
        print_prefetch();
        return;
    case COMMAND_PUT:
        print_put();
        return;
    case COMMAND_SERVE:
        print_serve();
        return;
    case COMMAND_JOURNAL:
        print_journal();
        return;
    case COMMAND_CONFIG:
        print_config();
        return;
    case COMMAND_FILTER:
        print_filter();
        return;
    case COMMAND_JSONL:
        print_jsonl();
        return;
    case COMMAND_HELP:
        printf("weir %s: moves many bodies from URLs to where they are wanted, as streams\n\n"
               "Commands\n"
               "  weir get [URL...] [-i LIST]   save each body to a file; \"get\" may be left out\n"
               "  weir filter -e REGEX [URL...] [-i LIST]\n"
               "                                keep the lines that match\n"
               "  weir jsonl --jq PROGRAM [URL...] [-i LIST]\n"
               "                                filter and reshape JSON records\n"
               "  weir verify -i MANIFEST -d DIR\n"
               "                                check what is on disk\n"
               "  weir prefetch -i SHARDS -d CACHE\n"
               "                                keep the next shards ready for a consumer\n"
               "  weir put FILE|-|DIR... URL    send files up\n"
               "  weir serve DIR                serve the files of a folder\n"
               "  weir journal FILE             tell what runs with --journal did\n"
               "  weir config                   print every option, its value and its origin\n"
               "  weir help [COMMAND]           print this text, or that of one command\n\n",
               weir_version());
        break;
    case COMMAND_GET:
        break;
    }
    print_get();
}

void help_print_version(void)
{
    const char *stage;
    printf("weir %s\n", weir_version());
    for (size_t i = 0; weir_version_library(i); i++)
        printf("%s\n", weir_version_library(i));
    printf("stages:");
    for (size_t i = 0; (stage = weir_stage_name_at(i, NULL)); i++)
        printf(" %s", stage);
    printf("\n");
}

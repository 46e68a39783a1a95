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
    const char *sections[3];
} groups[] = {
    {"Input", {"input"}},          {"Where files go", {"save"}},
    {"Limits", {"run", "limits"}}, {"Retries", {"retry"}},
    {"Network", {"http"}},         {"Reports and progress", {"report", "progress"}},
    {"General", {NULL}},
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

static void print_option(const weir_option *o)
{
    char help[512];
    struct text t = text_in(help, sizeof help);
    text_add(&t, o->help);
    if (o->alias)
        text_addf(&t, " (also --%s)", o->alias);
    if (o->arg && *o->value)
        text_addf(&t, " [%s]", o->value);
    print_flag(o->letter, o->flag, o->arg, help);
}

static void print_group(size_t g)
{
    printf("\n%s\n", groups[g].heading);
    for (size_t i = 0; own_flag_at(i); i++) {
        const struct own_flag *own = own_flag_at(i);
        if (strcmp(own->group, groups[g].heading) == 0)
            print_flag(own->letter, own->flag, own->arg, own->help);
    }
    for (size_t i = 0; weir_option_at(i); i++) {
        const weir_option *o = weir_option_at(i);
        for (size_t s = 0; s < 3 && o->flag && groups[g].sections[s]; s++) {
            if (strcmp(o->section, groups[g].sections[s]) == 0)
                print_option(o);
        }
    }
}

static void print_exit_codes(void)
{
    printf("\nExit codes\n"
           "  0    all well\n"
           "  1    some URLs failed; the rest are done\n"
           "  2    the command line, the configuration or a list cannot be used\n"
           "  3    local trouble stopped the run: disk full, folder not writable\n"
           "  4    only checksums or validators refused some files\n"
           "  130  interrupted (143: by SIGTERM); the same command goes on\n"
           "  141  the reader of standard output went away\n");
}

static void print_get(void)
{
    printf("weir get [FLAGS] [URL...] [-i LIST]...\n"
           "  Saves the body of each URL to a file. \"weir URL\" means \"weir get URL\".\n"
           "  A list has one URL a line, or is a TSV file whose first line names the\n"
           "  columns (url, name, size, id); .gz and .zst lists are read as they are.\n"
           "  What an earlier run has begun is continued; what exists is skipped.\n"
           "\n"
           "  weir https://example.org/a.iso        one file, into the current folder\n"
           "  weir -i urls.txt -d out -j 32         a list, 32 at a time, into out/\n"
           "  zcat urls.gz | weir -i - --failed again.tsv   and keep a list of failures\n");
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        print_group(g);
    printf("\nOptions without a flag are set by -s or in the INI file; weir config lists them.\n");
    print_exit_codes();
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

void help_print(const char *topic)
{
    if (topic && strcmp(topic, "config") == 0) {
        print_config();
        return;
    }
    if (!topic || strcmp(topic, "help") == 0)
        printf("weir %s: moves many bodies from URLs to files, as streams\n\n"
               "Commands\n"
               "  weir get [URL...] [-i LIST]   save each body to a file; \"get\" may be left out\n"
               "  weir config                   print every option, its value and its origin\n"
               "  weir help [COMMAND]           print this text, or that of one command\n\n",
               weir_version());
    print_get();
}

void help_print_version(void)
{
    printf("weir %s\n", weir_version());
    for (size_t i = 0; weir_version_library(i); i++)
        printf("%s\n", weir_version_library(i));
}

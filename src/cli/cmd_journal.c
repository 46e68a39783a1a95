/* weir journal: what the runs with a journal did, and what failed as a list again. Main thread.
 */
#include "cli/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/display_text.h"

enum { LINE_BYTES = 4096, GROUPS_SHOWN = 20, FAILURE_COLUMNS = 18, HOST_COLUMNS = 44 };

static int journal_error(const weir_error *err)
{
    return status_error(COMMAND_JOURNAL, err->status, err->message);
}

static void add_when(struct text *t, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm local;
    char when[64];
    if (localtime_r(&seconds, &local) && strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local))
        text_addf(t, "; the last one ended %s", when);
}

static void print_totals(const char *path, const weir_journal_totals *t)
{
    char line[LINE_BYTES], n[SHOW_MAX], bytes[SHOW_MAX];
    struct text head = text_in(line, sizeof line);
    uint64_t all = t->done + t->failed + t->replacing;
    text_add_printable(&head, path);
    text_addf(&head, ": %s record%s", show_count(n, all), all == 1 ? "" : "s");
    if (*t->directory) {
        text_add(&head, " of ");
        text_add_printable(&head, t->directory);
    }
    if (t->last_ms)
        add_when(&head, t->last_ms);
    printf("%s\n", line);
    printf("  %s done, %s\n", show_count(n, t->done), show_bytes(bytes, t->bytes));
    printf("  %s failed\n", show_count(n, t->failed));
    if (t->replacing)
        printf("  %s cut off while a file was being replaced\n", show_count(n, t->replacing));
}

static void print_columns(const char *failure, const char *host, const char *count)
{
    char line[LINE_BYTES];
    struct text t = text_in(line, sizeof line);
    text_add(&t, failure);
    text_repeat(&t, " ", FAILURE_COLUMNS - text_columns(failure));
    int columns = text_add_cut(&t, host, HOST_COLUMNS);
    text_repeat(&t, " ", HOST_COLUMNS - columns);
    printf("%s%10s\n", line, count);
}

static void print_group(const weir_journal_failures *f)
{
    char failure[64], host[LINE_BYTES], n[SHOW_MAX];
    struct text t = text_in(failure, sizeof failure);
    text_add(&t, weir_status_name(f->error_class));
    if (f->http_status)
        text_addf(&t, " %d", f->http_status);
    t = text_in(host, sizeof host);
    text_add_printable(&t, f->host);
    print_columns(failure, host, show_count(n, f->count));
}

/* The largest groups, and how many failures there are besides. */
static weir_status print_failures(weir_journal *j, weir_error *err)
{
    weir_journal_failures f;
    weir_status st;
    uint64_t groups = 0, records = 0;
    char n[SHOW_MAX], m[SHOW_MAX];
    printf("\n");
    print_columns("failed", "at", "records");
    for (int shown = 0; (st = weir_journal_next_failures(j, &f, err)) == WEIR_OK; shown++) {
        if (shown < GROUPS_SHOWN) {
            print_group(&f);
            continue;
        }
        groups++;
        records += f.count;
    }
    if (groups)
        printf("%s more in %s smaller groups, which --json tells\n", show_count(n, records),
               show_count(m, groups));
    return st == WEIR_END ? WEIR_OK : st;
}

static void print_hint(const char *path)
{
    char line[LINE_BYTES];
    struct text t = text_in(line, sizeof line);
    text_add(&t, "\nto have them as a list that -i takes: weir journal ");
    text_add_shell_word(&t, path);
    text_add(&t, " --failed again.tsv\n");
    fputs(line, stdout);
}

static int print_text(weir_journal *j, const char *path, bool hint)
{
    weir_journal_totals totals;
    weir_error err;
    if (weir_journal_count(j, &totals, &err))
        return journal_error(&err);
    print_totals(path, &totals);
    if (!totals.failed)
        return EXIT_ALL_WELL;
    if (print_failures(j, &err))
        return journal_error(&err);
    if (hint)
        print_hint(path);
    return EXIT_ALL_WELL;
}

static int print_json(weir_journal *j)
{
    weir_error err;
    char *text = NULL;
    if (weir_journal_json(j, &text, &err))
        return journal_error(&err);
    printf("%s\n", text);
    free(text);
    return EXIT_ALL_WELL;
}

static const char *failed_list(const struct arguments *a)
{
    const struct setting *s = arguments_setting(a, "report.failed");
    return s ? s->value : NULL;
}

/* The list comes first: it is what was asked for, and standard output may be where it goes. */
static int run(weir_journal *j, const struct arguments *a)
{
    const struct journal_arguments *args = &a->journal;
    weir_error err;
    const char *list = failed_list(a);
    bool quiet = a->quiet || names_stdout(list);
    if (list && weir_journal_export_failed(j, list, NULL, &err))
        return journal_error(&err);
    if (args->json)
        return print_json(j);
    return quiet ? EXIT_ALL_WELL : print_text(j, args->file, !list);
}

int cmd_journal(const struct arguments *a)
{
    const struct journal_arguments *args = &a->journal;
    weir_journal *journal = NULL;
    weir_error err;
    if (!args->file)
        return usage_error(a->command, "which journal? weir journal FILE");
    if (args->json && names_stdout(failed_list(a)))
        return usage_error(a->command, "--json and --failed - both want standard output; name a "
                                       "file for the list");
    if (weir_journal_open(&journal, args->file, &err))
        return journal_error(&err);
    int code = run(journal, a);
    weir_journal_close(journal);
    return code;
}

/* What is said when a run has ended: what arrived, what failed by class, and what to type next.
 *
 * Main thread, after the engine's threads have ended.
 */
#include "cli/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/settings.h"

enum { LINE_BYTES = 2048, CODES_SHOWN = 5 };

static uint64_t left_of(const weir_stats *s)
{
    uint64_t ended = s->done + s->skipped + s->failed;
    return s->found > ended ? s->found - ended : 0;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void add_skipped(struct text *t, const weir_stats *s)
{
    char n[SHOW_MAX];
    uint64_t vouched = s->skipped - s->unchecked - s->duplicates;
    const char *comma = ": ";
    text_addf(t, "   [skipped %s", show_count(n, s->skipped));
    if (vouched && vouched <= s->skipped) {
        text_addf(t, "%s%s exist%s", comma, show_count(n, vouched), vouched == 1 ? "s" : "");
        comma = ", ";
    }
    if (s->unchecked) {
        text_addf(t, "%s%s not checked", comma, show_count(n, s->unchecked));
        comma = ", ";
    }
    if (s->duplicates)
        text_addf(t, "%s%s duplicate%s", comma, show_count(n, s->duplicates),
                  plural(s->duplicates));
    text_add(t, "]");
}

static void print_arrived(struct screen *screen, const weir_stats *s)
{
    char line[LINE_BYTES], n[SHOW_MAX];
    struct text t = text_in(line, sizeof line);
    text_addf(&t, "%s file%s", show_count(n, s->done), plural(s->done));
    text_addf(&t, ", %s", show_bytes(n, s->bytes));
    text_addf(&t, " in %s", show_duration(n, s->elapsed_ms));
    if (s->elapsed_ms > 0 && s->bytes > 0)
        text_addf(&t, " (%s)", show_speed(n, (double)s->bytes * 1000 / (double)s->elapsed_ms));
    if (s->skipped)
        add_skipped(&t, s);
    screen_say(screen, TONE_PLAIN, "%s", line);
}

/* "404: 7, 410: 2": the most frequent codes first. */
static void add_http_codes(struct text *t, const struct messages *m)
{
    uint64_t below = UINT64_MAX;
    int last = 0;
    for (int shown = 0; shown < CODES_SHOWN; shown++) {
        int best = 0;
        for (int code = 1; code < 600; code++) {
            uint64_t n = m->http_status[code];
            bool later = n < below || (n == below && code > last);
            if (n && later && (!best || n > m->http_status[best]))
                best = code;
        }
        if (!best)
            break;
        char n[SHOW_MAX];
        text_addf(t, "%s%d: %s", shown ? ", " : " (", best, show_count(n, m->http_status[best]));
        below = m->http_status[best];
        last = best;
    }
    if (last)
        text_add(t, ")");
}

static void print_failed(struct screen *screen, const weir_summary *summary,
                         const struct messages *m)
{
    char line[LINE_BYTES], n[SHOW_MAX];
    struct text t = text_in(line, sizeof line);
    text_addf(&t, "%s failed", show_count(n, summary->stats.failed));
    const char *before = ": ";
    uint64_t below = UINT64_MAX;
    int last = -1;
    for (;;) {
        int best = -1;
        for (int i = 0; i < WEIR_STATUS_COUNT; i++) {
            uint64_t count = summary->failed_by_class[i];
            bool later = count < below || (count == below && i > last);
            if (count && later && (best < 0 || count > summary->failed_by_class[best]))
                best = i;
        }
        if (best < 0)
            break;
        below = summary->failed_by_class[best];
        last = best;
        text_addf(&t, "%s%s %s", before, show_count(n, below), weir_status_name((weir_status)best));
        if (best == WEIR_HTTP)
            add_http_codes(&t, m);
        before = ", ";
    }
    screen_say(screen, TONE_PLAIN, "%s", line);
}

/* Flags that say where records come from and what is told of them: not for a second run. */
static bool belongs_to_first_run(const char *name)
{
    return strncmp(name, "input.", 6) == 0 || strncmp(name, "report.", 7) == 0 ||
           strncmp(name, "progress.", 9) == 0;
}

static void add_setting(struct text *out, const struct setting *s)
{
    text_add(out, " ");
    if (!s->option) {
        char word[1024];
        snprintf(word, sizeof word, "%s=%s", s->name, s->value);
        text_add(out, "-s ");
        text_add_shell_word(out, word);
        return;
    }
    if (s->option->letter)
        text_addf(out, "-%c", s->option->letter);
    else
        text_addf(out, "--%s", s->option->flag);
    if (s->option->arg) {
        text_add(out, " ");
        text_add_shell_word(out, s->value);
    }
}

void summary_retry_command(struct text *out, const struct summary_setup *setup, bool *secrets)
{
    const struct arguments *a = setup->arguments;
    const char *failed = weir_config_get(setup->config, "report.failed");
    *secrets = false;
    if (!failed || !*failed || names_stdout(failed))
        return;
    text_add(out, "weir get -i ");
    text_add_shell_word(out, failed);
    if (a->no_config)
        text_add(out, " --no-config");
    if (a->config_file) {
        text_add(out, " -c ");
        text_add_shell_word(out, a->config_file);
    }
    for (size_t i = 0; i < a->setting_count; i++) {
        const struct setting *s = &a->settings[i];
        if (belongs_to_first_run(s->name) || (setup->save_dir && !strcmp(s->name, "save.dir")))
            continue;
        if (setting_is_secret(s->name, s->value))
            *secrets = true;
        else
            add_setting(out, s);
    }
    if (setup->save_dir) {
        text_add(out, " -d ");
        text_add_shell_word(out, setup->save_dir);
    }
    if (a->output && names_stdout(a->output))
        text_add(out, " -o -");
}

static void print_way_on(struct screen *screen, const struct summary_setup *setup)
{
    char command[LINE_BYTES];
    struct text t = text_in(command, sizeof command);
    bool secrets;
    summary_retry_command(&t, setup, &secrets);
    const char *failed = weir_config_get(setup->config, "report.failed");
    if (t.n)
        screen_say(screen, TONE_PLAIN, "try them again: %s%s", command,
                   secrets ? "   (and the flags that hold secrets, which are not shown)" : "");
    else if (!failed || !*failed)
        screen_say(screen, TONE_PLAIN,
                   "add --failed FILE to keep a list of them that -i takes again");
}

static void print_stopped(struct screen *screen, const weir_summary *summary,
                          const struct summary_setup *setup)
{
    const weir_stats *s = &summary->stats;
    char done[SHOW_MAX], left[SHOW_MAX];
    const char *more = s->all_found ? "" : "+";
    show_count(done, s->done + s->skipped);
    show_count(left, left_of(s));
    switch (summary->stopped_by) {
    case WEIR_OK:
        break;
    case WEIR_CANCELLED:
        screen_say(screen, TONE_PLAIN, "interrupted: %s done, %s%s left; the same command goes on",
                   done, left, more);
        break;
    case WEIR_DISK:
        screen_say(screen, TONE_PLAIN,
                   "stopped: %s done, %s%s left; partial files are kept, and once the disk can be "
                   "written the same command goes on",
                   done, left, more);
        break;
    case WEIR_HTTP: {
        const char *limit = weir_config_get(setup->config, "run.max_failures");
        screen_say(
            screen, TONE_PLAIN,
            "stopped: run.max_failures=%s reached; %s done, %s%s left; the same command goes on",
            limit ? limit : "", done, left, more);
        break;
    }
    default:
        screen_say(screen, TONE_PLAIN, "stopped (%s): %s done, %s%s left",
                   weir_status_text(summary->stopped_by), done, left, more);
    }
}

static void print_dry_run(struct screen *screen, const weir_stats *s)
{
    char line[LINE_BYTES], n[SHOW_MAX];
    struct text t = text_in(line, sizeof line);
    uint64_t names = s->skipped - s->duplicates;
    text_addf(&t, "dry run: %s name%s", show_count(n, names), plural(names));
    if (s->duplicates)
        text_addf(&t, ", %s duplicate%s", show_count(n, s->duplicates), plural(s->duplicates));
    screen_say(screen, TONE_PLAIN, "%s; nothing was fetched", line);
}

void summary_print(struct screen *screen, const weir_summary *summary,
                   const struct summary_setup *setup)
{
    const weir_stats *s = &summary->stats;
    bool stopped = summary->stopped_by != WEIR_OK;
    /* A reader that went away has seen what it wanted. */
    if (summary->reader_gone || (setup->brief && !s->failed && !stopped))
        return;
    if (setup->arguments->dry_run && !setup->brief)
        print_dry_run(screen, s);
    else if (!setup->brief)
        print_arrived(screen, s);
    if (s->failed) {
        print_failed(screen, summary, setup->messages);
        if (!setup->arguments->dry_run)
            print_way_on(screen, setup);
    }
    print_stopped(screen, summary, setup);
    if (setup->brief)
        return;
    if (summary->per_host_bound && !setup->arguments->dry_run) {
        const char *per_host = weir_config_get(setup->config, "limits.per_host");
        screen_say(screen, TONE_PLAIN, "limits.per_host=%s kept slots empty; --per-host raises it",
                   per_host ? per_host : "");
    }
    if (setup->arguments->verbose) {
        char rss[SHOW_MAX], retried[SHOW_MAX];
        screen_say(screen, TONE_PLAIN, "peak memory %s, %s tr%s after a first one failed",
                   show_bytes(rss, summary->peak_rss_bytes), show_count(retried, s->retried),
                   s->retried == 1 ? "y" : "ies");
    }
}

/* What is said when a run has ended: what arrived, what failed by class, and what to type next.
 *
 * Main thread, after the engine's threads have ended.
 */
#include "cli/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/retry_command.h"

enum { LINE_BYTES = 2048, ROOM_LEFT = 8, CODES_SHOWN = 5 };

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

static void add_lines(struct text *t, const weir_stats *s, enum command command)
{
    char in[SHOW_MAX], out[SHOW_MAX];
    const char *noun = command == COMMAND_JSONL ? "record" : "line";
    text_addf(t, "; %s %s%s in, %s %s", show_count(in, s->lines_in), noun, plural(s->lines_in),
              show_count(out, s->lines_out), command == COMMAND_JSONL ? "put out" : "kept");
}

/* Lines are counted when their file ends; those of cut ones have been written all the same. */
static void print_arrived(struct screen *screen, const weir_summary *summary, enum command command)
{
    const weir_stats *s = &summary->stats;
    char line[LINE_BYTES], n[SHOW_MAX];
    struct text t = text_in(line, sizeof line);
    text_addf(&t, "%s file%s", show_count(n, s->done), plural(s->done));
    text_addf(&t, ", %s%s", show_bytes(n, s->bytes), command == COMMAND_PUT ? " sent" : "");
    text_addf(&t, " in %s", show_duration(n, s->elapsed_ms));
    if (s->elapsed_ms > 0 && s->bytes > 0)
        text_addf(&t, " (%s)", show_speed(n, (double)s->bytes * 1000 / (double)s->elapsed_ms));
    if ((command == COMMAND_FILTER || command == COMMAND_JSONL) && summary->stopped_by == WEIR_OK)
        add_lines(&t, s, command);
    if (s->skipped)
        add_skipped(&t, s);
    if (s->removed)
        text_addf(&t, "   [removed %s]", show_count(n, s->removed));
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

static void print_way_on(struct screen *screen, const struct summary_setup *setup)
{
    char command[LINE_BYTES]; /* nearly full: a word of it may have been cut */
    struct text t = text_in(command, sizeof command);
    bool secrets;
    retry_command(&t, setup, &secrets);
    const char *failed = weir_config_get(setup->config, "report.failed");
    if (t.n > LINE_BYTES - ROOM_LEFT)
        screen_say(screen, TONE_PLAIN,
                   "try them again: the same command with -i %s in place of its URLs and lists",
                   failed);
    else if (t.n)
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
    const char *way_on = setup->starts_over ? "begins anew" : "goes on";
    show_count(done, s->done + s->skipped);
    show_count(left, left_of(s));
    switch (summary->stopped_by) {
    case WEIR_OK:
        break;
    case WEIR_CANCELLED:
        screen_say(screen, TONE_PLAIN, "interrupted: %s done, %s%s left; the same command %s", done,
                   left, more, way_on);
        break;
    case WEIR_DISK:
        screen_say(screen, TONE_PLAIN,
                   "stopped: %s done, %s%s left; %sonce the disk can be written the same command "
                   "%s",
                   done, left, more, setup->starts_over ? "" : "partial files are kept, and ",
                   way_on);
        break;
    case WEIR_HTTP: {
        const char *limit = weir_config_get(setup->config, "run.max_failures");
        screen_say(screen, TONE_PLAIN,
                   "stopped: run.max_failures=%s reached; %s done, %s%s left; the same command %s",
                   limit ? limit : "", done, left, more, way_on);
        break;
    }
    default:
        screen_say(screen, TONE_PLAIN, "stopped (%s): %s done, %s%s left",
                   weir_status_text(summary->stopped_by), done, left, more);
    }
}

static void print_dry_run(struct screen *screen, const weir_stats *s, const char *noun,
                          const char *done)
{
    char line[LINE_BYTES], n[SHOW_MAX];
    struct text t = text_in(line, sizeof line);
    uint64_t names = s->skipped - s->duplicates;
    text_addf(&t, "dry run: %s %s%s", show_count(n, names), noun, plural(names));
    if (s->duplicates)
        text_addf(&t, ", %s duplicate%s", show_count(n, s->duplicates), plural(s->duplicates));
    screen_say(screen, TONE_PLAIN, "%s; nothing was %s", line, done);
}

/* What was left out is said with all styles of progress: the results are not what they seem. */
static void print_left_out(struct screen *screen, const weir_stats *s,
                           const struct summary_setup *setup)
{
    char n[SHOW_MAX];
    if (s->long_lines) {
        const char *limit = weir_config_get(setup->config, "filter.max_line");
        screen_say(screen, TONE_PLAIN, "%s line%s longer than filter.max_line (%s) and skipped",
                   show_count(n, s->long_lines), s->long_lines == 1 ? " was" : "s were",
                   limit ? limit : "");
    }
    const char *policy = weir_config_get(setup->config, "jsonl.bad_records");
    if (!s->bad_records || !policy || strcmp(policy, "fail") == 0)
        return;
    show_count(n, s->bad_records);
    const char *bad = s->bad_records == 1 ? " bad record" : " bad records";
    if (strcmp(policy, "skip") == 0)
        screen_say(screen, TONE_PLAIN, "%s%s skipped; --bad-records FILE keeps them", n, bad);
    else
        screen_say(screen, TONE_PLAIN, "%s%s in %s", n, bad, policy);
}

void summary_print(struct screen *screen, const weir_summary *summary,
                   const struct summary_setup *setup)
{
    const weir_stats *s = &summary->stats;
    /* A reader that went away has seen what it wanted. */
    if (summary->reader_gone)
        return;
    if (setup->arguments->dry_run && !setup->brief)
        print_dry_run(screen, s, setup->messages->no_names ? "URL" : "name",
                      setup->arguments->command == COMMAND_PUT ? "sent" : "fetched");
    else if (!setup->brief)
        print_arrived(screen, summary, setup->arguments->command);
    if (!setup->arguments->quiet)
        print_left_out(screen, s, setup);
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

/* weir get: saves the body of each URL. Main thread.
 *
 * In order: settings, what the flags mean together, the engine and its lists, the run, the summary.
 * The signal thread exists before the first list is opened, because opening may take its time (a
 * FIFO, a list fetched over HTTP) and Ctrl-C must work all the while.
 */
#include "cli/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/event_messages.h"
#include "cli/output_target.h"
#include "cli/progress.h"
#include "cli/screen.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "cli/summary.h"

enum { FILES_WANTED = 1 << 16, FILES_SPARE = 64 };

/* One run of the command. */
struct get {
    const struct arguments *a;
    weir_config *config;
    weir_engine *engine;
    struct screen *screen;
    struct progress *progress;
    enum progress_style style;
    char *report_path;
    struct messages messages;
    struct signals signals;
    struct output_target target;
};

/* Each transfer needs a file and a socket. */
static void raise_file_limit(struct get *g)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    rlim_t wanted = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    const char *text = weir_config_get(g->config, "run.concurrency");
    unsigned long long concurrency = text ? strtoull(text, NULL, 10) : 0;
    if (!g->a->quiet && limit.rlim_cur < concurrency * 2 + FILES_SPARE)
        screen_say(g->screen, TONE_WARNING,
                   "only %llu files may be open at once, too few for %llu transfers; use a smaller "
                   "-j, or raise ulimit -n",
                   (unsigned long long)limit.rlim_cur, concurrency);
}

static bool reads_terminal(const struct arguments *a)
{
    for (size_t i = 0; i < a->list_count; i++) {
        bool standard = !strcmp(a->lists[i], "-") || !strcmp(a->lists[i], "/dev/stdin");
        if (standard && isatty(0) == 1)
            return true;
    }
    return false;
}

static enum progress_style automatic_style(const struct get *g)
{
    /* The bodies, or somebody's typing, are on the very terminal on which we would draw. */
    bool shared = isatty(1) == 1 && (g->target.fd == 1 || g->a->dry_run);
    if (screen_is_terminal(g->screen) && shared)
        return PROGRESS_NONE;
    if (screen_can_redraw(g->screen) && !reads_terminal(g->a))
        return PROGRESS_BAR;
    return PROGRESS_PLAIN;
}

static enum progress_style choose_style(const struct get *g)
{
    const char *style = weir_config_get(g->config, "progress.style");
    if (g->a->quiet || !style || strcmp(style, "none") == 0)
        return PROGRESS_NONE;
    if (strcmp(style, "plain") == 0)
        return PROGRESS_PLAIN;
    if (strcmp(style, "json") == 0)
        return PROGRESS_JSON;
    if (strcmp(style, "bar") == 0)
        return screen_can_redraw(g->screen) ? PROGRESS_BAR : PROGRESS_PLAIN;
    return automatic_style(g);
}

/* Standard output can be one thing only. */
static int check_outputs(const struct get *g)
{
    const char *used[4];
    size_t n = 0;
    if (g->a->dry_run)
        used[n++] = "the names of --dry-run";
    else if (g->target.fd == 1)
        used[n++] = "the bodies (-o)";
    if (names_stdout(weir_config_get(g->config, "report.path")))
        used[n++] = "the report (--report)";
    if (names_stdout(weir_config_get(g->config, "report.failed")))
        used[n++] = "the list of failures (--failed)";
    if (n < 2)
        return EXIT_ALL_WELL;
    return usage_error("%s and %s cannot both go to standard output; send one to a file", used[0],
                       used[1]);
}

static int check_usage(struct get *g)
{
    const struct arguments *a = g->a;
    char message[USAGE_MAX];
    if (a->url_count + a->list_count == 0) {
        fprintf(stderr, "weir: error: no URL and no list\n"
                        "weir URL... saves URLs; weir -i LIST saves those of a list\n"
                        "try: weir get --help\n");
        return EXIT_USAGE;
    }
    if (a->ini)
        return usage_error("--ini belongs to weir config");
    weir_status st = output_target_choose(&g->target, a, g->config, message);
    if (st)
        return status_error(st, message);
    g->style = choose_style(g);
    return check_outputs(g);
}

static int make_engine(struct get *g)
{
    weir_error err;
    weir_status st = weir_engine_new(&g->engine, g->config, &err);
    if (st)
        return status_error(st, err.message);
    const char *report = weir_config_get(g->config, "report.path");
    g->report_path = report && *report && !names_stdout(report) ? strdup(report) : NULL;
    g->messages = (struct messages){.screen = g->screen,
                                    .quiet = g->a->quiet,
                                    .verbose = g->a->verbose > 0,
                                    .list_names = g->a->dry_run,
                                    .engine = g->engine,
                                    .report_path = g->report_path};
    weir_engine_on_event(g->engine, messages_on_event, &g->messages);
    weir_engine_set_dry_run(g->engine, g->a->dry_run);
    if (g->target.fd >= 0)
        weir_engine_write_to_fd(g->engine, g->target.fd, g->target.what);
    struct progress_setup setup = {
        .engine = g->engine,
        .screen = g->screen,
        .style = g->style,
        .interval_ms = setting_time_ms(weir_config_get(g->config, "progress.interval"))};
    g->progress = progress_new(&setup);
    if (!g->progress || !signals_start(&g->signals, g->engine, g->progress, g->screen))
        return status_error(WEIR_NOMEM, "no memory or no thread for the progress display");
    return EXIT_ALL_WELL;
}

static int add_work(struct get *g)
{
    const struct arguments *a = g->a;
    weir_error err;
    for (size_t i = 0; i < a->url_count; i++) {
        weir_job job = {.url = a->urls[i], .name = g->target.name};
        weir_status st = weir_engine_add(g->engine, &job, &err);
        if (st)
            return status_error(st, err.message);
    }
    if (reads_terminal(a) && !a->quiet)
        screen_say(g->screen, TONE_NOTE, "reading URLs from the terminal; end with Ctrl-D");
    const char *format = weir_config_get(g->config, "input.format");
    char chosen[32];
    snprintf(chosen, sizeof chosen, "%s", format ? format : "");
    for (size_t i = 0; i < a->list_count; i++) {
        weir_status st =
            weir_engine_add_source(g->engine, a->lists[i], *chosen ? chosen : NULL, &err);
        if (st)
            return status_error(st, err.message);
    }
    return EXIT_ALL_WELL;
}

static int exit_code(const struct get *g, const weir_summary *summary, weir_status st)
{
    int code = weir_exit_code(summary);
    int by_signal = signals_exit_code(&g->signals);
    if (code == 130 && by_signal)
        return by_signal;
    if (g->messages.list_gone)
        return EXIT_READER_GONE;
    if (st && st != WEIR_CANCELLED && code == EXIT_ALL_WELL)
        return EXIT_LOCAL_TROUBLE;
    return code;
}

static int run(struct get *g)
{
    weir_summary summary = {0};
    weir_error err = {0};
    if (g->a->dry_run)
        messages_begin_list(&g->messages);
    atomic_store(&g->signals.running, true);
    weir_status st = weir_engine_run(g->engine, &summary, &err);
    signals_stop(&g->signals);
    messages_end_list(&g->messages);
    progress_finish(g->progress, &summary.stats);
    if (st && st != WEIR_CANCELLED)
        screen_say(g->screen, TONE_ERROR, "%s: %s", weir_status_name(st), err.message);
    const char *style_name = weir_config_get(g->config, "progress.style");
    struct summary_setup setup = {.arguments = g->a,
                                  .config = g->config,
                                  .messages = &g->messages,
                                  .save_dir = g->target.dir,
                                  .brief = g->a->quiet || g->style == PROGRESS_JSON ||
                                           g->messages.list_gone ||
                                           (style_name && strcmp(style_name, "none") == 0)};
    summary_print(g->screen, &summary, &setup);
    return exit_code(g, &summary, st);
}

int cmd_get(const struct arguments *a)
{
    struct get g = {.a = a};
    char message[USAGE_MAX];
    output_target_init(&g.target);
    weir_status st = settings_load(&g.config, a, message);
    if (st)
        return status_error(st, message);
    g.screen = screen_new(2);
    int code = g.screen ? check_usage(&g) : EXIT_LOCAL_TROUBLE;
    if (code == EXIT_ALL_WELL) {
        raise_file_limit(&g);
        signals_block(&g.signals);
        code = make_engine(&g);
        if (code == EXIT_ALL_WELL)
            code = add_work(&g);
        if (code == EXIT_ALL_WELL)
            code = run(&g);
        signals_stop(&g.signals);
    }
    progress_free(g.progress);
    weir_engine_free(g.engine);
    weir_config_free(g.config);
    free(g.report_path);
    output_target_free(&g.target);
    screen_free(g.screen);
    return code;
}

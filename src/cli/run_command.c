/* One run of a command that fetches. Main thread.
 *
 * In order: settings, what the flags mean together, the engine and its lists, the run, the summary.
 * The signal thread exists before the first list is opened, because opening may take its time (a
 * FIFO, a list fetched over HTTP) and Ctrl-C must work all the while.
 */
#include "cli/run_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/summary.h"

enum { FILES_WANTED = 1 << 16, FILES_SPARE = 64, OUTPUTS = 5 };

/* Each transfer needs a file and a socket. */
static void raise_file_limit(struct command_run *run)
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
    const char *text = weir_config_get(run->config, "run.concurrency");
    unsigned long long concurrency = text ? strtoull(text, NULL, 10) : 0;
    if (!run->a->quiet && limit.rlim_cur < concurrency * 2 + FILES_SPARE)
        screen_say(run->screen, TONE_WARNING,
                   "only %llu files may be open at once, too few for %llu transfers; use a smaller "
                   "-j, or raise ulimit -n",
                   (unsigned long long)limit.rlim_cur, concurrency);
}

static bool reads_terminal(const struct arguments *a)
{
    for (size_t i = 0; i < a->list_count; i++) {
        if (names_stdin(a->lists[i]) && isatty(0) == 1)
            return true;
    }
    return false;
}

static enum progress_style automatic_style(const struct command_run *run)
{
    /* The bodies, or somebody's typing, are on the very terminal on which we would draw. */
    bool shared = isatty(1) == 1 && (run->target.fd == 1 || run->a->dry_run);
    if (screen_is_terminal(run->screen) && shared)
        return PROGRESS_NONE;
    if (screen_can_redraw(run->screen) && !reads_terminal(run->a))
        return PROGRESS_BAR;
    return PROGRESS_PLAIN;
}

static enum progress_style choose_style(const struct command_run *run)
{
    const char *style = weir_config_get(run->config, "progress.style");
    if (run->a->quiet || !style || strcmp(style, "none") == 0)
        return PROGRESS_NONE;
    if (strcmp(style, "plain") == 0)
        return PROGRESS_PLAIN;
    if (strcmp(style, "json") == 0)
        return PROGRESS_JSON;
    if (strcmp(style, "bar") == 0)
        return screen_can_redraw(run->screen) ? PROGRESS_BAR : PROGRESS_PLAIN;
    return automatic_style(run);
}

/* Standard output can be one thing only. */
static int check_outputs(const struct command_run *run)
{
    const char *used[OUTPUTS];
    size_t n = 0;
    if (run->a->dry_run)
        used[n++] = "the names of --dry-run";
    else if (run->target.fd == 1)
        used[n++] = run->type->on_stdout;
    if (names_stdout(weir_config_get(run->config, "report.path")))
        used[n++] = "the report (--report)";
    if (names_stdout(weir_config_get(run->config, "report.failed")))
        used[n++] = "the list of failures (--failed)";
    if (run->a->command == COMMAND_JSONL &&
        names_stdout(weir_config_get(run->config, "jsonl.bad_records")))
        used[n++] = "the bad records (--bad-records)";
    if (n < 2)
        return EXIT_ALL_WELL;
    return usage_error(run->a->command,
                       "%s and %s cannot both go to standard output; send one to a file", used[0],
                       used[1]);
}

static int check_usage(struct command_run *run)
{
    const struct arguments *a = run->a;
    int code = run->type->check(run);
    if (code)
        return code;
    if (a->url_count + a->list_count + a->put.file_count == 0) {
        const char *name = command_name(a->command);
        fprintf(stderr, "weir: error: no URL and no list\n%s\ntry: weir %s --help\n",
                run->type->no_work, name);
        return EXIT_USAGE;
    }
    if (a->checksum && (a->url_count != 1 || a->list_count))
        return usage_error(a->command,
                           "--checksum is for one URL; a list carries its own (--format sums, or a "
                           "column sha256)");
    run->style = choose_style(run);
    return check_outputs(run);
}

static int fail_engine(const struct command_run *run, weir_status st, const weir_error *err)
{
    return status_error(run->a->command, st, err->message);
}

static int make_engine(struct command_run *run)
{
    weir_error err;
    weir_status st = weir_engine_new(&run->engine, run->config, &err);
    if (st)
        return fail_engine(run, st, &err);
    const char *report = weir_config_get(run->config, "report.path");
    run->report_path = report && *report && !names_stdout(report) ? strdup(report) : NULL;
    run->messages = (struct messages){.screen = run->screen,
                                      .quiet = run->a->quiet,
                                      .verbose = run->a->verbose > 0,
                                      .list_names = run->a->dry_run,
                                      .engine = run->engine,
                                      .report_path = run->report_path};
    weir_engine_on_event(run->engine, messages_on_event, &run->messages);
    weir_engine_set_dry_run(run->engine, run->a->dry_run);
    if (run->target.fd >= 0)
        weir_engine_write_to_fd(run->engine, run->target.fd, run->target.what);
    if (run->type->equip) {
        int code = run->type->equip(run);
        if (code)
            return code;
    }
    struct progress_setup setup = {
        .engine = run->engine,
        .screen = run->screen,
        .style = run->style,
        .interval_ms = setting_time_ms(weir_config_get(run->config, "progress.interval"))};
    run->progress = progress_new(&setup);
    run->signals.starts_over =
        run->a->command == COMMAND_PUT || output_target_is_stream(&run->target);
    if (!run->progress || !signals_start(&run->signals, run->engine, run->progress, run->screen))
        return status_error(run->a->command, WEIR_NOMEM,
                            "no memory or no thread for the progress display");
    return EXIT_ALL_WELL;
}

int run_write_lines(struct command_run *run)
{
    weir_error err;
    /* A dry run writes nothing, and a stream of no files has no names. */
    run->messages.no_names = run->a->dry_run && output_target_is_stream(&run->target);
    if (run->messages.no_names) {
        weir_engine_set_save(run->engine, WEIR_SAVE_NO);
    } else if (run->target.file) {
        weir_status st = weir_engine_write_to_file(run->engine, run->target.file, &err);
        if (st)
            return fail_engine(run, st, &err);
    }
    weir_engine_set_in_order(run->engine, run->a->in_order);
    const char *matcher = weir_engine_matcher(run->engine);
    if (run->a->verbose && matcher)
        screen_say(run->screen, TONE_NOTE, "%s by %s",
                   run->a->command == COMMAND_FILTER ? "lines are matched" : "records are shaped",
                   matcher);
    return EXIT_ALL_WELL;
}

static int add_urls(struct command_run *run)
{
    const struct arguments *a = run->a;
    weir_error err;
    for (size_t i = 0; i < a->url_count; i++) {
        weir_digest digest = {a->checksum, a->checksum_hex};
        weir_job job = {.url = a->urls[i],
                        .name = run->target.name,
                        .digests = &digest,
                        .digest_count = a->checksum ? 1 : 0};
        weir_status st = weir_engine_add(run->engine, &job, &err);
        if (st)
            return fail_engine(run, st, &err);
    }
    return EXIT_ALL_WELL;
}

static int add_work(struct command_run *run)
{
    const struct arguments *a = run->a;
    weir_error err;
    int code = run->type->add_words ? run->type->add_words(run) : add_urls(run);
    if (code)
        return code;
    if (reads_terminal(a) && !a->quiet)
        screen_say(run->screen, TONE_NOTE, "reading URLs from the terminal; end with Ctrl-D");
    const char *format = weir_config_get(run->config, "input.format");
    char chosen[32];
    snprintf(chosen, sizeof chosen, "%s", format ? format : "");
    for (size_t i = 0; i < a->list_count; i++) {
        weir_status st =
            weir_engine_add_source(run->engine, a->lists[i], *chosen ? chosen : NULL, &err);
        if (st)
            return fail_engine(run, st, &err);
    }
    return EXIT_ALL_WELL;
}

static int exit_code(const struct command_run *run, const weir_summary *summary, weir_status st)
{
    int code = weir_exit_code(summary);
    int by_signal = signals_exit_code(&run->signals);
    if (code == 130 && by_signal)
        return by_signal;
    if (run->messages.list_gone)
        return EXIT_READER_GONE;
    if (st && st != WEIR_CANCELLED && code == EXIT_ALL_WELL)
        return EXIT_LOCAL_TROUBLE;
    return code;
}

static int run_engine(struct command_run *run)
{
    weir_summary summary = {0};
    weir_error err = {0};
    if (run->a->dry_run)
        messages_begin_list(&run->messages);
    atomic_store(&run->signals.running, true);
    weir_status st = weir_engine_run(run->engine, &summary, &err);
    signals_stop(&run->signals);
    messages_end_list(&run->messages);
    progress_finish(run->progress, &summary.stats);
    if (st && st != WEIR_CANCELLED)
        screen_say(run->screen, TONE_ERROR, "%s: %s", weir_status_name(st), err.message);
    const char *style_name = weir_config_get(run->config, "progress.style");
    struct summary_setup setup = {.arguments = run->a,
                                  .config = run->config,
                                  .messages = &run->messages,
                                  .save_dir = run->target.dir,
                                  .starts_over = run->signals.starts_over,
                                  .brief = run->a->quiet || run->style == PROGRESS_JSON ||
                                           run->messages.list_gone ||
                                           (style_name && strcmp(style_name, "none") == 0)};
    summary_print(run->screen, &summary, &setup);
    return exit_code(run, &summary, st);
}

int run_command(const struct arguments *a, const struct run_type *type, void *own)
{
    struct command_run run = {.a = a, .type = type, .own = own};
    char message[USAGE_MAX];
    output_target_init(&run.target);
    weir_status st = settings_load(&run.config, a, message);
    if (st)
        return status_error(a->command, st, message);
    run.screen = screen_new(2);
    int code =
        run.screen ? check_usage(&run) : status_error(a->command, WEIR_NOMEM, "out of memory");
    if (code == EXIT_ALL_WELL) {
        raise_file_limit(&run);
        signals_block(&run.signals);
        code = make_engine(&run);
        if (code == EXIT_ALL_WELL)
            code = add_work(&run);
        if (code == EXIT_ALL_WELL)
            code = run_engine(&run);
        signals_stop(&run.signals);
    }
    progress_free(run.progress);
    weir_engine_free(run.engine);
    weir_config_free(run.config);
    free(run.report_path);
    output_target_free(&run.target);
    screen_free(run.screen);
    return code;
}

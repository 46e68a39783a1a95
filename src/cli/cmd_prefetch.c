/* weir prefetch: the next shards are kept ready for a consumer. Main thread.
 *
 * Standard output belongs to the consumer; everything for people goes to standard error.
 */
#include "cli/commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/event_messages.h"
#include "cli/prefetch_line.h"
#include "cli/progress.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "weir/prefetch.h"

struct prefetch_run {
    const struct arguments *a;
    weir_config *config;
    weir_prefetch *prefetch;
    struct screen *screen;
    struct progress *progress;
    enum progress_style style;
    struct messages messages;
    struct signals signals;
};

static const char *setting(const struct prefetch_run *run, const char *name)
{
    const char *value = weir_config_get(run->config, name);
    return value && *value ? value : NULL;
}

static enum progress_style choose_style(const struct prefetch_run *run)
{
    const char *style = setting(run, "progress.style");
    if (run->a->quiet || !style || strcmp(style, "none") == 0)
        return PROGRESS_NONE;
    if (strcmp(style, "json") == 0)
        return PROGRESS_JSON;
    /* On a terminal that gets the READY lines a bar would be torn. */
    bool shared = isatty(1) == 1 && !setting(run, "prefetch.socket");
    bool automatic = strcmp(style, "auto") == 0;
    if (strcmp(style, "plain") == 0 || !screen_can_redraw(run->screen))
        return PROGRESS_PLAIN;
    return automatic && shared ? PROGRESS_NONE : PROGRESS_BAR;
}

static int check(struct prefetch_run *run)
{
    const struct arguments *a = run->a;
    if (a->url_count)
        return usage_error(a->command,
                           "%s: shards come from a list: -i SHARDS (a pattern is a "
                           "list of one line)",
                           a->urls[0]);
    if (!a->list_count)
        return usage_error(a->command, "which shards? weir prefetch -i SHARDS -d CACHE");
    for (size_t i = 0; i < a->list_count; i++)
        if (names_stdin(a->lists[i]) && !setting(run, "prefetch.socket"))
            return usage_error(a->command, "the list and the RELEASE lines cannot both come from "
                                           "standard input; use a file, or --socket");
    run->style = choose_style(run);
    return EXIT_ALL_WELL;
}

static void stop_prefetch(void *what)
{
    weir_prefetch_stop(what);
}

static int begin(struct prefetch_run *run)
{
    weir_error err;
    weir_status st =
        weir_prefetch_open(&run->prefetch, run->a->lists, run->a->list_count, run->config, &err);
    if (st)
        return status_error(run->a->command, st, err.message);
    run->messages = (struct messages){
        .screen = run->screen, .quiet = run->a->quiet, .verbose = run->a->verbose > 0};
    weir_prefetch_on_event(run->prefetch, messages_on_event, &run->messages);
    struct progress_setup setup = {.screen = run->screen,
                                   .style = run->style,
                                   .interval_ms =
                                       setting_time_ms(setting(run, "progress.interval")),
                                   .line = prefetch_line,
                                   .user = run->prefetch};
    run->progress = progress_new(&setup);
    run->signals.stop = stop_prefetch;
    run->signals.what = run->prefetch;
    if (!run->progress || !signals_start(&run->signals, NULL, run->progress, run->screen))
        return status_error(run->a->command, WEIR_NOMEM,
                            "no memory or no thread for the progress display");
    atomic_store(&run->signals.running, true);
    return EXIT_ALL_WELL;
}

static int exit_code_of(weir_status st)
{
    switch (st) {
    case WEIR_OK:
        return EXIT_ALL_WELL;
    case WEIR_CHECKSUM:
    case WEIR_DECODE:
    case WEIR_RECORD:
        return 4;
    case WEIR_DISK:
    case WEIR_NOMEM:
    case WEIR_POLICY:
        return EXIT_LOCAL_TROUBLE;
    case WEIR_CONFIG:
    case WEIR_USAGE:
    case WEIR_INPUT:
        return EXIT_USAGE;
    case WEIR_END:
        return EXIT_READER_GONE;
    case WEIR_CANCELLED:
        return 130;
    default:
        return EXIT_SOME_FAILED;
    }
}

/* What each bad shard was has been said when it was found. */
static void say_end(const struct prefetch_run *run, weir_status st, const weir_error *err)
{
    char line[PREFETCH_LINE_BYTES];
    struct text t = text_in(line, sizeof line);
    bool brief = run->a->quiet || run->style == PROGRESS_JSON;
    const char *style = setting(run, "progress.style");
    if (st == WEIR_END)
        screen_say(run->screen, TONE_NOTE, "%s; the same command goes on", err->message);
    else if (st && st != WEIR_CANCELLED)
        screen_say(run->screen, TONE_ERROR, "%s: %s", weir_status_name(st), err->message);
    if (brief || (style && strcmp(style, "none") == 0))
        return;
    prefetch_summary(&t, run->prefetch);
    screen_say(run->screen, TONE_PLAIN, "%s", line);
}

static int serve(struct prefetch_run *run)
{
    weir_error err = {0};
    const char *socket = setting(run, "prefetch.socket");
    char *path = socket ? strdup(socket) : NULL;
    const char *name = setting(run, "prefetch.consumer");
    char *consumer = strdup(name ? name : "stdout");
    weir_status st = consumer && (path || !socket) ? WEIR_OK : WEIR_NOMEM;
    if (!st && path) {
        st = weir_prefetch_listen(run->prefetch, path, &err);
        if (!st)
            st = weir_prefetch_wait_done(run->prefetch, &err);
    } else if (!st) {
        st = weir_prefetch_speak(run->prefetch, 0, 1, consumer, -1, &err);
    }
    free(path);
    free(consumer);
    weir_prefetch_stop(run->prefetch);
    signals_stop(&run->signals);
    progress_finish(run->progress, NULL);
    int by_signal = signals_exit_code(&run->signals);
    if (by_signal)
        st = WEIR_CANCELLED;
    say_end(run, st, &err);
    return by_signal ? by_signal : exit_code_of(st);
}

int cmd_prefetch(const struct arguments *a)
{
    struct prefetch_run run = {.a = a};
    char message[USAGE_MAX];
    weir_status st = settings_load(&run.config, a, message);
    if (st)
        return status_error(a->command, st, message);
    run.screen = screen_new(2);
    int code = run.screen ? check(&run) : EXIT_LOCAL_TROUBLE;
    if (code == EXIT_ALL_WELL) {
        signals_block(&run.signals);
        code = begin(&run);
        if (code == EXIT_ALL_WELL)
            code = serve(&run);
        signals_stop(&run.signals);
    }
    progress_free(run.progress);
    weir_prefetch_close(run.prefetch);
    weir_config_free(run.config);
    screen_free(run.screen);
    return code;
}

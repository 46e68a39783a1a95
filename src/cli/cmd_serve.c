/* weir serve: the files of a folder for many clients. Main thread, which waits for signals; the
 * server has threads of its own.
 */
#include "cli/commands.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/display_text.h"
#include "cli/screen.h"
#include "cli/settings.h"

enum { LINE_BYTES = 4096, FILES_WANTED = 1 << 20 };

struct serving {
    const struct arguments *a;
    weir_config *config;
    weir_server *server;
    struct screen *screen;
};

/* ---- what is said ---- */

static void on_warning(const char *text, void *user)
{
    const struct serving *s = user;
    screen_say(s->screen, TONE_WARNING, "%s", text);
}

static void on_request(const weir_request *r, void *user)
{
    const struct serving *s = user;
    if (r->status >= 400 || r->aborted)
        screen_say(s->screen, TONE_NOTE, "%s: %s %s: %d%s", r->client, r->method, r->target,
                   r->status, r->aborted ? ", cut" : "");
}

/* The line that scripts wait for: the URL is its last word. Where the log has standard output, the
 * line is a message like the others. */
static void say_where(const struct serving *s)
{
    char line[LINE_BYTES];
    struct text t = text_in(line, sizeof line);
    text_add(&t, "serving ");
    text_add_printable(&t, s->a->serve.dir);
    text_addf(&t, " at %s", weir_server_url(s->server));
    if (names_stdout(weir_config_get(s->config, "serve.access_log"))) {
        screen_say(s->screen, TONE_NOTE, "%s", line);
        return;
    }
    printf("%s\n", line);
    fflush(stdout);
}

static void say_totals(const struct serving *s)
{
    weir_server_stats stats;
    char requests[SHOW_MAX], sent[SHOW_MAX], uploads[SHOW_MAX];
    weir_server_get_stats(s->server, &stats);
    if (s->a->quiet)
        return;
    if (stats.uploads)
        screen_say(s->screen, TONE_NOTE, "%s requests, %s sent, %s uploads",
                   show_count(requests, stats.requests), show_bytes(sent, stats.bytes_sent),
                   show_count(uploads, stats.uploads));
    else
        screen_say(s->screen, TONE_NOTE, "%s requests, %s sent",
                   show_count(requests, stats.requests), show_bytes(sent, stats.bytes_sent));
}

/* ---- signals ---- */

/* One that was ignored when we were started stays so (nohup, or a script's "&"). */
static void block_signals(sigset_t *set)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction action;
        if (sigaction(ending[i], NULL, &action) || action.sa_handler != SIG_IGN)
            sigaddset(set, ending[i]);
    }
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

static int exit_code_of(int signal_number)
{
    return 128 + (signal_number == SIGINT ? SIGINT : SIGTERM);
}

/* Handler. */
static void quit_at_once(int signal_number)
{
    _exit(exit_code_of(signal_number));
}

/* From now on the next one ends the process. */
static void let_signals_quit(const sigset_t *set)
{
    struct sigaction quit = {.sa_handler = quit_at_once};
    for (int n = 1; n < NSIG; n++) {
        if (sigismember(set, n) == 1)
            sigaction(n, &quit, NULL);
    }
    pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

static int wait_and_end(const struct serving *s, const sigset_t *set)
{
    int signal_number = 0;
    while (sigwait(set, &signal_number) != 0)
        ;
    weir_server_stats stats;
    weir_server_get_stats(s->server, &stats);
    let_signals_quit(set);
    if (!s->a->quiet && stats.under_way)
        screen_say(s->screen, TONE_NOTE,
                   "stopping: %" PRIu64 " answer%s under way (again to quit at once)",
                   stats.under_way, stats.under_way == 1 ? " is" : "s are");
    weir_server_drain(s->server,
                      setting_time_ms(weir_config_get(s->config, "serve.drain_timeout")));
    weir_server_stop(s->server);
    say_totals(s);
    return exit_code_of(signal_number);
}

/* ---- the command ---- */

/* Each connection needs a socket and a file. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    rlim_t wanted = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(struct serving *s)
{
    sigset_t set;
    weir_error err;
    raise_file_limit();
    block_signals(&set);
    weir_status st = weir_server_new(&s->server, s->config, s->a->serve.dir, &err);
    if (st)
        return status_error(s->a->command, st, err.message);
    weir_server_on_warning(s->server, on_warning, s);
    if (s->a->verbose)
        weir_server_on_request(s->server, on_request, s);
    st = weir_server_start(s->server, &err);
    if (st)
        return status_error(s->a->command, st, err.message);
    say_where(s);
    return wait_and_end(s, &set);
}

int cmd_serve(const struct arguments *a)
{
    struct serving s = {.a = a};
    char message[USAGE_MAX];
    if (!a->serve.dir)
        return usage_error(a->command, "which folder? weir serve DIR");
    weir_status st = settings_load(&s.config, a, message);
    if (st)
        return status_error(a->command, st, message);
    s.screen = screen_new(2);
    int code = s.screen ? serve(&s) : EXIT_LOCAL_TROUBLE;
    weir_server_free(s.server);
    weir_config_free(s.config);
    screen_free(s.screen);
    return code;
}

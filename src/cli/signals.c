/* Signals: one thread that takes them all, and draws the progress while it waits for them.
 *
 * Handlers would run on any thread, in the midst of anything; a thread that waits for signals may
 * lock, print, and call the engine. SIGTSTP keeps its default action, which stops the program;
 * SIGCONT tells us that somebody else has used the terminal since.
 */
#include "cli/signals.h"

#include <time.h>
#include <unistd.h>

#include "cli/commands.h"

/* A signal that was ignored when we were started stays so (nohup, or a shell script's "&"). */
static void add_unless_ignored(sigset_t *set, int signal_number)
{
    struct sigaction action;
    if (sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
        return;
    sigaddset(set, signal_number);
}

void signals_block(struct signals *s)
{
    sigemptyset(&s->set);
    add_unless_ignored(&s->set, SIGINT);
    add_unless_ignored(&s->set, SIGTERM);
    add_unless_ignored(&s->set, SIGHUP);
    sigaddset(&s->set, SIGWINCH);
    sigaddset(&s->set, SIGCONT);
    pthread_sigmask(SIG_BLOCK, &s->set, NULL);
}

/* Handler: a page of a mapped file is not to be had. */
static void tell_lost_page(int signal_number, siginfo_t *info, void *context)
{
    static const char text[] =
        "\nweir: error: disk: a page of the journal's -shm file could not be had: its disk has "
        "failed, "
        "or the file was cut; what was told as done is done: see to the disk, then run the same "
        "command again\n";
    if (info->si_code != BUS_ADRERR) {
        signal(signal_number, SIG_DFL); /* a fault of ours: it comes again at once */
        return;
    }
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(EXIT_LOCAL_TROUBLE);
}

void signals_tell_lost_pages(void)
{
    struct sigaction action = {.sa_sigaction = tell_lost_page, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

static int exit_code_of(int signal_number)
{
    return 128 + (signal_number == SIGINT ? SIGINT : SIGTERM);
}

static void asked_to_end(struct signals *s, int signal_number)
{
    int none = 0;
    bool first = atomic_compare_exchange_strong(&s->caught, &none, signal_number);
    /* Before the run nothing has been begun that would have to be ended. */
    if (!first || !atomic_load(&s->running))
        _exit(exit_code_of(signal_number));
    if (s->stop)
        s->stop(s->what);
    else
        weir_engine_cancel(s->engine);
    screen_notice(s->screen, TONE_NOTE, "stopping%s (again to quit at once)",
                  s->starts_over ? "" : ": partial files are kept; the same command goes on");
}

static void take_signal(struct signals *s, int signal_number)
{
    switch (signal_number) {
    case SIGINT:
    case SIGTERM:
    case SIGHUP:
        asked_to_end(s, signal_number);
        break;
    case SIGCONT:
        screen_forget(s->screen);
        break;
    default: /* SIGWINCH: each frame measures the window */
        break;
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *signal_thread(void *argument)
{
    struct signals *s = argument;
    int64_t interval_ms = progress_interval_ms(s->progress);
    int64_t due_ms = now_ms() + interval_ms;
    while (!atomic_load(&s->leave)) {
        int64_t wait_ms = interval_ms ? due_ms - now_ms() : 3600 * 1000;
        if (wait_ms < 0)
            wait_ms = 0;
        struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
        int signal_number = sigtimedwait(&s->set, NULL, &wait);
        if (atomic_load(&s->leave))
            break;
        if (signal_number > 0)
            take_signal(s, signal_number);
        bool due = interval_ms && now_ms() >= due_ms;
        if (due)
            due_ms = now_ms() + interval_ms;
        if (!atomic_load(&s->running))
            continue;
        if (due)
            progress_tick(s->progress);
        else if (signal_number == SIGWINCH || signal_number == SIGCONT)
            progress_resized(s->progress);
    }
    return NULL;
}

bool signals_start(struct signals *s, weir_engine *engine, struct progress *progress,
                   struct screen *screen)
{
    s->engine = engine;
    s->progress = progress;
    s->screen = screen;
    s->started = pthread_create(&s->thread, NULL, signal_thread, s) == 0;
    return s->started;
}

/* Handler. */
static void quit_at_once(int signal_number)
{
    _exit(exit_code_of(signal_number));
}

/* What is left to do is to print; somebody who does not want to wait for that may end it. */
static void let_signals_quit(const struct signals *s)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction quit = {.sa_handler = quit_at_once};
    sigemptyset(&quit.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        if (sigismember(&s->set, ending[i]))
            sigaction(ending[i], &quit, NULL);
    }
    pthread_sigmask(SIG_UNBLOCK, &s->set, NULL);
}

void signals_stop(struct signals *s)
{
    if (!s->started)
        return;
    atomic_store(&s->leave, true);
    /* To that thread alone, where it is blocked: it only ends the wait. */
    pthread_kill(s->thread, SIGWINCH);
    pthread_join(s->thread, NULL);
    s->started = false;
    let_signals_quit(s);
}

int signals_exit_code(const struct signals *s)
{
    int caught = atomic_load(&s->caught);
    return caught ? exit_code_of(caught) : 0;
}

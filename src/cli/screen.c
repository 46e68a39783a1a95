/* The screen: standard error, shared by messages and the progress display.
 *
 * Messages come from the commit thread, frames from the signal thread. The lock is held while
 * writing, because its whole purpose is that nobody else writes in between; the signal thread
 * therefore never waits for it without end, or a terminal stopped with Ctrl-S would stop Ctrl-C
 * too.
 *
 * The cursor rests at the start of the line below the rows and is never hidden, so that whatever
 * ends the program, the shell's prompt stands on a line of its own. A frame goes up from there,
 * overwrites, and erases what is left over.
 */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SAID_MAX = 4096, NOTICE_WAIT_MS = 200 };

/* Terminals that know the mode show all that stands between at once (DEC private mode 2026). */
#define SYNC_BEGIN "\x1b[?2026h"
#define SYNC_END "\x1b[?2026l"

struct screen {
    int fd;
    bool terminal, redraws, colour, reflows;
    pthread_mutex_t lock;
    /* guarded by lock */
    struct frame shown;
    int widest[SCREEN_ROWS_MAX]; /* columns of each row shown */
    int columns;                 /* of the terminal when they were */
    bool in_background;
    char out[SCREEN_ROWS_MAX * (SCREEN_ROW_BYTES + 16) + SAID_MAX * 4 + 256];
};

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

struct screen *screen_new(int fd)
{
    struct screen *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    if (pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return NULL;
    }
    const char *term = getenv("TERM");
    s->fd = fd;
    s->terminal = isatty(fd) == 1;
    s->redraws = s->terminal && term && *term && strcmp(term, "dumb") != 0;
    s->colour = s->redraws && !is_set("NO_COLOR");
    /* xterm and the console cut the lines of a window that becomes narrower, all others wrap them.
     */
    s->reflows = is_set("TMUX") || (!is_set("XTERM_VERSION") && !(term && !strcmp(term, "linux")));
    return s;
}

bool screen_is_terminal(const struct screen *s)
{
    return s->terminal;
}

bool screen_can_redraw(const struct screen *s)
{
    return s->redraws;
}

void screen_size(const struct screen *s, int *columns, int *lines)
{
    struct winsize size = {0};
    if (ioctl(s->fd, TIOCGWINSZ, &size))
        size = (struct winsize){0};
    const char *env = getenv("COLUMNS");
    int wide = size.ws_col ? size.ws_col : env ? (int)strtol(env, NULL, 10) : 0;
    if (wide < 1)
        wide = 80;
    *columns = wide < 2 ? 2 : wide > SCREEN_COLUMNS_MAX ? SCREEN_COLUMNS_MAX : wide;
    *lines = size.ws_row ? size.ws_row : 24;
}

struct bar_look screen_look(const struct screen *s)
{
    int columns, lines;
    screen_size(s, &columns, &lines);
    return (struct bar_look){.columns = columns, .utf8 = locale_is_utf8(), .colour = s->colour};
}

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        /* Nobody reads what we say: the run goes on all the same. */
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

static bool can_write_within(int fd, int wait_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, wait_ms) == 1 && (poll_fd.revents & (POLLOUT | POLLERR | POLLHUP));
}

/* Escape sequences take no columns. */
static int row_columns(const char *row)
{
    char bare[SCREEN_ROW_BYTES];
    size_t n = 0;
    for (; *row; row++) {
        if (*row == '\x1b') {
            while (*row && *row != 'm')
                row++;
            if (!*row)
                break;
            continue;
        }
        bare[n++] = *row;
    }
    bare[n] = '\0';
    return text_columns(bare);
}

/* Moves up to the first row shown and back to its start; a window that became narrower has
 * broken the rows into more lines. */
static void add_rewind_locked(struct screen *s, struct text *t)
{
    int columns, lines, up = 0;
    screen_size(s, &columns, &lines);
    for (size_t i = 0; i < s->shown.n; i++) {
        int broken = s->reflows && columns < s->columns && s->widest[i] > columns;
        up += broken ? (s->widest[i] + columns - 1) / columns : 1;
    }
    text_add(t, "\r");
    if (up > 0)
        text_addf(t, "\x1b[%dA", up);
}

static void add_rows_locked(const struct screen *s, struct text *t)
{
    for (size_t i = 0; i < s->shown.n; i++) {
        text_add(t, s->shown.rows[i]);
        text_add(t, "\x1b[K\r\n");
    }
    text_add(t, "\x1b[J");
}

static void remember_locked(struct screen *s, const struct frame *f)
{
    int lines;
    s->shown.n = f->n;
    for (size_t i = 0; i < f->n; i++) {
        memcpy(s->shown.rows[i], f->rows[i], strlen(f->rows[i]) + 1);
        s->widest[i] = row_columns(f->rows[i]);
    }
    screen_size(s, &s->columns, &lines);
}

static bool window_changed_locked(const struct screen *s)
{
    int columns, lines;
    screen_size(s, &columns, &lines);
    return columns != s->columns;
}

static bool same_as_shown_locked(const struct screen *s, const struct frame *f)
{
    if (f->n == 0 && s->shown.n == 0)
        return true;
    if (f->n != s->shown.n || window_changed_locked(s))
        return false;
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->rows[i], s->shown.rows[i]) != 0)
            return false;
    }
    return true;
}

/* True while another job of the shell has the terminal. */
static bool in_background(int fd)
{
    pid_t front = tcgetpgrp(fd);
    return front > 0 && front != getpgrp();
}

void screen_show(struct screen *s, const struct frame *f)
{
    if (!s->redraws || pthread_mutex_trylock(&s->lock))
        return; /* a message is being printed; the next frame is a moment away */
    if (in_background(s->fd)) {
        s->in_background = true;
    } else if (can_write_within(s->fd, 0)) {
        if (s->in_background)
            s->shown.n = 0;
        s->in_background = false;
        if (!same_as_shown_locked(s, f)) {
            struct text t = text_in(s->out, sizeof s->out);
            text_add(&t, SYNC_BEGIN);
            add_rewind_locked(s, &t);
            /* A terminal that broke a row joins it again when it is widened, unless it was erased.
             */
            if (window_changed_locked(s))
                text_add(&t, "\x1b[J");
            remember_locked(s, f);
            add_rows_locked(s, &t);
            text_add(&t, SYNC_END);
            write_all(s->fd, t.p, t.n);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

void screen_forget(struct screen *s)
{
    if (pthread_mutex_trylock(&s->lock))
        return;
    s->shown.n = 0;
    pthread_mutex_unlock(&s->lock);
}

static void add_label(struct text *t, enum tone tone, bool colour)
{
    if (tone != TONE_PLAIN)
        text_add(t, "weir: ");
    if (tone == TONE_WARNING)
        text_add(t, colour ? "\x1b[33mwarning:\x1b[0m " : "warning: ");
    if (tone == TONE_ERROR)
        text_add(t, colour ? "\x1b[31merror:\x1b[0m " : "error: ");
}

static void say_locked(struct screen *s, enum tone tone, const char *said)
{
    struct text t = text_in(s->out, sizeof s->out);
    bool rows = s->shown.n > 0 && !in_background(s->fd);
    if (rows) {
        text_add(&t, SYNC_BEGIN);
        add_rewind_locked(s, &t);
        text_add(&t, "\x1b[J");
    }
    add_label(&t, tone, s->colour);
    text_add_printable(&t, said);
    text_add(&t, s->redraws ? "\r\n" : "\n");
    if (rows) {
        int columns, lines;
        screen_size(s, &columns, &lines);
        /* Rows made for a wider window would wrap: the next frame brings new ones. */
        if (columns < s->columns)
            s->shown.n = 0;
        add_rows_locked(s, &t);
        text_add(&t, SYNC_END);
    }
    write_all(s->fd, t.p, t.n);
}

void screen_say(struct screen *s, enum tone tone, const char *format, ...)
{
    char said[SAID_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    pthread_mutex_lock(&s->lock);
    say_locked(s, tone, said);
    pthread_mutex_unlock(&s->lock);
}

void screen_notice(struct screen *s, enum tone tone, const char *format, ...)
{
    char said[SAID_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    /* Not timedlock: it counts on the wall clock, which somebody may set. */
    for (int waited = 0; pthread_mutex_trylock(&s->lock); waited += 10) {
        if (waited >= NOTICE_WAIT_MS)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
    }
    if (can_write_within(s->fd, NOTICE_WAIT_MS))
        say_locked(s, tone, said);
    pthread_mutex_unlock(&s->lock);
}

void screen_free(struct screen *s)
{
    if (!s)
        return;
    screen_show(s, &(struct frame){.n = 0});
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* weir: the command. Reads the command line and hands over to the subcommand.
 *
 * The command holds words and pictures; whatever it does, libweir can do (include/weir/weir.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/signals.h"

/* The encoding of the terminal. Where nothing is set at all, as in a bare container, UTF-8 is a
 * better guess than ASCII. Only the main thread runs. */
static void choose_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    bool set = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        set = set || (value && *value);
    }
    setlocale(LC_CTYPE, set ? "" : "C.UTF-8");
}

/* A descriptor that was closed for us would be given to the next file that is opened, and our
 * messages would go into somebody's data. */
static void open_standard_files(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2)
        fd = open("/dev/null", O_RDWR);
    if (fd > 2)
        close(fd);
}

/* A file beyond "ulimit -f" is an error of the write, which is told, and not our end. Blocked and
 * not ignored: commands that we start are asked as usual. */
static void outlive_file_size_limit(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void print_error(const char *message)
{
    struct screen *screen = screen_new(2);
    if (screen)
        screen_say(screen, TONE_ERROR, "%s", message);
    else
        fprintf(stderr, "weir: error: out of memory\n");
    screen_free(screen);
}

int usage_error(enum command command, const char *format, ...)
{
    char message[USAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    print_error(message);
    fprintf(stderr, "try: weir %s --help\n",
            command_name(command == COMMAND_HELP ? COMMAND_GET : command));
    return EXIT_USAGE;
}

int status_error(enum command command, weir_status status, const char *message)
{
    if (status == WEIR_USAGE)
        return usage_error(command, "%s", message);
    print_error(message);
    switch (status) {
    case WEIR_CONFIG:
    case WEIR_INPUT:
    case WEIR_NAME:
        return EXIT_USAGE;
    case WEIR_NOMEM:
    case WEIR_DISK:
        return EXIT_LOCAL_TROUBLE;
    default:
        return EXIT_SOME_FAILED;
    }
}

static int print_help(const struct arguments *a)
{
    enum command topic = a->command_named ? a->command : COMMAND_HELP;
    if (a->topic)
        command_by_name(a->topic, &topic);
    help_print(topic);
    return EXIT_ALL_WELL;
}

static int dispatch(const struct arguments *a)
{
    if (a->version) {
        help_print_version();
        return EXIT_ALL_WELL;
    }
    if (a->help)
        return print_help(a);
    switch (a->command) {
    case COMMAND_GET:
        return cmd_get(a);
    case COMMAND_FILTER:
        return cmd_filter(a);
    case COMMAND_JSONL:
        return cmd_jsonl(a);
    case COMMAND_VERIFY:
        return cmd_verify(a);
    case COMMAND_PREFETCH:
        return cmd_prefetch(a);
    case COMMAND_PUT:
        return cmd_put(a);
    case COMMAND_SERVE:
        return cmd_serve(a);
    case COMMAND_JOURNAL:
        return cmd_journal(a);
    case COMMAND_CONFIG:
        return cmd_config(a);
    case COMMAND_HELP:
        return print_help(a);
    }
    return EXIT_USAGE;
}

/* errno may have been spent: an earlier write failed, and stdio kept nothing of it but a mark. */
static bool reader_is_gone(void)
{
    struct pollfd out = {.fd = 1, .events = POLLOUT};
    return errno == EPIPE || (poll(&out, 1, 0) == 1 && out.revents & (POLLERR | POLLHUP));
}

/* Standard output that cannot be written is an error, but a reader who has seen enough is none. */
static int close_output(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (code == EXIT_READER_GONE || reader_is_gone())
        return EXIT_READER_GONE;
    print_error("standard output cannot be written");
    return code ? code : EXIT_LOCAL_TROUBLE;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    char message[USAGE_MAX];
    open_standard_files();
    outlive_file_size_limit();
    signals_tell_lost_pages();
    choose_locale();
    signal(SIGPIPE, SIG_IGN);
    int code = arguments_parse(&arguments, argc, argv, message)
                   ? dispatch(&arguments)
                   : usage_error(arguments.command, "%s", message);
    arguments_free(&arguments);
    return close_output(code);
}

/* A validator that is a command of the user's; see validate.h. A finisher thread, which waits for
 * the child and for the end of the prefetcher at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "prefetch/validate.h"

#define EXIT_AGAIN 75 /* EX_TEMPFAIL of sysexits.h */

/* As one word for the shell. */
static void add_word(struct strbuf *out, const char *word)
{
    strbuf_addc(out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            strbuf_adds(out, "'\\''");
        else
            strbuf_addc(out, *word);
    strbuf_addc(out, '\'');
}

/* {} is the file; where the command has none, it comes last. */
static void build(struct strbuf *out, const char *command, const char *path)
{
    bool named = false;
    for (const char *p = command; *p; p++) {
        if (p[0] == '{' && p[1] == '}') {
            add_word(out, path);
            named = true;
            p++;
        } else {
            strbuf_addc(out, *p);
        }
    }
    if (!named) {
        strbuf_addc(out, ' ');
        add_word(out, path);
    }
}

/* What it prints goes where errors go: standard output may be full of READY lines. In a group of
 * its own, so that all of it can be ended; with no signal blocked, as our threads have them. */
static int run(pid_t *child, const char *command)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)command, NULL};
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawn(child, "/bin/sh", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static bool left_before_end(const struct validate_rules *rules, pid_t child)
{
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = rules->leave_fd, .events = POLLIN}};
    if (fd < 0) /* an old kernel: the end comes when the command has ended */
        return false;
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    close(fd);
    return !(fds[0].revents & POLLIN) && fds[1].revents;
}

status validate_by_command(const struct validate_rules *rules, const char *path, const char *name,
                           bool *again, error *err)
{
    struct strbuf command = {0};
    pid_t child;
    int how = 0;
    build(&command, rules->command, path);
    int rc = command.failed ? ENOMEM : run(&child, strbuf_text(&command));
    strbuf_free(&command);
    if (rc)
        return fail_errno(err, WEIR_DISK, rc, "%s: prefetch.validate_command cannot be run", name);
    bool left = left_before_end(rules, child);
    if (left)
        kill(-child, SIGTERM);
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    if (left)
        return fail(err, WEIR_CANCELLED, "stopped");
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
        return OK;
    *again = WIFEXITED(how) && WEXITSTATUS(how) == EXIT_AGAIN;
    if (WIFEXITED(how))
        return fail(err, WEIR_CHECKSUM, "%s: refused by prefetch.validate_command, exit code %d",
                    name, WEXITSTATUS(how));
    return fail(err, WEIR_CHECKSUM, "%s: prefetch.validate_command was ended by signal %d", name,
                WTERMSIG(how));
}

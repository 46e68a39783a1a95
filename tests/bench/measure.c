/* Runs one command and writes what it took as a line of JSON: wall time, CPU, peak memory, exit
 * code.
 *
 *   measure -o FILE [--first DIR SIZE] [--for SECONDS] COMMAND...
 *
 * --first  also the time until the first finished file of SIZE bytes stands in DIR; the command is
 *          then killed
 * --for    the command gets SIGINT after so many seconds
 * SIGTERM  to this program becomes SIGINT to the command: how a script ends a run it watches
 *
 * It is a program of its own, and small, because the kernel counts into a process's peak memory
 * what its parent had in use when it forked: a Python parent would add 10 MB to every client
 * measured.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct request {
    const char *result_path;
    const char *first_dir;
    long long first_size;
    double seconds; /* 0 = until it ends by itself */
    char **command;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    exit(125);
}

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

/* True when a file under a final name has its full size. Clients that write in place are taken at
 * their word when they close it. */
static bool first_arrived(int fd, const struct request *r)
{
    _Alignas(struct inotify_event) char buffer[65536];
    ssize_t n = read(fd, buffer, sizeof buffer);
    for (char *p = buffer; n > 0 && p < buffer + n;) {
        struct inotify_event *e = (struct inotify_event *)p;
        char path[4096];
        struct stat st;
        p += sizeof *e + e->len;
        if (!e->len || ends_with(e->name, ".part") || ends_with(e->name, ".aria2"))
            continue;
        snprintf(path, sizeof path, "%s/%s", r->first_dir, e->name);
        if (stat(path, &st) == 0 && st.st_size == r->first_size)
            return true;
    }
    return false;
}

static pid_t start(char **command, const sigset_t *mask)
{
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(command[0], command);
        fprintf(stderr, "measure: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    return pid;
}

static void write_result(const struct request *r, double wall, double first, int status,
                         const struct rusage *u)
{
    FILE *f = fopen(r->result_path, "w");
    if (!f)
        die(r->result_path);
    fprintf(f,
            "{\"wall_s\":%.6f,\"user_s\":%.6f,\"system_s\":%.6f,\"peak_bytes\":%lld,"
            "\"exit\":%d,\"signal\":%d",
            wall, (double)u->ru_utime.tv_sec + (double)u->ru_utime.tv_usec * 1e-6,
            (double)u->ru_stime.tv_sec + (double)u->ru_stime.tv_usec * 1e-6,
            (long long)u->ru_maxrss * 1024, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    if (first >= 0)
        fprintf(f, ",\"first_s\":%.6f", first);
    fprintf(f, "}\n");
    if (fclose(f))
        die(r->result_path);
}

/* Waits for the command; returns its wait status. *first is set when the first file has arrived. */
static int watch(const struct request *r, pid_t pid, int signals, int notify, double started,
                 double *first, struct rusage *usage)
{
    struct pollfd fds[2] = {{signals, POLLIN, 0}, {notify, POLLIN, 0}};
    double until = r->seconds > 0 ? started + r->seconds : 0;
    for (;;) {
        int timeout = -1;
        if (until > 0) {
            double left = until - now();
            if (left <= 0) {
                kill(pid, SIGINT);
                until = 0;
                continue;
            }
            timeout = (int)(left * 1000) + 1;
        }
        if (poll(fds, 2, timeout) < 0 && errno != EINTR)
            die("poll");
        if (*first < 0 && fds[1].revents && first_arrived(notify, r)) {
            *first = now() - started;
            kill(pid, SIGKILL);
        }
        if (!(fds[0].revents & POLLIN))
            continue;
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) != sizeof info)
            continue;
        int status;
        if (info.ssi_signo == SIGTERM)
            kill(pid, SIGINT);
        else if (info.ssi_signo == SIGCHLD && wait4(pid, &status, WNOHANG, usage) == pid)
            return status;
        /* SIGINT comes from the terminal, which has told the command as well. */
    }
}

static struct request parse(int argc, char **argv)
{
    struct request r = {0};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
            r.result_path = argv[++i];
        } else if (strcmp(argv[i], "--first") == 0 && i + 2 < argc) {
            r.first_dir = argv[++i];
            r.first_size = atoll(argv[++i]);
        } else if (strcmp(argv[i], "--for") == 0 && i + 1 < argc) {
            r.seconds = atof(argv[++i]);
        } else {
            break;
        }
    }
    r.command = argv + i;
    if (!r.result_path || i >= argc || argv[i][0] == '-') {
        fprintf(stderr, "usage: measure -o FILE [--first DIR SIZE] [--for SECONDS] COMMAND...\n");
        exit(125);
    }
    return r;
}

int main(int argc, char **argv)
{
    struct request r = parse(argc, argv);
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, &before);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC);
    int notify = -1;
    if (signals < 0)
        die("signalfd");
    if (r.first_dir) {
        notify = inotify_init1(IN_CLOEXEC);
        if (notify < 0 || inotify_add_watch(notify, r.first_dir, IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
            die(r.first_dir);
    }
    double started = now(), first = -1;
    struct rusage usage;
    pid_t pid = start(r.command, &before);
    int status = watch(&r, pid, signals, notify, started, &first, &usage);
    write_result(&r, now() - started, first, status, &usage);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

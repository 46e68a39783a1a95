/* Runs one command and writes what it took as a line of JSON: wall time, CPU, peak memory, exit
 * code. Those of a shell are those of all the programs that it waited for.
 *
 *   measure -o FILE [--first DIR SIZE] [--for SECONDS] [--stdout FILE | --drain] COMMAND...
 *
 * --first  also the time until the first finished file of SIZE bytes stands in DIR; the command is
 *          then killed
 * --for    the command gets SIGINT after so many seconds
 * --stdout its standard output goes to FILE
 * --drain  its standard output is a pipe, which is emptied here and counted ("out_bytes"): grep and
 *          its kin do less when they see /dev/null. The bytes are spliced away, not copied.
 * SIGTERM  to this program becomes SIGINT to the command: how a script ends a run it watches
 *
 * It is a program of its own, and small, because the kernel counts into a process's peak memory
 * what its parent had in use when it forked: a Python parent would add 10 MB to every client
 * measured.
 */
#include <errno.h>
#include <fcntl.h>
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
    const char *stdout_path;
    bool drain;
    char **command;
};

/* Where the command's standard output goes. */
struct output {
    int to;   /* the command's end, -1 = as ours */
    int from; /* the end that is emptied here, -1 = none */
    int null;
    long long bytes;
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

static struct output open_output(const struct request *r)
{
    struct output out = {-1, -1, -1, 0};
    int ends[2];
    if (r->stdout_path) {
        out.to = open(r->stdout_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (out.to < 0)
            die(r->stdout_path);
    }
    if (r->drain) {
        out.null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (out.null < 0 || pipe2(ends, O_CLOEXEC))
            die("pipe");
        out.from = ends[0];
        out.to = ends[1];
    }
    return out;
}

/* Takes what is there; at the end of the output `from` becomes -1. */
static void empty(struct output *out)
{
    ssize_t n;
    while ((n = splice(out->from, NULL, out->null, NULL, 1 << 20, SPLICE_F_NONBLOCK)) > 0)
        out->bytes += n;
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        die("emptying the pipe");
    if (n == 0) {
        close(out->from);
        out->from = -1;
    }
}

static pid_t start(char **command, struct output *out, const sigset_t *mask)
{
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        signal(SIGINT, SIG_DFL); /* a shell's "&" has it ignored, and so would the command */
        sigprocmask(SIG_SETMASK, mask, NULL);
        if (out->to >= 0 && dup2(out->to, STDOUT_FILENO) < 0)
            die("dup2");
        execvp(command[0], command);
        fprintf(stderr, "measure: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    if (out->to >= 0)
        close(out->to);
    return pid;
}

static void write_result(const struct request *r, const struct output *out, double wall,
                         double first, int status, const struct rusage *u)
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
    if (r->drain)
        fprintf(f, ",\"out_bytes\":%lld", out->bytes);
    fprintf(f, "}\n");
    if (fclose(f))
        die(r->result_path);
}

/* Waits for the command; returns its wait status. *first is set when the first file has arrived. */
static int watch(const struct request *r, pid_t pid, int signals, int notify, struct output *out,
                 double started, double *first, struct rusage *usage)
{
    struct pollfd fds[3] = {{signals, POLLIN, 0}, {notify, POLLIN, 0}, {out->from, POLLIN, 0}};
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
        if (poll(fds, 3, timeout) < 0 && errno != EINTR)
            die("poll");
        if (out->from >= 0 && fds[2].revents) {
            empty(out);
            fds[2].fd = out->from;
        }
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
        } else if (strcmp(argv[i], "--stdout") == 0 && i + 1 < argc) {
            r.stdout_path = argv[++i];
        } else if (strcmp(argv[i], "--drain") == 0) {
            r.drain = true;
        } else {
            break;
        }
    }
    r.command = argv + i;
    if (!r.result_path || i >= argc || argv[i][0] == '-') {
        fprintf(stderr, "usage: measure -o FILE [--first DIR SIZE] [--for SECONDS] [--stdout FILE "
                        "| --drain] COMMAND...\n");
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
    struct output out = open_output(&r);
    double started = now(), first = -1;
    struct rusage usage;
    pid_t pid = start(r.command, &out, &before);
    int status = watch(&r, pid, signals, notify, &out, started, &first, &usage);
    if (out.from >= 0) /* what it wrote last; a child that it left behind is not waited for */
        empty(&out);
    write_result(&r, &out, now() - started, first, status, &usage);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A library for LD_PRELOAD: the N-th call of a kind fails, or ends the process as kill -9 would.
 *
 *   FAULT_CALL=KIND:N:WHAT[:MORE]   WHAT: an error number, "kill" (before the call), "killed"
 *                                   (right after it), or "gone": FAULT_FOLDER is removed before
 *                                   it; MORE: how many calls from there on (1; 0 = all)
 *   FAULT_PATH=TEXT                 only calls whose file has TEXT in its name count
 *   FAULT_COUNT=FILE                at the end of the process: a line "KIND NUMBER" for each
 *
 * Kinds are what the calls are for, since one thing can be done by many calls: see KINDS. Only what
 * concerns files counts, where a call can tell (write: regular files). Any thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define KINDS(X)                                                                                   \
    X(open) X(write) X(sync) X(rename) X(unlink) X(mkdir) X(truncate) X(allocate) X(xattr)

enum kind {
#define X(name) KIND_##name,
    KINDS(X)
#undef X
        KIND_COUNT
};

static const char *const kind_names[] = {
#define X(name) #name,
    KINDS(X)
#undef X
};

enum { KILL_BEFORE = -1, KILL_AFTER = -2, FOLDER_GONE = -3 };

static atomic_long counts[KIND_COUNT];
static int bad_kind = -1, bad_what;
static long bad_first, bad_last;
static const char *only;

static long last_of(long first, const char *more)
{
    long n = more ? strtol(more, NULL, 10) : 1;
    return n == 0 ? 1L << 62 : first + n - 1;
}

__attribute__((constructor)) static void begin(void)
{
    char kind[16] = "", what[16] = "";
    const char *text = getenv("FAULT_CALL");
    char more[16] = "1";
    if (text &&
        sscanf(text, "%15[a-z]:%ld:%15[a-z0-9]:%15[0-9]", kind, &bad_first, what, more) >= 3) {
        for (int i = 0; i < KIND_COUNT; i++)
            if (strcmp(kind, kind_names[i]) == 0)
                bad_kind = i;
        bad_what = strcmp(what, "kill") == 0     ? KILL_BEFORE
                   : strcmp(what, "killed") == 0 ? KILL_AFTER
                   : strcmp(what, "gone") == 0   ? FOLDER_GONE
                                                 : (int)strtol(what, NULL, 10);
        bad_last = last_of(bad_first, more);
    }
    only = getenv("FAULT_PATH");
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAULT_COUNT");
    bad_kind = -1;
    FILE *out = path ? fopen(path, "w") : NULL;
    if (!out)
        return;
    for (int i = 0; i < KIND_COUNT; i++)
        fprintf(out, "%s %ld\n", kind_names[i], atomic_load(&counts[i]));
    fclose(out);
}

static void die(void)
{
    raise(SIGKILL);
    for (;;)
        pause();
}

/* Is it about a file that was meant? */
static bool meant(int fd, const char *name)
{
    char link[64], path[4096];
    if (!only || (name && strstr(name, only)))
        return true;
    if (fd < 0 || (name && *name == '/'))
        return false;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    errno = before;
    path[n > 0 ? n : 0] = '\0';
    return strstr(path, only) != NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

/* true: it fails, errno says how. */
static bool fails(enum kind kind, int fd, const char *name)
{
    if (!meant(fd, name))
        return false;
    long n = atomic_fetch_add(&counts[kind], 1) + 1;
    if ((int)kind != bad_kind || n < bad_first || n > bad_last)
        return false;
    if (bad_what == KILL_BEFORE)
        die();
    if (bad_what == KILL_AFTER)
        return false;
    if (bad_what == FOLDER_GONE) {
        nftw(getenv("FAULT_FOLDER"), remove_one, 8, FTW_DEPTH | FTW_PHYS);
        return false;
    }
    errno = bad_what;
    return true;
}

/* After the call. */
static void passed(enum kind kind, int fd, const char *name)
{
    if (!meant(fd, name))
        return;
    if ((int)kind == bad_kind && bad_what == KILL_AFTER && atomic_load(&counts[kind]) >= bad_first)
        die();
}

/* int NAME(parameters) that fails as a call of KIND about fd, or the name beneath it */
#define WRAP(type, name, kind, fd_, name_, parameters, ...)                                        \
    type name parameters;                                                                          \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*real) parameters;                                                             \
        if (!real)                                                                                 \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        if (fails(KIND_##kind, fd_, name_))                                                        \
            return (type)-1;                                                                       \
        type result = real(__VA_ARGS__);                                                           \
        passed(KIND_##kind, fd_, name_);                                                           \
        return result;                                                                             \
    }

WRAP(int, fdatasync, sync, fd, NULL, (int fd), fd)
WRAP(int, fsync, sync, fd, NULL, (int fd), fd)
WRAP(int, syncfs, sync, fd, NULL, (int fd), fd)
WRAP(int, rename, rename, -1, b, (const char *a, const char *b), a, b)
WRAP(int, renameat, rename, t, b, (int f, const char *a, int t, const char *b), f, a, t, b)
WRAP(int, renameat2, rename, t, b, (int f, const char *a, int t, const char *b, unsigned flags), f,
     a, t, b, flags)
WRAP(int, linkat, rename, t, b, (int f, const char *a, int t, const char *b, int flags), f, a, t, b,
     flags)
WRAP(int, unlink, unlink, -1, a, (const char *a), a)
WRAP(int, unlinkat, unlink, f, a, (int f, const char *a, int flags), f, a, flags)
WRAP(int, mkdir, mkdir, -1, a, (const char *a, mode_t mode), a, mode)
WRAP(int, mkdirat, mkdir, f, a, (int f, const char *a, mode_t mode), f, a, mode)
WRAP(int, ftruncate, truncate, fd, NULL, (int fd, off_t n), fd, n)
WRAP(int, ftruncate64, truncate, fd, NULL, (int fd, off64_t n), fd, n)
WRAP(int, fallocate, allocate, fd, NULL, (int fd, int mode, off_t at, off_t n), fd, mode, at, n)
WRAP(int, fsetxattr, xattr, fd, NULL,
     (int fd, const char *name, const void *value, size_t n, int flags), fd, name, value, n, flags)

static bool is_file(int fd)
{
    struct stat st;
    int before = errno;
    bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    errno = before;
    return file;
}

#define WRAP_WRITE(name, parameters, ...)                                                          \
    ssize_t name parameters;                                                                       \
    ssize_t name parameters                                                                        \
    {                                                                                              \
        static ssize_t(*real) parameters;                                                          \
        if (!real)                                                                                 \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        bool counts_too = is_file(fd);                                                             \
        if (counts_too && fails(KIND_write, fd, NULL))                                             \
            return -1;                                                                             \
        ssize_t result = real(__VA_ARGS__);                                                        \
        if (counts_too)                                                                            \
            passed(KIND_write, fd, NULL);                                                          \
        return result;                                                                             \
    }

WRAP_WRITE(write, (int fd, const void *data, size_t n), fd, data, n)
WRAP_WRITE(pwrite, (int fd, const void *data, size_t n, off_t at), fd, data, n, at)
WRAP_WRITE(pwrite64, (int fd, const void *data, size_t n, off64_t at), fd, data, n, at)
WRAP_WRITE(pwritev2, (int fd, const struct iovec *v, int n, off_t at, int flags), fd, v, n, at,
           flags)

/* Opening counts where a file is made or written to: what is read stays readable. */
static bool makes(int flags)
{
    return (flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0;
}

#define WRAP_OPEN(name, fd_, parameters, last, ...)                                                \
    int name parameters;                                                                           \
    int name parameters                                                                            \
    {                                                                                              \
        static int(*real) parameters;                                                              \
        va_list args;                                                                              \
        va_start(args, last);                                                                      \
        mode_t mode = (mode_t)va_arg(args, unsigned);                                              \
        va_end(args);                                                                              \
        if (!real)                                                                                 \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        if (makes(flags) && fails(KIND_open, fd_, path))                                           \
            return -1;                                                                             \
        int result = real(__VA_ARGS__, mode);                                                      \
        if (makes(flags))                                                                          \
            passed(KIND_open, fd_, path);                                                          \
        return result;                                                                             \
    }

WRAP_OPEN(open, -1, (const char *path, int flags, ...), flags, path, flags)
WRAP_OPEN(open64, -1, (const char *path, int flags, ...), flags, path, flags)
WRAP_OPEN(openat, fd, (int fd, const char *path, int flags, ...), flags, fd, path, flags)
WRAP_OPEN(openat64, fd, (int fd, const char *path, int flags, ...), flags, fd, path, flags)

struct how_to_open { /* struct open_how */
    unsigned long long flags, mode, resolve;
};

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    bool counts_too = number == SYS_openat2 && makes((int)((struct how_to_open *)a[2])->flags);
    if (counts_too && fails(KIND_open, (int)a[0], (const char *)a[1]))
        return -1;
    long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (counts_too)
        passed(KIND_open, (int)a[0], (const char *)a[1]);
    return result;
}

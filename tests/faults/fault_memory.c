/* A library for LD_PRELOAD: an allocation gives NULL, told by its number or by who asks for it.
 *
 *   FAULT_ALLOC=N[:MORE]     the N-th allocation fails, and MORE from there on (1; 0 = all)
 *   FAULT_OWN=1              only those count that the program itself asks for, no library
 *   FAULT_STACK=HASH:N       the N-th allocation that is asked for through these calls fails
 *   FAULT_STACKS=FILE        at the end of the process: a line "HASH NUMBER" for each way of calls
 *   FAULT_COUNT=FILE         at the end of the process: a line "alloc NUMBER"
 *   FAULT_CRASH=FILE         who asked in vain is told there, "denied" and his calls; and a process
 *                            that dies of a signal of its own leaves its calls, after "signal N"
 *
 * Numbers of allocations are not the same from run to run, since threads meet as they like; ways of
 * calls are. HASH is of all callers, each as its offset in its library, so that it outlives the
 * placing of libraries in memory. Any thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

enum { STACKS = 1 << 16, FRAMES = 64 };

static bool ready, tells_stacks;
static atomic_long allocations;
static long alloc_first, alloc_last;
static uint64_t stack_hash; /* 0: by number */
static const char *own_from, *own_to;
static struct {
    _Atomic uint64_t hash; /* 0 = free */
    atomic_long count;
} stacks[STACKS];
static _Thread_local bool looking
    __attribute__((tls_model("initial-exec"))); /* who looks at the calls may allocate himself */

/* ---- ways of calls ---- */

struct walk {
    uint64_t hash;
    int frames;
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *at, void *user)
{
    struct walk *w = user;
    struct dl_find_object found;
    void *pc = (void *)_Unwind_GetIP(at);
    if (w->frames++ > FRAMES || _dl_find_object(pc, &found) != 0)
        return _URC_END_OF_STACK;
    w->hash ^= (uintptr_t)pc - (uintptr_t)found.dlfo_map_start;
    w->hash *= 1099511628211u;
    return _URC_NO_REASON;
}

static uint64_t calls_hash(void)
{
    struct walk w = {.hash = 14695981039346656037u};
    looking = true;
    _Unwind_Backtrace(add_frame, &w);
    looking = false;
    return w.hash ? w.hash : 1;
}

/* How often this way was taken, with this time. */
static long count_stack(uint64_t hash)
{
    for (size_t i = hash % STACKS, tries = 0; tries < STACKS; i = (i + 1) % STACKS, tries++) {
        uint64_t there = 0;
        if (atomic_compare_exchange_strong(&stacks[i].hash, &there, hash) || there == hash)
            return atomic_fetch_add(&stacks[i].count, 1) + 1;
    }
    return 0;
}

/* ---- beginning and end ---- */

static int find_program(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            own_from = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
            own_to = own_from + info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first one is the program */
}

static int crash_fd = -1;

static _Unwind_Reason_Code print_frame(struct _Unwind_Context *at, void *user)
{
    Dl_info info = {0};
    int *frames = user;
    void *pc = (void *)_Unwind_GetIP(at);
    if (!dladdr(pc, &info) || ++*frames > FRAMES)
        return _URC_END_OF_STACK;
    const char *slash = strrchr(info.dli_fname, '/');
    dprintf(crash_fd, "%s %s %lx\n", slash ? slash + 1 : info.dli_fname,
            info.dli_sname ? info.dli_sname : "?", (long)((char *)pc - (char *)info.dli_fbase));
    return _URC_NO_REASON;
}

static void print_calls(const char *why, int number)
{
    int frames = 0;
    looking = true;
    dprintf(crash_fd, "%s %d\n", why, number);
    _Unwind_Backtrace(print_frame, &frames);
    looking = false;
}

/* Then it dies as it would have. */
static void tell_crash(int number)
{
    print_calls("signal", number);
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_crashes(const char *path)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    crash_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct sigaction how = {.sa_handler = tell_crash, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; crash_fd >= 0 && i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &how, NULL);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text;
    char *end;
    if (getenv("FAULT_OWN"))
        dl_iterate_phdr(find_program, NULL);
    if ((text = getenv("FAULT_ALLOC"))) {
        alloc_first = alloc_last = strtol(text, &end, 10);
        long more = *end == ':' ? strtol(end + 1, NULL, 10) : 1;
        alloc_last = more == 0 ? INT64_MAX : alloc_first + more - 1;
    }
    if ((text = getenv("FAULT_STACK"))) {
        stack_hash = strtoull(text, &end, 16);
        alloc_first = alloc_last = *end == ':' ? strtol(end + 1, NULL, 10) : 1;
    }
    if ((text = getenv("FAULT_CRASH")))
        watch_crashes(text);
    tells_stacks = getenv("FAULT_STACKS") != NULL;
    ready = true;
}

static FILE *open_list(const char *variable)
{
    const char *path = getenv(variable);
    return path ? fopen(path, "w") : NULL;
}

__attribute__((destructor)) static void finish(void)
{
    ready = false;
    FILE *out = open_list("FAULT_COUNT");
    if (out) {
        fprintf(out, "alloc %ld\n", atomic_load(&allocations));
        fclose(out);
    }
    out = open_list("FAULT_STACKS");
    for (size_t i = 0; out && i < STACKS; i++)
        if (stacks[i].hash)
            fprintf(out, "%016llx %ld\n", (unsigned long long)stacks[i].hash,
                    atomic_load(&stacks[i].count));
    if (out)
        fclose(out);
}

/* ---- what fails ---- */

static bool no_memory(const void *caller)
{
    const char *from = caller;
    if (!ready || looking || (own_to && (from < own_from || from >= own_to)))
        return false;
    long n = atomic_fetch_add(&allocations, 1) + 1;
    if (stack_hash || tells_stacks) {
        uint64_t hash = calls_hash();
        if (tells_stacks)
            n = count_stack(hash);
        else
            n = hash == stack_hash ? count_stack(hash) : 0;
    }
    if (alloc_first == 0 || n < alloc_first || n > alloc_last)
        return false;
    if (crash_fd >= 0 && n == alloc_first)
        print_calls("denied", 0);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    void *p = no_memory(__builtin_return_address(0)) ? NULL : __libc_memalign(align, n);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

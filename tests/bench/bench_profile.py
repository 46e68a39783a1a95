"""Where the time of weir goes: shares of its CPU time by what it was doing, from `perf record`.

`run.sh --profile` runs weir under perf and prints this below each row. A sample in the kernel
belongs to the system call that it was in, one in a library to that library.
"""
import collections
import os
import re
import shutil
import subprocess

FREQUENCY = "1999"
LEAST = 0.01   # of the samples; what has less is summed up as the rest
FUNCTION_LEAST = 0.02

# The first that fits the name of the system call's function in the kernel.
CALLS = [(re.compile(pattern), what) for pattern, what in (
    (r"sendto|sendmsg|writev|connect|socket|accept|setsockopt", "kernel: send"),
    (r"recv", "kernel: receive"),
    (r"epoll|poll|select|eventfd", "kernel: wait for sockets"),
    (r"futex|sched_yield|clone|exit|signal|sigtimedwait", "kernel: threads"),
    (r"openat|open_tree", "kernel: open files"),
    (r"renameat|unlinkat|linkat|mkdirat", "kernel: names of files"),
    (r"pwrite|_write|fallocate|ftruncate|copy_file_range|splice", "kernel: write files"),
    (r"fsync|fdatasync|syncfs|sync_file_range|msync", "kernel: sync files"),
    (r"xattr|utimensat|flock|fstat|newfstatat|statx|fcntl", "kernel: attributes, locks, dates"),
    (r"_read|pread|getdents|lseek", "kernel: read files"),
    (r"close", "kernel: close"),
    (r"mmap|munmap|mremap|madvise|mprotect|brk", "kernel: memory"))]
LIBRARIES = [(re.compile(pattern), what) for pattern, what in (
    (r"libcurl", "libcurl"), (r"libssl|libcrypto|libgnutls|libnettle|libhogweed", "TLS, digests"),
    (r"libc\.so|libm\.so|ld-linux|vdso", "libc"), (r"libnghttp2", "libnghttp2"),
    (r"libhs", "Hyperscan"), (r"libpcre2|perf-\d+\.map|\[anon|//anon|jit", "PCRE2"),
    (r"libisal", "igzip"), (r"libzstd", "zstd"), (r"liblzma", "xz"), (r"libbz2", "bzip2"),
    (r"libbrotli", "brotli"), (r"libjq|libonig", "jq"), (r"libsimdjson", "simdjson"),
    (r"libsqlite", "SQLite"), (r"libmicrohttpd", "libmicrohttpd"), (r"libstdc", "libstdc++"),
    (r"libxxhash", "xxhash"))]


def wrap(command, data):
    """The command under perf, which writes `data`."""
    if not shutil.which("perf"):
        raise SystemExit("bench: --profile needs perf; install linux-perf")
    return ["perf", "record", "-q", "-F", FREQUENCY, "-g", "-o", data, "--", *command]


def of_kernel(stack):
    for symbol, _ in reversed(stack):
        if "sys_" in symbol:
            for pattern, what in CALLS:
                if pattern.search(symbol):
                    return what
            return "kernel: other calls"
    if any("page_fault" in symbol for symbol, _ in stack):
        return "kernel: memory"
    return "kernel: interrupts, switches"


def of_library(path, program):
    name = os.path.basename(path)
    if name == os.path.basename(program):
        return "weir"
    for pattern, what in LIBRARIES:
        if pattern.search(name):
            return what
    return "other libraries"


def owner(stack, program):
    """What a sample counts for; `stack` begins where it was taken."""
    if not stack:
        return "not known"
    path = stack[0][1]
    if "kernel" in path or path.startswith("[") and "vdso" not in path:
        return of_kernel([frame for frame in stack if "kernel" in frame[1]])
    return of_library(path, program)


def shares(data, program):
    """[(what, share)], the largest first; of weir itself the largest functions too."""
    text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], check=True,
                          capture_output=True, text=True, errors="replace").stdout
    counts, functions = collections.Counter(), collections.Counter()
    frame = re.compile(r"^\s*[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?[^()]*)\)$")
    for sample in text.split("\n\n"):
        stack = [match.groups() for match in map(frame.match, sample.splitlines()) if match]
        what = owner(stack, program) if stack else None
        if stack:
            counts[what] += 1
        if what == "weir":
            functions[stack[0][0].split("+")[0]] += 1
    total = sum(counts.values())
    if not total:
        raise SystemExit("bench: perf took no samples; see /proc/sys/kernel/perf_event_paranoid")
    rows = [(what, n / total) for what, n in counts.most_common() if n >= LEAST * total]
    rest = 1 - sum(share for _, share in rows)
    rows += [("the rest", rest)] if rest >= 0.0005 else []
    at = next((i for i, row in enumerate(rows) if row[0] == "weir"), len(rows)) + 1
    rows[at:at] = [(f"  of which {name}", n / total) for name, n in functions.most_common()
                   if n >= FUNCTION_LEAST * total]
    return rows


def show(row, data, program):
    """The last run of the row, if there was one under perf."""
    if not os.path.exists(data):
        return
    print(f"\nwhere weir's CPU time goes: {row}")
    for what, share in shares(data, program):
        print(f"  {100 * share:5.1f} %  {what}")
    os.unlink(data)

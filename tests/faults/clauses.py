"""What was promised to be tried, clause by clause, and which trials do it.

    sh tests/faults/run.sh --clauses     each clause, with its trials in the long and the short form

A clause that has fewer trials than it names is told, and the exit status is 1.
"""
import collections
import fnmatch

import harness

# pattern: of ROW/NAME; least: so many in the long form; unit: what each of these trials stands for
Clause = collections.namedtuple("Clause", "text patterns least unit", defaults=(1, 1))

MODES = ("fresh", "resume", "segmented", "filter")


def C(text, *patterns, least=1, unit=1):
    return Clause(text, patterns, least, unit)


CLAUSES = [
    *(C(f"80 HTTP/1 faults, {mode}", f"http1/*/{mode}", least=80) for mode in MODES),
    C("HTTP/1: lengths", "http1/length-*"),
    C("HTTP/1: chunking", "http1/chunk*", "http1/transfer-encoding-*", "http1/trailer-*"),
    C("HTTP/1: headers", "http1/field*", "http1/head-*", "http1/status-line-*", "http1/etag-*"),
    C("HTTP/1: floods", "http1/*flood*", "http1/fields-*", "http1/*-of-?0000-bytes/*"),
    C("HTTP/1: 1xx", "http1/informational*", "http1/switching-protocols/*"),
    C("HTTP/1: redirects", "http1/redirect-*"),
    C("HTTP/1: ranges", "http1/range-*", "http1/changed-*", "http1/validators-*"),
    C("HTTP/1: encodings", "http1/*gzip*", "http1/br-*", "http1/*-label/*"),
    C("HTTP/1: early closes", "http1/cut-*", "http1/close-*", "http1/*cut*"),
    C("HTTP/1: resets at each 64 KB", "http1/reset-each-64-kb/*", "http1/reset-at-*"),
    C("HTTP/1: stalls and drips", "http1/stall-*", "http1/drip*", "http1/head-stalls/*",
      "http1/head-in-drips/*"),
    C("HTTP/1: 429 and 503 forms", "http1/status-503*", "http1/status-429*", "http1/retry-after-*"),
    *(C(f"10 HTTP/2 faults, {mode}", f"http2/*/{mode}", least=10) for mode in MODES),
    C("TLS: expired", "network/expired", "network/swapped-for-expired"),
    C("TLS: wrong host", "network/wrong-*", "network/wildcard-*", "network/name-only-*",
      "network/swapped-for-other-host"),
    C("TLS: self-signed, unknown authority", "network/self-signed", "network/unknown-authority"),
    C("TLS: old protocol", "network/old-protocol"),
    C("DNS failures", "network/name-*", "network/net-names-*"),
    C("blackholes", "network/net-blackhole-*", "network/net-unreachable-*"),
    C("links that flap, in network namespaces", "network/net-flaps-*", "network/net-down-*",
      least=40),
    *(C(f"disk: {what}", *patterns) for what, patterns in {
        "full": ("disk/*ENOSPC*", "disk/*EDQUOT*", "disk/*/full"),
        "out of inodes": ("disk/*/no-inodes",),
        "read-only": ("disk/*EROFS*", "disk/*/read-only"),
        "EIO": ("disk/*EIO*",),
        "file size limit": ("disk/*/file-size-limit-*",),
        "descriptors used up": ("disk/*EMFILE*", "disk/*/descriptors-*"),
        "directory removed": ("disk/*/folder-*",)}.items()),
    *(C(f"disk, each failure in the phase: {phase}", f"disk/*/files/{phase}-*", least=90)
      for phase in ("open", "write", "sync", "rename")),
    C("disk, directory removed in the phases open, write, sync, rename", "disk/*/folder-gone-*",
      least=27),
    C("disk, in the phase: journal", "disk/*/journal/*", least=100),
    C("kill -9 at random, 1,000", "kill/*/random-*", least=1000),
    C("kill -9 before each durable call, one by one", "kill/*-kill", least=100),
    C("kill -9 after each durable call, one by one", "kill/*-killed", least=100),
    C("power cuts, 500", "power/*", least=500, unit=100),
    *(C(f"each allocation of the program fails once, {workload}", f"memory/{workload}/own-*",
        least=80) for workload in ("small", "large", "filter")),
    *(C(f"each way to an allocation of a library fails once, {workload}",
        f"memory/{workload}/way-*", least=1000) for workload in ("small", "large", "filter")),
    C("a million URLs in 64 MiB", "scale/million-*"),
    C("ten thousand slow connections", "scale/ten-thousand-slow"),
    *(C(f"traversal by: {form}", f"hostile/names-{form}") for form in (
        "urls", "tsv", "csv", "jsonl", "sums", "aria2", "metalink", "pattern", "disposition",
        "output", "bytes", "template")),
    C("link races in the target directory", "hostile/link-race-*", least=20),
    C("NUL and escape bytes", "hostile/names-*", "http1/*escapes*", "http1/field-with-nul/*"),
    C("credentials and cookies across hosts", "hostile/secrets-*"),
    C("redirects to file, gopher, link-local: policy", "http1/redirect-to-file/*",
      "http1/redirect-to-gopher/*", "http1/redirect-to-*link-local/*"),
    C("private addresses: policy, and the setting that allows them", "network/net-private-*"),
    C("bombs", "hostile/bomb-*"),
    C("corrupt journals", "hostile/journal-*", least=400),
    C("corrupt resume files", "hostile/record-*", least=400),
]


def names_of(rows, plan):
    return [f"{row.name}/{name}" for row in rows if not (row.plain and harness.SANITIZE)
            for name, _ in row.trials(plan)]


def print_clauses(rows, short, long):
    """True: each clause has the trials that it names."""
    many, some = names_of(rows, long), names_of((row for row in rows if row.short), short)
    lacking, unclaimed = [], set(many)
    print(f"{'clause':<66} {'long':>6} {'short':>6}")
    for clause in CLAUSES:
        def tries(names):
            return {name for name in names
                    if any(fnmatch.fnmatchcase(name, each) for each in clause.patterns)}
        found = tries(many)
        unclaimed -= found
        number = len(found) * clause.unit
        print(f"{clause.text:<66} {number:>6} {len(tries(some)) * clause.unit:>6}")
        if number < clause.least:
            lacking.append(f"{clause.text}: {number} trials, {clause.least} were promised")
    print(f"{'and besides':<66} {len(unclaimed):>6}")
    print("\n".join(lacking) or "each clause has its trials")
    return not lacking

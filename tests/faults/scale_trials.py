"""The limits of memory: a million URLs within 64 MiB, and ten thousand slow connections. Long."""
import functools

import harness
from trial_lab import hard

# The limit of the data segment counts the stacks of threads as well: they get small ones.
POOR = ["prlimit", f"--data={64 << 20}", "--stack=524288"]
MILLION = 1_000_000


def million(lab, what):
    """Its body, or its error, for each of a million: and nothing is kept of them."""
    server = lab.faults("--no-log")
    path = lab.path("list.txt")
    query = "?status=404&errbody=0" if what == "failing" else ""
    with open(path, "w") as out:
        out.writelines(f"{server.base}/r/m{i}/9/n{i}{query}\n" for i in range(MILLION))
    command = ["filter", "-F", "no such word"] if what == "filter" else ["get", "-o", "-"]
    under = [] if harness.SANITIZE else POOR
    more = {"command": harness.tool(POOR[0])} if under else {}
    run = lab.run_weir(*under[1:], *([harness.COMMAND] if under else []), *command, "-q",
                       "--no-config", "-j", "64", "--per-host", "64", "--retries", "0", "-i", path,
                       timeout=900, peak=True, **more)
    hard(run.code == (1 if what == "failing" else 0), f"exit code {run.code}\n{run.err[-500:]}")
    asked = server.stats()["requests"]
    hard(asked == MILLION, f"{asked} requests")
    if what == "get":
        hard(len(run.out) == 9 * MILLION, f"{len(run.out)} bytes")
    print(f"  a million, {what}: {run.peak_kib / 1024:.1f} MiB at most", flush=True)


def slow(lab):
    """Ten thousand at once, each some bytes a second: all arrive, in memory that is theirs."""
    server = lab.faults("--no-log")
    number = 10_000
    path = lab.list_of(server.url(f"s{i}", 40, "drip=4/2000", f"n{i}", "t")
                       for i in range(number))
    # no files of its own: two descriptors for each would be more than many systems allow
    run = lab.run_weir("filter", "-e", "^", "--with-url", "-q", "--no-config", "-j", str(number),
                       "-s", f"run.queue={2 * number}", "--per-host", str(number),
                       "-s", "http.connect_timeout=60s", "-i", path,
                       timeout=300, peak=True)
    hard(run.code == 0, f"exit code {run.code}\n{run.err[-800:]}")
    most = server.stats()["connections_max"]
    hard(most > number * 3 // 4, f"only {most} connections at once")
    found = {}
    for line in run.out.splitlines():
        url, _, rest = line.partition(b"\t")
        found.setdefault(url.split(b"/")[4].decode(), []).append(rest)
    hard(len(found) == number, f"lines of {len(found)} of them")
    for seed, rows in found.items():
        wanted = harness.lines("t", seed, 40).splitlines()
        hard(rows == wanted, f"{seed}: {rows} instead of {wanted}")
    print(f"  {most} connections: {run.peak_kib / 1024:.1f} MiB at most", flush=True)
    limit = 64 + number * 24 // 1024
    hard(harness.SANITIZE or run.peak_kib < limit << 10,
         f"{run.peak_kib >> 10} MiB, more than {limit}")


def trials(plan):
    for what in ("filter", "get", "failing"):
        yield f"million-{what}", functools.partial(million, what=what)
    yield "ten-thousand-slow", slow

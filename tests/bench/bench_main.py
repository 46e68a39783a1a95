"""weir beside curl, wget2 and aria2: the rows, in the order in which they are run. See run.sh."""
import argparse
import contextlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tempfile

import bench_bounds
import bench_dataset
import bench_filter
import bench_prefetch
import bench_profile
import bench_protocols
import bench_put
import bench_rows
import bench_segments
import bench_serve
from bench_client import Bench
from bench_report import Report
from bench_server import Server
from bench_text import Texts

# What each row needs served: the texts of the filter rows are made when the first of them runs.
ROWS = {"small": (bench_rows.small_files, "small"), "large": (bench_rows.large_files, "large"),
        "tls": (bench_rows.tls_files, "large"),
        "h2": (bench_protocols.http2, "small large"), "delay": (bench_protocols.long_way, "small"),
        "list": (bench_rows.long_list, None),
        "many": (bench_bounds.many_transfers, "bounds"),
        "busy": (bench_bounds.refusing_host, None), "rates": (bench_bounds.rates, "bounds"),
        "durability": (bench_rows.disk_durability, "small"),
        "journal": (bench_dataset.journal, "small"), "digests": (bench_dataset.digests, "large"),
        "segments": (bench_segments.far_away, "large"),
        "put": (bench_put.put_files, "large"), "put_pipe": (bench_put.put_pipe, None),
        "serve": (bench_serve.serving, "small large"),
        "lines": (bench_filter.one_literal, "text"), "lines8": (bench_filter.eight_logs, "text"),
        "gz": (bench_filter.gzip_log, "text"), "zst": (bench_filter.zstd_log, "text"),
        "ip": (bench_filter.addresses, "text"),
        "literals": (bench_filter.twenty_literals, "text"),
        "dense": (bench_filter.nearly_every_line, "text"),
        "jsonl": (bench_filter.json_records, "text"),
        "stdout": (bench_filter.one_after_another, "small"),
        "filter_memory": (bench_filter.flat_memory, "text"),
        "prefetch": (bench_prefetch.prefetch, None)}


LOGHUB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "loghub")


class Context:
    """What every row needs: the program, the server, the bench, the report and how much to do."""

    def __init__(self, options):
        self.weir = os.path.abspath(options.weir)
        self.bare_copy = options.bare_copy
        self.drain = options.drain
        self.bare_text = options.bare_text
        self.disk = options.disk
        self.rounds = options.rounds or (1 if options.profile else 2 if options.quick else 5)
        self.list_rounds = 1 if options.quick else 3
        self.list_length = 100_000 if options.quick else 1_000_000
        self.list_limit_s = 60
        self.busy_s = 5 if options.quick else 20
        self.rate_s = 5 if options.quick else 10
        self.make_text = options.make_text
        self.slow_link = options.slow_link
        self.quick = options.quick
        self.log_bytes = 89_000_000 if options.quick else 890_000_000
        self.record_bytes = 40_000_000 if options.quick else 400_000_000
        self.endless_bytes = 400_000_000 if options.quick else 4_000_000_000
        self.disk_type = subprocess.run(["df", "--output=fstype", self.disk], check=True,
                                        capture_output=True, text=True).stdout.split()[-1]
        self.report = self.server = self.bench = self.work = self.texts = None


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return f"{command[0]}: not installed"
    return (done.stdout or done.stderr).split("\n")[0]


def print_machine(ctx):
    print(f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, load "
          f"{os.getloadavg()[0]:.2f}; server and clients share the cores")
    for line in (first_line(ctx.weir, "--version"), first_line("nginx", "-v"),
                 first_line("curl", "--version").split(" (")[0], first_line("wget2", "--version"),
                 first_line("aria2c", "--version"), first_line("rg", "--version"),
                 first_line("pigz", "--version"), first_line("jq", "--version")):
        print(f"  {line}")


def parse():
    parser = argparse.ArgumentParser(prog="sh tests/bench/run.sh",
                                     description="weir beside its peers")
    parser.add_argument("--quick", action="store_true",
                        help="small sizes, two rounds: a smoke test, not a measurement")
    parser.add_argument("--rows", default=",".join(ROWS), help="which, of " + ",".join(ROWS))
    parser.add_argument("--profile", action="store_true", help="no comparison, but where "
                        "weir's CPU time goes in each row, by perf")
    parser.add_argument("--rounds", type=int, help="rounds that count (default 5)")
    parser.add_argument("--weir", required=True, help="the program (default: built in build-bench)")
    parser.add_argument("--memory-disk", default="/dev/shm", help="for files served and received")
    parser.add_argument("--disk", default="/var/tmp", help="for the durability row")
    parser.add_argument("--json", help="every run and goal as a line of JSON")
    parser.add_argument("--texts", metavar="DIR", help="where logs and records for the filter rows "
                        "are kept from one run to the next (default: made anew each time)")
    parser.add_argument("--loghub", default=os.environ.get("WEIR_LOGHUB", LOGHUB),
                        help="the logs that they are made of (default: tests/data/loghub)")
    parser.add_argument("--make-text", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--slow-link", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--measure", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--bare-copy", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--bare-text", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--drain", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rows = options.rows.split(",")
    unknown = [row for row in options.rows if row not in ROWS]
    if unknown:
        parser.error(f"--rows: no row is called {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return options


def check_space(options, ctx, needs, small_count, large_count, large_bytes):
    """Files served, files received, and a margin for lists and the sparse rows."""
    need = 1_500_000_000
    need += 2 * small_count * 4096 if "small" in needs else 0
    need += 2 * large_count * large_bytes if "large" in needs else 0
    need += 5 * ctx.log_bytes + 3 * ctx.record_bytes if "text" in needs else 0
    free = shutil.disk_usage(options.memory_disk).free
    if free < need:
        raise SystemExit(f"bench: {options.memory_disk} has {free / 1e9:.1f} GB free, needed are "
                         f"{need / 1e9:.1f}; use --memory-disk DIR, --rows or --quick")


def run_row(ctx, row, profile):
    if not profile:
        ROWS[row][0](ctx)
        return
    with contextlib.redirect_stdout(io.StringIO()): # perf slows weir alone: nothing to compare
        ROWS[row][0](ctx)
    bench_profile.show(row, ctx.bench.profile, ctx.weir)


def main():
    options = parse()
    ctx = Context(options)
    small_count = 2_000 if options.quick else 10_000
    large_bytes = (32 if options.quick else 256) << 20
    needs = {need for row in options.rows for need in (ROWS[row][1] or "").split()}
    check_space(options, ctx, needs, small_count, 8, large_bytes)
    print_machine(ctx)
    ctx.report = Report(options.json)
    ctx.work = tempfile.mkdtemp(prefix="weir-bench-work-", dir=options.memory_disk)
    try:
        ctx.bench = Bench(options.measure, ctx.work, ctx.weir if options.profile else None)
        with Server(options.memory_disk, small_count, 8, large_bytes, needs) as ctx.server:
            ctx.texts = Texts(ctx, options.texts, options.loghub)
            for row in options.rows:
                run_row(ctx, row, options.profile)
    finally:
        if ctx.bench:
            ctx.bench.stop()
        shutil.rmtree(ctx.work, ignore_errors=True)
    if options.profile:
        return 0
    ctx.report.summary("quick" if options.quick else "full")
    return 1 if any(client.startswith("weir") for _, client, _ in ctx.report.broken) else 0


if __name__ == "__main__":
    sys.exit(main())

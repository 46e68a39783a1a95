"""The rows that hold weir against a bound rather than a peer: memory with many transfers in flight
or a host that refuses everything, and the accuracy of the limits.
"""
import os
import signal
import time

from bench_client import Client, Task, weir_arguments
from bench_report import megabytes
from bench_server import METERED_BYTES

MANY = 200


def weir(ctx, *extra):
    return Client("weir", ctx.weir, weir_arguments(*extra), is_peer=False)


def bytes_in(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def many_transfers(ctx):
    """200 transfers of 1 GB at once"""
    row, server = "many", ctx.server
    ctx.report.title(f"{MANY} transfers of 1 GB at once")
    ctx.report.note("sparse file, the server sends 400 kB/s to each; stopped when all have been in "
                    "flight for 5 s;")
    ctx.report.note("with save.preallocate=no: preallocated files on a memory disk are memory")
    client = weir(ctx, "-j", str(MANY), "--per-host", str(MANY), "-s", "save.preallocate=no")
    task = Task([f"{server.base}/slow/s{i:03d}" for i in range(MANY)])
    command = client.prepare(task, ctx.work, ctx.bench.out)
    process = ctx.bench.start(command, options=["--for", "60"])
    all_since, seen = None, 0
    while process.poll() is None:
        seen = max(seen, server.connections_writing())
        if server.connections_writing() >= MANY:
            all_since = all_since or time.monotonic()
            if time.monotonic() - all_since >= 5:
                process.send_signal(signal.SIGTERM)
                break
        else:
            all_since = None
        time.sleep(0.1)
    run = ctx.bench.finish(process)
    received = bytes_in(ctx.bench.out)
    ctx.bench.clear()
    ctx.report.run(row, "weir", 1, run)
    if seen < MANY or all_since is None:
        ctx.report.fault(row, "weir", f"only {seen} of {MANY} transfers were in flight together: "
                         + ctx.bench.log_tail())
        return
    ctx.report.note(f"{seen} in flight, {megabytes(received)} MB received, peak "
                    f"{megabytes(run['peak_bytes'])} MB, exit code {run['exit']}")
    ctx.report.goal(row, "peak memory", run["peak_bytes"] / 1e6, 32, "MB")


def refusing_host(ctx):
    """a million URLs on a host that answers 503"""
    row, server = "busy", ctx.server
    ctx.report.title(f"{ctx.list_length:,} URLs on a host that answers 503, {ctx.busy_s} s")

    def urls():
        return (f"{server.base}/busy/u{i:07d}" for i in range(ctx.list_length))
    command = weir(ctx).prepare(Task(urls), ctx.work, ctx.bench.out)
    run = ctx.bench.run(command, options=["--for", str(ctx.busy_s)])
    ctx.bench.clear()
    ctx.report.run(row, "weir", 1, run)
    ctx.report.note(f"exit code {run['exit']} after {run['wall_s']:.1f} s, {run['cpu_s']:.2f} s of "
                    f"CPU, peak {megabytes(run['peak_bytes'])} MB")
    if run["exit"] != 130:
        ctx.report.fault(row, "weir", f"exit code {run['exit']}, wanted 130: "
                         + ctx.bench.log_tail())
        return
    ctx.report.goal(row, "peak memory", run["peak_bytes"] / 1e6, 32, "MB")


def request_rate(ctx):
    """50 requests a second over 10 s"""
    row, server, seconds = "rates", ctx.server, ctx.rate_s
    ctx.report.title(f"--rate 50/s over {seconds} s (time stamps of the server's log)")
    task = Task([f"{server.base}/logged/r{i:04d}" for i in range(50 * (seconds + 2))])
    server.clear_log()
    ctx.bench.run(weir(ctx, "--rate", "50/s").prepare(task, ctx.work, ctx.bench.out),
                  options=["--for", str(seconds + 1)])
    ctx.bench.clear()
    times = server.logged_times()
    if not times:
        ctx.report.fault(row, "weir", "no request arrived: " + ctx.bench.log_tail())
        return
    count = sum(t < times[0] + seconds for t in times)
    ctx.report.note(f"{count} requests in {seconds} s, wanted {50 * seconds}")
    ctx.report.goal(row, "requests, off by", abs(count / (50 * seconds) - 1) * 100, 2, "%")


def bandwidth(ctx):
    """10 MB a second over 10 s"""
    row, server, seconds = "rates", ctx.server, ctx.rate_s
    files = max(1, 10_000_000 * seconds // METERED_BYTES)
    total = files * METERED_BYTES
    ctx.report.title(f"--bandwidth 10M/s: {files} files, {total / 1e6:.0f} MB in all")
    task = Task([f"{server.base}/metered/b{i}" for i in range(files)])
    run = ctx.bench.run(weir(ctx, "--bandwidth", "10M/s").prepare(task, ctx.work, ctx.bench.out),
                        options=["--for", str(3 * seconds)])
    arrived = bytes_in(ctx.bench.out)
    ctx.bench.clear()
    ctx.report.run(row, "weir", 1, run)
    if run["exit"] != 0 or arrived != total:
        ctx.report.fault(row, "weir", f"exit code {run['exit']}, {arrived} of {total} bytes "
                         "arrived: " + ctx.bench.log_tail())
        return
    rate = total / run["wall_s"]
    ctx.report.note(f"{run['wall_s']:.3f} s from start to exit, {rate / 1e6:.3f} MB/s")
    ctx.report.goal(row, "bytes a second, off by", abs(rate / 1e7 - 1) * 100, 2, "%")


def rates(ctx):
    """the limits, over ten seconds"""
    request_rate(ctx)
    bandwidth(ctx)

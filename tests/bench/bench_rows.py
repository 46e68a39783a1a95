"""The rows in which weir stands beside its peers: files, large files, TLS, the start of a long
list, and what durability costs on a disk. Rounds are interleaved (A B C D A B C D ...), so that
whatever else the machine does falls on all alike; the first round warms up and is not counted, but
its files are compared byte by byte.
"""
import filecmp
import os
import time

from bench_client import (Alone, Client, Task, Wrk, all_clients, alone_runs, aria2_arguments,
                          weir_arguments)
from bench_report import best_peer, comparison, megabytes, middle
from bench_server import FILE_BYTES


def wrong_files(out, originals, bytes_too):
    """None, or what is wrong with the files that arrived."""
    here = os.listdir(out)
    if len(here) != len(originals):
        return f"{len(here)} files arrived, wanted {len(originals)}"
    for path in originals:
        copy = os.path.join(out, os.path.basename(path))
        if not os.path.exists(copy):
            return f"{os.path.basename(path)} is missing"
        if os.path.getsize(copy) != os.path.getsize(path):
            return f"{os.path.basename(path)}: {os.path.getsize(copy)} bytes, wanted " \
                   f"{os.path.getsize(path)}"
        if bytes_too and not filecmp.cmp(copy, path, shallow=False):
            return f"{os.path.basename(path)} has other bytes than the original"
    return None


def interleave(ctx, row, clients, task, originals, disk=None):
    """{client name: [run, ...]}, the medians' raw material; a client that fails is left out. With
    `disk`, each run has a folder of its own there, and the caller removes them."""
    runs = {c.name: [] for c in clients}
    for number in range(ctx.rounds + 1):
        for client in [c for c in clients if c.name in runs]:
            name = client.name
            if isinstance(client, Alone):
                alone_runs(ctx, row, client, number, runs)
                continue
            out = os.path.join(disk, f"{number}-{name}") if disk else ctx.bench.out
            command = client.prepare(task, ctx.work, out)
            os.sync()
            run = ctx.bench.run(command, out)
            wrong = wrong_files(out, originals, bytes_too=number == 0)
            if run["exit"] != 0:
                wrong = f"exit code {run['exit']}, signal {run['signal']}: {ctx.bench.log_tail()}"
            if not disk:
                ctx.bench.clear(out)
            if wrong:
                ctx.report.fault(row, name, wrong)
                del runs[name]
            elif number > 0:
                runs[name].append(run)
                ctx.report.run(row, name, number, run)
    return runs


def peers_of(clients):
    return [c.name for c in clients if c.is_peer]


def small_files(ctx):
    """10,000 x 4 KB over HTTP/1.1"""
    row, server = "small", ctx.server
    ctx.report.title(f"{server.small_count:,} x 4 KB, HTTP/1.1 ({ctx.rounds} rounds, medians)")
    names = [f"f{i:05d}" for i in range(server.small_count)]
    clients = [*all_clients(ctx.weir), Wrk(f"{server.base}/small/{names[0]}", len(names))]
    runs = interleave(ctx, row, clients, Task([f"{server.base}/small/{n}" for n in names]),
                      [server.www("small", n) for n in names])
    comparison(ctx.report, runs, server.small_count, "files/s", limits=["wrk"])
    peer, wall = best_peer(runs, peers_of(clients))
    if "weir" in runs and peer:
        ctx.report.goal(row, f"wall, against {peer}", middle(runs["weir"], "wall_s") / wall, 1.0,
                        "x")
        # wget2 is the peer that the goal was set against; here another one may be the fastest.
        for other in sorted({peer, "wget2"} & set(runs)):
            ctx.report.goal(row, f"CPU, against {other}", middle(runs["weir"], "cpu_s")
                            / middle(runs[other], "cpu_s"), 0.75, "x")


def large(ctx, row, base, ca, with_floor, clients=None):
    server = ctx.server
    names = [f"g{i}" for i in range(server.large_count)]
    clients = clients or all_clients(ctx.weir)
    if with_floor:
        def arguments(path, task, out):
            return [str(server.port), out, *(f"large/{n}" for n in names)]
        clients.append(Client("bare copy", ctx.bare_copy, arguments, is_peer=False))
    runs = interleave(ctx, row, clients, Task([f"{base}/large/{n}" for n in names], ca),
                      [server.www("large", n) for n in names])
    comparison(ctx.report, runs, server.large_count * server.large_bytes / 1e6, "MB/s",
               limits=["bare copy"] if with_floor else [])
    peer, wall = best_peer(runs, peers_of(clients))
    if "weir" in runs and peer:
        ctx.report.goal(row, f"wall, against {peer}", middle(runs["weir"], "wall_s") / wall, 1.0,
                        "x")
    return runs


def large_files(ctx):
    """8 x 256 MB over HTTP/1.1"""
    server = ctx.server
    ctx.report.title(f"{server.large_count} x {server.large_bytes >> 20} MiB, HTTP/1.1 "
                     f"({ctx.rounds} rounds, medians)")
    runs = large(ctx, "large", server.base, None, with_floor=True)
    if "weir" in runs:
        peak = max(run["peak_bytes"] for run in runs["weir"])
        ctx.report.goal("large", "peak memory, the highest of all rounds", peak / 1e6, 24, "MB")


def tls_files(ctx):
    """the same over TLS"""
    server = ctx.server
    ctx.report.title(f"{server.large_count} x {server.large_bytes >> 20} MiB, TLS, certificates "
                     f"checked ({ctx.rounds} rounds, medians)")
    large(ctx, "tls", server.tls_base, server.ca, with_floor=False)


def long_list(ctx):
    """a list of 1,000,000 URLs, to the first file"""
    row, server = "list", ctx.server
    ctx.report.title(f"a list of {ctx.list_length:,} URLs: time to the first finished file, and "
                     f"peak memory until then ({ctx.list_rounds} rounds, medians)")
    ctx.report.note(f"each client is killed at its first file; stopped after {ctx.list_limit_s} s")

    def urls():
        return (f"{server.base}/many/u{i:07d}" for i in range(ctx.list_length))
    clients = [c for c in all_clients(ctx.weir) if c.name != "aria2"]
    clients.append(Client("aria2 deferred", "aria2c", aria2_arguments("--deferred-input=true")))
    commands = {c.name: c.prepare(Task(urls), ctx.work, ctx.bench.out) for c in clients}
    runs = {name: [] for name in commands}
    options = ["--first", ctx.bench.out, str(FILE_BYTES), "--for", str(ctx.list_limit_s)]
    for number in range(ctx.list_rounds + 1):
        for name in list(commands):
            run = ctx.bench.run(commands[name], options=options)
            ctx.bench.clear()
            if "first_s" not in run:
                ctx.report.fault(row, name, f"no file within {run['wall_s']:.1f} s, peak "
                                 f"{megabytes(run['peak_bytes'])} MB: {ctx.bench.log_tail()}")
                del commands[name], runs[name]
            elif number > 0:
                runs[name].append(run)
                ctx.report.run(row, name, number, run)
    ctx.report.table(["client", "first file s", "peak MB"],
                     [[name, f"{middle(own, 'first_s'):.3f}", megabytes(middle(own, "peak_bytes"))]
                      for name, own in runs.items()])
    if "weir" in runs:
        ctx.report.goal(row, "to the first file", middle(runs["weir"], "first_s"), 0.1, "s")
        ctx.report.goal(row, "peak memory until then", middle(runs["weir"], "peak_bytes") / 1e6, 32,
                        "MB")


def bare_creation(out, count):
    """Seconds that the file system itself takes: create, write, close and rename, one by one."""
    os.makedirs(out)
    body = os.urandom(FILE_BYTES)
    start = time.monotonic()
    for i in range(count):
        name = os.path.join(out, f"f{i:05d}")
        with open(name + ".part", "wb", buffering=0) as f:
            f.write(body)
        os.rename(name + ".part", name)
    return time.monotonic() - start


def disk_durability(ctx):
    """what save.durability costs on a disk. Nothing is removed before the row has ended: for some
    minutes ext4 does not give out an inode that was freed, and creating a file walks over them all.
    """
    row, server = "durability", ctx.server
    disk = os.path.join(ctx.disk, f"weir-bench-{os.getpid()}")
    ctx.report.title(f"{server.small_count:,} x 4 KB into a folder on {ctx.disk_type} "
                     f"({ctx.rounds} rounds, medians)")
    names = [f"f{i:05d}" for i in range(server.small_count)]
    clients = [Client(f"weir {mode}", ctx.weir, weir_arguments("-s", f"save.durability={mode}"),
                      is_peer=False) for mode in ("none", "batch", "file")]
    try:
        floor = bare_creation(os.path.join(disk, "bare"), server.small_count)
        ctx.report.note(f"for comparison: creating and renaming as many files there, with nothing "
                        f"synced and no network, took {floor:.3f} s")
        runs = interleave(ctx, row, clients, Task([f"{server.base}/small/{n}" for n in names]),
                          [server.www("small", n) for n in names], disk)
    finally:
        ctx.bench.clear(disk)
    comparison(ctx.report, runs, server.small_count, "files/s")
    if all(f"weir {mode}" in runs for mode in ("none", "batch", "file")):
        walls = {mode: middle(runs[f"weir {mode}"], "wall_s") for mode in ("none", "batch", "file")}
        ctx.report.note(f"batch takes {walls['batch'] / walls['none']:.2f} x none, "
                        f"file {walls['file'] / walls['none']:.2f} x none")

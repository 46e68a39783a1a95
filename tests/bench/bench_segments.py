"""One large file over a long way: 50 ms of round trip, and a server that lets each connection have
5 MB/s. The relay slow_link is that way."""
import os
import subprocess

from bench_client import Client, Task, aria2_arguments, weir_arguments
from bench_report import comparison, middle
from bench_rows import interleave

ROUND_TRIP_MS = 50
EACH_BYTES_S = 5_000_000
FIXED = (4, 8, 16)


def make_file(server, pieces):
    path = server.www("long", "one.bin")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as whole:
        for i in range(pieces):
            with open(server.www("large", f"g{i}"), "rb") as piece:
                while data := piece.read(1 << 20):
                    whole.write(data)
    return path


def weir(ctx, segments, *more):
    name = " ".join(["weir --segments", str(segments), *more])
    return Client(name, ctx.weir, weir_arguments("--segments", str(segments), *more), is_peer=False)


def far_away(ctx):
    """1 GB over 50 ms and 5 MB/s a connection, in segments"""
    row, server = "segments", ctx.server
    pieces = 4
    path = make_file(server, pieces)
    size = os.path.getsize(path)
    link = subprocess.Popen([ctx.slow_link, str(server.port), str(ROUND_TRIP_MS),
                             str(EACH_BYTES_S)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    rounds, ctx.rounds = ctx.rounds, min(ctx.rounds, 3)
    try:
        port = int(link.stdout.readline().split()[1])
        ctx.report.title(f"{size >> 20} MiB, {ROUND_TRIP_MS} ms, {EACH_BYTES_S / 1e6:.0f} MB/s a "
                         f"connection ({ctx.rounds} rounds, medians)")
        raised = ("--per-host", "16")
        clients = [*(weir(ctx, n) for n in FIXED[:2]), weir(ctx, "auto"),
                   weir(ctx, FIXED[2], *raised), weir(ctx, "auto", *raised),
                   Client("aria2 -x16 -s16", "aria2c", aria2_arguments("-x16", "-s16"))]
        runs = interleave(ctx, row, clients, Task([f"http://127.0.0.1:{port}/long/one.bin"]),
                          [path])
    finally:
        link.stdin.close()
        link.wait()
        ctx.rounds = rounds
        os.unlink(path)
    comparison(ctx.report, runs, size / 1e6, "MB/s")
    walls = {name: middle(figures, "wall_s") for name, figures in runs.items() if figures}

    def goal(text, name, others):
        if name in walls and all(other in walls for other in others):
            ctx.report.goal(row, text, walls[name] / min(walls[o] for o in others), 1.1, "x")

    auto16 = clients[4].name
    goal("auto, against the best fixed number", clients[2].name, [c.name for c in clients[:2]])
    goal("auto, --per-host 16, against 16", auto16, [clients[3].name])
    goal("auto, --per-host 16, against aria2 -x16 -s16", auto16, [clients[5].name])

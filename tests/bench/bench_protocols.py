"""The rows in which the way is another one: HTTP/2 over TLS, and a long way of 50 ms.

aria2 speaks no HTTP/2: it is there over HTTP/1.1, as whoever uses it would have it. The long way is
slow_link, a relay that hands each byte on 25 ms later, in both directions; it needs no privileges
and is the same for all. What limits a row over it is the number of round trips: small files of a
host come over so many connections, each one round trip after the other.
"""
import subprocess

from bench_client import Alone, Client, Task, all_clients, weir_arguments
from bench_report import best_peer, comparison, middle
from bench_rows import interleave, large, peers_of

ROUND_TRIP_MS = 50
CONNECTIONS = 16  # of the peers; over the long way weir is also told so
AS_THEY = ("--per-host", str(CONNECTIONS))


def weir_for_h2(ctx, name="weir", extra=()):
    return Client(name, ctx.weir, weir_arguments("-s", "http.version=2", *extra), is_peer=False)


def clients_for_h2(ctx):
    """curl and wget2 choose HTTP/2 by themselves, over TLS; to weir it is said."""
    return [weir_for_h2(ctx), *(c for c in all_clients(ctx.weir) if c.is_peer)]


def http2(ctx):
    """4 KB and 256 MB files over HTTP/2"""
    row, server = "h2", ctx.server
    count = server.small_count // 2
    names = [f"f{i:05d}" for i in range(count)]
    ctx.report.title(f"{count:,} x 4 KB, HTTP/2 over TLS ({ctx.rounds} rounds, medians)")
    load = Alone("h2load", "h2load", "-n", str(count), "-c1", "-m16",
                 f"{server.h2_base}/small/{names[0]}")
    as_they = weir_for_h2(ctx, f"weir, {CONNECTIONS} a host", AS_THEY)
    runs = interleave(ctx, row, [*clients_for_h2(ctx), as_they, load],
                      Task([f"{server.h2_base}/small/{n}" for n in names], server.ca),
                      [server.www("small", n) for n in names])
    comparison(ctx.report, runs, count, "files/s", limits=["h2load"])
    against_best(ctx, row, "small files, ", runs, peers_of(clients_for_h2(ctx)))
    ctx.report.title(f"{server.large_count} x {server.large_bytes >> 20} MiB, HTTP/2 over TLS "
                     f"({ctx.rounds} rounds, medians)")
    large(ctx, row, server.h2_base, server.ca, False, clients_for_h2(ctx))


def against_best(ctx, row, mark, runs, peers):
    peer, wall = best_peer(runs, peers)
    if "weir" in runs and peer:
        ctx.report.goal(row, f"{mark}wall, against {peer}", middle(runs["weir"], "wall_s") / wall,
                        1.0, "x")


def long_way(ctx):
    """small files over 50 ms"""
    row, server = "delay", ctx.server
    count = min(server.small_count, 1000)
    names = [f"f{i:05d}" for i in range(count)]
    link = subprocess.Popen([ctx.slow_link, str(server.port), str(ROUND_TRIP_MS), "0"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    rounds, ctx.rounds = ctx.rounds, min(ctx.rounds, 3)
    try:
        port = int(link.stdout.readline().split()[1])
        ctx.report.title(f"{count:,} x 4 KB over {ROUND_TRIP_MS} ms ({ctx.rounds} rounds, medians)")
        as_they = Client("weir", ctx.weir, weir_arguments(*AS_THEY), is_peer=False)
        clients = [as_they, Client("weir, 8 a host", ctx.weir, weir_arguments(), is_peer=False),
                   *(c for c in all_clients(ctx.weir) if c.is_peer)]
        runs = interleave(ctx, row, clients,
                          Task([f"http://127.0.0.1:{port}/small/{n}" for n in names]),
                          [server.www("small", n) for n in names])
    finally:
        link.stdin.close()
        link.wait()
        ctx.rounds = rounds
    # a round trip opens the connections, then each file takes one
    least = (-(-count // CONNECTIONS) + 1) * ROUND_TRIP_MS / 1000
    comparison(ctx.report, runs, count, "files/s", limits=["round trips"],
               known={"round trips": least})
    if "weir" in runs:
        ctx.report.goal(row, "of the limit", least / middle(runs["weir"], "wall_s"), 0.9, "x",
                        at_least=True)

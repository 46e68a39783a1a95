"""`weir serve` beside nginx: the same files from the same memory disk, to the same client, which
throws them away (drain.c). nginx is the one of the bench, one worker with sendfile; weir serve runs
with its defaults. What stands in the table as CPU and memory is the server's.
"""
import os
import subprocess

from bench_report import middle

TICKS = os.sysconf("SC_CLK_TCK")


class Served:
    """A server to be measured: its port, and what it has spent so far."""

    def __init__(self, name, port, pid):
        self.name, self.port, self.pid = name, port, pid

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat") as text:
            fields = text.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_bytes(self):
        with open(f"/proc/{self.pid}/status") as text:
            return max(int(line.split()[1]) * 1024 for line in text if line.startswith("VmHWM"))


class WeirServer:
    """`weir serve` on the folder of the bench's nginx; `with` starts it and ends it."""

    def __init__(self, ctx, *options):
        self.ctx, self.options, self.process = ctx, options, None

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.ctx.weir, "serve", self.ctx.server.www(), "--no-config", "--listen",
             "127.0.0.1:0", *self.options], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            env=self.ctx.bench.environment)
        line = self.process.stdout.readline().decode()
        if " at http" not in line:
            self.__exit__()
            raise SystemExit("bench: weir serve did not start")
        self.port = int(line.rstrip("/\n").rsplit(":", 1)[1])
        return Served("weir serve", self.port, self.process.pid)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def measure(ctx, row, servers, connections, requests, paths):
    """{server: [run, ...]}; rounds are interleaved, the first warms up."""
    runs = {s.name: [] for s in servers}
    for number in range(ctx.rounds + 1):
        for server in [s for s in servers if s.name in runs]:
            before = server.cpu_s()
            run = ctx.bench.run([ctx.drain, str(server.port), str(connections), str(requests),
                                 *paths])
            run.update(cpu_s=server.cpu_s() - before, peak_bytes=server.peak_bytes())
            if run["exit"] != 0:
                ctx.report.fault(row, server.name, ctx.bench.log_tail())
                del runs[server.name]
            elif number > 0:
                runs[server.name].append(run)
                ctx.report.run(row, server.name, number, run)
    return runs


def show(report, runs, work, unit):
    rows = []
    for name, own in runs.items():
        wall = middle(own, "wall_s")
        spread = f"{min(r['wall_s'] for r in own):.3f}-{max(r['wall_s'] for r in own):.3f}"
        rows.append([name, f"{wall:.3f}", spread, f"{work / wall:,.0f}",
                     f"{middle(own, 'cpu_s'):.2f}", f"{middle(own, 'peak_bytes') / 1e6:.1f}"])
    report.table(["server", "wall s", "(min-max)", unit, "its CPU s", "its peak MB"], rows)


def ratio(runs):
    """weir's throughput, in that of nginx."""
    if len(runs) < 2:
        return None
    return middle(runs["nginx"], "wall_s") / middle(runs["weir serve"], "wall_s")


def serving(ctx):
    """weir serve beside nginx: large files, and requests for small ones"""
    server = ctx.server
    nginx = Served("nginx", server.port, server.process.pid)
    workers = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True,
                             text=True, check=False).stdout.split()
    if workers:
        nginx.pid = int(workers[0])
    with WeirServer(ctx) as weir:
        for connections in (1, 4):
            bytes_moved = 2 * server.large_count * server.large_bytes
            ctx.report.title(f"weir serve and nginx: {2 * server.large_count} x "
                             f"{server.large_bytes >> 20} MiB over {connections} connection"
                             f"{'s' if connections > 1 else ''} ({ctx.rounds} rounds, medians)")
            runs = measure(ctx, "serve", (weir, nginx), connections, 2 * server.large_count,
                           [f"large/g{i}" for i in range(server.large_count)])
            show(ctx.report, runs, bytes_moved / 1e6, "MB/s")
            if ratio(runs):
                ctx.report.goal("serve", f"MB/s over {connections}, against nginx", ratio(runs),
                                0.7, "x", at_least=True)
        for connections in (16, 200):
            requests = 20 * server.small_count
            ctx.report.title(f"weir serve and nginx: {requests:,} requests for 4 KB over "
                             f"{connections} connections ({ctx.rounds} rounds, medians)")
            runs = measure(ctx, "serve", (weir, nginx), connections, requests,
                           [f"small/f{i:05d}" for i in range(0, server.small_count, 10)])
            show(ctx.report, runs, requests, "requests/s")
            if ratio(runs):
                ctx.report.note(f"requests/s over {connections}, against nginx: "
                                f"{ratio(runs):.2f} x")

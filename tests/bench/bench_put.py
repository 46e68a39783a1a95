"""The row in which weir sends files up, beside curl: the large files to nginx (PUT, by its dav
module, which writes each to a temporary file of the memory disk and renames it), and a pipe without
end, whose memory counts.
"""
import os
import shutil

from bench_client import Client
from bench_report import best_peer, comparison, middle
from bench_rows import peers_of, wrong_files


class Sender(Client):
    """A client whose arguments are files and a URL that ends in a slash."""

    def prepare(self, task, work, out):
        files, url = task
        config = os.path.join(work, "uploads.conf")
        with open(config, "w") as f:
            for i, path in enumerate(files):
                f.write(f'{"next" + chr(10) if i else ""}upload-file = "{path}"\n'
                        f'url = "{url}{os.path.basename(path)}"\n')
        return [self.program, *self.arguments(files, url, config)]


def senders(weir):
    return [Sender("weir", weir, lambda files, url, config: ["put", *files, url], is_peer=False),
            Sender("curl -T", "curl", lambda files, url, config: ["-q", "-sS", "-K", config]),
            Sender("curl -Z -T", "curl", lambda files, url, config: [
                "-q", "-sS", "-Z", "--parallel-max", "8", "-K", config])]


def put_files(ctx):
    """8 x 256 MB to nginx by PUT"""
    row, server = "put", ctx.server
    arrived = os.path.join(server.root, "up", "put")
    files = [server.www("large", f"g{i}") for i in range(server.large_count)]
    ctx.report.title(f"{server.large_count} x {server.large_bytes >> 20} MiB sent up by PUT, "
                     f"HTTP/1.1 ({ctx.rounds} rounds, medians)")
    clients = senders(ctx.weir)
    runs = {c.name: [] for c in clients}
    for number in range(ctx.rounds + 1):
        for client in [c for c in clients if c.name in runs]:
            shutil.rmtree(arrived, ignore_errors=True)
            run = ctx.bench.run(client.prepare((files, f"{server.base}/put/"), ctx.work, None))
            wrong = f"exit code {run['exit']}: {ctx.bench.log_tail()}" if run["exit"] else \
                wrong_files(arrived, files, bytes_too=number == 0)
            if wrong:
                ctx.report.fault(row, client.name, wrong)
                del runs[client.name]
            elif number > 0:
                runs[client.name].append(run)
                ctx.report.run(row, client.name, number, run)
    shutil.rmtree(arrived, ignore_errors=True)
    comparison(ctx.report, runs, server.large_count * server.large_bytes / 1e6, "MB/s")
    peer, wall = best_peer(runs, peers_of(clients))
    if "weir" not in runs:
        return
    if peer:
        ctx.report.goal(row, f"wall, against {peer}", middle(runs["weir"], "wall_s") / wall, 1.0,
                        "x")
    peak = max(run["peak_bytes"] for run in runs["weir"])
    ctx.report.goal(row, "peak memory, the highest of all rounds", peak / 1e6, 24, "MB")


def put_pipe(ctx):
    """a pipe of 4 GB, sent up in flat memory"""
    row, size = "put_pipe", ctx.endless_bytes
    ctx.report.title(f"a pipe of {size / 1e9:.1f} GB sent up to a server that drops it")
    script = 'head -c "$1" /dev/zero | exec "$0" put - "$2"'
    run = ctx.bench.run(["sh", "-c", script, ctx.weir, str(size), f"{ctx.server.base}/drop"])
    if run["exit"]:
        ctx.report.fault(row, "weir", f"exit code {run['exit']}: {ctx.bench.log_tail()}")
        return
    ctx.report.note(f"{size / 1e6 / run['wall_s']:,.0f} MB/s")
    ctx.report.goal(row, "peak memory", run["peak_bytes"] / 1e6, 24, "MB")

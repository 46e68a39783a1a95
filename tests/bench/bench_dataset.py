"""What the checks of datasets cost: the journal, on many small files, and digests, on large ones."""
import hashlib
import os

from bench_client import Client, Task, weir_arguments
from bench_report import comparison, middle
from bench_rows import interleave


class WithJournal(Client):
    """A journal of its own for each run, beside the list."""

    def prepare(self, task, work, out):
        journal = os.path.join(work, "bench.journal")
        for ending in ("", "-wal", "-shm", "-lock"):
            if os.path.exists(journal + ending):
                os.unlink(journal + ending)
        return [*super().prepare(task, work, out), "--journal", journal]


class WithDigests(Client):
    """The same list as a table with a column of digests, or with an empty one."""

    def __init__(self, name, program, digests):
        super().__init__(name, program, weir_arguments(), is_peer=False)
        self.digests = digests

    def prepare(self, task, work, out):
        command = super().prepare(task, work, out)
        path = command[command.index("-i") + 1]
        with open(path) as plain:
            rows = plain.read()
        with open(path, "w") as table:
            table.write("url\tsha256\n" + rows)
        return command

    def line(self, url, out):
        return f"{url}\t{self.digests.get(url.rsplit('/', 1)[1], '')}\n"


def journal(ctx):
    """10,000 x 4 KB with a journal and without"""
    row, server = "journal", ctx.server
    ctx.report.title(f"{server.small_count:,} x 4 KB, with --journal and without ({ctx.rounds} "
                     "rounds, medians)")
    names = [f"f{i:05d}" for i in range(server.small_count)]
    clients = [Client("weir", ctx.weir, weir_arguments(), is_peer=False),
               WithJournal("weir --journal", ctx.weir, weir_arguments(), is_peer=False)]
    runs = interleave(ctx, row, clients, Task([f"{server.base}/small/{n}" for n in names]),
                      [server.www("small", n) for n in names])
    comparison(ctx.report, runs, server.small_count, "files/s")
    if len(runs) == 2:
        plain, kept = runs["weir"], runs["weir --journal"]
        ctx.report.goal(row, "wall, against no journal",
                        middle(kept, "wall_s") / middle(plain, "wall_s"), 1.1, "x")


def digests(ctx):
    """8 x 256 MB with sha256 and without, and the digest alone"""
    row, server = "digests", ctx.server
    ctx.report.title(f"{server.large_count} x {server.large_bytes >> 20} MiB, sha256 checked and "
                     f"not ({ctx.rounds} rounds, medians)")
    names = [f"g{i}" for i in range(server.large_count)]
    paths = [server.www("large", n) for n in names]
    known = {}
    for name, path in zip(names, paths):
        with open(path, "rb") as data:
            known[name] = hashlib.file_digest(data, "sha256").hexdigest() \
                if hasattr(hashlib, "file_digest") else hashlib.sha256(data.read()).hexdigest()
    clients = [WithDigests("weir", ctx.weir, {}), WithDigests("weir, sha256", ctx.weir, known)]
    runs = interleave(ctx, row, clients, Task([f"{server.base}/large/{n}" for n in names]), paths)
    alone = [ctx.bench.run(["openssl", "dgst", "-sha256", *paths], ctx.bench.out)
             for _ in range(ctx.rounds)]
    runs["the digest alone"] = alone
    comparison(ctx.report, runs, server.large_count * server.large_bytes / 1e6, "MB/s")
    if "weir" in runs and "weir, sha256" in runs:
        more = middle(runs["weir, sha256"], "cpu_s") - middle(runs["weir"], "cpu_s")
        ctx.report.goal(row, "CPU that sha256 adds, against openssl dgst",
                        more / middle(alone, "cpu_s"), 1.0, "x")

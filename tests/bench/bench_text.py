"""The logs and records of the filter rows, made by make_text when a row first asks for them.

Each text is there as one file and as the eight pieces that it was put together from, so that both
have the same lines; compressed, as they are used, by gzip and zstd at their default levels.
"""
import glob
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

PIECES = 8
COMPRESSORS = {".gz": ["gzip", "-nc"], ".zst": ["zstd", "-qc", "-T1"]}


class Texts:
    def __init__(self, ctx, kept, loghub):
        self.ctx, self.loghub = ctx, os.path.abspath(loghub)
        self.folder = ctx.server.www("text")
        self.sizes = {"log": ctx.log_bytes, "jsonl": ctx.record_bytes}
        if kept:
            os.makedirs(kept, exist_ok=True)
            os.rmdir(self.folder)
            os.symlink(os.path.abspath(kept), self.folder)

    def name(self, kind, ending="", piece=None):
        part = "" if piece is None else f"-{piece}"
        return f"{self.sizes[kind] // 1_000_000}M{part}.{kind}{ending}"

    def path(self, kind, ending="", piece=None):
        return os.path.join(self.folder, self.name(kind, ending, piece))

    def url(self, kind, ending="", piece=None):
        return f"{self.ctx.server.base}/text/{self.name(kind, ending, piece)}"

    def piece_urls(self, kind, ending=""):
        return [self.url(kind, ending, piece) for piece in range(PIECES)]

    def piece_paths(self, kind, ending=""):
        return [self.path(kind, ending, piece) for piece in range(PIECES)]

    def size(self, kind):
        return os.path.getsize(self.path(kind))

    def need(self, kind, ending=""):
        """Makes what is not there yet: the text, and with an ending it compressed as well."""
        start = time.monotonic()
        parts = [*range(PIECES), None]
        missing = [p for p in parts if not os.path.exists(self.path(kind, ending, p))]
        if not missing:
            return
        if ending:
            self.need(kind)
            # the whole first: it takes as long as all the pieces
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda p: self.make([*COMPRESSORS[ending], self.path(kind, "", p)],
                                                  self.path(kind, ending, p)), reversed(missing)))
        else:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda p: self.make(self.maker(kind, p), self.path(kind, "", p)),
                              range(PIECES)))
            self.make(["cat", *self.piece_paths(kind)], self.path(kind))
        self.ctx.report.note(f"made {self.name(kind, ending)} and its {PIECES} pieces in "
                             f"{time.monotonic() - start:.0f} s, "
                             f"{os.path.getsize(self.path(kind, ending)) / 1e6:.0f} MB")

    def maker(self, kind, piece):
        command = [self.ctx.make_text, kind, str(self.sizes[kind] // PIECES), str(piece)]
        if kind == "log":
            logs = sorted(glob.glob(os.path.join(self.loghub, "*.log")))
            if not logs:
                raise SystemExit(f"bench: {self.loghub} has no logs; use --loghub DIR")
            command += logs
        return command

    def make(self, command, path):
        with open(path + ".part", "wb") as out:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, check=True)
        os.rename(path + ".part", path)

    def sum(self, path):
        """Lines, bytes, and a number that is the same for the same lines in any order."""
        with open(path, "rb") as f:
            return subprocess.run([self.ctx.make_text, "sum"], stdin=f, capture_output=True,
                                  text=True, check=True).stdout.strip()

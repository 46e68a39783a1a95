"""What the tests of weir prefetch stand on: parquet shards on a real server, a consumer on pipes,
and an eye on the folder."""
import os
import queue
import random
import signal
import struct
import sys
import threading

from harness import COMMAND, SOURCE, Case, body, judge

sys.path.insert(0, os.path.join(SOURCE, "examples", "python"))
import weir  # noqa: E402  pylint: disable=wrong-import-position,unused-import


def parquet(seed, size):
    """A file with a valid frame: what stands between is random."""
    footer = body(seed + "f", 40)
    return b"PAR1" + body(seed, size - 52) + footer + struct.pack("<I", len(footer)) + b"PAR1"


def on_disk(folder):
    """Bytes of all files below the cache, but for its own state."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            if name in ("state", "state.new", "lock") and where.endswith(".weir-prefetch"):
                continue
            try:
                total += os.stat(os.path.join(where, name)).st_size
            except FileNotFoundError:
                pass
    return total


class Watch:
    """The most bytes that the cache ever had, as seen at each step of the test."""

    def __init__(self, folder):
        self.folder, self.peak = folder, 0

    def look(self):
        # Twice: between two files of one walk one may go and another come.
        self.peak = max(self.peak, min(on_disk(self.folder) for _ in range(3)))


class Prefetcher:
    """`weir prefetch` with pipes (or, with a socket, without)."""

    def __init__(self, case, *args, socket=None):
        self.case = case
        command = ["prefetch", "--no-config", "--progress", "none", *args]
        if socket:
            command += ["--socket", socket]
        self.errors = open(case.path(f"err-{random.random()}"), "w+b")
        self.process = case.start(*command, stdin=-1, stdout=-1, stderr=self.errors,
                                  command=COMMAND)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        case.addCleanup(self.kill)

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(os.fsdecode(line[:-1]).split(" ", 2))
        self.lines.put(None)

    def next(self, seconds=60):
        """The next line as words; None: the program has ended."""
        return self.lines.get(timeout=seconds)

    def say(self, *words):
        try:
            self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
            self.process.stdin.flush()
            return True
        except BrokenPipeError:
            return False

    def wait(self, seconds=60, close=True):
        """The exit code. `close`: standard input ends now; one that a signal shall end keeps it."""
        try:
            if close:
                self.process.stdin.close()
        except BrokenPipeError:
            pass
        code = self.process.wait(timeout=seconds)
        judge(code, self.err())
        return code

    def err(self):
        if self.errors.closed:
            return ""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.reader.join(timeout=10)
        if not self.errors.closed:
            judge(0, self.err())
            self.errors.close()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


class PrefetchCase(Case):
    def shards(self, count, size=20000, make=parquet, ending=".parquet"):
        """Makes and serves them; self.bodies by name, self.list a manifest with their sizes."""
        self.bodies = {f"shard-{i:03d}{ending}": make(f"p{i}", size) for i in range(count)}
        for name, data in self.bodies.items():
            self.write(f"www/{name}", data)
        self.server = self.nginx(self.path("www"))
        self.names = list(self.bodies)
        self.list = self.manifest("list.tsv")

    def manifest(self, name, sizes=True):
        title = "url\tname\tsize\n" if sizes else "url\tname\n"
        return self.write(name, title + "".join(
            f"{self.server.base}/{n}\t{n}" + (f"\t{len(data)}\n" if sizes else "\n")
            for n, data in self.bodies.items()))

    def prefetcher(self, *args, **kw):
        return Prefetcher(self, "-i", self.list, "-d", self.dir, *args, **kw)

    def check_shard(self, seq, path):
        name = self.names[int(seq) % len(self.names)]
        self.assertEqual(os.path.basename(path), name)
        with open(path, "rb") as data:
            self.assertEqual(data.read(), self.bodies[name], name)

    def cache_files(self):
        return sorted(name for name in os.listdir(self.dir) if not name.startswith(".weir"))

    def release_all_and_commit_the_first(self, p, count):
        for seq in range(count):
            self.assertEqual(p.next()[1], str(seq))
            p.say("RELEASE", seq)
            if seq == 0:
                p.say("COMMIT", 0)

    def read_all(self, p, first=0, release=True, commit_every=0, watch=None):
        """Consumes to the end; the positions in the order in which they came."""
        seen = []
        while (words := p.next()) is not None:
            if words[0] == "END":
                break
            self.assertEqual(words[0], "READY", p.err())
            self.check_shard(words[1], words[2])
            seen.append(int(words[1]))
            if watch:
                watch.look()
            if release:
                p.say("RELEASE", words[1])
            if commit_every and int(words[1]) % commit_every == 0:
                p.say("COMMIT", words[1])
        return seen

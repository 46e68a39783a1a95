"""Shards that are already there: a client of `weir prefetch --socket`, standard library only.

    with weir.prefetch("cache.sock", "trainer") as shards:
        for shard in shards:
            train(shard.path)
            shards.commit(shard.seq)        # with the checkpoint, where there are any

The loop gives the shards in order. A shard is released when the loop asks for the next one, so its
file is there as long as it is being worked on; with `release=False` call shards.release(seq).

The client is safe under fork: a child opens a connection of its own at its first call and goes on
as the same consumer, from where its copy of the iterator stands. Workers that shall share the work
are consumers of their own: give each a name, and start the prefetcher with --mode queue, or with
--mode strided and each worker its rank.
"""
import json
import os
import socket
import threading
import time
import weakref


class Error(Exception):
    """What the prefetcher, or the way to it, did not allow; `kind` is its class."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class ShardFailed(Error):
    """A shard that cannot be had (--on-bad fail). The loop may go on behind it."""

    def __init__(self, seq, kind, message):
        super().__init__(kind, message)
        self.seq = seq


class Timeout(Error):
    def __init__(self):
        super().__init__("timeout", "the shard is not there yet")


class Shard:
    """A position: seq, path, size, and digest ("sha256=..." or None)."""
    __slots__ = ("seq", "path", "size", "digest")

    def __init__(self, seq, path, size, digest):
        self.seq, self.path, self.size, self.digest = seq, path, size, digest

    def __repr__(self):
        return f"Shard({self.seq}, {self.path!r})"


_clients = weakref.WeakSet()


def _after_fork():
    """A lock that another thread of the parent held would never be let go in the child."""
    for client in _clients:
        client._lock = threading.RLock()  # pylint: disable=protected-access


os.register_at_fork(after_in_child=_after_fork)


class prefetch:  # pylint: disable=invalid-name
    """One consumer. `skipped` is called with (seq, kind, message) of shards that are passed over.

    `patience` is for how many seconds a prefetcher that is gone is waited for: one that is started
    again is found again, and nothing is lost."""

    def __init__(self, path, name, rank=None, release=True, skipped=None, patience=60.0):
        self.path, self.name, self.rank = os.fspath(path), name, rank
        self.auto_release, self.skipped, self.patience = release, skipped, patience
        self.mode = None
        self.end = None        # one behind the last position
        self._at = None        # the next one; in the mode queue the prefetcher says which
        self._missed = []      # given, in an answer that was lost
        self._out = set()      # given and not released
        self._lock = threading.RLock()
        self._socket = self._lines = None
        self._pid = None
        self._begun = False
        self._held = None      # what the loop has in hand
        _clients.add(self)
        self._connect()

    # the connection

    def _connect(self):
        """HELLO the first time, AGAIN ever after: what this consumer had is still its own."""
        give_up = time.monotonic() + self.patience
        while True:
            try:
                self._drop()
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.connect(self.path)
                self._lines = self._socket.makefile("rb")
                rank = "" if self.rank is None else f" {self.rank}"
                verb = "AGAIN" if self._begun else "HELLO"
                words = self._exchange(f"{verb} {self.name}{rank}").split(" ")
                break
            except (OSError, EOFError):
                if time.monotonic() >= give_up:
                    self._drop()
                    raise
                time.sleep(0.05)
        self.end, self.mode, self._step = int(words[2]), words[3], int(words[5])
        if not self._begun:
            self._at = int(words[1])
        elif self.mode == "queue" and self._pid == os.getpid():
            held = self._exchange("HELD").split(" ")[1:]
            self._missed = [seq for seq in map(int, held) if seq not in self._out]
        self._pid, self._begun = os.getpid(), True

    def _drop(self):
        for part in (self._lines, self._socket):
            if part:
                part.close()
        self._socket = self._lines = None

    def _exchange(self, line):
        self._socket.sendall(line.encode() + b"\n")
        answer = self._lines.readline()
        if not answer.endswith(b"\n"):
            raise EOFError("the prefetcher has gone")
        text = os.fsdecode(answer[:-1])
        word, _, rest = text.partition(" ")
        if word == "ERROR":
            raise Error(*(rest.split(" ", 1) + [""])[:2])
        return text

    def _ask(self, line):
        """A request whose answer was lost is made again; but NEXT takes what it was given first."""
        with self._lock:
            if self._socket is None or self._pid != os.getpid():
                self._connect()  # forked: the parent's connection stays the parent's
            try:
                answer = self._exchange(line)
                if answer != "CLOSED":
                    return answer
            except (OSError, EOFError):
                pass
            self._connect()
            if line.startswith("NEXT") and self._missed:
                return self._exchange(f"WAIT {self._missed.pop(0)}")
            return self._exchange(line)

    # shards

    def _shard(self, answer):
        word, _, rest = answer.partition(" ")
        if word == "READY":
            seq, size, digest, path = rest.split(" ", 3)
            self._out.add(int(seq))
            return Shard(int(seq), path, int(size), None if digest == "-" else digest)
        if word in ("SKIPPED", "FAILED"):
            seq, kind, message = (rest.split(" ", 2) + [""])[:3]
            if word == "FAILED":
                raise ShardFailed(int(seq), kind, message)
            if self.skipped:
                self.skipped(int(seq), kind, message)
            return None
        if word == "TIMEOUT":
            raise Timeout()
        if word == "CLOSED":
            raise Error("closed", "the prefetcher is being stopped")
        raise StopIteration

    @staticmethod
    def _ms(timeout):
        return "" if timeout is None else f" {max(0, int(timeout * 1000))}"

    def next(self, timeout=None):
        """The next shard of this consumer; StopIteration at the end, Timeout after so many
        seconds."""
        while True:
            if self._missed:
                answer = self._ask(f"WAIT {self._missed.pop(0)}")
            elif self.mode == "queue":
                answer = self._ask("NEXT" + self._ms(timeout))
            else:  # by number: a lost answer costs nothing
                answer = self._ask(f"WAIT {self._at}" + self._ms(timeout))
                if answer.startswith(("READY", "SKIPPED", "FAILED")):
                    self._at += self._step
            shard = self._shard(answer)
            if shard:
                return shard

    def wait(self, seq, timeout=None):
        """The shard at a position; None where it is passed over."""
        return self._shard(self._ask(f"WAIT {seq}" + self._ms(timeout)))

    def release(self, seq):
        """The file is needed no more."""
        self._ask(f"RELEASE {seq}")
        self._out.discard(seq)

    def commit(self, seq):
        """All up to this position is done for good; on disk when this returns."""
        self._ask(f"COMMIT {seq}")

    def forget(self, name):
        """The consumer of that name holds nothing any more."""
        self._ask(f"FORGET {name}")

    def status(self):
        return json.loads(self._ask("STATUS").partition(" ")[2])

    # the loop

    def __iter__(self):
        return self

    def __next__(self):
        if self._held is not None and self.auto_release:
            self.release(self._held.seq)
        self._held = None
        self._held = self.next()
        return self._held

    def close(self):
        """Goes; what was not released stays this consumer's."""
        with self._lock:
            if self._socket and self._pid == os.getpid():
                try:
                    self._exchange("BYE")
                except (OSError, EOFError, Error):
                    pass
                self._drop()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None and self._held is not None and self.auto_release:
            self.release(self._held.seq)
            self._held = None
        self.close()

"""kill -9 of the prefetcher, of its consumer, or of both, at random points; and what must hold.

The consumer is a process of its own, which puts down what it was given, what it asks to commit, and
what has been acknowledged, each before it goes on. Used by test_prefetch_kill.py (some rounds) and
tests/faults/prefetch_kill.py (as many as wanted).
"""
import os
import random
import signal
import subprocess
import sys
import threading
import time

from prefetching import Prefetcher, Watch

CONSUMER = """
import os, random, sys, time
sys.path.insert(0, sys.argv[1])
import weir
out = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def note(*words):
    os.write(out, (" ".join(map(str, words)) + chr(10)).encode())
rng = random.Random(int(sys.argv[4]))
note("life", os.getpid())
with weir.prefetch(sys.argv[2], "trainer", patience=10) as shards:
    since = 0
    for shard in shards:
        note("got", shard.seq, os.path.basename(shard.path), os.path.getsize(shard.path))
        time.sleep(rng.random() * 0.004)
        since += 1
        if since >= 3 or rng.random() < 0.4:
            shards.release(shard.seq)
            note("asked", shard.seq)
            shards.commit(shard.seq)
            note("commit", shard.seq)
            since = 0
    note("end")
"""


class Rounds:
    """`case` is a PrefetchCase whose shards are made: at least 5 shards of `size` bytes fit."""

    def __init__(self, case, size, seed):
        self.case, self.size, self.rng = case, size, random.Random(seed)
        self.socket = case.path("s.sock")
        self.script = case.write("consumer.py", CONSUMER)
        self.kills = self.number = 0

    def start_consumer(self):
        source = os.path.join(os.environ["WEIR_SOURCE_DIR"], "examples", "python")
        return subprocess.Popen([sys.executable, "-B", self.script, source, self.socket,
                                 self.log, str(self.rng.randrange(1 << 30))],
                                stderr=subprocess.PIPE)

    def start_prefetcher(self):
        case = self.case
        return Prefetcher(case, "-i", case.list, "-d", case.dir, "--budget", str(5 * self.size),
                          "--epochs", "2", socket=self.socket)

    def watch_budget(self, leave):
        while not leave.wait(0.001):
            self.watch.look()

    def run(self, kills):
        """Goes through the dataset, again from the beginning as often as it takes."""
        while self.kills < kills:
            self.number += 1
            self.case.dir = self.case.path(f"cache{self.number}")
            self.log = self.case.path(f"log{self.number}")
            self.watch = Watch(self.case.dir)
            leave = threading.Event()
            eye = threading.Thread(target=self.watch_budget, args=(leave,))
            eye.start()
            try:
                self.pass_through(kills)
            finally:
                leave.set()
                eye.join()
            self.judge()

    def pass_through(self, kills):
        prefetcher, consumer = self.start_prefetcher(), self.start_consumer()
        end = time.monotonic() + 600
        while consumer.poll() is None and time.monotonic() < end:
            if self.kills >= kills:
                consumer.wait(timeout=300)
                break
            try:
                consumer.wait(timeout=0.02 + 0.15 * self.rng.random())
                break
            except subprocess.TimeoutExpired:
                pass
            whom = self.rng.choice(["prefetcher", "consumer", "both"])
            self.kills += 1
            if whom != "consumer":
                prefetcher.process.send_signal(signal.SIGKILL)
                prefetcher.kill()
                self.assert_whole()
                prefetcher = self.start_prefetcher()
            if whom != "prefetcher":
                consumer.kill()
                consumer.communicate()
                consumer = self.start_consumer()
        errors = consumer.communicate(timeout=60)[1].decode()
        self.case.assertEqual(prefetcher.wait(), 0, prefetcher.err())
        # One that was killed after its last commit has nobody to come back to.
        self.all_done = consumer.returncode != 0 and "FileNotFoundError" in errors
        self.case.assertTrue(consumer.returncode == 0 or self.all_done, errors + prefetcher.err())

    def assert_whole(self):
        case = self.case
        for name in case.cache_files() if os.path.isdir(case.dir) else []:
            with open(os.path.join(case.dir, name), "rb") as data:
                case.assertEqual(data.read(), case.bodies[name], "whole under its name")

    def judge(self):
        """Reads the consumer's log: order, commits, and that nothing was left out."""
        case, count = self.case, len(self.case.names)
        committed = asked = last = -1
        begun = True
        with open(self.log) as log:
            lines = [line.split() for line in log]
        for words in lines:
            if words[0] == "life":
                begun = True
            elif words[0] == "got":
                seq = int(words[1])
                case.assertGreater(seq, committed, "given again behind the last commit")
                if begun and committed >= 0:
                    case.assertLessEqual(seq, asked + 1, "left out, after a new beginning")
                elif begun:
                    case.assertLessEqual(seq, last + 1, "left out, before any commit")
                else:
                    case.assertEqual(seq, last + 1, "out of order")
                case.assertEqual(words[2:], [case.names[seq % count], str(self.size)])
                last, begun = seq, False
            elif words[0] == "asked":
                asked = int(words[1])
            elif words[0] == "commit":
                committed = int(words[1])
        case.assertEqual(last, 2 * count - 1)
        if self.all_done:
            case.assertEqual(asked, last)
        else:
            case.assertEqual(lines[-1], ["end"])
        case.assertLessEqual(self.watch.peak, 5 * self.size, "over the budget")

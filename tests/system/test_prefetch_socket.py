"""weir prefetch over its socket: the protocol, the Python client, several consumers."""
import errno
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time

from harness import SOURCE, main, scaled, wait_until
from prefetching import PrefetchCase, Watch, weir

FORK = multiprocessing.get_context("fork")


class Line:
    """The protocol by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        wait_until("the socket", lambda: self.socket.connect_ex(path) == 0)
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def ask(self, text):
        self.send(text)
        return self.answer()

    def answer(self):
        return self.file.readline().decode().rstrip("\n")

    def close(self):
        self.file.close()
        self.socket.close()


class SocketCase(PrefetchCase):
    def setUp(self):
        super().setUp()
        self.socket = self.path("s.sock")

    def serve(self, *args):
        p = self.prefetcher(*args, socket=self.socket)
        wait_until("the socket", lambda: os.path.exists(self.socket)
                   or p.process.poll() is not None)
        return p

    def line(self):
        line = Line(self.socket)
        self.addCleanup(line.close)
        return line

    def client(self, name="trainer", *args, **kw):
        client = weir.prefetch(self.socket, name, *args, patience=10, **kw)
        self.addCleanup(client.close)
        return client


class Protocol(SocketCase):
    def test_a_whole_talk(self):
        self.shards(3)
        p = self.serve()
        line = self.line()
        self.assertTrue(line.ask("NEXT").startswith("ERROR usage say HELLO"))
        self.assertEqual(line.ask("HELLO trainer"), "OK 0 3 shared 0 1")
        words = line.ask("NEXT").split(" ", 4)
        self.assertEqual(words[:4], ["READY", "0", "20000", "-"])
        self.check_shard(0, words[4])
        self.assertEqual(line.ask("HELD"), "OK 0")
        self.assertEqual(line.ask("WAIT 2").split(" ")[1], "2")
        self.assertEqual(line.ask("NEXT").split(" ")[1], "1")
        self.assertEqual(line.ask("NEXT"), "END")
        self.assertIn('"delivered":3', line.ask("STATUS"))
        for text in ("WAIT", "WAIT x", "HELLO", "HELLO " + "n" * 99, "RELEASE 7", "COMMIT 3", "NO",
                     "FORGET nobody", "WAIT 1 x", "\x01", "NEXT -1"):
            self.assertTrue(line.ask(text).startswith("ERROR "), text)
        for seq in range(3):
            self.assertEqual(line.ask(f"RELEASE {seq}"), "OK")
        self.assertTrue(line.ask("WAIT 0").startswith("ERROR usage position 0 was released"))
        self.assertEqual(line.ask("BYE"), "OK")
        self.assertEqual(p.wait(), 0, p.err())
        self.assertFalse(os.path.exists(self.socket))
        self.assertEqual(self.cache_files(), [])

    def test_requests_may_be_sent_ahead_of_their_answers(self):
        self.shards(20)
        self.serve("--ahead", "2")
        line = self.line()
        line.send("HELLO t\n" + "\n".join(f"NEXT\nRELEASE {i}" for i in range(20)) + "\nNEXT")
        self.assertTrue(line.answer().startswith("OK"))
        for i in range(20):
            self.assertEqual(line.answer().split(" ")[:2], ["READY", str(i)])
            self.assertEqual(line.answer(), "OK")
        self.assertEqual(line.answer(), "END")

    def test_a_digest_of_the_list_is_told(self):
        import hashlib
        self.shards(2)
        self.list = self.write("SHA256SUMS", "".join(
            f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in self.bodies.items()))
        self.serve("--base-url", self.server.base + "/")
        shard = next(self.client())
        self.assertEqual(shard.digest,
                         "sha256=" + hashlib.sha256(self.bodies[self.names[0]]).hexdigest())

    def test_time_outs(self):
        self.shards(4)
        self.serve("--ahead", "1")
        with self.client(release=False) as shards:
            shards.next()
            shards.wait(1)
            with self.assertRaises(weir.Timeout):
                self.client("other").wait(3, timeout=0)
        line = self.line()
        line.ask("AGAIN trainer")
        self.assertEqual(line.ask("WAIT 3 0"), "TIMEOUT")

    def test_nobody_else_may_connect(self):
        self.shards(2)
        self.serve()
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o600)

    def test_a_socket_that_was_left_is_replaced_and_a_file_is_not(self):
        self.shards(2)
        self.leave_socket()
        p = self.serve()
        wait_until("an answer", lambda: self.client().end == 2)
        p.kill()
        os.unlink(self.socket)
        self.write("s.sock", "mine")
        run = self.run_weir("prefetch", "-i", self.list, "-d", self.dir, "--socket", self.socket)
        self.assert_code(run, 3)
        self.assertIn("s.sock", run.err)

    def leave_socket(self):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.socket)

    def test_a_name_as_long_as_a_socket_may_have(self):
        self.shards(2)
        self.socket = self.path("s").ljust(107, "s")
        self.leave_socket()
        p = self.serve()
        wait_until("an answer", lambda: self.client().end == 2)
        p.kill()
        run = self.run_weir("prefetch", "-i", self.list, "-d", self.dir, "--socket",
                            self.socket + "s")
        self.assert_code(run, 2)
        self.assertIn("at most 107 bytes", run.err)

    def test_one_that_listens_is_not_replaced(self):
        self.shards(2)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.socket)
            other.listen()
            run = self.run_weir("prefetch", "-i", self.list, "-d", self.dir, "--socket",
                                self.socket)
            self.assert_code(run, 3)
            self.assertIn("in use", run.err)
            with socket.socket(socket.AF_UNIX) as client:
                self.assertEqual(client.connect_ex(self.socket), 0)
        self.assertEqual([name for name in os.listdir(self.path()) if "s.sock" in name], ["s.sock"])

    def test_a_socket_that_is_there_is_never_refused(self):
        """Connects all the while: there is no moment between the name and the listening."""
        self.shards(1)
        seen = set()
        for _ in range(scaled(15, 5)):
            p = self.prefetcher(socket=self.socket)
            while 0 not in seen:
                with socket.socket(socket.AF_UNIX) as client:
                    seen.add(client.connect_ex(self.socket))
            seen.remove(0)
            p.kill()
            os.unlink(self.socket)
        self.assertNotIn(errno.ECONNREFUSED, seen)

    def test_a_connection_that_is_cut_while_it_waits(self):
        self.shards(6)
        self.serve("--ahead", "1")
        for _ in range(20):
            line = Line(self.socket)
            line.ask("HELLO trainer")
            line.send("NEXT\nNEXT\nNEXT")
            line.close()
        with self.client() as shards:
            self.assertEqual([shard.seq for shard in shards], list(range(6)))

    def test_interrupted_it_says_closed(self):
        server = self.faults()
        self.list = self.list_of([server.url("a", 1000), server.url("b", 1000, "hang=1")])
        p = self.serve("--ahead", "1")
        line = self.line()
        line.ask("HELLO trainer")
        self.assertTrue(line.ask("NEXT").startswith("READY 0"))
        line.send("NEXT")
        other = self.line()
        wait_until("it to wait", lambda: '"waiting":1' in other.ask("STATUS"))
        p.process.send_signal(signal.SIGINT)
        self.assertEqual(line.answer(), "CLOSED")
        self.assertEqual(p.wait(), 130, p.err())


class Waiting(SocketCase):
    def test_waiting_takes_no_processor_time(self):
        """A server that answers after two seconds; the time is the processor's, not the clock's."""
        self.shards(1)
        server = self.faults()
        self.list = self.list_of([server.url(f"w{i}", 1000, "slowhead=2000") for i in range(2)],
                                 "slow.txt")
        p = self.serve("--validate", "none", "-j", "1", "--ahead", "2")

        def used():
            with open(f"/proc/{p.process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        with self.client() as shards:
            before, begun = used(), time.monotonic()
            self.assertEqual([shard.seq for shard in shards], [0, 1])
            waited = time.monotonic() - begun
        self.assertGreater(waited, 2)
        self.assertLess(used() - before, scaled(0.2, 1.5))

    def test_what_somebody_waits_for_goes_first(self):
        self.shards(60)
        self.serve("--ahead", "2")
        with self.client(release=False) as shards:
            self.assertEqual(shards.wait(50).seq, 50)
            self.assertEqual(shards.next().seq, 0)


def read_all(path, name, rank, pause, results):
    seen = []
    with weir.prefetch(path, name, rank) as shards:
        for shard in shards:
            seen.append((shard.seq, os.path.getsize(shard.path)))
            time.sleep(pause)
    results.put((name, seen))


PACES = (0, 0.001, 0.004, 0.016)  # seconds for a shard: they are not to wait for each other


class Several(SocketCase):
    def consume(self, mode, count=40):
        self.shards(count)
        watch = Watch(self.dir)
        p = self.serve("--mode", mode, "--consumers", "4", "--budget", "160k")
        results = FORK.Queue()
        workers = [FORK.Process(target=read_all, args=(
            self.socket, f"w{k}", k if mode == "strided" else None, PACES[k], results))
            for k in range(4)]
        for worker in workers:
            worker.start()
        seen = {}
        while len(seen) < 4:
            watch.look()
            try:
                name, positions = results.get(timeout=0.01)
            except Exception:  # pylint: disable=broad-except
                self.assertTrue(any(w.is_alive() for w in workers) or not results.empty(), p.err())
                continue
            self.assertEqual({size for _, size in positions}, {20000})
            seen[name] = [seq for seq, _ in positions]
        for worker in workers:
            worker.join()
        self.assertEqual(p.wait(), 0, p.err())
        self.assertLessEqual(watch.peak, 160000)
        self.assertEqual(self.cache_files(), [])
        self.assertEqual(len(self.server.requests()), count, "each is fetched once")
        return seen

    def test_shared(self):
        for positions in self.consume("shared").values():
            self.assertEqual(positions, list(range(40)))

    def test_strided(self):
        for name, positions in self.consume("strided").items():
            self.assertEqual(positions, list(range(int(name[1:]), 40, 4)))

    def test_queue(self):
        seen = self.consume("queue")
        self.assertEqual(sorted(sum(seen.values(), [])), list(range(40)))
        for positions in seen.values():
            self.assertEqual(positions, sorted(positions))

    def test_nothing_goes_before_all_have_come(self):
        self.shards(10)
        self.serve("--consumers", "2", "--ahead", "3")
        with self.client("a", release=False) as a:
            for seq in range(4):
                self.assertEqual(a.next().seq, seq)
                a.release(seq)
            wait_until("the window to follow", lambda: a.status()["ready"] == 8)
            self.assertEqual(self.cache_files()[:4], self.names[:4])
            with self.client("b", release=False) as b:
                self.assertEqual(b.next().seq, 0)
                b.release(0)
                wait_until("the first to go", lambda: self.names[0] not in self.cache_files())

    def test_who_is_gone_holds_until_forgotten(self):
        self.shards(10)
        self.serve("--consumers", "2", "--ahead", "3")
        with self.client("b", release=False) as b:
            b.next()
        with self.client("a", release=False) as a:
            for seq in range(4):
                a.next()
                a.release(seq)
            wait_until("the window to follow", lambda: a.status()["ready"] == 8)
            self.assertIn(self.names[0], self.cache_files())
            a.forget("b")
            wait_until("they may go", lambda: self.cache_files()[0] == self.names[4])

    def test_or_until_its_time_is_up(self):
        self.shards(6)
        p = self.serve("--consumers", "2", "--consumer-timeout", "300ms")
        with self.client("b", release=False) as b:
            b.next()
        with self.client("a") as a:
            self.assertEqual([shard.seq for shard in a], list(range(6)))
        self.assertEqual(p.wait(), 0)
        self.assertIn('"b" has been gone', p.err())

    def test_a_queue_gives_what_one_had_to_another(self):
        self.shards(6)
        self.serve("--mode", "queue")
        gone = self.client("gone", release=False)
        self.assertEqual([gone.next().seq for _ in range(2)], [0, 1])
        gone.release(1)
        gone.close()
        with self.client("a") as a:
            self.assertEqual(next(a).seq, 2)
            a.forget("gone")
            self.assertEqual([shard.seq for shard in a], [0, 3, 4, 5])

    def test_a_queue_after_a_restart_belongs_to_whom_it_was_given(self):
        self.shards(8)
        p = self.serve("--mode", "queue")
        a, b = self.client("a", release=False), self.client("b", release=False)
        self.assertEqual([a.next().seq, b.next().seq, a.next().seq], [0, 1, 2])
        a.release(0)
        p.kill()
        p = self.serve("--mode", "queue")
        self.assertEqual([b.next().seq, a.next().seq], [3, 4])
        for client, seqs in ((a, (2, 4)), (b, (1, 3))):
            for seq in seqs:
                client.release(seq)
            client.close()
        with self.client("c") as c:
            self.assertEqual([shard.seq for shard in c], [5, 6, 7])
        self.assertEqual(p.wait(), 0, p.err())


def read_on(shards, results):
    results.put([shard.seq for shard in shards])


class Python(SocketCase):
    def test_commits_and_comes_back(self):
        self.shards(10)
        self.serve("--ahead", "3")
        with self.client() as shards:
            for shard in shards:
                if shard.seq == 4:
                    shards.commit(shard.seq)
                if shard.seq == 6:
                    break
        with self.client() as shards:
            self.assertEqual([shard.seq for shard in shards], list(range(5, 10)))

    def test_a_prefetcher_that_is_started_again_is_found_again(self):
        self.shards(12)
        p = self.serve("--ahead", "3")
        seen = []
        with self.client() as shards:
            for shard in shards:
                seen.append(shard.seq)
                self.check_shard(shard.seq, shard.path)
                if shard.seq in (3, 7):
                    p.kill()
                    p = self.serve("--ahead", "3")
        self.assertEqual(seen, list(range(12)))
        self.assertEqual(p.wait(), 0, p.err())

    def test_a_forked_worker_goes_on_from_where_it_was_forked(self):
        self.shards(10)
        self.serve()
        shards = self.client(release=False)
        self.assertEqual([shards.next().seq for _ in range(3)], [0, 1, 2])
        results = FORK.Queue()
        children = [FORK.Process(target=read_on, args=(shards, results)) for _ in range(2)]
        for child in children:
            child.start()
        self.assertEqual([results.get(timeout=60) for _ in children], [list(range(3, 10))] * 2)
        for child in children:
            child.join()
        self.assertEqual(shards.next().seq, 3, "the parent's connection is its own")
        shards.close()

    def test_failures_are_exceptions_and_the_loop_may_go_on(self):
        self.shards(4)
        self.write(f"www/{self.names[1]}", b"x" * 20000)
        self.serve()
        seen = []
        with self.client() as shards:
            while True:
                try:
                    seen.append(next(shards).seq)
                except weir.ShardFailed as failed:
                    self.assertEqual((failed.seq, failed.kind), (1, "record"))
                except StopIteration:
                    break
        self.assertEqual(seen, [0, 2, 3])

    def test_skipped_ones_are_told(self):
        self.shards(4)
        self.write(f"www/{self.names[1]}", b"x" * 20000)
        self.serve("--on-bad", "skip")
        skipped = []
        with self.client(skipped=lambda *what: skipped.append(what[:2])) as shards:
            self.assertEqual([shard.seq for shard in shards], [0, 2, 3])
        self.assertEqual(skipped, [(1, "record")])

    def test_the_example_runs(self):
        self.shards(25)
        p = self.serve("--budget", "240k")
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(SOURCE, "examples/python/count_bytes.py"),
             self.socket, "trainer"], stdout=subprocess.PIPE, text=True, timeout=120, check=True)
        self.assertEqual(done.stdout, "25 shards, 500000 bytes\n")
        self.assertEqual(p.wait(), 0, p.err())


if __name__ == "__main__":
    main()

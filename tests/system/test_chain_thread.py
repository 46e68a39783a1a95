"""A chain that is lent to a thread of its own: bodies of several MiB that decode slowly, cut, broken,
ended early, and read slowly. What comes out is what comes out of small ones."""
import base64
import os
import random
import signal
import time

from corpus import grep, pack
from harness import FAST, SERVERS, Case, faulty, lines, main, scaled, wait_until

SIZE = scaled(24_000_000, 8_000_000)
LOG = lines("t", "log", SIZE)
LOG = LOG[:LOG.rindex(b"\n") + 1]
PACKED = pack(LOG, "gz", 2)
MIDDLE = len(PACKED) // 2
CUTS = [len(PACKED) * i // 7 + i for i in range(1, 7)]
# What is kept is less than half of what comes, as is wanted for lending where it goes to a stream.
PATTERN = "WARN"
# ... and yet more than pipe and buffers hold.
NOISE = base64.encodebytes(random.Random(1).randbytes(SIZE))
FEW = "^[A-J]"
PATIENT = ["-s", "http.stall_timeout=1h"]


class Still:
    """Has a number stood still for so many seconds?"""

    def __init__(self, seconds):
        self.seconds, self.number, self.since = seconds, None, 0

    def at(self, number):
        if number != self.number:
            self.number, self.since = number, time.monotonic()
        return time.monotonic() - self.since >= self.seconds


class Lent(Case):
    def setUp(self):
        super().setUp()
        self.assertGreater(MIDDLE, 1 << 20, "the chain is lent after a MiB")
        self.write("served/log.gz", PACKED)
        self.server = self.faults("--files", self.path("served"))

    def test_cuts_repeat_and_lose_nothing(self):
        wanted = grep(LOG, PATTERN)
        for how, query in SERVERS.items():
            url = self.server.file_url("log.gz", faulty(
                "cutat=" + ",".join(map(str, CUTS)), query))
            for output in ([], ["-d", self.path("out " + how)]):
                with self.subTest(server=how, output=output):
                    self.server.reset()
                    run = self.run_weir("filter", *FAST, "--retries", "10", "-e", PATTERN, url,
                                        *output)
                    self.assert_code(run, 0)
                    found = run.out
                    if output:
                        with open(os.path.join(output[1], "log"), "rb") as data:
                            found = data.read()
                    self.assertEqual(len(found), len(wanted))
                    self.assertEqual(found, wanted)

    def test_chain_is_taken_back_when_another_body_comes(self):
        """One worker, whose chains share their tools: the second URL comes while the first is lent."""
        slow = self.server.file_url("log.gz", "drip=60000/2", "first.gz")
        quick = [self.server.file_url("log.gz", name=f"n{i}.gz") for i in range(3)]
        process = self.start("filter", *FAST, "--workers", "1", "-e", PATTERN, "-d", self.dir, "-i",
                             "-", stdin=-1)
        process.stdin.write((slow + "\n").encode())
        process.stdin.flush()
        wait_until("more than a MiB of it",
                   lambda: self.server.stats()["body_bytes"] > len(PACKED) // 3)
        process.stdin.write("".join(url + "\n" for url in quick).encode())
        process.stdin.close()
        self.assertEqual(process.wait(60), 0, process.stderr.read())
        wanted = grep(LOG, PATTERN)
        self.assert_final({name: wanted for name in ("first", "n0", "n1", "n2")})

    def test_what_is_damaged_fails_though_nothing_more_comes(self):
        broken = bytearray(PACKED)
        broken[MIDDLE + 200_000:MIDDLE + 225_600] = bytes(range(256)) * 100
        self.write("served/broken.gz", bytes(broken))
        for stop in ("", f"stall={MIDDLE + 400_000}"):
            with self.subTest(stop=stop):
                run = self.get("--decode", "auto", "--retries", "0", *PATIENT,
                               self.server.file_url("broken.gz", stop))
                self.assert_code(run, 1)
                self.assertEqual(run.one()["status"], "failed")
                self.assertEqual(run.one()["error"]["class"], "decode")
                self.assertEqual(self.files(), {})

    def test_what_needs_no_more_ends_though_nothing_more_comes(self):
        ends = PACKED + pack(b"here it is: zq-zq\n", "gz") + PACKED
        self.write("served/needle.gz", ends)
        url = self.server.file_url("needle.gz", f"stall={len(PACKED) + 300_000}")
        run = self.run_weir("filter", *FAST, *PATIENT, "-F", "zq-zq", "-m", "1", url)
        self.assert_code(run, 0)
        self.assertEqual(run.out, b"here it is: zq-zq\n")

    def start_unread(self):
        """A run whose output nobody reads, once it can go no further."""
        sent = Still(1.5)
        self.write("served/noise.gz", pack(NOISE, "gz", 1))
        process = self.start("filter", *FAST, "-s", "http.stall_timeout=1s", "-s",
                             "http.stall_speed=1M", "--retries", "0", "-e", FEW,
                             self.server.file_url("noise.gz"))
        wait_until("the output to be full", lambda: sent.at(self.server.stats()["body_bytes"]))
        self.assertIsNone(process.poll())
        return process

    def test_slow_reader_is_no_stall(self):
        process = self.start_unread()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        wanted = grep(NOISE, FEW)
        self.assertEqual(len(out), len(wanted))
        self.assertEqual(out, wanted)

    def test_reader_that_goes_ends_it(self):
        process = self.start_unread()
        process.stdout.close()
        self.assertEqual(process.wait(20), 141, process.stderr.read())

    def test_interrupt_ends_it_while_nobody_reads(self):
        process = self.start_unread()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 130)


if __name__ == "__main__":
    main()

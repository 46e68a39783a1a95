"""Being asked to stop: partial files kept, report written, the way to go on said."""
import json
import os
import signal
import subprocess

from harness import Case, body, judge, main, wait_until


class Asked(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.report = self.path("report.jsonl")
        self.slow = self.server.url("slow", 3_000_000, "drip=10000/10&first=1", "slow")
        self.quick = [self.server.url(f"s{i}", 100, name=f"n{i}") for i in range(20)]
        self.expected = {f"n{i}": body(f"s{i}", 100) for i in range(20)}
        self.listing = self.list_of(self.quick + [self.slow])
        self.arguments = ["get", "-d", self.dir, "-i", self.listing, "--report", self.report,
                          "--progress", "none"]

    def begin(self):
        process = self.start(*self.arguments)
        part = os.path.join(self.dir, "slow.part")
        wait_until("the slow file to flow and the quick ones to be there",
                   lambda: process.poll() is not None or (os.path.exists(part) and all(
                       os.path.exists(os.path.join(self.dir, name)) for name in self.expected)))
        wait_until("bytes of the slow file", lambda: self.server.stats()["body_bytes"] > 300_000)
        self.assertIsNone(process.poll())
        return process

    def end(self, process, code):
        try:
            found = process.wait(20)
        except subprocess.TimeoutExpired:
            self.fail("it does not end, 20 s after the signal")
        err = process.stderr.read().decode()
        judge(found, err)
        self.assertEqual(found, code, err)
        return err

    def check_stopped(self):
        self.assert_final(self.expected)
        kept = self.partial_files()["slow.part"]
        self.assertGreater(len(kept), 0)
        self.assertEqual(kept, body("slow", len(kept)))
        with open(self.report) as lines:
            rows = [json.loads(line) for line in lines]
        self.assertEqual({row["path"] for row in rows if row["status"] == "ok"}, set(self.expected))

    def check_goes_on(self, resumed=True):
        run = self.run_weir(*self.arguments, report=self.report)
        self.assert_code(run, 0)
        self.expected["slow"] = body("slow", 3_000_000)
        self.assert_final(self.expected)
        if resumed:
            self.assertGreater(run.by_url[self.slow]["resumed_from"], 0)
        self.assertEqual(self.partial_files(), {})

    def test_interrupt_once(self):
        process = self.begin()
        process.send_signal(signal.SIGINT)
        err = self.end(process, 130)
        self.assertIn("same command", err)
        self.check_stopped()
        self.check_goes_on()

    def test_terminate(self):
        process = self.begin()
        process.send_signal(signal.SIGTERM)
        self.end(process, 143)
        self.check_stopped()
        self.check_goes_on()

    def test_hang_up_keeps_what_is_there(self):
        process = self.begin()
        process.send_signal(signal.SIGHUP)
        self.end(process, 143)
        self.check_stopped()
        self.check_goes_on()

    def test_interrupt_twice_ends_at_once(self):
        process = self.begin()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        self.end(process, 130)
        self.check_goes_on(resumed=False)  # at once: there may have been no time for the record

    def test_interrupt_while_all_wait(self):
        """Held hosts, back-offs and a list that never ends: none of them may delay the end."""
        held = self.list_of([self.server.url(f"h{i}", 10, "status=503&retry_after=600", f"h{i}")
                             for i in range(50)], "held")
        process = self.start("get", "-d", self.dir, "-i", held, "--progress", "none")
        wait_until("a refusal", lambda: self.server.stats()["requests"] > 0)
        process.send_signal(signal.SIGINT)
        self.end(process, 130)

    def test_interrupt_while_the_list_is_a_silent_pipe(self):
        fifo = self.path("pipe")
        os.mkfifo(fifo)
        keep = os.open(fifo, os.O_RDWR)
        try:
            os.write(keep, (self.quick[0] + "\n").encode())
            process = self.start("get", "-d", self.dir, "-i", fifo, "--progress", "none")
            wait_until("the first file", lambda: os.path.exists(os.path.join(self.dir, "n0")))
            process.send_signal(signal.SIGINT)
            self.end(process, 130)
        finally:
            os.close(keep)

    def test_interrupt_with_a_full_stdout_pipe(self):
        process = self.start("get", "-o", "-", self.server.url("a", 500_000_000))
        self.assertEqual(process.stdout.read(1000), body("a", 1000))
        process.send_signal(signal.SIGINT)
        self.end(process, 130)

    def test_ignored_sigpipe_does_not_kill(self):
        process = self.start(*self.arguments)
        process.stderr.close()
        process.stderr = None
        self.assertEqual(process.wait(60), 0)


if __name__ == "__main__":
    main()

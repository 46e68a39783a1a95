"""Long lists: they start at once, stay within their memory, and a bad host starves nobody."""
import os
import signal
import threading

from harness import SANITIZE, Case, body, main, scaled, wait_until

ROW_KIB = 32 * 1024  # the most with a million URLs, from the first to the last, or 200 transfers
BASE_KIB = 20 * 1024  # of a run with the default options, whatever the list
NAME_BYTES = 13  # for each URL whose name might be wanted twice
FLOW_KIB = 3 * 1024  # the most that a run grows by once files arrive, names apart: mostly the queue, full


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as text:
        for line in text:
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0


class LongLists(Case):
    def test_first_file_arrives_while_the_list_is_still_being_written(self):
        """The list comes through a pipe that stays open, so that nobody can have read all of it."""
        server = self.faults("--no-log")
        process = self.start("get", "-q", "-d", self.dir, "-i", "-", stdin=-1)
        process.stdin.write((server.url("a", 10, name="first") + "\n").encode())
        process.stdin.flush()
        wait_until("the first file", lambda: os.path.exists(os.path.join(self.dir, "first")))
        self.assertIsNone(process.poll())
        process.stdin.write((server.url("b", 10, name="second") + "\n").encode())
        process.stdin.close()
        self.assertEqual(process.wait(30), 0)
        self.assert_final({"first": body("a", 10), "second": body("b", 10)})

    def test_million_urls_start_at_once_and_stay_small(self):
        """One fast host; the last URL is of another one: when it is there, the whole list is read."""
        count = scaled(1_000_000, 50_000)
        server, last = self.faults("--no-log"), self.faults("--no-log")
        fifo = self.path("list")
        os.mkfifo(fifo)
        written = [0]

        def feed():
            try:
                with open(fifo, "w") as out:
                    for i in range(count):
                        out.write(f"{server.base}/r/s{i}/64/n{i}\n")
                        written[0] = i + 1
                    out.write(last.url("last", 100, name="last") + "\n")
            except BrokenPipeError:
                pass
        feeder = threading.Thread(target=feed)
        feeder.daemon = True
        feeder.start()
        process = self.start("get", "-q", "-d", self.dir, "-i", fifo)
        wait_until("the first file", lambda: os.path.isdir(self.dir) and any(
            not name.endswith(".part") for name in os.listdir(self.dir)))
        self.assertLess(written[0], count // 2,
                        "most of the list had to be read before the first file")
        first_peak = peak_kib(process.pid)
        wait_until("the whole list to be read",
                   lambda: os.path.exists(os.path.join(self.dir, "last")), 100)
        wait_until("20,000 requests", lambda: server.stats()["requests"] > scaled(20000, 1000), 100)
        self.assertIsNone(process.poll())
        peak = peak_kib(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        feeder.join(10)
        self.assertEqual(written[0], count)
        if not SANITIZE:
            self.assertLess(peak, ROW_KIB)
            self.assertLess(peak - first_peak, FLOW_KIB + count * NAME_BYTES // 1024)

    def test_million_urls_into_a_tree_cost_no_memory_a_name(self):
        count = scaled(1_000_000, 30_000)
        server = self.faults("--no-log")
        listing = self.path("list")
        with open(listing, "w") as out:
            for i in range(count):
                out.write(f"{server.base}/r/s{i}/64/n{i}\n")
        process = self.start("get", "-q", "--tree", "-d", self.dir, "-i", listing)
        wait_until("requests", lambda: server.stats()["requests"] > scaled(10000, 500), 100)
        peak = peak_kib(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        if not SANITIZE:
            self.assertLess(peak, BASE_KIB)

    def test_million_urls_read_to_the_end_stay_small(self):
        """All on one host that holds us: the whole list is read, and waits where it costs no memory."""
        count = scaled(1_000_000, 30_000)
        server = self.faults("--no-log")
        listing = self.path("list")
        with open(listing, "w") as out:
            for i in range(count):
                out.write(f"{server.base}/r/s{i}/64/n{i}?status=503&retry_after=600\n")
            out.write("")
        good = self.faults("--no-log")
        with open(listing, "a") as out:
            out.write(good.url("good", 100, name="good") + "\n")
        process = self.start("get", "-q", "-d", self.dir, "-i", listing)
        wait_until("the good file behind them",
                   lambda: os.path.exists(os.path.join(self.dir, "good")) or
                   process.poll() is not None, 150)
        self.assertIsNone(process.poll())
        peak = peak_kib(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(60)
        self.assert_final({"good": body("good", 100)})
        if not SANITIZE:
            self.assertLess(peak, ROW_KIB)

    def test_good_host_behind_a_hundred_thousand_urls_of_a_bad_one(self):
        bad_count, good_count = scaled(100_000, 10_000), scaled(2000, 300)
        bad, good = self.faults("--no-log"), self.faults("--no-log")
        listing = self.path("list")
        with open(listing, "w") as out:
            for i in range(bad_count):
                out.write(f"{bad.base}/r/s{i}/64/b{i}?status=503&retry_after=2\n")
            for i in range(good_count):
                out.write(f"{good.base}/r/g{i}/64/g{i}\n")
        process = self.start("get", "-q", "-d", self.dir, "-i", listing)

        def arrived():
            names = os.listdir(self.dir) if os.path.isdir(self.dir) else []
            return sum(1 for name in names if name[0] == "g" and not name.endswith(".part"))
        wait_until("all files of the good host", lambda: arrived() == good_count, 60)
        self.assertIsNone(process.poll(), "the run ended, though a host holds it")
        self.assertLess(bad.stats()["requests"], 1000)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        self.assert_final({f"g{i}": body(f"g{i}", 64) for i in range(good_count)})

    def test_many_hosts_stay_small(self):
        """Each URL another host entry (a port where nobody listens)."""
        count = scaled(60_000, 5000)
        listing = self.path("list")
        with open(listing, "w") as out:
            for i in range(count):
                out.write(f"http://127.{1 + i // 60000}.{i // 250 % 250}.{1 + i % 250}:9/x{i}\n")
        run = self.run_weir("get", "-q", "-d", self.dir, "-i", listing, "--retries", "0", "-j",
                            "64", timeout=150)
        self.assert_code(run, 1)
        if not SANITIZE:
            self.assertLess(run.usage.ru_maxrss, ROW_KIB)

    def test_two_hundred_transfers_at_once_stay_small(self):
        server = self.faults("--no-log")
        urls = [server.url(f"s{i}", 1_000_000_000, "drip=20000/20", f"n{i}") for i in range(200)]
        process = self.start("get", "-q", "-d", self.dir, "-j", "200", "--per-host", "200", "-s",
                             "save.preallocate=no", "-i", self.list_of(urls))
        wait_until("all 200 to flow", lambda: server.stats()["in_flight"] == 200)
        wait_until("300 KB of each", lambda: server.stats()["body_bytes"] > 200 * 300_000, 60)
        peak = peak_kib(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        if not SANITIZE:
            self.assertLess(peak, ROW_KIB)


if __name__ == "__main__":
    main()

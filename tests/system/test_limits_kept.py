"""A limit is kept to within two hundredths over ten seconds: not exceeded, and used up."""
from concurrent.futures import ThreadPoolExecutor

from harness import Case, main, scaled

RATE = 50  # requests a second
BANDWIDTH = 10_000_000  # bytes a second


class Kept(Case):
    def assert_kept(self, found, limit):
        self.assertLessEqual(found, limit * 1.02)
        if scaled(True, False):  # a sanitizer may not reach it
            self.assertGreaterEqual(found, limit * 0.98)

    def requests(self):
        server = self.faults()
        count = scaled(10 * RATE, 3 * RATE)
        urls = [server.url(f"s{i}", 100, name=f"n{i}") for i in range(count)]
        run = self.run_weir("get", "-q", "-d", self.path("many"), "--rate", f"{RATE}/s", "-i",
                            self.list_of(urls))
        self.assert_code(run, 0)
        instants = server.instants()
        self.assertEqual(len(instants), count)
        self.assert_kept((count - 1) / (instants[-1] - instants[0]), RATE)

    def bytes(self):
        server = self.faults()
        total = scaled(10 * BANDWIDTH, 2 * BANDWIDTH)
        report = self.path("report.jsonl")
        run = self.run_weir("get", "-q", "-d", self.path("large"), "--limit-rate", "10M",
                            server.url("a", total, name="a"), "--report", report, report=report)
        self.assert_code(run, 0)
        self.assert_kept(total / (run.one()["ms"] / 1000), BANDWIDTH)

    def test_rate_and_bandwidth_of_two_runs_at_once(self):
        with ThreadPoolExecutor() as pool:
            for kept in [pool.submit(self.requests), pool.submit(self.bytes)]:
                kept.result()


if __name__ == "__main__":
    main()

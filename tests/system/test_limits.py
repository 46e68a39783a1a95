"""Limits as the server sees them; test_limits_kept looks at whether they are used up, too."""
from harness import Case, body, main


class Together(Case):
    def fetch(self, server, count, *args, query="slowhead=60"):
        urls = [server.url(f"s{i}", 1000, query, f"{server.port}-{i}") for i in range(count)]
        run = self.get(*args, "-i", self.list_of(urls))
        self.assert_code(run, 0)
        self.assertEqual(run.statuses, {"ok": count})
        return run

    def test_concurrency_is_never_exceeded_and_is_reached(self):
        server = self.faults()
        self.fetch(server, 80, "-j", "5", "--per-host", "100")
        self.assertEqual(server.stats()["in_flight_max"], 5)
        self.assertLessEqual(server.stats()["connections_max"], 6)  # one more is /_stats' own

    def test_default_per_host_is_8(self):
        server = self.faults()
        run = self.fetch(server, 100)
        self.assertEqual(server.stats()["in_flight_max"], 8)
        self.assertEqual(run.code, 0)

    def test_per_host_that_binds_is_said(self):
        server = self.faults()
        urls = [server.url(f"s{i}", 10, "slowhead=100", f"n{i}") for i in range(60)]
        run = self.run_weir("get", "-d", self.dir, "-j", "16", "--per-host", "2", "-i",
                            self.list_of(urls))
        self.assert_code(run, 0)
        self.assertEqual(server.stats()["in_flight_max"], 2)
        self.assertIn("per-host", run.err.replace("per_host", "per-host"))

    def test_two_hosts_have_a_limit_each(self):
        one, two = self.faults(), self.faults()
        urls = [s.url(f"s{i}", 10, "slowhead=60",
                      f"{s.port}-{i}") for i in range(60) for s in (one, two)]
        self.assert_code(self.get("-j", "16", "--per-host", "4", "-i", self.list_of(urls)), 0)
        self.assertEqual(one.stats()["in_flight_max"], 4)
        self.assertEqual(two.stats()["in_flight_max"], 4)

    def test_host_section_overrides(self):
        one = self.faults()
        two = self.faults(address="127.0.0.2")
        conf = self.write("weir.ini",
                          '[limits]\nper_host = 6\n[host "127.0.0.2"]\nlimits.per_host = 2\n')
        urls = [s.url(f"s{i}", 10, "slowhead=60",
                      f"{s.port}-{i}") for i in range(50) for s in (one, two)]
        self.assert_code(self.get("-c", conf, "-j", "16", "-i", self.list_of(urls)), 0)
        self.assertEqual(one.stats()["in_flight_max"], 6)
        self.assertEqual(two.stats()["in_flight_max"], 2)

    def test_connections_are_used_again(self):
        server = self.faults()
        self.fetch(server, 600, query="")
        self.assertLessEqual(server.stats()["accepted"], 40)

    def test_many_workers_keep_the_limits_too(self):
        server = self.faults()
        self.fetch(server, 120, "--workers", "4", "-j", "10", "--per-host", "10")
        self.assertEqual(server.stats()["in_flight_max"], 10)


class Rates(Case):
    def check_spacing(self, instants, rate, burst_s=0.02):
        """Over any stretch, no more starts than the rate allows, and a burst of 20 ms' worth."""
        slack = 1 + rate * burst_s + rate * 0.05  # and what a busy machine may bunch in 50 ms
        for i, first in enumerate(instants):
            for j in range(i + 1, len(instants)):
                allowed = (instants[j] - first) * rate + slack
                self.assertLessEqual(j - i, allowed,
                                     f"{j - i} starts in {instants[j] - first:.3f} s at {rate}/s")

    def test_rate_of_the_run(self):
        server = self.faults()
        urls = [server.url(f"s{i}", 100, name=f"n{i}") for i in range(150)]
        self.assert_code(self.get("--rate", "50/s", "-i", self.list_of(urls)), 0)
        instants = server.instants()
        self.assertEqual(len(instants), 150)
        self.assertGreaterEqual(instants[-1] - instants[0], 149 / 50 * 0.98 - 0.02)
        self.check_spacing(instants, 50)

    def test_rate_per_minute(self):
        server = self.faults()
        urls = [server.url(f"s{i}", 100, name=f"n{i}") for i in range(21)]
        self.assert_code(self.get("--rate", "600/m", "-i", self.list_of(urls)), 0)
        instants = server.instants()
        self.assertGreaterEqual(instants[-1] - instants[0], 20 / 10 * 0.98 - 0.02)

    def test_host_rate_holds_for_each_host(self):
        one, two = self.faults(), self.faults()
        urls = [s.url(f"s{i}", 100, name=f"{s.port}-{i}") for i in range(60) for s in (one, two)]
        self.assert_code(self.get("--host-rate", "40/s", "-i", self.list_of(urls)), 0)
        for server in (one, two):
            self.check_spacing(server.instants(), 40)
            self.assertGreaterEqual(server.instants()[-1] - server.instants()[0],
                                    59 / 40 * 0.98 - 0.02)

    def test_retries_and_hops_are_counted(self):
        server = self.faults()
        urls = [server.url("a", 100, "hops=9", "hops")]
        urls += [server.url(f"s{i}", 100, "status=500&first=4", f"n{i}") for i in range(10)]
        self.assert_code(self.get("--rate", "40/s", "-s", "retry.backoff=1ms", "-i",
                                  self.list_of(urls)), 0)
        instants = server.instants()
        self.assertEqual(len(instants), 60)
        self.check_spacing(instants, 40)
        self.assertGreaterEqual(instants[-1] - instants[0], 59 / 40 * 0.98 - 0.02)


class Bandwidth(Case):
    def test_bandwidth_of_the_run(self):
        server = self.faults()
        urls = [server.url(f"s{i}", 2_000_000, name=f"n{i}") for i in range(5)]
        run = self.get("--bandwidth", "4M/s", "-i", self.list_of(urls))
        self.assert_code(run, 0)
        time = max(row["ms"] for row in run.rows) / 1000
        self.assertGreaterEqual(time, 10 / 4 * 0.98 - 0.02)
        for i in range(5):
            self.assertEqual(self.files()[f"n{i}"], body(f"s{i}", 2_000_000))

    def test_host_bandwidth(self):
        one, two = self.faults(), self.faults()
        run = self.get("--host-bandwidth", "3M", one.url("a", 6_000_000, name="a"),
                       two.url("b", 6_000_000, name="b"))
        self.assert_code(run, 0)
        for row in run.rows:
            self.assertGreaterEqual(row["ms"] / 1000, 2 * 0.98 - 0.02)

    def test_waiting_for_a_limit_is_no_stall(self):
        server = self.faults()
        run = self.get("--bandwidth", "200k", "-j", "4", "-s", "http.stall_timeout=1s",
                       "--retries", "0",
                       *[server.url(f"s{i}", 150_000, name=f"n{i}") for i in range(4)])
        self.assert_code(run, 0)


if __name__ == "__main__":
    main()

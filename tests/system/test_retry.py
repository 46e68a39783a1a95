"""When to try again, when not, and whom to leave alone meanwhile."""
import email.utils

from harness import QUICK_RETRY, Case, body, main


class Retries(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()

    def test_number_of_tries_is_retries_and_one(self):
        for retries in (0, 1, 4):
            with self.subTest(retries=retries):
                self.server.reset()
                run = self.get(*QUICK_RETRY, "--retries", str(retries),
                               self.server.url("a", 10, "status=500"))
                self.assert_code(run, 1)
                self.assertEqual(run.one()["attempts"], retries + 1)
                self.assertEqual(len(self.server.log()), retries + 1)

    def test_404_and_410_are_asked_once(self):
        for status in (400, 401, 403, 404, 405, 410, 451, 501):
            with self.subTest(status=status):
                self.server.reset()
                run = self.get("--retries", "9", self.server.url("a", 10, f"status={status}"))
                self.assert_code(run, 1)
                self.assertEqual(len(self.server.log()), 1)

    def test_list_of_statuses_is_an_option(self):
        run = self.get(*QUICK_RETRY, "-s", "retry.statuses=418",
                       self.server.url("a", 10, "status=418&first=2"))
        self.assert_code(run, 0)
        self.assertEqual(run.one()["attempts"], 3)

    def test_retry_after_seconds_are_waited(self):
        for status in (429, 503):
            with self.subTest(status=status):
                self.server.reset()
                self.dir = self.path(f"out{status}")
                run = self.get(*QUICK_RETRY,
                               self.server.url("a", 10, f"status={status}&first=1&retry_after=2",
                                               "f"))
                self.assert_code(run, 0)
                self.assert_final({"f": body("a", 10)})
                first, second = self.server.instants()
                self.assertGreaterEqual(second - first, 1.99)

    def test_retry_after_date_is_waited(self):
        run = self.get(*QUICK_RETRY,
                       self.server.url("a", 10, "status=503&first=1&retry_after=date%2B3", "f"))
        self.assert_code(run, 0)
        first, second = self.server.instants()
        self.assertGreaterEqual(second - first, 1.9)  # a date has whole seconds only

    def test_retry_after_in_the_past_or_unreadable_is_no_wait(self):
        past = email.utils.formatdate(0, usegmt=True).replace(" ", "%20").replace(",", "%2C")
        for value in (past, "soon", "-5", "99999999999999999999"):
            with self.subTest(value=value):
                self.server.reset()
                run = self.get(*QUICK_RETRY, "-s", "retry.retry_after_max=5s", "--on-exist",
                               "overwrite",
                               self.server.url("a", 10, f"status=503&first=1&retry_after={value}",
                                               "f"), timeout=20)
                self.assertIn(run.code, (0, 1))
                if value != "99999999999999999999":
                    self.assert_code(run, 0)

    def test_too_long_a_retry_after_fails_at_once(self):
        run = self.get("-s", "retry.retry_after_max=5s",
                       self.server.url("a", 10, "status=503&retry_after=600"),
                       timeout=20)
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "rate_limited")
        self.assertEqual(len(self.server.log()), 1)

    def test_retry_after_holds_the_whole_host_and_one_request_probes(self):
        """60 URLs of one host; from the first refusal on only probes arrive until one is good."""
        urls = [self.server.url(f"s{i}", 10, "status=503&for_ms=1500&retry_after=1",
                                f"n{i}") for i in range(60)]
        run = self.get(*QUICK_RETRY, "-j", "8", "--per-host", "8", "-i", self.list_of(urls))
        self.assert_code(run, 0)
        self.assertEqual(len(self.final_files()), 60)
        log = self.server.log()
        refused = [entry for entry in log if entry["status"] == 503]
        first = refused[0]["us"]
        burst = [entry for entry in refused if entry["us"] - first < 500_000]
        self.assertLessEqual(len(burst), 8, "more than were in flight")
        probes = [entry for entry in refused if entry["us"] - first >= 500_000]
        self.assertLessEqual(len(probes), 2, "a held host is probed by one request")
        self.assertGreaterEqual(len(probes), 1)
        self.assertGreaterEqual(probes[0]["us"] - first, 990_000)

    def test_waiting_spends_no_attempt(self):
        urls = [self.server.url(f"s{i}", 10, "status=503&for_ms=2500&retry_after=1",
                                f"n{i}") for i in range(30)]
        run = self.get(*QUICK_RETRY, "--retries", "1", "-j", "2", "--per-host", "2", "-i",
                       self.list_of(urls))
        waited = [row for row in run.rows if row["attempts"] == 1 and row["status"] == "ok"]
        self.assertGreaterEqual(len(waited), 26, "those that only waited were asked once")

    def test_another_host_goes_on_meanwhile(self):
        other = self.faults()
        urls = [self.server.url(f"s{i}", 10, "status=503&for_ms=1500&retry_after=2",
                                f"n{i}") for i in range(50)]
        urls += [other.url(f"o{i}", 10, name=f"o{i}") for i in range(50)]
        run = self.get(*QUICK_RETRY, "-i", self.list_of(urls))
        self.assert_code(run, 0)
        self.assertEqual(len(self.final_files()), 100)
        good = [i for i, row in enumerate(run.rows) if row["path"].startswith("o")]
        self.assertLess(max(good), 50, "those of the good host were not reported first")

    def test_a_run_in_which_all_wait_ends(self):
        urls = [self.server.url(f"s{i}", 10, "status=503&retry_after=1", f"n{i}") for i in range(4)]
        run = self.get(*QUICK_RETRY, "--retries", "1", "-i", self.list_of(urls), timeout=60)
        self.assert_code(run, 1)
        self.assertEqual(run.statuses, {"failed": 4})
        self.assertEqual({row["error"]["class"] for row in run.rows}, {"rate_limited"})

    def test_progress_starts_the_back_off_anew(self):
        run = self.get("-s", "retry.backoff=20ms", "-s", "retry.backoff_max=60s", "--retries", "12",
                       self.server.url("a", 120_000, "cut=10000", "f"), timeout=60)
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 120_000)})

    def test_retries_are_said_when_verbose(self):
        run = self.get(*QUICK_RETRY, "-v", self.server.url("a", 10, "status=500&first=1", "f"))
        self.assert_code(run, 0)
        self.assertIn("500", run.err)


if __name__ == "__main__":
    main()

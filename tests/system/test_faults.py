"""Each failure has one named class, one exit code, and leaves nothing under a final name."""
import socket

from harness import QUICK_RETRY, Case, body, free_port, main

SIZE = 100_000


class Table(Case):
    # fault, HTTP status reported (None = any), class (None = it succeeds), attempts (None = any)
    TABLE = [
        ("cut=5000", None, "truncated", 3),
        ("cut=0", None, "truncated", 3),
        ("rst=5000", None, ("truncated", "connect"), 3),
        ("cl=200000", None, "truncated", 3),
        ("chunked=1&cut=5000", None, "truncated", 3),
        ("badchunk=1", None, ("truncated", "http"), None),
        ("cutchunk=1", None, "truncated", 3),
        ("clen=dup", None, ("truncated", "http"), None),
        ("clen=negative", None, ("truncated", "http"), None),
        ("clen=overflow", None, ("truncated", "http"), None),
        ("clen=text", None, ("truncated", "http"), None),
        ("stall=5000", None, "stalled", 3),
        ("hang=1", None, ("stalled", "timeout"), 3),
        ("empty=1", None, ("connect", "truncated"), 3),
        ("garbage=1", None, "http", None),
        ("headers=5000", None, "http", None),
        ("bighead=90000", None, "http", None),
        ("status=404", 404, "http", 1),
        ("status=410", 410, "http", 1),
        ("status=403", 403, "http", 1),
        ("status=401", 401, "http", 1),
        ("auth=me:pw", 401, "http", 1),
        ("status=500", 500, "http", 3),
        ("status=502", 502, "http", 3),
        ("status=408", 408, "http", 3),
        ("status=429", 429, "rate_limited", 3),
        ("status=503&retry_after=0", 503, "rate_limited", 3),
        ("status=204", 204, "http", None),
        ("status=304", 304, "http", None),
        ("status=416", 416, "http", None),
        ("status=404&errbody=5000000", 404, "http", 1),
        ("status=600", None, "http", None),
        ("redirect=", 302, "redirect", 1),
        ("redirect=ftp://127.0.0.1/x", 302, "policy", 1),
        ("redirect=file:///etc/passwd", 302, "policy", 1),
        ("redirect=http://127.0.0.1:1/&code=304", 304, "http", None),
        ("headers=100", 200, None, 1),
        ("ctl=1", 200, None, 1),
        ("1xx=1", 200, None, 1),
        ("slowhead=300", 200, None, 1),
        ("chunked=1", 200, None, 1),
        ("clen=none", 200, None, 1),
        ("cl=5000", 200, None, 1),
        ("gzip=1", 200, None, 1),
        ("setcookie=a%3Db", 200, None, 1),
        ("drip=20000/10", 200, None, 1),
    ]

    def test_every_fault_has_its_class_and_leaves_no_wrong_file(self):
        server = self.faults()
        for fault, status, wanted, attempts in self.TABLE:
            with self.subTest(fault=fault):
                server.reset()
                self.dir = self.path("out-" + "".join(c if c.isalnum() else "_" for c in fault))
                run = self.get(*QUICK_RETRY, "--retries", "2", "-s", "http.stall_timeout=1s",
                               server.url("a", SIZE, fault, "f"))
                row = run.one()
                if wanted is None:
                    self.assert_code(run, 0)
                    self.assertEqual(row["status"], "ok")
                    self.assertEqual(sorted(self.final_files()), ["f"])
                    if "cl=" not in fault and "gzip" not in fault:
                        self.assert_final({"f": body("a", SIZE)})
                else:
                    self.assert_code(run, 1)
                    self.assertEqual(row["status"], "failed")
                    self.assertIn(row["error"]["class"],
                                  wanted if isinstance(wanted, tuple) else (wanted,),
                                  row["error"]["message"])
                    self.assert_final({})
                if status is not None:
                    self.assertEqual(row["http"], status)
                if attempts is not None:
                    self.assertEqual(row["attempts"], attempts)
                    # a part that turns out to be longer than the body (416) is asked for anew at once
                    self.assertIn(len(server.log()), (attempts, attempts + 1))
                for text in (run.err, str(row.get("error"))):
                    self.assertFalse(any(ord(c) < 32 and c not in "\n\t" or c == "\x7f" for c in text),
                                     f"control characters of the server's: {text!r}")


class NoServer(Case):
    def test_refused_connection(self):
        run = self.get(*QUICK_RETRY, "--retries", "2", f"http://127.0.0.1:{free_port()}/x")
        self.assert_code(run, 1)
        row = run.one()
        self.assertEqual((row["error"]["class"], row["attempts"], row["http"]),
                         ("connect", 3, None))

    def test_host_that_does_not_resolve(self):
        run = self.get(*QUICK_RETRY, "--retries", "1", "http://nobody.invalid/x")
        self.assert_code(run, 1)
        row = run.one()
        self.assertEqual(row["error"]["class"], "dns")
        self.assertIn("nobody.invalid", row["error"]["message"])

    def test_connection_that_is_never_answered_times_out(self):
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            others = []
            for _ in range(4):  # the backlog is full: further connections wait
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(full.getsockname())
                others.append(s)
            run = self.get(*QUICK_RETRY, "--retries", "0", "-s", "http.connect_timeout=1s",
                           f"http://127.0.0.1:{full.getsockname()[1]}/x")
            for s in others:
                s.close()
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "timeout")

    def test_total_timeout(self):
        server = self.faults()
        run = self.get("--retries", "0", "-s", "http.timeout=1s",
                       server.url("a", SIZE, "drip=1000/50", "f"))
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "timeout")

    def test_body_that_is_larger_than_allowed(self):
        server = self.faults()
        run = self.get("-s", "save.max_size=1000", server.url("a", 1000, name="fits"),
                       server.url("b", 1001, name="large"),
                       server.url("c", 5000, "clen=none", "endless"))
        self.assert_code(run, 1)
        self.assert_final({"fits": body("a", 1000)})
        self.assertEqual({row["error"]["class"] for row in run.rows if row["error"]}, {"policy"})

    def test_max_failures_stops_the_run(self):
        server = self.faults()
        urls = self.list_of([server.url(f"s{i}", 10, "status=404", f"n{i}") for i in range(500)])
        run = self.get("--max-failures", "10", "-i", urls)
        self.assert_code(run, 1)
        self.assertLess(len(server.log()), 200)
        self.assertIn("max", run.err.lower())

    def test_many_failures_beside_good_ones_lose_nothing(self):
        server = self.faults()
        faults = ["", "cut=100", "status=404", "status=500", "empty=1", "garbage=1", "rst=100",
                  "clen=dup",
                  "cut=100&cutn=1", "status=503&statusn=1", "redirect="]
        urls, expected = [], {}
        for i in range(660):
            fault = faults[i % len(faults)]
            urls.append(server.url(f"s{i}", 3000, fault, f"n{i}"))
            if fault in ("", "cut=100&cutn=1", "status=503&statusn=1"):
                expected[f"n{i}"] = body(f"s{i}", 3000)
        run = self.get(*QUICK_RETRY, "--retries", "2", "-i", self.list_of(urls))
        self.assert_code(run, 1)
        self.assertEqual(len(run.rows), len(urls))
        self.assertEqual(run.statuses, {"ok": len(expected), "failed": len(urls) - len(expected)})
        self.assert_final(expected)


if __name__ == "__main__":
    main()

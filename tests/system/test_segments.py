"""One file in several ranges at once: never a wrong byte, whatever the server makes of Range."""
import hashlib
import json
import os
import random
import signal
import time

from harness import FAST, QUICK_RETRY, Case, body, faulty, lines, main, scaled, wait_until

SIZE = 6_000_000
SLOW = "drip=32768/5"
LIES = ["norange=1", f"bad416={SIZE}", "bad416=7", "badrange=offset", "badrange=lie",
        "badrange=total", "badrange=end", "badrange=unit", "badrange=text", "badrange=missing",
        "badrange=etag", "badrange=multipart", "badrange=short", "badrange=star"]


class Segmented(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.wanted = {"f": body("s", SIZE)}

    def url(self, *faults):
        return self.server.url("s", SIZE, faulty(*faults), "f")

    def fetch(self, url, *args, code=0, segments="4", **kw):
        run = self.get(*QUICK_RETRY, "--segments", segments, *args, url, **kw)
        self.assert_code(run, code)
        return run

    def ranges(self):
        found = []
        for request in self.server.log():
            headers = {key.lower(): value for key, value in request["headers"].items()}
            if not request["target"].startswith("/_"):
                found.append(headers.get("range"))
        return found

    def fresh(self, name):
        self.dir = self.path(name)
        self.server.reset()


class Ranges(Segmented):
    def test_ranges_cover_the_file_once(self):
        run = self.fetch(self.url(SLOW))
        self.assert_final(self.wanted)
        self.assertEqual(run.one()["bytes"], SIZE)
        self.assertIsNone(self.ranges()[0])
        self.assertGreaterEqual(len(self.ranges()), 4)
        self.assertEqual(self.server.stats()["in_flight_max"], 4)
        self.assertEqual(self.partial_files(), {})

    def test_any_number_makes_the_same_file(self):
        for segments in ("1", "2", "3", "7", "16", "64", "auto"):
            with self.subTest(segments=segments):
                self.fresh("n" + segments)
                self.fetch(self.url("" if segments == "64" else "drip=65536/3"), "--per-host", "64",
                           "-j", "64", segments=segments)
                self.assert_final(self.wanted)

    def test_small_files_are_asked_for_once(self):
        run = self.get("--segments", "8", self.server.url("s", 1_500_000, SLOW, "f"))
        self.assert_code(run, 0)
        self.assertEqual(self.ranges(), [None])

    def test_limits_hold(self):
        for args, most in ((("--per-host", "3"), 3), (("-j", "2"), 2), (("--workers", "4"), 8)):
            with self.subTest(args=args):
                self.fresh("-".join(args))
                self.fetch(self.url(SLOW), *args, segments="8")
                self.assert_final(self.wanted)
                self.assertLessEqual(self.server.stats()["in_flight_max"], most)

    def test_rates_hold_for_every_range(self):
        """A server that gives little of what was asked for is not asked without end."""
        self.fetch(self.server.url("s", 3_000_000, "badrange=short&drip=32768/10", "f"), "--host-rate",
                   "20/s")
        starts = [request["us"] for request in self.server.log()
                  if not request["target"].startswith("/_")]
        self.assertGreater(len(starts), 3)
        for before, after in zip(starts, starts[2:]):
            self.assertGreater(after - before, 40_000, starts)

    def test_where_nothing_vouches_it_stays_one_stream(self):
        self.fetch(self.url(SLOW, "etag=none", "lm=none"))
        self.assert_final(self.wanted)
        self.assertEqual(self.ranges(), [None])

    def test_what_needs_order_stays_one_stream(self):
        size = 3_000_000
        text = lines("t", "t", size)
        url = self.server.url("t", size, "drip=65536/5", "f", kind="t")
        run = self.run_weir("filter", "-s", "save.segments=4", "-F", "INFO", url)
        self.assert_code(run, 0)
        wanted = [line for line in text.split(b"\n") if b"INFO" in line]
        self.assertEqual(run.out, b"".join(line + b"\n" for line in wanted))
        self.assertEqual(self.ranges(), [None])

    def test_bandwidth_is_charged_to_all(self):
        run = self.fetch(self.url(), "--bandwidth", "30M/s", "--host-bandwidth", "40M/s")
        self.assert_final(self.wanted)
        self.assertEqual(run.one()["status"], "ok")

    def test_slots_go_to_files_that_wait(self):
        reader, writer = os.pipe()
        size = 9_000_000
        big = self.server.url("s", size, "drip=16384/15", "big")
        process = self.start("get", "-q", "-d", self.dir, "--segments", "8", "-i", "-",
                             stdin=reader)
        os.close(reader)
        try:
            os.write(writer, (big + "\n").encode())
            wait_until("all slots", lambda: self.server.stats()["in_flight_max"] >= 8)
            os.write(writer, (self.server.url("x", 1000, "", "small") + "\n").encode())
            small = os.path.join(self.dir, "small")
            wait_until("the small file", lambda: os.path.exists(small))
            self.assertFalse(os.path.exists(os.path.join(self.dir, "big")))
        finally:
            os.close(writer)
        self.assertEqual(process.wait(120), 0)
        self.assert_final({"big": body("s", size), "small": body("x", 1000)})


class Lies(Segmented):
    def leave_part(self):
        run = self.get("--retries", "0", self.server.url("s", SIZE, "cut=2500000", "f"))
        self.assert_code(run, 1)

    def test_every_lie_about_ranges(self):
        for lie in LIES:
            for mode in scaled(("fresh", "resumed", "segmented", "resumed in segments"),
                               ("segmented", "resumed in segments")):
                with self.subTest(lie=lie, mode=mode):
                    self.fresh(f"{lie}-{mode}".replace("=", "-").replace(" ", "-"))
                    if "resumed" in mode:
                        self.leave_part()
                        self.server.reset()
                    slow = "drip=65536/1"
                    self.fetch(self.url(lie, slow), "--retries", "20",
                               segments="4" if "segment" in mode else "1")
                    self.assert_final(self.wanted)
                    self.assertEqual(self.partial_files(), {})

    def test_lies_that_begin_on_the_way(self):
        for lie in LIES:
            for after in scaled((1, 4), (2,)):
                with self.subTest(lie=lie, after=after):
                    self.fresh(f"{lie}-{after}".replace("=", "-"))
                    self.fetch(self.url(lie, f"after={after}", "drip=65536/1"), "--retries", "20",
                               segments="6")
                    self.assert_final(self.wanted)

    def test_no_bytes_of_two_versions(self):
        new = body("s", SIZE, 1)
        for fault in ("change=1", "etag=change", "change=1&etag=none"):
            with self.subTest(fault=fault):
                self.fresh(fault.replace("=", "-").replace("&", "-"))
                self.fetch(self.url(fault, "drip=65536/3"), "--retries", "20", segments="6")
                self.assert_final({"f": new})

    def test_body_that_grows_or_shrinks(self):
        for grow in (5000, -5000, -SIZE // 2):
            with self.subTest(grow=grow):
                self.fresh(f"grow{grow}")
                self.fetch(self.url(f"grow={grow}", "change=1", "drip=65536/3"),
                           "--retries", "20", segments="6")
                self.assert_final({"f": body("s", SIZE + grow, 1)})


class Trouble(Segmented):
    def test_answers_that_break_off(self):
        for fault in ("cut=400000", "rst=400000", "cut=1", "stall=300000", "cut=200000&cutn=9",
                      "empty=1&after=1&first=5", "status=503&after=1&statusn=4",
                      "status=404&after=1&first=5", "status=429&retry_after=0&after=2&first=5",
                      "redirect=/x&after=1&first=4", "garbage=1&after=1&first=4",
                      "cutchunk=1&chunked=1&after=1&first=4", "clen=text&after=1&first=4"):
            with self.subTest(fault=fault):
                self.fresh(fault.replace("=", "-").replace("&", "-").replace("/", ""))
                often = "" if "cutn" in fault or "first" in fault or "statusn" in fault else \
                    "cutn=12"
                self.fetch(self.url(fault, often, "drip=65536/3"), "--retries", "60", "-s",
                           "http.stall_timeout=400ms", "-s", "retry.retry_after_max=2s",
                           segments="5")
                self.assert_final(self.wanted)
                self.assertLess(self.server.stats()["body_bytes"], 2 * SIZE)

    def test_tries_are_spent_when_those_of_one_range_are(self):
        run = self.fetch(self.url("cut=300000", "drip=6000/10"), "--retries", "2", code=1)
        self.assertEqual(run.one()["error"]["class"], "truncated")
        self.assertEqual(run.one()["attempts"], 3)
        self.assertLessEqual(self.server.stats()["requests"], 4 * 3)
        self.assertEqual(self.final_files(), {})
        self.assertEqual(list(self.partial_files()), ["f.part"])

    def test_failure_for_good_keeps_what_came(self):
        run = self.fetch(self.url("status=403&after=1", "cut=700000", SLOW), code=1)
        self.assertEqual(run.one()["error"]["class"], "http")
        self.assertEqual(self.final_files(), {})
        self.assertEqual(list(self.partial_files()), ["f.part"])
        self.fetch(self.url())
        self.assert_final(self.wanted)

    def test_stopped_and_gone_on_with_another_number(self):
        for later in ("1", "2", "8", "auto"):
            with self.subTest(later=later):
                self.fresh("later" + later)
                url = self.url("drip=16384/10")
                process = self.start("get", "-q", "-d", self.dir, "--segments", "6", url)
                part = os.path.join(self.dir, "f.part")
                wait_until("some bytes of the last range", lambda: os.path.exists(part)
                           and os.path.getsize(part) > SIZE * 4 // 5 + 200_000)
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(20), 130)
                self.assertEqual(self.final_files(), {})
                run = self.fetch(url, segments=later)
                self.assert_final(self.wanted)
                self.assertGreater(run.one()["resumed_from"], SIZE // 6)
                self.assertLess(self.server.stats()["body_bytes"], SIZE * 11 // 8)

    def test_killed_at_random_points_it_converges(self):
        chance = random.Random(3)
        url = self.url("drip=32768/10")
        for _ in range(scaled(12, 4)):
            process = self.start("get", "-q", "-d", self.dir, "--segments", "6", url)
            time.sleep(chance.uniform(0.03, 0.25))
            process.send_signal(signal.SIGKILL)
            process.wait()
            if os.path.isdir(self.dir):
                self.assert_final(self.wanted, all_of_it=False)
        self.fetch(url)
        self.assert_final(self.wanted)


class Vouched(Segmented):
    def setUp(self):
        super().setUp()
        self.other = self.faults(address="127.0.0.2")
        self.sha256 = hashlib.sha256(self.wanted["f"]).hexdigest()

    def mirrored(self, *urls, code=0, args=(), sha256=None):
        record = {"url": list(urls), "name": "f", "size": SIZE, "sha256": sha256 or self.sha256}
        run = self.get(*FAST, "--segments", "6", *args, "-i",
                       self.write("list.jsonl", json.dumps(record) + "\n"))
        self.assert_code(run, code)
        return run

    def test_digest_follows_the_front(self):
        run = self.mirrored(self.url(SLOW))
        self.assertEqual(run.one()["digest"], {"sha256": self.sha256})
        self.assert_final(self.wanted)

    def test_wrong_digest_is_never_a_file(self):
        run = self.mirrored(self.url("drip=65536/3"), code=4, sha256="0" * 64)
        self.assertEqual(run.one()["error"]["class"], "checksum")
        self.assertEqual(self.files(), {})

    def test_ranges_come_from_all_mirrors(self):
        self.mirrored(self.url(SLOW), self.other.url("s", SIZE, faulty(SLOW, "etag=none&lm=none")))
        self.assert_final(self.wanted)
        for server in (self.server, self.other):
            self.assertGreater(server.stats()["body_bytes"], SIZE // 6)
        total = self.server.stats()["body_bytes"] + self.other.stats()["body_bytes"]
        self.assertLess(total, SIZE * 5 // 4)

    def test_mirror_without_ranges_or_with_another_file(self):
        for fault in ("norange=1", "badrange=lie", "status=404", "cut=100000", "empty=1"):
            for order in (0, 1):
                with self.subTest(fault=fault, order=order):
                    self.fresh(f"{fault}-{order}".replace("=", "-"))
                    urls = [self.url("drip=65536/3"), self.other.url("s", SIZE, fault)]
                    self.mirrored(*(urls if order == 0 else reversed(urls)),
                                  args=("--retries", "30"))
                    self.assert_final(self.wanted)

    def test_mirror_with_another_body_is_found_out(self):
        for order in (0, 1):
            with self.subTest(order=order):
                self.fresh(f"other-{order}")
                urls = [self.url("drip=65536/3"), self.other.url("z", SIZE, "drip=65536/3")]
                run = self.mirrored(*(urls if order == 0 else reversed(urls)))
                self.assertEqual(run.one()["digest"], {"sha256": self.sha256})
                self.assert_final(self.wanted)


if __name__ == "__main__":
    main()

"""Mirrors: a file goes on at the next one, at the same byte where size and digest vouch for it."""
import hashlib
import json

from harness import FAST, Case, body, free_port, lines, main

SIZE = 400_000


class Mirrors(Case):
    def setUp(self):
        super().setUp()
        self.a = self.faults(address="127.0.0.2")
        self.b = self.faults(address="127.0.0.3")
        self.good = body("m", SIZE)
        self.sha256 = hashlib.sha256(self.good).hexdigest()

    def manifest(self, *records):
        return self.write("list.jsonl", "".join(json.dumps(record) + "\n" for record in records))

    def fetch(self, *urls, code=0, args=(), **more):
        record = {"url": list(urls), "name": "file", "size": SIZE, "sha256": self.sha256, **more}
        record = {key: value for key, value in record.items() if value is not None}
        run = self.get(*FAST, *args, "-i", self.manifest(record))
        self.assert_code(run, code)
        return run

    def ranges(self, server):
        return [{key.lower(): value for key, value in request["headers"].items()}.get("range")
                for request in server.log()]

    def test_next_one_where_the_first_has_not_got_it(self):
        for fault in ("status=404", "status=500", "status=403", "empty=1", "redirect="):
            with self.subTest(fault=fault):
                self.dir = self.path("out-" + fault.replace("=", ""))
                second = self.b.url("m", SIZE)
                run = self.fetch(self.a.url("m", SIZE, fault), second)
                self.assertEqual(run.one()["final_url"], second)
                self.assert_final({"file": self.good})

    def test_next_one_where_nobody_listens(self):
        dead = f"http://127.0.0.1:{free_port()}/x"
        run = self.fetch(dead, self.a.url("m", SIZE))
        self.assertEqual((run.one()["url"], run.one()["attempts"]), (dead, 2))
        self.assert_final({"file": self.good})

    def test_goes_on_at_the_same_byte(self):
        self.fetch(self.a.url("m", SIZE, "cut=150000"), self.b.url("m", SIZE, "etag=none&lm=none"))
        self.assertEqual(self.ranges(self.b), ["bytes=150000-"])
        self.assert_final({"file": self.good})
        sent = self.a.stats()["body_bytes"] + self.b.stats()["body_bytes"]
        self.assertEqual(sent, SIZE)

    def test_starts_again_where_nothing_vouches(self):
        self.fetch(self.a.url("m", SIZE, "cut=150000"), self.b.url("m", SIZE), sha256=None)
        self.assertEqual(self.ranges(self.b), [None])
        self.assert_final({"file": self.good})

    def test_part_of_an_earlier_run_goes_on_at_another_mirror(self):
        first = self.a.url("m", SIZE, "cut=150000&first=1")
        self.fetch(first, code=1, args=("--retries", "0"))
        run = self.fetch(self.b.url("m", SIZE), first)
        self.assertEqual(run.one()["resumed_from"], 150_000)
        self.assertEqual(self.ranges(self.b), ["bytes=150000-"])
        self.assert_final({"file": self.good})

    def test_another_version_is_never_spliced_in(self):
        for order in (0, 1):
            with self.subTest(order=order):
                self.a.reset()
                self.b.reset()
                self.dir = self.path(f"out-{order}")
                urls = [self.a.url("other", SIZE), self.b.url("m", SIZE, "cut=150000&cutn=1")]
                run = self.fetch(*(urls if order == 0 else reversed(urls)))
                self.assert_final({"file": self.good})
                self.assertEqual(run.one()["digest"], {"sha256": self.sha256})

    def test_no_mirror_has_the_right_one(self):
        run = self.fetch(self.a.url("x", SIZE), self.b.url("y", SIZE), code=4)
        self.assertEqual((run.one()["error"]["class"], run.one()["attempts"]), ("checksum", 4))
        self.assertEqual(self.files(), {})

    def test_another_size_is_no_body_to_wait_for(self):
        self.fetch(self.a.url("m", 50 * SIZE), self.b.url("m", SIZE))
        self.assertLess(self.a.stats()["body_bytes"], 50 * SIZE)
        self.assert_final({"file": self.good})

    def test_dead_mirror_is_benched_for_the_run(self):
        records = [{"url": [self.a.url(f"m{i}", 1000, "empty=1"), self.b.url(f"m{i}", 1000)],
                    "name": f"f{i}"} for i in range(200)]
        run = self.get(*FAST, "-j", "4", "-i", self.manifest(*records))
        self.assert_code(run, 0)
        self.assert_final({f"f{i}": body(f"m{i}", 1000) for i in range(200)})
        self.assertLess(self.a.stats()["requests"], 50)

    def test_unusable_schemes_are_passed_over(self):
        run = self.fetch("ftp://127.0.0.1/m", self.a.url("m", SIZE))
        self.assertEqual(run.one()["attempts"], 1)
        self.assert_final({"file": self.good})
        run = self.fetch("ftp://127.0.0.1/m", code=1)
        self.assertEqual(run.one()["error"]["class"], "policy")

    def test_filter_goes_on_at_another_mirror(self):
        size = 200_000
        self.dir = self.path("lines")
        urls = [self.a.url("t", size, "cut=70000", kind="t"), self.b.url("t", size, kind="t")]
        text = lines("t", "t", size)
        record = {"url": urls, "size": size, "sha256": hashlib.sha256(text).hexdigest()}
        run = self.run_weir("filter", *FAST, "-F", "INFO", "-i", self.manifest(record))
        self.assert_code(run, 0)
        wanted = [line for line in text.split(b"\n") if b"INFO" in line]
        self.assertEqual(run.out, b"".join(line + b"\n" for line in wanted))
        self.assertEqual(self.ranges(self.b), ["bytes=70000-"])


if __name__ == "__main__":
    main()

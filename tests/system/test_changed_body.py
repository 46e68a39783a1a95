"""A body that has become another one when the connection drops: what comes out is of one body.

Into a file it is that of the new body, wholly. What has been written to a stream cannot be taken
back: there it fails, class checksum, unless the new body begins with what was already taken.
"""
from corpus import grep, lines_by_url, lines_of, pack, small_log
from harness import FAST, SERVERS, Case, faulty, lines, main, scaled

HOW = ("ranges", "no ranges", "no validators")


class Changed(Case):
    """The body is another one when the connection has dropped: lines of two bodies never mix."""
    OLD_SIZE = 3000
    KINDS = {"same size": "change=1", "longer": "change=1&grow=700",
             "shorter": "change=1&grow=-900"}

    def setUp(self):
        super().setUp()
        self.server = self.faults()

    def urls(self, query):
        step = scaled(13, 97)
        return {self.server.url(f"s{at}", self.OLD_SIZE, f"cutat={at}&{query}", f"n{at}",
                                kind="t"): at for at in range(0, self.OLD_SIZE, step)}

    def bodies(self, at, kind):
        size = self.OLD_SIZE + {"same size": 0, "longer": 700, "shorter": -900}[kind]
        return (lines("t", f"s{at}", self.OLD_SIZE), lines("t", f"s{at}", size, version=1))

    def each(self, check, kinds=KINDS):
        for kind in kinds:
            for how in HOW:
                with self.subTest(kind=kind, server=how):
                    self.server.reset()
                    self.dir = self.path("out-" + "".join(filter(str.isalnum, kind + how)))
                    check(kind, self.urls(faulty(self.KINDS[kind], SERVERS[how])))

    def test_into_files_it_is_the_new_one_wholly(self):
        def check(kind, urls):
            run = self.run_weir("filter", *FAST, "-e", "INFO|WARN", "-i", self.list_of(urls), "-d",
                                self.dir)
            self.assert_code(run, 0)
            self.assert_final({f"n{at}": grep(self.bodies(at, kind)[1], "INFO|WARN")
                               for at in urls.values()})
        self.each(check)

    def test_to_stdout_it_fails_and_says_so(self):
        report = self.path("report.jsonl")

        def check(kind, urls):
            run = self.run_weir("filter", *FAST, "--with-url", "-e", "INFO|WARN", "-i",
                                self.list_of(urls), "--report", report, report=report)
            self.assert_code(run, 4)
            found = lines_by_url(run.out)
            for url, at in urls.items():
                old, new = self.bodies(at, kind)
                row = run.by_url[url]
                if row["status"] == "ok":
                    self.assertEqual(found.get(url, b""), grep(new, "INFO|WARN"), f"cut at {at}")
                    continue
                self.assertEqual(row["error"]["class"], "checksum", f"cut at {at}")
                kept = old[:old[:at].rindex(b"\n") + 1] if b"\n" in old[:at] else b""
                self.assertEqual(found.get(url, b""), grep(kept, "INFO|WARN"), f"cut at {at}")
            self.assertEqual(run.by_url[min(urls, key=urls.get)]["status"], "ok",
                             "nothing had come of it yet")
        self.each(check)

    def test_log_that_has_grown_meanwhile_goes_on(self):
        """Its first bytes are the same ones: what was put out still stands."""
        for how in HOW:
            with self.subTest(server=how):
                self.server.reset()
                urls = self.urls(faulty("grow=5000", SERVERS[how]))
                run = self.run_weir("filter", *FAST, "--with-url", "-e",
                                    "INFO", "-i", self.list_of(urls))
                self.assert_code(run, 0)
                found = lines_by_url(run.out)
                for url, at in urls.items():
                    self.assertEqual(found.get(url, b""), grep(lines("t", f"s{at}", 8000), "INFO"),
                                     f"cut at {at}")

    def test_change_in_the_last_byte_is_noticed(self):
        """The new body differs only in the last byte that had been taken."""
        old = small_log()
        at = old.index(b"last words")
        new = old[:at - 2] + b"?" + old[at - 1:]
        self.write("served/old.log", old)
        self.write("served/new.log", new)
        server = self.faults("--files", self.path("served"))
        for how in HOW:
            with self.subTest(server=how):
                server.reset()
                report = self.path("report.jsonl")
                url = server.file_url("old.log", faulty(f"cutat={at}", "then=new.log",
                                                        SERVERS[how]))
                run = self.run_weir("filter", *FAST, "-e", ".", url,
                                    "--report", report, report=report)
                self.assert_code(run, 4)
                self.assertEqual(run.one()["error"]["class"], "checksum")
                self.assertEqual(run.out, grep(old[:at], "."))

    def test_compressed_anew(self):
        """The same lines, compressed anew, are other bytes: a file has those, stdout fails."""
        text = lines("t", "anew", 400_000)
        self.write("served/a.gz", pack(text, "gz", 2))
        self.write("served/b.gz", pack(text, "gz", 3))
        server = self.faults("--files", self.path("served"))
        url = server.file_url("a.gz", "cutat=70000&then=b.gz", "x.log.gz")
        run = self.run_weir("filter", *FAST, "-e", "needle", "-d", self.dir, url)
        self.assert_code(run, 0)
        self.assert_final({"x.log": grep(text, "needle")})
        server.reset()
        run = self.run_weir("filter", *FAST, "-e", "needle", url)
        self.assert_code(run, 4)
        self.assertTrue(grep(text, "needle").startswith(run.out))
        self.assertGreater(len(run.out), 0)

    def test_one_file_for_all_holds_no_mixture(self):
        def check(kind, urls):
            out = self.path("all.log")
            run = self.run_weir("filter", *FAST, "--with-url", "-e", "INFO", "-i",
                                self.list_of(urls), "-o", out)
            self.assert_code(run, 4)
            with open(out, "rb") as data:
                for line in lines_of(data.read()):
                    url, _, rest = line.partition(b"\t")
                    old, new = self.bodies(urls[url.decode()], kind)
                    self.assertTrue(rest in lines_of(old) or rest in lines_of(new), rest)
        self.each(check, ["same size"])


if __name__ == "__main__":
    main()

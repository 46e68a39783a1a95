"""A dropped connection neither repeats nor loses a line, a record or a byte: bodies are cut at
every offset, and what comes out is what comes out of the uncut run.

The inside of everything is cut: a gzip member, a zstd frame, a line, a character of several bytes,
a record, the head of the file. Each URL of a run is one offset, so that a run tries all of them.
"""
import hashlib
import random

from corpus import grep, lines_by_url, lines_of, pack, small_log, small_records, without_suffix
from harness import FAST, SERVERS, Case, body, faulty, lines, main, scaled

STEP = scaled(1, 7)  # every offset, or every seventh under a sanitizer
MANY = ["--retries", "1000"]
PATTERN = "needle|größe"
PROGRAM = 'select(.level=="error")'
LOG, RECORDS = small_log(), small_records()
KEPT = grep(LOG, PATTERN)
# the array is a bad record for .level: jq would stop there, weir goes on
SELECTED = b"".join(line for line in lines_of(RECORDS) if b'"error"' in line)

BODIES = {"plain.log": LOG, "two.log.gz": pack(LOG, "gz", 2), "two.log.zst": pack(LOG, "zst", 2),
          "two.log.xz": pack(LOG, "xz", 2), "two.log.bz2": pack(LOG, "bz2", 2),
          "one.log.br": pack(LOG, "br")}
RECORD_BODIES = {"plain.jsonl": RECORDS, "two.jsonl.gz": pack(RECORDS, "gz", 2),
                 "one.jsonl.zst": pack(RECORDS, "zst")}
EVERYTHING = {**BODIES, **RECORD_BODIES}


class Cuts(Case):
    def setUp(self):
        super().setUp()
        for name, data in EVERYTHING.items():
            self.write("served/" + name, data)
        self.server = self.faults("--files", self.path("served"))

    def urls(self, file, how, step):
        """URL -> offset where its first answer is cut."""
        return {self.server.file_url(file, faulty(f"cutat={at}", how), f"n{at}-{file}"): at
                for at in range(0, len(EVERYTHING[file]), step)}

    def each(self, files, check, step=STEP):
        for file in files:
            for how, query in SERVERS.items():
                if how == "reset" and not file.startswith("plain"):
                    continue
                with self.subTest(file=file, server=how):
                    self.server.reset()
                    self.dir = self.path("out-" + "".join(filter(str.isalnum, file + how)))
                    urls = self.urls(file, query, step)
                    check(file, urls, self.list_of(urls))
                    requests = self.server.stats()["requests"]
                    self.assertGreaterEqual(requests, 2 * len(urls), "it was not cut at all")

    def assert_each(self, urls, found, wanted):
        """`found`: URL -> bytes."""
        self.assertEqual(sorted(found), sorted(urls) if wanted else [])
        for url, data in found.items():
            if data != wanted:
                self.fail(f"cut at {urls[url]}:\nfound  {data!r}\nwanted {wanted!r}")

    def by_file(self, urls):
        files = self.final_files()
        self.assertEqual(self.partial_files(), {})
        names = {without_suffix(f"n{at}-{self.file_of(url)}"): url for url, at in urls.items()}
        self.assertEqual(sorted(files), sorted(names))
        return {names[name]: data for name, data in files.items()}

    @staticmethod
    def file_of(url):
        return url.split("/f/")[1].split("/")[0]

    # filter

    def test_filter_to_stdout(self):
        def check(file, urls, listing):
            run = self.run_weir("filter", *FAST, "--with-url", "-e", PATTERN, "-i", listing)
            self.assert_code(run, 0)
            self.assert_each(urls, lines_by_url(run.out), KEPT)
        self.each(BODIES, check)

    def test_filter_to_one_file(self):
        def check(file, urls, listing):
            out = self.path("all-of-" + file)
            run = self.run_weir("filter", *FAST, "--with-url", "-e", PATTERN, "-i", listing, "-o",
                                out)
            self.assert_code(run, 0)
            with open(out, "rb") as data:
                self.assert_each(urls, lines_by_url(data.read()), KEPT)
        self.each(BODIES, check)

    def test_filter_to_a_file_each(self):
        def check(file, urls, listing):
            run = self.run_weir("filter", *FAST, "-e", PATTERN, "-i", listing, "-d", self.dir)
            self.assert_code(run, 0)
            self.assert_each(urls, self.by_file(urls), KEPT)
        self.each(BODIES, check)

    def test_filter_with_numbers_and_context(self):
        """What counts lines must not count the ones twice that are fetched twice."""
        wanted = grep(LOG, "-n", "-C", "1", "needle")

        def check(file, urls, listing):
            run = self.run_weir("filter", *FAST, "-n", "-C", "1", "-e",
                                "needle", "-i", listing, "-d", self.dir)
            self.assert_code(run, 0)
            self.assert_each(urls, self.by_file(urls), wanted)
        self.each(["plain.log", "two.log.gz"], check)

    def test_filter_that_counts(self):
        def check(file, urls, listing):
            report = self.path("report.jsonl")
            run = self.run_weir("filter", *FAST, "--count", "--with-url", "-e", PATTERN, "-i",
                                listing, "--report", report, report=report)
            self.assert_code(run, 0)
            self.assert_each(urls, lines_by_url(run.out), b"%d\n" % KEPT.count(b"\n"))
            for row in run.rows:
                self.assertEqual((row["lines_in"], row["lines_out"]),
                                 (len(lines_of(LOG)), KEPT.count(b"\n")))
        self.each(["plain.log", "two.log.zst"], check)

    # jsonl

    def test_jsonl_to_stdout(self):
        def check(file, urls, listing):
            run = self.run_weir("jsonl", *FAST, "--with-url", "--jq", PROGRAM, "-i", listing)
            self.assert_code(run, 0)
            self.assert_each(urls, lines_by_url(run.out), SELECTED)
        self.each(RECORD_BODIES, check)

    def test_jsonl_in_order(self):
        def check(file, urls, listing):
            run = self.run_weir("jsonl", *FAST, "--in-order", "--jq", PROGRAM, "-i", listing)
            self.assert_code(run, 0)
            self.assertEqual(run.out, SELECTED * len(urls))
        self.each(["plain.jsonl"], check, 5 * STEP)

    def test_jsonl_to_a_file_each(self):
        def check(file, urls, listing):
            report = self.path("report.jsonl")
            run = self.run_weir("jsonl", *FAST, "--jq", PROGRAM, "-i", listing, "-d", self.dir,
                                "--report", report, report=report)
            self.assert_code(run, 0)
            self.assert_each(urls, self.by_file(urls), SELECTED)
            for row in run.rows:
                self.assertEqual((row["lines_in"], row["lines_out"], row["bad_records"]), (5, 3, 1))
        self.each(RECORD_BODIES, check)

    # get

    def test_get_as_sent(self):
        def check(file, urls, listing):
            self.assert_code(self.run_weir("get", *FAST, "-i", listing, "-d", self.dir), 0)
            self.assert_final({f"n{at}-{file}": EVERYTHING[file] for at in urls.values()})
        self.each(EVERYTHING, check)

    def test_get_decoded(self):
        def check(file, urls, listing):
            run = self.run_weir("get", *FAST, "--decode", "auto", "-i", listing, "-d", self.dir)
            self.assert_code(run, 0)
            self.assert_each(urls, self.by_file(urls), LOG)
        self.each(BODIES, check)

    def test_get_to_stdout(self):
        def check(file, urls, listing):
            run = self.run_weir("get", *FAST, "--decode", "auto", "-i", listing, "-o", "-")
            self.assert_code(run, 0)
            self.assertEqual(run.out, LOG * len(urls))
        self.each(["plain.log", "two.log.gz"], check, 5 * STEP)


class OneUrl(Case):
    """Cut at the first byte, then at the second, and so on: hundreds of tries for one body."""

    def setUp(self):
        super().setUp()
        for name, data in EVERYTHING.items():
            self.write("served/" + name, data)
        self.server = self.faults("--files", self.path("served"))

    def each(self, files, check):
        for file in files:
            for how in ("ranges", "no ranges", "chunked"):
                with self.subTest(file=file, server=how):
                    self.server.reset()
                    self.dir = self.path("out-" + "".join(filter(str.isalnum, file + how)))
                    check(file, self.server.file_url(file, faulty(f"cutstep={STEP}", SERVERS[how])))
                    self.assertGreaterEqual(self.server.stats()["requests"],
                                            len(EVERYTHING[file]) // STEP)

    def test_filter(self):
        def check(file, url):
            run = self.run_weir("filter", *FAST, *MANY, "-e", PATTERN, url)
            self.assert_code(run, 0)
            self.assertEqual(run.out, KEPT)
        self.each(BODIES, check)

    def test_filter_into_a_file(self):
        def check(file, url):
            run = self.run_weir("filter", *FAST, *MANY, "-e", PATTERN, "-d", self.dir, url)
            self.assert_code(run, 0)
            self.assert_final({without_suffix(file): KEPT})
        self.each(["plain.log", "two.log.gz"], check)

    def test_jsonl(self):
        def check(file, url):
            run = self.run_weir("jsonl", *FAST, *MANY, "--jq", PROGRAM, url)
            self.assert_code(run, 0)
            self.assertEqual(run.out, SELECTED)
        self.each(RECORD_BODIES, check)

    def test_get(self):
        def check(file, url):
            self.assert_code(self.run_weir("get", *FAST, *MANY, "-d", self.dir, url), 0)
            self.assert_final({file: EVERYTHING[file]})
        self.each(["plain.log", "two.log.gz"], check)

    def test_get_decoded(self):
        def check(file, url):
            run = self.run_weir("get", *FAST, *MANY, "--decode", "auto", "-d", self.dir, url)
            self.assert_code(run, 0)
            self.assert_final({without_suffix(file): LOG})
        self.each(["two.log.gz", "two.log.xz"], check)

    def test_chunks_of_one_byte(self):
        for file in EVERYTHING:
            with self.subTest(file=file):
                url = self.server.file_url(file, "chunked=1&drip=1/0")
                if ".log" in file:
                    run, wanted = self.run_weir("filter", *FAST, "-e", PATTERN, url), KEPT
                else:
                    run, wanted = self.run_weir("jsonl", *FAST, "--jq", PROGRAM, url), SELECTED
                self.assert_code(run, 0)
                self.assertEqual(run.out, wanted)

    def test_content_encoding_cut_in_the_middle(self):
        """Labelled gzip and not by name: the same members, the same cuts."""
        self.write("served/labelled", EVERYTHING["two.log.gz"])
        for how in ("ranges", "no ranges"):
            self.server.reset()
            url = self.server.file_url("labelled", faulty("encoding=gzip", f"cutstep={STEP}",
                                                          SERVERS[how]))
            run = self.run_weir("filter", *FAST, *MANY, "-e", PATTERN, url)
            self.assert_code(run, 0)
            self.assertEqual(run.out, KEPT)


class Large(Case):
    """Tens of megabytes, cut at forty random offsets, a resumption each."""
    SIZE = scaled(60_000_000, 6_000_000)
    CUTS = 40

    def cuts(self, size, seed):
        chance = random.Random(seed)
        return ",".join(str(at) for at in sorted(chance.randrange(size) for _ in range(self.CUTS)))

    @staticmethod
    def digest(data):
        return hashlib.sha256(data).hexdigest()

    def check(self, command, url_of, size, wanted):
        for how in ("ranges", "no ranges"):
            with self.subTest(server=how):
                server = self.server
                server.reset()
                url = url_of(faulty(f"cutat={self.cuts(size, how)}", SERVERS[how]))
                run = self.run_weir(*command, *FAST, *MANY, url)
                self.assert_code(run, 0)
                self.assertEqual(len(run.out), len(wanted))
                self.assertEqual(self.digest(run.out), self.digest(wanted))
                stats = server.stats()
                self.assertGreater(stats["requests"], self.CUTS - 5)
                if how == "ranges":
                    self.assertEqual(stats["body_bytes"], size, "something was fetched twice")

    def test_plain_lines(self):
        self.server = self.faults()
        text = lines("t", "large", self.SIZE)
        for pattern in ("needle.*disk", "."):
            self.check(["filter", "-e", pattern], lambda q: self.server.url("large", self.SIZE, q,
                                                                            kind="t"), self.SIZE,
                       grep(text, pattern))

    def test_compressed_lines(self):
        text = lines("t", "packed", self.SIZE // 2)
        wanted = grep(text, "-n", "needle")
        for kind in ("gz", "zst"):
            packed = pack(text, kind, 3)
            self.write(f"served/large.log.{kind}", packed)
            self.server = self.faults("--files", self.path("served"))
            self.check(["filter", "-n", "-e", "needle"],
                       lambda q: self.server.file_url(f"large.log.{kind}", q), len(packed), wanted)

    def test_records(self):
        size = scaled(20_000_000, 2_000_000)
        text = lines("j", "records", size)
        size = text.rindex(b"\n") + 1  # whole records
        self.server = self.faults()
        wanted = b"".join(line.rstrip(b"\r\n") + b"\n" for line in text[:size].splitlines(True)
                          if b'"level":"error"' in line)
        self.check(["jsonl", "--jq", PROGRAM], lambda q: self.server.url("records", size, q,
                                                                         kind="j"), size, wanted)


class Saved(Case):
    """A plain download of the same kind: whole and once (no filter is involved)."""

    def test_cut_at_every_offset(self):
        server = self.faults()
        for how, query in SERVERS.items():
            with self.subTest(server=how):
                server.reset()
                self.dir = self.path("out-" + how.replace(" ", ""))
                urls = [server.url("a", 300, faulty(f"cutat={at}", query), f"n{at}")
                        for at in range(0, 300, STEP)]
                run = self.run_weir("get", *FAST, "-d", self.dir, "-i", self.list_of(urls))
                self.assert_code(run, 0)
                self.assert_final({f"n{at}": body("a", 300) for at in range(0, 300, STEP)})

    def test_cut_at_one_offset_after_the_other(self):
        server = self.faults()
        for how in ("ranges", "no ranges"):
            server.reset()
            self.dir = self.path("out-" + how.replace(" ", ""))
            run = self.run_weir("get", *FAST, *MANY, "-d", self.dir,
                                server.url("a", 300, faulty(f"cutstep={STEP}", SERVERS[how]), "f"))
            self.assert_code(run, 0)
            self.assert_final({"f": body("a", 300)})
            if how == "ranges":
                self.assertEqual(server.stats()["body_bytes"], 300)


if __name__ == "__main__":
    main()

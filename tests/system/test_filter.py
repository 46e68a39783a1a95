"""Lines that match, in any compression: those that `LC_ALL=C grep -P` gives on the plain text."""
import collections
import os
import shlex
import subprocess

from corpus import FORMATS, grep, lines_by_url, lines_of, logs, pack
from harness import Case, lines, main, scaled, tool

QUIET = ["--progress", "none"]
PATTERNS = [
    "error",  # a literal
    "Failed password|authentication failure",
    r"([0-9]{1,3}\.){3}[0-9]{1,3}",
    r"^\[",
    r"\r$",  # CR is an ordinary byte
    "^$",
    r"blk_-?\d+ (terminating|size \d{7,})",
    r"(\d)\1\1",  # a back-reference
    r"(?<=rhost=)\d+(?!\d*\.2)",  # look-around
    r"(?i)MEMORY|bye BYE",
    r"[^\x00-\x7f]",
    r"\b(root|admin)\b.*ssh2?",
    "",  # every line
    "no line has this",
]


class Logs(Case):
    def setUp(self):
        super().setUp()
        self.plain = {}  # path -> what it is when decoded
        for name, data in logs(scaled(2000, 300)).items():
            self.write("www/" + name, data)
            self.plain[name] = data
            for kind in FORMATS:
                self.write(f"www/{name}.{kind}", pack(data, kind, 2))
                self.plain[f"{name}.{kind}"] = data
        self.server = self.nginx(self.path("www"))
        self.listing = self.list_of(f"{self.server.base}/{name}" for name in self.plain)

    def test_same_lines_as_grep_in_every_format(self):
        for pattern in PATTERNS:
            with self.subTest(pattern=pattern):
                run = self.run_weir("filter", *QUIET, "--with-url", "-e", pattern, "-i",
                                    self.listing)
                self.assert_code(run, 0)
                found = lines_by_url(run.out)
                for name, data in self.plain.items():
                    self.assertEqual(found.get(f"{self.server.base}/{name}", b""), grep(data,
                                                                                        pattern),
                                     name)

    def test_same_count_as_grep(self):
        for pattern in PATTERNS:
            run = self.run_weir("filter", *QUIET, "--with-url", "--count", "-e", pattern, "-i",
                                self.listing)
            self.assert_code(run, 0)
            found = lines_by_url(run.out)
            for name, data in self.plain.items():
                self.assertEqual(found.get(f"{self.server.base}/{name}", b""), grep(data, "-c",
                                                                                    pattern),
                                 f"{name} {pattern}")

    def test_report_counts_lines(self):
        report = self.path("report.jsonl")
        run = self.run_weir("filter", *QUIET, "-e", "error", "-i", self.listing, "--report", report,
                            report=report)
        self.assert_code(run, 0)
        self.assertEqual(len(run.rows), len(self.plain))
        for row in run.rows:
            data = self.plain[row["url"].rsplit("/", 1)[1]]
            self.assertEqual((row["lines_in"], row["lines_out"], row["status"]),
                             (len(lines_of(data)), grep(data, "error").count(b"\n"), "ok"))

    def test_in_order_is_one_after_the_other(self):
        run = self.run_weir("filter", *QUIET, "--in-order", "-e", "e", "-i", self.listing)
        self.assert_code(run, 0)
        self.assertEqual(run.out, b"".join(grep(data, "e") for data in self.plain.values()))

    def test_decode_none_looks_at_the_bytes_as_sent(self):
        name = next(iter(self.plain)) + ".gz"
        with open(self.path("www", name), "rb") as data:
            sent = data.read()
        run = self.run_weir("filter", *QUIET, "--decode", "none", "--count", "-e", "^",
                            f"{self.server.base}/{name}")
        self.assert_code(run, 0)
        self.assertEqual(int(run.out), len(lines_of(sent)))

    def test_decoder_by_name_for_what_no_content_tells(self):
        name = next(iter(self.plain))
        os.rename(self.path("www", name + ".br"), self.path("www", "unnamed"))
        run = self.run_weir("filter", *QUIET, "--decode", "brotli", "-e", "error",
                            f"{self.server.base}/unnamed")
        self.assert_code(run, 0)
        self.assertEqual(run.out, grep(self.plain[name], "error"))


class ManyAtOnce(Case):
    def test_lines_of_many_files_are_never_torn(self):
        """Twenty bodies at once into a pipe, nearly every line kept, some of them long."""
        size = scaled(3_000_000, 200_000)
        server = self.faults("--no-log")
        urls = [server.url(f"s{i}", size, kind="t") for i in range(20)]
        run = self.run_weir("filter", *QUIET, "-j", "20", "--per-host", "20", "-e", "[0-9]",
                            "-i", self.list_of(urls))
        self.assert_code(run, 0)
        wanted = collections.Counter()
        for i in range(20):
            wanted.update(lines_of(grep(lines("t", f"s{i}", size), "[0-9]")))
        found = collections.Counter(lines_of(run.out))
        self.assertEqual(len(found - wanted), 0, list((found - wanted).items())[:3])
        self.assertEqual(len(wanted - found), 0, list((wanted - found).items())[:3])
        self.assertGreater(self.switches(run.out), scaled(50, 5), "the files did not come at once")

    @staticmethod
    def switches(out):
        """How often the line that follows is not the next one of its file."""
        numbers = [int(line[24:36]) for line in out.split(b"\n") if line[24:36].isdigit()]
        return sum(1 for a, b in zip(numbers, numbers[1:]) if b != a + 1)

    def test_order_within_a_file_stays(self):
        server = self.faults("--no-log")
        urls = [server.url(f"s{i}", 1_000_000, kind="t") for i in range(8)]
        run = self.run_weir("filter", *QUIET, "--with-url", "-e", "WARN", "-i", self.list_of(urls))
        self.assert_code(run, 0)
        found = lines_by_url(run.out)
        for i, url in enumerate(urls):
            self.assertEqual(found.get(url), grep(lines("t", f"s{i}", 1_000_000), "WARN"))


TEXT = (b"alpha\nneedle one\nbeta\nBETA\ngamma needle needle\n\nneedle\r\nnaive \xc3\xa9 needle\n"
        b"\xff\xfe not utf-8 needle\nnul \x00 needle \x00 here\n" + b"x" * 5000 + b" needle\n" +
        b"\n\n\none\ntwo\nthree\nneedle 12.5\nfour\nfive\nsix\n"
        b"a.b\naXb\n$HOME [x] needle (\nlast needle")


class Flags(Case):
    # what weir is told, what grep is told (as to a shell)
    TABLE = [
        ("-e needle", "needle"),
        ("--match needle", "needle"),
        ("--regexp needle", "needle"),
        ("-e needle -n", "-n needle"),
        ("-e needle --line-number", "-n needle"),
        ("-e needle --count", "-c needle"),
        ("-e needle --invert", "-v needle"),
        ("-e needle --invert-match -n", "-v -n needle"),
        ("-e needle --invert --count", "-v -c needle"),
        ("-e beta --ignore-case", "-i beta"),
        ("-e 'needle|alpha' --only-matching", "-o 'needle|alpha'"),
        ("-e n..d --only-matching -n", "-o -n n..d"),
        ("-e 'x*' --only-matching", "-o 'x*'"),
        ("-e needle -m 2", "-m 2 needle"),
        ("-e needle --max-count 3 -n", "-m 3 -n needle"),
        ("-e needle -m 2 --count", "-m 2 -c needle"),
        ("-e needle -m 2 --invert", "-m 2 -v needle"),
        ("-e needle -m 2 -A 2", "-m 2 -A 2 needle"),
        ("-e needle -A 1", "-A 1 needle"),
        ("-e needle -A1 -n", "-A1 -n needle"),
        ("-e needle -B 2", "-B 2 needle"),
        ("-e needle -C 1 -n", "-C 1 -n needle"),
        ("-e '^(needle|six)' --context 2", "-C 2 '^(needle|six)'"),
        ("-e needle --after-context 1 --before-context 3", "-A 1 -B 3 needle"),
        ("-e needle --invert -C 1", "-v -C 1 needle"),
        ("-F a.b", r"'a\.b'"),
        ("--literal '$HOME [x]'", r"'\$HOME \[x\]'"),
        ("--fixed-strings 'needle ('", r"'needle \('"),
        ("-F A.B --ignore-case", r"-i 'a\.b'"),
        ("-e alpha -e six", "'alpha|six'"),
        ("-e '^al' -F '(' -e 'ix$'", r"'^al|\(|ix$'"),
        ("-e '^needle$'", "'^needle$'"),
        (r"-e 'needle\r$'", r"'needle\r$'"),
        (r"-e '\xff'", r"'\xff'"),
        (r"-e '\x00'", r"'\x00'"),
        ("-e '^$'", "'^$'"),
        ("-e ''", "''"),
        ("-e nowhere", "nowhere"),
        ("-e nowhere --count", "-c nowhere"),
        ("-e nowhere --invert", "-v nowhere"),
    ]

    def setUp(self):
        super().setUp()
        self.write("www/a.log", TEXT)
        self.write("www/b.log", b"needle in b\n")
        self.write("www/empty.log", b"")
        self.server = self.nginx(self.path("www"))

    def filter(self, *args, file="a.log", code=0, **kw):
        run = self.run_weir("filter", *QUIET, *args, f"{self.server.base}/{file}", **kw)
        self.assert_code(run, code)
        return run

    def test_every_flag_does_as_grep(self):
        for ours, theirs in self.TABLE:
            with self.subTest(flags=ours):
                self.assertEqual(self.filter(*shlex.split(ours)).out,
                                 grep(TEXT, *shlex.split(theirs)))

    def test_file_of_patterns(self):
        patterns = self.write("patterns.txt", "^alpha\r\nsix$\n\\d+\\.\\d")
        wanted = r"^alpha|six$|\d+\.\d"
        self.assertEqual(self.filter("-f", patterns).out, grep(TEXT, wanted))
        self.assertEqual(self.filter("-f", patterns, "-e", "BETA").out, grep(TEXT, wanted + "|BETA"))

    def test_file_without_patterns_keeps_nothing(self):
        self.assertEqual(self.filter("-f", self.write("none", "")).out, b"")
        run = self.filter("-f", self.path("none"), "--invert", "--count")
        self.assertEqual(run.out, grep(TEXT, "-c", ""))

    def test_with_url_stands_before_everything(self):
        url = f"{self.server.base}/a.log".encode()
        run = self.filter("-e", "needle", "-n", "--with-url")
        self.assertEqual(run.out, b"".join(url + b"\t" + line for line in
                                           lines_of(grep(TEXT, "-n", "needle"))))

    def test_empty_body(self):
        self.assertEqual(self.filter("-e", "x", file="empty.log").out, b"")
        self.assertEqual(self.filter("-e", "x", "--count", file="empty.log").out, b"0\n")
        self.assertEqual(self.filter("-e", "x", "--invert", file="empty.log").out, b"")

    def test_nothing_matched_is_no_error(self):
        self.assertEqual(self.filter("-e", "no such line", code=0).out, b"")

    def test_counts_of_several_files_say_whose_they_are(self):
        base = self.server.base
        run = self.run_weir("filter", *QUIET, "--count", "-e", "needle", f"{base}/a.log",
                            f"{base}/b.log")
        self.assert_code(run, 0)
        self.assertEqual(lines_by_url(run.out), {f"{base}/a.log": grep(TEXT, "-c", "needle"),
                                                 f"{base}/b.log": b"1\n"})

    def test_line_that_is_too_long_is_skipped_counted_and_said(self):
        report = self.path("report.jsonl")
        for size, kept in ((5007, 1), (5006, 0)):
            run = self.filter("-e", "^x+ needle", "-n", "--max-line", str(size), "--report", report,
                              report=report)
            self.assertEqual(len(lines_of(run.out)), kept)
            if not kept:
                self.assertRegex(run.err, "(?i)long|max.line")
            os.unlink(report)
        run = self.filter("-e", "six", "-n", "--max-line", "100")
        self.assertEqual(run.out, grep(TEXT, "-n", "six"), "it counts as a line")

    def test_max_count_ends_the_download(self):
        server = self.faults()
        for more in ([], ["--count"], ["-A", "3"]):
            server.reset()
            size = 20_000_000_000
            run = self.run_weir("filter", *QUIET, "-m", "5", *more, "-e", "ERROR",
                                server.url("huge", size, kind="t"))
            self.assert_code(run, 0)
            head = lines("t", "huge", 200_000)
            self.assertEqual(run.out, grep(head, "-m", "5", *
    ["-c" if a == "--count" else a for a in more], "ERROR"))
            self.assertLess(server.stats()["body_bytes"], 50_000_000, "it went on reading")

    def test_max_count_is_of_each_file(self):
        base = self.server.base
        run = self.run_weir("filter", *QUIET, "-m", "1", "--with-url", "-e", "needle",
                            f"{base}/a.log", f"{base}/b.log")
        self.assert_code(run, 0)
        self.assertEqual(lines_by_url(run.out),
    {f"{base}/a.log": b"needle one\n",
     f"{base}/b.log": b"needle in b\n"})

    def test_bad_pattern_is_refused_before_the_first_request(self):
        for pattern in ("a(b", "[z-a]", "*x", r"\g{9}", "a\nb"):
            with self.subTest(pattern=pattern):
                run = self.filter("-e", pattern, code=2)
                self.assertIn("-e", run.err)
                self.assertEqual(run.out, b"")
        run = self.filter("-f", self.write("bad.txt", "good\nworse(\n"), code=2)
        self.assertIn("bad.txt:2", run.err)
        self.assertEqual(self.server.requests(), [])

    def test_missing_page_is_a_failure_and_the_others_come(self):
        base = self.server.base
        run = self.run_weir("filter", *QUIET, "-e", "needle", f"{base}/none.log", f"{base}/b.log")
        self.assert_code(run, 1)
        self.assertEqual(run.out, b"needle in b\n")

    def test_no_line_of_an_error_page_is_kept(self):
        server = self.faults()
        run = self.run_weir("filter", *QUIET, "-e", "content", server.url("a", 10, "status=404",
                                                                          kind="t"))
        self.assert_code(run, 1)
        self.assertEqual(run.out, b"")

    def test_a_reader_that_has_enough_ends_it_quietly(self):
        server = self.faults()
        url = server.url("huge", 50_000_000_000, kind="t")
        process = self.start("filter", "-e", "INFO", url)
        head = subprocess.run([tool("head"), "-n", "1"],
                              stdin=process.stdout, stdout=subprocess.PIPE)
        process.stdout.close()
        err = process.stderr.read()
        self.assertEqual(process.wait(30), 141)
        self.assertEqual(head.stdout, grep(lines("t", "huge", 2000), "-m", "1", "INFO"))
        self.assertEqual(err, b"")


if __name__ == "__main__":
    main()

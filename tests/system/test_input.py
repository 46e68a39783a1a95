"""Bad input gets a message with its place and the way out, a report line, and loses nothing."""
import os
import stat

from harness import QUICK_RETRY, Case, body, main


class Lines(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.good = self.server.url("a", 10, name="good")

    def bad_line(self, line, wanted):
        """A list of: bad line, good line."""
        text = line if isinstance(line, bytes) else line.encode()
        run = self.get("-i", self.write("list", b"# a list\n" + text + b"\n" + self.good.encode() + b"\n"))
        self.assert_code(run, 1)
        self.assert_final({"good": body("a", 10)})
        self.assertEqual(len(run.rows), 2, run.rows)
        row = next(row for row in run.rows if row["status"] == "failed")
        self.assertEqual((row["line"], row["error"]["class"]), (2, wanted), row)
        self.assertEqual(run.by_url[self.good]["line"], 3)
        return row["error"]["message"], run.err

    def test_lines_that_are_no_url(self):
        for line in ("hello world", "example.org/x", "http://", "http:///x", "://x", "http://a b/c",
                     "http://127.0.0.1:99999/x", "http://127.0.0.1:port/x", "x" * 70000,
                     "http://[::1/x"):
            with self.subTest(line=line[:40]):
                self.bad_line(line, "input")

    def test_line_number_stands_in_the_message(self):
        message, err = self.bad_line("hello world", "input")
        self.assertRegex(message + err, r"(list:2|line 2)")

    def test_bytes_that_are_no_text(self):
        junk = b"x" + body("junk", 300).replace(b"\n", b"").replace(b"\r", b"") + b"\x00"
        for line in (b"http://127.0.0.1/\x00x", b"http://127.0.0.1/\x07", b"\xff\xfe\x00\x01",
                     junk):
            with self.subTest(line=line[:20]):
                self.bad_line(line, "input")

    def test_unsupported_schemes(self):
        for line in ("ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1/x",
                     "s3://bucket/x"):
            with self.subTest(line=line):
                message, _ = self.bad_line(line, "policy")
                self.assertIn(line.split(":")[0], message)

    def test_web_page_as_a_list_fails_line_by_line(self):
        page = "<!DOCTYPE html>\n<html>\n<body>nothing</body>\n</html>\n"
        run = self.get("-i", self.write("l", page))
        self.assert_code(run, 1)
        self.assertEqual(run.statuses, {"failed": 4})
        self.assertEqual({row["error"]["class"] for row in run.rows}, {"input"})

    def test_tsv_rows_that_cannot_be_read(self):
        rows = f"url\tname\tsize\n{self.good}\tgood\t10\nno url\tx\t1\n{self.good}?2\ty\tmany\n{self.good}?3\tz\n\tq\t1\n"
        run = self.get("-i", self.write("l.tsv", rows))
        self.assert_code(run, 1)
        self.assert_final({"good": body("a", 10)})
        failed = {row["line"]: row["error"]["class"] for row in run.rows if row["status"] == "failed"}
        self.assertEqual(failed, {3: "input", 4: "input", 5: "input", 6: "input"})

    def test_tsv_without_a_url_column(self):
        run = self.get("--format", "tsv", "-i", self.write("l.tsv", "adress\tname\nx\ty\n"))
        self.assertNotEqual(run.code, 0)
        self.assertIn("url", run.err)
        self.assertIn("adress", run.err)

    def test_url_argument_that_is_none(self):
        run = self.get("httq://x/y")
        self.assertIn(run.code, (1, 2))
        self.assertIn("httq", run.err)


class ListNames(Case):
    def test_names_that_leave_the_folder_or_cannot_be(self):
        server = self.faults()
        outside = self.path("outside")
        names = ["../outside", "/etc/weir-outside", "a/../../outside", "..", ".", "a/./b/..", "",
                 "x" * 256,
                 "/".join(["d" * 200] * 21)]
        for name in names:
            if not name:
                continue
            with self.subTest(name=name[:40]):
                server.reset()
                rows = f"url\tname\n{server.url('b', 20)}\t{name}\n{server.url('a', 10)}\tgood\n"
                self.dir = self.path("out-" + str(names.index(name)))
                run = self.get("-i", self.write("l.tsv", rows))
                self.assert_code(run, 1)
                self.assert_final({"good": body("a", 10)})
                row = next(row for row in run.rows if row["status"] == "failed")
                self.assertEqual(row["error"]["class"], "name")
                self.assertFalse(os.path.exists(outside) or os.path.exists("/etc/weir-outside"))

    def test_control_characters_and_own_endings_are_escaped(self):
        server = self.faults()
        urls = [server.url("a", 10, name="a%0Ab"), server.url("b", 20, name="x.part"),
                server.url("c", 30, name="c%2Fd"), server.url("d", 40, name="%1b%5b31m"),
                server.url("e", 50, name="y.part.resume"), server.url("g", 60, name=".hidden")]
        run = self.get(*urls)
        self.assert_code(run, 0)
        for name in self.files():
            self.assertFalse(any(ord(c) < 32 for c in name), name)
            self.assertFalse(name.endswith((".part", ".part.resume")), name)
        self.assertEqual(len(self.final_files()), 6)
        self.assertIn(".hidden", self.final_files())

    def test_dots_in_urls_do_not_climb(self):
        server = self.faults()
        run = self.get("--tree", f"{server.base}/r/a/10/../../../../../outside",
                       f"{server.base}/r/a/10/%2e%2e/x",
                       f"{server.base}/r/a/10/..%2fx")
        self.assertIn(run.code, (0, 1))
        self.assertFalse(os.path.exists(self.path("outside")))
        for where, _, files in os.walk(self.folder):
            for name in files:
                self.assertNotEqual(name, "outside", where)

    def test_file_against_folder_is_class_name(self):
        server = self.faults()
        rows = (f"url\tname\n{server.url('a', 10)}\tthing\n{server.url('b', 20)}\tthing/below\n"
                f"{server.url('c', 30)}\tother\n")
        run = self.get("-j", "1", "-i", self.write("l.tsv", rows))
        self.assert_code(run, 1)
        failed = [row for row in run.rows if row["status"] == "failed"]
        self.assertEqual([row["error"]["class"] for row in failed], ["name"])
        self.assertIn(failed[0]["path"], ("thing", "thing/below"))
        expected = {"thing": body("a", 10), "thing/below": body("b", 20), "other": body("c", 30)}
        del expected[failed[0]["path"]]
        self.assert_final(expected)

    def test_folder_in_the_way_of_a_file(self):
        server = self.faults()
        os.makedirs(os.path.join(self.dir, "f", "below"))
        for how in ("overwrite", "skip"):
            run = self.get("--on-exist", how, server.url("a", 10, name="f"))
            self.assertEqual([row["status"] for row in run.rows if row["status"] == "ok"], [])
            self.assertTrue(os.path.isdir(os.path.join(self.dir, "f", "below")))


class Lists(Case):
    def test_missing_list(self):
        run = self.get("-i", self.path("nowhere.txt"))
        self.assert_code(run, 2)
        self.assertIn("nowhere.txt", run.err)

    def test_folder_as_a_list(self):
        run = self.get("-i", self.folder)
        self.assertIn(run.code, (1, 2))
        self.assertIn(self.folder, run.err)

    def test_empty_list_is_no_error_but_said(self):
        run = self.run_weir("get", "-d", self.dir, "-i", self.write("l", ""))
        self.assert_code(run, 0)
        self.assertRegex(run.err, r"(?i)(no url|empty|0 files|nothing)")

    def test_list_of_comments(self):
        self.assert_code(self.get("-i", self.write("l", "# one\n\n# two\n")), 0)

    def test_stdin_that_closes_at_once(self):
        self.assert_code(self.get("-i", "-", input=""), 0)

    def test_nothing_to_do_is_a_usage_error(self):
        run = self.run_weir("get")
        self.assert_code(run, 2)
        self.assertIn("-i", run.err)

    def test_list_url_that_fails(self):
        server = self.faults()
        run = self.get(*QUICK_RETRY, "--retries", "1", "-i", server.url("a", 10, "status=404"))
        self.assertNotEqual(run.code, 0)
        self.assertIn("404", run.err)

    def test_damaged_compressed_lists(self):
        good = self.faults().url("a", 10, name="f")
        import gzip
        packed = bytearray(gzip.compress((good + "\n").encode() * 500, mtime=0))
        packed[len(packed) // 2] ^= 0xff
        run = self.get("-i", self.write("l.gz", bytes(packed)))
        self.assertNotEqual(run.code, 0)
        self.assertIn("l.gz", run.err)


class Usage(Case):
    def refused(self, *args, says=()):
        run = self.run_weir(*args)
        self.assert_code(run, 2)
        for word in (says,) if isinstance(says, str) else says:
            self.assertIn(word, run.err)
        self.assertEqual(run.out, b"")
        return run.err

    def test_unknown_flag_gets_a_suggestion(self):
        self.refused("get", "--concurency", "5", "http://127.0.0.1:1/x",
                     says=("--concurency", "--concurrency"))
        self.refused("get", "--nothing-like-it", "http://127.0.0.1:1/x", says="--nothing-like-it")
        self.refused("get", "-Q", "http://127.0.0.1:1/x", says="-Q")

    def test_unknown_command(self):
        self.refused("fetch", says=("fetch", "get"))

    def test_flag_without_its_value(self):
        self.refused("get", "http://127.0.0.1:1/x", "-j", says="-j")

    def test_unknown_key_and_section(self):
        self.refused("get", "-s", "limits.rat=5/s", "http://127.0.0.1:1/x",
                     says=("limits.rat", "limits.rate"))
        self.refused("get", "-s", "limit.rate=5/s", "http://127.0.0.1:1/x", says="limit")
        self.refused("get", "-s", "rate", "http://127.0.0.1:1/x", says="rate")

    def test_values_that_are_none(self):
        for flag, value, word in (("--rate", "fast", "50/s"), ("--rate", "50", "/s"),
                                  ("--bandwidth", "1X", "1X"),
                                  ("-j", "0", "0"), ("-j", "many", "many"), ("-j", "-3", "-3"),
                                  ("-j", "99999999999999999999", "9999"),
                                  ("--retries", "1.5", "1.5"),
                                  ("--on-exist", "burn", "overwrite"),
                                  ("--progress", "loud", "plain"),
                                  ("-H", "no colon", "no colon"),
                                  ("--max-failures", "200%", "200%")):
            with self.subTest(flag=flag, value=value):
                self.refused("get", f"{flag}={value}" if flag.startswith("--") else flag + value,
                             "http://127.0.0.1:1/x", says=word)

    def test_foreign_flags_get_a_hint(self):
        for flag in ("-O", "-P", "-nc", "-N", "-x", "-C"):
            with self.subTest(flag=flag):
                err = self.refused("get", flag, "http://127.0.0.1:1/x", says=flag)
                self.assertGreater(len(err), len(flag) + 40)


class Folder(Case):
    def test_folder_is_made_with_its_parents(self):
        server = self.faults()
        self.dir = self.path("a", "b", "c")
        self.assert_code(self.get(server.url("a", 10, name="f")), 0)
        self.assert_final({"f": body("a", 10)})
        self.assertTrue(stat.S_IMODE(os.stat(self.dir).st_mode) & 0o700)

    def test_file_where_the_folder_should_be(self):
        self.write("out", "a file")
        run = self.get("http://127.0.0.1:1/x")
        self.assert_code(run, 3)
        self.assertIn(self.dir, run.err)

    def test_report_that_cannot_be_written(self):
        server = self.faults()
        run = self.get("--report", self.path("no", "such", "report"),
                       server.url("a", 10, name="f"), report=False)
        self.assert_code(run, 3)
        self.assertIn("report", run.err)


if __name__ == "__main__":
    main()

"""Where filtered lines go: files that appear whole, names, damage, bombs, memory."""
import os
import signal

from corpus import FORMATS, grep, lines_of, logs, pack, sshd_log
from harness import SANITIZE, Case, lines, main, scaled, wait_until

QUIET = ["--progress", "none"]
ROW_KIB = 32 * 1024  # the most memory of a filter, whatever the body
TEXT = lines("t", "output", 300_000)


def flowing(server, process):
    """Waits until the run is in the middle of the slow body."""
    wait_until("a part of the body", lambda: server.stats()["body_bytes"] > 500_000 or
               process.poll() is not None)
    if process.poll() is not None:
        raise AssertionError(f"it has ended already: {process.stderr.read()}")


class OneFile(Case):
    """-o FILE: all in one."""

    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.all = self.path("all.log")
        self.slow = self.server.url("slow", 2_000_000, "drip=10000/5&first=1", kind="t")

    def test_results_of_all_files_are_in_it(self):
        urls = [self.server.url(f"s{i}", 100_000, kind="t") for i in range(5)]
        run = self.run_weir("filter", *QUIET, "-e", "WARN", "-o", self.all, *urls)
        self.assert_code(run, 0)
        self.assertEqual(run.out, b"")
        wanted = [line for i in range(5) for line in lines_of(grep(lines("t", f"s{i}", 100_000),
                                                                   "WARN"))]
        with open(self.all, "rb") as data:
            self.assertEqual(sorted(lines_of(data.read())), sorted(wanted))
        self.assertFalse(os.path.exists(self.all + ".part"))

    def test_it_has_its_name_only_at_the_end(self):
        process = self.start("filter", *QUIET, "-e", "e", "-o", self.all, self.slow)
        wait_until("some lines in the .part", lambda: os.path.exists(self.all + ".part") and
                   os.stat(self.all + ".part").st_size > 100_000 or process.poll() is not None)
        self.assertIsNone(process.poll(), "it was too quick to be looked at")
        self.assertFalse(os.path.exists(self.all))
        self.assertEqual(process.wait(60), 0)
        with open(self.all, "rb") as data:
            self.assertEqual(data.read(), grep(lines("t", "slow", 2_000_000), "e"))

    def test_interrupted_run_leaves_no_final_name(self):
        for stop, codes in ((signal.SIGINT, (130,)), (signal.SIGTERM, (143,)),
                            (signal.SIGKILL, (-9,))):
            with self.subTest(signal=stop.name):
                self.server.reset()
                process = self.start("filter", *QUIET, "-e", "e", "-o", self.all, self.slow)
                flowing(self.server, process)
                process.send_signal(stop)
                self.assertIn(process.wait(30), codes)
                self.assertFalse(os.path.exists(self.all))
        run = self.run_weir("filter", *QUIET, "-e", "e", "-o", self.all, self.slow)
        self.assert_code(run, 0)
        with open(self.all, "rb") as data:
            self.assertEqual(data.read(), grep(lines("t", "slow", 2_000_000), "e"),
                             "it starts anew")

    def test_failed_url_among_others(self):
        run = self.run_weir("filter", *QUIET, "-e", "WARN", "-o", self.all,
                            self.server.url("a", 50_000, kind="t"),
                            self.server.url("b", 50_000, "status=404", kind="t"))
        self.assert_code(run, 1)
        with open(self.all, "rb") as data:
            self.assertEqual(data.read(), grep(lines("t", "a", 50_000), "WARN"))

    def test_output_folder_that_is_missing_is_said(self):
        run = self.run_weir("filter", *QUIET, "-e", "x", "-o", self.path("nowhere/at/all.log"),
                            self.server.url("a", 1000, kind="t"))
        self.assertIn(run.code, (2, 3))
        self.assertIn("all.log", run.err)

    def test_two_outputs_are_an_error(self):
        url = self.server.url("a", 1000, kind="t")
        for args in (["-o", self.all, "-d", self.dir], ["--report", "-"]):
            run = self.run_weir("filter", *QUIET, "-e", "x", *args, url)
            self.assert_code(run, 2)
        self.assertEqual(self.server.log(), [])


class FileEach(Case):
    """-d DIR: a result a file, by the same .part and rename as any download."""

    def setUp(self):
        super().setUp()
        self.write("served/plain.log", TEXT)
        for kind in FORMATS:
            self.write(f"served/packed.log.{kind}", pack(TEXT, kind, 2))
        self.server = self.faults("--files", self.path("served"))

    def filter(self, *args, code=0, pattern="WARN"):
        run = self.run_weir("filter", *QUIET, "-e", pattern, "-d", self.dir, *args)
        self.assert_code(run, code)
        return run

    def test_names_lose_what_the_decoder_undid(self):
        urls = [self.server.file_url("plain.log", name="plain.log")]
        urls += [self.server.file_url(f"packed.log.{kind}",
     name=f"{kind}.log.{kind}") for kind in FORMATS]
        self.filter("-i", self.list_of(urls))
        wanted = {f"{kind}.log": grep(TEXT, "WARN") for kind in FORMATS}
        self.assert_final({"plain.log": grep(TEXT, "WARN"), **wanted})

    def test_decoded_download_has_the_same_names(self):
        urls = [self.server.file_url(f"packed.log.{kind}", name=f"{kind}.log.{kind}")
                for kind in FORMATS]
        run = self.run_weir("get", *QUIET, "--decode", "auto", "-d", self.dir, "-i",
                            self.list_of(urls))
        self.assert_code(run, 0)
        self.assert_final({f"{kind}.log": TEXT for kind in FORMATS})

    def test_two_urls_whose_names_meet_are_both_kept(self):
        urls = [self.server.file_url("packed.log.gz", name="a.log.gz"),
                self.server.file_url("plain.log", name="a.log"),
                self.server.file_url("packed.log.xz", name="a.log.xz")]
        self.filter("-i", self.list_of(urls), pattern="ERROR")
        files = self.final_files()
        self.assertEqual(len(files), 3, sorted(files))
        self.assertEqual(set(files.values()), {grep(TEXT, "ERROR")})

    def test_nothing_matched_is_an_empty_file(self):
        self.filter(self.server.file_url("plain.log", name="a.log"), pattern="no such line")
        self.assert_final({"a.log": b""})

    def test_killed_run_starts_anew(self):
        """What a filter had written cannot be gone on with: the next run must not append to it."""
        url = self.server.url("slow", 2_000_000, "drip=10000/5&first=1", "slow.log", kind="t")
        for stop in (signal.SIGKILL, signal.SIGINT):
            self.server.reset()
            process = self.start("filter", *QUIET, "-e", "e", "-d", self.dir, url)
            flowing(self.server, process)
            process.send_signal(stop)
            process.wait(30)
            self.assert_final({})
        self.filter(url, pattern="WARN|INFO")
        self.assert_final({"slow.log": grep(lines("t", "slow", 2_000_000), "WARN|INFO")})
        self.assertEqual(self.partial_files(), {})

    def test_part_of_a_filter_is_not_gone_on_with_by_get(self):
        url = self.server.url("slow", 2_000_000, "drip=10000/5&first=1", "slow.log", kind="t")
        process = self.start("filter", *QUIET, "-e", "e", "-d", self.dir, url)
        flowing(self.server, process)
        process.kill()
        process.wait()
        self.assertEqual(list(self.partial_files()), ["slow.log.part"])
        self.assert_code(self.run_weir("get", *QUIET, "-d", self.dir, url), 0)
        self.assert_final({"slow.log": lines("t", "slow", 2_000_000)})

    def test_part_of_get_is_not_gone_on_with_by_a_filter(self):
        url = self.server.url("slow", 2_000_000, "drip=10000/5&first=1", "slow.log", kind="t")
        process = self.start("get", *QUIET, "-d", self.dir, url)
        flowing(self.server, process)
        process.kill()
        process.wait()
        self.assertEqual(list(self.partial_files()), ["slow.log.part"])
        self.filter(url)
        self.assert_final({"slow.log": grep(lines("t", "slow", 2_000_000), "WARN")})

    def test_other_pattern_into_the_same_folder_does_not_pass_for_done(self):
        url = self.server.file_url("plain.log", name="a.log")
        self.filter(url)
        run = self.run_weir("filter", *QUIET, "-e", "ERROR", "-d", self.dir, url)
        found = self.final_files()["a.log"]
        if run.code == 0 and found == grep(TEXT, "WARN"):
            self.assertIn("a.log", run.err, "the other pattern's lines stay, and nobody was told")
        else:
            self.assertIn(found, (grep(TEXT, "WARN"), grep(TEXT, "ERROR")))
        run = self.run_weir("filter", *QUIET, "-e", "ERROR", "-d", self.dir, "--on-exist",
                            "overwrite", url)
        self.assert_code(run, 0)
        self.assert_final({"a.log": grep(TEXT, "ERROR")})

    def test_same_filter_again_fetches_nothing(self):
        url = self.server.file_url("plain.log", name="a.log")
        self.filter(url)
        self.server.reset()
        self.filter(url)
        self.assertEqual(self.server.stats()["body_bytes"], 0)
        self.assert_final({"a.log": grep(TEXT, "WARN")})


class Damage(Case):
    """What a decoder cannot undo is class decode, with the place, and never a final file."""

    def test_damaged_bodies(self):
        text = sshd_log(3000, 9)
        files = {}
        for kind in FORMATS:
            whole = pack(text, kind, 2 if kind != "br" else 1)
            half = len(whole) // 2
            files[f"cut.log.{kind}"] = whole[:half]
            if kind != "br":  # it has no checksum: flipped bytes may be another text
                files[f"flipped.log.{kind}"] = (whole[:half] + bytes(255 - b
                                                                     for b in whole[half:half +
                                                                                    40]) +
                                                whole[half + 40:])
        files["trailing.log.gz"] = pack(text, "gz") + b"this is no member"
        for name, data in files.items():
            self.write("served/" + name, data)
        self.write("served/good.log.gz", pack(text, "gz"))
        server = self.nginx(self.path("served"))
        urls = [f"{server.base}/{name}" for name in [*files, "good.log.gz"]]
        for command in (["filter", "-e", "e"], ["get", "--decode", "auto"]):
            with self.subTest(command=command[0]):
                self.dir = self.path("out-" + command[0])
                report = self.path(f"report-{command[0]}")
                run = self.run_weir(*command, *QUIET, "-d", self.dir, "-i", self.list_of(urls),
                                    "--report", report, report=report)
                self.assert_code(run, 1)
                for name in files:
                    row = run.by_url[f"{server.base}/{name}"]
                    self.assertEqual((row["status"], (row["error"] or {}).get("class")),
                                     ("failed", "decode"), name)
                    self.assertRegex(row["error"]["message"], r"\d", f"{name}: no offset is told")
                self.assertEqual(list(self.final_files()), ["good.log"])
                self.assertLess(len(server.requests()), 4 * len(urls),
                                "damage was fetched again and again")

    def test_what_came_before_the_damage_is_put_out_whole(self):
        """To a stream, lines that were decoded before the damage are lines of the body."""
        text = sshd_log(3000, 9)
        whole = pack(text, "gz", 4)
        self.write("served/x.log.gz", whole[:len(whole) * 3 // 4])
        server = self.nginx(self.path("served"))
        run = self.run_weir("filter", *QUIET, "-e", "e", f"{server.base}/x.log.gz")
        self.assert_code(run, 1)
        self.assertTrue(grep(text, "e").startswith(run.out))
        self.assertRegex(run.err, "byte|offset")

    def test_bomb_stops_where_it_is_saved_and_passes_where_it_is_filtered(self):
        self.write("served/zeros.gz", pack(bytes(16 << 20), "gz"))
        server = self.faults("--files", self.path("served"))
        url = server.file_url("zeros.gz", f"repeat={scaled(64, 4)}", "zeros.gz")
        report = self.path("report.jsonl")
        run = self.run_weir("get", *QUIET, "--decode", "auto", "-d", self.dir, url, "--report",
                            report, report=report)
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "policy")
        self.assertIn("max_decoded_size", run.one()["error"]["message"])
        self.assert_final({})
        run = self.run_weir("filter", *QUIET, "-e", "x", url, peak=True)
        self.assert_code(run, 0)
        self.assertEqual(run.out, b"")
        if not SANITIZE:
            self.assertLess(run.peak_kib, ROW_KIB)
        run = self.run_weir("filter", *QUIET, "-e", "x", "--max-decoded-size", "20M", url)
        self.assert_code(run, 1)

    def test_content_encoding_is_undone(self):
        """nginx compresses on the way, or serves a file that it says is compressed."""
        text = sshd_log(5000, 3)
        self.write("www/live.log", text)
        self.write("www/stored.log", pack(text, "gz"))
        self.write("www/double.log.gz", pack(text, "gz"))
        server = self.nginx(self.path("www"), extra="gzip on; gzip_types *; gzip_min_length 1;"
                            " location ~ (stored|double) { gzip off; "
                            "add_header Content-Encoding gzip; }")
        for name, args in (("live.log", ["-H", "Accept-Encoding: gzip"]), ("stored.log", []),
                           ("double.log.gz", [])):
            with self.subTest(file=name):
                run = self.run_weir("filter", *QUIET, *args, "-e", "invalid",
                                    f"{server.base}/{name}")
                self.assert_code(run, 0)
                self.assertEqual(run.out, grep(text, "invalid"))
        live = [line for line in server.requests() if "live.log" in line]
        self.assertLess(int(live[0].split()[2]), len(text) // 2, "nginx did not compress it")

    def test_content_encoding_that_is_not_true(self):
        server = self.faults()
        report = self.path("report.jsonl")
        run = self.run_weir("filter", *QUIET, "-e", "e", "--report", report, report=report,
                            *[server.url("a", 1000, f"encoding={name}", kind="t")
                              for name in ("gzip", "odd")])
        self.assert_code(run, 1)
        self.assertEqual({row["error"]["class"] for row in run.rows}, {"decode"})


class Memory(Case):
    """Four gigabytes flow through in the same memory as four kilobytes."""
    SIZE = scaled(4_000_000_000, 40_000_000)

    def check(self, *args, **kw):
        run = self.run_weir(*args, *QUIET, peak=True, **kw)
        self.assert_code(run, 0)
        if not SANITIZE:
            self.assertGreater(run.peak_kib, 1000, "it was never looked at")
            self.assertLess(run.peak_kib, ROW_KIB)
        return run

    def test_plain(self):
        server = self.faults()
        url = server.url("huge", self.SIZE, kind="t")
        report = self.path("report.jsonl")
        run = self.check("filter", "--count", "-e", "needle.*haystack", "--report", report, url,
                         report=report)
        blocks = self.SIZE // 65521
        self.assertAlmostEqual(run.one()["lines_in"], blocks * 512, delta=512)
        self.assertEqual(run.one()["bytes"], self.SIZE)

    def test_every_line_kept_with_numbers_into_a_file(self):
        server = self.faults()
        size, out = scaled(300_000_000, 10_000_000), self.path("all")
        self.check("filter", "-n", "-e", "0", "-o", out, server.url("huge", size, kind="t"))
        self.assertGreater(os.stat(out).st_size, size)

    def test_compressed(self):
        text = lines("t", "member", 16 << 20)
        text = text[:text.rindex(b"\n") + 1]
        for kind, repeats in (("gz", scaled(256, 4)), ("zst", scaled(64, 4))):
            with self.subTest(format=kind):
                self.write(f"served/member.log.{kind}", pack(text, kind))
                server = self.faults("--files", self.path("served"))
                url = server.file_url(f"member.log.{kind}", f"repeat={repeats}")
                run = self.check("filter", "--count", "-e", "WARN", url)
                self.assertEqual(int(run.out), repeats * text.count(b"WARN"))

    def test_records(self):
        server = self.faults()
        url = server.url("huge", scaled(1_000_000_000, 10_000_000), kind="j")
        report = self.path("report.jsonl")
        run = self.check("jsonl", "--jq", 'select(.level=="error" and .ms > 4900)', "--report",
                         report, url, report=report)
        self.assertGreater(run.one()["lines_out"], 0)

    def test_line_without_end(self):
        """A body that is one line of gigabytes is skipped, not held."""
        self.write("served/a", b"a" * 1_000_000)
        server = self.faults("--files", self.path("served"))
        url = server.file_url("a", f"repeat={scaled(2000, 20)}")
        run = self.check("filter", "--count", "-e", "a", url)
        self.assertEqual(run.out, b"0\n")
        self.assertRegex(run.err, "(?i)long|max.line")


class Logs(Case):
    def test_made_logs_are_what_they_should_be(self):
        """What everything is compared on: CRLF, empty lines, several bytes a character."""
        for name, data in logs(500).items():
            self.assertGreater(len(lines_of(data)), 400, name)
        text = lines("t", "check", 1_000_000)
        numbers = [int(line.split()[2]) for line in text.splitlines() if line[24:36].isdigit()][:-1]
        self.assertEqual(numbers, list(range(len(numbers))))
        self.assertIn(b"\r\n", text)
        self.assertIn("日本語".encode(), text)
        self.assertNotEqual(text, lines("t", "check", 1_000_000, version=1))
        self.assertEqual(text[65000:67000], lines("t", "check", 2000, start=65000))


if __name__ == "__main__":
    main()

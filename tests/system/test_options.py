"""Options: one table, many ways to set them, and where each value came from."""
import os
import re
import signal
import subprocess
import unittest

from harness import COMMAND, SANITIZE, SOURCE, Case, body, main, tool


def table():
    """(section, key, flag) of every row of the option table, read from its source."""
    with open(os.path.join(SOURCE, "src/config/options.def")) as text:
        rows = re.findall(r'^OPTION\((\w+), (\w+), \w+,[^\n]*\n\s*("[\w-]+"|NULL)', text.read(),
                          re.M)
    return [(section, key, None if flag == "NULL" else flag.strip('"')) for section, key,
            flag in rows]


class Help(Case):
    def test_every_flag_is_in_the_help(self):
        run = self.run_weir("get", "--help")
        self.assert_code(run, 0)
        text = run.out.decode()
        self.assertEqual(run.err, "")
        rows = table()
        self.assertGreater(len(rows), 30)
        lines = self.run_weir("jsonl", "--help").out.decode()
        of = {"filter": lines, "jsonl": lines}
        for name in ("prefetch", "put", "serve"):
            of[name] = self.run_weir(name, "--help").out.decode()
        for section, _, flag in rows:
            if flag:
                self.assertIn("--" + flag, of.get(section, text))
        for flag in ("--input", "--output", "--config", "--no-config", "--set", "--dry-run",
                     "--quiet",
                     "--verbose", "--help", "--version"):
            self.assertIn(flag, text)

    def test_help_in_other_ways(self):
        self.assertEqual(self.run_weir("help", "get").out, self.run_weir("get", "-h").out)
        run = self.run_weir("--help")
        self.assert_code(run, 0)
        self.assertIn(b"get", run.out)
        self.assert_code(self.run_weir(), 2)

    def test_version_names_the_libraries(self):
        run = self.run_weir("--version")
        self.assert_code(run, 0)
        for word in ("weir 0.1.0", "libcurl", "OpenSSL", "zlib"):
            self.assertIn(word, run.out.decode())

    def test_help_into_a_closed_pipe_is_no_crash(self):
        process = self.start("get", "--help")
        process.stdout.close()
        process.stdout = None
        self.assertIn(process.wait(10), (0, 141, -signal.SIGPIPE))

    def test_man_page_and_completions_name_every_flag(self):
        for path in ("src/cli/weir.1", "src/cli/completions/weir.bash"):
            with open(os.path.join(SOURCE, path)) as text:
                page = text.read().replace("\\-", "-")
            for _, _, flag in table():
                if flag:
                    self.assertIn("--" + flag, page, path)


class Config(Case):
    def shown(self, *args, **kw):
        run = self.run_weir("config", *args, **kw)
        self.assert_code(run, 0)
        return run.out.decode()

    def line(self, text, name):
        """Section and key may stand on one line or the section as a heading."""
        section, key = name.split(".")
        found = re.search(rf"^\s*{re.escape(name)}\b.*$", text, re.M)
        if found:
            return found.group(0)
        part = text[text.index(f"[{section}]"):]
        return re.search(rf"^\s*{re.escape(key)}\b.*$", part, re.M).group(0)

    def test_every_option_is_shown(self):
        text = self.shown()
        for section, key, _ in table():
            self.line(text, f"{section}.{key}")

    def test_levels_and_where_a_value_came_from(self):
        conf = self.write("my.ini", "; mine\n[limits]\nper_host = 3\nrate = 5/s\n")
        text = self.shown("-c", conf, "-s", "limits.rate=7/s")
        self.assertIn("3", self.line(text, "limits.per_host"))
        self.assertIn("my.ini:3", self.line(text, "limits.per_host"))
        self.assertIn("7/s", self.line(text, "limits.rate"))
        self.assertIn("command line", self.line(text, "limits.rate"))
        self.assertIn("default", self.line(text, "run.concurrency"))

    def test_own_file_is_found_and_can_be_left_out(self):
        self.write("home/config/weir/weir.ini", "[run]\nconcurrency = 3\n")
        self.assertIn("3", self.line(self.shown(), "run.concurrency"))
        self.assertIn("16", self.line(self.shown("--no-config"), "run.concurrency"))

    def test_file_in_the_current_folder_is_not_read(self):
        self.write("cwd/weir.ini", "[run]\nconcurrency = 3\n")
        self.assertIn("16", self.line(self.shown(cwd=self.path("cwd")), "run.concurrency"))

    def test_secrets_are_hidden(self):
        text = self.shown("-s", "http.user=me:hunter2", "-s",
                          "http.header=Authorization: Bearer hunter3")
        self.assertNotIn("hunter", text)

    def test_shipped_file_is_good_and_changes_nothing(self):
        shipped = os.path.join(SOURCE, "config/weir.ini")
        values = lambda text: re.sub(r"\S*weir\.ini:\d+", "default", text)
        self.assertEqual(re.sub(r"\s+", " ", values(self.shown("-c", shipped))),
                         re.sub(r"\s+", " ", self.shown()))

    def refused(self, text, *words):
        run = self.run_weir("get", "-c", self.write("bad.ini", text), "http://127.0.0.1:1/x")
        self.assert_code(run, 2)
        for word in words:
            self.assertIn(word, run.err)

    def test_errors_name_file_line_key_and_value(self):
        self.refused("[limits]\n\nrate = fast\n", "bad.ini:3", "limits.rate", "fast", "50/s")
        self.refused("[limits]\nspeed = 5\n", "bad.ini:2", "speed")
        self.refused("[limit]\nrate = 5/s\n", "bad.ini:", "limit")
        self.refused("[run]\nconcurrency = 0\n", "bad.ini:2", "run.concurrency", "0")
        self.refused("concurrency = 5\n", "bad.ini:1")
        self.refused("[run]\nwhat is this\n", "bad.ini:2")
        self.refused('[host "a.example"]\nsave.dir = /tmp\n', "bad.ini:2", "save.dir")

    def test_missing_config_file(self):
        run = self.run_weir("get", "-c", self.path("nowhere.ini"), "http://127.0.0.1:1/x")
        self.assert_code(run, 2)
        self.assertIn("nowhere.ini", run.err)

    def test_no_config_reads_none(self):
        self.write("home/config/weir/weir.ini", "[broken\n")
        self.assert_code(self.run_weir("config"), 2)
        self.assert_code(self.run_weir("config", "--no-config"), 0)


class Http(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()

    def sent(self, *args, query="", **kw):
        self.server.reset()
        run = self.get("--on-exist", "overwrite", *args, self.server.url("a", 10, query, "f"), **kw)
        self.assert_code(run, 0)
        return self.server.log()[-1]["headers"]

    def test_headers(self):
        headers = self.sent("-H", "X-One: 1", "-H", "X-Two: b c", "--header=Accept: text/plain")
        self.assertEqual((headers["X-One"], headers["X-Two"], headers["Accept"]),
                         ("1", "b c", "text/plain"))

    def test_headers_from_a_file(self):
        listing = self.write("headers", "X-One: 1\nX-Two: 2\n")
        headers = self.sent("-H", "@" + listing)
        self.assertEqual((headers["X-One"], headers["X-Two"]), ("1", "2"))

    def test_user_agent(self):
        self.assertTrue(self.sent()["User-Agent"].startswith("weir/"))
        self.assertEqual(self.sent("--user-agent", "me")["User-Agent"], "me")

    def test_no_compression_is_asked_for(self):
        self.assertNotIn("Accept-Encoding", self.sent())

    def test_user_is_basic(self):
        self.assertEqual(self.sent("--user", "me:pw", query="auth=me:pw")["Authorization"],
                         "Basic bWU6cHc=")

    def test_user_of_the_url(self):
        run = self.get(self.server.url("a", 10, "auth=me:p%40", "g").replace("http://",
                                                                             "http://me:p%40@"))
        self.assert_code(run, 0)

    def test_netrc(self):
        netrc = self.write("netrc", "machine 127.0.0.1 login me password pw\n")
        os.chmod(netrc, 0o600)
        self.sent("-s", f"http.netrc={netrc}", query="auth=me:pw")
        self.write("home/.netrc", "machine 127.0.0.1 login me password pw\n")
        self.sent("-s", "http.netrc=yes", query="auth=me:pw")
        self.assertNotIn("Authorization", self.sent())

    def test_host_section_headers(self):
        conf = self.write("c.ini",
                          '[host "127.0.0.1"]\nhttp.header = X-For: here\n[host "other"]\nhttp.header = X-Not: x\n')
        headers = self.sent("-c", conf)
        self.assertEqual(headers["X-For"], "here")
        self.assertNotIn("X-Not", headers)

    def test_long_token_in_a_file(self):
        token = "t" * 3000 + " ; x"
        conf = self.write("c.ini",
                          f'[host "127.0.0.1"]\nhttp.header = Authorization: Bearer {token}\n')
        self.assertEqual(self.sent("-c", conf)["Authorization"], "Bearer " + token)

    def test_protocols_can_be_narrowed(self):
        run = self.get("-s", "http.protocols=https", self.server.url("a", 10))
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "policy")

    def test_workers_and_odd_numbers_work(self):
        urls = [self.server.url(f"s{i}", 500, name=f"n{i}") for i in range(100)]
        for args in (["--workers", "1", "-j", "1"], ["--workers", "8", "-j", "3"],
                     ["--workers", "3", "-j", "64"],
                     ["-s", "run.queue=16"], ["-s", "run.buffer=16Ki"]):
            with self.subTest(args=args):
                self.dir = self.path("out" + "".join(args).replace("/", ""))
                self.assert_code(self.get(*args, "-i", self.list_of(urls)), 0)
                self.assert_final({f"n{i}": body(f"s{i}", 500) for i in range(100)})

    def test_durability_choices(self):
        urls = [self.server.url(f"s{i}", 500, name=f"n{i}") for i in range(50)]
        for choice in ("batch", "file", "none"):
            with self.subTest(choice=choice):
                self.dir = self.path("out" + choice)
                self.assert_code(self.get("-s", f"save.durability={choice}", "-i",
                                          self.list_of(urls)), 0)
                self.assert_final({f"n{i}": body(f"s{i}", 500) for i in range(50)})

    @unittest.skipIf(SANITIZE,
                     "leak checking and strace cannot both trace; the plain build has this one")
    def test_durable_means_synced_before_the_rename(self):
        """The order of system calls: data synced, renamed, folder synced, and only then reported."""
        trace, report = self.path("trace"), self.path("report.jsonl")
        for count in (1, 20):  # few are synced one by one, many by one syncfs
            with self.subTest(count=count):
                self.dir = self.path(f"out{count}")
                urls = self.list_of(self.server.url(f"s{i}", 5000,
                                                    name=f"n{i}") for i in range(count))
                subprocess.run([tool("strace"), "-f", "-qq", "-y", "-s", "0", "-e",
                                "trace=fsync,fdatasync,syncfs,rename,renameat,renameat2,write",
                                "-o", trace,
                                COMMAND, "get", "-q", "-d", self.dir, "--report", report, "-s",
                                "run.workers=1", "-i", urls], env=self.environment(), check=True,
                                timeout=60)
                with open(trace) as text:
                    self.check_order(text.read(), count, report)

    @unittest.skipIf(SANITIZE,
                     "leak checking and strace cannot both trace; the plain build has this one")
    def test_journal_is_synced_after_the_names_and_before_the_report(self):
        trace, report = self.path("trace"), self.path("report.jsonl")
        urls = self.list_of(self.server.url(f"s{i}", 5000, name=f"n{i}") for i in range(20))
        subprocess.run([tool("strace"), "-f", "-qq", "-y", "-s", "0", "-e",
                        "trace=fsync,fdatasync,renameat,renameat2,write", "-o", trace,
                        COMMAND, "get", "-q", "-d", self.dir, "--report", report,
                        "--journal", self.path("journal"), "-s", "run.workers=1", "-i", urls],
                       env=self.environment(), check=True, timeout=60)
        synced = reported = False
        with open(trace) as text:
            for line in text:
                if re.search(r" rename", line):
                    synced = False
                elif re.search(r" f(data)?sync\(\d+<[^>]*journal-wal>", line):
                    synced = True
                elif " write(" in line and report in line:
                    self.assertTrue(synced, "reported before the journal was synced")
                    reported = True
        self.assertTrue(reported)

    def check_order(self, trace, count, report):
        synced, renamed, waiting_for_folder, done = set(), 0, False, False
        for line in trace.splitlines():
            call = re.match(r"\d+ +(\w+)\((.*)", line)
            if not call:
                continue
            name, rest = call.groups()
            if name == "syncfs":
                synced.add("all")
                waiting_for_folder = False
            elif name in ("fsync", "fdatasync"):
                synced.update(re.findall(r"(n\d+)\.part", rest))
                if f"<{self.dir}>" in rest:
                    waiting_for_folder = False
            elif name.startswith("rename"):
                part = re.search(r'"(n\d+)\.part"', rest) or re.search(r"(n\d+)\.part", rest)
                if part:
                    self.assertTrue("all" in synced or part.group(1) in synced,
                                    f"renamed unsynced: {line}")
                renamed += 1
                waiting_for_folder = True
            elif name == "write" and report in rest:
                self.assertFalse(waiting_for_folder, "reported before the folder was synced")
                done = True
        self.assertEqual((renamed, done), (count, True), trace[-3000:])


if __name__ == "__main__":
    main()

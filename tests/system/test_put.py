"""weir put: what goes where, on nginx; and what the command line, lists and reports say of it."""
import os
import subprocess

from harness import SANITIZE, Case, body, main, scaled

DAV = "dav_methods PUT; create_full_put_path on; client_max_body_size 0;"


class Put(Case):
    def setUp(self):
        super().setUp()
        self.root = self.path("root")
        os.makedirs(self.root)

    def dav(self, extra=""):
        return self.nginx(self.root, extra=DAV + extra)

    def put(self, *args, report=True, **kw):
        more = ["--progress", "none"]
        path = self.path("report.jsonl") if report else None
        if report:
            if os.path.exists(path):
                os.unlink(path)
            more += ["--report", path]
        return self.run_weir("put", *more, *args, report=path, **kw)

    def arrived(self):
        return self.files(self.root)


class Files(Put):
    def test_files_of_every_size_arrive_whole(self):
        server = self.dav()
        sizes = (0, 1, 16383, 65536, 1 << 20, (1 << 20) + 1, 3_000_001)
        data = {f"{n}.bin": body(f"s{n}", n) for n in sizes}
        paths = [self.write(f"src/{name}", bytes_) for name, bytes_ in data.items()]
        run = self.put(*paths, server.base + "/up/")
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), {f"up/{name}": bytes_ for name, bytes_ in data.items()})
        for row in run.rows:
            name = row["url"].rsplit("/", 1)[1]
            self.assertEqual((row["status"], row["bytes"], row["path"], row["http"]),
                             ("ok", len(data[name]), self.path("src", name), 201))

    def test_one_file_goes_to_the_url_as_it_is(self):
        server = self.dav()
        run = self.put(self.write("a", b"text"), server.base + "/other-name")
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), {"other-name": b"text"})

    def test_name_of_a_file_is_encoded_behind_a_folder(self):
        server = self.dav()
        name = "a +%41?#;é.txt"
        run = self.put(self.write(name, b"1"), server.base + "/up/")
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), {f"up/{name}": b"1"})
        self.assertTrue(run.one()["url"].endswith("/up/a%20%2B%2541%3F%23%3B%C3%A9.txt"))

    def test_query_of_the_url_stays_behind_the_name(self):
        server = self.dav()
        run = self.put(self.write("a", b"1"), server.base + "/up/?key=1")
        self.assert_code(run, 0)
        self.assertEqual(run.one()["url"], server.base + "/up/a?key=1")

    def test_pipe_arrives_whole(self):
        server = self.dav()
        data = body("pipe", 5_000_000)
        run = self.put("-", server.base + "/p", input=data)
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), {"p": data})
        self.assertEqual((run.one()["path"], run.one()["bytes"]), ("-", len(data)))

    def test_empty_pipe_makes_an_empty_file(self):
        server = self.dav()
        self.assert_code(self.put("-", server.base + "/p", input=b""), 0)
        self.assertEqual(self.arrived(), {"p": b""})

    def test_standard_input_that_is_a_file_goes_on_where_it_stands(self):
        server = self.dav()
        data = body("stdin", 2_000_000)
        with open(self.write("f", data), "rb", buffering=0) as source:
            source.seek(1000)
            run = self.put("-", server.base + "/p", stdin=source)
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), {"p": data[1000:]})

    def test_fifo_is_waited_for(self):
        server = self.dav()
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        process = self.start("put", fifo, server.base + "/p", "--progress", "none")
        with open(fifo, "wb") as out:
            out.write(b"through a fifo")
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.arrived(), {"p": b"through a fifo"})

    def test_file_of_proc_is_read_though_it_says_that_it_is_empty(self):
        server = self.dav()
        self.assert_code(self.put("/proc/version", server.base + "/p"), 0)
        with open("/proc/version", "rb") as version:
            self.assertEqual(self.arrived(), {"p": version.read()})

    def test_post_leaves_the_url_alone(self):
        server = self.nginx(self.root, extra="location = /in/ { return 204; }")
        run = self.put("--method", "POST", self.write("a", b"1"), self.write("b", b"2"),
                       server.base + "/in/")
        self.assert_code(run, 0)
        self.assertEqual([row["http"] for row in run.rows], [204, 204])
        self.assertEqual({row["url"] for row in run.rows}, {server.base + "/in/"})

    def test_http2_over_tls(self):
        authority = self.authority()
        certificate = authority.certificate("one", "DNS:localhost,IP:127.0.0.1")
        server = self.nginx(self.root, tls=certificate, extra=DAV)
        data = body("tls", 3_000_000)
        for version in ("1.1", "2"):
            url = f"https://127.0.0.1:{server.tls_port}/"
            run = self.put("--ca-file", authority.ca, "-s", f"http.version={version}",
                           self.write(f"file{version}", data), url)
            self.assert_code(run, 0)
            run = self.put("--ca-file", authority.ca, "-s", f"http.version={version}", "-",
                           f"{url}pipe{version}", input=data)
            self.assert_code(run, 0)
            self.assertEqual(self.arrived()[f"file{version}"], data)
            self.assertEqual(self.arrived()[f"pipe{version}"], data)

    def test_memory_is_flat_however_much_comes_through_a_pipe(self):
        server = self.nginx(self.root, extra="location /in { client_max_body_size 0; return 204; }")
        size = scaled(400, 40) << 20
        source = subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE)
        run = self.put("-", server.base + "/in", stdin=source.stdout, peak=True)
        source.stdout.close()
        source.wait()
        self.assert_code(run, 0)
        self.assertEqual(run.one()["bytes"], size)
        if not SANITIZE:
            self.assertLess(run.peak_kib, 24 << 10)


class Folders(Put):
    def tree(self):
        files = {"a": b"a", "sub/b c": b"b", "sub/deep/er/d": b"d", ".hidden": b"h",
                 "sub/.git/config": b"g"}
        for name, data in files.items():
            self.write(f"tree/{name}", data)
        return self.path("tree"), files

    def test_all_that_is_in_a_folder_goes_below_the_url(self):
        server = self.dav()
        folder, files = self.tree()
        for end in ("", "/"):
            run = self.put(folder + end, server.base + f"/up{len(end)}" + end)
            self.assert_code(run, 0)
            self.assertEqual(self.files(os.path.join(self.root, f"up{len(end)}")), files)

    def test_what_is_left_out_is_counted_and_said(self):
        server = self.dav()
        folder, files = self.tree()
        self.write("tree/x.part", b"1")
        self.write("tree/sub/x.part.resume", b"1")
        self.write("outside", b"secret")
        os.symlink("../outside", os.path.join(folder, "out"))
        os.symlink("/etc", os.path.join(folder, "etc"))
        os.symlink("nowhere", os.path.join(folder, "dangling"))
        os.symlink("..", os.path.join(folder, "sub", "loop"))
        os.symlink("../a", os.path.join(folder, "sub", "within"))
        os.mkfifo(os.path.join(folder, "fifo"))
        run = self.put(folder, server.base + "/")
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), files | {"sub/within": b"a"})
        self.assertIn("left out: 2 partial files (.part), 4 links that lead to no file within, "
                      "1 entry that is no file", run.err)

    def test_folder_that_cannot_be_read_is_a_failure_and_the_rest_goes(self):
        if os.geteuid() == 0:  # who may read everything
            folder, files = self.tree()
            self.write("tree/" + "/".join(["n"] * 300) + "/too-deep", b"1")
            said = "nested deeper"
        else:
            folder, files = self.tree()
            os.makedirs(os.path.join(folder, "locked"), mode=0)
            said = "cannot be read"
        server = self.dav()
        run = self.put(folder, server.base + "/")
        self.assert_code(run, 1)
        self.assertEqual(self.arrived(), files)
        bad = [row for row in run.rows if row["status"] == "failed"]
        self.assertEqual([row["error"]["class"] for row in bad], ["input"])
        self.assertIn(said, bad[0]["error"]["message"])

    def test_many_files_in_flat_memory(self):
        server = self.nginx(self.root, extra="location / { client_max_body_size 0; return 204; }")
        count = scaled(20_000, 300)
        for i in range(count):
            if i % 1000 == 0:
                os.makedirs(self.path("many", str(i // 1000)))
            with open(self.path("many", str(i // 1000), f"{i}"), "wb") as out:
                out.write(b"%d" % i)
        run = self.put(self.path("many"), server.base + "/", report=False, peak=True)
        self.assert_code(run, 0)
        if not SANITIZE:
            self.assertLess(run.peak_kib, 32 << 10)

    def test_empty_folder_is_no_error(self):
        server = self.dav()
        os.makedirs(self.path("empty"))
        run = self.put(self.path("empty"), server.base + "/")
        self.assert_code(run, 0)
        self.assertIn("holds no files", run.err)


class Lists(Put):
    def check_list(self, text, *args, name="list"):
        server = self.dav()
        self.write("one", b"1")
        self.write("two", b"2")
        text = text.replace("BASE", server.base)
        args = [a.replace("BASE", server.base) for a in args]
        run = self.put("-i", self.write(name, text), *args)
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), {"up/one": b"1", "up/two": b"2"})
        return run

    def test_columns_under_titles(self):
        self.check_list("name\turl\tnote\none\tBASE/up/one\tx\ntwo\tBASE/up/two\ty\n")

    def test_csv(self):
        self.check_list("path,url\none,BASE/up/one\n\"two\",BASE/up/two\n")

    def test_jsonl(self):
        run = self.check_list('{"url":"BASE/up/one","path":"one","id":"i"}\n'
                              '{"url":"BASE/up/","path":"two","headers":{"X-A":"1"}}\n')
        self.assertIn("i", [row["id"] for row in run.rows])

    def test_pairs_without_titles(self):
        self.check_list("one\tBASE/up/one\ntwo\tBASE/up/\n")

    def test_pairs_with_a_comma(self):
        self.check_list("one,BASE/up/one\n\"two\",BASE/up/two\n")

    def test_relative_urls(self):
        self.check_list("one\tup/one\ntwo\tup/two\n", "--format", "pairs", "--base-url", "BASE/")

    def test_names_alone_go_below_the_base(self):
        self.check_list("./one\ntwo\n", "--base-url", "BASE/up/")

    def test_digests_of_a_list_are_checked_before_the_last_byte(self):
        import hashlib
        server = self.dav()
        self.write("one", b"1")
        self.write("two", b"2")
        sums = (hashlib.sha256(b"1").hexdigest() + "  one\n" +
                hashlib.sha256(b"x").hexdigest() + "  two\n")
        run = self.put("-i", self.write("SUMS", sums), "--base-url", server.base + "/up/")
        self.assert_code(run, 4)
        self.assertEqual(self.arrived(), {"up/one": b"1"})
        good = run.by_url[server.base + "/up/one"]
        self.assertEqual(good["digest"], {"sha256": hashlib.sha256(b"1").hexdigest()})
        self.assertEqual(run.by_url[server.base + "/up/two"]["error"]["class"], "checksum")

    def test_size_of_a_list_is_checked(self):
        server = self.dav()
        self.write("one", b"1")
        run = self.put("-i", self.write("l", f"name\turl\tsize\none\t{server.base}/one\t7\n"))
        self.assert_code(run, 4)
        self.assertEqual(self.arrived(), {})
        self.assertIn("has 1 bytes, the list says 7", run.one()["error"]["message"])

    def test_two_files_for_one_url(self):
        server = self.dav()
        self.write("one", b"1")
        self.write("two", b"2")
        rows = [f"one\t{server.base}/x", f"two\t{server.base}/x", f"one\t{server.base}/x"]
        run = self.put("-i", self.write("l", "\n".join(rows) + "\n"))
        self.assert_code(run, 1)
        self.assertEqual(self.arrived(), {"x": b"1"})
        outcomes = sorted((row["status"], (row["error"] or {}).get("class")) for row in run.rows)
        self.assertEqual(outcomes, [("failed", "name"), ("ok", None), ("skipped", None)])

    def test_failures_are_a_list_again(self):
        server = self.dav("location /no/ { return 403; }")
        data = {"one": b"1", "a b%41": b"2"}
        rows = [f"{self.write(name, text)}\t{server.base}/no/{i}"
                for i, (name, text) in enumerate(data.items())]
        again = self.path("again.tsv")
        run = self.put("-i", self.write("l", "\n".join(rows) + "\n"), "--failed", again)
        self.assert_code(run, 1)
        self.assertIn(f"try them again: weir put -i {again}", run.err)
        with open(again) as text:
            fixed = text.read().replace("/no/", "/yes/")
        run = self.put("-i", self.write("l2", fixed))
        self.assert_code(run, 0)
        self.assertEqual(self.arrived(), {"yes/0": b"1", "yes/1": b"2"})

    def test_dry_run_sends_nothing_and_prints_a_list(self):
        server = self.dav()
        run = self.put("--dry-run", self.write("one", b"1"), server.base + "/up/", report=False)
        self.assert_code(run, 0)
        self.assertEqual(run.out.decode(), f"url\tname\n{server.base}/up/one\t{self.path('one')}\n")
        self.assertEqual(server.requests(), [])

    def test_missing_file_of_a_list_is_a_failure(self):
        server = self.dav()
        run = self.put("-i", self.write("l", f"nope\t{server.base}/x\n"))
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "input")
        self.assertIn("nope: cannot be opened for reading: No such file", run.err)


class Words(Put):
    def refused(self, *args, **kw):
        run = self.put(*args, report=False, **kw)
        self.assert_code(run, 2)
        return run.err

    def test_command_lines_that_mean_nothing(self):
        a, b, url = self.write("a", b"1"), self.write("b", b"1"), "http://127.0.0.1:1/"
        self.assertIn("No such file", self.refused(self.path("nope"), url))
        self.assertIn("the URL is missing", self.refused(a))
        self.assertIn("nothing to send", self.refused(url))
        self.assertIn("let it end in '/'", self.refused(a, b, url + "x"))
        self.assertIn("two URLs", self.refused(a, url, url))
        self.assertIn("named twice", self.refused("-", "-", url))
        self.assertIn("leave out the files", self.refused(a, url, "-i", a))
        self.assertIn("no URL and no list", self.refused())
        self.assertIn("a journal is of downloads", self.refused(a, url, "-s", "journal.path=j"))
        self.assertIn("--output belongs to weir get", self.refused(a, url, "--output", "x"))
        self.assertIn("is not a choice; allowed: PUT|POST",
                      self.refused(a, url, "--method", "DELETE"))

    def test_journal_of_the_ini_file_is_for_downloads(self):
        server = self.dav()
        ini = self.write("weir.ini", "[journal]\npath = kept.db\n")
        run = self.put("-c", ini, self.write("a", b"1"), server.base + "/a")
        self.assert_code(run, 0)
        self.assertFalse(os.path.exists(self.path("kept.db")))

    def test_fingers_trained_by_others_get_a_hint(self):
        a, url = self.write("a", b"1"), "http://127.0.0.1:1/"
        self.assertIn("leave out the -T of curl", self.refused("-T", a, url))
        self.assertIn("--method PUT|POST", self.refused("-X", "POST", a, url))
        run = self.run_weir("get", "--upload-file", a, url)
        self.assertIn("use weir put FILE URL", run.err)

    def test_standard_input_has_no_name(self):
        run = self.put("-", "http://127.0.0.1:1/up/", input=b"1")
        self.assert_code(run, 1)
        self.assertIn("has no name to be put behind it", run.err)

    def test_progress_tells_what_was_sent(self):
        server = self.dav()
        run = self.run_weir("put", "--progress", "json", self.write("a", b"12345"),
                            server.base + "/a")
        self.assert_code(run, 0)
        self.assertIn('"bytes":5', run.err.splitlines()[-1])
        self.assertIn('"sent":5', run.err.splitlines()[-1])

    def test_summary_tells_what_was_sent(self):
        server = self.dav()
        run = self.run_weir("put", "--progress", "plain", self.write("a", b"12345"),
                            server.base + "/a")
        self.assertIn("1 file, 5 B sent in", run.err)


class OnExist(Put):
    def test_what_is_there_is_left_alone(self):
        server = self.dav()
        old, new = self.write("old", b"old"), self.write("new", b"new")
        self.assert_code(self.put(old, server.base + "/f"), 0)
        run = self.put("--on-exist", "skip", new, server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual((run.one()["status"], run.one()["attempts"]), ("skipped", 1))
        self.assertEqual(self.arrived(), {"f": b"old"})
        run = self.put("--on-exist", "skip", new, server.base + "/g")
        self.assertEqual((run.one()["status"], run.one()["attempts"]), ("ok", 1))
        self.assertEqual(self.arrived(), {"f": b"old", "g": b"new"})

    def test_it_is_overwritten_unless_told(self):
        server = self.dav()
        for text in (b"old", b"newer"):
            self.assert_code(self.put(self.write("f", text), server.base + "/f"), 0)
        self.assertEqual(self.arrived(), {"f": b"newer"})


if __name__ == "__main__":
    main()

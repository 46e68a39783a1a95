"""weir get on a good server: every file, every name, every way to give and to take."""
import gzip
import hashlib
import json
import os
import subprocess

from harness import LAST_MODIFIED, Case, body, main, scaled, tool


class ManyFiles(Case):
    def test_all_arrive_byte_for_byte_and_a_second_run_fetches_nothing(self):
        count = scaled(10000, 1000)
        root = self.path("root")
        os.makedirs(root)
        expected = {}
        for i in range(count):
            name = f"f{i:05}.bin"
            expected[name] = body(f"many{i}", 4096 if i % 10 else i % 7000)
            with open(os.path.join(root, name), "wb") as out:
                out.write(expected[name])
        server = self.nginx(root)
        urls = self.list_of(f"{server.base}/{name}" for name in expected)
        run = self.get("-i", urls)
        self.assert_code(run, 0)
        self.assert_final(expected)
        self.assertEqual(run.statuses, {"ok": count})
        self.assertEqual(self.partial_files(), {})
        self.assertEqual(len(server.requests()), count)
        again = self.get("-i", urls)
        self.assert_code(again, 0)
        self.assertEqual(again.statuses, {"skipped": count})
        self.assertEqual(len(server.requests()), count, "the second run asked the server again")
        self.assert_final(expected)


class OneFile(Case):
    def test_big_file_arrives_whole_and_memory_stays_flat(self):
        server = self.faults()
        size = scaled(300_000_000, 20_000_000)
        small = self.get(server.url("small", 1000, name="small.bin"))
        big = self.get(server.url("big", size, name="big.bin"))
        self.assert_code(big, 0)
        digest = hashlib.sha256(body("big", size)).hexdigest()
        with open(os.path.join(self.dir, "big.bin"), "rb") as data:
            self.assertEqual(hashlib.sha256(data.read()).hexdigest(), digest)
        if not scaled(False, True):
            self.assertLess(big.usage.ru_maxrss - small.usage.ru_maxrss, 2048,
                            "KiB of memory that grew with the file")

    def test_empty_file_arrives_empty(self):
        server = self.faults()
        run = self.get(server.url("none", 0, name="empty"))
        self.assert_code(run, 0)
        self.assert_final({"empty": b""})
        self.assertEqual(run.one()["bytes"], 0)

    def test_body_delimited_by_close_and_chunked_body_arrive(self):
        server = self.faults()
        run = self.get(server.url("a", 50000, "clen=none", "close"),
                       server.url("b", 50000, "chunked=1", "chunked"),
                       server.url("c", 50000, "1xx=1", "informed"),
                       server.url("d", 50000, "clen=same", "same"))
        self.assert_code(run, 0)
        self.assert_final({"close": body("a", 50000), "chunked": body("b", 50000),
                           "informed": body("c", 50000), "same": body("d", 50000)})

    def test_encoded_body_is_saved_as_sent(self):
        server = self.faults()
        run = self.get(server.url("a", 50000, "gzip=1", "packed"))
        self.assert_code(run, 0)
        self.assertEqual(gzip.decompress(self.files()["packed"]), body("a", 50000))

    def test_mtime_follows_last_modified(self):
        server = self.faults()
        self.assert_code(self.get(server.url("a", 10, name="a")), 0)
        self.assertEqual(int(os.stat(os.path.join(self.dir, "a")).st_mtime), LAST_MODIFIED)

    def test_origin_is_kept_without_secrets(self):
        server = self.faults()
        url = server.url("a", 10, name="a")
        self.assert_code(self.get(url.replace("http://", "http://me:secret@")), 0)
        origin = os.getxattr(os.path.join(self.dir, "a"), "user.xdg.origin.url").decode()
        self.assertEqual(origin, url)

    def test_url_alone_means_get(self):
        server = self.faults()
        run = self.run_weir(server.url("a", 10, name="a"), "-d", self.dir)
        self.assert_code(run, 0)
        self.assert_final({"a": body("a", 10)})

    def test_default_folder_is_the_current_one(self):
        server = self.faults()
        os.makedirs(self.dir)
        run = self.get(server.url("a", 10, name="a"), dir=False, cwd=self.dir)
        self.assert_code(run, 0)
        self.assert_final({"a": body("a", 10)})


class Names(Case):
    def test_basename_is_decoded_and_query_left_out(self):
        server = self.faults()
        run = self.get(server.url("a", 10, "x=1", "a%20b.txt"), f"{server.base}/r/b/20")
        self.assert_code(run, 0)
        self.assert_final({"a b.txt": body("a", 10), "20": body("b", 20)})

    def test_two_urls_with_one_name_are_both_kept(self):
        server = self.faults()
        urls = [server.url("a", 10, name="x.txt"), server.url("b", 20, name="x.txt")]
        run = self.get(*urls)
        self.assert_code(run, 0)
        names = {row["url"]: row["path"] for row in run.rows}
        self.assertEqual(names[urls[0]], "x.txt")
        self.assertRegex(names[urls[1]], r"^x~[0-9a-f]{8}\.txt$")
        self.assert_final({"x.txt": body("a", 10), names[urls[1]]: body("b", 20)})
        before = len(server.log())
        again = self.get(*urls)
        self.assertEqual({row["url"]: row["path"] for row in again.rows}, names)
        self.assertEqual(again.statuses, {"skipped": 2})
        self.assertEqual(len(server.log()), before)

    def test_identical_url_is_fetched_once(self):
        server = self.faults()
        url = server.url("a", 10, name="x.txt")
        run = self.get(url, url, url + "#part")
        self.assert_code(run, 0)
        self.assertEqual(run.statuses, {"ok": 1, "skipped": 2})
        self.assertEqual(len(server.log()), 1)
        self.assert_final({"x.txt": body("a", 10)})

    def test_tree_holds_host_port_path_and_query(self):
        server = self.faults()
        run = self.get("--tree", server.url("a", 10, name="d/x.txt"),
                       server.url("a", 10, "v=2", "d/x.txt"))
        self.assert_code(run, 0)
        host = f"127.0.0.1:{server.port}"
        self.assert_final({f"{host}/r/a/10/d/x.txt": body("a", 10),
                           f"{host}/r/a/10/d/x.txt?v=2": body("a", 10)})

    def test_cut_dirs_drops_leading_folders(self):
        server = self.faults()
        run = self.get("--name", "{path}", "--cut-dirs", "2", server.url("a", 10, name="d/x.txt"))
        self.assert_code(run, 0)
        self.assert_final({"10/d/x.txt": body("a", 10)})

    def test_templates(self):
        server = self.faults()
        listing = self.write("l.tsv",
                             f"url\tid\n{server.url('a', 10)}\tred\n{server.url('b', 20)}\tblue\n")
        for template, wanted in (("{index}.bin", ["0.bin", "1.bin"]),
                                 ("{id}/{basename}", ["red/10", "blue/20"]),
                                 ("{host}-{basename}", ["127.0.0.1-10", "127.0.0.1-20"])):
            with self.subTest(template=template):
                self.dir = self.path("out-" + template.strip("{").split("}")[0])
                run = self.get("-i", listing, "--name", template)
                self.assert_code(run, 0)
                self.assertEqual(sorted(self.final_files()), sorted(wanted))
        self.dir = self.path("out-hash")
        self.assert_code(self.get("-i", listing, "--name", "{hash}"), 0)
        self.assertEqual(len(self.final_files()), 2)

    def test_unknown_template_word_is_a_usage_error(self):
        run = self.get("--name", "{colour}", "http://127.0.0.1:1/x")
        self.assert_code(run, 2)
        self.assertIn("{colour}", run.err)

    def test_folder_url_gets_a_name(self):
        root = self.path("root")
        os.makedirs(os.path.join(root, "sub"))
        self.write("root/sub/index.html", "hello")
        server = self.nginx(root)
        self.assert_code(self.get(server.base + "/sub/"), 0)
        self.assert_final({"index.html": b"hello"})

    def test_content_disposition_only_where_asked_for(self):
        server = self.faults()
        url = server.url("a", 10, "disposition=attachment%3B%20filename%3D%22other.txt%22", "a")
        self.assert_code(self.get(url), 0)
        self.assert_final({"a": body("a", 10)})
        self.dir = self.path("asked")
        self.assert_code(self.get("-s", "save.content_disposition=yes", url), 0)
        self.assert_final({"other.txt": body("a", 10)})

    def test_content_disposition_cannot_leave_the_folder(self):
        server = self.faults()
        for number, name in enumerate(("../../evil", "/tmp/weir-evil", "..", "%1b%5b2J", "x.part",
                                       "a/b")):
            with self.subTest(name=name):
                self.dir = self.path(f"in/out{number}")
                url = server.url("a", 10, f"disposition=attachment%3B%20filename%3D%22{name}%22",
                                 f"a{number}")
                self.assertIn(self.get("-s", "save.content_disposition=yes", url).code, (0, 1))
                self.assertEqual(sorted(os.listdir(self.path("in"))),
                                 [f"out{n}" for n in range(number + 1)])
                self.assertFalse(os.path.exists(self.path("evil")) or os.path.exists("/tmp/weir-evil"))
                for found in self.files():
                    self.assertFalse(found.endswith(".part") or "\x1b" in found, found)

    def test_host_by_name(self):
        server = self.faults()
        self.assert_code(self.get(server.url("a", 10, name="f").replace("127.0.0.1", "localhost")),
                         0)
        self.assert_final({"f": body("a", 10)})


class OnExist(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.url = self.server.url("a", 10, name="a.txt")

    def test_skip_leaves_what_is_there_and_says_it_is_not_checked(self):
        self.write("out/a.txt", "mine")
        run = self.get(self.url)
        self.assert_code(run, 0)
        self.assertEqual(run.one()["status"], "skipped")
        self.assertEqual(self.files()["a.txt"], b"mine")
        self.assertEqual(self.server.log(), [])
        noisy = self.run_weir("get", self.url, "-d", self.dir)
        self.assertIn("not checked", noisy.err)

    def test_overwrite_replaces(self):
        self.write("out/a.txt", "mine")
        self.assert_code(self.get("--on-exist", "overwrite", self.url), 0)
        self.assert_final({"a.txt": body("a", 10)})

    def test_overwrite_keeps_the_old_file_when_the_download_fails(self):
        self.write("out/a.txt", "mine")
        run = self.get("--on-exist", "overwrite", "--retries", "0",
                       self.server.url("a", 10000, "cut=5000", "a.txt"))
        self.assert_code(run, 1)
        self.assertEqual(self.files()["a.txt"], b"mine")

    def test_rename_keeps_both(self):
        self.write("out/a.txt", "mine")
        run = self.get("--on-exist", "rename", self.url)
        self.assert_code(run, 0)
        self.assertEqual(self.files()["a.txt"], b"mine")
        self.assertEqual(self.files()[run.one()["path"]], body("a", 10))
        self.assertRegex(run.one()["path"], r"^a\..*txt$")

    def test_another_origin_is_a_collision_not_a_skip(self):
        self.assert_code(self.get(self.url), 0)
        other = self.server.url("b", 20, name="a.txt")
        run = self.get(other)
        self.assert_code(run, 0)
        self.assertEqual(run.one()["status"], "ok")
        self.assertRegex(run.one()["path"], r"^a~[0-9a-f]{8}\.txt$")
        self.assertEqual(self.files()["a.txt"], body("a", 10))


class Output(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()

    def test_o_names_the_file(self):
        run = self.get("-o", "sub/name.bin", self.server.url("a", 10))
        self.assert_code(run, 0)
        self.assert_final({"sub/name.bin": body("a", 10)})

    def test_o_takes_a_path(self):
        path = self.path("elsewhere", "name.bin")
        run = self.get("-o", path, self.server.url("a", 10), dir=False)
        self.assert_code(run, 0)
        with open(path, "rb") as data:
            self.assertEqual(data.read(), body("a", 10))

    def test_o_name_with_two_urls_is_a_usage_error(self):
        run = self.get("-o", "x", self.server.url("a", 10), self.server.url("b", 10))
        self.assert_code(run, 2)
        self.assertEqual(self.server.log(), [])

    def test_o_dash_writes_one_body(self):
        run = self.get("-o", "-", self.server.url("a", 200000), dir=False)
        self.assert_code(run, 0)
        self.assertEqual(run.out, body("a", 200000))

    def test_o_dash_writes_many_in_list_order(self):
        sizes = [300000, 10, 0, 50000, 7] * 12
        urls = [self.server.url(f"s{i}", size, "slowhead=120" if i % 5 == 0 else "")
                for i, size in enumerate(sizes)]
        run = self.get("-o", "-", "-i", self.list_of(urls), dir=False, timeout=60)
        self.assert_code(run, 0)
        self.assertEqual(run.out, b"".join(body(f"s{i}", size) for i, size in enumerate(sizes)))

    def test_o_dash_goes_on_after_a_cut(self):
        run = self.get("-o", "-", "-s", "retry.backoff=10ms",
                       self.server.url("a", 300000, "cut=100000&cutn=1"), dir=False)
        self.assert_code(run, 0)
        self.assertEqual(run.out, body("a", 300000))

    def test_o_dash_never_shows_an_error_page(self):
        run = self.get("-o", "-", self.server.url("a", 100, "status=404"),
                       self.server.url("b", 100),
                       dir=False)
        self.assert_code(run, 1)
        self.assertEqual(run.out, body("b", 100))

    def test_two_outputs_on_stdout_are_an_error(self):
        run = self.get("-o", "-", "--report", "-", self.server.url("a", 10), report=False,
                       dir=False)
        self.assert_code(run, 2)

    def test_report_on_stdout(self):
        run = self.get("--report", "-", self.server.url("a", 10, name="a"), report=False)
        self.assert_code(run, 0)
        self.assertEqual(json.loads(run.out)["path"], "a")

    def test_closed_pipe_ends_quietly_with_141(self):
        process = self.start("get", "-o", "-", self.server.url("a", 2_000_000_000))
        self.assertEqual(process.stdout.read(1000), body("a", 1000))
        process.stdout.close()
        err = process.stderr.read()
        self.assertEqual(process.wait(30), 141, err)
        process.stdout = None
        self.assertNotIn(b"error", err)

    def test_dry_run_names_and_asks_nothing(self):
        urls = [self.server.url("a", 10, name="a"), self.server.url("b", 10, name="a")]
        run = self.get("--dry-run", *urls)
        self.assert_code(run, 0)
        self.assertEqual(self.server.log(), [])
        self.assertFalse(os.path.exists(self.dir) and os.listdir(self.dir))
        rows = [line.split("\t") for line in run.out.decode().splitlines()]
        self.assertEqual(rows[0], ["url", "name"])
        self.assertEqual(rows[1], [urls[0], "a"])
        self.assertRegex(rows[2][1], "^a~[0-9a-f]{8}$")
        self.assert_code(self.get("-i", self.write("dry.tsv", run.out)), 0)
        self.assert_final({name: body("ab"[i], 10) for i, (_, name) in enumerate(rows[1:])})


class Lists(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.expected = {f"n{i}": body(f"l{i}", 100 + i) for i in range(5)}
        self.urls = [self.server.url(f"l{i}", 100 + i, name=f"n{i}") for i in range(5)]
        self.text = "\n".join(self.urls) + "\n"

    def check(self, *args, **kw):
        run = self.get(*args, **kw)
        self.assert_code(run, 0)
        self.assert_final(self.expected)
        return run

    def test_stdin(self):
        self.check("-i", "-", input=self.text)

    def test_last_line_without_newline(self):
        self.check("-i", self.write("l", self.text.rstrip("\n")))

    def test_crlf(self):
        self.check("-i", self.write("l", self.text.replace("\n", "\r\n")))

    def test_comments_blanks_and_byte_order_mark(self):
        run = self.check("-i",
                         self.write("l", "\ufeff# what we want\n\n   \n  " + self.text + "#end\n"))
        self.assertEqual(run.by_url[self.urls[0]]["line"], 4)

    def test_gz(self):
        self.check("-i", self.write("l.gz", gzip.compress(self.text.encode())))

    def test_gz_of_many_members_by_content_not_by_name(self):
        members = b"".join(gzip.compress((url + "\n").encode()) for url in self.urls)
        self.check("-i", self.write("plain.txt", members))

    def test_zst(self):
        packed = subprocess.run([tool("zstd"), "-q", "-c"], input=self.text.encode(),
                                stdout=subprocess.PIPE, check=True).stdout
        self.check("-i", self.write("l.zst", packed))

    def test_cut_gz_list_is_said_and_its_head_fetched(self):
        text = "".join(self.server.url(f"l{i % 5}", 100 + i % 5, name=f"n{i % 5}") + f"#{i}\n"
                       for i in range(3000))
        run = self.get("-i", self.write("l.gz", gzip.compress(text.encode())[:-200]))
        self.assertNotEqual(run.code, 0)
        self.assertIn("l.gz", run.err)
        self.assert_final(self.expected)

    def test_two_lists_and_a_url(self):
        first = self.write("a", "\n".join(self.urls[:2]))
        second = self.write("b", "\n".join(self.urls[2:4]))
        self.check("-i", first, "--input", second, self.urls[4])

    def test_list_from_a_url(self):
        root = self.path("root")
        os.makedirs(root)
        self.write("root/list.txt", self.text)
        self.check("-i", self.nginx(root).base + "/list.txt")

    def test_tsv_names_and_ids(self):
        rows = "url\tname\tid\tcolour\n" + "".join(f"{url}\td/n{i}\tid{i}\tred{i}\n"
                                                   for i, url in enumerate(self.urls))
        self.expected = {"d/" + name: data for name, data in self.expected.items()}
        run = self.check("-i", self.write("l.tsv", rows))
        row = run.by_url[self.urls[3]]
        self.assertEqual((row["path"], row["id"], row["line"], row["colour"]),
                         ("d/n3", "id3", 5, "red3"))

    def test_tsv_size_is_checked(self):
        rows = f"url\tsize\n{self.urls[0]}\t100\n{self.urls[1]}\t999\n"
        run = self.get("-i", self.write("l.tsv", rows))
        self.assert_code(run, 4)
        self.assertEqual(run.by_url[self.urls[1]]["error"]["class"], "checksum")
        self.assert_final({"n0": self.expected["n0"]})

    def test_base_url(self):
        names = "".join(f"l{i}/{100 + i}/n{i}\n" for i in range(5))
        self.check("-i", self.write("l", names), "--base-url", f"{self.server.base}/r/")

    def test_format_can_be_forced(self):
        self.check("-i", self.write("l", self.text), "--format", "urls")


class Reports(Case):
    def test_fields_of_every_status(self):
        server = self.faults()
        good = server.url("a", 1000, name="good")
        there = server.url("b", 10, name="there")
        gone = server.url("c", 10, "status=404", "gone")
        self.write("out/there", "x")
        run = self.get(good, there, gone)
        self.assert_code(run, 1)
        row = run.by_url[good]
        self.assertEqual({key: row[key] for key in ("final_url", "path", "status", "http", "bytes",
                                                    "resumed_from", "attempts", "error")},
                         {"final_url": good, "path": "good", "status": "ok", "http": 200,
                          "bytes": 1000,
                          "resumed_from": 0, "attempts": 1, "error": None})
        self.assertGreaterEqual(row["ms"], 0)
        self.assertEqual(run.by_url[there]["status"], "skipped")
        row = run.by_url[gone]
        self.assertEqual((row["status"], row["http"], row["error"]["class"], row["attempts"]),
                         ("failed", 404, "http", 1))
        self.assertIn("404", row["error"]["message"])

    def test_ok_is_reported_only_when_the_file_is_there(self):
        server = self.faults()
        fifo = self.path("pipe")
        os.mkfifo(fifo)
        urls = self.list_of(server.url(f"s{i}", 3000, name=f"n{i}") for i in range(300))
        process = self.start("get", "-q", "-d", self.dir, "--report", fifo, "-i", urls)
        lines = 0
        with open(fifo, "rb") as report:
            for line in report:
                row = json.loads(line)
                self.assertEqual(os.path.getsize(os.path.join(self.dir, row["path"])), row["bytes"])
                lines += 1
        self.assertEqual(lines, 300)
        self.assertEqual(process.wait(30), 0)

    def test_failed_list_is_input_again_with_its_names(self):
        server = self.faults()
        urls = [server.url("a", 10, "status=500&first=1", "x.txt"),
                server.url("b", 20, name="x.txt"),
                server.url("c", 30, "status=500&first=1", "x.txt")]
        failed = self.path("failed.tsv")
        run = self.get("--retries", "0", "--failed", failed, *urls)
        self.assert_code(run, 1)
        names = {row["url"]: row["path"] for row in run.rows}
        with open(failed) as text:
            self.assertEqual(text.readline().rstrip("\n").split("\t")[:2], ["url", "name"])
        again = self.get("-i", failed, "--failed", failed)
        self.assert_code(again, 0)
        self.assertEqual(again.statuses, {"ok": 2})
        self.assertFalse(os.path.exists(failed), "nothing failed, yet a list of failures remains")
        self.assert_final({names[urls[0]]: body("a", 10), names[urls[1]]: body("b", 20),
                           names[urls[2]]: body("c", 30)})

    def test_secrets_stay_out_of_report_and_messages(self):
        server = self.faults()
        url = server.url("a", 10, "status=404", "a").replace("http://", "http://me:hunter2@")
        run = self.get("-v", "--user", "me:hunter3", "-H", "Authorization: Bearer hunter4", url)
        self.assert_code(run, 1)
        self.assertNotIn("hunter", run.err + json.dumps(run.rows))


if __name__ == "__main__":
    main()

"""--journal: what is done is not done again, whatever stopped the run; next week's list goes on."""
import hashlib
import json
import os
import signal
import sqlite3

from harness import FAST, Case, body, main, scaled, wait_until


class Journal(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.journal = self.path("run.journal")

    def fetch(self, urls, *args, code=0):
        run = self.get(*FAST, "--journal", self.journal, *args, "-i", self.list_of(urls))
        self.assert_code(run, code)
        return run

    def told(self, *args, code=0):
        run = self.run_weir("journal", self.journal, *args)
        self.assert_code(run, code)
        return run.out.decode()

    def urls(self, n, query="", size=1000):
        return [self.server.url(f"s{i}", size, query, f"f{i}") for i in range(n)]

    def bodies(self, n, size=1000):
        return {f"f{i}": body(f"s{i}", size) for i in range(n)}

    def test_second_run_asks_nobody(self):
        self.fetch(self.urls(300))
        self.server.reset()
        run = self.fetch(self.urls(300))
        self.assertEqual(run.statuses, {"skipped": 300})
        self.assertEqual(self.server.stats()["requests"], 0)
        self.assert_final(self.bodies(300))

    def test_longer_list_goes_on_with_the_same_journal(self):
        self.fetch(self.urls(50))
        self.server.reset()
        run = self.fetch(self.urls(80))
        self.assertEqual(run.statuses, {"skipped": 50, "ok": 30})
        self.assertEqual(self.server.stats()["requests"], 30)

    def test_what_is_done_is_checked_by_a_look_at_the_file(self):
        self.fetch(self.urls(10))
        os.unlink(os.path.join(self.dir, "f3"))
        os.truncate(os.path.join(self.dir, "f4"), 10)
        run = self.fetch(self.urls(10), "--on-exist", "overwrite")
        self.assertEqual(run.statuses, {"skipped": 8, "ok": 2})
        self.assert_final(self.bodies(10))

    def test_failed_are_tried_again_and_told(self):
        bad = self.server.url("b", 1000, "status=404", "bad")
        late = self.server.url("l", 1000, "status=500&first=1", "late")
        self.fetch([*self.urls(5), bad, late], "--retries", "0", code=1)
        told = self.told()
        self.assertIn("5 done", told)
        self.assertIn("2 failed", told)
        totals = json.loads(self.told("--json"))
        self.assertEqual(totals["done"], 5)
        again = self.path("again.tsv")
        self.told("--failed", again)
        with open(again) as rows:
            self.assertEqual({row.split("\t")[0] for row in rows.read().splitlines()[1:]},
                             {bad, late})
        run = self.fetch([*self.urls(5), bad, late], "--retries", "0", code=1)
        self.assertEqual(run.statuses, {"skipped": 5, "ok": 1, "failed": 1})
        run = self.get(*FAST, "-i", again)
        self.assertEqual(run.by_url[bad]["status"], "failed")

    def test_list_that_wants_another_body_gets_it(self):
        self.fetch(self.urls(3))
        url = self.server.url("s1", 1000, "", "f1")
        wrong = self.write("l.tsv", f"url\tsha256\n{url}\t{'0' * 64}\n")
        run = self.get(*FAST, "--journal", self.journal, "-i", wrong)
        self.assertEqual(run.statuses, {"skipped": 1}, "it was done without a digest")
        right = self.write("l.tsv", f"url\tsize\n{url}\t999\n")
        run = self.get(*FAST, "--journal", self.journal, "-i", right)
        self.assert_code(run, 4)
        self.assert_final(self.bodies(3))

    def test_update_by_what_the_journal_kept(self):
        url = self.server.url("s", 5000, "change=1", "file")
        self.fetch([url])
        run = self.fetch([url], "--on-exist", "update")
        self.assert_code(run, 0)
        self.assert_final({"file": body("s", 5000, version=1)})

    def test_update_of_what_has_not_changed(self):
        self.write("www/file", body("w", 5000))
        url = f"{self.nginx(self.path('www')).base}/file"
        self.fetch([url])
        run = self.fetch([url], "--on-exist", "update")
        self.assertEqual((run.one()["status"], run.one()["http"]), ("skipped", 304))

    def test_killed_at_any_moment_it_loses_nothing_acknowledged(self):
        urls = self.urls(scaled(3000, 300))
        for _ in range(6):
            report = self.path("killed.jsonl")
            process = self.start("get", *FAST, "--journal", self.journal, "-d", self.dir,
                                 "--report", report, "-i", self.list_of(urls))
            wait_until("some to be done", lambda: process.poll() is not None or
                       (os.path.exists(report) and os.path.getsize(report) > 20_000))
            process.send_signal(signal.SIGKILL)
            process.wait()
            with open(report) as lines:
                rows = [json.loads(line) for line in lines.read().split("\n")[:-1]]
            done = {row["path"] for row in rows if row["status"] == "ok"}
            known = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)
            with known:
                names = json.dumps([list(row) for row in known.execute(
                    "select name from sqlite_master where type='table'")])
            known.close()
            self.assertTrue(names)
            for name in done:
                index = int(name[1:])
                with open(os.path.join(self.dir, name), "rb") as data:
                    self.assertEqual(data.read(), body(f"s{index}", 1000))
        self.server.reset()
        run = self.fetch(urls)
        self.assertEqual(run.statuses.get("failed", 0), 0)
        self.assertEqual(len(self.final_files()), len(urls))
        self.assertEqual(run.statuses.get("ok", 0), self.server.stats()["requests"])

    def test_journal_of_another_directory_or_none_at_all(self):
        self.fetch(self.urls(2))
        self.dir = self.path("elsewhere")
        run = self.get(*FAST, "--journal", self.journal, *self.urls(2))
        self.assert_code(run, 2)
        self.assertIn("elsewhere", run.err)
        text = self.write("text", "not a journal\n" * 100)
        run = self.get(*FAST, "--journal", text, *self.urls(2))
        self.assert_code(run, 2)
        with open(text) as same:
            self.assertEqual(same.read(), "not a journal\n" * 100)
        run = self.run_weir("journal", self.path("nothing"))
        self.assert_code(run, 2)

    def test_damaged_row_ends_the_run_and_is_no_failure_of_its_record(self):
        self.fetch(self.urls(6))
        with sqlite3.connect(self.journal) as db:
            db.execute("UPDATE record SET state = 'dnoe' WHERE seq = 4")
        db.close()
        run = self.get(*FAST, "--journal", self.journal, *self.urls(6))
        self.assert_code(run, 2)
        self.assertIn("run.journal: the journal is damaged (a row cannot be read)", run.err)
        self.assertNotIn("failed", run.statuses)
        self.assert_final(self.bodies(6))

    def test_disk_that_fails_under_its_mapped_file_is_told(self):
        """A page of the -shm file that cannot be had is SIGBUS, whether its disk died or, as here, it
        was cut."""
        process = self.start("get", *FAST, "--journal", self.journal, "-d", self.dir, "--rate",
                             "50/s", "-i", self.list_of(self.urls(2000)))
        wait_until("a file to be done", lambda: self.final_files())
        os.truncate(self.journal + "-shm", 0)
        self.assertEqual(process.wait(60), 3)
        said = process.stderr.read().decode()
        self.assertIn("weir: error: disk:", said)
        self.assertIn("-shm", said)
        for name, data in self.final_files().items():
            self.assertEqual(data, self.bodies(2000)[name])

    def test_two_runs_do_not_share_one(self):
        slow = self.start("get", *FAST, "--journal", self.journal, "-d", self.dir,
                          self.server.url("x", 100_000, "drip=100/50", "slow"))
        wait_until("the first to begin", lambda: os.path.exists(
            os.path.join(self.dir, "slow.part")))
        run = self.get(*FAST, "--journal", self.journal, *self.urls(2))
        self.assert_code(run, 2)
        slow.terminate()
        slow.wait()

    def test_files_of_a_run_without_it_are_put_down(self):
        self.assert_code(self.get(*FAST, "-i", self.list_of(self.urls(20))), 0)
        with open(os.path.join(self.dir, "f20"), "wb") as mine:
            mine.write(b"mine")
        run = self.fetch(self.urls(21))
        self.assertEqual(run.statuses, {"skipped": 21})
        self.assertEqual(json.loads(self.told("--json"))["done"], 20, "not that of unknown origin")
        run = self.fetch(self.urls(20), "--on-exist", "update")
        self.assertEqual(run.statuses, {"ok": 20}, "the fault server knows no 304")
        conditions = [{key.lower() for key in request["headers"]} for request in self.server.log()]
        self.assertTrue(all("if-modified-since" in keys for keys in conditions[-20:]))
        for name in self.bodies(20):
            os.removexattr(os.path.join(self.dir, name), "user.xdg.origin.url")
        run = self.fetch(self.urls(20))
        self.assertEqual(sum(row.get("unchecked", False) for row in run.rows), 0)

    def test_mode_keeps_others_out(self):
        self.fetch(self.urls(1))
        self.assertEqual(os.stat(self.journal).st_mode & 0o777, 0o600)

    def test_streams_have_none(self):
        run = self.run_weir("get", *FAST, "--journal", self.journal, "-o", "-", *self.urls(1))
        self.assert_code(run, 2)
        self.assertIn("--journal", run.err)

    def test_digest_is_kept(self):
        data = body("s0", 1000)
        url = self.urls(1)[0]
        table = self.write("l.tsv", f"url\tsha256\n{url}\t{hashlib.sha256(data).hexdigest()}\n")
        self.assert_code(self.get(*FAST, "--journal", self.journal, "-i", table), 0)
        other = self.write("m.tsv", f"url\tsha256\n{url}\t{hashlib.sha256(b'').hexdigest()}\n")
        run = self.get(*FAST, "--journal", self.journal, "-i", other)
        self.assert_code(run, 4)
        self.assert_final({"f0": data})


if __name__ == "__main__":
    main()

"""Going on where something stopped: never a wrong byte, and little fetched twice."""
import fcntl
import os
import random
import signal
import time

from harness import QUICK_RETRY, Case, body, main, scaled, wait_until

XATTR = "user.weir.resume"


class Killed(Case):
    def test_killed_at_random_points_it_converges(self):
        """kill -9, again and again: I1 at every moment, and in the end all of it."""
        server = self.faults()
        chance = random.Random(7)
        rounds = scaled(20, 6)
        expected = {f"n{i}": body(f"k{i}", 2000 + 37 * i) for i in range(1500)}
        expected["large"] = body("large", 6_000_000)
        urls = [server.url("large", 6_000_000, "drip=60000/4", "large")]
        urls += [server.url(f"k{i}", 2000 + 37 * i, name=f"n{i}") for i in range(1500)]
        listing = self.list_of(urls)
        arguments = ["get", "-q", "-d", self.dir, "-i", listing, "-s", "limits.rate=2000/s"]
        for _ in range(rounds):
            process = self.start(*arguments)
            time.sleep(chance.uniform(0.005, 0.25))
            process.send_signal(signal.SIGKILL)
            process.wait()
            if os.path.isdir(self.dir):
                self.assert_final(expected, all_of_it=False)
        run = self.get("-i", listing, timeout=200)
        self.assert_code(run, 0)
        self.assert_final(expected)
        self.assertEqual(self.partial_files(), {})
        ideal = sum(map(len, expected.values()))
        self.assertLess(server.stats()["body_bytes"], 2 * ideal, "too much was fetched twice")

    def test_final_names_are_whole_at_every_moment(self):
        server = self.faults()
        expected = {f"n{i}": body(f"m{i}", 30000) for i in range(400)}
        listing = self.list_of(server.url(f"m{i}", 30000, "drip=7000/1",
                                          f"n{i}") for i in range(400))
        process = self.start("get", "-q", "-d", self.dir, "-i", listing)
        seen = set()
        while process.poll() is None:
            for name in os.listdir(self.dir) if os.path.isdir(self.dir) else ():
                if name in seen or name.endswith(".part"):
                    continue
                with open(os.path.join(self.dir, name), "rb") as data:
                    self.assertEqual(data.read(), expected[name], f"{name} was not whole")
                seen.add(name)
        self.assertEqual(process.returncode, 0)
        self.assert_final(expected)


class Restarted(Case):
    def test_server_that_goes_away_and_comes_back(self):
        server = self.faults()
        expected = {f"n{i}": body(f"r{i}", 60_000) for i in range(300)}
        listing = self.list_of(server.url(f"r{i}", 60_000, "drip=20000/4",
                                          f"n{i}") for i in range(300))
        process = self.start("get", "-q", "-d", self.dir, *QUICK_RETRY, "--retries", "100", "-i",
                             listing)
        for _ in range(3):
            wait_until("requests", lambda: server.stats()["requests"] > 20)
            server.process.kill()
            server.stop()
            server = self.faults(port=server.port)
        self.assertEqual(process.wait(60), 0)
        self.assert_final(expected)


class WithinARun(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()

    def fetch(self, size, query, *args):
        run = self.get(*QUICK_RETRY, *args, self.server.url("a", size, query, "f"))
        return run, [entry["headers"] for entry in self.server.log()]

    def test_cut_body_goes_on_by_range_and_if_range(self):
        run, asked = self.fetch(500_000, "cut=200000&cutn=2")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 500_000)})
        self.assertEqual([head.get("Range") for head in asked],
                         [None, "bytes=200000-", "bytes=400000-"])
        self.assertRegex(asked[1]["If-Range"], r'^"[0-9a-f]+"$')
        self.assertEqual(self.server.stats()["body_bytes"], 500_000)
        row = run.one()
        self.assertEqual((row["attempts"], row["bytes"], row["resumed_from"]), (3, 500_000, 0))

    def test_reset_connection_goes_on(self):
        run, asked = self.fetch(500_000, "rst=200000&cutn=1")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 500_000)})
        self.assertEqual(len(asked), 2)

    def test_stall_is_noticed_and_goes_on(self):
        run, asked = self.fetch(500_000, "stall=200000&cutn=1", "-s", "http.stall_timeout=1s")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 500_000)})
        self.assertEqual(asked[1].get("Range"), "bytes=200000-")

    def test_server_without_ranges_starts_again_at_0(self):
        run, asked = self.fetch(500_000, "cut=200000&cutn=1&norange=1")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 500_000)})
        self.assertEqual(len(asked), 2)

    def test_changed_body_is_never_spliced(self):
        run, _ = self.fetch(500_000, "cut=200000&cutn=1&etag=change")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 500_000, version=1)})

    def test_last_modified_vouches_when_there_is_no_etag(self):
        run, asked = self.fetch(500_000, "cut=200000&cutn=1&etag=none")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 500_000)})
        self.assertEqual(asked[1]["If-Range"], "Wed, 01 Jan 2020 00:00:00 GMT")

    def test_without_a_strong_validator_it_starts_again(self):
        for name, query in (("weak", "etag=weak&lm=none"), ("none", "etag=none&lm=none"),
                            ("undated", "etag=none&nodate=1")):
            with self.subTest(validator=name):
                self.server.reset()
                self.dir = self.path("out-" + name)
                run, asked = self.fetch(300_000, f"cut=100000&cutn=1&{query}")
                self.assert_code(run, 0)
                self.assert_final({"f": body("a", 300_000)})
                self.assertNotIn("Range", asked[1])

    def test_every_bad_206_is_noticed(self):
        """None of them may lead to a wrong file; each ends well, by a fresh start, or fails."""
        for bad in ("offset", "lie", "total", "end", "unit", "text", "missing", "multipart",
                    "etag"):
            with self.subTest(bad=bad):
                self.server.reset()
                self.dir = self.path("out-" + bad)
                run, asked = self.fetch(300_000, f"cut=100000&cutn=1&badrange={bad}")
                self.assertIn(run.code, (0, 1))
                if run.code == 0:
                    self.assert_final({"f": body("a", 300_000)})
                else:
                    self.assert_final({})
                self.assertLess(len(asked), 12, "it went round and round")

    def test_short_206_goes_on(self):
        run, _ = self.fetch(300_000, "cut=100000&cutn=1&badrange=short", "--retries", "30")
        self.assertIn(run.code, (0, 1))
        self.assert_final({"f": body("a", 300_000)}, all_of_it=run.code == 0)

    def test_206_with_unknown_total_is_whole_or_fetched_anew(self):
        run, _ = self.fetch(300_000, "cut=100000&cutn=1&badrange=star")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 300_000)})

    def test_206_that_nobody_asked_for_is_no_file(self):
        run, _ = self.fetch(300_000, "badrange=always", "--retries", "1")
        self.assertIn(run.code, (0, 1))
        self.assert_final({"f": body("a", 300_000)}, all_of_it=run.code == 0)

    def test_wrong_416_starts_again(self):
        run, asked = self.fetch(300_000, "cut=100000&cutn=1&bad416=1")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 300_000)})
        self.assertLess(len(asked), 5)

    def test_cut_without_announced_length_after_chunked_head(self):
        run, _ = self.fetch(300_000, "chunked=1&cut=100000&cutn=1")
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 300_000)})

    def test_cut_gzip_body_with_a_right_length_is_saved_as_sent(self):
        run, _ = self.fetch(100_000, "gzip=cut")
        self.assert_code(run, 0)


class AcrossRuns(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.size = 3_000_000
        self.part = os.path.join(self.dir, "f.part")

    def leave_part(self, query="", cut=2_500_000):
        """A first run that keeps a partial file; returns the bytes it kept."""
        self.url = self.server.url("a", self.size, f"cut={cut}&first=1" + query, "f")
        run = self.get("--retries", "0", self.url)
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "truncated")
        self.assertTrue(os.path.exists(self.part), "no partial file was kept")
        self.assert_final({})
        return cut

    def record(self):
        return os.getxattr(self.part, XATTR).decode()

    def edit_record(self, change):
        os.setxattr(self.part, XATTR, change(self.record()).encode())

    def second_run(self, version=0):
        before = len(self.server.log())
        run = self.get(self.url)
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", self.size, version)})
        self.assertEqual(self.partial_files(), {})
        return run, [entry["headers"] for entry in self.server.log()][before:]

    def test_it_goes_on_where_the_other_run_stopped(self):
        kept = self.leave_part()
        run, asked = self.second_run()
        self.assertEqual(asked[0]["Range"], f"bytes={kept}-")
        row = run.one()
        self.assertEqual((row["resumed_from"], row["bytes"], row["http"]), (kept, self.size, 206))

    def test_changed_body_starts_again(self):
        self.leave_part("&etag=change")
        run, asked = self.second_run(version=1)
        self.assertIn("If-Range", asked[0])
        self.assertEqual(run.one()["resumed_from"], 0)

    def test_part_without_a_strong_validator_is_not_trusted(self):
        self.leave_part("&etag=weak&lm=none")
        _, asked = self.second_run()
        self.assertNotIn("Range", asked[0])

    def test_part_without_a_record_is_not_trusted(self):
        self.leave_part()
        os.removexattr(self.part, XATTR)
        _, asked = self.second_run()
        self.assertNotIn("Range", asked[0])

    def test_damaged_record_is_not_trusted(self):
        self.leave_part()
        self.edit_record(lambda text: "junk" + text)
        _, asked = self.second_run()
        self.assertNotIn("Range", asked[0])

    def test_record_of_another_url_is_not_trusted(self):
        self.leave_part()
        self.edit_record(lambda text: text.replace("/r/a/", "/r/zz/"))
        self.second_run()

    def test_after_another_boot_only_synced_bytes_are_trusted(self):
        kept = self.leave_part()
        with open("/proc/sys/kernel/random/boot_id") as text:
            boot = text.read().strip()
        self.assertIn(boot, self.record())
        synced = [int(line.split("\t")[1]) for line in self.record().splitlines()
                  if line.startswith("synced")]
        self.edit_record(lambda text: text.replace(boot, "00000000-0000-4000-8000-000000000000"))
        with open(self.part, "r+b") as data:  # what a power cut leaves beyond what was synced
            at = synced[0] if synced else 0
            data.seek(at)
            data.write(bytes(kept - at))
        _, asked = self.second_run()
        self.assertEqual(asked[0].get("Range"), f"bytes={at}-" if at else None)

    def test_part_that_is_shorter_than_its_record_is_trusted_as_far_as_it_goes(self):
        self.leave_part()
        os.truncate(self.part, 1_000_000)
        _, asked = self.second_run()
        self.assertIn(asked[0].get("Range"), ("bytes=1000000-", None))

    def test_empty_record_is_not_trusted(self):
        self.leave_part()
        os.setxattr(self.part, XATTR, b"")
        _, asked = self.second_run()
        self.assertNotIn("Range", asked[0])

    def test_part_that_another_process_holds_is_left_alone(self):
        self.leave_part()
        with open(self.part, "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            run = self.get(self.url)
            self.assert_code(run, 1)
            self.assertEqual(run.one()["error"]["class"], "name")
        self.second_run()

    def test_two_processes_on_one_folder_do_not_mix(self):
        listing = self.list_of(self.server.url(f"t{i}", 20000, "drip=6000/1",
                                               f"n{i}") for i in range(300))
        runs = [self.start("get", "-q", "-d", self.dir, "-i", listing) for _ in range(2)]
        for process in runs:
            process.stderr.read()
            self.assertIn(process.wait(60), (0, 1))
        expected = {f"n{i}": body(f"t{i}", 20000) for i in range(300)}
        self.assert_final(expected, all_of_it=False)
        self.assert_code(self.get("-i", listing), 0)
        self.assert_final(expected)

    def test_part_of_a_killed_run_is_resumed_by_its_record(self):
        url = self.server.url("a", 40_000_000, "drip=60000/2&first=1", "f")
        process = self.start("get", "-q", "-d", self.dir, url)
        wait_until("20 MB on disk", lambda: os.path.exists(self.part) and
                   os.stat(self.part).st_size > 20_000_000 or process.poll() is not None, 60)
        process.kill()
        process.wait()
        before = self.server.stats()["body_bytes"]
        run = self.get(url)
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 40_000_000)})
        self.assertGreater(run.one()["resumed_from"], 15_000_000)
        self.assertLess(self.server.stats()["body_bytes"] - before, 25_000_000)


class Streams(Case):
    """Standard output: what has been written cannot be taken back, and files must not mix."""

    def stream(self, *urls, code=0):
        run = self.get(*QUICK_RETRY, "-o", "-", *urls, dir=False)
        self.assert_code(run, code)
        return run

    def test_bodies_that_break_off_are_whole_and_in_order(self):
        server = self.faults()
        for more in ("", "&norange=1", "&etag=none"):
            urls = [server.url(f"s{i}{more}", 300_000, f"cut={90_000 * i + 10}&cutn=2{more}") for i in range(4)]
            run = self.stream(*urls)
            wanted = b"".join(body(f"s{i}{more}", 300_000) for i in range(4))
            self.assertEqual(run.out, wanted, more)

    def test_body_that_changed_meanwhile_fails_and_the_next_one_comes(self):
        server = self.faults()
        run = self.stream(server.url("a", 300_000, "cut=100000&cutn=1&etag=change"), server.url("b", 1000), code=4)
        self.assertEqual(run.out[100_000:], body("b", 1000))
        self.assertEqual(run.out[:100_000], body("a", 300_000)[:100_000])


class SideRecord(Case):
    """Where a file system has no extended attributes the record stands beside the .part."""

    def test_foreign_side_record_is_not_trusted(self):
        server = self.faults()
        self.write("out/f.part", b"x" * 1000)
        os.setxattr(self.path("out/f.part"), "user.xdg.origin.url",
                    server.url("a", 100_000, name="f").encode())
        self.write("out/f.part.resume", "hello\n")
        run = self.get(server.url("a", 100_000, name="f"))
        self.assert_code(run, 0)
        self.assertEqual(self.files()["f"], body("a", 100_000))

    def test_part_of_another_program_is_left_alone(self):
        server = self.faults()
        self.write("out/f.part", b"x" * 1000)
        run = self.get(server.url("a", 100_000, name="f"))
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "name")
        self.assertEqual(self.files(), {"f.part": b"x" * 1000})


if __name__ == "__main__":
    main()

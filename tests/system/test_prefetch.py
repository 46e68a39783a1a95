"""weir prefetch on standard output: order, budget, retention, restart, bad shards."""
import json
import os
import signal

from harness import body, main, scaled, wait_until
from prefetching import PrefetchCase, Watch, on_disk


class Pipes(PrefetchCase):
    def test_two_hundred_shards_on_a_disk_of_five(self):
        self.shards(scaled(200, 60))
        watch = Watch(self.dir)
        p = self.prefetcher("--budget", "100k")
        self.assertEqual(self.read_all(p, watch=watch), list(range(len(self.bodies))))
        self.assertEqual(p.wait(), 0, p.err())
        self.assertGreater(watch.peak, 0)
        self.assertLessEqual(watch.peak, 100000)
        self.assertEqual(self.cache_files(), [], "all are done with")
        self.assertEqual(len(self.server.requests()), len(self.bodies), "each is fetched once")

    def test_sizes_that_the_list_does_not_tell_are_kept_to_the_budget_too(self):
        self.shards(scaled(60, 20))
        self.list = self.manifest("names.tsv", sizes=False)
        watch = Watch(self.dir)
        p = self.prefetcher("--budget", "100k")
        self.assertEqual(self.read_all(p, watch=watch), list(range(len(self.bodies))))
        self.assertEqual(p.wait(), 0, p.err())
        self.assertLessEqual(watch.peak, 100000)

    def test_nothing_is_fetched_beyond_what_is_ahead(self):
        self.shards(20)
        p = self.prefetcher("--ahead", "3")
        self.assertEqual([p.next()[1] for _ in range(4)], ["0", "1", "2", "3"])
        p.say("RELEASE", 0)
        self.assertEqual(p.next()[1], "4")
        self.assertEqual(len(self.server.requests()), 5)
        self.assertTrue(p.lines.empty())

    def test_what_is_released_goes_and_what_is_kept_behind_stays(self):
        self.shards(12)
        p = self.prefetcher("--ahead", "2", "--keep-behind", "3")
        for seq in range(8):
            self.assertEqual(p.next()[1], str(seq))
            p.say("RELEASE", seq)
        wait_until("the old ones to go", lambda: self.cache_files()[0] == self.names[5])
        self.assertEqual(self.cache_files()[:3], self.names[5:8])

    def test_a_commit_holds_what_is_released_and_lets_it_go(self):
        self.shards(30)
        p = self.prefetcher("--ahead", "2")
        self.release_all_and_commit_the_first(p, 8)
        self.assertEqual(p.next()[1], "8")
        self.assertEqual(self.cache_files()[:7], self.names[1:8], "released, not committed")
        p.say("COMMIT", 5)
        wait_until("the committed ones to go", lambda: self.cache_files()[0] == self.names[6])

    def test_restart_begins_behind_the_commit(self):
        self.shards(40)
        p = self.prefetcher("--ahead", "4")
        for seq in range(20):
            self.assertEqual(p.next()[1], str(seq))
            p.say("RELEASE", seq)
            if seq == 12:
                p.say("COMMIT", seq)
        wait_until("the commit", lambda: self.names[12] not in self.cache_files())
        p.process.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(close=False), 143, p.err())
        before = len(self.server.requests())
        p = self.prefetcher("--ahead", "4")
        self.assertEqual(self.read_all(p), list(range(13, 40)))
        self.assertEqual(p.wait(), 0, p.err())
        fetched = [line.split()[0] for line in self.server.requests()[before:]]
        self.assertFalse({f"/{name}" for name in self.names[13:20]} & set(fetched),
                         "what was released and not committed is still there")

    def test_a_second_owner_is_refused(self):
        self.shards(5)
        p = self.prefetcher()
        self.assertEqual(p.next()[0], "READY")
        run = self.run_weir("prefetch", "-i", self.list, "-d", self.dir)
        self.assert_code(run, 2)
        self.assertIn(f"process {p.process.pid}", run.err)

    def test_another_list_is_refused(self):
        self.shards(5)
        p = self.prefetcher()
        self.read_all(p)
        self.assertEqual(p.wait(), 0)
        self.bodies = {"x" + name: data for name, data in self.bodies.items()}
        self.list = self.manifest("other.tsv")
        run = self.run_weir("prefetch", "-i", self.list, "-d", self.dir)
        self.assert_code(run, 2)
        self.assertIn("another list", run.err)

    def test_files_of_others_are_left_alone(self):
        self.shards(6)
        os.makedirs(self.dir)
        for name, text in (("mine.txt", b"mine"), (self.names[3], b"not a shard")):
            with open(os.path.join(self.dir, name), "wb") as out:
                out.write(text)
        p = self.prefetcher("--on-bad", "fail")
        lines = [p.next() for _ in range(4)]
        self.assertEqual([line[:2] for line in lines[:3]], [["READY", str(i)] for i in range(3)])
        self.assertEqual(lines[3][:2], ["FAILED", "3"])
        self.assertIn("stands in the way", lines[3][2])
        self.assertEqual(p.wait(), 1, p.err())
        with open(os.path.join(self.dir, self.names[3]), "rb") as data:
            self.assertEqual(data.read(), b"not a shard")
        self.assertIn("mine.txt", self.cache_files())

    def test_a_shard_that_can_never_fit_is_said_at_once(self):
        self.shards(4)
        p = self.prefetcher("--budget", "19k")
        line = p.next()
        self.assertEqual(line[:2], ["FAILED", "0"])
        self.assertEqual(p.wait(), 3)
        for number in ("20000", "19000"):
            self.assertIn(number, line[2])
        self.assertEqual(self.server.requests(), [], "nothing was fetched for it")

    def test_nor_one_of_unknown_size(self):
        self.shards(4)
        self.list = self.manifest("names.tsv", sizes=False)
        p = self.prefetcher("--budget", "19k")
        self.assertEqual(p.next()[:2], ["FAILED", "0"])
        self.assertEqual(p.wait(), 3)
        self.assertEqual(on_disk(self.dir), 0)

    def test_what_is_kept_behind_counts_for_that(self):
        self.shards(8)
        p = self.prefetcher("--budget", "60k", "--keep-behind", "3", "--ahead", "1")
        for seq in range(3):
            self.assertEqual(p.next()[:2], ["READY", str(seq)])
            p.say("RELEASE", seq)
        line = p.next()
        self.assertEqual(line[:2], ["FAILED", "3"])
        self.assertIn("60000 are kept behind", line[2])
        self.assertEqual(p.wait(), 3)

    def test_prefill(self):
        self.shards(10)
        p = self.prefetcher("--ahead", "2", "--prefill", "6")
        self.assertEqual(p.next()[1], "0")
        self.assertGreaterEqual(len(self.server.requests()), 6)

    def test_start_and_limit(self):
        self.shards(20)
        p = self.prefetcher("--start", "5", "--limit", "7")
        seen = []
        while (words := p.next())[0] != "END":
            self.check_shard(words[1], words[2])
            seen.append(int(words[1]))
            p.say("RELEASE", words[1])
        self.assertEqual(seen, list(range(5, 12)))
        self.assertEqual(p.wait(), 0)

    def test_patterns_are_lists(self):
        self.shards(20)
        self.list = self.write("pattern.txt",
                               f"{self.server.base}/shard-{{000..019}}.parquet\n")
        p = self.prefetcher()
        self.assertEqual(self.read_all(p), list(range(20)))
        self.assertEqual(p.wait(), 0)

    def test_requests_that_make_no_sense_are_answered(self):
        self.shards(3)
        p = self.prefetcher()
        self.assertEqual([p.next()[1] for _ in range(3)], ["0", "1", "2"])
        self.assertEqual(p.next(), ["END"])
        for line in ("RELEASE x", "RELEASE", "RELEASE 99", "WHAT", "COMMIT -1", "R" * 9000):
            p.say(line)
            self.assertEqual(p.next()[0], "ERROR", line[:20])
        for seq in range(3):
            p.say("RELEASE", seq)
        self.assertEqual(p.wait(), 0)

    def test_the_reader_goes(self):
        self.shards(30)
        p = self.prefetcher("--ahead", "2")
        self.assertEqual(p.next()[1], "0")
        p.process.stdin.close()
        self.assertEqual(p.process.wait(timeout=60), 141)
        p = self.prefetcher("--ahead", "2")
        self.assertEqual(self.read_all(p), list(range(30)))
        self.assertEqual(p.wait(), 0)


class Trouble(PrefetchCase):
    def served_by_faults(self, *queries, size=20000, name="f"):
        server = self.faults()
        urls = [server.url(f"{name}{i}", size, query, f"{name}{i}.bin")
                for i, query in enumerate(queries)]
        self.list = self.list_of(urls)
        self.names = [f"{name}{i}.bin" for i in range(len(urls))]
        self.bodies = {f"{name}{i}.bin": body(f"{name}{i}", size) for i in range(len(urls))}
        return server

    def test_what_was_partly_there_is_gone_on_with(self):
        size = 3 << 20
        server = self.served_by_faults(f"stall={2 << 20}&first=1", size=size)
        p = self.prefetcher("--budget", "4Mi")
        part = os.path.join(self.dir, ".weir-prefetch", "fetch", "0.part")
        wait_until("the first part", lambda: os.path.exists(part)
                   and os.path.getsize(part) > 3 << 19)
        p.kill()
        p = self.prefetcher("--budget", "4Mi")
        self.assertEqual(self.read_all(p), [0])
        self.assertEqual(p.wait(), 0, p.err())
        self.assertEqual([row["status"] for row in server.log()][-1], 206)

    def test_a_bad_day_of_the_server_is_no_reason_to_skip(self):
        self.served_by_faults("status=503", "")
        p = self.prefetcher("--on-bad", "skip", "--retries", "1", "-s", "retry.backoff=1ms")
        self.assertEqual(p.next()[:2], ["FAILED", "0"])
        self.assertEqual(p.wait(), 1)

    def test_a_body_that_breaks_off_goes_on(self):
        self.served_by_faults(*["cut=7000&first=1"] * 6)
        p = self.prefetcher("-s", "retry.backoff=1ms", "--budget", "50k")
        self.assertEqual(self.read_all(p), list(range(6)))
        self.assertEqual(p.wait(), 0, p.err())

    def test_bodies_without_a_length_stay_within_the_budget(self):
        self.served_by_faults(*["chunked=1"] * 12, size=300000)
        watch = Watch(self.dir)
        p = self.prefetcher("--budget", "1200k")
        self.assertEqual(self.read_all(p, watch=watch), list(range(12)))
        self.assertEqual(p.wait(), 0, p.err())
        self.assertLessEqual(watch.peak, 1200000)

    def test_and_one_that_can_never_fit_is_said(self):
        self.served_by_faults("chunked=1", size=3000000)
        p = self.prefetcher("--budget", "1M")
        self.assertEqual(p.next()[:2], ["FAILED", "0"])
        self.assertEqual(p.wait(), 3)

    def test_a_disk_that_gets_low(self):
        self.shards(3)
        p = self.prefetcher("--min-free", "9000T")
        wait_until("the warning", lambda: "less than save.min_free" in p.err())
        p.process.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(close=False), 130)
        self.assertEqual(self.server.requests(), [])
        p = self.prefetcher("--min-free", "1", "--warn-free", "9000T")
        self.assertEqual(self.read_all(p), [0, 1, 2])
        self.assertEqual(p.wait(), 0)
        self.assertIn("the disk gets low", p.err())

    def test_a_commit_that_the_budget_cannot_wait_for_is_said(self):
        self.shards(10)
        p = self.prefetcher("--budget", "60k")
        self.release_all_and_commit_the_first(p, 4)
        wait_until("the warning", lambda: "finds no room" in p.err())
        p.say("COMMIT", 3)
        self.assertEqual(p.next()[1], "4")

    def test_progress(self):
        self.shards(3)
        p = self.prefetcher("--progress", "json", "-s", "progress.interval=10ms")
        self.assertEqual(self.read_all(p), [0, 1, 2])
        self.assertEqual(p.wait(), 0, p.err())
        last = json.loads(p.err().splitlines()[-1])
        self.assertTrue(last["final"])
        self.assertEqual([last[key] for key in ("shards", "delivered", "fetched")], [3, 3, 3])
        for key in ("ready", "downloading", "waiting", "disk_bytes", "stalls"):
            self.assertIn(key, last)


class Epochs(PrefetchCase):
    def test_two_epochs_with_room_for_all_fetch_once(self):
        self.shards(8)
        p = self.prefetcher("--epochs", "2", "--budget", "200k")
        self.assertEqual(self.read_all(p), list(range(16)))
        self.assertEqual(p.wait(), 0, p.err())
        self.assertEqual(len(self.server.requests()), 8)
        self.assertEqual(self.cache_files(), [])

    def test_and_with_less_room_keep_what_is_needed_next(self):
        self.shards(10)
        watch = Watch(self.dir)
        p = self.prefetcher("--epochs", "3", "--budget", "120k", "--ahead", "2")
        self.assertEqual(self.read_all(p, watch=watch), list(range(30)))
        self.assertEqual(p.wait(), 0, p.err())
        self.assertLessEqual(watch.peak, 120000)
        self.assertLess(len(self.server.requests()), 30, "some stay for the next epoch")

    def test_pinned_shards_come_first_and_stay(self):
        self.shards(20)
        p = self.prefetcher("--pin", "shard-01[5-6]*", "--ahead", "2", "--budget", "100k", "-j",
                            "1")
        self.assertEqual(self.read_all(p), list(range(20)))
        self.assertEqual(p.wait(), 0, p.err())
        order = [line.split()[0] for line in self.server.requests()]
        # whatever somebody waits for at that moment may come before them
        for pinned in ("/shard-015.parquet", "/shard-016.parquet"):
            self.assertLess(order.index(pinned), order.index("/shard-014.parquet"), order)
        self.assertEqual(self.cache_files(), self.names[15:17])


class Bad(PrefetchCase):
    def damage(self, number, data=b"<html>no such bucket</html>" * 100):
        self.write(f"www/{self.names[number]}", data)

    def test_a_corrupt_shard_is_fetched_again_and_then_fails(self):
        self.shards(6)
        self.damage(3)
        self.list = self.manifest("names.tsv", sizes=False)
        p = self.prefetcher("--ahead", "5")
        lines = [p.next() for _ in range(4)]
        self.assertEqual([line[0] for line in lines], ["READY"] * 3 + ["FAILED"])
        self.assertIn("PAR1", lines[3][2])
        self.assertEqual(p.wait(), 4, p.err())
        asked = [line for line in self.server.requests() if self.names[3] in line]
        self.assertEqual(len(asked), 2, "once more, and no more")
        self.assertNotIn(self.names[3], self.cache_files(), "it never gets its name")
        self.write(f"www/{self.names[3]}", self.bodies[self.names[3]])
        p = self.prefetcher("--ahead", "5")
        self.assertEqual(self.read_all(p), list(range(6)), "mended, the same command goes on")
        self.assertEqual(p.wait(), 0, p.err())

    def test_or_is_skipped_by_all_and_for_good(self):
        self.shards(6)
        self.damage(3)
        self.list = self.manifest("names.tsv", sizes=False)
        p = self.prefetcher("--on-bad", "skip", "--ahead", "2")
        words = [p.next() for _ in range(3)]
        for seq in range(3):
            p.say("RELEASE", seq)
        words.append(p.next())
        self.assertEqual([w[0] for w in words], ["READY"] * 3 + ["SKIPPED"])
        self.assertEqual(p.next()[:2], ["READY", "4"])
        p.process.send_signal(signal.SIGKILL)
        p.process.wait()
        self.write(f"www/{self.names[3]}", self.bodies[self.names[3]])
        p = self.prefetcher("--on-bad", "skip", "--consumer", "another")
        seen = []
        while (w := p.next())[0] != "END":
            seen.append((w[0], int(w[1])))
            p.say("RELEASE", w[1])
        self.assertEqual(seen, [("READY", i) if i != 3 else ("SKIPPED", i) for i in range(3, 6)])

    def test_or_put_aside(self):
        self.shards(6)
        self.damage(3)
        self.list = self.manifest("names.tsv", sizes=False)
        p = self.prefetcher("--on-bad", "quarantine")
        seen = []
        while (w := p.next())[0] != "END":
            seen.append(w[0])
            p.say("RELEASE", w[1])
        self.assertEqual(seen, ["READY"] * 3 + ["SKIPPED"] + ["READY"] * 2)
        self.assertEqual(p.wait(), 0, p.err())
        aside = os.path.join(self.dir, ".weir-prefetch", "quarantine")
        self.assertEqual(os.listdir(aside), ["3-" + self.names[3]])
        self.assertEqual(os.path.getsize(os.path.join(aside, "3-" + self.names[3])), 2700)

    def test_quarantine_gives_way_to_shards(self):
        self.shards(10)
        for number in (2, 4):
            self.damage(number, b"x" * 20000)
        p = self.prefetcher("--on-bad", "quarantine", "--budget", "40k")
        watch = Watch(self.dir)
        seen = []
        while (w := p.next())[0] != "END":
            watch.look()
            seen.append(w[0])
            p.say("RELEASE", w[1])
        self.assertEqual(seen.count("READY"), 8)
        self.assertEqual(p.wait(), 0, p.err())
        self.assertLessEqual(watch.peak, 40000)

    def test_a_command_says_what_is_good(self):
        self.shards(5)
        script = self.write("judge.sh", 'echo to stdout; [ $(wc -c <"$1") = 20000 ] || exit 9\n'
                            'echo "$1" >>"$0.log"\n')
        p = self.prefetcher("--validate-command", f"sh '{script}' {{}}")
        self.assertEqual(self.read_all(p), list(range(5)))
        self.assertEqual(p.wait(), 0, p.err())
        with open(script + ".log") as log:
            self.assertEqual(len(log.readlines()), 5)

    def test_and_may_ask_for_another_try(self):
        self.shards(2)
        script = self.write("judge.sh", 'c=$0.$(basename "$1"); echo x >>"$c"\n'
                            '[ $(wc -l <"$c") -gt 2 ] || exit 75\n')
        p = self.prefetcher("--validate-command", f"sh '{script}'")
        self.assertEqual(self.read_all(p), [0, 1])
        self.assertEqual(p.wait(), 0, p.err())
        self.assertEqual(len(self.server.requests()), 6)

    def test_a_shard_that_is_not_there(self):
        self.shards(4)
        os.unlink(self.path("www", self.names[2]))
        p = self.prefetcher("--on-bad", "skip")
        words = []
        while (w := p.next())[0] != "END":
            words.append(w[0])
            p.say("RELEASE", w[1])
        self.assertEqual(words, ["READY", "READY", "SKIPPED", "READY"])
        self.assertEqual(p.wait(), 0)


if __name__ == "__main__":
    main()

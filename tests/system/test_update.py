"""--on-exist update: what has not changed costs no body; what has replaces the old one wholly."""
import os

from harness import FAST, Case, body, main

UPDATE = ["--on-exist", "update"]


class Update(Case):
    def setUp(self):
        super().setUp()
        self.names = [f"f{i}" for i in range(20)]
        self.bodies = {name: body(name, 10_000) for name in self.names}
        for name, data in self.bodies.items():
            self.write(f"www/{name}", data)
            os.utime(self.path("www", name), (1_600_000_000, 1_600_000_000))
        self.server = self.nginx(self.path("www"))
        self.list = self.list_of(f"{self.server.base}/{name}" for name in self.names)

    def run_again(self, *args):
        before = len(self.server.requests())
        run = self.get(*FAST, *args, "-i", self.list)
        requests = [line.split() for line in self.server.requests()[before:]]
        return run, {(request[0][1:], int(request[1]), int(request[2])) for request in requests}

    def change(self, name, data, date=1_600_000_100):
        self.bodies[name] = data
        self.write(f"www/{name}", data)
        os.utime(self.path("www", name), (date, date))

    def test_nothing_changed_costs_no_body(self):
        for first in (UPDATE, []):  # validators kept with the file, or its date alone
            with self.subTest(first=first):
                self.dir = self.path(f"out{len(first)}")
                self.assert_code(self.run_again(*first)[0], 0)
                run, requests = self.run_again(*UPDATE)
                self.assert_code(run, 0)
                self.assertEqual(requests, {(name, 304, 0) for name in self.names})
                self.assertEqual(run.statuses, {"skipped": 20})
                self.assert_final(self.bodies)

    def test_changed_one_is_fetched_and_no_other(self):
        self.run_again(*UPDATE)
        self.change("f7", body("new", 12_000))
        run, requests = self.run_again(*UPDATE)
        self.assert_code(run, 0)
        self.assertEqual({request for request in requests if request[1] != 304},
                         {("f7", 200, 12_000)})
        self.assertEqual(run.statuses, {"skipped": 19, "ok": 1})
        self.assert_final(self.bodies)
        _, requests = self.run_again(*UPDATE)
        self.assertEqual({request[1] for request in requests}, {304})

    def test_same_date_and_size_but_another_tag(self):
        """The date says nothing; the entity tag does. nginx makes it of date and size, so here it
        is the fault server's."""
        faults = self.faults()
        url = faults.url("s", 5000, "change=1&lm=none", "file")
        self.assert_code(self.get(*FAST, *UPDATE, url), 0)
        self.assert_final({"file": body("s", 5000)})
        self.assert_code(self.get(*FAST, *UPDATE, url), 0)
        self.assert_final({"file": body("s", 5000, version=1)})

    def test_old_file_stays_until_the_new_one_is_whole(self):
        self.change("f3", body("longer", 30_000))
        self.assert_code(self.run_again(*UPDATE)[0], 0)
        self.change("f3", body("refused", 50_000), 1_600_000_200)
        run, _ = self.run_again(*UPDATE, "-s", "save.max_size=40000")
        self.assert_code(run, 1)
        self.assertEqual(self.final_files()["f3"], body("longer", 30_000))

    def test_file_of_unknown_origin_is_left_alone(self):
        os.makedirs(self.dir)
        with open(os.path.join(self.dir, "f5"), "wb") as mine:
            mine.write(b"mine")
        run, requests = self.run_again(*UPDATE)
        self.assert_code(run, 0)
        self.assertNotIn("f5", {request[0] for request in requests})
        self.assert_final({**self.bodies, "f5": b"mine"})

    def test_size_of_the_list_replaces_without_a_condition(self):
        self.run_again(*UPDATE)
        with open(os.path.join(self.dir, "f1"), "ab") as damaged:
            damaged.write(b"more")
        table = self.write("list.tsv", "url\tsize\n" + "".join(
            f"{self.server.base}/{name}\t10000\n" for name in self.names))
        before = len(self.server.requests())
        self.assert_code(self.get(*FAST, *UPDATE, "-i", table), 0)
        served = [line.split() for line in self.server.requests()[before:]]
        self.assertEqual([line[0] for line in served if line[1] == "200"], ["/f1"])
        self.assert_final(self.bodies)


class Delete(Case):
    """--delete: only what this program made, only what a whole list no longer names."""

    def setUp(self):
        super().setUp()
        self.bodies = {f"d/f{i}": body(f"f{i}", 1000) for i in range(8)}
        for name, data in self.bodies.items():
            self.write(f"www/{name}", data)
        self.server = self.nginx(self.path("www"))
        self.assert_code(self.mirror(self.bodies), 0)
        self.assert_final(self.bodies)

    def mirror(self, names, *args, extra=""):
        rows = "".join(f"{self.server.base}/{name}\t{name}\n" for name in names)
        table = self.write("list.tsv", "url\tname\n" + rows + extra)
        return self.get(*FAST, *UPDATE, "--delete", *args, "-i", table)

    def kept(self, *names):
        return {name: self.bodies[name] for name in names}

    def test_what_the_list_no_longer_names_goes(self):
        run = self.mirror(["d/f0", "d/f1"])
        self.assert_code(run, 0)
        self.assert_final(self.kept("d/f0", "d/f1"))
        self.assertIn("removed d/f7", run.err)

    def test_dry_run_says_it_and_does_nothing(self):
        run = self.mirror(["d/f0"], "--dry-run")
        self.assert_code(run, 0)
        self.assertIn("would remove d/f7", run.err)
        self.assertNotIn("would remove d/f0", run.err)
        self.assert_final(self.bodies)

    def test_files_of_others_stay(self):
        mine = {"mine": b"1", "d/mine.txt": b"2"}
        for name, data in mine.items():
            with open(os.path.join(self.dir, name), "wb") as file:
                file.write(data)
        os.setxattr(os.path.join(self.dir, "mine"), "user.xdg.origin.url", b"http://a/b")
        os.symlink("/etc", os.path.join(self.dir, "link"))
        self.assert_code(self.mirror(["d/f0"]), 0)
        self.assert_final({**self.kept("d/f0"), **mine})
        self.assertTrue(os.path.isdir("/etc"))

    def test_nothing_goes_where_the_list_was_not_read_whole(self):
        for extra in ("not a url\tx\n", "gopher://a/b\ty\n"):
            with self.subTest(extra=extra):
                run = self.mirror(["d/f0"], extra=extra)
                self.assert_code(run, 1)
                self.assertIn("nothing is removed", run.err)
                self.assert_final(self.bodies)

    def test_nothing_goes_without_a_list(self):
        run = self.get(*FAST, *UPDATE, "--delete", f"{self.server.base}/d/f0")
        self.assertIn("nothing is removed", run.err)
        self.assert_final({**self.bodies, "f0": self.bodies["d/f0"]})

    def test_name_that_failed_to_update_stays(self):
        os.unlink(self.path("www", "d/f0"))
        run = self.mirror(["d/f0"])
        self.assert_code(run, 1)
        self.assert_final(self.kept("d/f0"))

    def test_without_the_flag_nothing_goes(self):
        table = self.list_of([f"{self.server.base}/d/f0"])
        self.assert_code(self.get(*FAST, *UPDATE, "--tree", "-i", table), 0)
        self.assertEqual(len(self.final_files()), 9)


if __name__ == "__main__":
    main()

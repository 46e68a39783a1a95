"""The disk: full, read-only, with links planted in it; and too few descriptors.

Mounts and dropped privileges need root, or a user namespace; where neither is to be had, the test
fails and says so.
"""
import os
import shutil
import subprocess

from harness import COMMAND, Case, body, main, scaled, tool


def mount(case, place, *what):
    if subprocess.run([tool("mount"), *what, place]).returncode:
        case.fail("cannot mount: run as root, or where user namespaces are allowed")
    case.addCleanup(subprocess.run, [tool("umount"), "-l", place])


class SmallDisk(Case):
    """On a tmpfs with three megabytes left. As root it is mounted here; else this class runs inside
    `unshare -Urm` (MountsUnprivileged)."""

    def setUp(self):
        super().setUp()
        self.disk = self.path("disk")
        os.makedirs(self.disk)
        mount(self, self.disk, "-t", "tmpfs", "-o", "size=60m", "tmpfs")
        self.filler = os.path.join(self.disk, "filler")
        with open(self.filler, "wb") as out:
            out.write(bytes(57 * 1024 * 1024))
        self.dir = os.path.join(self.disk, "out")
        self.server = self.faults()

    def grow(self):
        os.unlink(self.filler)

    def test_full_disk_is_exit_3_and_the_same_command_goes_on_later(self):
        expected = {f"n{i}": body(f"s{i}", 700_000) for i in range(12)}
        listing = self.list_of(self.server.url(f"s{i}", 700_000, name=f"n{i}") for i in range(12))
        run = self.get("-i", listing)
        self.assert_code(run, 3)
        self.assertRegex(run.err, r"(?i)no space|full")
        self.assert_final(expected, all_of_it=False)
        done = {row["path"] for row in run.rows if row["status"] == "ok"}
        self.assertEqual(done, set(self.final_files()),
                         "acknowledged files and files on disk differ")
        self.grow()
        before = len(self.server.log())
        again = self.get("-i", listing)
        self.assert_code(again, 0)
        self.assert_final(expected)
        self.assertEqual(len(self.server.log()) - before, 12 - len(done))

    def test_partial_file_survives_a_full_disk(self):
        url = self.server.url("big", 8_000_000, name="big")
        run = self.get("-s", "save.preallocate=no", url)
        self.assert_code(run, 3)
        self.assert_final({})
        kept = self.partial_files()["big.part"]
        self.assertGreater(len(kept), 1_000_000)
        self.assertEqual(kept, body("big", len(kept)))
        self.grow()
        again = self.get("-s", "save.preallocate=no", url)
        self.assert_code(again, 0)
        self.assert_final({"big": body("big", 8_000_000)})
        self.assertGreater(again.one()["resumed_from"], 1_000_000)

    def test_preallocation_tells_before_the_body_is_fetched(self):
        run = self.get(self.server.url("big", 30_000_000, name="big"))
        self.assert_code(run, 3)
        self.assertLess(self.server.stats()["body_bytes"], 8_000_000)

    def test_min_free_stops_taking_urls(self):
        listing = self.list_of(self.server.url(f"s{i}", 200_000, name=f"n{i}") for i in range(60))
        run = self.get("--min-free", "1M", "-j", "2", "--rate", "5/s", "-i", listing)
        self.assert_code(run, 3)
        free = os.statvfs(self.disk)
        self.assertGreater(free.f_bavail * free.f_frsize, 300_000)
        self.assertEqual(self.partial_files(), {})

    def test_full_disk_under_the_report_is_exit_3(self):
        with open(os.path.join(self.disk, "rest"), "wb") as out:
            try:
                while True:
                    out.write(bytes(65536))
                    out.flush()
            except OSError:
                pass
        self.dir = self.path("elsewhere")
        listing = self.list_of(self.server.url(f"s{i}", 10, name=f"n{i}") for i in range(2000))
        run = self.get("--report", os.path.join(self.disk, "report"), "-i", listing, report=False)
        self.assert_code(run, 3)


class NoAttributes(Case):
    """On a ramfs, which has no extended attributes: the resume record is a file beside the .part."""

    def setUp(self):
        super().setUp()
        self.disk = self.path("disk")
        os.makedirs(self.disk)
        mount(self, self.disk, "-t", "ramfs", "ramfs")
        self.dir = os.path.join(self.disk, "out")
        self.server = self.faults()
        self.record = os.path.join(self.dir, "f.part.resume")

    def leave_part(self):
        self.url = self.server.url("a", 3_000_000, "cut=2500000&first=1", "f")
        self.assert_code(self.get("--retries", "0", self.url), 1)
        self.assertEqual(sorted(self.files()), ["f.part", "f.part.resume"])

    def second_run(self, resumed_from):
        run = self.get(self.url)
        self.assert_code(run, 0)
        self.assertEqual(run.one()["resumed_from"], resumed_from)
        self.assertEqual(sorted(self.files()), ["f"], "the record must go with the .part")
        self.assert_final({"f": body("a", 3_000_000)})

    def test_it_resumes_by_the_record_beside_it(self):
        self.leave_part()
        self.second_run(2_500_000)

    def test_record_of_another_boot_is_trusted_as_far_as_synced(self):
        self.leave_part()
        with open("/proc/sys/kernel/random/boot_id") as text:
            boot = text.read().strip()
        with open(self.record) as text:
            record = text.read()
        self.assertIn(boot, record)
        with open(self.record, "w") as text:
            text.write(record.replace(boot, "00000000-0000-4000-8000-000000000000"))
        with open(os.path.join(self.dir, "f.part"), "r+b") as data:
            data.write(bytes(2_500_000))
        self.second_run(0)

    def test_damaged_record_is_not_trusted(self):
        for text in ("", "junk", "weir 1", "weir 2\nurl\tx\n"):
            with self.subTest(text=text):
                self.dir = os.path.join(self.disk, "out" + str(len(text)))
                self.record = os.path.join(self.dir, "f.part.resume")
                self.server.reset()
                self.leave_part()
                with open(self.record, "w") as out:
                    out.write(text)
                self.second_run(0)

    def test_link_in_place_of_the_record_is_not_followed(self):
        victim = self.write("victim", "precious")
        os.makedirs(self.dir)
        os.symlink(victim, self.record)
        self.get("--retries", "0", self.server.url("a", 3_000_000, "cut=2500000&first=1", "f"))
        with open(victim) as data:
            self.assertEqual(data.read(), "precious")


class MountsUnprivileged(Case):
    def test_in_a_user_namespace(self):
        inner = subprocess.run([tool("unshare"), "-Urm", "/usr/bin/python3", "-B",
                                os.path.abspath(__file__),
                                "SmallDisk", "NoAttributes"])
        self.assertEqual(inner.returncode, 0, "needs root or user namespaces (unshare -Urm)")


if os.geteuid() == 0:
    del MountsUnprivileged
else:
    del SmallDisk, NoAttributes


class Permissions(Case):
    def unprivileged(self, *args):
        """Runs the command as nobody when we are root: root may write anywhere."""
        if os.geteuid() != 0:
            return self.run_weir(*args)
        command = shutil.copy(COMMAND, self.path("weir"))  # where nobody may run it
        return self.run_weir(*args, command=command, user=65534, group=65534, extra_groups=[])

    def test_folder_that_cannot_be_written(self):
        server = self.faults()
        os.makedirs(self.dir, mode=0o555)
        run = self.unprivileged("get", server.url("a", 10, name="f"), "-d", self.dir)
        self.assert_code(run, 3)
        self.assertIn(self.dir, run.err)
        self.assertRegex(run.err, "(?i)permission|read-only")

    def test_folder_that_cannot_be_made(self):
        os.makedirs(self.dir, mode=0o555)
        run = self.unprivileged("get", "http://127.0.0.1:1/x", "-d",
                                os.path.join(self.dir, "deeper"))
        self.assert_code(run, 3)
        self.assertIn("deeper", run.err)

    def test_list_that_cannot_be_read(self):
        listing = self.write("l", "http://127.0.0.1:1/x\n")
        os.chmod(listing, 0)
        run = self.unprivileged("get", "-i", listing, "-d", self.dir)
        self.assert_code(run, 2)
        self.assertIn(listing, run.err)


class Links(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        os.makedirs(self.dir)
        self.outside = self.path("outside")
        os.makedirs(self.outside)

    def nothing_outside(self):
        self.assertEqual(os.listdir(self.outside), [])

    def test_link_in_place_of_a_folder_is_not_followed(self):
        os.symlink(self.outside, os.path.join(self.dir, "sub"))
        rows = f"url\tname\n{self.server.url('a', 10)}\tsub/f\n"
        run = self.get("-i", self.write("l.tsv", rows))
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "name")
        self.nothing_outside()

    def test_link_in_place_of_the_part_is_not_followed(self):
        os.symlink(os.path.join(self.outside, "victim"), os.path.join(self.dir, "f.part"))
        run = self.get(self.server.url("a", 10, name="f"))
        self.assertIn(run.code, (0, 1))
        self.nothing_outside()

    def test_link_to_a_file_in_place_of_the_part_leaves_that_file_alone(self):
        victim = self.write("victim", "precious")
        os.symlink(victim, os.path.join(self.dir, "f.part"))
        self.get(self.server.url("a", 10, name="f"))
        with open(victim) as data:
            self.assertEqual(data.read(), "precious")

    def test_link_in_place_of_the_file_is_not_written_through(self):
        os.symlink(os.path.join(self.outside, "victim"), os.path.join(self.dir, "f"))
        for how in ("skip", "overwrite", "rename"):
            with self.subTest(how=how):
                self.get("--on-exist", how, self.server.url("a", 10, name="f"))
                self.nothing_outside()

    def test_hard_link_as_part_is_not_written(self):
        victim = self.write("victim", "precious")
        os.link(victim, os.path.join(self.dir, "f.part"))
        self.get(self.server.url("a", 10, name="f"))
        with open(victim) as data:
            self.assertEqual(data.read(), "precious")

    def test_folder_itself_may_be_a_link(self):
        os.symlink(self.outside, self.path("alias"))
        self.dir = self.path("alias")
        self.assert_code(self.get(self.server.url("a", 10, name="f")), 0)
        self.assert_final({"f": body("a", 10)})


class Descriptors(Case):
    def test_few_descriptors_are_enough(self):
        server = self.faults()
        count = scaled(600, 200)
        urls = self.list_of(server.url(f"s{i}", 2000, "slowhead=5", f"n{i}") for i in range(count))
        run = self.get("-j", "200", "--per-host", "200", "-s", "retry.backoff=20ms", "-i", urls,
                       files=64)
        self.assert_code(run, 0)
        self.assert_final({f"n{i}": body(f"s{i}", 2000) for i in range(count)})

    def test_none_at_all_is_said_and_not_waited_for_without_end(self):
        server = self.faults()
        urls = self.list_of(server.url(f"s{i}", 10, name=f"n{i}") for i in range(50))
        run = self.get("-i", urls, report=False, files=13, timeout=60)
        self.assert_code(run, 3)
        self.assertIn("ulimit -n", run.err)


class Foreign(Case):
    def test_only_own_files_are_deleted(self):
        server = self.faults()
        for name in ("mine.part", "f.part", "g.part.resume", "other"):
            self.write("out/" + name, "mine")
        self.get(server.url("a", 10, name="h"))
        for name in ("mine.part", "f.part", "g.part.resume", "other"):
            self.assertEqual(self.files()[name], b"mine")


if __name__ == "__main__":
    main()

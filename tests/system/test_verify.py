"""weir verify: what is on disk against a manifest, without the network; --repair with it."""
import hashlib
import os

from harness import FAST, Case, body, main


class Verify(Case):
    def setUp(self):
        super().setUp()
        self.bodies = {f"d{i % 3}/f{i}": body(f"v{i}", 1000 * i) for i in range(30)}
        for name, data in self.bodies.items():
            self.write(f"www/{name}", data)
        self.server = self.nginx(self.path("www"))
        self.base = f"{self.server.base}/"
        self.sums = self.write("SHA256SUMS", "".join(
            f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in self.bodies.items()))
        run = self.get(*FAST, "-i", self.sums, "--base-url", self.base)
        self.assert_code(run, 0)
        self.assert_final(self.bodies)
        self.served = len(self.server.requests())

    def verify(self, *args, code, listing=None):
        report = self.path("report.jsonl")
        run = self.run_weir("verify", "--progress", "none", "-d", self.dir, "-i",
                            listing or self.sums, "--report", report, *args, report=report)
        self.assert_code(run, code)
        return {row["path"]: row for row in run.rows}

    def damage(self):
        def at(name):
            return os.path.join(self.dir, name)
        with open(at("d1/f7"), "r+b") as file:
            file.write(b"\0\1\2")
        with open(at("d2/f11"), "ab") as file:
            file.write(b"more")
        os.truncate(at("d0/f12"), 500)
        os.unlink(at("d1/f13"))
        return {"d1/f7", "d2/f11", "d0/f12", "d1/f13"}

    def test_all_right(self):
        rows = self.verify(code=0)
        self.assertEqual({row["status"] for row in rows.values()}, {"ok"})
        self.assertEqual({name: row["digest"]["sha256"] for name, row in rows.items()},
                         {name: hashlib.sha256(data).hexdigest()
                          for name, data in self.bodies.items()})
        self.assertEqual(len(self.server.requests()), self.served, "no request is made")

    def test_what_is_wrong_is_told_and_nothing_is_touched(self):
        bad = self.damage()
        before = self.files()
        rows = self.verify(code=4)
        failed = {name for name, row in rows.items() if row["status"] == "failed"}
        self.assertEqual(failed, bad)
        self.assertEqual({rows[name]["error"]["class"] for name in bad}, {"checksum"})
        self.assertEqual(self.files(), before)
        self.assertEqual(len(self.server.requests()), self.served)

    def test_repair_fetches_what_is_wrong_and_no_more(self):
        bad = self.damage()
        self.verify("--repair", "--base-url", self.base, code=0)
        self.assert_final(self.bodies)
        fetched = {line.split()[0][1:] for line in self.server.requests()[self.served:]}
        self.assertEqual(fetched, bad)
        self.verify(code=0)

    def test_repair_that_fails_keeps_what_was_there(self):
        bad = self.damage()
        os.unlink(self.path("www", "d1/f7"))
        rows = self.verify("--repair", "--base-url", self.base, code=1)
        self.assertEqual({name for name, row in rows.items() if row["status"] == "failed"},
                         {"d1/f7"})
        self.assertIn("d1/f7", self.final_files())
        self.assertEqual({name for name, data in self.final_files().items()
                          if data != self.bodies[name]}, {"d1/f7"} & bad)

    def test_size_alone_and_nothing_at_all(self):
        self.damage()
        table = self.write("list.tsv", "url\tname\tsize\n" + "".join(
            f"{self.base}{name}\t{name}\t{len(data)}\n" for name, data in self.bodies.items()))
        rows = self.verify(code=4, listing=table)
        self.assertEqual({name for name, row in rows.items() if row["status"] == "failed"},
                         {"d2/f11", "d0/f12", "d1/f13"})
        table = self.write("names.tsv", "url\tname\n" + "".join(
            f"{self.base}{name}\t{name}\n" for name in self.bodies))
        rows = self.verify(code=4, listing=table)
        self.assertEqual({name for name, row in rows.items() if row["status"] == "failed"},
                         {"d1/f13"})
        self.assertTrue(rows["d0/f0"]["unchecked"])

    def test_links_are_not_followed(self):
        victim = os.path.join(self.dir, "d1/f7")
        os.rename(victim, self.path("elsewhere"))
        os.symlink(self.path("elsewhere"), victim)
        rows = self.verify(code=4)
        self.assertIn("link", rows["d1/f7"]["error"]["message"])

    def test_folder_that_is_missing(self):
        self.dir = self.path("nowhere")
        self.verify(code=3)
        self.assertFalse(os.path.exists(self.dir))


if __name__ == "__main__":
    main()

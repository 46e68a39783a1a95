"""Digests: what does not match never gets its name; what vouches for a body lets it be resumed."""
import base64
import hashlib
import os

from harness import FAST, Case, body, main

SIZE = 300_000


def sums(data):
    return {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}


class Checksum(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()
        self.good = body("s", SIZE)
        self.sha256 = hashlib.sha256(self.good).hexdigest()

    def table(self, *rows, columns="url\tname\tsize\tsha256"):
        return self.write("list.tsv", "\n".join([columns, *("\t".join(row) for row in rows)]) + "\n")

    def fetch(self, url, digest=None, size=SIZE, code=0, args=()):
        table = self.table((url, "file", str(size), digest or self.sha256))
        run = self.get(*FAST, "--retries", "3", *args, "-i", table)
        self.assert_code(run, code)
        return run

    def test_right_one_is_reported(self):
        run = self.fetch(self.server.url("s", SIZE))
        self.assertEqual(run.one()["digest"], {"sha256": self.sha256})
        self.assert_final({"file": self.good})

    def test_every_algorithm_by_its_column(self):
        for name, digest in sums(self.good).items():
            with self.subTest(algorithm=name):
                self.dir = self.path("out-" + name)
                url = self.server.url("s", SIZE)
                table = self.table((url, "file", digest.upper()), columns=f"url\tname\t{name}")
                run = self.get(*FAST, "-i", table)
                self.assert_code(run, 0)
                self.assertEqual(run.one()["digest"], {name: digest})
                table = self.table((url, "bad", digest[::-1]), columns=f"url\tname\t{name}")
                run = self.get(*FAST, "-i", table)
                self.assert_code(run, 4)
                self.assert_final({"file": self.good})

    def test_wrong_one_is_asked_for_once_more_and_never_named(self):
        run = self.fetch(self.server.url("s", SIZE), "0" * 64, code=4)
        row = run.one()
        self.assertEqual((row["status"], row["error"]["class"], row["attempts"]),
                         ("failed", "checksum", 2))
        self.assertEqual(self.files(), {})

    def test_damaged_on_the_way_comes_right_the_second_time(self):
        new = body("s", SIZE, version=1)
        run = self.fetch(self.server.url("s", SIZE, "change=1"), hashlib.sha256(new).hexdigest())
        self.assertEqual(run.one()["attempts"], 2)
        self.assert_final({"file": new})

    def test_another_size_costs_no_body(self):
        run = self.fetch(self.server.url("s", 50 * SIZE), code=4)
        self.assertEqual(run.one()["error"]["class"], "checksum")
        self.assertLess(self.server.stats()["body_bytes"], 50 * SIZE)
        self.assertEqual(self.files(), {})

    def test_flag_for_one_url(self):
        url = self.server.url("s", SIZE, name="file")
        run = self.get(*FAST, "--checksum", "sha256=" + self.sha256, url)
        self.assert_code(run, 0)
        self.assert_final({"file": self.good})
        run = self.get(*FAST, "--checksum", "sha256=" + "0" * 64, "-o", "other", url)
        self.assert_code(run, 4)
        self.assert_final({"file": self.good})

    def test_flag_that_cannot_be_used_asks_for_nothing(self):
        url = self.server.url("s", SIZE)
        for flag, why in (("sha256", "ALGO=HEX"), ("sha256=12", "64"), ("crc=12", "crc32c"),
                          ("sha256=" + "g" * 64, "hex")):
            with self.subTest(flag=flag):
                run = self.run_weir("get", "--checksum", flag, url)
                self.assert_code(run, 2)
                self.assertIn(why, run.err)
        run = self.run_weir("get", "--checksum", "md5=" + "0" * 32, url, url)
        self.assert_code(run, 2)
        self.assertEqual(self.server.stats()["requests"], 0)

    def cut_first(self, query=""):
        """A part of the file from a run that could not end."""
        url = self.server.url("s", SIZE, "cut=200000&first=1" + query)
        table = self.table((url, "file", str(SIZE), self.sha256))
        run = self.get(*FAST, "--retries", "0", "-i", table)
        self.assert_code(run, 1)
        self.assertEqual(list(self.partial_files()), ["file.part"])
        return url

    def test_part_of_an_earlier_run_is_read_and_gone_on_with(self):
        url = self.cut_first()
        run = self.fetch(url)
        row = run.one()
        self.assertEqual((row["resumed_from"], row["digest"]), (200_000, {"sha256": self.sha256}))
        self.assert_final({"file": self.good})

    def test_digest_vouches_where_no_validator_does(self):
        url = self.cut_first("&etag=weak&lm=none")
        run = self.fetch(url)
        self.assertEqual(run.one()["resumed_from"], 200_000)
        self.assert_final({"file": self.good})

    def test_part_that_was_damaged_on_disk_is_fetched_anew(self):
        url = self.cut_first()
        with open(os.path.join(self.dir, "file.part"), "r+b") as part:
            part.seek(1000)
            byte = part.read(1)
            part.seek(1000)
            part.write(bytes([byte[0] ^ 1]))
        run = self.fetch(url)
        self.assertEqual(run.one()["resumed_from"], 0)
        self.assert_final({"file": self.good})

    def test_callbacks_to_a_stream_cannot_be_taken_back(self):
        run = self.run_weir("get", *FAST, "-o", "-", "--checksum", "sha256=" + "0" * 64,
                            self.server.url("s", SIZE))
        self.assert_code(run, 4)
        self.assertEqual(run.out, self.good)
        self.assertEqual(self.server.stats()["requests"], 1)

    def test_failed_list_keeps_them(self):
        failed = self.path("failed.tsv")
        url = self.server.url("s", SIZE, "status=500&first=1")
        self.get(*FAST, "--retries", "0", "--failed", failed, "-i",
                 self.table((url, "file", str(SIZE), self.sha256)))
        run = self.get(*FAST, "-i", failed)
        self.assert_code(run, 0)
        self.assertEqual(run.one()["digest"], {"sha256": self.sha256})
        self.assert_final({"file": self.good})


class Headers(Case):
    """Repr-Digest and Content-MD5 vouch where the list says nothing."""

    def setUp(self):
        super().setUp()
        self.good = body("h", 50_000)
        for name in ("right", "wrong", "unknown", "md5", "badmd5"):
            self.write(f"www/{name}", self.good)
        right = base64.b64encode(hashlib.sha256(self.good).digest()).decode()
        wrong = base64.b64encode(hashlib.sha256(b"").digest()).decode()
        md5 = base64.b64encode(hashlib.md5(self.good).digest()).decode()
        badmd5 = base64.b64encode(hashlib.md5(b"").digest()).decode()
        fields = {"right": f"Repr-Digest 'sha-256=:{right}:'",
                  "wrong": f"Repr-Digest 'sha-256=:{wrong}:'",
                  "unknown": "Repr-Digest 'sum=:AAAA:, sha-256=:AA:'",
                  "md5": f"Content-MD5 '{md5}'", "badmd5": f"Content-MD5 '{badmd5}'"}
        extra = "".join(f"location = /{name} {{ add_header {field}; }}\n"
                        for name, field in fields.items())
        self.server = self.nginx(self.path("www"), extra=extra)

    def test_digest_of_the_server(self):
        for name, code in (("right", 0), ("md5", 0), ("unknown", 0), ("wrong", 4), ("badmd5", 4)):
            with self.subTest(name=name):
                run = self.get(*FAST, f"{self.server.base}/{name}")
                self.assert_code(run, code)
                self.assertEqual(bool(run.one().get("digest")), name in ("right", "md5"))
        self.assert_final({name: self.good for name in ("right", "md5", "unknown")})


if __name__ == "__main__":
    main()

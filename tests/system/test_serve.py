"""`weir serve`: what is answered to GET and HEAD: files, ranges, conditions, siblings, listings."""
import gzip
import json
import os
import re
import time

from harness import main, peak_kib, scaled
from serve_harness import ServeCase

LAST = "Wed, 01 Jan 2020 00:00:00 GMT"


class Files(ServeCase):
    def setUp(self):
        super().setUp()
        self.body = os.urandom(300_000)
        self.put_file("sub/data.bin", self.body)
        self.put_file("empty", b"")
        self.put_file("page.html", "<p>hello</p>")
        self.serve()

    def test_a_file_comes_whole_with_its_validators(self):
        answer = self.ask("/sub/data.bin")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body, self.body)
        self.assertEqual(answer["Last-Modified"], LAST)
        self.assertRegex(answer["ETag"], r'^"[0-9a-f]+-[0-9a-f]+"$')
        self.assertEqual(answer["Accept-Ranges"], "bytes")
        self.assertEqual(answer["Content-Type"], "application/octet-stream")
        self.assertRegex(answer["Date"], r"GMT$")
        self.assertEqual(self.ask("/page.html")["Content-Type"], "text/html")
        self.assertEqual(self.ask("/empty").body, b"")

    def test_head_has_the_fields_of_get_and_no_body(self):
        for target in ("/sub/data.bin", "/empty", "/sub/"):
            got, head = self.ask(target), self.ask(target, method="HEAD")
            self.assertEqual(head.status, got.status)
            ours = {k: v for k, v in head.fields.items() if k != "date"}
            self.assertEqual(ours, {k: v for k, v in got.fields.items() if k != "date"})
        self.assertEqual(self.ask("/nothing", method="HEAD").status, 404)

    def test_a_connection_is_kept_for_many_requests(self):
        client = self.client()
        for _ in range(20):
            self.assertEqual(client.ask("/sub/data.bin").body, self.body)
            self.assertEqual(client.ask("/nothing").status, 404)
            self.assertEqual(client.ask("/sub/data.bin", "Range: bytes=-5").body, self.body[-5:])
            self.assertEqual(client.ask("/x", method="DELETE").status, 405)

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.client()
        client.send("GET /page.html HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = []
        for _ in range(3):
            answer = client.head()
            client.body(answer)
            seen.append(answer.status)
        self.assertEqual(seen, [200, 404, 200])

    def test_http_1_0_is_answered_and_closed(self):
        client = self.client()
        answer = client.ask("/page.html", version="HTTP/1.0")
        self.assertEqual(answer.body, b"<p>hello</p>")
        self.assertTrue(client.at_end())
        client = self.client()
        client.send("GET /sub/?json HTTP/1.0\r\n\r\n")
        self.assertEqual(client.head().status, 200)
        while True:
            try:
                client._more()
            except EOFError:
                break
        self.assertEqual(json.loads(client.rest)[0]["name"], "data.bin")

    def test_other_methods_are_told_what_is_allowed(self):
        for method in ("POST", "DELETE", "PUT", "PATCH", "PROPFIND", "BREW"):
            answer = self.ask("/page.html", method=method)
            self.assertEqual((method, answer.status), (method, 405))
            self.assertEqual(answer["Allow"], "GET, HEAD, OPTIONS")
        self.assertEqual(self.ask("/page.html", method="OPTIONS")["Allow"], "GET, HEAD, OPTIONS")
        self.assertEqual(self.ask("*", method="OPTIONS").status, 204)

    def test_a_body_that_nobody_wants_is_passed_over(self):
        client = self.client()
        answer = client.ask("/page.html", "Content-Length: 100000", body=b"x" * 100_000)
        self.assertEqual(answer.status, 200)
        answer = client.ask("/a", "Content-Length: 100000", method="POST", body=b"x" * 100_000)
        self.assertEqual(answer.status, 405)
        self.assertEqual(client.ask("/page.html").body, b"<p>hello</p>")

    def test_contradictory_framing_is_refused(self):
        both = ("Content-Length: 5", "Transfer-Encoding: chunked")
        self.assertEqual(self.ask("/empty", *both, body=b"0\r\n\r\n").status, 400)
        twice = ("Content-Length: 5", "Content-Length: 6")
        self.assertEqual(self.ask("/empty", *twice, body=b"12345").status, 400)
        self.assertEqual(self.ask("/empty", "Content-Length: -5").status, 400)
        client = self.client()
        client.send("GET /empty HTTP/1.1\r\n\r\n")
        self.assertEqual(client.head().status, 400)  # no Host


class Ranges(ServeCase):
    def setUp(self):
        super().setUp()
        self.body = os.urandom(100_000)
        self.put_file("data.mp4", self.body)
        self.serve()

    def ranged(self, field, *more, status=206):
        answer = self.ask("/data.mp4", f"Range: {field}", *more)
        self.assertEqual(answer.status, status, field)
        return answer

    def test_one_range(self):
        for field, first, last in (("bytes=0-", 0, 99_999), ("bytes=0-1", 0, 1),
                                   ("bytes=50000-", 50_000, 99_999), ("bytes=-1", 99_999, 99_999),
                                   ("bytes=-200000", 0, 99_999), ("bytes=99999-", 99_999, 99_999),
                                   ("bytes=5-200000", 5, 99_999)):
            answer = self.ranged(field)
            self.assertEqual(answer["Content-Range"], f"bytes {first}-{last}/100000")
            self.assertEqual(answer.body, self.body[first:last + 1])
            self.assertEqual(answer["Content-Type"], "video/mp4")
            self.assertTrue(answer["ETag"])

    def test_ranges_that_make_no_sense_get_the_whole_file(self):
        for field in ("bytes=5-2", "bytes=x-", "items=0-1", "bytes=0-,0-",
                      "bytes=" + ",".join(f"{i * 3}-{i * 3}" for i in range(65))):
            self.assertEqual(self.ranged(field, status=200).body, self.body)

    def test_ranges_beyond_the_end_are_refused(self):
        answer = self.ranged("bytes=100000-", status=416)
        self.assertEqual(answer["Content-Range"], "bytes */100000")
        self.ranged("bytes=-0", status=416)

    def test_a_range_of_head_is_ignored(self):
        answer = self.ask("/data.mp4", "Range: bytes=0-1", method="HEAD")
        self.assertEqual((answer.status, answer["Content-Length"]), (200, "100000"))

    def parts(self, answer):
        kind, _, boundary = answer["Content-Type"].partition("; boundary=")
        self.assertEqual(kind, "multipart/byteranges")
        pieces = answer.body.split(b"--" + boundary.encode())
        self.assertEqual(pieces[0], b"")
        self.assertEqual(pieces[-1], b"--\r\n")
        for piece in pieces[1:-1]:
            head, _, data = piece.partition(b"\r\n\r\n")
            self.assertIn(b"Content-Type: video/mp4", head)
            yield re.search(rb"Content-Range: bytes (\S+)", head).group(1).decode(), data[:-2]

    def test_several_ranges_come_as_parts(self):
        answer = self.ranged("bytes=0-9,40000-89999, -5")
        self.assertEqual(list(self.parts(answer)), [
            ("0-9/100000", self.body[:10]), ("40000-89999/100000", self.body[40_000:90_000]),
            ("99995-99999/100000", self.body[-5:])])

    def test_of_several_ranges_one_that_can_be_had_comes_alone(self):
        answer = self.ranged("bytes=10-19,200000-")
        self.assertEqual(answer["Content-Range"], "bytes 10-19/100000")
        self.assertEqual(answer.body, self.body[10:20])

    def test_if_range_decides_between_the_part_and_the_whole(self):
        etag = self.ask("/data.mp4")["ETag"]
        self.ranged("bytes=5-", f"If-Range: {etag}")
        self.ranged("bytes=5-", f"If-Range: {LAST}")
        self.assertEqual(self.ranged("bytes=5-", 'If-Range: "other"', status=200).body, self.body)
        self.ranged("bytes=5-", f"If-Range: W/{etag}", status=200)
        self.ranged("bytes=5-", "If-Range: Wed, 01 Jan 2020 00:00:01 GMT", status=200)

    def test_a_replaced_file_has_another_etag(self):
        before = self.ask("/data.mp4")["ETag"]
        self.put_file("new", os.urandom(100_000), when=1577836801)
        os.replace(os.path.join(self.www, "new"), os.path.join(self.www, "data.mp4"))
        self.assertNotEqual(self.ask("/data.mp4")["ETag"], before)
        self.ranged("bytes=5-", f"If-Range: {before}", status=200)

    def test_a_file_that_has_just_changed_has_a_weak_etag(self):
        path = os.path.join(self.www, "data.mp4")
        now = int(time.time())
        os.utime(path, (now, now))  # whole seconds: it may change again and not show it
        self.assertTrue(self.ask("/data.mp4")["ETag"].startswith('W/"'))


class Conditions(ServeCase):
    def setUp(self):
        super().setUp()
        self.put_file("a.txt", "hello")
        self.serve()
        self.etag = self.ask("/a.txt")["ETag"]

    def test_not_modified(self):
        for field in (f"If-None-Match: {self.etag}", f"If-None-Match: W/{self.etag}",
                      f'If-None-Match: "x", {self.etag}', "If-None-Match: *",
                      f"If-Modified-Since: {LAST}"):
            answer = self.ask("/a.txt", field)
            self.assertEqual((field, answer.status), (field, 304))
            self.assertEqual(answer["ETag"], self.etag)
            self.assertIn(answer["Content-Length"], (None, "5"))
            self.assertEqual(self.ask("/a.txt", field, method="HEAD").status, 304)
            client = self.client()
            client.ask("/a.txt", field)
            self.assertEqual(client.ask("/a.txt").body, b"hello")  # nothing came in between

    def test_preconditions_that_fail(self):
        for field in ('If-Match: "x"', "If-Unmodified-Since: Tue, 31 Dec 2019 00:00:00 GMT"):
            self.assertEqual(self.ask("/a.txt", field).status, 412)
        self.assertEqual(self.ask("/a.txt", f"If-Match: {self.etag}").status, 200)

    def test_the_order_of_the_rfc(self):
        old = "Tue, 31 Dec 2019 00:00:00 GMT"
        self.assertEqual(self.ask("/a.txt", 'If-None-Match: "x"',
                                  f"If-Modified-Since: {LAST}").status, 200)
        self.assertEqual(self.ask("/a.txt", f"If-Match: {self.etag}",
                                  f"If-Unmodified-Since: {old}").status, 200)
        self.assertEqual(self.ask("/a.txt", f"If-None-Match: {self.etag}",
                                  "Range: bytes=0-1").status, 304)


class Siblings(ServeCase):
    def setUp(self):
        super().setUp()
        self.plain = b"line\n" * 1000
        self.put_file("a.txt", self.plain)
        self.packed = gzip.compress(self.plain)
        self.put_file("a.txt.gz", self.packed)
        self.put_file("stale.txt", b"new")
        self.put_file("stale.txt.gz", gzip.compress(b"old"), when=1577836799)
        self.put_file("b.txt", b"b" * 100)
        self.put_file("b.txt.gz", b"gzip")
        self.put_file("b.txt.zst", b"zstd")
        self.serve()

    def test_a_client_that_accepts_it_gets_the_compressed_sibling(self):
        answer = self.ask("/a.txt", "Accept-Encoding: br, gzip;q=0.8")
        self.assertEqual(answer.body, self.packed)
        self.assertEqual(answer["Content-Encoding"], "gzip")
        self.assertEqual(answer["Content-Type"], "text/plain")
        self.assertEqual(answer["Vary"], "Accept-Encoding")
        plain = self.ask("/a.txt")
        self.assertEqual(plain.body, self.plain)
        self.assertIsNone(plain["Content-Encoding"])
        refused = self.ask("/a.txt", "Accept-Encoding: br")
        self.assertEqual((refused.body, refused["Vary"]), (self.plain, "Accept-Encoding"))
        self.assertNotEqual(plain["ETag"], answer["ETag"])
        self.assertEqual(self.ask("/a.txt.gz")["Content-Type"], "application/gzip")
        self.assertIsNone(self.ask("/a.txt.gz")["Content-Encoding"])

    def test_weights_choose(self):
        for field, body in (("gzip, zstd", b"zstd"), ("gzip, zstd;q=0.5", b"gzip"),
                            ("zstd;q=0, *", b"gzip"), ("identity, gzip;q=0.5", b"b" * 100),
                            ("br", b"b" * 100), ("gzip;q=0", b"b" * 100)):
            self.assertEqual(self.ask("/b.txt", f"Accept-Encoding: {field}").body, body, field)

    def test_one_that_is_older_is_not_used(self):
        answer = self.ask("/stale.txt", "Accept-Encoding: gzip")
        self.assertEqual(answer.body, b"new")

    def test_ranges_and_conditions_speak_of_what_is_sent(self):
        accept = "Accept-Encoding: gzip"
        etag = self.ask("/a.txt", accept)["ETag"]
        answer = self.ask("/a.txt", accept, "Range: bytes=2-5", f"If-Range: {etag}")
        self.assertEqual((answer.status, answer.body), (206, self.packed[2:6]))
        self.assertEqual(self.ask("/a.txt", accept, f"If-None-Match: {etag}").status, 304)
        self.assertEqual(self.ask("/a.txt", f"If-None-Match: {etag}").status, 200)

    def test_curl_takes_it_apart(self):
        self.assertEqual(self.run_tool("curl", "-sS", "--compressed", self.base + "a.txt"),
                         self.plain)


class Listings(ServeCase):
    NAMES = ["a <b>&\"c\".txt", "javascript:alert(1)", "caf\u00e9", "per%41cent", "sp ace",
             "q?x#y", "zz"]

    def setUp(self):
        super().setUp()
        for i, name in enumerate(self.NAMES):
            self.put_file("dir/" + name, b"x" * (10 - i), when=1577836800 + i)
        os.makedirs(os.path.join(self.www, "dir", "nested"))
        with open(os.path.join(self.www.encode(), b"dir", b"latin\xe9"), "wb") as out:
            out.write(b"latin")
        os.utime(os.path.join(self.www.encode(), b"dir", b"latin\xe9"), (1577836900, 1577836900))

    def test_json_names_everything_and_its_links_lead_there(self):
        self.serve()
        answer = self.ask("/dir/", "Accept: application/json")
        self.assertEqual(answer["Content-Type"], "application/json")
        entries = json.loads(answer.body)
        self.assertEqual(entries[0]["name"], "nested")
        self.assertEqual(entries[0]["type"], "directory")
        files = {entry["name"]: entry for entry in entries[1:]}
        self.assertEqual(set(files), set(self.NAMES) | {"latin\ufffd"})
        self.assertEqual(files["zz"]["mtime"], "2020-01-01T00:00:06Z")
        for i, name in enumerate(self.NAMES):
            self.assertEqual(files[name]["size"], 10 - i)
            got = self.ask("/dir/" + files[name]["href"][2:])
            self.assertEqual((name, got.status, len(got.body)), (name, 200, 10 - i))
        self.assertEqual(self.ask("/dir/" + files["latin\ufffd"]["href"][2:]).body, b"latin")

    def test_html_escapes_names_and_its_links_lead_there(self):
        self.serve()
        page = self.ask("/dir/")
        self.assertEqual(page["Content-Type"], "text/html; charset=utf-8")
        text = page.body.decode()
        self.assertIn('>a &lt;b&gt;&amp;&quot;c&quot;.txt<', text)
        self.assertNotIn('href="javascript', text)
        links = re.findall(r'href="\./([^"]*)"', text)
        self.assertEqual(len(links), len(self.NAMES) + 2)
        for link in links:
            self.assertEqual(self.ask("/dir/" + link).status, 200, link)
        self.assertIn('href="../"', text)
        self.assertNotIn('href="../"', self.ask("/").body.decode())

    def order(self, query):
        entries = json.loads(self.ask("/dir/?json&" + query).body)
        return [entry["name"] for entry in entries if entry["type"] == "file"
                and entry["name"] in self.NAMES]

    def test_order(self):
        self.serve()
        by_name = sorted(self.NAMES, key=str.encode)
        self.assertEqual(self.order(""), by_name)
        self.assertEqual(self.order("sort=name&order=desc"), by_name[::-1])
        self.assertEqual(self.order("sort=time"), self.NAMES)
        self.assertEqual(self.order("sort=size"), self.NAMES[::-1])

    def test_index_and_no_listing(self):
        self.put_file("site/index.html", "the page")
        self.serve("--no-listing")
        self.assertEqual(self.ask("/site/").body, b"the page")
        self.assertEqual(self.ask("/dir/").status, 403)
        self.assertEqual(self.ask("/dir").status, 301)

    def test_weir_takes_a_folder_by_its_list(self):
        self.serve()
        run = self.get("-i", self.base + "dir/?jsonl")
        self.assert_code(run, 0)
        found = {name.encode("utf-8", "surrogateescape") for name in self.final_files()}
        self.assertEqual(len(found), len(self.NAMES) + 1)

    def test_a_huge_folder_is_sent_whole_in_flat_memory(self):
        count = scaled(60_000, 12_000)
        many = os.path.join(self.www, "many")
        os.makedirs(many)
        for i in range(count):
            os.close(os.open(os.path.join(many, f"file-with-a-name-{i:06d}"), os.O_CREAT, 0o644))
        self.serve()
        before = peak_kib(self.server.pid)
        clients = [self.client() for _ in range(8)]
        for client in clients:
            client.send("GET /many/?json HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients:
            names = {entry["name"] for entry in json.loads(client.body(client.head()))}
            self.assertEqual(len(names), count)
        if scaled(True, False):
            self.assertLess(peak_kib(self.server.pid) - before, 8 * 1024)


if __name__ == "__main__":
    main()

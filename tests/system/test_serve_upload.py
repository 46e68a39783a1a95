"""`weir serve --upload`: what becomes of a PUT."""
import base64
import hashlib
import os
import signal
import socket
import subprocess

from harness import main, scaled, wait_until
from serve_harness import ServeCase


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def repr_digest(data):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


class Upload(ServeCase):
    def setUp(self):
        super().setUp()
        self.body = os.urandom(300_000)

    def put(self, target, body, *fields, client=None):
        return (client or self.client()).ask(target, f"Content-Length: {len(body)}", *fields,
                                             method="PUT", body=body)

    def stored(self):
        return self.files(self.www)

    def test_a_put_makes_a_file_and_its_folders(self):
        self.serve("--upload")
        answer = self.put("/new/deep/na%20me.bin", self.body)
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer["Location"], "/new/deep/na%20me.bin")
        self.assertEqual(self.stored(), {"new/deep/na me.bin": self.body})
        self.assertEqual(self.ask("/new/deep/na%20me.bin").body, self.body)

    def test_a_second_put_replaces_it(self):
        self.serve("--upload")
        client = self.client()
        self.assertEqual(self.put("/a", self.body, client=client).status, 201)
        self.assertEqual(self.put("/a", b"new", client=client).status, 204)
        self.assertEqual(self.stored(), {"a": b"new"})
        self.assertEqual(self.put("/empty", b"", client=client).status, 201)
        self.assertEqual(self.stored()["empty"], b"")

    def test_chunked_bodies_are_taken(self):
        self.serve("--upload")
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(self.body), 7001):
            piece = self.body[i:i + 7001]
            client.send(f"{len(piece):x};x=y\r\n".encode() + piece + b"\r\n")
        client.send("0\r\nTrailer: x\r\n\r\n")
        self.assertEqual(client.head().status, 201)
        self.assertEqual(self.stored(), {"a": self.body})

    def test_curl_puts_files_and_pipes(self):
        self.serve("--upload")
        big = os.urandom(scaled(30_000_000, 3_000_000))
        path = self.write("big", big)
        for args, kw in ((["-T", path], {}), (["-T", "-"], {"input": big}),
                         (["-T", path, "-H", "Expect:"], {}),
                         (["-T", path, "--http1.0"], {})):
            out = self.run_tool("curl", "-sS", "-f", "-w", "%{http_code}", *args,
                                self.base + "up", **kw)
            self.assertIn(out, (b"201", b"204"))
            self.assertEqual(self.stored()["up"], big)

    def test_a_file_has_its_name_only_when_it_is_whole(self):
        self.serve("--upload")
        self.put_file("a", "old")
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n")
        client.send(self.body[:200_000])
        wait_until("the .part", lambda: "a.part" in self.stored())
        self.assertEqual(self.stored()["a"], b"old")
        self.assertEqual(self.ask("/a.part").status, 404)
        client.close()
        wait_until("it to be gone", lambda: "a.part" not in self.stored())
        self.assertEqual(self.stored(), {"a": b"old"})

    def test_a_client_that_leaves_at_any_byte_frees_the_name(self):
        self.serve("--upload")
        head = b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
        chunks = (b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"9c40\r\n" + self.body[:40_000] + b"\r\n")
        for sent in (head, head + self.body[:1], head + self.body[:100_000],
                     head + self.body[:299_999], chunks[:100], chunks):
            client = self.client()
            client.send(sent)  # and the end of the stream, before the server may have read a byte
            client.close()
            other = self.client()
            wait_until("the name to be free",
                       lambda: self.put("/a", b"other", client=other).status in (201, 204))
            wait_until("the .part to be gone", lambda: self.stored() == {"a": b"other"})

    def test_a_client_that_says_it_has_sent_all_hears_the_answer(self):
        self.serve("--upload")
        client = self.client()
        client.send(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + self.body)
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(client.head().status, 201)
        self.assertEqual(self.stored(), {"a": self.body})

    def test_two_uploads_of_one_name_do_not_mix(self):
        self.serve("--upload")
        first = self.client()
        first.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n")
        first.send(self.body[:1000])
        wait_until("the .part", lambda: "a.part" in self.stored())
        second = self.client()
        self.assertEqual(self.put("/a", b"other", client=second).status, 409)
        self.assertEqual(self.put("/b", b"other", client=second).status, 201)
        first.send(self.body[1000:])
        self.assertEqual(first.head().status, 201)
        self.assertEqual(self.stored(), {"a": self.body, "b": b"other"})

    def test_digests_that_are_sent_are_checked(self):
        self.serve("--upload")
        sha = hashlib.sha256(self.body).hexdigest()
        for field in (f"Repr-Digest: {repr_digest(self.body)}",
                      f"Content-Digest: {repr_digest(self.body)}",
                      f"Content-MD5: {md5(self.body)}", f"x-amz-content-sha256: {sha}",
                      "x-amz-content-sha256: UNSIGNED-PAYLOAD"):
            self.assertIn(self.put("/a", self.body, field).status, (201, 204), field)
        client = self.client()
        for field in (f"Repr-Digest: {repr_digest(b'x')}", f"Content-MD5: {md5(b'x')}",
                      f"x-amz-content-sha256: {sha[::-1]}", "x-amz-content-sha256: xyz",
                      "Content-MD5: rubbish"):
            self.assertEqual(self.put("/b", self.body, field, client=client).status, 400, field)
        both = (f"x-amz-content-sha256: {sha}", "Repr-Digest: unheard-of=:AAAA:")
        self.assertEqual(self.put("/a", self.body, *both).status, 204)
        self.assertEqual(self.put("/b", self.body, "Repr-Digest: unheard-of=:AAAA:",
                                  f"Content-MD5: {md5(b'x')}").status, 400)
        self.assertEqual(self.put("/b", self.body, "x-amz-content-sha256: "
                                  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD").status, 501)
        self.assertEqual(self.stored(), {"a": self.body})

    def test_what_cannot_be_put_is_refused(self):
        self.put_file("file", "x")
        os.makedirs(os.path.join(self.www, "folder"))
        os.symlink("/tmp", os.path.join(self.www, "link"))
        os.symlink("file", os.path.join(self.www, "link-to-file"))
        self.serve("--upload")
        client = self.client()
        for target, status in (("/folder", 409), ("/file/below", 409), ("/folder/", 400),
                               ("/", 400),
                               ("/link/x", 409), ("/link-to-file", 409), ("/a.part", 403),
                               ("/x.part/a", 403), ("/a.part.resume", 403), ("/.hidden", 403),
                               ("/.git/config", 403), ("/a%0ab", 400), ("/../x", 404),
                               ("/a%2fb", 404), ("/a%00", 404), ("/%zz", 400)):
            answer = self.put(target, b"data", client=client)
            self.assertEqual((target, answer.status), (target, status))
        self.assertEqual(client.ask("/file", method="PUT").status, 411)
        self.assertEqual(self.put("/a", b"data", "Content-Range: bytes 0-3/10",
                                  client=client).status, 400)
        self.assertEqual(self.put("/a", b"data", "Content-Encoding: gzip",
                                  client=client).status, 415)
        self.assertEqual(self.stored(), {"file": b"x"})

    def test_conditions(self):
        self.serve("--upload")
        client = self.client()
        self.assertEqual(self.put("/a", b"1", "If-None-Match: *", client=client).status, 201)
        self.assertEqual(self.put("/a", b"2", "If-None-Match: *", client=client).status, 412)
        self.assertEqual(self.put("/b", b"2", "If-Match: *", client=client).status, 412)
        self.put_file("c", "old")
        etag = self.ask("/c")["ETag"]
        self.assertEqual(self.put("/c", b"new", 'If-Match: "x"', client=client).status, 412)
        self.assertEqual(self.put("/c", b"new", f"If-Match: {etag}", client=client).status, 204)
        self.assertEqual(self.stored(), {"a": b"1", "c": b"new"})

    def test_a_file_that_appears_meanwhile_is_not_replaced(self):
        self.serve("--upload")
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n"
                    "Content-Length: 8\r\n\r\nhalf")
        wait_until("the .part", lambda: "a.part" in self.stored())
        self.put_file("a", "mine")
        client.send("half")
        self.assertEqual(client.head().status, 412)
        self.assertEqual(self.stored(), {"a": b"mine"})

    def test_too_large_is_said_before_the_body_where_it_is_asked(self):
        self.serve("--upload", "--max-upload-size", "100k")
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n"
                    "Expect: 100-continue\r\n\r\n")
        self.assertEqual(client.head().status, 413)
        self.assertEqual(self.put("/a", self.body).status, 413)
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(self.body), 10_000):
            client.send(b"2710\r\n" + self.body[i:i + 10_000] + b"\r\n")
        client.send("0\r\n\r\n")
        self.assertEqual(client.head().status, 413)
        self.assertEqual(self.put("/a", self.body[:100_000]).status, 201)
        self.assertEqual(self.stored(), {"a": self.body[:100_000]})

    def test_expect_is_answered_with_continue(self):
        self.serve("--upload")
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                    "Expect: 100-continue\r\n\r\n")
        self.assertEqual(client.head().status, 100)
        client.send("data")
        self.assertEqual(client.head().status, 201)

    def test_without_the_flag_or_the_token_nothing_is_taken(self):
        self.serve()
        self.assertEqual(self.put("/a", self.body).status, 405)
        self.end()
        self.serve("--upload", "--token", "t0ken")
        client = self.client()
        self.assertEqual(self.put("/a", self.body, client=client).status, 401)
        self.assertEqual(self.put("/a", self.body, "Authorization: Bearer t0ken",
                                  client=client).status, 201)
        self.assertEqual(self.stored(), {"a": self.body})

    def test_many_at_once(self):
        self.serve("--upload")
        bodies = {f"n{i}": os.urandom(1000 + i) for i in range(60)}
        clients = []
        for name, body in bodies.items():
            client = self.client()
            client.send(f"PUT /many/{name} HTTP/1.1\r\nHost: x\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n")
            clients.append((client, body))
        for client, body in clients:
            client.send(body)
        for client, _ in clients:
            self.assertEqual(client.head().status, 201)
        self.assertEqual(self.stored(), {"many/" + name: body for name, body in bodies.items()})

    def test_bandwidth_holds_for_uploads(self):
        self.serve("--upload", "--client-bandwidth", "2M")
        answer = self.put("/a", self.body)
        self.assertEqual(answer.status, 201)
        client = self.client()
        client.send("PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(self.body), 100):
            client.send(b"64\r\n" + self.body[i:i + 100] + b"\r\n")
        client.send("0\r\n\r\n")
        self.assertEqual(client.head().status, 201)
        self.assertEqual(self.stored(), {"a": self.body, "b": self.body})

    def test_an_upload_that_was_killed_leaves_no_trouble(self):
        self.serve("--upload")
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        client.send(os.urandom(2_000_000))
        wait_until("the .part", lambda: len(self.stored().get("a.part", b"")) > 1_000_000)
        self.server.kill()
        self.server.wait()
        self.assertEqual([*self.stored()], ["a.part"])
        self.serve("--upload")
        self.assertEqual(self.put("/a", self.body).status, 201)
        self.assertEqual(self.stored(), {"a": self.body})

    def test_a_full_disk_is_told_and_the_old_file_stays(self):
        disk = self.path("disk")
        os.makedirs(disk)
        program = (f'mount -t tmpfs -o size=1m tmpfs {disk} && printf old >{disk}/a && exec "$@"')
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        command = os.environ.get("WEIR_COMMAND", "weir")
        err = open(self.path("serve.err"), "wb")
        self.addCleanup(err.close)
        self.server = self.start(*unshare[1:], "--propagation", "private", "sh", "-c", program,
                                 "sh", command, "serve", disk, "--no-config", "--listen", "127.0.0.1:0",
                                 "--upload", command=unshare[0], stderr=err)
        self.port = int(self.server.stdout.readline().split()[-1].decode().rstrip("/")
                        .rsplit(":", 1)[1])
        client = self.client()
        answer = self.put("/a", os.urandom(3_000_000), client=client)
        self.assertEqual(answer.status, 507)  # known from its length
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(300):
            client.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        client.send("0\r\n\r\n")
        self.assertEqual(client.head().status, 507)
        self.assertEqual(self.ask("/a").body, b"old")
        self.assertEqual(self.put("/b", b"small").status, 201)
        self.assertIn("free space", self.said())
        self.end()

    def test_stopping_lets_whole_uploads_get_their_names(self):
        self.serve("--upload", "-s", "serve.drain_timeout=1h")
        client = self.client()
        client.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n")
        client.send(self.body[:1000])
        wait_until("the .part", lambda: "a.part" in self.stored())
        self.server.send_signal(signal.SIGINT)
        wait_until("it to have heard", lambda: "stopping" in self.said())
        client.send(self.body[1000:])
        self.assertEqual(client.head().status, 201)
        self.assertEqual(self.server.wait(30), 130)
        self.assertEqual(self.stored(), {"a": self.body})

    def test_what_was_put_is_what_weir_gets(self):
        self.serve("--upload")
        bodies = {f"f{i}": os.urandom(50_000 + i) for i in range(5)}
        for name, body in bodies.items():
            path = self.write("from/" + name, body)
            subprocess.run(["curl", "-sSf", "-T", path, self.base + "set/"], check=True,
                           env=self.environment(), stdout=subprocess.DEVNULL)
        run = self.get("-i", self.base + "set/?jsonl")
        self.assert_code(run, 0)
        self.assert_final(bodies)


if __name__ == "__main__":
    main()

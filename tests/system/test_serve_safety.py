"""`weir serve`: what is not served, who may ask, what the log says, and TLS."""
import json
import os
import signal
import socket
import subprocess

from harness import main, scaled, wait_until
from serve_harness import Client, ServeCase


class Hostile(ServeCase):
    """Nothing outside the folder, in no way of writing it."""

    def setUp(self):
        super().setUp()
        self.put_file("a.txt", "inside")
        self.put_file(".hidden", "secret")
        self.put_file(".git/config", "secret")
        self.put_file("x.part", "secret")
        self.put_file("x.part.resume", "secret")
        with open(self.path("outside"), "w", encoding="ascii") as out:
            out.write("secret")
        os.symlink(self.path("outside"), os.path.join(self.www, "link"))
        os.symlink("a.txt", os.path.join(self.www, "inner-link"))
        os.symlink(self.folder, os.path.join(self.www, "folder-link"))
        os.symlink("/", os.path.join(self.www, "everything"))
        os.mkfifo(os.path.join(self.www, "fifo"))
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        here = os.getcwd()
        os.chdir(self.www)  # the name of a socket is short
        sock.bind("socket")
        os.chdir(here)

    def test_nothing_outside_is_reached(self):
        self.serve()
        outside = self.path("outside")
        for target in ("/../outside", "/%2e%2e/outside", "/%2E%2E%2Foutside", "/..%2foutside",
                       "/a.txt/../../outside", "/./../outside", "/..;/outside", "/..%00/outside",
                       "/%252e%252e/outside", "/..\\outside", "/%5c..%5coutside",
                       "/....//outside", "//..//outside", "/link", "/inner-link",
                       "/folder-link/outside", "/everything" + outside, "/link/", "/everything/",
                       "/.hidden", "/%2ehidden", "/.git/config", "/.git/", "/x.part",
                       "/x.par%74", "/x.part.resume", "/fifo", "/socket", "/a.txt/",
                       "/a.txt%00", "/a.txt%00.html", "/a.txt%2f", "/a.txt/.",
                       "http://weir.test/../outside", "http://weir.test/link"):
            answer = self.ask(target)
            self.assertEqual((target, answer.status), (target, 404))
            self.assertNotIn(b"secret", answer.body)
        for target in (outside[1:], "/%", "/%zz", "/a%2", "ftp://weir.test/a.txt", "a.txt"):
            self.assertEqual((target, self.ask(target).status), (target, 400))
        self.assertEqual(self.ask("/" + "a" * 300).status, 414)
        self.assertEqual(self.ask("http://weir.test/a.txt").body, b"inside")
        self.assertEqual(self.ask("//a.txt").body, b"inside")

    def test_raw_bytes_in_the_head_do_no_harm(self):
        self.serve("--idle-timeout", "1s")
        for head in (b"GET /a.txt\0 HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n\r\n\r\n",
                     b"GET /a.txt HTTP/9.9\r\nHost: x\r\n\r\n", b"\xff\xfe\xfd\r\n\r\n",
                     b"GET " + b"/" + b"a" * 60_000 + b" HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
                     b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"):
            client = self.client()
            try:
                client.send(head)
                while client.socket.recv(1 << 16):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass
        self.assertEqual(self.ask("/a.txt").body, b"inside")

    def test_a_redirect_stays_here(self):
        os.makedirs(os.path.join(self.www, "evil.example", "dir"))
        self.serve()
        for target in ("//evil.example/dir", "/evil.example/dir",
                       "http://evil.example/evil.example/dir"):
            answer = self.ask(target + "?a=1")
            self.assertEqual(answer.status, 301)
            self.assertEqual(answer["Location"], "/evil.example/dir/?a=1")

    def test_hidden_names_are_served_where_asked_for(self):
        self.serve("--hidden")
        self.assertEqual(self.ask("/.git/config").body, b"secret")
        self.assertIn(b".hidden", self.ask("/?json").body)
        self.assertEqual(self.ask("/x.part").status, 404)

    def test_a_list_shows_only_what_is_served(self):
        self.serve()
        names = [entry["name"] for entry in json.loads(self.ask("/?json").body)]
        self.assertEqual(names, ["a.txt"])


class Token(ServeCase):
    def test_only_with_the_token(self):
        self.put_file("a.txt", "hello")
        with open(self.path("token"), "w", encoding="ascii") as out:
            out.write("s3cret-token\nanother line\n")
        log = self.path("log")
        self.serve("--token", "@" + self.path("token"), "--access-log", log, "-v")
        answer = self.ask("/a.txt")
        self.assertEqual(answer.status, 401)
        self.assertIn("Bearer", answer["WWW-Authenticate"])
        for wrong in ("Bearer s3cret-toke", "Bearer s3cret-tokenn", "Bearer ", "Basic s3cret-token",
                      "Bearer S3cret-token", "s3cret-token"):
            self.assertEqual(self.ask("/a.txt", "Authorization: " + wrong).status, 401, wrong)
        for right in ("Bearer s3cret-token", "bearer  s3cret-token "):
            self.assertEqual(self.ask("/a.txt", "Authorization: " + right).status, 200)
        run = self.get(self.base + "a.txt", "-H", "Authorization: Bearer s3cret-token")
        self.assert_code(run, 0)
        self.end()
        with open(log, encoding="ascii") as text:
            self.assertNotIn("s3cret", text.read() + self.said())

    def test_a_token_that_cannot_be_used_is_refused(self):
        open(self.path("nothing"), "w", encoding="ascii").close()
        for token in ("@" + self.path("nothing"), "@" + self.path("absent"), "two words",
                      "caf\u00e9"):
            run = self.run_weir("serve", self.www, "--no-config", "--token", token)
            self.assert_code(run, 2)
            self.assertIn("serve.token", run.err)


class Log(ServeCase):
    def setUp(self):
        super().setUp()
        self.put_file("a.txt", "hello")
        self.log = self.path("log")

    def read_log(self):
        with open(self.log, encoding="ascii") as text:
            return text.read()

    def lines(self):
        self.end()
        return self.read_log().splitlines()

    def test_the_combined_format_cannot_be_forged(self):
        self.serve("--access-log", self.log)
        client = self.client()  # of one connection the lines come in order
        client.ask("/a.txt", 'Referer: a"b\\c', "User-Agent: te\x1b[31mst \xe9")
        client.ask("/x\x01\x7f\"y")
        client.ask("/a.txt", "Range: bytes=1-2")
        client.ask("/nothing", method="HEAD")
        lines = self.lines()
        self.assertRegex(lines[0], r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                                   r'"GET /a\.txt HTTP/1\.1" 200 5 "a\\x22b\\x5cc" '
                                   r'"te\\x1b\[31mst \\xe9"$')
        self.assertIn('"GET /x\\x01\\x7f\\x22y HTTP/1.1" 404', lines[1])
        self.assertIn('"GET /a.txt HTTP/1.1" 206 2 "-" "-"', lines[2])
        self.assertIn('"HEAD /nothing HTTP/1.1" 404 0 ', lines[3])
        self.assertEqual(len(lines), 4)

    def test_json_tells_more(self):
        with open(os.path.join(self.www, "sparse"), "wb") as out:
            out.truncate(1 << 30)
        self.serve("--access-log", self.log, "--log-format", "json")
        self.ask("/a.txt", "Range: bytes=0-1", "User-Agent: test")
        wait_until("the first line", lambda: self.read_log().count("\n") == 1)
        client = self.client(receive_buffer=4096)
        client.send("GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
        client.head()
        client.exactly(1000)
        client.close()
        wait_until("both lines", lambda: self.read_log().count("\n") == 2)
        rows = [json.loads(line) for line in self.lines()]
        self.assertEqual((rows[0]["status"], rows[0]["bytes"], rows[0]["range"],
                          rows[0]["user_agent"], rows[0]["aborted"]),
                         (206, 2, "bytes=0-1", "test", False))
        self.assertTrue(rows[1]["aborted"])
        self.assertGreater(rows[1]["bytes"], 999)
        self.assertLess(rows[1]["bytes"], 1 << 24)

    def test_a_log_that_nobody_reads_keeps_no_client_waiting(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        err = open(self.path("serve.err"), "wb")
        self.addCleanup(err.close)
        self.server = self.start("serve", self.www, "--no-config", "--listen", "127.0.0.1:0",
                                 "--access-log", "-", stdout=write, stderr=err)
        os.close(write)
        wait_until("the line with the URL", lambda: " at http" in self.said())
        self.port = int(self.said().split()[-1].rstrip("/").rsplit(":", 1)[1])
        client = self.client()
        for _ in range(scaled(3000, 1000)):
            answer = client.ask("/a.txt", "Referer: " + "r" * 900)
            self.assertEqual(answer.status, 200)
        os.set_blocking(read, False)

        def said_after_reading():
            try:
                while os.read(read, 1 << 16):
                    pass
            except BlockingIOError:
                pass
            return "left out" in self.said()
        wait_until("the lost lines to be told", said_after_reading)
        self.end()


class Tls(ServeCase):
    def test_tls_serves_files_ranges_and_listings(self):
        body = os.urandom(3_000_000)
        self.put_file("a.bin", body)
        authority = self.authority()
        cert, key = authority.certificate("server", "IP:127.0.0.1")
        self.serve("--tls-cert", cert, "--tls-key", key)
        self.assertTrue(self.base.startswith("https://"))
        curl = ["curl", "-sS", "--cacert", authority.ca]
        self.assertEqual(self.run_tool(*curl, self.base + "a.bin"), body)
        self.assertEqual(self.run_tool(*curl, "-r", "5-9", self.base + "a.bin"), body[5:10])
        self.assertEqual(self.run_tool(*curl, "-r", "0-1,8-9", self.base + "a.bin").count(b"--"), 4)
        listed = json.loads(self.run_tool(*curl, self.base + "?json"))
        self.assertEqual(listed[0]["size"], 3_000_000)
        refused = subprocess.run([*curl, "--tls-max", "1.1", self.base], check=False,
                                 capture_output=True)
        self.assertNotEqual(refused.returncode, 0)
        client = Client(self.port)
        self.addCleanup(client.close)
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # no TLS at all
        client.at_end()
        self.assertEqual(self.run_tool(*curl, self.base + "a.bin"), body)

    def test_files_that_do_not_belong_together_are_told(self):
        authority = self.authority()
        cert, key = authority.certificate("one", "IP:127.0.0.1")
        _, other = authority.certificate("two", "IP:127.0.0.1")
        for args, words in ((("--tls-cert", cert), "needs both"),
                            (("--tls-cert", cert, "--tls-key", other), "is not the key"),
                            (("--tls-cert", key, "--tls-key", key), "holds no certificate"),
                            (("--tls-cert", cert, "--tls-key", cert), "holds no private key"),
                            (("--tls-cert", self.path("absent"), "--tls-key", key), "absent")):
            run = self.run_weir("serve", self.www, "--no-config", *args)
            self.assert_code(run, 2)
            self.assertIn(words, run.err)


if __name__ == "__main__":
    main()

"""`weir serve`: limits, slow readers, how it ends, and the clients of the world."""
import os
import signal
import socket
import time

from harness import main, scaled, wait_until
from serve_harness import ServeCase


class Limits(ServeCase):
    def setUp(self):
        super().setUp()
        self.put_file("a.txt", "hello")
        with open(os.path.join(self.www, "sparse"), "wb") as out:
            out.truncate(1 << 30)

    def test_a_client_with_too_many_connections_hears_so(self):
        self.serve("--per-client", "3")
        held = [self.client() for _ in range(3)]
        for client in held:
            self.assertEqual(client.ask("/a.txt").status, 200)
        fourth = self.client()
        answer = fourth.ask("/a.txt")
        self.assertEqual((answer.status, answer["Retry-After"]), (503, "1"))
        self.assertTrue(fourth.at_end())
        for client in held:
            self.assertEqual(client.ask("/a.txt").status, 200)
        held[0].close()
        wait_until("its place to be free", lambda: self.ask("/a.txt").status == 200)

    def test_more_than_max_connections_wait(self):
        self.serve("--max-connections", "2", "-s", "serve.threads=2")
        held = [self.client() for _ in range(2)]
        for client in held:
            self.assertEqual(client.ask("/a.txt").status, 200)
        third = self.client()
        third.send("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        third.socket.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            third.head()
        for client in held:
            client.close()
        third.socket.settimeout(30)
        self.assertEqual(third.head().status, 200)

    def test_slow_readers_harm_nobody(self):
        self.serve("-s", "serve.threads=2")
        slow = [self.client(receive_buffer=4096) for _ in range(50)]
        for client in slow:
            client.send("GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in slow:
            self.assertEqual(client.head().status, 200)
        for _ in range(200):
            self.assertEqual(self.ask("/a.txt").body, b"hello")
        got = self.run_tool("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}",
                            "-r", f"0-{scaled(1 << 28, 1 << 24) - 1}", self.base + "sparse")
        self.assertEqual(int(got), scaled(1 << 28, 1 << 24))

    def test_idle_connections_are_closed(self):
        self.serve("--idle-timeout", "1s")
        quiet, begun, kept = self.client(), self.client(), self.client()
        begun.send("GET /a.txt HTTP/1.1\r\nHos")
        self.assertEqual(kept.ask("/a.txt").status, 200)
        for client in (quiet, begun, kept):
            self.assertTrue(client.at_end())

    def test_a_head_that_trickles_is_closed(self):
        self.serve("--idle-timeout", "1s")
        client = self.client()
        begun = time.monotonic()
        client.socket.settimeout(0.3)
        try:
            client.send("GET /a.txt HTTP/1.1\r\n")
            while time.monotonic() - begun < 20:
                client.send("X: y\r\n")
                try:
                    if client.socket.recv(1) == b"":
                        return
                except TimeoutError:
                    pass
        except (ConnectionResetError, BrokenPipeError):
            return
        self.fail("a head of 20 seconds was taken")

    def test_bandwidth_is_of_the_client_not_of_its_connections(self):
        self.serve("--client-bandwidth", "4M")
        body = os.urandom(2_000_000)
        self.put_file("body", body)
        begun = time.monotonic()
        clients = [self.client() for _ in range(2)]
        for client in clients:
            client.send("GET /body HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients:
            self.assertEqual(client.body(client.head()), body)
        self.assertGreater(time.monotonic() - begun, 0.9)  # 4 MB at 4 MB/s, less the burst


class Life(ServeCase):
    def setUp(self):
        super().setUp()
        self.put_file("a.txt", "hello")

    def test_running_answers_may_end_after_the_first_signal(self):
        with open(os.path.join(self.www, "sparse"), "wb") as out:
            out.truncate(64 << 20)
        self.serve("-s", "serve.drain_timeout=1h")
        client = self.client(receive_buffer=1 << 20)
        client.send("GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.head()
        kept = self.client()
        self.assertEqual(kept.ask("/a.txt").status, 200)
        self.server.send_signal(signal.SIGINT)
        wait_until("it to have heard", lambda: "stopping" in self.said())
        self.assertEqual(len(client.exactly(int(answer["Content-Length"]))), 64 << 20)
        self.assertEqual(self.server.wait(30), 130)
        self.assertIn("requests", self.said())

    def test_the_wait_for_them_is_bounded(self):
        with open(os.path.join(self.www, "sparse"), "wb") as out:
            out.truncate(64 << 20)
        self.serve("-s", "serve.drain_timeout=200ms")
        client = self.client(receive_buffer=4096)
        client.send("GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
        client.head()
        self.end(signal.SIGINT, 20)

    def test_the_second_signal_ends_at_once(self):
        with open(os.path.join(self.www, "sparse"), "wb") as out:
            out.truncate(64 << 20)
        self.serve("-s", "serve.drain_timeout=1h")
        client = self.client(receive_buffer=4096)
        client.send("GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
        client.head()
        self.server.send_signal(signal.SIGINT)
        wait_until("it to have heard", lambda: "stopping" in self.said())
        self.server.send_signal(signal.SIGINT)
        self.assertEqual(self.server.wait(20), 130)

    def test_suspended_answers_do_not_keep_it_from_ending(self):
        with open(os.path.join(self.www, "sparse"), "wb") as out:
            out.truncate(64 << 20)
        self.serve("--client-bandwidth", "10k", "-s", "serve.drain_timeout=100ms")
        clients = [self.client() for _ in range(20)]
        for client in clients:
            client.send("GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
            client.head()
        self.end(signal.SIGTERM, 20)

    def test_bad_addresses_and_folders_are_told(self):
        for listen, code, words in (("nonsense", 2, "ADDR:PORT"),
                                    ("127.0.0.1:99999", 2, "ADDR:PORT"),
                                    ("::1:80", 2, "ADDR:PORT"),
                                    ("198.51.100.1:0", 3, "no such address")):
            run = self.run_weir("serve", self.www, "--no-config", "--listen", listen)
            self.assert_code(run, code)
            self.assertIn(words, run.err)
        self.serve()
        run = self.run_weir("serve", self.www, "--no-config", "--listen", f"127.0.0.1:{self.port}")
        self.assert_code(run, 3)
        self.assertIn("another program listens there", run.err)
        run = self.run_weir("serve", self.path("absent"), "--no-config")
        self.assert_code(run, 3)
        run = self.run_weir("serve", "--no-config")
        self.assert_code(run, 2)

    def test_beyond_loopback_without_a_token_is_warned_of(self):
        self.serve("--listen", "0.0.0.0:0")
        self.assertIn("whoever reaches", self.said())
        self.assertEqual(self.ask("/a.txt").body, b"hello")

    def test_ipv6(self):
        self.serve("--listen", "[::1]:0")
        self.assertTrue(self.base.startswith("http://[::1]:"))
        self.assertEqual(self.run_tool("curl", "-sSg", self.base + "a.txt"), b"hello")


class Tools(ServeCase):
    """Clients of the world: curl, wget2, aria2, and weir."""

    def setUp(self):
        super().setUp()
        self.body = os.urandom(scaled(20_000_000, 2_000_000))
        self.put_file("data.iso", self.body)
        self.serve()

    def read(self, name):
        with open(self.path(name), "rb") as data:
            return data.read()

    def test_curl_goes_on_where_it_was_cut(self):
        with open(self.path("c"), "wb") as out:
            out.write(self.body[:1_000_000])
        self.run_tool("curl", "-sS", "-C", "-", "-o", self.path("c"), self.base + "data.iso")
        self.assertEqual(self.read("c"), self.body)
        self.run_tool("curl", "-sS", "-z", self.path("c"), "-o", self.path("again"),
                      self.base + "data.iso")
        self.assertFalse(os.path.exists(self.path("again")))

    def test_aria2_with_sixteen_ranges(self):
        self.run_tool("aria2c", "--no-conf", "-q", "-x16", "-s16", "-k1M", "-d", self.folder, "-o",
                      "a", self.base + "data.iso")
        self.assertEqual(self.read("a"), self.body)

    def test_wget2(self):
        self.run_tool("wget2", "-q", "--no-config", "-O", self.path("w"), "--chunk-size=2M",
                      self.base + "data.iso")
        self.assertEqual(self.read("w"), self.body)

    def test_weir(self):
        run = self.get(self.base + "data.iso", "-s", "http.version=1.1")
        self.assert_code(run, 0)
        self.assert_final({"data.iso": self.body})

    def test_ranges_as_a_browser_asks_for_them(self):
        client = self.client()
        first = client.ask("/data.iso", "Range: bytes=0-", "Accept-Encoding: identity;q=1, *;q=0")
        self.assertEqual((first.status, first.body), (206, self.body))
        middle = len(self.body) // 2
        answer = client.ask("/data.iso", f"Range: bytes={middle}-", f"If-Range: {first['ETag']}")
        self.assertEqual((answer.status, answer.body), (206, self.body[middle:]))
        answer = client.ask("/data.iso", "Range: bytes=-65536")
        self.assertEqual((answer.status, answer.body), (206, self.body[-65536:]))


if __name__ == "__main__":
    main()

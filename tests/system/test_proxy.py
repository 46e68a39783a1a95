"""Through a real proxy."""
from harness import QUICK_RETRY, Case, body, free_port, main


class Proxied(Case):
    def test_http_goes_through_the_proxy(self):
        server, proxy = self.faults(), self.squid()
        urls = [server.url(f"s{i}", 1000, name=f"n{i}") for i in range(40)]
        self.assert_code(self.get("--proxy", proxy.url, "-i", self.list_of(urls)), 0)
        self.assert_final({f"n{i}": body(f"s{i}", 1000) for i in range(40)})
        self.assertTrue(all("Via" in entry["headers"] for entry in server.log()))

    def test_cut_body_goes_on_through_the_proxy(self):
        server, proxy = self.faults(), self.squid()
        run = self.get(*QUICK_RETRY, "--proxy", proxy.url,
                       server.url("a", 500_000, "cut=200000&cutn=1", "f"))
        self.assert_code(run, 0)
        self.assert_final({"f": body("a", 500_000)})

    def test_https_is_tunnelled(self):
        self.write("root/f", "words")
        proxy, authority = self.squid(), self.authority()
        server = self.nginx(self.path("root"), tls=authority.certificate("good", "IP:127.0.0.1"))
        run = self.get("--proxy", proxy.url, "--ca-file", authority.ca,
                       f"https://127.0.0.1:{server.tls_port}/f")
        self.assert_code(run, 0)
        self.assert_final({"f": b"words"})
        self.assertTrue(any("CONNECT" in line for line in proxy.requests()))

    def test_proxy_that_is_not_there_is_named(self):
        server = self.faults()
        port = free_port()
        run = self.get(*QUICK_RETRY, "--retries", "1", "--proxy", f"http://127.0.0.1:{port}",
                       server.url("a", 10))
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "connect")
        self.assertIn(str(port), run.one()["error"]["message"])
        self.assertEqual(server.log(), [])

    def test_password_of_the_proxy_is_never_shown(self):
        port = free_port()
        run = self.get("-v", *QUICK_RETRY, "--retries", "1", "--proxy",
                       f"http://me:hunter2@127.0.0.1:{port}",
                       "http://127.0.0.1:1/x")
        self.assert_code(run, 1)
        self.assertNotIn("hunter2", run.err + str(run.rows))
        run = self.run_weir("config", "-s", "http.proxy=http://me:hunter2@127.0.0.1:1")
        self.assertNotIn(b"hunter2", run.out)


if __name__ == "__main__":
    main()

"""TLS is verified, always, unless told otherwise."""
from harness import Case, main


class Certificates(Case):
    def setUp(self):
        super().setUp()
        self.write("root/f", "secret words")
        self.ca = self.authority()

    def serve(self, name, alternatives, days=30):
        server = self.nginx(self.path("root"), tls=self.ca.certificate(name, alternatives, days))
        return f"https://127.0.0.1:{server.tls_port}/f"

    def refused(self, *args):
        run = self.get("-s", "retry.backoff=10ms", *args)
        self.assert_code(run, 1)
        self.assert_final({})
        row = run.one()
        self.assertEqual((row["error"]["class"], row["attempts"]), ("tls", 1),
                         row["error"]["message"])
        return row["error"]["message"]

    def test_unknown_authority_is_refused_and_the_way_out_named(self):
        message = self.refused(self.serve("good", "IP:127.0.0.1"))
        self.assertIn("--insecure", message)
        self.assertIn("ca", message)

    def test_ca_file_makes_it_good(self):
        url = self.serve("good", "IP:127.0.0.1")
        self.assert_code(self.get("--ca-file", self.ca.ca, url), 0)
        self.assert_final({"f": b"secret words"})

    def test_insecure_takes_it(self):
        self.assert_code(self.get("--insecure", self.serve("good", "IP:127.0.0.1")), 0)
        self.assert_final({"f": b"secret words"})

    def test_wrong_host_is_refused(self):
        self.refused("--ca-file", self.ca.ca, self.serve("wrong", "DNS:other.example"))

    def test_expired_certificate_is_refused(self):
        self.refused("--ca-file", self.ca.ca, self.serve("old", "IP:127.0.0.1", days=-1))

    def test_plain_http_port_is_no_tls(self):
        server = self.nginx(self.path("root"))
        run = self.get("--retries", "0", f"https://127.0.0.1:{server.port}/f")
        self.assert_code(run, 1)
        self.assertIn(run.one()["error"]["class"], ("tls", "connect"))

    def test_missing_ca_file_is_said(self):
        run = self.get("--ca-file", self.path("nowhere.pem"), self.serve("good", "IP:127.0.0.1"))
        self.assertIn(run.code, (1, 2))
        self.assertIn("nowhere.pem", run.err + str(run.rows))

    def test_many_files_over_tls(self):
        for i in range(200):
            self.write(f"root/n{i}", f"body {i}")
        server = self.nginx(self.path("root"), tls=self.ca.certificate("good", "IP:127.0.0.1"))
        urls = self.list_of(f"https://127.0.0.1:{server.tls_port}/n{i}" for i in range(200))
        self.assert_code(self.get("--ca-file", self.ca.ca, "-i", urls), 0)
        self.assert_final({f"n{i}": f"body {i}".encode() for i in range(200)})

    def test_http_2_by_choice(self):
        # Many small ones after one another on each handle, and some that are not small.
        sizes = {i: 5000 if i % 50 == 0 else 3 for i in range(300)}
        for i, size in sizes.items():
            self.write(f"root/n{i}", f"body {i}" * size)
        server = self.nginx(self.path("root"), tls=self.ca.certificate("good", "IP:127.0.0.1"))
        urls = self.list_of(f"https://127.0.0.1:{server.tls_port}/n{i}" for i in sizes)
        self.assert_code(self.get("-s", "http.version=2", "--ca-file", self.ca.ca, "-i", urls), 0)
        self.assert_final({f"n{i}": (f"body {i}" * size).encode() for i, size in sizes.items()})
        self.assertEqual({line.split()[-1] for line in server.requests()}, {"HTTP/2.0"})


if __name__ == "__main__":
    main()

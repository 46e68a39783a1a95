"""Redirects are requests of their own: their host's limits, their origin's secrets, a policy."""
from harness import QUICK_RETRY, Case, body, main


class Hops(Case):
    def setUp(self):
        super().setUp()
        self.server = self.faults()

    def test_chain_is_followed_and_the_name_is_the_first_urls(self):
        for code in (301, 302, 303, 307, 308):
            with self.subTest(code=code):
                self.dir = self.path(f"out{code}")
                url = self.server.url("a", 100, f"redirect=/r/b/200/other%3Fx=1&code={code}",
                                      "first")
                run = self.get(url)
                self.assert_code(run, 0)
                self.assert_final({"first": body("b", 200)})
                row = run.one()
                self.assertEqual((row["final_url"], row["attempts"]),
                                 (f"{self.server.base}/r/b/200/other?x=1", 1))

    def test_ten_hops_are_the_most(self):
        self.assert_code(self.get(self.server.url("a", 100, "hops=10", "f")), 0)
        self.server.reset()
        run = self.get(self.server.url("a", 100, "hops=11", "g"))
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "redirect")
        self.assertEqual(len(self.server.log()), 11)

    def test_max_redirects_is_an_option(self):
        run = self.get("-s", "http.max_redirects=0", self.server.url("a", 100, "hops=1", "f"))
        self.assert_code(run, 1)
        self.assertEqual(len(self.server.log()), 1)

    def test_loop_ends(self):
        run = self.get(self.server.url("a", 100, "loop=1", "f"))
        self.assert_code(run, 1)
        self.assertLessEqual(len(self.server.log()), 12)
        self.assertEqual(run.one()["error"]["class"], "redirect")
        self.assert_final({})

    def test_redirect_to_a_failing_page_fails(self):
        run = self.get(self.server.url("a", 100, "redirect=/nothing", "f"))
        self.assert_code(run, 1)
        self.assertEqual((run.one()["error"]["class"], run.one()["http"]), ("http", 404))

    def test_target_of_a_hop_is_retried(self):
        target = "/r/b/200/x%3Fstatus=500%26first=2"
        run = self.get(*QUICK_RETRY, self.server.url("a", 100, f"redirect={target}", "f"))
        self.assert_code(run, 0)
        self.assert_final({"f": body("b", 200)})

    def test_cut_body_behind_a_redirect_goes_on(self):
        target = "/r/b/300000/x%3Fcut=100000%26cutn=1"
        run = self.get(*QUICK_RETRY, self.server.url("a", 100, f"redirect={target}", "f"))
        self.assert_code(run, 0)
        self.assert_final({"f": body("b", 300_000)})

    def test_hop_counts_in_its_own_hosts_limit(self):
        other = self.faults()
        target = f"{other.base}/r/b/200/x%3Fslowhead=60".replace(":", "%3A")
        urls = [self.server.url(f"s{i}", 10, f"redirect={target}%26n={i}",
                                f"n{i}") for i in range(40)]
        self.assert_code(self.get("--per-host", "3", "-j", "16", "-i", self.list_of(urls)), 0)
        self.assertLessEqual(other.stats()["in_flight_max"], 3)
        self.assertLessEqual(self.server.stats()["in_flight_max"], 3)


class Secrets(Case):
    def setUp(self):
        super().setUp()
        self.first = self.faults()
        self.other = self.faults()

    def headers(self, server):
        return [{key.lower(): value for key,
                 value in entry["headers"].items()} for entry in server.log()]

    def cross(self, *args, url=None):
        target = self.other.url("b", 200, name="x").replace(":", "%3A")
        run = self.get(*args, url or self.first.url("a", 100, f"redirect={target}", "f"))
        self.assert_code(run, 0)
        self.assert_final({"f": body("b", 200)})
        return run

    def test_user_and_headers_stay_with_their_origin(self):
        self.cross("--user", "me:pw", "-H", "X-Token: secret", "-H", "Authorization: Bearer t")
        self.assertEqual(self.headers(self.first)[0]["x-token"], "secret")
        there = self.headers(self.other)[0]
        self.assertNotIn("authorization", there)
        self.assertNotIn("x-token", there)

    def test_credentials_of_the_url_stay_with_their_origin(self):
        target = self.other.url("b", 200, name="x").replace(":", "%3A")
        url = self.first.url("a", 100, f"auth=me:pw&redirect={target}", "f")
        self.cross(url=url.replace("http://", "http://me:pw@"))
        self.assertIn("authorization", self.headers(self.first)[0])
        self.assertNotIn("authorization", self.headers(self.other)[0])

    def test_same_origin_hop_keeps_them(self):
        run = self.get("--user", "me:pw", self.first.url("a", 100, "auth=me:pw&hops=2", "f"))
        self.assert_code(run, 0)
        self.assertTrue(all("authorization" in head for head in self.headers(self.first)))

    def test_second_urls_origin_gets_none_and_it_is_said(self):
        run = self.get("--user", "me:pw", self.first.url("a", 100, name="f"),
                       self.other.url("b", 200, name="g"))
        self.assert_code(run, 0)
        self.assertIn("authorization", self.headers(self.first)[0])
        self.assertNotIn("authorization", self.headers(self.other)[0])
        self.assertIn("[host", run.err)

    def test_headers_of_a_record_stay_with_its_first_origin(self):
        target = self.other.url("b", 200, name="x").replace(":", "%3A")
        redirected = self.first.url("a", 100, f"redirect={target}", "f")
        missing = self.first.url("a", 200, "status=404", "f")
        for name, urls in (("redirect", redirected),
                           ("mirror", missing + "\t" + self.other.url("b", 200, name="m"))):
            with self.subTest(name):
                self.dir = self.path(name)
                self.first.reset()
                self.other.reset()
                given = self.write("list", f"{urls}\n  out=f\n  header=X-Token: secret\n".encode())
                self.assert_code(self.get("--format", "aria2", "-i", given), 0)
                self.assert_final({"f": body("b", 200)})
                self.assertEqual(self.headers(self.first)[0]["x-token"], "secret")
                self.assertNotIn("x-token", self.headers(self.other)[0])

    def test_no_referer_is_sent(self):
        self.cross()
        self.assertNotIn("referer", self.headers(self.other)[0])


class Policy(Case):
    def refused(self, target, *args):
        server = self.faults()
        run = self.get("--retries", "0", "-s", "http.connect_timeout=2s", *args,
                       server.url("a", 100, "redirect=" + target.replace(":", "%3A"), "f"))
        self.assert_code(run, 1)
        self.assert_final({})
        return run.one()["error"]

    def test_other_schemes(self):
        for target in ("ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1/",
                       "dict://127.0.0.1/"):
            with self.subTest(target=target):
                self.assertEqual(self.refused(target)["class"], "policy")

    def test_link_local_addresses(self):
        for target in ("http://169.254.169.254/latest/meta-data/", "http://169.254.0.1:8080/",
                       "http://[::ffff:169.254.169.254]/"):
            with self.subTest(target=target):
                error = self.refused(target)
                self.assertEqual(error["class"], "policy", error["message"])

    def test_loopback_to_loopback_is_allowed(self):
        one, two = self.faults(), self.faults(address="127.0.0.3")
        target = two.url("b", 200, name="x").replace(":", "%3A")
        self.assert_code(self.get(one.url("a", 100, f"redirect={target}", "f")), 0)
        self.assert_final({"f": body("b", 200)})

    def test_https_to_http_is_refused_unless_allowed(self):
        plain = self.faults()
        authority = self.authority()
        pair = authority.certificate("localhost", "DNS:localhost,IP:127.0.0.1")
        server = self.nginx(self.path(), tls=pair,
                            extra=f"location = /down {{ return 302 {plain.url('b', 200, name='x')}; }}")
        url = f"https://127.0.0.1:{server.tls_port}/down"
        run = self.get("-s", f"http.ca_file={authority.ca}", url)
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "policy")
        self.assertEqual(plain.log(), [])
        run = self.get("-s", f"http.ca_file={authority.ca}", "-s", "http.allow_downgrade=yes", url)
        self.assert_code(run, 0)
        self.assert_final({"down": body("b", 200)})


class Cookies(Case):
    def test_cookie_file_is_sent_to_its_host_only(self):
        one, two = self.faults(), self.faults(address="127.0.0.2")
        jar = self.write("jar",
                         "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue\n")
        run = self.get("-s", f"http.cookie_file={jar}", one.url("a", 10, name="a"),
                       two.url("b", 10, name="b"))
        self.assert_code(run, 0)
        self.assertEqual(one.log()[0]["headers"].get("Cookie"), "name=value")
        self.assertNotIn("Cookie", two.log()[0]["headers"])

    def test_without_a_cookie_file_none_is_kept(self):
        server = self.faults()
        run = self.get("-j", "1", server.url("a", 10, "setcookie=a%3Db", "a"),
                       server.url("b", 10, name="b"))
        self.assert_code(run, 0)
        self.assertTrue(all("Cookie" not in entry["headers"] for entry in server.log()))


if __name__ == "__main__":
    main()

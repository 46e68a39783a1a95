"""weir put --aws-sigv4: the signature, recomputed from what came by code that is not ours.

That code is itself checked against published vectors: of the test suite of AWS Signature Version 4,
and of the documentation of S3.
"""
import hashlib
import hmac
from urllib.parse import quote, unquote

from harness import QUICK_RETRY, body, main
from test_put import Put
from upload_server import UploadServer, take

ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
EMPTY = hashlib.sha256(b"").hexdigest()


def authorization(method, target, headers, signed, payload, key_id, secret, region, service):
    """The header that belongs to a request; `headers` with lower-case names."""
    path, _, query = target.partition("?")
    if service == "s3":
        path = quote(unquote(path), safe="/-._~")
    else:
        path = quote(path, safe="/-._~")
    pairs = []
    for pair in query.split("&") if query else []:
        name, _, value = pair.partition("=")
        pairs.append((quote(unquote(name), safe="-._~"), quote(unquote(value), safe="-._~")))
    canonical_query = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed)
    request = "\n".join([method, path, canonical_query, lines, ";".join(signed), payload])
    time = headers["x-amz-date"]
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", time, scope,
                         hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (time[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return (f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(signed)}, "
            f"Signature={signature}")


class TheCodeOfThisTest(Put):
    def test_published_vectors(self):
        suite = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
        for target, wanted in (
                ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
                ("/?Param2=value2&Param1=value1",
                 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
                ("/\u1234", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85")):
            found = authorization("GET", target, suite, ["host", "x-amz-date"], EMPTY, ID, SECRET,
                                  "us-east-1", "service")
            self.assertTrue(found.endswith("Signature=" + wanted), target)
        payload = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
        s3 = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z",
              "date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-content-sha256": payload,
              "x-amz-storage-class": "REDUCED_REDUNDANCY"}
        found = authorization("PUT", "/test$file.text", s3, sorted(s3), payload,
                              "AKIAIOSFODNN7EXAMPLE", SECRET.replace("+", "/"), "us-east-1", "s3")
        self.assertTrue(found.endswith(
            "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))


class Signed(Put):
    KEYS = {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET}

    def setUp(self):
        super().setUp()
        self.server = UploadServer(take)
        self.addCleanup(self.server.stop)

    def check(self, request, payload, region="eu-west-1", service="s3", secret=SECRET, key_id=ID):
        text = request.headers["authorization"]
        signed = text.split("SignedHeaders=")[1].split(",")[0].split(";")
        self.assertLessEqual({"host", "x-amz-date"}, set(signed))
        for name in request.headers:
            if name.startswith("x-amz-") or name in ("content-type", "content-md5"):
                self.assertIn(name, signed)
        self.assertEqual(text, authorization(request.method, request.target, request.headers,
                                             signed, payload, key_id, secret, region, service))

    def send(self, *args, scope="aws:amz:eu-west-1:s3", env=None, **kw):
        run = self.put(*QUICK_RETRY, "--aws-sigv4", scope, *args, env=env or self.KEYS, **kw)
        for text in (run.err, run.out.decode(), str(run.rows)):
            self.assertNotIn(SECRET, text)
        return run

    def test_files_are_signed_with_their_digest(self):
        data = body("f", 3_000_000)
        path = self.write("a +$&'()é%41.bin", data)
        run = self.send(path, self.server.base + "/bucket/x:y,z/")
        self.assert_code(run, 0)
        request = self.server.seen[0]
        self.assertEqual(bytes(request.data), data)
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual(request.headers["x-amz-content-sha256"], digest)
        self.check(request, digest)

    def test_pipes_are_signed_without(self):
        self.assert_code(self.send("-", self.server.base + "/b/f", input=b"from a pipe"), 0)
        request = self.server.seen[0]
        self.assertEqual(request.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD")
        self.check(request, "UNSIGNED-PAYLOAD")

    def test_query_is_signed_in_its_canonical_order(self):
        path = self.write("f", b"1")
        target = "/b/f?uploadId=x%2Fy&partNumber=2&a=&b&a-b=1&A=z~%7E"
        self.assert_code(self.send(path, self.server.base + target), 0)
        self.assertEqual(self.server.seen[0].target, target)
        self.check(self.server.seen[0], hashlib.sha256(b"1").hexdigest())

    def test_headers_of_the_store_are_signed(self):
        path = self.write("f", b"1")
        run = self.send(path, self.server.base + "/b/f", "-H", "X-Amz-Meta-B:  two   blanks ", "-H",
                        "x-amz-acl: private", "-H", "Content-Type: text/plain", "--send-digest",
                        "md5")
        self.assert_code(run, 0)
        self.check(self.server.seen[0], hashlib.sha256(b"1").hexdigest())

    def test_session_token_and_keys_of_the_command_line(self):
        path = self.write("f", b"1")
        env = self.KEYS | {"AWS_SESSION_TOKEN": "a/token=="}
        self.assert_code(self.send(path, self.server.base + "/b/f", env=env), 0)
        self.assertEqual(self.server.seen[0].headers["x-amz-security-token"], "a/token==")
        self.check(self.server.seen[0], hashlib.sha256(b"1").hexdigest())
        run = self.send(path, self.server.base + "/b/f", "--user", "other:secret", env=env)
        self.assert_code(run, 0)
        self.assertNotIn("x-amz-security-token", self.server.seen[1].headers)
        self.check(self.server.seen[1], hashlib.sha256(b"1").hexdigest(), secret="secret",
                   key_id="other")

    def test_other_services_see_the_path_encoded_once_more(self):
        path = self.write("f", b"1")
        run = self.send(path, self.server.base + "/a%20b/c", scope="aws:amz:us-east-1:execute-api")
        self.assert_code(run, 0)
        self.check(self.server.seen[0], hashlib.sha256(b"1").hexdigest(), "us-east-1",
                   "execute-api")

    def test_every_try_is_signed_anew_and_a_look_too(self):
        def answer(request):
            if request.method == "HEAD":
                request.reply(404)
            elif request.number == 2:
                request.body()
                request.reply(503)
            else:
                take(request)
        self.server.answer = answer
        run = self.send("--on-exist", "skip", self.write("f", b"1"), self.server.base + "/b/f")
        self.assert_code(run, 0)
        self.assertEqual([r.method for r in self.server.seen], ["HEAD", "PUT", "HEAD", "PUT"])
        for request in self.server.seen:
            payload = EMPTY if request.method == "HEAD" else hashlib.sha256(b"1").hexdigest()
            self.check(request, payload)

    def test_another_origin_gets_no_signature(self):
        other = UploadServer(take)
        self.addCleanup(other.stop)

        def move(request):
            request.body()
            request.reply(307, headers=(f"Location: {other.base}/there",))
        self.server.answer = move
        self.assert_code(self.send(self.write("f", b"1"), self.server.base + "/f"), 0)
        self.assertIn("authorization", self.server.seen[0].headers)
        self.assertNotIn("authorization", other.seen[0].headers)
        self.assertNotIn("x-amz-date", other.seen[0].headers)

    def test_downloads_are_signed_too(self):
        self.server.answer = lambda request: request.reply(200, b"body")
        run = self.get("--aws-sigv4", "aws:amz:eu-west-1:s3", self.server.base + "/b/f",
                       env=self.KEYS)
        self.assert_code(run, 0)
        self.check(self.server.seen[0], EMPTY)

    def test_missing_keys_and_bad_scopes_are_said_before_the_first_request(self):
        path = self.write("f", b"1")
        run = self.put("--aws-sigv4", "aws", path, self.server.base + "/f",
                       env={"AWS_ACCESS_KEY_ID": ""})
        self.assert_code(run, 2)
        self.assertIn("no keys to sign with", run.err)
        run = self.send(path, self.server.base + "/f", scope="aws:a:b:c:d")
        self.assert_code(run, 2)
        self.assertIn("more than four parts", run.err)
        self.assertEqual(self.server.seen, [])


if __name__ == "__main__":
    main()

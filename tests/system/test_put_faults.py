"""weir put against servers that break off, answer early, redirect, or want to be asked first."""
import os
import subprocess
import threading

from harness import QUICK_RETRY, SANITIZE, body, main, wait_until
from test_put import Put
from upload_server import UploadServer, take

BIG = 6_000_000  # more than sockets hold


class Faults(Put):
    def server(self, answer):
        server = UploadServer(answer)
        self.addCleanup(server.stop)
        return server

    def send(self, *args, **kw):
        return self.put(*QUICK_RETRY, *args, **kw)

    def big(self):
        data = body("big", BIG)
        return self.write("big", data), data


def interim(request):
    if request.headers.get("expect"):
        request.reply(100)


class Retries(Faults):
    def test_file_is_sent_again_after_a_cut(self):
        path, data = self.big()

        def cut_twice(request):
            interim(request)
            if request.number <= 2:
                request.body(1_000_000 * request.number)
                request.reset()
            else:
                take(request)
        server = self.server(cut_twice)
        run = self.send(path, server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual((run.one()["attempts"], run.one()["bytes"]), (3, BIG))
        self.assertEqual(bytes(server.seen[2].data), data)

    def test_new_try_of_a_small_file_asks_first(self):
        def cut_once(request):
            if request.number == 1:
                request.reset()
            else:
                take(request)
        server = self.server(cut_once)
        run = self.send(self.write("f", b"small"), server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual([r.headers.get("expect") for r in server.seen], [None, "100-continue"])

    def test_statuses_and_retry_after(self):
        answers = [503, 429, 500, 201]

        def answer(request):
            interim(request)
            request.body()
            request.reply(answers[request.number - 1], headers=("Retry-After: 0",))
        server = self.server(answer)
        run = self.send(self.write("f", b"data"), server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual((run.one()["attempts"], run.one()["http"]), (4, 201))
        self.assertEqual({bytes(r.data) for r in server.seen}, {b"data"})

    def test_name_that_the_try_before_still_holds_is_waited_for(self):
        def busy(request):
            interim(request)
            if request.number == 1:
                request.reset()
            elif request.number < 4:
                request.body()
                request.reply(409 if request.number == 2 else 423)
            else:
                take(request)
        server = self.server(busy)
        run = self.send(self.write("f", b"data"), server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual(run.one()["attempts"], 4)
        server = self.server(lambda request: (request.body(), request.reply(409)))
        run = self.send(self.write("f", b"data"), server.base + "/f")
        self.assert_code(run, 1)
        self.assertEqual(run.one()["attempts"], 1)

    def test_refusal_is_final_and_says_what_the_server_said(self):
        texts = {b"quota of 5 GB reached\nmore": "(it says: quota of 5 GB reached)",
                 b"<?xml?><Error><Code>AccessDenied</Code><Message>No\x1b[1m</Message>":
                     "(it says: AccessDenied: No\\x1b[1m)",
                 b"<html><body>403</body></html>": "403 Forbidden"}
        for text, said in texts.items():
            server = self.server(lambda request, text=text: (request.body(),
                                                             request.reply(403, text)))
            run = self.send(self.write("f", b"data"), server.base + "/f")
            self.assert_code(run, 1)
            row = run.one()
            self.assertEqual((row["attempts"], row["error"]["class"]), (1, "http"))
            self.assertTrue(row["error"]["message"].endswith(said), row)

    def test_pipe_that_has_not_been_touched_is_tried_again(self):
        def busy_once(request):
            if request.number == 1:
                request.reply(503, headers=("Connection: close",))
                request.close()
            else:
                take(request)
        server = self.server(busy_once)
        data = body("pipe", 2_000_000)
        run = self.send("-", server.base + "/f", input=data)
        self.assert_code(run, 0)
        self.assertEqual((run.one()["attempts"], len(server.seen[0].data)), (2, 0))
        self.assertEqual(bytes(server.seen[1].data), data)

    def test_pipe_of_which_some_has_gone_is_not(self):
        def cut(request):
            interim(request)
            request.body(100_000)
            request.reset()
        server = self.server(cut)
        run = self.send("-", server.base + "/f", input=body("pipe", BIG))
        self.assert_code(run, 1)
        error = run.one()["error"]
        self.assertEqual((error["class"], run.one()["attempts"]), ("connect", 1))
        self.assertRegex(error["message"],
                         r"not tried again, since \d+ bytes of standard input have gone")
        self.assertEqual(len(server.seen), 1)

    def test_dead_kept_connection_costs_no_attempt_and_no_byte(self):
        def second_is_not_heard(request):
            if getattr(request.connection, "used", False):
                request.body(1)
                request.reset()
            else:
                request.connection.used = True
                take(request)
        server = self.server(second_is_not_heard)
        for i in range(10):
            self.write(f"src/{i}", b"%d" % i * 100)
        run = self.send("-j", "1", self.path("src"), server.base + "/")
        self.assert_code(run, 0)
        self.assertEqual({row["attempts"] for row in run.rows}, {1})
        got = {r.target[1:]: bytes(r.data) for r in server.seen if r.whole}
        self.assertEqual(got, {str(i): b"%d" % i * 100 for i in range(10)})

    def test_pipe_goes_over_a_connection_of_its_own(self):
        server = self.server(take)
        rows = [f"{self.write('f', b'1')}\t{server.base}/f", f"-\t{server.base}/p"]
        run = self.send("-j", "1", "-i", self.write("l", "\n".join(rows)), input=b"from a pipe")
        self.assert_code(run, 0)
        self.assertEqual([bytes(r.data) for r in server.seen], [b"1", b"from a pipe"])
        self.assertIsNot(server.seen[0].connection, server.seen[1].connection)

    def test_stop_ends_it_at_once_and_says_so(self):
        begun = threading.Event()

        def wait(request):
            interim(request)
            request.body(1000)
            begun.set()
            request.body()
        server = self.server(wait)
        read_end, write_end = os.pipe()
        process = self.start("put", "-", server.base + "/f", "--progress", "none", stdin=read_end)
        os.close(read_end)
        os.write(write_end, b"x" * 2000)
        self.assertTrue(begun.wait(60))
        process.send_signal(2)
        _, err = process.communicate(timeout=60)
        os.close(write_end)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn(b"the same command begins anew", err)


class EarlyAnswers(Faults):
    def early(self, status, how, *args):
        def answer(request):
            request.body(300_000)
            request.reply(status, b"too much")
            {"reset": request.reset, "close": request.close, "read": request.body}[how]()
        path, _ = self.big()
        server = self.server(answer)
        run = self.send(path, server.base + "/f", *args)
        self.assert_code(run, 1)
        self.assertEqual((run.one()["http"], run.one()["error"]["class"]), (status, "http"))
        return server

    def test_refusal_in_the_middle_of_the_body_is_heard(self):
        for how in ("reset", "close", "read"):
            for status in (413, 401):
                with self.subTest(how=how, status=status):
                    self.early(status, how, "--expect", "no")

    def test_who_has_refused_is_sent_no_more(self):
        def refuse(request):
            request.body(300_000)
            request.connection.socket.sendall(
                b"HTTP/1.1 413 No\r\nConnection: close\r\n\r\nup to the end")
            request.body()
        path = self.write("f", body("f", 40_000_000))
        server = self.server(refuse)
        run = self.send(path, server.base + "/f", "--expect", "no")
        self.assert_code(run, 1)
        self.assertEqual(run.one()["http"], 413)
        self.assertFalse(server.seen[0].whole)

    def test_nothing_is_sent_to_who_refuses_when_asked(self):
        path, _ = self.big()
        server = self.server(lambda request: (request.reply(413), request.close()))
        run = self.send(path, server.base + "/f")
        self.assert_code(run, 1)
        self.assertEqual(run.one()["http"], 413)
        self.assertEqual(len(server.seen[0].data), 0)

    def test_refusal_is_heard_while_the_pipe_says_nothing(self):
        halt = threading.Event()

        def refuse(request):
            interim(request)
            request.body(5)
            halt.wait(0.3)
            request.reply(413)
        server = self.server(refuse)
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, write_end)
        os.write(write_end, b"hello")
        with os.fdopen(read_end, "rb") as source:
            run = self.send("-", server.base + "/f", stdin=source)
        self.assert_code(run, 1)
        self.assertEqual(run.one()["http"], 413)

    def test_success_before_the_body_is_there_is_none(self):
        def eager(request):
            request.body(1000)
            request.reply(200)
            request.reset()
        path, _ = self.big()
        run = self.send(path, self.server(eager).base + "/f", "--expect", "no", "--retries", "1")
        self.assert_code(run, 1)  # the reset may overtake the answer
        self.assertIn(run.one()["error"]["class"], ("truncated", "connect"))

    def test_success_that_is_told_early_lets_the_body_go_on(self):
        def eager(request):
            request.body(1000)
            request.reply(200)
        path, data = self.big()
        server = self.server(eager)
        run = self.send(path, server.base + "/f", "--expect", "no")
        self.assert_code(run, 0)
        wait_until("the body to arrive", lambda: server.seen[0].whole)
        self.assertEqual(bytes(server.seen[0].data), data)

    def test_answer_that_breaks_off_takes_success_not_back(self):
        def cut(request):
            request.body()
            request.connection.socket.sendall(
                b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf")
            request.close()
        server = self.server(cut)
        run = self.send(self.write("f", b"data"), server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual(len(server.seen), 1)

    def test_answer_without_end_is_cut(self):
        def endless(request):
            request.body()
            request.connection.socket.sendall(b"HTTP/1.1 201 Created\r\n\r\n")
            while True:
                request.connection.socket.sendall(b"x" * 65536)
        run = self.send(self.write("f", b"data"), self.server(endless).base + "/f")
        self.assert_code(run, 0)


class Expect(Faults):
    def test_server_that_never_says_100_gets_the_body_all_the_same(self):
        path, data = self.big()
        server = self.server(lambda request: (request.body(), request.reply(201)))
        run = self.send(path, server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual(server.seen[0].headers["expect"], "100-continue")
        self.assertEqual(bytes(server.seen[0].data), data)

    def test_417_is_asked_again_without(self):
        def strict(request):
            if request.headers.get("expect"):
                request.reply(417)
            else:
                take(request)
        path, data = self.big()
        server = self.server(strict)
        run = self.send(path, server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual(run.one()["attempts"], 1)
        self.assertEqual([r.headers.get("expect") for r in server.seen], ["100-continue", None])
        self.assertEqual(bytes(server.seen[1].data), data)

    def test_417_before_a_pipe_is_read(self):
        def strict(request):
            if request.headers.get("expect"):
                request.reply(417)
                request.close()
            else:
                take(request)
        server = self.server(strict)
        run = self.send("-", server.base + "/f", input=b"from a pipe")
        self.assert_code(run, 0)
        self.assertEqual(bytes(server.seen[1].data), b"from a pipe")

    def test_option_decides(self):
        small, (large, _) = self.write("f", b"1"), self.big()
        for args, path, wanted in ((["--expect", "yes"], small, "100-continue"),
                                   (["--expect", "no"], large, None), ([], small, None),
                                   ([], large, "100-continue")):
            server = self.server(take)
            self.assert_code(self.send(path, server.base + "/f", *args), 0)
            self.assertEqual(server.seen[0].headers.get("expect"), wanted)


class Redirects(Faults):
    def test_307_and_308_carry_the_body_on(self):
        path, data = self.big()
        target = self.server(take)
        for status in (307, 308):
            def move(request, status=status):
                request.body(200_000)
                request.reply(status, headers=(f"Location: {target.base}/there{status}",))
                request.body()
            server = self.server(move)
            run = self.send(path, server.base + "/f", "--expect", "no", "--user", "me:secret")
            self.assert_code(run, 0)
            self.assertEqual(run.one()["final_url"], f"{target.base}/there{status}")
            self.assertIn("authorization", server.seen[0].headers)
        self.assertEqual([bytes(r.data) for r in target.seen], [data, data])
        for request in target.seen:
            self.assertNotIn("authorization", request.headers)

    def test_others_carry_no_body_and_are_an_error(self):
        for status in (301, 302, 303):
            server = self.server(lambda request, status=status: request.reply(
                status, headers=("Location: /other",)))
            run = self.send(self.write("f", b"1"), server.base + "/f")
            self.assert_code(run, 1)
            self.assertEqual((run.one()["error"]["class"], run.one()["http"]),
                             ("redirect", status))
            self.assertIn(f"answered {status}, which sends no body on to {server.base}/other",
                          run.err)
            self.assertEqual(len(server.seen), 1)

    def test_pipe_is_carried_on_as_long_as_it_has_not_been_read(self):
        target = self.server(take)

        def move(request):
            if request.target == "/late":
                interim(request)
                request.body(10)
            request.reply(307, headers=(f"Location: {target.base}/there", "Connection: close"))
            request.close()
        server = self.server(move)
        run = self.send("-", server.base + "/early", input=b"0123456789abc")
        self.assert_code(run, 0)
        self.assertEqual(bytes(target.seen[0].data), b"0123456789abc")
        run = self.send("-", server.base + "/late", input=b"0123456789abc")
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "redirect")
        self.assertIn("of standard input have gone, which cannot be read a second time", run.err)


class ChangingFiles(Faults):
    """The file is written to when the server has had some of it; more than sockets hold is left."""

    def change(self, how):
        path, self.data = self.write("f", body("old", 40_000_000)), None
        if SANITIZE:
            path = self.write("f", body("old", 20_000_000))

        def answer(request):
            interim(request)
            if request.number == 1:
                request.body(100_000)
                how(path)
            take_rest(request)

        def take_rest(request):
            request.body()
            request.reply(201)
        server = self.server(answer)
        run = self.send(path, server.base + "/f")
        with open(path, "rb") as now:
            self.data = now.read()
        return server, run

    def check_sent_anew(self, how):
        server, run = self.change(how)
        self.assert_code(run, 0)
        self.assertFalse(server.seen[0].whole, "what had changed was passed off as whole")
        self.assertEqual(bytes(server.seen[1].data), self.data)
        self.assertEqual(run.one()["bytes"], len(self.data))

    def test_file_that_grows(self):
        def grow(path):
            with open(path, "ab") as out:
                out.write(b"more")
        self.check_sent_anew(grow)

    def test_file_that_shrinks(self):
        self.check_sent_anew(lambda path: os.truncate(path, 1_000_000))

    def test_file_that_is_written_to(self):
        def write(path):
            with open(path, "r+b") as out:
                out.write(b"xxxx")
        self.check_sent_anew(write)

    def test_file_that_changes_every_time_fails_by_name(self):
        path = self.write("f", body("old", 20_000_000))
        count = [0]

        def answer(request):
            interim(request)
            request.body(100_000)
            count[0] += 1
            with open(path, "ab") as out:
                out.write(b"more")
            request.body()
            request.reply(201)
        server = self.server(answer)
        run = self.send(path, server.base + "/f")
        self.assert_code(run, 4)
        self.assertEqual((run.one()["error"]["class"], len(server.seen)), ("checksum", 2))
        self.assertIn("changed while it was sent, from 20000004 to 20000008 bytes", run.err)

    def test_file_that_is_replaced_is_sent_as_it_was(self):
        old = body("old", 20_000_000)
        path = self.write("f", old)

        def answer(request):
            interim(request)
            request.body(100_000)
            self.write("new", b"another file")
            os.rename(self.path("new"), path)
            request.body()
            request.reply(201)
        server = self.server(answer)
        run = self.send(path, server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual(bytes(server.seen[0].data), old)


class Digests(Faults):
    def test_digests_stand_before_a_file(self):
        import base64
        import hashlib
        path, data = self.big()
        server = self.server(take)
        run = self.send(path, server.base + "/f", "--send-digest", "sha256,md5,sha512")
        self.assert_code(run, 0)
        sums = {name: base64.b64encode(hashlib.new(name, data).digest()).decode()
                for name in ("md5", "sha256", "sha512")}
        head = server.seen[0].headers
        self.assertEqual(head["repr-digest"], f"md5=:{sums['md5']}:, sha-256=:{sums['sha256']}:, "
                                              f"sha-512=:{sums['sha512']}:")
        self.assertEqual(head["content-md5"], sums["md5"])
        self.assertEqual(run.one()["digest"], {"sha512": hashlib.sha512(data).hexdigest()})

    def test_digest_of_a_pipe_follows_it(self):
        import base64
        import hashlib
        data = body("pipe", 1_500_000)
        server = self.server(take)
        run = self.send("-", server.base + "/f", "--send-digest", "sha256", input=data)
        self.assert_code(run, 0)
        request = server.seen[0]
        self.assertEqual(request.headers["trailer"], "Repr-Digest")
        sum_ = base64.b64encode(hashlib.sha256(data).digest()).decode()
        self.assertEqual(request.trailers, {"repr-digest": f"sha-256=:{sum_}:"})


class Precondition(Faults):
    def test_412_is_a_skip(self):
        def answer(request):
            if request.method == "HEAD":
                request.reply(404)
            elif request.headers.get("if-none-match") == "*":
                request.body()
                request.reply(412)
        server = self.server(answer)
        run = self.send("--on-exist", "skip", self.write("f", b"1"), server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual((run.one()["status"], run.one()["http"]), ("skipped", 412))

    def test_server_that_knows_no_head_is_asked_by_the_put(self):
        def answer(request):
            if request.method == "HEAD":
                request.reply(405)
            else:
                take(request)
        server = self.server(answer)
        run = self.send("--on-exist", "skip", self.write("f", b"1"), server.base + "/f")
        self.assert_code(run, 0)
        self.assertEqual([r.method for r in server.seen], ["HEAD", "PUT"])

    def test_head_that_is_refused_is_an_error(self):
        server = self.server(lambda request: request.reply(403))
        run = self.send("--on-exist", "skip", self.write("f", b"1"), server.base + "/f")
        self.assert_code(run, 1)
        self.assertEqual((run.one()["http"], len(server.seen)), (403, 1))


class Slow(Faults):
    def test_a_pipe_that_is_long_in_coming_is_no_stall(self):
        server = self.server(take)
        shell = "echo one; sleep 1.5; echo two"
        source = subprocess.Popen(["sh", "-c", shell], stdout=subprocess.PIPE)
        run = self.send("-s", "http.stall_timeout=500ms", "-", server.base + "/f",
                        stdin=source.stdout)
        source.stdout.close()
        source.wait()
        self.assert_code(run, 0)
        self.assertEqual((bytes(server.seen[0].data), run.one()["attempts"]), (b"one\ntwo\n", 1))

    def test_server_that_takes_nothing_has_stalled(self):
        halt = threading.Event()
        self.addCleanup(halt.set)

        def stuck(request):
            interim(request)
            halt.wait(60)
        path = self.write("f", body("f", 20_000_000))
        run = self.send("-s", "http.stall_timeout=500ms", "--retries", "0", path,
                        self.server(stuck).base + "/f")
        self.assert_code(run, 1)
        self.assertEqual(run.one()["error"]["class"], "stalled")
        self.assertIn("bytes were sent, and no answer", run.err)

    def test_server_that_takes_little_by_little_has_not(self):
        halt = threading.Event()
        self.addCleanup(halt.set)

        def slow(request):
            interim(request)
            for i in range(1, 20):
                request.body(100_000 * i)
                halt.wait(0.1)
            request.body()
            request.reply(201)
        path = self.write("f", body("f", 8_000_000))
        run = self.send("-s", "http.stall_timeout=1s", path, self.server(slow).base + "/f")
        self.assert_code(run, 0)
        self.assertEqual(run.one()["attempts"], 1)

    def test_limit_on_bytes_sends_every_byte_once(self):
        server = self.server(take)
        data = body("f", 300_000)
        for i in range(4):
            self.write(f"src/{i}", data)
        run = self.send("--bandwidth", "2M/s", self.path("src"), server.base + "/")
        self.assert_code(run, 0)
        self.assertEqual([bytes(r.data) == data for r in server.seen], [True] * 4)
        run = self.send("--bandwidth", "2M/s", "-", server.base + "/p", input=data)
        self.assert_code(run, 0)
        self.assertEqual(bytes(server.seen[4].data), data)


if __name__ == "__main__":
    main()

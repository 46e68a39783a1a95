"""`weir serve` under test, and a client that sends just what it is told."""
import os
import signal
import socket
import subprocess
import threading

from harness import Case, judge


class Answer:
    """The head of an answer, and its body where it was read."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.lines = lines[1:]
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            self.fields[name.lower()] = value
        self.body = body

    def __getitem__(self, name):
        return self.fields.get(name.lower())


class Client:
    """One connection; requests go out byte for byte as they are given."""

    def __init__(self, port, receive_buffer=None, wrap=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))
        if wrap:
            self.socket = wrap(self.socket)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def _more(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise EOFError(f"closed by the server after {self.rest[:200]}")
        self.rest += piece

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return Answer(head, None)

    def exactly(self, n):
        while len(self.rest) < n:
            self._more()
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def _line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def body(self, answer, method="GET"):
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return b""
        if answer["Transfer-Encoding"] == "chunked":
            out = b""
            while True:
                n = int(self._line(), 16)
                out += self.exactly(n)
                self.exactly(2)
                if n == 0:
                    return out
        return self.exactly(int(answer["Content-Length"]))

    def ask(self, target, *fields, method="GET", body=b"", version="HTTP/1.1"):
        lines = [f"{method} {target} {version}", "Host: weir.test", *fields]
        self.send("\r\n".join(lines) + "\r\n\r\n")
        if body:
            self.send(body)
        answer = self.head()
        while answer.status == 100:
            answer = self.head()
        answer.body = self.body(answer, method)
        return answer

    def at_end(self):
        """Has the server closed the connection? Waits for it."""
        try:
            return not self.rest and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()


class ServeCase(Case):
    def setUp(self):
        super().setUp()
        self.www = self.path("www")
        os.makedirs(self.www)

    def put_file(self, name, data, when=None):
        path = os.path.join(self.www, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)
        when = 1577836800 if when is None else when  # 2020-01-01: long enough ago for strong ETags
        os.utime(path, (when, when))
        return path

    def serve(self, *args, folder=None, quiet=False, **kw):
        """Starts `weir serve` on a port of the kernel's choice; self.port, self.base and
        self.server are set."""
        err = open(self.path("serve.err"), "wb")
        self.addCleanup(err.close)
        self.server = self.start("serve", folder or self.www, "--no-config", "--listen",
                                 "127.0.0.1:0", *args, stderr=err, **kw)
        line = self.server.stdout.readline().decode()
        if " at http" not in line:
            self.server.wait()
            raise AssertionError(f"weir serve did not start: {line}{self.said()}")
        self.base = line.split()[-1]
        self.port = int(self.base.rstrip("/").rsplit(":", 1)[1])
        self.addCleanup(self.end)
        return self.server

    def said(self):
        with open(self.path("serve.err"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def end(self, number=signal.SIGTERM, seconds=60):
        """Ends the server and judges how it ended."""
        if self.server.returncode is None:
            self.server.send_signal(number)
            timer = threading.Timer(seconds, self.server.kill)
            timer.start()
            self.server.wait()
            timer.cancel()
            judge(self.server.returncode, self.said())
            self.assertEqual(self.server.returncode, 128 + number, self.said())
        return self.server.returncode

    def client(self, **kw):
        client = Client(self.port, **kw)
        self.addCleanup(client.close)
        return client

    def ask(self, target, *fields, **kw):
        return self.client().ask(target, *fields, **kw)

    def run_tool(self, *command, input=None, cwd=None, timeout=120):
        done = subprocess.run(command, input=input, cwd=cwd or self.folder, timeout=timeout,
                              env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr[-2000:]}")
        return done.stdout

"""A raw HTTP server for uploads, which answers as a test says: early, late, never, or by a reset.

    server = UploadServer(answer)       # answer(request) is called for each head that has come
    request.method, .target, .headers   # names in lower case
    request.body(limit)                 # reads the body, `limit` bytes of it at most
    request.reply(201)                  # an answer; reply(100) is an interim one
    request.reset()                     # the connection is reset, whatever has come
    request.close()

What came is in server.seen, a request each, in order. One thread a connection; nothing is shared
but that list.
"""
import socket
import struct
import threading


class Gone(Exception):
    """The client has closed the connection."""


class Request:
    def __init__(self, server, connection, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            self.headers[name.strip().lower()] = value.strip()
        self.server, self.connection = server, connection
        self.data = bytearray()  # of the body
        self.trailers = {}
        self.whole = False      # the body came to its end
        self.ended = False      # no other request follows on this connection
        self.chunked = "chunked" in self.headers.get("transfer-encoding", "")
        self.length = int(self.headers.get("content-length", 0))
        self._chunk = 0

    def body(self, limit=None):
        """Reads on, to the end or until `limit` bytes are there; returns what there is."""
        while not self.whole and (limit is None or len(self.data) < limit):
            want = 1 << 16 if limit is None else min(1 << 16, limit - len(self.data))
            if self.chunked:
                self._read_chunk(want)
                continue
            left = self.length - len(self.data)
            if left:
                self.data += self.connection.some(min(left, want))
            self.whole = len(self.data) == self.length
        return self.data

    def _read_chunk(self, want):
        if not self._chunk:
            self._chunk = int(self.connection.line().split(b";")[0], 16)
            if not self._chunk:
                while True:
                    line = self.connection.line()
                    if not line:
                        break
                    name, value = line.decode("latin-1").split(":", 1)
                    self.trailers[name.strip().lower()] = value.strip()
                self.whole = True
                return
        piece = self.connection.some(min(self._chunk, want))
        self.data += piece
        self._chunk -= len(piece)
        if not self._chunk:
            self.connection.line()

    def reply(self, status, body=b"", headers=()):
        """A final answer without `close` among its headers keeps the connection."""
        head = [f"HTTP/1.1 {status} Something"]
        if status >= 200:
            head.append(f"Content-Length: {len(body)}")
        head += list(headers)
        text = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
        self.connection.socket.sendall(text + (b"" if self.method == "HEAD" else body))

    def reset(self):
        """What the client sends from now on meets a reset."""
        self.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.ended = True
        self.connection.socket.close()


class Connection:
    def __init__(self, sock):
        self.socket = sock
        self.buffer = b""

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise Gone
        self.buffer += data

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head

    def line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def some(self, most):
        if not self.buffer:
            self._more()
        data, self.buffer = self.buffer[:most], self.buffer[most:]
        return data


class UploadServer:
    def __init__(self, answer):
        self.answer = answer
        self.seen = []
        self._lock = threading.Lock()
        self._open = set()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.port = self._listener.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        connection = Connection(sock)
        try:
            while True:
                request = Request(self, connection, connection.head())
                with self._lock:
                    self.seen.append(request)
                    request.number = len(self.seen)
                self.answer(request)
                if request.ended:
                    return
                request.body()  # what was not read is passed over
        except (Gone, OSError):
            pass
        finally:
            sock.close()
            with self._lock:
                self._open.discard(sock)

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self._thread.join(10)


def take(request):
    """Takes the whole body and says so."""
    if request.headers.get("expect") == "100-continue":
        request.reply(100)
    request.body()
    request.reply(201)

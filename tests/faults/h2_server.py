"""A small HTTP/2 server over TLS, on python3-h2, that answers well or badly. One thread each
connection; the bodies and the face are those of faultd, so that the same trials can use it.

Faults, as a query by _set: `h2=NAME`, `at=BYTES` (of this answer), `first=K` (requests to a body).
"""
import select
import socket
import ssl
import struct
import threading
import time
import urllib.parse

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import harness

STEP = 16384


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class H2Server:
    def __init__(self, pair):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.base = f"https://127.0.0.1:{self.port}"
        self.lock = threading.Lock()
        self.standing, self.asked, self.entries, self.body_bytes = {}, 0, [], 0
        self.sockets = set()
        self.ended = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    # the face of faultd

    def url(self, seed, size, query="", name="", kind="r"):
        return f"{self.base}/{kind}/{seed}/{size}/{name}" + (f"?{query}" if query else "")

    def _page(self, name):
        query = name.partition("?")[2]
        with self.lock:
            self.standing = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            self.asked = 0

    def stats(self):
        return {"body_bytes": self.body_bytes, "requests": len(self.entries)}

    def log(self):
        with self.lock:
            return list(self.entries)

    def stop(self):
        self.ended = True
        self.listener.close()
        with self.lock:
            sockets = list(self.sockets)
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(10)

    # inside

    def _accept(self):
        while not self.ended:
            try:
                if not select.select([self.listener], [], [], 0.2)[0]:
                    continue
                plain, _ = self.listener.accept()
            except (OSError, ValueError):  # closed by stop
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            plain.settimeout(20)
            with self.context.wrap_socket(plain, server_side=True) as s:
                with self.lock:
                    self.sockets.add(s)
                try:
                    Connection(self, s).run()
                finally:
                    with self.lock:
                        self.sockets.discard(s)
        except (OSError, ssl.SSLError, h2.exceptions.ProtocolError, ValueError):
            pass
        finally:
            plain.close()

    def fault_of(self, path, query):
        """What befalls this request: {} = nothing."""
        if query:
            return {}
        with self.lock:
            self.asked += 1
            first = int(self.standing.get("first", 1 << 30))
            return dict(self.standing) if self.asked <= first else {}


class Stream:
    def __init__(self, data, fault):
        self.data, self.at, self.fault = data, 0, fault
        self.name = fault.get("h2", "cut" if "cut" in fault else "")
        self.stop = int(fault.get("at", fault.get("cut", 1 << 60)))


class Connection:
    def __init__(self, server, s):
        self.server, self.socket = server, s
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.streams = {}
        self.ended = False

    def flush(self, raw=b""):
        self.socket.sendall(self.h2.data_to_send() + raw)

    def run(self):
        self.socket.settimeout(20)
        self.h2.initiate_connection()
        self.flush()
        while not self.ended and not self.server.ended:
            busy = self.pump()
            if self.ended:
                return
            if not busy or self.socket.pending() or select.select([self.socket], [], [], 0)[0]:
                data = self.socket.recv(65536)
                if not data:
                    return
                for event in self.h2.receive_data(data):
                    self.on_event(event)
                self.flush()

    def on_event(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.answer(event.stream_id, dict(event.headers))
        elif isinstance(event, h2.events.StreamReset):
            self.streams.pop(event.stream_id, None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.ended = True

    def body_of(self, path):
        kind, seed, size = path.split("/")[1:4]
        data = harness.lines("t", seed, int(size)) if kind == "t" else harness.body(seed, int(size))
        etag = f'"{seed}"'
        return data, etag

    def answer(self, stream, headers):
        path, _, query = headers[":path"].partition("?")
        fault = self.server.fault_of(path, query)
        data, etag = self.body_of(path)
        status, more = "200", []
        wanted = headers.get("range", "")
        if wanted.startswith("bytes=") and headers.get("if-range", etag) == etag:
            first, _, last = wanted[6:].partition("-")
            first, last = int(first), int(last or len(data) - 1)
            last = min(last, len(data) - 1)
            if first > last:
                status, more, data = "416", [("content-range", f"bytes */{len(data)}")], b""
            else:
                more = [("content-range", f"bytes {first}-{last}/{len(data)}")]
                status, data = "206", data[first:last + 1]
        with self.server.lock:
            self.server.entries.append({"target": headers[":path"], "status": status, "headers": {
                key: value for key, value in headers.items() if not key.startswith(":")}})
        head = [(":status", status), ("content-length", str(len(data))), ("etag", etag),
                ("accept-ranges", "bytes"), *more]
        self.begin(stream, head, Stream(data, fault))

    def begin(self, stream, head, s):
        """The head, and what goes wrong before the body."""
        name = s.name
        if name == "rst-first":
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.flush()
            return
        if name == "refused":
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
            self.flush()
            return
        if name == "data-first":
            self.flush(frame(0, 0, stream, b"x" * 100))
            return
        if name == "silent":
            return
        if name == "goaway-first":
            self.h2.close_connection(last_stream_id=0)
            self.flush()
            self.ended = True
            return
        if name == "interim":
            for _ in range(5):
                self.h2.send_headers(stream, [(":status", "103"), ("link", "</x>")])
        if name == "header-flood":
            head += [(f"x-{i}", "v" * 200) for i in range(2000)]
        if name == "headers-200":
            head += [(f"x-{i}", "v" * 20) for i in range(200)]
        if name == "no-status":
            head = head[1:]
        if name == "status-text":
            head[0] = (":status", "2x0")
        if name == "two-lengths":
            head.append(("content-length", "5"))
        if name == "capitals":
            head.append(("X-Upper", "no"))
        if name == "length-too-large":
            head[1] = ("content-length", str(len(s.data) + 1000))
        if name == "length-too-small":
            head[1] = ("content-length", str(len(s.data) - 1000))
        self.h2.send_headers(stream, head)
        if name == "pings":
            self.flush(b"".join(frame(6, 0, 0, struct.pack(">Q", i)) for i in range(5000)))
        if name == "settings":
            self.flush(frame(4, 0, 0, b"") * 2000)
        if name == "window-overflow":
            self.flush(frame(8, 0, stream, struct.pack(">I", 0x7fffffff)) * 2)
        if name == "connection-window-overflow":
            self.flush(frame(8, 0, 0, struct.pack(">I", 0x7fffffff)) * 2)
        if name == "unknown-frames":
            self.flush(frame(0xbb, 0xff, stream, b"nobody knows") * 100)
        self.flush()
        self.streams[stream] = s

    def pump(self):
        """A step for each stream; False: all of them wait for the peer."""
        busy = False
        for stream, s in list(self.streams.items()):
            busy = self.step(stream, s) or busy
            if self.ended:
                return False
        return busy

    def step(self, stream, s):
        if s.at >= s.stop:
            return self.fault(stream, s)
        room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, STEP)
        if s.name == "padded":
            room -= 21
        n = min(room, len(s.data) - s.at, s.stop - s.at)
        if n <= 0 and s.at < len(s.data):
            return False
        if n > 0:
            if s.name == "length-too-small" or s.name == "two-lengths":
                self.flush(frame(0, 0, stream, s.data[s.at:s.at + n]))
            else:
                self.h2.send_data(stream, s.data[s.at:s.at + n],
                                  pad_length=20 if s.name == "padded" else None)
            s.at += n
            with self.server.lock:
                self.server.body_bytes += n
        if s.at >= len(s.data):
            self.streams.pop(stream)
            if s.name == "trailers":
                self.h2.send_headers(stream, [("x-trailer", "end")], end_stream=True)
            elif s.name == "goaway-kindly":
                self.h2.end_stream(stream)
                self.flush(frame(7, 0, 0, struct.pack(">II", stream, 0)))
            elif s.name == "end-not-said":
                pass
            else:
                self.h2.end_stream(stream)
        self.flush()
        return True

    def fault(self, stream, s):
        """What befalls the stream after its last byte; True: go on at once."""
        codes = h2.errors.ErrorCodes
        resets = {"cut": codes.INTERNAL_ERROR, "rst-no-error": codes.NO_ERROR,
                  "rst-cancel": codes.CANCEL, "rst-internal": codes.INTERNAL_ERROR,
                  "rst-calm": codes.ENHANCE_YOUR_CALM}
        self.streams.pop(stream, None)
        if s.name in resets:
            self.h2.reset_stream(stream, resets[s.name])
            self.flush()
        elif s.name == "end-early":
            self.flush(frame(0, 1, stream, b""))
        elif s.name == "goaway":
            self.flush(frame(7, 0, 0, struct.pack(">II", 0, codes.INTERNAL_ERROR)))
            self.ended = True
        elif s.name == "goaway-no-error":
            self.flush(frame(7, 0, 0, struct.pack(">II", 0, 0)))
            self.ended = True
        elif s.name == "close":
            self.ended = True
        elif s.name == "data-on-stream-0":
            self.flush(frame(0, 0, 0, b"nobody's"))
        elif s.name == "oversize-frame":
            self.flush(frame(0, 0, stream, b"z" * 70000))
        elif s.name == "bad-settings":
            self.flush(frame(4, 0, 0, b"abc"))
        elif s.name == "garbage":
            self.flush(b"\xff" * 200)
        elif s.name == "push":
            self.flush(frame(5, 4, stream, struct.pack(">I", 2)))
        elif s.name == "stall":
            time.sleep(0)  # nothing more comes; the connection lives
        else:
            raise ValueError(f"h2_server: {s.name} is no fault")
        return False

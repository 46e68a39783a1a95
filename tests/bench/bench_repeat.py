"""A body of any length without the disk space for it: one file, sent again and again.

Logs, and members of gzip and frames of zstd, may be put behind one another, so what arrives is a
log, or a compressed log, of that length. For one row; the others are served by nginx.
"""
import os
import socket
import threading

REQUEST_MAX = 65536


class RepeatServer:
    """Answers every request with the file `times` times over; `with` starts and ends it."""

    def __init__(self, path, times):
        self.file = open(path, "rb")
        self.size, self.times = os.fstat(self.file.fileno()).st_size, times
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.accept, daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/log"

    @property
    def total(self):
        return self.size * self.times

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(peer,), daemon=True).start()

    def answer(self, peer):
        with peer:
            try:
                if not peer.recv(REQUEST_MAX):
                    return
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                             b"Content-Length: %d\r\nConnection: close\r\n\r\n" % self.total)
                for _ in range(self.times):
                    at = 0
                    while at < self.size:
                        at += os.sendfile(peer.fileno(), self.file.fileno(), at, self.size - at)
            except OSError:
                pass # the client has seen enough; its figures tell

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        self.file.close()

"""`weir serve`: two hundred clients of a large file, and its memory."""
import os
import selectors
import socket

from harness import main, peak_kib, scaled
from serve_harness import ServeCase


class Scale(ServeCase):
    def test_two_hundred_clients_of_a_gigabyte_fit_into_32_mib(self):
        size = 1 << 30
        each = size if os.environ.get("WEIR_LONG") else scaled(1 << 26, 1 << 22)
        with open(os.path.join(self.www, "sparse"), "wb") as out:
            out.truncate(size)
        self.serve()
        ready, left, got = selectors.DefaultSelector(), 200, {}
        room = bytearray(1 << 20)
        for _ in range(left):
            client = self.client()
            client.send("GET /sparse HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            client.socket.setblocking(False)
            ready.register(client.socket, selectors.EVENT_READ)
            got[client.socket] = 0
        while left:
            for key, _ in ready.select(60):
                # MSG_TRUNC: the kernel throws away what it would have copied (tcp(7))
                n = key.fileobj.recv_into(room, 0, socket.MSG_TRUNC)
                got[key.fileobj] += n
                if n == 0 or (each < size and got[key.fileobj] >= each):
                    ready.unregister(key.fileobj)
                    left -= 1
        self.assertGreaterEqual(min(got.values()), each)
        peak = peak_kib(self.server.pid)
        print(f"{sum(got.values()) >> 20} MiB to 200 clients; peak {peak} KiB", flush=True)
        if scaled(True, False):
            self.assertLess(peak, 32 * 1024)


if __name__ == "__main__":
    main()

"""What `weir put` sends to `weir serve --upload`, `weir get` brings back, under cuts.

Between them stands a gate that cuts connections in the middle of bodies, both ways.
"""
import os
import random
import re
import select
import socket
import struct
import subprocess
import threading

from harness import COMMAND, QUICK_RETRY, body, main, scaled
from test_put import Put


class Gate:
    """Passes connections on to `port`; resets `cuts` of them when they have carried so much."""

    def __init__(self, port, cuts, after):
        self.target, self.left, self.after = port, cuts, after
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.carry, args=(client,), daemon=True))
            self.threads[-1].start()

    def carry(self, client):
        limit, moved = self.after(), 0
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            other = {client: server, server: client}
            try:
                while True:
                    for end in select.select([client, server], [], [])[0]:
                        data = end.recv(1 << 16)
                        if not data:
                            return
                        moved += len(data)
                        with self.lock:
                            cut = self.left > 0 and moved > limit
                            self.left -= cut
                        if cut:
                            for socket_ in other:
                                socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                   struct.pack("ii", 1, 0))
                            return
                        other[end].sendall(data)
            except OSError:
                return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(10)


class RoundTrip(Put):
    def serve(self):
        process = subprocess.Popen(
            [COMMAND, "serve", self.root, "--listen", "127.0.0.1:0", "--upload"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        for line in process.stdout:
            found = re.search(rb"http://127\.0\.0\.1:(\d+)/", line)
            if found:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return int(found[1])
        raise AssertionError("weir serve ended without saying where it listens")

    def test_tree_goes_up_and_comes_back_under_cuts(self):
        port = self.serve()
        rng = random.Random(1)
        sizes = [0, 1, 100, 70_000, 1_000_000, scaled(20_000_000, 5_000_000)]
        files = {f"sub {i}/é+%41 {i}.bin": body(f"r{i}", size) for i, size in enumerate(sizes)}
        for name, data in files.items():
            self.write(os.path.join("src", name), data)
        for cuts in (0, 10):
            with self.subTest(cuts=cuts):
                gate = Gate(port, cuts, lambda: rng.randrange(300_000))
                self.addCleanup(gate.stop)
                base = f"http://127.0.0.1:{gate.port}/up{cuts}/"
                run = self.put(*QUICK_RETRY, "--retries", "20", self.path("src"), base)
                self.assert_code(run, 0)
                self.assertEqual(self.files(os.path.join(self.root, f"up{cuts}")), files)
                gate.left = cuts
                self.dir = self.path(f"out{cuts}")
                rows = "".join(f"{row['url']}\t{i}\n" for i, row in enumerate(run.rows))
                back = self.get(*QUICK_RETRY, "--retries", "20", "-i",
                                self.write("back.tsv", "url\tname\n" + rows))
                self.assert_code(back, 0)
                sent = {str(i): files[os.path.relpath(row["path"], self.path("src"))]
                        for i, row in enumerate(run.rows)}
                self.assert_final(sent)

    def test_pipe_goes_up_and_comes_back(self):
        port = self.serve()
        data = body("pipe", 3_000_000)
        url = f"http://127.0.0.1:{port}/deep/er/pipe"
        self.assert_code(self.put("-", url, input=data), 0)
        self.assert_code(self.get(url), 0)
        self.assert_final({"pipe": data})

    def test_pipe_that_breaks_off_leaves_no_name(self):
        port = self.serve()
        gate = Gate(port, 100, lambda: 200_000)
        self.addCleanup(gate.stop)
        run = self.put(*QUICK_RETRY, "-", f"http://127.0.0.1:{gate.port}/pipe",
                       input=body("pipe", 3_000_000))
        self.assert_code(run, 1)
        self.assertNotIn("pipe", self.arrived())


if __name__ == "__main__":
    main()

"""TLS that must not be trusted or breaks, names that do not resolve, and networks that go away.

What needs a network of its own runs in `unshare -n` (as root, or with -r in a user namespace): the
trial starts itself again there, with its servers, so that nothing outside is touched.
"""
import functools
import os
import ssl
import subprocess
import sys
import threading
import time

import harness
from h2_server import H2Server
from harness import tool
from trial_lab import OK, authority, certificate, code_of, hard, requests, set_faults

SIZE = 300_000


def seeds(lab):
    return f"t{lab.chance.getrandbits(48):x}"


class TlsServer(H2Server):
    """HTTP/1.1 over TLS by hand: as much as these trials ask of it."""

    def __init__(self, pair, protocols=("http/1.1",), versions=None):
        super().__init__(pair)
        self.context.set_alpn_protocols(list(protocols))
        if versions:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            self.context.minimum_version, self.context.maximum_version = versions
        self.cut_handshake = 0

    def use(self, pair):
        self.context.load_cert_chain(*pair)

    def _serve(self, plain):
        if self.cut_handshake > 0:
            self.cut_handshake -= 1
            plain.recv(50)
            plain.close()
            return
        try:
            plain.settimeout(20)
            with self.context.wrap_socket(plain, server_side=True) as s:
                self.exchange(s)
        except (OSError, ssl.SSLError):
            pass
        finally:
            plain.close()

    def exchange(self, s):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = s.recv(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            first, *fields = head.decode("latin-1").split("\r\n")
            headers = dict(field.lower().split(": ", 1) for field in fields)
            path = first.split()[1]
            _, seed, size = path.split("/")[1:4]
            body = harness.body(seed, int(size))
            start = 0
            if headers.get("range", "").startswith("bytes="):
                start = int(headers["range"][6:].rstrip("-"))
            with self.lock:
                self.entries.append({"target": path, "headers": headers, "status": 200})
                cut = int(self.standing.get("cut", 1 << 40))
            part = f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}\r\n" if start else ""
            s.sendall(f"HTTP/1.1 {206 if start else 200} OK\r\nETag: \"{seed}\"\r\n{part}"
                      f"Accept-Ranges: bytes\r\n"
                      f"Content-Length: {len(body) - start}\r\n\r\n".encode())
            s.sendall(body[start:start + cut])
            if cut < len(body) - start:
                return


class Fetch:
    """One file from one server, over and over."""

    def __init__(self, lab, url, data, *args):
        self.lab, self.url, self.args = lab, url, args
        self.reference = {"f": data}

    def run(self, wanted, *more, under=()):
        lab = self.lab
        run = lab.weir("get", "--retries", "1", "-s", "http.connect_timeout=2s", "-s",
                       "http.stall_timeout=1s", "-d", lab.dir, *self.args, *more, self.url,
                       under=under)
        row = run.one()
        found = row["error"]["class"] if row.get("error") else OK
        hard(found in wanted, f"I3: {found} instead of {wanted}: {row.get('error')}")
        hard(run.code in code_of({found} - {OK}), f"I3: exit code {run.code} with {found}")
        names = lab.only_right_names(self.reference)
        hard(bool(names) == (found == OK), f"I1: {sorted(names)} with {found}")
        return row


def tls(lab, pair, args, wanted, versions=None):
    """Refused for good, at once; and with a good certificate the same command has its file."""
    server = TlsServer(certificate(*pair), versions=versions)
    lab.addCleanup(server.stop)
    seed = seeds(lab)
    fetch = Fetch(lab, server.url(seed, SIZE, "", "f"), harness.body(seed, SIZE),
                  *[arg.replace("{ca}", authority().ca) for arg in args])
    row = fetch.run((wanted,))
    if wanted == "tls":
        hard(row["attempts"] == 1, f"a certificate does not mend: {row['attempts']} attempts")
        hard(not requests(server), "a request went out, over what cannot be trusted")
    if not versions:
        server.use(certificate("good"))
        if "{ca}" in args:
            fetch.run((OK,))


def cut_handshake(lab, times, wanted):
    server = TlsServer(certificate("good"))
    lab.addCleanup(server.stop)
    seed = seeds(lab)
    fetch = Fetch(lab, server.url(seed, SIZE, "", "f"), harness.body(seed, SIZE), "--ca-file",
                  authority().ca)
    server.cut_handshake = times
    fetch.run(wanted)
    server.cut_handshake = 0
    fetch.run((OK,))


def swap(lab, other):
    """A part is there; the rest is to come from a server with another certificate."""
    server = TlsServer(certificate("good"))
    lab.addCleanup(server.stop)
    seed = seeds(lab)
    fetch = Fetch(lab, server.url(seed, SIZE, "", "f"), harness.body(seed, SIZE), "--ca-file",
                  authority().ca)
    set_faults(server, "cut=100000")
    fetch.run(("truncated",))
    kept = len(lab.partial_files()["f.part"])
    set_faults(server)
    server.use(certificate(*other))
    fetch.run(("tls",))
    hard(len(lab.partial_files().get("f.part", b"")) == kept, "I4: the part of before is gone")
    server.use(certificate("good"))
    row = fetch.run((OK,))
    hard(row["resumed_from"] == kept, f"I4: went on at {row['resumed_from']} instead of {kept}")


def name(lab, host, wanted):
    fetch = Fetch(lab, f"http://{host}/f", b"")
    fetch.run(wanted)


# ---- in a network of its own ----

def inside(lab, what):
    """Starts this file again in a network namespace; what it prints is what went wrong."""
    first = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    done = subprocess.run([tool(first[0]), first[1], sys.executable, "-B", __file__, what,
                           str(lab.chance.getrandbits(32)), lab.folder],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
    hard(done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2500:])


def ip(*words):
    subprocess.run([tool("ip"), *words], check=True)


def blackhole(lab):
    """An address whose packets vanish: `timeout`, not more than http.connect_timeout long."""
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("addr", "add", "192.0.2.1/24", "dev", "v0")
    ip("link", "set", "v0", "arp", "off", "up")
    ip("link", "set", "v1", "up")
    began = time.monotonic()
    Fetch(lab, "http://192.0.2.77/f", b"").run(("timeout",))
    hard(time.monotonic() - began < 30, "it took longer than the time-outs allow")


def unreachable(lab):
    Fetch(lab, "http://192.0.2.77/f", b"").run(("connect",))


def flaps(lab):
    """The link goes down and comes back, several times in a transfer: the body is the right one."""
    seed = seeds(lab)
    size = 3_000_000
    server = lab.faults()
    fetch = Fetch(lab, server.url(seed, size, "drip=16384/5", "f"), harness.body(seed, size))
    stop = threading.Event()

    def flap():
        while not stop.wait(lab.chance.uniform(0.05, 0.3)):
            ip("link", "set", "lo", "down")
            stop.wait(lab.chance.uniform(0.02, 1.2))
            ip("link", "set", "lo", "up")
    flapper = threading.Thread(target=flap)
    flapper.start()
    try:
        fetch.run((OK, "truncated", "stalled", "connect", "timeout"), "--retries", "30", "-s",
                  "http.connect_timeout=500ms")
    finally:
        stop.set()
        flapper.join()
    ip("link", "set", "lo", "up")
    lab.weir("get", "-d", lab.dir, fetch.url)
    hard(sorted(lab.only_right_names(fetch.reference)) == ["f"], "I4: it does not converge")
    lab.nothing_left()


def down(lab):
    """The link is down for good in the middle of a body; when it is back, the rest is fetched."""
    seed = seeds(lab)
    size = 3_000_000
    server = lab.faults()
    fetch = Fetch(lab, server.url(seed, size, "drip=16384/5", "f"), harness.body(seed, size))
    timer = threading.Timer(0.3, ip, ("link", "set", "lo", "down"))
    timer.start()
    fetch.run(("stalled", "connect", "timeout", "truncated"), "-s", "http.connect_timeout=500ms")
    timer.join()
    kept = len(lab.partial_files().get("f.part", b""))
    ip("link", "set", "lo", "up")
    row = fetch.run((OK,))
    hard(row["resumed_from"] == kept, f"I4: went on at {row['resumed_from']} instead of {kept}")


INSIDE = {"blackhole": blackhole, "unreachable": unreachable, "flaps": flaps, "down": down}
OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
CA = ("--ca-file", "{ca}")
TLS = {
    "good": (("good",), CA, OK),
    "unknown-authority": (("good",), (), "tls"),
    "expired": (("old", "IP:127.0.0.1", -1), CA, "tls"),
    "wrong-host": (("wrong", "DNS:other.example"), CA, "tls"),
    "wrong-address": (("wrong2", "IP:127.0.0.2"), CA, "tls"),
    "name-only-in-the-subject": (("127.0.0.1", "DNS:x.example"), CA, "tls"),
    "wildcard-does-not-match": (("wild", "DNS:*.example.org"), CA, "tls"),
    "insecure-takes-it": (("old", "IP:127.0.0.1", -1), ("--insecure",), OK),
}


def trials(plan):
    for name_, (pair, args, wanted) in TLS.items():
        pair = pair if len(pair) == 3 else (*pair, *("IP:127.0.0.1", 30)[len(pair) - 1:])
        yield name_, functools.partial(tls, pair=pair, args=args, wanted=wanted)
    yield "old-protocol", functools.partial(tls, pair=("good", "IP:127.0.0.1", 30), args=CA,
                                            wanted="tls", versions=OLD)
    yield "handshake-cut-once", functools.partial(cut_handshake, times=1, wanted=(OK,))
    yield "handshake-cut", functools.partial(cut_handshake, times=99, wanted=("connect", "tls"))
    yield "swapped-for-expired", functools.partial(swap, other=("old", "IP:127.0.0.1", -1))
    yield "swapped-for-other-host", functools.partial(
        swap, other=("wrong", "DNS:other.example", 30))
    yield "name-that-is-not", functools.partial(name, host="nobody.invalid", wanted=("dns",))
    yield "name-too-long", functools.partial(name, host="a" * 64 + ".invalid",
                                             wanted=("dns", "input"))
    yield "name-of-300-bytes", functools.partial(name, host=".".join(["a" * 59] * 5),
                                                 wanted=("dns", "input"))
    yield "name-is-empty-label", functools.partial(name, host="a..invalid",
                                                   wanted=("dns", "input"))
    for what in INSIDE:
        repeat = 20 if plan.long and what in ("flaps", "down") else 1
        for i in range(repeat):
            yield f"net-{what}-{i}", functools.partial(inside, what=what)


def main():
    import random
    import tempfile

    from trial_lab import Lab
    tempfile.tempdir = sys.argv[3]
    ip("link", "set", "lo", "up")
    lab = Lab(random.Random(int(sys.argv[2])), False)
    try:
        lab.setUp()
        INSIDE[sys.argv[1]](lab)
    except AssertionError as broken:
        print(broken)
        return 1
    finally:
        lab.doCleanups()
    return 0


if __name__ == "__main__":
    sys.exit(main())

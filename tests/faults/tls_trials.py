"""TLS that must not be trusted or breaks, names that do not resolve, and networks that go away.

What needs a network of its own runs in `unshare -n` (as root, or with -r in a user namespace): the
trial starts itself again there, with its servers, so that nothing outside is touched.
"""
import functools
import http.server
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

import harness
from h2_server import H2Server
from harness import tool
from trial_lab import (OK, authority, certificate, code_of, hard, must, requests,
                       set_faults)

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


def trusted(lab):
    """A server with a good certificate, and one file of it."""
    server = TlsServer(certificate("good"))
    lab.addCleanup(server.stop)
    seed = seeds(lab)
    return server, Fetch(lab, server.url(seed, SIZE, "", "f"), harness.body(seed, SIZE),
                         "--ca-file", authority().ca)


def cut_handshake(lab, times, wanted):
    server, fetch = trusted(lab)
    server.cut_handshake = times
    fetch.run(wanted)
    server.cut_handshake = 0
    fetch.run((OK,))


def swap(lab, other):
    """A part is there; the rest is to come from a server with another certificate."""
    server, fetch = trusted(lab)
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


def self_signed(lab):
    """A certificate that vouches for itself, with the right name in it."""
    cert, key = lab.path("self.pem"), lab.path("self.key")
    must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert)
    server = TlsServer((cert, key))
    lab.addCleanup(server.stop)
    seed = seeds(lab)
    fetch = Fetch(lab, server.url(seed, SIZE, "", "f"), harness.body(seed, SIZE))
    fetch.run(("tls",))
    hard(not requests(server), "a request went out, over what cannot be trusted")
    fetch.run((OK,), "--ca-file", cert)


def name(lab, host, wanted):
    fetch = Fetch(lab, f"http://{host}/f", b"")
    fetch.run(wanted)


# ---- in a network of its own ----

def inside(lab, what):
    """Starts this file again in a network namespace; what it prints is what went wrong."""
    first = ["unshare", "-nm"] if os.geteuid() == 0 else ["unshare", "-rnm"]
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


class NameServer(threading.Thread):
    """DNS by hand, for any name: `answer` says how. The network's only one."""
    HEALTHY = "address"

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.answer, self.chance, self.asked = self.HEALTHY, lab.chance, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        must("mount", "--bind", lab.write("resolv.conf", "nameserver 127.0.0.1\n"
                                          "options timeout:1 attempts:1\n"), "/etc/resolv.conf")
        self.start()

    def run(self):
        while True:
            query, sender = self.socket.recvfrom(2000)
            self.asked += 1
            reply = getattr(self, self.answer)(query)
            if reply:
                self.socket.sendto(reply, sender)

    @staticmethod
    def reply(query, code, records=()):
        end = query.index(b"\0", 12) + 5
        head = query[:2] + bytes((0x81, 0x80 | code, 0, 1, 0, len(records), 0, 0, 0, 0))
        return head + query[12:end] + b"".join(records)

    def address(self, query):
        wants_a = query[query.index(b"\0", 12) + 1:][:2] == b"\0\1"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + bytes((127, 0, 0, 1))
        return self.reply(query, 0, [record] if wants_a else [])

    def silence(self, query):
        return None

    def failure(self, query):
        return self.reply(query, 2)

    def nobody(self, query):
        return self.reply(query, 3)

    def nothing(self, query):
        return self.reply(query, 0)

    def refusal(self, query):
        return self.reply(query, 5)

    def garbage(self, query):
        return query[:2] + self.chance.randbytes(60)

    def cut(self, query):
        return self.address(query)[:-2]

    def endless(self, query):
        """A name that goes on where it begins."""
        return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + b"\xc0\x0c" + query[-4:] + \
            b"\xc0\x0c\0\5\0\1\0\0\0\0\0\2\xc0\x0c"

    def late(self, query):
        return self.address(query) if self.asked > 4 else None


def names_fail(lab):
    """A name server that fails in each way, and then answers: each time the same command."""
    server, names, seed = lab.faults(), NameServer(lab), seeds(lab)
    url = server.url(seed, SIZE, "", "f").replace("127.0.0.1", "files.example")
    fetch = Fetch(lab, url, harness.body(seed, SIZE), "-s", "http.connect_timeout=4s")
    for answer in ("silence", "failure", "nobody", "nothing", "refusal", "garbage", "cut",
                   "endless"):
        names.answer = answer
        fetch.run(("dns", "timeout"))
    hard(not requests(server), "something was asked for, without an address")
    names.answer, names.asked = "late", 0
    fetch.run((OK,), "--retries", "6")


class LeadsOn(http.server.BaseHTTPRequestHandler):
    """/f leads to another server; anything else is the body."""

    def do_GET(self):
        server = self.server
        server.asked += 1
        self.send_response(302 if self.path == "/f" else 200)
        self.send_header("Location", server.target)
        self.send_header("Content-Length", "0" if self.path == "/f" else str(len(server.body)))
        self.end_headers()
        if self.path != "/f":
            self.wfile.write(server.body)

    def log_message(self, *args):
        pass


def private(lab):
    """From a public host to private ones: `policy`, unless it is allowed by name."""
    servers = []
    for address in ("8.8.8.8", "127.0.0.1", "10.9.8.7", "192.168.7.7", "172.16.3.3", "100.64.0.9"):
        ip("addr", "replace", address + "/32", "dev", "lo")
        server = http.server.ThreadingHTTPServer((address, 8000), LeadsOn)
        server.asked, server.target, server.body = 0, "", harness.body(address, 5000)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    public = servers[0]
    for server in servers[1:]:
        address = server.server_address[0]
        public.target = f"http://{address}:8000/x"
        fetch = Fetch(lab, "http://8.8.8.8:8000/f", server.body)
        fetch.run(("policy",))
        hard(server.asked == 0, f"{address} was asked, from a public host")
        fetch.run((OK,), "--allow-private")
        os.unlink(os.path.join(lab.dir, "f"))


INSIDE = {"blackhole": blackhole, "unreachable": unreachable, "flaps": flaps, "down": down,
          "names": names_fail, "private": private}
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
    yield "self-signed", self_signed
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

"""What the system tests stand on: servers, the command under test, and what must always hold.

Every test has a folder of its own and starts its own servers on ports that the kernel chose. A
server is ended through its handle, never by name. A test that cannot run has failed.

From the environment (tests/system/CMakeLists.txt): WEIR_COMMAND, WEIR_FAULTD, WEIR_FAULTBODY,
WEIR_SANITIZE (empty, "address,undefined" or "thread"), WEIR_SOURCE_DIR, WEIR_BUILD_DIR.
"""
import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

COMMAND = os.environ.get("WEIR_COMMAND", "weir")
FAULTD = os.environ.get("WEIR_FAULTD", "faultd")
SOURCE = os.environ.get("WEIR_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BUILD = os.environ.get("WEIR_BUILD_DIR", "")
SANITIZE = os.environ.get("WEIR_SANITIZE", "")
SANITIZER_EXIT = 99
QUICK_RETRY = ["-s", "retry.backoff=10ms", "-s", "retry.backoff_max=50ms"]
FAST = ["-s", "retry.backoff=1ms", "-s", "retry.backoff_max=2ms", "--progress", "none",
        "--per-host", "16", "-s", "save.durability=none"]  # for runs of many small bodies
# how the fault server goes on after a cut
SERVERS = {"ranges": "", "no ranges": "norange=1", "no validators": "etag=none&lm=none",
           "chunked": "chunked=1", "reset": "cuthow=rst"}
LAST_MODIFIED = 1577836800  # of every body of the fault server: 2020-01-01


def scaled(plain, sanitized):
    """A number of things, fewer where a sanitizer makes each of them slow."""
    return sanitized if SANITIZE else plain


_bodies = ctypes.CDLL(os.environ["WEIR_FAULTBODY"])
_bodies.fault_seed.restype = ctypes.c_uint64
_bodies.fault_fill.argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t]
_bodies.lines_stock_new.restype = ctypes.c_void_p
_bodies.lines_fill.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p,
                               ctypes.c_size_t]
_stocks = {}


def body(seed, size, version=0):
    """The body of /r/SEED/SIZE; version 1 is what `etag=change` serves later on."""
    text = seed.encode()
    number = _bodies.fault_seed(ctypes.c_char_p(text), ctypes.c_size_t(len(text)))
    out = ctypes.create_string_buffer(size + 1)
    _bodies.fault_fill((number + version) % 2**64, 0, out, size)
    return out.raw[:size]


def lines(kind, seed, size, start=0, version=0):
    """Bytes from `start` on of the body of /t/SEED/... (kind "t") or /j/SEED/... (kind "j")."""
    if kind not in _stocks:
        _stocks[kind] = _bodies.lines_stock_new("tj".index(kind))
    text = seed.encode()
    number = _bodies.fault_seed(ctypes.c_char_p(text), ctypes.c_size_t(len(text)))
    out = ctypes.create_string_buffer(size + 1)
    _bodies.lines_fill(_stocks[kind], (number + version) % 2**64, start, out, size)
    return out.raw[:size]


def wait_until(what, condition, seconds=20.0):
    """Waits for an event that can only be looked for."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.005)


def peak_kib(pid):
    """The most memory that a process has had so far (VmHWM); 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/status") as text:
            return max((int(line.split()[1]) for line in text if line.startswith("VmHWM")), default=0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def faulty(*faults):
    """One query of several, empty ones left out."""
    return "&".join(fault for fault in faults if fault)


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    import socket
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class FaultServer:
    def __init__(self, *args, address="127.0.0.1", port=0):
        self.process = subprocess.Popen(
            [FAULTD, "--port", str(port), "--bind", address, *args], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        line = self.process.stdout.readline().split()
        if len(line) != 2:
            raise AssertionError(f"faultd did not start: {line}")
        self.port = int(line[1])
        self.address = address
        self.base = f"http://{address}:{self.port}"

    def url(self, seed, size, query="", name="", kind="r"):
        tail = f"/{name}" if name else ""
        return f"{self.base}/{kind}/{seed}/{size}{tail}" + (f"?{query}" if query else "")

    def file_url(self, file, query="", name=""):
        """Of a server with --files."""
        tail = f"/{name}" if name else ""
        return f"{self.base}/f/{file}{tail}" + (f"?{query}" if query else "")

    def _page(self, name):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.base}/{name}", timeout=20) as page:
            return page.read().decode("latin-1")

    def log(self):
        return [json.loads(line) for line in self._page("_log").splitlines()]

    def instants(self):
        """When each request came, in seconds, in order."""
        return sorted(entry["us"] / 1e6 for entry in self.log())

    def stats(self):
        return json.loads(self._page("_stats"))

    def reset(self):
        self._page("_reset")

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


class Daemon:
    """A real server of the system, in the foreground, with everything in a folder of the test."""

    def start(self, command, port, folder):
        self.output = open(os.path.join(folder, "daemon.out"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT)
        wait_until(f"{command[0]} to listen (see {folder})",
                   lambda: self.process.poll() is not None or listens(port), 60)
        if self.process.poll() is not None:
            with open(os.path.join(folder, "daemon.out"), "r", errors="replace") as text:
                raise AssertionError(f"{command[0]} did not start: {text.read()[-2000:]}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.output.close()


def tool(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise AssertionError(f"{name} is missing; sh tests/run.sh installs what the tests need")
    return found


class Nginx(Daemon):
    """Serves `root`; with `tls` = (certificate, key) also on tls_port."""

    def __init__(self, folder, root, tls=None, extra=""):
        os.makedirs(os.path.join(folder, "tmp"), exist_ok=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.access_log = os.path.join(folder, "access.log")
        secure = ""
        if tls:
            self.tls_port = free_port()
            secure = (f"listen 127.0.0.1:{self.tls_port} ssl http2; ssl_certificate {tls[0]};"
                      f" ssl_certificate_key {tls[1]};")
        paths = "".join(f"{kind}_temp_path {folder}/tmp/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""
        with open(os.path.join(folder, "nginx.conf"), "w") as conf:
            conf.write(f"""{user}
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
{paths}
log_format short '$request_uri $status $body_bytes_sent "$http_range" $connection $server_protocol';
access_log {self.access_log} short;
sendfile on; keepalive_requests 1000000; default_type application/octet-stream;
server {{ listen 127.0.0.1:{self.port}; {secure} root {root}; {extra} }}
}}
""")
        self.start([tool("nginx"), "-c", os.path.join(folder, "nginx.conf"), "-p", folder,
                    "-e", os.path.join(folder, "error.log")], self.port, folder)

    def requests(self):
        with open(self.access_log, encoding="latin-1") as log:
            return log.read().splitlines()


class Squid(Daemon):
    def __init__(self, folder):
        os.chmod(folder, 0o777)  # it gives up root for a user of its own
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.access_log = os.path.join(folder, "access.log")
        conf = os.path.join(folder, "squid.conf")
        with open(conf, "w") as out:
            out.write(f"""http_port 127.0.0.1:{self.port}
http_access allow all
cache deny all
access_log stdio:{self.access_log}
cache_log {folder}/cache.log
pid_filename {folder}/squid.pid
coredump_dir {folder}
pinger_enable off
shutdown_lifetime 0 seconds
cache_mem 8 MB
max_filedescriptors 1024
visible_hostname test.invalid
""")
        # a service name, and so shared memory, of its own: two may run at once
        command = [tool("squid"), "-N", "-n", f"weir{self.port}", "-f", conf]
        if os.geteuid() == 0 and os.stat("/dev/shm").st_mode & 0o1777 != 0o1777:
            # squid gives up root and then needs a /dev/shm that all may use, as in a bare chroot
            command = [tool("unshare"), "-m", "--propagation", "unchanged", "sh", "-c",
                       "mount --make-private /dev && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && "
                       'exec "$@"', "sh", *command]
        self.start(command, self.port, folder)

    def requests(self):
        with open(self.access_log, encoding="latin-1") as log:
            return log.read().splitlines()


class Authority:
    """A certificate authority of the test's own, by the openssl command."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = os.path.join(folder, "ca.pem")
        self.ca_key = os.path.join(folder, "ca.key")
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                      "/CN=weir test authority", "-keyout", self.ca_key, "-out", self.ca)

    def _openssl(self, *args):
        subprocess.run([tool("openssl"), *args], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def certificate(self, name, alternatives, days=30):
        base = os.path.join(self.folder, name)
        with open(base + ".ext", "w") as ext:
            ext.write(f"subjectAltName={alternatives}\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                      base + ".key", "-out", base + ".csr")
        self._openssl("x509", "-req", "-in", base + ".csr", "-CA", self.ca, "-CAkey", self.ca_key,
                      "-CAcreateserial", "-days", str(days), "-extfile", base + ".ext", "-out",
                      base + ".pem")
        return base + ".pem", base + ".key"


class Run:
    """What one run of the command gave."""

    def __init__(self, code, out, err, usage, report, peak):
        self.code, self.out, self.err, self.usage = code, out, err, usage
        self.peak_kib = peak
        self.rows = []
        if report and os.path.exists(report):
            with open(report, "rb") as lines:
                self.rows = [json.loads(line) for line in lines]
        self.by_url = {row["url"]: row for row in self.rows}

    @property
    def statuses(self):
        counts = {}
        for row in self.rows:
            counts[row["status"]] = counts.get(row["status"], 0) + 1
        return counts

    def one(self):
        if len(self.rows) != 1:
            raise AssertionError(f"one report line was due: {self.rows}\n{self.err}")
        return self.rows[0]


def judge(code, err):
    """No sanitizer finding and no crash goes unnoticed, whatever a test looks at."""
    if code == SANITIZER_EXIT or "Sanitizer" in err or "runtime error:" in err:
        raise AssertionError(f"a sanitizer found something:\n{err[-6000:]}")
    if code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE):
        raise AssertionError(f"the program crashed ({code}):\n{err[-4000:]}")


class Case(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(self._remove)
        self.home = self.path("home")
        os.makedirs(os.path.join(self.home, "config"))
        self.dir = self.path("out")

    def _remove(self):
        if not os.environ.get("WEIR_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)
        return path

    def list_of(self, urls, name="urls.txt"):
        return self.write(name, "".join(url + "\n" for url in urls))

    # servers

    def faults(self, *args, **kw):
        server = FaultServer(*args, **kw)
        self.addCleanup(server.stop)
        return server

    def _folder_for(self, name):
        path = tempfile.mkdtemp(prefix=name + "-", dir=self.folder)
        os.chmod(path, 0o755)
        return path

    def nginx(self, root, **kw):
        server = Nginx(self._folder_for("nginx"), root, **kw)
        self.addCleanup(server.stop)
        return server

    def squid(self):
        server = Squid(self._folder_for("squid"))
        self.addCleanup(server.stop)
        return server

    def authority(self):
        return Authority(self._folder_for("ca"))

    # the command

    def environment(self, more=None):
        env = {key: value for key, value in os.environ.items()
               if not key.lower().endswith("_proxy")}
        env.update(HOME=self.home, XDG_CONFIG_HOME=os.path.join(self.home, "config"),
                   LC_ALL="C.UTF-8",
                   TERM="xterm")
        env.update(more or {})
        return env

    def start(self, *args, env=None, cwd=None, files=None, command=COMMAND, **kw):
        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([command, *args], env=self.environment(env),
                                   cwd=cwd or self.folder, preexec_fn=limit if files else None,
                                   **kw)
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def run_weir(self, *args, input=None, timeout=120, report=None, peak=False, **kw):
        """Runs to the end; fails when it hangs, crashes, or a sanitizer has something to say.

        peak: also looks at its memory all the while (Run.peak_kib). What wait4 says of memory is
        that of the forked Python, where that is more.
        """
        if input is not None:
            kw["stdin"] = subprocess.PIPE
        process = self.start(*args, **kw)
        pieces = {}

        def drain(name, stream):
            pieces[name] = stream.read() if stream else b""

        def feed():
            try:
                process.stdin.write(input.encode() if isinstance(input, str) else input)
                process.stdin.close()
            except BrokenPipeError:
                pass
        threads = [threading.Thread(target=drain, args=("out", process.stdout)),
                   threading.Thread(target=drain, args=("err", process.stderr))]
        if input is not None:
            threads.append(threading.Thread(target=feed))
        looks = []

        def look():
            while process.returncode is None:
                looks.append(peak_kib(process.pid))
                time.sleep(0.002)
        if peak:
            threads.append(threading.Thread(target=look))
        for thread in threads:
            thread.daemon = True
            thread.start()
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        hung = not timer.is_alive()
        timer.cancel()
        for thread in threads:
            thread.join(10)
        err = pieces.get("err", b"").decode("utf-8", "replace")
        if hung:
            raise AssertionError(f"the program hung for {timeout} s: {args}\n{err[-3000:]}")
        judge(process.returncode, err)
        return Run(process.returncode, pieces.get("out", b""), err, usage, report, max(looks or [0]))

    def get(self, *args, report=True, dir=True, **kw):
        """`weir get` into self.dir with a report, on stderr plain words only."""
        more = ["--progress", "none"]
        path = None
        if report:
            path = self.path("report.jsonl")
            if os.path.exists(path):
                os.unlink(path)
            more += ["--report", path]
        if dir:
            more += ["-d", self.dir]
        return self.run_weir("get", *more, *args, report=path, **kw)

    # what must hold

    def files(self, folder=None):
        """All files below the folder: name -> bytes; resume records left out."""
        found = {}
        top = folder or self.dir
        for where, _, names in os.walk(top):
            for name in names:
                path = os.path.join(where, name)
                if not os.path.islink(path) and os.path.isfile(path):
                    with open(path, "rb") as data:
                        found[os.path.relpath(path, top)] = data.read()
        return found

    def final_files(self):
        return {name: data for name, data in self.files().items()
                if not name.endswith((".part", ".part.resume"))}

    def partial_files(self):
        return {name: data for name, data in self.files().items() if name.endswith(".part")}

    def assert_final(self, expected, all_of_it=True):
        """Nothing under a final name but what is expected, byte for byte (and all of it)."""
        found = self.final_files()
        for name, data in found.items():
            self.assertIn(name, expected, "a file that nobody asked for")
            if data != expected[name]:
                self.fail(f"{name}: {difference(data, expected[name])}")
        if all_of_it:
            self.assertEqual(sorted(expected), sorted(found))

    def assert_code(self, run, code):
        self.assertEqual(run.code, code, f"exit code; stderr was:\n{run.err[-3000:]}")


def difference(found, wanted):
    if len(found) != len(wanted):
        return f"{len(found)} bytes instead of {len(wanted)}"
    at = next(i for i, (a, b) in enumerate(zip(found, wanted)) if a != b)
    return f"the byte at {at} of {len(wanted)} is wrong"


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])

"""The server of the bench: files on a memory disk behind one nginx worker on loopback ports.

Everything lives in one folder that is made at the start and removed at the end. The nginx is a
private one, with a configuration, a prefix and ports of its own; it is ended by its process id.
"""
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

NGINX_CONF = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {root}/nginx.pid;
error_log {root}/error.log warn;
{user}
events {{ worker_connections 8192; }}
http {{
    access_log off;
    log_format bench '$msec $status';
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path {root}/tmp; proxy_temp_path {root}/tmp; fastcgi_temp_path {root}/tmp;
    uwsgi_temp_path {root}/tmp; scgi_temp_path {root}/tmp;
    root {root}/www;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /status {{ stub_status; }}
        location /many/ {{ try_files /small/f00000 =404; }}
        location /logged/ {{ access_log {root}/access.log bench; try_files /small/f00000 =404; }}
        location /metered/ {{ try_files /metered-body =404; }}
        location /slow/ {{ limit_rate 400k; try_files /sparse-body =404; }}
        location /busy/ {{ return 503; }}
        location /put/ {{ root {root}/up; dav_methods PUT; create_full_put_path on;
                          client_max_body_size 0; }}
        location /drop {{ client_max_body_size 0; return 204; }}
    }}
    server {{
        listen 127.0.0.1:{tls_port} ssl backlog=4096;
        ssl_certificate {root}/server.pem;
        ssl_certificate_key {root}/server.key;
        ssl_session_cache shared:bench:4m;
    }}
    server {{
        listen 127.0.0.1:{h2_port} ssl http2 backlog=4096;
        http2_max_concurrent_streams 128;
        ssl_certificate {root}/server.pem;
        ssl_certificate_key {root}/server.key;
        ssl_session_cache shared:bench:4m;
    }}
}}
"""

FILE_BYTES = 4096
METERED_BYTES = 12_500_000
SPARSE_BYTES = 1_000_000_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_random(path, size):
    with open(path, "wb") as f:
        while size > 0:
            n = min(size, 1 << 20)
            f.write(os.urandom(n))
            size -= n


def make_certificates(root):
    """A certificate authority of the bench's own and a certificate for 127.0.0.1."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, cwd=root,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(os.path.join(root, "server.ext"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bench CA",
            "-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
            "-keyout", "server.key", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem")


class Server:
    """Made on a memory disk; `with Server(...)` starts it and takes everything away after."""

    def __init__(self, memory_disk, small_count, large_count, large_bytes, needs):
        self.needs = needs        # of "small", "large", "bounds": what the rows to come ask for
        self.root = tempfile.mkdtemp(prefix="weir-bench-", dir=memory_disk)
        os.chmod(self.root, 0o755)
        self.small_count, self.large_count, self.large_bytes = small_count, large_count, large_bytes
        self.port, self.tls_port, self.h2_port = free_port(), free_port(), free_port()
        self.ca = os.path.join(self.root, "ca.pem")
        self.access_log = os.path.join(self.root, "access.log")
        self.process = None

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def h2_base(self):
        return f"https://127.0.0.1:{self.h2_port}"

    @property
    def tls_base(self):
        return f"https://127.0.0.1:{self.tls_port}"

    def www(self, *parts):
        return os.path.join(self.root, "www", *parts)

    def make_files(self):
        for folder in ("small", "large", "text"):
            os.makedirs(self.www(folder))
        os.makedirs(os.path.join(self.root, "tmp"))
        for i in range(self.small_count if "small" in self.needs else 1):
            with open(self.www("small", f"f{i:05d}"), "wb") as f:
                f.write(os.urandom(FILE_BYTES))
        if "large" in self.needs:
            for i in range(self.large_count):
                write_random(self.www("large", f"g{i}"), self.large_bytes)
        if "bounds" in self.needs:
            write_random(self.www("metered-body"), METERED_BYTES)
            with open(self.www("sparse-body"), "wb") as f:
                f.truncate(SPARSE_BYTES)
        make_certificates(self.root)

    def __enter__(self):
        try:
            self.make_files()
            conf = os.path.join(self.root, "nginx.conf")
            user = "user root;" if os.geteuid() == 0 else ""
            with open(conf, "w") as f:
                f.write(NGINX_CONF.format(root=self.root, port=self.port, tls_port=self.tls_port,
                                          h2_port=self.h2_port, user=user))
            self.process = subprocess.Popen(
                ["nginx", "-p", self.root, "-c", conf, "-e", os.path.join(self.root, "error.log")])
            self.wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_until_up(self):
        for _ in range(200):
            if self.process.poll() is not None:
                raise SystemExit(f"bench: nginx ended with code {self.process.returncode}")
            try:
                self.connections_writing()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("bench: nginx did not come up within ten seconds")

    def connections_writing(self):
        """Answers under way, the one to this question not counted."""
        with urllib.request.urlopen(self.base + "/status", timeout=5) as answer:
            text = answer.read().decode()
        return int(text.split("Writing:")[1].split()[0]) - 1

    def logged_times(self):
        with open(self.access_log) as f:
            return [float(line.split()[0]) for line in f]

    def clear_log(self):
        open(self.access_log, "w").close()

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

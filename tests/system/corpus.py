"""Logs and records for the tests of filters: made from a seed, compressed in every format, and what
the reference programs (grep, jq) make of them.

WEIR_LOGS names a folder of real logs (*.log): they are then used beside the made ones.
"""
import bz2
import glob
import gzip
import lzma
import os
import random
import subprocess

from harness import tool

FORMATS = ("gz", "zst", "xz", "bz2", "br")


def _piped(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def _pack_once(data, kind):
    if kind == "gz":
        return gzip.compress(data, 6, mtime=0)
    if kind == "xz":
        return lzma.compress(data, preset=1)
    if kind == "bz2":
        return bz2.compress(data)
    if kind == "zst":
        return _piped([tool("zstd"), "-q", "-3", "-c"], data)
    if kind == "br":
        return _piped([tool("brotli"), "-q", "5", "-c"], data)
    raise AssertionError(kind)


def pack(data, kind, parts=1):
    """Compressed, in so many members (frames, streams); brotli has but one."""
    if kind == "br":
        parts = 1
    step = (len(data) + parts - 1) // parts
    pieces = [data[i:i + step] for i in range(0, len(data), step)] or [data]
    return b"".join(_pack_once(piece, kind) for piece in pieces)


def without_suffix(name):
    stem, dot, end = name.rpartition(".")
    return stem if dot and end in FORMATS else name


def grep(data, *args):
    """`LC_ALL=C grep -aP`: the reference of a filter. Its exit status 1 is no error."""
    run = subprocess.run([tool("grep"), "-a", "-P", *args], input=data, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
    if run.returncode > 1:
        raise AssertionError(f"grep {args}: {run.stderr}")
    return run.stdout


def jq(data, program, *args):
    """`jq -c`, a process for all records; it must take all of them."""
    return subprocess.run([tool("jq"), "-c", *args, program], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def jq_errors(data, program):
    """What `jq -c` put out, and on how many records the program failed."""
    run = subprocess.run([tool("jq"), "-c", program], input=data, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    if run.returncode not in (0, 5):
        raise AssertionError(f"jq {program}: {run.stderr}")
    return run.stdout, run.stderr.count(b"jq: error (at")


def lines_of(data):
    """Whole lines with their newlines; the last one gets one where it lacks it, as from grep."""
    if data and not data.endswith(b"\n"):
        data += b"\n"
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def lines_by_url(out):
    """What `--with-url` put out: URL -> its lines, in their order."""
    found = {}
    for line in lines_of(out):
        url, tab, rest = line.partition(b"\t")
        if not tab:
            raise AssertionError(f"a line without its URL: {line!r}")
        found[url.decode()] = found.get(url.decode(), b"") + rest
    return found


# made logs: the shapes of four well-known ones, CRLF among them

def _apache(r):
    what = r.choice([
        "notice] workerEnv.init() ok /etc/httpd/conf/workers2.properties",
        f"error] mod_jk child workerEnv in error state {r.randint(1, 9)}",
        f"notice] jk2_init() Found child {r.randint(1000, 9999)} in scoreboard slot 6",
        f"error] [client {_address(r)}] Directory index forbidden: /var/www/html/"])
    return f"[{r.choice(['Sun', 'Mon'])} Dec {r.randint(1, 31):02d} {_clock(r)} 2005] [{what}"


def _hdfs(r):
    block = f"blk_{r.randint(-2**63, 2**63 - 1)}"
    what = r.choice([
        f"INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block {block} terminating",
        f"WARN dfs.DataNode$DataXceiver: {_address(r)}:50010:Got exception serving {block} to /:",
        f"INFO dfs.FSNamesystem: BLOCK* NameSystem.addStoredBlock: blockMap updated: "
        f"{_address(r)}:50010 is added to {block} size {r.randint(1, 67108864)}"])
    return f"081109 {r.randint(0, 235959):06d} {r.randint(1, 3000)} {what}"


def _syslog(r):
    number = r.randint(100, 32000)
    what = r.choice([
        f"sshd(pam_unix)[{number}]: authentication failure; logname= uid=0 euid=0 "
        f"tty=NODEVssh ruser= rhost={_address(r)}  user=root",
        f"ftpd[{number}]: connection from {_address(r)} () at Sun Jul 10",
        "kernel: Memory: 125312k/129720k available (1540k kernel code, 3860k reserved)",
        f"su(pam_unix)[{number}]: session opened for user naïve by größe(uid=0)"])
    return f"Jun {r.randint(1, 30):2d} {_clock(r)} combo {what}"


def _sshd(r):
    user = r.choice(["admin", "test", "ユーザー"])
    what = r.choice([
        f"Failed password for invalid user {user} from {_address(r)} port {r.randint(1024, 65535)} "
        "ssh2",
        f"Received disconnect from {_address(r)}: 11: Bye Bye [preauth]",
        "pam_unix(sshd:auth): check pass; user unknown",
        f"Accepted password for fztu from {_address(r)} port 49116 ssh2"])
    return f"Dec 10 {_clock(r)} LabSZ sshd[{r.randint(20000, 29999)}]: {what}"


def _clock(r):
    return f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:{r.randint(0, 59):02d}"


def _address(r):
    return ".".join(str(r.randint(0, 255)) for _ in range(4))


def _made_log(make, count, seed):
    r = random.Random(seed)
    out = []
    for _ in range(count):
        out.append(make(r) + ("\r\n" if r.random() < 0.5 else "\n"))
        if r.random() < 0.01:
            out.append("\n")
    out.append(make(r))  # without a newline
    return "".join(out).encode()


def sshd_log(count, seed=4):
    return _made_log(_sshd, count, seed)


def logs(count=2000):
    """Name -> bytes."""
    found = {"apache.log": _made_log(_apache, count, 1), "hdfs.log": _made_log(_hdfs, count, 2),
             "linux.log": _made_log(_syslog, count, 3), "sshd.log": sshd_log(count)}
    for path in sorted(glob.glob(os.path.join(os.environ.get("WEIR_LOGS", ""), "*.log"))
                       if os.environ.get("WEIR_LOGS") else []):
        with open(path, "rb") as data:
            found[os.path.basename(path)] = data.read()
    return found


# small bodies, for cuts at every offset

def small_log():
    """Two hundred bytes: CRLF, empty lines, characters of two to four bytes, no last newline."""
    return ("alpha größe 1\r\nbeta 日本語 two\n\nneedle 🚀 at 3\nÉtat d'âme\r\nneedle needle\n"
            "x\nlast words of a naïve haystack, needle in it, привет\r\n"
            "and one more line that has no end: Ελλάδα needle").encode()


def small_records():
    return ('{"n":1,"level":"error","msg":"größe \\u00e9"}\n'
            '{"n":2,"level":"info","host":{"name":"a\\"b"}}\r\n'
            '{ "n" : 3.0, "level" : "error", "msg" : "日本語 \\ud83d\\ude00" }\n\n'
            '[1,2]\n'
            '{"n":12345678901234567890,"level":"error","deep":[[[{"a":[]}]]]}').encode()

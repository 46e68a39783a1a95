"""What a trial stands in: a folder, servers, the command, and what must hold after each fault.

I1  nothing under a final name but whole, right bytes
I2  what was acknowledged is still there and right
I3  each failure has exactly one named class, and the exit code that goes with it
I4  the same command, run again without the fault, ends with everything, and fetches little twice
I5  no hang, no crash, no finding of a sanitizer, nothing left over but a .part

A trial that could not run raises, and so counts as a violation like any other.
"""
import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading

import harness
from harness import Case, difference, judge, scaled, tool

DEADLINE = scaled(60, 240)
CLASSES = set("dns connect tls timeout stalled http rate_limited truncated checksum decode record"
              " disk name redirect policy input cancelled".split())
STOPPED = {"disk"}           # classes that end the run with 3
REFUSED = {"checksum"}       # alone they end it with 4
QUICK = ["-s", "retry.backoff=1ms", "-s", "retry.backoff_max=2ms", "--progress", "none",
         "--no-config"]
LEFTOVER = re.compile(r"\.part(\.resume)?$")
OK = "right bytes"


class Violation(AssertionError):
    """A promise was broken: what was found, in words."""


def hard(condition, text):
    if not condition:
        raise Violation(text)


def visible(data, limit=300):
    return repr(data[:limit]) + ("..." if len(data) > limit else "")


def code_of(classes):
    """The exit code that a run with failures of these classes must end with."""
    failed = {name for name in classes if name}
    if not failed:
        return {0}
    if failed & STOPPED:
        return {3, 1}
    return {4} if failed <= REFUSED else {1}


class Lab(Case):
    """A folder of its own. `reference`: name -> bytes that may stand under that name."""
    longMessage = True

    def __init__(self, chance, long_form):
        super().__init__()
        self.chance, self.long = chance, long_form
        self.acknowledged = {}  # name -> bytes
        self.runs = 0

    def runTest(self):
        """unittest asks for it."""

    def weir(self, command, *args, under=(), poor=False, **kw):
        """One run with a report of its own; I3 and I5 are looked at here. `under`: a command that
        starts it. `poor`: of memory, which is a reason too."""
        self.runs += 1
        report = self.path(f"report-{self.runs}.jsonl")
        kw.setdefault("timeout", DEADLINE)
        start = [command]
        if under:
            kw["command"] = tool(under[0])
            start = [*under[1:], harness.COMMAND, command]
        found = self.run_weir(*start, *QUICK, "--report", report, *args, report=report, **kw)
        if not poor or found.rows:
            self.one_class_each(found, poor)
        return found

    def one_class_each(self, run, poor=False):
        classes = set()
        for row in run.rows:
            error = row.get("error")
            hard((row["status"] == "failed") == bool(error),
                 f"I3: status {row['status']} with error {error}")
            if error:
                known = error["class"] in CLASSES or (poor and error["class"] == "nomem")
                hard(known, f"I3: {error['class']} is no class: {error}")
                hard(error["message"], f"I3: {error['class']} without a message")
                classes.add(error["class"])
            for text in (run.err, error["message"] if error else ""):
                bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or c == "\x7f"]
                hard(not bad, f"I3: control characters of the server's reach the user: {text!r}")
        hard(run.code in code_of(classes) or run.code in (2, 3, 130, 141, 143),
             f"I3: exit code {run.code} with classes {sorted(classes)}\n{run.err[-2000:]}")
        hard(run.code >= 0, f"I5: ended by signal {-run.code}\n{run.err[-2000:]}")

    def killed(self, command, *args, after=None, env=None):
        """One run that may be killed: by itself, or by us `after` seconds. (code, rows of what it
        could still report)."""
        self.runs += 1
        report = self.path(f"report-{self.runs}.jsonl")
        process = self.start(command, *QUICK, "--report", report, *args, env=env)
        try:
            out, err = process.communicate(timeout=DEADLINE if after is None else after)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            hard(after is not None, f"I5: it hung for {DEADLINE} s\n{err[-2000:]}")
        judge(process.returncode, err.decode("utf-8", "replace"))
        rows = []
        if os.path.exists(report):
            with open(report, "rb") as text:
                rows = [json.loads(line) for line in text if line.endswith(b"\n")]
        return process.returncode, rows

    def only_right_names(self, reference, folder=None):
        """I1, and of I5 that nothing is left over."""
        top = folder or self.dir
        found = self.files(top) if os.path.isdir(top) else {}
        for name, data in sorted(found.items()):
            if LEFTOVER.search(name) and name not in reference:
                continue
            hard(name in reference, f"I1: {name} ({len(data)} bytes) has a final name and nobody "
                 f"asked for it")
            wanted = reference[name]
            right = wanted(data) if callable(wanted) else data == wanted
            hard(right, f"I1: {name}: " + ("wrong" if callable(wanted) or data == wanted
                                           else difference(data, wanted)))
        return {name: data for name, data in found.items() if not LEFTOVER.search(name)}

    def note_acknowledged(self, run, reference):
        """What a report calls ok or skipped is there, now and at every later look (I2)."""
        for row in run if isinstance(run, list) else run.rows:
            if row["status"] in ("ok", "skipped") and row.get("path"):
                self.acknowledged[row["path"]] = reference.get(row["path"])

    def still_there(self):
        for name, wanted in self.acknowledged.items():
            path = os.path.join(self.dir, name)
            hard(os.path.exists(path), f"I2: {name} was acknowledged and is gone")
            with open(path, "rb") as data:
                found = data.read()
            hard(wanted(found) if callable(wanted) else found == wanted,
                 f"I2: {name} was acknowledged and is wrong")

    def nothing_left(self, folder=None):
        top = folder or self.dir
        parts = [name for name in self.files(top) if LEFTOVER.search(name)]
        hard(not parts, f"I5: left over after all is done: {parts}")

    def preload(self, shim, **more):
        """The environment for a shim, under a sanitizer too."""
        env = {"LD_PRELOAD": shim}
        if harness.SANITIZE:
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        env.update(more)
        return env


def set_faults(server, query=""):
    """From now on all requests without a query of their own get these faults."""
    server._page("_set" + (f"?{query}" if query else ""))


def requests(server):
    """Those to bodies: (target, headers by lower-case name, status)."""
    return [(entry["target"], {key.lower(): value for key, value in entry["headers"].items()},
             entry["status"]) for entry in server.log() if not entry["target"].startswith("/_")]


def json_lines(path):
    with open(path, "rb") as text:
        return [json.loads(line) for line in text]


def must(*command, **kw):
    """A command of the system that the trial cannot do without."""
    done = subprocess.run([tool(command[0]), *command[1:]], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kw)
    hard(done.returncode == 0, f"could not run {' '.join(command)}: {done.stdout.decode()[-500:]}")
    return done.stdout


_keys_lock = threading.Lock()


@functools.lru_cache(None)
def _authority():
    folder = tempfile.mkdtemp(prefix="weir-keys-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return harness.Authority(folder)


@functools.lru_cache(None)
def _certificate(name, alternatives, days):
    return _authority().certificate(name, alternatives, days)


def authority():
    """One for all trials: keys take long to make."""
    with _keys_lock:
        return _authority()


def certificate(name, alternatives="IP:127.0.0.1", days=30):
    with _keys_lock:
        return _certificate(name, alternatives, days)

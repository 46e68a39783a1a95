"""The clients of the bench: how each is called, and one measured run of one.

All get the same list and the same folder. weir runs with its defaults; the peers with sixteen
transfers at once, which is weir's default too (of which it opens eight to one host).
"""
import json
import os
import shutil
import subprocess

import bench_profile

CONCURRENCY = 16


class Task:
    """What every client of a row is asked to do."""

    def __init__(self, urls, ca=None):
        self.urls = urls          # a list, or a callable that gives an iterator, for the long ones
        self.ca = ca

    def each(self):
        return self.urls() if callable(self.urls) else iter(self.urls)


class Client:
    def __init__(self, name, program, arguments, is_peer=True):
        self.name, self.program, self.arguments, self.is_peer = name, program, arguments, is_peer

    def prepare(self, task, work, out):
        """Writes the list; returns the command."""
        path = os.path.join(work, f"{self.name.replace(' ', '-')}.list")
        with open(path, "w") as f:
            for url in task.each():
                f.write(self.line(url, out))
        return [self.program, *self.arguments(path, task, out)]

    def line(self, url, out):
        return url + "\n"


class Alone(Client):
    """A limit: one part of the work alone, by a program that writes no files and is not checked."""

    def __init__(self, name, *command):
        super().__init__(name, command[0], None, is_peer=False)
        self.words = command

    def prepare(self, task, work, out):
        return list(self.words)


class Wrk(Alone):
    """wrk asks for one small file over and over, over as many connections as weir opens to a host;
    a run is as long as `count` of its answers took."""

    def __init__(self, url, count, connections=8, seconds=1):
        super().__init__("wrk", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url)
        self.count = count

    def correct(self, run, text):
        answers = float(text.split("Requests/sec:")[1].split()[0])
        if "Non-2xx" in text or "Socket errors" in text:
            raise SystemExit(f"bench: wrk: {text}")
        share = self.count / answers / run["wall_s"]
        return {**run, "wall_s": self.count / answers, "cpu_s": run["cpu_s"] * share}


class Curl(Client):
    def line(self, url, out):
        return f'url = "{url}"\noutput = "{out}/{url.rsplit("/", 1)[1]}"\n'


def weir_arguments(*extra):
    def arguments(path, task, out):
        tls = ["-s", f"http.ca_file={task.ca}"] if task.ca else []
        return ["get", "-i", path, "-d", out, *tls, *extra]
    return arguments


def curl_arguments(path, task, out):
    tls = ["--cacert", task.ca] if task.ca else []
    return ["-q", "-sS", "-Z", "--parallel-max", str(CONCURRENCY), *tls, "-K", path]


def wget2_arguments(path, task, out):
    tls = [f"--ca-certificate={task.ca}"] if task.ca else []
    return ["--no-config", "-q", f"--max-threads={CONCURRENCY}", *tls, "-i", path, "-P", out]


def alone_runs(ctx, row, client, number, runs):
    """One run of a limit, beside those of the clients; the first one warms up."""
    run = ctx.bench.run(client.prepare(None, ctx.work, ctx.bench.out))
    if run["exit"] != 0:
        raise SystemExit(f"bench: {client.name}: exit code {run['exit']}: {ctx.bench.log_tail()}")
    if hasattr(client, "correct"):
        run = client.correct(run, ctx.bench.log_tail())
    if number > 0:
        runs[client.name].append(run)
        ctx.report.run(row, client.name, number, run)


def aria2_arguments(*extra):
    def arguments(path, task, out):
        tls = [f"--ca-certificate={task.ca}"] if task.ca else []
        return ["--no-conf", "-q", "-j", str(CONCURRENCY), *tls, *extra, "-i", path, "-d", out]
    return arguments


def all_clients(weir):
    return [Client("weir", weir, weir_arguments(), is_peer=False),
            Curl("curl -Z", "curl", curl_arguments),
            Client("wget2", "wget2", wget2_arguments),
            Client("aria2", "aria2c", aria2_arguments())]


class Bench:
    """Where runs take place: the measuring program, the folder for outputs, the clients' home."""

    def __init__(self, measure, work, profiled=None):
        self.measure, self.work, self.process = measure, work, None
        self.profiled = profiled    # a program: its runs are looked at by perf
        self.profile = os.path.join(work, "perf.data")
        self.out = os.path.join(work, "out")
        self.home = os.path.join(work, "home")
        os.makedirs(self.home)
        self.environment = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home,
                                XDG_DATA_HOME=self.home, LC_ALL="C")
        for name in ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY",
                     "HTTPS_PROXY", "RIPGREP_CONFIG_PATH", "GREP_COLORS", "ZSTD_CLEVEL"):
            self.environment.pop(name, None)

    def start(self, command, out=None, options=()):
        """Starts one measured run into an empty folder; finish() gives its figures."""
        out = out or self.out
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        result = os.path.join(self.work, "result.json")
        if os.path.exists(result):
            os.unlink(result)
        if self.profiled and self.profiled in command:
            at = command.index(self.profiled)
            command = [*command[:at], *bench_profile.wrap(command[at:], self.profile)]
        with open(os.path.join(self.work, "client.log"), "w") as log:
            self.process = subprocess.Popen([self.measure, "-o", result, *options, *command],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)
        return self.process

    def finish(self, process):
        process.wait()
        try:
            with open(os.path.join(self.work, "result.json")) as f:
                run = json.load(f)
        except FileNotFoundError:
            raise SystemExit("bench: the measuring program gave no result:\n" + self.log_tail())
        run["cpu_s"] = run["user_s"] + run["system_s"]
        return run

    def run(self, command, out=None, options=()):
        return self.finish(self.start(command, out, options))

    def log_tail(self):
        with open(os.path.join(self.work, "client.log"), errors="replace") as f:
            return f.read()[-2000:]

    def stop(self):
        """Ends what an interrupted row has left running."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def clear(self, out=None):
        shutil.rmtree(out or self.out, ignore_errors=True)

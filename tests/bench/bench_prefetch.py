"""The row of weir prefetch: how much disk `--ahead auto` takes beside the smallest fixed number of
shards that has no stall either, on a server whose speed comes and goes.

The server answers each request after a delay that swings between QUICK and SLOW with a period; the
consumer takes the same time for each shard. The first period is for warming up: stalls count and
the disk is looked at from then on. Disk use is what the prefetcher counts (complete, partial and
reserved), looked at all the while: as a mean over the time, and at most.
"""
import json
import math
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHARD = 200_000
QUICK_S, SLOW_S = 0.03, 0.6
PACE_S = 0.04  # of the consumer


class Swinging(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    begun, period = 0.0, 12.0
    data = os.urandom(SHARD)

    def do_GET(self):  # pylint: disable=invalid-name
        phase = (time.monotonic() - self.begun) / self.period
        swing = (1 - math.cos(2 * math.pi * phase)) / 2
        time.sleep(QUICK_S + (SLOW_S - QUICK_S) * swing)
        self.send_response(200)
        self.send_header("Content-Length", str(SHARD))
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Talk:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.02)
        self.lines = self.socket.makefile("rb")

    def ask(self, text):
        self.socket.sendall(text.encode() + b"\n")
        return self.lines.readline().decode().rstrip("\n")

    def status(self):
        return json.loads(self.ask("STATUS").partition(" ")[2])


def look(path, samples, leave):
    talk = Talk(path)
    try:
        while not leave.wait(0.02):
            samples.append((time.monotonic(), talk.status()["disk_bytes"]))
    except (OSError, ValueError):
        pass  # the run is over


def consume(talk, warm_until):
    """Reads all; (stalls, time stalled) behind the warming up."""
    before, counted = None, False
    talk.ask("HELLO bench")
    while True:
        answer = talk.ask("NEXT")
        if answer == "END":
            after = talk.status()
            talk.ask("BYE")
            return after["stalls"] - before["stalls"], after["stalled_ms"] - before["stalled_ms"]
        if not answer.startswith("READY"):
            raise RuntimeError(answer)
        time.sleep(PACE_S)
        talk.ask("RELEASE " + answer.split(" ")[1])
        if not counted and time.monotonic() > warm_until:
            counted, before = True, talk.status()


def one_run(ctx, port, ahead, shards):
    cache, path = os.path.join(ctx.work, "cache"), os.path.join(ctx.work, "bench.sock")
    listing = os.path.join(ctx.work, "shards.tsv")
    shutil.rmtree(cache, ignore_errors=True)
    with open(listing, "w", encoding="ascii") as out:
        out.write("url\tname\tsize\n")
        for i in range(shards):
            out.write(f"http://127.0.0.1:{port}/s{i}\ts{i}\t{SHARD}\n")
    Swinging.begun = time.monotonic()
    warm_until = Swinging.begun + Swinging.period
    process = subprocess.Popen(
        [ctx.weir, "prefetch", "--no-config", "-i", listing, "-d", cache, "--ahead", str(ahead),
         "--socket", path, "-j", "64", "--per-host", "64", "--validate", "none", "--progress",
         "none"])
    samples, leave = [], threading.Event()
    eye = threading.Thread(target=look, args=(path, samples, leave))
    eye.start()
    try:
        stalls, stalled_ms = consume(Talk(path), warm_until)
    finally:
        leave.set()
        eye.join()
        if process.wait(timeout=30):
            raise RuntimeError(f"weir prefetch ended with {process.returncode}")
    seen = [size for at, size in samples if at > warm_until]
    return {"ahead": ahead, "stalls": stalls, "stalled_ms": stalled_ms,
            "mean": sum(seen) / len(seen), "peak": max(seen)}


def prefetch(ctx):
    """--ahead auto beside fixed numbers, on a server of varying speed"""
    row = "prefetch"
    shards = 600 if ctx.rounds <= 2 else 1200
    ctx.report.title(f"weir prefetch: {shards} shards of {SHARD // 1000} kB, a consumer of "
                     f"{PACE_S * 1000:.0f} ms each, a server of {QUICK_S * 1000:.0f} to "
                     f"{SLOW_S * 1000:.0f} ms")
    server = Server(("127.0.0.1", 0), Swinging)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        runs = [one_run(ctx, server.server_port, ahead, shards)
                for ahead in ("auto", 8, 12, 14, 15, 16, 17, 18, 20, 24)]
    finally:
        server.shutdown()
        server.server_close()
    for run in runs:
        ctx.report.note(f"ahead {run['ahead']!s:>4}: {run['stalls']:3d} stalls, "
                        f"{run['stalled_ms']:5d} ms; disk {run['mean'] / 1e6:.2f} MB in the mean, "
                        f"{run['peak'] / 1e6:.2f} MB at most")
    auto = runs[0]
    ctx.report.goal(row, "shards that auto has ready when they are asked for",
                    100 - 100 * auto["stalls"] / shards, 100, "%", at_least=True)
    enough = [run for run in runs[1:] if run["stalls"] == 0]
    if not enough:
        ctx.report.fault(row, "weir", "no fixed number is without a stall")
        return
    for what in ("mean", "peak"):
        ctx.report.goal(row, f"{what} disk of auto, against --ahead {enough[0]['ahead']}, the "
                        "smallest without a stall", auto[what] / enough[0][what], 1.0, "x")

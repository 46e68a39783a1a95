#!/usr/bin/env python3
"""Power cuts: what was acknowledged is there afterwards, and nothing wrong bears a final name.

    python3 tests/faults/power_cut.py [--build DIR] [--rounds N] [--seed S] [--only K] [-v]

No part of the test command: it needs root and loop devices, and takes minutes. Each round makes an
ext4 on a loop device (cut_disk.py), lets `weir get` fetch a manifest into it from faultd, and cuts
its power at some moment. Then weir is killed (or finds out by itself), the disk mounted again with
another boot id, and looked at. So one to three times, and perhaps weir is killed once without a
cut; then the same command runs to its end, the power goes right after its exit, and it runs once
more. The report lies on another disk and tells what was acknowledged.

What is checked:
  after each cut  all that was acknowledged is there and right, and the journal holds it as done;
                  each final name holds a whole, right body; what the journal holds as done is true
  of each run     it asks for nothing that was acknowledged (with update: only by the entity tag of
                  what is there), and goes on exactly where its .part was synced; on a dead disk it
                  ends with 3; the one that is not cut ends with 0 and the full set

A round of the kind "begin" cuts several runs while the journal is made. What cannot be shown here:
what a disk loses that lies about its cache, for the loop device keeps all that it was given.
"""
import argparse
import collections
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from cut_disk import (Boot, Disk, Neighbour, Refused, check_method, detach_all, die_with_parent,
                      own_namespace)
from cut_plan import MOUNTS, Plan

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

HANG_SECONDS = 120
BEGINNINGS = 6  # of a round that looks at how a run begins


class Broken(Exception):
    """A promise was broken: what was found, in words."""


# ---- one round ----

class Round:
    def __init__(self, lab, plan):
        self.lab, self.plan, self.tally = lab, plan, lab.tally[plan.kind]
        self.chance = plan.chance
        self.folder = os.path.join(lab.folder, "round")
        os.makedirs(self.folder)
        lab.server.reset()
        self.bodies = {body.name: body for body in plan.bodies(lab.harness, lab.server)}
        self.by_target = {body.target: body for body in self.bodies.values()}
        self.known = {}     # (name, version) -> sha256 of that body
        self.acked = {}     # name -> the version that was acknowledged last
        self.fetched = set()  # names that a report called "ok": these the journal must hold
        self.stands = {}    # name -> the version that stood under it at the last look
        self.newest = 0     # the version that the server has now
        self.replacing = set()  # names of which the journal says that their file was being replaced
        self.synced = {}    # name -> how far the .part that stands may be trusted; None: all
        self.runs = 0
        self.process = None
        self.disk = Disk(self.folder, 768 if plan.kind == "resume" else 160, plan.mount)
        self.out = os.path.join(self.disk.root, "out")
        self.journal = os.path.join(self.disk.root, "run.db") if plan.journal else None
        self.manifest = os.path.join(self.folder, "manifest.tsv")
        self.write_manifest()

    def write_manifest(self):
        rows = ["\t".join(("url", "name", *self.plan.columns))]
        for body in self.bodies.values():
            more = {"size": body.size}
            if "sha256" in self.plan.columns:
                more["sha256"] = self.digest(body.name, 0)
            cells = [str(more[column]) for column in self.plan.columns]
            rows.append("\t".join([body.url, body.name, *cells]))
        with open(self.manifest, "w") as out:
            out.write("\n".join(rows) + "\n")

    def digest(self, name, version):
        key = (name, version)
        if key not in self.known:
            self.known[key] = hashlib.sha256(self.bodies[name].bytes(version)).hexdigest()
        return self.known[key]

    # running

    def start(self):
        self.runs += 1
        self.report = os.path.join(self.folder, f"report-{self.runs}.jsonl")
        self.words = os.path.join(self.folder, f"stderr-{self.runs}")
        self.before = dict(self.acked)
        self.served = len(self.lab.server.log())
        plan = self.plan
        command = [self.lab.harness.COMMAND, "get", "--no-config", "--progress", "none",
                   "-i", self.manifest, "-d", self.out, "--report", self.report, "--per-host", "16",
                   "--segments", plan.segments,
                   "-s", f"save.durability={plan.durability}", *self.lab.harness.QUICK_RETRY]
        command += ["--journal", self.journal] if plan.journal else []
        command += ["--rate", f"{plan.rate}/s"] if plan.rate else []
        command += ["--on-exist", plan.kind] if plan.versioned else []
        env = {key: value for key, value in os.environ.items()
               if not key.lower().endswith("_proxy")}
        with open(self.words, "wb") as words:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**env, "HOME": self.folder}, stdout=words,
                stderr=words, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        return self.process

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def said(self):
        with open(self.words, errors="replace") as words:
            return words.read().strip()

    def rows(self):
        """The lines of the report; one that a kill has torn tells nothing."""
        try:
            with open(self.report, "rb") as lines:
                return [json.loads(line) for line in lines.read().split(b"\n")[:-1]]
        except FileNotFoundError:
            return []

    def acknowledge(self):
        """What the run said was done, whether or not the disk had gone meanwhile."""
        for row in self.rows():
            if row["status"] == "ok":
                self.acked[row["path"]] = self.newest
                self.fetched.add(row["path"])

    def ended(self, process):
        if not wait_until(lambda: process.poll() is not None):
            raise Broken(f"hung for {HANG_SECONDS} s: {self.said()[-2000:]}")
        try:
            self.lab.harness.judge(process.returncode, self.said())
        except AssertionError as found:
            raise Broken(str(found)) from None
        return process.returncode

    # the moment

    def moments(self):
        """name, weight, when it has come."""
        n, chance, begun = len(self.bodies), self.chance, time.monotonic()
        some, soon = int(n * chance.uniform(0.02, 0.98)), chance.uniform(0, 0.12)
        large = max(self.bodies.values(), key=lambda body: body.size)
        part = os.path.join(self.out, large.name + ".part")
        far = large.size * chance.uniform(0.3 if self.plan.kind == "resume" else 0, 1)

        def lines():
            try:
                with open(self.report, "rb") as text:
                    return text.read().count(b"\n")
            except FileNotFoundError:
                return 0

        def grown():
            try:
                return os.stat(part).st_size >= far
            except FileNotFoundError:
                return False
        if self.journal:
            yield "at journal", 2, lambda: os.path.exists(self.journal)
        if self.plan.kind == "begin":
            return
        yield "at N done", 6, lambda: lines() > some
        yield "at last", 1, lambda: lines() == n
        yield "at a time", 2, lambda: time.monotonic() > begun + soon
        if large.size > 1_000_000:
            yield "at .part", 30 if self.plan.kind == "resume" else 3, grown

    def wait_for_moment(self, process):
        moments = list(self.moments())
        name, _, come = self.chance.choices(moments, [weight for _, weight, _ in moments])[0]
        if not wait_until(lambda: process.poll() is not None or come()):
            raise Broken(f"the moment ({name}) did not come: {self.said()[-2000:]}")
        time.sleep(self.chance.choice((0, 0.002, 0.01, 0.03)) * self.chance.random())
        return name

    def run_and_kill(self):
        """weir alone dies: the next run finds what was renamed, but perhaps not synced."""
        self.wait_for_moment(self.start())
        self.kill()
        self.acknowledge()
        self.tally["kills"] += 1
        self.check_requests()
        self.look()
        self.synced = None

    def run_and_cut(self):
        """The power goes at some moment of a run; sometimes weir lives on with the dead disk."""
        process = self.start()
        neighbour = Neighbour(self.disk.root, self.plan.neighbour) if self.plan.neighbour else None
        try:
            moment = self.wait_for_moment(process)
            finished = process.poll() is not None
            if process.returncode:
                raise Broken(f"it ends with {process.returncode} by itself: {self.said()[-2000:]}")
            self.disk.cut()
            if self.chance.random() < 0.15:
                code = self.ended(process)
                self.acknowledge()
                all_done = len(self.rows()) == len(self.bodies)
                if code not in (0, 3) or code == 0 and not all_done:
                    raise Broken(f"exit code {code}, not 3, on a dead disk: {self.said()[-2000:]}")
                self.tally["outlived"] += not finished
            else:
                time.sleep(self.chance.choice((0, 0, 0.02)))
                process.kill()
                self.ended(process)
        finally:
            self.kill()
            if neighbour:
                neighbour.stop()
        self.acknowledge()
        self.tally["cuts"] += 1
        self.tally["after exit" if finished else moment] += 1
        self.check_requests()
        self.power_returns()

    def power_returns(self):
        self.disk.unmount()
        self.lab.boot.renew()
        self.disk.mount()
        self.look()

    # what must hold

    def look(self):
        self.stands = self.look_at_files()
        if self.journal:
            self.look_at_journal(self.stands)

    def look_at_files(self):
        """name -> version of what stands under it."""
        found, self.synced = {}, {}
        for where, _, names in os.walk(self.out):
            for path in (os.path.join(where, name) for name in names):
                name = os.path.relpath(path, self.out)
                if name.endswith(".part"):
                    self.synced[name[:-len(".part")]] = trusted_part(path)
                elif not name.endswith(".part.resume"):
                    found[name] = self.version_of(path, name)
        for name, version in self.acked.items():
            if name not in found:
                raise Broken(f"{name} was acknowledged and is lost")
            if found[name] < version:
                raise Broken(f"{name}: the new version was acknowledged, the old one is there")
        self.tally["files"] += len(found)
        self.tally["told done"] += len(self.acked)
        return found

    def version_of(self, path, name):
        if name not in self.bodies:
            raise Broken(f"{name}: a file that nobody asked for")
        with open(path, "rb") as data:
            got = data.read()
        sum_ = hashlib.sha256(got).hexdigest()
        for version in range(self.newest + 1):
            if sum_ == self.digest(name, version):
                return version
        how = self.lab.harness.difference(got, self.bodies[name].bytes(self.newest))
        was = "acknowledged" if name in self.acked else "not acknowledged"
        raise Broken(f"{name} ({was}) stands under its final name and is wrong: {how}; "
                     f"{got.count(0)} of its bytes are zero")

    def look_at_journal(self, found):
        done, self.replacing = set(), set()
        for row in self.journal_rows():
            name, body = row["name"], self.bodies.get(row["name"])
            if not body or row["url"] != body.url:
                raise Broken(f"the journal holds what is not in the list: {dict(row)}")
            if row["state"] == "done":
                self.check_row(row, body, found)
                done.add(name)
            if row["state"] == "replacing" and self.newest:
                self.replacing.add(name)
            self.tally["rows"] += row["state"] == "done"
        if done and self.chance.random() < 0.3:
            self.ask_journal(len(done))
        missing = sorted(self.fetched - done - self.replacing)
        if missing:
            raise Broken(f"{len(missing)} that were acknowledged are not done in the journal: "
                         f"{missing[:5]}")

    def ask_journal(self, done):
        """`weir journal` on what the cut has left; the run after it must not mind."""
        told = subprocess.run([self.lab.harness.COMMAND, "journal", self.journal, "--json"],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=HANG_SECONDS)
        if told.returncode or json.loads(told.stdout)["done"] != done:
            raise Broken(f"weir journal ends with {told.returncode}, {done} are done: "
                         f"{told.stdout[:500]} {told.stderr[:500]}")

    def check_row(self, row, body, found):
        name = row["name"]
        if name not in found:
            raise Broken(f"{name} is done in the journal and lost")
        kept = (row["path"], row["bytes"], row["etag"])
        # what was found finished, by a run whose journal did not hold it yet, has no validators
        if kept != (name, body.size, row["etag"] and body.tag(found[name])):
            raise Broken(f"{name}: the journal holds {kept}; version {found[name]} is there, "
                         f"{body.size} bytes, {body.tag(found[name])}")
        kind, _, digest = (row["digest"] or "").partition("=")
        if kind == "sha256" and digest != self.digest(name, found[name]):
            raise Broken(f"{name}: the journal holds another digest: {digest}")

    def journal_rows(self):
        """The last row of each record, read from a copy: SQLite mends what it opens."""
        folder = os.path.join(self.folder, "journal")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name in os.listdir(self.disk.root):
            if name.startswith("run.db"):
                shutil.copy(os.path.join(self.disk.root, name), folder)
        if not os.path.exists(os.path.join(folder, "run.db")):
            return []
        db = sqlite3.connect(os.path.join(folder, "run.db"))
        db.row_factory = sqlite3.Row
        try:
            if not list(db.execute("select 1 from sqlite_master where name = 'record'")):
                return []
            sound = db.execute("pragma integrity_check").fetchone()[0]
            if sound != "ok":
                raise Broken(f"the journal is damaged: {sound}")
            rows = {row["name"]: row for row in db.execute("select * from record order by seq")}
            return list(rows.values())
        except sqlite3.DatabaseError as trouble:
            raise Broken(f"the journal cannot be read: {trouble}") from None
        finally:
            db.close()

    def run_to_the_end(self, twice=False):
        """The same command again: all of it, and nothing of what was acknowledged."""
        code = self.ended(self.start())
        rows = {row["path"]: row["status"] for row in self.rows()}
        if code:
            raise Broken(f"the same command again ends with {code}: {self.said()[-2000:]}")
        wrong = [name for name in self.bodies if rows.get(name) not in ("ok", "skipped")]
        if wrong:
            raise Broken(f"exit code 0, but {len(wrong)} are neither done nor skipped: {wrong[:5]}")
        if twice and not self.plan.versioned and "ok" in rows.values():
            raise Broken("what was complete was fetched once more")
        self.acknowledge()
        self.acked.update({name: self.newest for name in self.bodies})
        self.check_requests()
        self.look()
        if self.synced:
            raise Broken(f"partial files stay behind: {sorted(self.synced)[:5]}")

    def check_requests(self):
        """Of the last run: nothing twice, nothing spliced onto what was not synced."""
        asked = set()
        for entry in self.lab.server.log()[self.served:]:
            body = self.by_target[entry["target"]]
            headers = entry["headers"]
            if body.name in asked:
                continue
            asked.add(body.name)
            if body.name in self.before:
                self.check_again(body, headers)
            if self.synced is not None:  # else the same boot: all that was written may be trusted
                self.check_range(body, headers.get("Range"))

    def check_again(self, body, headers):
        """With update: by the tag of what stands there, or for the rest of a .part by its own."""
        if self.plan.kind == "update" and body.name not in self.replacing:
            self.tally["by tag"] += 1
            had, began = headers.get("If-None-Match"), headers.get("If-Range")
            if had != body.tag(self.stands[body.name]) and began != body.tag(self.newest):
                raise Broken(f"{body.name} was acknowledged and is asked for with the tag {had}")
        if not self.plan.versioned:
            raise Broken(f"{body.name} was acknowledged and is asked for again")

    def check_range(self, body, text):
        start = int(text[len("bytes="):-1]) if text else 0
        may = self.synced.get(body.name, 0)
        if start > may:
            raise Broken(f"{body.name} goes on at byte {start}; only {may} bytes were synced")
        if start < may:
            raise Broken(f"{body.name} goes on at byte {start}, and {may} bytes were synced")
        if body.name in self.synced and body.size > 64 << 20:
            self.tally["resumed"] += start > 0
            self.tally["anew"] += start == 0
            self.tally["MB kept"] += start // 1_000_000

    def wipe(self):
        """An empty disk again, as far as a run can see."""
        for name in os.listdir(self.disk.root):
            path = os.path.join(self.disk.root, name)
            if name == "out":
                shutil.rmtree(path)
            elif name.startswith("run.db"):
                os.unlink(path)
        self.disk.sync()
        self.acked, self.fetched, self.synced = {}, set(), {}

    def go(self):
        if self.plan.versioned:
            self.run_to_the_end()
            self.newest = 1
        for _ in range(BEGINNINGS if self.plan.kind == "begin" else 0):
            self.run_and_cut()
            self.run_to_the_end()
            self.wipe()
        for _ in range(self.plan.cuts):
            self.run_and_cut()
        if self.plan.killed:
            self.run_and_kill()
        self.run_to_the_end()
        self.disk.cut()
        self.tally["cuts"] += 1
        self.tally["after exit"] += 1
        self.power_returns()
        self.run_to_the_end(twice=True)
        ideal = sum(body.size for body in self.bodies.values())
        self.tally["MB"] += ideal // 1_000_000


def wait_until(come):
    """False: it did not come in HANG_SECONDS. Time for which the script itself was stopped, and
    weir perhaps with it, does not count."""
    waited, last = 0, time.monotonic()
    while not come():
        time.sleep(0.0005)
        now = time.monotonic()
        waited, last = waited + min(now - last, 0.1), now
        if waited > HANG_SECONDS:
            return False
    return True


def trusted_part(path):
    """What the resume record of a .part says was synced."""
    try:
        text = os.getxattr(path, "user.weir.resume").decode(errors="replace")
    except OSError:
        return 0
    synced = [int(line.split("\t")[1]) for line in text.splitlines() if line.startswith("synced\t")]
    return min(synced[0] if synced else 0, os.stat(path).st_size)


# ---- all rounds ----

class Lab:
    """What all rounds stand on."""

    def __init__(self, harness, folder):
        self.harness, self.folder = harness, folder
        self.tally = collections.defaultdict(collections.Counter)
        check_method(folder, MOUNTS[0])
        self.boot = Boot(folder)
        self.server = harness.FaultServer()

    def play(self, plan, keep):
        """What went wrong in that round, or None."""
        tally = self.tally[plan.kind]
        tally["rounds"] += 1
        rounds = Round(self, plan)
        trouble = None
        try:
            rounds.go()
        except Broken as broken:
            trouble = f"run {rounds.runs}: {broken}"
            tally["failed"] += 1
        finally:
            rounds.kill()
            rounds.disk.unmount()
            if trouble and keep:
                shutil.copytree(rounds.folder, os.path.join(keep, f"{plan.seed}-{plan.number}"))
            shutil.rmtree(rounds.folder)
        return trouble


COLUMNS = ("rounds", "cuts", "at N done", "at last", "at a time", "at journal", "at .part",
           "after exit", "outlived", "kills", "told done", "files", "rows", "by tag", "failed")


def print_table(tally):
    total = collections.Counter()
    for counts in tally.values():
        total.update(counts)
    rows = [["", *COLUMNS]]
    for kind, counts in [*sorted(tally.items()), ("all", total)]:
        rows.append([kind, *(str(counts[column]) for column in COLUMNS)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]))
    print(f"large .part after a cut: {total['resumed']} resumed ({total['MB kept']} MB kept), "
          f"{total['anew']} begun anew; checked bodies: {total['MB']} MB")


def play_all(lab, arguments):
    failures = []
    numbers = range(arguments.rounds) if arguments.only is None else [arguments.only]
    begun = time.monotonic()
    try:
        for number in numbers:
            plan = Plan(arguments.seed, number, arguments.durability)
            started = time.monotonic()
            trouble = lab.play(plan, arguments.keep)
            if arguments.verbose or trouble:
                took = time.monotonic() - started
                print(f"round {number} ({plan}), {took:.1f} s: {trouble or 'ok'}", flush=True)
            if trouble:
                failures.append((number, plan, trouble))
    finally:
        seconds = time.monotonic() - begun
        print(f"\npower cuts, --seed {arguments.seed}, {seconds:.0f} s")
        print_table(lab.tally)
        for number, plan, trouble in failures:
            print(f"FAILED --seed {arguments.seed} --only {number} ({plan})\n    {trouble}")
    return 1 if failures else 0


def read_arguments():
    parser = argparse.ArgumentParser(description="Cuts the power under weir, many times.")
    parser.add_argument("--build", default=os.path.join(SOURCE, "build", "plain"),
                        help="the build: weir, and tests/faults/faultd beside it [build/plain]")
    parser.add_argument("--rounds", type=int, default=60, help="disks; 2 to 4 cuts each [60]")
    parser.add_argument("--seed", type=int, default=1, help="of all choices [1]")
    parser.add_argument("--only", type=int, metavar="K", help="round K alone, as a failure says")
    parser.add_argument("--durability", choices=("batch", "file", "none"),
                        help="this alone; \"none\" must fail, and so shows that the checks can")
    parser.add_argument("--keep", metavar="DIR", help="keep disk and reports of what failed there")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line a round")
    return parser.parse_args()


def load_harness(build):
    """The tests' own, which takes from the environment what it stands on."""
    faults = os.path.join(build, "tests", "faults")
    for name, path in (("WEIR_COMMAND", os.path.join(build, "weir")),
                       ("WEIR_FAULTD", os.path.join(faults, "faultd")),
                       ("WEIR_FAULTBODY", os.path.join(faults, "faultbody.so"))):
        os.environ.setdefault(name, path)
        if not os.path.exists(os.environ[name]):
            raise Refused(f"{os.environ[name]} is missing: build first (tests/run.sh --quick), or "
                          f"name the build with --build")
    sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))
    sys.dont_write_bytecode = True
    import harness
    return harness


def interrupted(number, _):
    raise KeyboardInterrupt(number)


def main():
    arguments = read_arguments()
    folder = lab = None
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        if os.geteuid():
            raise Refused("a loop device and a mount need root")
        harness = load_harness(arguments.build)
        own_namespace()
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        folder = tempfile.mkdtemp(prefix="weir-power-", dir=base)
        lab = Lab(harness, folder)
        return play_all(lab, arguments)
    except Refused as refused:
        print(f"power_cut.py: cannot run: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("power_cut.py: interrupted", file=sys.stderr)
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if lab:
            lab.server.stop()
        if folder:
            detach_all(folder)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

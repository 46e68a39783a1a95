#!/usr/bin/env python3
"""Power cuts: what was acknowledged is there afterwards, and nothing wrong bears a final name.

    sudo python3 tests/faults/power_cut.py [--build DIR] [--rounds N] [--seed S] [--only K] [-v]

No part of the test command: it needs root and loop devices, and takes minutes. Each round makes a
small ext4 on a loop device, lets `weir get` fetch a manifest into it from faultd, and at some moment
shuts the file system down without a flush of its log (EXT4_IOC_SHUTDOWN): what was not synced is
gone, as after a power cut. Then weir is killed, the disk mounted again with another boot id, and
looked at. So one to three times; then the same command runs to its end, the power goes right after
its exit, and it runs once more. The report lies on another disk and tells what was acknowledged.

What is checked (a round that could not run has failed):
  after each cut  all that was acknowledged is there and right, and the journal holds it as done;
                  every final name holds a whole, right body; what the journal holds as done is right
  each next run   ends with 0 and the full set, asks for nothing that was acknowledged (or, with
                  update, only by its own entity tag), and goes on at no byte that was not synced

What it cannot show: what a disk loses that lies about its cache; the loop device keeps all it got.
Everything happens in a mount namespace of its own and loop devices free themselves, so nothing
stays behind, however the script ends; only SIGKILL leaves its folder.
"""
import argparse
import collections
import ctypes
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))

EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2
CLONE_NEWNS, MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x20000, 0x4000, 0x40000, 1
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LIBC = ctypes.CDLL(None, use_errno=True)

KINDS = ("small", "mixed", "update", "small", "resume", "overwrite", "mixed", "update")  # in turn
# ext4 forgives some (auto_da_alloc) or most (data=ordered) of what a program forgot: not here
MOUNTS = ("data=ordered", "noauto_da_alloc", "noauto_da_alloc,nodelalloc",
          "noauto_da_alloc,nodelalloc,data=writeback", "noauto_da_alloc,data=writeback,commit=1")
HANG_SECONDS = 120


class Refused(Exception):
    """This machine cannot do it, or not as it was asked."""


class Broken(Exception):
    """A promise was broken: what was found, in words."""


# ---- the machine ----

def own_namespace():
    if LIBC.unshare(CLONE_NEWNS) or LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        raise Refused("a mount namespace is not allowed here: " + os.strerror(ctypes.get_errno()))


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def system(*command):
    tool = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not tool:
        raise Refused(f"{command[0]} is missing; install mount and e2fsprogs")
    done = subprocess.run([tool, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=HANG_SECONDS, check=False)
    if done.returncode:
        words = done.stdout.decode(errors="replace").strip()
        raise Refused(f"{' '.join(command)} ended with {done.returncode}: {words}")


class Boot:
    """Another boot id after each cut: by it a program knows that its machine went down."""

    def __init__(self, folder):
        self.file = os.path.join(folder, "boot_id")
        self.renew()
        system("mount", "--bind", self.file, BOOT_ID)

    def renew(self):
        with open(self.file, "w") as out:
            out.write(f"{uuid.uuid4()}\n")


class Disk:
    """An ext4 in a file. `mount -o loop` gives its device back with the umount, or the namespace."""

    def __init__(self, folder, megabytes, options):
        self.image, self.root = os.path.join(folder, "disk"), os.path.join(folder, "mnt")
        self.options = options
        self.mounted = False
        os.makedirs(self.root, exist_ok=True)
        with open(self.image, "wb") as out:
            out.truncate(megabytes << 20)
        system("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.mount()

    def mount(self):
        system("mount", "-t", "ext4", "-o", "loop," + self.options, self.image, self.root)
        self.mounted = True

    def cut(self):
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(fd)

    def unmount(self):
        if self.mounted:
            system("umount", self.root)
            self.mounted = False

    def remove(self):
        self.unmount()
        os.unlink(self.image)


def check_method(folder):
    """A cut must lose what was not synced and keep what was, or all else would mean nothing."""
    disk = Disk(folder, 32, MOUNTS[0])
    try:
        for name in ("synced", "lost"):
            with open(os.path.join(disk.root, name), "w") as out:
                out.write(name)
            if name == "synced":
                os.sync()
        disk.cut()
        disk.unmount()
        disk.mount()
        left = sorted(set(os.listdir(disk.root)) - {"lost+found"})
        if left != ["synced"]:
            raise Refused(f"a cut is no cut here: {left} was left, where only \"synced\" was synced")
    except OSError as trouble:
        raise Refused(f"EXT4_IOC_SHUTDOWN: {trouble.strerror}") from trouble
    finally:
        disk.remove()


class Neighbour(threading.Thread):
    """Another program on the same disk that syncs: it makes ext4 commit at moments that weir did
    not choose, and so shows what weir has left in the wrong order."""

    def __init__(self, root, pause):
        super().__init__(daemon=True)
        self.fd = os.open(os.path.join(root, "neighbour"), os.O_WRONLY | os.O_CREAT)
        self.pause = pause
        self.over = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.over.wait(self.pause):
                os.pwrite(self.fd, os.urandom(64), 0)
                os.fsync(self.fd)
        except OSError:
            pass  # the power is gone

    def stop(self):
        self.over.set()
        self.join()
        os.close(self.fd)


# ---- what is fetched ----

class Body:
    """One record: its name, and its body in the versions that the server has had."""

    def __init__(self, harness, server, seed, size, name, query):
        self.harness, self.seed, self.size, self.name = harness, seed, size, name
        self.url = server.url(seed, size, query)
        self.target = self.url[len(server.base):]

    def bytes(self, version=0):
        return self.harness.body(self.seed, self.size, version)

    def tag(self, version):
        """The ETag that the server gives it."""
        words = ctypes.CDLL(os.environ["WEIR_FAULTBODY"])
        words.fault_seed.restype = words.fault_word.restype = ctypes.c_uint64
        number = words.fault_seed(self.seed.encode(), ctypes.c_size_t(len(self.seed)))
        word = words.fault_word(ctypes.c_uint64((number + version) % 2**64),
                                ctypes.c_uint64(self.size))
        return f'"{word:016x}"'


class Plan:
    """What a round does; the same for the same seed and number, but for the moment of each cut."""

    def __init__(self, seed, number, durability):
        self.seed, self.number = seed, number
        self.chance = chance = random.Random(f"{seed}/{number}")
        self.kind = KINDS[number % len(KINDS)]
        self.durability = durability or chance.choice(("batch", "batch", "file"))
        self.journal = self.kind != "overwrite" and chance.random() < 0.65
        self.mount = chance.choice(MOUNTS)
        self.neighbour = chance.choice((0, 0.001, 0.01))
        self.rate = chance.choice((0, 800, 2000))
        self.folders = chance.random() < 0.4
        self.columns = chance.choice((("size",), ("size", "sha256"), ()))
        if self.versioned:
            self.columns = ()
        self.cuts = chance.choice((1, 2, 2, 3))
        self.killed = chance.random() < 0.25

    @property
    def versioned(self):
        return self.kind in ("update", "overwrite")

    def __str__(self):
        words = [self.kind, self.durability, "journal" if self.journal else "no journal", self.mount]
        words += [f"rate {self.rate}"] * bool(self.rate) + ["folders"] * self.folders
        words += [f"neighbour each {self.neighbour} s"] * bool(self.neighbour) + [*self.columns]
        return ", ".join(words)

    def sizes(self):
        chance = self.chance
        small = [chance.randint(1000, 20_000) for _ in range(chance.randint(100, 500))]
        large = {"mixed": [3_000_000] * chance.randint(3, 8) + [9_000_000] * chance.randint(0, 1),
                 "update": [3_000_000] * chance.randint(0, 3),
                 "overwrite": [3_000_000] * chance.randint(0, 3),
                 "resume": [chance.randint(80_000_000, 200_000_000)]}.get(self.kind, [])
        sizes = small[:60] if self.kind == "resume" else small
        for size in large:
            sizes.insert(chance.randint(0, min(len(sizes), 50)), size)
        return sizes

    def bodies(self, harness, server):
        for i, size in enumerate(self.sizes()):
            drip = "drip=500000/3" if size > 10_000_000 else "drip=60000/3" if size > 1e6 else ""
            query = harness.faulty("change=1" if self.versioned else "", drip)
            name = f"d{i % 5}/e{i % 3}/f{i}" if self.folders and i % 2 else f"f{i}"
            yield Body(harness, server, f"p{self.seed}-{self.number}-{i}", size, name, query)


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
        self.newest = 0     # the version that the server has now
        self.synced = {}    # name -> how far the .part that stands may be trusted; None: all
        self.runs = 0
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
            rows.append("\t".join([body.url, body.name, *(str(more[c]) for c in self.plan.columns)]))
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
        self.served = len(self.lab.server.log())
        plan = self.plan
        command = [self.lab.harness.COMMAND, "get", "--no-config", "--progress", "none",
                   "-i", self.manifest, "-d", self.out, "--report", self.report, "--per-host", "16",
                   "-s", f"save.durability={plan.durability}", *self.lab.harness.QUICK_RETRY]
        command += ["--journal", self.journal] if plan.journal else []
        command += ["--rate", f"{plan.rate}/s"] if plan.rate else []
        command += ["--on-exist", plan.kind] if plan.versioned else []
        env = {key: value for key, value in os.environ.items()
               if not key.lower().endswith("_proxy")}
        with open(self.words, "wb") as words:
            return subprocess.Popen(command, cwd=self.folder, env={**env, "HOME": self.folder},
                                    stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                                    preexec_fn=die_with_parent)

    def said(self):
        with open(self.words, errors="replace") as words:
            return words.read()

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
        try:
            process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            raise Broken(f"hung for {HANG_SECONDS} s: {self.said()[-2000:]}") from None
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
        part, far = os.path.join(self.out, large.name + ".part"), chance.random() * large.size

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
        yield "at N done", 6, lambda: lines() > some
        yield "at a time", 2, lambda: time.monotonic() > begun + soon
        if self.journal:
            yield "at journal", 2, lambda: os.path.exists(self.journal)
        if large.size > 1_000_000:
            yield "at .part", 30 if self.plan.kind == "resume" else 3, grown

    def wait_for_moment(self, process):
        moments = list(self.moments())
        name, _, come = self.chance.choices(moments, [weight for _, weight, _ in moments])[0]
        last = time.monotonic() + HANG_SECONDS
        while process.poll() is None and not come():
            if time.monotonic() > last:
                raise Broken(f"the moment ({name}) did not come: {self.said()[-2000:]}")
            time.sleep(0.0005)
        time.sleep(self.chance.choice((0, 0.001, 0.01, 0.04)) * self.chance.random())
        return name

    def run_and_kill(self):
        """weir alone dies: the next run finds what was renamed, but perhaps not synced."""
        process = self.start()
        try:
            self.wait_for_moment(process)
        finally:
            process.kill()
            process.wait()
        self.acknowledge()
        self.tally["kills"] += 1
        self.synced = None

    def run_and_cut(self):
        """The power goes at some moment of a run; sometimes weir lives on with the dead disk."""
        process = self.start()
        neighbour = Neighbour(self.disk.root, self.plan.neighbour) if self.plan.neighbour else None
        try:
            moment = self.wait_for_moment(process)
            finished = process.poll() is not None
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
            process.kill()
            process.wait()
            if neighbour:
                neighbour.stop()
        self.acknowledge()
        self.tally["cuts"] += 1
        self.tally["after exit" if finished else moment] += 1
        self.power_returns()

    def power_returns(self):
        self.disk.unmount()
        self.lab.boot.renew()
        self.disk.mount()
        self.look()

    # what must hold

    def look(self):
        found = self.look_at_files()
        if self.journal:
            self.look_at_journal(found)

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
        done = set()
        for row in self.journal_rows():
            name, body = row["name"], self.bodies.get(row["name"])
            if not body or row["url"] != body.url:
                raise Broken(f"the journal holds what is not in the list: {dict(row)}")
            if row["state"] == "done":
                self.check_row(row, body, found)
            if row["state"] == "done" or row["state"] == "replacing" and self.newest:
                done.add(name)
            self.tally["rows"] += row["state"] == "done"
        missing = sorted(self.fetched - done)
        if missing:
            raise Broken(f"{len(missing)} that were acknowledged are not done in the journal: "
                         f"{missing[:5]}")

    def check_row(self, row, body, found):
        name = row["name"]
        if name not in found:
            raise Broken(f"{name} is done in the journal and lost")
        kept = (row["path"], row["bytes"], row["etag"])
        if kept != (name, body.size, body.tag(found[name])):
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
        before = dict(self.acked)
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
        self.check_requests(before)
        self.synced = {}
        self.look()
        if self.synced:
            raise Broken(f"partial files stay behind: {sorted(self.synced)[:5]}")

    def check_requests(self, before):
        """Of the run that has ended: nothing twice, nothing spliced onto what was not synced."""
        plan, asked = self.plan, set()
        for entry in self.lab.server.log()[self.served:]:
            body = self.by_target[entry["target"]]
            tag = entry["headers"].get("If-None-Match")
            if body.name in before and plan.kind == "update":
                self.tally["by tag"] += 1
                if tag != body.tag(before[body.name]):
                    raise Broken(f"{body.name} was acknowledged and is asked for with the tag {tag}")
            elif body.name in before and plan.kind != "overwrite":
                raise Broken(f"{body.name} was acknowledged and is asked for again")
            if body.name not in asked:
                self.check_range(body, entry["headers"].get("Range"))
            asked.add(body.name)
        self.tally["asked again"] += len(asked - set(before))

    def check_range(self, body, text):
        start = int(text[len("bytes="):-1]) if text else 0
        if self.synced is None:
            return  # the same boot: all that was written may be trusted
        may = self.synced.get(body.name, 0)
        if start > may:
            raise Broken(f"{body.name} goes on at byte {start}; only {may} bytes were synced")
        if body.name in self.synced and body.size > 64 << 20:
            self.tally["resumed"] += start > 0
            self.tally["anew"] += start == 0
            self.tally["MB kept"] += start // 1_000_000

    def go(self):
        if self.plan.versioned:
            self.run_to_the_end()
            self.newest = 1
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
        check_method(folder)
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
            rounds.disk.unmount()
            if trouble and keep:
                shutil.copytree(rounds.folder, os.path.join(keep, f"{plan.seed}-{plan.number}"))
            shutil.rmtree(rounds.folder)
        return trouble


COLUMNS = ("rounds", "cuts", "at N done", "at a time", "at journal", "at .part", "after exit",
           "outlived", "kills", "told done", "files", "rows", "by tag", "failed")


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
            trouble = lab.play(plan, arguments.keep)
            if arguments.verbose or trouble:
                print(f"round {number} ({plan}): {trouble or 'ok'}", flush=True)
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
    parser.add_argument("--only", type=int, metavar="K", help="round K alone, as a failure names it")
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
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

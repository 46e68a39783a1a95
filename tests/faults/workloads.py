"""What disks, kills and a lack of memory are tried on: runs whose result is known to the byte.

    small    a list of many small files, with a journal
    large    one large file in four ranges, with the digest of a list and a journal
    filter   the lines of a compressed log, into a file
"""
import functools
import hashlib
import json
import os
import random

import harness
from corpus import grep, pack
from trial_lab import Lab, hard, requests

NAMES = ("small", "large", "filter")
WORD = "INFO"


class Workload:
    def __init__(self, lab, name, where=None, journal=True):
        self.lab, self.name = lab, name
        lab.dir = os.path.join(where or lab.folder, "out")
        self.journal = os.path.join(where or lab.folder, "run.db") if journal else None
        self.reference, self.targets = {}, {}  # name -> bytes; name -> part of its URL
        getattr(self, name)()

    def small(self):
        chance, lab = self.lab.chance, self.lab
        self.server = lab.faults()
        urls = []
        for i in range(40):
            seed, size = f"w{chance.getrandbits(48):x}", chance.choice((0, 1, 800, 4000, 70_000))
            name = f"sub{i % 3}/n{i}"
            urls.append({"url": self.server.url(seed, size, "", f"n{i}"), "name": name})
            self.reference[name] = harness.body(seed, size)
            self.targets[name] = f"/{seed}/"
        self.command = ["get", "-d", lab.dir, "-i", self.listing(urls)]

    def large(self):
        chance, lab = self.lab.chance, self.lab
        self.server = lab.faults()
        seed, size = f"w{chance.getrandbits(48):x}", 4_500_000 + chance.randrange(99999)
        data = harness.body(seed, size)
        urls = [{"url": self.server.url(seed, size, "drip=65536/1", "f"), "name": "f",
                 "size": size, "sha256": hashlib.sha256(data).hexdigest()}]
        self.reference["f"] = data
        self.targets["f"] = f"/{seed}/"
        self.command = ["get", "--segments", "4", "-d", lab.dir, "-i", self.listing(urls)]

    def filter(self):
        chance, lab = self.lab.chance, self.lab
        text = harness.lines("t", f"w{chance.getrandbits(48):x}", 600_000)
        lab.write("served/x.log.gz", pack(text, "gz", 2))
        self.server = lab.faults("--files", lab.path("served"))
        self.reference["x.log"] = grep(text, WORD)
        self.targets["x.log"] = "/x.log.gz"
        self.journal = None
        self.command = ["filter", "-F", WORD, "-d", lab.dir, self.server.file_url("x.log.gz")]

    def listing(self, records):
        return self.lab.write("list.jsonl", "".join(json.dumps(row) + "\n" for row in records))

    def arguments(self):
        return [*self.command, *(["--journal", self.journal] if self.journal else []),
                "--per-host", "16"]

    # running

    def run(self, **kw):
        command, *args = self.arguments()
        run = self.lab.weir(command, *args, **kw)
        self.look(run)
        return run

    def look(self, run=None):
        """After any run, whatever happened to it."""
        lab = self.lab
        lab.only_right_names(self.reference)
        if run is not None:
            lab.note_acknowledged(run, self.reference)
        lab.still_there()

    def converge(self):
        """I4: without the fault it ends with all, and asks for nothing that was acknowledged."""
        lab, done = self.lab, set(self.lab.acknowledged)
        before = len(requests(self.server))
        run = self.run()
        hard(run.code == 0, f"I4: the run after it ended with {run.code}\n{run.err[-2000:]}")
        found = lab.only_right_names(self.reference)
        hard(sorted(found) == sorted(self.reference),
             f"I4: in the end {sorted(set(self.reference) - set(found))[:5]} are missing")
        asked = [target for target, _, _ in requests(self.server)[before:]]
        for name in done:
            again = [target for target in asked if self.targets[name] in target]
            hard(not again, f"I4: {name} was acknowledged and is asked for again: {again[:3]}")
        lab.nothing_left()
        return run


@functools.lru_cache(None)
def counted(workload, shim, list_by="FAULT_COUNT", journal=True, **variables):
    """What a shim counts in a run without a fault: kind -> number. In the values of variables
    {folder} is that of the run."""
    lab = Lab(random.Random(workload), False)
    lab.setUp()
    try:
        env = {key: value.format(folder=lab.folder) for key, value in variables.items()}
        env[list_by] = lab.path("counts")
        run = Workload(lab, workload, journal=journal).run(env=lab.preload(shim, **env))
        hard(run.code == 0, f"the run without a fault ended with {run.code}\n{run.err}")
        with open(lab.path("counts")) as text:
            return {kind: int(number) for kind, number in map(str.split, text)}
    finally:
        lab.doCleanups()

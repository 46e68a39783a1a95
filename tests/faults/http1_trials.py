"""HTTP/1: each fault of http1_faults.py in each mode.

The URL of the trial has no query: faultd is told of the fault by /_set, so that the run before, the
run with the fault and the run after it are the same command. A second URL beside it is always
good: it must arrive whatever happens to the first.

    fresh      nothing is there
    resume     an earlier run was cut, and left a .part
    segmented  --segments 4, over a body that is large enough
    filter     the lines of a text, to standard output
"""
import functools
import zlib

import harness
from harness import lines
from http1_faults import FAULTS
from trial_lab import OK, hard, requests, set_faults, visible

MODES = ("fresh", "resume", "segmented", "filter")
WORD = b"INFO"
RETRIES = 4
SHORT = 240  # of some 900, in the short form


def outcome_of(fault, mode):
    """What is promised there: OK or classes."""
    promised = fault.by_mode.get(mode, fault.outcome)
    return promised if isinstance(promised, tuple) else (promised,)


def keeps(fault, mode):
    return fault.keeps if isinstance(fault.keeps, bool) else mode in fault.keeps


def gunzips_to(wanted):
    def check(data):
        try:
            return zlib.decompress(data, 31) == wanted
        except zlib.error:
            return False
    return check


class Exchange:
    """The three runs of a trial."""
    stall = "400ms"

    def __init__(self, lab, fault, mode):
        self.lab, self.fault, self.mode = lab, fault, mode
        chance = lab.chance
        self.server = self.serve()
        self.seed = f"s{chance.getrandbits(48):x}"
        self.good_seed = f"g{chance.getrandbits(48):x}"
        self.kind = "t" if mode == "filter" else "r"
        self.size = {"segmented": 4_500_000, "filter": 200_000}.get(mode, 300_000)
        self.size += chance.randrange(4096)
        self.held = self.size * 2 // 5
        self.good_size = 5000 + chance.randrange(3000)
        self.url = self.server.url(self.seed, self.size, "", "f", self.kind)
        # a fragment of a query keeps the standing faults away from it
        self.good = self.server.url(self.good_seed, self.good_size, "good", "good", self.kind)
        self.reference = {"good": self.content(self.good_seed, self.good_size),
                          "f": self.wanted()}

    def serve(self):
        return self.lab.faults()

    def content(self, seed, size, version=0):
        if self.kind == "t":
            return lines("t", seed, size, version=version)
        return harness.body(seed, size, version)

    def wanted(self):
        data = self.content(self.seed, self.size, self.fault.version)
        if self.fault.prefix is not None:
            data = data[:self.fault.prefix]
        return gunzips_to(data) if self.fault.packed and self.kind == "r" else data

    def query(self):
        values = {"same": f"/{self.kind}/{self.seed}/{self.size}/f%3Fgood", "size": self.size,
                  "host": f"127.0.0.1%3A{self.server.port}", "half": self.size // 2}
        query = self.fault.query
        for key, value in values.items():
            query = query.replace("{" + key + "}", str(value))
        if self.mode == "segmented" and "drip" not in query:
            query += "&drip=65536/1"
        return query

    def command(self):
        """The same for all runs."""
        args = ["--retries", str(self.fault.retries or RETRIES),
                "-s", f"http.stall_timeout={self.stall}", "-s", "retry.retry_after_max=900ms",
                "-s", "http.connect_timeout=5s",
                "-s", "save.durability=none", *self.fault.args]
        if self.mode == "filter":
            return ["filter", *args, "-F", WORD.decode(), "--with-url", self.url, self.good]
        segments = ["--segments", "4"] if self.mode == "segmented" else []
        return ["get", *args, *segments, "-d", self.lab.dir, self.url, self.good]

    def run(self, query=""):
        set_faults(self.server, query)
        before = len(self.server.log())
        run = self.lab.weir(*self.command())
        run.requests = requests(self.server)[before:]
        run.mine = [entry for entry in run.requests if self.seed in entry[0]]
        return run

    # the three runs

    def leave_part(self):
        set_faults(self.server, f"cut={self.held}")
        command = self.command()
        command[command.index("--retries") + 1] = "0"
        run = self.lab.weir(*command)
        hard(run.by_url[self.url]["status"] == "failed", "the run before was not cut")
        parts = self.lab.partial_files()
        hard(len(parts.get("f.part", b"")) == self.held,
             f"the run before left {len(parts.get('f.part', b''))} bytes instead of {self.held}")

    def faulty(self):
        run = self.run(self.query())
        promised = outcome_of(self.fault, self.mode)
        row = run.by_url[self.url]
        found = row["error"]["class"] if row.get("error") else OK
        hard(found in promised, f"I3: {found} instead of {' or '.join(promised)}: "
             f"{row.get('error')} after {row['attempts']} attempts")
        good = run.by_url[self.good]
        held = self.fault.holds and good["status"] == "failed" and \
            good["error"]["class"] == "rate_limited"
        hard(good["status"] in ("ok", "skipped") or held, f"the good URL beside it: {good}")
        self.reference_now = {"good": self.reference["good"]} if not held else {}
        if self.mode == "resume":
            asked = [head for _, head, _ in run.mine if "range" in head]
            hard(asked, "the part of the run before was not gone on with: no Range was asked for")
        return run, found

    def again(self, outcome):
        before = len(self.lab.partial_files().get("f.part", b"")) if self.mode != "filter" else 0
        run = self.run()
        row = run.by_url[self.url]
        hard(row["status"] in ("ok", "skipped"), f"I4: the run after it: {row}\n{run.err}")
        hard(run.code == 0, f"I4: the run after it ended with {run.code}")
        if self.mode == "filter":
            return run
        if outcome == OK:
            hard(not run.mine, f"I4: asked for again although done: {run.mine}")
        elif self.mode == "resume" and keeps(self.fault, self.mode):
            hard(before >= self.held, f"I4: {self.held} good bytes were there before the fault, "
                 f"and {before} after it")
            hard(row["resumed_from"] >= self.held,
                 f"I4: went on at {row['resumed_from']}, although {before} bytes were there")
        return run


def saved(lab, fault, mode, exchange=Exchange):
    x = exchange(lab, fault, mode)
    if mode == "resume":
        x.leave_part()
    run, outcome = x.faulty()
    reference = dict(x.reference_now)
    if outcome == OK:
        reference["f"] = x.reference["f"]
    lab.only_right_names(reference)
    lab.note_acknowledged(run, reference)
    lab.still_there()
    hard(sorted(lab.final_files()) == sorted(reference), "I2: the good file is not there")
    if outcome != OK:
        x.reference["f"] = x.content(x.seed, x.size)
    run = x.again(outcome)
    found = lab.only_right_names(x.reference)
    hard(sorted(found) == ["f", "good"], f"I4: in the end there is {sorted(found)}")
    lab.note_acknowledged(run, x.reference)
    lab.still_there()
    lab.nothing_left()


def kept_lines(data):
    rows = data.split(b"\n")
    if rows[-1] == b"":
        rows.pop()
    return [row for row in rows if WORD in row]


def lines_each(run):
    """URL -> its lines, in order; all of them whole."""
    hard(not run.out or run.out.endswith(b"\n"), f"I1: a torn line: {visible(run.out[-99:])}")
    found = {}
    for line in run.out.split(b"\n")[:-1]:
        url, tab, rest = line.partition(b"\t")
        hard(tab, f"I1: a line without its URL: {visible(line)}")
        found.setdefault(url.decode(), []).append(rest)
    return found


def filtered(lab, fault, mode, exchange=Exchange):
    x = exchange(lab, fault, mode)
    run, outcome = x.faulty()
    text = x.content(x.seed, x.size, fault.version)
    wanted = kept_lines(text if fault.prefix is None else text[:fault.prefix])
    good = kept_lines(x.reference["good"]) if x.reference_now else []
    found = lines_each(run)
    hard(set(found) <= {x.url, x.good}, f"I1: lines of {sorted(found)}")
    hard(found.get(x.good, []) == good, "I2: the lines of the good URL are not exactly there once")
    mine = found.get(x.url, [])
    if outcome == OK:
        hard(mine == wanted, f"I1: {len(mine)} lines instead of {len(wanted)}")
    else:
        first = kept_lines(x.content(x.seed, x.size))
        hard(mine == first[:len(mine)], "I1: what came before the failure is not the beginning")
    run = x.again(outcome)
    found = lines_each(run)
    hard(found.get(x.url, []) == kept_lines(x.content(x.seed, x.size)),
         "I4: the run after it has not each line once")


def in_modes(faults, exchange):
    for fault in faults:
        for mode in MODES:
            if mode in fault.modes:
                check = filtered if mode == "filter" else saved
                yield f"{fault.name}/{mode}", functools.partial(check, fault=fault, mode=mode,
                                                                exchange=exchange)


def trials(plan):
    return plan.some(in_modes(FAULTS, Exchange), SHORT)

"""The disk: full, read-only, failing, in each phase, by a shim and by real limits of the system."""
import errno
import functools
import os
import shutil
import sqlite3
import subprocess
import threading

from harness import tool
from trial_lab import hard, must
from workloads import NAMES, Workload, counted

SHIM = os.environ.get("WEIR_FAULTSHIM", "")
ERRORS = {name: getattr(errno, name) for name in ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EACCES",
                                                    "EMFILE")}
# calls about the folder of the files, and about the journal, whose failure the run must not hide
KINDS = ("open", "write", "sync", "rename", "mkdir", "truncate", "allocate", "xattr", "unlink")
MUST_BE_TOLD = PHASES = ("open", "write", "sync", "rename")
WHEN = ("first", "any", "last")
PLACES = {"files": "/out", "journal": "run.db"}


def told(run, kind, place, code, lasts, single):
    """I3: local trouble is exit code 3, and says what and where."""
    hard(run.code in (0, 1, 3), f"I3: exit code {run.code}\n{run.err[-1500:]}")
    if run.code == 0:
        # one call that fails may be made good: by another try, or a sync for each file
        lasts = lasts or (kind == "sync" and single)
        hard(not (kind in MUST_BE_TOLD and place == "files" and lasts),
             f"I3: {kind} failed with {code}, and the run says that all is well\n{run.err[-1500:]}")
        return
    words = os.strerror(ERRORS[code]) if code in ERRORS else code
    text = run.err + " ".join(str(row.get("error")) for row in run.rows)
    hard(words.lower() in text.lower() or "disk" in text or "database" in text,
         f"I3: nothing says \"{words}\":\n{run.err[-1500:]}")


def fails(lab, workload, place, kind, code, when, lasts, calls):
    work = Workload(lab, workload, journal=place == "journal")
    n = {"first": 1, "last": calls}.get(when) or lab.chance.randint(1, calls)
    env = lab.preload(SHIM, FAULT_CALL=f"{kind}:{n}:{ERRORS[code]}:{0 if lasts else 1}",
                      FAULT_PATH=PLACES[place], FAULT_COUNT=lab.path("counts"))
    run = work.run(env=env)
    with open(lab.path("counts")) as text:
        made = dict(map(str.split, text))
    if int(made[kind]) < n:
        # so many calls there were not this time: threads meet as they like
        hard(run.code == 0, f"nothing failed, and yet it ended with {run.code}\n{run.err}")
        return
    told(run, kind, place, code, lasts, single=workload == "large")
    if place == "journal":
        journal_holds(lab, work)
    work.converge()


def journal_holds(lab, work):
    """What was acknowledged is done in the journal too: failures at its very end, when it puts its
    own house in order, need not be told."""
    if not lab.acknowledged:
        return
    copy = lab.path("copy", "run.db")
    os.makedirs(os.path.dirname(copy))
    for end in ("", "-wal"):  # a copy: SQLite mends what it opens
        if os.path.exists(work.journal + end):
            shutil.copy(work.journal + end, copy + end)
    db = sqlite3.connect(copy)
    done = {row[0] for row in db.execute("SELECT path FROM record WHERE state = 'done'")}
    db.close()
    lost = sorted(set(lab.acknowledged) - done)
    hard(not lost, f"I2: acknowledged, and not in the journal: {lost[:5]} of {len(lost)}")


def gone(lab, workload, kind, calls, when):
    """The folder of the files is removed right before a call: what is left to do fails or is done
    anew, and the next run has all of it."""
    work = Workload(lab, workload, journal=False)
    n = {"first": 1, "last": calls}.get(when) or lab.chance.randint(1, calls)
    command, *args = work.arguments()
    run = lab.weir(command, *args, env=lab.preload(
        SHIM, FAULT_CALL=f"{kind}:{n}:gone", FAULT_PATH=PLACES["files"], FAULT_FOLDER=lab.dir))
    hard(run.code in (0, 1, 3), f"I3: exit code {run.code}\n{run.err[-1500:]}")
    work.look()
    work.converge()


# ---- real ones ----

def mounted(lab, *options):
    place = lab.path("disk")
    os.makedirs(place)
    must("mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", place)
    lab.addCleanup(subprocess.run, [tool("umount"), "-l", place])
    return place


def outgrown(lab, workload, what, small, large):
    """A tmpfs whose limit is too small for the workload; then it is raised."""
    place = mounted(lab, *small)
    work = Workload(lab, workload, where=place, journal=False)
    run = work.run()
    hard(run.code == 3, f"I3: {what} is exit code 3, not {run.code}\n{run.err}")
    must("mount", "-o", f"remount,{large}", place)
    work.converge()


def full(lab, workload):
    size = "size=64k" if workload == "filter" else "size=400k"
    outgrown(lab, workload, "a full disk", [size], "size=60m")


def no_inodes(lab, workload):
    outgrown(lab, workload, "no inode left", ["size=60m", "nr_inodes=2"], "nr_inodes=1000")


def read_only(lab, workload):
    place = mounted(lab, "size=60m")
    work = Workload(lab, workload, where=place, journal=False)
    os.makedirs(lab.dir)
    must("mount", "-o", "remount,ro", place)
    run = work.run()
    hard(run.code == 3, f"I3: a read-only disk is exit code 3, not {run.code}\n{run.err}")
    must("mount", "-o", "remount,rw", place)
    work.converge()


def limited(lab, workload, limit, value):
    work = Workload(lab, workload, journal=False)
    run = work.run(under=["prlimit", f"--{limit}={value}"])
    hard(run.code in (0, 1, 3), f"I3: exit code {run.code}\n{run.err[-1500:]}")
    hard(run.code or limit == "nofile", "I3: the limit of file sizes was reached, and all is well?")
    work.converge()


def removed(lab, workload):
    """The directory vanishes while the run is under way: nothing is acknowledged that is gone."""
    work = Workload(lab, workload, journal=False)
    stop = threading.Event()

    def remove():
        while not stop.is_set():
            if os.path.isdir(lab.dir) and any(files for _, _, files in os.walk(lab.dir)):
                shutil.rmtree(lab.dir, ignore_errors=True)
                return
    remover = threading.Thread(target=remove)
    remover.start()
    try:
        command, *args = work.arguments()
        run = lab.weir(command, *args, "--rate", "200/s")
    finally:
        stop.set()
        remover.join()
    hard(run.code in (0, 1, 3), f"I3: exit code {run.code}\n{run.err[-1500:]}")
    work.look()
    work.converge()


def shim_trials():
    for place, path in PLACES.items():
        for workload in NAMES:
            if place == "journal" and workload == "filter":
                continue
            calls = counted(workload, SHIM, journal=place == "journal", FAULT_PATH=path)
            for kind in KINDS:
                if not calls[kind]:
                    continue
                for code in ERRORS:
                    if code == "EMFILE" and kind != "open":
                        continue
                    for when in WHEN:
                        for lasts in (True, False):
                            yield f"{workload}/{place}/{kind}-{code}-{when}-" + \
                                ("stays" if lasts else "once"), functools.partial(
                                    fails, workload=workload, place=place, kind=kind, code=code,
                                    when=when, lasts=lasts, calls=calls[kind])
                if place == "files" and kind in PHASES:
                    for when in WHEN:
                        yield f"{workload}/folder-gone-{kind}-{when}", functools.partial(
                            gone, workload=workload, kind=kind, calls=calls[kind], when=when)


def trials(plan):
    yield from plan.some(shim_trials(), 44)
    descriptors = range(6, 60, 3) if plan.long else (20,)
    for workload in NAMES:
        yield f"{workload}/full", functools.partial(full, workload=workload)
        yield f"{workload}/no-inodes", functools.partial(no_inodes, workload=workload)
        yield f"{workload}/read-only", functools.partial(read_only, workload=workload)
        for size in (0, 1, 700, 4096, 20_000, 69_999) if plan.long else (0, 20_000):
            yield f"{workload}/file-size-limit-{size}", functools.partial(
                limited, workload=workload, limit="fsize", value=size)
        for number in descriptors:
            yield f"{workload}/descriptors-{number}", functools.partial(
                limited, workload=workload, limit="nofile", value=number)
        for i in range(20 if plan.long else 1):
            yield f"{workload}/folder-removed-{i}", functools.partial(removed, workload=workload)

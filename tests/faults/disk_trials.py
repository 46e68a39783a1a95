"""The disk: full, read-only, failing, in each phase, by a shim and by real limits of the system."""
import errno
import functools
import os
import shutil
import subprocess
import threading

from harness import tool
from trial_lab import hard, must
from workloads import NAMES, Workload

SHIM = os.environ.get("WEIR_FAULTSHIM", "")
ERRORS = {name: getattr(errno, name) for name in ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EACCES")}
# calls about the folder of the files, and about the journal, whose failure the run must not hide
KINDS = ("open", "write", "sync", "rename", "mkdir", "truncate", "allocate", "xattr", "unlink")
MUST_BE_TOLD = {"open", "write", "sync", "rename"}
PLACES = {"files": "/out", "journal": "run.db"}


def read_counts(path):
    with open(path) as text:
        return {line.split()[0]: int(line.split()[1]) for line in text}


def count(lab, work, path):
    """How often each kind of call is made in a run without a fault."""
    counts = lab.path("counts")
    env = lab.preload(SHIM, FAULT_COUNT=counts, FAULT_PATH=path)
    run = work.run(env=env)
    hard(run.code == 0, f"the run without a fault ended with {run.code}\n{run.err}")
    found = read_counts(counts)
    shutil.rmtree(lab.dir)
    for end in ("", "-wal", "-journal", "-shm"):
        if work.journal and os.path.exists(work.journal + end):
            os.unlink(work.journal + end)
    lab.acknowledged.clear()
    return found


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


def fails(lab, workload, place, kind, code, when, lasts):
    work = Workload(lab, workload, journal=place == "journal")
    path = PLACES[place]
    calls = count(lab, work, path).get(kind, 0)
    if calls == 0:
        return  # this workload makes no such call: nothing can fail
    n = {"first": 1, "last": calls}.get(when) or lab.chance.randint(1, calls)
    env = lab.preload(SHIM, FAULT_CALL=f"{kind}:{n}:{ERRORS[code]}:{0 if lasts else 1}",
                      FAULT_PATH=path, FAULT_COUNT=lab.path("counts"))
    run = work.run(env=env)
    if read_counts(lab.path("counts")).get(kind, 0) < n:
        # so many calls there were not this time: threads meet as they like
        hard(run.code == 0, f"nothing failed, and yet it ended with {run.code}\n{run.err}")
        return
    told(run, kind, place, code, lasts, single=workload == "large")
    work.converge()


# ---- real ones ----

def mounted(lab, *options):
    place = lab.path("disk")
    os.makedirs(place)
    must("mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", place)
    lab.addCleanup(subprocess.run, [tool("umount"), "-l", place])
    return place


def full(lab, workload):
    """A tmpfs that is too small; then it grows."""
    place = mounted(lab, "size=64k" if workload == "filter" else "size=400k")
    work = Workload(lab, workload, where=place, journal=False)
    run = work.run()
    hard(run.code == 3, f"I3: a full disk is exit code 3, not {run.code}\n{run.err}")
    must("mount", "-o", "remount,size=60m", place)
    work.converge()


def no_inodes(lab, workload):
    place = mounted(lab, "size=60m", "nr_inodes=2")
    work = Workload(lab, workload, where=place, journal=False)
    run = work.run()
    hard(run.code == 3, f"I3: no inode left is exit code 3, not {run.code}\n{run.err}")
    must("mount", "-o", "remount,nr_inodes=1000", place)
    work.converge()


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


def trials(plan):
    matrix = []
    for place in PLACES:
        for workload in NAMES:
            if place == "journal" and workload == "filter":
                continue
            for kind in KINDS:
                for code in ERRORS:
                    for when in ("first", "any", "last"):
                        for lasts in (True, False):
                            name = f"{workload}/{place}/{kind}-{code}-{when}-" + \
                                ("stays" if lasts else "once")
                            matrix.append((name, functools.partial(
                                fails, workload=workload, place=place, kind=kind, code=code,
                                when=when, lasts=lasts)))
    yield from plan.some(matrix, 40)
    for workload in NAMES:
        yield f"{workload}/full", functools.partial(full, workload=workload)
        yield f"{workload}/no-inodes", functools.partial(no_inodes, workload=workload)
        yield f"{workload}/read-only", functools.partial(read_only, workload=workload)
        yield f"{workload}/file-size-limit", functools.partial(
            limited, workload=workload, limit="fsize", value=20_000)
        yield f"{workload}/few-descriptors", functools.partial(
            limited, workload=workload, limit="nofile", value=20)
        yield f"{workload}/folder-removed", functools.partial(removed, workload=workload)

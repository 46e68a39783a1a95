"""Memory: each allocation fails once, or all do from one on.

The short form takes those that the program itself asks for. The long form goes on with those of the
libraries: what libcurl or OpenSSL make of a lack of memory is beyond us, but shall be known.
"""
import functools
import os
import random
import shutil

from disk_trials import read_counts
from trial_lab import Lab, hard
from workloads import NAMES, Workload

SHIM = os.environ.get("WEIR_FAULTMEMORY", "")
MOST = 20_000  # allocations of a workload when one is named; there are fewer in any


def environment(whose, **more):
    return {"LD_PRELOAD": SHIM, **({"FAULT_OWN": "1"} if whose == "own" else {}), **more}


def fails(lab, workload, whose, turn, lasts):
    work = Workload(lab, workload)
    env = environment(whose, FAULT_ALLOC=f"{turn}:{0 if lasts else 1}")
    run = work.run(env=env, poor=True)
    hard(run.code in (0, 1, 2, 3, 4), f"I3: exit code {run.code}")
    if run.code:
        hard(run.err or run.rows, "I3: it failed and does not say why")
    work.converge()


def number_of(workload, whose):
    """How many allocations there are: asked of one run, in a lab of its own."""
    lab = Lab(random.Random(workload), False)
    lab.setUp()
    try:
        work = Workload(lab, workload)
        run = work.run(env=environment(whose, FAULT_COUNT=lab.path("counts")))
        hard(run.code == 0, f"the run without a fault ended with {run.code}")
        return read_counts(lab.path("counts"))["alloc"]
    finally:
        lab.doCleanups()
        shutil.rmtree(lab.folder, ignore_errors=True)


def trials(plan):
    every = []
    for whose in ("own", "any"):
        if whose == "any" and not plan.long and not plan.only:
            continue
        for workload in NAMES:
            number = MOST if plan.only else number_of(workload, whose)
            for turn in range(1, number + 1):
                for how in ("once", "stays") if turn % 10 == 0 else ("once",):
                    every.append((f"{workload}/{whose}-{turn}-{how}", functools.partial(
                        fails, workload=workload, whose=whose, turn=turn, lasts=how == "stays")))
    yield from plan.some(every, 60)

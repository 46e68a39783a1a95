"""Memory: each allocation fails once, or all do from one on.

Those that the program itself asks for are taken by number; those of the libraries by the way of
calls that leads to them: one trial for each way, and another one for a later time that it is taken,
by chance. (Ways, and not numbers: those change from run to run, and thousands of allocations are
the same one again.) The short form is a sample of both.

A library that itself crashes for want of memory, with no return to us, is beyond us. Where that is
so, THEIRS says which call of ours leads there, and why nothing helps. Even then nothing half-done
has a final name, what was acknowledged is there, and the next run converges.
"""
import functools
import json
import os
import random

from trial_lab import hard
from workloads import NAMES, Workload, counted

SHIM = os.environ.get("WEIR_FAULTMEMORY", "")
COUNTING_RUNS = 3  # threads meet as they like: what one run does not do, another one may

# (library, function that weir calls): why it dies within
THEIRS = {
    ("libhs", "hs_compile_multi"): "Hyperscan 5.4 compiles into aligned memory of its own, which "
    "it does not look at before it writes; hs_set_allocator does not concern that memory",
}


def environment(whose, **more):
    return {"LD_PRELOAD": SHIM, **({"FAULT_OWN": "1"} if whose == "own" else {}), **more}


def calls_at(crash, word):
    """Of what the shim has left: (library, function) from the innermost on, behind `word`."""
    found, reading = None, False
    for line in crash.splitlines():
        first, *rest = line.split()
        if len(rest) == 1:
            reading = first == word
            found = [] if reading else found
        elif reading and not first.startswith("faultmemory"):
            found.append((first.split(".so")[0], rest[0]))
    return found


def last_of_theirs(calls):
    """What weir called when it died: the last call that is not its own, or the C library's."""
    before = None
    for call in calls:
        if call[0] == "weir":
            return before
        if call[0] not in ("libc", "libgcc_s"):
            before = call
    return before


def run_short_of_memory(lab, work, env):
    path = lab.path("crash")
    try:
        return work.run(env={**env, "FAULT_CRASH": path}, poor=True)
    except AssertionError as broken:
        crash = read_text(path)
        died_in = calls_at(crash, "signal")
        if died_in is None:
            raise
        work.look([json.loads(line) for line in
                   read_text(lab.path(f"report-{lab.runs}.jsonl")).splitlines(True)
                   if line.endswith("\n")])
        hard(last_of_theirs(died_in) in THEIRS,
             f"I5: {broken}\ncalled: {last_of_theirs(died_in)}\n{crash}")
        return None


def read_text(path):
    if not os.path.exists(path):
        return ""
    with open(path) as text:
        return text.read()


def fails(lab, workload, whose, **fault):
    work = Workload(lab, workload)
    run = run_short_of_memory(lab, work, environment(whose, **fault))
    if run is not None:
        hard(run.code in (0, 1, 2, 3, 4), f"I3: exit code {run.code}")
        if run.code:
            hard(run.err or run.rows, "I3: it failed and does not say why")
    work.converge()


def own(plan):
    for workload in NAMES:
        for turn in range(1, counted(workload, SHIM, FAULT_OWN="1")["alloc"] + 1):
            for how, more in ("once", 1), ("stays", 0):
                if how == "once" or turn % 10 == 0:
                    yield f"{workload}/own-{turn}-{how}", functools.partial(
                        fails, workload=workload, whose="own", FAULT_ALLOC=f"{turn}:{more}")


def libraries(plan):
    for workload in NAMES:
        ways = {}
        for i in range(COUNTING_RUNS):
            for way, times in counted(workload, SHIM, "FAULT_STACKS", RUN=str(i)).items():
                ways[way] = max(times, ways.get(way, 0))
        for way, times in sorted(ways.items()):
            turns = {1}
            if times > 1:
                turns.add(random.Random(f"{plan.seed}/{way}").randint(2, times))
            for turn in sorted(turns):
                yield f"{workload}/way-{way}-{turn}", functools.partial(
                    fails, workload=workload, whose="any", FAULT_STACK=f"{way}:{turn}")


def trials(plan):
    yield from plan.some(own(plan), 60)
    yield from plan.some(libraries(plan), 30)

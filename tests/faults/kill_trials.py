"""kill -9: at each call that makes something durable, counted out one by one, and at random."""
import functools
import os
import time

from disk_trials import SHIM
from trial_lab import hard
from workloads import NAMES, Workload, counted

KINDS = ("sync", "rename", "unlink", "truncate", "xattr", "write", "open", "mkdir", "allocate")
AT_RANDOM = 1000


def at_call(lab, workload, kind, how, turn):
    """Killed at one call, and the next run at the same one again; then it converges."""
    work = Workload(lab, workload)
    command, *args = work.arguments()
    for n in (turn, max(1, turn // 2)):
        code, rows = lab.killed(command, *args, env=lab.preload(
            SHIM, FAULT_CALL=f"{kind}:{n}:{how}", FAULT_PATH=lab.folder))
        hard(code in (-9, 0), f"I3: it ended with {code}")
        work.look(rows)
    work.converge()


def at_random(lab, workload):
    work = Workload(lab, workload)
    command, *args = work.arguments()
    if workload == "small":
        args += ["--rate", "400/s"]
    began = time.monotonic()
    for _ in range(lab.chance.randint(1, 3)):
        code, rows = lab.killed(command, *args, after=lab.chance.uniform(0.005, 0.15))
        hard(code in (-9, 0), f"I3: it ended with {code}")
        if os.path.isdir(lab.dir):
            work.look(rows)
    hard(time.monotonic() - began < 60, "it took longer than it may")
    work.converge()


def trials(plan):
    each = []
    for workload in NAMES:
        calls = counted(workload, SHIM, FAULT_PATH="{folder}")
        each += [(f"{workload}/{kind}-{turn}-{how}", functools.partial(
            at_call, workload=workload, kind=kind, how=how, turn=turn))
            for kind in KINDS for turn in range(1, calls[kind] + 1) for how in ("kill", "killed")]
    yield from plan.some(each, 24)
    yield from plan.some(((f"{NAMES[i % 3]}/random-{i}", functools.partial(
        at_random, workload=NAMES[i % 3])) for i in range(AT_RANDOM)), 30)

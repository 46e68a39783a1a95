"""Power cuts: power_cut.py as a row of the long form. Needs root and loop devices."""
import functools
import os
import subprocess
import sys

import harness
from trial_lab import hard

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 25  # about four cuts each
PARTS = 5


def cuts(lab, part):
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "power_cut.py"), "--build",
                           harness.BUILD, "--rounds", str(ROUNDS), "--seed",
                           str(lab.chance.getrandbits(31))], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=3000)
    text = done.stdout.decode("utf-8", "replace")
    print("  " + "\n  ".join(text.splitlines()[-6:]), flush=True)
    hard(done.returncode == 0, f"part {part}: {text[-3000:]}")


def trials(plan):
    for part in range(PARTS):
        yield f"cuts-{part}", functools.partial(cuts, part=part)

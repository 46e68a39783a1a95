#!/usr/bin/env python3
"""Plants one bug at a time into a copy of the tree and runs what must notice; see run.sh.

A suite passes once without any bug before it counts as having noticed one. A bug whose text no
longer stands in its file is an error, as is one that does not compile: both would look noticed.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from planted import PLANTED

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(SOURCE, "tests"))
import scores  # noqa: E402
TIMEOUT = 300  # a suite that takes longer hangs, which notices too
ALWAYS = ("weir", "faultd", "faultbody")


class Tree:
    def __init__(self, folder):
        self.source, self.build = os.path.join(folder, "source"), os.path.join(folder, "build")

    def copy(self):
        """Files whose content is the same keep their times, so that a second run builds little."""
        listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "-co", "--exclude-standard",
                                 "-z"], check=True, capture_output=True).stdout.decode().split("\0")
        for name in filter(None, listed):
            ours, theirs = os.path.join(SOURCE, name), os.path.join(self.source, name)
            if not os.path.isfile(ours):
                continue
            os.makedirs(os.path.dirname(theirs), exist_ok=True)
            if not os.path.exists(theirs) or self.read(name) != self.read(name, SOURCE):
                shutil.copy(ours, theirs)

    def read(self, name, folder=None):
        with open(os.path.join(folder or self.source, name), "rb") as file:
            return file.read()

    def write(self, name, content):
        with open(os.path.join(self.source, name), "wb") as file:
            file.write(content)

    def configure(self):
        self.must(["cmake", "-S", self.source, "-B", self.build, "-G", "Ninja", "-DWEIR_TESTS=ON"])

    def read_commands(self):
        """ctest knows the commands of what has been built only."""
        text = subprocess.run(["ctest", "--test-dir", self.build, "--show-only=json-v1"],
                              check=True, capture_output=True).stdout
        self.tests = {test["name"]: test for test in json.loads(text)["tests"]}

    def must(self, command):
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{run.stdout[-3000:]}{run.stderr[-3000:]}")

    def make(self, suites):
        """Only what the suites need. Returns what went wrong, or nothing."""
        own = [suite.removeprefix("unit.") for suite in suites if not suite.startswith("system.")]
        targets = own + (list(ALWAYS) if len(own) < len(suites) or any(
            suite.startswith("unit.") for suite in suites) else [])
        run = subprocess.run(["ninja", "-C", self.build, *targets], capture_output=True, text=True)
        return run.stdout[-2000:] if run.returncode else ""

    def run(self, suite):
        """The name of the first test that fails, or None."""
        name, _, cases = suite.partition(":")
        test = self.tests[name]
        environment = dict(os.environ)
        for entry in test.get("properties", []):
            if entry["name"] == "ENVIRONMENT":
                environment.update(pair.split("=", 1) for pair in entry["value"])
        command = test["command"]
        if name.startswith("system."):
            command = command + ["-f"] + (["-k", cases] if cases else [])
        try:
            run = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                                 timeout=TIMEOUT, capture_output=True, text=True,
                                 errors="replace")
        except subprocess.TimeoutExpired:
            return "hangs"
        if run.returncode == 0:
            return None
        text = run.stdout + run.stderr
        found = re.search(r"^(?:FAIL|ERROR): (\w+)|^\[  FAILED  \] (\w+)$|broken: (.*) \(sim|"
                          r"^seed \d+: (hung)", text, re.MULTILINE)
        return next(filter(None, found.groups()), "?") if found else f"exit {run.returncode}"


def plant(tree, mutation):
    good = tree.read(mutation.file)
    old = mutation.old.encode()
    if good.count(old) != 1:
        sys.exit(f"{mutation.name}: its text stands {good.count(old)} times in {mutation.file}; "
                 "write it anew in planted.py")
    tree.write(mutation.file, good.replace(old, mutation.new.encode()))
    return good


def check_unmutated(tree, suites):
    wrong = tree.make([suite.partition(":")[0] for suite in suites])
    if wrong:
        sys.exit(f"the tree does not build:\n{wrong}")
    tree.read_commands()
    for suite in suites:
        failed = tree.run(suite)
        if failed:
            sys.exit(f"{suite} fails without any planted bug: {failed}")


def try_one(tree, mutation):
    began = time.monotonic()
    good = plant(tree, mutation)
    noticed = suite = None
    try:
        for suite in mutation.suites:
            wrong = tree.make([suite.partition(":")[0]])
            if wrong:
                print(wrong)
                return None, "DOES NOT COMPILE", time.monotonic() - began
            tree.read_commands()
            noticed = tree.run(suite)
            if noticed:
                break
    finally:
        tree.write(mutation.file, good)
    if noticed and suite != mutation.suites[0]:
        check_unmutated(tree, [suite])
    return noticed, suite, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description="plants bugs and looks who notices")
    parser.add_argument("pattern", nargs="?", default="", help="only bugs whose name matches")
    parser.add_argument("--keep", metavar="DIR", help="where the copy and its build stay")
    arguments = parser.parse_args()
    chosen = [m for m in PLANTED if re.search(arguments.pattern, m.name)]
    folder = arguments.keep or tempfile.mkdtemp(prefix="weir-mutation-")
    os.makedirs(folder, exist_ok=True)
    tree, missed = Tree(folder), 0
    try:
        tree.copy()
        tree.configure()
        suites = sorted({mutation.suites[0] for mutation in chosen})
        check_unmutated(tree, suites)
        print(f"{len(suites)} suites pass without a planted bug", flush=True)
        for mutation in chosen:
            noticed, suite, seconds = try_one(tree, mutation)
            missed += not noticed
            late = "" if not noticed or suite == mutation.suites[0] else " (not by the first)"
            print(f"{mutation.name:54} {suite.partition(':')[0] if noticed else '-':24} "
                  f"{noticed or 'NOT NOTICED'}{late}, {seconds:.0f} s", flush=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(chosen)} bugs were planted, {missed} not noticed")
    if chosen == PLANTED:
        scores.leave("mutation", "", ("bugs planted", "not noticed"), [(len(chosen), missed)])
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())

"""The proof by faults: runs rows of trials, prints each violation with its replay, then a table.

    sh tests/faults/run.sh [--short|--long] [--seed N] [--jobs N] [--build DIR]
                           [--only ROW/NAME] [ROW...]

run.sh sets what the environment must say. A row is a function that yields trials: (name, check);
check(lab) raises when a promise is broken. Chance comes from the seed, the row and the trial's
name, so that a trial alone does what it did in the whole.
"""
import argparse
import concurrent.futures
import fnmatch
import os
import random
import sys
import time
import traceback

import harness
import scores
from clauses import print_clauses
from fault_rows import ROWS
from trial_lab import Lab


class Plan:
    """What a row may ask for."""

    def __init__(self, seed, long_form, only=None):
        self.seed, self.long, self.only = seed, long_form, only

    def some(self, things, short):
        """All of them in the long form, a sample by the seed in the short one."""
        things = list(things)
        if self.long or self.only or len(things) <= short:
            return things
        return random.Random(f"{self.seed}/some/{len(things)}").sample(things, short)


def run_trial(plan, row, name, check):
    lab = Lab(random.Random(f"{plan.seed}/{row}/{name}"), plan.long)
    try:
        lab.setUp()
        check(lab)
        return None
    except AssertionError as broken:
        return str(broken) or traceback.format_exc(limit=-3)
    except Exception:  # it could not run: a violation
        return "could not run:\n" + traceback.format_exc()
    finally:
        lab.doCleanups()


class Table:
    def __init__(self, options):
        self.options, self.lines = options, []

    def violation(self, row, name, text):
        form = " --long" if self.options.long else ""
        print(f"VIOLATION {row}/{name}: {text}\n  replay: sh tests/faults/run.sh{form}"
              f" --seed {self.options.seed} --only '{row}/{name}'", flush=True)

    def add(self, row, trials, violations, seconds):
        self.lines.append((row, trials, violations, seconds))

    def leave(self):
        """For the scoreboard, unless only some trials were chosen."""
        if self.options.only:
            return
        scores.leave("faults", "long" if self.options.long else "short",
                     ("row", "trials", "violations", "seed"),
                     [(row, trials, violations, self.options.seed)
                      for row, trials, violations, _ in self.lines], keep=True)

    def print(self):
        print(f"\n{'row':<10} {'trials':>7} {'violations':>10} {'seconds':>8}  seed")
        for row, trials, violations, seconds in self.lines:
            print(f"{row:<10} {trials:>7} {violations:>10} {seconds:>8.1f}  {self.options.seed}")
        self.leave()
        total = [sum(line[i] for line in self.lines) for i in (1, 2, 3)]
        print(f"{'all':<10} {total[0]:>7} {total[1]:>10} {total[2]:>8.1f}  {self.options.seed}")
        return total[1]


def run_row(row, plan, options, table):
    began = time.monotonic()
    trials = violations = 0
    jobs = options.jobs if row.parallel else 1
    pattern = options.only
    waiting = {}

    def settle(done):
        nonlocal violations
        for future in done:
            name = waiting.pop(future)
            text = future.result()
            if options.verbose:
                print(f"{row.name}/{name}: {'violation' if text else 'right'}", flush=True)
            if text:
                violations += 1
                table.violation(row.name, name, text)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            for name, check in row.trials(plan):
                if pattern and not fnmatch.fnmatchcase(f"{row.name}/{name}", pattern):
                    continue
                trials += 1
                waiting[pool.submit(run_trial, plan, row.name, name, check)] = name
                while len(waiting) >= 2 * jobs:
                    settle(concurrent.futures.wait(
                        waiting, return_when=concurrent.futures.FIRST_COMPLETED).done)
        except Exception:  # a row that cannot even say its trials
            trials += 1
            violations += 1
            table.violation(row.name, "*", "could not run:\n" + traceback.format_exc())
        settle(concurrent.futures.wait(waiting).done)
    if trials or not pattern:
        table.add(row.name, trials, violations, time.monotonic() - began)
    return trials


def main():
    reader = argparse.ArgumentParser(prog="tests/faults/run.sh", description="the proof by faults")
    form = reader.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true", help="a sample, about a minute (default)")
    form.add_argument("--long", action="store_true", help="everything, with large counts")
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    reader.add_argument("--only", help="ROW/NAME, where * stands for anything")
    reader.add_argument("--clauses", action="store_true",
                        help="what was promised to be tried, with the number of trials; runs none")
    reader.add_argument("-v", "--verbose", action="store_true")
    reader.add_argument("rows", nargs="*", metavar="ROW",
                        help="; ".join(f"{row.name}: {row.help}" for row in ROWS))
    options = reader.parse_args()
    wanted = options.rows or [row.name for row in ROWS]
    unknown = set(wanted) - {row.name for row in ROWS}
    if unknown:
        reader.error(f"no such row: {', '.join(sorted(unknown))}; there are "
                     f"{', '.join(row.name for row in ROWS)}")
    if options.only:
        wanted = [name for name in wanted
                  if fnmatch.fnmatchcase(name, options.only.split("/")[0])]
    if options.clauses:
        return 0 if print_clauses(ROWS, *(Plan(options.seed, form) for form in (False, True))) \
            else 1
    plan, table, trials = Plan(options.seed, options.long, options.only), Table(options), 0
    for row in ROWS:
        if row.plain and harness.SANITIZE:
            print(f"{row.name}: only in a build without sanitizers", flush=True)
            continue
        if row.name in wanted and (options.long or options.only or row.short or options.rows):
            trials += run_row(row, plan, options, table)
    violations = table.print()
    if trials == 0:
        print("no trial has that name", file=sys.stderr)
    return 1 if violations or trials == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

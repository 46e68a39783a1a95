"""The scoreboard: what each suite found when it last ran, as the suites have left it (scores.py).

    python3 tests/scoreboard.py             prints it
    python3 tests/scoreboard.py --write     and puts it into tests/README.md, between its marks
"""
import argparse
import os
import sys
import xml.etree.ElementTree

import scores

README = os.path.join(scores.SOURCE, "tests", "README.md")
BEGIN, END = "<!-- scoreboard: written by tests/scoreboard.sh -->\n", "<!-- end of scoreboard -->\n"
SUITES = [  # name, what it is called, how it is run
    ("faults", "Faults", "sh tests/faults/run.sh [--long]"),
    ("simulation", "Simulation", "sh tests/simulation/run.sh [--long]"),
    ("mutation", "Mutations", "sh tests/mutation/run.sh"),
    ("fuzz", "Fuzzing", "sh tests/fuzz/run.sh"),
    ("coverage", "Coverage", "sh tests/coverage.sh"),
    ("bench", "Speed", "sh tests/bench/run.sh"),
]


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
                    for row in rows]


def tests_of(build):
    """Rows of the last ctest over all builds: build, tests, failed."""
    try:
        cases = xml.etree.ElementTree.parse(os.path.join(build, "ctest.xml")).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return []
    counts = {}
    for case in cases.iter("testcase"):
        first = case.get("name").split(".")[0]
        count = counts.setdefault(first if first in ("asan", "tsan", "fuzz") else "plain", [0, 0])
        count[0] += 1
        count[1] += case.get("status") not in ("run", "disabled")
    return [(name, str(n), str(bad)) for name, (n, bad) in sorted(counts.items())]


def board(build):
    lines = []
    rows = tests_of(build)
    lines += ["### Tests: `sh tests/run.sh`", ""]
    lines += table(("build", "tests", "failed"), rows) if rows else ["Not run here."]
    for suite, title, command in SUITES:
        lines += ["", f"### {title}: `{command}`", ""]
        found = scores.read(suite)
        if not found:
            lines.append("Not run here.")
            continue
        forms = {row["form"] for row in found["rows"]} != {""}
        columns = [*found["columns"], *(["form"] if forms else []), "day"]
        lines += table(columns, [[*row["cells"], *([row["form"]] if forms else []), row["day"]]
                                 for row in found["rows"]])
    return "\n".join(lines) + "\n"


def main():
    reader = argparse.ArgumentParser(description="what the suites found when they last ran")
    reader.add_argument("--write", action="store_true", help="put it into tests/README.md")
    reader.add_argument("--build", default=os.environ.get("WEIR_BUILD_DIR") or os.path.join(
        scores.SOURCE, "build"), help="where tests/run.sh has built (build)")
    options = reader.parse_args()
    text = board(options.build)
    print(text, end="")
    if not options.write:
        return 0
    with open(README, encoding="utf-8") as page:
        before, mark, rest = page.read().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        print(f"{README}: its marks are missing: {BEGIN}{END}", file=sys.stderr)
        return 1
    with open(README, "w", encoding="utf-8") as page:
        page.write(before + BEGIN + "\n" + text + "\n" + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())

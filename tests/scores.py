"""What suites leave behind of their last run, for scoreboard.py: one file of JSON a suite.

    python3 tests/scores.py [--keep] SUITE FORM COLUMN... < rows     from a shell: a row a line, its
                                                                     cells apart by TAB or blanks

It lies in build/scores below the source, or in $WEIR_SCORES. FORM says what was run ("short").
"""
import json
import os
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folder():
    return os.environ.get("WEIR_SCORES") or os.path.join(SOURCE, "build", "scores")


def leave(suite, form, columns, rows, keep=False):
    """`keep`: rows of earlier runs stay, but for those of the same first cell and form. A folder
    that cannot be written to is no reason for a suite to fail."""
    stamp = time.strftime("%Y-%m-%d")
    rows = [{"cells": [str(cell) for cell in row], "form": form, "day": stamp} for row in rows]
    names = {row["cells"][0] for row in rows}
    if keep:
        rows = [row for row in (read(suite) or {}).get("rows", [])
                if row["form"] != form or row["cells"][0] not in names] + rows
    try:
        os.makedirs(folder(), exist_ok=True)
        with open(os.path.join(folder(), suite + ".json"), "w", encoding="utf-8") as out:
            json.dump({"columns": list(columns), "rows": rows}, out, indent=1)
    except OSError as trouble:
        print(f"the result is not kept: {trouble}", file=sys.stderr)


def read(suite):
    try:
        with open(os.path.join(folder(), suite + ".json"), encoding="utf-8") as text:
            return json.load(text)
    except (OSError, ValueError):
        return None


def main():
    keep = sys.argv[1] == "--keep"
    suite, form, *columns = sys.argv[2 if keep else 1:]
    leave(suite, form, columns, [line.rstrip("\n").split("\t") if "\t" in line else line.split()
                                 for line in sys.stdin], keep)


if __name__ == "__main__":
    main()

"""The report of coverage.sh, from gcovr's JSON: a table of rooms, and the error paths never taken.

An error path is a line of src/ that calls fail() or fail_errno(): there something goes wrong and is
given its name. Paths of memory that runs out are counted, not listed: one test for all of them
exists where allocations fail one by one.
"""
import json
import os
import re
import sys

import scores

# What loses bytes or breaks promises comes first.
ROOMS = ["engine", "sink", "journal", "queue", "limit", "net", "core", "source", "stage", "codec",
         "match", "json", "report", "config", "prefetch", "verify", "serve", "cli"]


def rank(room):
    return ROOMS.index(room) if room in ROOMS else len(ROOMS)


def function_at(lines, number):
    """The name of the function around line `number` (from 1): its head begins a line."""
    for text in reversed(lines[:number]):
        head = re.match(r"[A-Za-z_].*?(\w+)\(", text)
        if head and not text.rstrip().endswith(";"):
            return head.group(1)
    return "?"


def call_at(lines, number):
    """The text of the call that begins there, in one line."""
    text = " ".join(line.strip() for line in lines[number - 1:number + 3])
    quoted = re.search(r'"((?:[^"\\]|\\.)*)"', text)
    return quoted.group(1) if quoted else text[:60]


def main(path, top):
    with open(path, encoding="utf-8") as file:
        files = json.load(file)["files"]
    rooms, missed = {}, []
    for entry in files:
        name = entry["file"]
        room = name.split("/")[1]
        count = rooms.setdefault(room, [0, 0, 0, 0, 0, 0])
        with open(os.path.join(top, name), encoding="utf-8") as file:
            lines = file.read().split("\n")
        for line in entry["lines"]:
            if line.get("gcovr/noncode") or line["line_number"] > len(lines):
                continue
            count[0] += 1
            count[1] += line["count"] > 0
            count[2] += len(line.get("branches", []))
            count[3] += sum(branch["count"] > 0 for branch in line.get("branches", []))
            text = lines[line["line_number"] - 1]
            if not re.search(r"\bfail(_errno)?\(", text) or re.match(r"\S", text):
                continue
            memory = "WEIR_NOMEM" in text
            count[4] += not memory
            if line["count"] == 0:
                count[5] += not memory
                missed.append((rank(room), name, line["line_number"],
                               function_at(lines, line["line_number"]),
                               call_at(lines, line["line_number"]), memory))
    print(f"{'room':10} {'lines':>15} {'branches':>16} {'error paths':>14}")
    total = [sum(column) for column in zip(*rooms.values())]
    for room in sorted(rooms, key=rank) + ["all"]:
        n = rooms.get(room, total)
        print(f"{room:10} {n[1]:6}/{n[0]:<5} {100 * n[1] / max(n[0], 1):3.0f}% "
              f"{n[3]:6}/{n[2]:<6} {100 * n[3] / max(n[2], 1):3.0f}% "
              f"{n[4] - n[5]:5}/{n[4]:<4} {100 * (n[4] - n[5]) / max(n[4], 1):3.0f}%")
    scores.leave("coverage", "", ("room", "lines", "branches", "error paths"),
                 [(room, *(f"{100 * n[hit] / max(n[all_], 1):.0f}%" for hit, all_ in
                           ((1, 0), (3, 2))), f"{n[4] - n[5]}/{n[4]}")
                  for room, n in ((room, rooms.get(room, total))
                                  for room in sorted(rooms, key=rank) + ["all"])])
    named = sorted(row for row in missed if not row[5])
    print(f"\n{len(named)} error paths were never taken "
          f"(and {len(missed) - len(named)} for memory that runs out):")
    for _, name, number, function, call, _ in named:
        print(f"  {name}:{number} {function}: {call[:90]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

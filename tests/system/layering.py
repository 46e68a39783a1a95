"""Reads every #include line of src and include, and the names in the tree.

  layering.py ROOT     prints each breach; exit 1 when there is one

The house has floors; a room includes only rooms below it, and rooms of one floor never meet. The
rules stand here as tables and nowhere else in the tests.
"""
import os
import re
import shutil
import subprocess
import sys

FLOORS = [
    ["core"],
    ["config", "limit", "codec", "match", "json"],
    ["net"],
    ["source", "queue", "stage", "sink", "journal", "report"],
    ["engine"],
    ["prefetch", "verify", "serve"],
    ["cli"],
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Headers of neighbours that stand in a contract: what is limited, and how decoders are chosen, is
# said by options, which everybody below net reads.
NEIGHBOURS = {("limit", "config/options.h"), ("codec", "config/options.h")}
ONLY_IN = {"curl/": "net", "ini.h": "config", "sqlite3.h": "journal",
           "expat.h": "source", "microhttpd.h": "serve"}
TOP_LEVEL = {"CMakeLists.txt", "src", "include", "config", "tests", "examples", "README.md",
             "LICENSE"}
# Of these there is one in each folder, by custom of the tools that read them.
MAY_REPEAT = {"CMakeLists.txt", "README.md", "run.sh"}
# Inputs of the fuzz targets, named for what they show.
CORPUS = "tests/fuzz/corpus/"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def includes(path):
    with open(path, encoding="utf-8") as text:
        source = text.read()
    for found in INCLUDE.finditer(source):
        yield source.count("\n", 0, found.start()) + 1, found.group(1), found.group(2)


def judge(room, quote, header):
    """Why this room may not include this header, or None."""
    for prefix, owner in ONLY_IN.items():
        if header.startswith(prefix) and room != owner:
            return f"only src/{owner} includes {header}"
    if quote == "<":
        return None
    if header.startswith("weir/"):
        return None
    target = header.split("/")[0]
    if target not in FLOOR:
        return f'"{header}" is in no room: write "room/file.h"'
    if target == room or (room, header) in NEIGHBOURS:
        return None
    if room == "cli":
        return "cli includes public headers only"
    if FLOOR[target] > FLOOR[room]:
        return f"{room} (floor {FLOOR[room]}) reaches up to {target} (floor {FLOOR[target]})"
    if FLOOR[target] == FLOOR[room]:
        return f"{room} and {target} are on one floor and never meet"
    return None


def public_judge(quote, header):
    if quote == '"' and not header.startswith("weir/"):
        return "a public header includes no room"
    if any(header.startswith(prefix) for prefix in ONLY_IN):
        return f"a public header does not show {header}"
    return None


def sources(top, endings=(".c", ".h", ".def", ".cc", ".cpp")):
    for where, _, names in os.walk(top):
        for name in sorted(names):
            if name.endswith(endings):
                yield os.path.join(where, name)


def breaches(root):
    src = os.path.join(root, "src")
    for path in sources(src):
        place = os.path.relpath(path, root)
        parts = os.path.relpath(path, src).split(os.sep)
        if len(parts) < 2:
            yield f"{place}: sources stand in rooms, not in src itself"
            continue
        if parts[0] not in FLOOR:
            yield f"{place}: the room {parts[0]} is on no floor of the tests' table"
            continue
        for line, quote, header in includes(path):
            why = judge(parts[0], quote, header)
            if why:
                yield f"{place}:{line}: {why}"
    for path in sources(os.path.join(root, "include")):
        for line, quote, header in includes(path):
            why = public_judge(quote, header)
            if why:
                yield f"{os.path.relpath(path, root)}:{line}: {why}"


def tracked(root):
    """Files of the tree: by git where it knows, else all but build folders and dotfiles."""
    git = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-co",
                          "--exclude-standard"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) \
        if os.path.exists(os.path.join(root, ".git")) and shutil.which("git") else None
    if git and git.returncode == 0:
        names = git.stdout.splitlines()
        return [name for name in names if os.path.exists(os.path.join(root, name))]
    found = []
    for where, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith((".", "build"))]
        found += [os.path.relpath(os.path.join(where, name), root) for name in names]
    return found


def name_breaches(root):
    seen = {}
    for name in tracked(root):
        top = name.split("/")[0]
        if not top.startswith(".") and top not in TOP_LEVEL:
            yield f"{name}: the top level holds {', '.join(sorted(TOP_LEVEL))} and dotfiles only"
        base = os.path.basename(name)
        if name.startswith(CORPUS):
            continue
        if base in seen and base not in MAY_REPEAT:
            yield f"{name}: {seen[base]} has the same file name"
        seen[base] = name
        if re.search(r"(^|_)(utils?|misc|manager|helpers?)\.", base):
            yield f"{name}: this name says nothing about what is inside"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    found = list(breaches(root)) + list(name_breaches(root))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

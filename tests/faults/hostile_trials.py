"""Hostile names and input: nothing is written outside the folder, nothing leaks to another host,
nothing grows without end, and what is corrupt is not believed.
"""
import functools
import gzip
import hashlib
import json
import os
import subprocess
import threading
import urllib.parse
import zlib

import harness
from harness import tool
from trial_lab import hard, requests
from workloads import Workload

NAMES = ["../evil", "../../evil", "/evil", "a/../../evil", "..", ".", "./../evil", "a/./../../evil",
         "a//b", "\\..\\evil", "..\\evil", "~/evil", "sub/../../evil", "a\x1b[31mb", "a\rb", "a\tb",
         "\x7f", "\x9b31m", "a\u202egpj.exe", "x" * 300, "y/" * 200 + "z", "x.part",
         "x.part.resume", "x.PART", "-rf", "--output=x", " ", "trailing.", "trailing ",
         "%2e%2e%2fevil", "%00",
         "|id", "`id`", "$(id)", "con", "nul.txt", "a:b", "*", "?", "'", '"', "\u00e9", "e\u0301",
         "\ufeffx", "..;/evil", "...", "a/..", "a/.", "/", "//evil", "///",
         "\u2025/evil", "\uff0e\uff0e/evil"]
FORMATS = ("urls", "tsv", "csv", "jsonl", "sums", "aria2", "metalink", "pattern", "disposition",
           "output", "bytes", "template")


class Yard:
    """A folder around --dir in which nothing may change."""

    def __init__(self, lab):
        self.lab = lab
        self.top = lab.path("yard")
        lab.dir = os.path.join(self.top, "a", "b", "out")
        os.makedirs(lab.dir)
        for name in ("evil", "a/evil", "a/b/evil"):
            with open(os.path.join(self.top, name), "w") as out:
                out.write("precious")

    def look(self):
        found = []
        for where, folders, names in os.walk(self.top):
            if os.path.abspath(where) == self.lab.dir:
                folders.clear()
                continue
            found += [os.path.relpath(os.path.join(where, name), self.top) for name in names]
        hard(sorted(found) == ["a/b/evil", "a/evil", "evil"],
             f"I1: outside of --dir there is now {sorted(found)}")
        for name in found:
            with open(os.path.join(self.top, name)) as text:
                hard(text.read() == "precious", f"I1: {name} outside of --dir was changed")


def listing(form, rows):
    """rows: (url, name)"""
    if form == "urls":
        return "".join(f"{url}/{urllib.parse.quote(name)}\n{url}/{name}\n" for url, name in rows
                       if "\n" not in name)
    if form == "pattern":
        return "".join(f"{url}/{{{urllib.parse.quote(name)},{{1..2}}}}\n{url}/{{{name},z}}\n"
                       f"{url}/{urllib.parse.quote(name)}{{01..03}}\n" for url, name in rows)
    if form == "tsv":
        return "url\tname\n" + "".join(f"{url}\t{name}\n" for url, name in rows)
    if form == "csv":
        return "url,name\n" + "".join('{},"{}"\n'.format(url, name.replace('"', '""'))
                                      for url, name in rows)
    if form == "jsonl":
        more = [("http://127.0.0.1:1/x", "a\0b"), ("http://127.0.0.1:1/y", "a\nb")]
        return "".join(json.dumps({"url": url, "name": name}) + "\n" for url, name in rows + more)
    if form == "sums":
        return "".join(f"{'0' * 64}  {name}\n" for _, name in rows) + \
            f"\\{'1' * 64}  ..\\n/evil\n\\{'2' * 64}  \\\\..\\\\evil\n"
    if form == "aria2":
        return "".join(f"{url}\n  out={name}\n{url}x\n  dir={name}\n" for url, name in rows)
    quote = {ord("&"): "&amp;", ord("<"): "&lt;", ord('"'): "&quot;"}
    return ('<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">' + "".join(
        f'<file name="{name.translate(quote)}"><url>{url}</url></file>' for url, name in rows
        if name.isprintable()) + "</metalink>")


def traversal(lab, form):
    yard = Yard(lab)
    server = lab.faults()
    names = list(NAMES)
    lab.chance.shuffle(names)
    if form in ("disposition", "output", "template"):
        names = names[:20]
    rows = [(server.url(f"h{i}", 40 + i), name) for i, name in enumerate(names)]
    extra = []
    if form == "disposition":
        rows = [(server.url(f"h{i}", 40, "disposition=" + urllib.parse.quote(
            f'attachment; filename="{name}"')), "") for i, name in enumerate(names)]
        extra = ["-s", "save.content_disposition=yes"]
        text = "".join(f"{url}\n" for url, _ in rows).encode()
    elif form == "bytes":
        text = b"url\tname\n" + b"".join(
            url.encode() + b"\t" + name + b"\n" for (url, _), name in zip(
                rows, (b"a\0b", b"\xff\xfe", b"\xc0\xae\xc0\xae/evil", b"\xc3(",
                       b"..\xc0\xafevil")))
    else:
        text = listing(form, rows).encode("utf-8", "surrogateescape") \
            if form not in ("output", "template") else b""
    if form in ("output", "template"):
        for i, name in enumerate(names):
            if "\0" in name or name.startswith("-"):
                continue
            how = ["-o", name] if form == "output" else ["--name", name + "{basename}"]
            if form == "output" and (name.startswith("/") or ".." in name):
                continue  # said by the user himself, as with any program
            lab.weir("get", "-d", lab.dir, *how, server.url(f"h{i}", 40, "", "n"), cwd=lab.dir)
        yard.look()
        return
    if form == "sums":
        extra = ["--base-url", server.base + "/r/x/40/"]
    path = lab.write("hostile.list", text)
    known = form if form not in ("disposition", "bytes") else {"bytes": "tsv"}.get(form, "urls")
    run = lab.weir("get", "-d", lab.dir, "--format", known, *extra, "-i", path)
    hard(run.code in (0, 1, 2, 4), f"I3: exit code {run.code}\n{run.err[-1500:]}")
    yard.look()
    for row in run.rows:
        if row.get("error"):
            hard(row["error"]["class"] in ("name", "input", "checksum", "connect", "http",
                                           "policy"), f"I3: {row['error']}")
        elif row.get("path") and not row.get("duplicate") and "\ufffd" not in row["path"]:
            where = os.path.realpath(os.path.join(lab.dir, row["path"]))
            hard(where.startswith(lab.dir + "/"), f"I1: {row['path']} is not beneath --dir")
            hard(os.path.isfile(where), f"I2: {row['path']} was acknowledged and is not there")
            hard(not row["path"].endswith(".part"), f"I1: {row['path']} looks like a part")


def link_race(lab):
    """Folders turn into links to the outside, and back, while files are written below them."""
    yard = Yard(lab)
    outside = os.path.join(yard.top, "a", "b")
    server = lab.faults()
    rows = [{"url": server.url(f"h{i}", 3000, "", f"n{i}"), "name": f"s{i % 4}/n{i}"}
            for i in range(300)]
    path = lab.write("race.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for i in range(4):
                place = os.path.join(lab.dir, f"s{i}")
                try:
                    os.rename(place, place + ".kept")
                    os.symlink(outside, place)
                    os.unlink(place)
                    os.rename(place + ".kept", place)
                except OSError:
                    pass
    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        lab.weir("get", "-d", lab.dir, "--retries", "0", "-i", path)
    finally:
        stop.set()
        swapper.join()
    yard.look()


SECRETS = ("authorization", "cookie", "x-secret")


def secrets(lab, how):
    """What belongs to one origin never reaches another, whatever leads there."""
    own = lab.faults()
    other = lab.faults(address="127.0.0.2")
    jar = lab.write("jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue\n")
    size = 4_000_000 if how == "segments" else 3000
    there = other.url("b", size, "", "x")
    target = urllib.parse.quote(there, safe="")
    fault = {"redirect": f"redirect={target}", "redirect-later": f"redirect={target}&after=1",
             "redirect-308": f"redirect={target}&code=308"}.get(how, "")
    url = own.url("b", size, fault or "drip=65536/1", "f")
    if how in ("userinfo",):
        url = own.url("b", size, f"redirect={target}", "f").replace("http://", "http://me:pw@")
    record = {"url": [url, there] if how in ("mirrors", "segments") else url, "name": "f",
              "size": size}
    if how in ("mirrors", "segments"):
        record["sha256"] = hashlib.sha256(harness.body("b", size)).hexdigest()
        if how == "mirrors":
            record["url"][0] = own.url("b", size, "status=404", "f")
    if how == "second-url":
        text = "".join(json.dumps({"url": one, "name": name}) + "\n" for one, name in
                       ((own.url("b", size, "", "f"), "f"), (there, "g")))
    else:
        text = json.dumps(record) + "\n"
    args = ["--user", "me:pw"] if how != "userinfo" else []
    if how == "netrc":
        lab.write("home/.netrc", "machine 127.0.0.1 login me password pw\n")
        os.chmod(lab.path("home/.netrc"), 0o600)
        args = ["-s", f"http.netrc={lab.path('home/.netrc')}"]
        url = own.url("b", size, f"redirect={target}", "f")
        text = json.dumps({"url": url, "name": "f"}) + "\n"
    run = lab.weir("get", "-d", lab.dir, "--segments", "4", *args, "-H", "X-Secret: 42", "-s",
                   f"http.cookie_file={jar}", "--retries", "2", "-i",
                   lab.write("secret.jsonl", text))
    if how == "redirect-later":
        run = lab.weir("get", "-d", lab.dir, *args, "-H", "X-Secret: 42", "--on-exist", "overwrite",
                       "-s", f"http.cookie_file={jar}", "-i", lab.path("secret.jsonl"))
    hard(run.code == 0, f"it ended with {run.code}\n{run.err}")
    first = requests(own)
    hard(any("authorization" in head for _, head, _ in first) and any(
        "cookie" in head for _, head, _ in first), f"their own origin did not get them: {first}")
    hard(requests(other), "the other host was not asked")
    for where, head, _ in requests(other):
        leaked = [name for name in SECRETS if name in head]
        hard(not leaked, f"{leaked} went to another host with {where}")
    for text in (run.err, json.dumps(run.rows)):
        hard("pw" not in text.replace("pwd", ""), f"a password is shown: {text[-500:]}")


def bomb(lab, kind):
    """What is small on the wire and huge behind it: refused in the memory of any other body."""
    limit = ["prlimit", f"--data={400 << 20}"] if not harness.SANITIZE else []
    if kind == "gzip":
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        data = packer.compress(bytes(1 << 20))
        data += b"".join(packer.compress(bytes(1 << 20)) for _ in range(199)) + packer.flush()
        name = "x.gz"
    elif kind == "gzip-members":
        data, name = gzip.compress(bytes(1 << 20), 9) * 200, "x.gz"
    elif kind in ("zst", "xz", "bz2"):
        command = {"zst": ["zstd", "-q", "-c", "-19"], "xz": ["xz", "-c", "-1"],
                   "bz2": ["bzip2", "-c"]}[kind]
        data = subprocess.run([tool(command[0]), *command[1:]], input=bytes(100 << 20),
                              stdout=subprocess.PIPE, check=True).stdout
        name = "x." + kind
    else:
        data, name = {"line": b"x" * (30 << 20) + b"\n",
                      "nested": (b"[" * 200_000 + b"]" * 200_000 + b"\n") * 3}[kind], "x.log"
    lab.write("served/" + name, data)
    server = lab.faults("--files", lab.path("served"))
    if kind == "nested":
        run = lab.weir("jsonl", "--jq", ".a", server.file_url(name), under=limit)
        hard(run.code in (0, 1), f"exit code {run.code}")
        return
    run = lab.weir("filter", "-e", "needle", server.file_url(name), under=limit, peak=True)
    hard(run.code == 0 and run.out == b"", f"exit code {run.code}, {run.err[-800:]}")
    if not harness.SANITIZE:
        hard(run.peak_kib < 96 << 10, f"{run.peak_kib >> 10} MiB of memory")
    if kind == "line":
        return
    run = lab.weir("get", "--decode", "auto", "-d", lab.dir, server.file_url(name), under=limit)
    error = run.one()["error"]
    hard(error and error["class"] in ("policy", "decode"), f"a bomb was saved: {run.one()}")
    lab.only_right_names({})


def damage(data, chance):
    """Some bits flipped, or cut, or both; never as it was."""
    data = bytearray(data)
    how = chance.choice(("flip", "flip", "cut", "zeros", "junk"))
    if how == "cut" or len(data) < 8:
        return bytes(data[:chance.randrange(len(data))])
    if how == "flip":
        for _ in range(chance.choice((1, 1, 2, 8))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    else:
        at = chance.randrange(len(data))
        n = chance.randrange(1, 1 + min(4096, len(data) - at))
        data[at:at + n] = bytes(n) if how == "zeros" else chance.randbytes(n)
    return bytes(data)


ENDS = ("", "-wal", "-journal", "-shm")  # of the files of a journal


def journal(lab, workload):
    """A damaged journal: it is told or mended, but no file is wrong and nothing crashes."""
    work = Workload(lab, workload)
    command, *args = work.arguments()
    code, rows = lab.killed(command, *args, after=lab.chance.uniform(0.02, 0.2))
    work.look(rows)
    kept = [work.journal + end for end in ENDS[:3] if os.path.exists(work.journal + end)
            and os.path.getsize(work.journal + end)]
    if kept:
        victim = lab.chance.choice(kept)
        with open(victim, "rb") as text:
            data = text.read()
        with open(victim, "wb") as out:
            out.write(damage(data, lab.chance))
    run = work.run()
    hard(run.code in (0, 1, 2, 3), f"I3: exit code {run.code}")
    if run.code:
        hard("run.db" in run.err, f"I3: it does not say what is damaged: {run.err}")
    for more in ((), ("--failed", lab.path("failed.tsv"))):
        look = lab.run_weir("journal", work.journal, *more)
        hard(look.code in (0, 1, 2, 3), f"weir journal: exit code {look.code}")
    for end in ENDS:
        if os.path.exists(work.journal + end):
            os.unlink(work.journal + end)
    lab.acknowledged.clear()  # of these the journal alone knew
    work.look()
    run = work.run()
    hard(run.code == 0, f"I4: {run.code}\n{run.err}")
    found = lab.only_right_names(work.reference)
    hard(sorted(found) == sorted(work.reference), "I4: not all there")


def record(lab, segmented):
    """A damaged resume record: the bytes in the end are the right ones, whatever it says."""
    seed, size = f"r{lab.chance.getrandbits(48):x}", 5_000_000
    server = lab.faults()
    url = server.url(seed, size, "drip=32768/4", "f")
    args = ["get", "--segments", "4" if segmented else "1", "-d", lab.dir, url]
    part = os.path.join(lab.dir, "f.part")
    process = lab.start(*args, "--progress", "none", "--no-config")
    harness.wait_until("bytes", lambda: server.stats()["body_bytes"] > size // 3, 30)
    process.terminate()
    hard(process.wait(30) == 143, "it was not stopped in time")
    try:
        kept = os.getxattr(part, "user.weir.resume")
    except OSError:
        kept = None
    if kept is None:
        with open(part + ".resume", "rb") as text:
            kept = text.read()
        with open(part + ".resume", "wb") as out:
            out.write(damage(kept, lab.chance))
    else:
        os.setxattr(part, "user.weir.resume", damage(kept, lab.chance))
    reference = {"f": harness.body(seed, size)}
    run = lab.weir(*args)
    lab.only_right_names(reference)
    if run.code:
        run = lab.weir(*args)
    hard(run.code == 0, f"I4: {run.code}\n{run.err}")
    hard(sorted(lab.only_right_names(reference)) == ["f"], "I4: it is not there")


def trials(plan):
    for form in FORMATS:
        yield f"names-{form}", functools.partial(traversal, form=form)
    for i in range(20 if plan.long else 2):
        yield f"link-race-{i}", link_race
    for how in ("redirect", "redirect-308", "redirect-later", "userinfo", "mirrors", "segments",
                "second-url", "netrc"):
        yield f"secrets-{how}", functools.partial(secrets, how=how)
    for kind in ("gzip", "gzip-members", "zst", "xz", "bz2", "line", "nested"):
        yield f"bomb-{kind}", functools.partial(bomb, kind=kind)
    for i in range(400 if plan.long or plan.only else 8):
        yield f"journal-{i}", functools.partial(journal, workload=("small", "large")[i % 2])
    for i in range(400 if plan.long or plan.only else 10):
        yield f"record-{i}", functools.partial(record, segmented=i % 2 == 0)

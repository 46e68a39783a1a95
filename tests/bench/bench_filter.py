"""The rows in which weir's filters stand beside pipelines of curl, a decompressor, rg and jq.

The same lines are asked of all. Each row takes one file and then its eight pieces: weir gets the
eight URLs, the peers run two pipelines at a time (xargs -P2), for the two cores that there are. In
the first round, which warms up, the output goes to a file and is compared: the whole output byte by
byte, that of eight files as a set of lines (lines of two pipelines may come torn into one another;
of those only the bytes are counted). In the rounds that count it goes into a pipe that the
measuring program empties, and its length is compared. CPU is that of all programs of a pipeline.
"""
import filecmp
import os
import shlex

from bench_client import Alone, Client, alone_runs
from bench_repeat import RepeatServer
from bench_report import comparison, megabytes, middle

RARE = "ROOT LOGIN ON"
ADDRESS = r"([0-9]{1,3}\.){3}[0-9]{1,3}"
NAMES = ("zhangyan utsims sandeep pgadmin oralce nagios1 ingrid postgres1 ghost eoor cyrus cheng "
         "butter bssh matlab inspur magnos ftpuser webmaster deploy").split()
SELECT = 'select(.level=="error")'
RG, RG_GZ, RG_ZST = "curl | rg", "curl | pigz | rg", "curl | zstdcat | rg"
SLOW_ROUNDS = 1               # of peers that take many times as long as the others


class Pipeline(Client):
    """curl and what its output is piped into."""

    def __init__(self, name, tail, slow=False):
        super().__init__(name, "sh", None)
        self.tail, self.slow = tail, slow

    def command(self, urls, work):
        script = os.path.join(work, "pipeline-" + "".join(filter(str.isalnum, self.name)) + ".sh")
        with open(script, "w") as f:
            f.write(f'curl -qsS "$1" | {self.tail}\n')
        if len(urls) == 1:
            return ["sh", script, urls[0]]
        with open(script + ".urls", "w") as f:
            f.writelines(url + "\n" for url in urls)
        return ["xargs", "-a", script + ".urls", "-P2", "-n1", "sh", script]


class Weir(Client):
    slow = False

    def __init__(self, ctx, *arguments):
        super().__init__("weir", ctx.weir, arguments, is_peer=False)

    def command(self, urls, work):
        return [self.program, *self.arguments, *urls]


def two_at_once(command, words):
    """`command` for each of the words, which the shell hands to xargs."""
    pairs = " ".join(map(shlex.quote, words))
    return ["sh", "-c", f"printf '%s\\n' {pairs} | xargs -P2 -n1 {shlex.join(command)}"]


class Search:
    """A row: what is searched, and by whom; the first peer is the one that the goals name."""

    def __init__(self, row, text, clients, *parts):
        self.row, (self.kind, self.ending), self.clients = row, text, clients
        self.peer = next(client for client in clients if client.is_peer)
        self.parts = parts        # (name, words for bare_text but the file)

    def limits(self, ctx):
        """Each part of the work on one file alone: the socket, the decoder, the matcher."""
        path = ctx.texts.path(self.kind, self.ending)
        name = os.path.relpath(path, ctx.server.www())
        yield Alone("socket alone", ctx.drain, str(ctx.server.port), "1", "1", name)
        for part, *words in self.parts:
            of = path if part == "decoder alone" else ctx.texts.path(self.kind)
            yield Alone(part, ctx.bare_text, *words, of)

    def batch_limits(self, ctx):
        """The same upon the eight pieces, two at a time as the peers take them, which leaves no
        processor idle; curl for the wire, since what is received has to be copied."""
        texts = ctx.texts
        urls = texts.piece_urls(self.kind, self.ending)
        yield Alone("curl alone", *two_at_once(["curl", "-qsS", "-o", "/dev/null"], urls))
        for part, *words in self.parts:
            ending = self.ending if part == "decoder alone" else ""
            yield Alone(part, *two_at_once([ctx.bare_text, *words],
                                           texts.piece_paths(self.kind, ending)))


def wrong_output(ctx, name, path, reference, is_batch):
    """None, or in what the output differs from the reference."""
    size, wanted = os.path.getsize(path), os.path.getsize(reference)
    if size != wanted:
        return f"{size:,} bytes came out, wanted {wanted:,}"
    if not is_batch:
        return None if filecmp.cmp(path, reference, shallow=False) else "other bytes came out"
    if name == "weir" and ctx.texts.sum(path) != ctx.texts.sum(reference):
        return f"other lines came out: {ctx.texts.sum(path)}; wanted {ctx.texts.sum(reference)}"
    return None


def one_run(ctx, client, urls, reference, warm_up):
    """(figures, None or what is wrong)"""
    out = os.path.join(ctx.work, "output")
    command = client.command(urls, ctx.work)
    run = ctx.bench.run(command, options=["--stdout", out] if warm_up else ["--drain"])
    if run["exit"] != 0:
        wrong = f"exit code {run['exit']}, signal {run['signal']}: {ctx.bench.log_tail()}"
    elif warm_up:
        wrong = wrong_output(ctx, client.name, out, reference, len(urls) > 1)
    elif run["out_bytes"] != os.path.getsize(reference):
        wrong = f"{run['out_bytes']:,} bytes came out, wanted {os.path.getsize(reference):,}"
    else:
        wrong = None
    if warm_up:
        os.unlink(out)
    return run, wrong


def interleave(ctx, search, row, urls, reference, limits):
    clients = [*search.clients, *limits]
    runs = {client.name: [] for client in clients}
    for number in range(ctx.rounds + 1):
        for client in [c for c in clients if c.name in runs]:
            if isinstance(client, Alone):
                alone_runs(ctx, row, client, number, runs)
                continue
            if client.slow and number > SLOW_ROUNDS:
                continue
            run, wrong = one_run(ctx, client, urls, reference, warm_up=number == 0)
            if wrong:
                ctx.report.fault(row, client.name, wrong)
                del runs[client.name]
            elif number > 0:
                runs[client.name].append(run)
                ctx.report.run(row, client.name, number, run)
    return runs


def make_reference(ctx, search):
    """The output that all have to give: that of the named peer upon the one file."""
    path = os.path.join(ctx.work, "reference")
    peer = search.peer
    url = ctx.texts.url(search.kind, search.ending)
    run = ctx.bench.run(peer.command([url], ctx.work), options=["--stdout", path])
    if run["exit"] != 0 or os.path.getsize(path) == 0:
        raise SystemExit(f"bench: {peer.name} found nothing, exit code {run['exit']}: "
                         + ctx.bench.log_tail())
    with open(path, "rb") as f:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: f.read(1 << 20), b""))
    ctx.report.note(f"{lines:,} lines come out, {megabytes(os.path.getsize(path))} MB")
    return path


def compare(ctx, search, what, faster, cpu=None, one=True, eight=True, mark=""):
    """The tables of a row, and its goals: so many times as fast as the first peer, and at most
    `cpu` times its CPU. `mark` tells goals of one row apart."""
    row, texts = search.row, ctx.texts
    ctx.report.title(f"{what} ({ctx.rounds} rounds, medians)")
    texts.need(search.kind, search.ending)
    reference = make_reference(ctx, search)
    size = texts.size(search.kind)
    batches = [("one file", [texts.url(search.kind, search.ending)])] if one else []
    if eight:
        batches.append(("eight files", texts.piece_urls(search.kind, search.ending)))
    for label, urls in batches:
        ctx.report.part(label, f"{size / 1e6 / len(urls):.0f} MB of text"
                        + (" each" if len(urls) > 1 else ""))
        limits = list(search.limits(ctx) if len(urls) == 1 else search.batch_limits(ctx))
        runs = interleave(ctx, search, row, urls, reference, limits)
        comparison(ctx.report, runs, size / 1e6, "MB/s", [client.name for client in limits],
                   combine=max if len(urls) == 1 else sum)
        peer = search.peer.name
        if not runs.get("weir") or not runs.get(peer):
            continue
        ratio = middle(runs[peer], "wall_s") / middle(runs["weir"], "wall_s")
        ctx.report.goal(row, f"{mark}{label}, as fast as {peer}", ratio, faster, "x",
                        at_least=True)
        if cpu:
            ctx.report.goal(row, f"{mark}{label}, CPU of {peer}", middle(runs["weir"], "cpu_s")
                            / middle(runs[peer], "cpu_s"), cpu, "x")
    os.unlink(reference)


def rare_literal(ctx, row):
    return Search(row, ("log", ""), [
        Weir(ctx, "filter", "-F", RARE), Pipeline(RG, f"rg -F {shlex.quote(RARE)}"),
        Pipeline("curl | grep", f"grep -F {shlex.quote(RARE)}")],
        ("matcher alone", "literal", RARE))


def one_literal(ctx):
    """one literal in a log of 890 MB"""
    compare(ctx, rare_literal(ctx, "lines"), f"lines of a log with one literal, \"{RARE}\"", 1.4,
            0.65, eight=False)


def eight_logs(ctx):
    """the same in eight logs of 111 MB"""
    compare(ctx, rare_literal(ctx, "lines8"), "the same literal in eight logs", 1.4, 0.65,
            one=False)


def gzip_log(ctx):
    """the same in the log as .gz"""
    rg = f"rg -F {shlex.quote(RARE)}"
    search = Search("gz", ("log", ".gz"), [
        Weir(ctx, "filter", "-F", RARE), Pipeline(RG_GZ, f"pigz -dc | {rg}"),
        Pipeline("curl | zcat | rg", f"zcat | {rg}", slow=True)],
        ("decoder alone", "gunzip"), ("matcher alone", "literal", RARE))
    compare(ctx, search, "the same literal in the log as .gz", 1.5)


def zstd_log(ctx):
    """the same in the log as .zst"""
    search = Search("zst", ("log", ".zst"), [
        Weir(ctx, "filter", "-F", RARE),
        Pipeline(RG_ZST, f"zstdcat | rg -F {shlex.quote(RARE)}")],
        ("decoder alone", "unzstd"), ("matcher alone", "literal", RARE))
    compare(ctx, search, "the same literal in the log as .zst", 1.0)


def addresses(ctx):
    """lines with an IP address"""
    search = Search("ip", ("log", ""), [
        Weir(ctx, "filter", "-e", ADDRESS), Pipeline(RG, f"rg -e {shlex.quote(ADDRESS)}")],
        ("matcher alone", "match", ADDRESS))
    compare(ctx, search, f"lines with {ADDRESS}", 1.5)


def twenty_literals(ctx):
    """twenty literals at once"""
    ours = [word for name in NAMES for word in ("-F", name)]
    theirs = " ".join(f"-e {name}" for name in NAMES)
    search = Search("literals", ("log", ""), [
        Weir(ctx, "filter", *ours), Pipeline(RG, f"rg -F {theirs}")])
    compare(ctx, search, f"lines with any of {len(NAMES)} literals", 1.0)


def nearly_every_line(ctx):
    """patterns that hit nearly every line; as in all rows, the output goes into a pipe"""
    for option, pattern in (("-e", "INFO|sshd|combo|notice|error"), ("-F", ":")):
        search = Search("dense", ("log", ""), [
            Weir(ctx, "filter", option, pattern),
            Pipeline(RG, f"rg {option} {shlex.quote(pattern)}" if option == "-e"
                     else f"rg -F {shlex.quote(pattern)}")])
        compare(ctx, search, f"lines with {option} '{pattern}'", 1.0,
                mark=f"{option} '{pattern}', ")


def json_records(ctx):
    """400 MB of JSON records, those of one level"""
    search = Search("jsonl", ("jsonl", ""), [
        Weir(ctx, "jsonl", "--jq", SELECT),
        Pipeline("curl | jq", f"jq -c {shlex.quote(SELECT)}", slow=True)],
        ("decoder alone", "json", "error"))
    compare(ctx, search, f"JSON records, {SELECT}", 25)


class Listed(Client):
    """Takes its URLs from a list and writes the bodies to standard output, in that order."""
    slow = False

    def __init__(self, name, program, *words, is_peer=True):
        super().__init__(name, program, None, is_peer)
        self.words = words

    def command(self, urls, work):
        return [self.program, *self.words]


def write_list(ctx, name, line, urls):
    path = os.path.join(ctx.work, name)
    with open(path, "w") as out:
        out.writelines(line.format(url) for url in urls)
    return path


def one_after_another(ctx):
    """small files to standard output, in list order"""
    row, server = "stdout", ctx.server
    count = server.small_count // 5
    names = [f"f{i:05d}" for i in range(count)]
    urls = [f"{server.base}/small/{name}" for name in names]
    reference = os.path.join(ctx.work, "reference")
    with open(reference, "wb") as out:
        for name in names:
            with open(server.www("small", name), "rb") as body:
                out.write(body.read())
    ctx.report.title(f"{count:,} x 4 KB to standard output, one after another "
                     f"({ctx.rounds} rounds, medians)")
    clients = [Listed("weir", ctx.weir, "get", "-o", "-", "-i",
                      write_list(ctx, "weir.list", "{}\n", urls), is_peer=False),
               Listed("curl", "curl", "-qsS", "-K",
                      write_list(ctx, "curl.list", 'url = "{}"\n', urls)),
               Listed("wget2", "wget2", "--no-config", "-q", "--max-threads=1", "-O", "-", "-i",
                      write_list(ctx, "wget2.list", "{}\n", urls))]
    runs = interleave(ctx, Search(row, ("", ""), clients), row, [""], reference, [])
    comparison(ctx.report, runs, count, "files/s")
    if runs.get("weir") and runs.get("curl"):
        ctx.report.goal(row, "wall, against curl", middle(runs["weir"], "wall_s")
                        / middle(runs["curl"], "wall_s"), 1.0, "x")
    os.unlink(reference)


def flat_memory(ctx):
    """a filter over 4 GB, plain and compressed"""
    row = "filter_memory"
    ctx.report.title(f"peak memory of a filter over {ctx.endless_bytes / 1e9:.1f} GB of text")
    times = -(-ctx.endless_bytes // ctx.log_bytes)
    ctx.report.note(f"one log {times} times over, sent from memory")
    for ending in ("", ".gz", ".zst"):
        ctx.texts.need("log", ending)
        reference = make_reference(ctx, rare_literal(ctx, row))
        wanted = os.path.getsize(reference) * times
        os.unlink(reference)
        with RepeatServer(ctx.texts.path("log", ending), times) as server:
            run = ctx.bench.run(Weir(ctx, "filter", "-F", RARE).command([server.url], ctx.work),
                                options=["--drain"])
        ctx.report.run(row, "weir", 1, run)
        if run["exit"] != 0 or run["out_bytes"] != wanted:
            ctx.report.fault(row, "weir", f"exit code {run['exit']}, {run['out_bytes']:,} bytes "
                             f"came out, wanted {wanted:,}: " + ctx.bench.log_tail())
            continue
        ctx.report.note(f"{run['wall_s']:.1f} s, {run['cpu_s']:.1f} s of CPU")
        ctx.report.goal(row, f"peak memory, {ending or 'plain'}", run["peak_bytes"] / 1e6, 32, "MB")

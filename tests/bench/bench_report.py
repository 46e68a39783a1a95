"""What the bench prints: a table a row, the goals under it, and every run as a line of JSON."""
import json
import os
import sys
from statistics import median

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import scores  # noqa: E402


def megabytes(size):
    return f"{size / 1e6:.1f}"


class Report:
    def __init__(self, json_path):
        self.json = open(json_path, "w") if json_path else None
        self.goals = []     # (row, text, met)
        self.broken = []    # runs that did not do their work
        self.row_name = self.part_name = ""
        self.kept = []      # (what, found, wanted, verdict) for the scoreboard

    def write(self, **fields):
        if self.json:
            self.json.write(json.dumps(fields) + "\n")
            self.json.flush()

    def title(self, text):
        self.row_name, self.part_name = text.rpartition(" (")[0] or text, ""
        print(f"\n{text}", flush=True)

    def part(self, name, text):
        """Of a row: what follows has a name of its own on the scoreboard."""
        self.part_name = f", {name}"
        self.note(f"{name}, {text}")

    def note(self, text):
        print(f"  {text}", flush=True)

    def run(self, row, client, number, figures):
        self.write(kind="run", row=row, client=client, round=number, **figures)

    def fault(self, row, client, text):
        self.broken.append((row, client, text))
        self.note(f"{client}: NOT MEASURED: {text}")
        self.write(kind="fault", row=row, client=client, text=text)

    def goal(self, row, text, value, limit, unit, at_least=False):
        """`value` and `limit` in `unit`; "met", or "short" and by how much."""
        met = value >= limit if at_least else value <= limit
        verdict = "met" if met else \
            f"SHORT by {abs(value - limit):.3g} {unit} ({value / limit:.2f} x the goal)"
        sign = ">=" if at_least else "<="
        line = f"goal: {text}: {value:.3g} {unit}, wanted {sign} {limit:.3g}: {verdict}"
        self.note(line)
        self.goals.append((row, line, met))
        self.kept.append((f"{row}: {text}", f"{value:.3g} {unit}", f"{sign} {limit:.3g}",
                          "met" if met else "short"))
        self.write(kind="goal", row=row, text=text, value=value, limit=limit, unit=unit,
                   at_least=at_least, met=met)

    def limit(self, share, limits, combine):
        """How near weir is to what the machine can do in the row of the last title."""
        text = (" + " if combine is sum else " / ").join(limits)
        title = self.row_name + self.part_name
        self.note(f"weir reaches {share:.2f} of the limit ({text})")
        self.kept.append((title, f"{share:.2f} of the limit", text, ""))
        self.write(kind="limit", title=title, share=share, limits=list(limits))

    def table(self, header, rows):
        rows = [header] + rows
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        for row in rows:
            cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
            print("  " + "  ".join(cells).rstrip(), flush=True)

    def summary(self, form):
        """`form` is for the scoreboard."""
        scores.leave("bench", form, ("row", "found", "wanted, or the limit", "verdict"), self.kept,
                     keep=True)
        print("\nGoals", flush=True)
        for row, line, _ in self.goals:
            self.note(f"{row}: {line.removeprefix('goal: ')}")
        short = sum(not met for _, _, met in self.goals)
        self.note(f"{len(self.goals) - short} of {len(self.goals)} met")
        for row, client, text in self.broken:
            self.note(f"not measured: {row}, {client}: {text}")


def middle(runs, key):
    return median(run[key] for run in runs)


def limit_of(runs, limits, known, combine):
    """Seconds, from those of its parts alone. None: not measured."""
    walls = [known[name] if name in known else middle(runs[name], "wall_s") for name in limits
             if name in known or runs.get(name)]
    return combine(walls) if len(walls) == len(limits) > 0 else None


def comparison(report, runs, work, unit, limits=(), known=None, combine=max):
    """The table of a row: medians for each client, weir's ratio to each peer, and how near each is
    to the limit: the time of what `limits` names, over its own; a client, or a time that is
    `known`. Nothing is faster than the slowest of its parts alone (max), nor than all of them
    (sum) where each keeps all processors busy. `work` is what a run moves, in `unit`."""
    ours = runs.get("weir")
    floor = limit_of(runs, limits, known or {}, combine)
    rows = []
    for name, own in runs.items():
        wall, cpu = middle(own, "wall_s"), middle(own, "cpu_s")
        spread = f"{min(r['wall_s'] for r in own):.3f}-{max(r['wall_s'] for r in own):.3f}"
        ratios = ["", ""]
        if ours and name != "weir":
            ratios = [f"{middle(ours, 'wall_s') / wall:.2f}",
                      f"{middle(ours, 'cpu_s') / cpu:.2f}" if cpu else ""]
        share = [f"{floor / wall:.2f}"] if floor else [""] if limits else []
        rows.append([name, f"{wall:.3f}", spread, f"{work / wall:,.0f}", f"{cpu:.3f}",
                     megabytes(middle(own, "peak_bytes")), *ratios, *share])
    report.table(["client", "wall s", "(min-max)", unit, "CPU s", "peak MB", "weir/it wall",
                  "weir/it CPU", *(["of the limit"] if limits else [])], rows)
    if floor and ours:
        report.limit(floor / middle(ours, "wall_s"), limits, combine)


def best_peer(runs, peers, key="wall_s"):
    """The name of the fastest peer, and its median."""
    medians = [(middle(runs[name], key), name) for name in peers if runs.get(name)]
    return min(medians)[::-1] if medians else (None, None)

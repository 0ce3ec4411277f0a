"""The figures as a table in the terminal and as a plot, and whether the bars they are held to are reached."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.runner import Row
from benchmarks.workloads import WORKLOADS
from minigrad.lazy import lazy_module

rich_table = lazy_module("rich.table")
rich_box = lazy_module("rich.box")
pyplot = lazy_module("matplotlib.pyplot")

CONVOLUTIONAL = {"cnn", "resnet50"}
WARM_FIRST = 0.025  # seconds a first call with a filled cache may take above a steady one
COLOURS = {"minigrad": "#d1495b", "jax": "#3d6fb6", "torch": "#e8a33d", "torch.compile": "#7a9e3f"}
COLOURS |= {"tensorflow": "#8f5fbf", "tensorflow.xla": "#5fb0b7"}


def seconds(t: float | None) -> str:
    """A duration in the unit it reads best in."""
    if t is None:
        return "–"
    unit, scale = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if t >= s), ("µs", 1e-6))
    return f"{t / scale:.3g} {unit}"


def by_workload(rows: list[Row]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.workload, {})[row.framework] = row
    return found


def best_peer(rows: dict[str, Row]) -> float | None:
    """The shortest steady time of a peer."""
    return min((r.steady for name, r in rows.items() if name != "minigrad" and r.steady), default=None)


def speed(rows: dict[str, Row]) -> float | None:
    """How many times as fast minigrad is as the best peer."""
    mine, best = rows["minigrad"].steady, best_peer(rows)
    return best / mine if mine and best else None


def table(rows: list[Row]) -> Any:
    made = rich_table.Table(box=rich_box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    made.add_column("workload")
    made.add_column("framework")
    headings = (
        "import +\nfirst call",
        "first\ncall",
        "first call,\ncached",
        "steady",
        "± ",
        "peak\nmemory",
        "best peer\n÷ this",
    )
    for heading in headings:
        made.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for name, group in by_workload(rows).items():
        best = best_peer(group)
        for k, row in enumerate(group.values()):
            title = WORKLOADS[name].title if k == 0 else ""
            if row.steady is None:
                made.add_row(title, row.framework, *"–" * 7)
                continue
            times = map(seconds, (row.whole, row.first, row.first_cached, row.steady, row.spread))
            ratio = f"{best / row.steady:.2f}" if best else "–"
            style = "bold" if row.framework == "minigrad" else ""
            made.add_row(title, row.framework, *times, f"{(row.memory or 0) / 1e6:.0f} MB", ratio, style=style)
        made.add_section()
    return made


def verdict(rows: list[Row]) -> list[str]:
    """A sentence for each bar: reached everywhere, or where not and by how much."""
    groups = by_workload(rows)
    ratios = {name: r for name, group in groups.items() if (r := speed(group)) is not None}
    lines = []
    if ratios:
        mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
        lines.append(f"geometric mean of (best peer ÷ minigrad) on {len(ratios)} workloads: {mean:.2f} (bar: 1.3)")
        slower = {n: f"{r:.2f}" for n, r in ratios.items() if r < 1 and n not in CONVOLUTIONAL}
        lines.append(_sentence("steady: not slower than the best peer", slower))
    for what, bar in ("first", 0.5), ("whole", 0.5), ("memory", 1.0):
        shares = {n: r for n, g in groups.items() if (r := _against_jax(g, what)) is not None}
        if shares:
            over = {n: f"{r:.2f}" for n, r in shares.items() if r > bar}
            lines.append(_sentence(f"{what}: at most {bar:g} of JAX's", over))
    late = {}
    for name, group in groups.items():
        mine = group["minigrad"]
        if name != "resnet50" and mine.steady and mine.first_cached and mine.first_cached > mine.steady + WARM_FIRST:
            late[name] = f"{(mine.first_cached - mine.steady) * 1e3:.0f} ms"
    lines.append(_sentence(f"first call, cached: at most {WARM_FIRST * 1e3:g} ms above steady", late))
    return lines


def _against_jax(group: dict[str, Row], what: str) -> float | None:
    if "jax" not in group:
        return None
    mine, theirs = (getattr(group[name], what) for name in ("minigrad", "jax"))
    return mine / theirs if mine and theirs else None


def _sentence(bar: str, missed: dict[str, str]) -> str:
    return f"{bar}: " + (", ".join(f"{n} {x}" for n, x in missed.items()) if missed else "reached everywhere")


def plot(rows: list[Row], file: str) -> None:
    """Steady times over minigrad's, one group of bars per workload."""
    groups = {n: g for n, g in by_workload(rows).items() if g["minigrad"].steady}
    peers = list(dict.fromkeys(r.framework for r in rows if r.framework != "minigrad" and r.steady))
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.45 * len(groups)), layout="constrained")
    height = 0.8 / max(len(peers), 1)
    for k, peer in enumerate(peers):
        found = [(i, g[peer].steady / g["minigrad"].steady) for i, g in enumerate(groups.values()) if g[peer].steady]
        axes.barh([i + (k + 0.5) * height - 0.4 for i, _ in found], [r - 1 for _, r in found], height, left=1,
                  label=peer, color=COLOURS.get(peer))  # fmt: skip
    axes.axvline(1, color=COLOURS["minigrad"], label="minigrad")
    labels = [f"{WORKLOADS[name].title}\n{seconds(group['minigrad'].steady)}" for name, group in groups.items()]
    axes.set_yticks(range(len(groups)), labels, fontsize="small")
    axes.set(xscale="log", xlabel="steady time ÷ minigrad's")
    low, high = axes.get_xlim()
    ticks = [x for power in range(-3, 4) for x in (10**power, 2 * 10**power, 5 * 10**power) if low <= x <= high]
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.legend()
    figure.savefig(Path(file), dpi=150)
    pyplot.close(figure)


def scaling_table(figures: list[dict[str, Any]]) -> Any:
    """One line per framework and size: microseconds per node of each stage, and the seconds of all."""
    stages = list(dict.fromkeys(stage for f in figures for stage in f["seconds"] if stage != "total"))
    made = rich_table.Table(title="a chain of sines: µs per node", box=rich_box.SIMPLE_HEAD, show_edge=False)
    for heading in ("framework", "nodes", *stages, "all", "seconds"):
        made.add_column(heading, justify="right")
    for f in figures:
        per_node = [
            f"{f['seconds'][s] / f['nodes'] * 1e6:.1f}" if s in f["seconds"] else "" for s in (*stages, "total")
        ]
        total = f["seconds"].get("total")
        made.add_row(f["framework"], f"{f['nodes']:,}", *per_node, f"{total:.2f}" if total else f["status"][:60])
    return made

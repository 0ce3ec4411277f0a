"""The comparison in a terminal: progress bars while it runs, a table and a verdict at the end.

Floor 7.
"""

from __future__ import annotations

from typing import Any

from minigrad.compare.result import Comparison, Result
from minigrad.lazy import lazy_module

rich_table = lazy_module("rich.table")
rich_box = lazy_module("rich.box")


def seconds(t: float | None) -> str:
    """A duration in the unit it reads best in."""
    if t is None:
        return "–"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if t >= scale:
            return f"{t / scale:.3g} {unit}"
    return f"{t / 1e-6:.2f} µs"


def memory(n: int | None) -> str:
    return "–" if n is None else f"{n / 2**20:.1f} MiB"


def number(x: float | None) -> str:
    return "–" if x is None else f"{x:.1e}"


def count(n: int | None) -> str:
    return "–" if n is None else f"{n:,}"


def steady(r: Result) -> str:
    if r.steady is None:
        return "–"
    return seconds(r.steady) + (f" ± {seconds(r.spread)}" if r.spread is not None else "")


# One table for terminal and page: heading, what it means, the cell.
COLUMNS: list[tuple[str, str, Any]] = [
    ("execution model", "front-end and how it is used", lambda r: r.name),
    ("backend", "what runs the ops", lambda r: r.backend),
    ("graph exists", "when there is a graph", lambda r: r.when),
    ("nodes", "nodes the compiler was given: forward, backward and update", lambda r: count(r.nodes)),
    ("kernels", "calls left after its passes", lambda r: count(r.kernels)),
    ("build/trace", "time to make the graph", lambda r: seconds(r.spent("build") + r.spent("trace") or None)),
    ("compile", "time from graph to something that runs", lambda r: seconds(r.spent("compile") or None)),
    ("first step", "from data to the first step taken, all included", lambda r: seconds(r.first_step)),
    ("steady step", "median ± half the interquartile range", steady),
    ("peak memory", "most allocated at a time during a step", lambda r: memory(r.peak_memory)),
    ("final loss", "nats per character", lambda r: "–" if r.final_loss is None else f"{r.final_loss:.6f}"),
    ("grad vs ref", "largest difference from the first row's gradient, relative", lambda r: number(r.gradient_error)),
    (
        "vs differences",
        "slope along a random direction against finite differences in float64, relative",
        lambda r: number(r.difference_error),
    ),
]


def table(c: Comparison) -> Any:
    """The rows as a rich table."""
    made = rich_table.Table(title=title(c), box=rich_box.SIMPLE_HEAD, title_justify="left")
    for heading, _, _ in COLUMNS:
        left = heading in ("execution model", "backend", "graph exists")
        made.add_column(heading, justify="left" if left else "right", no_wrap=heading == "execution model")
    for r in c.results:
        if r.status == "ok":
            made.add_row(*(cell(r) for _, _, cell in COLUMNS))
        else:
            made.add_row(
                r.name, r.backend, r.when, *("–" for _ in COLUMNS[3:-5]), r.status.splitlines()[0], style="dim"
            )
    return made


def title(c: Comparison) -> str:
    model = f"{c.model}, {c.parameters:,} parameters, {c.dtype}"
    return f"{model}, {c.steps} Adam steps on Python's documentation ({c.machine})"


def verdict(c: Comparison) -> str:
    """Do the rows agree? In one sentence."""
    if c.failed:
        return "FAILED: " + "; ".join(f"{r.name} on {r.backend} {r.status}" for r in c.failed)
    if len(c.trained) < 2:
        return "Nothing to compare: fewer than two rows were trained to the end."
    if c.disagreeing:
        worst = ", ".join(f"{r.name} on {r.backend} by {c.deviation(r):.1e}" for r in c.disagreeing)
        return f"DISAGREEMENT: the losses of {worst} differ from {c.trained[0].name}'s by more than {c.tolerance:.0e}."
    largest = max(map(c.deviation, c.trained))
    return (
        f"All {len(c.trained)} trained rows agree: their losses over {c.steps} steps differ by at most {largest:.1e} "
        f"relatively (allowed: {c.tolerance:.0e})."
    )

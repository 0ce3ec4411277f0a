"""The comparison in a terminal: progress bars while it runs, a table and a verdict at the end.

Floor 7.
"""

from __future__ import annotations

from typing import Any

from minigrad.compare.result import Comparison, Result
from minigrad.lazy import lazy_module

rich_console = lazy_module("rich.console")
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


def shown(x: float | None, layout: str) -> str:
    return "–" if x is None else format(x, layout)


def memory(n: int | None) -> str:
    return "–" if n is None else f"{n / 2**20:.1f} MiB"


def steady(r: Result) -> str:
    if r.steady is None:
        return "–"
    return seconds(r.steady) + (f" ± {seconds(r.spread)}" if r.spread is not None else "")


# One table for terminal and page: heading, what it means, the cell.
COLUMNS: list[tuple[str, str, Any]] = [
    ("execution model", "front-end and how it is used", lambda r: r.name),
    ("backend", "what runs the ops", lambda r: r.backend),
    ("graph exists", "when there is a graph", lambda r: r.when),
    ("nodes", "nodes the compiler was given: forward, backward and update", lambda r: shown(r.nodes, ",")),
    ("kernels", "calls left after its passes", lambda r: shown(r.kernels, ",")),
    ("build/trace", "time to make the graph", lambda r: seconds(r.spent("build") + r.spent("trace") or None)),
    ("compile", "time from graph to something that runs", lambda r: seconds(r.spent("compile") or None)),
    ("first step", "from data to the first step taken, all included", lambda r: seconds(r.first_step)),
    ("steady step", "median ± half the interquartile range", steady),
    ("peak memory", "most allocated at a time during a step", lambda r: memory(r.peak_memory)),
    ("final loss", "nats per character", lambda r: shown(r.final_loss, ".6f")),
    (
        "grad vs ref",
        "largest difference from the first row's gradient, relative",
        lambda r: shown(r.gradient_error, ".1e"),
    ),
    (
        "vs differences",
        "slope along a random direction against finite differences in float64, relative",
        lambda r: shown(r.difference_error, ".1e"),
    ),
]


NAMING = 2  # columns that say which row it is, repeated wherever the table goes on
LEFT = {"execution model", "backend", "graph exists"}


def tables(c: Comparison, width: int) -> list[Any]:
    """The measured rows as a rich table; where `width` cannot hold it, as several that each hold some columns."""
    made, rest = [], COLUMNS[NAMING:]
    while rest:
        fitting = 1
        while fitting < len(rest) and _needs(_table(c, rest[: fitting + 1])) <= width:
            fitting += 1
        made.append(_table(c, rest[:fitting]))
        rest = rest[fitting:]
    return made


def _table(c: Comparison, columns: list[tuple[str, str, Any]]) -> Any:
    shown = COLUMNS[:NAMING] + columns
    made = rich_table.Table(box=rich_box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading, _, _ in shown:
        justify = "left" if heading in LEFT else "right"
        made.add_column(heading.replace(" ", "\n"), justify=justify, vertical="bottom", no_wrap=True)
    for r in c.results:
        if r.status == "ok":
            made.add_row(*(cell(r) for _, _, cell in shown))
    made.width = _needs(made)  # where not even one column fits, better wrapped by the terminal than cut
    return made


def _needs(made: Any) -> int:
    """The characters a table takes when nothing in it is wrapped."""
    unbounded = rich_console.Console(width=1000)
    return unbounded.measure(made).maximum  # type: ignore[no-any-return]


def without_numbers(c: Comparison) -> list[str]:
    """A sentence for each reason that rows have no numbers."""
    rows: dict[str, list[str]] = {}
    for r in c.results:
        if r.status != "ok" and r not in c.failed:
            rows.setdefault(r.status, []).append(r.full_name)
    return [f"{status.capitalize()}: {', '.join(names)}." for status, names in rows.items()]


def title(c: Comparison) -> str:
    model = f"{c.model}, {c.parameters:,} parameters, {c.dtype}"
    return f"{model}, {c.steps} Adam steps on Python's documentation ({c.machine})"


def verdict(c: Comparison) -> str:
    """Do the rows agree? In one sentence."""
    if c.failed:
        return "FAILED: " + "; ".join(f"{r.full_name} {r.status}" for r in c.failed)
    if len(c.trained) < 2:
        return "Nothing to compare: fewer than two rows were trained to the end."
    if c.disagreeing:
        worst = ", ".join(f"{r.full_name} by {c.deviation(r):.1e}" for r in c.disagreeing)
        return f"DISAGREEMENT: the losses of {worst} differ from {c.trained[0].name}'s by more than {c.tolerance:.0e}."
    largest = max(map(c.deviation, c.trained))
    return (
        f"All {len(c.trained)} trained rows agree: their losses over {c.steps} steps differ by at most {largest:.1e} "
        f"relatively (allowed: {c.tolerance:.0e})."
    )

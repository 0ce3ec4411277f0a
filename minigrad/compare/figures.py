"""The figures of the report, as SVG text: the first moments of each row, the losses, the step times.

Floor 7. Needs matplotlib (the `report` extra). Drawn without pyplot, so no window system and no global state.
"""

from __future__ import annotations

import io
import math
from typing import Any

from minigrad.compare.result import Comparison
from minigrad.compare.table import seconds
from minigrad.lazy import lazy_module

matplotlib_figure = lazy_module("matplotlib.figure")
matplotlib_patches = lazy_module("matplotlib.patches")
matplotlib_svg = lazy_module("matplotlib.backends.backend_svg")

# Okabe and Ito's palette: told apart by colour-blind readers too.
COLORS = {"build": "#0072B2", "trace": "#56B4E9", "compile": "#D55E00", "run": "#009E73"}
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")


INK = "#000000"  # what matplotlib draws axes and text in
WIDTH = 5.2  # inches: on a phone 10-point text is still 9 pixels high


NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def _figure(width: float, height: float) -> tuple[Any, Any]:
    figure = matplotlib_figure.Figure(figsize=(width, height), layout="constrained")
    matplotlib_svg.FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, label: str) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata=NO_METADATA, transparent=True)
    text = out.getvalue().replace(INK, "currentColor")  # the page's own, in dark and in light
    text = text[text.index("<svg") :]
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def timeline(c: Comparison) -> str:
    """What each row did first: build, trace, compile, run; each row from its own zero."""
    shown = [r for r in c.results if r.events]
    figure, axes = _figure(WIDTH, 0.9 + 0.42 * len(shown))
    for y, r in enumerate(reversed(shown)):
        zero = r.events[0].start
        for e in r.events:
            start, width = (e.start - zero) * 1e3, e.seconds * 1e3
            axes.barh(y, width, left=start, height=0.6, color=COLORS[e.kind], edgecolor="white", linewidth=0.6)
    axes.set_yticks(range(len(shown)), [r.full_name for r in reversed(shown)])
    axes.set_xlabel("milliseconds since the row had its data")
    handles = [matplotlib_patches.Patch(color=color, label=kind) for kind, color in COLORS.items()]
    figure.legend(handles=handles, frameon=False, ncols=4, handlelength=1, loc="outside upper left")
    return _svg(figure, "Timeline of the first steps of every row")


def losses(c: Comparison) -> str:
    """Every row's loss curve. They should lie on each other: later rows are drawn thinner, dashed, on top."""
    figure, axes = _figure(WIDTH, 3.2)
    trained = [r for r in c.results if r.losses]
    for k, r in enumerate(trained):
        width = 1.2 + 1.6 * (len(trained) - 1 - k)
        steps = range(1, len(r.losses) + 1)
        axes.plot(
            steps,
            r.losses,
            color=LINES[k % len(LINES)],
            lw=width,
            label=r.full_name,
            ls="-" if k == 0 else (0, (4, 2 + k)),
        )
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats per character")
    if trained:
        axes.legend(frameon=False)
    return _svg(figure, "Loss curves of all rows, lying on each other")


def step_times(c: Comparison) -> str:
    """Steady time per step, with the middle half of the measurements."""
    timed = [r for r in c.results if r.steady is not None]
    figure, axes = _figure(WIDTH, 0.8 + 0.42 * len(timed))
    for y, r in enumerate(reversed(timed)):
        steady = (r.steady or math.nan) * 1e3
        spread = (r.spread or 0.0) * 1e3
        whiskers = [[min(spread, steady)], [spread]]  # no step takes less than no time
        axes.barh(y, steady, height=0.6, color=LINES[0], xerr=whiskers, ecolor=INK, capsize=3)
        axes.annotate(f" {seconds(r.steady)}", (steady + spread, y), va="center")
    axes.set_yticks(range(len(timed)), [r.full_name for r in reversed(timed)])
    axes.set_xlabel("milliseconds per steady step")
    axes.margins(x=0.25)
    axes.set_xlim(left=0)
    return _svg(figure, "Steady step time of every row")

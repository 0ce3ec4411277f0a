"""`minigrad compare`: run it, show it, write it down, and say by the exit code whether the rows agree.

Floor 7.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minigrad import passes, tree
from minigrad.backends import require
from minigrad.compare import report, table
from minigrad.compare.measure import compare, initial_parameters, machine
from minigrad.compare.models import MODELS, Model
from minigrad.compare.result import Comparison, Result
from minigrad.compare.text import python_documentation
from minigrad.draw import to_svg
from minigrad.errors import ArgumentError
from minigrad.lazy import lazy_module
from minigrad.tracer import grad, make_graph

rich_console = lazy_module("rich.console")
rich_progress = lazy_module("rich.progress")

AGREE, DISAGREE, INTERRUPTED = 0, 1, 130
QUICK_STEPS = 20


def run(
    model: str,
    *,
    steps: int = 200,
    dtype: str = "float32",
    backends: Sequence[str] = ("numpy", "numba", "llvm"),
    seed: int = 0,
    quick: bool = False,
    json_file: str | None = None,
    html_file: str | None = None,
) -> int:
    """The exit code: 0 when all rows agree, 1 when one does not or failed, 130 when interrupted."""
    if model not in MODELS:
        raise ArgumentError(f"compare: unknown model {model!r}", hint="known: " + ", ".join(MODELS))
    if steps < 1:
        raise ArgumentError(f"compare: steps must be at least 1, got {steps}")
    c = Comparison(model, dtype, min(steps, QUICK_STEPS) if quick else steps, seed, 0, machine())
    console = rich_console.Console()
    progress = rich_progress.Progress(
        "{task.description}",
        rich_progress.BarColumn(),
        "{task.completed}/{task.total}",
        console=console,
        transient=True,
    )
    bars: dict[int, int] = {}

    def watch(result: Result, done: int) -> None:
        if id(result) not in bars:
            bars[id(result)] = progress.add_task(f"{result.name} ({result.backend})", total=c.steps)
        progress.update(bars[id(result)], completed=done)

    for name in backends:
        require(name)
    with progress:  # leaves the terminal whole, whatever happens inside
        compare(MODELS[model], python_documentation(), c, list(backends), watch)
    console.print(table.table(c))
    console.print(table.verdict(c), soft_wrap=True, highlight=False)
    if c.interrupted:
        console.print("Interrupted: the table shows what had been measured.")
    if json_file:
        write(json_file, json.dumps(as_json(c), indent=1))
    if html_file:
        c.drawings = drawings(MODELS[model], c)
        write(html_file, report.page(c))
        console.print(f"Report: {html_file}")
    return INTERRUPTED if c.interrupted else DISAGREE if c.disagreeing or c.failed else AGREE


def drawings(model: Model, c: Comparison) -> dict[str, str]:
    """The loss of the model as a graph, and its gradient, as SVG."""
    text = python_documentation()
    leaves, structure = tree.flatten(initial_parameters(model, text, c.dtype, c.seed))
    inputs, targets = next(text.batches(model.batch, model.length, c.seed))

    def loss(*leaves: Any) -> Any:
        return model.loss(structure.unflatten(leaves), inputs, targets)

    places = tuple(range(len(leaves)))
    pictures = {"loss": make_graph(loss), "gradient": make_graph(grad(loss, argnums=places))}
    return {name: to_svg(passes.run(trace(*leaves))[0]) for name, trace in pictures.items()}


def as_json(c: Comparison) -> dict[str, object]:
    plain = {k: getattr(c, k) for k in ("model", "dtype", "steps", "seed", "parameters", "machine", "interrupted")}
    return {**plain, "verdict": table.verdict(c), "results": [r.as_json() for r in c.results]}


def write(name: str, text: str) -> None:
    """The whole file or the old one: written beside it, then renamed."""
    path = Path(name)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise

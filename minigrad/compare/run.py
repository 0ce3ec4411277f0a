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

from minigrad import config, passes
from minigrad.backends import require
from minigrad.compare import report, table
from minigrad.compare.measure import compare, initial_parameters, machine
from minigrad.compare.models import MODELS, Model, Parameters
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
    if seed < 0:
        raise ArgumentError(f"compare: the seed must be at least 0, got {seed}")
    for name in backends:
        require(name)
    for file in filter(None, (json_file, html_file)):  # said now, not after minutes of training
        require_writable(file)
    if html_file:
        report.require_matplotlib()
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
            bars[id(result)] = progress.add_task(result.full_name, total=c.steps)
        progress.update(bars[id(result)], completed=done)

    # programs kept on disk would make the column of compile times say how fast the disk is
    with config.cache.using(False), progress:  # which leaves the terminal whole, whatever happens inside
        compare(MODELS[model], python_documentation(), c, list(backends), watch)
    show(c, console)
    if json_file:
        write(json_file, json.dumps(as_json(c), indent=1))
    if html_file:
        c.drawings = drawings(MODELS[model], c)
        write(html_file, report.page(c))
        say(console, f"Report: {html_file}")
    return INTERRUPTED if c.interrupted else DISAGREE if c.disagreeing or c.failed else AGREE


def show(c: Comparison, console: Any) -> None:
    """Title, tables as wide as the console, and the verdict."""
    say(console, table.title(c))
    for part in table.tables(c, console.width):
        console.print()
        console.print(part, crop=False)
    console.print()
    for sentence in (*table.without_numbers(c), table.verdict(c)):
        say(console, sentence)
    if c.interrupted:
        say(console, "Interrupted: the table shows what had been measured.")


def say(console: Any, sentence: str) -> None:
    """Plain text: no colours for numbers, no markup in messages."""
    console.print(sentence, markup=False, highlight=False)


def drawings(model: Model, c: Comparison) -> dict[str, str]:
    """The loss of the model as a graph, and its gradient, as SVG."""
    text = python_documentation()
    parameters = initial_parameters(model, text, c.dtype, c.seed)
    inputs, targets = next(text.batches(model.batch, model.length, c.seed))

    def loss(parameters: Parameters) -> Any:
        return model.loss(parameters, inputs, targets)

    pictures = {"loss": make_graph(loss), "gradient": make_graph(grad(loss))}
    return {name: to_svg(passes.run(trace(parameters))[0]) for name, trace in pictures.items()}


def as_json(c: Comparison) -> dict[str, object]:
    plain = {k: getattr(c, k) for k in ("model", "dtype", "steps", "seed", "parameters", "machine", "interrupted")}
    return {**plain, "verdict": table.verdict(c), "results": [r.as_json() for r in c.results]}


def require_writable(name: str) -> None:
    """Raise an ArgumentError if no file of this name can be written."""
    path = Path(name)
    if path.is_dir():
        raise ArgumentError(f"compare: {name} is a folder", hint="name a file in it")
    if not path.parent.is_dir():
        raise ArgumentError(f"compare: there is no folder {path.parent} to write {path.name} in")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise ArgumentError(f"compare: cannot write {name}: {error.strerror}") from None


def write(name: str, text: str) -> None:
    """The whole file or the old one: written beside it, then renamed."""
    path = Path(name)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)

"""Run the rows: same parameters, same batches, same update, each measured on its own.

Floor 7.
"""

from __future__ import annotations

import gc
import os
import platform
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad import backends, tree
from minigrad.compare.models import Model, Parameters
from minigrad.compare.programs import PLANNED, PROGRAMS, Program
from minigrad.compare.result import EAGER, FIRST_STEPS, Comparison, Event, Result
from minigrad.compare.text import Text
from minigrad.errors import MinigradError
from minigrad.op import Array, ndarray

NOT_BUILT = "not built yet"
Watch = Callable[[Result, int], None]  # told after every step: (row, steps done)


def initial_parameters(model: Model, text: Text, dtype: str, seed: int) -> Parameters:
    """The parameters every row starts from, as NumPy arrays."""
    drawn = model.init(np.random.default_rng(seed), text.vocabulary)
    return tree.map(lambda w: w.astype(dtype), drawn)  # type: ignore[no-any-return]


def rows(names: list[str]) -> Iterator[tuple[type[Program], str]]:
    """Every program on every backend it can use; eager programs have no backend to choose."""
    for program in PROGRAMS:
        for backend in names if program.compiles else [EAGER]:
            yield program, backend


def measure(
    program: Program, result: Result, batches: Iterator[tuple[ndarray, ndarray]], steps: int, watch: Watch
) -> None:
    """Fill in a row: prepare, train, then look at memory."""
    inputs, targets = next(batches)
    result.events = program.events
    program.prepare(inputs, targets)
    for k in range(steps):
        start = time.perf_counter()
        loss = program.step(inputs, targets)
        end = time.perf_counter()
        if k < FIRST_STEPS:
            result.events.append(Event("run", f"step {k + 1}", start, end))
        result.losses.append(loss)
        result.step_seconds.append(end - start)
        watch(result, k + 1)
        inputs, targets = next(batches)
    result.kernels = program.kernels
    result.nodes = len(program.graph.nodes) if program.graph is not None else None
    result.peak_memory = _peak_memory(lambda: program.step(inputs, targets))


def _peak_memory(step: Callable[[], Any]) -> int:
    """The most bytes a step has allocated at one time, above what was there before it."""
    gc.collect()
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Reference:
    """The gradient at the start, and the slope along a random direction by finite differences in float64."""

    def __init__(self, model: Model, parameters: Parameters, inputs: ndarray, targets: ndarray, seed: int) -> None:
        leaves, structure = tree.flatten(parameters)
        rng = np.random.default_rng([seed, 1])
        self.direction = [rng.normal(size=np.shape(w)) for w in leaves]
        self.first: list[ndarray] | None = None

        def loss(h: float) -> float:
            moved = [Array(np.asarray(w, np.float64) + h * d) for w, d in zip(leaves, self.direction, strict=True)]
            return float(model.loss(structure.unflatten(moved), Array(inputs), Array(targets)))

        def central(h: float) -> float:
            return (loss(h) - loss(-h)) / (2 * h)

        h = 1e-4  # Richardson's extrapolation cancels the h² term: error about h⁴ + 1e-16/h
        self.slope = (4 * central(h / 2) - central(h)) / 3

    def judge(self, result: Result, gradient: list[ndarray]) -> None:
        if self.first is None:
            self.first = gradient
        largest = max(float(np.abs(g).max()) for g in self.first)
        apart = (np.abs(np.asarray(a, np.float64) - b).max() for a, b in zip(gradient, self.first, strict=True))
        result.gradient_error = max(map(float, apart)) / largest
        slope = sum(float((np.asarray(g, np.float64) * d).sum()) for g, d in zip(gradient, self.direction, strict=True))
        result.difference_error = abs(slope - self.slope) / abs(self.slope)


def compare(model: Model, text: Text, comparison: Comparison, names: list[str], watch: Watch) -> None:
    """Measure every row into `comparison`; a row that cannot run says why. Ctrl-C keeps what is there."""
    c = comparison
    parameters = initial_parameters(model, text, c.dtype, c.seed)
    c.parameters = sum(w.size for w in tree.leaves(parameters))
    inputs, targets = next(text.batches(model.batch, model.length, c.seed))
    try:
        reference = Reference(model, parameters, inputs, targets, c.seed)
        for kind, backend in rows(names):
            result = Result(kind.name, kind.front_end, backend, kind.when)
            c.results.append(result)
            program = kind(model, parameters, backend)
            try:
                if kind.compiles and backend not in backends.available():
                    result.status = NOT_BUILT
                    continue
                measure(program, result, text.batches(model.batch, model.length, c.seed), c.steps, watch)
                fresh = kind(model, parameters, backend)  # the gradient at the start, not after training
                fresh.prepare(inputs, targets)
                reference.judge(result, fresh.gradient(inputs, targets))
            except MinigradError as error:
                result.status = f"failed: {error}"
        for name, (front_end, when) in PLANNED.items():
            c.results.append(Result(name, front_end, EAGER, when, status=NOT_BUILT))
    except KeyboardInterrupt:
        c.interrupted = True


def machine() -> str:
    """What this ran on, in a line."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"

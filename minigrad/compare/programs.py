"""The same training, entered through each front-end: the rows of the comparison.

Floor 7. A program is given the model and the initial parameters, is timed while it gets ready (`prepare`), and then
takes steps. Read them side by side: what differs is when the graph exists, and who holds the state.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad import tree
from minigrad.compare.models import Model, Parameters
from minigrad.compare.result import Event
from minigrad.graph import Graph
from minigrad.op import ndarray
from minigrad.ops import optimize


class Program:
    """One way to train. Abstract: `prepare`, `step` and `gradient` are a front-end's own."""

    name: ClassVar[str]
    front_end: ClassVar[str]
    when: ClassVar[str]
    compiles: ClassVar[bool]

    def __init__(self, model: Model, parameters: Parameters, backend: str) -> None:
        self.model, self.initial, self.backend = model, parameters, backend
        self.events: list[Event] = []
        self.graph: Graph | None = None  # what the compiler was given, where there is a compiler
        self.kernels: int | None = None

    @contextmanager
    def timed(self, kind: str, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.events.append(Event(kind, name, start, time.perf_counter()))

    def prepare(self, inputs: ndarray, targets: ndarray) -> None:
        """Everything that happens before the first step runs; the batch shows the shapes."""
        raise NotImplementedError

    def step(self, inputs: ndarray, targets: ndarray) -> float:
        """Take an Adam step on a batch; the loss before it."""
        raise NotImplementedError

    def gradient(self, inputs: ndarray, targets: ndarray) -> list[ndarray]:
        """The gradient at the present parameters, leaf by leaf."""
        raise NotImplementedError

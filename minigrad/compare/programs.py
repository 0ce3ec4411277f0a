"""The same training, entered through each front-end: the rows of the comparison.

Floor 7. A program is given the model and the initial parameters, is timed while it gets ready (`prepare`), and then
takes steps. Read them side by side: what differs is when the graph exists, and who holds the state.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad import config, tree
from minigrad.compare.models import Model, Parameters
from minigrad.compare.result import Event
from minigrad.graph import Graph
from minigrad.op import ndarray
from minigrad.ops import optimize


class Program(ABC):
    """One way to train: `prepare`, `step` and `gradient` are a front-end's own."""

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

    @abstractmethod
    def prepare(self, inputs: ndarray, targets: ndarray) -> None:
        """Everything that happens before the first step runs; the batch shows the shapes."""

    @abstractmethod
    def step(self, inputs: ndarray, targets: ndarray) -> float:
        """Take an Adam step on a batch; the loss before it."""

    @abstractmethod
    def gradient(self, inputs: ndarray, targets: ndarray) -> list[ndarray]:
        """The gradient at the present parameters, leaf by leaf."""


class SessionProgram(Program):
    """Define, then run: the graph of loss, gradients and update is there before the first number."""

    name, front_end, when, compiles = "session", "session", "before the run", True

    def prepare(self, inputs: ndarray, targets: ndarray) -> None:
        with self.timed("build", "graph, gradients, update"), tf.Graph().as_default() as graph:
            self.inputs = tf.placeholder(tf.int64, [None, inputs.shape[1]], name="inputs")
            self.targets = tf.placeholder(tf.int64, [None, targets.shape[1]], name="targets")
            variables = tree.map(lambda w: tf.Variable(w), self.initial)
            self.loss = self.model.loss(variables, self.inputs, self.targets)
            self.gradients = tf.gradients(self.loss, tree.leaves(variables))
            self.train = tf.train.AdamOptimizer(self.model.rate).minimize(self.loss)
            initialize = tf.global_variables_initializer()
        with config.backend.using(self.backend), self.timed("run", "initialize variables"):
            self.session = tf.Session(graph=graph)
            self.session.run(initialize)
        with config.backend.using(self.backend), self.timed("compile", "prune, specialise, compile"):
            self.graph, executable = self.session.compile([self.train, self.loss], self.feed(inputs, targets))
        self.kernels = executable.nodes

    def feed(self, inputs: ndarray, targets: ndarray) -> dict[Any, Any]:
        return {self.inputs: inputs, self.targets: targets}

    def step(self, inputs: ndarray, targets: ndarray) -> float:
        with config.backend.using(self.backend):
            _, loss = self.session.run([self.train, self.loss], self.feed(inputs, targets))
        return float(loss)

    def gradient(self, inputs: ndarray, targets: ndarray) -> list[ndarray]:
        with config.backend.using(self.backend):
            return self.session.run(self.gradients, self.feed(inputs, targets))  # type: ignore[no-any-return]


class TapeProgram(Program):
    """Run, recording: the graph is the trail the loss leaves, walked backward and forgotten, every step."""

    name, front_end, when, compiles = "tape eager", "tape", "during the run", False

    def prepare(self, inputs: ndarray, targets: ndarray) -> None:
        with self.timed("build", "parameters and optimizer"):
            parameters = tree.map(lambda w: torch.from_numpy(w.copy()), self.initial)
            self.parameters = tree.map(lambda w: w.requires_grad_(), parameters)
            self.optimizer = torch.optim.Adam(tree.leaves(self.parameters), lr=self.model.rate)

    def backward(self, inputs: ndarray, targets: ndarray) -> Any:
        self.optimizer.zero_grad()
        loss = self.model.loss(self.parameters, torch.from_numpy(inputs), torch.from_numpy(targets))
        loss.backward()
        return loss

    def step(self, inputs: ndarray, targets: ndarray) -> float:
        loss = self.backward(inputs, targets)
        self.optimizer.step()
        return float(loss)

    def gradient(self, inputs: ndarray, targets: ndarray) -> list[ndarray]:
        self.backward(inputs, targets)
        return [w.grad.numpy().copy() for w in tree.leaves(self.parameters)]


class TracerProgram(Program):
    """Transform functions: `value_and_grad` of the loss, and an update that returns new parameters."""

    name, front_end, when, compiles = "tracer eager", "tracer", "on demand: never", False

    def prepare(self, inputs: ndarray, targets: ndarray) -> None:
        leaves, self.structure = tree.flatten(self.initial)
        zeros = [np.zeros_like(w) for w in leaves]
        state = ([mnp.asarray(w) for w in leaves], [mnp.asarray(z) for z in zeros], [mnp.asarray(z) for z in zeros])
        self.state: Any = (*state, mnp.asarray(1.0, dtype=leaves[0].dtype))
        self.update: Any = self.train_step

    def loss(self, leaves: list[Any], inputs: Any, targets: Any) -> Any:
        return self.model.loss(self.structure.unflatten(leaves), inputs, targets)

    def train_step(self, state: Any, inputs: Any, targets: Any) -> tuple[Any, Any]:
        """(new state, loss). The state: parameters, both moments, the step number."""
        weights, m, v, t = state
        loss, gradients = jax.value_and_grad(self.loss)(weights, inputs, targets)
        moved = [
            optimize.adam(w, g, a, b, t, lr=self.model.rate)
            for w, g, a, b in zip(weights, gradients, m, v, strict=True)
        ]
        weights, m, v = (list(column) for column in zip(*moved, strict=True))
        return (weights, m, v, t + 1), loss

    def step(self, inputs: ndarray, targets: ndarray) -> float:
        self.state, loss = self.update(self.state, mnp.asarray(inputs), mnp.asarray(targets))
        return float(loss)

    def gradient(self, inputs: ndarray, targets: ndarray) -> list[ndarray]:
        gradient = jax.grad(self.loss)(self.state[0], mnp.asarray(inputs), mnp.asarray(targets))
        return [np.asarray(g) for g in gradient]


class JitProgram(TracerProgram):
    """The same functions, traced once into a graph of the whole step: loss, way back, update."""

    name, when, compiles = "tracer jit", "on demand: at the first call", True

    def prepare(self, inputs: ndarray, targets: ndarray) -> None:
        super().prepare(inputs, targets)
        step = jax.jit(self.train_step, backend=self.backend)
        arguments = self.state, mnp.asarray(inputs), mnp.asarray(targets)
        with self.timed("trace", "run the Python once"):
            lowered = step.lower(*arguments)
        with self.timed("compile", "passes and kernels"):
            self.update = lowered.compile()
        self.graph, self.kernels = lowered.graph, self.update.executable.nodes

    def gradient(self, inputs: ndarray, targets: ndarray) -> list[ndarray]:
        compiled = jax.jit(jax.grad(self.loss), backend=self.backend)
        return [np.asarray(g) for g in compiled(self.state[0], mnp.asarray(inputs), mnp.asarray(targets))]


PROGRAMS: tuple[type[Program], ...] = (TracerProgram, TapeProgram, SessionProgram, JitProgram)
# What the design has and the code has not yet: shown as such.
PLANNED = {"tape compiled": ("tape", "during the first run")}

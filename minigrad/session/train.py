"""tf.train: optimizers with slots, and the global step.

Floor 6. The arithmetic is `minigrad.ops.optimize`'s, the same as the other front-ends'. Adam's ε is added to √v̂
after the bias correction (as in the paper); TensorFlow 1 adds it before ("epsilon hat"), which differs where √v is
as small as ε.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ValueTypeError
from minigrad.op import Value
from minigrad.ops import optimize
from minigrad.ops.elementwise import convert
from minigrad.session.building import building
from minigrad.session.control import group
from minigrad.session.gradients import gradients
from minigrad.session.graph_scope import Graph, GraphKeys, get_default_graph
from minigrad.session.tensor import Operation, Tensor
from minigrad.session.variables import Variable, assign_add
from minigrad.types import is_differentiable

__all__ = [
    "AdamOptimizer", "GradientDescentOptimizer", "MomentumOptimizer", "Optimizer", "create_global_step",
    "get_global_step", "get_or_create_global_step",
]  # fmt: skip


class Optimizer(ABC):
    """What optimizers share. A subclass says how one variable moves, and which slots (variables beside it) that takes.

    >>> from minigrad.session.session import Session
    >>> from minigrad.session.variables import global_variables_initializer
    >>> with Graph().as_default(), Session() as sess:
    ...     w = Variable(4.0, name="w")
    ...     step = GradientDescentOptimizer(0.25).minimize(w * w)
    ...     sess.run(global_variables_initializer())
    ...     sess.run(step)
    ...     float(sess.run(w))
    2.0
    """

    slot_names: Sequence[str] = ()

    def __init__(self, learning_rate: Any, name: str) -> None:
        self.learning_rate, self.name = learning_rate, name
        self._slots: dict[str, dict[Variable, Variable]] = {s: {} for s in self.slot_names}

    def minimize(
        self,
        loss: Any,
        global_step: Variable | None = None,
        var_list: Sequence[Variable] | None = None,
        name: str | None = None,
    ) -> Operation:
        """An operation that moves the variables (default: all trainable ones) one step, and counts it."""
        pairs = self.compute_gradients(loss, var_list)
        if all(g is None for g, _ in pairs):
            names = ", ".join(v.name for _, v in pairs)
            raise ArgumentError(
                f"no gradients: {loss.name} does not depend on any of the variables {names}",
                hint="was the loss computed from them, by ops that have derivatives?",
                lines=[(f"{loss.name} made at", loss.op.line)],
            )
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self, loss: Any, var_list: Sequence[Variable] | None = None, grad_loss: Any = None
    ) -> list[tuple[Any, Variable]]:
        """(gradient, variable) pairs; the gradient is None where the loss does not depend on the variable."""
        if not isinstance(loss, (Tensor, Variable)):
            raise ValueTypeError(f"{self.name}: the loss {loss!r} (a {type(loss).__name__}) is not a tensor")
        graph = loss.graph
        chosen = list(var_list) if var_list is not None else graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)
        if not chosen:
            raise ArgumentError("no variables to optimize", hint="make them with tf.Variable or tf.get_variable")
        if not is_differentiable(loss.dtype):
            raise DtypeError(
                f"{self.name}: the loss {loss.name} is {loss.dtype.name}, which has no gradient",
                hint="make the variables floats: tf.Variable(1.0), or dtype=tf.float32",
            )
        return list(zip(gradients(loss, chosen, grad_ys=grad_loss), chosen, strict=True))

    def apply_gradients(
        self,
        grads_and_vars: Sequence[tuple[Any, Variable]],
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Operation:
        """An operation that moves each variable by its gradient; pairs without a gradient are left out."""
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ArgumentError("no gradients provided for any variable")
        graph: Graph = pairs[0][1].graph
        with building(pairs[0][1]):
            for _, v in pairs:
                for slot in self.slot_names:
                    self._slot(slot, v)
            with graph.name_scope(name or self.name):
                state = self._prepare(graph, pairs)
                updates = [u for g, v in pairs for u in self._apply(g, v, state)]
            if global_step is None:
                return group(*updates, name=name or self.name)
            with graph.control_dependencies([u.op for u in updates]):
                counted = assign_add(global_step, 1)
            return group(*updates, counted, name=name or self.name)

    # ── slots ────────────────────────────────────────────────────────────────────────────────────
    def _slot(self, slot: str, v: Variable) -> Variable:
        found = self._slots[slot].get(v)
        if found is None:
            # beside the variable, as in TensorFlow: w/Adam, w/Adam_1
            with v.graph.name_scope(None):
                zeros = np.zeros(v.type.shape, v.dtype)
                found = self._slots[slot][v] = Variable(zeros, trainable=False, name=f"{v.op.name}/{self.name}")
        return found

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """The variable that stands beside `var` under this name, once gradients have been applied."""
        return self._slots.get(name, {}).get(var)

    def get_slot_names(self) -> list[str]:
        return list(self.slot_names)

    def variables(self) -> list[Variable]:
        """All variables the optimizer has made."""
        return [slot for slots in self._slots.values() for slot in slots.values()]

    def _rate(self, v: Variable) -> Any:
        rate = self.learning_rate() if callable(self.learning_rate) else self.learning_rate
        return convert(rate, v.dtype) if isinstance(rate, Value) else rate

    def _prepare(self, graph: Graph, pairs: Sequence[tuple[Any, Variable]]) -> Any:
        """What all variables' steps share."""
        return None

    @abstractmethod
    def _apply(self, g: Any, v: Variable, state: Any) -> list[Tensor]:
        """The writes that move one variable."""


class GradientDescentOptimizer(Optimizer):
    """w ← w - lr·g."""

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(learning_rate, name)

    def _apply(self, g: Any, v: Variable, state: Any) -> list[Tensor]:
        return [v.assign(optimize.sgd(v, g, None, lr=self._rate(v))[0])]


class MomentumOptimizer(Optimizer):
    """v ← μv + g, w ← w - lr·v (Nesterov: w ← w - lr·(g + μv))."""

    slot_names = ("momentum",)

    def __init__(
        self,
        learning_rate: Any,
        momentum: float,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, name)
        self.momentum, self.nesterov = momentum, use_nesterov

    def _apply(self, g: Any, v: Variable, state: Any) -> list[Tensor]:
        slot = self._slot("momentum", v)
        moved, velocity = optimize.sgd(v, g, slot, lr=self._rate(v), momentum=self.momentum, nesterov=self.nesterov)
        return [v.assign(moved)] if velocity is None else [v.assign(moved), slot.assign(velocity)]


class AdamOptimizer(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1), with a count of steps where TensorFlow keeps powers of the betas."""

    slot_names = ("m", "v")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(learning_rate, name)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self._steps: Variable | None = None

    def variables(self) -> list[Variable]:
        return [*([] if self._steps is None else [self._steps]), *super().variables()]

    def _prepare(self, graph: Graph, pairs: Sequence[tuple[Any, Variable]]) -> Any:
        if self._steps is None:
            self._steps = Variable(0.0, trainable=False, name="steps", dtype="float32")
        return self._steps.assign_add(1.0)

    def _apply(self, g: Any, v: Variable, state: Any) -> list[Tensor]:
        m, second = self._slot("m", v), self._slot("v", v)
        options = {"lr": self._rate(v), "beta1": self.beta1, "beta2": self.beta2, "eps": self.epsilon}
        moved = optimize.adam(v, g, m, second, convert(state, v.dtype), **options)
        return [x.assign(y) for x, y in zip((v, m, second), moved, strict=True)]


# ── the global step ──────────────────────────────────────────────────────────────────────────────
def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The graph's count of training steps, if it has one."""
    found = (graph or get_default_graph()).get_collection(GraphKeys.GLOBAL_STEP)
    return found[0] if found else None


def create_global_step(graph: Graph | None = None) -> Variable:
    """Make the count of training steps, an int64 variable that starts at 0."""
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ArgumentError("the graph has a global step already", hint="tf.train.get_or_create_global_step()")
    with graph.as_default(), graph.name_scope(None):
        step = Variable(np.int64(0), trainable=False, name="global_step")
    graph.add_to_collection(GraphKeys.GLOBAL_STEP, step)
    return step


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The count of training steps, made when it is asked for first."""
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found

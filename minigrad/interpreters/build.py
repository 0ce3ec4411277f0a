"""Build: ops append nodes to a graph. Under it everything is staged, constants too.

Floor 3. A value from an enclosing interpreter that is used inside becomes a *captured* input of the graph, so a
body may close over anything; the op that will hold the graph passes the captured values as operands.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigrad.errors import MinigradError, MixedFrontEndsError
from minigrad.graph import Atom, Builder, Const, Graph, Var, no_value_error
from minigrad.op import Array, Handle, Interpreter, Op, Operand, Value, interpreter, leaked, lift, using
from minigrad.source import node_line, user_line
from minigrad.types import TensorType

USE_INSTEAD = (
    "there is no number yet: use where(c, a, b) to choose between values, cond / while_loop / scan for control "
    "flow, or mark the argument static"
)


class Build(Interpreter):
    """Appends a node per op."""

    def __init__(self, below: Interpreter, use_instead: str = USE_INSTEAD) -> None:
        self.below, self.use_instead = below, use_instead
        self.builder = Builder()
        self.captured: list[tuple[Value, Var]] = []
        self._capture_of: dict[int, Var] = {}

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        ins = [self.atom(x, op) for x in op.coerce(xs)]
        return self.builder.add_node(op, ins, self, node_line())

    def atom(self, x: Value, op: Op) -> Atom:
        """A Value as an operand of this graph: its own Var, a constant, or a captured input."""
        if isinstance(x, Array):
            return Const(x.array)
        if isinstance(x, Var) and x.owner is self:
            return x
        if isinstance(x, Handle):
            self._require_home(x, op)
        elif not getattr(getattr(x, "owner", None), "alive", False):
            raise leaked(op, x)
        v = self._capture_of.get(id(x))
        if v is None:
            v = self._capture_of[id(x)] = Var(x.type, self, user_line(), getattr(x, "label", ""))
            self.captured.append((x, v))
        return v

    def _require_home(self, x: Handle, op: Op) -> None:
        """A handle may be captured by a body that its own front-end stages (a session's `cond`), and by no other."""
        outermost: Any = self.below
        while hasattr(outermost, "below"):
            outermost = outermost.below
        if outermost.front_end != x.front_end:
            raise MixedFrontEndsError(
                f"{op.label}: a {x.front_end} value is used in code that is being traced",
                hint="pass its numbers in as an argument",
                lines=[(f"{x.front_end} value made at", x.origin())],
            )

    def no_value(self, v: Var, why: str) -> MinigradError:
        if not self.alive:
            return leaked(why, v)
        inputs = [*self.builder.inputs, *(c for _, c in self.captured)]
        return no_value_error(v, why, inputs, self.builder.nodes, self.use_instead)


class _Output(Op):
    """Stands for `return` in messages about an output that cannot be one."""

    label = "return"


@contextmanager
def collector_paused() -> Iterator[None]:
    """While a graph grows or is rewritten all that is made stays, so the collector would go over it again and again
    for nothing. Measured on 100,000 nodes: a third to a half of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def trace(
    f: Callable[..., Sequence[Operand]],
    types: Sequence[TensorType],
    *,
    labels: Sequence[str] = (),
    name: str = "f",
    use_instead: str = USE_INSTEAD,
) -> tuple[Graph, list[Value]]:
    """The graph of f (flat inputs to a flat list of outputs) and the values it captured, its leading inputs."""
    it = Build(interpreter.get(), use_instead)
    line = user_line()
    inputs = [it.builder.add_input(t, it, labels[i] if labels else "", line) for i, t in enumerate(types)]
    try:
        with using(it), collector_paused():
            outputs = [it.atom(lift(y, "return"), _Output()) for y in f(*inputs)]
    finally:
        it.alive = False
    captured = [v for _, v in it.captured]
    graph = Graph([*captured, *it.builder.inputs], it.builder.nodes, outputs, name)
    return graph, [x for x, _ in it.captured]

"""Reverse: values are recorded as they are computed, then walked backward with cotangents.

Floor 3. `walk` is *the* walk backward: over a trail just recorded (tracer and tape) and over the nodes of a graph
(session). It is a loop, not a recursion: the length of a program is no limit. Because the trail holds concrete
values whenever the caller's are concrete, Python `if` works under `grad`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar, Protocol

from minigrad.errors import ShapeError
from minigrad.graph import Node, Var
from minigrad.interpreters.forward import StandIn, push_through
from minigrad.op import Interpreter, Op, Operand, Value, interpreter, lift, made_at, using
from minigrad.ops.elementwise import add
from minigrad.ops.kinds import zeros
from minigrad.source import UNKNOWN, Line, behalf, node_line
from minigrad.types import is_differentiable


class Step(Protocol):
    """What the walk needs to know of one recorded application: keys of its operands and results, and its way back."""

    ins: Sequence[Hashable | None]  # None: no cotangent is wanted for this operand
    outs: Sequence[Hashable | None]  # None: an integer or bool, which has no cotangent

    def pull(self, y_bars: list[Any]) -> Sequence[Any]: ...


def walk(steps: Iterable[Step], bars: dict[Any, Any], add: Callable[[Any, Any], Any] = add) -> dict[Any, Any]:
    """Cotangents of everything reached: `bars` starts with those of the outputs; steps come latest first."""
    for step in steps:
        outs = step.outs
        # one result is the common case, and this loop a fifth of what eager mode pays for the way back
        y_bars = [bars.pop(outs[0], None)] if len(outs) == 1 else [bars.pop(key, None) for key in outs]
        if y_bars[0] is None and all(b is None for b in y_bars):
            continue
        for key, x_bar in zip(step.ins, step.pull(y_bars), strict=True):
            if key is not None and x_bar is not None:
                bars[key] = add(bars[key], x_bar) if key in bars else x_bar
    return bars


def pull_through(op: Op, y_bars: list[Any], y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Sequence[Any]:
    """The cotangents of op's operands: by its vjp rule, else by transposing its jvp."""
    y_bar = y_bars if op.many else y_bars[0]
    x_bars = op.vjp(y_bar, y, xs, wanted)
    if x_bars is NotImplemented:
        saved = op.pullback(xs, wanted)
        x_bars = saved[1](y_bars) if saved is not NotImplemented else transpose_jvp(op, y_bars, y, xs, wanted)
    return x_bars  # type: ignore[no-any-return]


def transpose_jvp(op: Op, y_bars: list[Any], y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> list[Any]:
    """ẋ ↦ op.jvp(y, xs, ẋ) is linear, so its reverse pass at ẋ = 0 is its transpose: ȳ ↦ Jᵀȳ."""

    def tangent(*dots: Value) -> Sequence[Any]:
        given = iter(dots)
        y_dot = op.jvp(y, xs, [next(given) if w else None for w in wanted])
        y_dots = y_dot if op.many else (y_dot,)
        return [zeros(v.type) if d is None else d for d, v in zip(y_dots, y if op.many else (y,), strict=True)]

    primal = [zeros(x.type) for x, w in zip(xs, wanted, strict=True) if w]
    _, pull = vjp(tangent, primal)
    given = iter(pull(y_bars))
    return [next(given) if w else None for w in wanted]


class Recorded(StandIn):
    """A value on a trail."""

    __slots__ = ("owner",)
    differentiated: ClassVar[bool] = True

    def __init__(self, owner: Reverse, x: Value) -> None:
        self.owner, self.x = owner, x

    @property
    def line(self) -> Line:
        """Where it was made: asked seldom, so found on the trail."""
        return next((r.line for r in self.owner.trail if any(y is self for y in r.outs)), UNKNOWN)

    def origin(self) -> Line:
        line = self.line
        return self.x.origin() if line is UNKNOWN else line


class Record:
    """One application on the trail: op, operands and results as values, and what the op saved for the way back."""

    __slots__ = ("ins", "line", "op", "outs", "saved", "xs", "y")

    def __init__(
        self, op: Op, xs: Sequence[Value], y: Any, saved: Any, ins: Sequence[Any], outs: Sequence[Any]
    ) -> None:
        self.op, self.xs, self.y, self.saved, self.ins, self.outs = op, xs, y, saved, ins, outs
        self.line = node_line()

    def pull(self, y_bars: list[Any]) -> Sequence[Any]:
        token = behalf.set(self.line)
        try:
            if self.saved is not None:
                return self.saved(y_bars)  # type: ignore[no-any-return]
            return pull_through(self.op, y_bars, self.y, self.xs, [k is not None for k in self.ins])
        finally:
            behalf.reset(token)


class Reverse(Interpreter):
    """Applies op below, and keeps a Record of it when an operand is on this trail."""

    def __init__(self, below: Interpreter) -> None:
        self.below = below
        self.trail: list[Record] = []

    def key(self, x: Value) -> Any:
        return x if isinstance(x, Recorded) and x.owner is self else None

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        if not any(isinstance(x, Recorded) and x.owner is self for x in xs):
            return self.below.apply(op, xs)
        xs = op.coerce(xs)
        keys = [self.key(x) for x in xs]
        values = [x if k is None else k.x for x, k in zip(xs, keys, strict=True)]
        token = interpreter.set(self.below)
        try:
            if op.no_gradient is not None:
                op.no_gradient.check(op)
                return self.below.apply(op, values)
            saved = op.pullback(values, [k is not None for k in keys])
            y, pull = (self.below.apply(op, values), None) if saved is NotImplemented else saved
        except ShapeError as error:
            error.also(made_at(xs))
            raise
        finally:
            interpreter.reset(token)
        outs = [Recorded(self, v) if is_differentiable(v.dtype) else v for v in (y if op.many else (y,))]
        self.trail.append(Record(op, values, y, pull, keys, [self.key(v) for v in outs]))
        return tuple(outs) if op.many else outs[0]


def record(f: Callable[..., Sequence[Operand]], xs: Sequence[Value]) -> tuple[Reverse, list[Any], list[Any]]:
    """Run a flat f on a new trail: the interpreter, its stand-ins for xs, and what f returned."""
    it = Reverse(interpreter.get())
    recorded = [Recorded(it, x) if is_differentiable(x.dtype) else x for x in xs]
    try:
        with using(it):
            return it, recorded, [lift(y, "return") for y in f(*recorded)]
    finally:
        it.alive = False


def vjp(
    f: Callable[..., Sequence[Operand]], xs: Sequence[Value]
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """(ys, pull) of a flat f; pull(y_bars) gives the x_bars, None where nothing depends on x."""
    it, recorded, ys = record(f, xs)
    keys = [it.key(y) for y in ys]

    def pull(y_bars: Sequence[Any]) -> list[Any]:
        bars: dict[Any, Any] = {}
        for k, b in zip(keys, y_bars, strict=True):
            if k is not None and b is not None:
                bars[k] = add(bars[k], b) if k in bars else b
        bars = walk(reversed(it.trail), bars)
        return [bars.get(r) if isinstance(r, Recorded) else None for r in recorded]

    return [y if k is None else k.x for y, k in zip(ys, keys, strict=True)], pull


def linearize(
    f: Callable[..., Sequence[Operand]], xs: Sequence[Value]
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """(ys, push) of a flat f: push(x_dots) walks the trail *forward*, with the values it holds; f is not run again."""
    it, recorded, ys = record(f, xs)
    keys = [it.key(y) for y in ys]

    def push(x_dots: Sequence[Any]) -> list[Any]:
        dots = {r: d for r, d in zip(recorded, x_dots, strict=True) if isinstance(r, Recorded) and d is not None}
        for step in it.trail:
            ins = [None if k is None else dots.get(k) for k in step.ins]
            if any(d is not None for d in ins):
                y_dots = push_through(step.op, step.y, step.xs, ins)
                dots.update((k, d) for k, d in zip(step.outs, y_dots, strict=True) if k is not None and d is not None)
        return [None if k is None else dots.get(k) for k in keys]

    return [y if k is None else k.x for y, k in zip(ys, keys, strict=True)], push


# ── over a graph ─────────────────────────────────────────────────────────────────────────────────
class NodeStep:
    """A node of a graph as a step of the walk; `value` gives its operands and results in the caller's world."""

    __slots__ = ("ins", "node", "outs", "value")

    def __init__(self, node: Node, active: set[Any], value: Callable[[Any], Value]) -> None:
        self.node, self.value = node, value
        self.ins = [a if isinstance(a, Var) and a in active else None for a in node.ins]
        self.outs = node.outs

    def pull(self, y_bars: list[Any]) -> Sequence[Any]:
        n = self.node
        xs, ys = [self.value(a) for a in n.ins], tuple(self.value(v) for v in n.outs)
        token = behalf.set(n.line)
        try:
            return pull_through(n.op, y_bars, ys if n.op.many else ys[0], xs, [k is not None for k in self.ins])
        finally:
            behalf.reset(token)


def graph_steps(nodes: Sequence[Node], xs: Iterable[Var], value: Callable[[Any], Value]) -> list[NodeStep]:
    """The nodes on a differentiable path from xs, latest first, as steps of the walk."""
    active: set[Any] = set(xs)
    steps = []
    for n in nodes:
        if any(isinstance(a, Var) and a in active for a in n.ins):
            if n.op.no_gradient is not None:
                continue
            active.update(v for v in n.outs if is_differentiable(v.type.dtype))
            steps.append(NodeStep(n, active, value))
    return steps[::-1]

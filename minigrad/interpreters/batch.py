"""Batch: a value stands for many, stacked along a leading mapped axis. vmap(f) = stack of f over the lanes.

Floor 3. An op's `batch` rule says how to do all lanes at once; an op without one is looped over its lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad.errors import ConcretizationError, ShapeError
from minigrad.op import Interpreter, Op, Operand, Value, explain, interpreter, lift, ndarray, using
from minigrad.ops.effects import each_lane
from minigrad.ops.movement import Reshape, every_lane
from minigrad.ops.pieces import Concatenate
from minigrad.source import Line, user_line
from minigrad.types import DType, Shape, TensorType


class Batched(Value):
    """A value with a mapped axis, axis 0 of x, that the code inside vmap does not see."""

    __slots__ = ("line", "owner", "x")

    def __init__(self, owner: Batch, x: Value, line: Line) -> None:
        self.owner, self.x, self.line = owner, x, line

    @property
    def type(self) -> TensorType:  # type: ignore[override]
        t = self.x.type
        return t.with_shape(t.shape[1:])

    @property
    def shape(self) -> Shape:
        return self.x.shape[1:]

    @property
    def dtype(self) -> DType:
        return self.x.dtype

    @property
    def ndim(self) -> int:
        return self.x.ndim - 1

    def origin(self) -> Line:
        return self.line

    def concrete(self, why: str) -> ndarray:
        raise ConcretizationError(
            f"{why} of a value mapped by vmap, {self.type}: it is different in each of {self.owner.size} lanes",
            hint="use where(c, a, b), or cond / while_loop, which keep a condition per lane",
        )


class Batch(Interpreter):
    """Applies op to all lanes at once."""

    def __init__(self, below: Interpreter, size: int, axis_name: str | None = None) -> None:
        self.below, self.size, self.axis_name = below, size, axis_name

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        if not any(isinstance(x, Batched) and x.owner is self for x in xs):
            return self.below.apply(op, xs)
        xs = op.coerce(xs)
        mapped = [isinstance(x, Batched) and x.owner is self for x in xs]
        values: list[Value] = [x.x if m else x for x, m in zip(xs, mapped, strict=True)]  # type: ignore[attr-defined]
        token = interpreter.set(self.below)
        try:
            y = op.batch(values, mapped, self.size)
            if y is NotImplemented:
                y = loop_over_lanes(op, values, mapped, self.size)
        except ShapeError:
            explain(op, [x.type for x in xs], xs)  # with the shapes of one lane, which are those the user sees
            raise
        finally:
            interpreter.reset(token)
        line = user_line()
        return tuple([Batched(self, v, line) for v in y]) if op.many else Batched(self, y, line)


def loop_over_lanes(op: Op, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
    """The definition of batching, for ops without a better rule: apply op to each lane and stack."""
    lanes = [y if op.many else (y,) for y in each_lane(op, xs, mapped, size)]
    stacked = [Concatenate(0)(*[Reshape((1, *v.shape))(v) for v in column]) for column in zip(*lanes, strict=True)]
    return stacked if op.many else stacked[0]


def lanes(
    f: Callable[..., Sequence[Operand]],
    xs: Sequence[Value],
    mapped: Sequence[bool],
    size: int,
    axis_name: str | None = None,
) -> list[tuple[Any, bool]]:
    """The outputs of a flat f over `size` lanes, and for each whether it has its lanes along axis 0."""
    it = Batch(interpreter.get(), size, axis_name)
    line = user_line()
    try:
        with using(it):
            ins = [Batched(it, x, line) if m else x for x, m in zip(xs, mapped, strict=True)]
            ys = [lift(y, "return") for y in f(*ins)]
    finally:
        it.alive = False
    return [(y.x, True) if isinstance(y, Batched) and y.owner is it else (y, False) for y in ys]


def batched(
    f: Callable[..., Sequence[Operand]],
    xs: Sequence[Value],
    mapped: Sequence[bool],
    size: int,
    axis_name: str | None = None,
) -> list[Any]:
    """The outputs of a flat f over `size` lanes, each with its lanes along axis 0; an unmapped output is repeated."""
    ys = lanes(f, xs, mapped, size, axis_name)
    return every_lane([y for y, _ in ys], [m for _, m in ys], size)

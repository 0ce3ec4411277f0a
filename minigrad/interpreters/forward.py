"""Forward: every value carries its tangent along. jvp(f)(x, ẋ) = (f(x), ∂f(x)·ẋ).

Floor 3. A Dual belongs to the Forward that made it, so nested derivatives never confuse their perturbations.
A tangent of `None` is zero: nothing is computed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from minigrad.errors import NotDifferentiableError
from minigrad.op import Interpreter, Op, Operand, Value, interpreter, lift, ndarray, using
from minigrad.source import Line
from minigrad.types import DType, Shape, TensorType, is_differentiable


class StandIn(Value):
    """An interpreter's stand-in for the value x: of its type, and with its numbers."""

    __slots__ = ("x",)
    x: Value

    @property
    def type(self) -> TensorType:  # type: ignore[override]
        return self.x.type

    @property
    def shape(self) -> Shape:
        return self.x.shape

    @property
    def dtype(self) -> DType:
        return self.x.dtype

    @property
    def ndim(self) -> int:
        return self.x.ndim

    def origin(self) -> Line:
        return self.x.origin()

    def concrete(self, why: str) -> ndarray:
        return self.x.concrete(why)


class Dual(StandIn):
    """A value and its tangent."""

    __slots__ = ("dot", "owner")
    differentiated: ClassVar[bool] = True

    def __init__(self, owner: Forward, x: Value, dot: Any) -> None:
        self.owner, self.x, self.dot = owner, x, dot


class Forward(Interpreter):
    """Applies op to the values, and op.jvp to the tangents."""

    def __init__(self, below: Interpreter) -> None:
        self.below = below

    def split(self, x: Value) -> tuple[Value, Any]:
        return (x.x, x.dot) if isinstance(x, Dual) and x.owner is self else (x, None)

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        if not any(isinstance(x, Dual) and x.owner is self for x in xs):
            return self.below.apply(op, xs)
        pairs = [self.split(x) for x in op.coerce(xs)]
        values, dots = [x for x, _ in pairs], [d for _, d in pairs]
        token = interpreter.set(self.below)
        try:
            y = self.below.apply(op, values)
            if all(d is None for d in dots):
                return y
            if op.no_gradient is not None:
                op.no_gradient.check(op)
                return y
            y_dots = push_through(op, y, values, dots)
        finally:
            interpreter.reset(token)
        if op.many:
            return tuple([self.join(a, d) for a, d in zip(y, y_dots, strict=True)])
        return self.join(y, y_dots[0])

    def join(self, y: Value, y_dot: Any) -> Value:
        return y if y_dot is None or not is_differentiable(y.dtype) else Dual(self, y, y_dot)


def push_through(op: Op, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Sequence[Any]:
    """The tangents of op's results."""
    y_dot = op.jvp(y, xs, dots)
    if y_dot is NotImplemented:
        raise NotDifferentiableError(f"{op.label} has a rule for reverse mode only", hint="use grad or vjp")
    return y_dot if op.many else (y_dot,)


def jvp(f: Callable[..., Sequence[Operand]], xs: Sequence[Value], dots: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """(ys, y_dots) of a flat f: values in, values out; a tangent may be None on either side."""
    it = Forward(interpreter.get())
    try:
        with using(it):
            duals = [x if d is None else Dual(it, x, d) for x, d in zip(xs, dots, strict=True)]
            ys = [lift(y, "return") for y in f(*duals)]
    finally:
        it.alive = False
    pairs = [it.split(y) for y in ys]
    return [y for y, _ in pairs], [d for _, d in pairs]

"""The kinds of ops, and the rules that follow from a kind.

Floor 2. An author who says "this op is linear, here is its transpose" has said all that forward and reverse mode
need. `Elementwise` (in elementwise.py) is the fourth kind; ops that hold graphs (control.py) the fifth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from minigrad.frozen import dataclass
from minigrad.op import Array, Op, Value
from minigrad.types import Dim, Shape, TensorType


@dataclass(frozen=True)
class Draw:
    """How the law harness draws one operand: uniform in `domain` (integers: both ends), all different if `distinct`.

    `diagonal` is added to the diagonals of the last two axes: enough of it makes matrices definite.
    """

    shape: tuple[int, ...]
    dtype: str = "float64"
    domain: tuple[float, float] = (-2.0, 2.0)
    distinct: bool = False
    diagonal: float = 0.0


# What a structural op class offers as `samples()`: itself with parameters, and how to draw its operands.
Sample: TypeAlias = tuple[Op, tuple[Draw, ...]]
Samples: TypeAlias = Iterator[Sample]


class Linear(Op):
    """Linear in its first `linear` operands (None: in all); the others are indices and the like.

    The author writes `transpose(y_bar, *xs)`: a cotangent for each linear operand (a single one bare).
    Forward mode is the op itself on the tangents: f(x + t·ẋ) = f(x) + t·f(ẋ).
    """

    linear: ClassVar[int | None] = 1
    expand: ClassVar[Callable[[Shape], Op]]  # movement's Expand, which is itself Linear and so comes later

    def transpose(self, y_bar: Any, *xs: Value) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no transpose()")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        n = len(xs) if self.linear is None else self.linear
        moved = [zeros(x.type) if d is None else d for x, d in zip(xs[:n], dots[:n], strict=True)]
        return self(*moved, *xs[n:])

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        bars = self.transpose(y_bar, *xs)
        n = len(xs) if self.linear is None else self.linear
        return ([bars] if n == 1 and not isinstance(bars, (list, tuple)) else list(bars)) + [None] * (len(xs) - n)


class Bilinear(Op):
    """Linear in each of two operands. The author writes two transposes.

    d f(a, b) = f(da, b) + f(a, db), by linearity in each.
    """

    def transpose_left(self, y_bar: Any, a: Value, b: Value) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no transpose_left()")

    def transpose_right(self, y_bar: Any, a: Value, b: Value) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no transpose_right()")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        (a, b), (a_dot, b_dot) = xs, dots
        left = None if a_dot is None else self(a_dot, b)
        right = None if b_dot is None else self(a, b_dot)
        return right if left is None else left if right is None else left + right

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        return [
            self.transpose_left(y_bar, *xs) if wanted[0] else None,
            self.transpose_right(y_bar, *xs) if wanted[1] else None,
        ]


def zeros(t: TensorType) -> Any:
    """A zero of a known type: a read-only broadcast, which takes no memory. An op makes it where a size is unknown."""
    if any(isinstance(n, Dim) for n in t.shape):
        return Linear.expand(t.shape)(Array(np.zeros((), t.dtype)))
    return Array(np.broadcast_to(np.zeros((), t.dtype), t.shape))

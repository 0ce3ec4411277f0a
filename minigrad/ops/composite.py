"""Statistics, softmax, normalisation: functions made of ops, so they need no rules.

Floor 2. Whatever differentiates, batches, stages or compiles ops does so with these. Activations are in
activations.py, losses in losses.py, attention in attention.py.
"""

from __future__ import annotations

from typing import Any

from minigrad.op import Operand, lift
from minigrad.ops.axes import axes_of, kept, size_value
from minigrad.ops.elementwise import convert, div, max_, mul, sqrt, sub
from minigrad.ops.movement import Sum
from minigrad.types import FLOAT32, is_differentiable, real_of


def floating(x: Operand, who: str) -> Any:
    """x as floats: integers and bools become float32."""
    x = lift(x, who)
    return x if is_differentiable(x.dtype) else convert(x, FLOAT32)


def mean(x: Operand, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The arithmetic mean over axes (None: all): [.., n, ..] -> [..]. A symbolic n is known when it is fed."""
    x = floating(x, "mean")
    axes = axes_of("mean", axis, x)
    y = div(Sum(axes)(x), size_value(x, axes, real_of(x.dtype)))
    return kept(y, x.shape, axes) if keepdims else y


def var(x: Operand, axis: Any = None, *, correction: float = 0.0, keepdims: Any = False, who: str = "var") -> Any:
    """The variance over axes, Σ|x - mean|² / (n - correction), in two passes: the one-pass formula cancels."""
    x = floating(x, who)
    axes = axes_of(who, axis, x)
    away = sub(x, mean(x, axes, keepdims=True))
    square = square_modulus(away)
    n = size_value(x, axes, square.dtype) - correction
    # as NumPy: no degrees of freedom left gives nan or inf, never a negative variance
    n = max(n, 0) if isinstance(n, (int, float)) else max_(n, 0)
    y = div(Sum(axes)(square), n)
    return kept(y, x.shape, axes) if keepdims else y


def std(x: Operand, axis: Any = None, *, correction: float = 0.0, keepdims: Any = False) -> Any:
    """The standard deviation over axes. Where the variance is 0 its derivative is infinite, as the root's is."""
    return sqrt(var(x, axis, correction=correction, keepdims=keepdims, who="std"))


def square_modulus(x: Any) -> Any:
    """|x|²."""
    return mul(x, x)

"""Statistics, softmax, normalisation, attention: functions made of ops, so they need no rules.

Floor 2. Whatever differentiates, batches, stages or compiles ops does so with these. Activations are in
activations.py, losses in losses.py.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.op import Array, Operand, Value, lift
from minigrad.ops.axes import axes_of, full_like, kept, size_value, triangle
from minigrad.ops.contract import matmul
from minigrad.ops.elementwise import (
    add,
    convert,
    div,
    equal,
    exp,
    imag,
    isfinite,
    log,
    max_,
    mul,
    real,
    sqrt,
    sub,
    where,
)
from minigrad.ops.matrices import transposed
from minigrad.ops.movement import Reshape, Sum, expand_to, without
from minigrad.ops.reduce import Max
from minigrad.ops.stop import stop_gradient
from minigrad.types import FLOAT32, INT64, DType, broadcast_shapes, is_differentiable, real_of


def floating(x: Operand, who: str) -> Any:
    """x as floats: integers and bools become float32."""
    x = lift(x, who)
    return x if is_differentiable(x.dtype) else convert(x, FLOAT32)


# ── statistics ───────────────────────────────────────────────────────────────────────────────────
def _total(x: Any, axes: tuple[int, ...], among: Operand | None) -> tuple[Any, Any]:
    """The sum over axes of the elements `among` which we are (None: all), and how many they are."""
    dtype = real_of(x.dtype)
    if among is None:
        return Sum(axes)(x), size_value(x, axes, dtype)
    return Sum(axes)(where(among, x, 0)), Sum(axes)(where(among, full_like(x, 1, dtype), 0))


def mean(x: Operand, axis: Any = None, *, keepdims: Any = False, among: Operand | None = None) -> Any:
    """The arithmetic mean over axes (None: all): [.., n, ..] -> [..]. A symbolic n is known when it is fed.

    `among` (bools, here and below) says which elements count.
    """
    x = floating(x, "mean")
    axes = axes_of("mean", axis, x)
    y = div(*_total(x, axes, among))
    return kept(y, x.shape, axes) if keepdims else y


def var(
    x: Operand,
    axis: Any = None,
    *,
    correction: float = 0.0,
    keepdims: Any = False,
    among: Operand | None = None,
    who: str = "var",
) -> Any:
    """The variance over axes, Σ|x - mean|² / (n - correction), in two passes: the one-pass formula cancels."""
    x = floating(x, who)
    axes = axes_of(who, axis, x)
    away = sub(x, mean(x, axes, keepdims=True, among=among))
    if among is not None:  # what does not count may be nan, and its slope then as well
        away = where(among, away, 0)
    if x.dtype.kind == "c":
        away_re, away_im = real(away), imag(away)
        square = add(mul(away_re, away_re), mul(away_im, away_im))
    else:
        square = mul(away, away)
    total, n = _total(square, axes, among)
    n = n - correction
    # as NumPy: with no degrees of freedom left the result is nan or inf, never a negative variance
    y = div(total, builtins.max(n, 0) if isinstance(n, (int, float)) else max_(n, 0))
    return kept(y, x.shape, axes) if keepdims else y


def std(
    x: Operand, axis: Any = None, *, correction: float = 0.0, keepdims: Any = False, among: Operand | None = None
) -> Any:
    """The standard deviation over axes. It is a length, so where it is 0 its derivative is taken as 0, as hypot's."""
    square = var(x, axis, correction=correction, keepdims=keepdims, among=among, who="std")
    flat = equal(square, 0)
    return where(flat, 0, sqrt(where(flat, 1, square)))


# ── softmax ──────────────────────────────────────────────────────────────────────────────────────
def _shift(x: Any, axes: tuple[int, ...]) -> Any:
    """The largest (real part of an) element over axes, kept, as a constant: subtracting it only changes the rounding.

    0 where it is not finite, so that rows of -inf (all masked) do not become inf - inf; 0 of nothing.
    """
    if any(type(x.shape[a]) is int and x.shape[a] == 0 for a in axes):
        return 0
    size = stop_gradient(x)
    largest = kept(Max(axes)(real(size) if x.dtype.kind == "c" else size), x.shape, axes)
    return where(isfinite(largest), largest, 0)


def logsumexp(x: Operand, axis: Any = None, *, keepdims: Any = False, b: Operand | None = None) -> Any:
    """log Σ b·exp(x) over axes (b is 1 unless given), without overflow; of nothing it is -inf."""
    x = floating(x, "logsumexp")
    weights = None if b is None else lift(b, "logsumexp")
    if weights is not None:
        x = expand_to(x, broadcast_shapes("logsumexp", x.shape, weights.shape))
    axes = axes_of("logsumexp", axis, x)
    shift = _shift(x, axes)
    raised = exp(sub(x, shift))
    total = Sum(axes)(raised if weights is None else mul(raised, weights))
    y = add(log(kept(total, x.shape, axes)), shift)
    return y if keepdims else Reshape(without(x.shape, axes))(y)


def softmax(x: Operand, axis: Any = -1) -> Any:
    """exp(x) / Σ exp(x) over an axis (or several): positive numbers that sum to 1, of x's shape."""
    x = floating(x, "softmax")
    axes = axes_of("softmax", axis, x)
    raised = exp(sub(x, _shift(x, axes)))
    return div(raised, kept(Sum(axes)(raised), x.shape, axes))


def log_softmax(x: Operand, axis: Any = -1) -> Any:
    """log(softmax(x)), without the underflow: x - logsumexp(x)."""
    x = floating(x, "log_softmax")
    axes = axes_of("log_softmax", axis, x)
    low = sub(x, _shift(x, axes))
    return sub(low, log(kept(Sum(axes)(exp(low)), x.shape, axes)))


# ── for models ───────────────────────────────────────────────────────────────────────────────────
def one_hot(labels: Operand, classes: int, *, axis: int = -1, dtype: DType = FLOAT32) -> Any:
    """1 at the label, 0 elsewhere: integers [*b] -> [*b, classes]. A label out of range gives a row of zeros."""
    labels = lift(labels, "one_hot")
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"one_hot: labels are integers, got {labels.type}")
    rank = labels.ndim + 1
    if not -rank <= axis < rank:
        raise ArgumentError(f"one_hot: axis {axis} is out of range for {labels.type} with an axis added")
    place = axis % rank
    if classes - 1 > np.iinfo(labels.dtype).max:
        labels = convert(labels, INT64)
    column = Reshape((*labels.shape[:place], 1, *labels.shape[place:]))(labels)
    line = [1] * rank
    line[place] = classes
    return convert(equal(column, Array(np.arange(classes, dtype=labels.dtype).reshape(line))), dtype)


def layer_norm(
    x: Operand, weight: Operand | None = None, bias: Operand | None = None, *, axis: Any = -1, eps: float = 1e-5
) -> Any:
    """(x - mean) / √(var + eps) over axes, then · weight + bias, which broadcast (Ba et al. 2016)."""
    x = floating(x, "layer_norm")
    axes = axes_of("layer_norm", axis, x)
    away = sub(x, mean(x, axes, keepdims=True))
    y = div(away, sqrt(add(mean(mul(away, away), axes, keepdims=True), eps)))
    if weight is not None:
        y = mul(y, weight)
    return y if bias is None else add(y, bias)


def dropout(x: Operand, keep: Operand, rate: float) -> Any:
    """x / (1 - rate) where the bool mask `keep` holds, else 0, so that the expectation is x."""
    if not 0 <= rate < 1:
        raise ArgumentError(f"dropout: rate must be in [0, 1), got {rate}")
    return where(keep, mul(x, 1 / (1 - rate)), 0)


def causal_mask(scores: Value) -> Any:
    """Which keys a query may see: bool [t, s] for scores [.., t, s]; the last query sees every key."""
    rank = scores.ndim
    ahead = scores.shape[-1] - scores.shape[-2]
    if not isinstance(ahead, int):
        ahead = sub(size_value(scores, (rank - 1,)), size_value(scores, (rank - 2,)))
    return triangle(scores, ahead)


def attention(
    query: Operand,
    key: Operand,
    value: Operand,
    mask: Operand | None = None,
    *,
    causal: Any = False,
    scale: float | None = None,
) -> Any:
    """softmax(query·keyᵀ·scale + mask)·value: [.., t, d], [.., s, d], [.., s, e] -> [.., t, e] (Vaswani et al. 2017).

    `mask` is bool (true: may be seen) or added to the scores, and broadcasts to [.., t, s]. scale is 1/√d unless
    given. A query that may see nothing gets zeros.
    """
    query, key, value = (floating(x, "attention") for x in (query, key, value))
    for x in (query, key, value):
        if x.ndim < 2:
            raise ShapeError(f"attention: needs [.., tokens, features], got {x.type}")
    if scale is None:
        d = size_value(query, (query.ndim - 1,), real_of(query.dtype))
        scale = 1 / math.sqrt(d) if isinstance(d, int) else div(1, sqrt(d))
    scores = matmul(mul(query, scale), transposed(key))
    visible = causal_mask(scores) if causal else None
    if mask is not None:
        mask = lift(mask, "attention")
        if mask.dtype.kind != "b":
            scores = add(scores, mask)
        else:
            visible = mask if visible is None else where(visible, mask, False)
    if visible is not None:
        scores = where(visible, scores, full_like(scores, -math.inf, scores.dtype))
    weights = softmax(scores)
    if mask is not None:  # a row without any visible key is 0/0: see nothing, get nothing
        weights = where(equal(weights, weights), weights, 0)
    return matmul(weights, value)

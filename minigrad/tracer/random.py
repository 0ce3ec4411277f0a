"""Random numbers from explicit keys, by JAX's names and argument orders, over `ops.random`.

Floor 6. A key is used once: split it for more. The numbers are JAX's with its defaults.

>>> k = key(0)
>>> uniform(k, (2,)).tolist() == uniform(k, (2,)).tolist()
True
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.op import Operand, lift
from minigrad.ops import random
from minigrad.ops.cumulative import CumSum
from minigrad.ops.elementwise import abs_, add, convert, less_equal, log, log1p, mul, neg, sign, sub
from minigrad.ops.gather import iota, taken
from minigrad.ops.movement import Reshape, Sum
from minigrad.ops.pieces import slice_axis
from minigrad.ops.random import (
    bernoulli,
    bits,
    exponential,
    fold_in,
    gumbel,
    key,
    normal,
    randint,
    split,
    truncated_normal,
    uniform,
)
from minigrad.ops.sort import top_k
from minigrad.types import FLOAT32, INT32, INT64, normal_axis

__all__ = [
    "PRNGKey", "key", "split", "fold_in", "bits", "uniform", "normal", "randint", "bernoulli", "permutation", "choice",
    "categorical", "gumbel", "exponential", "truncated_normal", "laplace", "rademacher",
]  # fmt: skip

PRNGKey = key


def permutation(key: Operand, x: Operand, axis: int = 0, independent: bool = False) -> Any:
    """range(x) shuffled for an int x (int32), or x shuffled along an axis: whole slices, or each line on its own."""
    y = random.permutation(key, x, axis, independent=independent)
    return convert(y, INT32) if type(x) is int else y


def choice(
    key: Operand, a: Operand, shape: Any = (), replace: bool = True, p: Operand | None = None, axis: int = 0
) -> Any:
    """Elements of a (slices along an axis; range(a) for an int), drawn with or without replacement, weighted by p."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    source = convert(iota((a,), 0), INT32) if type(a) is int else lift(a, "choice")
    if source.ndim == 0:
        raise ArgumentError(f"choice: give a Python int or a tensor with an axis, got {source.type}")
    axis = normal_axis("choice", axis, source.type)
    n, count = source.shape[axis], math.prod(sizes)
    if n == 0 and count:
        raise ArgumentError(f"choice: nothing to choose from along axis {axis} of {source.type}")
    if not replace and count > n:
        raise ArgumentError(f"choice: cannot draw {count} of {n} without replacement")
    weights = None if p is None else lift(p, "choice")
    if weights is not None and weights.shape != (n,):
        raise ShapeError(f"choice: p is {weights.type}, but there are {n} elements along axis {axis} of {source.type}")
    if weights is None and not replace:
        return _split_axis(slice_axis(permutation(key, source, axis), axis, 0, count), axis, sizes)
    if weights is None:
        positions = randint(key, sizes, 0, n)
    elif replace:
        positions = _by_weight(key, weights, sizes)
    else:
        _, best = top_k(add(gumbel(key, (n,), weights.dtype), log(weights)), count)
        positions = Reshape(sizes)(best)
    return taken(source, positions, axis)


def _split_axis(x: Any, axis: int, sizes: tuple[int, ...]) -> Any:
    return Reshape((*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))(x)


def _by_weight(key: Operand, weights: Any, sizes: tuple[int, ...]) -> Any:
    """Where (1 − u)·total falls among the running sums of the weights: the number of sums below it."""
    sums = CumSum(0)(weights)
    total = slice_axis(sums, 0, sums.shape[0] - 1, sums.shape[0])  # [1]
    r = mul(total, sub(1.0, uniform(key, (*sizes, 1), weights.dtype)))  # [*sizes, 1]
    passed = convert(less_equal(r, sums), INT64)  # [*sizes, n]
    return sub(sums.shape[0], Sum((len(sizes),))(passed))


def categorical(key: Operand, logits: Operand, axis: int = -1, shape: Any = None) -> Any:
    """Positions (int32) drawn with probabilities softmax(logits) along an axis: argmax of logits + Gumbel noise."""
    return convert(random.categorical(key, logits, axis, shape), INT32)


def laplace(key: Operand, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Standard Laplace: sign(u)·log(1 − |u|) for u uniform in (−1, 1)."""
    low = -1.0 + float(np.finfo(dtype).epsneg)
    u = uniform(key, shape, dtype, low, 1.0)
    return mul(sign(u), log1p(neg(abs_(u))))


def rademacher(key: Operand, shape: Any = (), dtype: Any = INT32) -> Any:
    """-1 or 1, each half of the time."""
    return convert(sub(mul(convert(bernoulli(key, 0.5, shape), INT32), 2), 1), np.dtype(dtype))

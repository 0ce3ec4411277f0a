"""Random numbers from keys: the same key gives the same numbers, on every backend and under every transformation.

Floor 2. Everything is composed of ops over one primitive, `RandomBits`. A key is a uint32[2]. Keys, bits,
`split`, `fold_in`, `uniform`, `randint`, `bernoulli`, `categorical` and `permutation` give JAX 0.10's numbers bit for
bit; `normal` in float32 follows its formula and differs by 3 ulp at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.op import Array, Operand, lift
from minigrad.ops import elementwise as e
from minigrad.ops.indexing import index
from minigrad.ops.movement import Reshape, without
from minigrad.ops.pieces import Concatenate
from minigrad.ops.reduce import ArgMax
from minigrad.ops.sort import Sort
from minigrad.ops.special import erf, erfinv
from minigrad.ops.threefry import UINT64, RandomBits
from minigrad.types import (
    FLOAT32,
    INT32,
    LONG,
    UINT32,
    DType,
    Shape,
    as_dtype,
    broadcast_shapes,
    normal_axis,
    real_of,
    shape_text,
)


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────
def key(seed: Operand) -> Any:
    """A key uint32[2] from an integer seed. Only its low 32 bits count, as in JAX by default.

    >>> from minigrad.ops.random import key
    >>> key(42)
    Array([ 0, 42], dtype=uint32)
    """
    word = _word(seed, "key", -(2**63), 2**63 - 1)
    return Concatenate(0)(Array(np.zeros(1, np.uint32)), Reshape((1,))(word))


def _word(x: Operand, who: str, low: int, high: int) -> Any:
    """An integer scalar as uint32 (its low bits); a Python int must lie between low and high."""
    if type(x) is int:
        if not low <= x <= high:
            raise ArgumentError(f"{who}: {x} does not lie between {low} and {high}")
        return Array(np.asarray(x & 0xFFFFFFFF, np.uint32))
    x = lift(x, who)
    if x.shape != () or x.dtype.kind not in "iu":
        raise DtypeError(f"{who}: an integer scalar is wanted, got {x.type}", hint="use vmap for many at once")
    return e.convert(x, UINT32)


def checked(key: Operand, who: str) -> Any:
    """The key as a Value, or an error that says what it should have been."""
    key = lift(key, who)
    if key.dtype != UINT32 or key.shape != (2,):
        raise DtypeError(
            f"{who}: a key is u32[2], got {key.type}",
            hint="make one with key(seed); for many keys at once use vmap",
        )
    return key


def _sizes(shape: Any, who: str) -> Shape:
    sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    for n in sizes:
        if isinstance(n, (int, np.integer)) and n < 0:
            raise ArgumentError(f"{who}: a size cannot be negative, got shape {sizes}")
    return tuple(int(n) if isinstance(n, np.integer) else n for n in sizes)


def split(key: Operand, num: int | Sequence[int] = 2) -> Any:
    """`num` new keys, uint32[num, 2] (or of the shape given): use each once, and the old one no more."""
    words = RandomBits(_sizes(num, "split"), UINT64)(checked(key, "split"), 0)
    halves = [e.convert(e.shift_right(words, 32), UINT32), e.convert(words, UINT32)]
    return Concatenate(words.ndim)(*[Reshape((*h.shape, 1))(h) for h in halves])


def fold_in(key: Operand, data: Operand) -> Any:
    """A new key from a key and an integer (a step number, a device number)."""
    counter = e.convert(_word(data, "fold_in", 0, 2**32 - 1), UINT64)
    words = RandomBits((1,), UINT64)(checked(key, "fold_in"), counter)
    return Concatenate(0)(e.convert(e.shift_right(words, 32), UINT32), e.convert(words, UINT32))


def bits(key: Operand, shape: Any = (), dtype: Any = UINT32) -> Any:
    """Uniform unsigned integers of any width."""
    dtype = as_dtype(dtype)
    if dtype.kind != "u":
        raise DtypeError(f"bits: an unsigned integer dtype is wanted, got {dtype.name}")
    wide = UINT64 if dtype == UINT64 else UINT32
    return e.convert(RandomBits(_sizes(shape, "bits"), wide)(checked(key, "bits"), 0), dtype)


# ── distributions ────────────────────────────────────────────────────────────────────────────────
def _float(dtype: Any, who: str) -> DType:
    found = as_dtype(dtype)
    if found.kind != "f":
        raise DtypeError(f"{who}: a float dtype is wanted, got {found.name}")
    return found


def _fits(who: str, shape: Shape, *params: Any) -> None:
    """Does each parameter broadcast to the shape asked for?"""
    for p in params:
        if broadcast_shapes(who, p.shape, shape) != shape:
            raise ShapeError(f"{who}: {p.type} does not broadcast to shape {shape_text(shape)}")


def uniform(key: Operand, shape: Any = (), dtype: Any = FLOAT32, minval: Operand = 0.0, maxval: Operand = 1.0) -> Any:
    """Uniform in [minval, maxval): 23 (float32) or 52 random bits fill the fraction of a number in [1, 2).

    >>> from minigrad.ops.random import key, uniform
    >>> uniform(key(0), (2,))
    Array([0.947667 , 0.9785799], dtype=float32)
    """
    key, dtype, shape = checked(key, "uniform"), _float(dtype, "uniform"), _sizes(shape, "uniform")
    low, high = (e.convert(lift(v, "uniform"), dtype) for v in (minval, maxval))
    _fits("uniform", shape, low, high)
    unsigned = UINT32 if dtype == FLOAT32 else UINT64
    fraction, one = np.finfo(dtype).nmant, np.ones((), dtype).view(unsigned)
    random = e.shift_right(bits(key, shape, unsigned), 8 * dtype.itemsize - fraction)
    unit = e.sub(e.Bitcast(dtype)(e.or_(random, Array(one))), 1)
    return e.max_(low, e.add(e.mul(unit, e.sub(high, low)), low))


# Giles 2010, "Approximating the erfinv function", table for single precision: erfinv(x) = x·p(w), w = −log(1 − x²),
# in w − 2.5 for w < 5 and in √w − 3 beyond; highest power first.
_GILES_NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
               -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
_GILES_FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
              0.00943887047, 1.00167406, 2.83297682)  # fmt: skip


def _quantile(u: Any) -> Any:
    """√2·erfinv(u): the normal quantile of (1 + u)/2. In float32 by JAX's formula, so that the numbers are JAX's."""
    if u.dtype != FLOAT32:
        return e.mul(math.sqrt(2), erfinv(u))
    w = e.neg(e.log1p(e.neg(e.mul(u, u))))
    near = e.less(w, 5)
    w = e.where(near, e.sub(w, 2.5), e.sub(e.sqrt(w), 3))
    p = e.where(near, _GILES_NEAR[0], _GILES_FAR[0])
    for a, b in zip(_GILES_NEAR[1:], _GILES_FAR[1:], strict=True):
        p = e.add(e.mul(p, w), e.where(near, a, b))
    return e.mul(math.sqrt(2), e.mul(p, u))


def normal(key: Operand, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Standard normal; complex dtypes have independent parts of variance 1/2."""
    key, dtype = checked(key, "normal"), as_dtype(dtype)
    if dtype.kind == "c":
        re, im = (normal(k, shape, real_of(dtype)) for k in split(key))
        return e.div(e.complex_(re, im), math.sqrt(2))
    dtype = _float(dtype, "normal")
    low = np.nextafter(dtype.type(-1), dtype.type(0))  # the open interval: erfinv(-1) is infinite
    return _quantile(uniform(key, shape, dtype, low, 1.0))


def truncated_normal(key: Operand, lower: Operand, upper: Operand, shape: Any = None, dtype: Any = FLOAT32) -> Any:
    """Standard normal, given that it lies between lower and upper."""
    key, dtype = checked(key, "truncated_normal"), _float(dtype, "truncated_normal")
    low, high = (e.convert(lift(v, "truncated_normal"), dtype) for v in (lower, upper))
    if shape is None:
        shape = broadcast_shapes("truncated_normal", low.shape, high.shape)
    root = math.sqrt(2)
    u = uniform(key, shape, dtype, erf(e.div(low, root)), erf(e.div(high, root)))
    inside = e.nextafter(low, math.inf), e.nextafter(high, -math.inf)
    return e.clip(_quantile(u), *inside)


def randint(key: Operand, shape: Any, minval: Operand, maxval: Operand, dtype: Any = INT32) -> Any:
    """Uniform integers in [minval, maxval); minval itself where that is empty. int32 by default, as JAX's.

    Two words of the dtype's width are taken modulo the span, so the bias is below span / 2^(2·width).
    """
    key, dtype, shape = checked(key, "randint"), as_dtype(dtype), _sizes(shape, "randint")
    if dtype.kind not in "iu":
        raise DtypeError(f"randint: an integer dtype is wanted, got {dtype.name}")
    low, high = lift(minval, "randint"), lift(maxval, "randint")
    for bound in (low, high):
        if bound.dtype.kind not in "iu":
            raise DtypeError(f"randint: bounds are integers, got {bound.type}")
    _fits("randint", shape, low, high)
    above = e.greater(high, _clipped(np.iinfo(dtype).max, high.dtype))  # maxval 256 for uint8
    low, high = (e.convert(e.clip(b, *_limits(dtype, b.dtype)), dtype) for b in (low, high))
    unsigned = LONG[f"u{8 * dtype.itemsize}"]
    empty = e.less_equal(high, low)
    span = e.where(empty, 1, e.convert(e.sub(high, low), unsigned))
    span = e.where(e.and_(above, e.not_(empty)), e.add(span, 1), span)  # may wrap to 0: the whole range
    k_high, k_low = split(key)
    half = _modulo(e.convert(2 ** (4 * dtype.itemsize), unsigned), span)
    shift = _modulo(e.mul(half, half), span)  # 2^width modulo the span, without overflow
    upper = e.mul(_modulo(bits(k_high, shape, unsigned), span), shift)
    offset = _modulo(e.add(upper, _modulo(bits(k_low, shape, unsigned), span)), span)
    return e.add(low, e.convert(offset, dtype))


def _limits(dtype: DType, held: DType) -> tuple[int, int]:
    """The least and greatest integer that both dtypes hold."""
    a, b = np.iinfo(dtype), np.iinfo(held)
    return max(int(a.min), int(b.min)), min(int(a.max), int(b.max))


def _clipped(n: int, dtype: DType) -> Array:
    return Array(np.asarray(min(int(n), int(np.iinfo(dtype).max)), dtype))


def _modulo(x: Any, span: Any) -> Any:
    return e.where(e.equal(span, 0), x, e.rem(x, span))


def bernoulli(key: Operand, p: Operand = 0.5, shape: Any = None) -> Any:
    """bool: true with probability p."""
    key, p = checked(key, "bernoulli"), lift(p, "bernoulli")
    dtype = _float(p.dtype, "bernoulli")
    return e.less(uniform(key, p.shape if shape is None else shape, dtype), p)


def exponential(key: Operand, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Exponential with rate 1: −log(1 − u), finite because u < 1."""
    key, dtype = checked(key, "exponential"), _float(dtype, "exponential")
    return e.neg(e.log1p(e.neg(uniform(key, shape, dtype))))


def gumbel(key: Operand, shape: Any = (), dtype: Any = FLOAT32) -> Any:
    """Standard Gumbel: −log(−log u), u > 0."""
    key, dtype = checked(key, "gumbel"), _float(dtype, "gumbel")
    return e.neg(e.log(e.neg(e.log(uniform(key, shape, dtype, float(np.finfo(dtype).tiny), 1.0)))))


def categorical(key: Operand, logits: Operand, axis: int = -1, shape: Any = None) -> Any:
    """Positions (int64) along `axis`, each with probability softmax(logits): the largest of logits + Gumbel noise.

    `shape` may put axes for independent draws in front of those of logits without `axis`, which is the default.
    """
    key, logits = checked(key, "categorical"), lift(logits, "categorical")
    dtype, axis = _float(logits.dtype, "categorical"), normal_axis("categorical", axis, logits.type)
    rest = without(logits.shape, {axis})
    shape = rest if shape is None else _sizes(shape, "categorical")
    front = shape[: len(shape) - len(rest)]
    if shape != (*front, *rest):
        raise ShapeError(
            f"categorical: shape {shape_text(shape)} does not end in {shape_text(rest)}, "
            f"the axes of logits {logits.type} without axis {axis}"
        )
    return ArgMax(len(front) + axis)(e.add(gumbel(key, (*front, *logits.shape), dtype), logits))


def permutation(key: Operand, x: Operand, axis: int = 0, *, independent: bool = False) -> Any:
    """x with its slices along `axis` in random order; of an int, 0 ... x−1 in random order (int64).

    `independent` shuffles every line along the axis by itself.
    """
    if type(x) is int:
        if x < 0:
            raise ArgumentError(f"permutation: {x} elements cannot be put in order")
        x = np.arange(x)
    x = lift(x, "permutation")
    axis = normal_axis("permutation", axis, x.type)
    key = checked(key, "permutation")
    if independent or x.ndim == 1:
        return _shuffled(key, x, axis)
    order = _shuffled(key, Array(np.arange(x.shape[axis])), 0)
    return index(x, (*(slice(None),) * axis, order))


def _shuffled(key: Any, x: Any, axis: int) -> Any:
    """Sorted by random words, so many times that words of elements are all different with overwhelming probability."""
    rounds = math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))  # 3: as JAX and TensorFlow choose it
    for _ in range(rounds):
        key, now = split(key)
        _, x = Sort(axis)(bits(now, x.shape), x)
    return x

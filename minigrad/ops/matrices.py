"""Words for matrices: what the rules of linear algebra are written in, and what passes between NumPy and LAPACK.

Floor 2. Matrices are the last two axes; all of it works on stacks of them.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from minigrad.errors import LinAlgError, ShapeError
from minigrad.op import Array, ndarray
from minigrad.ops.axes import positions, triangle
from minigrad.ops.complex import complex_, conj, imag, real
from minigrad.ops.elementwise import add, convert, div, equal, mul, neg, reciprocal, where
from minigrad.ops.movement import Permute, Reshape, Sum, full
from minigrad.ops.reduce import ArgMax
from minigrad.ops.stop import stop_gradient
from minigrad.types import TensorType, same_size


def transposed(x: Any) -> Any:
    """[.., m, n] -> [.., n, m]."""
    rank = len(x.shape)
    return Permute((*range(rank - 2), rank - 1, rank - 2))(x)


def adjoint(x: Any) -> Any:
    """Transposed and conjugated."""
    return transposed(conj(x) if x.dtype.kind == "c" else x)


def low(x: Any, k: int = 0) -> Any:
    """x at and below the k-th diagonal, 0 above."""
    return where(triangle(x, k), x, full((), 0, x.dtype))


def unit(n: int, dtype: Any) -> Array:
    """The unit matrix [n, n]; bool, where the diagonal is."""
    return Array(np.eye(n, dtype=dtype))


def diagonal(x: Any) -> Any:
    """[.., n, n] -> [.., n]; whatever stands beside the diagonal, nan too, plays no part."""
    return Sum((len(x.shape) - 1,))(where(unit(x.shape[-1], np.bool_), x, full((), 0, x.dtype)))


def trace(x: Any) -> Any:
    """[.., n, n] -> [..]."""
    d = diagonal(x)
    return Sum((len(d.shape) - 1,))(d)


def column(x: Any) -> Any:
    """[.., n] -> [.., n, 1]."""
    return Reshape((*x.shape, 1))(x)


def row(x: Any) -> Any:
    """[.., n] -> [.., 1, n]."""
    return Reshape((*x.shape[:-1], 1, x.shape[-1]))(x)


def real_part(x: Any) -> Any:
    """x, or its real part."""
    return real(x) if x.dtype.kind == "c" else x


def quotients(gaps: Any) -> Any:
    """1 / gaps beside the diagonal, where they may be infinite; 0 on it."""
    here = unit(gaps.shape[-1], np.bool_)
    return where(here, 0, reciprocal(where(here, 1, gaps)))


def phase(v: ndarray) -> Any:
    """[.., m, k] -> [.., 1, k]: what makes the largest component of each complex column real and positive."""
    if v.size == 0:
        return np.ones((*v.shape[:-2], 1, v.shape[-1]), v.dtype)
    largest = np.argmax(v.real**2 + v.imag**2, axis=-2, keepdims=True)
    pivot = np.take_along_axis(v, largest, axis=-2)
    return np.conj(pivot) / np.abs(pivot)


def turning(v: Any, v_dot: Any) -> Any:
    """[.., 1, k]: the rate i·θ̇ at which columns must turn for their largest component to stay real."""
    re, im = (stop_gradient(part(v)) for part in (real, imag))
    axis = len(v.shape) - 2
    largest = row(ArgMax(axis)(add(mul(re, re), mul(im, im))))
    here = convert(equal(column(positions(v, axis)), largest), v.dtype)
    pivot, pivot_dot = (Sum((axis,))(mul(here, t)) for t in (v, v_dot))
    return row(complex_(0.0, neg(div(imag(pivot_dot), real(pivot)))))


# ── what LAPACK is given, and what it says ───────────────────────────────────────────────────────
def matrix_type(who: str, x: TensorType, *, square: bool) -> TensorType:
    """x, if it is a (square) matrix or a stack of them."""
    if x.ndim < 2:
        raise ShapeError(f"{who}: needs a matrix [.., m, n], got {x}")
    if square and not same_size(x.shape[-1], x.shape[-2]):
        raise ShapeError(f"{who}: needs a square matrix, got {x}")
    return x


def broken(x: ndarray) -> Any:
    """[.., m, n] -> [..]: which matrices hold nan or inf; None if none does."""
    flat = x.ravel()
    if isfinite(abs(flat.dot(flat))):  # one quick pass finds out that there is nothing to look for
        return None
    bad = ~np.isfinite(x).all((-2, -1))
    return bad if bad.any() else None


def with_nan(y: ndarray, bad: Any) -> ndarray:
    """y with nan in the lanes that are bad."""
    y = np.array(y)
    y[bad] = np.nan
    return y


def singular(a: ndarray) -> LinAlgError:
    return LinAlgError(
        f"linalg: {Array(a).type} " + ("is singular" if a.ndim == 2 else "holds a singular matrix"),
        hint="pinv and lstsq take singular matrices; adding a small multiple of eye(n) makes one regular",
    )


def converging(who: str, function: Any, x: ndarray, *arguments: Any, **more: Any) -> Any:
    """What a LAPACK iteration gives, or the error that says that it gives nothing."""
    try:
        return function(x, *arguments, **more)
    except np.linalg.LinAlgError:
        raise LinAlgError(f"{who}: the iteration did not converge for {Array(x).type}") from None

"""Norms of vectors and matrices, and the condition number.

Floor 5.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.numpy.linalg.factorizations import svdvals
from minigrad.numpy.linalg.systems import inv
from minigrad.numpy.manipulation import moveaxis
from minigrad.op import Operand
from minigrad.ops.axes import axes_of, kept, python_number
from minigrad.ops.composite import floating
from minigrad.ops.elementwise import abs_, add, convert, div, equal, imag, mul, not_equal, pow_, real, sqrt, where
from minigrad.ops.matrices import matrix_type
from minigrad.ops.movement import Reshape, Sum
from minigrad.ops.pieces import slice_axis
from minigrad.ops.reduce import Max, Min


def vector_norm(x: Operand, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    """(Σ |x|^ord)^(1/ord) over axes (None: all); ord inf: the largest |x|, -inf: the smallest, 0: how many are not 0.

    The gradient at 0 is 0, as that of abs.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.vector_norm(mnp.asarray([3.0, 4.0])).tolist()
    5.0
    """
    x = floating(x, "vector_norm")
    axes = axes_of("vector_norm", axis, x)
    ord = python_number(ord)
    if not isinstance(ord, (int, float)):
        raise ArgumentError(f"vector_norm: ord must be a number, got {ord!r}", hint="matrix_norm knows fro and nuc")
    y = _vector_norm(x, axes, ord)
    return kept(y, x.shape, axes) if keepdims else y


def _vector_norm(x: Any, axes: tuple[int, ...], ord: float) -> Any:
    if ord == 2:
        square = mul(x, x) if x.dtype.kind == "f" else add(mul(real(x), real(x)), mul(imag(x), imag(x)))
        return _root(Sum(axes)(square), sqrt)
    size = abs_(x)
    if math.isinf(ord):
        return (Max if ord > 0 else Min)(axes)(size)
    if ord == 0:
        return Sum(axes)(convert(not_equal(size, 0), size.dtype))
    if ord == 1:
        return Sum(axes)(size)
    return _root(Sum(axes)(pow_(size, ord)), lambda total: pow_(total, 1 / ord))


def _root(total: Any, root: Any) -> Any:
    """The root of a sum, with derivative 0 instead of inf where it is 0."""
    zero = equal(total, 0)
    return where(zero, 0, root(where(zero, 1, total)))


def matrix_norm(x: Operand, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """A norm of [.., m, n], [..]: "fro" is √Σ|x|², "nuc" the sum of the singular values.

    2 and -2 are the largest and the smallest singular value, 1 and -1 those column sums of |x|, inf and -inf row sums.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.matrix_norm(mnp.asarray([[3.0, 0.0], [0.0, 4.0]])).tolist()
    5.0
    """
    x = floating(x, "matrix_norm")
    matrix_type("matrix_norm", x.type, square=False)
    axes = (x.ndim - 2, x.ndim - 1)
    y = _matrix_norm(x, axes, ord)
    return kept(y, x.shape, axes) if keepdims else y


def _matrix_norm(x: Any, axes: tuple[int, int], ord: Any) -> Any:
    last = (axes[0],)
    if ord == "fro":
        return _vector_norm(x, axes, 2)
    if ord == "nuc":
        return Sum(last)(svdvals(x))
    if ord in (2, -2):
        return (Max if ord == 2 else Min)(last)(svdvals(x))
    if ord in (1, -1, math.inf, -math.inf):
        sums = Sum((axes[0] if abs(ord) == 1 else axes[1],))(abs_(x))
        return (Max if ord > 0 else Min)(last)(sums)
    raise ArgumentError(f"matrix_norm: unknown ord {ord!r}", hint="known: fro, nuc, 1, -1, 2, -2, inf, -inf")


def norm(x: Operand, /, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """NumPy's spelling: the 2-norm of all elements, or `ord` over one axis (a vector norm) or two (a matrix norm).

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.norm(mnp.asarray([[3.0, 0.0], [0.0, 4.0]]), ord=1, axis=0).tolist()
    [3.0, 4.0]
    """
    x = floating(x, "norm")
    axes = axes_of("norm", axis, x)
    if ord is None or (axis is None and x.ndim == 1) or len(axes) == 1:
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ArgumentError(f"norm: ord {ord!r} over {len(axes)} axes of {x.type}", hint="name one axis or two")
    given = axes if axis is None else axis  # in the order given: rows, then columns
    y = matrix_norm(moveaxis(x, tuple(given), (-2, -1)), ord=ord)
    return kept(y, x.shape, axes) if keepdims else y


def cond(x: Operand, /, p: Any = None) -> Any:
    """The condition number of [.., m, n], largest over smallest singular value; with p, |x|·|x⁻¹| in that norm.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.cond(mnp.asarray([[3.0, 0.0], [0.0, 1.5]])).tolist()
    2.0
    """
    if p in (None, 2, -2):
        s = svdvals(x)
        top, bottom = slice_axis(s, -1, 0, 1), slice_axis(s, -1, s.shape[-1] - 1, s.shape[-1])
        return Reshape(s.shape[:-1])(div(bottom, top) if p == -2 else div(top, bottom))
    return mul(matrix_norm(x, ord=p), matrix_norm(inv(x), ord=p))

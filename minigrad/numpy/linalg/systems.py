"""Linear systems, inverses and determinants.

Floor 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ShapeError
from minigrad.numpy import reductions
from minigrad.numpy.linalg.factorizations import matrix_rank, svdvals, tolerance
from minigrad.op import Operand
from minigrad.ops import factor
from minigrad.ops import linalg as systems
from minigrad.ops.axes import full_like
from minigrad.ops.composite import floating
from minigrad.ops.contract import common_dtype, matmul
from minigrad.ops.elementwise import abs_, mul, sub, where
from minigrad.ops.matrices import column, matrix_type, unit
from minigrad.ops.movement import Reshape, expand_to
from minigrad.types import broadcast_shapes


class SlogdetResult(NamedTuple):
    sign: Any
    logabsdet: Any


class LstsqResult(NamedTuple):
    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


def solve(x1: Operand, x2: Operand, /) -> Any:
    """X with x1 @ X = x2: [.., n, n] and [n] or [.., n, k] give [n] or [.., n, k]; leading axes broadcast.

    LinAlgError if x1 is singular.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.solve(mnp.asarray([[2.0, 0.0], [0.0, 4.0]]), mnp.asarray([2.0, 2.0])).tolist()
    [1.0, 0.5]
    """
    return _solved("solve", systems.Solve(), x1, x2)


def solve_triangular(x1: Operand, x2: Operand, /, *, lower: bool = False) -> Any:
    """`solve` for an upper (or lower) triangular x1; its other triangle is not read. LinAlgError for a 0 diagonal.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.solve_triangular(mnp.asarray([[2.0, 1.0], [9.0, 1.0]]), mnp.asarray([3.0, 1.0])).tolist()
    [1.0, 1.0]
    """
    return _solved("solve_triangular", systems.TriangularSolve(bool(lower)), x1, x2)


def _solved(who: str, op: systems.System, x1: Operand, x2: Operand) -> Any:
    a, b = common_dtype(who, floating(x1, who), floating(x2, who))
    matrix_type(who, a.type, square=True)
    single = b.ndim == 1
    if b.ndim == 0 or (b.shape[0] if single else b.shape[-2]) != a.shape[-1]:
        raise ShapeError(
            f"{who}: a matrix {a.type} and a right-hand side {b.type} do not fit",
            hint="a vector [n], or columns [.., n, k]; many vectors [.., n] are columns of 1: expand_dims(b, -1)",
        )
    b = column(b) if single else b
    lanes = broadcast_shapes(who, a.shape[:-2], b.shape[:-2])
    y = op(expand_to(a, (*lanes, *a.shape[-2:])), expand_to(b, (*lanes, *b.shape[-2:])))
    return Reshape(y.shape[:-1])(y) if single else y


def inv(x: Operand, /) -> Any:
    """The inverse of [.., n, n]. LinAlgError if a matrix is singular.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.inv(mnp.asarray([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    x = floating(x, "inv")
    matrix_type("inv", x.type, square=True)
    return systems.Solve()(x, unit_matrices(x))


def unit_matrices(x: Any) -> Any:
    """Unit matrices of x's shape; leading sizes may be symbolic."""
    if all(isinstance(n, int) for n in x.shape):
        return expand_to(unit(x.shape[-1], x.dtype), x.shape)
    return where(unit(x.shape[-1], np.bool_), full_like(x, 1, x.dtype), 0)


def det(x: Operand, /) -> Any:
    """The determinants of [.., n, n], [..]. The gradient is right at singular matrices too; its own derivative is not.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.det(mnp.asarray([[2.0, 0.0], [0.0, 4.0]])).tolist()
    8.0
    """
    return systems.Det()(x)


def slogdet(x: Operand, /) -> SlogdetResult:
    """(sign, log |det x|) of [.., n, n], both [..], without overflow. A singular matrix has (0, -inf) and no gradient.

    >>> import minigrad.numpy as mnp
    >>> [part.tolist() for part in mnp.linalg.slogdet(mnp.asarray([[0.0, 1.0], [1.0, 0.0]]))]
    [-1.0, 0.0]
    """
    return SlogdetResult(*systems.SlogDet()(x))


def pinv(x: Operand, /, rtol: float | None = None, *, rcond: float | None = None) -> Any:
    """The pseudo-inverse of [.., m, n], [.., n, m]; singular values up to rtol·largest count as 0.

    rtol (NumPy's rcond) is max(m, n)·eps unless given. The gradient is that among matrices of the same rank.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.pinv(mnp.asarray([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    rtol = rcond if rtol is None else rtol
    return factor.Pinv(None if rtol is None else tolerance("pinv", rtol))(x)


def lstsq(x1: Operand, x2: Operand, /, rcond: float | None = None) -> LstsqResult:
    """The shortest X for which |x1 @ X - x2| is least: [.., m, n] and [m] or [.., m, k] give [n] or [.., n, k].

    With it Σ|x1 @ X - x2|² of every column, the rank and the singular values of x1. rcond as for `pinv`.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.lstsq(mnp.ones((2, 1)), mnp.asarray([1.0, 3.0])).solution.round(5).tolist()
    [2.0]
    """
    a, b = common_dtype("lstsq", floating(x1, "lstsq"), floating(x2, "lstsq"))
    solution = matmul(pinv(a, rcond), b)
    off = abs_(sub(matmul(a, solution), b))
    residuals = reductions.sum(mul(off, off), -1 if b.ndim == 1 else -2)
    return LstsqResult(solution, residuals, matrix_rank(a, rtol=rcond), svdvals(a))

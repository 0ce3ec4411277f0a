"""Linear algebra: the Array API's `linalg` extension, and from NumPy and SciPy norm, lstsq, expm, solve_triangular.

Floor 5. Matrices are the last two axes, [.., m, n]; leading axes are a stack. Floats and complex numbers of either
width; integers become float32. LAPACK computes; derivatives (forward, reverse, batched, any order) come with the ops.
A matrix that is singular, or not positive definite, where it must be: `LinAlgError`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy import linear_algebra, reductions
from minigrad.numpy.linear_algebra import cross, matmul, outer, tensordot, vecdot
from minigrad.numpy.manipulation import matrix_transpose, moveaxis
from minigrad.op import Operand, lift
from minigrad.ops import factor
from minigrad.ops import linalg as systems
from minigrad.ops.axes import axes_of, kept
from minigrad.ops.composite import floating
from minigrad.ops.contract import common_dtype
from minigrad.ops.elementwise import (
    abs_,
    add,
    convert,
    equal,
    greater,
    imag,
    mul,
    not_equal,
    pow_,
    real,
    sqrt,
    sub,
    where,
)
from minigrad.ops.linalg import adjoint, column, matrix_type, unit
from minigrad.ops.movement import Concatenate, Reshape, Sum, expand_to, slice_axis
from minigrad.ops.reduce import Max, Min
from minigrad.types import broadcast_shapes

__all__ = [
    "EighResult", "LstsqResult", "QRResult", "SVDResult", "SlogdetResult", "cholesky", "cross", "det", "diagonal",
    "eigh", "eigvalsh", "expm", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank",
    "matrix_transpose", "norm", "outer", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals",
    "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


class EighResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    U: Any
    S: Any
    Vh: Any


class LstsqResult(NamedTuple):
    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


# ── systems ──────────────────────────────────────────────────────────────────────────────────────
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
    return systems.Solve()(x, expand_to(unit(x.shape[-1], x.dtype), x.shape))


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


def pinv(x: Operand, /, *, rtol: float | None = None) -> Any:
    """The pseudo-inverse of [.., m, n], [.., n, m]; singular values up to rtol·largest count as 0.

    rtol is max(m, n)·eps unless given. The gradient is that among matrices of the same rank.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.pinv(mnp.asarray([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    return factor.Pinv(None if rtol is None else _tolerance("pinv", rtol))(x)


def _tolerance(who: str, rtol: Any) -> float:
    if not isinstance(rtol, (int, float)) or not rtol >= 0:
        raise ArgumentError(f"{who}: rtol must be a number, 0 or more, got {rtol!r}")
    return float(rtol)


def lstsq(x1: Operand, x2: Operand, /, *, rtol: float | None = None) -> LstsqResult:
    """The shortest X for which |x1 @ X - x2| is least: [.., m, n] and [m] or [.., m, k] give [n] or [.., n, k].

    With it Σ|x1 @ X - x2|² of every column, the rank and the singular values of x1. rtol as for `pinv`.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.lstsq(mnp.ones((2, 1)), mnp.asarray([1.0, 3.0])).solution.round(5).tolist()
    [2.0]
    """
    a, b = common_dtype("lstsq", floating(x1, "lstsq"), floating(x2, "lstsq"))
    solution = matmul(pinv(a, rtol=rtol), b)
    off = abs_(sub(matmul(a, solution), b))
    residuals = reductions.sum(mul(off, off), -1 if b.ndim == 1 else -2)
    return LstsqResult(solution, residuals, matrix_rank(a, rtol=rtol), svdvals(a))


def matrix_power(x: Operand, n: int, /) -> Any:
    """x @ x @ ..., n times, by squaring; of the inverse if n < 0; the unit matrix if n = 0. Of [.., m, m].

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.matrix_power(mnp.asarray([[1, 1], [0, 1]]), 5).tolist()
    [[1, 5], [0, 1]]
    """
    x = lift(x, "matrix_power")
    matrix_type("matrix_power", x.type, square=True)
    if not isinstance(n, int):
        raise ArgumentError(f"matrix_power: the power must be an integer, got {n!r}")
    if n < 0:
        x, n = inv(x), -n
    y = expand_to(unit(x.shape[-1], x.dtype), x.shape) if n == 0 else None
    while n:
        if n & 1:
            y = x if y is None else matmul(y, x)
        n >>= 1
        x = matmul(x, x) if n else x
    return y


def expm(x: Operand, /) -> Any:
    """The matrix exponential Σ xᵏ/k! of [.., n, n].

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.expm(mnp.zeros((2, 2))).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return factor.Expm()(x)


# ── factorizations ───────────────────────────────────────────────────────────────────────────────
def cholesky(x: Operand, /, *, upper: bool = False) -> Any:
    """L with L @ Lᴴ = x (upper: U with Uᴴ @ U = x), of [.., n, n], x Hermitian and positive definite.

    Of an x that is not Hermitian the Hermitian part is taken, so the gradient is Hermitian. LinAlgError if it is
    not positive definite.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.cholesky(mnp.asarray([[4.0, 0.0], [0.0, 9.0]])).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    y = factor.Cholesky()(x)
    return adjoint(y) if upper else y


def qr(x: Operand, /, *, mode: str = "reduced") -> QRResult:
    """(Q, R) with Q @ R = x: [.., m, n] gives [.., m, k] and [.., k, n], k = min(m, n) or, in mode "complete", m.

    The first k columns of x must be independent for the derivative; a complete Q with m > n has none.

    >>> import minigrad.numpy as mnp
    >>> q, r = mnp.linalg.qr(mnp.asarray([[1.0, 2.0], [0.0, 3.0]]))
    >>> mnp.allclose(q @ r, mnp.asarray([[1.0, 2.0], [0.0, 3.0]])).tolist()
    True
    """
    if mode not in ("reduced", "complete"):
        raise ArgumentError(f"qr: unknown mode {mode!r}", hint="known: reduced, complete")
    x = floating(x, "qr")
    m, n = matrix_type("qr", x.type, square=False).shape[-2:]
    if m >= n:
        return QRResult(*factor.Qr(mode == "complete" and m > n)(x))
    q, r = factor.Qr()(slice_axis(x, -1, 0, m))  # [.., m, m]; the columns to the right follow: Qᴴ·x
    return QRResult(q, Concatenate(x.ndim - 1)(r, matmul(adjoint(q), slice_axis(x, -1, m, n))))


def eigh(x: Operand, /) -> EighResult:
    """Eigenvalues [.., n], rising, and eigenvectors (columns of [.., n, n]) of a Hermitian matrix [.., n, n].

    Of an x that is not Hermitian the Hermitian part is taken. Complex vectors have their largest component real and
    positive. The derivative of vectors of equal eigenvalues is not finite: they are no functions of x.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.eigh(mnp.asarray([[0.0, 1.0], [1.0, 0.0]])).eigenvalues.tolist()
    [-1.0, 1.0]
    """
    return EighResult(*factor.Eigh()(x))


def eigvalsh(x: Operand, /) -> Any:
    """The eigenvalues of `eigh`, rising. Where some are equal, gradients are right for symmetric functions of them.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.eigvalsh(mnp.asarray([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [-1.0, 1.0]
    """
    return factor.Eigvalsh()(x)


def svd(x: Operand, /, *, full_matrices: bool = True) -> SVDResult:
    """(U, S, Vh) with U·diag(S) @ Vh = x of [.., m, n]: S [.., k], k = min(m, n), falling.

    U and Vh are [.., m, k] and [.., k, n], or [.., m, m] and [.., n, n] if `full_matrices`, which then have no
    derivative unless m = n. Singular values must be distinct for the derivative of the vectors, and not 0 (save one
    of a real square x). Complex columns of U have their largest component real and positive.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.svd(mnp.asarray([[3.0, 0.0], [0.0, 4.0]])).S.tolist()
    [4.0, 3.0]
    """
    x = floating(x, "svd")
    m, n = matrix_type("svd", x.type, square=False).shape[-2:]
    return SVDResult(*factor.Svd(bool(full_matrices) and m != n)(x))


def svdvals(x: Operand, /) -> Any:
    """The singular values of [.., m, n], falling. Where some are equal, right for symmetric functions of them.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.svdvals(mnp.asarray([[3.0, 0.0], [0.0, 4.0]])).tolist()
    [4.0, 3.0]
    """
    return factor.SingularValues()(x)


def matrix_rank(x: Operand, /, *, rtol: float | None = None) -> Any:
    """How many singular values of [.., m, n] are above rtol·largest (max(m, n)·eps unless given): int64 [..].

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.matrix_rank(mnp.ones((3, 3))).tolist()
    1
    """
    x = floating(x, "matrix_rank")
    s = svdvals(x)
    if s.shape[-1] == 0:
        return reductions.count_nonzero(s, -1)
    rtol = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if rtol is None else _tolerance("matrix_rank", rtol)
    return reductions.count_nonzero(greater(s, mul(slice_axis(s, -1, 0, 1), rtol)), -1)


# ── norms ────────────────────────────────────────────────────────────────────────────────────────
def vector_norm(x: Operand, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    """(Σ |x|^ord)^(1/ord) over axes (None: all); ord inf: the largest |x|, -inf: the smallest, 0: how many are not 0.

    The gradient at 0 is 0, as that of abs.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.vector_norm(mnp.asarray([3.0, 4.0])).tolist()
    5.0
    """
    x = floating(x, "vector_norm")
    axes = axes_of("vector_norm", axis, x)
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


# ── diagonals ────────────────────────────────────────────────────────────────────────────────────
def diagonal(x: Operand, /, *, offset: int = 0) -> Any:
    """The diagonals of [.., m, n]. (The function of this name in the main namespace takes the first two axes.)

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.diagonal(mnp.asarray([[1, 2], [3, 4]]), offset=1).tolist()
    [2]
    """
    return linear_algebra.diagonal(x, offset, -2, -1)


def trace(x: Operand, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sums of the diagonals of [.., m, n]. (In the main namespace: of the first two axes.)

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.trace(mnp.ones((3, 2, 2))).tolist()
    [2.0, 2.0, 2.0]
    """
    return linear_algebra.trace(x, offset, -2, -1, dtype)

"""Factorizations of matrices, their eigenvalues and singular values.

Floor 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ArgumentError
from minigrad.numpy import reductions
from minigrad.op import Operand
from minigrad.ops import factor
from minigrad.ops.axes import python_number
from minigrad.ops.composite import floating
from minigrad.ops.contract import matmul
from minigrad.ops.elementwise import greater, mul
from minigrad.ops.matrices import adjoint, matrix_type
from minigrad.ops.pieces import Concatenate, slice_axis


class EighResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    Q: Any
    R: Any


class SVDResult(NamedTuple):
    U: Any
    S: Any
    Vh: Any


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


def svd(x: Operand, /, full_matrices: bool = True, *, compute_uv: bool = True) -> Any:
    """(U, S, Vh) with U·diag(S) @ Vh = x of [.., m, n]: S [.., k], k = min(m, n), falling.

    U and Vh are [.., m, k] and [.., k, n], or [.., m, m] and [.., n, n] if `full_matrices`, which then have no
    derivative unless m = n. Singular values must be distinct for the derivative of the vectors, and not 0 (save one
    of a real square x). Complex columns of U have their largest component real and positive. Without `compute_uv`:
    `svdvals`.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.svd(mnp.asarray([[3.0, 0.0], [0.0, 4.0]])).S.tolist()
    [4.0, 3.0]
    """
    if not compute_uv:
        return svdvals(x)
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


def matrix_rank(x: Operand, /, *, rtol: float | None = None, tol: float | None = None) -> Any:
    """How many singular values of [.., m, n] are above `tol`, or else rtol·largest: int64 [..].

    rtol is max(m, n)·eps unless given.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.matrix_rank(mnp.ones((3, 3))).tolist()
    1
    """
    x = floating(x, "matrix_rank")
    s = svdvals(x)
    if s.shape[-1] == 0:
        return reductions.count_nonzero(s, -1)
    if tol is not None:
        return reductions.count_nonzero(greater(s, tolerance("matrix_rank", tol)), -1)
    rtol = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if rtol is None else tolerance("matrix_rank", rtol)
    return reductions.count_nonzero(greater(s, mul(slice_axis(s, -1, 0, 1), rtol)), -1)


def tolerance(who: str, rtol: Any) -> float:
    rtol = python_number(rtol)
    if not isinstance(rtol, (int, float)) or not rtol >= 0:
        raise ArgumentError(f"{who}: a tolerance must be a number, 0 or more, got {rtol!r}")
    return float(rtol)

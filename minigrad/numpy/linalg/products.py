"""Products of matrices with others and with themselves; diagonals of stacks of matrices.

Floor 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy import linear_algebra
from minigrad.numpy.linalg.systems import inv, unit_matrices
from minigrad.op import Operand, lift
from minigrad.ops import factor
from minigrad.ops.axes import python_number
from minigrad.ops.contract import matmul
from minigrad.ops.matrices import matrix_type


def matrix_power(x: Operand, n: int, /) -> Any:
    """x @ x @ ..., n times, by squaring; of the inverse if n < 0; the unit matrix if n = 0. Of [.., m, m].

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.matrix_power(mnp.asarray([[1, 1], [0, 1]]), 5).tolist()
    [[1, 5], [0, 1]]
    """
    x = lift(x, "matrix_power")
    matrix_type("matrix_power", x.type, square=True)
    n = python_number(n)
    if not isinstance(n, int):
        raise ArgumentError(f"matrix_power: the power must be an integer, got {n!r}")
    if n < 0:
        x, n = inv(x), -n
    y = unit_matrices(x) if n == 0 else None
    while n:
        if n & 1:
            y = x if y is None else matmul(y, x)
        n >>= 1
        x = matmul(x, x) if n else x
    return y


def multi_dot(arrays: Sequence[Operand], /) -> Any:
    """The product of several matrices (the first and the last may be vectors), in the order that multiplies least.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.multi_dot([mnp.ones((2, 9)), mnp.ones((9, 9)), mnp.ones(9)]).tolist()
    [81.0, 81.0]
    """
    xs = [lift(x, "multi_dot") for x in arrays]
    if len(xs) < 2 or any(x.ndim != 2 for x in xs[1:-1]) or not {xs[0].ndim, xs[-1].ndim} <= {1, 2}:
        found = ", ".join(str(x.type) for x in xs)
        raise ShapeError(f"multi_dot: takes two matrices or more, vectors only at the ends, got {found}")
    sizes = [1 if xs[0].ndim == 1 else xs[0].shape[0], *(x.shape[0] for x in xs[1:])]
    sizes.append(1 if xs[-1].ndim == 1 else xs[-1].shape[1])

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        """(multiplications, where to cut) for xs[i..j]."""
        if i == j:
            return 0, i
        return min((best(i, k)[0] + best(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def product(i: int, j: int) -> Any:
        return xs[i] if i == j else matmul(product(i, best(i, j)[1]), product(best(i, j)[1] + 1, j))

    return product(0, len(xs) - 1)


def expm(x: Operand, /) -> Any:
    """The matrix exponential Σ xᵏ/k! of [.., n, n].

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.expm(mnp.zeros((2, 2))).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return factor.Expm()(x)


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

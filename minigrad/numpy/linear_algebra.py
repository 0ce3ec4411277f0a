"""Products of vectors and matrices, and their diagonals.

Floor 5. All products are contractions (`ops.contract`); diagonals are strided slices, so they cost no gather.
"""

from __future__ import annotations

import operator
import string
from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy.joining import concat, tile
from minigrad.numpy.manipulation import moveaxis
from minigrad.numpy.named import binary
from minigrad.numpy.reductions import sum
from minigrad.op import Operand, lift
from minigrad.ops import contract
from minigrad.ops import einsum as contraction
from minigrad.ops.axes import axis_of
from minigrad.ops.elementwise import conj, mul
from minigrad.ops.movement import Flip, Reshape, zero
from minigrad.ops.pieces import Pad, Slice, slice_axis
from minigrad.types import same_size

matmul = binary(
    "matmul",
    contract.matmul,
    "The product of matrices [.., n, k] and [.., k, m], or with vectors [k]; leading axes broadcast.",
    "mnp.ones((1, 3)), mnp.ones((3, 2)) -> [[3.0, 3.0]]",
)
dot = binary(
    "dot",
    contract.dot,
    "The sum over the last axis of x1 and the last but one of x2; with scalars, the product.",
    "mnp.asarray([1, 2]), mnp.asarray([3, 4]) -> 11",
)
inner = binary(
    "inner",
    contract.inner,
    "The sum over the last axis of both.",
    "mnp.asarray([1, 2]), mnp.asarray([3, 4]) -> 11",
)
outer = binary(
    "outer",
    contract.outer,
    "All products of an element of x1 with one of x2: [n], [m] -> [n, m].",
    "mnp.asarray([1, 2]), mnp.asarray([3, 4]) -> [[3, 4], [6, 8]]",
)
vdot = binary(
    "vdot",
    contract.vdot,
    "The inner product of all elements, the first conjugated.",
    "mnp.asarray([1j]), mnp.asarray([1j]) -> (1+0j)",
)


def vecdot(x1: Operand, x2: Operand, /, *, axis: int = -1) -> Any:
    """The inner product along an axis of both, the first conjugated; the other axes broadcast.

    >>> import minigrad.numpy as mnp
    >>> mnp.vecdot(mnp.ones((2, 3)), mnp.ones(3)).tolist()
    [3.0, 3.0]
    """
    a, b = lift(x1, "vecdot"), lift(x2, "vecdot")
    axis = axis if isinstance(axis, int) and axis < 0 else axis_of("vecdot", axis, a) - a.ndim
    a, b = (moveaxis(x, axis, -1) if axis != -1 else x for x in (a, b))
    axis_of("vecdot", -1, a), axis_of("vecdot", -1, b)
    if not same_size(a.shape[-1], b.shape[-1]):
        raise ShapeError(f"vecdot: {a.type} and {b.type} have different sizes along axis {axis}")
    a, b = contract.common_dtype("vecdot", conj(a) if a.dtype.kind == "c" else a, b)
    return sum(mul(a, b), -1, dtype=a.dtype)


def tensordot(x1: Operand, x2: Operand, /, axes: Any = 2) -> Any:
    """The sum over pairs of axes: the last and first so many, or two lists of them.

    >>> import minigrad.numpy as mnp
    >>> mnp.tensordot(mnp.ones((2, 3, 4)), mnp.ones((3, 4, 5)), axes=2).shape
    (2, 5)
    """
    return contract.tensordot(x1, x2, axes)


def einsum(subscripts: Any, /, *operands: Any, optimize: Any = True) -> Any:
    """Einstein's sums: letters name axes, those missing on the right of -> are summed over.

    NumPy's other spelling is read too: operands, each followed by the numbers of its axes, then those of the result.

    The pairs are multiplied in the order that shrinks the work most, whatever NumPy's `optimize` says.

    >>> import minigrad.numpy as mnp
    >>> mnp.einsum("ij,ij->i", mnp.ones((2, 3)), mnp.ones((2, 3))).tolist()
    [3.0, 3.0]
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _lettered(subscripts, *operands)
    return contraction.einsum(subscripts, *operands)


def _lettered(*args: Any) -> tuple[str, tuple[Any, ...]]:
    """einsum(x, [0, 1], y, [1, 2], [0, 2]) as ("AB,BC->AC", (x, y)): numbers as letters, in their order."""
    letters = string.ascii_uppercase + string.ascii_lowercase

    def word(axes: Any) -> str:
        try:
            return "".join("..." if a is Ellipsis else letters[operator.index(a)] for a in axes)
        except (IndexError, TypeError):
            raise ArgumentError(
                f"einsum: {axes!r} are no numbers of axes below {len(letters)}",
                hint="write einsum('ij,jk->ik', x, y), or einsum(x, [0, 1], y, [1, 2], [0, 2])",
            ) from None

    text = ",".join([word(axes) for axes in args[1::2]])
    return text + (f"->{word(args[-1])}" if len(args) % 2 else ""), args[: len(args) // 2 * 2 : 2]


def kron(x1: Operand, x2: Operand, /) -> Any:
    """The Kronecker product: every element of x1 replaced by itself times x2.

    >>> import minigrad.numpy as mnp
    >>> mnp.kron(mnp.asarray([1, 10]), mnp.asarray([1, 2])).tolist()
    [1, 2, 10, 20]
    """
    a, b = lift(x1, "kron"), lift(x2, "kron")
    rank = max(a.ndim, b.ndim)
    left, right = ((1,) * (rank - x.ndim) + x.shape for x in (a, b))
    wide = mul(
        Reshape(tuple(m for n in left for m in (n, 1)))(a),  # [n, ..] -> [n, 1, ..]
        Reshape(tuple(m for n in right for m in (1, n)))(b),
    )
    return Reshape(tuple(n * m for n, m in zip(left, right, strict=True)))(wide)


def cross(x1: Operand, x2: Operand, /, *, axis: int = -1) -> Any:
    """The vector product along an axis of size 3.

    >>> import minigrad.numpy as mnp
    >>> mnp.cross(mnp.asarray([1, 0, 0]), mnp.asarray([0, 1, 0])).tolist()
    [0, 0, 1]
    """
    a, b = lift(x1, "cross"), lift(x2, "cross")
    for x in (a, b):
        if not same_size(x.shape[axis_of("cross", axis, x)], 3):
            raise ShapeError(f"cross: axis {axis} of {x.type} has not size 3")
    a0, a1, a2 = (slice_axis(moveaxis(a, axis, -1), -1, i, i + 1) for i in range(3))
    b0, b1, b2 = (slice_axis(moveaxis(b, axis, -1), -1, i, i + 1) for i in range(3))
    from_parts = concat([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-1)
    return moveaxis(from_parts, -1, axis)


# ── diagonals ────────────────────────────────────────────────────────────────────────────────────
def diagonal(x: Operand, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements whose indices on two axes differ by `offset`, as a new last axis.

    >>> import minigrad.numpy as mnp
    >>> mnp.diagonal(mnp.asarray([[1, 2], [3, 4]])).tolist()
    [1, 4]
    """
    x = lift(x, "diagonal")
    if x.ndim < 2:
        raise ShapeError(f"diagonal: needs at least 2 axes, got {x.type}")
    if axis_of("diagonal", axis1, x) == axis_of("diagonal", axis2, x):
        raise ArgumentError(f"diagonal: axes {axis1} and {axis2} of {x.type} are the same")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    *rest, n, m = x.shape
    size = max(0, min(n, m - offset) if offset >= 0 else min(n + offset, m))
    if size == 0:
        return slice_axis(Reshape((*rest, n * m))(x), -1, 0, 0)
    # in row-major order one diagonal's elements lie m + 1 apart
    first = offset if offset >= 0 else -offset * m
    return slice_axis(Reshape((*rest, n * m))(x), -1, first, first + (size - 1) * (m + 1) + 1, m + 1)


def diag(x: Operand, /, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or the matrix with a vector as its k-th diagonal.

    >>> import minigrad.numpy as mnp
    >>> mnp.diag(mnp.asarray([1, 2])).tolist()
    [[1, 0], [0, 2]]
    """
    x = lift(x, "diag")
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(f"diag: takes a vector or a matrix, got {x.type}")
    n = x.shape[0]
    side = n + abs(k)
    if n == 0:
        return Reshape((side, side))(Pad((0,), (side * side,), (0,))(x, zero(x.dtype)))
    first = k if k >= 0 else -k * side
    last = first + (n - 1) * (side + 1)
    flat = Pad((first,), (side * side - last - 1,), (side,))(x, zero(x.dtype))
    return Reshape((side, side))(flat)


def trace(x: Operand, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """The sum of a diagonal.

    >>> import minigrad.numpy as mnp
    >>> mnp.trace(mnp.eye(3)).tolist()
    3.0
    """
    return sum(diagonal(x, offset, axis1, axis2), -1, dtype=dtype)


def convolve(x1: Operand, x2: Operand, /, mode: str = "full") -> Any:
    """The convolution of two vectors: yᵢ = Σ x1ⱼ·x2ᵢ₋ⱼ. Modes: "full", "same", "valid", as in NumPy.

    >>> import minigrad.numpy as mnp
    >>> mnp.convolve(mnp.asarray([1, 2, 3]), mnp.asarray([1, 1])).tolist()
    [1, 3, 5, 3]
    """
    a, b = lift(x1, "convolve"), lift(x2, "convolve")
    for x in (a, b):
        if x.ndim != 1 or x.shape[0] == 0:
            raise ShapeError(f"convolve: takes vectors that are not empty, got {x.type}")
    if mode not in ("full", "same", "valid"):
        raise ArgumentError(f"convolve: unknown mode {mode!r}", hint="known: full, same, valid")
    a, b = contract.common_dtype("convolve", a, b)
    if a.shape[0] < b.shape[0]:
        a, b = b, a
    n, m = a.shape[0], b.shape[0]
    y = contract.dot(_windows(Pad((m - 1,), (m - 1,), (0,))(a, zero(a.dtype)), m), Flip((0,))(b))
    if mode == "full":
        return y
    start, size = ((m - 1) // 2, n) if mode == "same" else (m - 1, n - m + 1)
    return slice_axis(y, 0, start, start + size)


def _windows(x: Any, width: int) -> Any:
    """[n] -> [n - width + 1, width]: every run of `width` elements, by repeating x and letting rows slip by one."""
    n = x.shape[0]
    rows = n - width + 1
    tiled = tile(x, rows + 1)
    return Slice((0, 0), (rows, width), (1, 1))(Reshape((rows, n + 1))(slice_axis(tiled, 0, 0, rows * (n + 1))))

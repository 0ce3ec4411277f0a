"""Convolutions with windows of 3x3 by fewer products: Winograd's minimal filtering.

Floor 4. Let g and h be polynomials of r and m coefficients, and V[k] the powers 0 .. k - 1 of n = m + r - 1 points, a
row for each (of ∞: only the highest is 1). Their product is V[n]⁻¹((V[r]g) ∘ (V[m]h)). This is linear in h; transposed,
it is the convolution, with n products for m outputs instead of m·r (Cook and Toom):

    y[i] = Σ_k g[k]·d[i + k],  i < m:    y = V[m]ᵀ((V[r]g) ∘ (V[n]⁻ᵀd))

So it is done along both axes, on tiles of n x n that begin m apart: with m = 4, r = 3 36 products for 4x4 outputs, not
144. For each of the n² values of a tile, the sums over the channels are a product of matrices (Lavin and Gray, Fast
algorithms for convolutional neural networks, 2016); the rest is elementwise, along rows of tiles. With m and r
exchanged, and sums over tiles instead of channels, it is the derivative by the kernel.

In float32 the errors are 5 to 9 times those of patches (64 to 512 channels of normal data: at most 2.2e-5 of the
standard deviation of y). An element that is infinite or nan makes every output of the tiles it is in nan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Const
from minigrad.loops.index import divisor
from minigrad.op import ndarray
from minigrad.ops import elementwise as e
from minigrad.ops.contract import DotGeneral
from minigrad.ops.convolve import Conv
from minigrad.ops.movement import Permute, Reshape
from minigrad.ops.pieces import Pad, Slice
from minigrad.passes.rewrite import Sweep
from minigrad.types import DType, TensorType

_TAPS, _STEP = 3, 4
_SIZE = _STEP + _TAPS - 1
# And ∞. With 2 for 1/2 the errors are twice as large. With m = 2 they are those of patches, but then 64 channels of
# 56x56 take as long as with patches (4: half as long), 256 of 14x14 as long as with m = 4.
_POINTS = (0, 1, -1, 0.5, -2)
# From where it is faster than patches. Figures from one thread of a Zen 4 core, where large ones are twice as fast:
_CHANNELS = 16  # 8: 0.5 to 0.8 times as fast, 12: 1.3; with few tiles in a row
_MANY = 48  # 16 and 32, 64 images: 0.7 to 1, 64: 1.5
_TILES = 48  # of all images, to be worth what is done with the kernel. 16: 0.9 times as fast, 32: 1 to 1.2, 48: 1.3
_USED = 0.6  # of the outputs of all tiles
# Where rows are too short for vectors, images lie side by side: 64 channels of 7x7 take 0.7 of the time, of 14x14 0.85.
_SHORT = 4  # tiles; 14: 1.05
_BESIDE = 16  # images: with all of 64 it took 1.3 times as long


@dataclass(frozen=True)
class Winograd(DotGeneral, listed=False):
    """The sums of such a convolution, named for those who read a schedule."""

    label = "winograd"


def is_by_kernel(w: TensorType, places: Sequence[int]) -> bool:
    """Is it the derivative by a 3x3 kernel: a window as large as an image and 3x3 places?"""
    return tuple(places) == (_TAPS, _TAPS) != w.shape[2:]


def pays(op: Conv, x: TensorType, w: TensorType, places: Sequence[int]) -> bool:
    """Is a convolution of [c, n, ...] with [o, c, ...] one of 3x3 taps next to each other, and large enough?"""
    back = is_by_kernel(w, places)
    window, outputs = (places, w.shape[2:]) if back else (w.shape[2:], places)
    plain = op == Conv((1, 1), op.padding, (1, 1), (1, 1))
    if not plain or tuple(window) != (_TAPS, _TAPS) or not all(outputs):
        return False
    high, wide = _tiles(outputs)
    few = min(w.shape[0], x.shape[back])
    tiles = x.shape[not back] * high * wide
    used = math.prod(outputs) / (high * wide * _STEP**2)
    return few >= (_CHANNELS if wide > _SHORT else _MANY) and tiles >= _TILES and used >= _USED


def reach(places: Sequence[int]) -> list[int]:
    """How much of an image the tiles for so many outputs take; along its rows, whole steps."""
    high, wide = _tiles(places)
    return [high * _STEP + _TAPS - 1, (wide + 1) * _STEP]


def filtered(s: Sweep, x: Atom, w: Atom, places: Sequence[int]) -> Atom:
    """[c, n, *reach(places)] and [o, c, 3, 3] -> [o, n, *places]."""
    o, n, (high, wide) = w.type.shape[0], x.type.shape[1], _tiles(places)
    inner = _inner(n, wide)
    kernel, outputs, data = _matrices(x.type.dtype)
    u = s.emit(DotGeneral(((1, 2), (2, 3))), _both(kernel), w)  # [size², o, c]
    v = _values(s, x, data, high, wide)  # [c, size², n·high·wide]
    y: Atom = s.emit(Winograd(((2,), (0,)), ((0,), (1,))), u, v)  # [size², o, n·high·wide]
    for before in ((_SIZE, _SIZE, o), (_SIZE, o, _STEP)):  # [k, l, o, ...] -> [l, o, i, ...] -> [o, i, j, ...]
        y = s.emit(Reshape((*before, 1, n * high * wide)), y)
        y = _mixed(s, outputs.T, [_piece(s, y, 0, k, 1) for k in range(_SIZE)], 3)
    y = s.emit(Reshape((o, _STEP, _STEP, n // inner, high, wide, inner)), y)
    y = s.emit(Reshape((o, n, high * _STEP, wide * _STEP)), s.emit(Permute((0, 3, 6, 4, 1, 5, 2)), y))
    return _piece(s, _piece(s, y, 2, 0, places[0]), 3, 0, places[1])


def by_kernel(s: Sweep, x: Atom, y: Atom) -> Atom:
    """[n, c, *reach(places)] and [o, n, *places] -> Σ_{n, p} y[o, n, p]·x[n, c, p + k], [o, c, 3, 3]."""
    high, wide = _tiles(y.type.shape[2:])
    kernel, outputs, data = _matrices(x.type.dtype)
    rest = [many * _STEP - size for many, size in zip((high, wide), y.type.shape[2:], strict=True)]
    if any(rest):
        y = s.emit(Pad((0,) * 4, (0, 0, *rest), (0,) * 4), y, Const(np.asarray(0, y.type.dtype)))
    u = _values(s, y, outputs, high, wide)
    exchange, made = Permute((1, 0, 2, 3)), s.maker(x, Permute)
    lain = made is not None and made.op == exchange  # as it lay for the convolution itself, which has the same values
    v = _values(s, made.ins[0] if made and lain else s.emit(exchange, x), data, high, wide)
    z = s.emit(Winograd(((2,), (2,)), ((1,), (1,))), u, v)  # [size², o, c]
    return s.emit(DotGeneral(((0,), (0,))), z, _both(kernel))


def _inner(n: int, wide: int) -> int:
    """How many images lie side by side, element by element."""
    return divisor(n, _BESIDE) if wide <= _SHORT else 1


def _tiles(places: Sequence[int]) -> tuple[int, int]:
    high, wide = (-(-size // _STEP) for size in places)
    return high, wide


def _matrices(dtype: DType) -> tuple[ndarray, ndarray, ndarray]:
    """V[3], V[m], V[n]⁻ᵀ. Row i of the last is Π_{j≠i} (z - z_j) / (z_i - z_j), with the divisors in V[3] instead."""
    z = np.array(_POINTS)
    v3, vm = (np.vstack([z[:, None] ** np.arange(k), np.eye(k)[-1:]]) for k in (_TAPS, _STEP))
    others = [np.delete(z, i) for i in range(len(z))]
    data = np.array([*([*np.poly(rest)[::-1], 0] for rest in others), np.poly(z)[::-1]])
    v3[:-1] /= np.array([np.prod(a - rest) for a, rest in zip(z, others, strict=True)])[:, None]
    return v3.astype(dtype), vm.astype(dtype), data.astype(dtype)


def _both(matrix: ndarray) -> Const:
    """The matrix along both axes: [size², taps, taps]."""
    return Const(np.einsum("ki,lj->klij", matrix, matrix).reshape(-1, matrix.shape[1], matrix.shape[1]))


def _values(s: Sweep, x: Atom, matrix: ndarray, high: int, wide: int) -> Atom:
    """[c, n, rows, columns] -> [c, size², n·high·wide]: the matrix times each tile, along its columns and its rows."""
    (c, n, rows, columns), (size, taps) = x.type.shape, matrix.shape
    inner = _inner(n, wide)
    x = s.emit(Reshape((c, 1, n // inner, inner, rows, columns // _STEP, _STEP)), x)
    x = s.emit(Permute((0, 1, 2, 4, 6, 5, 3)), x)  # the same place of neighbouring tiles side by side
    x = _mixed(
        s, matrix, [_piece(s, x, 3, i, high, _STEP) for i in range(taps)], 1
    )  # [c, k, n, high, m, wide + ..., n]
    parts = [_piece(s, _piece(s, x, 4, j % _STEP, 1), 5, j // _STEP, wide) for j in range(taps)]
    parts = [s.emit(Reshape((c, size, 1, n // inner, high, wide, inner)), a) for a in parts]
    return s.emit(Reshape((c, size**2, n * high * wide)), _mixed(s, matrix, parts, 2))


def _mixed(s: Sweep, matrix: ndarray, parts: Sequence[Atom], axis: int) -> Atom:
    """Σ_i matrix[:, i]·parts[i] along an axis, which has size 1 in the parts."""
    shape = [1] * parts[0].type.ndim
    shape[axis] = len(matrix)
    terms = [s.emit(e.mul, a, Const(column.reshape(shape))) for a, column in zip(parts, matrix.T, strict=True)]
    return reduce(lambda a, b: s.emit(e.add, a, b), terms)


def _piece(s: Sweep, x: Atom, axis: int, start: int, many: int, step: int = 1) -> Atom:
    """So many elements along an axis."""
    shape = list(x.type.shape)
    if many == shape[axis]:
        return x
    starts, steps = [0] * len(shape), [1] * len(shape)
    starts[axis], steps[axis], shape[axis] = start, step, start + (many - 1) * step + 1
    return s.emit(Slice(tuple(starts), tuple(shape), tuple(steps)), x)

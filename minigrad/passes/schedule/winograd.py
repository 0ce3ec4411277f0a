"""Convolutions with windows of 3x3 by fewer products: Winograd's minimal filtering.

Floor 4. Let g and h be polynomials of r and m coefficients, and V[k] the powers 0 .. k - 1 of n = m + r - 1 points, a
row for each (of ∞: only the highest is 1). Their product is V[n]⁻¹((V[r]g) ∘ (V[m]h)). This is linear in h; transposed,
it is the convolution, with n products for m outputs instead of m·r (Cook and Toom):

    y[i] = Σ_k g[k]·d[i + k],  i < m:    y = V[m]ᵀ((V[r]g) ∘ (V[n]⁻ᵀd))

So it is done along both axes, on tiles of n x n that begin m apart: with m = 4, r = 3 36 products for 4x4 outputs, not
144. For each of the n² values of a tile, the sums over the channels are a product of matrices (Lavin and Gray, Fast
algorithms for convolutional neural networks, 2016); the rest is done tile by tile in registers (`Mixed`). With m and r
exchanged, and sums over tiles instead of channels, it is the derivative by the kernel.

In float32 the errors are 5 to 9 times those of patches (64 to 512 channels of normal data: at most 2.2e-5 of the
standard deviation of y). An element that is infinite or nan can make every output of the tiles it is in nan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Const
from minigrad.loops.index import strides
from minigrad.op import ndarray
from minigrad.ops.contract import DotGeneral
from minigrad.ops.convolve import Conv
from minigrad.ops.movement import Expand, Permute, Reshape
from minigrad.ops.pieces import Pad, Slice
from minigrad.passes.rewrite import Sweep
from minigrad.passes.schedule.windows import Mixed, exchange, permuted
from minigrad.types import DType, TensorType

_Pair = tuple[Sequence[int], Sequence[int]]
_TAPS, _STEP = 3, 4
_SIZE = _STEP + _TAPS - 1
# And ∞. With 2 for 1/2 the errors are twice as large. With m = 2 they are those of patches, but then 64 channels of
# 56x56 take as long as with patches (4: half as long), 256 of 14x14 as long as with m = 4.
_POINTS = (0, 1, -1, 0.5, -2)
# From where it is faster than patches. Figures from one thread of a Zen 4 core, forward and both derivatives:
_CHANNELS = 12  # 8: 0.9 to 1.4 and 0.9 to 2.5 times as fast, 12: 0.9 to 1.7 and 1.4 to 2.6, 32: 1.4 to 2.3 and 1.5 to 3
_TILES = 32  # of all images, to be worth what is done with the kernel. Of 512 channels 16: 0.75 times as fast, 32: 1.4
_USED = 0.6  # of the outputs of all tiles
_LANES = 16  # images, from which on neighbouring elements of one place are vectors; else those of neighbouring tiles
# A row of tiles has products of its own if it has so many columns, and if they are small enough for BLAS to do them
# without arranging operands first: 64x32x256 at 105 GFLOP/s, 64x32x1024 at 60. The derivative by the kernel has as many
# products, which are added up; with its columns first in one operand they take 0.65 of the time.
_WIDE, _SMALL = 48, 1_000_000


@dataclass(frozen=True)
class Winograd(DotGeneral, listed=False):
    """The sums of such a convolution, named for those who read a schedule."""

    label = "winograd"


def is_by_kernel(w: TensorType, places: Sequence[int]) -> bool:
    """Is it the derivative by a 3x3 kernel: a window as large as an image and 3x3 places?"""
    return tuple(places) == (_TAPS, _TAPS) != w.shape[2:]


def pays(op: Conv, x: TensorType, w: TensorType, places: Sequence[int]) -> bool:
    """Is a convolution of [c, ..., n] with [o, c, ...] one of 3x3 taps next to each other, and large enough?"""
    back = is_by_kernel(w, places)
    window, outputs = (places, w.shape[2:]) if back else (w.shape[2:], places)
    plain = op == Conv((1, 1), op.padding, (1, 1), (1, 1))
    if not plain or tuple(window) != (_TAPS, _TAPS) or not all(outputs):
        return False
    high, wide = _tiles(outputs)
    few = min(w.shape[0], x.shape[-1 if back else 0])
    tiles = x.shape[0 if back else -1] * high * wide
    used = math.prod(outputs) / (high * wide * _STEP**2)
    return few >= _CHANNELS and tiles >= _TILES and used >= _USED


def reach(places: Sequence[int], n: int) -> list[int]:
    """How much of n images the tiles for so many outputs take; of few images whole steps along the rows."""
    high, wide = _tiles(places)
    return [high * _STEP + _TAPS - 1, (wide + 1) * _STEP if n < _LANES else wide * _STEP + _TAPS - 1]


def filtered(s: Sweep, x: Atom, w: Atom, places: Sequence[int]) -> Atom:
    """[c, *reach(places), n] and [o, c, 3, 3] -> [o, *places, n]."""
    (o, c, *_), tiles = w.type.shape, (*_tiles(places), x.type.shape[-1])
    kernel, outputs, data = _matrices(x.type.dtype)
    rows = _rows(o * c, *tiles)
    v = _to_tiles(s, x, data, tiles, rows)  # [rows, size², c, columns]
    u = s.emit(DotGeneral(((1, 2), (2, 3))), _both(kernel), w)  # [size², o, c]
    u = s.emit(Expand((rows, _SIZE**2, o, c)), u)
    y: Atom = s.emit(Winograd(((3,), (2,)), ((0, 1), (0, 1))), u, v)  # [rows, size², o, columns]
    y = _from_tiles(s, y, outputs.T, tiles)
    shape = (o, *places, tiles[-1])
    return y if y.type.shape == shape else s.emit(Slice((0,) * 4, shape, (1,) * 4), y)


def by_kernel(s: Sweep, x: Atom, y: Atom) -> Atom:
    """[n, *reach(places), c] and [o, n, *places] -> Σ_{n, p} y[o, n, p]·x[n, p + k, c], [o, 3, 3, c]."""
    (o, n, *places), c = y.type.shape, x.type.shape[-1]
    tiles = high, wide, _ = (*_tiles(places), n)
    kernel, outputs, data = _matrices(x.type.dtype)
    rows = _rows(o * c, *tiles)
    v = _to_tiles(s, permuted(s, exchange(4).order, x), data, tiles, rows)  # those of the convolution itself
    columns = v.type.shape[-1]
    columns_first = o * c * columns <= _SMALL  # as BLAS wants it there
    y = permuted(s, (2, 3, 1, 0) if columns_first else (0, 2, 3, 1), y)
    rest = [many * _STEP - size for many, size in zip((high, wide), places, strict=True)]
    if any(rest):
        ends = (*rest, 0, 0) if columns_first else (0, *rest, 0)
        y = s.emit(Pad((0,) * 4, ends, (0,) * 4), y, Const(np.asarray(0, y.type.dtype)))
    if columns_first:
        y = s.emit(Reshape((1, high * _STEP, wide * _STEP, n * o)), y)
        u = _to_tiles(s, y, outputs, (high, wide, n * o), rows)
        u = s.emit(Reshape((rows, _SIZE**2, columns, o)), u)
    else:
        u = _to_tiles(s, y, outputs, tiles, rows)
    z = s.emit(Winograd(((2 if columns_first else 3,), (3,)), ((0, 1), (0, 1))), u, v)  # [rows, size², o, c]
    every = s.emit(Expand((rows, _SIZE**2, _TAPS, _TAPS)), _both(kernel))
    return s.emit(Permute((0, 2, 3, 1)), s.emit(DotGeneral(((0, 1), (0, 1))), z, every))


def _rows(kernel: int, high: int, wide: int, n: int) -> int:
    """In how many parts, rows of tiles, the products with so many elements of a kernel are done."""
    return high if wide * n >= _WIDE and kernel * wide * n <= _SMALL else 1


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


def _to_tiles(s: Sweep, x: Atom, matrix: ndarray, tiles: tuple[int, int, int], rows: int) -> Atom:
    """[c, *sizes, n] -> [rows, size², c, columns]: the matrix times each tile, along both its axes.

    `tiles`: how many along both axes, of how many images.
    """
    (c, _, across, n), (size, taps), (high, wide, _) = x.type.shape, matrix.shape, tiles
    inner, (image, row, *_) = high // rows, strides(x.type.shape)
    near, columns = _STEP * n, [j * n for j in range(taps)]
    if n < _LANES:  # the same place of neighbouring tiles side by side
        x = s.emit(Permute((0, 1, 3, 2, 4)), s.emit(Reshape((c, x.type.shape[1], across // _STEP, _STEP, n)), x))
        near, columns = n, [j % _STEP * (row // _STEP) + j // _STEP * n for j in range(taps)]
    part, k, l, *to = strides((rows, size, size, c, inner, wide, n))
    moves = (inner * _STEP * row, part), (image, to[0]), (_STEP * row, to[1]), (near, to[2]), (1, 1)
    source, target = ([i * row for i in range(taps)], columns), _steps(size, k, l)
    loops = zip((rows, c, inner, wide, n), moves, strict=True)
    return s.emit(_mixed(matrix, (rows, size**2, c, inner * wide * n), loops, source, target), x)


def _from_tiles(s: Sweep, y: Atom, matrix: ndarray, tiles: tuple[int, int, int]) -> Atom:
    """[rows, size², o, columns] -> [o, high·step, wide·step, n]."""
    (rows, _, o, _), (high, wide, n), (step, size) = y.type.shape, tiles, matrix.shape
    inner, few = high // rows, n < _LANES
    part, k, l, *at = strides((rows, size, size, o, inner, wide, n))
    if few:
        out, i, j, far, near, _ = strides((o, step, step, high, wide, n))
    else:
        out, far, i, near, j, _ = strides((o, high, step, wide, step, n))
    moves = (at[0], out), (part, inner * far), (at[1], far), (at[2], near), (1, 1)
    loops = zip((o, rows, inner, wide, n), moves, strict=True)
    shape = (o, step, step, high, wide, n) if few else (o, high, step, wide, step, n)
    y = s.emit(_mixed(matrix, shape, loops, _steps(size, k, l), _steps(step, i, j)), y)
    y = s.emit(Permute((0, 3, 1, 4, 2, 5)), y) if few else y
    return s.emit(Reshape((o, high * step, wide * step, n)), y)


def _steps(size: int, *steps: int) -> tuple[list[int], list[int]]:
    a, b = ([k * step for k in range(size)] for step in steps)
    return a, b


def _mixed(matrix: ndarray, shape: tuple[int, ...], loops: Iterable[Any], source: _Pair, target: _Pair) -> Mixed:
    rows = tuple(map(tuple, matrix.astype(float).tolist()))
    places = [(tuple(a), tuple(b)) for a, b in (source, target)]
    return Mixed(rows, shape, tuple([(size, *moves) for size, moves in loops]), *places)

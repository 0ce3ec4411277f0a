"""How a convolution is done as products of matrices of patches, panel by panel.

Floor 4. A panel holds the patches (all taps in rows, places in columns) of a few places, few enough that it stays in
the cache: it is filled, multiplied and forgotten. Where there are few places and many taps, as in the derivative by the
kernel, a panel holds a few taps (for all places) and the products are added up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from minigrad.graph import Atom, Node
from minigrad.loops.index import strides
from minigrad.passes.schedule.matmul import Makers, MatMul, Matrix, merged, strided
from minigrad.passes.schedule.windows import PatchProduct
from minigrad.types import FLOAT32, FLOAT64, DType

_PANEL = 1 << 17  # elements of a panel: half a megabyte of float32, half of what a core's own cache holds today
_NARROW = 256  # columns that a product should have: below, BLAS spends its time on arranging the other operand

Axes = tuple[tuple[int, int], ...]  # (size, stride in x) of each


@dataclass(frozen=True)
class Patches:
    """y[rows, columns] for each group. x is read at an outer index (c or n) and those of the window and the places.

    `fixed`: the axes of x that a panel holds whole, the taps or (`summed`) the places; `cut`: the others, of which it
    holds `tile` = (outer, first axis) at a time. Both: the outer axis first.
    """

    dtype: DType
    groups: int
    outputs: int  # of a group
    group_step: int  # in x
    fixed: Axes
    cut: Axes
    tile: tuple[int, int]
    summed: bool
    w_row: int  # from one output to the next in w
    w_outer: int  # from one c to the next

    @property
    def panel(self) -> tuple[int, int]:
        inner = math.prod(size for size, _ in self.cut[2:])
        return math.prod(size for size, _ in self.fixed), math.prod(self.tile) * inner

    @property
    def columns(self) -> int:
        """The elements of one output."""
        return math.prod(size for size, _ in (self.fixed if self.summed else self.cut))

    @property
    def work(self) -> int:
        """Scalar operations."""
        return 2 * self.groups * self.outputs * math.prod(size for size, _ in (*self.fixed, *self.cut))

    @property
    def lanes(self) -> list[tuple[int, int, int, int]]:
        """One for each panel: (how many, stride in y, in w, in x), outermost first."""
        (outer, far), (first, near), *inner = self.cut
        each, row = self.tile, math.prod(size for size, _ in inner)
        along = (self.tile[0] * first * row, self.tile[1] * row)  # the panels of one matrix lie side by side
        y, w = ((0, 0), (each[0] * self.w_outer, along[1])) if self.summed else (along, (0, 0))
        groups = (self.groups, self.outputs * self.columns, self.outputs * self.w_row, self.group_step)
        return [groups, (outer // each[0], y[0], w[0], each[0] * far), (first // each[1], y[1], w[1], each[1] * near)]

    @property
    def product(self) -> MatMul:
        """What is done with each panel: y = w·panel; its transpose where products are added up."""
        rows, columns = self.panel
        n, k = (rows, columns) if self.summed else (columns, rows)
        return MatMul(self.dtype, self.outputs, n, k, Matrix(False, self.w_row), Matrix(self.summed, columns), ())

    def __str__(self) -> str:
        rows, columns = self.panel
        taps, places = (columns, rows) if self.summed else (rows, columns)
        groups = f"{self.groups}×" if self.groups > 1 else ""
        return f"{groups}[{self.outputs},{taps}]·patches[{taps},{places}]"


def is_patch_product(n: Node) -> bool:
    """Does BLAS do this convolution?"""
    fits = isinstance(n.op, PatchProduct) and n.out.type.dtype in (FLOAT32, FLOAT64)
    return fits and all(a.type.size for a in (*n.ins, n.out))


def patches(n: Node, makers: Makers) -> tuple[Patches, Atom, Atom]:
    """What is to be done, and the tensors the operands are read from."""
    op, (x, w) = n.op, n.ins
    assert isinstance(op, PatchProduct)
    source, steps = strided(x, makers)
    (c, _, *_), (o, cg, *window), (_, images, *places) = x.type.shape, w.type.shape, n.out.type.shape
    taps = ((cg, steps[0]), *_axes(window, op.dilation, steps[2:]))
    spots = ((images, steps[1]), *_axes(places, op.stride, steps[2:]))
    summed = math.prod(window) > math.prod(places)
    kernel, lie = _kernel(w, makers, summed)
    fixed, cut = (spots, taps) if summed else (taps, spots)
    whole = not summed or lie[1] == math.prod(window)
    tile = _tile(math.prod(size for size, _ in fixed), [size for size, _ in cut], whole)
    found = Patches(
        n.out.type.dtype, op.groups, o // op.groups, c // op.groups * steps[0], fixed, cut, tile, summed, *lie
    )
    return found, source, kernel


def _axes(sizes: Sequence[int], apart: Sequence[int], steps: Sequence[int]) -> Axes:
    """One axis at least: there is always a first one to cut."""
    return tuple([(n, k * step) for n, k, step in zip(sizes, apart, steps, strict=True)]) or ((1, 0),)


def _kernel(w: Atom, makers: Makers, summed: bool) -> tuple[Atom, tuple[int, int]]:
    """Where the kernel is read from, and its strides along o and c: of a row the elements must lie side by side."""
    shape = w.type.shape
    axes = range(2, len(shape)) if summed else range(1, len(shape))
    for atom, steps in (strided(w, makers), (w, strides(shape))):
        row = merged(shape, steps, axes)
        if row is not None and (row[1] == 1 or row[0] == 1) and steps[0] >= row[0]:
            return atom, (steps[0], steps[1])
    raise AssertionError("a stored kernel lies as it should")


def _tile(rows: int, cut: Sequence[int], whole: bool) -> tuple[int, int]:
    """How much of the first two axes of `cut` goes in a panel: divisors, so that all panels are of one size."""
    outer, first, inner = cut[0], cut[1], math.prod(cut[2:])
    most = max(_PANEL // rows, _NARROW)
    if most >= first * inner:
        return (_divisor(outer, most // (first * inner)) if whole else 1), first
    return 1, _divisor(first, max(most // inner, 1))


def _divisor(n: int, most: int) -> int:
    return next(k for k in range(min(n, most), 0, -1) if n % k == 0)

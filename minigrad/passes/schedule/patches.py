"""How a convolution is done as products of matrices of patches, panel by panel.

Floor 4. A panel holds the patches (all taps in rows, places in columns) of a few places, few enough that it stays in
the cache: it is filled, multiplied and forgotten. Where there are few places and many taps, as in the derivative by the
kernel, a panel holds a few taps (for all places) and the products are added up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Node
from minigrad.loops.index import divisor, strides
from minigrad.passes.schedule.matmul import Makers, MatMul, Matrix, merged, strided
from minigrad.passes.schedule.windows import PatchProduct
from minigrad.types import FLOAT32, FLOAT64, DType

_PANEL = 1 << 17  # elements of a panel: half a megabyte of float32, half of what a core's own cache holds today
_BOTH = 2  # a panel and its product, which a tail runs over, have half as many together (3 channels: 1.1 times as fast)
_NARROW = 256  # columns that a product should have: below, BLAS spends its time on arranging the other operand
_PARTS = 4  # a sum is done in as many, if they stay wide enough
_BLOCKS = 8  # for threads, each with a panel of its own
_SHARED = 1 << 23  # operations that are worth several threads: 0.1 ms

Axes = tuple[tuple[int, int], ...]  # (size, stride in x) of each


@dataclass(frozen=True)
class Patches:
    """y[outputs, columns] for each group. x is read at an outer index (c or n) and those of the window and the places.

    `fixed`: the axes of x that a panel holds whole, the taps or (`summed`) the places; `cut`: the others, of which it
    holds `tile` = (outer, first axis) at a time. Both: the outer axis first. Of fixed[0] it holds `chunk`: all, unless
    the products are added up, for then that is what different threads can do.
    """

    dtype: DType
    groups: int
    outputs: int  # of a group
    group_step: int  # in x
    fixed: Axes
    cut: Axes
    chunk: int
    tile: tuple[int, int]
    summed: bool
    w_row: int  # from one output to the next in w
    w_outer: int  # from one c to the next

    @property
    def panel(self) -> tuple[int, int]:
        return self.chunk * _size(self.fixed[1:]), math.prod(self.tile) * _size(self.cut[2:])

    @property
    def columns(self) -> int:
        """The elements of one output."""
        return _size(self.fixed if self.summed else self.cut)

    @property
    def work(self) -> int:
        """Scalar operations."""
        return 2 * self.groups * self.outputs * _size(self.fixed) * _size(self.cut)

    @property
    def lanes(self) -> list[tuple[int, int, int, int]]:
        """Loops over the panels: (how many, stride in y, in w, in x). The passes of the first are independent."""
        (outer, far), (first, near), *inner = self.cut
        many, few = self.tile
        rest = _size(self.fixed[1:])
        groups = (self.groups, self.outputs * self.columns, self.outputs * self.w_row, self.group_step)
        if self.summed:
            chunks = (self.fixed[0][0] // self.chunk, self.chunk * rest, 0, self.chunk * self.fixed[0][1])
            far_w, near_w = many * self.w_outer, few * _size(inner)
            sums = (outer // many, 0, far_w, many * far), (first // few, 0, near_w, few * near)
            return [*sorted([chunks, groups], key=lambda lane: -lane[0]), *sums]
        far_y, near_y = many * first * _size(inner), few * _size(inner)
        lanes = [groups, (outer // many, far_y, 0, many * far), (first // few, near_y, 0, few * near)]
        return sorted(lanes, key=lambda lane: -lane[0])

    @property
    def blocks(self) -> tuple[int, int]:
        """How many parts the first of the lanes is cut in, for several threads, and of how many passes."""
        count = self.lanes[0][0]
        step = -(-count // _BLOCKS) if self.work >= _SHARED else count
        return -(-count // step), step

    @property
    def product(self) -> MatMul:
        """What is done with each panel: y = w·panel; its transpose where products are added up."""
        rows, columns = self.panel
        n, k = (rows, columns) if self.summed else (columns, rows)
        return MatMul(self.dtype, self.outputs, n, k, Matrix(False, self.w_row), Matrix(self.summed, columns), ())

    def __str__(self) -> str:
        taps, places = self.panel[:: -1 if self.summed else 1]
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
    source, steps, _ = strided(x, makers)
    (c, _, *_), (o, cg, *window), (_, images, *places) = x.type.shape, w.type.shape, n.out.type.shape
    taps = ((cg, steps[0]), *_axes(window, op.dilation, steps[2:]))
    spots = ((images, steps[1]), *_axes(places, op.stride, steps[2:]))
    summed = math.prod(window) > math.prod(places)
    kernel, lie = _kernel(w, makers, summed)
    fixed, cut = (spots, taps) if summed else (taps, spots)
    whole = not summed or lie[1] == math.prod(window)
    rest = _size(fixed[1:])
    chunk = divisor(fixed[0][0], max(-(-fixed[0][0] // _PARTS), -(-_NARROW // rest))) if summed else fixed[0][0]
    rows = chunk * rest if summed else _BOTH * (_size(taps) + o // op.groups)
    tile = _tile(rows, [size for size, _ in cut], whole)
    found = Patches(
        n.out.type.dtype, op.groups, o // op.groups, c // op.groups * steps[0], fixed, cut, chunk, tile, summed, *lie
    )
    return found, source, kernel


def _size(axes: Sequence[tuple[int, int]]) -> int:
    return math.prod(size for size, _ in axes)


def _axes(sizes: Sequence[int], apart: Sequence[int], steps: Sequence[int]) -> Axes:
    """One axis at least: there is always a first one to cut."""
    return tuple([(n, k * step) for n, k, step in zip(sizes, apart, steps, strict=True)]) or ((1, 0),)


def _kernel(w: Atom, makers: Makers, summed: bool) -> tuple[Atom, tuple[int, int]]:
    """Where the kernel is read from, and its strides along o and c: of a row the elements must lie side by side."""
    shape = w.type.shape
    axes = range(2, len(shape)) if summed else range(1, len(shape))
    for atom, steps in (strided(w, makers)[:2], (w, strides(shape))):
        row = merged(shape, steps, axes)
        if row is not None and (row[1] == 1 or row[0] == 1) and steps[0] >= row[0]:
            return atom, (steps[0], steps[1])
    raise AssertionError("a stored kernel lies as it should")


def _tile(rows: int, cut: Sequence[int], whole: bool) -> tuple[int, int]:
    """How much of the first two axes of `cut` goes in a panel: divisors, so that all panels are of one size."""
    outer, first, inner = cut[0], cut[1], math.prod(cut[2:])
    most = max(_PANEL // rows, _NARROW)
    if most >= first * inner:
        return (divisor(outer, most // (first * inner)) if whole else 1), first
    return 1, divisor(first, max(most // inner, 1))

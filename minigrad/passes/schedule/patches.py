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
from minigrad.passes.schedule.matmul import LARGEST, Makers, MatMul, Matrix, merged, strided
from minigrad.passes.schedule.windows import PatchProduct
from minigrad.types import FLOAT32, FLOAT64, DType

_PANEL = 1 << 17  # elements of a panel: half a megabyte of float32, half of what a core's own cache holds today
_BOTH = 2  # a panel and its product, which a tail runs over, have half as many together (3 channels: 1.1 times as fast)
_NARROW = 256  # columns that a product should have: below, BLAS spends its time on arranging the other operand
_WIDE = 512  # columns that a panel may have if it had less than half of that else, as with a prime number of rows
_PARTS = 4  # a sum is done in as many, if they stay wide enough
_BLOCKS = 8  # for threads, each with a panel of its own
_SHARED = 1 << 23  # operations that are worth several threads: 0.1 ms

Axes = tuple[tuple[int, int], ...]  # (size, stride in x) of each


@dataclass(frozen=True)
class Patches:
    """y[outputs, columns] for each group. x is read at taps (channel and window) and places (and image).

    `fixed`: the axes of x that a panel holds whole, the taps or (`summed`) the places; `cut`: the others, of which it
    holds `tile` = (first, second axis) at a time, the taps in the order in which they lie in w. Of fixed[0] it holds
    `chunk`: all, unless the products are added up, for then that is what different threads can do.
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
        next_outer, next_first = many * first * _size(inner), few * _size(inner)
        if self.summed:
            chunks = (self.fixed[0][0] // self.chunk, self.chunk * rest, 0, self.chunk * self.fixed[0][1])
            sums = (outer // many, 0, next_outer, many * far), (first // few, 0, next_first, few * near)
            return [*sorted([chunks, groups], key=lambda lane: -lane[0]), *sums]
        lanes = [groups, (outer // many, next_outer, 0, many * far), (first // few, next_first, 0, few * near)]
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
    if not isinstance(n.op, PatchProduct) or n.out.type.dtype not in (FLOAT32, FLOAT64):
        return False
    _, w, y = sizes = [a.type.size for a in (*n.ins, n.out)]
    return bool(all(sizes) and max(w, y) // n.ins[1].type.shape[0] <= LARGEST)  # from one output to the next


def patches(n: Node, makers: Makers) -> tuple[Patches, Atom, Atom]:
    """What is to be done, and the tensors the operands are read from."""
    op, (x, w) = n.op, n.ins
    assert isinstance(op, PatchProduct)
    source, steps, _ = strided(x, makers)
    (c, *_, images), (o, cg, *window), (_, *places) = x.type.shape, w.type.shape, n.out.type.shape
    places = places[1:] if op.summed else places[:-1]
    channels, batch = (cg, steps[0]), (images, steps[-1])
    taps, spots = (channels, *_axes(window, op.dilation, steps)), _axes(places, op.stride, steps)
    kernel, row, order = _kernel(w, makers, op.summed)
    if op.summed:
        fixed, cut = (batch, *spots), tuple([taps[d - 1] for d in order])
        rest = _size(spots)
        chunk = divisor(images, max(-(-images // _PARTS), -(-_NARROW // rest)))
        rows = chunk * rest
    else:
        fixed, cut = taps, (*spots, batch)
        chunk, rows = cg, _BOTH * (_size(taps) + o // op.groups)
    cut = ((1, 0),) * (2 - len(cut)) + cut  # there is always a second one
    tile = _tile(rows, [size for size, _ in cut])
    step = c // op.groups * steps[0]
    return (
        Patches(n.out.type.dtype, op.groups, o // op.groups, step, fixed, cut, chunk, tile, op.summed, row),
        source,
        kernel,
    )


def _size(axes: Sequence[tuple[int, int]]) -> int:
    return math.prod(size for size, _ in axes)


def _axes(sizes: Sequence[int], apart: Sequence[int], steps: Sequence[int]) -> Axes:
    """The axes of a window or of places; `steps`: those of the channels first."""
    return tuple([(n, k * step) for n, k, step in zip(sizes, apart, steps[1:-1], strict=True)])


def _kernel(w: Atom, makers: Makers, summed: bool) -> tuple[Atom, int, Sequence[int]]:
    """Where the kernel is read from, how far its rows are apart, and the axes of a row in the order in which they lie.

    Of a row the elements must lie side by side: where products are added up in any order, else in that of the axes.
    """
    shape = w.type.shape
    for atom, steps in (strided(w, makers)[:2], (w, strides(shape))):
        order = sorted(range(1, len(shape)), key=lambda d: -steps[d] * summed)
        row = merged(shape, steps, order)
        if row is not None and (row[1] == 1 or row[0] == 1) and steps[0] >= row[0]:
            return atom, steps[0], order
    raise AssertionError("a stored kernel lies as it should")


def _tile(rows: int, cut: Sequence[int]) -> tuple[int, int]:
    """How much of the first two axes of `cut` goes in a panel: divisors, so that all panels are of one size."""
    outer, first, inner = cut[0], cut[1], math.prod(cut[2:])
    most = max(_PANEL // rows, _NARROW)
    if most >= first * inner:
        many = divisor(outer, most // (first * inner))
        if many * first * inner < _NARROW // 2:
            many = divisor(outer, _WIDE // (first * inner))
        return many, first
    return 1, divisor(first, max(most // inner, 1))

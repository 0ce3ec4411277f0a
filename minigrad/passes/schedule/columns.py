"""Kernels whose rows are not made of the outermost axes: the loops of their values are turned round.

Floor 4. What is reduced over leading axes, or those around others, is known when its row is over, so what reads it can
follow in the same kernel, as it does where the innermost axes are reduced: batch norm, softmax over axis 0. Where the
rows are columns, whose elements lie apart, neighbours go abreast, in a loop inside all others, and memory is read in
stretches of some lines.
"""

from __future__ import annotations

import math
from dataclasses import replace

from minigrad.loops.index import Affine, Indices, divisor
from minigrad.passes.schedule.parts import Part, Root

# Batch norm with its gradient, float32, one thread of an AMD EPYC with 1 MB of L2: the time column by column over that
# pass by pass. 256×2048 0.73, 512×8192 0.59, 256×32768 0.53, 1024×4096 0.67 to 0.8 (128 to 1024 columns in a block),
# 2048×4096 0.84; but 4096×1024 1.1, 4096×4096 1.4, 10000×1000 3: there a block is no longer in the cache.
_LONG = 2048  # elements of a column
_CACHED, _WIDE = 1 << 16, 256  # elements of a block of columns; but so many columns may always be
_NARROW, _BLOCKS = 64, 8  # columns in a block at least, and blocks for threads to share
_SMALL = 1 << 16  # elements in all that are in the cache however they are read, and too few to share


def turned(root: Root, rows: tuple[int, ...], places: tuple[int, ...]) -> Root | None:
    """The root with the loops over its rows outside; None if it has none such.

    `rows`: how many there are along each axis, `places`: which axes those are, counted from the last.
    """
    extents = root.extents
    first = [len(extents) + place for place in places]
    if root.alone or root.turned:
        return None
    if extents == rows:  # one element a row
        found = root
    elif min(first) < 0 or tuple(extents[d] for d in first) != rows:
        return None
    else:
        order = (*first, *(d for d in range(len(extents)) if d not in first))
        found = replace(root, parts=[_part(root.parts[0], order)], turned=order)
    return found if found.total or found.kind == "map" or found.kept == rows else None


def abreast(rows: tuple[int, ...], places: tuple[int, ...], length: int) -> tuple[int, str]:
    """How many columns, each of so many elements, go side by side; or what speaks against it."""
    together = [n for k, n in enumerate(rows, -len(rows)) if places[k] == k]  # innermost: side by side
    across, run = math.prod(rows), math.prod(together)
    small = across * length <= _SMALL
    width = divisor(run, min(max(across // _BLOCKS, _NARROW), max(_WIDE, _CACHED // max(length, 1))))
    if length < 2:
        return 0, "there is one element a column"
    if length > _LONG:
        return 0, f"a block of columns of {length} elements does not stay in the cache between two loops over it"
    if width < (_NARROW // 4 if small else _NARROW) or (width == across and not small):
        return 0, f"{run} columns side by side cannot be divided into blocks that are worth it"
    return width, ""


def _part(part: Part, order: tuple[int, ...]) -> Part:
    def index(at: Affine) -> Affine:
        return Affine(at.const, tuple(sorted([(order.index(v), k) for v, k in at.terms])))

    def indices(view: Indices) -> Indices:
        return tuple(map(index, view))

    (value, view), extents = part.value, tuple([part.extents[d] for d in order])
    steps, reads = [(n, indices(view)) for n, view in part.steps], [(a, indices(view)) for a, view in part.reads]
    return replace(
        part, extents=extents, value=(value, indices(view)), target=index(part.target), steps=steps, reads=reads
    )

"""Kernels that go column by column: loops over the inner axes outside, those over the leading ones within.

Floor 4. What is reduced over leading axes is known when its column is over, so what reads it can follow in the same
kernel, as it does row by row where the inner axes are reduced: batch norm, softmax over axis 0. The elements of a
column lie apart; so neighbours go abreast, in a loop inside all others, and memory is read in stretches of some lines.
"""

from __future__ import annotations

import math
from dataclasses import replace

from minigrad.loops.index import Affine, Indices
from minigrad.passes.schedule.parts import Part, Root

# Batch norm with its gradient, float32, one thread of an AMD EPYC with 1 MB of L2: the time column by column over that
# pass by pass. 256×2048 0.73, 512×8192 0.59, 256×32768 0.53, 1024×4096 0.67 to 0.8 (128 to 1024 columns in a block),
# 2048×4096 0.84; but 4096×1024 1.1, 4096×4096 1.4, 10000×1000 3: there a block is no longer in the cache.
_LONG = 2048  # elements of a column
_BLOCK = 1 << 19  # elements of a block of columns
_NARROW, _BLOCKS = 64, 8  # columns in a block, and blocks for threads to share, while there are so many columns
_SMALL = 1 << 16  # elements in all that are in the cache however they are read, and too few to share


def turned(root: Root, columns: tuple[int, ...]) -> Root | None:
    """The root with its loops over columns (the extents of the innermost axes) outside; None if there are none such."""
    lead = len(root.extents) - len(columns)
    if root.alone or root.turned or lead < 0 or root.extents[lead:] != columns:
        return None
    found = replace(root, parts=[_part(root.parts[0], lead)], turned=lead)
    return found if found.total or found.kind == "map" or found.kept == columns else None


def abreast(columns: tuple[int, ...], length: int) -> int:
    """How many columns, each of so many elements, go side by side; 0 if they are better not kernels of their own."""
    across = math.prod(columns)
    small = across * length <= _SMALL
    most = min(max(across // _BLOCKS, _NARROW), _BLOCK // max(length, 1), columns[-1])
    width = next((n for n in range(most, 0, -1) if columns[-1] % n == 0), 0)
    if length > _LONG or width < (_NARROW // 4 if small else _NARROW):
        return 0
    return width if small or width < across else 0


def _part(part: Part, lead: int) -> Part:
    def index(at: Affine) -> Affine:
        inner = len(part.extents) - lead
        return Affine(at.const, tuple(sorted([(v - lead if v >= lead else v + inner, k) for v, k in at.terms])))

    def indices(view: Indices) -> Indices:
        return tuple(map(index, view))

    extents = part.extents[lead:] + part.extents[:lead]
    (value, view), steps = part.value, [(n, indices(view)) for n, view in part.steps]
    reads = [(a, indices(view)) for a, view in part.reads]
    return replace(
        part, extents=extents, value=(value, indices(view)), target=index(part.target), steps=steps, reads=reads
    )

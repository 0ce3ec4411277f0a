"""The loops that fill a panel with patches (see `passes.schedule.patches`).

Floor 4.
"""

from __future__ import annotations

import math

from minigrad.loops.index import Affine, extents_of, merged, renamed, variable
from minigrad.loops.nest import Loop, Nest, Store, around
from minigrad.loops.scalar import const, load
from minigrad.passes.schedule.patches import Patches


def fill(p: Patches) -> Nest:
    """panel[fixed axes, cut axes] = x at the sum of their steps; buffers: the panel, and x where the panel begins."""
    (_, outer), (_, first), *inner = p.cut
    axes = [(p.chunk, p.fixed[0][1]), *p.fixed[1:], (p.tile[0], outer), (p.tile[1], first), *inner]
    source, target, step = Affine(), Affine(), math.prod(p.panel)
    for k, (size, apart) in enumerate(axes):
        step //= size
        if size > 1:
            source = source + variable(k).scaled(apart)
            target = target + variable(k).scaled(step)
    sizes = [size for size, _ in axes]
    runs = merged([source, target], range(len(axes)), sizes)
    store = Store(0, renamed(target, runs), load(1, renamed(source, runs), p.dtype))
    return Nest(tuple(around([store], range(len(runs)), extents_of(runs, sizes))), (p.dtype, p.dtype), 1)


def clear(p: Patches) -> Nest:
    """y = 0."""
    body = Loop(0, p.groups * p.outputs * p.columns, (Store(0, variable(0), const(0, p.dtype)),))
    return Nest((body,), (p.dtype,), 1)

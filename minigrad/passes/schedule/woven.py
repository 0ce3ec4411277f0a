"""Values of which the elements come to lie side by side, one of each in turn: stored together, in vectors.

Floor 4. Piece by piece each is stored with gaps, element by element (see `vectors`): 65536 pairs of sines and
exponentials take four times as long.
"""

from __future__ import annotations

import math

from minigrad.graph import Atom, Graph, Node
from minigrad.ops.movement import Expand, Reshape
from minigrad.ops.pieces import Concatenate
from minigrad.passes.rewrite import Sweep, rebuilt
from minigrad.passes.schedule.windows import Interleave

_MOST = 4  # values: as many as are stored as one vector


def woven(graph: Graph) -> Graph:
    """The graph with values interleaved that are stacked along the last axis, or whose elements are repeated there."""
    sweep, outputs = Sweep(graph), set(graph.outputs)  # of other readers most repeat the elements on the way
    for n in graph.nodes:
        ins, sweep.line = sweep.atoms(n.ins), n.line
        match n.op:
            case Concatenate() if _is_stack(n):
                sweep.replace(n.out, sweep.emit(Interleave((len(ins),), (len(ins),)), *ins))
            case Reshape(shape) if n.out in outputs and (found := _repeated(sweep, shape, ins[0])) is not None:
                sweep.replace(n.out, sweep.emit(Interleave((found[1],), shape[-1:]), *[found[0]] * found[1]))
            case _:
                sweep.keep(rebuilt(n, ins))
    return sweep.graph()


def _is_stack(n: Node) -> bool:
    """Are these pieces of size 1 along the last axis?"""
    axis, kind = n.op.axis % n.out.type.ndim, n.out.type.dtype.kind  # type: ignore[attr-defined]
    one = all(a.type.shape[-1] == 1 for a in n.ins)
    return axis == n.out.type.ndim - 1 and one and 2 <= len(n.ins) <= _MOST and n.out.type.size > 0 and kind != "c"


def _repeated(s: Sweep, shape: tuple[int, ...], a: Atom) -> tuple[Atom, int] | None:
    """What is reshaped, if along its last axis each element stands so often, side by side."""
    made = s.maker(a, Expand)
    if made is None or not shape or a.type.size == 0 or a.type.dtype.kind == "c":
        return None
    before, wide = made.ins[0].type.shape, a.type.shape
    same = (1,) * (len(wide) - len(before)) + before == (*wide[:-1], 1)
    if not same or not 2 <= wide[-1] <= _MOST or len(wide) < 2 or shape[-1] != math.prod(wide[-2:]):
        return None
    return s.emit(Reshape((*shape[:-1], wide[-2])), made.ins[0]), wide[-1]

"""Convolutions and pooling in the schedule's terms, the channels outermost from one to the next.

Floor 4. One sweep. A convolution becomes permute(product of matrices(permute x)), where the permutations exchange batch
and channels; ops between convolutions are done before the permutation instead of after it, so that it meets the next
one and both go. What is left of them at the ends is read through, as any movement is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from minigrad.graph import Atom, Graph, Node, Var
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.convolve import Conv
from minigrad.ops.movement import Expand, Permute, Reshape, Sum
from minigrad.ops.pieces import Pad, Slice
from minigrad.ops.pool import WindowArgMax, Windowing, WindowSum
from minigrad.ops.reduce import Max, Min, Prod
from minigrad.ops.rows import Elementwise
from minigrad.passes.cse import cse
from minigrad.passes.dce import dce
from minigrad.passes.rewrite import Sweep, rebuilt
from minigrad.passes.schedule import pooling
from minigrad.passes.schedule.convolve import convolution
from minigrad.types import FLOAT32, FLOAT64


def channels_outermost(graph: Graph) -> Graph:
    """The graph with its convolutions and pooling rewritten, if it has any."""
    if not any(isinstance(n.op, Conv | Windowing) for n in graph.nodes):
        return graph
    sweep = _Channels(graph)
    for n in graph.nodes:
        sweep.line = n.line
        n = rebuilt(n, sweep.atoms(n.ins))
        instead = sweep.rewritten(n)
        if instead is None:
            sweep.keep(n)
        else:
            sweep.replace(n.out, instead)
    return dce(cse(sweep.graph()))


class _Channels(Sweep):
    """The sweep. An atom is "turned" if it is a permutation that only exchanges its first two axes."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._taps: dict[Var, Atom] = {}

    def rewritten(self, n: Node) -> Atom | None:
        """What a node becomes; None if it stays."""
        op = n.op
        match op:
            case Conv():
                return self.convolution(n)
            case WindowSum() if pooling.is_small(op, n.ins[0].type, by_axis=True):
                lead = n.out.type.ndim - len(op.window)
                return self.turned(pooling.window_sum(self, op, self.bare(n.ins[0], lead)), n.ins[0], lead)
            case TakeAlongAxis() | AddAlongAxis():
                return self.pooling(n)
            case Reshape():
                x = self.unshaped(n.ins[0])
                if x is n.ins[0]:
                    return None
                return x if x.type == n.out.type else self.emit(op, x)
            case Permute():
                inner = self.maker(n.ins[0], Permute)
                return self.permuted(op.order, n.ins[0]) if inner else None
        return self.moved_before(n) if any(map(self.is_turned, n.ins)) else None

    def convolution(self, n: Node) -> Atom | None:
        x, w = n.ins
        assert isinstance(n.op, Conv)
        if x.type.dtype not in (FLOAT32, FLOAT64) or not all(a.type.size for a in (x, w, n.out)):
            return None
        turn = _exchange(x.type.ndim)
        return self.permuted(turn, convolution(self, n.op, self.permuted(turn, x), w))

    def pooling(self, n: Node) -> Atom | None:
        """take(x, largest of windows of x), and the way back."""
        largest = self.maker(self.unshaped(n.ins[1]), WindowArgMax)
        if largest is None:
            return None
        (x,), op = largest.ins, largest.op
        assert isinstance(op, WindowArgMax)
        lead = x.type.ndim - len(op.window)
        sizes, places = x.type.shape[lead:], largest.out.type.shape
        along = n.op.axis == lead and n.ins[1].type.ndim == lead + 1  # type: ignore[attr-defined]
        if not along or not pooling.is_small(op, x.type, by_axis=isinstance(n.op, TakeAlongAxis)):
            return None
        if isinstance(n.op, TakeAlongAxis):
            if self.unshaped(n.ins[0]) is not self.unshaped(x) or n.ins[0].type.ndim != lead + 1:
                return None
            y = self.turned(pooling.window_max(self, op, self.bare(x, lead)), x, lead)
        else:
            y_bar = self.turned(self.reshaped(self.unshaped(n.ins[0]), places), x, lead)
            y = self.turned(pooling.added_back(self, op, sizes, y_bar, self.taps(largest)), x, lead)
        return self.reshaped(y, n.out.type.shape)

    def taps(self, largest: Node) -> Atom:
        """Which tap is the largest; found once, where it is first asked for."""
        known = self._taps.get(largest.out)
        if known is None:
            op, (x,) = largest.op, largest.ins
            bare = self.bare(x, x.type.ndim - len(op.window))  # type: ignore[attr-defined]
            known = self._taps[largest.out] = pooling.first_largest(self, op, bare)  # type: ignore[arg-type]
        return known

    # ── permutations ─────────────────────────────────────────────────────────────────────────────
    def is_turned(self, a: Atom, lead: int = 2) -> bool:
        """lead: how many axes no window goes along. Windows along one of the first two are not exchanged with it."""
        made = self.maker(a, Permute) if a.type.ndim > 2 and lead > 1 else None
        return made is not None and made.op.order == _exchange(a.type.ndim)  # type: ignore[attr-defined]

    def bare(self, a: Atom, lead: int = 2) -> Atom:
        """The atom before it was turned, if it was."""
        return self.permuted(_exchange(a.type.ndim), a) if self.is_turned(a, lead) else a

    def turned(self, y: Atom, x: Atom, lead: int = 2) -> Atom:
        """What was computed from `bare(x)`, as if from x; or what goes with x, as it goes with `bare(x)`."""
        return self.permuted(_exchange(y.type.ndim), y) if self.is_turned(x, lead) else y

    def permuted(self, order: tuple[int, ...], a: Atom) -> Atom:
        inner = self.maker(a, Permute)
        if inner is not None:
            order, a = tuple(inner.op.order[k] for k in order), inner.ins[0]  # type: ignore[attr-defined]
        return a if order == tuple(range(len(order))) else self.emit(Permute(order), a)

    def unshaped(self, a: Atom) -> Atom:
        while (inner := self.maker(a, Reshape)) is not None:
            a = inner.ins[0]
        return a

    def reshaped(self, a: Atom, shape: Sequence[int]) -> Atom:
        return a if a.type.shape == shape else self.emit(Reshape(tuple(shape)), a)

    def moved_before(self, n: Node) -> Atom | None:
        """An op on turned operands, done before they are turned."""
        op, x, rank = n.op, n.ins[0], n.out.type.ndim
        if n.op.many or n.op.effect:
            return None
        if isinstance(op, Elementwise):
            if not any(self.is_turned(a) and a.type.shape == n.out.type.shape for a in n.ins):
                return None
            return self.permuted(_exchange(rank), self.emit(op, *[self.aligned(a, rank) for a in n.ins]))
        turn = _exchange(x.type.ndim)
        if isinstance(op, Sum | Max | Min | Prod):
            kept = [d for d in range(len(turn)) if d not in op.axes]
            y = self.emit(replace(op, axes=tuple(sorted(turn[d] for d in op.axes))), self.bare(x))
            places = sorted(turn[d] for d in kept)
            return self.permuted(tuple(places.index(turn[d]) for d in kept), y)
        if isinstance(op, Pad):
            low, high, interior = (_turned(p) for p in (op.low, op.high, op.interior))
            return self.permuted(turn, self.emit(Pad(low, high, interior), self.bare(x), n.ins[1]))
        if isinstance(op, Slice):
            starts, stops, steps = (_turned(p) for p in (op.starts, op.stops, op.steps))
            return self.permuted(turn, self.emit(Slice(starts, stops, steps), self.bare(x)))
        if isinstance(op, Expand) and len(op.shape) == x.type.ndim:
            return self.permuted(turn, self.emit(Expand(_turned(op.shape)), self.bare(x)))
        return None

    def aligned(self, a: Atom, rank: int) -> Atom:
        """An operand of an elementwise op as it goes with turned ones."""
        if a.type.ndim == rank - 1:
            a = self.reshaped(a, (1, *a.type.shape))
        return self.permuted(_exchange(rank), a) if a.type.ndim == rank else a


def _exchange(rank: int) -> tuple[int, ...]:
    return (1, 0, *range(2, rank)) if rank > 1 else tuple(range(rank))


def _turned(p: Sequence[int]) -> tuple[int, ...]:
    return (p[1], p[0], *p[2:])

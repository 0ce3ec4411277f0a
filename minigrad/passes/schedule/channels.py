"""Convolutions and pooling in the schedule's terms: from one to the next channels are outermost, the batch innermost.

Floor 4. One sweep. A convolution becomes permute(product of matrices(permute x)), where the permutations move the batch
to the end and back; ops between convolutions are done before the permutation instead of after it, so that it meets the
next one and both go. What is left of them at the ends is read through, as any movement is.

With the batch innermost neighbours in memory are the same place of different images: whatever the windows, strides and
borders are, loops over it are vectors, and rows of patches are runs of elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import is_
from typing import Any

from minigrad.graph import Atom, Graph, Node, Var
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.contract import DotGeneral
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
from minigrad.passes.schedule.windows import permuted
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
    """The sweep. An atom is "turned" if it is a permutation that moves its last axis, the batch, to the front."""

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
                bare = self.windowing(op, n.ins[0])
                return self.turned(pooling.window_sum(self, *bare), n.ins[0], op)
            case TakeAlongAxis() | AddAlongAxis():
                return self.pooling(n)
            case DotGeneral():
                return self.product(n)
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
        turn, back = _turn(x.type.ndim)
        return self.permuted(back, convolution(self, n.op, self.permuted(turn, x), w))

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
        bare, source = self.windowing(op, x)
        if isinstance(n.op, TakeAlongAxis):
            if self.unshaped(n.ins[0]) is not self.unshaped(x) or n.ins[0].type.ndim != lead + 1:
                return None
            y: Atom = pooling.window_max(self, bare, source)
        else:
            y_bar = self.unshaped(n.ins[0])
            if self.moves(x, op):
                y_bar, sizes = self.batch_last(y_bar, places), source.type.shape
            else:
                y_bar = self.reshaped(y_bar, places)
            y = pooling.added_back(self, bare, sizes, y_bar, self.taps(largest))
        return self.reshaped(self.turned(y, x, op), n.out.type.shape)

    def product(self, n: Node) -> Atom | None:
        """A product; images that were made rows of a matrix, [n, ...] -> [n, m], are read as the columns they are."""
        ins = [self.as_columns(a) for a in n.ins]
        return None if all(map(is_, ins, n.ins)) else self.emit(n.op, *ins)

    def as_columns(self, a: Atom) -> Atom:
        x = self.unshaped(a)
        if not (a.type.ndim == 2 < x.type.ndim and self.is_turned(x) and a.type.shape[0] == x.type.shape[0]):
            return a
        return self.permuted((1, 0), self.reshaped(self.bare(x), a.type.shape[::-1]))

    def batch_last(self, a: Atom, shape: Sequence[int]) -> Atom:
        """[n, ...], of this shape or another, as [..., n]."""
        made = self.maker(a, DotGeneral)
        if made is not None and a.type.ndim == 2 and a.type.shape[0] == shape[0]:
            (left, right), batch = made.op.contract, made.op.batch_axes  # type: ignore[attr-defined]
            if not batch[0] and made.ins[0].type.ndim == len(left) + 1:  # dot(a, b)ᵀ -> dot(b, a)
                return self.reshaped(self.emit(DotGeneral((right, left)), *made.ins[::-1]), _turned(shape))
        return self.permuted(_turn(len(shape))[0], self.reshaped(a, shape))

    def taps(self, largest: Node) -> Atom:
        """Which tap is the largest; found once, where it is first asked for."""
        known = self._taps.get(largest.out)
        if known is None:
            op, (x,) = largest.op, largest.ins
            known = self._taps[largest.out] = pooling.first_largest(self, *self.windowing(op, x))
        return known

    def moves(self, x: Atom, op: Windowing) -> bool:
        """Is x turned, and the batch no part of the windows?"""
        return len(op.window) < x.type.ndim and self.is_turned(x)

    def windowing(self, op: Any, x: Atom) -> tuple[Any, Atom]:
        """A windowing op and its operand, before that was turned."""
        if not self.moves(x, op):
            return op, x
        ones = (1,) * (x.type.ndim - len(op.window))
        return type(op)(*(_turned((*ones, *p)) for p in (op.window, op.stride, op.dilation))), self.bare(x)

    def turned(self, y: Atom, x: Atom, op: Windowing) -> Atom:
        """What was computed from `windowing(op, x)`, as if from x."""
        return self.permuted(_turn(y.type.ndim)[1], y) if self.moves(x, op) else y

    # ── permutations ─────────────────────────────────────────────────────────────────────────────
    def is_turned(self, a: Atom) -> bool:
        made = self.maker(a, Permute) if a.type.ndim > 2 else None
        return made is not None and made.op.order == _turn(a.type.ndim)[1]  # type: ignore[attr-defined]

    def bare(self, a: Atom) -> Atom:
        """The atom before it was turned, if it was."""
        return self.permuted(_turn(a.type.ndim)[0], a) if self.is_turned(a) else a

    def permuted(self, order: tuple[int, ...], a: Atom) -> Atom:
        return permuted(self, order, a)

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
            return self.permuted(_turn(rank)[1], self.emit(op, *[self.aligned(a, rank) for a in n.ins]))
        _, back = _turn(x.type.ndim)
        if isinstance(op, Sum | Max | Min | Prod):
            kept = [d for d in range(len(back)) if d not in op.axes]
            y = self.emit(replace(op, axes=tuple(sorted(back[d] for d in op.axes))), self.bare(x))
            places = sorted(back[d] for d in kept)
            return self.permuted(tuple(places.index(back[d]) for d in kept), y)
        if isinstance(op, Pad):
            low, high, interior = (_turned(p) for p in (op.low, op.high, op.interior))
            return self.permuted(back, self.emit(Pad(low, high, interior), self.bare(x), n.ins[1]))
        if isinstance(op, Slice):
            starts, stops, steps = (_turned(p) for p in (op.starts, op.stops, op.steps))
            return self.permuted(back, self.emit(Slice(starts, stops, steps), self.bare(x)))
        if isinstance(op, Expand) and len(op.shape) == x.type.ndim:
            return self.permuted(back, self.emit(Expand(_turned(op.shape)), self.bare(x)))
        return None

    def aligned(self, a: Atom, rank: int) -> Atom:
        """An operand of an elementwise op as it goes with turned ones."""
        if not a.type.ndim:
            return a
        return self.permuted(_turn(rank)[0], self.reshaped(a, (*(1,) * (rank - a.type.ndim), *a.type.shape)))


def _turn(rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The order that puts the first axis last, and the way back."""
    return (*range(1, rank), 0), (rank - 1, *range(rank - 1))


def _turned(p: Sequence[int]) -> tuple[int, ...]:
    return (*p[1:], p[0])

"""Loops of running totals: each element from the one before it along an axis, which stands in memory by then.

Floor 4. The loop along the axis runs in order, the axes after it inside, so that memory is read in order and a step is
as wide as vectors are. The first step has nothing before it and stands by itself. Nothing is reassociated: the bits
are those of adding one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad.graph import Atom, Node
from minigrad.loops.index import ZERO, Affine, Indices, address, extents_of, merged, renamed, strides
from minigrad.loops.nest import Loop, Start, Statement, Store, Update, around
from minigrad.loops.scalar import Scalar, index, load, moved, needed, place, select
from minigrad.ops.cumulative import CumLogSumExp, CumSum, LinearRecurrence
from minigrad.ops.elementwise import logaddexp
from minigrad.ops.running import RunningArg
from minigrad.types import INT64

Meaning = Callable[[Any, Sequence[Scalar]], Scalar]


def first(op: Any, view: Indices, xs: Sequence[Scalar]) -> Scalar:
    """The element that has none before it."""
    return index(view[op.axis]) if isinstance(op, RunningArg) else xs[-1]


def following(n: Node, view: Indices, xs: Sequence[Scalar], buffer: Callable[[Atom], int], meaning: Meaning) -> Scalar:
    """Element `view` of a running total, from its operands' and from the one before it, in buffer 0."""
    op: Any = n.op
    shape = n.out.type.shape
    here = address(view, shape)
    before = load(0, here.shifted(-here.coefficient(op.axis)), INT64 if isinstance(op, RunningArg) else xs[0].dtype)
    match op:
        case LinearRecurrence():
            return xs[0] * before + xs[1]
        case CumSum():
            return before + xs[0]
        case CumLogSumExp():
            return meaning(logaddexp, [before, xs[0]])
        case RunningArg(axis=axis, largest=largest):
            rest = address(tuple([ZERO if d == axis else i for d, i in enumerate(view)]), shape)
            best = Scalar("load", (before,), xs[0].dtype, (buffer(n.ins[0]), rest, (strides(shape)[axis],)))
            better = xs[0] > best if largest else xs[0] < best
            if best.dtype.kind == "f":
                better = better | (xs[0].ne(xs[0]) & best.eq(best))
            return select(better, index(view[axis]), before)
    return before * xs[0]


def statements(op: Any, extents: tuple[int, ...], target: Affine, start: Scalar, value: Scalar) -> list[Statement]:
    """The loops: `start` where the variable of the axis is 0, then `value`."""
    axis: int = op.axis
    addresses = [target, *(place(s) for s in needed([start, value]) if s.op in ("load", "index"))]
    outer = merged(addresses, range(axis), extents)
    inner = merged(addresses, range(axis + 1, len(extents)), extents)
    runs, k = [*outer, [axis], *inner], len(outer)
    sizes, loops, around_it = extents_of(runs, extents), range(k + 1, len(runs)), k
    if isinstance(op, CumLogSumExp) and not inner and outer:  # a step costs more than a stride: several rows at once
        loops, around_it = range(k - 1, k), k - 1

    def begin(a: Affine) -> Affine:
        a = renamed(a, runs)
        return Affine(a.const, tuple([(v, c) for v, c in a.terms if v != k]))

    def later(a: Affine) -> Affine:
        a = renamed(a, runs)
        return a.shifted(a.coefficient(k))

    begun, now = moved(start, begin), Scalar("accumulator", (), start.dtype, 0)
    if loops:
        steps: list[Statement] = [Store(0, later(target), moved(value, later))]
        body: list[Statement] = [Store(0, begin(target), begun)]
    else:  # nothing comes between an element and the next: it stays in a register
        last = {
            s.serial: Scalar("accumulator", (), s.dtype, 0) for s in needed([value]) if s.op == "load" and not s.what[0]
        }
        steps = [Update(0, "set", moved(value, later, last)), Store(0, later(target), now)]
        body = [Start(0, begun), Store(0, begin(target), begun)]
    body = around(body, loops, sizes)
    if sizes[k] > 1:
        body.append(Loop(k, sizes[k] - 1, tuple(around(steps, loops, sizes))))
    return around(body, range(around_it), sizes)

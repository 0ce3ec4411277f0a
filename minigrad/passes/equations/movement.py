"""Equations of movement, of sums over it, and of the broadcasting that elementwise ops do themselves.

Floor 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.graph import Atom, Const, Node
from minigrad.ops import elementwise as e
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.gather import Gather, Scatter
from minigrad.ops.movement import Expand, Flip, Permute, Reshape, Sum
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.ops.reduce import Reduction
from minigrad.ops.rows import Convert, Elementwise, Row
from minigrad.passes.equations.table import equation, shaped
from minigrad.passes.rewrite import Sweep
from minigrad.types import broadcast_shapes


@equation("reshape(x, its shape) -> x", Reshape)
@equation("expand(x, its shape) -> x", Expand)
def _same_shape(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if n.ins[0].type.shape == n.out.type.shape else None


@equation("reshape(reshape x) -> reshape x", Reshape)
@equation("expand(expand x) -> expand x", Expand)
def _move_twice(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], type(n.op))
    return s.emit(n.op, inner.ins[0]) if inner else None


@equation("permute(x, in order) -> x", Permute)
def _permute_nothing(s: Sweep, n: Node) -> Atom | None:
    order = n.op.order  # type: ignore[attr-defined]
    return n.ins[0] if order == tuple(range(len(order))) else None


@equation("permute(permute x) -> permute x", Permute)
def _permute_twice(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], Permute)
    if not inner:
        return None
    first, then = inner.op.order, n.op.order  # type: ignore[attr-defined]
    return s.emit(Permute(tuple(first[k] for k in then)), inner.ins[0])


@equation("x[:] -> x", Slice)
def _slice_everything(s: Sweep, n: Node) -> Atom | None:
    x, op = n.ins[0], n.op
    whole = op.starts == (0,) * x.type.ndim and op.stops == x.type.shape  # type: ignore[attr-defined]
    return x if whole and x.type == n.out.type else None


@equation("pad(x, nothing) -> x", Pad)
def _pad_nothing(s: Sweep, n: Node) -> Atom | None:
    op: Any = n.op
    return n.ins[0] if all(k == 0 for k in (*op.low, *op.high, *op.interior)) else None


@equation("flip(x, axes of size 1) -> x", Flip)
def _flip_nothing(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if all(n.out.type.shape[a] == 1 for a in n.op.axes) else None  # type: ignore[attr-defined]


@equation("flip(flip x) -> x", Flip)
def _flip_twice(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], Flip)
    return inner.ins[0] if inner and set(inner.op.axes) == set(n.op.axes) else None  # type: ignore[attr-defined]


@equation("concatenate(x) -> x", Concatenate)
def _concatenate_one(s: Sweep, n: Node) -> Atom | None:
    return n.ins[0] if len(n.ins) == 1 else None


@equation("pad(a, 0) + pad(b, 0) -> pad(concatenate(a, b), 0)", e.add, safety="zero sign")
def _pads_side_by_side(s: Sweep, n: Node) -> Atom | None:
    """The gradients of slices that lie next to each other: each has its place in one tensor."""
    size = n.out.type.shape
    pads = [pad for pad in (_zero_padded(s, a) for a in n.ins if a.type.shape == size) if pad is not None]
    if len(pads) < 2:
        return None
    (a, low, end), (b, start, high) = sorted(pads, key=lambda pad: pad[1])
    apart = [d for d in range(len(size)) if (low[d], end[d]) != (start[d], high[d])]
    if len(apart) != 1 or start[apart[0]] + end[apart[0]] != size[apart[0]]:
        return None
    (axis,) = apart
    parts: list[Atom] = []
    for x in (a, b):
        inner = s.maker(x, Concatenate)
        parts += inner.ins if inner and inner.op == Concatenate(axis) else [x]
    both = s.emit(Concatenate(axis), *parts)
    return s.emit(Pad(low, high, (0,) * len(size)), both, Const(np.zeros((), n.out.type.dtype)))


@equation("pad(a, 0) + pad(b, 0) -> pad(a + b, 0)", e.add, safety="zero sign")
def _pads_in_one_place(s: Sweep, n: Node) -> Atom | None:
    """The gradients of a slice that was taken twice."""
    first, second = (_zero_padded(s, a) for a in n.ins)
    if first is None or second is None or first[1:] != second[1:] or first[0].type != second[0].type:
        return None
    (x, low, high), y = first, second[0]
    return s.emit(Pad(low, high, (0,) * len(low)), s.emit(e.add, x, y), Const(np.zeros((), n.out.type.dtype)))


@equation("concatenate(a, b) + pad(c, 0) -> concatenate(a, b + c)", e.add, safety="zero sign")
def _pad_upon_piece(s: Sweep, n: Node) -> Atom | None:
    """Likewise, where the gradient of the slice beside it has joined the first."""
    for both, pad in (n.ins, reversed(n.ins)):
        pieces, padded = s.maker(both, Concatenate), _zero_padded(s, pad)
        if pieces is None or padded is None or both.type.shape != pad.type.shape:
            continue
        (c, low, _), parts, start = padded, list(pieces.ins), 0
        axis = pieces.op.axis  # type: ignore[attr-defined]
        for k, part in enumerate(parts):
            if start == low[axis] and part.type == c.type:
                parts[k] = s.emit(e.add, part, c)
                return s.emit(pieces.op, *parts)
            start += part.type.shape[axis]
    return None


def _zero_padded(s: Sweep, a: Atom) -> tuple[Atom, tuple[int, ...], tuple[int, ...]] | None:
    """(x, low, high) if x stands in nothing but zeros."""
    pad = s.maker(a, Pad)
    if pad is None:
        return None
    (x, value), op = pad.ins, pad.op
    assert isinstance(op, Pad)
    zero = s.uniform(value)
    known = all(isinstance(k, int) and k >= 0 for k in (*op.low, *op.high, *a.type.shape)) and not any(op.interior)
    return (x, op.low, op.high) if known and zero is not None and zero == 0 else None


# ── positions ────────────────────────────────────────────────────────────────────────────────────
@equation("x[0, 1, ... | j] -> take_along_axis(x, j)", Gather)
def _gather_a_row_each(s: Sweep, n: Node) -> Atom | None:
    x, where_ = n.ins
    j = _one_a_row(s, n.op, x.type.shape, where_)
    return None if j is None else s.emit(Reshape(n.out.type.shape), s.emit(TakeAlongAxis(1), x, j))


@equation("0.at[0, 1, ... | j].add(u) -> add_along_axis(u, j)", Scatter)
def _scatter_a_row_each(s: Sweep, n: Node) -> Atom | None:
    x, updates, where_ = n.ins
    zero = s.uniform(x)
    if zero is None or any(zero.tobytes()) or n.op.mode != "add":  # type: ignore[attr-defined]
        return None
    j = _one_a_row(s, n.op, x.type.shape, where_)
    return None if j is None else s.emit(AddAlongAxis(1, x.type.shape[1]), s.emit(Reshape(j.type.shape), updates), j)


def _one_a_row(s: Sweep, op: Any, shape: Any, where_: Atom) -> Atom | None:
    """The column of one position [rows, 1] in each row of a matrix, if coordinates say that: [0, 1, ... | j]."""
    both = s.maker(where_, Concatenate)
    if both is None or op.axes != (0, 1) or op.beyond != "clip" or len(shape) != 2 or len(both.ins) != 2:
        return None
    number, j = both.ins
    inner = s.maker(number, Reshape)
    number = inner.ins[0] if inner else number
    every = isinstance(number, Const) and np.array_equal(number.array.ravel(), np.arange(shape[0]))
    return j if every and j.type.shape == (shape[0], 1) else None


# ── sums ─────────────────────────────────────────────────────────────────────────────────────────
@equation("sum(x, axes of size 1) -> reshape x", Sum, safety="zero sign")
def _sum_nothing(s: Sweep, n: Node) -> Atom | None:
    x = n.ins[0]
    trivial = all(x.type.shape[a] == 1 for a in n.op.axes)  # type: ignore[attr-defined]
    return s.emit(Reshape(n.out.type.shape), x) if trivial else None  # NumPy's sum of -0.0 alone is 0.0


@equation("sum(expand x) -> x * count", Sum, safety="ulp")
def _sum_expand(s: Sweep, n: Node) -> Atom | None:
    inner = s.maker(n.ins[0], Expand)
    if not inner:
        return None
    x, big, axes = inner.ins[0], n.ins[0].type.shape, n.op.axes  # type: ignore[attr-defined]
    lead = len(big) - x.type.ndim
    sizes = [big[a] for a in axes]
    repeated = all(a < lead or x.type.shape[a - lead] == 1 for a in axes)
    if not repeated or not all(isinstance(k, int) and k > 0 for k in sizes):  # of nothing: 0, but x * 0 may be nan
        return None
    # the summed axes go from x, the others stay repeated; no more nodes than the two this replaces
    small = tuple(k for d, k in enumerate(x.type.shape) if d + lead not in axes)
    moves = (small != x.type.shape) + (small != n.out.type.shape)
    if moves > int(s.read_once(n.ins[0])):
        return None
    count = Const(np.asarray(np.prod(sizes, dtype=np.int64)).astype(x.type.dtype))
    reduced = x if small == x.type.shape else s.emit(Reshape(small), x)
    return shaped(s, s.emit(e.mul, reduced, count), n.out.type)


@equation("reduce(permute x) -> permute(reduce x)", Sum, Reduction, safety="ulp")
def _reduce_before(s: Sweep, n: Node) -> Atom | None:
    """In the order of memory; what is moved then is smaller."""
    inner = s.maker(n.ins[0], Permute)
    if not inner or not s.read_once(n.ins[0]):
        return None
    order, op = inner.op.order, n.op  # type: ignore[attr-defined]
    axes = tuple(sorted(order[a] for a in op.axes))  # type: ignore[attr-defined]
    kept = [d for d in range(len(order)) if d not in axes]
    reduced = s.emit(type(op)(axes), inner.ins[0])  # type: ignore[call-arg]
    return s.emit(Permute(tuple(kept.index(d) for d in order if d in kept)), reduced)


# ── broadcasting: elementwise ops repeat their operands themselves ───────────────────────────────
@equation("f(expand x, y) -> f(x, y)", Elementwise)
def _bare_operands(s: Sweep, n: Node) -> Atom | None:
    if len(n.ins) < 2:
        return None
    shape, changed = n.out.type.shape, False
    ins = list(n.ins)
    for i, a in enumerate(n.ins):
        bare = bare_operand(s, a)
        if bare is not a:
            rest = [b.type.shape for k, b in enumerate(ins) if k != i]
            if broadcast_shapes("simplify", bare.type.shape, *rest) == shape:
                ins[i], changed = bare, True
    return s.emit(n.op, *ins) if changed else None


@equation("f(expand x) -> expand(f x)", Row, Convert)
def _expand_later(s: Sweep, n: Node) -> Atom | None:
    for a in n.ins:
        if s.maker(a, Expand) and s.read_once(a):
            break
    else:
        return None  # this would add a node
    bare = [bare_operand(s, a) for a in n.ins]
    shapes = [b.type.shape for b in bare]
    if len(shapes) > 1 and broadcast_shapes("simplify", *shapes) == n.out.type.shape:
        return None
    return s.emit(Expand(n.out.type.shape), s.emit(n.op, *bare))


def bare_operand(s: Sweep, a: Atom) -> Atom:
    """An operand before it was expanded; a constant of equal elements as a scalar."""
    inner = s.maker(a, Expand)
    if inner:
        return inner.ins[0]
    if isinstance(a, Const) and a.type.shape != ():
        c = s.uniform(a)
        return a if c is None else Const(np.asarray(c))
    return a

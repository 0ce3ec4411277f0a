"""Loops that sort: for each row the positions that put it in order, stably, NaN last.

Floor 4. Elements become signed integers in the same order. In a short row each is compared with all others, which
vectorises: so many are before it, there it belongs. A longer row is sorted by its keys' digits, the lowest first (radix
sort): count how often each digit occurs, add up where its keys begin, put each key in the next place of its digit. The
time is proportional to the row's length, whatever the data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.loops.index import Affine, extents_of, merged, renamed, variable
from minigrad.loops.nest import Loop, Start, Statement, Store, Update, around
from minigrad.loops.scalar import Scalar, bitcast, const, convert, index, load, moved, needed, place, select
from minigrad.passes.schedule.sorting import DIGIT, SHORT_ROW, integer, padded
from minigrad.types import INT32, INT64

_KEYS, _FROM, _COUNTS = 1, 2, 3  # the buffers beside the result


def statements(x: Scalar, extents: tuple[int, ...], target: Affine) -> list[Statement]:
    """The loops for the positions that sort element `x`; `extents`: the rows', then that of a row."""
    last = len(extents) - 1
    addresses = [target, *(place(s) for s in needed([x]) if s.op in ("load", "index"))]
    runs = [*merged(addresses, range(last), extents), [last]]
    row, n = len(runs) - 1, extents[last]
    value, to = moved(x, lambda a: renamed(a, runs)), renamed(target, runs)
    body = _compared(_ordered(value), row, n, to) if n <= SHORT_ROW else _by_digits(_ordered(value), row, n, to)
    return around(body, range(row), extents_of(runs, extents))


def _ordered(x: Scalar) -> Scalar:
    """A signed integer for each element, in the same order: equal for equal ones, the greatest for NaN."""
    t = integer(x.dtype)
    limits = np.iinfo(t)
    match x.dtype.kind:
        case "b":
            return convert(x, t)
        case "u":
            return bitcast(x, t) ^ int(limits.min)
        case "f":  # of negative floats the greater bits are the lesser number
            bits = select(x.eq(0.0), const(0, t), bitcast(x, t))
            bits = bits ^ ((bits >> (t.itemsize * 8 - 1)) & int(limits.max))
            return select(x.ne(x), const(limits.max, t), bits)
    return x


def _compared(key: Scalar, row: int, n: int, target: Affine) -> list[Statement]:
    """Each goes after all that are less, or equal and before it. What pads the row comes last."""
    i, j, t = variable(row), variable(row + 1), key.dtype
    mine, other = load(_KEYS, i, t), load(_KEYS, j, t)
    before = (other < mine) | (other.eq(mine) & (convert(index(j), INT32) < convert(index(i), INT32)))
    rank, pad = Scalar("accumulator", (), INT32, 0), const(np.iinfo(t).max, t)
    return [
        Loop(row, n, (Store(_KEYS, i, key),)),
        Loop(row, padded(n) - n, (Store(_KEYS, i.shifted(n), pad),)),
        Loop(row, n, (
            Start(0, const(0, INT32)),
            Loop(row + 1, padded(n), (Update(0, "add", convert(before, INT32)),)),
            Store(_FROM, Affine(), convert(index(i), INT32), (convert(rank, INT64),), (1,)),
        )),
        Loop(row, n, (Store(0, target, convert(load(_FROM, i, INT32), INT64)),)),
    ]  # fmt: skip


def _by_digits(key: Scalar, row: int, n: int, target: Affine) -> list[Statement]:
    """Between two halves of the memory and back, digit by digit."""
    i, t = variable(row), key.dtype
    first = key ^ int(np.iinfo(t).min)  # as if unsigned: the lowest has no bit set
    fill = Loop(row, n, (Store(_KEYS, i, first), Store(_FROM, i, convert(index(i), INT32))))
    if t.itemsize == 1:
        passes: Sequence[Statement] = _pass(const(0, INT64), t, row, n, 0)
    else:
        low = index(variable(row + 1).scaled(2 * DIGIT))
        both = (*_pass(low, t, row, n, 0), *_pass(low + DIGIT, t, row, n, n))
        passes = [Loop(row + 1, t.itemsize // 2, both)]
    end = load(_FROM, i.shifted(n if t.itemsize == 1 else 0), INT32)
    return [fill, *passes, Loop(row, n, (Store(0, target, convert(end, INT64)),))]


def _pass(shift: Scalar, t: np.dtype, row: int, n: int, start: int) -> list[Statement]:
    """Put the keys that begin at `start` in the order of one digit, in the other half."""
    i, digits = variable(row), 1 << DIGIT

    def digit(key: Scalar) -> Scalar:
        return (convert(key, INT64) >> shift) & (digits - 1)

    def count(d: Scalar) -> Scalar:
        return Scalar("load", (d,), INT64, (_COUNTS, Affine(), (1,)))

    d = digit(load(_KEYS, i.shifted(start), t))
    seen = Scalar("load", (d,), INT64, (_COUNTS, Affine(1), (1,)))
    key, source = load(_KEYS, i.shifted(start), t), load(_FROM, i.shifted(start), INT32)
    its = digit(key)
    at, there = count(its), Affine(n - start)
    sums = load(_COUNTS, i.shifted(1), INT64) + load(_COUNTS, i, INT64)
    return [
        Loop(row, digits + 1, (Store(_COUNTS, i, const(0, INT64)),)),
        Loop(row, n, (Store(_COUNTS, Affine(1), seen + 1, (d,), (1,)),)),
        Loop(row, digits - 1, (Store(_COUNTS, i.shifted(1), sums),)),
        Loop(row, n, (
            Store(_KEYS, there, key, (at,), (1,)),
            Store(_FROM, there, source, (at,), (1,)),
            Store(_COUNTS, Affine(), at + 1, (its,), (1,)),
        )),
    ]  # fmt: skip

"""Reductions over outer axes: several rows are added to the result at once.

Floor 4. A result that is a row lies in memory while rows are added to it. To add eight at once, combined in registers,
saves seven of eight loads and stores of it: sums over 3,000,000×3 take a fifteenth, over 1000×10000 half the time. Long
rows are done block by block, which threads can share without rows of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from minigrad.loops.index import Affine, divisor, side_by_side
from minigrad.loops.nest import Loop, Statement, Store, read, statements
from minigrad.loops.scalar import Scalar, binary, moved, needed, place, put

_MOST, _WIDEST = 8, 64  # rows at once, and scalar operations of them
_LINES, _PAGES = 128, 8192  # bytes of a row between which several at once, in one page, hinder prefetching from memory
_CACHED = 1 << 20  # bytes that are likely to be in the cache: there, several are always quicker
_BLOCK = 1 << 13, 1 << 11  # elements of a block of a row: at most, at least


def together(
    combine: str, value: Scalar, reduced: Sequence[int], inner: Sequence[int], sizes: Sequence[int]
) -> tuple[Scalar, tuple[int, ...]]:
    """What some passes of the last reduced loop come to, and the sizes of the loops with so many fewer passes."""
    row, total = (math.prod(ns) * value.dtype.itemsize for ns in ([sizes[k] for k in inner], sizes))
    if not reduced or (_LINES < row < _PAGES and total >= _CACHED):
        return value, tuple(sizes)
    loop = reduced[-1]
    still = _still(value, loop)
    most = min(_MOST, _WIDEST // max(1, len(needed([value], still))))
    n = max(divisor(sizes[loop], most), 1)
    terms = [moved(value, partial(_pass, loop, n, k), still) for k in range(n)]
    while len(terms) > 1:  # in pairs: fewer wait for each other, and fewer roundings add up
        odd = terms[len(terms) & ~1 :]
        terms = [binary(combine, a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)] + odd
    return terms[0], tuple([size // n if k == loop else size for k, size in enumerate(sizes)])


def _still(value: Scalar, loop: int) -> dict[int, Scalar]:
    """The scalars that are the same in all passes of a loop, by serial."""
    found: dict[int, Scalar] = {}
    for x in needed([value]):
        moves = x.op in ("load", "index") and place(x).coefficient(loop)
        if not moves and all(a.serial in found for a in x.args):
            found[x.serial] = x
    return found


def _pass(loop: int, n: int, k: int, at: Affine) -> Affine:
    """The place in the kth of every n passes: variable -> n·variable + k."""
    step = at.coefficient(loop)
    return at + Affine(k * step, ((loop, (n - 1) * step),) if step else ())


def in_blocks(body: Sequence[Statement], column: int, extent: int, within: int) -> list[Statement]:
    """The statements with the loop over the columns of long rows in blocks, outside all others: `within` inside."""
    most, least = _BLOCK
    width = divisor(extent, min(most, extent // 2))
    if width < least:
        return list(body)

    def moved(at: Affine) -> Affine:
        return side_by_side(at, column, within, width)

    def inside(s: Statement) -> Statement:
        if isinstance(s, Loop):
            changed = s.variable == column
            return Loop(within if changed else s.variable, width if changed else s.extent, tuple(map(inside, s.body)))
        return replace(s, address=moved(s.address)) if isinstance(s, Store) else s

    loads = needed([x for _, s in statements(tuple(body)) for x in read(s)])
    for x in loads:
        if x.op in ("load", "index"):
            x.what = put(x, moved(place(x)))
    return [Loop(column, extent // width, tuple(map(inside, body)))]

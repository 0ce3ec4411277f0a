"""A nest divided among threads: its outermost loop in blocks of consecutive passes.

Floor 4. How a nest is divided depends on the nest alone, never on how many threads there are: so results are the same
bits on any machine. Where a result does not move with the loop (a sum over it), each block makes one of its own, and
these are then combined in their order; what is kept for one row only, each block keeps for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from minigrad.frozen import dataclass
from minigrad.loops.index import Affine, variable
from minigrad.loops.nest import Loop, Nest, Start, Statement, Store, Update, statements
from minigrad.loops.scalar import Scalar, load, needed

WORTH = 1 << 20  # scalar operations: 20 µs; to wake a thread takes longer than the half of less
_GRAIN = 1 << 18  # of a block: 5 µs, far more than it takes to hand one over
_BLOCKS = 64
_LINE = 64  # elements: blocks of a loop over single elements do not share lines of the cache


@dataclass(frozen=True)
class Own:
    """A buffer of which each block has its own: how many elements, and how they are combined ("": not at all)."""

    size: int
    combine: str


@dataclass(frozen=True)
class Split:
    """`loop`, one of the nest's outermost, in `blocks` of `step` passes, all with the statements around it."""

    loop: Loop
    step: int
    blocks: int
    own: dict[int, Own]


def pieces(nest: Nest) -> list[Nest]:
    """The nest as nests that run one after the other: its loops, unless one adds to what another has cleared for it."""
    if len(nest.body) < 2 or not all(isinstance(s, Loop) for s in nest.body):
        return [nest]
    for loop in nest.body:
        stores = [s for _, s in statements((loop,)) if isinstance(s, Store)]
        loaded = {x.what[0] for x in needed([s.value for s in stores]) if x.op == "load"}
        if any(s.buffer in loaded and not s.at for s in stores):
            return [nest]
    return [replace(nest, body=(s,)) for s in nest.body]


def split(nest: Nest) -> Split | None:
    """How to divide a nest; None if it cannot be divided, or is not worth it."""
    loops = [s for s in nest.body if isinstance(s, Loop)]
    total = work(nest.body, set())
    if not loops or total < WORTH:
        return None
    loop = max(loops, key=lambda s: work((s,), set()))
    own = _own(nest, loop)
    if own is None:
        return None
    copies = sum(o.size for o in own.values() if o.combine)
    blocks = min(_BLOCKS, loop.extent, total // _GRAIN, total // (8 * copies) if copies else _BLOCKS)
    if blocks < 2:
        return None
    step = -(-loop.extent // blocks)
    if step > 4 * _LINE:
        step = -(-step // _LINE) * _LINE
    return Split(loop, step, -(-loop.extent // step), own)


def work(body: tuple[Statement, ...], known: set[int]) -> int:
    """How many scalar operations, loads and stores are done in all."""
    total = 0
    for s in body:
        if isinstance(s, Loop):
            total += s.extent * work(s.body, set(known))
            continue
        new = [x for x in needed([s.value]) if x.op != "const" and x.serial not in known]
        known.update(x.serial for x in new)
        total += len(new) + 1
    return total


def _own(nest: Nest, loop: Loop) -> dict[int, Own] | None:
    """The buffers of which each block needs its own; None if the passes of the loop depend on each other."""
    inside, around = list(_placed((loop,), {})), list(_placed(tuple([s for s in nest.body if s is not loop]), {}))
    if any(isinstance(s, Loop) and s is not loop and not _clears(s) for s in nest.body):
        return None
    room = dict(nest.room)
    if any(isinstance(s, Store) and s.at and s.buffer not in room for s, _ in (*inside, *around)):
        return None  # passes may write to the same place
    started = {s.accumulator for s, _ in around if isinstance(s, Start)}
    sums = {s.accumulator: s.combine for s, _ in inside if isinstance(s, Update) and s.accumulator in started}
    moving: dict[int, tuple[int, int]] = {}
    own = {buffer: Own(size, "") for buffer, size in room.items()}
    for s, extents in inside:
        if isinstance(s, Store) and s.buffer in room:
            continue
        if isinstance(s, Store) and s.address.coefficient(loop.variable):
            stretch = _stretch(s.address, loop.variable, extents)
            if stretch is None or not _apart(moving.setdefault(s.buffer, stretch), stretch, loop.extent):
                return None
        elif isinstance(s, Store):
            _add(own, s, extents, _combine(s, sums))
    outside = [(s, extents) for s, extents in around if isinstance(s, Store)]
    for s, extents in outside:
        _add(own, s, extents, _combine(s, sums) if s.value.op == "accumulator" else "")
    for s, extents in inside:
        for buffer, address in [x.what[:2] for x in needed([s.value]) if x.op == "load"]:
            if buffer in moving and _stretch(address, loop.variable, extents) != moving[buffer]:
                return None  # written in another pass
            if buffer in own and address.coefficient(loop.variable):
                return None
    fine = not moving.keys() & own.keys() and all(own[s.buffer].combine for s, _ in outside)
    return own if fine else None


def _placed(body: tuple[Statement, ...], around: dict[int, int]) -> Iterator[tuple[Any, dict[int, int]]]:
    """The statements that are no loops, with the extents of the loops around them by variable."""
    for s in body:
        if isinstance(s, Loop):
            yield from _placed(s.body, {**around, s.variable: s.extent})
        else:
            yield s, around


def _add(own: dict[int, Own], s: Store, extents: dict[int, int], combine: str) -> None:
    size = s.address.bounds(extents)[1] + 1  # type: ignore[arg-type]
    old = own.get(s.buffer, Own(0, ""))
    own[s.buffer] = Own(max(size, old.size), old.combine or combine)


def _stretch(address: Affine, loop: int, extents: dict[int, int]) -> tuple[int, int] | None:
    """The places (size, how many such sizes further on) that one pass of a loop keeps to; None if it meets others'.

    Of all that lie so far apart as the loop goes, it may be the same places each time: a block of columns.
    """
    size = address.coefficient(loop)
    if size <= 0:
        return None
    far = size * extents[loop]
    rest = Affine(address.const, tuple([(v, k) for v, k in address.terms if v != loop]))
    near = Affine(address.const % far, tuple([(v, k) for v, k in rest.terms if k % far]))
    low, high = near.bounds(extents)  # type: ignore[arg-type]
    if near.terms != rest.terms and low >= 0 and high < size:
        return size, 0
    low, high = rest.bounds(extents)  # type: ignore[arg-type]
    return (size, low // size) if low // size == high // size else None


def _apart(a: tuple[int, int], b: tuple[int, int], extent: int) -> bool:
    """Do the places of two stores not meet in different passes of a loop?"""
    return a[0] == b[0] and (a[1] - b[1]) % extent == 0


def _clears(s: Loop) -> bool:
    """Does a loop only write numbers?"""
    return all(isinstance(t, Loop) or (isinstance(t, Store) and t.value.op == "const") for _, t in statements((s,)))


def _combine(s: Store, sums: dict[object, str]) -> str:
    """The reduction a store belongs to: of an accumulator, or old value and new; "" if it is none."""
    if s.value.op == "accumulator":
        return sums.get(s.value.what, "")
    old = s.value.args[0] if s.value.args else s.value
    same = old.op == "load" and old.what[:2] == (s.buffer, s.address)
    return s.value.op if same and s.value.op in ("add", "mul", "max", "min", "and", "or") else ""


def combination(own: Own, dtype: object, stride: int, blocks: int) -> Nest:
    """What the blocks have come to, combined in their order: buffer 0 from buffer 1, which holds one every `stride`."""
    i, k = variable(0), variable(1).scaled(stride)
    first, other = load(1, i, dtype), load(1, i + k + Affine(stride), dtype)  # type: ignore[arg-type]
    total = Scalar("accumulator", (), first.dtype, 0)
    rest = Loop(1, blocks - 1, (Update(0, own.combine, other),))
    body = Loop(0, own.size, (Start(0, first), rest, Store(0, i, total)))
    return Nest((body,), (first.dtype, first.dtype), 1)

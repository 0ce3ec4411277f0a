"""Which loops are printed in vectors: innermost ones that write their buffers in order, or in one place.

Floor 4. To say it here, and not leave it to LLVM's vectoriser, is most of the time LLVM takes for a small program: its
search, and a second copy of each loop for the elements that are left over (ours are masked).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from minigrad.frozen import dataclass
from minigrad.loops.index import Affine
from minigrad.loops.nest import Let, Loop, Start, Store, Update, read
from minigrad.loops.scalar import Scalar, needed, place

NEAR = (-1, 1, 2)  # steps between elements for which all that lies between them is read
_GATHER = 4  # operations per element that lies apart from the others, from which vectors gain
_WOVEN = 4  # values that are stored side by side, as one vector
_SUMS = 16  # vectors of sums, which shall stay in registers: nine sums of products one at a time take 0.8 of the time
# One thread of a Zen 4 core, float32 turned pass by pass and in tiles: 2048x2048 24 and 5 ms, 1000x1000 0.69 and 0.18.
_TILE = 8  # lanes of what is turned in registers, at most: with 16 as fast, but LLVM takes 10 ms longer
_TURNED = 1 << 14  # elements from which it is worth the 2 to 4 ms that LLVM takes for it: of 100x100 1 of 6 µs
_SHORT, _MIDDLING = 24, 120  # operations of a pass up to which a sum is four, or two: each waits for its own last term


@dataclass(frozen=True)
class Vectors:
    """`lanes` passes at once, and `unroll` such vectors each on its own, while there are so many; the scalars that are
    the same in all passes; is there much to do in a pass? By buffer, the stores of which each pass has all that lie
    between its own and the next one's, in order."""

    lanes: int
    unroll: int
    uniform: tuple[Scalar, ...]
    long: bool
    woven: dict[int, tuple[Store, ...]]


@dataclass(frozen=True)
class Tiles:
    """A loop, others in it, and in these one in vectors, along which some loads go in large steps; but along the first
    they are in order. So both are done tile by tile, as many passes of each as a vector has lanes."""

    others: tuple[Loop, ...]
    inner: Loop
    how: Vectors
    loads: tuple[Scalar, ...]


def tiles(loop: Loop, width: int) -> Tiles | None:
    """How to run a loop and those inside in tiles; None if it has to be run as it stands, or is not worth it."""
    inside = list(_alone(loop))
    if not inside or loop.extent * inside[-1].extent < _TURNED:
        return None
    *others, inner = inside
    if not all(isinstance(s, Let) or (isinstance(s, Store) and not s.at) for s in inner.body):
        return None
    loads = [x for x in needed([x for s in inner.body for x in read(s)]) if x.op == "load"]
    stored = {s.buffer for s in inner.body if isinstance(s, Store)}
    turned = tuple([x for x in loads if _crosses(x, loop.variable, inner.variable)])
    if not turned or any(x.what[0] in stored for x in loads):
        return None
    how = vectors(inner, width, turned)
    if how is None or how.woven or how.lanes < 4 or min(loop.extent, inner.extent) < how.lanes:
        return None
    return Tiles(tuple(others), inner, how, turned)


def _alone(loop: Loop) -> Iterator[Loop]:
    """The loops inside, each of them all that the one around it does."""
    while len(loop.body) == 1 and isinstance(loop.body[0], Loop):
        loop = loop.body[0]
        yield loop


def _crosses(x: Scalar, outer: int, inner: int) -> bool:
    """Is a load in order along the outer loop, but not along the inner one?"""
    place = x.what[1]
    return not x.args and place.coefficient(outer) == 1 and place.coefficient(inner) not in (0, *NEAR)


def vectors(loop: Loop, width: int, turned: Sequence[Scalar] = ()) -> Vectors | None:
    """How to run a loop in vectors of `width` bytes; None if it has to be run pass by pass.

    `turned`: the loads that will be in order by then.
    """
    if any(isinstance(s, (Loop, Start)) or (isinstance(s, Update) and s.combine == "set") for s in loop.body):
        return None
    kept = [x for s in loop.body for x in read(s)]
    scalars = needed(kept)
    moving = _moving(scalars, loop.variable)
    stored: dict[int, list[Any]] = {}
    for s in loop.body:
        if isinstance(s, Store):
            stored.setdefault(s.buffer, []).append((s.address, s.at, s.steps))
    updated = {s.accumulator for s in loop.body if isinstance(s, Update)}
    loaded = {x.what[0] for x in scalars if x.op == "load"}
    woven = {k: found for k in stored if k not in loaded and (found := _woven(loop, k))}
    for s in loop.body:
        if isinstance(s, Store) and s.buffer not in woven and not _in_order(s, loop, moving, stored[s.buffer]):
            return None
    for x in scalars:
        if x.op == "accumulator" and x.what in updated:
            return None
        if x.op == "load" and any(_meets(_spot(x), to, loop.extent) for to in stored.get(x.what[0], ())):
            return None
        if _is_anywhere(x, moving) and place(x).coefficient(loop.variable):
            return None
    if any(x.serial in moving and _is_alone(x) for x in needed(kept, always=True)):
        return None
    loads = [x for x in scalars if x.op == "load" and x.serial in moving]
    steps = [x.what[1].coefficient(loop.variable) for x in loads if x not in turned]
    strided = sum(k not in NEAR for k in steps)  # where data points the step is 0
    if strided * _GATHER > len(moving) - len(steps):
        return None
    results = [s.value for s in loop.body if isinstance(s, Store | Update)]
    lanes = width // max([x.dtype.itemsize for x in (*loads, *results)])  # what is wider in between takes several
    lanes = min(lanes, 1 << (loop.extent - 1).bit_length(), *([_TILE] if turned else []))
    if loop.extent < 3 or any(abs(k) * lanes >= 1 << 31 for k in steps):
        return None
    unroll = (4 if len(moving) <= _SHORT else 2 if len(moving) <= _MIDDLING else 1) if updated else 1
    while unroll > 1 and unroll * len(updated) > _SUMS:
        unroll //= 2
    uses = [*(a for x in scalars if x.serial in moving for a in x.args), *(x for s in loop.body for x in read(s))]
    once = {x.serial: x for x in uses if x.serial not in moving and x.op != "const"}
    return Vectors(lanes, max(1, min(unroll, loop.extent // lanes)), tuple(once.values()), len(moving) > _SHORT, woven)


def _woven(loop: Loop, buffer: int) -> tuple[Store, ...]:
    """All stores into a buffer, if a pass fills all that lies between its first element and the next pass's.

    Not those of bytes: LLVM 22 does not come to an end with a mask that is widened to bytes and shuffled with itself.
    """
    stores = [s for s in loop.body if isinstance(s, Store) and s.buffer == buffer]
    first, n = min((s.address for s in stores), key=lambda a: a.const), len(stores)
    if not 2 <= n <= _WOVEN or first.coefficient(loop.variable) != n or stores[0].value.dtype.itemsize == 1:
        return ()
    places = {s.address.const - first.const: s for s in stores if s.address.terms == first.terms and not s.at}
    return tuple([places[k] for k in range(n)]) if places.keys() == set(range(n)) else ()


def _moving(scalars: Iterable[Scalar], variable: int) -> set[int]:
    """The scalars that differ from pass to pass."""
    found: set[int] = set()
    for x in scalars:
        if any(a.serial in found for a in x.args) or (x.op in ("load", "index") and place(x).coefficient(variable)):
            found.add(x.serial)
    return found


def _is_alone(x: Scalar) -> bool:
    """Is there no such operation for vectors? (One that is rarely needed may be done lane by lane.)"""
    return x.op == "call" or (x.op in ("floor_div", "rem") and x.args[1].op != "const")


def _is_anywhere(x: Scalar, moving: set[int]) -> bool:
    """Does a load read at positions that differ from pass to pass?"""
    return x.op == "load" and any(a.serial in moving for a in x.args)


def _spot(x: Scalar) -> tuple[Affine, tuple[Scalar, ...], tuple[int, ...]]:
    """Where a load reads: address, positions that are data, and their strides."""
    return x.what[1], x.args, x.what[2] if x.args else ()


def _meets(here: Any, written: Any, extent: int) -> bool:
    """Might a pass read, or write, what another one writes? The same place is its own; some are too far apart."""
    (a, *others), (b, *more) = here, written
    return bool(others != more or a.terms != b.terms or 0 < abs(a.const - b.const) < extent)


def _in_order(s: Store, loop: Loop, moving: set[int], stored: Iterable[Any]) -> bool:
    """Are neighbouring lanes stored side by side, and apart from what else is stored in that buffer?"""
    here = (s.address, s.at, s.steps)
    apart = not any(_meets(here, to, loop.extent) for to in stored)
    return s.address.coefficient(loop.variable) == 1 and not any(x.serial in moving for x in s.at) and apart

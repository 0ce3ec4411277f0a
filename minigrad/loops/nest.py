"""Loop nests as data: what a kernel does, before any printer sees it.

Floor 4. A kernel is a tree of statements. Scalars are computed where they are first used; one computed in an outer
block is there for the inner ones. Buffers are numbers: the kernel's parameters in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from minigrad.loops.index import Affine
from minigrad.loops.scalar import Scalar, needed, show
from minigrad.types import SHORT, DType


@dataclass(frozen=True, slots=True)
class Loop:
    """Run `body` for variable = 0 .. extent − 1."""

    variable: int
    extent: int
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """buffer[address] = value; positions that are data are added to the address, times their strides."""

    buffer: int
    address: Affine
    value: Scalar
    at: tuple[Scalar, ...] = ()
    steps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Let:
    """Compute this here, for the statements that follow in this block."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Start:
    """An accumulator begins with this value."""

    accumulator: Any  # what names it
    value: Scalar


@dataclass(frozen=True, slots=True)
class Update:
    """accumulator = combine(accumulator, value); `combine` is add, mul, max, min, and, or; "set": the value."""

    accumulator: Any  # what names it
    combine: str
    value: Scalar


Statement: TypeAlias = Loop | Store | Let | Start | Update


@dataclass(frozen=True, slots=True)
class Nest:
    """The statements of one kernel and the dtypes of its buffers; the first `outputs` of them are written.

    `streamed`: those nobody reads for long, so that it were a waste to fetch what is overwritten into the cache.
    `room`: the sizes of those that hold nothing from one pass of the outermost loop to the next.
    """

    body: tuple[Statement, ...]
    buffers: tuple[DType, ...]
    outputs: int
    streamed: frozenset[int] = frozenset()
    room: tuple[tuple[int, int], ...] = ()  # (buffer, elements)


def statements(body: tuple[Statement, ...], depth: int = 0) -> Iterator[tuple[int, Statement]]:
    """Every statement with its depth, in order."""
    for s in body:
        yield depth, s
        if isinstance(s, Loop):
            yield from statements(s.body, depth + 1)


def around(body: Sequence[Statement], loops: Sequence[int], sizes: Sequence[int]) -> list[Statement]:
    """The statements inside these loops, the first one outermost."""
    statements = list(body)
    for k in reversed(loops):
        statements = [Loop(k, sizes[k], tuple(statements))]
    return statements


def read(s: Statement) -> tuple[Scalar, ...]:
    """The scalars a statement by itself needs."""
    return () if isinstance(s, Loop) else (s.value, *s.at) if isinstance(s, Store) else (s.value,)


def operations(nest: Nest) -> int:
    """How many scalar operations stand in a kernel."""
    values = [x for _, s in statements(nest.body) for x in read(s)]
    return sum(x.op not in ("const", "load", "accumulator") for x in needed(values))


def to_text(nest: Nest) -> str:
    """The nest for people."""
    lines = [f"kernel({', '.join(f'b{k}: {SHORT[d]}' for k, d in enumerate(nest.buffers))})"]
    for depth, s in statements(nest.body, 1):
        match s:
            case Loop(variable=v, extent=n):
                line = f"for i{v} in range({n}):"
            case Store():
                places = "".join(f" + {k}*{show(x)}" for x, k in zip(s.at, s.steps, strict=True))
                line = f"b{s.buffer}[{s.address}{places}] = {show(s.value)}"
            case Let():
                line = f"let {show(s.value)}"
            case Start():
                line = f"a{s.accumulator} = {show(s.value)}"
            case Update():
                line = f"a{s.accumulator} = {s.combine}(a{s.accumulator}, {show(s.value)})"
        lines.append("    " * depth + line)
    return "\n".join(lines)

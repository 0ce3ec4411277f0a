"""What a schedule is made of: roots (values that are stored) and the parts that compute them; kernels.

Floor 4. All of it is data, for the lowering and for people.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from minigrad.control import Scan, While
from minigrad.graph import Atom, Graph, Node, Var
from minigrad.loops.index import Affine, Indices
from minigrad.passes.schedule.matmul import Cut, MatMul
from minigrad.passes.schedule.patches import Patches
from minigrad.passes.schedule.thin import SumOfProducts
from minigrad.types import TensorType


@dataclass(frozen=True)
class Position:
    """A position along `axis`: element `at` of a tensor, brought into 0 .. highest."""

    axis: int
    tensor: Atom
    at: Indices
    highest: int


@dataclass(frozen=True)
class Spot:
    """A place in a tensor: `rest` plus the positions. `dropped`: what lies beyond is neither read nor written."""

    shape: tuple[int, ...]
    rest: Indices
    positions: tuple[Position, ...]
    dropped: bool


@dataclass(eq=False)
class Part:
    """One loop space: at each of its points `value` is computed, by way of `steps`, and goes to `target`.

    `steps` are the nodes computed on the way with the element each gives, consumers first. `reads` are the stored
    values it loads, with the elements (nothing in place of the indices: anywhere). With `put` the target is that place,
    and the value is combined with what stands there.
    """

    extents: tuple[int, ...]
    value: tuple[Atom, Indices]
    target: Affine
    steps: list[tuple[Node, Indices]] = field(default_factory=list)
    reads: list[tuple[Atom, Indices]] = field(default_factory=list)
    cost: int = 0
    put: Spot | None = None
    combine: str = "set"


@dataclass(eq=False)
class Root:
    """A value that may be stored. kind: "map" (a point for each element), "reduce", "join" (pieces side by side),
    "running" (each element from the one before), "sort" (row by row; `room` is memory for one), or "tiles" (Mixed). If
    its loops are `turned` these are its axes in their order (see `columns`)."""

    node: Node
    kind: str
    parts: list[Part]
    level: int = 0
    room: tuple[Var, ...] = ()
    turned: tuple[int, ...] = ()

    @property
    def out(self) -> Var:
        return self.node.out

    @property
    def alone(self) -> bool:
        """It shares its loops with no other."""
        return self.kind not in ("map", "reduce") or isinstance(self.node.op, SumOfProducts)

    @property
    def across(self) -> bool:
        """A reduction over the outer axes, or all: it can be added to from within loops over the inner ones."""
        return self.kind == "reduce" and len(self._axes) > 0 and self._axes == tuple(range(len(self._axes)))

    @property
    def total(self) -> bool:
        """A reduction over all axes."""
        return self.across and len(self._axes) == len(self.extents)

    @property
    def kept(self) -> tuple[int, ...] | None:
        """The extents of a reduction that stay, if it is over the innermost axes."""
        if self.kind != "reduce" or self.total:
            return None
        n = len(self.extents) - len(self._axes)
        return self.extents[:n] if self._axes == tuple(range(n, len(self.extents))) else None

    def row(self, rows: int) -> Sequence[int]:
        """The axes of the value that say in which row an element stands; that many are there."""
        return self.turned[:rows] if self.turned and self.kind == "map" else range(rows)

    def within(self, rows: int) -> Sequence[int]:
        """The others, in the order of the loops."""
        return self.turned[rows:] if self.turned else range(rows, len(self.extents))

    @property
    def _axes(self) -> tuple[int, ...]:
        if self.kind != "reduce":
            return ()
        axes: tuple[int, ...] = self.node.op.axes  # type: ignore[attr-defined]
        return tuple(sorted(map(self.turned.index, axes))) if self.turned else axes

    @property
    def extents(self) -> tuple[int, ...]:
        return self.parts[0].extents


@dataclass(eq=False)
class LoopKernel:
    """Loops: roots computed together, row by row (`rows`: the loops they share).

    Those in `stored` are written to memory; of those in `scratch` one row at a time, for later loops of the row. So
    many rows go `abreast` if they are columns, that lie side by side in memory (0: they are not; see `columns`).
    """

    roots: list[Root]
    rows: tuple[int, ...]
    abreast: int = 0
    stored: list[Root] = field(default_factory=list)
    scratch: list[Root] = field(default_factory=list)
    in_place: bool = False  # an update in the memory of what it is put into: the first part, the copy, is left out

    def reads(self) -> Iterator[Atom]:
        own = {r.out for r in self.roots}
        for r in self.roots:
            yield from (a for part in r.parts for a, _ in part.reads if a not in own)

    def writes(self) -> list[Var]:
        return [*(r.out for r in (*self.stored, *self.scratch)), *(v for r in self.roots for v in r.room)]

    def stages(self) -> dict[Root, int]:
        """In which loop over the row each root is computed; values with one element a row come before that loop.

        A reduction is known after its loop, so what reads it comes in a later one; so does what reads other elements of
        a row than the one being computed.
        """
        found: dict[Root, int] = {}
        by_value = {r.out: r for r in self.roots}
        for root in self.roots:
            stage = 0
            for a, view in root.parts[0].reads:
                mate = by_value.get(a) if isinstance(a, Var) else None
                if mate is not None:
                    still = mate.extents == root.extents and view == mate.parts[0].value[1]
                    here = mate.kind == "map" and (still or self.row_size(mate) == 1)
                    stage = max(stage, found[mate] + (not here))
            found[root] = stage
        return found

    def row_size(self, root: Root) -> int:
        """How many elements of a root one row has."""
        return math.prod(root.extents[len(self.rows) :])

    def room(self, root: Root) -> int:
        """How many elements of a root in `scratch` there are at a time."""
        return self.abreast or self.row_size(root)

    def __str__(self) -> str:
        nodes = {id(n): n for r in self.roots for part in r.parts for n, _ in part.steps}
        nodes.update({id(r.node): r.node for r in self.roots})
        return "loops: " + " ".join(sorted(n.op.label for n in nodes.values()))


@dataclass(eq=False)
class LibraryKernel:
    """A contraction done by BLAS, in parts if there is a `cut`, and the elementwise loops behind it (see `tails`).

    `whole` is why the loops begin when all of the product is there, not behind each part; nothing if they do not.
    """

    node: Node
    call: MatMul
    operands: tuple[Atom, Atom]
    tail: LoopKernel | None = None
    cut: Cut | None = None
    whole: str = ""

    def reads(self) -> Iterator[Atom]:
        yield from self.operands
        yield from self.tail.reads() if self.tail else ()

    def writes(self) -> list[Var]:
        return [*(self.tail.writes() if self.tail else ()), self.node.out]

    def __str__(self) -> str:
        return f"library: {self.call}" + (f", then {self.tail}" if self.tail else "")


@dataclass(eq=False)
class PatchKernel(LibraryKernel):
    """A convolution done by BLAS, panel by panel; `panel` is memory for one.

    `room` is memory for its product, if nobody but the tail wants that: in the whole its rows lie far apart, and where
    that is a power of two they drive each other from the cache.
    """

    call: Patches  # type: ignore[assignment]
    panel: Var = field(kw_only=True)
    room: Var | None = None

    def writes(self) -> list[Var]:
        return [*super().writes(), self.panel, *([self.room] if self.room is not None else [])]


@dataclass(eq=False)
class ForeignKernel:
    """An op without a lowering: its NumPy implementation, called back."""

    node: Node

    def reads(self) -> Iterator[Atom]:
        yield from self.node.ins

    def writes(self) -> list[Var]:
        return list(self.node.outs)

    def __str__(self) -> str:
        return f"reference: {self.node.op.label}"


@dataclass(eq=False)
class ControlKernel:
    """A scan, while or cond: the schedules of the graphs it holds, run by a loop or a branch of the program."""

    node: Node
    held: tuple[Schedule, ...]

    def reads(self) -> Iterator[Atom]:
        yield from self.node.ins

    def writes(self) -> list[Var]:
        return list(self.node.outs)

    def in_place(self) -> dict[int, tuple[int, int]]:
        """The carries with one place, where each new value is written over the old one: operand -> (result, spare)."""
        match self.node.op:
            case Scan(consts=first, carry=carries) if self.held:
                spare = 0
            case While(consts=first):
                spare, carries = 1, len(self.node.outs)
            case _:
                return {}
        body = self.held[-1]
        pairs = enumerate(zip(body.graph.inputs[first : first + carries], body.graph.outputs, strict=False))
        return {first + c: (c, spare + c) for c, (v, a) in pairs if body.base(a) is v}

    def spares(self) -> list[TensorType]:
        """What it keeps besides: the condition of a while, and of each carry the one before or after, in turns."""
        single = {c for c, _ in self.in_place().values()}
        others = [v.type.with_shape((0,)) if c in single else v.type for c, v in enumerate(self.node.outs)]
        match self.node.op:
            case Scan(carry=carry):
                return others[:carry]
            case While(cond=cond):
                return [*cond.out_types, *others]
        return []

    def __str__(self) -> str:
        inside = "; ".join(", ".join(map(str, s.kernels)) for s in self.held)
        return f"{self.node.op.label}: ({inside})"


@dataclass(eq=False)
class CopyKernel:
    """A value that is an output as it is (an input, a constant, another output): copied."""

    source: Atom
    output: int

    def reads(self) -> Iterator[Atom]:
        yield self.source

    def writes(self) -> list[Var]:
        return []

    def __str__(self) -> str:
        return f"copy to output {self.output}"


Kernel: TypeAlias = LoopKernel | LibraryKernel | ForeignKernel | ControlKernel | CopyKernel


@dataclass(eq=False)
class Schedule:
    """The kernels of a graph in the order they run. `alias`: reshapes that only rename the memory of another value.

    `reused`: donated inputs, and the outputs that take over their memory. `streamed`: large outputs that nothing here
    reads. `why`: the reason why a value is stored. `apart`: (what loads, what it loads, why they are not one kernel).
    `behind`: (loops that load a product, the product, why they are not its tail).
    """

    graph: Graph
    kernels: list[Kernel]
    alias: dict[Var, Atom]
    reused: dict[Var, Var] = field(default_factory=dict)
    streamed: set[Atom] = field(default_factory=set)
    why: dict[Atom, str] = field(default_factory=dict)
    apart: list[tuple[Root, Root, str]] = field(default_factory=list)
    behind: list[tuple[LoopKernel, Var, str]] = field(default_factory=list)

    def base(self, a: Atom) -> Atom:
        """The value whose memory this one is."""
        while isinstance(a, Var) and a in self.alias:
            a = self.alias[a]
        return a

    def every(self) -> Iterator[Kernel]:
        """The kernels, each that holds others before those."""
        for kernel in self.kernels:
            yield kernel
            if isinstance(kernel, ControlKernel):
                for held in kernel.held:
                    yield from held.every()

    def __str__(self) -> str:
        return "\n".join(f"{k}: {kernel}" for k, kernel in enumerate(self.kernels))

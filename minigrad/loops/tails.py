"""The function of a product's tail: its loops over a part of the product at a time (see `passes.schedule.tails`).

Floor 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from minigrad.graph import Atom
from minigrad.loops import to_llvm
from minigrad.loops.index import Affine
from minigrad.loops.llvm_scalars import Module
from minigrad.loops.lower import lower
from minigrad.loops.nest import Loop, Nest, read, statements
from minigrad.loops.parallel import defined
from minigrad.loops.scalar import needed
from minigrad.loops.split import work
from minigrad.passes.schedule.parts import LibraryKernel, LoopKernel, PatchKernel, Schedule


@dataclass(frozen=True)
class Tail:
    """A function (the ranges of its `spans`, its buffers) -> nothing; `work`: scalar operations for all of the product.

    `spans`: rows and columns (what is of size 1 has no loop), or passes: of so many elements in order, `each`. If a
    panel's product stands in memory of its own, its rows `leading` apart, that is one buffer more, counted as the whole
    is.
    """

    name: str
    spans: tuple[str, ...]
    each: int
    buffers: int
    work: int
    leading: int = 0

    def call(self, ranges: Mapping[str, tuple[str, str]], first: int, room: str = "") -> str:
        """The line; `first`: the number of its first buffer."""
        numbers = [f"i64 {x}" for span in self.spans for x in ranges[span]]
        buffers = [f"ptr %b{first + k}" for k in range(self.buffers)] + [f"ptr {room}"] * (self.leading > 0)
        return f"  call void @{self.name}({', '.join([*numbers, *buffers])})"


def tail(kernel: LibraryKernel, schedule: Schedule, module: Module) -> tuple[Tail, list[Atom]]:
    """The tail of a product that is done in parts, and the values its buffers are."""
    loops, cut, elements = kernel.tail, kernel.cut, kernel.node.out.type.size
    assert loops is not None
    if isinstance(kernel, PatchKernel):
        return _in_columns(kernel, loops, schedule, module)
    assert cut is not None
    nest, buffers = lower(loops, schedule)
    (loop,) = _within(nest, 1)
    each = elements // loop.extent
    text = to_llvm.function(nest, module, [(loop, cut.step * elements // cut.count // each)])
    return Tail(defined(text, module), ("passes",), each, len(buffers), work(nest.body, set())), buffers


def _in_columns(kernel: PatchKernel, loops: LoopKernel, schedule: Schedule, module: Module) -> tuple[Tail, list[Atom]]:
    """The tail of a convolution, over rows and columns of its product."""
    call, out, leading = kernel.call, kernel.node.out, 0
    nest, buffers = lower(loops, schedule, columns=call.columns)
    sizes = {"rows": (out.type.size // call.columns, call.outputs), "columns": (call.columns, call.product.n)}
    names = [name for name, (size, _) in sizes.items() if size > 1]
    spans = [(loop, sizes[name][1]) for loop, name in zip(_within(nest, len(names)), names, strict=True)]
    if kernel.room is not None:
        leading, base = call.product.n, schedule.base(out)
        moves = {"rows": leading, "columns": 1}
        at = Affine(0, tuple([(loop.variable, moves[name]) for (loop, _), name in zip(spans, names, strict=True)]))
        nest = _elsewhere(nest, next(k for k, a in enumerate(buffers) if a is base), at)
    name = defined(to_llvm.function(nest, module, spans), module)
    return Tail(name, tuple(names), 1, len(buffers), work(nest.body, set()), leading), buffers


def _within(nest: Nest, depth: int) -> Sequence[Loop]:
    """The outermost loops, each all that the one around it holds."""
    found, body = list[Loop](), nest.body
    for _ in range(depth):
        (loop,) = body
        assert isinstance(loop, Loop)
        found.append(loop)
        body = loop.body
    return found


def _elsewhere(nest: Nest, buffer: int, at: Affine) -> Nest:
    """The nest with what it loads from a buffer taken from one more, at this address."""
    for x in needed([value for _, s in statements(nest.body) for value in read(s)]):
        if x.op == "load" and x.what[0] == buffer:
            x.what = (len(nest.buffers), at, *x.what[2:])
    return replace(nest, buffers=(*nest.buffers, nest.buffers[buffer]))

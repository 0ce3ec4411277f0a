"""Elementwise loops behind products: bias, activation, residual and update run over what BLAS has just computed.

Floor 4. Loops with one point for each element of a product, which read it nowhere else, are its tail. Where the product
is done in parts (panels of patches, lanes of a batch, blocks of rows) they run over each part while that is in the
core's cache, else behind the whole. If nobody else reads the product it stands where the tail's result will, or, of a
convolution, only a panel's is ever there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from minigrad.graph import Atom, Var
from minigrad.loops.index import Affine, address, identity, merged, strides
from minigrad.passes.schedule.counted import Numbers
from minigrad.passes.schedule.in_place import reads_where_it_writes
from minigrad.passes.schedule.matmul import Cut, MatMul
from minigrad.passes.schedule.parts import Kernel, LibraryKernel, LoopKernel, PatchKernel, Schedule
from minigrad.types import TensorType

_PART = 1 << 17  # elements of a part, which stay in a core's own cache: half a megabyte of float32
_BLOCKS = 8  # for threads; a batch of fewer lanes is left to BLAS's own
_SHARED = 1 << 23  # operations that are worth several threads: 0.1 ms
_AGAIN = 0.5  # BLAS arranges an operand anew for each part: so many elements for one of the product
_LINE = 64  # rows of a block are a multiple of this, as BLAS wants them


def behind(s: Schedule) -> None:
    """Give products their tails, and cut them."""
    tails = _Tails(s)
    for kernel in list(s.kernels):
        if isinstance(kernel, LoopKernel):
            tails.place(kernel)
    s.kernels = sorted(tails.order, key=tails.order.__getitem__)
    given = set(map(s.base, s.graph.outputs))
    for kernel in s.kernels:
        if isinstance(kernel, LibraryKernel):
            _cut(kernel)
            out = kernel.node.out
            if kernel.tail is not None and out not in given and tails.readers[out] == {kernel}:
                _share(s, out, kernel.tail, given)
                if isinstance(kernel, PatchKernel) and not kernel.whole:
                    shape = kernel.call.blocks[0], kernel.call.outputs, kernel.call.product.n
                    kernel.room = Var(TensorType(shape, kernel.call.dtype))


class _Tails:
    """Which loops follow which product; they run where that stood."""

    def __init__(self, s: Schedule) -> None:
        self.schedule = s
        self.order: dict[Kernel, int] = {kernel: k for k, kernel in enumerate(s.kernels)}
        self.writer: dict[Atom, Kernel] = {v: kernel for kernel in s.kernels for v in kernel.writes()}
        self.readers: dict[Atom, set[Kernel]] = {}
        for kernel in s.kernels:
            for a in kernel.reads():
                self.readers.setdefault(s.base(a), set()).add(kernel)

    def place(self, kernel: LoopKernel) -> None:
        """Make a kernel the tail of the last product that it can be one of."""
        found = {self.writer.get(self.schedule.base(a)) for a in kernel.reads()}
        products = [p for p in found if isinstance(p, LibraryKernel)]
        for product in sorted(products, key=self.order.__getitem__, reverse=True):
            why = self.against(kernel, product)
            if why:
                self.schedule.behind.append((kernel, product.node.out, why))
            else:
                self.join(kernel, product)
                return

    def against(self, kernel: LoopKernel, product: LibraryKernel) -> str:
        """Why a kernel cannot be the tail of a product; nothing if it can."""
        if any(r.kind != "map" or r.extents != kernel.rows for r in kernel.roots):
            return "not all of it is computed element by element"
        if not _reads_in_order(kernel, product.node.out, self.schedule):
            return "its elements are not those of the product, in the same order"
        if product.tail is not None:
            return "another kernel is the product's tail"
        if not self.precedes(
            product, kernel
        ):  # the product waiting for it would keep operands alive, and let them cool
            return "it waits for what is computed after the product"
        return ""

    def precedes(self, product: LibraryKernel, kernel: LoopKernel) -> bool:
        """Is all there, when the product is done, that its tail reads?"""
        writers = {self.writer.get(self.schedule.base(a)) for a in kernel.reads()} - {product}
        return all(self.order[w] < self.order[product] for w in writers if w is not None)

    def join(self, kernel: LoopKernel, product: LibraryKernel) -> None:
        del self.order[kernel]
        product.tail = kernel
        for a in kernel.reads():
            self.readers[self.schedule.base(a)] |= {product}
            self.readers[self.schedule.base(a)] -= {kernel}
        self.writer.update(dict.fromkeys(kernel.writes(), product))


def _reads_in_order(kernel: LoopKernel, product: Var, s: Schedule) -> bool:
    """Does each point of a kernel read the product's element of the same number, and no other?"""
    here = _flat(kernel.rows)
    reads = [(a, view) for r in kernel.roots for a, view in r.parts[0].reads if s.base(a) is product]
    alike = all(a.type.size == product.type.size and a.type.dtype == product.type.dtype for a, _ in reads)
    return (
        math.prod(kernel.rows) == product.type.size
        and alike
        and all((view or not a.type.shape) and address(view, a.type.shape) == here for a, view in reads)
    )


def _flat(shape: tuple[int, ...]) -> Affine:
    return address(identity(shape), shape)


def _share(s: Schedule, product: Var, tail: LoopKernel, given: set[Atom]) -> None:
    """Let a product that nobody else reads stand where a result of its tail will, if that is in the arena.

    Outputs are not: small ones are not aligned as BLAS wants it (2 % of a step), large ones go past the caches.
    """
    for root in tail.stored:
        if root.out in given:
            continue
        if root.out.type.dtype == product.type.dtype and reads_where_it_writes(s, tail, product, root.out):
            s.alias[product] = root.out
            return


# ── parts ────────────────────────────────────────────────────────────────────────────────────────
def _cut(kernel: LibraryKernel) -> None:
    """In which parts a product is done, and whether its tail goes along."""
    tail = kernel.tail
    if isinstance(kernel, PatchKernel):
        if kernel.call.summed:
            kernel.whole = "the products of its panels are added up"
        elif tail is not None and not _in_columns(tail, kernel.call.columns):
            kernel.whole = "its loops are not over rows and columns"
        return
    if tail is None:  # only loops behind parts of it ask in which order they are done
        kernel.call = replace(kernel.call, lanes=tuple(sorted(kernel.call.lanes, key=lambda lane: -lane[0])))
    kernel.cut, kernel.whole = _lanes(kernel.call) if kernel.call.lanes else _rows(kernel.call)
    if kernel.cut is not None and tail is not None and not _in_step(tail, kernel.call, kernel.cut):
        kernel.whole = "its loops are not over rows and columns"
    if kernel.cut is not None and kernel.cut.axis == "rows" and (tail is None or kernel.whole):
        kernel.cut = None


def _lanes(call: MatMul) -> tuple[Cut | None, str]:
    """A batch in parts, each of lanes whose product stays in the cache; or why it is done as a whole."""
    count = call.lanes[0][0]
    if call.work < _SHARED:
        return None, "it is small"
    if count < _BLOCKS or call.m * call.n > _PART:
        return None, "its lanes are few, or large"
    most = -(-count // (2 * _BLOCKS))  # small: of 36 lanes two threads do 6 parts of 3 each, or 20 and 16 in parts of 4
    return Cut("lanes", count, min(most, max(_PART * count // call.elements, 1))), ""


def _rows(call: MatMul) -> tuple[Cut | None, str]:
    """One product in blocks of rows; or why it is done as a whole."""
    if call.elements <= _PART or call.work < _SHARED:
        return None, "it is small"
    blocks = max(-(-call.elements // _PART), _BLOCKS)
    if blocks * call.n * call.k > _AGAIN * call.elements:
        return (
            None,
            f"in {blocks} blocks of rows BLAS would arrange the other {call.n}×{call.k} elements {blocks} times",
        )
    step = -(-call.m // blocks)
    return Cut("rows", call.m, -(-step // _LINE) * _LINE), ""


def _in_step(tail: LoopKernel, call: MatMul, cut: Cut) -> bool:
    """Are the parts of a product passes of its tail's loops?"""
    runs = _runs(tail, 0)
    return bool(runs) and cut.step * call.elements // cut.count % _flat(tail.rows).coefficient(runs[0][-1]) == 0


def _in_columns(tail: LoopKernel, columns: int) -> bool:
    """Is a tail a loop over rows with one over so many columns inside?"""
    runs, shape = _runs(tail, columns), tail.rows
    steps = [strides(shape)[run[-1]] for run in runs]
    sizes = [math.prod(shape[v] for v in run) for run in runs]
    fine = {(columns, math.prod(shape) // columns), (1, columns)}
    return bool(runs) and all(both in fine for both in zip(steps, sizes, strict=True))


def _runs(tail: LoopKernel, columns: int) -> list[list[int]]:
    """The loops that a tail comes to; none if it reads at places that are data."""
    parts = [r.parts[0] for r in tail.roots]
    if any(view == () and a.type.shape for part in parts for a, view in part.reads):
        return []
    found = [address(view, a.type.shape) for part in parts for a, view in part.reads]
    found += [view[0] for part in parts for n, view in part.steps if isinstance(n.op, Numbers)]
    apart = [within_rows(tail.rows, columns)] if columns else []
    return merged([_flat(tail.rows), *found, *apart], range(len(tail.rows)), tail.rows)


def within_rows(shape: Sequence[int], columns: int) -> Affine:
    """The number of an element within its row of so many: loops that are the same for it do not go across rows."""
    steps = enumerate(strides(shape))
    return Affine(0, tuple([(k, step) for k, step in steps if step < columns and shape[k] != 1]))

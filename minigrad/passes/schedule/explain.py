"""A schedule for people: what each kernel computes, for which lines, what it loads and stores, what is apart and why.

Floor 4. The reasons are those the schedule was made with (`Schedule.why` and `Schedule.apart`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from minigrad.control import Scan, While
from minigrad.graph import Atom, Node, Var
from minigrad.passes.schedule.parts import (
    ControlKernel,
    CopyKernel,
    ForeignKernel,
    Kernel,
    LibraryKernel,
    LoopKernel,
    Root,
    Schedule,
)
from minigrad.types import TensorType

_WIDTH = 72  # of a line of the user's


def explain(schedule: Schedule) -> str:
    """The kernels of a schedule, as text."""
    return "\n".join(_Explained(schedule).lines())


class _Explained:
    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.kernels = schedule.kernels
        self.writer = {v: k for k, kernel in enumerate(self.kernels) for v in kernel.writes()}
        self.outputs = set(map(schedule.base, schedule.graph.outputs))
        told = [r for kernel in self.kernels for r in _stored(kernel)]
        self.names = _names({r.out: r.node for r in (*told, *[mate for _, mate, _ in schedule.apart])})
        self.readers: dict[Atom, list[int]] = {}
        for k, kernel in enumerate(self.kernels):
            for a in self.loaded(kernel):
                self.readers.setdefault(a, []).append(k)

    def loaded(self, kernel: Kernel) -> list[Atom]:
        own = {self.schedule.base(v) for v in kernel.writes()} if isinstance(kernel, LibraryKernel) else ()
        return [a for a in dict.fromkeys(map(self.schedule.base, kernel.reads())) if a not in own]

    def stored(self, kernel: Kernel) -> list[TensorType]:
        if isinstance(kernel, CopyKernel):
            return [kernel.source.type]
        stored = [r.out.type for r in _stored(kernel)]
        if isinstance(kernel, LibraryKernel):
            return [*stored, *[kernel.node.out.type] * (kernel.node.out not in self.schedule.alias)]
        return stored if isinstance(kernel, LoopKernel) else [v.type for v in kernel.writes()]

    def lines(self) -> Iterator[str]:
        graph = self.schedule.graph
        read = [a.type for kernel in self.kernels for a in self.loaded(kernel)]
        written = [t for kernel in self.kernels for t in self.stored(kernel)]
        calls = sum(isinstance(kernel, LibraryKernel) for kernel in self.kernels)
        foreign = sum(isinstance(kernel, ForeignKernel) for kernel in self.kernels)
        yield (
            f"{graph.name}: {_many(len(graph.nodes), 'op')} in {_many(len(self.kernels), 'kernel')} "
            f"({_many(calls, 'library call')}, {_many(foreign, 'call')} of the reference); "
            f"{_bytes(read)} read, {_bytes(written)} written"
        )
        for k, kernel in enumerate(self.kernels):
            types = [a.type for a in self.loaded(kernel)]
            yield f"{k:>3}  {_title(kernel)}: {_bytes(types)} read, {_bytes(self.stored(kernel))} written"
            yield from (f"     {text}" for text in self.about(k, kernel))

    def about(self, k: int, kernel: Kernel) -> Iterator[str]:
        """The user's lines with the ops they became, then why it ends where it ends."""
        by_place: dict[str, tuple[str, list[str]]] = {}
        for n in _nodes(kernel):
            by_place.setdefault(n.line.place, (n.line.text, []))[1].append(n.op.label)
        wide = max(map(len, by_place), default=0)
        for place, (text, labels) in by_place.items():
            yield f"{place:<{wide}}  {_short(text)}  # {' '.join(dict.fromkeys(labels))}"
        for root in _stored(kernel):
            readers = ", ".join(str(r) for r in self.readers.get(self.schedule.base(root.out), ()) if r > k)
            to = f", for {'kernels' if ',' in readers else 'kernel'} {readers}" if readers else ""
            yield f"- stores {self.names[root.out]}{to}: {self.why(root)}"
        if isinstance(kernel, LibraryKernel) and kernel.tail is not None and kernel.whole:
            yield f"- its loops run when all of the product is there: {kernel.whole}"
        if isinstance(kernel, ControlKernel):
            for held in kernel.held:
                yield from _Explained(held).lines()
        if isinstance(kernel, LoopKernel):
            own = {r.out for r in kernel.roots}
            for reader, mate, reason in self.schedule.apart:
                if reader.out in own and self.writer.get(mate.out, k) != k:
                    yield f"- apart from kernel {self.writer[mate.out]}, which stores {self.names[mate.out]}: {reason}"
            for loops, product, reason in self.schedule.behind:
                if loops is kernel:
                    yield f"- not fused behind kernel {self.writer[product]}, a product it reads: {reason}"

    def why(self, root: Root) -> str:
        """The reason why it is stored, and not computed where it is read."""
        known = self.schedule.why.get(root.out)
        if self.schedule.base(root.out) in self.outputs:
            return known or "it is an output"
        kinds = {
            "reduce": "a reduction is known when its loop is over",
            "join": "it is put together in memory, piece by piece",
            "sort": "a sort is known when its loop is over",
        }
        return kinds.get(root.kind) or known or "it has loops of its own"


def _title(kernel: Kernel) -> str:
    match kernel:
        case LibraryKernel(tail=tail, cut=cut):
            parts = f" in {cut}" if cut is not None else ""
            return f"library call {kernel.call}{parts}{f', {_title(tail)}' if tail is not None else ''}"
        case LoopKernel(rows=rows, roots=[first, *_] as roots):
            length = max(map(kernel.row_size, roots))
            if kernel.in_place:
                return (
                    f"loops, {_many(math.prod(first.parts[1].extents), 'element')} put into {first.out.type} in place"
                )
            if first.kind == "join":
                return f"loops, {_many(len(first.parts), 'piece')} of {first.out.type}"
            if first.kind == "running":
                return f"loops over {_many(math.prod(rows), 'element')}, in order along axis {first.node.op.axis}"  # type: ignore[attr-defined]
            if first.kind == "sort":
                return f"loops that sort {_many(math.prod(rows[:-1]), 'row')} of {rows[-1]}"
            if kernel.abreast:
                return f"loops over {_many(math.prod(rows), 'column')} of {length}, {kernel.abreast} abreast"
            if rows and length > 1:
                return f"loops over {_many(math.prod(rows), 'row')} of {length}"
            return f"loops over {_many(math.prod(rows) * length, 'element')}"
        case ForeignKernel():
            return f"call of the reference {kernel.node.op.label}"
        case ControlKernel(node=Node(op=Scan(length=steps))):
            return f"loop of {_many(steps, 'step')} over its body"
        case ControlKernel(node=Node(op=While())):
            return "loop over its body while its condition holds"
        case ControlKernel():
            return f"one of {_many(len(kernel.held), 'branch', 'es')}"
    return str(kernel)


def _nodes(kernel: Kernel) -> list[Node]:
    """What a kernel computes, in an order that could be run."""
    if isinstance(kernel, CopyKernel):
        return []
    if not isinstance(kernel, LoopKernel | LibraryKernel):
        return [kernel.node]
    loops = kernel.tail if isinstance(kernel, LibraryKernel) else kernel
    found: dict[int, Node] = {id(kernel.node): kernel.node} if isinstance(kernel, LibraryKernel) else {}
    for r in loops.roots if loops is not None else ():
        found.update({id(n): n for part in r.parts for n, _ in reversed(part.steps)})
        found[id(r.node)] = r.node
    return list(found.values())


def _stored(kernel: Kernel) -> list[Root]:
    """What its loops store."""
    loops = kernel.tail if isinstance(kernel, LibraryKernel) else kernel
    return loops.stored if isinstance(loops, LoopKernel) else []


def _names(nodes: dict[Var, Node]) -> dict[Var, str]:
    """What to call values: those of equal ops at one line are numbered, in the order they are stored."""
    each = Counter((n.op.label, n.line.place) for n in nodes.values())
    seen, names = Counter[tuple[str, str]](), dict[Var, str]()
    for v, n in nodes.items():
        key = n.op.label, n.line.place
        seen[key] += 1
        names[v] = f"{n.op.label}{f' #{seen[key]}' * (each[key] > 1)} {v.type} of {n.line.place}"
    return names


def _many(n: int, what: str, ending: str = "s") -> str:
    return f"{n} {what}{ending * (n != 1)}"


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _bytes(types: Iterable[TensorType]) -> str:
    total = float(sum(t.size * t.dtype.itemsize for t in types))
    for unit in ("B", "KB", "MB"):
        if total < 1000:
            return f"{total:.3g} {unit}"
        total /= 1000
    return f"{total:.3g} GB"

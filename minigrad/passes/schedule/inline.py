"""Which values are stored, and what is computed on the way to each: one walk backward with index substitution.

Floor 4. When a node is reached all its readers are settled, so it is known from which loops, and at which elements, it
is wanted. It is computed there, on the way, unless something speaks for storing it (see `_on_the_way`). Substituting
indices while walking makes movement free; counting the elements a node is wanted at keeps fusion from blowing up.
"""

from __future__ import annotations

import math

from minigrad.graph import Atom, Const, Graph, Node, Var, repeated_element
from minigrad.loops import bodies
from minigrad.loops.index import Indices, address, identity, variable
from minigrad.ops.cumulative import Cumulative
from minigrad.ops.movement import Reshape, Sum
from minigrad.ops.pieces import Concatenate, Pad
from minigrad.ops.reduce import All, Any_, Max, Min, Prod
from minigrad.ops.running import RunningArg
from minigrad.ops.sort import ArgSort
from minigrad.passes.schedule import joins
from minigrad.passes.schedule.counted import Numbers
from minigrad.passes.schedule.matmul import Makers, MatMul, is_library_call, matmul
from minigrad.passes.schedule.moves import MOVES, broadcast, moved
from minigrad.passes.schedule.pairs import AsComplex, AsReal
from minigrad.passes.schedule.parts import Part, Root
from minigrad.passes.schedule.patches import Patches, is_patch_product, patches
from minigrad.passes.schedule.places import PUTS, TAKES, fits, spot
from minigrad.passes.schedule.places import parts as puts
from minigrad.passes.schedule.sorting import is_native, room
from minigrad.passes.schedule.weights import LIFTED, TAKE, Weights
from minigrad.passes.schedule.windows import Interleave, Mixed

REDUCTIONS = (Sum, Max, Min, Prod, All, Any_)
_BUDGET = 300  # additions' worth of work in one part
_UPDATE = 4  # of a tensor of so many times its size an update is stored before it is put there
_LONG = 30  # of an element that is stored apart from its neighbours
_WAY = 16  # of a position at which something is put
_VIEWS = 4  # at how many different elements a cheap value may be wanted by one part


def kind(n: Node) -> str:
    """How a node can be computed: map, move, view, take, reduce, running, sort, join, tiles, library or foreign."""
    dtypes = [a.type.dtype for a in n.ins]
    if isinstance(n.op, AsReal | AsComplex):
        return "view"
    if isinstance(n.op, MOVES):
        return "move" if dtypes[0].kind != "c" else "foreign"
    if any(d.kind == "c" for d in dtypes) or n.op.effect or n.op.many:
        return "foreign"
    if isinstance(n.op, REDUCTIONS):
        return "reduce"
    if isinstance(n.op, Numbers):
        return "map"
    if isinstance(n.op, Cumulative):
        return "running"
    if isinstance(n.op, ArgSort) and len(n.ins) == 1 and is_native(n.ins):
        return "sort"
    if isinstance(n.op, Pad | Concatenate | Interleave):
        return "join"
    if isinstance(n.op, Mixed):
        return "tiles"
    if is_library_call(n) or is_patch_product(n):
        return "library"
    if isinstance(n.op, TAKES + PUTS):
        return ("take" if isinstance(n.op, TAKES) else "join") if fits(n) else "foreign"
    return "map" if bodies.is_native(n.op, dtypes) else "foreign"


class Inliner:
    """The walk, and what it finds: `roots` (in the graph's order), `alias`, `calls` of the library."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers: Makers = {v: n for n in graph.nodes for v in n.outs}
        self.kinds = {id(n): kind(n) for n in graph.nodes}
        self.roots: dict[Var, Root] = {}
        self.alias: dict[Var, Atom] = {}
        self.calls: dict[Var, tuple[MatMul | Patches, Atom, Atom]] = {}
        self.why: dict[Atom, str] = dict.fromkeys(graph.outputs, "it is an output")  # stored, not computed on the way
        self._stored = {a for a in graph.outputs if isinstance(a, Var)}
        self._uses: dict[Var, dict[Part, list[Indices]]] = {}
        self._weights = Weights(graph, self.kinds)
        for n in reversed(graph.nodes):
            self._node(n)
        self.roots = {v: self.roots[v] for n in graph.nodes for v in n.outs if v in self.roots}

    # ── the walk ─────────────────────────────────────────────────────────────────────────────────
    def _node(self, n: Node) -> None:
        match self.kinds[id(n)]:
            case "foreign":
                self._store(n, *n.ins)
            case _ if n.out not in self._stored and n.out not in self._uses:
                pass  # nobody reads it
            case "library":
                found = patches(n, self.makers) if is_patch_product(n) else matmul(n, self.makers)
                assert found is not None, "layout has been run"
                self.calls[n.out] = found
                self._read(n.out, self._uses.get(n.out, {}))
                self._store(n, *found[1:])
            case "view":
                self.alias[n.out] = n.ins[0]
                self._store(n, n.ins[0])
                self._read(n.out, self._uses.get(n.out, {}))
            case "reduce":
                self._reduce(n)
            case "running":
                self._running(n)
            case "sort":
                self._sort(n)
            case "join":
                self._join(n)
            case "tiles":
                self._tiles(n)
            case _:
                self._elements(n)

    def _store(self, reader: Node, *atoms: Atom) -> None:
        for a in atoms:
            if isinstance(a, Var):
                self._stored.add(a)
                self.why.setdefault(a, f"{reader.op.label} reads it from memory")

    def _elements(self, n: Node) -> None:
        """A map or a movement: on the way of its readers, or a root of its own."""
        v = n.out
        uses = self._uses.get(v, {})
        if v not in self._stored and self._on_the_way(n, uses):
            for part, views in uses.items():
                for view in views:
                    self._step(n, part, view)
        elif isinstance(n.op, Reshape):
            self.alias[v] = n.ins[0]
            self._store(n, n.ins[0])
            self._read(v, uses)
        else:
            self._read(v, uses)
            part = Part(v.type.shape, (v, identity(v.type.shape)), address(identity(v.type.shape), v.type.shape))
            self.roots[v] = Root(n, "map", [part])
            self._step(n, part, part.value[1])

    def _reduce(self, n: Node) -> None:
        shape = n.ins[0].type.shape
        kept = [variable(d) for d in range(len(shape)) if d not in n.op.axes]  # type: ignore[attr-defined]
        part = Part(shape, (n.ins[0], identity(shape)), address(tuple(kept), n.out.type.shape))
        self.roots[n.out] = Root(n, "reduce", [part])
        self._read(n.out, self._uses.get(n.out, {}))
        self._use(n.ins[0], part, part.value[1])

    def _running(self, n: Node) -> None:
        """Element by element along the axis, backwards if it is so; where an extremum stood is looked up there."""
        shape, op = n.out.type.shape, n.op
        assert isinstance(op, Cumulative)
        at = list(identity(shape))
        if op.reverse:
            at[op.axis] = at[op.axis].scaled(-1).shifted(shape[op.axis] - 1)
        view = tuple(at)
        part = Part(shape, (n.out, view), address(view, shape), [(n, view)])
        self.roots[n.out] = Root(n, "running", [part])
        self._read(n.out, self._uses.get(n.out, {}))
        if isinstance(op, RunningArg):
            part.reads.append((n.ins[0], ()))
            self._store(n, n.ins[0])
        for a in n.ins:
            self._use(a, part, view)

    def _sort(self, n: Node) -> None:
        """Row by row, in loops of which the last runs along the axis."""
        x, axis = n.ins[0], n.op.axis  # type: ignore[attr-defined]
        shape = x.type.shape
        rows = iter(identity([m for d, m in enumerate(shape) if d != axis]))
        view = tuple([variable(len(shape) - 1) if d == axis else next(rows) for d in range(len(shape))])
        part = Part((*(m for d, m in enumerate(shape) if d != axis), shape[axis]), (x, view), address(view, shape))
        self.roots[n.out] = Root(n, "sort", [part], room=room(n))
        self._read(n.out, self._uses.get(n.out, {}))
        self._use(x, part, view)

    def _join(self, n: Node) -> None:
        """Each piece in loops of its own, stored where it belongs; what pads, or is put upon, is written before."""
        self._read(n.out, self._uses.get(n.out, {}))
        ways = {Pad: joins.padded, Concatenate: joins.side_by_side, Interleave: joins.interleaved}
        parts = ways.get(type(n.op), puts)(n)
        self.roots[n.out] = Root(n, "join", parts)
        if parts[-1].put is not None and 1 < math.prod(parts[-1].extents) <= n.out.type.size // _UPDATE:
            # so that it can be put in place, even if computed from what it is put into
            self._store(n, parts[-1].value[0])
        if isinstance(n.op, Interleave):  # what is stored in order is computed in vectors
            self._store(n, *(a for a in n.ins if isinstance(a, Var) and self._weights.cost(a) > _LONG))
        for part in parts:
            self._use(*part.value[:1], part, part.value[1])
            for p in part.put.positions if part.put else ():
                if isinstance(p.tensor, Var) and self._weights.way(p.tensor) > _WAY:
                    self._store(n, p.tensor)  # it is computed in vectors, but put one by one
                self._use(p.tensor, part, p.at)

    def _tiles(self, n: Node) -> None:
        shape, view = n.out.type.shape, identity(n.out.type.shape)
        part = Part(shape, (n.out, view), address(view, shape), [(n, view)], [(n.ins[0], ())])
        self.roots[n.out] = Root(n, "tiles", [part])
        self._read(n.out, self._uses.get(n.out, {}))
        self._store(n, *n.ins)

    def _step(self, n: Node, part: Part, view: Indices) -> None:
        """Compute an element of a node within a part."""
        part.steps.append((n, view))
        if self.kinds[id(n)] == "map":
            part.cost += bodies.cost(n.op)
            for a in n.ins:
                self._use(a, part, broadcast(view, a.type.shape))
            return
        if self.kinds[id(n)] == "take":
            part.cost += TAKE
            part.reads.append((n.ins[0], ()))  # anywhere in it
            self._store(n, n.ins[0])
            for p in spot(n, view).positions:
                self._use(p.tensor, part, p.at)
            return
        at = moved(n.op, view, n.out.type.shape, n.ins[0].type.shape, part.extents)
        assert at is not None, "an affine reshape"
        self._use(n.ins[0], part, at)

    def _use(self, a: Atom, part: Part, view: Indices) -> None:
        if isinstance(a, Const):
            if repeated_element(a.array) is None:
                part.reads.append((a, view))
        elif a not in self.makers or self.kinds[id(self.makers[a])] == "foreign":
            part.reads.append((a, view))
            self._stored.update([a] if isinstance(a, Var) else ())
        else:
            views = self._uses.setdefault(a, {}).setdefault(part, [])
            if view not in views:
                views.append(view)

    def _read(self, v: Var, uses: dict[Part, list[Indices]]) -> None:
        """The value is stored: its users load it."""
        for part, views in uses.items():
            part.reads += [(v, view) for view in views]

    # ── what speaks for storing ──────────────────────────────────────────────────────────────────
    def _on_the_way(self, n: Node, uses: dict[Part, list[Indices]]) -> bool:
        """Compute a node within its readers, and not as a value of its own?"""
        reason = self._against(n, uses)
        if reason:
            self.why[n.out] = reason
        return not reason

    def _against(self, n: Node, uses: dict[Part, list[Indices]]) -> str:
        """What speaks against computing a node within its readers; nothing if nothing does."""
        v = n.out
        if isinstance(n.op, Reshape) and not all(
            moved(n.op, view, v.type.shape, n.ins[0].type.shape, part.extents) is not None
            for part, views in uses.items()
            for view in views
        ):
            return "where its elements lie before the reshape is not a sum of loop counters"
        cheap = self._weights.is_cheap(v) or isinstance(n.op, Reshape)  # what it reshapes is stored, or not, by itself
        most = max(len(views) for views in uses.values())
        if most > (_VIEWS if cheap else 1):
            return f"one kernel reads it at {most} different places"
        if any(part.cost > _BUDGET for part in uses):
            return "the kernel that reads it is as large as kernels may be"
        if cheap:
            return ""
        times, size = max(_times(view, part) for part, views in uses.items() for view in views), max(v.type.size, 1)
        if self._weights.is_little(v) and times <= 2 * size:
            return ""
        heavy = [part for part, views in uses.items() if not self._is_lifted(v, views, part)]
        if len(uses) > 1 and len(heavy) > 1:
            return f"{len(uses)} loops read it, and loading costs less than computing it in each"
        part, *_ = heavy or list(uses)
        times = max(_times(view, part) for view in uses[part])
        return f"each element would be computed {times // size} times" if times > 2 * size else ""

    def _is_lifted(self, v: Var, views: list[Indices], part: Part) -> bool:
        """Is it computed outside the innermost loops, at little cost next to what they do?"""
        times = sum(_times(view, part) for view in views)
        return self._weights.total(v) * times * LIFTED <= math.prod(part.extents)


def _times(view: Indices, part: Part) -> int:
    """How often an element is computed, if everything is lifted out of the loops it does not depend on."""
    last = max((v for index in view for v, _ in index.terms), default=-1)
    return math.prod(part.extents[: last + 1])

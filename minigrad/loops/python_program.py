"""A whole schedule as Python: a function per kernel, and `run`, which calls them in order.

Floor 4. `program(plan)` gives the text and what is needed to run it. Above each kernel stand the nodes it fuses, under
the user's lines that made them. Kernels that differ in nothing but the arrays they are given are one function. Arrays
are flat; contractions are NumPy's calls of BLAS, what has no lowering is the op's NumPy implementation, handed in. Each
graph held by a loop or a branch has a function like `run`; a carry has two arrays that change roles after each step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from minigrad.control import Cond, Scan, While
from minigrad.graph import Atom, Node, Var
from minigrad.loops import to_python
from minigrad.loops.lower import lower, signature
from minigrad.loops.nest import Nest
from minigrad.loops.patches import fill
from minigrad.loops.prelude import PythonFunction
from minigrad.loops.python_library import (
    STRIDED,
    applied,
    listed,
    matmul,
    patches,
    picked,
    reshaped,
    sliced,
    unpacked,
)
from minigrad.passes.plan import Place, Plan
from minigrad.passes.schedule.parts import (
    ControlKernel,
    CopyKernel,
    ForeignKernel,
    Kernel,
    LibraryKernel,
    LoopKernel,
    PatchKernel,
)
from minigrad.source import UNKNOWN, Line
from minigrad.text import rows
from minigrad.types import LONG, SHORT, DType, real_of

_OURS = re.compile(r"np|inf|nan|run|inputs|outputs|work|constants|reference|step|now|new|old|y|last|"
                   r"([tibc]|acc|kernel|out|reference|spare|graph|panel|keys|number|counts)\d+|"
                   r"(plus|times|maximum|minimum|quotient|remainder|strided|.*_\w\d+)|" + "|".join(LONG))  # fmt: skip


@dataclass(eq=False)
class Program:
    """The text, the kernels in it by name with the dtypes of their arrays, and the arrays in the arena."""

    text: str
    kernels: dict[str, tuple[PythonFunction, tuple[DType, ...]]]
    work: list[tuple[int, int, DType]]  # byte, elements


def program(plan: Plan) -> Program:
    """The Python of a planned schedule."""
    shared = _Shared()
    texts = _Function(plan, "run", shared).texts()
    helpers = dict.fromkeys(f.text for f in to_python.flat(f for k, _ in shared.found for f in k.uses))
    texts = [*helpers, *shared.functions, *texts]
    if any("strided(" in text for text in texts):
        texts.insert(0, STRIDED)
    text = "\n\n".join([_imports("\n".join(texts)), *texts])
    return Program(text, {name: key for key, name in shared.found.items()}, shared.work)


@dataclass
class _Shared:
    """What the functions of one program have in common."""

    found: dict[Any, str] = field(default_factory=dict)  # (function, dtypes) -> what it is called
    lowered: dict[Any, tuple[str, list[int]]] = field(default_factory=dict)  # by signature
    functions: list[str] = field(default_factory=list)  # the kernels' texts
    work: list[tuple[int, int, DType]] = field(default_factory=list)
    graphs: int = 0
    foreign: int = 0


class _Function:
    """`run`, or the function of a held graph: its kernels called in order."""

    def __init__(self, plan: Plan, called: str, shared: _Shared) -> None:
        self.plan, self.called, self.shared = plan, called, shared
        self.graph = plan.schedule.graph
        names, self.rows = rows(self.graph)
        self.names = {v: f"{name}_" if _OURS.fullmatch(name) else name for v, name in names.items()}
        self.lines: list[str] = []
        self.held: list[str] = []  # the texts of the graphs held here
        self.constants: dict[str, int] = {}  # those used here
        self.references: dict[str, int] = {}
        self.work: dict[str, int] = {}
        kernels = [k for k in plan.schedule.kernels if isinstance(k, LoopKernel)]
        one_row = {r.out: k.room(r) for k in kernels for r in k.scratch}
        for v, place in plan.places.items():
            if place.kind == "arena" and isinstance(v, Var):
                self.names.setdefault(v, f"{v.label or 'panel'}{len(self.work)}")
                self.room(self.names[v], place, one_row.get(v, v.type.size), v.type.dtype)
        self.spares = {
            kernel: [
                self.room(f"spare{len(self.work)}", place, t.size, t.dtype)
                for t, place in zip(kernel.spares(), places, strict=True)
            ]
            for kernel, (_, places) in plan.held.items()
        }
        for kernel in plan.schedule.kernels:
            self.kernel(kernel)

    def texts(self) -> list[str]:
        """Its text, after those of the graphs it holds."""
        return [*self.held, "\n".join([*self.head(), *(f"    {line}" for line in self.lines), ""])]

    def head(self) -> list[str]:
        outputs = [
            next((self.names[v] for v, p in self.plan.places.items()
                  if isinstance(v, Var) and (p.kind, p.at) == ("output", k)), f"out{k}")
            for k in range(len(self.graph.outputs))
        ]  # fmt: skip
        return [
            f"def {self.called}(inputs, outputs, work, constants, reference):",
            f'    """{self.graph.name}: all arrays are flat."""',
            *unpacked("inputs", [self.names[v] for v in self.graph.inputs]),
            *unpacked("outputs", outputs),
            *picked("work", self.work),
            *picked("constants", self.constants),
            *picked("reference", self.references),
        ]

    def room(self, name: str, place: Place, size: int, dtype: DType) -> str:
        """An array in the arena."""
        self.work[name] = len(self.shared.work)
        self.shared.work.append((place.at, size, dtype))
        return name

    # ── kernels ──────────────────────────────────────────────────────────────────────────────────
    def kernel(self, kernel: Kernel) -> None:
        match kernel:
            case LoopKernel():
                if any(v.type.size for v in kernel.writes()):
                    self.loops(kernel)
            case LibraryKernel():
                self.library(kernel)
            case ForeignKernel():
                self.call_back(kernel.node)
            case ControlKernel():
                self.control(kernel)
            case CopyKernel():
                self.lines.append(f"out{kernel.output}[:] = {self.name(kernel.source)}")

    def library(self, kernel: LibraryKernel) -> None:
        """A product, then the loops of its tail."""
        out, a, b = (self.name(x) for x in (kernel.node.out, *kernel.operands))
        if isinstance(kernel, PatchKernel):
            filling = self.function(fill(kernel.call), [kernel.panel, kernel.operands[0]], [kernel.node])
            lines = patches(kernel.call, filling, out, self.name(kernel.panel), a, b)
        else:
            lines = [matmul(kernel.call, kernel.operands, out, a, b)]
        self.lines += [*self.cited([kernel.node]), *lines]
        if kernel.tail is not None:
            self.loops(kernel.tail)

    def loops(self, kernel: LoopKernel) -> None:
        """Call the function of a kernel; a kernel like an earlier one is not lowered again."""
        same, values = signature(kernel, self.plan.schedule)
        if same not in self.shared.lowered:
            nest, buffers = lower(kernel, self.plan.schedule, to_python.meaning)
            place = {a: k for k, a in enumerate(values)}
            self.shared.lowered[same] = self.function(nest, buffers, _nodes(kernel)), [place[a] for a in buffers]
        name, places = self.shared.lowered[same]
        given = [self.name(values[k], real_of(values[k].type.dtype)) for k in places]
        self.lines.append(f"{name}({', '.join(given)})")

    def function(self, nest: Nest, buffers: list[Atom], nodes: list[Node]) -> str:
        """The name of the function for a nest; printed, if there is none with its text."""
        function = to_python.kernel(nest)
        key = function, nest.buffers
        if key not in self.shared.found:
            self.shared.found[key] = name = f"kernel{len(self.shared.found)}"
            names = [self.holder(a)[0] for a in buffers]
            text = re.sub(r"\bb(\d+)\b", lambda m: names[int(m[1])], function.text)
            text = text.replace("def kernel(", f"def {name}(", 1)
            self.shared.functions.append("\n".join([*self.cited(nodes), text]))
        return self.shared.found[key]

    def cited(self, nodes: list[Node]) -> list[str]:
        """The nodes as comments, under the lines of the user that made them."""
        order = {id(n): k for k, n in enumerate(self.graph.nodes)}
        lines: list[str] = []
        last: Line = UNKNOWN
        for n in sorted(nodes, key=lambda n: order[id(n)]):
            if n.line is not UNKNOWN and n.line != last:
                lines.append(f"# {n.line}")
            last = n.line
            lines.append(f"#     {self.rows[id(n)]}")
        return lines

    def line(self, n: Node, text: str) -> None:
        """A line of run for one node, cited before it."""
        self.lines += [*self.cited([n]), text]

    def call_back(self, n: Node) -> None:
        k, self.shared.foreign = self.shared.foreign, self.shared.foreign + 1
        self.references[f"reference{k}"] = k
        call = f"reference{k}({', '.join(reshaped(self.name(a), a.type.shape) for a in n.ins)})"
        outs = [f"{reshaped(self.name(v), v.type.shape)}[...]" for v in n.outs]
        if n.op.many:
            targets = ", ".join(outs) + "," * (len(outs) == 1)
            self.line(n, f"{targets} = {call}" if outs else call)
        else:
            self.line(n, f"{outs[0]} = {call}")

    def name(self, a: Atom, dtype: DType | None = None) -> str:
        """A value's memory; as elements of another dtype, if need be."""
        name, found = self.holder(a)
        wanted = dtype or a.type.dtype
        return name if wanted == found else f"{name}.view({SHORT[wanted]})"

    def holder(self, a: Atom) -> tuple[str, DType]:
        """The variable of `run` that holds a value's memory, and the dtype of that array."""
        base, place = self.plan.schedule.base(a), self.plan.place(a)
        if not isinstance(base, Var):
            self.constants[f"c{place.at}"] = place.at
            return f"c{place.at}", base.type.dtype
        atoms = self.graph.inputs if place.kind == "input" else self.graph.outputs
        return self.names[base], (base if place.kind == "arena" else atoms[place.at]).type.dtype

    # ── control flow ─────────────────────────────────────────────────────────────────────────────
    def control(self, kernel: ControlKernel) -> None:
        node, spares = kernel.node, self.spares[kernel]
        graphs = [self.function_of(plan) for plan in self.plan.held[kernel][0]]
        ins, outs = [self.name(a) for a in node.ins], [self.name(v) for v in node.outs]
        self.lines += self.cited([node])
        for into, (c, k) in kernel.in_place().items():  # the one place of this carry is that of the result
            self.lines.append(f"{outs[c]}[:] = {ins[into]}")
            ins[into] = spares[k] = outs[c]
        match node.op:
            case Scan():
                self.scan(node.op, graphs, ins, outs, spares)
            case While():
                self.repeat(node.op, graphs, ins, outs, spares)
            case Cond():
                chosen = f"[{', '.join(graphs)}][min(max({ins[0]}[0], 0), {len(graphs) - 1})]"
                self.lines += applied(chosen, listed(ins[1:]), listed(outs), 0)

    def function_of(self, plan: Plan) -> str:
        """The name of the function for a held graph, which is written here."""
        name, self.shared.graphs = f"graph{self.shared.graphs}", self.shared.graphs + 1
        self.held += _Function(plan, name, self.shared).texts()
        return name

    def scan(self, op: Scan, bodies: list[str], ins: list[str], outs: list[str], spares: list[str]) -> None:
        consts, start, xs = op.split(ins)
        end, ys = outs[: op.carry], outs[op.carry :]
        if not op.length:
            self.lines += [f"{y}[:] = {x}" for y, x in zip(end, start, strict=True)]
            return
        # the last step shall write where the result belongs
        first, second = (end, spares) if op.length % 2 else (spares, end)
        steps = f"range({op.length})"
        xs = [sliced(x, t.size) for x, t in zip(xs, op.body.in_types[op.consts + op.carry :], strict=True)]
        ys = [sliced(y, t.size) for y, t in zip(ys, op.body.out_types[op.carry :], strict=True)]
        self.lines += [
            f"now, new, old = {listed(start)}, {listed(first)}, {listed(second)}",
            f"for step in {f'reversed({steps})' if op.reverse else steps}:",
            *applied(bodies[0], listed([*consts, "*now", *xs]), listed(["*new", *ys])),
            "    now, new, old = new, old, new",
        ]

    def repeat(self, op: While, graphs: list[str], ins: list[str], outs: list[str], spares: list[str]) -> None:
        (test, *others), values = spares, listed([*ins[: op.consts], "*now"])
        self.lines += [
            f"now, new, old = {listed(ins[op.consts :])}, {listed(outs)}, {listed(others)}",
            "while True:" if op.bound is None else f"for step in range({op.bound}):",
            *applied(graphs[0], values, f"[{test}]"),
            f"    if not {test}[0]:",
            "        break",
            *applied(graphs[1], values, "new"),
            "    now, new, old = new, old, new",
            f"for y, last in zip({listed(outs)}, now):",
            "    y[:] = last",
        ]


def _nodes(kernel: LoopKernel) -> list[Node]:
    nodes = {id(n): n for r in kernel.roots for part in r.parts for n, _ in part.steps}
    nodes.update({id(r.node): r.node for r in kernel.roots})
    return list(nodes.values())


def _imports(text: str) -> str:
    used = [short for short in LONG if re.search(rf"\b{short}\b", text) and short != "bool"]
    lines = ["import numpy as np", ""]
    if used:
        lines.append(f"{', '.join(used)} = {', '.join(f'np.{LONG[short].name}' for short in used)}")
    if re.search(r"\((-?inf|nan)\)", text):
        lines.append("inf, nan = np.inf, np.nan")
    return "\n".join(lines)

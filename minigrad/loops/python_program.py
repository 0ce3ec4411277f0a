"""A whole schedule as Python: a function per kernel, and `run`, which calls them in order.

Floor 4. `program(plan)` gives the text and what is needed to run it. Above each kernel stand the nodes it fuses, under
the user's lines that made them. Kernels that differ in nothing but the arrays they are given are one function. Arrays
are flat; contractions are NumPy's calls of BLAS, what has no lowering is the op's NumPy implementation, handed in.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

from minigrad.graph import Atom, Graph, Node, Var
from minigrad.loops import to_python
from minigrad.loops.lower import lower, signature
from minigrad.loops.nest import Nest
from minigrad.loops.prelude import PythonFunction
from minigrad.passes.plan import Plan
from minigrad.passes.schedule.matmul import MatMul, Matrix
from minigrad.passes.schedule.parts import CopyKernel, ForeignKernel, Kernel, LibraryKernel, LoopKernel
from minigrad.source import UNKNOWN, Line
from minigrad.text import rows
from minigrad.types import LONG, DType

_OURS = re.compile(r"np|inf|nan|run|inputs|outputs|work|constants|reference|([tibc]|acc|kernel|out|reference)\d+|"
                   r"(plus|times|maximum|minimum|quotient|remainder|strided|.*_\w\d+)|" + "|".join(LONG))  # fmt: skip
_STRIDED = '''\
def strided(x, shape, strides):
    """A view of a flat array by the steps (in elements) along each axis."""
    return np.ndarray(shape, x.dtype, x, 0, [x.itemsize * step for step in strides])
'''


@dataclass(eq=False)
class Program:
    """The text, the kernels in it by name with the dtypes of their arrays, the values in the arena and their sizes."""

    text: str
    kernels: dict[str, tuple[PythonFunction, tuple[DType, ...]]]
    work: list[tuple[Var, int]]


def program(plan: Plan) -> Program:
    """The Python of a planned schedule."""
    return _Program(plan).program()


@dataclass
class _Program:
    plan: Plan
    names: dict[Var, str] = field(default_factory=dict)
    rows: dict[int, str] = field(default_factory=dict)
    found: dict[Any, str] = field(default_factory=dict)  # (function, dtypes) -> what it is called
    lowered: dict[Any, tuple[str, list[int]]] = field(default_factory=dict)  # by signature
    functions: list[str] = field(default_factory=list)  # the kernels' texts
    lines: list[str] = field(default_factory=list)  # of run
    foreign: int = 0

    @property
    def graph(self) -> Graph:
        return self.plan.schedule.graph

    def program(self) -> Program:
        names, self.rows = rows(self.graph)
        self.names = {v: f"{name}_" if _OURS.fullmatch(name) else name for v, name in names.items()}
        for kernel in self.plan.schedule.kernels:
            self.kernel(kernel)
        work = [v for v, place in self.plan.places.items() if place.kind == "arena" and isinstance(v, Var)]
        run = [*self.head(work), *(f"    {line}" for line in self.lines)]
        helpers = dict.fromkeys(f.text for f in to_python.flat(f for k, _ in self.found for f in k.uses))
        texts = [*helpers, *self.functions, "\n".join([*run, ""])]
        if any("strided(" in line for line in self.lines):
            texts.insert(0, _STRIDED)
        text = "\n\n".join([_imports("\n".join(texts)), *texts])
        kernels = [k for k in self.plan.schedule.kernels if isinstance(k, LoopKernel)]
        one_row = {r.out: k.row_size(r) for k in kernels for r in k.scratch}
        sizes = [(v, one_row.get(v, v.type.size)) for v in work]
        return Program(text, {name: key for key, name in self.found.items()}, sizes)

    def head(self, work: list[Var]) -> list[str]:
        outputs = [
            next((self.names[v] for v, p in self.plan.places.items()
                  if isinstance(v, Var) and (p.kind, p.at) == ("output", k)), f"out{k}")
            for k in range(len(self.graph.outputs))
        ]  # fmt: skip
        return [
            "def run(inputs, outputs, work, constants, reference):",
            f'    """{self.graph.name}: all arrays are flat."""',
            *_unpacked("inputs", [self.names[v] for v in self.graph.inputs]),
            *_unpacked("outputs", outputs),
            *_unpacked("work", [self.names[v] for v in work]),
            *_unpacked("constants", [f"c{k}" for k in range(len(self.plan.constants))]),
            *_unpacked("reference", [f"reference{k}" for k in range(self.foreign)]),
        ]

    # ── kernels ──────────────────────────────────────────────────────────────────────────────────
    def kernel(self, kernel: Kernel) -> None:
        match kernel:
            case LoopKernel():
                if any(v.type.size for v in kernel.writes()):
                    self.loops(kernel)
            case LibraryKernel():
                self.line(kernel.node, self.matmul(kernel))
            case ForeignKernel():
                self.call_back(kernel.node)
            case CopyKernel():
                self.lines.append(f"out{kernel.output}[:] = {self.name(kernel.source)}")

    def loops(self, kernel: LoopKernel) -> None:
        """Call the function of a kernel; a kernel like an earlier one is not lowered again."""
        same, values = signature(kernel, self.plan.schedule)
        if same not in self.lowered:
            nest, buffers = lower(kernel, self.plan.schedule, to_python.meaning)
            place = {a: k for k, a in enumerate(values)}
            self.lowered[same] = self.function(nest, buffers, kernel), [place[a] for a in buffers]
        name, places = self.lowered[same]
        self.lines.append(f"{name}({', '.join(self.name(values[k]) for k in places)})")

    def function(self, nest: Nest, buffers: list[Atom], kernel: LoopKernel) -> str:
        """The name of the function for a nest; printed, if there is none with its text."""
        function = to_python.kernel(nest)
        key = function, nest.buffers
        if key not in self.found:
            self.found[key] = name = f"kernel{len(self.found)}"
            names = [self.name(a) for a in buffers]
            text = re.sub(r"\bb(\d+)\b", lambda m: names[int(m[1])], function.text)
            text = text.replace("def kernel(", f"def {name}(", 1)
            self.functions.append("\n".join([*self.cited(_nodes(kernel)), text]))
        return self.found[key]

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

    def matmul(self, kernel: LibraryKernel) -> str:
        call, (a, b) = kernel.call, (self.name(x) for x in kernel.operands)
        counts = [n for n, *_ in call.lanes]
        left = _view(a, kernel.operands[0], call.m, call.k, call.a, call, 1)
        right = _view(b, kernel.operands[1], call.k, call.n, call.b, call, 2)
        out = _reshaped(self.name(kernel.node.out), [*counts, call.m, call.n])
        if _in_order(call):
            return f"np.{'matmul' if counts else 'dot'}({left}, {right}, out={out})"
        strides = [s for *_, s in call.lanes] + [call.n, 1]
        out = f"strided({self.name(kernel.node.out)}, {(*counts, call.m, call.n)}, {tuple(strides)})"
        return f"np.matmul({left}, {right}, out={out})"

    def call_back(self, n: Node) -> None:
        k, self.foreign = self.foreign, self.foreign + 1
        call = f"reference{k}({', '.join(_reshaped(self.name(a), a.type.shape) for a in n.ins)})"
        outs = [f"{_reshaped(self.name(v), v.type.shape)}[...]" for v in n.outs]
        if n.op.many:
            targets = ", ".join(outs) + "," * (len(outs) == 1)
            self.line(n, f"{targets} = {call}" if outs else call)
        else:
            self.line(n, f"{outs[0]} = {call}")

    def name(self, a: Atom) -> str:
        """The variable of `run` that holds a value's memory."""
        base = self.plan.schedule.base(a)
        return self.names[base] if isinstance(base, Var) else f"c{self.plan.place(a).at}"


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


def _unpacked(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    text = f"[{', '.join(names)}]"
    lines = textwrap.wrap(text, 100, initial_indent="    ", subsequent_indent="     ", break_long_words=False)
    return [*lines[:-1], f"{lines[-1]} = {what}"]


def _reshaped(name: str, shape: Any) -> str:
    return name if len(shape) == 1 else f"{name}.reshape({', '.join(map(str, shape)) or '()'})"


def _in_order(call: MatMul) -> bool:
    """Do the lanes of the result follow each other as they are counted?"""
    step = call.m * call.n
    for count, *_, s in reversed(call.lanes):
        if s != step:
            return False
        step *= count
    return True


def _view(name: str, a: Atom, rows: int, columns: int, matrix: Matrix, call: MatMul, side: int) -> str:
    """An operand as NumPy sees it: reshaped and turned where that is all, else by its strides."""
    counts, lanes = [lane[0] for lane in call.lanes], [lane[side] for lane in call.lanes]
    stored = (columns, rows) if matrix.transposed else (rows, columns)
    plain = [*counts, *stored]
    natural, step = True, stored[0] * stored[1]
    for count, s in zip(reversed(counts), reversed(lanes), strict=True):
        natural, step = natural and s == step, step * count
    if natural and matrix.leading == stored[1] and step == a.type.size:
        turned = ".swapaxes(-1, -2)" if counts else ".T"
        return _reshaped(name, plain) + (turned if matrix.transposed else "")
    steps = (1, matrix.leading) if matrix.transposed else (matrix.leading, 1)
    return f"strided({name}, {(*counts, rows, columns)}, {(*lanes, *steps)})"

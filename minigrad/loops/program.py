"""A whole schedule as one LLVM function that runs its kernels in order.

Floor 4. `program(plan)` gives the module's text. Its function takes one argument, a Python list of arrays (constants,
inputs, outputs, arena), and reads their addresses itself: that is far quicker than asking for them in Python. Kernels
with the same text are one function, so a model of equal layers compiles one of them. BLAS and the callback into the
reference are symbols that whoever links the program supplies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from minigrad.graph import Atom
from minigrad.loops.lower import lower, signature
from minigrad.loops.parallel import function
from minigrad.loops.to_llvm import Module, literal, register
from minigrad.passes.plan import Plan
from minigrad.passes.schedule.matmul import MatMul
from minigrad.passes.schedule.parts import CopyKernel, ForeignKernel, Kernel, LibraryKernel, LoopKernel
from minigrad.types import FLOAT32

ENTRY = "program"
FOREIGN = "minigrad_foreign"  # (list, number of the foreign kernel) -> not 0 if it raised


@dataclass(frozen=True)
class Layout:
    """What the program must know of its process: where CPython keeps the items of a list and NumPy the address of the
    data, in bytes from the object's start; and how many bits BLAS's integers have."""

    items: int
    data: int
    integer: int


def program(plan: Plan, layout: Layout) -> str:
    """The module for a planned schedule, as LLVM's text."""
    return _Program(plan, layout).text()


@dataclass
class _Program:
    plan: Plan
    layout: Layout
    module: Module = field(default_factory=Module)
    functions: dict[str, str] = field(default_factory=dict)  # text -> name
    lines: list[str] = field(default_factory=list)
    pointers: dict[int, str] = field(default_factory=dict)  # of the arrays in the list
    lowered: dict[Any, tuple[str, list[int]]] = field(default_factory=dict)  # by signature
    foreign: int = 0

    def text(self) -> str:
        for kernel in self.plan.schedule.kernels:
            self.kernel(kernel)
        head = [
            f"  %items.at = getelementptr i8, ptr %values, i64 {self.layout.items}",
            "  %items = load ptr, ptr %items.at",
        ]
        for k in sorted(self.pointers):
            head += [
                f"  %object{k}.at = getelementptr i8, ptr %items, i64 {8 * k}",
                f"  %object{k} = load ptr, ptr %object{k}.at",
                f"  %data{k}.at = getelementptr i8, ptr %object{k}, i64 {self.layout.data}",
                f"  %data{k} = load ptr, ptr %data{k}.at",
            ]
        main = [f"define i32 @{ENTRY}(ptr %values) #0 {{", "entry:", *head, *self.lines, "  ret i32 0", "}"]
        kernels = [f"define internal void @{name}{text}" for text, name in self.functions.items()]
        attributes = 'attributes #0 = { nounwind "no-trapping-math"="true" }'
        return "\n".join([*self.module.declarations.values(), *kernels, *main, attributes, ""])

    def kernel(self, kernel: Kernel) -> None:
        match kernel:
            case LoopKernel():
                if any(v.type.size for v in kernel.writes()):
                    self.loops(kernel)
            case LibraryKernel():
                self.call(matmul(kernel.call, self.module, self.layout.integer), [kernel.node.out, *kernel.operands])
            case ForeignKernel():
                self.call_back()
            case CopyKernel():
                if kernel.source.type.size:
                    self.copy(kernel)

    def call(self, text: str, buffers: list[Atom]) -> None:
        name = self.functions.setdefault(text, f"kernel{len(self.functions)}")
        self.lines.append(f"  call void @{name}({', '.join(f'ptr {self.pointer(a)}' for a in buffers)})")

    def loops(self, kernel: LoopKernel) -> None:
        """Call the function of a kernel; a kernel like an earlier one is not lowered again."""
        key, values = signature(kernel, self.plan.schedule)
        if key not in self.lowered:
            nest, buffers = lower(kernel, self.plan.schedule)
            place = {a: k for k, a in enumerate(values)}
            self.lowered[key] = function(nest, self.module), [place[a] for a in buffers]
        text, places = self.lowered[key]
        self.call(text, [values[k] for k in places])

    def call_back(self) -> None:
        k, self.foreign = self.foreign, self.foreign + 1
        self.module.declarations[FOREIGN] = f"declare i32 @{FOREIGN}(ptr, i64)"
        self.lines += [
            f"  %raised{k} = call i32 @{FOREIGN}(ptr %values, i64 {k})",
            f"  %fine{k} = icmp eq i32 %raised{k}, 0",
            f"  br i1 %fine{k}, label %after{k}, label %stop{k}",
            f"stop{k}:",
            f"  ret i32 %raised{k}",
            f"after{k}:",
        ]

    def copy(self, kernel: CopyKernel) -> None:
        t = kernel.source.type
        name = "llvm.memcpy.p0.p0.i64"
        self.module.declarations[name] = f"declare void @{name}(ptr, ptr, i64, i1)"
        into = self.array(self.first_output + kernel.output)
        size = t.size * t.dtype.itemsize
        self.lines.append(f"  call void @{name}(ptr {into}, ptr {self.pointer(kernel.source)}, i64 {size}, i1 false)")

    # ── the caller's list: constants, inputs, outputs, arena ─────────────────────────────────────
    @property
    def first_output(self) -> int:
        return len(self.plan.constants) + len(self.plan.schedule.graph.inputs)

    def array(self, k: int) -> str:
        return self.pointers.setdefault(k, f"%data{k}")

    def pointer(self, a: Atom) -> str:
        """The address of a value."""
        place = self.plan.place(a)
        match place.kind:
            case "constant":
                return self.array(place.at)
            case "input":
                return self.array(len(self.plan.constants) + place.at)
            case "output":
                return self.array(self.first_output + place.at)
        arena = self.array(self.first_output + len(self.plan.schedule.graph.outputs))
        name = f"%at{len(self.lines)}"
        self.lines.append(f"  {name} = getelementptr i8, ptr {arena}, i64 {place.at}")
        return name


def matmul(call: MatMul, module: Module, bits: int) -> str:
    """A function c, a, b -> nothing that calls BLAS, once per lane.

    BLAS stores columns, we rows: it is asked for cᵀ = bᵀ·aᵀ, and reads our rows as its columns.
    """
    t = register(call.dtype)
    gemm = "sgemm" if call.dtype == FLOAT32 else "dgemm"
    module.declarations[gemm] = f"declare void @{gemm}({', '.join(['ptr'] * 13)})"

    def number(x: int) -> str:
        module.declarations[f"@int.{x}"] = f"@int.{x} = private constant i{bits} {x}"
        return f"ptr @int.{x}"

    def real(x: int) -> str:
        name = f"@{t}.{x}"
        module.declarations[name] = f"{name} = private constant {t} {literal(x, call.dtype)}"
        return f"ptr {name}"

    def letter(transposed: bool) -> str:
        name = f"@letter.{'T' if transposed else 'N'}"
        module.declarations[name] = f"{name} = private constant i8 {ord('T' if transposed else 'N')}"
        return f"ptr {name}"

    lines, pointers = ["entry:"], ["%b0", "%b1", "%b2"]
    close: list[str] = []
    for k, (count, *steps) in enumerate(call.lanes):
        before = f"lane{k - 1}" if k else "entry"
        lines += [f"  br label %lane{k}", f"lane{k}:", f"  %i{k} = phi i64 [0, %{before}], [%n{k}, %next{k}]"]
        moved = []
        for j, (pointer, step) in enumerate(zip(pointers, (steps[2], steps[0], steps[1]))):
            lines.append(f"  %o{k}.{j} = mul nsw i64 %i{k}, {step}")
            lines.append(f"  %p{k}.{j} = getelementptr {t}, ptr {pointer}, i64 %o{k}.{j}")
            moved.append(f"%p{k}.{j}")
        pointers = moved
        close = [
            f"  br label %next{k}", f"next{k}:", f"  %n{k} = add nuw nsw i64 %i{k}, 1",
            f"  %c{k} = icmp eq i64 %n{k}, {count}", f"  br i1 %c{k}, label %done{k}, label %lane{k}",
            f"done{k}:", *close,
        ]  # fmt: skip
    c, a, b = (f"ptr {p}" for p in pointers)
    arguments = [
        letter(call.b.transposed), letter(call.a.transposed), number(call.n), number(call.m), number(call.k), real(1),
        b, number(call.b.leading), a, number(call.a.leading), real(0), c, number(call.n),
    ]  # fmt: skip
    lines += [f"  call void @{gemm}({', '.join(arguments)})", *close, "  ret void"]
    return "(ptr %b0, ptr %b1, ptr %b2) #0 {\n" + "\n".join(lines) + "\n}"

"""A whole schedule as one LLVM function that runs its kernels in order.

Floor 4. `program(plan)` gives the module's text. Its function takes one argument, a Python list of arrays (constants,
inputs, outputs, arena), and reads their addresses itself: that is far quicker than asking for them in Python. Kernels
with the same text are one function, so a model of equal layers compiles one of them. Control flow is blocks of this
function around the kernels it holds: slices are addresses that move with the loop's counter, and a carry has two
places that change roles after each step. BLAS and the callback into the reference are symbols that whoever links the
program supplies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.control import Cond, Scan, While
from minigrad.graph import Atom
from minigrad.loops import signals, to_llvm
from minigrad.loops.blocks import Blocks, leave
from minigrad.loops.library import matmul, patches
from minigrad.loops.llvm_scalars import register
from minigrad.loops.lower import lower, signature
from minigrad.loops.parallel import AVAILABLE, function
from minigrad.loops.patches import clear, fill
from minigrad.loops.tails import Tail, tail
from minigrad.passes.plan import ALIGNMENT, Place, Plan
from minigrad.passes.schedule.matmul import Matrix
from minigrad.passes.schedule.parts import (
    ControlKernel,
    CopyKernel,
    ForeignKernel,
    Kernel,
    LibraryKernel,
    LoopKernel,
    PatchKernel,
)
from minigrad.types import TensorType

ENTRY = "program"
_ENTRY = f"""\
declare ptr @{signals.ZERO}(i64)
define ptr @{ENTRY}(ptr %self, ptr %values) nounwind {{
  %raised = call i32 @whole(ptr %values)
  %fine = icmp eq i32 %raised, 0
  br i1 %fine, label %done, label %failed
done:
  %zero = call ptr @{signals.ZERO}(i64 0)
  ret ptr %zero
failed:
  ret ptr null
}}"""
PART = 1024  # lines of one function: beyond, LLVM takes quadratic time to give their values registers


@dataclass(frozen=True)
class Layout:
    """What the program must know of its process: where CPython keeps the items of a list and NumPy the address of the
    data, in bytes from the object's start; and how many bits BLAS's integers have."""

    items: int
    data: int
    integer: int


def program(plan: Plan, layout: Layout, vector: int) -> tuple[str, int]:
    """The module for a planned schedule, as LLVM's text, and how many bytes of arena it needs.

    `vector`: how many bytes the machine's vectors have.
    """
    made = _Program(plan, layout, vector)
    return made.text(), made.shared + made.room


@dataclass
class _Scope:
    """A plan whose kernels are being written, and where its graph's inputs and outputs are here."""

    plan: Plan
    inputs: Sequence[str]
    outputs: Sequence[str]


class _Program(Blocks):
    def __init__(self, plan: Plan, layout: Layout, vector: int) -> None:
        super().__init__(vector)
        self.layout = layout
        self.functions: dict[str, str] = {}  # text -> name
        self.parts: list[str] = []  # functions that the whole is cut into, if it is long,
        self.calls: list[str] = []  # and the lines that call them
        self.slots: list[str] = []  # memory the function keeps on the stack
        self.used: set[int] = set()  # the arrays whose addresses are used in it
        self.lowered: dict[Any, tuple[str, int, int, list[int]]] = {}  # by signature
        self.tails: dict[Any, tuple[Tail, list[int]]] = {}
        self.foreign = 0
        # behind the values: what threads have of their own in the kernel that is running
        self.shared, self.room = -(-plan.arena // ALIGNMENT) * ALIGNMENT, 0
        constants, graph = len(plan.constants), plan.schedule.graph
        self.arena = constants + len(graph.inputs) + len(graph.outputs)
        arrays = [f"%data{k}" for k in range(constants, self.arena)]
        self.scope = _Scope(plan, arrays[: len(graph.inputs)], arrays[len(graph.inputs) :])

    def text(self) -> str:
        for kernel in self.scope.plan.schedule.kernels:
            self.kernel(kernel)
            if len(self.lines) + 4 * len(self.used) > PART:
                self.part()
        if self.parts and self.lines:
            self.part()
        state = ["  %state = alloca ptr", "  %work = alloca i64", "  store i64 0, ptr %work"]
        enter = f"  call void @{signals.ENTER}(ptr %state)"
        lines = [*self.slots, *self.addresses(), *state, enter, *(self.calls or self.lines)]
        main = ["define internal i32 @whole(ptr %values) #0 {", "entry:", *lines, *leave(0), "}", _ENTRY]
        kernels = [f"define internal void @{name}{text}" for text, name in self.functions.items()]
        # inlined into one function, many kernels would take LLVM more than linear time
        attributes = 'attributes #0 = { noinline nounwind "no-trapping-math"="true" }'
        between = signals.text(self.work >= signals.LONG)
        return "\n".join([*self.module.declarations.values(), between, *kernels, *self.parts, *main, attributes, ""])

    def addresses(self) -> list[str]:
        """Lines that look up where the arrays are that were used since the last part."""
        head = [
            f"  %items.at = getelementptr i8, ptr %values, i64 {self.layout.items}",
            "  %items = load ptr, ptr %items.at",
        ]
        for k in sorted(self.used):
            head += [
                f"  %object{k}.at = getelementptr i8, ptr %items, i64 {8 * k}",
                f"  %object{k} = load ptr, ptr %object{k}.at",
                f"  %data{k}.at = getelementptr i8, ptr %object{k}, i64 {self.layout.data}",
                f"  %data{k} = load ptr, ptr %data{k}.at",
            ]
        self.used.clear()
        return head

    def part(self) -> None:
        """Make what is written so far a function of its own, which the whole calls."""
        whole = "\n".join(["entry:", *self.slots, *self.addresses(), *self.lines])
        name, parameters = f"part{len(self.parts)}", "ptr %values, ptr %state, ptr %work"
        self.parts.append(f"define internal i32 @{name}({parameters}) #0 {{\n{whole}\n  ret i32 0\n}}")
        self.slots, self.lines = [], self.calls
        self.unless(self.emit(f"call i32 @{name}({parameters})"), left=True)
        self.calls, self.lines, self.block = self.lines, [], "entry"

    # ── kernels ──────────────────────────────────────────────────────────────────────────────────
    def kernels(self, scope: _Scope) -> None:
        outer, self.scope = self.scope, scope
        for kernel in scope.plan.schedule.kernels:
            self.kernel(kernel)
        self.scope = outer

    def kernel(self, kernel: Kernel) -> None:
        match kernel:
            case LoopKernel():
                if any(v.type.size for v in kernel.writes()):
                    self.loops(kernel)
            case LibraryKernel():
                self.library(kernel)
            case ForeignKernel():
                self.call_back(kernel)
            case CopyKernel():
                output = self.array(self.scope.outputs[kernel.output])
                self.copy(output, self.pointer(kernel.source), kernel.source.type)
            case ControlKernel():
                self.control(kernel)

    def call(self, text: str, buffers: list[Any]) -> None:
        """Call a function with values, or pointers."""
        name = self.named(text)
        arguments = ", ".join([f"ptr {a if isinstance(a, str) else self.pointer(a)}" for a in buffers])
        self.lines.append(f"  call void @{name}({arguments})")

    def named(self, text: str) -> str:
        """The name of the function of this text."""
        return self.functions.setdefault(text, f"kernel{len(self.functions)}")

    def library(self, kernel: LibraryKernel) -> None:
        """Call the function of a product; then that of its tail, if the product does not call it for each of its parts.

        Without threads a product that is not a convolution has no parts.
        """
        along = kernel.tail is not None and not kernel.whole and (AVAILABLE or isinstance(kernel, PatchKernel))
        tail, buffers = self.tail(kernel) if along else (None, [])
        product, module, bits = [kernel.node.out], self.module, self.layout.integer
        operands: list[Any] = [*kernel.operands]
        if isinstance(kernel, PatchKernel):
            filling = self.named(to_llvm.function(fill(kernel.call), module))
            clearing = self.named(to_llvm.function(clear(kernel.call), module)) if kernel.call.summed else None
            text = patches(kernel.call, module, bits, filling, clearing, tail)
            product.append(kernel.panel)
            buffers += [kernel.room] if kernel.room is not None else []
        else:
            text = matmul(kernel.call, module, bits, kernel.cut, tail)
            operands = [*map(self.operand, kernel.operands, (kernel.call.a, kernel.call.b))]
        self.call(text, [*product, *operands, *buffers])
        self.worked(kernel.call.work + (tail.work if tail else 0))
        if kernel.tail is not None and not along:
            self.loops(kernel.tail)

    def operand(self, a: Atom, lies: Matrix) -> str:
        """Where an operand begins."""
        pointer, bytes_before = self.pointer(a), lies.first * a.type.dtype.itemsize
        return self.emit(f"getelementptr i8, ptr {pointer}, i64 {bytes_before}") if bytes_before else pointer

    def tail(self, kernel: LibraryKernel) -> tuple[Tail, list[Atom]]:
        """The function of a tail that runs over a part of the product at a time, and its buffers."""
        assert kernel.tail is not None
        schedule = self.scope.plan.schedule
        signed, values = signature(kernel.tail, schedule)
        key = signed, kernel.call, kernel.cut, isinstance(kernel, PatchKernel) and kernel.room is not None
        if key not in self.tails:
            place = {a: k for k, a in enumerate(values)}
            made, buffers = tail(kernel, schedule, self.module)
            self.tails[key] = made, [place[a] for a in buffers]
        found, places = self.tails[key]
        return found, [values[k] for k in places]

    def loops(self, kernel: LoopKernel) -> None:
        """Call the function of a kernel; a kernel like an earlier one is not lowered again."""
        schedule = self.scope.plan.schedule
        key, values = signature(kernel, schedule)
        if key not in self.lowered:
            nest, buffers = lower(kernel, schedule)
            place = {a: k for k, a in enumerate(values)}
            self.lowered[key] = *function(nest, self.module), [place[a] for a in buffers]
        text, work, room, places = self.lowered[key]
        self.room = max(self.room, room)
        own = [self.address(Place("arena", self.shared))] if room else []
        self.call(text, [*(values[k] for k in places), *own])
        self.worked(work)

    def call_back(self, kernel: ForeignKernel) -> None:
        k, self.foreign = self.foreign, self.foreign + 1
        values = [self.pointer(a) for a in (*kernel.reads(), *kernel.writes())]
        self.module.declarations[signals.CALL] = signals.CALLS
        self.slots.append(f"  %frame{k} = alloca [{len(values)} x ptr]")
        for j, pointer in enumerate(values):
            at = self.emit(f"getelementptr ptr, ptr %frame{k}, i64 {j}")
            self.lines.append(f"  store ptr {pointer}, ptr {at}")
        self.work += signals.LONG
        self.unless(self.emit(f"call i32 @{signals.CALL}(ptr %state, ptr %values, i64 {k}, ptr %frame{k})"))

    # ── control flow ─────────────────────────────────────────────────────────────────────────────
    def control(self, kernel: ControlKernel) -> None:
        plans, places = self.scope.plan.held[kernel]
        node, spares = kernel.node, [self.address(place) for place in places]
        ins, outs = ([self.pointer(a) for a in atoms] for atoms in (node.ins, node.outs))
        for into, (c, k) in kernel.in_place().items():  # the one place of this carry is that of the result
            self.copy(outs[c], ins[into], node.outs[c].type)
            ins[into] = spares[k] = outs[c]
        match node.op:
            case Scan():
                self.scan(node.op, plans, ins, outs, spares)
            case While():
                self.repeat(node.op, plans[0], plans[1], ins, outs, spares)
            case Cond():
                self.branch(node.ins[0].type, plans, ins, outs)

    def scan(self, op: Scan, bodies: list[Plan], ins: list[str], outs: list[str], spares: list[str]) -> None:
        consts, start, xs = op.split(ins)
        end, ys = outs[: op.carry], outs[op.carry :]
        types = op.body.out_types
        if op.length == 0:
            for to, source, t in zip(end, start, types):
                self.copy(to, source, t)
            return
        # the last step shall write where the result belongs
        i, now, new = self.loop(start, *((end, spares) if op.length % 2 else (spares, end)))
        step = self.emit(f"sub nsw i64 {op.length - 1}, {i}") if op.reverse else i
        x_types = op.body.in_types[op.consts + op.carry :]
        xs, ys = (
            [self.slice(p, step, t) for p, t in zip(pointers, ts)]
            for pointers, ts in ((xs, x_types), (ys, types[op.carry :]))
        )
        self.kernels(_Scope(bodies[0], [*consts, *now, *xs], [*new, *ys]))
        following = self.next(i)
        last = self.emit(f"icmp eq i64 {following}, {op.length}")
        self.lines.append(f"  br i1 {last}, label %done{i[2:]}, label %loop{i[2:]}")
        self.begin(f"done{i[2:]}")

    def repeat(self, op: While, cond: Plan, body: Plan, ins: list[str], outs: list[str], spares: list[str]) -> None:
        consts, (test, *others) = ins[: op.consts], spares
        i, now, new = self.loop(ins[op.consts :], outs, others)
        k = i[2:]
        if op.bound is not None:
            within = self.emit(f"icmp ult i64 {i}, {op.bound}")
            self.lines.append(f"  br i1 {within}, label %test{k}, label %done{k}")
            self.begin(f"test{k}")
        self.kernels(_Scope(cond, [*consts, *now], [test]))
        going = self.emit(f"load i8, ptr {test}")
        going = self.emit(f"icmp ne i8 {going}, 0")
        self.lines.append(f"  br i1 {going}, label %body{k}, label %done{k}")
        self.begin(f"body{k}")
        self.kernels(_Scope(body, [*consts, *now], new))
        self.next(i)
        self.lines.append(f"  br label %loop{k}")
        self.begin(f"done{k}")
        for to, source, t in zip(outs, now, op.body.out_types):
            self.copy(to, source, t)

    def branch(self, index: TensorType, branches: list[Plan], ins: list[str], outs: list[str]) -> None:
        t, self.count = register(index.dtype), self.count + 1
        k, number = self.count, self.emit(f"load {t}, ptr {ins[0]}")
        if index.dtype.kind == "i":
            below = self.emit(f"icmp slt {t} {number}, 0")
            number = self.emit(f"select i1 {below}, {t} 0, {t} {number}")
        cases = [f"{t} {j}, label %case{k}.{j}" for j in range(len(branches) - 1)]
        self.lines.append(f"  switch {t} {number}, label %case{k}.{len(cases)} [{' '.join(cases)}]")
        for j, plan in enumerate(branches):
            self.begin(f"case{k}.{j}")
            self.kernels(_Scope(plan, ins[1:], outs))
            self.lines.append(f"  br label %done{k}")
        self.begin(f"done{k}")

    # ── addresses ────────────────────────────────────────────────────────────────────────────────
    def pointer(self, a: Atom) -> str:
        """The address of a value."""
        return self.address(self.scope.plan.place(a))

    def address(self, place: Place) -> str:
        match place.kind:
            case "constant":
                return self.array(f"%data{place.at}")
            case "input":
                return self.array(self.scope.inputs[place.at])
            case "output":
                return self.array(self.scope.outputs[place.at])
        return self.emit(f"getelementptr i8, ptr {self.array(f'%data{self.arena}')}, i64 {place.at}")

    def array(self, address: str) -> str:
        """The address, of which is remembered that it is used."""
        if address.startswith("%data"):
            self.used.add(int(address[5:]))
        return address

"""Contractions and convolutions printed as LLVM IR: functions that call BLAS.

Floor 4. BLAS stores columns, we rows: it is asked for cᵀ = bᵀ·aᵀ, and reads our rows as its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minigrad.loops.to_llvm import Module, literal, register
from minigrad.passes.schedule.matmul import MatMul
from minigrad.passes.schedule.patches import Patches
from minigrad.types import FLOAT32, DType

Lanes = Sequence[tuple[int, ...]]  # how many, and the strides of what moves


def matmul(call: MatMul, module: Module, bits: int) -> str:
    """A function c, a, b -> nothing that calls BLAS, once per lane."""
    lanes = [(count, c, a, b) for count, a, b, c in call.lanes]
    inner = lambda pointers: [_gemm(call, module, bits, pointers, call.n)]
    lines = _each_lane(call.dtype, lanes, ["%b0", "%b1", "%b2"], inner)
    return _function(3, lines)


def patches(p: Patches, module: Module, bits: int, fill: str, clear: str | None) -> str:
    """A function y, panel, x, w -> nothing that calls `fill` and then BLAS, once per panel; before that, `clear`."""

    def panel(pointers: Sequence[str]) -> list[str]:
        y, w, x = pointers
        return [
            f"  call void @{fill}(ptr %b1, ptr {x})",
            _gemm(p.product, module, bits, [y, w, "%b1"], p.columns, added=p.summed),
        ]

    start = [f"  call void @{clear}(ptr %b0)"] if clear else []
    return _function(4, [*start, *_each_lane(p.dtype, p.lanes, ["%b0", "%b3", "%b2"], panel)])


def _function(buffers: int, lines: list[str]) -> str:
    parameters = ", ".join(f"ptr %b{k}" for k in range(buffers))
    return f"({parameters}) #0 {{\n" + "\n".join(["entry:", *lines, "  ret void"]) + "\n}"


def _each_lane(
    dtype: DType, lanes: Lanes, pointers: list[str], inner: Callable[[Sequence[str]], list[str]]
) -> list[str]:
    """Loops around what `inner` does with the pointers, moved to each lane."""
    t, lines, close = register(dtype), list[str](), list[str]()
    for k, (count, *steps) in enumerate(lanes):
        before = f"lane{k - 1}" if k else "entry"
        lines += [f"  br label %lane{k}", f"lane{k}:", f"  %i{k} = phi i64 [0, %{before}], [%n{k}, %next{k}]"]
        moved = []
        for j, (pointer, step) in enumerate(zip(pointers, steps, strict=True)):
            lines.append(f"  %o{k}.{j} = mul nsw i64 %i{k}, {step}")
            lines.append(f"  %p{k}.{j} = getelementptr {t}, ptr {pointer}, i64 %o{k}.{j}")
            moved.append(f"%p{k}.{j}")
        pointers = moved
        close = [
            f"  br label %next{k}", f"next{k}:", f"  %n{k} = add nuw nsw i64 %i{k}, 1",
            f"  %c{k} = icmp eq i64 %n{k}, {count}", f"  br i1 %c{k}, label %done{k}, label %lane{k}",
            f"done{k}:", *close,
        ]  # fmt: skip
    return [*lines, *inner(pointers), *close]


def _gemm(call: MatMul, module: Module, bits: int, pointers: Sequence[str], leading: int, added: bool = False) -> str:
    """One product; `pointers` to c, a and b. `leading` is the stride of c's rows; `added`: to what is there."""
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

    c, a, b = (f"ptr {p}" for p in pointers)
    arguments = [
        letter(call.b.transposed), letter(call.a.transposed), number(call.n), number(call.m), number(call.k), real(1),
        b, number(call.b.leading), a, number(call.a.leading), real(int(added)), c, number(leading),
    ]  # fmt: skip
    return f"  call void @{gemm}({', '.join(arguments)})"

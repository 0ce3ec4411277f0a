"""Contractions printed as LLVM IR: a function that calls BLAS.

Floor 4.
"""

from __future__ import annotations

from minigrad.loops.to_llvm import Module, literal, register
from minigrad.passes.schedule.matmul import MatMul
from minigrad.types import FLOAT32


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

"""Contractions and convolutions printed as LLVM IR: functions that call BLAS.

Floor 4. BLAS stores columns, we rows: it is asked for cᵀ = bᵀ·aᵀ, and reads our rows as its columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.loops import pool
from minigrad.loops.llvm_scalars import Module, literal, register
from minigrad.loops.parallel import AVAILABLE, defined
from minigrad.passes.schedule.matmul import MatMul
from minigrad.passes.schedule.patches import Patches
from minigrad.types import FLOAT32, DType

THREADS = "minigrad_blas_threads"  # (on how many threads BLAS runs)
# While some program runs products in blocks, BLAS runs each on one thread; then on as many as before.
_ALONE = f"""\
declare void @{THREADS}(i32)
define internal void @minigrad_blas_alone(i64 %more) noinline nounwind {{
entry:
  %mutex = getelementptr i8, ptr @{pool.POOL}, i64 {pool.MUTEX}
  %count.at = getelementptr i8, ptr @{pool.POOL}, i64 {pool.ALONE}
  %limit.at = getelementptr i8, ptr @{pool.POOL}, i64 {pool.LIMIT}
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  %before = load i64, ptr %count.at
  %count = add i64 %before, %more
  store i64 %count, ptr %count.at
  %limit = load i64, ptr %limit.at
  %last = icmp eq i64 %count, 0
  %others = select i1 %last, i64 %limit, i64 0
  %all = add i64 %others, 1
  %threads = trunc i64 %all to i32
  call void @{THREADS}(i32 %threads)
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}"""
Lanes = Sequence[tuple[Any, ...]]  # how many, and the strides of what moves


def matmul(call: MatMul, module: Module, bits: int) -> str:
    """A function c, a, b -> nothing that calls BLAS, once per lane."""
    lanes = [(count, c, a, b) for count, a, b, c in call.lanes]
    inner = lambda pointers: [_gemm(call, module, bits, pointers, call.n)]
    lines = _each_lane(call.dtype, lanes, ["%b0", "%b1", "%b2"], inner)
    return _function(3, lines)


def patches(p: Patches, module: Module, bits: int, fill: str, clear: str | None) -> str:
    """A function y, panel, x, w -> nothing that calls `fill` and then BLAS, once per panel; before that, `clear`."""
    start = [f"  call void @{clear}(ptr %b0)"] if clear else []
    blocks, step = p.blocks
    if blocks == 1 or not AVAILABLE:
        return _function(4, [*start, *_panels(p, module, bits, fill, p.lanes[0][0])])
    module.declarations[pool.WORKER] = pool.text()
    module.declarations[THREADS] = _ALONE
    module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
    size = math.prod(p.panel) * p.dtype.itemsize
    lines = [f"  %at{k} = getelementptr ptr, ptr %frame, i64 {k}\n  %b{k} = load ptr, ptr %at{k}" for k in (0, 2, 3)]
    lines += [
        "  %at1 = getelementptr ptr, ptr %frame, i64 1", "  %all = load ptr, ptr %at1",
        f"  %mine = mul nuw nsw i64 %number, {size}", "  %b1 = getelementptr i8, ptr %all, i64 %mine",
        f"  %low = mul nuw nsw i64 %number, {step}", f"  %end = add nuw nsw i64 %low, {step}",
        f"  %high = call i64 @llvm.umin.i64(i64 %end, i64 {p.lanes[0][0]})",
    ]  # fmt: skip
    lines += _panels(p, module, bits, fill, "%high", "%low")
    block = defined("(ptr %frame, i64 %number) #0 {\n" + "\n".join(["entry:", *lines, "  ret void"]) + "\n}", module)
    frame = ["  %frame = alloca [4 x ptr]"]
    for k in range(4):
        frame.append(f"  %at{k} = getelementptr ptr, ptr %frame, i64 {k}\n  store ptr %b{k}, ptr %at{k}")
    run = [
        "  call void @minigrad_blas_alone(i64 1)", f"  call void @{pool.RUN}(ptr @{block}, ptr %frame, i64 {blocks})",
        "  call void @minigrad_blas_alone(i64 -1)",
    ]  # fmt: skip
    return _function(4, [*start, *frame, *run])


def _panels(p: Patches, module: Module, bits: int, fill: str, end: int | str, start: int | str = 0) -> list[str]:
    """Loops that fill panel %b1 and multiply it; of the first of them, the passes from `start` to `end`."""

    def panel(pointers: Sequence[str]) -> list[str]:
        y, w, x = pointers
        product = _gemm(p.product, module, bits, [y, w, "%b1"], p.columns, added=p.summed)
        return [f"  call void @{fill}(ptr %b1, ptr {x})", product]

    (_, *steps), *others = p.lanes
    return _each_lane(p.dtype, [(end, *steps), *others], ["%b0", "%b3", "%b2"], panel, start)


def _function(buffers: int, lines: list[str]) -> str:
    parameters = ", ".join(f"ptr %b{k}" for k in range(buffers))
    return f"({parameters}) #0 {{\n" + "\n".join(["entry:", *lines, "  ret void"]) + "\n}"


def _each_lane(
    dtype: DType,
    lanes: Lanes,
    pointers: list[str],
    inner: Callable[[Sequence[str]], list[str]],
    start: int | str = 0,
) -> list[str]:
    """Loops around what `inner` does with the pointers, moved to each lane."""
    t, lines, close = register(dtype), list[str](), list[str]()
    for k, (count, *steps) in enumerate(lanes):
        before, first = (f"lane{k - 1}", 0) if k else ("entry", start)
        lines += [f"  br label %lane{k}", f"lane{k}:", f"  %i{k} = phi i64 [{first}, %{before}], [%n{k}, %next{k}]"]
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

"""Contractions and convolutions printed as LLVM IR: functions that call BLAS, and their tails part by part.

Floor 4. BLAS stores columns, we rows: it is asked for cᵀ = bᵀ·aᵀ, and reads our rows as its columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from minigrad.loops import pool
from minigrad.loops.llvm_scalars import Module, literal, register
from minigrad.loops.parallel import AVAILABLE, defined
from minigrad.loops.tails import Tail
from minigrad.passes.schedule.matmul import Cut, MatMul
from minigrad.passes.schedule.patches import Patches
from minigrad.types import FLOAT32, DType

THREADS, THREADS_NOW = "minigrad_blas_threads", "minigrad_blas_threads_now"  # on how many BLAS shall run, and does
# While some program runs products in blocks, or one that threads would hardly help, BLAS runs each on one thread; then
# on as many as before.
_ALONE = f"""\
declare void @{THREADS}(i32)
declare i32 @{THREADS_NOW}()
define internal void @minigrad_blas_alone(i64 %more) noinline nounwind {{
entry:
  %mutex = getelementptr i8, ptr @{pool.POOL}, i64 {pool.MUTEX}
  %count.at = getelementptr i8, ptr @{pool.POOL}, i64 {pool.ALONE}
  %kept.at = getelementptr i8, ptr @{pool.POOL}, i64 {pool.KEPT}
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  %before = load i64, ptr %count.at
  %count = add i64 %before, %more
  store i64 %count, ptr %count.at
  %first = icmp eq i64 %before, 0
  br i1 %first, label %keep, label %set
keep:
  %now = call i32 @{THREADS_NOW}()
  store i32 %now, ptr %kept.at
  br label %set
set:
  %kept = load i32, ptr %kept.at
  %last = icmp eq i64 %count, 0
  %threads = select i1 %last, i32 %kept, i32 1
  call void @{THREADS}(i32 %threads)
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}"""
# Operations (0.1 ms) from which on BLAS may use its threads: if one of them has to wait for a core all wait, for
# milliseconds (4 of them in the median for 0.05 to 0.15 ms of work, on two cores with other work). Up to the second
# number it uses none anyway.
_SHARED, _THREADED = 1 << 23, 1 << 19
Lanes = Sequence[tuple[Any, ...]]  # how many, and the strides of what moves
_NONE: Mapping[int, int] = MappingProxyType({})


def matmul(call: MatMul, module: Module, bits: int, cut: Cut | None = None, tail: Tail | None = None) -> str:
    """A function c, a, b, those of the tail -> nothing that calls BLAS, once per lane; in parts, each with its tail."""
    if cut is None or not AVAILABLE:
        products = _products(call, module, bits, call.lanes)
        middling = call.work < _SHARED and 2 * call.m * call.n * call.k > _THREADED
        return _function(3, _alone(module, products) if AVAILABLE and middling else products)
    lines, buffers = _part(call, module, bits, cut), 3
    if tail is not None:
        for end in ("low", "high"):
            lines += [f"  %{end}.at = mul nuw nsw i64 %{end}, {call.elements // cut.count}"]
            lines += [f"  %{end}.pass = udiv exact i64 %{end}.at, {tail.each}"]
        lines.append(tail.call({"passes": ("%low.pass", "%high.pass")}, buffers))
        buffers += tail.buffers
    return _function(buffers, _in_blocks(module, buffers, cut.count, cut.step, lines))


def _products(call: MatMul, module: Module, bits: int, lanes: Lanes, start: int | str = 0) -> list[str]:
    inner = lambda pointers: [_gemm(call, module, bits, pointers, call.n)]
    lanes = [(count, c, a, b) for count, a, b, c in lanes]
    return _each_lane(call.dtype, lanes, ["%b0", "%b1", "%b2"], inner, start)


def _part(call: MatMul, module: Module, bits: int, cut: Cut) -> list[str]:
    """The passes %low .. %high − 1 of a product that is cut."""
    if cut.axis == "lanes":
        (_, *steps), *others = call.lanes
        return _products(call, module, bits, [("%high", *steps), *others], "%low")
    t = register(call.dtype)
    lines = [f"  %rows.at = alloca i{bits}", "  %rows = sub i64 %high, %low"]
    lines += [f"  %rows.cut = trunc i64 %rows to i{bits}"] * (bits < 64)
    lines += [f"  store i{bits} %rows{'.cut' * (bits < 64)}, ptr %rows.at"]
    for k, step in ((0, call.n), (1, 1 if call.a.transposed else call.a.leading)):
        lines += [f"  %o{k} = mul nuw nsw i64 %low, {step}", f"  %p{k} = getelementptr {t}, ptr %b{k}, i64 %o{k}"]
    return [*lines, _gemm(call, module, bits, ["%p0", "%p1", "%b2"], call.n, rows="%rows.at")]


def patches(p: Patches, module: Module, bits: int, fill: str, clear: str | None, tail: Tail | None = None) -> str:
    """A function y, panel, x, w, those of the tail -> nothing: it calls `fill`, BLAS and the tail, once per panel.

    Before that, `clear`.
    """
    start = [f"  call void @{clear}(ptr %b0)"] if clear else []
    blocks, step = p.blocks
    count, buffers, own = p.lanes[0][0], 4, {1: math.prod(p.panel) * p.dtype.itemsize}
    if tail is not None:
        buffers += tail.buffers
        if tail.leading:
            own[buffers] = p.outputs * tail.leading * p.dtype.itemsize
            buffers += 1
    if blocks == 1 or not AVAILABLE:
        return _function(buffers, [*start, *_panels(p, module, bits, fill, tail, count)])
    lines = _panels(p, module, bits, fill, tail, "%high", "%low")
    return _function(buffers, [*start, *_in_blocks(module, buffers, count, step, lines, own)])


def _in_blocks(
    module: Module, buffers: int, count: int, step: int, lines: Sequence[str], own: Mapping[int, int] = _NONE
) -> list[str]:
    """Lines that have the pool run `lines` for all passes %low .. %high − 1 of `count`, a block being `step` of them.

    `own`: buffers of which each block has so many bytes of its own.
    """
    module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
    head = ["entry:"]
    for k in range(buffers):
        name = "all" if k in own else "b"
        head += [f"  %at{k} = getelementptr ptr, ptr %frame, i64 {k}", f"  %{name}{k} = load ptr, ptr %at{k}"]
        if k in own:
            head += [f"  %mine{k} = mul nuw nsw i64 %number, {own[k]}"]
            head += [f"  %b{k} = getelementptr i8, ptr %all{k}, i64 %mine{k}"]
    head += [
        f"  %low = mul nuw nsw i64 %number, {step}", f"  %end = add nuw nsw i64 %low, {step}",
        f"  %high = call i64 @llvm.umin.i64(i64 %end, i64 {count})",
    ]  # fmt: skip
    block = defined("(ptr %frame, i64 %number) #0 {\n" + "\n".join([*head, *lines, "  ret void"]) + "\n}", module)
    frame = [f"  %frame = alloca [{buffers} x ptr]"]
    for k in range(buffers):
        frame.append(f"  %at{k} = getelementptr ptr, ptr %frame, i64 {k}\n  store ptr %b{k}, ptr %at{k}")
    run = f"  call void @{pool.RUN}(ptr @{block}, ptr %frame, i64 {-(-count // step)})"
    return [*frame, *_alone(module, [run])]


def _alone(module: Module, lines: Sequence[str]) -> list[str]:
    """Lines during which BLAS runs each product on one thread."""
    module.declarations[pool.WORKER] = pool.text()
    module.declarations[THREADS] = _ALONE
    return ["  call void @minigrad_blas_alone(i64 1)", *lines, "  call void @minigrad_blas_alone(i64 -1)"]


def _panels(
    p: Patches, module: Module, bits: int, fill: str, tail: Tail | None, end: int | str, start: int | str = 0
) -> list[str]:
    """Loops that fill panel %b1 and multiply it; of the first of them, the passes from `start` to `end`."""

    def panel(pointers: Sequence[str]) -> list[str]:
        (y, w, x), leading = pointers, p.columns
        if tail is not None and tail.leading:
            y, leading = f"%b{4 + tail.buffers}", tail.leading
        product = _gemm(p.product, module, bits, [y, w, "%b1"], leading, added=p.summed)
        behind = _behind(p, tail) if tail is not None else []
        return [f"  call void @{fill}(ptr %b1, ptr {x})", product, *behind]

    (_, *steps), *others = p.lanes
    return _each_lane(p.dtype, [(end, *steps), *others], ["%b0", "%b3", "%b2"], panel, start)


def _behind(p: Patches, tail: Tail) -> list[str]:
    """The tail over the rows and columns of a panel's product."""
    lines, row = _sum("rows", [step // p.columns for _, step, *_ in p.lanes], p.outputs)
    more, column = _sum("columns", [step % p.columns for _, step, *_ in p.lanes], p.product.n)
    lines, ranges = [*lines, *more], {"rows": row, "columns": column}
    if tail.leading:  # so that the elements of the panel's product are counted as in the whole
        lines += [
            f"  %room.row = mul nuw nsw i64 {row[0]}, {tail.leading}",
            f"  %room.at = add nuw nsw i64 %room.row, {column[0]}", "  %room.back = sub i64 0, %room.at",
            f"  %room = getelementptr {register(p.dtype)}, ptr %b{4 + tail.buffers}, i64 %room.back",
        ]  # fmt: skip
    return [*lines, tail.call(ranges, 4, "%room")]


def _sum(what: str, steps: Sequence[int], size: int) -> tuple[list[str], tuple[str, str]]:
    """Lines for the range that begins at the sum of the lanes' numbers times these steps."""
    lines, at = list[str](), "0"
    for k, step in enumerate(steps):
        lines += [f"  %{what}.by{k} = mul nuw nsw i64 %i{k}, {step}"]
        lines += [f"  %{what}{k} = add nuw nsw i64 {at}, %{what}.by{k}"]
        at = f"%{what}{k}"
    return [*lines, f"  %{what}.end = add nuw nsw i64 {at}, {size}"], (at, f"%{what}.end")


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


def _gemm(
    call: MatMul, module: Module, bits: int, pointers: Sequence[str], leading: int, added: bool = False, rows: str = ""
) -> str:
    """One product; `pointers` to c, a and b. `leading` is the stride of c's rows; `added`: to what is there.

    `rows`: where their number stands, if it is not the call's.
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

    c, a, b = (f"ptr {p}" for p in pointers)
    m = f"ptr {rows}" if rows else number(call.m)
    arguments = [
        letter(call.b.transposed), letter(call.a.transposed), number(call.n), m, number(call.k), real(1),
        b, number(call.b.leading), a, number(call.a.leading), real(int(added)), c, number(leading),
    ]  # fmt: skip
    return f"  call void @{gemm}({', '.join(arguments)})"

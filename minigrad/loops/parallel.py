"""Functions of kernels that run on several threads, in blocks.

Floor 4. A kernel stays one function of its buffers. If it is divided, that function makes a frame of the addresses, and
gives it to the pool (see `pool`), block by block. What each block has of its own lies in a last buffer, in the arena.
"""

from __future__ import annotations

import sys

from minigrad.loops import pool, to_llvm
from minigrad.loops.llvm_scalars import Module
from minigrad.loops.nest import Nest
from minigrad.loops.split import WORTH, Own, Split, combination, pieces, split, work

_LINE = 64  # bytes
AVAILABLE = sys.platform != "win32"  # threads are woken by POSIX's means


def function(nest: Nest, module: Module) -> tuple[str, int, int]:
    """The parameters and the body of the function for a nest, which may run on several threads; its work; and how many
    bytes the blocks have of their own, in a last parameter if there are any.
    """
    total = work(nest.body, set())
    worth = AVAILABLE and total >= WORTH
    found = [(piece, split(piece)) for piece in pieces(nest)] if worth else []
    if not any(s for _, s in found):
        return to_llvm.function(nest, module), total, 0
    module.declarations[pool.WORKER] = pool.text()
    buffers = ", ".join([f"ptr %b{k}" for k in range(len(nest.buffers))])
    room = max(_room(piece, how) for piece, how in found)
    lines = ["entry:"]
    for k, (piece, how) in enumerate(found):
        if how is None:
            lines.append(f"  call void @{defined(to_llvm.function(piece, module), module)}({buffers})")
        else:
            lines += _driver(piece, how, module, f"%d{k}")
    parameters = f"{buffers}, ptr %own" if room else buffers
    return f"({parameters}) #0 {{\n" + "\n".join([*lines, "  ret void"]) + "\n}", total, room


def defined(text: str, module: Module) -> str:
    """The name of an internal function with this text."""
    known = module.declarations.get(text)
    if known is None:
        name = f"inner{len(module.declarations)}"
        module.declarations[text] = known = f"define internal void @{name}{text}"
    return known.partition("@")[2].partition("(")[0]


def _driver(nest: Nest, how: Split, module: Module, d: str) -> list[str]:
    """Lines that run a nest in blocks: its buffers in a frame, and where the blocks' own ones begin."""
    count, own, room = len(nest.buffers), sorted(how.own), 0
    block = defined(_block(nest, how, module), module)
    lines = [f"  {d} = alloca [{count} x ptr]"]
    for b in range(count):
        pointer = f"%b{b}"
        if b in how.own:
            pointer = f"{d}.own{b}"
            lines.append(f"  {pointer} = getelementptr i8, ptr %own, i64 {room}")
            room += how.blocks * _bytes(nest, b, how.own[b])
        lines.append(f"  {d}.at{b} = getelementptr ptr, ptr {d}, i64 {b}")
        lines.append(f"  store ptr {pointer}, ptr {d}.at{b}")
    lines.append(f"  call void @{pool.RUN}(ptr @{block}, ptr {d}, i64 {how.blocks})")
    for b in own:
        if how.own[b].combine:
            stride = _bytes(nest, b, how.own[b]) // nest.buffers[b].itemsize
            text = to_llvm.function(combination(how.own[b], nest.buffers[b], stride, how.blocks), module)
            lines.append(f"  call void @{defined(text, module)}(ptr %b{b}, ptr {d}.own{b})")
    return lines


def _block(nest: Nest, how: Split, module: Module) -> str:
    """A function (frame, number) that runs one block."""
    name = defined(to_llvm.function(nest, module, [(how.loop, how.step)]), module)
    module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
    lines = [
        f"  %low = mul nuw nsw i64 %number, {how.step}",
        f"  %next = add nuw nsw i64 %low, {how.step}",
        f"  %high = call i64 @llvm.umin.i64(i64 %next, i64 {how.loop.extent})",
    ]
    for b in range(len(nest.buffers)):
        lines.append(f"  %at{b} = getelementptr ptr, ptr %frame, i64 {b}")
        lines.append(f"  %{'all' if b in how.own else 'b'}{b} = load ptr, ptr %at{b}")
        if b in how.own:
            lines.append(f"  %offset{b} = mul nuw nsw i64 %number, {_bytes(nest, b, how.own[b])}")
            lines.append(f"  %b{b} = getelementptr i8, ptr %all{b}, i64 %offset{b}")
    buffers = ", ".join([f"ptr %b{b}" for b in range(len(nest.buffers))])
    lines += [f"  call void @{name}(i64 %low, i64 %high, {buffers})", "  ret void"]
    return "(ptr %frame, i64 %number) #0 {\nentry:\n" + "\n".join(lines) + "\n}"


def _room(nest: Nest, how: Split | None) -> int:
    """The bytes all blocks have of their own."""
    return sum(how.blocks * _bytes(nest, b, own) for b, own in how.own.items()) if how else 0


def _bytes(nest: Nest, b: int, own: Own) -> int:
    """From one block's own to the next one's: they do not share lines of the cache."""
    size: int = own.size * nest.buffers[b].itemsize
    return -(-size // _LINE) * _LINE + _LINE

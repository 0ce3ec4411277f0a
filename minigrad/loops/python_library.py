"""Lines of a program in Python: NumPy's calls of BLAS on views of flat arrays, lists unpacked, functions applied.

Floor 4.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from minigrad.graph import Atom
from minigrad.passes.schedule.matmul import MatMul, Matrix
from minigrad.passes.schedule.patches import Patches

STRIDED = '''\
def strided(x, shape, strides):
    """A view of a flat array by the steps (in elements) along each axis."""
    return np.ndarray(shape, x.dtype, x, 0, [x.itemsize * step for step in strides])
'''


def matmul(call: MatMul, operands: Sequence[Atom], out: str, a: str, b: str) -> str:
    """The line for a contraction of two operands."""
    counts = [n for n, *_ in call.lanes]
    left = _view(a, operands[0], call.m, call.k, call.a, call, 1)
    right = _view(b, operands[1], call.k, call.n, call.b, call, 2)
    if _in_order(call):
        whole = reshaped(out, [*counts, call.m, call.n])
        return f"np.{'matmul' if counts else 'dot'}({left}, {right}, out={whole})"
    strides = [s for *_, s in call.lanes] + [call.n, 1]
    whole = f"strided({out}, {(*counts, call.m, call.n)}, {tuple(strides)})"
    return f"np.matmul({left}, {right}, out={whole})"


def patches(p: Patches, fill: str, y: str, panel: str, x: str, w: str) -> list[str]:
    """The lines for a convolution; `fill` is the function that fills a panel."""
    loops, product = [n for n, *_ in p.lanes], p.product

    def at(side: int) -> str:
        return " + ".join([f"{lane[side]} * t{k}" for k, lane in enumerate(p.lanes) if lane[0] > 1] or ["0"])

    kernel = f"strided({w}[{at(2)} :], {(product.m, product.k)}, {(p.w_row, 1)})"
    columns = reshaped(f"{panel}[: {math.prod(p.panel)}]", p.panel) + (".T" if p.summed else "")
    into = f"strided({y}[{at(1)} :], {(product.m, product.n)}, {(p.columns, 1)})"
    lines = [f"for t{k} in range({n}):" for k, n in enumerate(loops) if n > 1]
    lines = [f"{'    ' * k}{line}" for k, line in enumerate(lines)]
    lead = "    " * len(lines)
    added = [f"y = {into}", f"y += {kernel} @ {columns}"]
    last = added if p.summed else [f"np.matmul({kernel}, {columns}, out={into})"]
    lines += [f"{lead}{line}" for line in (f"{fill}({panel}, {x}[{at(3)} :])", *last)]
    return [f"{y}[:] = 0", *lines] if p.summed else lines


def reshaped(name: str, shape: Any) -> str:
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
    if natural and matrix.leading == stored[1] and step == a.type.size and not matrix.first:
        turned = ".swapaxes(-1, -2)" if counts else ".T"
        return reshaped(name, plain) + (turned if matrix.transposed else "")
    steps = (1, matrix.leading) if matrix.transposed else (matrix.leading, 1)
    name += f"[{matrix.first} :]" * (matrix.first > 0)
    return f"strided({name}, {(*counts, rows, columns)}, {(*lanes, *steps)})"


def unpacked(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    text = f"[{', '.join(names)}]"
    lines = textwrap.wrap(text, 100, initial_indent="    ", subsequent_indent="     ", break_long_words=False)
    return [*lines[:-1], f"{lines[-1]} = {what}"]


def picked(what: str, places: dict[str, int]) -> list[str]:
    """Some items of a list by names: a stretch of it at once, if they follow each other."""
    numbers = list(places.values())
    if numbers and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return unpacked(f"{what}[{numbers[0] or ''}:{numbers[-1] + 1}]", list(places))
    return [f"    {name} = {what}[{k}]" for name, k in places.items()]


def listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


def sliced(name: str, size: int) -> str:
    """What a step of a scan sees of a stack."""
    return f"{name}[{size}*step:{size}*step + {size}]" if size != 1 else f"{name}[step:step + 1]"


def applied(function: str, inputs: str, outputs: str, depth: int = 1) -> list[str]:
    text = f"{function}({inputs}, {outputs}, work, constants, reference)"
    return textwrap.wrap(
        text, 104, initial_indent="    " * depth, subsequent_indent="    " * (depth + 1), break_long_words=False
    )

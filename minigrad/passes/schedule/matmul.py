"""Contractions as calls of BLAS: how operands lie, and which copies they need to lie so.

Floor 4. BLAS reads a matrix with one axis contiguous and any stride along the other. Transposed and broadcast operands
are read where they are; only what BLAS cannot read is copied (a `Permute` put before the contraction).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from types import UnionType
from typing import TypeAlias

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Graph, Node, Var
from minigrad.loops.index import strides
from minigrad.ops.contract import DotGeneral
from minigrad.ops.movement import Expand, Permute, Reshape
from minigrad.ops.pieces import Slice
from minigrad.passes.rewrite import Sweep
from minigrad.types import FLOAT32, FLOAT64, DType

Makers: TypeAlias = "dict[Var, Node]"
LARGEST = 2**31 - 1  # BLAS counts in 32 bits


@dataclass(frozen=True)
class Matrix:
    """An operand as BLAS sees it: `transposed` if its rows (as we write it) are contiguous along the other axis."""

    transposed: bool
    leading: int  # the stride of the other axis, in elements
    first: int = 0  # where it begins in its tensor


@dataclass(frozen=True)
class MatMul:
    """c[m, n] = a[m, k] · b[k, n], once per lane; c is contiguous. Lanes: (how many, stride in a, in b, in c)."""

    dtype: DType
    m: int
    n: int
    k: int
    a: Matrix
    b: Matrix
    lanes: tuple[tuple[int, int, int, int], ...]

    @property
    def elements(self) -> int:
        """Those of the result."""
        return math.prod(n for n, *_ in self.lanes) * self.m * self.n

    @property
    def work(self) -> int:
        """Scalar operations."""
        return 2 * self.elements * self.k

    def __str__(self) -> str:
        lanes = "".join(f"{n}×" for n, *_ in self.lanes)
        return f"{lanes}[{self.m},{self.k}]{'ᵀ' * self.a.transposed}·[{self.k},{self.n}]{'ᵀ' * self.b.transposed}"


@dataclass(frozen=True)
class Cut:
    """A product done in parts of `step` passes each over `count` rows or lanes (the outermost): `axis` says which."""

    axis: str
    count: int
    step: int

    def __str__(self) -> str:
        return f"{-(-self.count // self.step)} parts of {self.step} {self.axis}"


def is_library_call(n: Node) -> bool:
    """Does BLAS do this contraction?"""
    fits = isinstance(n.op, DotGeneral) and n.out.type.dtype in (FLOAT32, FLOAT64)
    return fits and all(a.type.size and a.type.size < LARGEST for a in (*n.ins, n.out))


def matmul(n: Node, makers: Makers) -> tuple[MatMul, Atom, Atom] | None:
    """The call, and the tensors its operands are read from; None if an operand must be copied first."""
    sources = [[strided(a, makers, parts=True), strided(a, makers), (a, strides(a.type.shape), 0)] for a in n.ins]
    for left in sources[0]:
        for right in sources[1]:
            found = _call(n, left[1], right[1])
            if found is not None:
                a, b = replace(found.a, first=left[2]), replace(found.b, first=right[2])
                return replace(found, a=a, b=b), left[0], right[0]
    return None


def strided(a: Atom, makers: Makers, parts: bool = False) -> tuple[Atom, tuple[int, ...], int]:
    """The tensor behind permutations and repetitions, the strides along a's axes, and where a's first element lies.

    With `parts` it may also be that which `a` is a slice of, if that lies in memory anyway.
    """
    chain: list[Node] = []
    node = makers.get(a) if isinstance(a, Var) else None
    while node is not None and (isinstance(node.op, Permute | Expand) or (parts and _is_part(node, makers))):
        chain.append(node)
        a = node.ins[0]
        node = makers.get(a) if isinstance(a, Var) else None
    steps, first = strides(a.type.shape), 0
    for node in reversed(chain):
        before, after = node.ins[0].type.shape, node.out.type.shape
        match node.op:
            case Permute(order=order):
                steps = tuple(steps[axis] for axis in order)
            case Slice(starts=starts, steps=each):
                first += sum(start * step for start, step in zip(starts, steps, strict=True))
                steps = tuple(step * k for step, k in zip(steps, each, strict=True))
            case Reshape():  # without axes of size 1, or with more of them
                others = iter(step for n, step in zip(before, steps, strict=True) if n != 1)
                steps = tuple(next(others) if n != 1 else 0 for n in after)
            case _:
                lead = len(after) - len(before)
                same = (s if before[d] == after[lead + d] else 0 for d, s in enumerate(steps))
                steps = (*(0,) * lead, *same)
    return a, steps, first


def _is_part(n: Node, makers: Makers) -> bool:
    """Is it a slice of what lies in memory, or that with more or fewer axes of size 1?"""
    if not isinstance(n.op, Slice):
        return _is_bare(n)
    node: Node | None = n
    through: type | UnionType = Permute | Expand | Reshape | Slice
    while node is not None and isinstance(node.op, through):
        if isinstance(node.op, Reshape) and not _is_bare(node):
            through = Reshape  # from here on it has to lie as it is
        a = node.ins[0]
        node = makers.get(a) if isinstance(a, Var) else None
    return node is None or is_library_call(node)


def _is_bare(n: Node) -> bool:
    """Does a node only put in or leave out axes of size 1?"""
    before, after = ([m for m in v.type.shape if m != 1] for v in (n.ins[0], n.out))
    return isinstance(n.op, Reshape) and before == after


def merged(shape: Sequence[int], steps: Sequence[int], axes: Sequence[int]) -> tuple[int, int] | None:
    """(size, stride) of several axes as one; None if they do not lie so."""
    kept = [(shape[d], steps[d]) for d in axes if shape[d] != 1]
    for (_, outer), (n, inner) in pairwise(kept):
        if outer != n * inner:
            return None
    return (math.prod(n for n, _ in kept), kept[-1][1]) if kept else (1, 0)


def _matrix(rows: tuple[int, int], columns: tuple[int, int]) -> Matrix | None:
    """From (size, stride) of both axes."""
    (m, row), (n, column) = rows, columns
    if (n == 1 or column == 1) and (m == 1 or row >= n) and row <= LARGEST:
        return Matrix(False, max(row, n))
    if (m == 1 or row == 1) and (n == 1 or column >= m) and column <= LARGEST:
        return Matrix(True, max(column, m))
    return None


def _call(n: Node, left: Sequence[int], right: Sequence[int]) -> MatMul | None:
    op, (a, b) = n.op, (x.type.shape for x in n.ins)
    assert isinstance(op, DotGeneral)
    pairs = sorted(zip(*op.contract, strict=True), key=lambda p: -left[p[0]])
    sum_a, sum_b = [p[0] for p in pairs], [p[1] for p in pairs]
    rows, inner_a = merged(a, left, op.free(0, len(a))), merged(a, left, sum_a)
    columns, inner_b = merged(b, right, op.free(1, len(b))), merged(b, right, sum_b)
    if rows is None or inner_a is None or columns is None or inner_b is None:
        return None
    first, second = _matrix(rows, inner_a), _matrix(inner_b, columns)
    if first is None or second is None:
        return None
    m, k, size = rows[0], inner_a[0], columns[0]
    steps = [s * m * size for s in strides([a[d] for d in op.batch_axes[0]])]
    lanes = [(a[i], left[i], right[j], s) for i, j, s in zip(*op.batch_axes, steps, strict=True) if a[i] != 1]
    return MatMul(n.out.type.dtype, m, size, k, first, second, tuple(lanes))


def layout(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph with a copy put before each contraction that BLAS could not read otherwise."""
    used = Counter() if used is None else used
    makers = {v: n for n in graph.nodes for v in n.outs}
    sweep = Sweep(graph)
    for n in graph.nodes:
        if is_library_call(n) and matmul(n, makers) is None:
            sweep.line = n.line
            sweep.nodes.append(_copied(n, sweep))
            used["dot(a, b) -> dot(permute(a), permute(b))"] += 1
        else:
            sweep.nodes.append(n)
    return Graph(graph.inputs, sweep.nodes, graph.outputs, graph.name)


def _copied(n: Node, sweep: Sweep) -> Node:
    """The contraction with operands laid out as [lanes, free, summed] and [lanes, summed, free]."""
    op, (a, b) = n.op, n.ins
    assert isinstance(op, DotGeneral)
    lanes, summed = len(op.batch_axes[0]), len(op.contract[0])
    free_a, free_b = op.free(0, a.type.ndim), op.free(1, b.type.ndim)
    order_a = (*op.batch_axes[0], *free_a, *op.contract[0])
    order_b = (*op.batch_axes[1], *op.contract[1], *free_b)
    first, last = lanes + len(free_a), lanes + summed
    contract = (tuple(range(first, first + summed)), tuple(range(lanes, last)))
    every = tuple(range(lanes))
    new = DotGeneral(contract, (every, every))
    return Node(new, (sweep.emit(Permute(order_a), a), sweep.emit(Permute(order_b), b)), n.outs, n.line)

"""Structural ops over an axis of unknown size n: the graph of value and gradient, given n, is what eager gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad.graph import check, run, specialize
from minigrad.interpreters.build import trace
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array
from minigrad.ops.along import TakeAlongAxis
from minigrad.ops.contract import matmul, outer, vdot
from minigrad.ops.convolve import conv
from minigrad.ops.cumulative import CumLogSumExp, CumProd, CumSum
from minigrad.ops.einsum import einsum
from minigrad.ops.gather import Gather, Scatter
from minigrad.ops.pool import avg_pool, max_pool
from minigrad.ops.reduce import Max, Prod
from minigrad.ops.running import cummax
from minigrad.ops.sort import sort, top_k
from minigrad.types import FLOAT64, INT64, Dim, TensorType

n = Dim.symbol("n")
SIZE = 5
Program = tuple[str, Callable[..., Any], list[tuple[Any, ...]], list[Any]]

PROGRAMS: list[Program] = [
    *((f"{op.__name__}{axes}", op(axes), [(n, 3)], []) for op in (Max, Prod) for axes in [(0,), (1,), (0, 1)]),
    *((op.__name__, op(0), [(n, 3)], []) for op in (CumSum, CumProd, CumLogSumExp)),
    ("cummax", lambda x: cummax(x, 0), [(n, 3)], []),
    ("gather", Gather((0,)), [(n, 3)], [[[1], [4]]]),
    ("gather-many", Gather((0,)), [(4, 3)], [(n, 1)]),
    ("take", TakeAlongAxis(1), [(n, 4)], [(n, 1)]),
    ("scatter", Scatter((0,)), [(n, 3), (2, 3)], [[[4], [4]]]),
    ("scatter-many", Scatter((0,)), [(7, 3), (n, 3)], [(n, 1)]),
    ("matmul", matmul, [(n, 3), (3, 4)], []),
    ("matmul-lanes", matmul, [(n, 2, 3), (n, 3, 4)], []),
    ("einsum", lambda a, b: einsum("bij,bjk->ik", a, b), [(n, 2, 3), (n, 3, 4)], []),
    ("outer", outer, [(n,), (n,)], []),
    ("vdot", vdot, [(n, 3), (n, 3)], []),
    ("conv", lambda x, w: conv(x, w, 1, "same", groups=2), [(n, 2, 6, 6), (4, 1, 3, 3)], []),
    ("conv-along", lambda x, w: conv(x, w, 2, 1), [(2, 2, n), (3, 2, 3)], []),
    ("max_pool", lambda x: max_pool(x, (2, 2)), [(n, 2, 4, 4)], []),
    ("avg_pool", lambda x: avg_pool(x, 2, 1, 1, count_padding=False), [(2, n)], []),
    ("sort", lambda x: sort(x, axis=0), [(n, 3)], []),
    ("sort-down", lambda x: sort(x, axis=0, descending=True), [(n, 3)], []),
    ("top_k", lambda x: top_k(x, 2)[0], [(3, n)], []),
    ("at", lambda x: x.at[:, ::2].add(2.0), [(n, 3)], []),
    ("at-last", lambda x: x.at[-1].set(2.0), [(n, 3)], []),
    ("positions", lambda x, i: x[i], [(n, 3)], [[-1, 0, -5]]),
    ("position", lambda x, i: x[i], [(n, 3)], [-2]),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p[0])
def test_the_graph_is_what_eager_gives(program: Program) -> None:
    _, f, shapes, given = program
    rng = np.random.default_rng(0)

    def sized(shape: tuple[Any, ...]) -> list[int]:
        return [SIZE if isinstance(d, Dim) else d for d in shape]

    # a tuple asks for positions of that shape, anything else is the positions
    positions = [rng.integers(0, 4, sized(p)) if isinstance(p, tuple) else np.array(p) for p in given]
    types = [TensorType(s, FLOAT64) for s in shapes]
    types += [TensorType(p if isinstance(p, tuple) else np.shape(p), INT64) for p in given]

    def value_and_gradient(*xs: Any) -> list[Any]:
        ys, pull = vjp(lambda *vs: [f(*vs, *xs[len(shapes) :])], xs[: len(shapes)])
        return [ys[0], *pull([ys[0]])]

    graph, _ = trace(value_and_gradient, types)
    xs = [Array(rng.normal(size=sized(s))) for s in shapes] + [Array(p) for p in positions]
    found = run(check(specialize(graph, {"n": SIZE})), xs)
    for a, b in zip(found, value_and_gradient(*xs), strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-12)

"""Kernels that go row by row: rows of size 0, and rows of several lengths in one kernel."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends
from minigrad.interpreters.build import trace
from minigrad.loops.index import variable
from minigrad.loops.scalar import load, needed
from minigrad.loops.together import together
from minigrad.ops.table import ROWS
from minigrad.testing.inventory import row_case
from minigrad.testing.laws import compiled_is_eager
from minigrad.types import FLOAT32, TensorType
from tests.engine.agreement import agrees
from tests.graph.programs import draw_inputs, graph_of

SHAPES = [((2, 1), (2, 0), ()), ((2, 0), (1, 1), (2, 1)), ((0,), (1,), ()), ((3, 1), (1, 0), (3, 1))]


@pytest.mark.parametrize("shapes", SHAPES)
def test_clip_and_its_gradient_over_nothing(shapes: tuple[tuple[int, ...], ...]) -> None:
    case = row_case(ROWS["clip"], shapes)
    compiled_is_eager(case.op, case.operands, np.random.default_rng(0))


def sums_of_two_lengths(x: Any, y: Any) -> Any:
    """Rows of 12 and of 4: the loop over one must not run over the other."""
    return mnp.sum(x, axis=1) * mnp.sum(y, axis=1), mnp.max(x, axis=1) - mnp.min(y, axis=1)


def maps_of_two_lengths(x: Any, y: Any) -> Any:
    shift = mnp.sum(x, axis=1, keepdims=True)
    return x - shift, y + shift, mnp.sum(y * shift, axis=1)


def value_alone_and_stored(x: Any, y: Any) -> Any:
    """One element a row that is not stored, next to one that is."""
    scale = mnp.sum(x * x, axis=1) + mnp.sum(y, axis=1)
    return y / scale[:, None], mnp.sum(y / scale[:, None], axis=1) * 2.0, mnp.sqrt(scale * scale)


@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
@pytest.mark.parametrize("f", [sums_of_two_lengths, maps_of_two_lengths, value_alone_and_stored])
def test_rows_of_several_lengths(f: Callable[..., Any], backend: str) -> None:
    random = np.random.default_rng(0)
    given = [random.standard_normal((3, n)) for n in (12, 4)]
    graph, _ = trace(f, [TensorType(x.shape, x.dtype) for x in given])
    expected = backends.compile(graph, "numpy")([x.copy() for x in given])
    found = backends.compile(graph, backend)([x.copy() for x in given])
    for y, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=1e-12)


# ── sums over everything ─────────────────────────────────────────────────────────────────────────
def beside_rows(x: Any) -> Any:
    """Each row adds what it comes to."""
    y = mnp.exp(x - mnp.max(x, axis=-1, keepdims=True, initial=-9.0))
    share = y / mnp.sum(y, axis=-1, keepdims=True)
    whole = mnp.sum(share * x), mnp.max(share, initial=0.0), mnp.prod(1 + x / 100), mnp.all(share > 0)
    return share, mnp.sum(x, axis=0), *whole


def beside_elements(x: Any) -> Any:
    """There are no rows: one loop over all, with the sums in registers."""
    y = mnp.tanh(x)
    return (
        y,
        mnp.sum(y * x),
        mnp.min(y, initial=9.0),
        mnp.any(y > 1),
        mnp.sum(mnp.sum(x, axis=-1)),
        mnp.sum(y * 2, axis=0),
    )


@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
@pytest.mark.parametrize("shape", [(7,), (3, 40), (1, 17), (40, 1), (2, 3, 20), (1,), (0,), (5, 0), (0, 5)])
@pytest.mark.parametrize("f", [beside_rows, beside_elements])
def test_sums_over_everything_beside_others(f: Callable[..., Any], shape: tuple[int, ...], backend: str) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    graph, _ = trace(f, [TensorType(x.shape, x.dtype)])
    agrees(graph, [x], backend, ulps=2**6)


# ── several rows at once ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "shape", [(24, 5), (7, 5), (12, 1), (6, 4, 3), (1, 3), (2, 0), (0, 3), (22, 6, 2, 3), (6, 10_000), (3, 2, 4098)]
)
@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
def test_reductions_over_outer_axes(shape: tuple[int, ...], backend: str) -> None:
    for dtype in ("f32", "i8", "bool"):
        g = graph_of(lambda x: (mnp.sum(x, 0), mnp.any(x > 0, 0)), f"{dtype}[{','.join(map(str, shape))}]")
        agrees(g, draw_inputs(g, special=False), backend)
    if len(shape) > 2:
        g = graph_of(lambda x: (mnp.max(x * x[:1], (0, -2)), mnp.sum(x, (0, -2))), f"f64[{','.join(map(str, shape))}]")
        agrees(g, draw_inputs(g, special=False), backend)


def test_eight_rows_are_loaded_for_one_store() -> None:
    row, other = variable(1), variable(0).scaled(5)
    value, sizes = together("add", load(1, other + row, FLOAT32) * load(2, row, FLOAT32), [0], [1], (24, 5))
    places = [str(x.what[1]) for x in needed([value]) if x.op == "load" and x.what[0] == 1]
    assert (sizes, places) == ((3, 5), ["40*i0 + i1", *(f"40*i0 + i1 + {5 * k}" for k in range(1, 8))])
    assert sum(x.op == "load" and x.what[0] == 2 for x in needed([value])) == 1  # the same for all of them
    assert together("add", load(1, other + row, FLOAT32), [0], [1], (23, 5))[1] == (23, 5)
    assert together("add", load(1, other + row, FLOAT32), [0], [1], (1 << 20, 100))[1] == (1 << 20, 100)

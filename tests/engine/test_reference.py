"""Each compiled backend gives what the reference gives: every op, random programs, special values, every dtype.

numba's kernels run as Python here; compiled ones are in test_numba.py.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings

from minigrad import backends, config
from minigrad.errors import ArgumentError, CheckFailedError, DtypeError, ShapeError
from minigrad.graph import Graph
from minigrad.op import Array
from minigrad.ops import elementwise as e
from minigrad.ops.contract import DotGeneral
from minigrad.ops.effects import Callback
from minigrad.ops.movement import Expand, Permute, Reshape, Sum
from minigrad.ops.pieces import Concatenate, Pad
from minigrad.ops.reduce import All, Any_, Max, Min, Prod
from minigrad.ops.rows import Row
from minigrad.ops.special import BesselI
from minigrad.types import LONG, TensorType
from tests.engine.agreement import (
    CONVERTED,
    LOOSE,
    OPS,
    REAL,
    ULPS,
    agrees,
    conversion,
    moves,
    special_program,
)
from tests.graph.programs import CONSTANTS, HOLDING, const_graph, draw_inputs, graph_of, graphs, op_inputs
from tests.graph.test_backends import Fail
from tests.threads import at_once

pytestmark = pytest.mark.parametrize("backend", ["llvm", "numba"])
# As Python, kernels are slow: what is special is tried on fewer values, by the number of operands, and shapes.
LARGEST = {"llvm": {3: 24}, "numba": {2: 24, 3: 12}}
SHAPES = {"llvm": [(3, 4, 5), (1, 7, 1), (2, 1, 33), (5, 64, 3)], "numba": [(3, 4, 5)]}


@pytest.fixture(autouse=True, scope="module")
def as_python() -> Iterator[None]:
    with config.jit.using(False):
        yield


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_random_graphs(backend: str, g: Graph) -> None:
    agrees(g, draw_inputs(g), backend, ulps=2**14)


@pytest.mark.parametrize("name", OPS)
def test_every_op(backend: str, name: str) -> None:
    agrees(OPS[name], op_inputs(name), backend, ulps=max(ULPS, LOOSE.get(name.partition("-")[0], 0)))


@pytest.mark.parametrize("name", HOLDING)
def test_held_graphs(backend: str, name: str) -> None:
    agrees(HOLDING[name], draw_inputs(HOLDING[name], special=False), backend)


@pytest.mark.parametrize("array", CONSTANTS, ids=lambda a: f"{a.dtype}-{a.shape}")
def test_constants(backend: str, array: np.ndarray) -> None:
    g = const_graph(array)
    agrees(g, draw_inputs(g), backend)


@pytest.mark.parametrize(("op", "dtype"), REAL, ids=[f"{op.name}-{d}" for op, d in REAL])
def test_special_values(backend: str, op: Row, dtype: str) -> None:
    """Where extremes meet: wrapping, division by zero, shifts, overflow, nan."""
    program = special_program(op, dtype, LARGEST[backend].get(op.operands))
    agrees(*program, backend, ulps=LOOSE.get(op.name, 8))


@pytest.mark.parametrize("before", CONVERTED)
@pytest.mark.parametrize("after", CONVERTED)
def test_conversions(backend: str, before: str, after: str) -> None:
    agrees(*conversion(before, after), backend)


@pytest.mark.parametrize("op", [Sum, Max, Min, Prod, All, Any_])
@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_reductions(backend: str, op: type, axes: tuple[int, ...]) -> None:
    for dtype in ["bool"] if op in (All, Any_) else ["float32", "float64", "int32", "uint8"]:
        for shape in SHAPES[backend]:
            g = graph_of(lambda x: op(axes)(x), str(TensorType(shape, np.dtype(dtype))))
            agrees(g, draw_inputs(g, special=False), backend, ulps=2**10)


def test_an_extremum_of_nan_is_nan(backend: str) -> None:
    x = np.array([[1, np.nan, 2], [3, 4, 5]], "f4")
    for axes in [(0,), (1,), (0, 1)]:
        agrees(graph_of(lambda x, axes=axes: [Max(axes)(x), Min(axes)(x)], "f32[2,3]"), [x], backend)


DOTS = [
    ((3, 4), (4, 5), ((1,), (0,)), ((), ())),
    ((4, 3), (4, 5), ((0,), (0,)), ((), ())),
    ((3, 4), (5, 4), ((1,), (1,)), ((), ())),
    ((4, 3), (5, 4), ((0,), (1,)), ((), ())),
    ((4,), (4,), ((0,), (0,)), ((), ())),
    ((3, 4), (4,), ((1,), (0,)), ((), ())),
    ((2, 3, 4), (2, 4, 5), ((2,), (1,)), ((0,), (0,))),
    ((2, 3, 6, 4), (2, 3, 4, 5), ((3,), (2,)), ((0, 1), (0, 1))),
    ((2, 6, 3, 4), (2, 5, 3, 4), ((3,), (3,)), ((0, 2), (0, 2))),
    ((2, 3, 4), (2, 3, 5), ((0, 1), (0, 1)), ((), ())),
    ((2, 3, 4), (3, 5, 2), ((0, 1), (2, 0)), ((), ())),
    ((3, 4, 2), (5, 2, 3), ((0, 2), (2, 1)), ((), ())),
    ((1, 4), (4, 1), ((1,), (0,)), ((), ())),
    ((3,), (4,), ((), ()), ((), ())),
    ((0, 4), (4, 5), ((1,), (0,)), ((), ())),
    ((3, 0), (0, 5), ((1,), (0,)), ((), ())),
]


@pytest.mark.parametrize("case", DOTS, ids=str)
def test_contractions(backend: str, case: tuple) -> None:
    a, b, contract, lanes = case
    for dtype in ["f32", "f64", "i64", "c64"]:
        types = [str(TensorType(s, LONG[dtype])) for s in (a, b)]
        g = graph_of(lambda x, y: DotGeneral(contract, lanes)(x, y), *types)
        inputs = draw_inputs(g, special=False)
        agrees(g, inputs, backend, ulps=2**12)
        turned = graph_of(
            lambda x, y: DotGeneral(contract, lanes)(Permute(tuple(range(x.ndim))[::-1])(x), y),
            *[str(TensorType(a[::-1], LONG[dtype])), types[1]],
        )
        agrees(turned, [inputs[0].T.copy(), inputs[1]], backend, ulps=2**12)


def test_movement(backend: str) -> None:
    g = graph_of(moves, "f32[4,6]")
    agrees(g, draw_inputs(g, special=False), backend)


def test_nothing_in_every_way(backend: str) -> None:
    """Zero-size tensors joined, padded, taken from, contracted and reduced."""

    def f(x):
        empty = Concatenate(0)(x, x)
        padded = Pad((1, 0), (0, 2), (0, 0))(x, 3.0)
        return [empty, padded, Sum((0,))(x), Sum((1,))(x), x @ Permute((1, 0))(x), Permute((1, 0))(x) @ x, e.exp(x)]

    for t in ("f32[0,2]", "f32[2,0]", "f32[0,0]"):
        g = graph_of(f, t)
        agrees(g, draw_inputs(g), backend)


def test_outputs_are_the_callers_own(backend: str) -> None:
    k = Array(np.arange(6, dtype="f4"))

    def f(x):
        y = x * 2.0
        return [x, x, Reshape((6,))(x), Permute((1, 0))(x), k, k, y, y, Reshape((3, 2))(y), Expand((2, 2, 3))(y)]

    exe = backends.compile(graph_of(f, "f32[2,3]"), backend)
    x = np.ones((2, 3), "f4")
    for y in exe([x]):
        y.fill(7)
    assert (x == 1).all()
    np.testing.assert_array_equal(exe([x])[4], np.arange(6))
    assert [y.flat[0] for y in exe([x])] == [1, 1, 1, 1, 0, 0, 2, 2, 2, 2]


def test_wrong_inputs(backend: str) -> None:
    exe = backends.compile(graph_of(lambda x, w: x + w, "f32[3]", "f32[3]", labels=("x", "w")), backend)
    x = np.ones(3, "f4")
    with pytest.raises(ArgumentError, match="f takes 2 inputs, got 1"):
        exe([x])
    with pytest.raises(ShapeError, match=r"f: input 1 \(w\) is f32\[3\], got f32\[4\]"):
        exe([x, np.ones(4, "f4")])
    with pytest.raises(DtypeError, match=r"f: input 0 \(x\) is f32\[3\], got f64\[3\]"):
        exe([np.ones(3), x])


def test_an_error_names_both_lines_and_stops_the_program(backend: str) -> None:
    ran = []

    def f(x):
        y = Fail(CheckFailedError("assert: x is negative"))(x)
        return Callback(lambda a: ran.append(a) or a, (y.type,))(y)

    exe = backends.compile(graph_of(f, "f32[]"), backend)
    with pytest.raises(CheckFailedError) as caught:
        exe([np.ones((), "f4")])  # run here
    text = str(caught.value)
    assert "# run here" in text and "in fail, built at" in text and not ran
    with pytest.raises(KeyError) as other:
        backends.compile(graph_of(lambda x: Fail(KeyError("k"))(x), "f32[]"), backend)([np.ones((), "f4")])
    assert [note.split()[:2] for note in other.value.__notes__] == [["in", "fail,"], ["run", "at"]]


def test_threads_do_not_share_memory(backend: str) -> None:
    """Also not while one of them is in the reference."""

    def chain(x):
        for _ in range(10):
            x = BesselI(0, True)(e.tanh(x)) + 1.0  # has no loops: a call of the reference
        return x

    g = graph_of(chain, "f32[1000]")
    reference, wrong = backends.compile(g, "numpy"), []

    def work(start: float) -> None:
        x = np.full(1000, start, "f4")
        (want,) = reference([x])
        for _ in range(50):
            wrong.extend(y for y in exe([x])[0] - want if abs(y) > 1e-5)

    with config.jit.using(True):
        exe = backends.compile(g, backend)
        at_once(work, [i / 4 for i in range(6)])
    assert not wrong

"""The backends' common interface, and the numpy backend, which is the reference for the others."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings

from minigrad import backends, config
from minigrad.control import scan
from minigrad.errors import ArgumentError, BackendError, CheckFailedError, DtypeError, ShapeError, SymbolicSizeError
from minigrad.graph import Graph, run
from minigrad.interpreters.build import trace
from minigrad.op import Array, Op
from minigrad.ops import elementwise as e
from minigrad.ops.movement import Expand, Permute, Reshape, Sum
from minigrad.ops.pieces import Slice
from minigrad.types import FLOAT32, Dim, TensorType
from tests.graph.programs import HOLDING, draw_inputs, graph_of, graphs, op_graphs, op_inputs
from tests.threads import at_once

OPS = dict(op_graphs())


def evaluated(g: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The meaning everything starts from."""
    with np.errstate(all="ignore"):
        return [y.array for y in run(g, [Array(a) for a in inputs])]


def equals_evaluate(g: Graph, inputs: list[np.ndarray]) -> None:
    kept = [a.copy() for a in inputs]
    outputs = backends.compile(g, "numpy", optimize=False)(inputs)
    for y, want, v in zip(outputs, evaluated(g, inputs), g.outputs, strict=True):
        assert type(y) is np.ndarray and (y.shape, y.dtype) == (v.type.shape, v.type.dtype)
        np.testing.assert_array_equal(y, want)
    for a, b in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(a, b)
    for i, y in enumerate(outputs):
        assert y.flags.writeable
        assert not any(np.shares_memory(y, other) for other in (*inputs, *outputs[:i]))


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_random_graphs(g: Graph) -> None:
    equals_evaluate(g, draw_inputs(g))


@pytest.mark.parametrize("name", OPS)
def test_every_op(name: str) -> None:
    equals_evaluate(OPS[name], op_inputs(name))


@pytest.mark.parametrize("name", HOLDING)
def test_held_graphs(name: str) -> None:
    equals_evaluate(HOLDING[name], draw_inputs(HOLDING[name], special=False))


def test_outputs_are_the_callers_own() -> None:
    """Views of inputs, of constants and of each other are copied; so are repeated and read-only ones."""
    k = Array(np.arange(6, dtype="f4"))

    def f(x):
        y = x * 2.0
        return [x, x, Reshape((6,))(x), Permute((1, 0))(x), k, k, y, y, Reshape((3, 2))(y), Expand((2, 2, 3))(y)]

    exe = backends.compile(graph_of(f, "f32[2,3]"), "numpy")
    x = np.ones((2, 3), "f4")
    first = exe([x])
    for y in first:
        y.fill(7)
    assert (x == 1).all()
    np.testing.assert_array_equal(exe([x])[4], np.arange(6))
    np.testing.assert_array_equal(exe([np.broadcast_to(np.float32(1), (2, 3))])[2], np.ones(6))


def test_a_small_view_does_not_keep_a_big_array() -> None:
    g = graph_of(lambda x: Slice((0,), (1,), (1,))(x * 2.0), "f32[1000]")
    (y,) = backends.compile(g, "numpy")([np.ones(1000, "f4")])
    assert y.base is None


def test_what_an_executable_tells() -> None:
    exe = backends.compile(graph_of(lambda x: x * 1.0 + x, "f32[3]"), "numpy")
    assert exe.nodes == 1 and exe.graph.nodes[0].op is e.add
    assert [r.name for r in exe.history] == ["dce", "fold", "simplify", "cse", "scans", "dce"]
    assert 0 < exe.seconds < 1
    plain = backends.compile(graph_of(lambda x: x * 1.0 + x, "f32[3]"), "numpy", optimize=False)
    assert plain.nodes == 2 and plain.history == []


def test_backends_by_name() -> None:
    g = graph_of(lambda x: x, "f32[]")
    assert "numpy" in backends.available()
    with pytest.raises(BackendError, match=r"unknown backend 'cuda'[^$]*known: numpy, numba, llvm"):
        backends.compile(g, "cuda")
    for name in {"numba", "llvm"} - set(backends.available()):
        with pytest.raises(BackendError, match=f"the backend '{name}' is not built yet"):
            backends.compile(g, name)
        with config.backend.using(name), pytest.raises(BackendError, match="not built yet"):
            backends.compile(g)


def test_wrong_inputs() -> None:
    exe = backends.compile(graph_of(lambda x, w: x + w, "f32[3]", "f32[3]", labels=("x", "w")), "numpy")
    x = np.ones(3, "f4")
    with pytest.raises(ArgumentError, match="f takes 2 inputs, got 1"):
        exe([x])
    with pytest.raises(ShapeError, match=r"f: input 1 \(w\) is f32\[3\], got f32\[4\]"):
        exe([x, np.ones(4, "f4")])
    with pytest.raises(DtypeError, match=r"f: input 0 \(x\) is f32\[3\], got f64\[3\]"):
        exe([np.ones(3), x])
    with pytest.raises(DtypeError, match=r"input 0 \(x\) is f32\[3\], got an array of object"):
        exe([np.array([None] * 3), x])


def test_open_sizes_are_refused() -> None:
    g, _ = trace(lambda x: [x + x], [TensorType((Dim.symbol("n"), 2), FLOAT32)])
    with pytest.raises(SymbolicSizeError, match="the graph f has sizes that are not known yet: n"):
        backends.compile(g, "numpy")


class Fail(Op):
    """An op that raises what it is told to, for the tests."""

    error: Exception

    def __init__(self, error: Exception) -> None:
        self.error = error

    def out_type(self, x: TensorType) -> TensorType:
        return x

    def impl(self, x: np.ndarray) -> np.ndarray:
        raise self.error


def test_an_error_names_both_lines() -> None:
    """The line that built the node, and the line that ran it."""
    exe = backends.compile(graph_of(lambda x: Fail(CheckFailedError("assert: x is negative"))(x), "f32[]"), "numpy")
    with pytest.raises(CheckFailedError) as caught:
        exe([np.float32(1).reshape(())])  # run here
    text = str(caught.value)
    assert text.startswith("assert: x is negative\n  at ") and "# run here" in text
    assert "in fail, built at" in text and "exe = backends.compile(graph_of(" in text


def test_a_foreign_error_keeps_its_type() -> None:
    exe = backends.compile(graph_of(lambda x: Fail(KeyError("k"))(x), "f32[]"), "numpy")
    with pytest.raises(KeyError) as caught:
        exe([np.float32(1).reshape(())])
    built, ran = caught.value.__notes__
    assert built.startswith("  in fail, built at ") and ran.startswith("  run at ")


def test_no_floating_point_warnings() -> None:
    """They are errors in this test run; inf and nan speak for themselves."""
    g = graph_of(lambda x: [e.log(x), e.div(1.0, x), e.exp(x * 1e30), Sum((0,))(e.log(x) - e.log(x))], "f32[2]")
    log, *_ = backends.compile(g, "numpy")([np.array([0, -1], "f4")])
    assert log[0] == -np.inf and np.isnan(log[1])


def test_threads_do_not_share_slots() -> None:
    def chain(x):
        for _ in range(200):
            x = x + 1.0
        return x

    exe = backends.compile(graph_of(chain, "f32[1000]"), "numpy")
    wrong = []

    def work(start: float) -> None:
        for _ in range(20):
            (y,) = exe([np.full(1000, start, "f4")])
            wrong.extend(y[y != start + 200])

    at_once(work, map(float, range(4)))
    assert not wrong


def test_intermediates_die_after_their_last_use() -> None:
    """A chain of 50 arrays of 8 MB never holds more than a few at once."""

    def chain(x):
        for _ in range(50):
            x = e.tanh(x)
        return Sum((0,))(x)

    exe = backends.compile(graph_of(chain, "f32[2000000]"), "numpy")
    x = np.ones(2_000_000, "f4")
    tracemalloc.start()
    exe([x])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * x.nbytes


def test_an_error_inside_a_held_graph_names_its_own_line_too() -> None:
    body = lambda c, a: [Fail(CheckFailedError("assert: x is negative"))(c + a)]  # the line inside
    g = graph_of(lambda x: scan(body, [Array(np.float32(0))], [x], 3), "f32[3]")
    with pytest.raises(CheckFailedError, match=r"in fail, built at .*the line inside\n  in scan, built at .*3\), "):
        backends.compile(g, "numpy")([np.ones(3, "f4")])
    body = lambda c, a: [Fail(KeyError("k"))(c + a)]
    g = graph_of(lambda x: scan(body, [Array(np.float32(0))], [x], 3), "f32[3]")
    with pytest.raises(KeyError) as caught:
        backends.compile(g, "numpy")([np.ones(3, "f4")])
    assert [note.split()[:2] for note in caught.value.__notes__] == [["in", "fail,"], ["run", "at"], ["in", "scan,"]]

"""The numba backend: compiled kernels, and the text of its programs. As Python they are run in test_reference.py."""

import bdb
import linecache
import sys
import traceback
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from threading import Thread
from time import perf_counter

import numpy as np
import pytest

from minigrad import backends, config, tree
from minigrad.compare.measure import initial_parameters
from minigrad.compare.models import MODELS
from minigrad.compare.text import python_documentation
from minigrad.errors import BackendError, CheckFailedError
from minigrad.interpreters.build import trace
from minigrad.ops import elementwise as e
from minigrad.ops.bits import Bitcast
from minigrad.ops.contract import DotGeneral
from minigrad.ops.movement import Expand, Permute, Sum
from minigrad.ops.optimize import adam
from minigrad.ops.reduce import Max, Prod
from minigrad.ops.rows import Convert, Row
from minigrad.ops.sort import Sort
from minigrad.tracer import jit, value_and_grad
from minigrad.types import TensorType
from tests.engine.agreement import CONVERTED, LOOSE, REAL, agrees, moves, same, special_values
from tests.graph.programs import draw_inputs, graph_of
from tests.graph.test_backends import Fail


@pytest.fixture(autouse=True)
def as_python() -> Iterator[None]:
    with config.jit.using(False):
        yield


@pytest.fixture
def compiled(as_python: None) -> Iterator[None]:
    with config.jit.using(True):
        yield


def test_a_broadcast_operand_is_read_where_it_is() -> None:
    g = graph_of(lambda x, y: DotGeneral(((2,), (1,)), ((0,), (0,)))(Expand((6, 3, 4))(x), y), "f32[3,4]", "f32[6,4,5]")
    exe = agrees(g, draw_inputs(g, special=False), "numba")
    assert "strided(x0, (6, 3, 4), (0, 4, 1))" in exe.source


@pytest.mark.parametrize("name", MODELS)
def test_models_print(name: str) -> None:
    """A whole training gradient as Python: valid, and with the user's lines in it."""
    model, text = MODELS[name], python_documentation()
    inputs, targets = next(text.batches(model.batch, model.length, 0))
    leaves, structure = tree.flatten(initial_parameters(model, text, "float32", 0))
    loss = lambda leaves: model.loss(structure.unflatten(leaves), inputs, targets)
    types = [TensorType(a.shape, a.dtype) for a in leaves]
    g = trace(lambda *xs: tree.leaves(value_and_grad(loss)(list(xs))), types)[0]
    source = backends.compile(g, "numba").source
    assert f"compare/models/{name}.py" in source and "def kernel0(" in source
    assert max(map(len, (line for line in source.splitlines() if not line.lstrip().startswith("#")))) < 160


# ── compiled ─────────────────────────────────────────────────────────────────────────────────────
SOME = {"log1p", "tanh", "erfc", "cos", "floor_div", "rem", "max", "shift_right", "sign", "not", "nextafter"}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint64", "bool"])
def test_compiled_rows(compiled: None, dtype: str) -> None:
    """Several rows as one kernel: compiling takes its time."""
    compiled_rows(dtype, [op for op, d in REAL if d == dtype and op.name in SOME])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", sorted({d for _, d in REAL}))
def test_every_row_compiled(compiled: None, dtype: str) -> None:
    ops = [op for op, d in REAL if d == dtype]
    for k in range(0, len(ops), 8):
        compiled_rows(dtype, ops[k : k + 8])


def compiled_rows(dtype: str, ops: list[Row]) -> None:
    x = special_values(np.dtype(dtype))[:24]
    xs = [x.reshape(-1, 1), x.reshape(1, -1), x[:1].reshape(1, 1)]
    types = [TensorType(x.shape, x.dtype) for x in xs]
    g = trace(lambda *xs: [op(*xs[: op.operands]) for op in ops], types)[0]
    exe = backends.compile(g, "numba", optimize=False)
    for op, y, want in zip(ops, exe(xs), backends.compile(g, "numpy", optimize=False)(xs), strict=True):
        same(y, want, LOOSE.get(op.name, 8))


def test_compiled_conversions(compiled: None) -> None:
    for before in ("int8", "uint32", "uint64", "float32"):
        x = special_values(np.dtype(before))
        x = x[np.abs(x) < 2**31] if x.dtype.kind == "f" else x
        t = str(TensorType(x.shape, x.dtype))
        agrees(graph_of(lambda x: [Convert(np.dtype(after))(x) for after in CONVERTED], t), [x], "numba")


def test_compiled_programs(compiled: None) -> None:
    """Reductions, movement, a contraction, an op of the reference, bits: one program."""

    def f(x, w):
        y = e.tanh(DotGeneral(((1,), (0,)))(x, w))  # [4,5]
        turned = Permute((1, 0))(y)
        bits = Bitcast(np.dtype("int32"))(x)
        return [y, Max((0,))(y), Sum((0, 1))(e.exp(y)), Prod((1,))(turned), Sort(1)(y)[0], moves(x), bits + bits]

    g = graph_of(f, "f32[4,6]", "f32[6,5]")
    exe = agrees(g, draw_inputs(g, special=False), "numba", ulps=2**8, optimize=True)
    assert exe.jit


def test_other_threads_run_meanwhile(compiled: None) -> None:
    """Kernels run without the GIL: in the middle of one, this thread sees the clock."""
    exe = backends.compile(graph_of(lambda x: [Sum((0,))(e.sin(x))], "f64[3000000]"), "numba")
    assert exe.source.count("def kernel") == 1
    x, times = np.ones(3_000_000), list[float]()

    def run() -> None:
        times.append(perf_counter())
        exe([x])
        times.append(perf_counter())

    def seen() -> bool:
        times.clear()
        # under the settings that hold here: with the jit off the kernels would run as Python
        thread, looks = Thread(target=copy_context().run, args=(run,)), list[float]()
        thread.start()
        while len(times) < 2:
            looks.append(perf_counter())
        quarter = (times[1] - times[0]) / 4
        return any(times[0] + quarter < t < times[1] - quarter for t in looks)

    assert any(seen() for _ in range(10))


def test_jit_on_numba(compiled: None) -> None:
    step = jit(value_and_grad(lambda w, x: e.tanh(w * x).sum()), backend="numba")
    want = value_and_grad(lambda w, x: e.tanh(w * x).sum())(np.ones(7, "f4"), np.arange(7, dtype="f4"))
    for y, z in zip(step(np.ones(7, "f4"), np.arange(7, dtype="f4")), want, strict=True):
        np.testing.assert_allclose(np.asarray(y), np.asarray(z), rtol=1e-6)


def test_equal_kernels_are_one() -> None:
    def layers(x, w):
        for _ in range(5):
            x = e.tanh(DotGeneral(((1,), (0,)))(x, w))
        return x

    exe = backends.compile(graph_of(layers, "f32[9,9]", "f32[9,9]"), "numba")
    assert exe.source.count("def kernel") == 2  # the tanh where the product stands, and the one that writes the output
    assert exe.source.count("kernel0(") == 5 and exe.source.count("np.dot(") == 5


# ── reading and stepping ─────────────────────────────────────────────────────────────────────────
def test_a_breakpoint_inside_a_kernel() -> None:
    exe = backends.compile(graph_of(lambda x: e.sqrt(x) * 2.0, "f32[3]", labels=("x",)), "numba")
    lines = exe.source.splitlines()
    inner = next(k for k, line in enumerate(lines, 1) if line.startswith("        v"))
    seen = []

    class Debugger(bdb.Bdb):
        def user_line(self, frame) -> None:
            if frame.f_code.co_filename == exe.filename and frame.f_lineno == inner:
                seen.append((frame.f_locals["i0"], float(frame.f_locals["x"][frame.f_locals["i0"]])))
            self.set_continue()

    debugger = Debugger()
    assert debugger.set_break(exe.filename, inner) is None
    debugger.runcall(exe, [np.array([1, 4, 9], "f4")])
    assert seen == [(0, 1.0), (1, 4.0), (2, 9.0)]


def test_what_was_compiled_can_be_stepped_through_too(compiled: None) -> None:
    f, x = jit(lambda x: e.sqrt(x) * 2.0, backend="numba"), np.array([1, 4, 9], "f4")

    def called() -> list[str]:
        names: list[str] = []
        sys.setprofile(lambda frame, event, _: names.append(frame.f_code.co_name) if event == "call" else None)
        try:
            y = f(x)
        finally:
            sys.setprofile(None)
        assert np.asarray(y).tolist() == [2, 4, 6]
        return names

    assert np.asarray(f(x)).tolist() == [2, 4, 6]
    assert "kernel0" not in called()
    with config.jit.using(False):
        assert "kernel0" in called()
    assert "kernel0" not in called()


def test_an_error_shows_both_lines_and_the_text() -> None:
    def f(x):
        return Fail(CheckFailedError("assert: x is negative"))(x)

    exe = backends.compile(graph_of(f, "f32[]"), "numba")
    with pytest.raises(CheckFailedError) as caught:
        exe([np.ones((), "f4")])  # run here
    text = str(caught.value)
    assert "# run here" in text and "in fail, built at" in text
    shown = "".join(traceback.format_exception(caught.value))
    assert exe.filename in shown and "= reference0(x0.reshape(()))" in shown
    assert linecache.getlines(exe.filename) == exe.source.splitlines(keepends=True)


def test_names_that_the_text_uses_itself() -> None:
    """A user's `np`, `t0` or `exp_f32` does not hide the text's own."""
    names = ("np", "t0", "i0", "exp_f32", "run", "x")
    g = graph_of(lambda *xs: e.exp(xs[0] + xs[1] * xs[2]) - xs[3] / xs[4] * xs[5], *["f32[3]"] * 6, labels=names)
    agrees(g, draw_inputs(g, special=False), "numba")


def test_without_numba(compiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def __getattr__(self, name: str) -> None:
            raise ModuleNotFoundError("No module named 'numba'")

    g = graph_of(lambda x: x * 3.0 + 0.123, "f32[3]")
    monkeypatch.setattr("minigrad.backends.numba.numba", Missing())
    with pytest.raises(BackendError, match="the numba backend needs numba: No module named 'numba'"):
        backends.compile(g, "numba")
    with config.jit.using(False):
        agrees(g, draw_inputs(g), "numba")


GOLDEN = Path(__file__).parent / "golden_adam.py.txt"


def test_golden_text(pytestconfig: pytest.Config) -> None:
    """What Adam's kernel looks like. Accept a new text with `pytest --accept`."""
    g = graph_of(lambda w, g, m, v: adam(w, g, m, v, 3.0, lr=0.1), *["f32[50,20]"] * 4, labels=("w", "g", "m", "v"))
    text = "".join(line for line in backends.compile(g, "numba").source.splitlines(keepends=True) if ".py:" not in line)
    if pytestconfig.getoption("--accept"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()

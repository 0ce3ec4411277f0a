"""The llvm backend gives what the reference gives: on every op, random programs, models, special values and dtypes."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings

from minigrad import backends, tree
from minigrad.compare.measure import initial_parameters
from minigrad.compare.models import MODELS
from minigrad.compare.text import python_documentation
from minigrad.errors import ArgumentError, CheckFailedError, DtypeError, ShapeError
from minigrad.graph import Graph
from minigrad.interpreters.build import trace
from minigrad.loops import program
from minigrad.op import Array
from minigrad.ops import elementwise as e
from minigrad.ops.contract import DotGeneral
from minigrad.ops.effects import Callback
from minigrad.ops.movement import Expand, Flip, Permute, Reshape, Sum
from minigrad.ops.optimize import adam
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.ops.reduce import All, Any_, Max, Min, Prod
from minigrad.ops.rows import Convert, Row
from minigrad.ops.special import BesselI
from minigrad.passes.schedule import ForeignKernel
from minigrad.testing.inventory import dtypes, rows
from minigrad.tracer import checkpoint, jit, value_and_grad
from minigrad.types import LONG, TensorType, real_of
from tests.graph.programs import CONSTANTS, HOLDING, const_graph, draw_inputs, graph_of, graphs, op_graphs, op_inputs
from tests.graph.test_backends import Fail

OPS = dict(op_graphs())
# Each elementary function is within 4 ulp of the true value, and so is the reference's; sums may be taken in any order.
ULPS = 64


def same(y: np.ndarray, want: np.ndarray, ulps: float = ULPS) -> None:
    """Equal; floats within some ulps of the largest number that took part, nan with nan, inf with inf."""
    assert type(y) is np.ndarray and (y.shape, y.dtype) == (want.shape, want.dtype)
    if y.dtype.kind not in "fc":
        np.testing.assert_array_equal(y, want)
        return
    with np.errstate(all="ignore"):
        near = np.abs(y - want) <= ulps * np.finfo(real_of(y.dtype)).eps * np.abs(want)
        fine = near | (y == want) | (np.isnan(y) & np.isnan(want))
    assert fine.all(), f"{y[~fine][:5]} instead of {want[~fine][:5]}"


def agrees(g: Graph, inputs: list[np.ndarray], ulps: float = ULPS, optimize: bool = False) -> None:
    """llvm and numpy give the same; inputs stay as they are, outputs are the caller's own."""
    kept = [a.copy() for a in inputs]
    wanted = backends.compile(g, "numpy", optimize=optimize)(inputs)
    outputs = backends.compile(g, "llvm", optimize=optimize)(inputs)
    for y, want in zip(outputs, wanted, strict=True):
        same(y, want, ulps)
    for a, b in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(a, b)
    for i, y in enumerate(outputs):
        assert y.flags.writeable
        assert not any(np.shares_memory(y, other) for other in (*inputs, *outputs[:i]))


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_random_graphs(g: Graph) -> None:
    agrees(g, draw_inputs(g), ulps=2**14)


@pytest.mark.parametrize("name", OPS)
def test_every_op(name: str) -> None:
    agrees(OPS[name], op_inputs(name))


@pytest.mark.parametrize("name", HOLDING)
def test_held_graphs(name: str) -> None:
    agrees(HOLDING[name], draw_inputs(HOLDING[name], special=False))


@pytest.mark.parametrize("name", HOLDING)
def test_a_long_program_is_cut_into_parts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here after every kernel. What is raised in a part ends the whole."""
    monkeypatch.setattr(program, "PART", 1)
    g = HOLDING[name]
    agrees(g, draw_inputs(g, special=False))
    ran = []

    def f(x):
        y = Fail(CheckFailedError("assert: x is negative"))(x + e.sin(x).sum())
        return Callback(lambda a: ran.append(a) or a, (y.type,))(y)

    failing = backends.compile(graph_of(f, "f32[3]"), "llvm")
    assert "@part1(" in failing.text
    with pytest.raises(CheckFailedError):
        failing([np.ones(3, "f4")])
    assert not ran


@pytest.mark.parametrize("array", CONSTANTS, ids=lambda a: f"{a.dtype}-{a.shape}")
def test_constants(array: np.ndarray) -> None:
    g = const_graph(array)
    agrees(g, draw_inputs(g))


# ── every row in every dtype, on special values ──────────────────────────────────────────────────
FLOATS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e-30, 1e30, -1e30, 3e38, 88.5, -88.5, -87.0, 0.5, -0.5]
FLOATS += [1.0, -1.0, 2.5, 3.5, -2.5, 100.0, 700.0, 1e-8, 1e5, 1e10, 17.0, -17.0]
# where the reference is off: scipy's expit underflows early and its erfc has 9 ulp; logaddexp cancels near 0
LOOSE = {"logistic": 2.0**23, "erfc": 16, "logaddexp": 2.0**12}


def special_values(dtype: np.dtype) -> np.ndarray:
    rng = np.random.default_rng(0)
    if dtype.kind == "b":
        return np.array([False, True, True])
    if dtype.kind == "f":
        with np.errstate(over="ignore", under="ignore"):
            wide = rng.normal(size=30) * 10.0 ** rng.uniform(-30, 30, 30)
            return np.concatenate([FLOATS, rng.uniform(-5, 5, 40), wide]).astype(dtype)
    limits = np.iinfo(dtype)
    around = [limits.min, limits.min + 1, limits.max, limits.max - 1, 0, 1, 2, 3, 5, 7, 31, 32, 63, 64, 100]
    return np.unique(np.array(around + [-1, -2, -7, -64] * (dtype.kind == "i"), dtype))


REAL = [(op, d) for op in rows() for d in dtypes(op) if d[0] != "c"]


@pytest.mark.parametrize(("op", "dtype"), REAL, ids=[f"{op.name}-{d}" for op, d in REAL])
def test_special_values(op: Row, dtype: str) -> None:
    """All pairs of values where extremes meet: wrapping, division by zero, shifts, overflow, nan."""
    x = special_values(np.dtype(dtype))
    x = x[:24] if op.operands == 3 else x
    xs = [x.reshape([-1 if d == k else 1 for d in range(op.operands)]) for k in range(op.operands)]
    g = trace(lambda *xs: [op(*xs)], [TensorType(x.shape, x.dtype) for x in xs])[0]
    if op.name == "logistic":
        xs = [x[~(x < -80)] for x in xs]
        g = trace(lambda *xs: [op(*xs)], [TensorType(x.shape, x.dtype) for x in xs])[0]
    agrees(g, xs, ulps=LOOSE.get(op.name, 8))


CONVERTED = ["bool", "int8", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64"]


@pytest.mark.parametrize("before", CONVERTED)
@pytest.mark.parametrize("after", CONVERTED)
def test_conversions(before: str, after: str) -> None:
    """Also of floats that fit no integer, where NumPy takes what the processor gives."""
    x = special_values(np.dtype(before))
    if np.dtype(before).kind == "f" and after in ("int8", "uint8", "uint32", "uint64"):
        x = x[np.abs(x) < 2**31]  # beyond, NumPy's own loops differ with the length of the array
    g = graph_of(lambda x: Convert(np.dtype(after))(x), str(TensorType(x.shape, x.dtype)))
    agrees(g, [x])


# ── reductions, movement, contractions ───────────────────────────────────────────────────────────
@pytest.mark.parametrize("op", [Sum, Max, Min, Prod, All, Any_])
@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_reductions(op: type, axes: tuple[int, ...]) -> None:
    for dtype in ["bool"] if op in (All, Any_) else ["float32", "float64", "int32", "uint8"]:
        for shape in [(3, 4, 5), (1, 7, 1), (2, 1, 33), (5, 64, 3)]:
            t = TensorType(shape, np.dtype(dtype))
            x = draw_inputs(graph_of(lambda x: x, str(t)), special=False)
            agrees(graph_of(lambda x: op(axes)(x), str(t)), x, ulps=2**10)


def test_reductions_take_their_producers_in() -> None:
    g = graph_of(lambda x, y: Sum((1,))(e.exp(x) * y), "f32[7,50]", "f32[50]")
    exe = backends.compile(g, "llvm")
    assert [str(k) for k in exe.schedule.kernels] == ["loops: exp mul sum"]
    agrees(g, draw_inputs(g, special=False))


def test_an_extremum_of_nan_is_nan() -> None:
    x = np.array([[1, np.nan, 2], [3, 4, 5]], "f4")
    for axes in [(0,), (1,), (0, 1)]:
        agrees(graph_of(lambda x, axes=axes: [Max(axes)(x), Min(axes)(x)], "f32[2,3]"), [x])


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
def test_contractions(case: tuple) -> None:
    a, b, contract, lanes = case
    for dtype in ["f32", "f64", "i64", "c64"]:
        types = [str(TensorType(s, LONG[dtype])) for s in (a, b)]
        g = graph_of(lambda x, y: DotGeneral(contract, lanes)(x, y), *types)
        inputs = draw_inputs(g, special=False)
        agrees(g, inputs, ulps=2**12)
        turned = graph_of(
            lambda x, y: DotGeneral(contract, lanes)(Permute(tuple(range(x.ndim))[::-1])(x), y),
            *[str(TensorType(a[::-1], LONG[dtype])), types[1]],
        )
        agrees(turned, [inputs[0].T.copy(), inputs[1]], ulps=2**12)


def test_a_transposed_operand_is_not_copied() -> None:
    g = graph_of(lambda x, y: DotGeneral(((1,), (0,)))(Permute((1, 0))(x), y), "f32[4,3]", "f32[4,5]")
    assert [str(k) for k in backends.compile(g, "llvm").schedule.kernels] == ["library: [3,4]ᵀ·[4,5]"]


def test_movement_costs_no_kernel() -> None:
    def f(x):
        y = Permute((1, 0))(Slice((0, 1), (4, 5), (2, 1))(x))  # [4,2]
        return Expand((3, 4, 2))(y) + Flip((0,))(Reshape((4, 2))(Reshape((8,))(y * 2.0)))

    g = graph_of(f, "f32[4,6]")
    assert backends.compile(g, "llvm", optimize=False).nodes == 1
    agrees(g, draw_inputs(g, special=False))


def test_values_of_one_loop_space_share_a_kernel() -> None:
    """What Adam computes for one tensor: three outputs, one pass over memory."""
    g = graph_of(lambda w, g, m, v: adam(w, g, m, v, 3.0, lr=0.1), *["f32[50,20]"] * 4)
    exe = backends.compile(g, "llvm")
    assert exe.nodes == 1 and len(exe.schedule.kernels[0].stored) == 3
    agrees(g, [np.abs(x) for x in draw_inputs(g, special=False)])


def test_nothing_in_every_way() -> None:
    """Zero-size tensors joined, padded, taken from, contracted and reduced."""

    def f(x):
        empty = Concatenate(0)(x, x)
        padded = Pad((1, 0), (0, 2), (0, 0))(x, 3.0)
        return [empty, padded, Sum((0,))(x), Sum((1,))(x), x @ Permute((1, 0))(x), Permute((1, 0))(x) @ x, e.exp(x)]

    for t in ("f32[0,2]", "f32[2,0]", "f32[0,0]"):
        g = graph_of(f, t)
        agrees(g, draw_inputs(g))


def test_sharing_does_not_blow_up() -> None:
    """x + xᵀ, x[1:] + x[:-1] and x·x repeated: linear in the nodes, not exponential."""

    def squares(x):
        for _ in range(60):
            x = x * 0.5 + x * x * 0.25
        return x

    def neighbours(x):
        for n in range(40, 10, -1):
            x = Slice((1,), (n,), (1,))(x) * 0.5 + Slice((0,), (n - 1,), (1,))(x) * 0.5
        return x

    def turned(x):
        for _ in range(30):
            x = (x + Permute((1, 0))(x)) * 0.5
        return x

    for f, t in [(squares, "f32[40]"), (neighbours, "f32[40]"), (turned, "f32[5,5]")]:
        g = graph_of(f, t)
        exe = backends.compile(g, "llvm", optimize=False)
        assert len(exe.text) < 40_000
        agrees(g, draw_inputs(g, special=False), ulps=2**8)


def test_calls_are_compiled_with_their_callers() -> None:
    """Also calls in calls, checkpoints and custom rules; the lines stay those of the inner functions."""
    inner = jit(lambda x: e.tanh(x) * 2.0)
    outer = jit(lambda x: inner(x) + inner(x * 0.5))
    g = graph_of(lambda x: [outer(x), checkpoint(lambda x: e.exp(x) * x)(x)], "f32[5]")
    exe = backends.compile(g, "llvm")
    assert not any(isinstance(k, ForeignKernel) for k in exe.schedule.kernels)
    agrees(g, draw_inputs(g, special=False))


# ── models ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_models(name: str) -> None:
    """The loss and every gradient, in float32 and float64."""
    model, text = MODELS[name], python_documentation()
    inputs, targets = next(text.batches(model.batch, model.length, 0))
    for dtype, ulps in [("float32", 2.0**12), ("float64", 2.0**14)]:
        leaves, structure = tree.flatten(initial_parameters(model, text, dtype, 0))
        loss = lambda leaves, i, t, s=structure: model.loss(s.unflatten(leaves), i, t)
        made = [jit(value_and_grad(loss), backend=b)(leaves, inputs, targets) for b in ("numpy", "llvm")]
        wanted, found = (tree.leaves(m) for m in made)
        for y, want in zip(found, wanted, strict=True):
            scale = np.abs(np.asarray(want)).max()
            assert np.abs(np.asarray(y) - np.asarray(want)).max() <= ulps * np.finfo(dtype).eps * scale


# ── the interface ────────────────────────────────────────────────────────────────────────────────
def test_layouts_of_inputs() -> None:
    g = graph_of(lambda x: e.exp(x), "f32[4,6]")
    exe = backends.compile(g, "llvm")
    x = np.arange(48, dtype="f4").reshape(4, 12) / 48
    raw = np.zeros(4 * 24 + 1, np.uint8)[1:].view("f4").reshape(4, 6)
    for y in (x[:, ::2], x.reshape(12, 4)[::2].T, np.broadcast_to(np.float32(0.5), (4, 6)), raw, x[::-1, 5::-1]):
        same(exe([y])[0], np.exp(y), 4)


def test_outputs_are_the_callers_own() -> None:
    k = Array(np.arange(6, dtype="f4"))

    def f(x):
        y = x * 2.0
        return [x, x, Reshape((6,))(x), Permute((1, 0))(x), k, k, y, y, Reshape((3, 2))(y), Expand((2, 2, 3))(y)]

    exe = backends.compile(graph_of(f, "f32[2,3]"), "llvm")
    x = np.ones((2, 3), "f4")
    for y in exe([x]):
        y.fill(7)
    assert (x == 1).all()
    np.testing.assert_array_equal(exe([x])[4], np.arange(6))
    assert [y.flat[0] for y in exe([x])] == [1, 1, 1, 1, 0, 0, 2, 2, 2, 2]


def test_wrong_inputs() -> None:
    exe = backends.compile(graph_of(lambda x, w: x + w, "f32[3]", "f32[3]", labels=("x", "w")), "llvm")
    x = np.ones(3, "f4")
    with pytest.raises(ArgumentError, match="f takes 2 inputs, got 1"):
        exe([x])
    with pytest.raises(ShapeError, match=r"f: input 1 \(w\) is f32\[3\], got f32\[4\]"):
        exe([x, np.ones(4, "f4")])
    with pytest.raises(DtypeError, match=r"f: input 0 \(x\) is f32\[3\], got f64\[3\]"):
        exe([np.ones(3), x])


def test_an_error_names_both_lines_and_stops_the_program() -> None:
    ran = []

    def f(x):
        y = Fail(CheckFailedError("assert: x is negative"))(x)
        return Callback(lambda a: ran.append(a) or a, (y.type,))(y)

    exe = backends.compile(graph_of(f, "f32[]"), "llvm")
    with pytest.raises(CheckFailedError) as caught:
        exe([np.ones((), "f4")])  # run here
    text = str(caught.value)
    assert "# run here" in text and "in fail, built at" in text and not ran
    with pytest.raises(KeyError) as other:
        backends.compile(graph_of(lambda x: Fail(KeyError("k"))(x), "f32[]"), "llvm")([np.ones((), "f4")])
    assert [note.split()[:2] for note in other.value.__notes__] == [["in", "fail,"], ["run", "at"]]


def test_threads_do_not_share_an_arena() -> None:
    """Also not while one of them is in the reference."""

    def chain(x):
        for _ in range(10):
            x = BesselI(0, True)(e.tanh(x)) + 1.0  # has no loops: a call of the reference
        return x

    g = graph_of(chain, "f32[1000]")
    exe, reference = backends.compile(g, "llvm"), backends.compile(g, "numpy")
    wrong = []

    def work(start: float) -> None:
        x = np.full(1000, start, "f4")
        (want,) = reference([x])
        for _ in range(50):
            wrong.extend(y for y in exe([x])[0] - want if abs(y) > 1e-5)

    threads = [threading.Thread(target=work, args=(i / 4,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_two_runs_give_the_same_bits() -> None:
    g = graph_of(lambda x, w: e.tanh(DotGeneral(((1,), (0,)))(x, w)).sum(), "f32[40,50]", "f32[50,60]")
    exe = backends.compile(g, "llvm")
    inputs = draw_inputs(g, special=False)
    assert len({exe(inputs)[0].tobytes() for _ in range(5)}) == 1

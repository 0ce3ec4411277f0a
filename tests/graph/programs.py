"""Programs for the tests of text, passes, backends and pictures: random ones, one per op, and some that hold graphs."""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad.control import branch, repeat, scan
from minigrad.errors import MinigradError
from minigrad.graph import Const, Graph, Var
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops import elementwise as e
from minigrad.ops.movement import Expand, Flip, Permute, Reshape, Sum
from minigrad.ops.pieces import Pad, Slice
from minigrad.ops.rows import Convert, where
from minigrad.testing.inventory import label, op_samples
from minigrad.types import LONG, TensorType

SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e-30, 3e8, float("inf"), float("-inf"), float("nan")]
SHAPES = [(), (1,), (3,), (2, 3), (1, 3), (2, 1), (0, 3)]


def graph_of(f: Any, *types: str, labels: tuple[str, ...] = ()) -> Graph:
    """The graph of f, whose result is a value or a list of them."""

    def flat(*xs: Any) -> list[Any]:
        y = f(*xs)
        return list(y) if isinstance(y, (list, tuple)) else [y]

    return trace(flat, [TensorType.parse(t) for t in types], labels=labels)[0]


def draw_array(rng: np.random.Generator, t: TensorType, special: bool = True) -> np.ndarray:
    """An array of a type, with special values among its elements."""
    kind, shape = t.dtype.kind, t.shape
    if kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind in "iu":
        return rng.integers(0 if kind == "u" else -3, 4, shape).astype(t.dtype)
    x = rng.uniform(-2, 2, shape)
    if special:
        x = np.where(rng.random(shape) < 0.4, rng.choice(SPECIAL, shape), x)
    with np.errstate(over="ignore"):
        return (x + 1j * rng.uniform(-2, 2, shape) if kind == "c" else x).astype(t.dtype)


def draw_inputs(graph: Graph, seed: int = 0, special: bool = True) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [draw_array(rng, t, special) for t in graph.in_types]


# ── random programs ──────────────────────────────────────────────────────────────────────────────
UNARY = [e.neg, e.abs_, e.tanh, e.exp, e.sqrt, e.sign]
BINARY = [e.add, e.sub, e.mul, e.div, e.max_, e.min_, e.mul_no_nan, e.pow_]


@st.composite
def graphs(draw: Any) -> Graph:
    """A random graph of float32 values over elementwise and movement ops, with shared, equal and dead nodes."""
    types = [TensorType(draw(st.sampled_from(SHAPES)), LONG["f32"]) for _ in range(draw(st.integers(1, 3)))]
    seed = draw(st.integers(0, 2**32 - 1))  # Hypothesis's own integers are mostly 0
    plan = np.random.default_rng(seed).integers(0, [12, 99, 99], (14, 3)).tolist()
    constants = draw(st.lists(st.sampled_from(SPECIAL), min_size=3, max_size=3))

    def program(*xs: Any) -> list[Any]:
        values = list(xs)
        for kind, i, j in plan:
            recent = values[-4:]  # so that most of what is computed is used
            x = recent[i % len(recent)]
            y = recent[j % len(recent)] if j % 3 else constants[j % 2]
            try:
                values.append(step(kind, i, x, y))
            except MinigradError:  # shapes that do not broadcast
                values.append(e.mul(x, constants[2]))
        return [values[-1], values[len(values) // 2], values[-1] * 1.0]

    return trace(program, types)[0]


def step(kind: int, i: int, x: Any, y: Any) -> Any:
    """One random application."""
    rank = len(x.shape)
    if kind <= 1:
        return UNARY[i % len(UNARY)](x)
    if kind <= 4:
        return BINARY[i % len(BINARY)](x, y)
    if kind == 5:
        return Reshape((x.size,))(x)
    if kind == 6:
        return Permute(tuple(range(rank))[::-1])(x)
    if kind == 7:
        return Expand((2, *x.shape))(x) if rank < 3 else x
    if kind == 8:
        return Sum(tuple(range(i % (rank + 1))))(x)
    if kind == 9:
        return Flip((i % rank,))(x) if rank else x
    if kind == 10:
        return where(x > 0.0, x, y)
    if i % 2:
        return Convert(LONG["f32"])(Convert(LONG["f64"])(x))
    padded = Pad((i % 4,) * rank, (0,) * rank, (0,) * rank)(x, 1.5)
    return Slice((0,) * rank, padded.shape, (1 + i % 3,) * rank)(padded)


# ── one graph per op ─────────────────────────────────────────────────────────────────────────────
def op_graphs() -> Iterator[tuple[str, Graph]]:
    """A graph of one node for every sample of every op."""
    for name, case in CASES.items():
        yield (
            name,
            graph_of(
                lambda *xs, op=case.op: op(*xs), *(str(TensorType(d.shape, np.dtype(d.dtype))) for d in case.draws)
            ),
        )


def op_inputs(name: str) -> list[np.ndarray]:
    """Operands that suit the op."""
    return CASES[name].operands(np.random.default_rng(zlib.crc32(name.encode())))


# A Python function as a parameter has no text; such ops are tested by themselves.
CASES = {
    f"{label(case.op)}-{case.name}": case
    for case in op_samples()
    if not any(map(callable, case.op.parameters().values()))
}


# ── programs that hold graphs ────────────────────────────────────────────────────────────────────
def running_sum(x: Any, w: Any) -> Any:
    """A scan with a captured value, a carry and an output."""
    return scan(lambda c, a: [c + a * w * 1.0, e.tanh(c)], [Sum((0,))(x)], [x], 4)


def either(x: Any) -> Any:
    return branch(Sum((0,))(x) > 0.5, [lambda x: [x * 2.0], lambda x: [x / 4.0 + 0.0]], [x])


def halve(x: Any) -> Any:
    """A while loop in a while loop."""
    inner = lambda v: repeat(lambda u: u < 1.0, lambda u: [u * 2.0], [v])
    return repeat(lambda v: v > 2.0, lambda v: [inner(v)[0] / 2.0], [x])


HOLDING = {
    "scan": graph_of(running_sum, "f32[4,3]", "f32[3]", labels=("x", "w")),
    "cond": graph_of(either, "f32[3]", labels=("x",)),
    "while": graph_of(halve, "f32[]", labels=("x",)),
}

CONSTANTS = [
    np.array(v, d)
    for v, d in [
        (2.5, "f4"), (0.1, "f4"), (0.1, "f8"), (-0.0, "f4"), (np.inf, "f8"), (np.nan, "f4"), (1e-45, "f4"), (7, "i8"),
        (2**64 - 1, "u8"), (-(2**63), "i8"), (3, "i2"), (True, "?"), (1 + 2j, "c8"), (complex(-0.0, np.nan), "c16"),
        ([1.0, -0.0, np.nan, np.inf], "f4"), ([[1, 2], [3, 4]], "u1"), (np.zeros((0, 3)), "f4"),
        (np.ones((50, 50)), "f8"),
        (np.arange(200.0), "f4"), (np.linspace(0, 1, 65) + 1j, "c8"), (np.arange(300) % 2 == 0, "?"),
    ]
]  # fmt: skip


def const_graph(array: np.ndarray) -> Graph:
    """A constant as an operand beside a typed input, and as an output."""
    x = Var(TensorType(array.shape, array.dtype))
    traced = graph_of(lambda x: [where(x == x, x, Array(array)), Array(array)], str(x.type))
    assert any(isinstance(a, Const) for a in traced.outputs)
    return traced

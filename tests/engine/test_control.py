"""Loops and branches inside compiled programs: random ones nested in each other, and each corner by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad import backends, config
from minigrad.backends.kept import Restored
from minigrad.control import branch, repeat, scan
from minigrad.errors import ShapeError
from minigrad.graph import Graph, run
from minigrad.interpreters import reverse
from minigrad.op import Array
from minigrad.ops import elementwise as e
from minigrad.ops.contract import matmul
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.kinds import zeros
from minigrad.ops.movement import Flip, Reshape, Sum
from minigrad.ops.rows import Convert, where
from minigrad.ops.sort import Sort
from minigrad.ops.special import BesselI
from minigrad.passes.schedule import ControlKernel, ForeignKernel
from minigrad.types import BOOL, LONG, TensorType
from tests.graph.programs import draw_inputs, graph_of
from tests.graph.test_backends import Fail
from tests.threads import at_once

COMPILED = ["llvm", "numba"]
CALLED = BesselI(0, True)  # has no loops: a call of the reference


@pytest.fixture(autouse=True)
def as_python() -> Iterator[None]:
    with config.jit.using(False):
        yield


def agree(g: Graph, inputs: list[np.ndarray]) -> None:
    """Every backend gives what the graph means, with and without the passes; inputs stay as they are."""
    kept = [a.copy() for a in inputs]
    wanted = backends.compile(g, "numpy", optimize=False)(inputs)
    for backend in ("numpy", *COMPILED):
        for optimize in (False, True):
            outputs = backends.compile(g, backend, optimize=optimize)(inputs)
            for y, want in zip(outputs, wanted, strict=True):
                assert y.dtype == want.dtype
                np.testing.assert_allclose(y, want, 1e-5, 1e-6)
            for i, y in enumerate(outputs):
                assert not any(np.shares_memory(y, other) for other in (*inputs, *outputs[:i]))
    for a, b in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(a, b)


# ── random programs ──────────────────────────────────────────────────────────────────────────────
class Writer:
    """A random program over vectors [3], a matrix, a counter and a flag. Floats stay small and choose nothing."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, things: list[Any]) -> Any:
        return things[self.rng.integers(len(things))]

    def block(self, x: Any, m: Any, n: Any, flag: Any, depth: int) -> list[Any]:
        """(vector, counter, flag) -> the same, in a few steps."""
        vectors = [x]
        for _ in range(self.rng.integers(1, 5)):
            v, w = self.pick(vectors), self.pick(vectors[-3:])
            kind = self.rng.integers(-2, 12 if depth else 8)
            match kind:
                case -2:
                    vectors.append(DynamicUpdateSlice()(v, e.tanh(DynamicSlice((1,))(w, n)), n + 1))
                case -1:
                    vectors.append(DynamicUpdateSlice()(w, e.sin(DynamicSlice((2,))(w, n)) + v[:2], n - 1))
                case 0 | 1:
                    vectors.append(self.pick([e.sin, e.tanh, e.neg, Flip((0,))])(v))
                case 2 | 3:
                    vectors.append(self.pick([e.add, e.mul, e.sub])(e.sin(v), e.tanh(w)))
                case 4:
                    vectors.append(e.sin(matmul(v, m)))
                case 5:
                    vectors += [Sort(0)(v)[0], CALLED(v)]
                case 6:
                    n, flag = n + 1, self.pick([flag, e.not_(flag), e.less(n, 2)])
                case 7:
                    vectors.append(where(flag, v, w))
                case 8 | 9:
                    v, n, flag, ys = self.scan(v, w, m, n, flag, depth - 1)
                    vectors += [v, ys]
                case 10:
                    v, n, flag = self.repeat(v, m, n, flag, depth - 1)
                    vectors.append(v)
                case 11:
                    v, n, flag = self.branch(v, m, n, flag, depth - 1)
                    vectors.append(v)
        return [self.pick(vectors), n, flag]

    def scan(self, v: Any, w: Any, m: Any, n: Any, flag: Any, depth: int) -> list[Any]:
        length = int(self.rng.integers(0, 5))
        given = e.mul(Reshape((1, 3))(w), Array(np.arange(length * 3.0).reshape(length, 3)))
        plan = self.rng.integers(0, 4, 3)

        def step(c: Any, i: Any, f: Any, still: Any, x: Any) -> list[Any]:
            new, i2, f2 = self.block(e.sin(c) + x * w, m, i, f, depth)
            new = c if plan[0] == 0 else new
            ys = [[c, new], [x, e.sin(w)], [new, new], [e.tanh(x) @ m, x * c]][plan[1]]
            return [new, i2, f2, still, *ys]

        v, n, flag, still, first, second = scan(step, [v, n, flag, w], [given], length, bool(plan[2] % 2))
        return [v + still if plan[2] > 1 else v, n, flag, Sum((0,))(first) + e.tanh(Sum((0,))(second))]

    def repeat(self, v: Any, m: Any, n: Any, flag: Any, depth: int) -> list[Any]:
        steps, bound = int(self.rng.integers(0, 4)), int(self.rng.integers(0, 5))

        def body(k: Any, v: Any, n: Any, f: Any) -> list[Any]:
            return [k + 1, *self.block(e.sin(v), m, n, f, depth)]

        start = zeros(TensorType((), LONG["i64"]))
        return repeat(lambda k, v, n, f: e.less(k, steps), body, [start, v, n, flag], bound)[1:]

    def branch(self, v: Any, m: Any, n: Any, flag: Any, depth: int) -> list[Any]:
        index = self.pick([flag, n, e.neg(n), Convert(LONG["u8"])(n)])
        sides = [lambda v, n, f: self.block(v, m, n, f, depth) for _ in range(2 if index.dtype == BOOL else 3)]
        return branch(index, sides, [v, n, flag])


TYPES = ["f64[3]", "f64[3,3]", "i64[]", "bool[]"]


def random_graph(seed: int, depth: int = 2) -> Graph:
    return graph_of(lambda x, m, n, flag: Writer(seed).block(x, m, n, flag, depth), *TYPES)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_random_programs(seed: int) -> None:
    g = random_graph(seed)
    agree(g, draw_inputs(g, seed, special=False))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_gradients_of_random_programs(seed: int) -> None:
    """Scans backward, with what they saved."""

    def f(x: Any, m: Any, n: Any, flag: Any) -> list[Any]:
        ys, pull = reverse.vjp(lambda x, m: Writer(seed).block(x, m, n, flag, 2)[:1], [x, m])
        return [*ys, *(b for b in pull([e.sin(x)]) if b is not None)]

    g = graph_of(f, *TYPES)
    agree(g, draw_inputs(g, seed, special=False))


# ── corners ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("length", [0, 1, 2, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_every_kind_of_carry(length: int, reverse: bool) -> None:
    """Kept, exchanged, given twice, not read, stacked before and after; of 0, 1 and 8 bytes."""

    def f(x: Any, xs: Any, none: Any) -> list[Any]:
        def step(a: Any, b: Any, kept: Any, n: Any, f: Any, empty: Any, s: Any) -> list[Any]:
            new = a + s * kept
            return [b, new, kept, n + 1, e.not_(f), empty * 2.0, a, new, new, kept, s, f, n, empty]

        start = [x, x, x, zeros(TensorType((), LONG["i8"])), e.less(x[0], 9.0), none]
        return scan(step, start, [xs], length, reverse)

    g = graph_of(f, "f32[4]", f"f32[{length},4]", "f64[0,2]")
    agree(g, draw_inputs(g, special=False))


def test_a_scan_that_never_runs_calls_nothing() -> None:
    """Calls of the reference are numbered in the order the program is written: those left out must not count."""

    def f(x: Any, none: Any) -> list[Any]:
        never = scan(lambda c, s: [CALLED(c + s), s], [x], [none], 0)
        return [*never, BesselI(1)(x)]

    g = graph_of(f, "f32[4]", "f32[0,4]")
    agree(g, draw_inputs(g, special=False))


@pytest.mark.parametrize("dtype", ["i8", "i64", "u8", "u64"])
def test_every_index_of_a_branch(dtype: str) -> None:
    g = graph_of(
        lambda k, x: branch(k, [lambda x: [x + 1.0, x], lambda x: [x * 2.0, x], lambda x: [x, e.sin(x)]], [x]),
        f"{dtype}[]", "f32[3]",
    )  # fmt: skip
    least = 0 if dtype[0] == "u" else np.iinfo(LONG[dtype]).min
    for k in [0, 1, 2, 3, np.iinfo(LONG[dtype]).max, least, min(least, -1) if least else 0]:
        agree(g, [np.array(k, LONG[dtype]), np.ones(3, "f4")])


@pytest.mark.parametrize("bound", [None, 0, 3, 100])
@pytest.mark.parametrize("start", [0.5, 3.0, 1e6])
def test_while_ends(bound: int | None, start: float) -> None:
    g = graph_of(lambda x: repeat(lambda x, n: x > 1.0, lambda x, n: [x / 2.0, n + 1], [x, e.sign(x)], bound), "f64[]")
    agree(g, [np.array(start)])


UPDATES = {
    "an element of it": (lambda c, i, x: [c_put(c, e.sin(DynamicSlice((1,))(c, i)), i + 1), i + 1], True),
    "a window of it": (lambda c, i, x: [c_put(c, e.sin(DynamicSlice((2,))(c, i)), i + 1), i + 1], True),
    "twice": (lambda c, i, x: [c_put(c_put(c, x[:2], i), x[1:2], i + 2), i + 1], True),
    "read before": (lambda c, i, x: [c_put(c, x[:1] + Sum((0,))(c), i), i + 1], True),
    "read after": (lambda c, i, x: [c_put(c, x[:1], i), i + 1, c + x], False),
    "changed after": (lambda c, i, x: [c_put(c, x[:1], i) + 1.0, i + 1], False),
    "its new value read": (lambda c, i, x: [c_put(c, x[:1], i), i + 1, c_put(c, x[:1], i) * 2.0], True),
    "another's place": (lambda c, i, x: [x, i + 1, c_put(c, x[:1], i)], False),
}


def c_put(c: Any, update: Any, at: Any) -> Any:
    return DynamicUpdateSlice()(c, update, at)


@pytest.mark.parametrize("name", UPDATES)
def test_updates_in_place(name: str) -> None:
    """A carry whose elements are set is updated where it stands, if no one reads the old value afterwards."""
    step, alone = UPDATES[name]

    def f(x: Any, i: Any) -> list[Any]:
        return [*scan(lambda c, i: step(c, i, x), [x, i], [], 4), x]

    def g(x: Any, i: Any) -> list[Any]:
        return [*repeat(lambda c, i: e.less(i, 4), lambda c, i: step(c, i, x)[:2], [x, i]), x]

    for program in (f, g) if name not in ("read after", "its new value read") else (f,):
        graph = graph_of(program, "f64[9]", "i64[]")
        (kernel,) = [k for k in backends.compile(graph, "llvm").schedule.kernels if isinstance(k, ControlKernel)]
        assert any(kernel.node.outs[c].type.shape == (9,) for c, _ in kernel.in_place().values()) == alone
        agree(graph, draw_inputs(graph, special=False))


def test_loops_are_in_the_program() -> None:
    """No kernel is a call of the reference but that of what has no loops."""
    g = graph_of(lambda x: scan(lambda c: [CALLED(e.sin(c))], [x], [], 3), "f32[4]")
    for backend in COMPILED:
        kernels = list(backends.compile(g, backend).schedule.every())
        assert isinstance(kernels[0], ControlKernel)
        assert [str(k) for k in kernels if isinstance(k, ForeignKernel)] == ["reference: bessel_i"]
    agree(g, draw_inputs(g, special=False))


@pytest.mark.parametrize("backend", COMPILED)
def test_an_error_in_a_body_ends_the_loop(backend: str) -> None:
    """It names the line that built the node in the body."""
    fail = Fail(ShapeError("not today"))
    g = graph_of(lambda x: scan(lambda c: [fail(c)], [x], [], 5), "f32[2]")
    with pytest.raises(ShapeError, match=r"not today(.|\n)*in fail, built at .*test_control.py"):
        backends.compile(g, backend)([np.zeros(2, "f4")])


def test_the_cache_keeps_loops(tmp_path: Path) -> None:
    """Also with a call of the reference in the body, for two types by one op."""
    g = graph_of(lambda x, y: [*scan(lambda c: [CALLED(e.sin(c))], [x], [], 3), CALLED(y)], "f32[4]", "f64[5]")
    inputs = draw_inputs(g, special=False)
    with config.cache.using(True), config.cache_dir.using(str(tmp_path)):
        first, second = (backends.compile(g, "llvm") for _ in range(2))
    assert isinstance(second, Restored)
    for y, want in zip(second(inputs), first(inputs), strict=True):
        np.testing.assert_array_equal(y, want)


def test_compiled_by_numba() -> None:
    g = graph_of(network, "f32[5,3,4]", "f32[4,6]", "f32[6,6]", "f32[3,6]")
    with config.jit.using(True):
        agree(g, draw_inputs(g, special=False))


def network(x: Any, w: Any, u: Any, h: Any) -> list[Any]:
    """A recurrent network and the gradients of its weights."""
    f = lambda w, u: scan(lambda h, s: [e.tanh(matmul(s, w) + matmul(h, u))], [h], [x], 5)
    ys, pull = reverse.vjp(f, [w, u])
    return [*ys, *pull(ys)]


def test_many_threads() -> None:
    """Eight callers at once, each with its own arena; a body that calls back among them."""
    g = random_graph(7, depth=3)
    g = graph_of(lambda x, m, n, f: [*run(g, [x, m, n, f]), *scan(lambda c: [CALLED(e.sin(c))], [x], [], 3)], *TYPES)
    exe = backends.compile(g, "llvm")
    given = [draw_inputs(g, k, special=False) for k in range(8)]
    wanted = [exe(inputs) for inputs in given]
    wrong: list[int] = []

    def call(k: int) -> None:
        for _ in range(200):
            if any(not np.array_equal(y, want) for y, want in zip(exe(given[k]), wanted[k], strict=True)):
                wrong.append(k)

    at_once(call, range(8))
    assert not wrong

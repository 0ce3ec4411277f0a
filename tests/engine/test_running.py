"""Running totals and sorting as kernels: the reference's bits, for every dtype, axis, direction and layout."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends, config
from minigrad.loops import parallel, split
from minigrad.loops.lower import lower
from minigrad.ops.cumulative import CumLogSumExp, CumProd, CumSum, Cumulative, LinearRecurrence
from minigrad.ops.running import RunningArg, cummax, cummin
from minigrad.ops.sort import argsort, sort, top_k
from minigrad.passes.schedule import ForeignKernel, schedule
from minigrad.passes.schedule.sorting import SHORT_ROW
from minigrad.tracer import jit
from minigrad.types import FLOAT32, FLOAT64, LONG, TensorType
from tests.engine.agreement import special_values
from tests.graph.programs import graph_of

SHAPES = [((40,), 0), ((3, 40), 1), ((40, 3), 0), ((2, 20, 3), 1), ((1, 5), 0), ((5, 1), 0), ((2, 3, 4, 5), 2)]
FEW = ("float32", "uint8", "bool")  # compiling by numba takes long
CASES = [
    (b, d)
    for b in ("llvm", "numba", "python")
    for d in LONG.values()
    if d.kind != "c" and (b != "numba" or d.name in FEW)
]


@pytest.fixture(params=["llvm", "numba", "python"])
def backend(request) -> Any:
    """Both printers; the text of the second also as it stands."""
    with config.jit.using(request.param != "python"):
        yield "numba" if request.param == "python" else request.param


def values(shape: tuple[int, ...], dtype: np.dtype, seed: int = 0) -> np.ndarray:
    """Many ties, and every special value."""
    rng = np.random.default_rng(seed)
    some = special_values(dtype)
    x = rng.choice(some, shape)
    return np.where(rng.random(shape) < 0.5, x, rng.integers(0, 3, shape).astype(dtype)) if dtype.kind != "b" else x


def bits(x: np.ndarray) -> np.ndarray:
    """What must be equal: a NaN is a NaN, but zeros have signs."""
    return np.where(np.isnan(x), np.nan, np.stack([x, np.signbit(x)])) if x.dtype.kind == "f" else x


def native(f: Callable[..., Any], xs: list[np.ndarray], backend: str) -> None:
    """The backend's own kernels give the bits of the reference."""
    g = graph_of(f, *(str(TensorType(x.shape, x.dtype)) for x in xs))
    exe = backends.compile(g, backend)
    assert not any(isinstance(k, ForeignKernel) for k in exe.schedule.every())
    with np.errstate(all="ignore"):
        wanted = backends.compile(g, "numpy")(xs)
    for y, want in zip(exe(xs), wanted, strict=True):
        assert (y.shape, y.dtype) == (want.shape, want.dtype)
        np.testing.assert_array_equal(bits(y), bits(want))


def totals(axis: int, dtype: np.dtype) -> list[Cumulative]:
    every: list[Cumulative] = []
    for reverse in (False, True):
        every += [RunningArg(axis, reverse), RunningArg(axis, reverse, largest=False)]
        if dtype.kind != "b":
            every += [CumSum(axis, reverse), CumProd(axis, reverse)]
    return every


@pytest.mark.parametrize(("backend", "dtype"), CASES, indirect=["backend"], ids=str)
def test_every_total(dtype: np.dtype, backend: str) -> None:
    for shape, axis in SHAPES if backend != "numba" else SHAPES[3:4]:
        xs = [values(shape, dtype, seed) for seed in range(3)]

        def f(*xs: Any, axis: int = axis) -> list[Any]:
            ys = [op(xs[0]) for op in totals(axis, dtype)]
            recurrences = [LinearRecurrence(axis, r)(xs[1], xs[2]) for r in (False, True) if dtype.kind != "b"]
            return [*ys, *recurrences, cummax(xs[1], axis), cummin(xs[1], axis, reverse=True)]

        native(f, xs, backend)


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
def test_running_log_sum_exp(dtype: np.dtype, backend: str) -> None:
    """Within roundings: the reference's logarithm is another one."""
    for shape, axis in SHAPES[:4]:
        x = np.random.default_rng(0).choice(np.array([-np.inf, 0, 1, 2.5, -700, 700, np.inf, np.nan], dtype), shape)
        x[(0,) * x.ndim] = -np.inf
        for reverse in (False, True):
            op = CumLogSumExp(axis, reverse)
            with np.errstate(all="ignore"):
                want = op.impl(x)
            (y,) = backends.compile(graph_of(lambda x, op=op: op(x), str(TensorType(shape, dtype))), backend)([x])
            np.testing.assert_allclose(y, want, rtol=64 * np.finfo(dtype).eps, atol=64 * np.finfo(dtype).eps)


def test_what_is_summed_is_computed_on_the_way(backend: str) -> None:
    def f(x: Any) -> list[Any]:
        turned = mnp.flip(mnp.permute_dims(x, (1, 0)), axis=0)
        return [mnp.cumsum(mnp.where(turned > 1, turned * 2, 7), axis=0), mnp.cumprod(x[::2, 1:] + 1, axis=1)]

    x = values((6, 9), np.dtype("int32"))
    native(f, [x], backend)
    head = jit(f).explain(x).splitlines()[0]
    assert " in 2 kernels (0 library calls, 0 calls of the reference)" in head


def test_nothing_and_scarcely_anything(backend: str) -> None:
    for shape in ((0,), (2, 0), (0, 2), (1,), (1, 1)):
        x = np.ones(shape, "f4")
        native(lambda x: [mnp.cumsum(x, axis=-1), RunningArg(0)(x), CumProd(0, True)(x)], [x], backend)


def test_long_rows_and_many_rows() -> None:
    """On several threads where rows are independent; the bits are those of one thread."""
    rng = np.random.default_rng(0)
    for shape, axis in (((2_000_000,), 0), ((2000, 1500), 1), ((1500, 2000), 0), ((3000, 40, 30), 1)):
        x = rng.normal(size=shape).astype("f4")
        native(lambda x, axis=axis: [mnp.cumsum(x * 2, axis=axis), RunningArg(axis, True)(x)], [x], "llvm")


def test_other_layouts_and_a_gradient() -> None:
    x = np.asfortranarray(np.random.default_rng(0).normal(size=(30, 20)).astype("f4"))[::2, ::-1]
    for backend in ("llvm", "numba"):
        np.testing.assert_array_equal(jit(lambda x: mnp.cumsum(x, axis=0), backend=backend)(x), np.cumsum(x, 0))


def test_explained() -> None:
    text = jit(lambda x: mnp.cumsum(mnp.exp(x), axis=0) * 2).explain(np.ones((4, 5), "f4"))
    assert "0  loops over 20 elements, in order along axis 0: 80 B read, 80 B written" in text
    assert "pads, concatenations, products, running totals and sorts have loops of their own" in text


# ── sorting ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("backend", "dtype"), CASES, indirect=["backend"], ids=str)
def test_every_order(dtype: np.dtype, backend: str) -> None:
    """Short rows and long ones, along any axis: ties in their order, zeros of both signs equal, NaN last."""
    long = (2, SHORT_ROW + 1, 2)
    for shape, axis in [((3, 7), 1), ((5, 2, 2), 0), (long, 1)] if backend != "numba" else [((5, 2), 0), (long, 1)]:
        x = values(shape, dtype)

        def f(x: Any, axis: int = axis) -> list[Any]:
            return [argsort(x, axis=axis), argsort(x, axis=axis, descending=True), sort(x, axis=axis)]

        native(f, [x], backend)


def test_several_keys_and_what_is_carried_along(backend: str) -> None:
    rng = np.random.default_rng(0)
    for n in (20, 100):
        xs = [rng.integers(0, 3, (n, 2)), rng.integers(0, 3, (n, 2)).astype("f4"), rng.normal(size=(n, 2))]

        def f(a: Any, b: Any, c: Any) -> list[Any]:
            return [argsort(a, b, axis=0), *sort(a, b, c, axis=0, keys=2), *sort(b, a, axis=0, descending=True)]

        native(f, xs, backend)


def test_the_largest(backend: str) -> None:
    x = values((4, 90), FLOAT32)
    native(lambda x: list(top_k(x * 2, 5)), [x], backend)
    for dtype, k in (("float64", 1), ("int16", 5)):  # of long rows in blocks
        native(lambda x: list(top_k(x, k)), [values((9, 1001), np.dtype(dtype))], backend)  # noqa: B023


def test_sorting_nothing() -> None:
    for backend in ("llvm", "numba"):
        for shape in ((0,), (2, 0), (0, 2)):
            y, order = jit(lambda x: (mnp.sort(x), mnp.argsort(x)), backend=backend)(np.ones(shape, "f4"))
            assert y.shape == order.shape == shape and order.dtype == np.int64


def test_long_rows_are_sorted_in_linear_time() -> None:
    """Whatever the data: sorted, reversed, all equal, random bits."""
    n = 200_000
    rng = np.random.default_rng(0)
    for x in (np.arange(n), -np.arange(n), np.zeros(n, "i8"), rng.integers(-(2**63), 2**63 - 1, n)):
        native(lambda x: [argsort(x), sort(x)], [x], "llvm")
        native(lambda x: [argsort(x)], [rng.permutation(x).view("f8")], "llvm")


def test_sorting_explained() -> None:
    text = jit(lambda x: mnp.argsort(-x, axis=0)).explain(np.ones((200, 5), "f4"))
    assert "0  loops that sort 5 rows of 200: 4 KB read, 8 KB written" in text and "# neg argsort" in text


def test_rows_are_divided_and_no_row_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block has memory of its own to sort a row in."""
    monkeypatch.setattr(parallel, "WORTH", 64)
    monkeypatch.setattr(split, "WORTH", 64)
    monkeypatch.setattr(split, "_GRAIN", 16)
    for n in (12, 70, 500):
        for shape in ((n,), (30, n)):
            x = values(shape, FLOAT32)
            with config.cache.using(False):  # it would give what was compiled for the same graphs before
                native(lambda x: [argsort(x)], [x], "llvm")
            made = schedule(graph_of(lambda x: argsort(x), f"f32{list(shape)}"))
            nest, _ = lower(made.kernels[0], made)
            assert any(piece.room and split.split(piece) for piece in split.pieces(nest)) == (len(shape) > 1)

"""Running totals and sorting as kernels: the reference's bits, for every dtype, axis, direction and layout."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends, config
from minigrad.ops.cumulative import CumLogSumExp, CumProd, CumSum, Cumulative, LinearRecurrence
from minigrad.ops.running import RunningArg, cummax, cummin
from minigrad.passes.schedule import ForeignKernel
from minigrad.tracer import jit
from minigrad.types import FLOAT32, FLOAT64, LONG, TensorType
from tests.engine.test_llvm import special_values
from tests.graph.programs import graph_of

SHAPES = [((40,), 0), ((3, 40), 1), ((40, 3), 0), ((2, 20, 3), 1), ((1, 5), 0), ((5, 1), 0), ((2, 3, 4, 5), 2)]
NUMBERS = [d for d in LONG.values() if d.kind in "iuf"]


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


@pytest.mark.parametrize("dtype", [*NUMBERS, np.dtype(bool)], ids=str)
def test_every_total(dtype: np.dtype, backend: str) -> None:
    if backend == "numba" and dtype.name not in ("float32", "int64", "uint8", "bool"):
        pytest.skip("compiling takes long: one dtype of a kind")
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
    assert "pads, concatenations and running totals have loops of their own" in text

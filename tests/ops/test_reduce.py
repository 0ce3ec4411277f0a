"""Reductions and running totals against NumPy; zeros, ties, NaN and empty axes."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from minigrad import errors
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array
from minigrad.ops.cumulative import CumLogSumExp, CumProd, CumSum, LinearRecurrence
from minigrad.ops.reduce import All, Any_, ArgMax, ArgMin, Max, Min, Prod
from minigrad.ops.running import cummax, cummin
from minigrad.testing import check_grads

DTYPES = ["bool", "int8", "uint16", "int64", "float32", "float64"]
AXES = [axes for n in range(4) for axes in combinations(range(3), n)]


def draw(dtype: str, shape: tuple[int, ...] = (2, 3, 4)) -> Any:
    return np.random.default_rng(5).integers(0, 2 if dtype == "bool" else 5, shape).astype(dtype)


def gradient(f: Any, *xs: Any) -> list[Any]:
    ys, pull = vjp(lambda *vs: [f(*vs)], [Array(np.asarray(x, "float64")) for x in xs])
    return [b.array for b in pull([Array(np.ones(ys[0].shape))])]


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_agrees(dtype: str, axes: tuple[int, ...]) -> None:
    x = draw(dtype)
    for op, want in [
        (Max(axes), x.max(axes)),
        (Min(axes), x.min(axes)),
        (Any_(axes), x.any(axes)),
        (All(axes), x.all(axes)),
    ]:
        got = op(Array(x)).array
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype
    if dtype != "bool":
        product = Prod(axes)(Array(x)).array
        np.testing.assert_allclose(product, x.prod(axes, dtype=dtype))
        assert product.dtype == x.dtype


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_positions_are_the_first(dtype: str, axis: int) -> None:
    x = draw(dtype)
    for op, want in [(ArgMax(axis), x.argmax(axis)), (ArgMin(axis), x.argmin(axis))]:
        got = op(Array(x)).array
        np.testing.assert_array_equal(got, want)
        assert got.dtype == np.int64


def test_nan_wins() -> None:
    x = Array(np.array([1.0, np.nan, 3.0]))
    assert np.isnan(Max((0,))(x).array) and np.isnan(Min((0,))(x).array)
    assert ArgMax(0)(x).array == ArgMin(0)(x).array == 1
    np.testing.assert_array_equal(cummax(x, 0).array, [1, np.nan, np.nan])


def test_ties_share_equally() -> None:
    np.testing.assert_array_equal(gradient(Max((0,)), [3, 1, 3, 3])[0], np.array([1, 0, 1, 1]) / 3)
    np.testing.assert_array_equal(gradient(Min((1,)), [[1, 1], [2, 1]])[0], [[0.5, 0.5], [0, 1]])
    np.testing.assert_array_equal(gradient(lambda x: cummax(x, 0), [1, 3, 3])[0], [1, 2, 0])  # the first of them


def test_a_product_with_zeros_has_its_derivatives() -> None:
    for x in ([2, 0, 3], [0, 0, 3], [0, 0, 0], [2, 3, 4]):
        others = [np.prod(np.delete(x, i)) for i in range(3)]
        np.testing.assert_array_equal(gradient(Prod((0,)), x)[0], others)
        check_grads(Prod((0,)), (np.array(x, "float64"),), order=3)
        check_grads(CumProd(0, True), (np.array(x, "float64"),), order=3)
    check_grads(Prod((0, 2)), (np.random.default_rng(0).integers(-1, 2, (2, 2, 2)).astype(float),))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_running_totals(axis: int, reverse: bool) -> None:
    x = np.random.default_rng(6).integers(-3, 4, (2, 3, 4)).astype(float)
    turn = (lambda a: np.flip(a, axis)) if reverse else (lambda a: a)
    pairs = [
        (CumSum(axis, reverse), np.cumsum),
        (CumProd(axis, reverse), np.cumprod),
        (CumLogSumExp(axis, reverse), np.logaddexp.accumulate),
        (lambda v: cummax(v, axis, reverse), np.maximum.accumulate),
        (lambda v: cummin(v, axis, reverse), np.minimum.accumulate),
    ]
    for op, total in pairs:
        np.testing.assert_allclose(op(Array(x)).array, turn(total(turn(x), axis=axis)))


def test_running_log_sum_exp_neither_overflows_nor_loses_minus_infinity() -> None:
    x = np.array([-np.inf, -np.inf, 1000.0, 1000.0, -1000.0])
    with np.errstate(over="raise"):
        np.testing.assert_allclose(
            CumLogSumExp(0)(Array(x)).array, [-np.inf, -np.inf, *[1000 + np.log([1, 2, 2])[i] for i in range(3)]]
        )
        np.testing.assert_allclose(gradient(CumLogSumExp(0), x)[0], [0, 0, 2, 1, 0])


def test_recurrence_is_the_loop() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=(2, 5, 3))
    h, state = np.zeros_like(b), np.zeros(3)
    for i in range(5):
        state = h[i] = a[i] * state + b[i]
    np.testing.assert_allclose(LinearRecurrence(0)(Array(a), Array(b)).array, h)
    check_grads(LinearRecurrence(0, True), (a[:, :2], b[:, :2]), order=3)


def test_integers_and_empty_axes() -> None:
    assert CumSum(0)(Array(np.array([200, 100], "uint8"))).array.tolist() == [200, 44]
    assert Prod((0,))(Array(np.zeros((0, 2)))).array.tolist() == [1, 1]
    assert Max((1,))(Array(np.zeros((0, 2)))).shape == (0,)
    assert not Any_((0,))(Array(np.zeros(0))).array and All((0,))(Array(np.zeros(0))).array
    np.testing.assert_array_equal(gradient(Prod((0,)), np.zeros((0, 2)))[0], np.zeros((0, 2)))


@pytest.mark.parametrize(
    ("op", "x", "message"),
    [
        (Max((0,)), np.zeros((0, 2)), "max: f64[0,2] has no elements along axes (0,), so it has no max"),
        (ArgMin(0), np.zeros(0), "argmin: axis 0 of f64[0] has no elements"),
        (Min((2,)), np.zeros((3, 2)), "min: axis 2 is out of range for f64[3,2] (rank 2)"),
        (Max((0,)), np.zeros(2, "complex64"), "max does not take complex numbers: c64[2]"),
        (Prod((0,)), np.zeros(2, bool), "prod does not take bool: bool[2]"),
        (ArgMax(0), np.zeros(2, "complex64"), "argmax does not take complex numbers: c64[2]"),
        (CumSum(0), np.zeros(2, bool), "cumsum does not take bool[2]"),
        (CumSum(1), np.zeros(2), "cumsum: axis 1 is out of range for f64[2] (rank 1)"),
    ],
)
def test_messages(op: Any, x: Any, message: str) -> None:
    with pytest.raises(errors.MinigradError) as caught:
        op(Array(x))
    assert caught.value.what == message

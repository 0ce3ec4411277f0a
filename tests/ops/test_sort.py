"""Sorting against NumPy: stability, NaN, several operands, both directions; its derivative is the permutation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad import errors
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array
from minigrad.ops.sort import ArgSort, Sort, argsort, sort, top_k
from minigrad.testing import check_grads

RNG = np.random.default_rng


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint8", "float32", "float64", "complex64"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_numpy_agrees(dtype: str, axis: int) -> None:
    x = RNG(0).integers(0, 2 if dtype == "bool" else 4, (3, 6, 5)).astype(dtype)
    np.testing.assert_array_equal(sort(x, axis=axis).array, np.sort(x, axis))
    np.testing.assert_array_equal(argsort(x, axis=axis).array, np.argsort(x, axis, kind="stable"))


def test_nan_is_the_largest() -> None:
    x = np.array([2.0, np.nan, 1.0, np.inf])
    np.testing.assert_array_equal(sort(x).array, [1, 2, np.inf, np.nan])
    np.testing.assert_array_equal(sort(x, descending=True).array, [np.nan, np.inf, 2, 1])
    assert argsort(x, descending=True).array.tolist() == [1, 3, 0, 2]


def test_equals_keep_their_order_both_ways() -> None:
    x = np.array([1, 0, 1, 0, 1])
    assert argsort(x).array.tolist() == [1, 3, 0, 2, 4]
    assert argsort(x, descending=True).array.tolist() == [0, 2, 4, 1, 3]


@pytest.mark.parametrize("descending", [False, True])
def test_several_operands_are_sorted_together(descending: bool) -> None:
    a, b, c = RNG(1).integers(0, 3, 30), RNG(2).integers(0, 3, 30), np.arange(30)
    rows = sorted(zip(a, b, c, strict=True), key=lambda r: (r[0], r[1]), reverse=descending)
    got = sort(a, b, c, axis=0, keys=2, descending=descending)
    np.testing.assert_array_equal(np.stack([g.array for g in got], -1), rows)
    np.testing.assert_array_equal(argsort(a, b, axis=0).array, np.lexsort((b, a)))


def test_top_k() -> None:
    x = RNG(3).integers(0, 5, (4, 7)).astype(float)
    for k in (0, 1, 3, 7):
        values, positions = top_k(x, k)
        order = np.argsort(-x, -1, kind="stable")[:, :k]
        np.testing.assert_array_equal(positions.array, order)
        np.testing.assert_array_equal(values.array, np.take_along_axis(x, order, -1))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "float64"])
def test_the_largest_of_long_rows_are_found_in_blocks(dtype: str) -> None:
    """Whatever the length: equals in their order, zeros of both signs equal, NaN the largest, -inf an element."""
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0] if dtype[0] == "f" else [0, 1]
    for seed, (rows, n) in enumerate([(10, 1000), (90, 97), (3, 4001), (1, 9001)]):
        x = RNG(seed).integers(0, 200, (rows, n)).astype(dtype)
        x = np.where(RNG(9).random((rows, n)) < 0.4, RNG(8).choice(np.array(special, dtype), (rows, n)), x)
        x[0, -1:] = x[0, :-1].max()
        for k in (0, 1, 2, 8, 30):
            values, positions = top_k(x, k)
            order = argsort(x, descending=True).array[:, :k]
            np.testing.assert_array_equal(positions.array, order)
            assert values.array.tobytes() == np.take_along_axis(x, order, -1).tobytes()


def test_derivatives_follow_the_permutation() -> None:
    x = RNG(4).permutation(12).reshape(3, 4) + 0.0
    y = RNG(5).normal(size=(3, 4))
    check_grads(lambda v: sort(v, axis=0), (x,))
    check_grads(lambda v, w: sort(v, w, axis=1, descending=True), (x, y))
    check_grads(lambda v, w: sort(v, w, axis=1)[1] * sort(v, axis=1), (x, y))
    check_grads(lambda v: top_k(v, 2)[0], (x,))
    _, pull = vjp(lambda v: [sort(v)], [Array(np.array([1.0, 1.0, 0.0]))])  # of a tie the first comes first
    assert pull([Array(np.array([1.0, 2.0, 3.0]))])[0].array.tolist() == [2, 3, 1]
    long = RNG(6).normal(size=9000)
    _, pull = vjp(lambda v: [top_k(v, 5)[0]], [Array(long)])
    assert np.flatnonzero(pull([Array(np.ones(5))])[0].array).tolist() == sorted(np.argsort(long)[-5:])


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda: sort(np.zeros(3), axis=1), "sort: axis 1 is out of range for f64[3] (rank 1)"),
        (
            lambda: sort(np.zeros(3), np.zeros(2)),
            "sort: operands sorted together must have one shape, got f64[3] and f64[2]",
        ),
        (lambda: Sort(0, 2)(np.zeros(3)), "sort: cannot sort 1 operands by 2 of them"),
        (
            lambda: ArgSort(0)(np.zeros(3), np.zeros((1, 3))),
            "argsort: operands sorted together must have one shape, got f64[3] and f64[1,3]",
        ),
        (
            lambda: top_k(np.zeros(3), 4),
            "top_k: k must be an integer from 0 to 3, the size of the last axis of f64[3], got 4",
        ),
        (lambda: top_k(1.0, 1), "top_k: a scalar has no axis to search"),
    ],
)
def test_messages(f: Any, message: str) -> None:
    with pytest.raises(errors.MinigradError) as caught:
        f()
    assert caught.value.what == message

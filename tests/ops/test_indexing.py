"""x[key] and x.at[key]: NumPy is the oracle, over keys drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad import errors
from minigrad.graph import run, specialize
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops.indexing import index, index_update
from minigrad.testing import check_grads
from minigrad.types import FLOAT64, Dim, TensorType

SHAPE = (4, 3, 5)


def random_key(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Integers, slices, None, an Ellipsis, masks and tensors of positions, mixed."""
    lanes = [(), (2,), (2, 1), (1, 3), (2, 3)]
    key: list[Any] = []
    axis, ellipsis = 0, False
    while axis < len(shape):
        kind = rng.choice(["int", "slice", "none", "ellipsis", "tensor", "list", "mask", "stop"])
        n = shape[axis]
        if kind == "int":
            key.append(int(rng.integers(-n, n)))
        elif kind == "slice":
            ends = [None if rng.random() < 0.3 else int(rng.integers(-n - 1, n + 2)) for _ in range(2)]
            key.append(slice(*ends, rng.choice([None, 1, 2, -1, -2, 3])))
        elif kind == "none":
            key.append(None)
            continue
        elif kind == "ellipsis":
            if not ellipsis:
                key.append(...)
                ellipsis = True
                axis = int(rng.integers(axis, len(shape)))
            continue
        elif kind == "tensor":
            key.append(rng.integers(-n, n, lanes[rng.integers(len(lanes))]))
        elif kind == "list":
            key.append(rng.integers(-n, n, 3).tolist())
        elif kind == "mask":
            key.append(rng.random(n) < 0.6)
        else:
            break
        axis += 1
    return tuple(key)


def cases(count: int) -> Any:
    rng = np.random.default_rng(7)
    x = rng.normal(size=SHAPE)
    while count:
        key = random_key(rng, SHAPE)
        try:
            want = x[key]
        except IndexError:  # tensors that do not broadcast together
            continue
        count -= 1
        yield rng, x, key, want


def test_index_is_numpys() -> None:
    for _, x, key, want in cases(600):
        got = index(Array(x), key)
        np.testing.assert_array_equal(got.array, want, err_msg=repr(key))


def test_update_is_numpys() -> None:
    at = {"add": np.add.at, "mul": np.multiply.at, "min": np.minimum.at, "max": np.maximum.at}
    for rng, x, key, seen in cases(300):
        value = rng.normal(size=seen.shape)
        want = x.copy()
        want[key] = value
        np.testing.assert_array_equal(index_update(Array(x), key, value).array, want, err_msg=repr(key))
        for mode, in_place in at.items():
            want = x.copy()
            in_place(want, key, value)
            np.testing.assert_allclose(index_update(Array(x), key, value, mode).array, want, err_msg=repr(key))


def test_lists_scalars_and_no_index() -> None:
    x = np.arange(12.0).reshape(3, 4)
    for key in [
        [0, 2],
        [],
        ([0, 1], [2, 3]),
        np.int8(1),
        (np.uint8(1), -1),
        (),
        ...,
        None,
        np.array(2),
        [True, False, True],
    ]:
        np.testing.assert_array_equal(index(Array(x), key).array, x[key], err_msg=repr(key))
    np.testing.assert_array_equal(Array(x)[Array(np.array([2, 0])), 1:].array, x[[2, 0], 1:])


def test_rows_and_length() -> None:
    x = np.arange(6.0).reshape(3, 2)
    assert len(Array(x)) == 3
    np.testing.assert_array_equal([row.array for row in Array(x)], x)
    for touch in (len, iter):
        with pytest.raises(errors.ValueTypeError, match=r"scalar, f64\[\]"):
            touch(Array(np.array(1.0)))


def test_at_has_the_usual_words() -> None:
    x = Array(np.array([1.0, 2.0, 3.0]))
    at = x.at[np.array([0, 2])]  # type: ignore[attr-defined]
    for got, want in [
        (at.get(), [1, 3]),
        (at.set(9), [9, 2, 9]),
        (at.add(1), [2, 2, 4]),
        (at.subtract(1), [0, 2, 2]),
        (at.multiply(2), [2, 2, 6]),
        (at.divide(2), [0.5, 2, 1.5]),
        (at.power(2), [1, 2, 9]),
        (at.min(2), [1, 2, 2]),
        (at.max(2), [2, 2, 3]),
        (at.apply(lambda v: v * 10), [10, 2, 30]),
    ]:
        np.testing.assert_array_equal(got.array, want)
    np.testing.assert_array_equal(x.array, [1, 2, 3])


def test_repeated_positions_add_up_and_the_last_set_wins() -> None:
    x, twice = Array(np.zeros(3)), np.array([1, 1, 0])
    v = np.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(index_update(x, twice, v, "add").array, [4, 3, 0])
    np.testing.assert_array_equal(index_update(x, twice, v).array, [4, 2, 0])


def test_traced_positions() -> None:
    """Scalars move a window, tensors gather; negative ones wrap, those out of range are clipped or dropped."""
    x = np.arange(12.0).reshape(3, 4)

    def f(i: Any, j: Any) -> Any:
        a = Array(x)
        return [a[i], a[1:, i], a[i, i], a[j], a[:, j], a[i, j], a[None, i, ::2], a.at[i].set(0.0), a.at[j, i].add(1.0)]

    graph, _ = trace(f, [TensorType((), np.dtype("int64")), TensorType((2,), np.dtype("int64"))])
    for i, j in [(0, [1, 2]), (-1, [-2, 0]), (2, [-1, -3])]:
        k = np.array(j)
        got = [y.array for y in run(graph, [Array(np.array(i)), Array(k)])]
        zeroed, added = x.copy(), x.copy()
        zeroed[i] = 0
        np.add.at(added, (k, i), 1)
        want = [x[i], x[1:, i], x[i, i], x[k], x[:, k], x[i, k], x[None, i, ::2], zeroed, added]
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
    beyond = [y.array for y in run(graph, [Array(np.array(99)), Array(np.array([0, 99]))])]
    np.testing.assert_array_equal(beyond[0], x[-1])
    np.testing.assert_array_equal(beyond[3], x[[0, -1]])
    np.testing.assert_array_equal(beyond[8], x)


def test_unknown_sizes() -> None:
    n = Dim.symbol("n")
    keys = [
        np.s_[:, 1:],
        np.s_[0],
        np.s_[-1],
        np.s_[:, -1],
        np.s_[1:],
        np.s_[:-1],
        np.s_[-2:],
        np.s_[::-1],
        np.s_[::2],
        np.s_[:, [2, 0]],
    ]
    x = np.arange(20.0).reshape(5, 4)
    for key in keys:
        graph, _ = trace(lambda a, key=key: [a[key], a.at[key].set(1.0)], [TensorType((n, 4), FLOAT64)])
        read, written = run(specialize(graph, {"n": 5}), [Array(x)])
        want = x.copy()
        want[key] = 1.0
        np.testing.assert_array_equal(read.array, x[key])
        np.testing.assert_array_equal(written.array, want)
    with pytest.raises(
        errors.ArgumentError, match=r"whether the slice fits axis 0 of size n of f64\[n,4\] is not known"
    ):
        trace(lambda a: [a[:3]], [TensorType((n, 4), FLOAT64)])


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (5, IndexError, "index: 5 is out of range for axis 0 of size 4 of f64[4,3,5]"),
        ((0, -4), IndexError, "index: -4 is out of range for axis 1 of size 3 of f64[4,3,5]"),
        ((0, 0, np.array([1, 7])), IndexError, "index: 7 is out of range for axis 2 of size 5 of f64[4,3,5]"),
        ((0, 0, 0, 0), IndexError, "index: 4 indices for f64[4,3,5], which has 3 axes"),
        ((..., 0, ...), ValueError, "index: only one ... may stand in a key"),
        (slice(0, 1, 0), ValueError, "index: a slice's step must not be 0"),
        (1.0, TypeError, "index: 1.0 (a float) is not an index"),
        (np.array([1.0]), TypeError, "index: positions must be integers or bools, got f64[1]"),
        (
            np.array([True, False]),
            ValueError,
            "index: a mask of shape (2,) does not fit axes of sizes (4,) of f64[4,3,5]",
        ),
        (([0, 1], [0, 1, 2]), ValueError, "index: shapes (2,) and (3,) do not broadcast"),
    ],
)
def test_bad_keys(key: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(errors.MinigradError) as caught:
        index(Array(np.zeros(SHAPE)), key)
    assert isinstance(caught.value, error)
    assert caught.value.what.startswith(message)


def test_a_value_that_does_not_fit() -> None:
    with pytest.raises(errors.BroadcastError, match=r"\(4,\) and \(3, 5\)"):
        index_update(Array(np.zeros(SHAPE)), 0, np.ones(4))
    with pytest.raises(errors.ShapeError, match=r"a value of shape \(2, 3, 5\) does not fit the \(3, 5\) indexed"):
        index_update(Array(np.zeros(SHAPE)), 0, np.ones((2, 3, 5)))


def test_a_traced_mask_selects_but_does_not_shape() -> None:
    mask, x = TensorType((3,), np.dtype(bool)), np.arange(3.0)
    with pytest.raises(errors.ConcretizationError, match="traced mask"):
        trace(lambda m: [Array(x)[m]], [mask])
    graph, _ = trace(lambda m: [Array(x).at[m].set(9.0), Array(x).at[m].add(1.0)], [mask])
    chosen = np.array([True, False, True])
    a, b = run(graph, [Array(chosen)])
    np.testing.assert_array_equal(a.array, np.where(chosen, 9, x))
    np.testing.assert_array_equal(b.array, x + chosen)


@pytest.mark.parametrize(
    "key",
    [np.s_[1], np.s_[:, ::-2], np.s_[[0, 0, 1]], np.s_[:, [2, 0, 2]], np.s_[[1, 0], ..., [0, 1]], np.s_[None, 0, 1:]],
)
def test_derivatives(key: Any) -> None:
    rng = np.random.default_rng(3)
    x = rng.permutation(12).reshape(2, 3, 2) + 0.0
    v = rng.permutation(30)[: x[key].size].reshape(x[key].shape) + 0.4
    check_grads(lambda a: a[key], (x,))
    for mode in ("set", "add", "min", "max", "mul"):
        if mode == "mul" and key in (np.s_[[0, 0, 1]], np.s_[:, [2, 0, 2]]):
            with pytest.raises(errors.NotDifferentiableError, match="the product of the others"):
                check_grads(lambda a, b: index_update(a, key, b, "mul"), (x, v))
            continue
        check_grads(lambda a, b, mode=mode: index_update(a, key, b, mode), (x, v))

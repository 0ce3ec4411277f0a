"""Gather, scatter and dynamic slices against NumPy: repeats, positions beyond the axis, which update wins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad import errors
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.gather import Gather, Scatter
from minigrad.testing import check_grads
from minigrad.testing.laws import LAWS
from minigrad.tracer import jit

RNG = np.random.default_rng
UFUNCS = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


def random_case(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """A shape, some of its axes in any order, and the shape of the lanes."""
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 4)))
    axes = tuple(rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)].tolist())
    return shape, axes, tuple(rng.integers(0, 4, rng.integers(0, 3)).tolist())


def scattered(x: Any, u: Any, indices: Any, axes: tuple[int, ...], mode: str, beyond: str) -> Any:
    """The definition: one update after the other."""
    out = x.copy()
    for lane in np.ndindex(indices.shape[:-1]):
        place: list[Any] = [slice(None)] * x.ndim
        at = indices[lane]
        sizes = [x.shape[a] for a in axes]
        if beyond == "drop" and not all(0 <= i < n for i, n in zip(at, sizes, strict=True)):
            continue
        for a, i, n in zip(axes, at, sizes, strict=True):
            place[a] = min(max(int(i), 0), n - 1)
        here = tuple(place)
        out[here] = u[lane] if mode == "set" else UFUNCS[mode](out[here], u[lane])
    return out


def gathered(x: Any, indices: Any, axes: tuple[int, ...], beyond: str) -> Any:
    rest = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    out = np.zeros((*indices.shape[:-1], *rest))
    for lane in np.ndindex(indices.shape[:-1]):
        place: list[Any] = [slice(None)] * x.ndim
        inside = True
        for a, i in zip(axes, indices[lane], strict=True):
            inside &= 0 <= i < x.shape[a]
            place[a] = min(max(int(i), 0), x.shape[a] - 1)
        if inside or beyond == "clip":
            out[lane] = x[tuple(place)]
    return out


@pytest.mark.parametrize("beyond", ["clip", "drop"])
def test_gather_and_scatter_are_their_definitions(beyond: str) -> None:
    rng = RNG(0)
    for _ in range(120):
        shape, axes, lanes = random_case(rng)
        x, indices = rng.normal(size=shape), rng.integers(-2, 6, (*lanes, len(axes)))
        got = Gather(axes, beyond)(Array(x), Array(indices))
        np.testing.assert_array_equal(got.array, gathered(x, indices, axes, beyond))
        u = rng.normal(size=got.shape)
        for mode in ("set", *UFUNCS):
            out = Scatter(axes, mode, beyond)(Array(x), Array(u), Array(indices)).array
            np.testing.assert_allclose(out, scattered(x, u, indices, axes, mode, beyond), rtol=1e-12)


@pytest.mark.parametrize("law", ["adjoint", "batch", "batchgrad"])
def test_laws_at_random_parameters(law: str) -> None:
    rng = RNG(1)
    for _ in range(25):
        shape, axes, lanes = random_case(rng)
        rest = tuple(n for d, n in enumerate(shape) if d not in axes)
        for beyond in ("clip", "drop"):

            def draw(r: Any, shape: Any = shape, lanes: Any = lanes, k: int = len(axes)) -> list[Any]:
                return [r.normal(size=shape), r.integers(-2, 6, (*lanes, k))]

            LAWS[law](Gather(axes, beyond), draw, rng)
            for mode in ("set", "add", "max"):

                def draw_three(r: Any, draw: Any = draw, size: Any = (*lanes, *rest)) -> list[Any]:
                    x, indices = draw(r)
                    return [x, r.normal(size=size), indices]

                LAWS[law](Scatter(axes, mode, beyond), draw_three, rng)


def test_updates_that_were_overwritten_get_no_gradient() -> None:
    where_ = np.array([[1], [1], [0], [7]])
    _, pull = vjp(lambda x, u: [Scatter((0,))(x, u, where_)], [Array(np.zeros(3)), Array(np.ones(4))])
    x_bar, u_bar = pull([Array(np.array([10.0, 20.0, 30.0]))])
    assert x_bar.array.tolist() == [0, 0, 30]
    assert u_bar.array.tolist() == [0, 20, 10, 0]


def test_an_extremum_is_shared_by_all_that_reach_it() -> None:
    where_ = np.array([[0], [0], [1]])
    _, pull = vjp(
        lambda x, u: [Scatter((0,), "max")(x, u, where_)],
        [Array(np.array([2.0, 5.0])), Array(np.array([2.0, 2.0, 1.0]))],
    )
    x_bar, u_bar = pull([Array(np.array([3.0, 1.0]))])
    assert x_bar.array.tolist() == [1, 1]
    assert u_bar.array.tolist() == [1, 1, 0]


def test_a_scattered_product_refuses_its_updates() -> None:
    x, where_ = np.ones(2), np.array([[0], [0]])
    check_grads(lambda v: Scatter((0,), "mul")(v, np.array([2.0, 3.0]), where_), (x,))
    with pytest.raises(errors.NotDifferentiableError, match="that of one is the product of the others"):
        check_grads(lambda u: Scatter((0,), "mul")(x, u, where_), (x,))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_along_an_axis(axis: int) -> None:
    x = RNG(0).normal(size=(3, 4, 2))
    shape = list(x.shape)
    shape[axis] = 5
    indices = RNG(1).integers(0, x.shape[axis], shape)
    np.testing.assert_array_equal(TakeAlongAxis(axis)(Array(x), indices).array, np.take_along_axis(x, indices, axis))
    u, want = RNG(2).normal(size=shape), np.zeros_like(x)
    grid = list(np.ogrid[tuple(map(slice, shape))])
    grid[axis] = indices
    np.add.at(want, tuple(grid), u)
    np.testing.assert_allclose(AddAlongAxis(axis, x.shape[axis])(u, indices).array, want)


def test_dynamic_slices_move_their_window_inside() -> None:
    x = np.arange(20.0).reshape(4, 5)
    for i in range(-2, 6):
        for j in range(-2, 7):
            a, b = min(max(i, 0), 2), min(max(j, 0), 2)
            np.testing.assert_array_equal(DynamicSlice((2, 3))(Array(x), i, j).array, x[a : a + 2, b : b + 3])
            want = x.copy()
            want[a : a + 2, b : b + 3] = -1
            np.testing.assert_array_equal(DynamicUpdateSlice()(Array(x), np.full((2, 3), -1.0), i, j).array, want)


def test_narrow_positions() -> None:
    x = np.arange(300.0)
    for dtype in ("uint8", "int8", "int32", "uint64"):
        where_ = np.array([[0], [100], [7]], dtype)
        assert Gather((0,), "drop")(Array(x), Array(where_)).array.tolist() == [0, 100, 7]
        assert Scatter((0,), "add")(Array(x), np.ones(3), Array(where_)).array[[0, 7, 100]].tolist() == [1, 8, 101]
    LAWS["batch"](Gather((0,)), lambda r: [r.normal(size=3), r.integers(0, 3, (2, 1)).astype("uint8")], RNG(0))


def test_positions_that_no_int64_holds() -> None:
    """They are clipped to the end that is nearest: the last."""
    x, where_ = np.arange(4.0), np.array([[2**64 - 1], [2**63], [1]], "uint64")
    assert Gather((0,))(Array(x), Array(where_)).array.tolist() == [3, 3, 1]
    assert Gather((0,), "drop")(Array(x), Array(where_)).array.tolist() == [0, 0, 1]
    columns = where_ * np.array([[1, 0]], "uint64")
    assert Gather((1, 0))(Array(np.outer(x, x) + 1), Array(columns)).array.tolist() == [1, 1, 1]
    assert Scatter((0,), "add", "clip")(Array(x), np.ones(3), Array(where_)).array.tolist() == [0, 2, 2, 5]
    starts = lambda rng: [np.arange(9.0), rng.choice(where_.ravel())]
    for law in ("batch", "compiled"):
        LAWS[law](DynamicSlice((2,)), starts, RNG(0))
    assert jit(lambda x, at: x[at])(x, where_[:, 0]).tolist() == [3, 3, 1]


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: Gather((0,))(x, np.array([1.0])), "gather: positions must be integers, got f64[1]"),
        (
            lambda x: Gather((0,))(x, np.array([[1, 2]])),
            "gather: indices into axes (0,) of f64[3,2] must be [..., 1], got i64[1,2]",
        ),
        (lambda x: Gather((2,))(x, np.array([1])), "gather: axis 2 is out of range for f64[3,2] (rank 2)"),
        (
            lambda x: Scatter((0,))(x, np.ones(3), np.array([[1]])),
            "scatter: updates for f64[3,2] at i64[1,1] must be f64[1,2], got f64[3]",
        ),
        (
            lambda x: TakeAlongAxis(0)(x, np.zeros((1, 3), int)),
            "take_along_axis: f64[3,2] and positions i64[1,3] must have one shape save along axis 0",
        ),
        (lambda x: DynamicSlice((4, 1))(x, 0, 0), "dynamic_slice: a window of sizes (4, 1) does not fit in f64[3,2]"),
        (
            lambda x: DynamicSlice((1,))(x, 0),
            "dynamic_slice: f64[3,2] needs one start and one size per axis, got 1 starts and sizes (1,)",
        ),
        (lambda x: DynamicSlice((1, 1))(x, 0, 1.5), "dynamic_slice: a start must be an integer, got f32[]"),
        (
            lambda x: DynamicUpdateSlice()(x, np.ones((4, 1)), 0, 0),
            "dynamic_update_slice: a window of sizes (4, 1) does not fit in f64[3,2]",
        ),
    ],
)
def test_messages(f: Any, message: str) -> None:
    with pytest.raises(errors.MinigradError) as caught:
        f(Array(np.zeros((3, 2))))
    assert caught.value.what == message

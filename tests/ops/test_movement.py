"""Pad and Slice at their corners: crops, gaps, empty axes, drawn at random and compared with plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad import errors
from minigrad.interpreters.batch import batched
from minigrad.op import Array, Op
from minigrad.ops.movement import Flip, Permute, Reshape
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.testing.laws import LAWS

RNG = np.random.default_rng


def padded_line(x: np.ndarray, low: int, high: int, interior: int, value: float) -> np.ndarray:
    """The definition along axis 0: element i of x lands at low + i·(interior + 1), if that is inside."""
    n, step = len(x), interior + 1
    out = np.full((low + max(n * step - interior, 0) * (n > 0) + high, *x.shape[1:]), value)
    for i, row in enumerate(x):
        if 0 <= low + i * step < len(out):
            out[low + i * step] = row
    return out


def random_pads(count: int) -> list[tuple[tuple[int, ...], Pad]]:
    rng, found = RNG(1), []
    while len(found) < count:
        shape = tuple(int(n) for n in rng.integers(0, 5, 2))
        low, high = rng.integers(-4, 4, (2, 2)).tolist()
        interior = rng.integers(0, 3, 2).tolist()
        spread = [n + (n - 1) * k if n else 0 for n, k in zip(shape, interior, strict=True)]
        if all(s + lo + hi >= 0 for s, lo, hi in zip(spread, low, high, strict=True)):
            found.append((shape, Pad(tuple(low), tuple(high), tuple(interior))))
    return found


def test_pad_is_its_definition() -> None:
    for shape, pad in random_pads(300):
        x = RNG(0).normal(size=shape)
        want = padded_line(x, pad.low[0], pad.high[0], pad.interior[0], 7.0)
        want = padded_line(want.T, pad.low[1], pad.high[1], pad.interior[1], 7.0).T
        np.testing.assert_array_equal(pad(Array(x), 7.0).array, want, err_msg=f"{pad} {shape}")


def test_slice_is_numpys() -> None:
    for shape, cut in random_slices(300):
        x = RNG(0).normal(size=shape)
        want = x[tuple(map(slice, cut.starts, cut.stops, cut.steps))]
        np.testing.assert_array_equal(cut(Array(x)).array, want)
        assert cut.out_type(Array(x).type).shape == want.shape


def random_slices(count: int) -> list[tuple[tuple[int, ...], Slice]]:
    rng, found = RNG(2), []
    for _ in range(count):
        shape = tuple(int(n) for n in rng.integers(0, 6, 2))
        bounds = [sorted(rng.integers(0, n + 1, 2).tolist()) for n in shape]
        starts, stops = zip(*bounds, strict=True)
        found.append((shape, Slice(starts, stops, tuple(rng.integers(1, 4, 2).tolist()))))
    return found


@pytest.mark.parametrize("law", ["type", "adjoint", "batch", "layout"])
def test_laws_at_random_parameters(law: str) -> None:
    pads = [(op, (shape, ())) for shape, op in random_pads(60)]
    slices = [(op, (shape,)) for shape, op in random_slices(60)]
    for op, shapes in [*pads, *slices]:
        LAWS[law](op, lambda rng, shapes=shapes: [rng.normal(size=s) for s in shapes], RNG(3))


def test_an_infinite_padding_value_per_lane() -> None:
    values = np.array([-np.inf, 2.0])
    (y,) = batched(lambda v: [Pad((1,), (0,), (0,))(Array(np.ones(2)), v)], [Array(values)], [True], 2)
    np.testing.assert_array_equal(y.array, [[-np.inf, 1, 1], [2, 1, 1]])


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (Reshape((4,)), [(2, 3)], "reshape: 6 elements of f64[2,3] cannot fill shape (4,)"),
        (Permute((0, 0)), [(2, 3)], "permute: (0, 0) is not an order of the 2 axes of f64[2,3]"),
        (Slice((0,), (5,), (1,)), [(3,)], "slice: 0:5:1 does not lie in an axis of size 3 of f64[3]"),
        (Pad((-2,), (-2,), (0,)), [(3,), ()], "pad: an axis of size 3 of f64[3] cannot be cropped by -2 and -2"),
        (Flip((2,)), [(3,)], "flip: axis 2 is out of range for f64[3] (rank 1)"),
        (Concatenate(0), [(2, 3), (2, 4)], "concatenate: f64[2,3] and f64[2,4] do not fit together along axis 0"),
    ],
)
def test_messages(op: Op, shapes: list[tuple[int, ...]], message: str) -> None:
    xs = [Array(np.zeros(s)) for s in shapes]
    with pytest.raises(errors.MinigradError) as caught:
        op.out_type(*[x.type for x in xs])
    assert caught.value.what == message

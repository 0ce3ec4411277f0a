"""What is computed from the numbers of elements, as kernels: where extrema stand, and random bits."""

from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad.ops.reduce import ArgMax, ArgMin
from minigrad.ops.threefry import UINT64, RandomBits
from minigrad.tracer import jit, random, value_and_grad, vmap
from minigrad.types import LONG, UINT32
from tests.engine.test_running import backend, native, values  # noqa: F401


@pytest.mark.parametrize("dtype", [d for d in LONG.values() if d.kind != "c"], ids=str)
def test_where_extrema_stand(dtype: np.dtype) -> None:
    """The first of those that tie; a NaN wins."""
    for shape, axis in [((7,), 0), ((4, 30), 1), ((30, 4), 0), ((2, 9, 3), 1), ((3, 1), 1), ((1, 3), 1)]:
        for seed in range(3):
            x = values(shape, dtype, seed)
            native(lambda x, axis=axis: [ArgMax(axis)(x), ArgMin(axis)(x)], [x], "llvm")


def test_on_every_printer(backend: str) -> None:  # noqa: F811
    x, key = values((6, 20), np.dtype("f4")), np.array([1, 2], "u4")

    def f(x: Any, key: Any, start: Any) -> list[Any]:
        bits = [RandomBits((3, 5), dtype)(key, start) for dtype in (UINT32, UINT64)]
        return [ArgMax(1)(x * 2), ArgMin(0)(x), *bits, mnp.flip(bits[0], axis=1)]

    native(f, [x, key, np.array(2**32 - 4, "u8")], backend)  # the counter grows beyond its low word


def test_many_streams_and_many_numbers() -> None:
    keys, starts = np.arange(10, dtype="u4").reshape(5, 2), np.arange(5, dtype="u8")
    native(lambda k, s: [RandomBits((40_000,), UINT64)(k, s)], [keys, starts], "llvm")
    native(lambda k, s: [RandomBits((2, 3), UINT32)(k, s)], [keys, starts], "llvm")
    native(lambda k, s: [RandomBits((), UINT32)(k[0], s[0])], [keys, starts], "llvm")


def test_dropout_is_part_of_the_kernels_around_it() -> None:
    def loss(w: Any, x: Any, key: Any) -> Any:
        h = mnp.tanh(x @ w)
        kept = mnp.where(random.bernoulli(key, 0.9, h.shape), h / 0.9, 0.0)
        hits = mnp.mean(mnp.astype(mnp.argmax(kept, axis=1) == 3, "float32"))
        return mnp.mean(kept**2), hits

    w, x = np.ones((8, 16), "f4"), np.arange(32, dtype="f4").reshape(4, 8)
    step = value_and_grad(loss, has_aux=True)
    text = jit(step).explain(w, x, random.key(0))
    assert "0 calls of the reference" in text.splitlines()[0]
    for key in vmap(random.key)(np.arange(3)):
        (y, hits), g = jit(step, backend="llvm")(w, x, key)
        (want, wanted_hits), wanted = step(w, x, key)
        np.testing.assert_allclose(y, want, rtol=1e-5)
        np.testing.assert_allclose(g, wanted, rtol=1e-4, atol=1e-6)
        assert float(hits) == float(wanted_hits)

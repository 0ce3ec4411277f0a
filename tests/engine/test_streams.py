"""Large outputs that nothing reads are written past the caches, to memory that begins at a multiple of a vector."""

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends
from minigrad.passes.reuse import STREAM
from minigrad.tracer import jit
from tests.graph.programs import graph_of

N = STREAM // 4


def text_of(f, n: int) -> str:
    return backends.compile(graph_of(f, f"f32[{n}]"), "llvm").text


@pytest.mark.parametrize("shape", [(N,), (N + 16 * 7,), (N // 1000 + 1, 1000), (N // 1003 + 1, 1003)])
def test_a_large_output_is_right_wherever_its_rows_begin(shape) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    f = jit(
        lambda x: (x * 2.0 + 1.0, mnp.max(x - mnp.mean(x, axis=-1, keepdims=True), axis=-1), x - 3.0), backend="llvm"
    )
    for _ in range(3):
        y, _, z = (np.asarray(v) for v in f(x))
        assert y.ctypes.data % 64 == z.ctypes.data % 64 == 0
        np.testing.assert_array_equal(y, x * np.float32(2) + np.float32(1))
        np.testing.assert_array_equal(z, x - np.float32(3))


def test_only_what_is_large_and_unread_goes_past_the_caches() -> None:
    assert "nontemporal" in text_of(lambda x: x + 1.0, N)
    assert "nontemporal" not in text_of(lambda x: x + 1.0, N // 2)
    assert "nontemporal" not in text_of(lambda x: mnp.sum(x + 1.0), N)

"""Kernels that go column by column: what is reduced over leading axes, and what reads it, in one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends
from minigrad.interpreters.build import trace
from minigrad.passes.schedule import LoopKernel, schedule
from minigrad.passes.schedule.columns import abreast
from minigrad.tracer import jit, value_and_grad
from minigrad.types import FLOAT32, TensorType


def batch_norm(x: Any, gain: Any, bias: Any) -> tuple[Any]:
    centred = x - mnp.mean(x, axis=0)
    return (centred / mnp.sqrt(mnp.mean(centred * centred, axis=0) + 1e-5) * gain + bias,)


def slopes(x: Any, gain: Any, bias: Any) -> Any:
    value, grads = value_and_grad(lambda *given: mnp.sum(mnp.tanh(batch_norm(*given)[0])), (0, 1, 2))(x, gain, bias)
    return value, *grads


def softmax(x: Any, gain: Any, bias: Any) -> Any:
    y = mnp.exp(x - mnp.max(x, axis=0, keepdims=True))
    return y / mnp.sum(y, axis=0, keepdims=True), mnp.min(y), gain + mnp.max(y, axis=0)


def turned_over(x: Any, gain: Any, bias: Any) -> Any:
    """A value is read at other places of its column, and positions in it are numbers."""
    y = mnp.sin(x) * mnp.sum(x * gain, axis=0)
    step = mnp.reshape(mnp.arange(x.shape[0], dtype=x.dtype), (-1, *[1] * (x.ndim - 1)))
    return y, y[::-1] + mnp.sum(y, axis=0) * step, mnp.sum(y[1:] * y[:-1])


def several_axes(x: Any, gain: Any, bias: Any) -> Any:
    axes = tuple(range(x.ndim - 1))
    spread = x - mnp.mean(x, axis=axes, keepdims=True)
    return spread / mnp.max(mnp.abs(spread), axis=axes), mnp.sum(spread * spread, axis=axes) * bias


def channels(x: Any, gain: Any, bias: Any) -> Any:
    """The axis that stays lies between those that are reduced, or it is the first."""
    axes = tuple(d for d in range(x.ndim) if d != x.ndim // 3)
    along = [-1 if d == x.ndim // 3 else 1 for d in range(x.ndim)]
    scale = mnp.reshape(mnp.arange(x.shape[x.ndim // 3], dtype=x.dtype), along)

    def loss(x: Any) -> Any:
        centred = x - mnp.mean(x, axis=axes, keepdims=True)
        return mnp.sum(mnp.tanh(centred / mnp.sqrt(mnp.mean(centred**2, axis=axes, keepdims=True) + 1e-5) * scale))

    return value_and_grad(loss)(x)


def middle(x: Any, gain: Any, bias: Any) -> Any:
    """Softmax over an axis between others."""
    y = mnp.exp(x - mnp.max(x, axis=x.ndim // 2, keepdims=True))
    return y / mnp.sum(y, axis=x.ndim // 2, keepdims=True), mnp.sum(y, axis=x.ndim // 2)


PROGRAMS = [channels, middle, batch_norm, slopes, softmax, turned_over, several_axes]
SHAPES = [
    (37, 64),
    (4, 16),
    (300, 130),
    (2, 24),
    (1, 16),
    (3, 5, 32),
    (4, 6, 3, 20),
    (2, 3, 5, 4, 4),
    (7, 3),
    (0, 16),
    (5, 0),
]


@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("f", PROGRAMS)
def test_by_columns(f: Callable[..., Any], shape: tuple[int, ...], backend: str) -> None:
    if 0 in shape and f in (softmax, several_axes, middle):
        shape = (1, 1)  # of nothing there is no maximum
    random = np.random.default_rng(0)
    given = [random.standard_normal(s) for s in (shape, shape[-1:], shape[-1:])]
    graph, _ = trace(f, [TensorType(x.shape, x.dtype) for x in given])
    wanted, found = (backends.compile(graph, name)([x.copy() for x in given]) for name in ("numpy", backend))
    for y, want in zip(found, wanted, strict=True):  # slopes nearly cancel: what counts is the size of their terms
        np.testing.assert_allclose(y, want, rtol=1e-9, atol=1e-12)


def kernels(f: Callable[..., Any], shape: tuple[int, ...]) -> list[LoopKernel]:
    types = [TensorType(s, FLOAT32) for s in (shape, shape[-1:], shape[-1:])]
    found = schedule(backends.compile(trace(f, types)[0], "llvm").graph).kernels
    assert all(isinstance(k, LoopKernel) for k in found)
    return found


@pytest.mark.parametrize("f", [batch_norm, slopes, softmax])
@pytest.mark.parametrize(("rows", "columns", "width"), [(64, 96, 48), (256, 2048, 256), (2048, 4096, 256)])
def test_one_pass_over_memory_each_way(f: Callable[..., Any], rows: int, columns: int, width: int) -> None:
    (kernel,) = kernels(f, (rows, columns))
    assert (kernel.rows, kernel.abreast) == ((columns,), width)


@pytest.mark.parametrize(("shape", "rows"), [((8, 64, 28, 28), (64,)), ((4, 30, 6, 10), (30,)), ((40, 500), (40,))])
def test_channels_are_rows_wherever_they_lie(shape: tuple[int, ...], rows: tuple[int, ...]) -> None:
    (kernel,) = kernels(channels, shape)
    assert (kernel.rows, kernel.abreast) == (rows, 0)


@pytest.mark.parametrize(("shape", "width"), [((8, 64, 784), 784), ((5, 60, 96), 48), ((3, 40, 2, 2), 0)])
def test_an_axis_between_others(shape: tuple[int, ...], width: int) -> None:
    found = kernels(middle, shape)
    assert [k.abreast for k in found] == [width] if width else len(found) > 1


def test_columns_that_would_leave_the_cache_are_passes_over_rows() -> None:
    assert all(k.abreast == 0 for k in kernels(slopes, (8192, 1024)))
    x, gain = np.zeros((8192, 1024), np.float32), np.zeros(1024, np.float32)
    text = jit(batch_norm).explain(x, gain, gain)
    assert "a block of columns of 8192 elements does not stay in the cache between two loops over it" in text
    small = jit(batch_norm).explain(x[:128], gain, gain)
    assert "0  loops over 1024 columns of 128, 128 abreast: 532 KB read, 524 KB written" in small


def test_how_many_columns_go_side_by_side() -> None:
    assert abreast((1024,), (-1,), 256) == (128, "")
    assert abreast((30, 6, 40), (-4, -2, -1), 256) == (240, "")  # the last two run as one
    assert abreast((32,), (-1,), 100) == (32, "")
    apart = {(1009, 256): "1009 columns side by side", (3, 100): "3 columns", (64, 2000): "64 columns"}
    apart |= {(1024, 4096): "columns of 4096 elements", (40, 1): "one element"}
    for (columns, length), why in apart.items():
        width, reason = abreast((columns,), (-1,), length)
        assert width == 0 and why in reason

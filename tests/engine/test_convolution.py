"""Convolution and pooling as the engine does them, against the reference: forward and both ways back."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import config, passes, tracer
from minigrad.ops.convolve import conv
from minigrad.ops.pool import avg_pool, max_pool
from minigrad.passes.inline import inline
from minigrad.passes.schedule import ForeignKernel, PatchKernel, schedule

BACKENDS = ("llvm", "numba")


def draw(seed):
    """A random convolution: (x shape, w shape, stride, padding, lhs_dilation, rhs_dilation, groups)."""
    rng = np.random.default_rng(seed)
    pick = lambda *options: options[rng.integers(len(options))]
    rank, groups = pick(1, 2, 2, 2, 3), pick(1, 1, 1, 2, 3)
    n, c, o = (int(rng.integers(1, 5)) for _ in range(3))
    window = tuple(int(rng.integers(1, 4)) for _ in range(rank))
    rhs = tuple(pick(1, 1, 2) for _ in range(rank))
    sizes = tuple(int(rng.integers((k - 1) * r + 1, 10)) for k, r in zip(window, rhs))
    stride, lhs = (tuple(pick(1, 1, 2, 3) for _ in range(rank)) for _ in range(2))
    padding = tuple((int(rng.integers(0, 3)), int(rng.integers(0, 3))) for _ in range(rank))
    return (n, c * groups, *sizes), (o * groups, c, *window), stride, padding, lhs, rhs, groups


def with_gradients(f):
    def program(*xs):
        y, back = tracer.vjp(f, *xs)
        return y, *back(mnp.cos(y) + y)

    return program


def check(program, xs, dtype, tolerance):
    xs = [mnp.asarray(np.asarray(x, dtype)) for x in xs]
    expected = tracer.jit(program, backend="numpy")(*xs)
    for backend in BACKENDS:
        for got, wanted in zip(tracer.jit(program, backend=backend)(*xs), expected):
            got, wanted = np.asarray(got), np.asarray(wanted)
            assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
            np.testing.assert_allclose(
                got, wanted, rtol=tolerance, atol=tolerance * max(1, np.abs(wanted).max(initial=0))
            )


@pytest.mark.parametrize("seed", range(24))
def test_convolutions(seed):
    x, w, stride, padding, lhs, rhs, groups = draw(seed)
    f = lambda x, w: conv(x, w, stride, padding, lhs_dilation=lhs, rhs_dilation=rhs, groups=groups)
    rng = np.random.default_rng(seed)
    check(with_gradients(f), [rng.normal(size=s) for s in (x, w)], np.float64, 1e-10)


@pytest.mark.parametrize("pool", [max_pool, avg_pool])
@pytest.mark.parametrize("seed", range(24))
def test_pooling(seed, pool):
    rng = np.random.default_rng(seed)
    pick = lambda *options: options[rng.integers(len(options))]
    rank = pick(1, 2, 2, 3)
    window, stride, dilation = (tuple(int(rng.integers(1, n)) for _ in range(rank)) for n in (4, 4, 3))
    spans = [(k - 1) * r + 1 for k, r in zip(window, dilation)]
    padding = tuple(tuple(int(p) for p in rng.integers(0, span, 2)) for span in spans)
    shape = (*rng.integers(1, 4, 2), *(int(rng.integers(span, 10)) for span in spans))
    x = rng.permutation(np.prod(shape)).reshape(shape) // 2 * 0.25  # some tie
    dtype = pick("float32", "float64")
    check(with_gradients(lambda x: pool(x, window, stride, padding, dilation)), [x], dtype, 1e-5)


def test_the_largest_of_a_window_with_nan():
    x = np.array([[1.0, np.nan, 3.0, 0.0, np.nan, np.nan], [2.0, 2.0, -np.inf, -np.inf, np.inf, 1.0]])
    check(with_gradients(lambda x: max_pool(x, (2,))), [x], "float32", 0)
    check(with_gradients(lambda x: max_pool(x, (3,), (1,))), [x], "float64", 0)


def network(x, w, v, scale):
    """Two convolutions with normalisation, ReLU and pooling between them."""
    y = conv(x, w, padding=1)
    y = (y - y.mean((0, 2, 3), keepdims=True)) * scale[:, None, None]
    y = max_pool(mnp.maximum(y, 0), (2, 2))
    return (conv(y, v, stride=2) ** 2).mean()


def operands():
    rng = np.random.default_rng(0)
    return [rng.normal(size=s).astype("float32") for s in ((4, 3, 8, 8), (5, 3, 3, 3), (6, 5, 2, 2), (5,))]


def test_a_network():
    check(lambda *xs: (network(*xs), *tracer.grad(network, (0, 1, 2, 3))(*xs)), operands(), "float64", 1e-10)


def test_nothing_of_a_network_is_left_to_the_reference_or_copied_to_be_turned():
    xs = [mnp.asarray(x) for x in operands()]
    graph, _ = passes.run(inline(tracer.make_graph(tracer.grad(network, (1, 2, 3)))(*xs)))
    kernels = schedule(graph).kernels
    assert not any(isinstance(k, ForeignKernel) for k in kernels)
    assert not [k for k in kernels if str(k) == "loops: permute"]


@pytest.mark.parametrize("groups", [1, 4])
def test_large_convolutions_are_the_same_on_any_number_of_threads(groups):
    rng = np.random.default_rng(0)
    xs = [mnp.asarray(rng.normal(size=s).astype("float32")) for s in ((6, 32, 20, 20), (64, 32 // groups, 3, 3))]
    program = with_gradients(lambda x, w: conv(x, w, padding=1, groups=groups))
    graph, _ = passes.run(inline(tracer.make_graph(program)(*xs)))
    assert any(k.call.blocks[0] > 1 for k in schedule(graph).kernels if isinstance(k, PatchKernel))
    check(program, xs, "float32", 1e-5)
    found = []
    for threads in (1, 2):
        with config.num_threads.using(threads):
            found.append([np.asarray(y) for y in tracer.jit(program, backend="llvm")(*xs)])
    for one, two in zip(*found):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("pool", [max_pool, avg_pool])
def test_large_windows(pool):
    x = np.random.default_rng(0).permutation(2 * 3 * 14 * 14).reshape(2, 3, 14, 14) * 0.25
    check(with_gradients(lambda x: pool(x, (7, 7), (3, 4), 3)), [x], "float32", 1e-5)
    check(with_gradients(lambda x: pool(x, (14, 14))), [x], "float32", 1e-5)


def test_several_callers_at_once_get_the_same_bits():
    rng = np.random.default_rng(0)
    xs = [mnp.asarray(rng.normal(size=s).astype("float32")) for s in ((6, 32, 20, 20), (64, 32, 3, 3))]
    program = tracer.jit(with_gradients(lambda x, w: conv(x, w, padding=1)), backend="llvm")
    wanted = [np.asarray(y) for y in program(*xs)]
    with ThreadPoolExecutor(6) as callers:
        found = list(callers.map(lambda _: [np.asarray(y) for y in program(*xs)], range(24)))
    for ys in found:
        for y, z in zip(ys, wanted):
            np.testing.assert_array_equal(y, z)

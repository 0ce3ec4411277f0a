"""Three doors, one room: the same program entered through session, tape and tracer gives the same graph text, the
same values and the same gradients. One line a program."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad import passes
from minigrad.graph import Graph, check, run
from minigrad.op import Array
from minigrad.ops import activations, composite, losses
from minigrad.ops.convolve import conv
from minigrad.ops.pool import avg_pool, max_pool
from minigrad.tape.trail import recorded_graph, watched
from minigrad.text import to_text

RNG = np.random.default_rng(11)
V, M, W, B = (RNG.normal(size=s).astype("float32") for s in ((5,), (4, 3), (3, 6), (6,)))
T, IMAGE, KERNEL = (RNG.normal(size=s).astype("float32") for s in ((2, 4, 6), (2, 3, 6, 6), (4, 3, 3, 3)))
LABELS = np.array([0, 2, 1, 5])

# name: (a function to a scalar, its arguments)
PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "product": (lambda x: mnp.sum(x * x), (V,)),
    "polynomial": (lambda x: mnp.sum(3.0 * x**3 - x / 2.0 + 1.0), (V,)),
    "chain": (lambda x: mnp.sum(mnp.tanh(mnp.sin(mnp.exp(-x)))), (V,)),
    "shared": (lambda x: mnp.sum((y := mnp.sin(x)) * y + y), (V,)),
    "broadcast": (lambda x, b: mnp.sum(mnp.exp(x[:, None] - b)), (V, B)),
    "dense": (lambda x, w, b: mnp.sum(mnp.tanh(x @ w + b)), (M, W, B)),
    "two layers": (lambda x, w, b: mnp.mean((activations.relu(x @ w + b) @ w.T) ** 2), (M, W, B)),
    "batched matmul": (lambda x: mnp.sum(mnp.matmul(x, mnp.permute_dims(x, (0, 2, 1))) ** 2), (T,)),
    "einsum": (lambda x, w: mnp.sum(mnp.einsum("bi,ij->bj", x, w) ** 2), (M, W)),
    "mean and variance": (lambda x: mnp.mean(x) + mnp.var(x, axis=0).sum(), (M,)),
    "softmax": (lambda x: mnp.sum(composite.softmax(x) ** 2), (M,)),
    "log-softmax loss": (lambda x, w: losses.cross_entropy(x @ w, mnp.asarray(LABELS)), (M, W)),
    "layer norm": (lambda x, g, b: mnp.sum(composite.layer_norm(x, g, b) ** 3), (T, B, B)),
    "gelu": (lambda x: mnp.sum(activations.gelu(x)), (M,)),
    "attention": (lambda x: mnp.sum(composite.attention(x, x, x, causal=True) ** 2), (T,)),
    "norm": (lambda x: mnp.sqrt(mnp.sum(x * x)), (V,)),
    "logsumexp": (lambda x: mnp.sum(composite.logsumexp(x, axis=1)), (M,)),
    "maximum": (lambda x: mnp.sum(mnp.maximum(x, 0.1) * mnp.max(x, axis=0)), (M,)),
    "clip and where": (lambda x: mnp.sum(mnp.where(x > 0.0, mnp.sqrt(mnp.abs(x)), mnp.clip(x, -1.0, 1.0))), (M,)),
    "reshape": (lambda x: mnp.sum(mnp.reshape(x, (2, 12)) * mnp.arange(12.0)), (T[0],)),
    "transpose": (lambda x: mnp.sum(mnp.permute_dims(x, (2, 0, 1))[1:] ** 2), (T,)),
    "slices": (lambda x: mnp.sum(x[1:, ::2] * x[:-1, ::2]), (T[0],)),
    "embedding": (lambda x: mnp.sum(mnp.take(x, mnp.asarray([0, 2, 2, 1]), axis=0) ** 2), (M,)),
    "concatenate and flip": (lambda x: mnp.sum(mnp.concat([x, mnp.flip(x) * 2.0])[2:] ** 2), (V,)),
    "stack and pad": (lambda x: mnp.sum(mnp.pad(mnp.stack([x, x * x]), ((0, 0), (1, 2))) ** 2), (V,)),
    "cumulative": (lambda x: mnp.sum(mnp.cumsum(x) * mnp.cumprod(x)), (V,)),
    "sort": (lambda x: mnp.sum(mnp.sort(x) * mnp.arange(5.0)), (V,)),
    "product of all": (lambda x: mnp.prod(x), (V,)),
    "convolution": (lambda x, k: mnp.sum(conv(x, k, stride=2, padding=1) ** 2), (IMAGE, KERNEL)),
    "pooling": (lambda x: mnp.sum(max_pool(x, 2) * avg_pool(x, 2)), (IMAGE,)),
}


def from_tracer(f: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> tuple[Graph, list[np.ndarray]]:
    both = jax.value_and_grad(f, argnums=tuple(range(len(arrays))))
    value, slopes = both(*arrays)
    return jax.make_graph(both)(*arrays), [np.asarray(v) for v in (value, *slopes)]


def from_tape(f: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> tuple[Graph, list[np.ndarray]]:
    xs = [torch.tensor(a, requires_grad=True) for a in arrays]
    with watched() as seen:
        y = f(*xs)
        start = torch.ones((), requires_grad=True)  # so that all of the way back is recorded
        slopes = torch.autograd.grad(y, xs, start, create_graph=True)
    return recorded_graph([y, *slopes], xs, seen), [v.detach().numpy() for v in (y, *slopes)]


def from_session(f: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> tuple[Graph, list[np.ndarray]]:
    with tf.Graph().as_default(), tf.Session() as sess:
        xs = [tf.placeholder(tf.float32, a.shape) for a in arrays]
        y = f(*xs)
        fetches, feeds = [y, *tf.gradients(y, xs)], dict(zip(xs, arrays, strict=True))
        graph, _ = sess.compile(fetches, feeds)
        return graph, sess.run(fetches, feeds)


def text(graph: Graph) -> str:
    """The program in its plainest form: after the passes, names normalised."""
    return to_text(passes.run(check(graph))[0], lines=False, names=False)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_graph_values_and_gradients(name: str) -> None:
    f, arrays = PROGRAMS[name]
    graphs, values = zip(*(door(f, arrays) for door in (from_tracer, from_tape, from_session)), strict=True)
    assert text(graphs[0]) == text(graphs[1]) == text(graphs[2])
    for one in values[1:]:
        for a, b in zip(values[0], one, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    for a, b in zip(values[0], run(graphs[0], [Array(x) for x in arrays]), strict=True):
        np.testing.assert_allclose(a, b.array, rtol=1e-6, atol=1e-6)


def test_there_are_enough_programs() -> None:
    assert len(PROGRAMS) >= 25

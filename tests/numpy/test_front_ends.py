"""The same functions on the values of all three front-ends; methods; `.at`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad.ops import activations, composite, losses

X = np.random.default_rng(3).normal(size=(4, 3)).astype("float32")

MODELS: dict[str, Callable[[Any], Any]] = {
    "mean": lambda x: mnp.mean(mnp.tanh(x) * mnp.max(x, axis=0)),
    "var": lambda x: mnp.var(x, axis=0).sum() + mnp.std(x, axis=0).mean(),
    "softmax": lambda x: mnp.sum(composite.softmax(x) * mnp.arange(3.0)),
    "attention": lambda x: composite.attention(x, x, x, causal=True).mean(),
    "losses": lambda x: losses.cross_entropy(activations.gelu(x), mnp.asarray([0, 1, 2, 0])),
    "shapes": lambda x: mnp.concat([x.T.reshape(-1), mnp.ravel(x)])[2:].cumsum().mean(),
    "order": lambda x: mnp.sum(mnp.sort(x, axis=0) * mnp.arange(4.0)[:, None]) + mnp.median(x),
    "choice": lambda x: mnp.where(x > 0, mnp.sqrt(mnp.abs(x)), mnp.clip(x, -1, 1)).sum(),
    "triangles": lambda x: (mnp.tril(x) - mnp.triu(x, k=1) + mnp.eye(4, 3)).mean(),
}


@pytest.mark.parametrize("name", MODELS)
def test_one_model_three_front_ends(name: str) -> None:
    """Values and gradients agree, with the batch size of the session's placeholder unknown."""
    f = MODELS[name]
    value, gradient = jax.value_and_grad(f)(X)
    x = torch.tensor(X, requires_grad=True)
    y = f(x)
    y.backward()
    np.testing.assert_allclose(y.item(), value, rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), gradient, rtol=1e-5, atol=1e-7)
    for rows in (4,) if name in ("losses", "order", "triangles") else (4, None):
        with tf.Graph().as_default(), tf.Session() as sess:
            p = tf.placeholder(tf.float32, [rows, 3])
            z = f(p)
            got = sess.run([z, *tf.gradients(z, p)], {p: X})
        np.testing.assert_allclose(got[0], value, rtol=1e-6)
        np.testing.assert_allclose(got[1], gradient, rtol=1e-5, atol=1e-7)


def test_methods_are_the_functions() -> None:
    x = mnp.asarray([[3.0, 1.0], [2.0, -4.0]])
    assert x.sum().item() == x.sum(axis=0).sum().item() == 2
    assert x.reshape(4).tolist() == x.reshape((4,)).tolist() == x.flatten().tolist() == x.ravel().tolist()
    assert x.transpose().tolist() == x.transpose(1, 0).tolist() == x.transpose((1, 0)).tolist() == x.T.tolist()
    assert (x.max().item(), x.min().item(), x.argmax().item(), x.argmin().item()) == (3, -4, 0, 3)
    assert x.astype(int).dtype == mnp.int64 and x.astype("float64").dtype == mnp.float64
    assert x.clip(0, 2).tolist() == [[2, 1], [2, 0]] and x.round().tolist() == x.tolist()
    assert x.any().item() is True and x.all().item() is True and x.copy() is x.block_until_ready() is x
    assert x.cumsum(axis=1).tolist() == [[3, 4], [2, -2]] and x.repeat(2, axis=0).shape == (4, 2)
    assert x.dot(x).tolist() == (x @ x).tolist() and x.trace().item() == -1 and x.diagonal().tolist() == [3, -4]
    assert x.sort(axis=0).tolist() == [[2, -4], [3, 1]] and x.argsort().tolist() == [[1, 0], [1, 0]]
    assert x.take(mnp.asarray([1]), axis=1).tolist() == [[1], [-4]] and x.swapaxes(0, 1).tolist() == x.T.tolist()
    assert [axis.tolist() for axis in (x > 2).nonzero()] == [[0], [0]]
    assert x.squeeze() is x and x.conj().tolist() == x.real.tolist() == x.tolist() and x.imag.item is not None
    assert (+x).tolist() == x.tolist() and round(mnp.asarray(2.5)).item() == 2
    assert (
        x.mean().item() == 0.5
        and x.var().item() == 7.25
        and x.std().item() == pytest.approx(7.25**0.5)
        and x.ptp().item() == 7
    )
    assert x.prod().item() == -24 and x.cumprod().tolist() == [3, 3, 6, -24]


def test_python_reads_numbers() -> None:
    x = mnp.asarray([1.5, 2.5])
    assert repr(x) == "Array([1.5, 2.5], dtype=float32)"
    assert repr(mnp.zeros((0, 2))) == "Array([], shape=(0, 2), dtype=float32)"
    assert f"{x[0]:.3f}" == "1.500" and float(x[1]) == 2.5 and int(x[1]) == 2 and complex(x[0]) == 1.5
    assert [10, 20][mnp.asarray(1)] == 20 and bool(x[0] > 1) and x[0].item() == 1.5 and x.tolist() == [1.5, 2.5]
    assert np.asarray(x, dtype="float64").dtype == np.float64 and np.array(x).flags.writeable


def test_at() -> None:
    x = mnp.arange(4.0)
    assert x.at[1].set(9).tolist() == [0, 9, 2, 3] and x.tolist() == [0, 1, 2, 3]
    assert x.at[mnp.asarray([1, 1])].add(1).tolist() == [0, 3, 2, 3]
    assert x.at[1:3].multiply(2).tolist() == x.at[1:3].mul(2).tolist() == [0, 2, 4, 3]
    assert x.at[::2].max(1).tolist() == [1, 1, 2, 3] and x.at[-1].min(0).tolist() == [0, 1, 2, 0]
    assert x.at[2].get().item() == 2 and x.at[2].apply(mnp.square).tolist() == [0, 1, 4, 3]

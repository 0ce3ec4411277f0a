"""A training step of a multilayer perceptron with ReLU and softmax cross-entropy: small with SGD, large with Adam."""

from functools import partial
from itertools import pairwise

import numpy as np

from benchmarks.workload import Workload


def arguments(rng, sizes, batch):
    pairs = list(pairwise(sizes))
    params = [(layer(rng, n, m), np.zeros(m, np.float32)) for n, m in pairs]
    return params, rng.normal(size=(batch, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], batch)


def layer(rng, n, m):
    """Weights that keep the variance through a ReLU (He et al. 2015)."""
    return rng.normal(0, (2 / n) ** 0.5, (n, m)).astype(np.float32)


def tracer(jax, jnp):
    def loss(params, x, labels):
        *hidden, (w, b) = params
        for v, a in hidden:
            x = jax.nn.relu(x @ v + a)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x @ w + b), labels[:, None], axis=1))

    return loss


def torch(torch, compile):
    def loss(params, x, labels):
        *hidden, (w, b) = params
        for v, a in hidden:
            x = torch.relu(torch.addmm(a, x, v))
        return torch.nn.functional.cross_entropy(torch.addmm(b, x, w), labels)

    return loss


def tensorflow(tf):
    def loss(params, x, labels):
        *hidden, (w, b) = params
        for v, a in hidden:
            x = tf.nn.relu(x @ v + a)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x @ w + b))

    return loss


SMALL = Workload(
    "MLP 64-128-128-10, batch 32, SGD",
    partial(arguments, sizes=(64, 128, 128, 10), batch=32),
    tracer,
    torch,
    tensorflow,
    optimizer="sgd",
)
# Rounding puts about one of the million ReLUs on the other side of 0, which may turn one of the 2048 biases' steps.
LARGE = Workload(
    "MLP 784-2048-2048-10, batch 256, Adam",
    partial(arguments, sizes=(784, 2048, 2048, 10), batch=256),
    tracer,
    torch,
    tensorflow,
    optimizer="adam",
    tolerance=5e-2,
)

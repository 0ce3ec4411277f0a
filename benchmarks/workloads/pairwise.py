"""Squared distances of 2000 points to 500 centres in 32 dimensions: the loss of k-means and its gradient."""

import numpy as np

from benchmarks.workload import Workload, watched

POINTS, CENTRES, SIZE = 2000, 500, 32


def arguments(rng):
    return tuple(rng.normal(size=(n, SIZE)).astype(np.float32) for n in (POINTS, CENTRES))


def tracer(jax, jnp):
    def loss(x, centres):
        distances = jnp.sum((x[:, None] - centres[None]) ** 2, axis=-1)  # [points, centres]
        return jnp.mean(jnp.min(distances, axis=1))

    return jax.value_and_grad(loss, argnums=1)


def torch(torch, compile):
    f = compile(lambda x, centres: ((x[:, None] - centres[None]) ** 2).sum(-1).amin(1).mean())

    def value_and_grad(x, centres):
        y = f(x, centres)
        return y, *torch.autograd.grad(y, (centres,))

    return value_and_grad


def tensorflow(tf):
    def loss(centres, x):
        distances = tf.reduce_sum((x[:, None] - centres[None]) ** 2, axis=-1)
        return tf.reduce_mean(tf.reduce_min(distances, axis=1))

    return lambda x, centres: watched(tf, loss, centres, x)


WORKLOAD = Workload("pairwise distances 2000×500×32", arguments, tracer, torch, tensorflow, wrt=(1,))

"""Σ tanh(x)·exp(x) + softplus(x) over a million elements, and its gradient."""

import numpy as np

from benchmarks.workload import Workload, watched


def arguments(rng):
    return (rng.normal(size=1_000_000).astype(np.float32),)


def tracer(jax, jnp):
    return jax.value_and_grad(lambda x: jnp.sum(jnp.tanh(x) * jnp.exp(x) + jax.nn.softplus(x)))


def torch(torch, compile):
    f = compile(lambda x: (torch.tanh(x) * torch.exp(x) + torch.nn.functional.softplus(x)).sum())

    def value_and_grad(x):
        y = f(x)
        return y, *torch.autograd.grad(y, (x,))

    return value_and_grad


def tensorflow(tf):
    return lambda x: watched(tf, lambda x: tf.reduce_sum(tf.tanh(x) * tf.exp(x) + tf.nn.softplus(x)), x)


WORKLOAD = Workload("tanh·exp + softplus, 1M", arguments, tracer, torch, tensorflow, wrt=(0,))

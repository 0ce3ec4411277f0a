"""The gradient of each of 256 examples of a small network: vmap of grad."""

from itertools import pairwise

import numpy as np

from benchmarks.workload import Workload
from benchmarks.workloads.mlp import layer

EXAMPLES, SIZES = 256, (32, 64, 10)


def arguments(rng):
    params = [(layer(rng, n, m), np.zeros(m, np.float32)) for n, m in pairwise(SIZES)]
    x, y = rng.normal(size=(EXAMPLES, SIZES[0])), rng.normal(size=(EXAMPLES, SIZES[-1]))
    return params, x.astype(np.float32), y.astype(np.float32)


def program(tanh, grad, vmap):
    def loss(params, x, y):
        (w, b), (v, c) = params
        error = tanh(x @ w + b) @ v + c - y
        return (error * error).sum()

    return vmap(grad(loss), (None, 0, 0))


def tracer(jax, jnp):
    return program(jnp.tanh, jax.grad, jax.vmap)


def torch(torch, compile):
    return compile(program(torch.tanh, torch.func.grad, torch.func.vmap))


WORKLOAD = Workload("gradients of 256 examples", arguments, tracer, torch)

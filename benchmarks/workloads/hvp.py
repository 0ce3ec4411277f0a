"""A Hessian-vector product of a network's loss: forward over reverse."""

from itertools import pairwise

import numpy as np

from benchmarks.workload import Workload
from benchmarks.workloads.mlp import layer

BATCH, SIZES = 32, (64, 128, 10)


def arguments(rng):
    shapes = list(pairwise(SIZES))
    params, direction = ([layer(rng, n, m) for n, m in shapes] for _ in range(2))
    x, y = rng.normal(size=(BATCH, SIZES[0])), rng.normal(size=(BATCH, SIZES[-1]))
    return params, direction, x.astype(np.float32), y.astype(np.float32)


def program(tanh, grad, jvp):
    def loss(params, x, y):
        w, v = params
        error = tanh(x @ w) @ v - y
        return (error * error).mean()

    def hvp(params, direction, x, y):
        return jvp(lambda p: grad(loss)(p, x, y), (params,), (direction,))[1]

    return hvp


def tracer(jax, jnp):
    return program(jnp.tanh, jax.grad, jax.jvp)


def torch(torch, compile):
    return compile(program(torch.tanh, torch.func.grad, torch.func.jvp))


WORKLOAD = Workload("Hessian-vector product of an MLP", arguments, tracer, torch)

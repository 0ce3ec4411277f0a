"""A chain of ten ops on ten elements: what an op costs, eager and compiled, with and without gradient."""

import numpy as np

from benchmarks.workload import Workload


def arguments(rng):
    return rng.normal(size=10).astype(np.float32), rng.uniform(0.5, 1.5, 10).astype(np.float32)


def chain(x, w):
    y = x
    for _ in range(5):
        y = y * w + x
    return y


def forward(jax, jnp):
    return chain


def gradient(jax, jnp):
    return jax.grad(lambda x, w: jnp.sum(chain(x, w)))


def torch_forward(torch, compile):
    return compile(chain)


def torch_gradient(torch, compile):
    f = compile(chain)
    return lambda x, w: torch.autograd.grad(f(x, w).sum(), (x,))[0]


EAGER = Workload("10-op chain, eager", arguments, forward, torch_forward, eager=True)
EAGER_GRADIENT = Workload("its gradient, eager", arguments, gradient, torch_gradient, wrt=(0,), eager=True)
COMPILED = Workload("10-op chain", arguments, forward, torch_forward)
COMPILED_GRADIENT = Workload("its gradient", arguments, gradient, torch_gradient, wrt=(0,))

"""An Elman network over 256 steps, and the gradient by its weights: what a compiled loop costs."""

import numpy as np

from benchmarks.workload import Workload

STEPS, BATCH, SIZE, HIDDEN = 256, 16, 32, 64


def arguments(rng):
    draw = lambda scale, *shape: rng.normal(0, scale, shape).astype(np.float32)
    x = draw(1, STEPS, BATCH, SIZE)
    return x, draw(SIZE**-0.5, SIZE, HIDDEN), draw(HIDDEN**-0.5, HIDDEN, HIDDEN), draw(0.1, HIDDEN)


def tracer(jax, jnp):
    def loss(x, w, u, b):
        def step(h, x):
            h = jnp.tanh(x @ w + h @ u + b)
            return h, None

        h, _ = jax.lax.scan(step, jnp.zeros((BATCH, HIDDEN), jnp.float32), x)
        return jnp.mean(h * h)

    return jax.value_and_grad(loss, argnums=(1, 2, 3))


def torch(torch, compile):
    def loss(x, w, u, b):
        h, projected = torch.zeros(BATCH, HIDDEN), x @ w + b
        for row in projected.unbind():
            h = torch.tanh(torch.addmm(row, h, u))
        return (h * h).mean()

    def value_and_grad(x, w, u, b):
        y = loss(x, w, u, b)
        return y, torch.autograd.grad(y, (w, u, b))

    return value_and_grad


WORKLOAD = Workload("RNN, 256 steps, gradient", arguments, tracer, torch, wrt=(1, 2, 3))

"""Layer normalisation of 4096 rows of 1024 (Ba, Kiros & Hinton 2016), and its pullback."""

import numpy as np

from benchmarks.workload import Workload

ROWS, SIZE = 4096, 1024


def arguments(rng):
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
    return draw(ROWS, SIZE), draw(SIZE), draw(SIZE), draw(ROWS, SIZE)  # x, gain, bias, cotangent


def tracer(jax, jnp):
    def layer_norm(x, gain, bias):
        centred = x - jnp.mean(x, axis=1, keepdims=True)
        variance = jnp.mean(centred * centred, axis=1, keepdims=True)
        return centred / jnp.sqrt(variance + 1e-5) * gain + bias

    def value_and_pullback(x, gain, bias, y_bar):
        y, pullback = jax.vjp(layer_norm, x, gain, bias)
        return y, pullback(y_bar)

    return value_and_pullback


def torch(torch, compile):
    f = compile(lambda x, gain, bias: torch.nn.functional.layer_norm(x, (SIZE,), gain, bias, 1e-5))

    def value_and_pullback(x, gain, bias, y_bar):
        y = f(x, gain, bias)
        return y, torch.autograd.grad(y, (x, gain, bias), y_bar)

    return value_and_pullback


WORKLOAD = Workload("layer norm 4096×1024", arguments, tracer, torch, wrt=(0, 1, 2))

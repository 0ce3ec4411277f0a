"""One multiplication and one addition of 0-d arrays: what a compiled call costs."""

import numpy as np

from benchmarks.workload import Workload


def arguments(rng):
    return np.float32(rng.normal()), np.float32(rng.normal())


def tracer(jax, jnp):
    return lambda x, y: x * y + 1.0


def torch(torch, compile):
    return compile(lambda x, y: x * y + 1.0)


WORKLOAD = Workload("scalar call", arguments, tracer, torch)

"""The Hessian of Rosenbrock's function of 100 variables."""

import numpy as np

from benchmarks.workload import Workload


def arguments(rng):
    return (rng.normal(size=100).astype(np.float32),)


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def tracer(jax, jnp):
    return jax.hessian(rosenbrock)


def torch(torch, compile):
    return compile(torch.func.hessian(rosenbrock))


WORKLOAD = Workload("Hessian of Rosenbrock, 100", arguments, tracer, torch)

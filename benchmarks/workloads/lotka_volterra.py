"""A thousand Runge-Kutta steps of the Lotka-Volterra equations for a thousand trajectories, with gradient."""

import numpy as np

from benchmarks.workload import Workload, watched

STEPS, TRAJECTORIES, H = 1000, 1000, 0.01


def arguments(rng):
    draw = lambda low, high: rng.uniform(low, high, TRAJECTORIES).astype(np.float32)
    return draw(0.5, 2), draw(0.5, 2), draw(0.8, 1.2), draw(0.8, 1.2)  # prey, predators, and two of the rates


def step(prey, predators, a, c):
    """Prey grow by a and are eaten at rate 1; predators die by c (classical fourth-order Runge-Kutta)."""

    def slope(u, v):
        return a * u - u * v, u * v - c * v

    u1, v1 = slope(prey, predators)
    u2, v2 = slope(prey + 0.5 * H * u1, predators + 0.5 * H * v1)
    u3, v3 = slope(prey + 0.5 * H * u2, predators + 0.5 * H * v2)
    u4, v4 = slope(prey + H * u3, predators + H * v3)
    return prey + H / 6 * (u1 + 2 * u2 + 2 * u3 + u4), predators + H / 6 * (v1 + 2 * v2 + 2 * v3 + v4)


def tracer(jax, jnp):
    def total(prey, predators, a, c):
        u, v = jax.lax.fori_loop(0, STEPS, lambda i, s: step(*s, a, c), (prey, predators))
        return jnp.sum(u + v)

    return jax.value_and_grad(total, argnums=(0, 1, 2, 3))


def torch(torch, compile):
    advance = compile(step)

    def value_and_grad(prey, predators, a, c):
        u, v = prey, predators
        for _ in range(STEPS):
            u, v = advance(u, v, a, c)
        total = (u + v).sum()
        return total, torch.autograd.grad(total, (prey, predators, a, c))

    return value_and_grad


def tensorflow(tf):
    def total(parameters):
        prey, predators, a, c = parameters
        more, advance = lambda i, u, v: i < STEPS, lambda i, u, v: (i + 1, *step(u, v, a, c))
        _, u, v = tf.while_loop(more, advance, (0, prey, predators), maximum_iterations=STEPS)
        return tf.reduce_sum(u + v)

    return lambda *parameters: watched(tf, total, parameters)


WORKLOAD = Workload("Lotka-Volterra, 1000 steps × 1000", arguments, tracer, torch, tensorflow, wrt=(0, 1, 2, 3))

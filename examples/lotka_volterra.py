"""A gradient through a solver of differential equations: the four numbers behind a population of prey and predators.

What to look at: the solver is Runge-Kutta 4 in one `lax.scan`, and derivatives go through its 75 steps as through any
function, backward (`value_and_grad`, for Adam) and forward (`jacfwd`, for Gauss-Newton), to the true parameters.
"""

import sys
import time

import numpy as np

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad.tracer import lax

TRUE = {"birth": 1.1, "hunt": 0.4, "feed": 0.1, "death": 0.4}  # of x' = birth·x - hunt·x·y, y' = feed·x·y - death·y
GUESS = {"birth": 0.8, "hunt": 0.6, "feed": 0.2, "death": 0.6}
START = np.array([10.0, 5.0])
DT, STEPS = 0.2, 75  # 15 years
NOISE = 0.05


def flow(p, state):
    prey, predators = state
    eaten = prey * predators
    return jnp.stack([p["birth"] * prey - p["hunt"] * eaten, p["feed"] * eaten - p["death"] * predators])


def solve(p):
    """The populations after each step, [STEPS, 2]."""

    def rk4(state, _):
        k1 = flow(p, state)
        k2 = flow(p, state + DT / 2 * k1)
        k3 = flow(p, state + DT / 2 * k2)
        k4 = flow(p, state + DT * k3)
        state = state + DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return state, state

    _, path = lax.scan(rk4, jnp.asarray(START), None, length=STEPS)
    return path


def measurements():
    """What was counted, each number off by about 5%."""
    noise = np.random.default_rng(0).normal(size=(STEPS, 2)) * NOISE
    return np.asarray(solve(TRUE)) * np.exp(noise)


def residuals(logs, counted):
    """How far off the logarithms are, [STEPS, 2]; the parameters are given by theirs, so that they stay positive."""
    path = solve({name: jnp.exp(value) for name, value in logs.items()})
    return jnp.log(path) - jnp.log(counted)


def loss_fn(logs, counted):
    return jnp.mean(residuals(logs, counted) ** 2)


def descend(logs, counted, steps, losses):
    """Adam with gradients by reverse mode: robust far away, slow in the narrow valley at the end."""
    optimizer = jax.optimizers.adam(0.05)
    state = optimizer.init(logs)

    @jax.jit
    def step(logs, state):
        loss, grads = jax.value_and_grad(loss_fn)(logs, counted)
        logs, state = optimizer.update(grads, state, logs)
        return logs, state, loss

    for k in range(steps):
        logs, state, loss = step(logs, state)
        losses.append(float(loss))
        if k % 25 == 0:
            report(f"Adam step {k:3d}", losses[-1], logs)
    return logs


def gauss_newton(logs, counted, steps, losses):
    """Least squares on the linearized solver: all of its derivatives by forward mode, four columns for four numbers."""
    jacobian = jax.jit(jax.jacfwd(residuals))
    for k in range(steps):
        by_name = jacobian(logs, counted)  # {name: ∂residuals/∂log, [STEPS, 2]}
        columns = [np.asarray(by_name[name]).ravel() for name in logs]
        r = np.asarray(residuals(logs, counted)).ravel()
        change = np.linalg.lstsq(np.stack(columns, axis=1), -r)[0]
        logs = {name: value + d for (name, value), d in zip(logs.items(), change)}
        losses.append(float(loss_fn(logs, counted)))
        report(f"Gauss-Newton {k}", losses[-1], logs)
    return logs


def report(who, loss, logs):
    print(f"{who:14}  loss {loss:.5f}  " + "  ".join(f"{n} {float(jnp.exp(v)):.3f}" for n, v in logs.items()))


def main(steps=100):
    """Returns the losses and the parameters found."""
    counted, losses, start = measurements(), [], time.perf_counter()
    logs = {name: jnp.asarray(np.log(value)) for name, value in GUESS.items()}
    logs = descend(logs, counted, steps, losses)
    print(f"{(time.perf_counter() - start) / steps * 1e3:.1f} ms a step, solving forward and walking backward")
    logs = gauss_newton(logs, counted, 5, losses)

    found = {name: float(jnp.exp(value)) for name, value in logs.items()}
    for name, value in found.items():
        print(f"{name:6} found {value:.4f}, true {TRUE[name]:.4f}")
    print(f"loss {losses[-1]:.5f}, of which the noise in the measurements is {NOISE**2:.5f}")
    return losses, found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""Control flow that depends on data, in each front-end: Newton's method, for as many steps as it takes.

What to look at: Kepler's equation E - e·sin E = M is solved by Python's own `while` in the tape, and by loops that
stand in the graph in the other two; all take the same number of steps and give the same gradients through the loop.
"""

import numpy as np

import minigrad.numpy as jnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad.tracer import lax

TOLERANCE = 1e-8
# name, eccentricity e, mean anomaly M in radians
ORBITS = [("Earth", 0.017, 1.0), ("Pluto", 0.249, 3.0), ("Halley's comet", 0.967, 0.1), ("Hale-Bopp", 0.995, 0.01)]


def exact_gradient(anomaly, e):
    """(∂E/∂M, ∂E/∂e) at the solution E, by the implicit function theorem."""
    slope = 1 - e * np.cos(anomaly)
    return 1 / slope, np.sin(anomaly) / slope


# ── tape: the loop is Python's; what was recorded is the steps that this input took ──────────────────
def with_tape(mean, e):
    mean = torch.tensor(mean, dtype=torch.float64, requires_grad=True)
    e = torch.tensor(e, dtype=torch.float64, requires_grad=True)
    anomaly, change, steps = mean + e, torch.tensor(1.0), 0
    while change.abs() > TOLERANCE:
        change = (anomaly - e * torch.sin(anomaly) - mean) / (1 - e * torch.cos(anomaly))
        anomaly = anomaly - change
        steps += 1
    anomaly.backward()
    return anomaly.item(), steps, (mean.grad.item(), e.grad.item())


# ── tracer: the loop is an op of the graph, its body traced once ─────────────────────────────────────
@jax.jit
def solve(mean, e):
    def unfinished(state):
        _, change, _ = state
        return jnp.abs(change) > TOLERANCE

    def newton(state):
        anomaly, _, steps = state
        change = (anomaly - e * jnp.sin(anomaly) - mean) / (1 - e * jnp.cos(anomaly))
        return anomaly - change, change, steps + 1

    anomaly, _, steps = lax.while_loop(unfinished, newton, (mean + e, jnp.ones_like(mean), 0))
    return anomaly, steps


def with_tracer(mean, e):
    mean, e = jnp.asarray(mean, dtype=jnp.float64), jnp.asarray(e, dtype=jnp.float64)
    (anomaly, steps), grads = jax.value_and_grad(solve, argnums=(0, 1), has_aux=True)(mean, e)
    return float(anomaly), int(steps), tuple(map(float, grads))


# ── session: the loop is built before there is any data ──────────────────────────────────────────────
def build():
    mean, e = tf.placeholder(tf.float64, [], "mean"), tf.placeholder(tf.float64, [], "eccentricity")

    def unfinished(anomaly, change, steps):
        return tf.abs(change) > TOLERANCE

    def newton(anomaly, change, steps):
        change = (anomaly - e * tf.sin(anomaly) - mean) / (1 - e * tf.cos(anomaly))
        return anomaly - change, change, steps + 1

    anomaly, _, steps = tf.while_loop(unfinished, newton, [mean + e, tf.ones_like(mean), tf.constant(0)])
    return mean, e, (anomaly, steps, tf.gradients(anomaly, [mean, e]))


def main():
    """Returns, for each orbit, the three front-ends' (E, steps, gradient), and the steps of all orbits at once."""
    found = {}
    with tf.Graph().as_default(), tf.Session() as sess:
        mean, e, fetches = build()
        for name, eccentricity, m in ORBITS:
            found[name] = [
                sess.run(fetches, {mean: m, e: eccentricity}),
                with_tape(m, eccentricity),
                with_tracer(m, eccentricity),
            ]
            print(f"{name}: e = {eccentricity}, M = {m}")
            for front_end, (anomaly, steps, (d_mean, d_e)) in zip(["session", "tape", "tracer"], found[name]):
                print(f"  {front_end:8} E = {anomaly:.12f} in {steps} steps, gradient {d_mean:.12f} {d_e:.12f}")
            d_mean, d_e = exact_gradient(found[name][0][0], eccentricity)
            print(f"  {'exact':8} {'':33} gradient {d_mean:.12f} {d_e:.12f}")

    _, es, means = zip(*ORBITS)
    _, together = jax.vmap(solve)(jnp.asarray(means, dtype=jnp.float64), jnp.asarray(es, dtype=jnp.float64))
    print(f"all four in one vmapped loop, each for as many steps as it needs: {together.tolist()}")
    return found, together.tolist()


if __name__ == "__main__":
    main()

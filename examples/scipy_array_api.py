"""SciPy's own functions differentiated: two voices recorded by two microphones are told apart by `scipy.stats`.

What to look at: nothing here is minigrad's statistics. `scipy.stats.kurtosis` and `scipy.stats.zscore` take arrays of
any library that follows the Array API standard, so `grad` and `jit` go through them. `zscore` writes into an array on
its way; `writable` makes a pure function of it. Mixtures of independent signals are closer to a normal distribution
than the signals, so the direction of extreme kurtosis is one signal alone (projection pursuit).
"""

import os
import sys

os.environ["SCIPY_ARRAY_API"] = "1"  # SciPy reads it when it is imported

import numpy as np
import scipy.stats

import minigrad.numpy as jnp
import minigrad.tracer as jax

zscore = jnp.writable(scipy.stats.zscore)


def recordings(samples=2000):
    """Two signals [samples, 2], a saw tooth and a hum, and what two microphones hear of them."""
    t = np.arange(samples) / 100
    signals = np.stack([2 * (t % 1) - 1, np.sin(2 * np.pi * np.sqrt(3) * t)], axis=1)
    return signals, signals @ np.array([[1.0, 0.6], [0.5, 1.0]])


def white(heard):
    """Without correlation, by a rotation and a scaling: then every direction has variance 1."""
    _, directions = jnp.linalg.eigh(heard.T @ heard)
    return zscore(heard @ directions, axis=0)


def flatness(angle, x):
    """Minus the kurtosis of x [n, 2] seen along an angle: flat distributions have little."""
    return -scipy.stats.kurtosis(x @ jnp.stack([jnp.cos(angle), jnp.sin(angle)]))


def main(steps=40):
    signals, heard = recordings()
    x = white(jnp.asarray(heard))
    step = jax.jit(lambda angle: angle + 0.1 * jax.grad(flatness)(angle, x))
    angle = jnp.float64(0.3)
    for _ in range(steps):
        angle = step(angle)
    one = x @ jnp.stack([jnp.cos(angle), jnp.sin(angle)])
    other = x @ jnp.stack([-jnp.sin(angle), jnp.cos(angle)])
    found = np.abs(np.corrcoef(np.column_stack([one.tolist(), other.tolist(), signals]).T)[:2, 2:])
    before = np.abs(np.corrcoef(np.column_stack([heard, signals]).T)[:2, 2:])
    sensitivity = jax.grad(lambda h: flatness(angle, white(h)))(jnp.asarray(heard))
    return before, found, sensitivity


if __name__ == "__main__":
    before, found, sensitivity = main(*map(int, sys.argv[1:]))
    print("correlation with the true signals")
    print(f"  microphones: {before[0].round(3)} {before[1].round(3)}")
    print(f"  unmixed:     {found[0].round(3)} {found[1].round(3)}")
    loud = int(np.abs(sensitivity).sum(axis=1).argmax())
    print(f"the derivative of the kurtosis by every sample, through eigh and zscore: largest at sample {loud}")

"""scikit-learn's own functions differentiated: the gradient of a kernel finds which measurements tell wines apart.

What to look at: `StandardScaler` and `rbf_kernel` are scikit-learn's. With `array_api_dispatch` they compute with
arrays of any library that follows the Array API standard, so `grad` goes through them. The scaler assigns to arrays;
`writable` makes a pure function of it. Half of the 26 columns are noise: the weights learn to leave them out, because
a wine's class is guessed from the kernel-weighted votes of the others, and the guess is to be right.
"""

import os
import sys

os.environ["SCIPY_ARRAY_API"] = "1"  # scikit-learn asks for it

import numpy as np
import sklearn
from sklearn.datasets import load_wine
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

import minigrad.numpy as jnp
import minigrad.tracer as jax

sklearn.set_config(array_api_dispatch=True)
scaled = jnp.writable(lambda x: StandardScaler().fit_transform(x))


def votes(weights, queries, voters, classes):
    """For each query [n, 26] the share of each class [n, 3] among the voters [m, 26], the near ones counting more."""
    kernel = rbf_kernel(queries * weights, voters * weights, gamma=0.5)
    return kernel @ classes / jnp.sum(kernel, axis=1, keepdims=True)


def loss(weights, queries, labels, voters, classes):
    """Minus the mean logarithm of the share of the true class, and a price on weights (the lasso's)."""
    share = jnp.sum(votes(weights, queries, voters, classes) * labels, axis=1)
    return 0.02 * jnp.sum(weights) - jnp.mean(jnp.log(share + 1e-9))


def main(steps=150):
    data = load_wine()
    rng = np.random.default_rng(0)
    x = scaled(jnp.asarray(np.concatenate([data.data, rng.normal(size=data.data.shape)], axis=1)))
    classes = jnp.asarray(np.eye(3)[data.target])
    voters, queries, test = np.split(rng.permutation(len(data.target)), [60, 120])
    voting = (x[voters], classes[voters])
    start = weights = jnp.full(26, 0.3, dtype=jnp.float64)
    losses = []
    for _ in range(steps):
        value, gradient = jax.value_and_grad(loss)(weights, x[queries], classes[queries], *voting)
        weights = jnp.maximum(weights - 0.1 * gradient, 0)
        losses.append(value.item())

    def accuracy(w):
        return float(np.mean(np.asarray(votes(w, x[test], *voting)).argmax(axis=1) == data.target[test]))

    return losses, np.asarray(weights), accuracy(start), accuracy(weights)


if __name__ == "__main__":
    losses, weights, before, after = main(*map(int, sys.argv[1:]))
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}; accuracy on 58 held-out wines {before:.3f} -> {after:.3f}")
    print(f"weights of the measurements {weights[:13].round(2)}")
    print(f"weights of the noise        {weights[13:].round(2)}")

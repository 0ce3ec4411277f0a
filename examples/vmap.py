"""What `vmap` is for: eight networks trained as one, and the gradient of every single example.

What to look at: `step` and `loss_fn` are written for one network and for one example; `vmap` turns them into the
ensemble and into per-example gradients, and the size of an example's own gradient betrays the digits with false labels.
"""

import sys
import time

import digits
import numpy as np

import minigrad.numpy as jnp
import minigrad.tracer as jax

NETWORKS, FALSE_LABELS = 8, 100
OPTIMIZER = jax.optimizers.adam(0.005)


def init(key):
    k1, k2 = jax.random.split(key)
    return {
        "w1": jax.random.normal(k1, (64, 32)) * np.sqrt(2 / 64), "b1": jnp.zeros(32),
        "w2": jax.random.normal(k2, (32, 10)) * np.sqrt(2 / 32), "b2": jnp.zeros(10),
    }  # fmt: skip


def predict(params, image):
    """Log-probabilities [10] of one image [64] (or [n, 10] of [n, 64])."""
    hidden = jax.nn.relu(image @ params["w1"] + params["b1"])
    return jax.nn.log_softmax(hidden @ params["w2"] + params["b2"])


def loss_fn(params, image, label):
    """The loss of one example."""
    return -predict(params, image)[label]


def batch_loss(params, images, labels):
    return jnp.mean(jax.vmap(loss_fn, in_axes=(None, 0, 0))(params, images, labels))


def step(params, state, images, labels):
    """One step of one network."""
    loss, grads = jax.value_and_grad(batch_loss)(params, images, labels)
    params, state = OPTIMIZER.update(grads, state, params)
    return params, state, loss


def gradient_sizes(params, images, labels):
    """The norm of each example's own gradient, [n]."""
    grads = jax.vmap(jax.grad(loss_fn), in_axes=(None, 0, 0))(params, images, labels)  # each leaf [n, ...]
    return jnp.sqrt(sum(jnp.sum(g.reshape(len(images), -1) ** 2, axis=1) for g in jax.tree.leaves(grads)))


def with_false_labels(labels):
    """The labels with FALSE_LABELS of them changed, and which."""
    rng = np.random.default_rng(3)
    false = rng.choice(len(labels), FALSE_LABELS, replace=False)
    labels = labels.copy()
    labels[false] = (labels[false] + rng.integers(1, 10, FALSE_LABELS)) % 10
    return labels, set(false.tolist())


def main(steps=150):
    """Returns losses [steps, networks], accuracies (each, together), a difference of gradients, false labels found."""
    train_x, true_y, test_x, test_y = digits.load()
    train_y, false = with_false_labels(true_y)

    ensemble = jax.vmap(init)(jax.random.split(jax.random.key(0), NETWORKS))  # each leaf [networks, ...]
    state = jax.vmap(OPTIMIZER.init)(ensemble)
    train = jax.jit(jax.vmap(step, in_axes=(0, 0, None, None)))
    losses, start = [], time.perf_counter()
    for k, (x, y) in enumerate(digits.batches(train_x, train_y, steps)):
        ensemble, state, loss = train(ensemble, state, x, y)
        losses.append(np.asarray(loss))
        if k % 50 == 0:
            print(f"step {k:3d}  losses " + " ".join(f"{value:.3f}" for value in losses[-1]))
    print(f"{(time.perf_counter() - start) / steps * 1e3:.1f} ms a step for all {NETWORKS} networks")

    log_probs = jax.vmap(predict, in_axes=(0, None))(ensemble, test_x)  # [networks, n, 10]
    alone = jnp.mean(log_probs.argmax(axis=2) == test_y, axis=1)
    together = float(jnp.mean(jnp.exp(log_probs).mean(axis=0).argmax(axis=1) == test_y))
    print("accuracy on held-out digits: each " + " ".join(f"{a:.3f}" for a in alone.tolist()) + f", all {together:.3f}")

    one = jax.tree.map(lambda leaf: leaf[0], ensemble)
    grads = jax.vmap(jax.grad(loss_fn), in_axes=(None, 0, 0))(one, train_x, train_y)
    of_batch = jax.grad(batch_loss)(one, train_x, train_y)
    difference = max(float(jnp.max(jnp.abs(grads[name].mean(axis=0) - of_batch[name]))) for name in one)
    print(f"mean of {len(train_x)} per-example gradients - gradient of the mean loss: at most {difference:.1e}")

    sizes = jax.jit(jax.vmap(gradient_sizes, in_axes=(0, None, None)))(ensemble, train_x, train_y).mean(axis=0)
    suspects = jnp.argsort(sizes)[::-1][:FALSE_LABELS].tolist()
    found = len(false.intersection(suspects))
    print(f"of the {FALSE_LABELS} examples with the largest gradients, {found} carry a false label")
    return np.array(losses), alone.tolist(), together, difference, found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

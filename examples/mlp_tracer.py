"""A digit classifier as functions that are transformed: `minigrad.tracer`, in the manner of JAX.

What to look at: `step` is an ordinary function without state, `jit(step)` runs its Python once, when the first batch
arrives, and from then on only the graph that this one run left.
"""

import sys
import time

import digits

import minigrad.numpy as jnp
import minigrad.tracer as jax

OPTIMIZER = jax.optimizers.adam(0.01)


def predict(params, images):
    w1, b1, w2, b2 = params
    return jax.nn.relu(images @ w1 + b1) @ w2 + b2  # [b, 10]


def loss_fn(params, images, labels):
    log_probs = jax.nn.log_softmax(predict(params, images))
    return -jnp.mean(jnp.take_along_axis(log_probs, labels[:, None], axis=1))


def step(params, state, images, labels):
    loss, grads = jax.value_and_grad(loss_fn)(params, images, labels)
    params, state = OPTIMIZER.update(grads, state, params)
    return params, state, loss


@jax.jit
def accuracy(params, images, labels):
    return jnp.mean(jnp.argmax(predict(params, images), axis=1) == labels)


def main(steps=300):
    """Train; returns the loss of every step and the accuracy on the held-out images."""
    train_x, train_y, test_x, test_y = digits.load()
    params = [jnp.asarray(p) for p in digits.initial_weights()]
    state = OPTIMIZER.init(params)
    example = train_x[:64], train_y[:64]
    of_loss, of_step = jax.make_jaxpr(loss_fn)(params, *example), jax.make_jaxpr(step)(params, state, *example)
    print(f"graphs on demand: the loss {len(of_loss.nodes)} nodes, the training step {len(of_step.nodes)}")

    fast_step = jax.jit(step)
    losses = []
    start = time.perf_counter()
    for k, (x, y) in enumerate(digits.batches(train_x, train_y, steps)):
        params, state, loss = fast_step(params, state, x, y)
        losses.append(float(loss))
        if k == 0:
            print(f"first step (traces and compiles): {(time.perf_counter() - start) * 1e3:.1f} ms")
            start = time.perf_counter()
        if k % 50 == 0:
            print(f"step {k:4d}  loss {loss:.6f}")
    print(f"later steps: {(time.perf_counter() - start) / max(steps - 1, 1) * 1e3:.2f} ms each")

    held_out = float(accuracy(params, test_x, test_y))
    print(f"last loss {losses[-1]:.6f}, accuracy on {len(test_y)} held-out digits {held_out:.3f}")
    return losses, held_out


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

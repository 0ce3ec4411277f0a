"""Softmax cross-entropy of 8192 rows over 1000 classes, and its gradient by the logits."""

import numpy as np

from benchmarks.workload import Workload, watched

ROWS, CLASSES = 8192, 1000


def arguments(rng):
    return rng.normal(size=(ROWS, CLASSES)).astype(np.float32), rng.integers(0, CLASSES, ROWS)


def tracer(jax, jnp):
    def loss(logits, labels):
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -jnp.mean(picked)

    return jax.value_and_grad(loss)


def torch(torch, compile):
    f = compile(torch.nn.functional.cross_entropy)

    def value_and_grad(logits, labels):
        y = f(logits, labels)
        return y, *torch.autograd.grad(y, (logits,))

    return value_and_grad


def tensorflow(tf):
    def loss(logits, labels):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    return lambda logits, labels: watched(tf, loss, logits, labels)


WORKLOAD = Workload("softmax cross-entropy 8192×1000", arguments, tracer, torch, tensorflow, wrt=(0,))

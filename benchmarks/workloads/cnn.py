"""A training step of a small convolutional network, 1→32→64 channels on 28×28, batch 64, Adam."""

import numpy as np

from benchmarks.workload import Workload
from benchmarks.workloads.convolution import conv, max_pool

BATCH = 64


def arguments(rng):
    def weights(*shape):  # [out, in, ...]
        return rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)

    params = {
        "conv1": weights(32, 1, 3, 3),
        "bias1": np.zeros(32, np.float32),
        "conv2": weights(64, 32, 3, 3),
        "bias2": np.zeros(64, np.float32),
        "dense": weights(10, 64 * 7 * 7).T.copy(),
        "bias3": np.zeros(10, np.float32),
    }
    return params, rng.normal(size=(BATCH, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, BATCH)


def tracer(jax, jnp):
    def loss(p, x, labels):
        for w, b in ((p["conv1"], p["bias1"]), (p["conv2"], p["bias2"])):
            x = max_pool(jax, jax.nn.relu(conv(jax, x, w) + b[:, None, None]), 2, 2)  # 28 -> 14 -> 7
        logits = x.reshape(BATCH, -1) @ p["dense"] + p["bias3"]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))

    return loss


def torch(torch, compile):
    F = torch.nn.functional

    def loss(p, x, labels):
        for w, b in ((p["conv1"], p["bias1"]), (p["conv2"], p["bias2"])):
            x = F.max_pool2d(torch.relu(F.conv2d(x, w, b, padding=1)), 2)
        return F.cross_entropy(x.reshape(BATCH, -1) @ p["dense"] + p["bias3"], labels)

    return loss


def tensorflow(tf):
    def loss(p, x, labels):
        x = tf.transpose(x, (0, 2, 3, 1))  # what TensorFlow convolves on a CPU
        for w, b in ((p["conv1"], p["bias1"]), (p["conv2"], p["bias2"])):
            x = tf.nn.conv2d(x, tf.transpose(w, (2, 3, 1, 0)), 1, "SAME")
            x = tf.nn.max_pool2d(tf.nn.relu(x + b), 2, 2, "VALID")
        logits = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (BATCH, -1)) @ p["dense"] + p["bias3"]
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    return loss


WORKLOAD = Workload("CNN 1→32→64, 28×28, batch 64, Adam", arguments, tracer, torch, tensorflow, optimizer="adam")

"""A training step of ResNet-50 (He et al. 2015; v1.5: the stride is in the 3×3), 224×224, batch 8, SGD."""

import numpy as np

from benchmarks.workload import Workload
from benchmarks.workloads.convolution import conv, max_pool

BATCH, CLASSES = 8, 1000
STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))  # blocks, width, stride of the first
EXPANSION = 4


def arguments(rng):
    def weights(*shape, gain=1.0):  # [out, in, h, w] with the gain and bias of the normalisation behind it
        w = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        return w, np.full(shape[0], gain, np.float32), np.zeros(shape[0], np.float32)

    blocks, channels = [], 64
    for count, width, _ in STAGES:
        for k in range(count):
            out = EXPANSION * width
            block = [weights(width, channels, 1, 1), weights(width, width, 3, 3)]
            block.append(weights(out, width, 1, 1, gain=0.2))  # small, or the first steps blow up rounding errors
            blocks.append(block if k else [*block, weights(out, channels, 1, 1)])  # the last is the short cut's
            channels = out
    dense = rng.normal(0, 0.01, (channels, CLASSES)).astype(np.float32), np.zeros(CLASSES, np.float32)
    params = {"stem": weights(64, 3, 7, 7), "blocks": blocks, "dense": dense}
    return params, rng.normal(size=(BATCH, 3, 224, 224)).astype(np.float32), rng.integers(0, CLASSES, BATCH)


def strides():
    """The stride of every block."""
    return [stride if k == 0 else 1 for count, _, stride in STAGES for k in range(count)]


def features(params, x, layer, relu, pool, mean=lambda x: x.mean((2, 3))):
    """[n, 3, 224, 224] -> [n, 2048]; layer(x, (weights, gain, bias), stride) convolves and normalises."""
    x = pool(relu(layer(x, params["stem"], 2)))
    for stride, (first, second, third, *short) in zip(strides(), params["blocks"]):
        y = relu(layer(x, first, 1))
        y = relu(layer(y, second, stride))
        x = relu(layer(y, third, 1) + (layer(x, short[0], stride) if short else x))
    return mean(x)


def tracer(jax, jnp):
    def layer(x, parameters, stride):
        w, gain, bias = parameters
        x = conv(jax, x, w, stride, [(w.shape[2] // 2,) * 2] * 2)
        centred = x - jnp.mean(x, axis=(0, 2, 3), keepdims=True)
        scale = gain[:, None, None] / jnp.sqrt(jnp.mean(centred * centred, axis=(0, 2, 3), keepdims=True) + 1e-5)
        return centred * scale + bias[:, None, None]

    def loss(params, x, labels):
        w, b = params["dense"]
        logits = features(params, x, layer, jax.nn.relu, lambda x: max_pool(jax, x, 3, 2, 1)) @ w + b
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))

    return loss


def torch(torch, compile):
    F = torch.nn.functional

    def layer(x, parameters, stride):
        w, gain, bias = parameters
        x = F.conv2d(x, w, stride=stride, padding=w.shape[2] // 2)
        return F.batch_norm(x, None, None, gain, bias, training=True)

    def loss(params, x, labels):
        w, b = params["dense"]
        logits = features(params, x, layer, torch.relu, lambda x: F.max_pool2d(x, 3, 2, 1)) @ w + b
        return F.cross_entropy(logits, labels)

    return loss


def tensorflow(tf):
    def layer(x, parameters, stride):
        w, gain, bias = parameters
        pad = w.shape[2] // 2
        pads = [[0, 0], [pad, pad], [pad, pad], [0, 0]]
        x = tf.nn.conv2d(x, tf.transpose(w, (2, 3, 1, 0)), stride, pads)
        return tf.compat.v1.nn.fused_batch_norm(x, gain, bias, epsilon=1e-5)[0]

    def pool(x):
        return tf.nn.max_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")  # of a ReLU: 0 pads

    def loss(params, x, labels):
        w, b = params["dense"]
        x = tf.transpose(x, (0, 2, 3, 1))  # what TensorFlow convolves on a CPU
        mean = lambda x: tf.reduce_mean(x, axis=(1, 2))
        logits = features(params, x, layer, tf.nn.relu, pool, mean) @ w + b
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    return loss


# Rounding puts some ReLUs on the other side of 0: after three steps JAX and PyTorch differ by 5% in one bias of 64.
WORKLOAD = Workload(
    "ResNet-50, 224×224, batch 8, SGD", arguments, tracer, torch, tensorflow, optimizer="sgd", tolerance=0.1, long=True
)

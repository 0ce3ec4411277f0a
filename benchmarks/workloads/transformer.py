"""A training step of a causal transformer: 2 layers, width 128, 4 heads, 128 tokens, batch 8, Adam."""

import math

import numpy as np

from benchmarks.workload import Workload

LAYERS, WIDTH, HEADS, TOKENS, BATCH, VOCABULARY = 2, 128, 4, 128, 8, 256


def arguments(rng):
    def weights(*shape):
        return rng.normal(0, 0.02, shape).astype(np.float32)

    def norm():
        return np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def block():
        return {
            "norm1": norm(),
            "qkv": weights(WIDTH, 3 * WIDTH),
            "out": weights(WIDTH, WIDTH),
            "norm2": norm(),
            "up": weights(WIDTH, 4 * WIDTH),
            "up_bias": np.zeros(4 * WIDTH, np.float32),
            "down": weights(4 * WIDTH, WIDTH),
            "down_bias": np.zeros(WIDTH, np.float32),
        }

    params = {
        "embedding": weights(VOCABULARY, WIDTH),
        "position": weights(TOKENS, WIDTH),
        "blocks": [block() for _ in range(LAYERS)],
        "norm": norm(),
        "head": weights(WIDTH, VOCABULARY),
    }
    tokens = rng.integers(0, VOCABULARY, (BATCH, TOKENS + 1))
    return params, tokens[:, :-1].copy(), tokens[:, 1:].copy()


def tracer(jax, jnp):
    def layer_norm(x, gain, bias):
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        return centred / jnp.sqrt(jnp.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * gain + bias

    def attention(x, p, mask):
        qkv = (x @ p["qkv"]).reshape(BATCH, TOKENS, 3, HEADS, WIDTH // HEADS)
        q, k, v = (jnp.transpose(qkv[:, :, i], (0, 2, 1, 3)) for i in range(3))  # [b, h, t, d]
        scores = q @ jnp.swapaxes(k, -1, -2) / math.sqrt(WIDTH // HEADS)  # [b, h, t, t]
        y = jax.nn.softmax(jnp.where(mask, scores, -1e9)) @ v
        return jnp.transpose(y, (0, 2, 1, 3)).reshape(BATCH, TOKENS, WIDTH) @ p["out"]

    def loss(p, tokens, targets):
        mask = jnp.tril(jnp.ones((TOKENS, TOKENS), bool))
        x = p["embedding"][tokens] + p["position"]
        for block in p["blocks"]:
            x = x + attention(layer_norm(x, *block["norm1"]), block, mask)
            hidden = jax.nn.gelu(layer_norm(x, *block["norm2"]) @ block["up"] + block["up_bias"])
            x = x + hidden @ block["down"] + block["down_bias"]
        log_p = jax.nn.log_softmax(layer_norm(x, *p["norm"]) @ p["head"])
        return -jnp.mean(jnp.take_along_axis(log_p, targets[..., None], axis=-1))

    return loss


def torch(torch, compile):
    F = torch.nn.functional

    def attention(x, p):
        qkv = (x @ p["qkv"]).reshape(BATCH, TOKENS, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return y.transpose(1, 2).reshape(BATCH, TOKENS, WIDTH) @ p["out"]

    def loss(p, tokens, targets):
        x = F.embedding(tokens, p["embedding"]) + p["position"]
        for block in p["blocks"]:
            x = x + attention(F.layer_norm(x, (WIDTH,), *block["norm1"]), block)
            h = F.layer_norm(x, (WIDTH,), *block["norm2"]) @ block["up"] + block["up_bias"]
            x = x + F.gelu(h, approximate="tanh") @ block["down"] + block["down_bias"]
        logits = F.layer_norm(x, (WIDTH,), *p["norm"]) @ p["head"]
        return F.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1))

    return loss


def tensorflow(tf):
    def layer_norm(x, gain, bias):
        centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        return centred * tf.math.rsqrt(tf.reduce_mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * gain + bias

    def attention(x, p, mask):
        qkv = tf.reshape(x @ p["qkv"], (BATCH, TOKENS, 3, HEADS, WIDTH // HEADS))
        q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # [b, h, t, d]
        scores = tf.matmul(q, k, transpose_b=True) / math.sqrt(WIDTH // HEADS)
        y = tf.nn.softmax(tf.where(mask, scores, -1e9)) @ v
        return tf.reshape(tf.transpose(y, (0, 2, 1, 3)), (BATCH, TOKENS, WIDTH)) @ p["out"]

    def loss(p, tokens, targets):
        mask = tf.constant(np.tri(TOKENS, dtype=bool))
        x = tf.gather(p["embedding"], tokens) + p["position"]
        for block in p["blocks"]:
            x = x + attention(layer_norm(x, *block["norm1"]), block, mask)
            hidden = tf.nn.gelu(layer_norm(x, *block["norm2"]) @ block["up"] + block["up_bias"], approximate=True)
            x = x + hidden @ block["down"] + block["down_bias"]
        logits = layer_norm(x, *p["norm"]) @ p["head"]
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))

    return loss


WORKLOAD = Workload(
    "transformer 2×128, 128 tokens, batch 8, Adam", arguments, tracer, torch, tensorflow, optimizer="adam"
)

"""A decoder-only transformer: embeddings, causal multi-head attention, layer norm, GELU, residual connections.

Pre-norm blocks as in GPT-2 (Radford et al. 2019), learned positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad.numpy as mnp
from minigrad.ops.activations import gelu
from minigrad.ops.composite import attention, layer_norm
from minigrad.ops.losses import cross_entropy

WIDTH, HEADS, LAYERS, LENGTH = 64, 4, 2, 64


def init(rng: np.random.Generator, vocabulary: int) -> dict[str, Any]:
    """Weights normal with deviation 0.02 (projections into the residual stream 0.02/√(2·layers)), norms 1 and 0."""

    def weight(*shape: int, scale: float = 0.02) -> Any:
        return rng.normal(size=shape) * scale

    residual = 0.02 / np.sqrt(2 * LAYERS)
    blocks = [
        {
            "norm1": (np.ones(WIDTH), np.zeros(WIDTH)),
            "qkv": weight(WIDTH, 3 * WIDTH),
            "projection": weight(WIDTH, WIDTH, scale=residual),
            "norm2": (np.ones(WIDTH), np.zeros(WIDTH)),
            "up": weight(WIDTH, 4 * WIDTH),
            "up_bias": np.zeros(4 * WIDTH),
            "down": weight(4 * WIDTH, WIDTH, scale=residual),
            "down_bias": np.zeros(WIDTH),
        }
        for _ in range(LAYERS)
    ]
    return {
        "embedding": weight(vocabulary, WIDTH),
        "positions": weight(LENGTH, WIDTH),
        "blocks": blocks,
        "norm": (np.ones(WIDTH), np.zeros(WIDTH)),
        "output": weight(WIDTH, vocabulary),
    }


def block(p: dict[str, Any], x: Any) -> Any:
    """One layer: [b, t, d] -> [b, t, d]."""
    b, t, d = x.shape
    qkv = layer_norm(x, *p["norm1"]) @ p["qkv"]  # [b, t, 3d]
    heads = mnp.permute_dims(mnp.reshape(qkv, (b, t, 3, HEADS, d // HEADS)), (2, 0, 3, 1, 4))  # [3, b, h, t, d/h]
    mixed = attention(heads[0], heads[1], heads[2], causal=True)  # [b, h, t, d/h]
    x = x + mnp.reshape(mnp.permute_dims(mixed, (0, 2, 1, 3)), (b, t, d)) @ p["projection"]
    up = gelu(layer_norm(x, *p["norm2"]) @ p["up"] + p["up_bias"])
    return x + up @ p["down"] + p["down_bias"]


def loss(parameters: dict[str, Any], inputs: Any, targets: Any) -> Any:
    """Mean cross-entropy in nats over all places; inputs, targets [b, t]."""
    b, t = inputs.shape
    x = mnp.take(parameters["embedding"], inputs, axis=0) + parameters["positions"][:t]  # [b, t, d]
    for p in parameters["blocks"]:
        x = block(p, x)
    logits = layer_norm(x, *parameters["norm"]) @ parameters["output"]  # [b, t, v]
    vocabulary = logits.shape[-1]
    return cross_entropy(mnp.reshape(logits, (b * t, vocabulary)), mnp.reshape(targets, (b * t,)))

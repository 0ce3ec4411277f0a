"""A character model with a window: the next character from the eight before it, by two dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad.numpy as mnp
from minigrad.ops.losses import cross_entropy

WINDOW, WIDTH, HIDDEN = 8, 16, 128


def init(rng: np.random.Generator, vocabulary: int) -> dict[str, Any]:
    """embedding [v, 16]; hidden [8·16, 128], bias [128]; output [128, v], bias [v]. Scaled by 1/√fan-in."""
    fan_in = WINDOW * WIDTH
    return {
        "embedding": rng.normal(size=(vocabulary, WIDTH)),
        "hidden": rng.normal(size=(fan_in, HIDDEN)) / np.sqrt(fan_in),
        "hidden_bias": np.zeros(HIDDEN),
        "output": rng.normal(size=(HIDDEN, vocabulary)) / np.sqrt(HIDDEN),
        "output_bias": np.zeros(vocabulary),
    }


def loss(parameters: dict[str, Any], inputs: Any, targets: Any) -> Any:
    """Mean cross-entropy in nats of the characters that have a full window before them; inputs, targets [b, t]."""
    b, t = inputs.shape
    places = t - WINDOW + 1
    characters = mnp.take(parameters["embedding"], inputs, axis=0)  # [b, t, 16]
    windows = mnp.concatenate([characters[:, k : k + places] for k in range(WINDOW)], axis=2)  # [b, places, 8·16]
    hidden = mnp.tanh(windows @ parameters["hidden"] + parameters["hidden_bias"])
    logits = hidden @ parameters["output"] + parameters["output_bias"]  # [b, places, v]
    vocabulary = logits.shape[-1]
    return cross_entropy(
        mnp.reshape(logits, (b * places, vocabulary)), mnp.reshape(targets[:, WINDOW - 1 :], (b * places,))
    )

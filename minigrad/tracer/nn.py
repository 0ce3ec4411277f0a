"""Activations and friends by the names of `jax.nn`, over the composites of `minigrad.ops`.

Floor 6.
"""

from __future__ import annotations

from typing import Any

from minigrad.op import Operand
from minigrad.ops import activations, composite
from minigrad.ops.activations import elu, leaky_relu, relu, sigmoid, silu, softplus
from minigrad.ops.composite import log_softmax, logsumexp, softmax
from minigrad.types import FLOAT32, as_dtype

__all__ = [
    "elu", "gelu", "leaky_relu", "log_sigmoid", "log_softmax", "logsumexp", "one_hot", "relu", "sigmoid", "silu",
    "softmax", "softplus", "swish",
]  # fmt: skip

swish = silu


def gelu(x: Operand, approximate: bool = True) -> Any:
    """x·Φ(x), by default in the tanh approximation, as in JAX."""
    return activations.gelu(x, approximate=approximate)


def log_sigmoid(x: Operand) -> Any:
    """log(sigmoid(x)) without overflow: −softplus(−x)."""
    return -softplus(-x)


def one_hot(x: Operand, num_classes: int, *, dtype: Any = FLOAT32, axis: int = -1) -> Any:
    """1 at the position x says along a new axis, 0 elsewhere."""
    return composite.one_hot(x, num_classes, axis=axis, dtype=as_dtype(dtype))

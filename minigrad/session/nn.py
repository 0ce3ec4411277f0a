"""tf.nn: activations, losses and what else networks are made of, over the shared composites.

Floor 6.
"""

from __future__ import annotations

from typing import Any

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError
from minigrad.op import lift
from minigrad.ops import activations, composite, losses, random
from minigrad.ops.axes import size_value
from minigrad.ops.keys import known
from minigrad.session.array_functions import gather, sizes_from
from minigrad.session.building import build, graph_of
from minigrad.session.inputs import convert_to_tensor
from minigrad.session.math_functions import sigmoid, tanh, unary
from minigrad.session.random_functions import random_key
from minigrad.session.side_effects import checked
from minigrad.types import real_of

__all__ = [
    "bias_add", "dropout", "elu", "embedding_lookup", "gelu", "l2_loss", "leaky_relu", "log_softmax", "moments",
    "relu", "relu6", "sigmoid", "sigmoid_cross_entropy_with_logits", "silu", "softmax",
    "softmax_cross_entropy_with_logits", "softmax_cross_entropy_with_logits_v2", "softplus",
    "sparse_softmax_cross_entropy_with_logits", "swish", "tanh",
]  # fmt: skip

relu = unary("Relu", activations.relu)
relu6 = unary("Relu6", lambda x: mnp.minimum(activations.relu(x), 6.0))
elu = unary("Elu", activations.elu)
softplus = unary("Softplus", activations.softplus)
silu = swish = unary("Swish", activations.silu)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Any:
    """x where it is positive, alpha·x elsewhere."""
    return build(name, "LeakyRelu", lambda x: activations.leaky_relu(x, alpha), features)


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Any:
    """x·Φ(x), with Φ the normal distribution function (Hendrycks & Gimpel 2016), or its tanh approximation."""
    return build(name, "Gelu", lambda x: activations.gelu(x, approximate=approximate), features)


def softmax(logits: Any, axis: int = -1, name: str | None = None, dim: int | None = None) -> Any:
    """exp(x) / Σ exp(x) along an axis."""
    return build(name, "Softmax", lambda x: composite.softmax(x, axis if dim is None else dim), logits)


def log_softmax(logits: Any, axis: int = -1, name: str | None = None, dim: int | None = None) -> Any:
    """log(softmax(x)), without the underflow."""
    return build(name, "LogSoftmax", lambda x: composite.log_softmax(x, axis if dim is None else dim), logits)


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    axis: int = -1,
    name: str | None = None,
    dim: int | None = None,
) -> Any:
    """-Σ labels·log softmax(logits) along an axis: [.., c] and [.., c] give [..]."""
    place = axis if dim is None else dim

    def loss(x: Any, t: Any) -> Any:
        return losses.cross_entropy(x, t, axis=place, reduction="none")

    return build(name, "softmax_cross_entropy_with_logits", loss, *_named(_sentinel, logits, labels))


softmax_cross_entropy_with_logits_v2 = softmax_cross_entropy_with_logits


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """-log softmax(logits)[label]: integer labels [..] and logits [.., c] give [..].

    A run that meets a label which is none of the c classes raises CheckFailedError, and names it.
    """

    def loss(x: Any, t: Any) -> Any:
        return losses.cross_entropy(x, _in_range(t, x), reduction="none")

    op_type = "SparseSoftmaxCrossEntropyWithLogits"
    return build(name, op_type, loss, *_named(_sentinel, logits, labels))


def _in_range(labels: Any, logits: Any) -> Any:
    """The labels; as soon as they are computed, checked. (Those known now are checked when the loss is built.)"""
    labels, logits = lift(labels), lift(logits)
    if labels.dtype.kind not in "iu" or not logits.ndim or known(labels) is not None:
        return labels
    classes = logits.shape[-1]
    inside = mnp.logical_and(mnp.greater_equal(labels, 0), mnp.less(labels, size_value(logits, [-1], labels.dtype)))
    which = f"the {classes} classes of the logits: 0 to {classes - 1}" if isinstance(classes, int) else "the classes"
    return checked(f"cross entropy: label {{}} is not one of {which}", inside, labels)


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """-t·log σ(x) - (1 - t)·log(1 - σ(x)), elementwise and without overflow."""

    def loss(x: Any, t: Any) -> Any:
        return losses.binary_cross_entropy_with_logits(x, t, reduction="none")

    return build(name, "logistic_loss", loss, *_named(_sentinel, logits, labels))


def _named(sentinel: Any, logits: Any, labels: Any) -> tuple[Any, Any]:
    """Both, given by name: as in TensorFlow the first position is nobody's, for the two are easily swapped."""
    if sentinel is not None or logits is None or labels is None:
        raise ArgumentError("cross entropy: labels and logits are given by name", hint="labels=..., logits=...")
    return logits, labels


def embedding_lookup(params: Any, ids: Any, name: str | None = None) -> Any:
    """Rows of a table at integer positions: [n, d] and [*b] give [*b, d]."""
    return gather(params, ids, name=name or "embedding_lookup")


def bias_add(value: Any, bias: Any, name: str | None = None) -> Any:
    """A bias [c] added to [.., c]."""
    return build(name, "BiasAdd", mnp.add, value, bias)


def l2_loss(t: Any, name: str | None = None) -> Any:
    """Σ t² / 2."""
    return build(name, "L2Loss", lambda x: mnp.sum(mnp.square(x)) * 0.5, t)


def moments(
    x: Any, axes: Any, name: str = "moments", keepdims: bool = False, keep_dims: bool = False
) -> tuple[Any, Any]:
    """Mean and variance over axes."""
    keep = keepdims or keep_dims
    mean = build(f"{name}/mean", "mean", lambda v: mnp.mean(v, axis=axes, keepdims=keep), x)
    return mean, build(f"{name}/variance", "variance", lambda v: mnp.var(v, axis=axes, keepdims=keep), x)


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str = "dropout",
    rate: Any = None,
) -> Any:
    """Each element is 0 with probability `rate` (1 - keep_prob), else divided by 1 - rate; drawn anew in every run."""
    if (keep_prob is None) == (rate is None):
        raise ArgumentError("dropout: give either keep_prob or rate")
    dropped = 1 - keep_prob if rate is None else rate
    value = convert_to_tensor(x)
    sizes = None if noise_shape is None else sizes_from("dropout", noise_shape)

    def dropped_out(v: Any, k: Any, p: Any) -> Any:
        noise = random.uniform(k, v.shape if sizes is None else sizes, real_of(v.dtype))
        return mnp.where(mnp.less(noise, p), 0.0, mnp.divide(v, mnp.subtract(1.0, p)))

    return build(name, "dropout", dropped_out, value, random_key(graph_of([value]), seed, name), dropped)

"""The functions of layers and losses, with PyTorch's signatures, over the composites all front-ends share.

Floor 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.numpy.named import called
from minigrad.op import Array
from minigrad.ops import activations, composite, losses
from minigrad.ops.contract import matmul
from minigrad.ops.convolve import per_axis
from minigrad.ops.movement import Permute
from minigrad.ops.pool import avg_pool, max_pool
from minigrad.tape.functions import FUNCTIONS, on_tape
from minigrad.tape.random import stream
from minigrad.tape.tensor import Tensor
from minigrad.types import INT64, shape_text

softmax, log_softmax = FUNCTIONS["softmax"], FUNCTIONS["log_softmax"]
tanh, sigmoid = FUNCTIONS["tanh"], FUNCTIONS["sigmoid"]


def _activation(f: Callable[..., Any]) -> Callable[..., Any]:
    on = on_tape(f)

    def function(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Any:
        y = on(input, *args, **kwargs)
        return input.copy_(y) if inplace else y

    return called(function, f.__name__, f.__doc__)


relu, silu, softplus = map(_activation, (activations.relu, activations.silu, activations.softplus))
leaky_relu, elu = map(_activation, (activations.leaky_relu, activations.elu))


def _max_pool(rank: int) -> Callable[..., Any]:
    name = f"max_pool{rank}d"

    def function(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Any:
        return max_pool(input, per_axis(name, "kernel_size", kernel_size, rank), stride, padding, dilation)

    return _pool(function, name, "largest element")


def _avg_pool(rank: int) -> Callable[..., Any]:
    name = f"avg_pool{rank}d"

    def function(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *, count_include_pad: bool = True
    ) -> Any:
        window = per_axis(name, "kernel_size", kernel_size, rank)
        return avg_pool(input, window, stride, padding, count_padding=count_include_pad)

    return _pool(function, name, "mean")


def _pool(function: Callable[..., Any], name: str, what: str) -> Callable[..., Any]:
    doc = f"The {what} of each window of the trailing axes; windows stand kernel_size apart, or stride."
    return on_tape(called(function, name, doc))


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))


@on_tape
def gelu(input: Any, approximate: str = "none") -> Any:
    """x·Φ(x); with approximate="tanh" its approximation by tanh."""
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return activations.gelu(input, approximate=approximate == "tanh")


@on_tape
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """input @ weightᵀ + bias: [.., in], [out, in], [out] -> [.., out]."""
    if input.ndim == 0 or input.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            f"linear: the input {input.type} ends in {input.shape[-1] if input.ndim else 'nothing'}, "
            f"the layer takes {weight.shape[-1]} features (weight {weight.type})"
        )
    y = matmul(input, Permute((1, 0))(weight))
    return y if bias is None else y + bias


@on_tape
def embedding(input: Any, weight: Any) -> Any:
    """The rows of weight at these positions: integers [*b], [n, d] -> [*b, d]."""
    if input.dtype.kind not in "iu":
        raise DtypeError(f"embedding: positions are integers, got {input.type}", hint="use x.long()")
    if input._array.size and not 0 <= input._array.min() <= input._array.max() < weight.shape[0]:
        raise ArgumentError(
            f"embedding: positions run from {input._array.min()} to {input._array.max()}, "
            f"the table {weight.type} has rows 0 to {weight.shape[0] - 1}"
        )
    return weight[input]


@on_tape
def layer_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """(x - mean) / √(var + eps) over the last dims, which have normalized_shape, then · weight + bias."""
    shape = tuple(normalized_shape)
    if input.shape[input.ndim - len(shape) :] != shape:
        raise ShapeError(f"layer_norm: the input {input.type} does not end in {shape_text(shape)}")
    return composite.layer_norm(input, weight, bias, axis=tuple(range(-len(shape), 0)), eps=eps)


@on_tape
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Each element 0 with probability p, else divided by 1 - p; the input itself when not training."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p is a probability, got {p}")
    if not training or p == 0:
        return input
    if p == 1:
        y = input * 0.0
    else:
        keep = stream().random(input.shape, np.float32) >= p
        y = composite.dropout(input, Array(keep), p)
    return input.copy_(y) if inplace else y


@on_tape
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """softmax(query·keyᵀ·scale + mask)·value: [.., t, d], [.., s, d], [.., s, e] -> [.., t, e]."""
    if dropout_p:
        raise ArgumentError("scaled_dot_product_attention: dropout_p must be 0", hint="drop out the result instead")
    return composite.attention(query, key, value, attn_mask, causal=is_causal, scale=scale)


def one_hot(input: Any, num_classes: int = -1) -> Any:
    """1 at the label along a new last axis, 0 elsewhere, int64; num_classes -1 means the largest label + 1."""
    most = int(input._array.max(initial=-1))
    classes = most + 1 if num_classes == -1 else num_classes
    if input.dtype.kind in "iu" and not (input._array.min(initial=0) >= 0 and most < classes):
        raise ArgumentError(
            f"one_hot: labels run from {input._array.min()} to {most}, there are classes 0 to {classes - 1}"
        )
    return on_tape(composite.one_hot)(input, classes, dtype=INT64)


# ── losses ───────────────────────────────────────────────────────────────────────────────────────
@on_tape
def cross_entropy(
    input: Any, target: Any, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Any:
    """-log softmax(input)[target]: logits [n, c, *d] or [c], and integer labels [n, *d] or probabilities [n, c, *d]."""
    axis = 0 if input.ndim == 1 else 1
    if target.dtype.kind == "f":
        if target.shape != input.shape:
            raise ShapeError(
                f"cross_entropy: probabilities {target.type} for logits {input.type}: shapes must be equal"
            )
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
        return losses.cross_entropy(input, target, axis=axis, reduction=reduction)
    _check_labels(input, target, axis, ignore_index)
    ignore = ignore_index if target.dtype.kind == "i" and (target._array == ignore_index).any() else None
    return losses.cross_entropy(
        input, target, axis=axis, reduction=reduction, label_smoothing=label_smoothing, ignore=ignore
    )


def _check_labels(input: Tensor, target: Tensor, axis: int, ignore_index: int) -> None:
    labels = target._array[target._array != ignore_index]
    if labels.dtype.kind in "iu" and labels.size and not 0 <= labels.min() <= labels.max() < input.shape[axis]:
        raise ArgumentError(
            f"cross_entropy: labels run from {labels.min()} to {labels.max()}, "
            f"the logits {input.type} have classes 0 to {input.shape[axis] - 1}"
        )


def _compared(loss: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A loss of elements: input and target must have one shape, for a silent broadcast is nearly always a mistake."""
    on = on_tape(loss)

    def function(input: Any, target: Any, *, reduction: str = "mean") -> Any:
        if input.shape != target.shape:
            raise ShapeError(
                f"{name}: the input {input.type} and the target {target.type} have different shapes",
                hint="they would be broadcast against each other; reshape one of them, as in target.view_as(input)",
            )
        return on(input, target, reduction=reduction)

    return called(function, name, loss.__doc__)


mse_loss = _compared(losses.mse, "mse_loss")
binary_cross_entropy_with_logits = _compared(
    losses.binary_cross_entropy_with_logits, "binary_cross_entropy_with_logits"
)

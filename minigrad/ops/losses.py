"""Losses: from predictions and targets to numbers, made of ops.

Floor 2. `reduction` says what becomes of the losses of the examples: their "mean", their "sum", or "none" of it.
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.op import Operand, Value, lift
from minigrad.ops.along import TakeAlongAxis
from minigrad.ops.axes import axis_of
from minigrad.ops.composite import floating, log_softmax, mean
from minigrad.ops.elementwise import abs_, add, convert, exp, log1p, max_, mul, neg, not_equal, sub, where
from minigrad.ops.keys import known
from minigrad.ops.movement import Reshape, Sum, without
from minigrad.types import same_shape


def reduced(losses: Value, reduction: str) -> Any:
    """The losses of all examples as what the caller wants."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return Sum(tuple(range(losses.ndim)))(losses)
    if reduction != "none":
        raise ArgumentError(f"unknown reduction {reduction!r}", hint="known: mean, sum, none")
    return losses


def cross_entropy(
    logits: Operand,
    labels: Operand,
    *,
    axis: int = -1,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    ignore: int | None = None,
) -> Any:
    """-log softmax(logits)[label]: [.., c] and integer labels [..] -> a scalar (or [..] with reduction "none").

    Labels in floats are taken as probabilities [.., c]. Examples whose label is `ignore` do not count.
    """
    logits, labels = floating(logits, "cross_entropy"), lift(labels, "cross_entropy")
    axis = axis_of("cross_entropy", axis, logits)
    logs = log_softmax(logits, axis)
    if labels.dtype.kind == "f":
        return reduced(neg(Sum((axis,))(mul(labels, logs))), reduction)
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"cross_entropy: labels are integers or probabilities, got {labels.type}")
    shape = without(logits.shape, {axis})
    if not same_shape(shape, labels.shape):
        raise ShapeError(f"cross_entropy: {labels.type} does not label {logits.type} along axis {axis}")
    counts = None if ignore is None else not_equal(labels, ignore)
    safe = labels if counts is None else where(counts, labels, 0)
    _check_labels(safe, logits, axis)
    column = Reshape((*shape[:axis], 1, *shape[axis:]))(safe)
    losses = neg(Reshape(shape)(TakeAlongAxis(axis)(logs, column)))
    if label_smoothing:
        losses = add(mul(losses, 1 - label_smoothing), mul(mean(logs, axis), -label_smoothing))
    if counts is None:
        return reduced(losses, reduction)
    losses = where(counts, losses, 0)
    if reduction != "mean":
        return reduced(losses, reduction)
    every = tuple(range(losses.ndim))
    return Sum(every)(losses) / Sum(every)(convert(counts, losses.dtype))


def _check_labels(labels: Value, logits: Value, axis: int) -> None:
    """Labels out of range would be clipped in silence: refuse them where they are known."""
    numbers, classes = known(labels), logits.shape[axis]
    if numbers is None or not isinstance(classes, int) or not numbers.size:
        return
    low, high = numbers.min(), numbers.max()
    if low < 0 or high >= classes:
        raise ArgumentError(
            f"cross_entropy: label {low if low < 0 else high} is not one of the {classes} classes of {logits.type}",
            hint=f"labels go from 0 to {classes - 1}; examples to leave out can be marked with ignore=",
        )


def mse(predictions: Operand, targets: Operand, *, reduction: str = "mean") -> Any:
    """The squared error."""
    away = sub(floating(predictions, "mse"), floating(targets, "mse"))
    return reduced(mul(away, away), reduction)


def binary_cross_entropy_with_logits(logits: Operand, targets: Operand, *, reduction: str = "mean") -> Any:
    """-t·log σ(x) - (1 - t)·log(1 - σ(x)) for targets t in [0, 1], as max(x, 0) - x·t + log(1 + e^-|x|)."""
    x = floating(logits, "binary_cross_entropy_with_logits")
    losses = add(sub(max_(x, 0), mul(x, targets)), log1p(exp(neg(abs_(x)))))
    return reduced(losses, reduction)

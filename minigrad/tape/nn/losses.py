"""Losses as modules.

Floor 6.
"""

from __future__ import annotations

from typing import Any

from minigrad.tape.nn import functional as F
from minigrad.tape.nn.module import Module


class MSELoss(Module):
    """The mean (or sum, or "none") of (input - target)²."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Any:
        return F.mse_loss(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(MSELoss):
    """The cross-entropy of sigmoid(input) with targets in [0, 1]."""

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy_with_logits(input, target, reduction=self.reduction)


class CrossEntropyLoss(Module):
    """-log softmax(input)[target]: logits [n, c, *d] with integer labels [n, *d] or probabilities [n, c, *d]."""

    def __init__(self, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}

    def forward(self, input: Any, target: Any) -> Any:
        return F.cross_entropy(input, target, **self.options)

"""The models `minigrad compare` trains. They play the user's part: plain functions over `minigrad.numpy`, unchanged
under all three front-ends. Each has `init(rng, vocabulary) -> parameters` and `loss(parameters, inputs, targets)`.

Floor 7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.compare.models import mlp, transformer

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A model and the batches it is made for. `rate` is Adam's learning rate."""

    name: str
    init: Callable[[np.random.Generator, int], Parameters]
    loss: Callable[[Parameters, Any, Any], Any]
    batch: int
    length: int
    rate: float


MODELS = {
    "mlp": Model("mlp", mlp.init, mlp.loss, batch=32, length=16, rate=3e-3),
    "transformer": Model("transformer", transformer.init, transformer.loss, batch=8, length=64, rate=1e-3),
}

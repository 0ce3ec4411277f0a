"""The optimizers.

Floor 6. Options and names of the state are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError
from minigrad.op import Array
from minigrad.ops import optimize
from minigrad.tape.optim.optimizer import Optimizer


def _check(who: str, **options: float) -> None:
    for name, value in options.items():
        if value < 0:
            raise ArgumentError(f"{who}: {name} must not be negative, got {value}")


class SGD(Optimizer):
    """w ← w - lr·v with v = momentum·v + g + weight_decay·w.

    >>> import minigrad.tape as torch
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> torch.optim.SGD([w], lr=0.25).step()
    >>> w.detach()
    tensor([0.5, 1. ])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        _check("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and not momentum:
            raise ArgumentError("SGD: nesterov needs a momentum")
        options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, options)

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        g = optimize.decayed(w, g, group["weight_decay"])
        lr, momentum = group["lr"], group["momentum"]
        if not momentum:
            return optimize.sgd(w, g, None, lr=lr)[0], {}
        velocity = state["momentum_buffer"] if state else _zeros(w)
        new, velocity = optimize.sgd(w, g, velocity, lr=lr, momentum=momentum, nesterov=group["nesterov"])
        return new, {"momentum_buffer": velocity}


class Adam(Optimizer):
    """Steps of about lr, scaled by running moments of the gradient, to which weight_decay adds (Kingma & Ba 2015)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        _check(type(self).__name__, lr=lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= b < 1 for b in betas):
            raise ArgumentError(f"{type(self).__name__}: betas must be in [0, 1), got {betas}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        w, g = self.decay(w, g, group)
        t = state.get("step", 0) + 1
        m, v = (_zeros(w) if not state else state[k] for k in ("exp_avg", "exp_avg_sq"))
        beta1, beta2 = group["betas"]
        w, m, v = optimize.adam(w, g, m, v, t, lr=group["lr"], beta1=beta1, beta2=beta2, eps=group["eps"])
        return w, {"step": t, "exp_avg": m, "exp_avg_sq": v}

    def decay(self, w: Any, g: Any, group: dict[str, Any]) -> tuple[Any, Any]:
        return w, optimize.decayed(w, g, group["weight_decay"])


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters: w ← w·(1 - lr·weight_decay) (Loshchilov & Hutter 2019)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, w: Any, g: Any, group: dict[str, Any]) -> tuple[Any, Any]:
        # the step is a difference from w, so that w may shrink before it
        return optimize.shrunk(w, group["lr"], group["weight_decay"]), g


def _zeros(w: Any) -> Array:
    return Array(np.zeros(w.shape, w.dtype))

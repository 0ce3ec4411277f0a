"""The optimizers' arithmetic, written once: one tensor's update as a composite of ops.

Floor 2. The front-ends own parameters, slots and schedules; they all call these. Each function takes values of one
shape and dtype and returns new values; nothing is changed in place. Hyper-parameters may be Python numbers or scalars.
"""

from __future__ import annotations

from typing import Any

from minigrad.ops.elementwise import sqrt


def decayed(w: Any, g: Any, weight_decay: float) -> Any:
    """The gradient with that of the penalty ½·weight_decay·‖w‖² added."""
    return g + w * weight_decay if weight_decay else g


def shrunk(w: Any, lr: Any, weight_decay: float) -> Any:
    """The parameter after decoupled weight decay, before its step (Loshchilov & Hutter 2019)."""
    return w * (1 - lr * weight_decay) if weight_decay else w


def sgd(w: Any, g: Any, velocity: Any, *, lr: Any, momentum: float = 0.0, nesterov: bool = False) -> tuple[Any, Any]:
    """(new w, new velocity). v ← μv + g, w ← w − lr·v (Nesterov: w ← w − lr·(g + μv)).

    As PyTorch's SGD without dampening. With momentum 0 there is no velocity: pass and get None.
    """
    if momentum == 0.0:
        return w - g * lr, None
    velocity = velocity * momentum + g
    step = g + velocity * momentum if nesterov else velocity
    return w - step * lr, velocity


def adam(
    w: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> tuple[Any, Any, Any]:
    """(new w, new m, new v) at step t = 1, 2, ... (a scalar of w's dtype); Kingma & Ba 2015, algorithm 1.

    m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − lr · m̂ / (√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).
    """
    m = m * beta1 + g * (1 - beta1)
    v = v * beta2 + (g * g) * (1 - beta2)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - lr * m_hat / (sqrt(v_hat) + eps), m, v

"""Activations: scalar functions of models, made of ops.

Floor 2. At the kink of relu and its kin the derivative from the left holds (0 for relu), and nan stays nan.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.op import Operand
from minigrad.ops.composite import floating
from minigrad.ops.elementwise import add, expm1, less_equal, logaddexp, logistic, min_, mul, tanh, where
from minigrad.ops.special import erfc


def relu(x: Operand) -> Any:
    """max(x, 0), with derivative 0 at 0."""
    x = floating(x, "relu")
    return where(less_equal(x, 0), 0, x)


def leaky_relu(x: Operand, slope: float = 0.01) -> Any:
    """x above 0, slope·x below."""
    x = floating(x, "leaky_relu")
    return where(less_equal(x, 0), mul(x, slope), x)


def elu(x: Operand, alpha: float = 1.0) -> Any:
    """x above 0, α·(eˣ - 1) below (Clevert et al. 2015)."""
    x = floating(x, "elu")
    below = mul(expm1(min_(x, 0)), alpha)  # min: the untaken side must not overflow
    return where(less_equal(x, 0), below, x)


def sigmoid(x: Operand) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return logistic(x)


def silu(x: Operand) -> Any:
    """x·sigmoid(x), also called swish (Elfwing et al. 2017)."""
    x = floating(x, "silu")
    return mul(x, logistic(x))


def softplus(x: Operand) -> Any:
    """log(1 + eˣ), without overflow."""
    return logaddexp(x, 0.0)


def gelu(x: Operand, *, approximate: Any = False) -> Any:
    """x·Φ(x), Φ the normal distribution (Hendrycks & Gimpel 2016); `approximate` uses their tanh formula."""
    x = floating(x, "gelu")
    if not approximate:
        return mul(mul(x, 0.5), erfc(mul(x, -math.sqrt(0.5))))  # Φ(x) = erfc(-x/√2) / 2
    cube = mul(mul(x, x), x)
    inner = mul(add(x, mul(cube, 0.044715)), math.sqrt(2 / math.pi))
    return mul(mul(x, 0.5), add(tanh(inner), 1))

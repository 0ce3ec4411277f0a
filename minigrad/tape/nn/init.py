"""Initial values, in place: numbers from the global generator, nothing recorded.

Floor 6. The names and bounds are PyTorch's.
"""

from __future__ import annotations

import math

from minigrad.errors import ArgumentError
from minigrad.tape.inplace import write
from minigrad.tape.random import stream
from minigrad.tape.tensor import Tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform in [a, b)."""
    write(tensor, stream().random(tensor.shape) * (b - a) + a)
    return tensor


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal."""
    write(tensor, stream().standard_normal(tensor.shape) * std + mean)
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere."""
    write(tensor, val)
    return tensor


def zeros_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 1.0)


def fans(tensor: Tensor) -> tuple[int, int]:
    """(inputs an output depends on, outputs an input reaches) of weights [out, in, *kernel]."""
    if tensor.ndim < 2:
        raise ArgumentError(f"init: {tensor.type} has no fan in and fan out", hint="it takes at least two dims")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def kaiming_uniform_(tensor: Tensor, a: float = 0.0) -> Tensor:
    """Uniform in ±√(6 / ((1 + a²) fan in)): the variance stays through leaky relus of slope a (He et al. 2015)."""
    bound = math.sqrt(6 / ((1 + a * a) * fans(tensor)[0]))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0) -> Tensor:
    """Normal of variance 2 / ((1 + a²) fan in) (He et al. 2015)."""
    return normal_(tensor, 0.0, math.sqrt(2 / ((1 + a * a) * fans(tensor)[0])))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform in ±gain·√(6 / (fan in + fan out)) (Glorot & Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Normal of variance gain²·2 / (fan in + fan out) (Glorot & Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))))

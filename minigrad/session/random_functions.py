"""Random tensors and initial values. Every run draws anew; a seed makes the sequence of a session repeatable.

Floor 6. A random op reads a key that the session hands in at each run, so what is compiled is an ordinary function
of that key: the numbers are `minigrad.ops.random`'s (Threefry), not TensorFlow's. With a graph seed (set_random_seed)
or an op seed, a new session starts the same sequence again; without either every session differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError
from minigrad.numpy.named import called
from minigrad.ops import random
from minigrad.ops.elementwise import add, convert, mul
from minigrad.session.array_functions import ones, sizes_from, zeros
from minigrad.session.building import as_array, build, building, graph_of
from minigrad.session.graph_scope import Graph, get_default_graph
from minigrad.session.inputs import constant
from minigrad.session.plan import KEY
from minigrad.session.tensor import Draw, Tensor
from minigrad.types import FLOAT32, as_dtype


def set_random_seed(seed: int | None) -> None:
    """The seed of the default graph: random ops built from now on derive theirs from it and from their place."""
    get_default_graph().seed = seed


def _drawn(op_type: str, name: str | None, shape: Any, seed: int | None, f: Callable[..., Any]) -> Any:
    """f(key, sizes) with a key of this operation's own."""
    near = shape if isinstance(shape, (list, tuple)) else [shape]
    sizes = sizes_from(op_type, shape)
    key = random_key(graph_of(near), seed, name or op_type)
    with building(key):
        return build(name, op_type, lambda k: f(k, sizes), key)


def random_key(graph: Graph, seed: int | None, name: str) -> Tensor:
    """A key that is another one in every run; `name` is the operation's that draws with it."""
    op_seed = len(graph.operations) if seed is None and graph.seed is not None else seed
    role = Draw(None, None) if op_seed is None else Draw(graph.seed or 0, op_seed)
    return graph.source("RandomKey", role, KEY, f"{name.rstrip('/')}/key")


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = FLOAT32,
    seed: int | None = None,
    name: str = "random_uniform",
) -> Any:
    """Uniform in [minval, maxval); maxval is 1 for floats and must be given for integers."""
    kind = as_dtype(dtype)
    if kind.kind in "iu":
        if maxval is None:
            raise ArgumentError("random_uniform: integers need maxval")
        return _drawn(name, None, shape, seed, lambda k, s: random.randint(k, s, minval, maxval, kind))
    high = 1.0 if maxval is None else maxval
    return _drawn("random_uniform", name, shape, seed, lambda k, s: random.uniform(k, s, kind, minval, high))


def _normal(op_type: str, unit: Callable[..., Any], doc: str) -> Callable[..., Any]:
    """The public function of a distribution that `unit(key, sizes, dtype)` draws from with mean 0 and deviation 1."""

    def function(
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = FLOAT32,
        seed: int | None = None,
        name: str = op_type,
    ) -> Any:
        kind = as_dtype(dtype)
        return _drawn(op_type, name, shape, seed, lambda k, s: add(mul(unit(k, s, kind), stddev), mean))

    return called(function, op_type, doc)


random_normal = _normal("random_normal", random.normal, "Normal with this mean and standard deviation.")
truncated_normal = _normal(
    "truncated_normal",
    lambda key, sizes, dtype: random.truncated_normal(key, -2.0, 2.0, sizes, dtype),
    "Normal, given that it lies within two standard deviations of the mean.",
)


# ── initializers: functions from a shape to an initial value ─────────────────────────────────────
@dataclass(frozen=True)
class zeros_initializer:
    """All zeros."""

    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return zeros(shape, dtype or self.dtype)


@dataclass(frozen=True)
class ones_initializer:
    """All ones."""

    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return ones(shape, dtype or self.dtype)


@dataclass(frozen=True)
class constant_initializer:
    """These numbers."""

    value: Any = 0
    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        array = as_array(self.value, dtype or self.dtype).array
        return constant(np.broadcast_to(array, tuple(shape)) if array.size == 1 else array.reshape(tuple(shape)))


@dataclass(frozen=True)
class random_normal_initializer:
    """Normal."""

    mean: float = 0.0
    stddev: float = 1.0
    seed: int | None = None
    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return random_normal(shape, self.mean, self.stddev, dtype or self.dtype, self.seed)


@dataclass(frozen=True)
class truncated_normal_initializer:
    """Normal, within two standard deviations of the mean."""

    mean: float = 0.0
    stddev: float = 1.0
    seed: int | None = None
    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return truncated_normal(shape, self.mean, self.stddev, dtype or self.dtype, self.seed)


@dataclass(frozen=True)
class random_uniform_initializer:
    """Uniform in [minval, maxval)."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None
    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return random_uniform(shape, self.minval, self.maxval, dtype or self.dtype, self.seed)


@dataclass(frozen=True)
class glorot_uniform_initializer:
    """Uniform in ±√(6 / (fan in + fan out)) (Glorot & Bengio 2010): what get_variable uses for floats."""

    seed: int | None = None
    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        fan_in, fan_out = _fans(tuple(shape))
        limit = math.sqrt(6.0 / max(1.0, fan_in + fan_out))
        return random_uniform(shape, -limit, limit, dtype or self.dtype, self.seed)


@dataclass(frozen=True)
class glorot_normal_initializer:
    """Truncated normal of variance 2 / (fan in + fan out) (Glorot & Bengio 2010)."""

    seed: int | None = None
    dtype: Any = FLOAT32

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        fan_in, fan_out = _fans(tuple(shape))
        # 0.8796...: the standard deviation of a unit normal cut off at ±2, so that the cut one has the variance meant
        stddev = math.sqrt(2.0 / max(1.0, fan_in + fan_out)) / 0.87962566103423978
        return truncated_normal(shape, 0.0, stddev, dtype or self.dtype, self.seed)


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """How many numbers an output reads and an input feeds; leading axes are a receptive field."""
    if len(shape) < 2:
        n = float(shape[0]) if shape else 1.0
        return n, n
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


def as_value(initializer: Any, shape: Sequence[int] | None, dtype: Any) -> Any:
    """An initial value from an initializer (or its class), a function, a tensor or numbers."""
    if isinstance(initializer, type):
        initializer = initializer()
    if not callable(initializer):
        return initializer
    try:
        value = initializer(shape, dtype=dtype)
    except TypeError:
        value = initializer()
    return value if not isinstance(value, Tensor) or value.dtype == dtype else convert(value, dtype)

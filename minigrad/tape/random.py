"""Random numbers: one global generator, seeded by `manual_seed`, or generators of one's own.

Floor 6. The bits come from Philox, a counter under a key: what is drawn depends on the seed and on what was drawn
before, in the order of the program.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ArgumentError
from minigrad.op import ndarray
from minigrad.tape.shapes import sizes
from minigrad.tape.tensor import Tensor, check_differentiable
from minigrad.types import FLOAT32, INT64, as_dtype


class Generator:
    """A stream of random numbers.

    >>> import minigrad.tape as torch
    >>> a, b = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    >>> torch.equal(torch.rand(3, generator=a), torch.rand(3, generator=b))
    True
    """

    def __init__(self, seed: int = 0) -> None:
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start again from this seed."""
        self.seed = int(seed)
        self.stream = np.random.Generator(np.random.Philox(self.seed % 2**128))
        return self

    def initial_seed(self) -> int:
        return self.seed

    def get_state(self) -> Any:
        return self.stream.bit_generator.state

    def set_state(self, state: Any) -> None:
        self.stream.bit_generator.state = state


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the global generator.

    >>> import minigrad.tape as torch
    >>> _ = torch.manual_seed(0)
    >>> a = torch.randn(2)
    >>> _ = torch.manual_seed(0)
    >>> torch.equal(a, torch.randn(2))
    True
    """
    return default_generator.manual_seed(seed)


def get_rng_state() -> Any:
    """The state of the global generator, for `set_rng_state`."""
    return default_generator.get_state()


def set_rng_state(state: Any) -> None:
    """Put the global generator back where it was."""
    default_generator.set_state(state)


def stream(generator: Generator | None = None) -> np.random.Generator:
    return (generator or default_generator).stream


def _made(array: ndarray, dtype: Any, requires_grad: bool, who: str) -> Tensor:
    array = np.asarray(array).astype(as_dtype(dtype or FLOAT32), copy=False)
    if requires_grad:
        check_differentiable(array, who)
    return Tensor(array, requires_grad)


def rand(*size: Any, dtype: Any = None, requires_grad: bool = False, generator: Generator | None = None) -> Tensor:
    """Uniform in [0, 1)."""
    return _made(stream(generator).random(sizes(size), np.float32), dtype, requires_grad, "rand")


def randn(*size: Any, dtype: Any = None, requires_grad: bool = False, generator: Generator | None = None) -> Tensor:
    """Standard normal."""
    wide = as_dtype(dtype or FLOAT32).itemsize > 4
    drawn = stream(generator).standard_normal(sizes(size), np.float64 if wide else np.float32)
    return _made(drawn, dtype, requires_grad, "randn")


def randint(
    low: int, high: Any = None, size: Any = None, *, dtype: Any = None, generator: Generator | None = None
) -> Tensor:
    """Integers from low up to, not including, high: randint(10, (3,)) or randint(0, 10, (3,))."""
    if size is None:
        low, high, size = 0, low, high
    if not low < high:
        raise ArgumentError(f"randint: there is no integer from {low} up to, not including, {high}")
    return _made(stream(generator).integers(low, high, tuple(size)), dtype or INT64, False, "randint")


def randperm(n: int, *, generator: Generator | None = None) -> Tensor:
    """0 .. n-1 in random order."""
    return Tensor(stream(generator).permutation(n).astype(np.int64))


def rand_like(input: Tensor, dtype: Any = None) -> Tensor:
    """Uniform in [0, 1), of another's shape and dtype."""
    return rand(*input.shape, dtype=dtype or input.dtype)


def randn_like(input: Tensor, dtype: Any = None) -> Tensor:
    """Standard normal, of another's shape and dtype."""
    return randn(*input.shape, dtype=dtype or input.dtype)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """num_samples positions per row [.., n], drawn with these weights."""
    weights = np.asarray(input._array, np.float64)
    if (weights < 0).any() or not (weights.sum(-1) > 0).all():
        raise ArgumentError("multinomial: weights must not be negative, and their sum must be positive")
    rows = weights.reshape(-1, weights.shape[-1])
    draw = stream(generator).choice
    picked = [draw(len(p), num_samples, replace=replacement, p=p / p.sum()) for p in rows]
    return Tensor(np.asarray(picked, np.int64).reshape(*weights.shape[:-1], num_samples))


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability each element says, else 0."""
    return Tensor((stream(generator).random(input.shape) < input._array).astype(input.dtype))


RANDOM = {
    f.__name__: f
    for f in (
        rand, randn, randint, randperm, rand_like, randn_like, multinomial, bernoulli, get_rng_state, set_rng_state,
    )
}  # fmt: skip

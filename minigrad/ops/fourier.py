"""Discrete Fourier transforms along one axis: linear, each other's transposes up to a scale. NumPy's pocketfft.

Floor 2. Forward transforms are not scaled, inverse ones by 1/n (the "backward" norm). Cotangents pair without a
conjugation, and the matrix e^(−2πi·jk/n) is symmetric, so a complex transform is its own transpose.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, DtypeError
from minigrad.frozen import dataclass
from minigrad.op import Array, Operand, Value, ndarray
from minigrad.ops.complex import conj
from minigrad.ops.composite import floating
from minigrad.ops.elementwise import convert, mul
from minigrad.ops.kinds import Draw, Linear, Samples
from minigrad.ops.movement import Axial
from minigrad.types import Size, TensorType, complex_of, normal_axis, real_of


class Fourier(Linear, Axial):
    """Along `axis`, counted from 0."""

    axis: int
    takes: ClassVar[str] = "c"

    def admit(self, arrays: list[ndarray]) -> bool:
        return arrays[0].dtype.kind in self.takes

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        x = floating(xs[0], self.label)
        return [convert(x, complex_of(x.dtype)) if self.takes == "c" else x]

    def length(self, x: TensorType) -> Size:
        n: Size = x.shape[normal_axis(self.label, self.axis, x)]
        if isinstance(n, int) and n < 1:
            raise ArgumentError(f"{self.label}: axis {self.axis} of {x} has no elements to transform")
        return n


@dataclass(frozen=True)
class Fft(Fourier):
    """y_k = Σ_j x_j·e^(∓2πi·jk/n), complex to complex; the inverse has the + and is divided by n."""

    axis: int
    inverse: bool = False

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        self.length(x)
        return x

    def impl(self, x: ndarray) -> Any:
        return (np.fft.ifft if self.inverse else np.fft.fft)(x, axis=self.axis)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        return self(y_bar)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis, inverse in [((4,), 0, False), ((2, 3), 1, True), ((5, 2), 0, False), ((0, 3), 1, True)]:
            yield cls(axis, inverse), (Draw(shape, "complex128"),)


@dataclass(frozen=True)
class Rfft(Fourier):
    """The first n//2 + 1 terms of the transform of n real numbers; the others are their conjugates."""

    axis: int
    takes = "f"

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        x = floating(xs[0], self.label)
        if x.dtype.kind == "c":
            raise DtypeError(f"rfft takes real numbers, got {x.type}", hint="use fft")
        return [x]

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        n = self.length(x)
        return TensorType((*x.shape[: self.axis], n // 2 + 1, *x.shape[self.axis + 1 :]), complex_of(x.dtype))

    def impl(self, x: ndarray) -> Any:
        return np.fft.rfft(x, axis=self.axis)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        # x̄_j = Re Σ_k ȳ_k·e^(−2πi·jk/n), k to n/2 only: the inverse of conj(ȳ), whose doubled terms count once
        n = operator.index(x.shape[self.axis])
        once = 1 / multiplicity(n, x.dtype)
        return mul(Irfft(self.axis, n)(mul(conj(y_bar), along(once, self.axis, x.ndim))), float(n))

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis in [((4,), 0), ((2, 5), 1), ((1,), 0), ((2, 3), 0), ((0, 3), 1)]:
            yield cls(axis), (Draw(shape),)


@dataclass(frozen=True)
class Irfft(Fourier):
    """n real numbers from the n//2 + 1 terms of their transform; imaginary parts that must be 0 are ignored."""

    axis: int
    n: int

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        terms = self.length(x)
        if self.n < 1 or (isinstance(terms, int) and terms != self.n // 2 + 1):
            raise ArgumentError(f"irfft: {self.n} numbers do not come from {terms} terms of {x}")
        return TensorType((*x.shape[: self.axis], self.n, *x.shape[self.axis + 1 :]), real_of(x.dtype))

    def impl(self, x: ndarray) -> Any:
        if x.shape[self.axis] != self.n // 2 + 1:
            raise ValueError("a wrong number of terms")
        return np.fft.irfft(x, self.n, axis=self.axis)

    def transpose(self, y_bar: Any, x: Value) -> Any:  # type: ignore[override]
        # x_j = (1/n)·Σ_k m_k·Re(z_k·e^(2πi·jk/n)), so z̄_k = (m_k/n)·conj(rfft(x̄))_k
        weights = along(multiplicity(self.n, y_bar.dtype) / self.n, self.axis, len(x.shape))
        return mul(conj(Rfft(self.axis)(y_bar)), weights)

    @classmethod
    def samples(cls) -> Samples:
        for shape, axis, n in [((3,), 0, 4), ((3,), 0, 5), ((2, 2), 1, 2), ((1, 2), 0, 1), ((0, 2), 1, 3)]:
            yield cls(axis, n), (Draw(shape, "complex128"),)


def multiplicity(n: int, dtype: Any) -> ndarray:
    """How many of the n terms each of the first n//2 + 1 stands for: 2, but 1 for k = 0 and for k = n/2."""
    m = np.full(n // 2 + 1, 2, dtype)
    m[0] = 1
    if n % 2 == 0:
        m[-1] = 1
    return m


def along(weights: ndarray, axis: int, rank: int) -> Array:
    """A vector as a tensor that broadcasts along one axis of `rank`."""
    return Array(weights.reshape([-1 if d == axis else 1 for d in range(rank)]))

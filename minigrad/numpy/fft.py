"""Discrete Fourier transforms: the Array API's `fft` extension.

Floor 5. Real input of either width gives complex output of the same width; integers become float32. `n` crops or pads
with zeros. `norm` says where the factor 1/n stands: "backward" (in the inverse), "forward", or "ortho" (√ in both).
All are linear, so their derivatives are transforms too.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError
from minigrad.numpy.dtypes import check_device
from minigrad.numpy.manipulation import roll
from minigrad.numpy.named import named
from minigrad.op import Array, Operand, lift
from minigrad.ops.axes import axes_of, axis_of, python_number
from minigrad.ops.complex import conj
from minigrad.ops.composite import floating
from minigrad.ops.elementwise import mul
from minigrad.ops.fourier import Fft, Irfft, Rfft
from minigrad.ops.movement import zero
from minigrad.ops.pieces import Pad, slice_axis
from minigrad.types import FLOAT32, as_dtype

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


# ── what the transforms share ────────────────────────────────────────────────────────────────────
def _scale(who: str, norm: str | None, n: int, inverse: bool) -> float:
    """What a transform (an inverse one with its 1/n) is multiplied by."""
    match norm:
        case None | "backward":
            return 1.0
        case "ortho":
            return math.sqrt(n) if inverse else 1 / math.sqrt(n)
        case "forward":
            return float(n) if inverse else 1 / n
    raise ArgumentError(f"{who}: unknown norm {norm!r}", hint="known: backward, ortho, forward")


def _fitted(who: str, x: Any, n: int, axis: int) -> Any:
    """x with exactly n elements along an axis: cropped, or padded with zeros."""
    if n < 1:
        raise ArgumentError(f"{who}: cannot transform {n} elements of {x.type}", hint="n must be at least 1")
    size = operator.index(x.shape[axis])
    if n <= size:
        return x if n == size else slice_axis(x, axis, 0, n)
    nothing = (0,) * x.ndim
    high = tuple(n - size if d == axis else 0 for d in range(x.ndim))
    return Pad(nothing, high, nothing)(x, zero(x.dtype))


def _scaled(y: Any, scale: float) -> Any:
    return y if scale == 1 else mul(y, scale)


def _complex(who: str, x: Any, n: int, axis: int, norm: str | None, inverse: bool) -> Any:
    y = Fft(axis, inverse)(_fitted(who, x, n, axis))
    return _scaled(y, _scale(who, norm, n, inverse))


def _to_real(who: str, x: Any, n: int, axis: int, norm: str | None, inverse: bool) -> Any:
    y = Irfft(axis, n)(_fitted(who, x if inverse else conj(x), n // 2 + 1 if n > 0 else n, axis))
    return _scaled(y, _scale(who, norm, n, True) if inverse else n * _scale(who, norm, n, False))


def _from_real(who: str, x: Any, n: int, axis: int, norm: str | None, inverse: bool) -> Any:
    y = Rfft(axis)(_fitted(who, x, n, axis))
    if not inverse:
        return _scaled(y, _scale(who, norm, n, False))
    return _scaled(conj(y), _scale(who, norm, n, True) / n)


def _over_axes(who: str, x: Any, s: Any, axes: Any) -> list[tuple[int | None, int]]:
    """(n, axis) for each axis of an n-dimensional transform."""
    if axes is None:
        places = list(range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim))
    else:
        places = [axis_of(who, a, x) for a in axes]
    sizes = [None] * len(places) if s is None else list(s)
    if len(sizes) != len(places) or (places and min(places) < 0):
        raise ArgumentError(f"{who}: sizes {s} for axes {axes} of {x.type}", hint="one size for each axis")
    return list(zip(sizes, places, strict=True))


OF_AN_ARRAY, OF_ONES = "mnp.fft.{name}(mnp.asarray({call})).tolist()", "mnp.fft.{name}(mnp.ones({call})).tolist()"


# ── one axis ─────────────────────────────────────────────────────────────────────────────────────
def _along(name: str, transform: Callable[..., Any], inverse: bool, doc: str, example: str) -> Callable[..., Any]:
    """The public function of a transform along one axis."""

    def function(x: Operand, /, n: int | None = None, axis: int = -1, *, norm: str | None = "backward") -> Any:
        x = floating(x, name)
        place = axis_of(name, axis, x)
        if n is None:
            size = operator.index(x.shape[place])
            n = 2 * (size - 1) if transform is _to_real else size
        return transform(name, x, n, place, norm, inverse)

    return named(function, name, doc, example, OF_AN_ARRAY)


fft = _along(
    "fft",
    _complex,
    False,
    "y_k = Σ_j x_j·e^(-2πi·jk/n) along an axis: [.., n, ..] complex.",
    "[1.0, 2.0] -> [(3+0j), (-1+0j)]",
)
ifft = _along("ifft", _complex, True, "The inverse of `fft`.", "[3.0, -1.0] -> [(1+0j), (2+0j)]")
rfft = _along(
    "rfft",
    _from_real,
    False,
    "The first n//2 + 1 terms of `fft` of real numbers; the others are their conjugates.",
    "[1.0, 2.0, 3.0, 4.0] -> [(10+0j), (-2+2j), (-2+0j)]",
)
irfft = _along(
    "irfft",
    _to_real,
    True,
    "The inverse of `rfft`: n real numbers (an even number, 2·(terms - 1), unless given) from their terms.\n\n"
    "Imaginary parts of terms that belong to real numbers (the first, the middle one) are ignored.",
    "[10, -2 + 2j, -2] -> [1.0, 2.0, 3.0, 4.0]",
)
hfft = _along(
    "hfft",
    _to_real,
    False,
    "The transform, n real numbers, of a signal with Hermitian symmetry, given by its first n//2 + 1 elements.",
    "[1.0, 2.0, 3.0] -> [8.0, -2.0, 0.0, -2.0]",
)
ihfft = _along(
    "ihfft",
    _from_real,
    True,
    "The inverse of `hfft`: real [.., n, ..] to complex [.., n//2 + 1, ..].",
    "[1.0, 1.0] -> [(1+0j), 0j]",
)


# ── several axes ─────────────────────────────────────────────────────────────────────────────────
def _each(
    name: str, one: Callable[..., Any], last: Callable[..., Any], doc: str, example: str, form: str = OF_ONES
) -> Callable[..., Any]:
    """The public function of the transform `one` along each of several axes, and of `last` along the last of them.

    That to real numbers comes after the others, all others first.
    """

    def function(x: Operand, /, s: Any = None, axes: Any = None, *, norm: str | None = "backward") -> Any:
        y = floating(x, name)
        steps = [(one, n, axis) for n, axis in _over_axes(name, y, s, axes)]
        if last is not one:
            if not steps:
                raise ArgumentError(f"{name}: no axis of {y.type} to transform")
            final = (last, *steps.pop()[1:])
            steps = [*steps, final] if last is irfft else [final, *steps]
        for transform, n, axis in steps:
            y = transform(y, n=n, axis=axis, norm=norm)
        return y

    return named(function, name, doc, example, form)


fftn = _each(
    "fftn",
    fft,
    fft,
    "`fft` along several axes (None: all, or as many last ones as `s` has sizes).",
    "(2, 2) -> [[(4+0j), 0j], [0j, 0j]]",
)
ifftn = _each("ifftn", ifft, ifft, "The inverse of `fftn`.", "(2, 2) -> [[(1+0j), 0j], [0j, 0j]]")
rfftn = _each(
    "rfftn",
    fft,
    rfft,
    "`rfft` along the last of several axes, then `fft` along the others.",
    "(2, 2) -> [[(4+0j), 0j], [0j, 0j]]",
)
irfftn = _each(
    "irfftn",
    ifft,
    irfft,
    "The inverse of `rfftn`; the size along the last axis is even unless `s` gives it.",
    "[[4.0, 0.0], [0.0, 0.0]] -> [[1.0, 1.0], [1.0, 1.0]]",
    OF_AN_ARRAY,
)


def _last_two(name: str, over: Callable[..., Any], example: str) -> Callable[..., Any]:
    """The public function of a transform that goes over the last two axes unless told otherwise."""

    def function(x: Operand, /, s: Any = None, axes: Any = (-2, -1), *, norm: str | None = "backward") -> Any:
        return over(x, s, axes, norm=norm)

    doc = f"`{over.__name__}` along the last two axes."
    return named(function, name, doc, example, "mnp.fft.{name}(mnp.ones({call})).shape")


fft2 = _last_two("fft2", fftn, "(3, 2, 2) -> (3, 2, 2)")
ifft2 = _last_two("ifft2", ifftn, "(3, 2, 2) -> (3, 2, 2)")
rfft2 = _last_two("rfft2", rfftn, "(3, 2, 4) -> (3, 2, 3)")
irfft2 = _last_two("irfft2", irfftn, "(3, 2, 3) -> (3, 2, 4)")


# ── frequencies ──────────────────────────────────────────────────────────────────────────────────
def _frequencies(name: str, of_numpy: Callable[..., Any], doc: str, example: str) -> Callable[..., Any]:
    """The public function of the frequencies of a transform's terms."""

    def function(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
        check_device(name, device)
        n = python_number(n)
        if not isinstance(n, int) or n < 1:
            raise ArgumentError(f"{name}: n must be a positive integer, got {n!r}")
        return Array(of_numpy(n, d).astype(FLOAT32 if dtype is None else as_dtype(dtype)))

    return named(function, name, doc, example, "mnp.fft.{name}({call}).tolist()")


fftfreq = _frequencies(
    "fftfreq",
    np.fft.fftfreq,
    "The frequencies of the terms of `fft` of n samples d apart: float32 [n] unless `dtype` says otherwise.",
    "4 -> [0.0, 0.25, -0.5, -0.25]",
)
rfftfreq = _frequencies(
    "rfftfreq", np.fft.rfftfreq, "The frequencies of the terms of `rfft`: [n//2 + 1].", "4 -> [0.0, 0.25, 0.5]"
)


def _shifted(name: str, by: Callable[[int], int], doc: str, example: str) -> Callable[..., Any]:
    """The public function that rolls axes by a part of their size."""

    def function(x: Operand, /, axes: Any = None) -> Any:
        x = lift(x, name)
        places = axes_of(name, axes, x)
        return roll(x, tuple(by(operator.index(x.shape[d])) for d in places), axis=places)

    return named(function, name, doc, example, OF_AN_ARRAY)


fftshift = _shifted(
    "fftshift",
    lambda n: n // 2,
    "The term of frequency 0 moved to the middle of axes (None: all).",
    "[0, 1, 2, 3, 4] -> [3, 4, 0, 1, 2]",
)
ifftshift = _shifted(
    "ifftshift",
    lambda n: -(n // 2),
    "The inverse of `fftshift`; for even sizes the same.",
    "[3, 4, 0, 1, 2] -> [0, 1, 2, 3, 4]",
)

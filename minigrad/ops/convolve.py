"""Convolution in any number of dimensions: batch and channels first, as in PyTorch.

Floor 2. The transposes of a convolution are convolutions of the same kind: with the kernel turned round and stride
and dilation exchanged for the input; with batch and channels in each other's place for the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigrad.errors import ArgumentError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import Operand, Value, ndarray
from minigrad.ops.contract import common_dtype
from minigrad.ops.gather import moved
from minigrad.ops.kinds import Bilinear, Draw, Samples
from minigrad.ops.movement import Flip, Permute, Reshape
from minigrad.ops.pieces import Pad
from minigrad.types import Shape, Size, TensorType, same_size

Padding: TypeAlias = "tuple[tuple[Any, Any], ...]"  # (low, high) per spatial axis; negative crops


@dataclass(frozen=True)
class Conv(Bilinear):
    """y[n, o, p] = Σ_{c, k} x[n, c, p·stride + k·rhs_dilation - low] · w[o, c, k].

    x [N, C, *spatial], w [O, C / groups, *window] -> [N, O, *spatial']. `lhs_dilation` puts that many steps between
    elements of x. Group g of the outputs sees only group g of the channels. The window is not turned round.
    """

    stride: tuple[int, ...]
    padding: Padding
    lhs_dilation: tuple[int, ...]
    rhs_dilation: tuple[int, ...]
    groups: int = 1

    def admit(self, arrays: list[ndarray]) -> bool:
        return arrays[0].dtype is arrays[1].dtype

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        return common_dtype("conv", *xs)

    def out_type(self, x: TensorType, w: TensorType) -> TensorType:  # type: ignore[override]
        rank = len(self.stride)
        if x.ndim != rank + 2 or w.ndim != rank + 2:
            raise ShapeError(
                f"conv: in {rank} dimensions the input is [batch, channels, {rank} sizes] and the kernel [outputs, "
                f"channels / groups, {rank} sizes], got {x} and {w}"
            )
        (n, c, *spatial), (o, cg, *window) = x.shape, w.shape
        if not same_size(c, cg * self.groups):
            raise ShapeError(
                f"conv: the input {x} has {c} channels, the kernel {w} takes {cg} in each of {self.groups} groups"
            )
        if isinstance(o, int) and o % self.groups:
            raise ShapeError(f"conv: {o} outputs of the kernel {w} do not divide into {self.groups} groups")
        sizes = []
        for d, (size, k) in enumerate(zip(spatial, window, strict=True)):
            whole = dilated(size, self.lhs_dilation[d]) + sum(self.padding[d])
            m = (whole - dilated(k, self.rhs_dilation[d])) // self.stride[d] + 1
            if isinstance(m, int) and m < 0:
                raise ShapeError(
                    f"conv: the kernel {w} spans {dilated(k, self.rhs_dilation[d])} along spatial axis {d}, more than "
                    f"the {whole} of the padded input {x}"
                )
            sizes.append(m)
        return TensorType((n, o, *sizes), x.dtype)

    def impl(self, x: ndarray, w: ndarray) -> Any:
        shape = self.out_type(TensorType(x.shape, x.dtype), TensorType(w.shape, w.dtype)).shape
        rank, g = len(self.stride), self.groups
        x = padded(x, self.padding, self.lhs_dilation)
        views = windows(x, w.shape[2:], self.stride, self.rhs_dilation)  # [n, c, *out, *window]
        views = np.moveaxis(views, (0, *range(2, 2 + rank)), (-rank - 1, *range(-rank, 0)))  # [c, *window, n, *out]
        inner = math.prod(w.shape[1:])
        columns = views.reshape(g, inner, shape[0] * math.prod(shape[2:]))
        y = np.matmul(w.reshape(g, w.shape[0] // g, inner), columns)  # [g, o / g, n·out]
        return np.moveaxis(y.reshape(shape[1], shape[0], *shape[2:]), 0, 1)

    def transpose_left(self, y_bar: Any, x: Value, w: Value) -> Any:
        # x̄[q] = Σ_k ȳ[(q - k·rhs_dilation + low) / stride]·w[k]: ȳ dilated by the stride, under the turned kernel
        g, spatial = self.groups, range(2, x.ndim)
        o, cg, *window = w.shape
        turned = Flip(tuple(spatial))(w)
        if g > 1:
            turned = Reshape((g, o // g, cg, *window))(turned)
            turned = Reshape((g * cg, o // g, *window))(Permute((0, 2, 1, *range(3, x.ndim + 1)))(turned))
        else:
            turned = Permute((1, 0, *spatial))(turned)
        padding = []
        for d, (lo, _) in enumerate(self.padding):
            span = dilated(window[d], self.rhs_dilation[d]) - 1
            whole = dilated(x.shape[d + 2], self.lhs_dilation[d])
            before = span - lo
            padding.append((before, whole + span - dilated(y_bar.shape[d + 2], self.stride[d]) - before))
        back = replace(self, stride=self.lhs_dilation, padding=tuple(padding), lhs_dilation=self.stride)
        return back(y_bar, turned)

    def transpose_right(self, y_bar: Any, x: Value, w: Value) -> Any:
        # w̄[o, c, k] = Σ_{n, p} x[n, c, k·rhs_dilation + p·stride]·ȳ[n, o, p]: channels as batch, batch as channels
        g, spatial = self.groups, range(2, x.ndim)
        n, c, *sizes = x.shape
        if g > 1:
            split = Reshape((n, g, c // g, *sizes))(x)
            lhs = Reshape((c // g, g * n, *sizes))(Permute((2, 1, 0, *range(3, x.ndim + 1)))(split))
        else:
            lhs = Permute((1, 0, *spatial))(x)
        rhs = Permute((1, 0, *spatial))(y_bar)
        padding = []
        for d, (lo, _) in enumerate(self.padding):
            # the high side is cut so that exactly the window's positions come out
            span = dilated(w.shape[d + 2], self.rhs_dilation[d]) - 1 + dilated(y_bar.shape[d + 2], self.stride[d])
            padding.append((lo, span - dilated(sizes[d], self.lhs_dilation[d]) - lo))
        swapped = Conv(self.rhs_dilation, tuple(padding), self.lhs_dilation, self.stride, g)
        return Permute((1, 0, *spatial))(swapped(lhs, rhs))

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        x, w = xs
        if not mapped[1]:  # lanes join the batch
            y = self(Reshape((size * x.shape[1], *x.shape[2:]))(x), w)
            return Reshape((size, x.shape[1], *y.shape[1:]))(y)
        _, o, *rest = w.shape
        if mapped[0]:  # each lane is a group of its own (of its own groups)
            _, n, c, *sizes = x.shape
            x = Reshape((n, size * c, *sizes))(moved(x, 0, 1))
            y = replace(self, groups=size * self.groups)(x, Reshape((size * o, *rest))(w))
            return moved(Reshape((n, size, o, *y.shape[2:]))(y), 1, 0)
        # lanes join the outputs, inside each group
        g = self.groups
        w = Reshape((g * size * (o // g), *rest))(moved(Reshape((size, g, o // g, *rest))(w), 0, 1))
        y = self(x, w)
        y = moved(Reshape((y.shape[0], g, size, o // g, *y.shape[2:]))(y), 2, 0)  # [size, n, g, o / g, ...]
        return Reshape((size, y.shape[1], o, *y.shape[4:]))(y)

    @classmethod
    def samples(cls) -> Samples:
        for x, w, stride, padding, lhs, rhs, groups in [
            ((2, 3, 5), (2, 3, 3), (1,), ((0, 0),), (1,), (1,), 1),
            ((1, 2, 7), (2, 2, 2), (2,), ((1, 2),), (1,), (2,), 1),
            ((2, 2, 4), (4, 1, 3), (1,), ((2, -1),), (2,), (1,), 2),
            ((1, 4, 6), (2, 2, 3), (3,), ((1, 1),), (1,), (1,), 2),
            ((1, 2, 4, 3), (3, 2, 2, 2), (2, 1), ((1, 0), (0, 1)), (1, 2), (1, 1), 1),
            ((0, 2, 4), (3, 2, 2), (1,), ((0, 0),), (1,), (1,), 1),
            ((2, 3), (4, 3), (), (), (), (), 1),
        ]:
            yield cls(stride, padding, lhs, rhs, groups), (Draw(x), Draw(w))


# ── geometry, shared with pooling ────────────────────────────────────────────────────────────────
def dilated(n: Size, step: int) -> Size:
    """How far n elements reach that stand `step` apart."""
    return 0 if n == 0 else (n - 1) * step + 1


def padded(x: ndarray, padding: Padding, dilation: Sequence[int]) -> Any:
    """The trailing axes of x, spread out and padded with zeros."""
    if all(p == (0, 0) for p in padding) and all(k == 1 for k in dilation):
        return x
    lead = x.ndim - len(padding)
    low, high = ((0,) * lead + tuple(p[side] for p in padding) for side in (0, 1))
    pad = Pad(low, high, (0,) * lead + tuple(k - 1 for k in dilation))
    return pad.impl(x, np.zeros((), x.dtype))


def windows(x: ndarray, window: Shape, stride: Sequence[int], dilation: Sequence[int]) -> Any:
    """A view [*lead, *places, *window] of every window over the trailing axes of x. No element is copied."""
    lead = x.ndim - len(window)
    places = tuple(
        max((n - dilated(k, r)) // s + 1, 0)
        for n, k, s, r in zip(x.shape[lead:], window, stride, dilation, strict=True)
    )
    shape = (*x.shape[:lead], *places, *window)
    if 0 in shape:
        return np.zeros(shape, x.dtype)
    steps = x.strides[lead:]
    over = (
        *(b * s for b, s in zip(steps, stride, strict=True)),
        *(b * r for b, r in zip(steps, dilation, strict=True)),
    )
    return as_strided(x, shape, (*x.strides[:lead], *over), writeable=False)


# ── the function users call ──────────────────────────────────────────────────────────────────────
def conv(
    x: Operand,
    w: Operand,
    stride: int | Sequence[int] = 1,
    padding: Any = 0,
    *,
    lhs_dilation: int | Sequence[int] = 1,
    rhs_dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Any:
    """The convolution of x [N, C, *spatial] with w [O, C / groups, *window].

    Numbers hold for every spatial axis. `padding` is a number, one per axis, a (low, high) pair per axis, "valid"
    (none) or "same" (the output has ceil(size / stride) elements, as in TensorFlow and JAX).
    """
    x, w = common_dtype("conv", x, w)
    rank = x.ndim - 2
    if rank < 0 or w.ndim != x.ndim:
        raise ShapeError(
            f"conv: input [N, C, ...] and kernel [O, C / groups, ...] must have one rank, got {x.type} and {w.type}"
        )
    strides, lhs, rhs = (
        per_axis("conv", name, v, rank)
        for name, v in (("stride", stride), ("lhs_dilation", lhs_dilation), ("rhs_dilation", rhs_dilation))
    )
    if not isinstance(groups, int) or groups < 1:
        raise ArgumentError(f"conv: groups must be a positive integer, got {groups!r}")
    spans = [dilated(k, r) for k, r in zip(w.shape[2:], rhs, strict=True)]
    sizes = [dilated(n, r) for n, r in zip(x.shape[2:], lhs, strict=True)]
    return Conv(strides, paddings("conv", padding, sizes, spans, strides), lhs, rhs, groups)(x, w)


def per_axis(who: str, name: str, value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """One positive integer for each spatial axis."""
    many = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(many) != rank or any(not isinstance(v, int) or v < 1 for v in many):
        raise ArgumentError(f"{who}: {name} must be a positive integer, or {rank} of them, got {value!r}")
    return many


def paddings(who: str, padding: Any, sizes: Sequence[Size], spans: Sequence[Size], stride: Sequence[int]) -> Padding:
    """(low, high) for each spatial axis."""
    if isinstance(padding, str):
        if padding.lower() == "valid":
            return ((0, 0),) * len(sizes)
        if padding.lower() == "same":
            totals = [
                max((-(-n // s) - 1) * s + k - n, 0) if isinstance(n, int) else k - s
                for n, k, s in zip(sizes, spans, stride, strict=True)
            ]
            return tuple((t // 2, t - t // 2) for t in totals)
    elif isinstance(padding, int):
        return ((padding, padding),) * len(sizes)
    elif isinstance(padding, (tuple, list)) and len(padding) == len(sizes):
        pairs = [(p, p) if isinstance(p, int) else tuple(p) for p in padding]
        if all(len(p) == 2 for p in pairs):
            return tuple(pairs)
    raise ArgumentError(
        f"{who}: padding must be a number, a number or (low, high) for each of {len(sizes)} axes, 'same' or 'valid', "
        f"got {padding!r}"
    )

"""Threefry-2x32: random bits as a pure function of a key and a counter. The one random primitive.

Floor 2. Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", with 20 rounds. Each word
depends on its own counter only, so the numbers do not depend on how the work is split, and a stream can be read
from any place. Everything in random.py is composed over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.frozen import dataclass
from minigrad.op import NoGradient, Op, Operand, Value, lift, ndarray
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import every_lane
from minigrad.ops.rows import Elementwise, convert
from minigrad.types import LONG, UINT32, DType, Shape, TensorType

UINT64 = LONG["u64"]


@dataclass(frozen=True)
class RandomBits(Op):
    """Bits for the counters start, start + 1, ... in row-major order of `shape`, as uint32 or uint64.

    Operands: a key uint32[..., 2] and the first counter uint64[...]; leading axes are independent streams. A counter
    hashes to two words: their xor is the uint32, the two side by side are the uint64.
    """

    shape: Shape
    dtype: DType
    no_gradient: ClassVar[NoGradient | None] = NoGradient("random bits do not depend smoothly on their key")

    def __post_init__(self) -> None:
        if self.dtype not in (UINT32, UINT64):
            raise DtypeError(f"randombits: gives uint32 or uint64, not {self.dtype.name}")

    def admit(self, arrays: list[ndarray]) -> bool:
        return len(arrays) == 2 and arrays[0].dtype == UINT32 and arrays[1].dtype == UINT64

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        key, start = xs
        return [lift(key, "randombits"), convert(start, UINT64)]

    def out_type(self, key: TensorType, start: TensorType) -> TensorType:  # type: ignore[override]
        if key.dtype != UINT32 or key.shape[-1:] != (2,) or key.shape[:-1] != start.shape:
            raise ShapeError(f"randombits: a key is u32[...,2] and its counter u64[...], got {key} and {start}")
        return TensorType((*start.shape, *self.shape), self.dtype)

    def impl(self, key: ndarray, start: ndarray) -> ndarray:
        streams, n = start.size, math.prod(self.shape)
        words = key.reshape(streams, 2, 1)
        first = start.reshape(streams, 1)
        out = np.empty((streams, n), self.dtype)
        step = max(1, _BLOCK // max(1, streams))
        for at in range(0, n, step):
            counters = first + np.arange(at, min(at + step, n), dtype=np.uint64)
            out[:, at : at + step] = Hash(self.dtype).impl(words[:, 0], words[:, 1], counters)
        return out.reshape((*start.shape, *self.shape))

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return self(*every_lane(xs, mapped, size))

    @classmethod
    def samples(cls) -> Samples:
        for shape, dtype, streams in [
            ((), UINT32, ()),
            ((3, 2), UINT64, (2,)),
            ((0,), UINT32, ()),
            ((2,), UINT32, (0,)),
        ]:
            draws = Draw((*streams, 2), "uint32", (0, 2**32 - 1)), Draw(streams, "uint64", (0, 2**40))
            yield cls(shape, dtype), draws


@dataclass(frozen=True)
class Hash(Elementwise, listed=False):
    """What `RandomBits` makes of each counter: operands are the key's two words, and the counters."""

    dtype: DType
    name: ClassVar[str] = "threefry"

    def out_dtype(self, *dtypes: DType) -> DType:
        return self.dtype

    def impl(self, k0: ndarray, k1: ndarray, counters: ndarray) -> Any:
        x, y = _threefry(k0, k1, (counters >> 32).astype(np.uint32), counters.astype(np.uint32))
        return x ^ y if self.dtype == UINT32 else x.astype(np.uint64) << 32 | y


_BLOCK = 16384  # counters hashed at a time: their words stay in the cache over the 20 rounds
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)  # keeps a key of zeros from being a fixed point


def _threefry(k0: ndarray, k1: ndarray, x: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
    """Threefry-2x32 with 20 rounds, in place on x and y: after every four rounds a rotation of the key is added."""
    keys = (k0, k1, k0 ^ k1 ^ PARITY)
    x += k0
    y += k1
    high = np.empty_like(y)
    for group in range(5):
        for r in ROTATIONS[group % 2]:
            x += y
            np.left_shift(y, r, out=high)  # y ← (y rotated left by r) xor x
            np.right_shift(y, 32 - r, out=y)
            y |= high
            y ^= x
        x += keys[(group + 1) % 3]
        y += keys[(group + 2) % 3] + np.uint32(group + 1)
    return x, y

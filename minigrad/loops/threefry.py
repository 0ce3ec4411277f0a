"""Threefry-2x32 for one element, as scalars: see `ops.threefry`.

Floor 4.
"""

from __future__ import annotations

from minigrad.loops.scalar import Scalar, convert
from minigrad.ops.threefry import PARITY, ROTATIONS
from minigrad.types import UINT32, DType


def threefry(dtype: DType, k0: Scalar, k1: Scalar, counter: Scalar) -> Scalar:
    """The two words a counter hashes to: their xor, or the two side by side."""
    keys = (k0, k1, k0 ^ k1 ^ int(PARITY))
    x, y = convert(counter >> 32, UINT32) + k0, convert(counter, UINT32) + k1
    for group in range(5):
        for r in ROTATIONS[group % 2]:
            x = x + y
            y = ((y << r) | (y >> (32 - r))) ^ x
        x = x + keys[(group + 1) % 3]
        y = y + (keys[(group + 2) % 3] + (group + 1))
    return x ^ y if dtype == UINT32 else (convert(x, dtype) << 32) | convert(y, dtype)

"""Logic on bools and bits on integers, by the same ops; and the bits of a number read as another dtype.

Floor 2. A shift by the width or more gives what shifting one by one would: 0, or −1 for negative numbers to the right.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from minigrad.errors import DtypeError
from minigrad.frozen import dataclass
from minigrad.op import NoGradient, ndarray
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.rows import Elementwise, row
from minigrad.types import INT64, UINT32, DType

BITS = NoGradient("bits and truth values carry no derivative")

and_ = row("and", np.bitwise_and, BITS, takes="biu")
or_ = row("or", np.bitwise_or, BITS, takes="biu")
xor = row("xor", np.bitwise_xor, BITS, takes="biu")
not_ = row("not", np.invert, BITS, takes="biu")
shift_left = row("shift_left", np.left_shift, BITS, takes="iu", domains=((-100, 100), (0, 10)))
shift_right = row("shift_right", np.right_shift, BITS, takes="iu", domains=((-100, 100), (0, 10)))


@dataclass(frozen=True)
class Bitcast(Elementwise):
    """The same bits read as another dtype of the same width."""

    dtype: DType
    no_gradient: ClassVar[NoGradient | None] = BITS

    def out_dtype(self, *dtypes: DType) -> DType:
        (old,) = dtypes
        if old.itemsize != self.dtype.itemsize or (self.dtype.kind == "b" and old.kind != "b"):
            raise DtypeError(
                f"bitcast: the bits of {old.name} cannot be read as {self.dtype.name}",
                hint="both must have the same width, and not every byte is a bool",
            )
        return self.dtype

    def impl(self, x: ndarray) -> ndarray:
        self.out_dtype(x.dtype)
        return x.view(self.dtype)

    @classmethod
    def samples(cls) -> Samples:
        for shape, before, after in [((3,), "float64", INT64), ((), "float32", UINT32), ((0, 2), "float64", INT64)]:
            yield cls(after), (Draw(shape, before),)

"""The parts of complex numbers: linear over the reals, so each row gives its transpose (see `LinearRow`).

Floor 2. The pairing is Re(ȳ·ẏ). For y = complex(a, b): Re(ȳ·(ȧ + iḃ)) = Re(ȳ)·ȧ − Im(ȳ)·ḃ, and so on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.op import ndarray
from minigrad.ops.rows import LinearRow, convert, neg


def _parts(a: ndarray, b: ndarray) -> ndarray:
    y = np.empty(np.broadcast_shapes(a.shape, b.shape), np.result_type(a, np.complex64))
    y.real, y.imag = a, b  # a + 1j * b would spoil infinities and signed zeros
    return y


def _is_complex(x: Any) -> bool:
    return x.dtype.kind == "c"  # type: ignore[no-any-return]


real = LinearRow("real", np.real, (lambda y_bar, z: convert(y_bar, z.dtype),), gives="real")
imag = LinearRow(
    "imag", np.imag, (lambda y_bar, z: complex_(0.0, neg(y_bar)) if _is_complex(z) else None,), gives="real"
)
conj: LinearRow = LinearRow("conj", np.conjugate, (lambda y_bar, z: conj(y_bar),))
complex_: LinearRow = LinearRow(
    "complex",
    _parts,
    (lambda y_bar, a, b: real(y_bar), lambda y_bar, a, b: neg(imag(y_bar))),
    takes="f",
    gives="complex",
)

"""A line of the tables of test_linalg.py, test_fft.py, test_special.py and test_names.py: a function, its reference in
NumPy or SciPy, and how to draw its operands.

What is asked of each is in test_functions.py (values, lanes, graphs), test_gradients.py (derivatives) and
test_every_way.py (the front-ends).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minigrad import tree
from minigrad.ops.kinds import Draw
from minigrad.testing.inventory import draw


@dataclass(frozen=True)
class Function:
    name: str
    f: Callable[..., Any]
    reference: Callable[..., Any]
    draws: tuple[Draw, ...]
    kinds: str = "fc"  # f float32 and float64, c complex64 and complex128
    order: int = 2  # of the derivatives that are checked; 0: it has none
    by: tuple[int, ...] | None = None  # the operands it is differentiated by (None: all)

    def operands(self, dtype: str) -> list[Any]:
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {dtype}".encode()))
        return [draw(d if d.dtype == "int64" else replace(d, dtype=dtype), rng) for d in self.draws]

    def flat(self, *xs: Any) -> list[Any]:
        return list(tree.leaves(self.f(*xs)))

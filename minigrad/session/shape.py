"""TensorShape: a shape that answers as TensorFlow's does, and is an ordinary tuple of sizes to everything else.

Floor 6. A size that is not known yet is a `types.Dim` (n0, n1, ...) inside the tuple and `None` in `as_list()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.types import Dim, Shape, shape_text


class TensorShape(tuple):  # type: ignore[type-arg]
    """The sizes of a tensor's axes: integers, and symbols where only the feed will tell.

    >>> TensorShape((Dim.symbol("n0"), 3)).as_list()
    [None, 3]
    """

    __slots__ = ()

    @property
    def ndims(self) -> int:
        return len(self)

    @property
    def rank(self) -> int:
        return len(self)

    def as_list(self) -> list[int | None]:
        return [None if isinstance(n, Dim) else n for n in self]

    def is_fully_defined(self) -> bool:
        return not any(isinstance(n, Dim) for n in self)

    def num_elements(self) -> int | None:
        return int(np.prod([int(n) for n in self], dtype=np.int64)) if self.is_fully_defined() else None

    def __str__(self) -> str:
        return shape_text(tuple(self))

    def __repr__(self) -> str:
        return f"TensorShape({shape_text(tuple(self))})"


def as_sizes(who: str, shape: Any) -> list[int | Dim | None]:
    """A shape as the user wrote it (an int, or a sequence of ints, None and symbols), checked."""
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if not isinstance(shape, (Sequence, np.ndarray)) or isinstance(shape, str):
        raise ArgumentError(f"{who}: a shape is a list of sizes, got {shape!r}", hint="write it as [None, 784]")
    sizes: list[int | Dim | None] = []
    for n in shape:
        good = n is None or isinstance(n, Dim) or (isinstance(n, (int, np.integer)) and not isinstance(n, bool))
        if not good or (isinstance(n, (int, np.integer)) and n < 0):
            raise ArgumentError(
                f"{who}: the size {n!r} in shape {list(shape)} is not a size",
                hint="sizes are integers from 0, or None where the feed decides",
            )
        sizes.append(n if n is None or isinstance(n, Dim) else int(n))
    return sizes


def may_be_same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """As many axes, and of none two known sizes that differ."""
    return len(a) == len(b) and all(
        n == m or not (isinstance(n, int) and isinstance(m, int)) for n, m in zip(a, b, strict=True)
    )


def static(who: str, shape: Iterable[Any]) -> Shape:
    """A shape that must be known in full while the graph is built."""
    sizes = tuple(shape)
    if any(not isinstance(n, int) for n in sizes):
        text = ", ".join("None" if n is None else str(n) for n in sizes)
        raise ShapeError(f"{who}: the shape ({text}) is not fully known", hint="a variable's sizes must be numbers")
    return sizes

"""Shapes and dtypes: the only place that knows how they promote, broadcast and print.

Floor 0. A `TensorType` is what can be known of a tensor without running anything. A size may be symbolic
(`Dim`, in sizes.py): a polynomial in named symbols.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minigrad.containers import register_leaf
from minigrad.errors import ArgumentError, BroadcastError, DtypeError
from minigrad.sizes import Dim as Dim
from minigrad.sizes import Shape as Shape
from minigrad.sizes import Size as Size
from minigrad.sizes import assume_equal as assume_equal
from minigrad.sizes import parse_size as parse_size
from minigrad.sizes import same_shape as same_shape
from minigrad.sizes import same_size as same_size

# ── dtypes ───────────────────────────────────────────────────────────────────────────────────────
DType: TypeAlias = "np.dtype[Any]"

SHORT: dict[DType, str] = {
    np.dtype(long): short
    for long, short in [
        ("bool", "bool"),
        *((f"int{n}", f"i{n}") for n in (8, 16, 32, 64)),
        *((f"uint{n}", f"u{n}") for n in (8, 16, 32, 64)),
        *((f"float{n}", f"f{n}") for n in (32, 64)),
        *((f"complex{n}", f"c{n}") for n in (64, 128)),
    ]
}
LONG = {short: dtype for dtype, short in SHORT.items()}
BOOL, INT32, INT64, UINT32, FLOAT32, FLOAT64, COMPLEX64, COMPLEX128 = (
    LONG[s] for s in ("bool", "i32", "i64", "u32", "f32", "f64", "c64", "c128")
)
_PYTHON: dict[type, DType] = {bool: BOOL, int: INT64, float: FLOAT32, complex: COMPLEX64}
_KIND = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}  # the order in which Python scalars are weak


def as_dtype(dtype: Any) -> DType:
    """A supported dtype from a NumPy dtype, a name ('float32' or 'f32') or a Python type (float is float32)."""
    if isinstance(dtype, np.dtype) and dtype in SHORT:
        return dtype
    if isinstance(dtype, str) and dtype in LONG:
        return LONG[dtype]
    if dtype in (bool, int, float, complex):
        return _PYTHON[dtype]
    try:
        found: DType = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        found = np.dtype(object)
    if found not in SHORT:
        raise DtypeError(f"unknown dtype {_spell(dtype)}", hint="known: " + ", ".join(d.name for d in SHORT))
    return found


def _spell(dtype: Any) -> str:
    return repr(dtype.name) if isinstance(dtype, np.dtype) else repr(dtype)


def scalar_dtype(x: bool | int | float | complex) -> DType:
    """The dtype a Python scalar gets when nothing else decides: bool, int64, float32, complex64."""
    return _PYTHON[type(x)]


def promote(*operands: Any) -> DType:
    """The common dtype of dtypes and Python scalar *types* (`float`, `int`, ...), which are weak.

    Within a kind the wider wins; of two kinds the higher (bool < integer < float < complex) wins with its own
    width, as in PyTorch and JAX: int64 with float32 is float32. Signed with unsigned gives the signed type
    that holds both (uint64 with int64: float64, as in NumPy). float64 with complex64 is complex128.
    """
    strong = [d for d in operands if isinstance(d, np.dtype)]
    common = strong[0] if strong else None
    for d in strong[1:]:
        if d is not common:
            common = _join(common, d)  # type: ignore[arg-type]
    for python in operands:
        if not isinstance(python, np.dtype):
            common = _join_weak(common, python)
    if common is None:
        raise DtypeError("nothing to promote")
    return common


def _join(a: DType, b: DType) -> DType:
    ka, kb = _KIND[a.kind], _KIND[b.kind]
    if ka == kb or {a.kind, b.kind} == {"f", "c"}:
        return np.promote_types(a, b)
    return a if ka > kb else b


def _join_weak(common: DType | None, python: type) -> DType:
    weak = _PYTHON[python]
    if common is None or _KIND[common.kind] < _KIND[weak.kind]:
        if common is not None and python is complex:
            return COMPLEX128 if common == FLOAT64 else COMPLEX64
        return weak
    return common


def is_differentiable(dtype: DType) -> bool:
    """Only real and complex floats carry derivatives."""
    return dtype.kind in "fc"


def real_of(dtype: DType) -> DType:
    """The real dtype of the parts of a complex dtype; others are unchanged."""
    return {COMPLEX64: FLOAT32, COMPLEX128: FLOAT64}.get(dtype, dtype)


def complex_of(dtype: DType) -> DType:
    """The complex dtype whose parts have this dtype (float32 for integers and bool)."""
    return COMPLEX128 if dtype in (FLOAT64, COMPLEX128) else COMPLEX64


# ── symbols ──────────────────────────────────────────────────────────────────────────────────────
def substitute(x: Any, sizes: Mapping[str, Size]) -> Any:
    """Symbols replaced anywhere in sizes, tuples of sizes and types."""
    if isinstance(x, Dim):
        return x.substitute(sizes)
    if isinstance(x, TensorType):
        return TensorType(substitute(x.shape, sizes), x.dtype)
    if isinstance(x, tuple):
        return tuple(substitute(y, sizes) for y in x)
    return x


def symbols_of(x: Any) -> set[str]:
    """Every symbol that occurs in sizes, tuples and types."""
    if isinstance(x, Dim):
        return x.symbols()
    if isinstance(x, TensorType):
        return symbols_of(x.shape)
    if isinstance(x, tuple):
        return set().union(*[symbols_of(y) for y in x if type(y) is not int])
    return set()


# ── types ────────────────────────────────────────────────────────────────────────────────────────
@register_leaf  # in a tree of types a type stands where its tensor would
@dataclass(frozen=True, slots=True)
class TensorType:
    """What is known of a tensor without running: its shape (a tuple of int or Dim) and its dtype."""

    shape: Shape
    dtype: DType

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Any:
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{SHORT[self.dtype]}[{','.join(map(str, self.shape))}]"

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(shape, self.dtype)

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(self.shape, dtype)

    @staticmethod
    def parse(text: str) -> TensorType:
        """The inverse of `str`: `f32[2,n + 1]`."""
        found = re.fullmatch(r"(\w+)\[(.*)\]", text.strip())
        if not found or found[1] not in LONG:
            raise DtypeError(f"not a tensor type: {text!r}", hint="write it as f32[2,3]")
        sizes = [parse_size(s) for s in found[2].split(",")] if found[2] else []
        return TensorType(tuple(sizes), LONG[found[1]])


def broadcast_shapes(who: str, *shapes: Shape) -> Shape:
    """The shape all operands broadcast to (NumPy's rule): aligned at the right, sizes equal or 1."""
    first = shapes[0]
    for other in shapes[1:]:
        if other != first:
            break
    else:
        return first
    rank = max(map(len, shapes))
    out: list[Size] = []
    for axis in range(-rank, 0):
        size: Size = 1
        for shape in shapes:
            n = shape[axis] if -axis <= len(shape) else 1
            if n == 1 or (size != 1 and same_size(size, n)):
                continue
            if size != 1:
                raise BroadcastError(
                    f"{who}: shapes {shapes_text(shapes)} do not broadcast: axis {axis} has sizes {size} and {n}",
                    hint="sizes must be equal or 1, counted from the last axis; reshape or index with None",
                )
            size = n
        out.append(size)
    return tuple(out)


def shape_text(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def shapes_text(shapes: Sequence[Shape]) -> str:
    *first, last = map(shape_text, shapes)
    return f"{', '.join(first)} and {last}"


def normal_axis(who: str, axis: Any, t: TensorType) -> int:
    """An axis as a number from 0, or an error that shows the type."""
    rank = t.ndim
    if not isinstance(axis, (int, np.integer)) or isinstance(axis, bool):
        raise ArgumentError(f"{who}: an axis must be an integer, got {axis!r}")
    if not -rank <= axis < rank:
        raise ArgumentError(f"{who}: axis {axis} is out of range for {t} (rank {rank})")
    return int(axis) % rank


def normal_axes(who: str, axes: Any, t: TensorType) -> tuple[int, ...]:
    """Axes (None: all, an int, or a sequence) as sorted distinct numbers from 0."""
    if axes is None:
        return tuple(range(t.ndim))
    if not isinstance(axes, (tuple, list)):
        axes = (axes,)
    found = [normal_axis(who, a, t) for a in axes]
    if len(set(found)) != len(found):
        raise ArgumentError(f"{who}: axes {tuple(axes)} name an axis of {t} twice")
    return tuple(sorted(found))

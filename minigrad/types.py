"""Shapes and dtypes: the only place that knows how they promote, broadcast and print.

Floor 0. A `TensorType` is what can be known of a tensor without running anything. A size may be symbolic
(`Dim`): a polynomial in named symbols, closed under +, -, *, // and with decidable equality.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minigrad.containers import register_leaf
from minigrad.errors import ArgumentError, BroadcastError, DtypeError, SymbolicSizeError

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


def is_float(dtype: DType) -> bool:
    return dtype.kind == "f"


def is_differentiable(dtype: DType) -> bool:
    """Only real and complex floats carry derivatives."""
    return dtype.kind in "fc"


def real_of(dtype: DType) -> DType:
    """The real dtype of the parts of a complex dtype; others are unchanged."""
    return {COMPLEX64: FLOAT32, COMPLEX128: FLOAT64}.get(dtype, dtype)


def complex_of(dtype: DType) -> DType:
    """The complex dtype whose parts have this dtype (float32 for integers and bool)."""
    return COMPLEX128 if dtype in (FLOAT64, COMPLEX128) else COMPLEX64


# ── symbolic sizes ───────────────────────────────────────────────────────────────────────────────
Atom: TypeAlias = "str | tuple[Dim, Dim]"  # a symbol, or a floor division that does not come out even
Monomial: TypeAlias = "tuple[Atom, ...]"
Size: TypeAlias = "int | Dim"
Shape: TypeAlias = "tuple[Any, ...]"  # of Size


@dataclass(frozen=True, slots=True)
class Dim:
    """A size not known yet: a polynomial with integer coefficients over symbols (and uneven quotients).

    `terms` is the normal form: (monomial, coefficient) pairs, sorted, no zero coefficients. Two Dims are equal
    exactly when their normal forms are; a constant polynomial is an `int`, never a Dim.
    """

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def symbol(name: str) -> Dim:
        return Dim((((name,), 1),))

    def __add__(self, other: Size) -> Size:
        total = dict(self.terms)
        for monomial, k in _terms(other):
            total[monomial] = total.get(monomial, 0) + k
        return _normal(total)

    def __mul__(self, other: Size) -> Size:
        total: dict[Monomial, int] = {}
        for m, j in self.terms:
            for n, k in _terms(other):
                both = tuple(sorted(m + n, key=_order))
                total[both] = total.get(both, 0) + j * k
        return _normal(total)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __rsub__(self, other: Size) -> Size:
        return self * -1 + other

    def __floordiv__(self, other: Size) -> Size:
        return _divide(self, other)

    def __rfloordiv__(self, other: Size) -> Size:
        return _divide(other, self)

    def __mod__(self, other: Size) -> Size:
        return self - _divide(self, other) * other

    def __index__(self) -> int:
        raise SymbolicSizeError(
            f"the size {self} is not known until the graph is fed",
            hint="use a function that takes the whole tensor, or feed a fixed size",
        )

    __int__ = __index__

    def _ordered(self, other: Size) -> bool:
        raise SymbolicSizeError(f"cannot compare the symbolic size {self} with {other}")

    __lt__ = __le__ = __gt__ = __ge__ = _ordered

    def __str__(self) -> str:
        return " + ".join(_term_text(m, k) for m, k in self.terms).replace("+ -", "- ")

    __repr__ = __str__

    def substitute(self, sizes: Mapping[str, Size]) -> Size:
        """The size with symbols replaced."""
        total: Size = 0
        for monomial, k in self.terms:
            term: Size = k
            for atom in monomial:
                if isinstance(atom, str):
                    term = term * sizes.get(atom, Dim.symbol(atom))
                else:
                    term = term * (substitute(atom[0], sizes) // substitute(atom[1], sizes))
            total = total + term
        return total

    def symbols(self) -> set[str]:
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                found |= {atom} if isinstance(atom, str) else symbols_of(atom)
        return found


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
        return set().union(*(symbols_of(y) for y in x))
    return set()


def _terms(x: Size) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(x, Dim):
        return x.terms
    if not isinstance(x, (int, np.integer)):
        raise SymbolicSizeError(
            f"a symbolic size is computed with integers, not with {x!r}",
            hint="as a number in a program the size is the sum of ones_like(x) over the axis",
        )
    return (((), int(x)),)


def _order(atom: Atom) -> tuple[int, str]:
    return (0, atom) if isinstance(atom, str) else (1, str(atom))


def _normal(total: dict[Monomial, int]) -> Size:
    terms = tuple(sorted(((m, k) for m, k in total.items() if k), key=lambda t: ([*map(_order, t[0])], t[1])))
    if not terms:
        return 0
    if len(terms) == 1 and terms[0][0] == ():
        return terms[0][1]
    # constants last reads better: n + 1
    return Dim(terms[1:] + terms[:1] if terms[0][0] == () else terms)


def _divide(a: Size, b: Size) -> Size:
    """a // b, exact where every term of a is a multiple of the single term of b."""
    divisor = _terms(b)
    if len(divisor) == 1:
        (monomial, k), quotient = divisor[0], {}
        for m, j in _terms(a):
            rest = list(m)
            for atom in monomial:
                if atom not in rest:
                    break
                rest.remove(atom)
            else:
                if k and j % k == 0:
                    quotient[tuple(rest)] = j // k
                    continue
            break
        else:
            return _normal(quotient)
    if a == b:
        return 1
    return Dim(((((_dim(a), _dim(b)),), 1),))


def _dim(x: Size) -> Dim:
    return x if isinstance(x, Dim) else Dim((((), x),))


def _term_text(monomial: Monomial, k: int) -> str:
    atoms = "*".join(a if isinstance(a, str) else f"(({a[0]})//({a[1]}))" for a in monomial)
    return str(k) if not atoms else atoms if k == 1 else f"-{atoms}" if k == -1 else f"{k}*{atoms}"


# Two sizes that only the feed can show to be equal: the session's graph listens here and checks when it runs.
assume_equal: ContextVar[Callable[[Size, Size], None] | None] = ContextVar("assume_equal", default=None)


def same_size(a: Size, b: Size) -> bool:
    """Equal, or assumed equal because a listener will check it when the sizes are known."""
    if a == b:
        return True
    listener = assume_equal.get()
    if listener is not None and (isinstance(a, Dim) or isinstance(b, Dim)):
        listener(a, b)
        return True
    return False


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


def parse_size(text: str) -> Size:
    """A size from its text: integers, symbols, + - * // and brackets. Nothing is evaluated as Python."""
    tokens: Iterator[str] = iter([*re.findall(r"\d+|[A-Za-z_]\w*|//|[-+*()]", text), ""])
    token = next(tokens)

    def atom() -> Size:
        nonlocal token
        word, token = token, next(tokens, "")
        if word == "(":
            inner = total()
            token = next(tokens, "")
            return inner
        if word == "-":
            return atom() * -1
        return int(word) if word.isdigit() else Dim.symbol(word)

    def product() -> Size:
        nonlocal token
        value = atom()
        while token in ("*", "//"):
            sign, token = token, next(tokens, "")
            right = atom()
            value = value * right if sign == "*" else value // right
        return value

    def total() -> Size:
        nonlocal token
        value = product()
        while token in ("+", "-"):
            sign, token = token, next(tokens, "")
            right = product()
            value = value + right if sign == "+" else value - right
        return value

    return total()


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
